#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Whom the programs must not disturb: programs behind them on the same hook, their own redirects
met once more on the way out, and all traffic that is not the mesh's, whatever the tables hold."""

import contextlib
import os
import socket

from lib import (bound_socket, case, check, check_equal, client_socket, inject_frame, inside, main,
                 run, wait_until)
from packets import UDP, udp
from scenes import moved, opened, pairs, port, reasons
from standin import counting

FLOWS = 1024            # the smallest table
FOREIGN = int(os.environ.get("FOREIGN_FLOWS", "20000"))
ETHERNET = 14
OWN_SIZE = 777          # bytes of the IP packets that are counted; nothing else here has it
BEYOND, BEYOND6 = "198.51.100.20", "fd88::20"   # on the LAN, in no route of the mesh
GATE, GATE6 = "198.51.100.1", "fd88::1"         # the router there
UNDERLAY, UNDERLAY6 = "192.0.2.10", "2001:db8::10"


def add_foreign_network(lab):
    """The LAN has a second network that is none of the mesh's, and the router routes it to the
    phone's underlay."""
    for short, device, addresses in (("router", "lan0", (GATE, GATE6)),
                                     ("web", "eth0", (BEYOND, BEYOND6))):
        for address, bits in zip(addresses, (24, 64)):
            run("ip", "-n", lab.netns(short), "address", "add", f"{address}/{bits}", "dev", device)
    lab.exec("router", "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    for short, ways in (("web", ((f"{UNDERLAY}/32", GATE), (f"{UNDERLAY6}/128", GATE6))),
                        ("phone", (("198.51.100.0/24", "192.0.2.1"),
                                   ("fd88::/64", "2001:db8::1")))):
        for prefix, via in ways:
            run("ip", "-n", lab.netns(short), "route", "add", prefix, "via", via)


def with_a_small_table(_, policy):
    policy["limits"] = {"flows": FLOWS}


@contextlib.contextmanager
def lab_of_others(prefix):
    with opened("none", prefix.rstrip("."), with_a_small_table) as lab:
        add_foreign_network(lab)
        yield lab


def payload(address):
    return bytes(OWN_SIZE - (48 if ":" in address else 28))


@contextlib.contextmanager
def standins(lab):
    """A counter behind ours on every hook, by device and way."""
    with contextlib.ExitStack() as stack:
        yield {(device, way): stack.enter_context(
            counting(lab.netns("router"), name, way, OWN_SIZE + header, lab.attach == "tcx"))
            for device, name, header in (("tunnel", lab.tunnel, 0), ("lan", "lan0", ETHERNET))
            for way in ("ingress", "egress")}


def values(counters):
    return {"/".join(hook): c.value() for hook, c in counters.items() if c.value()}


NOISE = ("not_ip", "not_ours", "local_scope")   # of neighbours and routers that look for each other


def passes_once(lab, counters, send, receive, behind, reasons_want):
    """One packet through the router: who behind us saw it, and every counter of ours. Whether it
    is the one that looks the next hop up is a matter of time."""
    before, seen = reasons(lab), values(counters)
    send()
    receive()
    after = values(counters)
    check_equal({h: after[h] - seen.get(h, 0) for h in after if after[h] != seen.get(h, 0)},
                behind, "programs behind ours")
    counts = {n: c for n, c in moved(before, reasons(lab)).items() if n not in NOISE}
    if "forward_neigh" in counts:
        counts["forward"] = counts.get("forward", 0) + counts.pop("forward_neigh")
    check_equal(counts, reasons_want, "reasons")


def from_web(lab, raw):
    inject_frame(lab.netns("web"), "eth0", lab.mac("router", "lan0"), raw)


def arrives(capture, ports):
    got = capture.expect(lambda p: p.proto == UDP and p.ports == ports
                         and len(p.raw) == OWN_SIZE, f"it, with ports {ports}")
    check_equal(got.ttl, 63, f"TTL of {got}")


@case
def programs_behind_ours_see_what_is_not_redirected(lab):
    """And what is redirected they see on its way out, once; nobody decrements a TTL twice."""
    with standins(lab) as counters, lab.capture("web") as at_web, lab.capture("phone") as at_phone:
        for phone, web in pairs(lab):
            sport, data = port(lab), payload(web)
            there = udp(phone, web, sport, 7000, data)
            back = udp(web, phone, 7000, sport, data)

            # what the hosts have no socket for, they would answer
            with bound_socket(lab, "web", socket.SOCK_DGRAM, web, 7000), \
                    bound_socket(lab, "phone", socket.SOCK_DGRAM, phone, sport):
                for _ in range(2):      # opens a flow, belongs to one
                    passes_once(lab, counters, lambda raw=there: lab.from_phone(raw),
                                lambda s=sport: arrives(at_web, (s, 7000)),
                                {"lan/egress": 1}, {"forward": 1, "judged": 1})
                passes_once(lab, counters, lambda raw=back: from_web(lab, raw),
                            lambda s=sport: arrives(at_phone, (7000, s)),
                            {"tunnel/egress": 1}, {"forward": 1, "judged": 1})


@case
def programs_behind_ours_see_what_ends_here(lab):
    with standins(lab) as counters:
        for src, dst in ((lab.PHONE, lab.ROUTER), (lab.PHONE6, lab.ROUTER6)):
            sport = port(lab)
            with bound_socket(lab, "router", socket.SOCK_DGRAM, dst, 7001) as sock, \
                    bound_socket(lab, "phone", socket.SOCK_DGRAM, src, sport) as home:
                passes_once(lab, counters,
                            lambda s=src, d=dst, p=sport: lab.from_phone(
                                udp(s, d, p, 7001, payload(d))),
                            lambda k=sock: k.recv(2048), {"tunnel/ingress": 1}, {"deliver": 1})
                passes_once(lab, counters,
                            lambda k=sock, s=src, p=sport: k.sendto(payload(s), (s, p)),
                            lambda k=home: k.recv(2048), {"tunnel/egress": 1}, {"judged": 1})


@case
def programs_behind_ours_see_the_traffic_of_others(lab):
    with standins(lab) as counters:
        for src, dst in ((BEYOND, UNDERLAY), (BEYOND6, UNDERLAY6)):
            with bound_socket(lab, "phone", socket.SOCK_DGRAM, dst, 7002) as there, \
                    bound_socket(lab, "web", socket.SOCK_DGRAM, src, 7002) as here:
                passes_once(lab, counters,
                            lambda h=here, d=dst: h.sendto(payload(d), (d, 7002)),
                            lambda t=there: t.recv(2048), {"lan/ingress": 1}, {})
                passes_once(lab, counters,
                            lambda t=there, s=src: t.sendto(payload(s), (s, 7002)),
                            lambda h=here: h.recv(2048), {"lan/egress": 1}, {})


def answers(lab, short, src, dst):
    done = lab.exec(short, "ping", "-n", "-q", "-c", "50", "-i", "0.002", "-W", "5", "-I", src, dst,
                    ok=False)
    check(" 0% packet loss" in done.stdout, f"{short} pings {dst}:\n{done.stdout}{done.stderr}")


def others_lose_nothing(lab):
    """Through the router, from the router, and to it."""
    for src, dst in ((BEYOND, UNDERLAY), (BEYOND6, UNDERLAY6)):
        answers(lab, "web", src, dst)
    for src, dst in ((GATE, BEYOND), (GATE6, BEYOND6), (lab.LAN, lab.WEB), (lab.LAN6, lab.WEB6)):
        answers(lab, "router", src, dst)
        answers(lab, "web", dst, src)


def fill_the_table(lab):
    """In both families at once, and as often as it takes: a burst may lose some in the tunnel's
    queues."""
    before = lab.drops("ct_full")

    def is_full():
        with contextlib.ExitStack() as stack:
            socks = []
            for phone, web in pairs(lab):
                sock = stack.enter_context(client_socket(lab, "phone", socket.SOCK_DGRAM, web))
                sock.bind((phone, 0))
                socks.append((sock, web))
            for dport in range(8000, 8000 + FLOWS):
                for sock, web in socks:
                    sock.sendto(b"one more flow", (web, dport))
        return lab.drops("ct_full") > before

    wait_until(is_full, "the table to be full")


@contextlib.contextmanager
def conversation(lab, phone, web):
    """A flow that was there before the flood, and what shows that it still is."""
    with client_socket(lab, "phone", socket.SOCK_DGRAM, web) as keeps, \
            bound_socket(lab, "web", socket.SOCK_DGRAM, web, 7003) as server:
        keeps.bind((phone, 0))
        keeps.connect((web, 7003))
        keeps.send(b"before")
        source = server.recvfrom(2048)[1]

        def goes_on():
            keeps.send(b"after")
            check_equal(server.recv(2048), b"after", f"an established flow's packet to {web}")
            server.sendto(b"answer", source)
            check_equal(keeps.recv(2048), b"answer", "and its answer")

        yield goes_on


@case
def a_full_table_costs_others_nothing(lab):
    with contextlib.ExitStack() as stack:
        talks = [stack.enter_context(conversation(lab, *pair)) for pair in pairs(lab)]
        fill_the_table(lab)
        others_lose_nothing(lab)
        for goes_on in talks:
            goes_on()
    check_equal(lab.json("status")["flows"]["current"], FLOWS, "flows in the table")


def send_foreign(lab, src, dst, count):
    """Every one a flow of its own."""
    with inside(lab.netns("web")):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
    mac = bytes.fromhex(lab.mac("router", "lan0").replace(":", ""))
    protocol = 0x86dd if ":" in dst else 0x0800
    with sock:
        for number in range(count):
            raw = udp(src, dst, 1024 + number % 60000, 7100 + number // 60000, payload(dst))
            sock.sendto(raw, ("eth0", protocol, 0, 0, mac))


@case
def foreign_flows_are_no_flows(lab):
    """FOREIGN_FLOWS of them, 20000 unless the environment says otherwise."""
    with counting(lab.netns("phone"), "eth0", "ingress", OWN_SIZE + ETHERNET, False) as counter:
        before, counts = lab.json("status")["flows"], reasons(lab)
        for src, dst in ((BEYOND, UNDERLAY), (BEYOND6, UNDERLAY6)):
            start = counter.value()
            send_foreign(lab, src, dst, FOREIGN // 2)
            wait_until(lambda s=start: counter.value() - s >= FOREIGN // 2, "all to arrive")
        check_equal(counter.value(), FOREIGN, "packets that arrived")
        after = lab.json("status")["flows"]
    check_equal(after, before, "flows")
    gone = {n: c for n, c in moved(counts, reasons(lab)).items() if n not in NOISE}
    check_equal(gone, {}, "reasons")


if __name__ == "__main__":
    main(lab_of_others, ("tcx.", "clsact."))
