#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""WireGuard's peers: what an apply touches of them, whose they are, and what status says of
them. Nothing here knows which of the two WireGuards is behind the device."""

import base64
import contextlib
import json
import shutil
import socket
import subprocess
import threading
import time

from lib import (DEADLINE_S, SLOWNESS, SO_RCVBUFFORCE, Lab, Skip, case, check, check_equal,
                 client_socket, inside, main, run, wait_until)
from scenes import open_policy
from wgsets import DRAIN, watched


def key(number):
    """A public key that nobody has the private half of."""
    return base64.b64encode(bytes([number]) * 31 + b"\x10").decode()


TABLET, CAR, FOREIGN = key(1), key(2), key(3)


class PeersLab(Lab):
    """Each case begins with the lab's policy and two more peers, and traffic from the phone."""

    def __enter__(self):
        super().__enter__()
        self.base = open_policy(self)
        run("sh", "-c", f"umask 077; wg genpsk >{self.run_dir}/tablet.psk")
        self.base["peers"]["tablet"] = {
            "public_key": TABLET, "addresses": ["100.80.0.11", "fd7a:70::11"],
            "preshared_key_file": f"{self.run_dir}/tablet.psk", "persistent_keepalive": 21,
            "endpoint": "[2001:db8::10]:40001"}
        self.base["peers"]["car"] = {"public_key": CAR, "addresses": ["100.80.0.12"],
                                     "endpoint": "192.0.2.77:40002"}
        self.apply(self.base)
        self.wait_for_tunnel()
        return self

    def recover(self):
        self.wg("set", self.tunnel, "peer", FOREIGN, "remove")
        self.apply(self.base)

    def edited(self):
        return json.loads(json.dumps(self.base))

    def wg(self, *args):
        return self.exec("router", "wg", *args).stdout

    def dump(self):
        """{public key: the rest of its line}"""
        lines = self.wg("show", self.tunnel, "dump").splitlines()[1:]
        return {line.split("\t")[0]: line.split("\t")[1:] for line in lines}

    def phone_key(self):
        return self.base["peers"]["phone"]["public_key"]

    def steps(self, policy):
        path = self.write_policy(policy, "planned.json")
        return [f"{op['verb']} {op['object']}" for op in self.json("plan", path)["ops"]]


# ---- whose they are ---------------------------------------------------------------------

@case
def a_foreign_peer_stays_and_is_reported(lab):
    before = lab.dump()
    lab.wg("set", lab.tunnel, "peer", FOREIGN, "allowed-ips", "100.99.0.1/32,fd99::1/128")
    check_equal(lab.steps(lab.base), [], "plan")
    said = lab.towpath("plan", lab.write_policy(lab.base)).stderr
    check(FOREIGN in said and "foreign" in said and "left alone" in said, said)
    policy = lab.edited()
    del policy["peers"]["car"]
    lab.apply(policy)
    check_equal(sorted(lab.dump()), sorted(set(before) - {CAR} | {FOREIGN}), "peers")
    check_equal(lab.dump()[FOREIGN][2], "100.99.0.1/32,fd99::1/128", "its allowed IPs")
    found = [p for p in lab.json("status")["peers"] if p["public_key"] == FOREIGN]
    check_equal([(p["kind"], p["name"], p["allowed_ips"]) for p in found],
                [("foreign", "", ["100.99.0.1/32", "fd99::1/128"])], "status")
    check(FOREIGN in lab.towpath("status").stdout, "the text of status")
    lab.wg("set", lab.tunnel, "peer", FOREIGN, "remove")
    lab.apply(lab.base)
    check_equal(sorted(lab.dump()), sorted(before), "peers")


@case
def our_former_peer_is_removed(lab):
    policy = lab.edited()
    del policy["peers"]["tablet"]
    check("remove peer " + TABLET in lab.steps(policy), f"plan {lab.steps(policy)}")
    lab.apply(policy)
    check(TABLET not in lab.dump(), "it is gone")
    lab.apply(lab.base)
    check_equal(lab.steps(lab.base), [], "plan")


@case
def a_foreign_peer_that_the_policy_names_becomes_ours(lab):
    lab.wg("set", lab.tunnel, "peer", FOREIGN, "allowed-ips", "100.80.0.14/32")
    policy = lab.edited()
    policy["peers"]["named"] = {"public_key": FOREIGN, "addresses": ["100.80.0.14"]}
    lab.apply(policy)
    kinds = {p["public_key"]: p["kind"] for p in lab.json("status")["peers"]}
    check_equal(kinds[FOREIGN], "peer", "kind")
    lab.apply(lab.base)
    check(FOREIGN not in lab.dump(), "it is gone")


@case
def another_key_for_a_name_removes_the_old_one(lab):
    policy = lab.edited()
    policy["peers"]["car"]["public_key"] = key(9)
    lab.apply(policy)
    check(CAR not in lab.dump() and key(9) in lab.dump(), "keys")
    lab.apply(lab.base)
    check(CAR in lab.dump() and key(9) not in lab.dump(), "keys")


# ---- what an edit touches ----------------------------------------------------------------

@case
def an_edit_of_one_peer_is_one_message_for_it(lab):
    policy = lab.edited()
    policy["peers"]["tablet"]["persistent_keepalive"] = 11
    policy["peers"]["tablet"]["addresses"].append("100.80.0.13")
    phone = lab.dump()[lab.phone_key()]
    with watched(lab) as sets:
        lab.apply(policy)
    check_equal(sets, [[TABLET]], "messages")
    policy["peers"]["tablet"]["addresses"].remove("100.80.0.11")
    with watched(lab) as sets:
        lab.apply(policy)
    check_equal(sets, [[TABLET, DRAIN, DRAIN]], "messages that take one away")
    endpoint, ips, *_, keepalive = lab.dump()[TABLET][1:]
    check_equal([endpoint, sorted(ips.split(",")), keepalive],
                ["[2001:db8::10]:40001", ["100.80.0.13/32", "fd7a:70::11/128"], "11"], "tablet")
    check_equal(lab.dump()[lab.phone_key()][:3], phone[:3], "the phone")
    with watched(lab) as sets:
        lab.apply(policy)
    check_equal(sets, [], "messages of an apply with nothing to do")
    lab.apply(lab.base)


@case
def an_allowed_ip_moves_by_one_message(lab):
    policy = lab.edited()
    policy["peers"]["tablet"]["addresses"].remove("fd7a:70::11")
    policy["peers"]["car"]["addresses"].append("fd7a:70::11")
    with watched(lab) as sets:
        lab.apply(policy)
    check_equal(sets, [[CAR]], "messages")
    check_equal((lab.dump()[CAR][2], lab.dump()[TABLET][2]),
                ("100.80.0.12/32,fd7a:70::11/128", "100.80.0.11/32"), "allowed IPs")
    check_equal(lab.steps(policy), [], "plan")
    with watched(lab) as sets:
        lab.apply(lab.base)
    check_equal(sets, [[TABLET]], "messages back")
    check_equal(lab.steps(lab.base), [], "plan")


@case
def an_unchanged_peer_keeps_session_counters_and_place(lab):
    before = lab.dump()[lab.phone_key()]
    check(before[3] != "0", "it has shaken hands")
    lab.exec("phone", "wg", "set", lab.phone_tunnel, "listen-port", "40000")
    lab.exec("phone", "ping", "-n", "-c", "1", "-W", "5", lab.WEB)
    policy = lab.edited()
    policy["peers"]["phone"]["endpoint"] = "192.0.2.10:40009"
    lab.apply(policy)
    check_equal(lab.dump()[lab.phone_key()][1], "192.0.2.10:40009", "what the file now says")
    lab.exec("phone", "ping", "-n", "-c", "1", "-W", "5", lab.WEB6)
    wait_until(lambda: lab.dump()[lab.phone_key()][1] == "192.0.2.10:40000", "it to roam")
    policy["peers"]["tablet"]["persistent_keepalive"] = 12
    with watched(lab) as sets:
        lab.apply(policy)
    check_equal(sets, [[TABLET]], "messages")
    after = lab.dump()[lab.phone_key()]
    check_equal(after[1], "192.0.2.10:40000", "where it roamed to")
    check(int(after[3]) >= int(before[3]) and int(after[4]) > int(before[4]), f"{before} {after}")
    lab.apply(lab.base)


STREAM_S = 5 * SLOWNESS
EDITS = 4       # at least, while the stream runs


@contextlib.contextmanager
def iperf(lab, host):
    """A client on the phone, of a UDP stream to a server on the LAN that serves once. So small
    and few are its datagrams that the buffers of sockets hold what comes in two seconds: a busy
    machine loses none by itself."""
    def start(short, *options):
        return subprocess.Popen(["ip", "netns", "exec", lab.netns(short), "iperf3", *options],
                                stdout=subprocess.PIPE, text=True)

    with start("web", "-s", "-1", "-p", "5201") as server:
        try:
            wait_until(lambda: ":5201" in lab.exec("web", "ss", "-Hltn").stdout, "the server")
            with start("phone", "-J", "-c", host, "-p", "5201", "-u", "-b", "200k", "-l", "250",
                       "-t", str(STREAM_S)) as client:
                try:
                    yield client
                finally:
                    client.kill()
        finally:
            server.kill()


def edit_tablet(tablet, edit):
    """Its keepalive, or its allowed IPs: one that goes and one that comes in both families. It is
    never what it was."""
    if edit % 2:
        tablet["addresses"] = [f"100.80.0.{20 + edit % 200}", f"fd7a:70::{20 + edit % 200}"]
    else:
        tablet["persistent_keepalive"] ^= 1


def has_tablet(lab, tablet):
    fields = lab.dump()[TABLET]
    check_equal((sorted(fields[2].split(",")), fields[6]),
                (sorted(f"{a}/{128 if ':' in a else 32}" for a in tablet["addresses"]),
                 str(tablet["persistent_keepalive"])), "allowed IPs and keepalive of the tablet")


def edit_during_stream(lab, host, policy):
    """Another peer is edited for as long as the stream runs."""
    edits, end = 0, time.monotonic() + STREAM_S + DEADLINE_S
    with iperf(lab, host) as client, watched(lab, gently=True) as sets:
        while client.poll() is None:
            check(time.monotonic() < end, f"the stream came to its end in {DEADLINE_S} s more")
            edit_tablet(policy["peers"]["tablet"], edits)
            lab.apply(policy)
            edits += 1
            has_tablet(lab, policy["peers"]["tablet"])
        answer = json.loads(client.stdout.read())
    check(edits > EDITS, f"{edits} edits while the stream ran: {answer}")
    if sets is not None:
        touched = [[peer for peer in message if peer != DRAIN] for message in sets]
        check_equal(touched, [[TABLET]] * edits, "messages")
    return answer


@case
def a_stream_of_another_peer_loses_nothing_by_an_edit(lab):
    if not shutil.which("iperf3"):
        raise Skip("no iperf3 here")
    policy = lab.edited()
    for host in (lab.WEB, lab.WEB6):
        answer = edit_during_stream(lab, host, policy)
        check("error" not in answer, f"{answer.get('error')}")
        got = answer["end"]["sum"]
        check(got["packets"] >= 90 * STREAM_S, f"{got}")
        check_equal(got["lost_packets"], 0, f"lost to {host}, of {got['packets']}")
    lab.apply(lab.base)


# ---- more than a message holds -----------------------------------------------------------

@case
def a_peer_with_more_than_a_message_holds(lab):
    """Adding one more is again one message, which names that one alone."""
    policy = lab.edited()
    routes = [f"10.{i // 256 + 64}.{i % 256}.0/24" for i in range(900)]
    policy["peers"]["car"]["advertise_routes"] = routes[:-1]
    policy["auto_approvers"]["routes"]["10.64.0.0/12"] = ["car"]
    with watched(lab) as sets:
        lab.apply(policy)
    check_equal(set(map(tuple, sets)), {(CAR,)}, "messages")
    check_equal(lab.steps(policy), [], "plan")
    policy["peers"]["car"]["advertise_routes"] = routes
    with watched(lab) as sets:
        lab.apply(policy)
    check_equal(sets, [[CAR]], "messages")
    check_equal(len(lab.dump()[CAR][2].split(",")), 901, "allowed IPs")
    policy["peers"]["car"]["advertise_routes"] = routes[1:]
    with watched(lab) as sets:
        lab.apply(policy)
    check_equal(sets, [[CAR, DRAIN, DRAIN]], "messages that take one away")
    check_equal(len(lab.dump()[CAR][2].split(",")), 900, "allowed IPs")
    lab.apply(lab.base)
    check_equal(lab.dump()[CAR][2], "100.80.0.12/32", "allowed IPs")
    check(DRAIN not in lab.dump(), "the drain is gone")


class Flood:
    """Datagrams from the phone to the web server for as long as it lasts."""

    def __init__(self, lab):
        with inside(lab.netns("web")):
            self.web = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.web.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.web.bind(("::", 7777))
        self.phone = client_socket(lab, "phone", socket.SOCK_DGRAM, lab.WEB6)
        self.phone.connect((lab.WEB6, 7777))
        self.end, self.sent = threading.Event(), 0
        self.thread = threading.Thread(target=self._send)

    def _send(self):
        while not self.end.wait(0.002):  # more would overflow a socket while the machine is busy
            self.phone.send(b"%d" % self.sent)
            self.sent += 1

    def __enter__(self):
        self.thread.start()
        wait_until(lambda: self.sent, "the first datagram")
        return self

    def __exit__(self, *_):
        self.end.set()
        self.thread.join()

    def lost(self):
        """How many of those sent did not come; the last of all tells that the others are in."""
        came = set()
        self.web.settimeout(DEADLINE_S)
        self.phone.send(b"end")
        while (data := self.web.recv(64)) != b"end":
            came.add(int(data))
        self.web.close()
        self.phone.close()
        return self.sent - len(came)


@case
def a_peer_that_loses_a_prefix_keeps_the_others_without_a_gap(lab):
    policy = lab.edited()
    routes = [f"10.{i // 256 + 64}.{i % 256}.0/24" for i in range(900)]
    policy["auto_approvers"]["routes"]["10.64.0.0/12"] = ["phone"]
    policy["peers"]["phone"]["advertise_routes"] = routes
    lab.apply(policy)
    with Flood(lab) as flood:
        for _ in range(8):
            routes.pop()
            lab.apply(policy)
    check_equal(flood.lost(), 0, f"lost of {flood.sent}")
    lab.apply(lab.base)


# ---- status and wg -----------------------------------------------------------------------

def of_wg(lab):
    """`wg show dump` as status would say it. Not of all devices: the sockets of all namespaces'
    wireguard-go lie in one place, and `wg` deletes those of labs that are just coming up."""
    device, peers = None, {}
    for line in lab.wg("show", lab.tunnel, "dump").splitlines():
        fields = line.split("\t")
        if len(fields) == 4:
            device = {"public_key": fields[1], "listen_port": int(fields[2])}
            check_equal(fields[3], "off", "fwmark: we set none")
            continue
        public, psk, endpoint, allowed, handshake, rx, tx, keepalive = fields
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(handshake)))
        peers[public] = {
            "endpoint": None if endpoint == "(none)" else endpoint,
            "allowed_ips": sorted([] if allowed == "(none)" else allowed.split(",")),
            "preshared_key": psk != "(none)",
            "persistent_keepalive": 0 if keepalive == "off" else int(keepalive),
            "latest_handshake": when if int(handshake) else None,
            "rx_bytes": int(rx), "tx_bytes": int(tx)}
    return device, peers


def of_status(lab):
    status = lab.json("status")
    fields = ("endpoint", "allowed_ips", "preshared_key", "persistent_keepalive",
              "latest_handshake", "rx_bytes", "tx_bytes")
    peers = {p["public_key"]: {field: p[field] for field in fields} for p in status["peers"]}
    for peer in peers.values():
        peer["allowed_ips"].sort()
    return {f: status["tunnel"][f] for f in ("public_key", "listen_port")}, peers


@case
def status_agrees_with_wg_in_every_field(lab):
    lab.wg("set", lab.tunnel, "peer", FOREIGN, "persistent-keepalive", "17")
    lab.exec("phone", "ping", "-n", "-c", "2", "-W", "5", lab.WEB)

    def both():
        """Counters may move in between: then again."""
        before, status, after = of_wg(lab), of_status(lab), of_wg(lab)
        return (status, after) if before == after else None

    status, wg = wait_until(both, "a moment without traffic")
    check_equal(status[0], wg[0], "the device")
    check_equal(status[1], wg[1], "peers")
    check(len(wg[1]) == 4, f"{sorted(wg[1])}")
    phone = wg[1][lab.phone_key()]
    check(phone["rx_bytes"] and phone["tx_bytes"] and phone["latest_handshake"], f"{phone}")
    hosts = {p["public_key"]: sorted(p["addresses"]) for p in lab.json("status")["peers"]}
    check_equal(hosts[TABLET], ["100.80.0.11", "fd7a:70::11"], "mesh addresses")
    with open(f"{lab.run_dir}/tablet.psk", encoding="ascii") as file:
        psk = file.read().strip()
    check(psk not in lab.towpath("status", "--json").stdout, "no key is shown")
    lab.wg("set", lab.tunnel, "peer", FOREIGN, "remove")


if __name__ == "__main__":
    main(PeersLab)
