#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Source NAT on real devices and sockets: hairpins, this machine's own ports, addresses that
change, and fixed addresses."""

import contextlib
import errno
import json
import platform
import select
import socket
import struct
import time

from lib import (DEADLINE_S, Lab, Skip, bound_socket, case, check, check_equal, client_socket,
                 inside, main, run, wait_until)
from packets import Packet, forwarded, tcp, udp

FIXED, FIXED6 = "10.10.30.5", "fd10:30::5"
ETH_P_ARP = 0x0806


@contextlib.contextmanager
def open_lab():
    """The phone may send to the LAN, the router and itself."""
    with Lab() as lab:
        lab.everything = lab.policy()
        lab.everything["grants"] = [{"src": ["phone"], "dst": ["lan", "lan6", "phone"]}]
        del lab.everything["tests"]
        lab.apply(lab.everything)
        lab.wait_for_tunnel()
        lab.next_port = 20000
        yield lab


def port(lab):
    lab.next_port += 1
    return lab.next_port


def families(lab):
    return ((lab.PHONE, lab.LAN, lab.DNS), (lab.PHONE6, lab.LAN6, lab.DNS6))


# ---- hairpins ---------------------------------------------------------------------------

def map_port(lab, sock, server, sport):
    """The socket's mapping, by a datagram to the LAN that keeps its port."""
    payload = b"map port %d" % sport
    with lab.capture("dns") as capture:
        sock.sendto(payload, (server, 5353))
        check_equal(capture.expect_payload(payload).ports[0], sport, "the mapped port")


@case
def a_socket_is_reached_by_its_outside_port(lab):
    for phone, router, server in families(lab):
        one, other = port(lab), port(lab)
        with bound_socket(lab, "phone", socket.SOCK_DGRAM, phone, one) as target, \
                bound_socket(lab, "phone", socket.SOCK_DGRAM, phone, other) as sender:
            map_port(lab, target, server, one)
            sender.sendto(b"round the hairpin", (router, one))
            got, source = target.recvfrom(2048)
            check_equal((got, source[:2]), (b"round the hairpin", (router, other)), "it came as")
            target.sendto(b"and back", source)
            got, source = sender.recvfrom(2048)
            check_equal((got, source[:2]), (b"and back", (router, one)), "the answer came as")


@case
def tcp_goes_round_a_hairpin(lab):
    for phone, router, server in families(lab):
        one, other = port(lab), port(lab)
        listener = bound_socket(lab, "phone", socket.SOCK_STREAM, phone, one)
        with listener, lab.capture("dns") as capture:
            # RFC 5382: a mapping by a SYN from the listening port, which the LAN refuses
            lab.from_phone(tcp(phone, server, one, 5353))
            capture.expect(lambda p, one=one: p.proto == 6 and p.ports[0] == one, "the SYN")
            client = bound_client(lab, phone, other)
            with client:
                client.connect((router, one))
                served, source = listener.accept()
                with served:
                    check_equal(source[:2], (router, other), "who connected")
                    client.sendall(b"x" * 100000 + b"end")
                    check_equal(len(read_to(served, b"end")), 100003, "bytes that came")


def bound_client(lab, address, sport):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with inside(lab.netns("phone")):
        sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(DEADLINE_S)
    sock.bind((address, sport))
    return sock


def read_to(sock, end):
    sock.settimeout(DEADLINE_S)
    got = b""
    while not got.endswith(end):
        got += sock.recv(65536)
    return got


# ---- ports of this machine --------------------------------------------------------------

@case
def a_port_of_this_machine_is_passed_over(lab):
    for phone, router, server in families(lab):
        sport = port(lab)
        payload = b"not from your port %d" % sport
        with bound_socket(lab, "router", socket.SOCK_DGRAM, router, sport) as own, \
                bound_socket(lab, "dns", socket.SOCK_DGRAM, server, 5353) as far, \
                lab.capture("dns") as capture:
            lab.from_phone(udp(phone, server, sport, 5353, payload))
            got = capture.expect_payload(payload)
            check(got.ports[0] != sport, f"the phone left from the router's port: {got}")
            check_equal(far.recvfrom(2048)[0], payload, "what the server read")
            own.sendto(b"my own", (server, 5353))
            source = far.recvfrom(2048)[1]
            check_equal(source[:2], (router, sport), "the router's own source")
            far.sendto(b"to the router", source)
            check_equal(own.recvfrom(2048)[0], b"to the router", "what the router read")


def ports_lost(lab):
    """Not a drop, so it is in the text for people alone."""
    for line in lab.towpath("status").stdout.splitlines():
        words = line.split()
        if words and words[0] == "nat_port_lost":
            return int(words[2])
    return 0


@case
def a_port_that_this_machine_uses_later_is_given_up(lab):
    for phone, router, server in families(lab):
        sport = port(lab)
        lost = ports_lost(lab)
        with lab.capture("dns") as capture:
            lab.from_phone(udp(phone, server, sport, 5353, b"before %d" % sport))
            check_equal(capture.expect_payload(b"before %d" % sport).ports[0], sport, "the port")
            with bound_socket(lab, "router", socket.SOCK_DGRAM, router, sport) as own:
                own.sendto(b"mine now", (server, 5354))
                wait_until(lambda lost=lost: ports_lost(lab) == lost + 1,
                           "one mapping to be retired")
                moved = wait_until(lambda: moved_port(lab, capture, phone, server, sport),
                                   "the phone's flow to go on from another port")
                check(moved != sport, "another port")


def moved_port(lab, capture, phone, server, sport):
    payload = b"after %d %f" % (sport, time.monotonic())
    lab.from_phone(udp(phone, server, sport, 5353, payload))
    now = capture.expect_payload(payload).ports[0]
    return now if now != sport else None


@case
def a_stranger_who_tries_the_ports_ends_nobodys_connection(lab):
    for phone, router, server in families(lab):
        sport = port(lab)
        lost = ports_lost(lab)
        payload = b"with data %d" % sport
        with lab.capture("dns") as capture:
            lab.from_phone(tcp(phone, server, sport, 80, payload=payload))
            check_equal(capture.expect_payload(payload).ports[0], sport, "the port")
        with client_socket(lab, "web", socket.SOCK_STREAM, router) as stranger:
            check_equal(stranger.connect_ex((router, sport)), errno.ECONNREFUSED, "the answer")
        check_equal(ports_lost(lab), lost, "retired mappings")


# ---- the LAN's address changes ----------------------------------------------------------

def router_ip(lab, *words):
    run("ip", "-n", lab.netns("router"), *words)


def move_lan(lab, old, new):
    length = "/64" if ":" in old else "/24"
    nodad = ("nodad",) if ":" in old else ()
    router_ip(lab, "address", "add", new + length, "dev", "lan0", *nodad)
    router_ip(lab, "address", "del", old + length, "dev", "lan0")


def arriving_source(lab, capture, phone, server, sport):
    payload = b"where from %f" % time.monotonic()
    sent = udp(phone, server, sport, 5353, payload)
    lab.from_phone(sent)
    got = capture.expect_payload(payload)
    check_equal(got.wrong_checksums(), [], f"checksums of {got}")
    check_equal(got.raw.hex(), forwarded(sent, src=got.src).hex(), "the packet")
    return got.src


@case
def a_new_address_is_used_under_traffic(lab):
    version = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
    if version < (6, 7):
        raise Skip("bpf_fib_lookup tells no source address before Linux 6.7")
    run("ip", "netns", "exec", lab.netns("router"), "sysctl", "-qw",
        "net.ipv4.conf.lan0.promote_secondaries=1")
    for phone, router, server in families(lab):
        sport, new = port(lab), router + "77"
        with lab.capture("dns") as capture:
            check_equal(arriving_source(lab, capture, phone, server, sport), router, "before")
            move_lan(lab, router, new)
            try:
                start = time.monotonic()
                wait_until(lambda: arriving_source(lab, capture, phone, server, sport) == new,
                           "packets from the new address")
                check(time.monotonic() - start < 3, "it took no longer than the next look")
            finally:
                move_lan(lab, new, router)
            wait_until(lambda: arriving_source(lab, capture, phone, server, sport) == router,
                       "packets from the old address again")


# ---- a fixed address --------------------------------------------------------------------

def fixed(lab, v4=FIXED, v6=FIXED6):
    policy = json.loads(json.dumps(lab.everything))
    policy["routes"] = {"10.10.30.0/24": {"snat": v4}, "fd10:30::/64": {"snat": v6}}
    return policy


def lan_addresses(lab):
    links = json.loads(run("ip", "-j", "-n", lab.netns("router"), "address", "show", "dev",
                           "lan0").stdout)
    return {a["local"] for a in links[0]["addr_info"] if a["scope"] != "link"}


class Neighbours:
    """ARP and neighbour advertisements that reach the LAN host."""

    def __init__(self, lab):
        with inside(lab.netns("web")):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self.sock.bind(("eth0", 3))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def said(self):
        """(sender, target) of each ARP request, targets of each advertisement, so far."""
        arps, advertised = [], []
        while select.select([self.sock], [], [], 0)[0]:
            frame = self.sock.recv(2048)
            kind = struct.unpack_from("!H", frame, 12)[0]
            if kind == ETH_P_ARP and frame[20:22] == b"\0\1":
                arps.append((socket.inet_ntoa(frame[28:32]), socket.inet_ntoa(frame[38:42])))
            if kind == 0x86dd and frame[20] == 58 and frame[54] == 136:
                check_equal(Packet(frame[14:]).wrong_checksums(), [], "an advertisement's sum")
                advertised.append(socket.inet_ntop(socket.AF_INET6, frame[62:78]))
        return arps, advertised


@case
def a_fixed_address_is_put_announced_used_and_taken_away(lab):
    before = lan_addresses(lab)
    with Neighbours(lab) as neighbours:
        lab.apply(fixed(lab))
        arps, advertised = neighbours.said()
    check_equal(arps.count(("0.0.0.0", FIXED)), 3, f"ARP probes in {arps}")
    check_equal(arps.count((FIXED, FIXED)), 1, f"ARP announcements in {arps}")
    check(FIXED6 in advertised, f"{FIXED6} in {advertised}")
    check_equal(lan_addresses(lab), before | {FIXED, FIXED6}, "addresses of the LAN device")
    check_equal(lab.json("plan", lab.write_policy(fixed(lab), "again.json"))["ops"], [],
                "a second plan")
    try:
        for phone, source, server in ((lab.PHONE, FIXED, lab.DNS), (lab.PHONE6, FIXED6, lab.DNS6)):
            sport = port(lab)
            with bound_socket(lab, "phone", socket.SOCK_DGRAM, phone, sport) as client, \
                    bound_socket(lab, "dns", socket.SOCK_DGRAM, server, 5353) as far:
                client.sendto(b"hello", (server, 5353))
                came_from = far.recvfrom(2048)[1]
                check_equal(came_from[:2], (source, sport), "the source")
                far.sendto(b"hello yourself", came_from)
                check_equal(client.recvfrom(2048)[0], b"hello yourself", "the answer")
    finally:
        lab.apply(lab.everything)
    check_equal(lan_addresses(lab), before, "addresses afterwards")


@case
def a_fixed_address_is_no_way_around_the_grants(lab):
    policy = fixed(lab)
    policy["grants"] = [{"src": ["phone"], "dst": ["adguard", "adguard6"]}]
    lab.apply(policy)
    try:
        for phone, address in ((lab.PHONE, FIXED), (lab.PHONE6, FIXED6)):
            refused = lab.drops("acl")
            lab.from_phone(tcp(phone, address, port(lab), 22))
            lab.counted("acl", refused)
    finally:
        lab.apply(lab.everything)


def refuses(lab, policy, *words):
    before = lan_addresses(lab)
    done = lab.towpath("apply", lab.write_policy(policy), status=1)
    for word in words:
        check(word in done.stderr, f"{word!r} in: {done.stderr}")
    check_equal(lan_addresses(lab), before, "addresses of the LAN device")


@case
def an_address_that_somebody_has_is_refused(lab):
    run("ip", "netns", "exec", lab.netns("router"), "sysctl", "-qw",
        "net.ipv6.conf.lan0.accept_dad=1", "net.ipv6.conf.lan0.dad_transmits=1")
    try:
        refuses(lab, fixed(lab, v4=lab.WEB), lab.WEB, "in use on lan0", lab.mac("web", "eth0"))
        refuses(lab, fixed(lab, v4="masquerade", v6=lab.WEB6), lab.WEB6, "in use on lan0")
        refuses(lab, fixed(lab, v4=lab.LAN), lab.LAN, "an address of lan0 already")
        refuses(lab, fixed(lab, v6=lab.LAN6), lab.LAN6, "an address of lan0 already")
    finally:
        lab.apply(lab.everything)


@case
def down_takes_our_address_and_no_other(lab):
    router_ip(lab, "address", "add", "10.10.30.6/32", "dev", "lan0")
    before = lan_addresses(lab)
    lab.apply(fixed(lab))
    check_equal(lan_addresses(lab), before | {FIXED, FIXED6}, "with ours")
    lab.towpath("down")
    try:
        check_equal(lan_addresses(lab), before, "after down")
    finally:
        router_ip(lab, "address", "del", "10.10.30.6/32", "dev", "lan0")
        lab.apply(lab.everything)
        lab.wait_for_tunnel()


if __name__ == "__main__":
    main(open_lab)
