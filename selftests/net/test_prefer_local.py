#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""What a LAN of this machine holds the mesh does not take: whatever the lengths of the two
prefixes, whatever the metric of the LAN's route, and whoever was there first.

The phone advertises a prefix for each LAN of the table; the LANs come and go on a second device of
the router. Packets to one address of each come from the router itself, from a host of its first
LAN and out of the tunnel, and are looked for at both ends."""

import contextlib
import json
import os
import shutil
import socket
import struct
import subprocess
import time

from lib import (SLOWNESS, TOP, TOWPATH, Capture, Lab, case, check, check_equal, client_socket,
                 fault_shim, inside, main, run, wait_until)
from daemon import Daemon
from packets import udp
from scenes import open_policy

DEVICE, PEER = "lan1", "far0"
# a net of its own, on which there may be a router to the LANs
NEAR = {4: "10.98.0.1", 6: "fd98::1"}
FAR = {4: "10.98.0.2", 6: "fd98::2"}

# how the mesh's prefix lies to the LAN's: the LAN's, the mesh's, an address of both
TABLE = {
    ("equal", 4): ("10.20.0.0/16", "10.20.0.0/16", "10.20.5.7"),
    ("longer", 4): ("10.21.0.0/16", "10.21.5.0/24", "10.21.5.7"),
    ("shorter", 4): ("10.22.0.0/16", "10.22.0.0/15", "10.22.5.7"),
    ("equal", 6): ("fd20::/48", "fd20::/48", "fd20:0:0:5::7"),
    ("longer", 6): ("fd21::/48", "fd21:0:0:5::/64", "fd21:0:0:5::7"),
    ("shorter", 6): ("fd22::/48", "fd22::/32", "fd22:0:0:5::7"),
}
# of the shorter ones, what no LAN holds
BEYOND = {4: "10.23.5.7", 6: "fd22:0:1::7"}

# where packets go by who sends them; a packet out of the tunnel has no business on a LAN that
# this node does not advertise
MESH = {"router": "phone", "host": "phone", "tunnel": "phone"}
LAN = {"router": "lan", "host": "lan", "tunnel": None}


class Scene(Lab):
    def __enter__(self):
        super().__enter__()
        self.advertise(TABLE)
        with open(f"{self.run_dir}/router.pub", encoding="ascii") as file:
            self.exec("phone", "wg", "set", self.phone_tunnel, "peer", file.read().strip(),
                      "allowed-ips", "100.80.0.0/24,fd7a:70::/64,10.0.0.0/8,fd00::/8")
        for prefix, via in (("10.0.0.0/8", self.LAN), ("fd00::/8", self.LAN6)):
            run("ip", "-n", self.netns("web"), "route", "add", prefix, "via", via)
        self.sent = 0
        self.again()
        self.wait_for_tunnel()
        return self

    def advertise(self, table):
        """The phone does, by the policy, for each LAN of the table."""
        self.table = table
        policy = open_policy(self)
        # those of TABLE are always there, for the marks
        prefixes = [mesh for _, mesh, _ in {**TABLE, **table}.values()]
        policy["peers"]["phone"]["advertise_routes"] = prefixes
        policy["auto_approvers"]["routes"].update({prefix: ["phone"] for prefix in prefixes})
        self.file = self.write_policy(policy)

    def again(self):
        self.towpath("apply", self.file)

    def recover(self):
        run("ip", "-n", self.netns("router"), "link", "del", DEVICE, ok=False)
        self.advertise(TABLE)
        self.again()

    def ip(self, *words, **options):
        return run("ip", "-n", self.netns("router"), *words, **options)

    # ---- the LANs ----

    def cable(self):
        self.ip("link", "add", DEVICE, "up", "type", "veth", "peer", "name", PEER, "netns",
                self.netns("lan"))
        run("ip", "-n", self.netns("lan"), "link", "set", PEER, "up")
        self.ip("address", "add", f"{NEAR[4]}/24", "dev", DEVICE)
        self.ip("address", "add", f"{NEAR[6]}/64", "dev", DEVICE)
        mac = self.mac("lan", PEER)
        for address in [*FAR.values()] + [address for _, _, address in self.table.values()]:
            self.ip("neigh", "replace", address, "lladdr", mac, "dev", DEVICE, "nud", "permanent")

    def connect(self, metric, table=None):
        """Addresses of the LANs on the device itself."""
        for (_, family, *_), (lan, _, _) in (table or self.table).items():
            net, length = lan.split("/")
            own = net[:-1] + "1" if family == 4 else net + "1"
            self.ip("address", "add", f"{own}/{length}", "dev", DEVICE,
                    *(["metric", metric] if metric else []))

    def route(self, metric, table=None):
        """The LANs behind a router on the device."""
        for (_, family, *_), (lan, _, _) in (table or self.table).items():
            self.ip("route", "add", lan, "via", FAR[family], "dev", DEVICE, "metric", metric)

    @contextlib.contextmanager
    def lans(self, come, metric):
        self.cable()
        come(self, metric)
        yield
        self.ip("link", "del", DEVICE)

    # ---- packets ----

    def send(self, source, address, payload):
        family = 6 if ":" in address else 4
        if source == "tunnel":
            phone = self.PHONE6 if family == 6 else self.PHONE
            self.from_phone(udp(phone, address, 20000 + self.sent % 20000, 5000, payload))
            return
        short = "web" if source == "host" else "router"
        with client_socket(self, short, socket.SOCK_DGRAM, address) as sock:
            sock.sendto(payload, (address, 5000))

    def sinks(self, lan_is_there):
        sinks = {"phone": self.capture("phone")}
        if lan_is_there:
            sinks["lan"] = Capture(self.netns("lan"), PEER)
        return sinks

    def arrivals(self, lan_is_there):
        """{(key of the table, source): where the packet arrived}"""
        sinks = self.sinks(lan_is_there)
        self.sent += 1
        names = {}
        for key, (_, _, address) in self.table.items():
            for source in MESH:
                payload = f"{key} {source} {self.sent}".encode()
                names[payload] = key, source
                self.send(source, address, payload)
        return {names[payload]: where
                for payload, where in self.collect(sinks, set(names)).items()}

    def collect(self, sinks, payloads):
        """Behind all that was sent comes a mark by each way that surely leads to a sink."""
        found = dict.fromkeys(payloads)
        for name, capture in sinks.items():
            sources = [s for s in MESH if name == "phone" or s != "tunnel"]
            targets = BEYOND if name == "phone" else FAR
            with capture:
                marks = [f"mark {source} {family} {self.sent}".encode()
                         for source in sources for family in targets]
                for mark in marks:
                    _, source, family, _ = mark.decode().split()
                    self.send(source, targets[int(family)], mark)
                for mark in marks:
                    if not any(mark in p.segment for p in capture.seen):
                        capture.expect_payload(mark)
                for payload in payloads:
                    if any(payload in p.segment for p in capture.seen):
                        check(not found[payload], f"{payload} arrived twice")
                        found[payload] = name
        return found

    def goes(self, wanted, what, lan_is_there=True):
        """wanted: of each relation, {source: sink}"""
        got = self.arrivals(lan_is_there)
        want = {(key, source): sink for key in self.table
                for source, sink in wanted[key[0]].items()}
        check_equal({k: v for k, v in got.items() if want[k] != v}, {}, what)
        for (relation, *_), (lan, _, address) in self.table.items():
            device = self.ip("route", "get", address).stdout.split(" dev ")[1].split()[0]
            sink = wanted[relation]["router"]
            check_equal(device, self.tunnel if sink == "phone" else DEVICE,
                        f"{what}: the kernel's device for {relation}, {lan}")

    # ---- reports ----

    def states(self):
        return {r["prefix"]: (r["state"], r["reason"]) for r in self.json("status")["routes"]
                if r["node"] == "phone"}

    def shows(self, state, reason, what):
        """state and reason: functions of the relation and the LAN's prefix."""
        got = self.states()
        for (relation, *_), (lan, mesh, _) in self.table.items():
            check_equal(got[mesh][0], state(relation), f"{what}: state of {mesh}")
            check(reason(relation, lan) in got[mesh][1],
                  f"{what}: reason of {mesh}: {got[mesh][1]}")

    def is_settled(self, what):
        check_equal([op["text"] for op in self.json("plan", self.file)["ops"]], [],
                    f"{what}: a second plan")


def problems(lab):
    return [f"{p['what']}; {p['mend']}" for p in lab.json("status")["problems"]]


def everywhere(way):
    return dict.fromkeys(("equal", "longer", "shorter"), way)


def guarded_state(relation):
    return "active" if relation == "shorter" else "conflict"


def holder(relation, lan):
    return "through the tunnel to phone" if relation == "shorter" else lan


def life_of_a_lan(lab, come, metric):
    """Before it is there, when it has just come, once that is known, and when it has gone."""
    active = (lambda relation: "active"), (lambda relation, lan: "through the tunnel to phone")
    lab.goes(everywhere(MESH), "no LAN yet", lan_is_there=False)
    lab.shows(*active, "no LAN yet")
    with lab.lans(come, metric):
        # nobody has told towpath: the rules see to it
        lab.goes(everywhere(LAN), "it has just come")
        lab.shows(guarded_state, holder, "it has just come")
        lab.again()
        lab.goes(everywhere(LAN), "before the apply")
        lab.shows(guarded_state, holder, "before the apply")
        lab.is_settled("before the apply")
    lab.again()
    lab.goes(everywhere(MESH), "it has gone", lan_is_there=False)
    lab.shows(*active, "it has gone")
    lab.is_settled("it has gone")


@case
def a_connected_lan_of_metric_0(lab):
    life_of_a_lan(lab, Scene.connect, 0)


@case
def a_connected_lan_of_metric_100(lab):
    life_of_a_lan(lab, Scene.connect, 100)


@case
def a_connected_lan_of_metric_1024(lab):
    life_of_a_lan(lab, Scene.connect, 1024)


@case
def a_routed_lan_of_metric_0(lab):
    life_of_a_lan(lab, Scene.route, 0)


@case
def a_routed_lan_of_metric_100(lab):
    life_of_a_lan(lab, Scene.route, 100)


@case
def a_routed_lan_of_metric_1024(lab):
    life_of_a_lan(lab, Scene.route, 1024)


# ---- LANs of all kinds before the first apply ---------------------------------------------------

KINDS = [(come, metric) for come in (Scene.connect, Scene.route) for metric in (0, 100, 1024)]


def table_of(kind):
    """As TABLE, but of nets that no other kind has."""
    n = 128 + 4 * kind
    rows = {"equal": (n, "16", "0.0/16", "48", ":/48"),
            "longer": (n + 1, "16", "5.0/24", "48", "0:0:5::/64"),
            "shorter": (n + 2, "16", "0.0/15", "48", ":/32")}
    table = {}
    for relation, (net, length4, mesh4, length6, mesh6) in rows.items():
        table[relation, 4, kind] = (f"10.{net}.0.0/{length4}", f"10.{net}.{mesh4}",
                                    f"10.{net}.5.7")
        table[relation, 6, kind] = (f"fd{net:x}::/{length6}", f"fd{net:x}:{mesh6}",
                                    f"fd{net:x}:0:0:5::7")
    return table


def sent_while_it_applies(lab):
    """Numbered packets of the router itself to each LAN, until towpath is done: their payloads."""
    payloads = set()
    with contextlib.ExitStack() as stack:
        socks = {address: stack.enter_context(client_socket(lab, "router", socket.SOCK_DGRAM,
                                                            address))
                 for _, _, address in lab.table.values()}
        command = [os.path.join(TOP, "scripts", "lab"), "towpath", "apply", lab.file]
        with subprocess.Popen(command, env=dict(os.environ, LAB=lab.name, TOWPATH=TOWPATH),
                              stderr=subprocess.PIPE, text=True) as apply:
            while apply.poll() is None:
                for address, sock in socks.items():
                    payload = f"meanwhile {address} {len(payloads)}.".encode()
                    sock.sendto(payload, (address, 5000))
                    payloads.add(payload)
                time.sleep(0.02 * SLOWNESS)     # what comes in a long one fits the capture
            check_equal(apply.returncode, 0, f"apply: {apply.stderr.read()}")
    return payloads


def first_apply_with_lans(lab):
    """Nothing of ours is there, all LANs are; and not one packet to them goes astray."""
    lab.towpath("status", status=5)
    with Capture(lab.netns("lan"), PEER) as far:
        payloads = sent_while_it_applies(lab)
        check(len(payloads) > 2 * len(lab.table), f"{len(payloads)} packets meanwhile")
        lab.send("router", FAR[4], b"the end")
        far.expect_payload(b"the end")
        came = {bytes(p.payload) for p in far.seen}
        check_equal(sorted(payloads - came)[:9], [], f"lost of {len(payloads)} packets")


@case
def lans_of_all_kinds_before_the_first_apply(lab):
    tables = [table_of(kind) for kind in range(len(KINDS))]
    lab.towpath("down")
    lab.advertise({key: row for table in tables for key, row in table.items()})
    lab.cable()
    for (come, metric), table in zip(KINDS, tables):
        come(lab, metric, table)
    first_apply_with_lans(lab)
    lab.wait_for_tunnel()
    lab.goes(everywhere(LAN), "after the first apply")
    lab.shows(guarded_state, holder, "after the first apply")
    lab.is_settled("after the first apply")
    lab.ip("link", "del", DEVICE)
    lab.again()
    lab.goes(everywhere(MESH), "they have gone", lan_is_there=False)
    lab.is_settled("they have gone")
    lab.advertise(TABLE)
    lab.again()


# ---- flows that are there already ---------------------------------------------------------------

@case
def a_flow_that_is_there_follows_its_lan(lab):
    """The programs look at the way of a known flow once a second, and nobody tells them."""
    flows = {family: TABLE["equal", family][2] for family in (4, 6)}
    with contextlib.ExitStack() as stack:
        phone = stack.enter_context(lab.capture("phone"))
        socks = {family: stack.enter_context(client_socket(lab, "web", socket.SOCK_DGRAM, address))
                 for family, address in flows.items()}

        def send(word):
            for family, address in flows.items():
                socks[family].sendto(f"{word} {family}".encode(), (address, 5000))

        for word in ("one", "two"):
            send(word)
            for family in flows:
                phone.expect_payload(f"{word} {family}".encode())
        with lab.lans(Scene.connect, 0):
            far = stack.enter_context(Capture(lab.netns("lan"), PEER))
            time.sleep(1.1)
            send("three")
            for family in flows:
                far.expect_payload(f"three {family}".encode())
            send("four")
            for family in flows:
                far.expect_payload(f"four {family}".encode())
        check(True, "they came there")


# ---- devices and advertisements ---------------------------------------------------------------

@case
def a_device_that_is_down_holds_nothing(lab):
    with lab.lans(Scene.connect, 100):
        lab.again()
        lab.shows(guarded_state, holder, "it is up")
        lab.ip("link", "set", DEVICE, "down")
        lab.again()
        lab.goes(everywhere(MESH), "it is down", lan_is_there=False)
        lab.is_settled("it is down")
    lab.again()


ALL_NODES, ADVERTISEMENT, PREFIX_OPTION = "ff02::1", 134, 3
ON_LINK, AUTONOMOUS = 0x80, 0x40


def advertise(lab, prefix, flags, lifetime_s):
    """A router advertisement from the far end, of no default route but a prefix."""
    net, length = prefix.split("/")
    message = struct.pack("!BBHBBHII", ADVERTISEMENT, 0, 0, 64, 0, 0, 0, 0)
    message += struct.pack("!BBBBIII", PREFIX_OPTION, 4, int(length), flags, lifetime_s,
                           lifetime_s, 0) + socket.inet_pton(socket.AF_INET6, net)
    with inside(lab.netns("lan")):
        with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sock:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
            sock.sendto(message, (ALL_NODES, 0, 0, socket.if_nametoindex(PEER)))


def has_route(lab, prefix):
    shown = lab.ip("-6", "-j", "route", "show", prefix, "dev", DEVICE).stdout
    return json.loads(shown or "[]")


@case
def a_prefix_that_a_router_advertises_is_the_lans(lab):
    """With an address in it, and on the link alone. No link-local prefix is ever in the way."""
    for flags in (ON_LINK, ON_LINK | AUTONOMOUS):
        _, mesh, _ = TABLE["longer", 6]
        lab.cable()
        lab.exec("router", "sysctl", "-qw", f"net.ipv6.conf.{DEVICE}.accept_ra=2")
        advertise(lab, mesh, flags, 3600)
        wait_until(lambda: has_route(lab, mesh), f"the route to {mesh}, flags {flags:#x}")
        lab.again()
        held = {prefix for prefix, (state, _) in lab.states().items() if state != "active"}
        check_equal(held, {mesh}, f"what is held back, flags {flags:#x}")
        check(mesh in lab.states()[mesh][1], lab.states()[mesh][1])
        lab.is_settled("advertised")
        lab.ip("link", "del", DEVICE)
        lab.again()
        check_equal(lab.states()[mesh][0], "active", "when it has gone")


# ---- the daemon ----------------------------------------------------------------------------------

def is_seen(lab, relations):
    """The phone's routes are in conflict for those relations, and for no others."""
    states = lab.states()
    return all((states[mesh][0] == "conflict") == (relation in relations)
               for (relation, _), (_, mesh, _) in TABLE.items())


@case
def run_follows_lans_that_come_and_go(lab):
    with Daemon(lab, lab.file):
        for come in (Scene.connect, Scene.route):
            with lab.lans(come, 100):
                wait_until(lambda: is_seen(lab, ("equal", "longer")) and not problems(lab),
                           "the LANs to be seen")
                lab.goes(everywhere(LAN), "they are there")
            wait_until(lambda: is_seen(lab, ()) and not problems(lab), "their end to be seen")
            lab.goes(everywhere(MESH), "they have gone", lan_is_there=False)


# ---- other people's routes ----------------------------------------------------------------------

KEY = ("metric", "4000000116")      # ours


def is_named(lab, *words):
    check(any(all(word in problem for word in words) for problem in problems(lab)),
          f"{words} in {problems(lab)}")


@case
def who_takes_our_place_is_reported_and_left_alone(lab):
    """Somebody's `ip route replace` with our metric: the one key that two routes cannot share."""
    for table in ("main", "116"):
        somebody_is_in_our_place(lab, table)


def routes_by(lab, table):
    return [lab.ip(family, "route", "show", "table", table, "dev", DEVICE, "proto", "static").stdout
            for family in ("-4", "-6")]


def somebody_is_in_our_place(lab, table):
    lab.cable()
    meshes = [TABLE["equal", family][1] for family in (4, 6)]
    for mesh in meshes:
        lab.ip("route", "replace", mesh, "dev", DEVICE, "proto", "static", *KEY, "table", table)
    shown = routes_by(lab, table)
    for what in ("before the apply", "after it", "after another"):
        for mesh in meshes:
            state, reason = lab.states()[mesh]
            check_equal(state, "conflict", f"{what}: {mesh}: {reason}")
            check(f"kernel route {mesh} dev {DEVICE} metric 4000000116" in reason, reason)
            is_named(lab, "has the metric of towpath's", f"ip route del {mesh} dev {DEVICE}")
        lab.again()
        lab.is_settled(what)
    check(all(shown), f"{shown}")
    check_equal(routes_by(lab, table), shown, "their routes")
    lab.ip("link", "del", DEVICE)
    lab.again()
    check_equal(problems(lab), [], "when it has gone")


@case
def a_route_to_a_members_own_address_is_left_alone(lab):
    lab.cable()
    members = {lab.PHONE: FAR[4], lab.PHONE6: FAR[6]}
    for member, via in members.items():
        lab.ip("route", "add", member, "via", via, "dev", DEVICE, "metric", 100)
    done = lab.towpath("apply", lab.file)
    for member in members:
        length = 128 if ":" in member else 32
        check(f"a route of its own, {member}/{length} dev {DEVICE} metric 100" in done.stderr,
              done.stderr)
        is_named(lab, f"{member} is a mesh address", f"{member}/{length} dev {DEVICE}")
        check(f"dev {DEVICE}" in lab.ip("route", "get", member).stdout, f"the way to {member}")
    lab.is_settled("with their routes")
    lab.ip("link", "del", DEVICE)
    check(problems(lab), "until the next apply its routes are missing")
    lab.again()
    check_equal(problems(lab), [], "when they have gone")
    lab.wait_for_tunnel()


# ---- the rules that lead to the routes of the mesh ----------------------------------------------

RULES = [(family, priority) for family in ("-4", "-6") for priority in ("32116", "32117")]


def rules(lab):
    """What is ours of both families."""
    return [line for family in ("-4", "-6")
            for line in lab.ip(family, "rule", "show").stdout.splitlines() if "proto 116" in line]


@case
def rules_that_are_gone_come_back(lab):
    shown = rules(lab)
    check_equal(len(shown), len(RULES), "rules")
    for family, priority in RULES:
        lab.ip(family, "rule", "del", "pref", priority)
        is_named(lab, "rule", "table 116", "is gone")
        check_equal([op["object"] for op in lab.json("plan", lab.file)["ops"]],
                    [f"rule ipv{family[1]} {priority}"], "plan")
        lab.again()
        check_equal(rules(lab), shown, "rules")
        check_equal(problems(lab), [], "problems")


@case
def a_rule_of_ours_that_no_policy_wants_goes_alone(lab):
    """Whichever the kernel has first at that priority."""
    shown = rules(lab)
    ours = ("pref", "32116", "lookup", "main", "protocol", "116")
    for family in ("-4", "-6"):
        lab.ip(family, "rule", "del", "pref", "32116")
        for length in ("5", "3"):
            lab.ip(family, "rule", "add", *ours, "suppress_prefixlength", length)
    lab.again()
    check_equal(rules(lab), shown, "rules")


@case
def run_puts_rules_back_at_once(lab):
    shown = rules(lab)
    with Daemon(lab, lab.file) as daemon:
        for family, priority in RULES:
            repairs = daemon.metrics().values("towpath_repairs_total")["route"]
            lab.ip(family, "rule", "del", "pref", priority)
            wait_until(lambda: rules(lab) == shown, "the rule")
            wait_until(lambda n=repairs:
                       daemon.metrics().values("towpath_repairs_total")["route"] > n, "the count")
        lab.goes(everywhere(MESH), "with the rules", lan_is_there=False)


@case
def who_needs_no_rules_has_none(lab):
    """They go with the last route of their family in the table; rules of others stay."""
    before = rules(lab)
    lab.ip("rule", "add", "pref", "32116", "to", "198.51.100.0/24", "lookup", "main")
    try:
        with open(lab.file, encoding="utf-8") as file:
            policy = json.load(file)
        advertised = policy["peers"]["phone"].pop("advertise_routes")
        lab.towpath("apply", lab.write_policy(policy))
        check_equal(rules(lab), [], "rules")
        policy["peers"]["phone"]["advertise_routes"] = [p for p in advertised if ":" in p]
        lab.towpath("apply", lab.write_policy(policy))
        check_equal(rules(lab), before[2:], "rules")
        lab.towpath("down")
        check_equal(rules(lab), [], "after down")
        check("to 198.51.100.0/24" in lab.ip("rule", "show").stdout, "somebody else's")
        policy["peers"]["phone"]["advertise_routes"] = advertised
        lab.towpath("apply", lab.write_policy(policy))
        check_equal(rules(lab), before, "rules")
    finally:
        lab.ip("rule", "del", "pref", "32116", "to", "198.51.100.0/24")
    lab.wait_for_tunnel()


@contextlib.contextmanager
def kernel_without_rules():
    os.environ.update(LD_PRELOAD=fault_shim(), FAULT_NO_RULES="1")
    try:
        yield
    finally:
        del os.environ["LD_PRELOAD"], os.environ["FAULT_NO_RULES"]


@case
def a_kernel_that_has_no_rules_is_refused(lab):
    """Before anything is touched."""
    shown = rules(lab)
    with kernel_without_rules():
        for command in ("plan", "apply"):
            done = lab.towpath(command, lab.file, status=6)
            check("CONFIG_IP_MULTIPLE_TABLES" in done.stderr, done.stderr)
    check_equal(rules(lab), shown, "rules")
    lab.is_settled("refused")


@case
def down_finds_them_when_all_else_is_gone(lab):
    """Somebody deleted the device and the pins: the rules carry our number."""
    lab.ip("link", "del", lab.tunnel)
    shutil.rmtree(lab.pins)
    lab.towpath("down")
    check_equal(rules(lab), [], "rules")
    lab.again()
    lab.wait_for_tunnel()
    lab.goes(everywhere(MESH), "again", lan_is_there=False)


@case
def a_blackhole_around_leaves_the_mesh_its_own(lab):
    """What is left of the private prefixes is often routed nowhere, and so is a default route."""
    nowhere = [("-4", "blackhole", "10.0.0.0/8"), ("-6", "unreachable", "fd00::/8"),
               ("-4", "unreachable", "default"), ("-6", "blackhole", "default")]
    for family, kind, prefix in nowhere:
        lab.ip(family, "route", "add", kind, prefix, "metric", "77")
        lab.again()
        lab.goes(everywhere(MESH), f"{kind} {prefix}", lan_is_there=False)
        lab.is_settled(f"{kind} {prefix}")
        lab.ip(family, "route", "del", kind, prefix, "metric", "77")
        lab.again()
        check_equal(rules(lab) and problems(lab), [], f"without {kind} {prefix}")


@case
def routes_of_an_older_version_move(lab):
    """It had them in the main table: they are there until the others are."""
    for (_, family), (_, mesh, _) in TABLE.items():
        lab.ip(f"-{family}", "route", "add", mesh, "dev", lab.tunnel, "proto", "116", *KEY)
    for family, priority in RULES:
        lab.ip(family, "rule", "del", "pref", priority)
    lab.ip("-4", "route", "flush", "table", "116")
    lab.ip("-6", "route", "flush", "table", "116")
    ops = [op["text"] for op in lab.json("plan", lab.file)["ops"]]
    adds = [at for at, text in enumerate(ops) if text.startswith("add ")]
    removals = [at for at, text in enumerate(ops) if text.startswith("remove ")]
    check_equal((len(adds), len(removals)), (len(TABLE) + len(RULES), len(TABLE)), f"{ops}")
    check(max(adds) < min(removals), f"{ops}")
    lab.again()
    for _, mesh, _ in TABLE.values():
        check(not lab.ip("route", "show", mesh).stdout, f"{mesh} in the main table")
    lab.goes(everywhere(MESH), "moved", lan_is_there=False)
    lab.is_settled("moved")


if __name__ == "__main__":
    main(Scene)
