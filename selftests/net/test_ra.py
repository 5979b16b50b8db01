#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""A machine that has its IPv6 default route from router advertisements keeps it when towpath
switches forwarding on, and goes on listening to them."""

import json
import socket
import struct

import snapshot
from lib import Lab, case, check, check_equal, inside, main, run, wait_until

ALL_NODES = "ff02::1"
ROUTER_ADVERTISEMENT = 134


def advertise(lab, lifetime_s):
    """A router advertisement from the phone's end of the underlay to wan0."""
    message = struct.pack("!BBHBBHII", ROUTER_ADVERTISEMENT, 0, 0, 64, 0, lifetime_s, 0, 0)
    with inside(lab.netns("phone")):
        with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sock:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
            index = socket.if_nametoindex("eth0")
            sock.sendto(message, (ALL_NODES, 0, 0, index))


def default_route(lab):
    """The advertised default route, with its remaining seconds; None when there is none."""
    shown = run("ip", "-6", "-j", "-n", lab.netns("router"), "route", "show", "default",
                "proto", "ra").stdout
    routes = json.loads(shown or "[]")
    return routes[0] if routes else None


def hears(lab, lifetime_s):
    """Advertises until the route lives as long as was said."""
    advertise(lab, lifetime_s)
    wait_until(lambda: (default_route(lab) or {}).get("expires", 0) > lifetime_s - 60,
               f"a default route for {lifetime_s} s; there is {default_route(lab)}")
    check_equal(default_route(lab)["dev"], "wan0", "its device")


@case
def default_route_survives_apply_and_is_refreshed(lab):
    hears(lab, 600)
    before = snapshot.take(lab.netns("router"))
    lab.apply()
    lab.wait_for_tunnel()
    check(default_route(lab), "the default route is there after apply")
    hears(lab, 1800)
    lab.apply()
    hears(lab, 2700)
    lab.towpath("down")
    check(default_route(lab), "the default route is there after down")
    after = snapshot.take(lab.netns("router"))
    check_equal(snapshot.difference(before, after), [], "after down")
    hears(lab, 3600)


@case
def withdrawn_default_route_goes(lab):
    """Proof that these advertisements are listened to at all."""
    hears(lab, 600)
    lab.apply()
    advertise(lab, 0)
    wait_until(lambda: default_route(lab) is None, "the default route to go")
    check(True, "withdrawn")
    lab.towpath("down")


if __name__ == "__main__":
    main(Lab)
