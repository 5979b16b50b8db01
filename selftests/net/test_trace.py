#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""`towpath trace` against what the programs do with the real packet, in both families."""

import functools
import json
import re
import socket

from lib import Lab, bound_socket, case, check, check_equal, main, run
from packets import SYN, tcp, udp
from scenes import inner_maps, open_policy, opened, port, reasons

GRANT = {"index": 0, "text": "* -> *: *"}
FAMILIES = ((4, Lab.PHONE, Lab.WEB, "10.10.30.0/24"), (6, Lab.PHONE6, Lab.WEB6, "fd10:30::/64"))
# What a packet may change. Queues cannot be dumped: tp_slot_cursor tells of them. Of the counters
# those that the lab's own chatter moves are left out.
MAPS = ("tp_flows", "tp_flow_state", "tp_nat_out", "tp_nat_in", "tp_flow_stats", "tp_slot_cursor",
        "tp_frags", "tp_peer_stats", "tp_route_stats")
REASONS = ("forward", "forward_neigh", "deliver", "own", "acl", "ip_options", "too_big")


def trace(lab, src, dst, *words):
    return lab.json("trace", "--from", src, "--to", dst, *words)


def state(lab):
    """Everything that a packet may change, and what is pinned."""
    found = {name: run("bpftool", "map", "dump", "pinned", f"{lab.pins}/maps/{name}").stdout
             for name in MAPS}
    counters = reasons(lab)
    found["reasons"] = [counters[reason] for reason in REASONS]
    found["rules"] = [run("bpftool", "map", "dump", "id", i).stdout
                      for i in inner_maps(lab, "tp_rule_stats")]
    found["pins"] = run("find", lab.pins).stdout
    return found


def sees(lab, phone, web, sport):
    """The phone opens a connection from sport; gives the port that it has on the LAN."""
    with lab.capture("web") as capture:
        lab.from_phone(udp(phone, web, sport, 9000, b"real"))
        packet = capture.expect_payload(b"real")
        return packet.src, int.from_bytes(packet.segment[:2], "big")


@case
def tells_all_about_a_new_flow(lab):
    for version, phone, web, route in FAMILIES:
        sport = port(lab)
        got = trace(lab, phone, web, "--dport", "443", "--sport", str(sport))
        classes = got.pop("classes")
        check_equal(sorted(classes), ["dst", "port", "src"], "the keys of classes")
        lan = lab.LAN if version == 4 else lab.LAN6
        shown = web if version == 4 else f"[{web}]"
        check_equal(got, {
            "packet": f"tcp {phone} -> {shown}:443", "in": lab.tunnel, "verdict": "forward",
            "reason": "forward_neigh", "path": "fast", "flow": "new", "peer": "phone",
            "route": route, "grant": GRANT, "enforced": True, "service": None, "backend": None,
            "snat": {"address": lan, "port": sport},
            "next_hop": {"device": "lan0", "address": web, "mac": lab.mac("web", "eth0")},
            "ttl": 63, "mtu": 1500, "mss": 1380 if version == 4 else 1360}, f"IPv{version}")


@case
def leaves_nothing_behind(lab):
    before = state(lab)
    for _, phone, web, _ in FAMILIES:
        trace(lab, phone, web, "--dport", "80")
        trace(lab, web, phone, "--proto", "icmp")
    after = state(lab)
    check_equal([name for name in before if before[name] != after[name]], [], "what has changed")


@case
def follows_the_flow_that_is_there(lab):
    for _, phone, web, _ in FAMILIES:
        sport = port(lab)
        with bound_socket(lab, "web", socket.SOCK_DGRAM, web, 9000):
            address, outside = sees(lab, phone, web, sport)
            got = trace(lab, phone, web, "--proto", "udp", "--dport", "9000", "--sport",
                        str(sport))
        check_equal(got["flow"], "known", "the flow")
        check_equal(got["snat"], {"address": address, "port": outside}, "its translation")
        check_equal(got["verdict"], "forward", "the verdict")
        answer = trace(lab, web, lab.LAN6 if ":" in web else lab.LAN, "--proto", "udp",
                       "--dport", str(outside), "--sport", "9000")
        check_equal(answer["flow"], "known", "the flow of its answer")
        check_equal(answer["next_hop"], {"device": lab.tunnel, "address": None, "mac": None},
                    "where the answer goes")
        check_equal(answer["snat"], None, "an answer's translation")


@case
def a_new_flow_gets_the_port_that_its_inside_has(lab):
    for _, phone, web, _ in FAMILIES:
        sport = 40000 + port(lab) % 1000    # outside of limits.snat_ports: any port may come out
        address, outside = sees(lab, phone, web, sport)
        got = trace(lab, phone, lab.DNS6 if ":" in web else lab.DNS, "--proto", "udp", "--dport",
                    "53", "--sport", str(sport))
        check_equal(got["flow"], "new", "the flow")
        check_equal(got["snat"], {"address": address, "port": outside}, "its translation")


@case
def a_port_that_somebody_has_is_not_promised(lab):
    for _, phone, web, _ in FAMILIES:
        sport = port(lab)
        server = bound_socket(lab, "router", socket.SOCK_DGRAM,
                              lab.LAN6 if ":" in web else lab.LAN, sport)
        with server:
            got = trace(lab, phone, web, "--proto", "udp", "--dport", "53", "--sport", str(sport))
        check(got["snat"]["port"] != sport, f"the port of a socket was promised: {got['snat']}")


@case
def says_why_it_is_dropped(lab):
    for phone, stranger, nowhere, martian in (
            (lab.PHONE, "100.80.0.99", "198.51.100.7", "127.0.0.1"),
            (lab.PHONE6, "fd7a:70::99", "2001:db8:99::7", "::1")):
        web = lab.WEB6 if ":" in phone else lab.WEB
        for src, dst, reason in ((stranger, web, "spoof"), (phone, nowhere, "no_route"),
                                 (phone, martian, "martian")):
            got = trace(lab, src, dst, "--dport", "80", "--in", lab.tunnel)
            check_equal((got["verdict"], got["reason"], got["grant"], got["flow"], got["next_hop"]),
                        ("drop", reason, None, None, None), f"{src} -> {dst}")


@case
def names_the_grant_that_refuses(lab):
    policy = lab.policy()
    small(lab, policy)
    del policy["tests"]
    policy["grants"].append({"action": "deny", "src": ["*"], "dst": [lab.WEB, lab.WEB6],
                             "ip": ["tcp:80"]})
    deny = {"index": 3, "text": f"deny * -> {lab.WEB}, {lab.WEB6}: tcp:80"}
    try:
        lab.apply(policy)
        for _, phone, web, _ in FAMILIES:
            for dport, grant in (("443", None), ("80", deny)):
                got = trace(lab, phone, web, "--dport", dport)
                check_equal((got["reason"], got["grant"], got["peer"], got["enforced"]),
                            ("acl", grant, "phone", True), f"port {dport}")
        lab.apply(dict(policy, enforce="log"))
        for _, phone, web, _ in FAMILIES:
            got = trace(lab, phone, web, "--dport", "80")
            check_equal((got["verdict"], got["enforced"]), ("forward", False), "only logged")
        text = lab.towpath("trace", "--from", phone, "--to", web, "--dport", "80").stdout
        check("NOT ENFORCED" in text, text)
    finally:
        policy = open_policy(lab)
        small(lab, policy)
        lab.apply(policy)


@case
def knows_where_a_packet_comes_by(lab):
    for phone, web, router in ((lab.PHONE, lab.WEB, lab.ROUTER),
                               (lab.PHONE6, lab.WEB6, lab.ROUTER6)):
        from_lan = trace(lab, web, phone, "--proto", "icmp")
        check_equal((from_lan["in"], from_lan["verdict"], from_lan["next_hop"]["device"]),
                    ("lan0", "forward", lab.tunnel), "from a LAN host")
        own = trace(lab, router, phone, "--dport", "80")
        check_equal((own["in"], own["verdict"], own["reason"]), (None, "stack", "own"),
                    "a socket of the router")
        local = trace(lab, phone, router, "--dport", "80")
        check_equal((local["verdict"], local["reason"], local["grant"]),
                    ("stack", "deliver", GRANT), "to the router")


@case
def agrees_with_the_real_packet(lab):
    """It is seen where the trace says that it goes, and counts as what it says."""
    for _, phone, web, _ in FAMILIES:
        sport = port(lab)
        told = trace(lab, phone, web, "--proto", "udp", "--dport", "9000", "--sport", str(sport))
        address, outside = sees(lab, phone, web, sport)
        check_equal(told["snat"], {"address": address, "port": outside}, "the translation")
        nowhere = "fd7a:70::99" if ":" in phone else "100.80.0.99"
        told = trace(lab, phone, nowhere, "--dport", "80")
        before = lab.drops(told["reason"])
        lab.from_phone(tcp(phone, nowhere, sport, 80, SYN))
        lab.counted(told["reason"], before)


@case
def the_command_line_is_checked(lab):
    web = ("--to", lab.WEB)
    for words in ((), ("--from", lab.PHONE), ("--from", "x", *web, "--dport", "1"),
                  ("--from", lab.PHONE, *web), ("--from", lab.PHONE, *web, "--dport", "0"),
                  ("--from", lab.PHONE, *web, "--dport", "65536"),
                  ("--from", lab.PHONE, "--to", lab.WEB6, "--dport", "1"),
                  ("--from", lab.PHONE, *web, "--proto", "icmp", "--dport", "1"),
                  ("--from", lab.PHONE, *web, "--proto", "igmp")):
        done = lab.towpath("trace", *words, status=2)
        check(re.match(r"towpath: trace: --\w+.*see: towpath trace --help", done.stderr),
              done.stderr)
    lab.towpath("trace", "--from", lab.PHONE, *web, "--dport", "1", "--in", "nodev", status=1)


@case
def programs_of_another_build_are_not_asked(lab):
    path = f"{lab.pins}/maps/tp_state"
    row = json.loads(run("bpftool", "-j", "map", "dump", "pinned", path).stdout)[0]
    value = row["value"]
    at = 16 + 32 + 32       # object_hash
    value[at] = f"{int(value[at], 16) ^ 1:#04x}"
    run("bpftool", "map", "update", "pinned", path, "key", *row["key"], "value", *value)
    done = lab.towpath("trace", "--from", lab.PHONE, "--to", lab.WEB, "--dport", "1", status=6)
    check("another build" in done.stderr, done.stderr)
    value[at] = f"{int(value[at], 16) ^ 1:#04x}"
    run("bpftool", "map", "update", "pinned", path, "key", *row["key"], "value", *value)


def small(_lab, policy):
    """Every flow's slot is dumped."""
    policy["limits"] = {"flows": 1024}


if __name__ == "__main__":
    main(functools.partial(opened, change=small))
