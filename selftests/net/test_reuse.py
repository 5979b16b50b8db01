#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The number of a peer or route that is gone is given to another, whose counters begin at 0; the
counters of who stays go on."""

import json
import socket
import struct

from lib import bound_socket, case, check, check_equal, main, run
from running import TABLET, RunLab
from scenes import open_policy

OTHER, OTHER6 = "10.10.77.0/24", "fd10:30:77::/64"


def ids(lab, what):
    """{who: number} of tp_peer_info or tp_route_info, by the first bytes that name it."""
    rows = json.loads(run("bpftool", "-j", "map", "dump", "pinned",
                          f"{lab.pins}/maps/{what}").stdout)
    return {tuple(row["value"][:32]): int(row["key"][0], 16) for row in rows}


def counters(lab, table, number):
    """A row, summed over the CPUs."""
    rows = json.loads(run("bpftool", "-j", "map", "dump", "pinned",
                          f"{lab.pins}/maps/{table}").stdout)
    words = [struct.unpack("=" + "Q" * (len(cpu["value"]) // 8),
                           bytes(int(byte, 16) for byte in cpu["value"]))
             for cpu in rows[number]["values"]]
    return [sum(column) for column in zip(*words)]


def of_only_peer(lab):
    """(number, packets and bytes from it and to it)"""
    number, = ids(lab, "tp_peer_info").values()
    return number, counters(lab, "tp_peer_stats", number)[:4]


def route_counters(lab):
    return {r["prefix"]: [r["packets"], r["bytes"]] for r in lab.json("status")["routes"]}


def talks(lab):
    """Both ways, over both families."""
    for phone, web in ((lab.PHONE, lab.WEB), (lab.PHONE6, lab.WEB6)):
        lab.next_port += 1
        with bound_socket(lab, "web", socket.SOCK_DGRAM, web, 5401) as there, \
                bound_socket(lab, "phone", socket.SOCK_DGRAM, phone, lab.next_port) as client:
            client.sendto(b"hello", (web, 5401))
            there.sendto(b"hello yourself", there.recvfrom(64)[1])
            check_equal(client.recv(64), b"hello yourself", "the answer")


def with_routes(lab, *routes):
    policy = open_policy(lab)
    policy["nodes"]["homelab-1"].update(advertise_routes=list(routes), lan_interfaces=["lan0"])
    policy["auto_approvers"]["routes"] = {r: ["tag:k8s"] for r in routes}
    policy["routes"] = {r: {"snat": "masquerade"} for r in routes}
    return policy


def only_tablet(lab):
    policy = open_policy(lab)
    policy["peers"] = {"tablet": TABLET}
    del policy["groups"]
    return policy


@case
def a_peer_begins_at_zero(lab):
    lab.apply(open_policy(lab))
    lab.wait_for_tunnel()
    talks(lab)
    number, counted = of_only_peer(lab)
    check(all(counted), f"the phone was counted: {counted}")
    nobody = only_tablet(lab)
    nobody["peers"] = {}
    lab.apply(nobody)
    check_equal(ids(lab, "tp_peer_info"), {}, "peers")
    lab.apply(only_tablet(lab))
    check_equal(of_only_peer(lab), (number, [0, 0, 0, 0]), "number and counters of the tablet")
    lab.towpath("down")


@case
def a_peer_that_stays_is_counted_on(lab):
    lab.apply(open_policy(lab))
    lab.wait_for_tunnel()
    talks(lab)
    (number, before), routes = of_only_peer(lab), route_counters(lab)
    policy = open_policy(lab)
    policy["peers"]["phone"]["persistent_keepalive"] = 20
    policy["peers"]["tablet"] = TABLET
    policy["routes"] = {}
    lab.apply(policy)
    check_equal(counters(lab, "tp_peer_stats", number)[:4], before, "counters")
    check_equal(route_counters(lab), routes, "counters of routes")
    talks(lab)
    after = counters(lab, "tp_peer_stats", number)
    check(all(a > b for a, b in zip(after, before)), f"it goes on: {before}, {after}")
    lab.towpath("down")


def has_zero_routes(lab, routes):
    found = route_counters(lab)
    for route in routes:
        check_equal(found[route], [0, 0], f"counters of {route} in {found}")


@case
def a_route_begins_at_zero(lab):
    """Whether its number was free for a while, or another has it in the edit that takes it."""
    lan, lan6 = lab.policy()["nodes"]["homelab-1"]["advertise_routes"]
    for between in (None, with_routes(lab)):
        lab.apply(with_routes(lab, lan, lan6))
        lab.wait_for_tunnel()
        talks(lab)
        found = route_counters(lab)
        check(found[lan][0] and found[lan6][0], f"the routes were counted: {found}")
        if between:
            lab.apply(between)
        lab.apply(with_routes(lab, OTHER, OTHER6))
        has_zero_routes(lab, (OTHER, OTHER6))
        lab.towpath("down")


@case
def what_the_old_route_carries_is_not_counted_as_the_new_ones(lab):
    """In an edit that takes one and gives another, the number is not the same."""
    lan, lan6 = lab.policy()["nodes"]["homelab-1"]["advertise_routes"]
    lab.apply(with_routes(lab, lan, lan6))
    before = ids(lab, "tp_route_info")
    lab.apply(with_routes(lab, OTHER, OTHER6))
    after = ids(lab, "tp_route_info")
    check_equal(len(after), 2, "routes")
    check(not set(before.values()) & set(after.values()), f"numbers {before} {after}")
    lab.towpath("down")


if __name__ == "__main__":
    main(RunLab)
