#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""A LAN device that is without its programs, under `run`: answers to masqueraded flows meet the
router's own stack, which must refuse none of them, and goes on refusing all else. The daemon is
stopped while the device is looked at, so that there is time."""

import contextlib
import glob
import json
import os
import signal
import socket
import struct

from daemon import HTTP_PORT
from lib import (DEADLINE_S, bound_socket, case, check, check_equal, client_socket, fault_shim,
                 inject_frame, inside, main, run, wait_until)
from packets import ACK, RST, TCP, echo, ip_packet, tcp, udp
from running import OneDaemonLab
from scenes import open_policy

UNSEEN_S = 15   # what the kernel tells nobody is looked for: five are meant
SERVER_PORT = 5301


class SinkLab(OneDaemonLab):
    attach = "auto"

    def __enter__(self):
        super().__enter__()
        self.next_port, self.next_mark = 21000, 1
        return self

    def begin(self, policy=None, wrap=()):
        self.daemon = self.ending.enter_context(self.running(
            "--tc-attach", self.attach, "--metrics-listen", f"127.0.0.1:{HTTP_PORT}",
            policy=policy or open_policy(self), wrap=wrap))
        if policy:
            wait_until(self.answers, "an answer through the tunnel", 2 * DEADLINE_S)
        else:
            self.wait_for_tunnel()

    def answers(self):
        """Over IPv4 alone."""
        if self._answers():
            return True
        self.call_anew()
        return False

    def recover(self):
        self.attach = "auto"
        super().recover()

    def port(self):
        self.next_port += 1
        return self.next_port


# ---- the device and the link ----------------------------------------------------------------

def lan_links(lab):
    return [pin for pin in sorted(glob.glob(f"{lab.pins}/links/*"))
            if "lan0" in os.path.basename(pin)]


def take_programs(lab):
    """All of the LAN device."""
    if not lan_links(lab):
        run("tc", "-n", lab.netns("router"), "qdisc", "del", "dev", "lan0", "clsact")
    for pin in lan_links(lab):
        lab.exec("router", "bpftool", "link", "detach", "pinned", pin)


def lan_hooks(lab):
    """What is attached there; status looks at the kernel itself."""
    status = json.loads(lab.script("towpath", "status", "--json", ok=False).stdout)
    return sorted(a["hook"] for a in status["attachments"] if a["device"] == "lan0")


@contextlib.contextmanager
def bare(lab, damage=lambda: None):
    """Its programs are gone, the daemon does nothing about it; and is done with it at the end."""
    before = lan_hooks(lab)
    check(len(before) == 2, f"programs of lan0: {before}")
    lab.daemon.tell(signal.SIGSTOP)
    try:
        take_programs(lab)
        damage()
        check_equal(lan_hooks(lab), [], "programs of lan0")
        yield
        check_equal(lan_hooks(lab), [], "programs of lan0 at the end")
    finally:
        lab.daemon.tell(signal.SIGCONT)
    wait_until(lambda: lan_hooks(lab) == before, "the repair", 3 * UNSEEN_S)


def netns_inode(lab):
    return os.stat(f"/run/netns/{lab.netns('router')}").st_ino


def sink_links(lab):
    """Links of sk_lookup programs in the router's namespace: (id of the link, of the program)."""
    def read():     # whose link goes meanwhile, anywhere on the machine, ends the list
        done = run("bpftool", "-j", "link", "show", ok=False)
        return not done.returncode and (json.loads(done.stdout), )

    links, = wait_until(read, "a whole list of links")
    return [(link["id"], link["prog_id"]) for link in links if link["type"] == "netns" and
            link.get("netns_ino") == netns_inode(lab) and link["attach_type"] == "sk_lookup"]


def detach_sink(lab):
    (link, _), = sink_links(lab)
    run("bpftool", "link", "detach", "id", link)


def sockets(lab):
    """All that are bound in the router, but for the daemon's port and what the kernel has."""
    done = lab.exec("router", "ss", "-Hltuan")
    return sorted(line.split()[4] for line in done.stdout.splitlines()
                  if not line.split()[4].endswith(f":{HTTP_PORT}"))


# ---- flows ----------------------------------------------------------------------------------

class Flow:
    """A stream or datagrams from the phone to a LAN host, each end a real socket."""

    def __init__(self, lab, kind, ipv6):
        self.lab, self.kind = lab, kind
        self.phone, self.web, self.router = \
            (lab.PHONE6, lab.WEB6, lab.LAN6) if ipv6 else (lab.PHONE, lab.WEB, lab.LAN)
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        client = self.client = self.stack.enter_context(
            client_socket(self.lab, "phone", self.kind, self.phone))
        client.bind((self.phone, self.lab.port()))
        there = self.stack.enter_context(
            bound_socket(self.lab, "web", self.kind, self.web, SERVER_PORT))
        client.connect((self.web, SERVER_PORT))
        client.send(b"hello")
        if self.kind == socket.SOCK_STREAM:
            self.server, source = there.accept()
            self.stack.enter_context(self.server).settimeout(DEADLINE_S)
            check_equal(self.server.recv(64), b"hello", "what came")
        else:
            self.server = there
            payload, source = there.recvfrom(64)
            check_equal(payload, b"hello", "what came")
            there.connect(source)
        check_equal(source[0], self.router, "it is masqueraded")
        self.mapped = source[1]
        return self

    def __exit__(self, *_):
        self.stack.close()

    def goes_on(self):
        """Both ways, and by the mapped port as before."""
        self.client.send(b"there")
        check_equal(self.server.recv(64), b"there", "what came")
        self.server.send(b"and back")
        check_equal(self.client.recv(64), b"and back", "the answer")


FLOWS = [(kind, ipv6) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM) for ipv6 in (False, True)]


@contextlib.contextmanager
def flows(lab, wanted=tuple(FLOWS)):
    """One of each protocol and family; each from another port, to the same one."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Flow(lab, kind, ipv6)) for kind, ipv6 in wanted]


def heard(lab, capture, web, router):
    """All that came until now: behind it comes the answer to a ping, which the stack gives."""
    ident = lab.next_mark = lab.next_mark + 1
    frame(lab, echo(web, router, ident))
    return capture.before(lambda p: p.proto in (1, 58) and p.src == router and
                          p.segment[0] in (0, 129) and p.segment[4:6] == struct.pack("!H", ident),
                          "the echo of a mark")


def frame(lab, raw):
    inject_frame(lab.netns("web"), "eth0", lab.mac("router", "lan0"), raw)


def concerns(packet, flow):
    """It is of the flow, or an error that quotes it."""
    quote = struct.pack("!HH", SERVER_PORT, flow.mapped)
    return packet.src == flow.router and \
        (packet.ports == (flow.mapped, SERVER_PORT) or
         (packet.proto in (1, 58) and quote in packet.segment[8:]))


def refusals(lab, flow):
    """Gives what the router's stack sent back for an answer."""
    with lab.capture("web") as capture:
        flow.server.send(b"an answer")
        return [p for p in heard(lab, capture, flow.web, flow.router) if concerns(p, flow)]


# ---- what the sink is for -------------------------------------------------------------------

def nobody_is_refused(lab):
    with flows(lab) as all_flows:
        with bare(lab):
            for flow in all_flows:
                check_equal([str(p) for p in refusals(lab, flow)], [],
                            f"what the router said of {flow.kind} to {flow.web}")
        for flow in all_flows:
            if flow.kind == socket.SOCK_STREAM:     # what was dropped is sent again
                check_equal(flow.client.recv(64), b"an answer", "the answer")
            flow.goes_on()


def all_are_refused(lab):
    with flows(lab) as all_flows, bare(lab, lambda: detach_sink(lab)):
        for flow in all_flows:
            said = refusals(lab, flow)
            check_equal(len(said), 1, f"refusals to {flow.web}")
            check_equal(said[0].proto, TCP if flow.kind == socket.SOCK_STREAM else
                        58 if ":" in flow.web else 1, "how")


@case
def nobody_is_refused_while_programs_are_lost(lab):
    nobody_is_refused(lab)


@case
def the_stack_refuses_them_without_it(lab):
    """Or the case before would show nothing."""
    all_are_refused(lab)


@case
def nobody_is_refused_with_clsact(lab):
    """Whoever deletes the qdisc has both programs."""
    lab.end()
    lab.attach = "clsact"
    lab.begin()
    check_equal(lan_links(lab), [], "links of the LAN device")
    nobody_is_refused(lab)
    all_are_refused(lab)
    lab.end()
    lab.attach = "auto"
    lab.begin()


# ---- what it is not for ---------------------------------------------------------------------

def refusal(kind, sent, web, router, sport, dport):
    """What the stack says to a segment with ACK, or a datagram, of nobody; the type alone of ICMP
    besides what is quoted."""
    if kind == socket.SOCK_STREAM:
        segment = struct.pack("!HHIIBBHHH", dport, sport, 77, 0, 5 << 4, RST, 0, 0, 0)
        return ip_packet(router, web, TCP, segment, ident=0)
    if ":" in web:
        return ip_packet(router, web, 58, struct.pack("!BBHI", 1, 4, 0, 0) + sent)
    return ip_packet(router, web, 1, struct.pack("!BBHI", 3, 3, 0, 0) + sent, tos=0xc0)


def comparable(raw):
    """Without what a stack chooses at each packet: IPv4's id (and so DF and the header's sum), and
    IPv6's flow label."""
    raw = bytearray(raw)
    if raw[0] >> 4 == 6:
        raw[1:4] = bytes([raw[1] & 0xf0, 0, 0])
    else:
        del raw[10:12]
        del raw[4:8]
    return bytes(raw).hex()


def is_refused(lab, kind, web, router, sport, dport):
    if kind == socket.SOCK_STREAM:
        sent = tcp(web, router, sport, dport, flags=ACK, seq=5, ack=77)
    else:
        sent = udp(web, router, sport, dport)
    with lab.capture("web") as capture:
        frame(lab, sent)
        said = [p for p in heard(lab, capture, web, router) if p.src == router and
                (p.proto == TCP and p.ports == (dport, sport) or
                 p.proto in (1, 58) and sent in p.segment)]
    check_equal([comparable(p.raw) for p in said],
                [comparable(refusal(kind, sent, web, router, sport, dport))],
                f"what the router says to {sport} > {dport}")


@case
def who_is_of_no_flow_is_refused(lab):
    """From another port, or to another one, than a flow's."""
    icmp_limit_off(lab)
    with flows(lab) as all_flows, bare(lab):
        for flow in all_flows:
            is_refused(lab, flow.kind, flow.web, flow.router, SERVER_PORT + 1, flow.mapped)
            is_refused(lab, flow.kind, flow.web, flow.router, SERVER_PORT, lab.port())


def icmp_limit_off(lab):
    """A stack sends a host one error a second, and fewer."""
    lab.exec("router", "sysctl", "-qw", "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")


def has_entry(lab, flow):
    """Of the answers to it; key and value as include/towpath/flow.h has them."""
    ports = [f"0x{byte:02x}" for byte in struct.pack("!HH", SERVER_PORT, flow.mapped)]
    rows = json.loads(run("bpftool", "-j", "map", "dump", "pinned",
                          f"{lab.pins}/maps/tp_flows").stdout)
    return any(row["key"][32:36] == ports for row in rows)


def buries(lab):
    lab.wait_for_tunnel()
    return True


@case
def a_flow_that_has_ended_is_refused(lab):
    icmp_limit_off(lab)
    policy = open_policy(lab)
    policy["limits"] = {"timeouts": {name: 1 for name in
                                     ("tcp_opening", "tcp_closing", "udp")}}
    lab.write(policy)
    wait_until(lambda: not lab.json("plan", lab.file)["ops"], "the timeouts", UNSEEN_S)
    dead = []
    try:
        for kind, ipv6 in FLOWS:
            with Flow(lab, kind, ipv6) as flow:
                flow.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       struct.pack("ii", 1, 0))     # its end is a RST
                check(has_entry(lab, flow), "its entry")
                dead.append(flow)
        # it is traffic of others that buries them
        wait_until(lambda: buries(lab) and not any(has_entry(lab, flow) for flow in dead),
                   "their end", 3 * DEADLINE_S)
        with bare(lab):
            for flow in dead:
                is_refused(lab, flow.kind, flow.web, flow.router, SERVER_PORT, flow.mapped)
    finally:
        lab.write(open_policy(lab))
        wait_until(lambda: not lab.json("plan", lab.file)["ops"], "the policy as it was",
                   3 * UNSEEN_S)


def serves(lab, kind, router, port, web):
    """A client on the LAN reaches a socket of the router's own."""
    with bound_socket(lab, "router", kind, router, port) as there, \
            client_socket(lab, "web", kind, router) as client:
        client.connect((router, port))
        client.send(b"for the router")
        if kind == socket.SOCK_STREAM:
            conn, source = there.accept()
            with conn:
                conn.settimeout(DEADLINE_S)
                check_equal((conn.recv(64), source[0]), (b"for the router", web), "what came")
                conn.send(b"from the router")
        else:
            got, source = there.recvfrom(64)
            check_equal((got, source[0]), (b"for the router", web), "what came")
            there.sendto(b"from the router", source)
        check_equal(client.recv(64), b"from the router", "the answer")


@case
def sockets_of_the_router_are_served(lab):
    """Also by the very port of a mapping, for others than the flow's far end; and a connection of
    its own that was there before goes on."""
    with flows(lab) as all_flows, contextlib.ExitStack() as stack:
        own = []
        for flow in all_flows:
            there = stack.enter_context(
                bound_socket(lab, "web", flow.kind, flow.web, SERVER_PORT + 2))
            client = stack.enter_context(client_socket(lab, "router", flow.kind, flow.web))
            client.connect((flow.web, SERVER_PORT + 2))
            client.send(b"hello")
            if flow.kind == socket.SOCK_STREAM:
                there = stack.enter_context(there.accept()[0])
                there.settimeout(DEADLINE_S)
                check_equal(there.recv(64), b"hello", "what came")
            else:
                got, source = there.recvfrom(64)
                check_equal(got, b"hello", "what came")
                there.connect(source)
            own.append((client, there))
        with bare(lab):
            for flow in all_flows:
                serves(lab, flow.kind, flow.router, lab.port(), flow.web)
                serves(lab, flow.kind, flow.router, flow.mapped, flow.web)
            for client, there in own:
                there.send(b"to the router")
                check_equal(client.recv(64), b"to the router", "what came")
                client.send(b"and back")
                check_equal(there.recv(64), b"and back", "the answer")


# ---- its life -------------------------------------------------------------------------------

@case
def a_detached_one_is_put_back(lab):
    before = sink_links(lab)
    check_equal(len(before), 1, "links")
    detach_sink(lab)
    check_equal(sink_links(lab), [], "links")
    wait_until(lambda: len(sink_links(lab)) == 1, "another link", UNSEEN_S)
    check(not set(before) & set(sink_links(lab)), "it is another one")
    with flows(lab) as all_flows, bare(lab):
        for flow in all_flows:
            check_equal([str(p) for p in refusals(lab, flow)], [], "refusals")


@case
def it_goes_with_the_daemon(lab):
    """With SIGTERM, whether all else stays or not, and with SIGKILL."""
    for options, ending in (((), signal.SIGTERM), (("--cleanup-on-exit",), signal.SIGTERM),
                            ((), signal.SIGKILL)):
        lab.end()
        alone = sockets(lab)
        lab.write(open_policy(lab))
        with lab.running("--tc-attach", lab.attach, *options, policy=open_policy(lab)) as daemon:
            (_, program), = sink_links(lab)
            check_equal(sum(s.startswith("[::ffff:127.0.0.1]") for s in sockets(lab)), 2,
                        f"sockets that drop, among {sockets(lab)}")
            daemon.leave(ending)
            check_equal(sink_links(lab), [], "links")
            wait_until(lambda p=program: run("bpftool", "prog", "show", "id", p, ok=False)
                       .returncode, "the program to be gone")
            check_equal([s for s in sockets(lab) if "127.0.0.1" in s],
                        [s for s in alone if "127.0.0.1" in s], "sockets of the loopback")
        lab.begin()


@case
def apply_leaves_none(lab):
    """Without a daemon nobody would hold its sockets."""
    lab.end()
    lab.apply(open_policy(lab), "--tc-attach", lab.attach)
    check_equal(sink_links(lab), [], "links")
    lab.towpath("down")
    lab.begin()


@case
def ipv4_has_one_where_ipv6_is_off(lab):
    """Switched off in the namespace, and in a kernel that has none (ipv6.disable=1)."""
    policy = without_ipv6(open_policy(lab))
    for wrap in ((), ("env", f"LD_PRELOAD={fault_shim()}",
                      f"FAULT_NO_FAMILY={socket.AF_INET6:d}")):
        lab.end()
        with ipv6_off(lab):
            lab.begin(policy, wrap)
            with flows(lab, [f for f in FLOWS if not f[1]]) as all_flows, bare(lab):
                for flow in all_flows:
                    check_equal([str(p) for p in refusals(lab, flow)], [], "refusals")
            lab.end()
        lab.begin()


def without_ipv6(policy):
    """Whatever has a colon where an address may be."""
    def is_ipv6(text):
        return isinstance(text, str) and text.count(":") > 1

    def strip(value):
        if isinstance(value, dict):
            return {k: strip(v) for k, v in value.items() if not is_ipv6(k) and not is_ipv6(v)}
        if isinstance(value, list):
            return [strip(v) for v in value if not is_ipv6(v)]
        return value

    return strip(policy)


@contextlib.contextmanager
def ipv6_off(lab):
    router = lab.netns("router")
    shown = json.loads(run("ip", "-j", "-n", router, "-6", "address", "show", "scope",
                           "global").stdout)
    addresses = [(link["ifname"], f"{a['local']}/{a['prefixlen']}") for link in shown
                 for a in link.get("addr_info", ()) if a]

    def switch(value):
        with inside(router), open("/proc/sys/net/ipv6/conf/all/disable_ipv6", "w",
                                  encoding="ascii") as file:
            file.write(value)

    switch("1")
    try:
        yield
    finally:
        switch("0")
        for device, address in addresses:
            run("ip", "-n", router, "address", "add", address, "dev", device, "nodad")


if __name__ == "__main__":
    main(SinkLab)
