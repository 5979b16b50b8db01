#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""A home behind a carrier's NAT and a phone that meets it at a hub, over IPv4 and over IPv6."""

import contextlib
import re
import socket
import struct

from hub import HubLab
from lib import (DEADLINE_S, bound_socket, case, check, check_equal, client_socket, main,
                 wait_until)
from packets import ICMP, ICMP6, SYN, TCP, Packet, echo, forwarded, udp
from scenes import echo_server

OPEN, CLOSED = 5353, 8080
MTU_NARROW = 1320


def twice(raw, **rewritten):
    """What two routers make of it; the second one rewrites."""
    return forwarded(forwarded(raw), **rewritten)


@contextlib.contextmanager
def met(prefix):
    with HubLab(6 if prefix.startswith("ipv6") else 4) as lab:
        lab.wanted = lab.policy()
        lab.apply_in("hub", lab.wanted)
        lab.apply_in("home", lab.wanted)
        wait_until(lambda: lab.pings("phone", lab.HOST, ok=False), "the home's host",
                   2 * DEADLINE_S)
        yield lab


def ways(lab):
    """Phone, host and whom the host takes the phone for, of each family."""
    return ((lab.PHONE, lab.HOST, lab.HOME_LAN), (lab.PHONE6, lab.HOST6, lab.HOME_LAN6))


@case
def each_end_pings_the_other(lab):
    for phone, host, _ in ways(lab):
        check(lab.pings("phone", host), f"the phone pings {host}")
        check(lab.pings("host", phone), f"the host pings {phone}")
    for address in (lab.HUB, lab.HUB6, lab.HOME, lab.HOME6):
        check(lab.pings("phone", address), f"the phone pings {address}")
    for address in (lab.PHONE, lab.PHONE6):
        check(lab.pings("home", address), f"the home pings {address}")


@case
def a_datagram_passes_two_routers_there_and_back(lab):
    for phone, host, seen_as in ways(lab):
        sent = udp(phone, host, lab.port(), OPEN, b"to " + host.encode(), tos=0xbb)
        with lab.capture("host") as at_host, lab.capture("phone") as at_phone:
            for _ in range(2):  # the first of a flow and one that goes the short way
                lab.from_phone(sent)
                got = at_host.expect_payload(Packet(sent).payload)
                check_equal(got.raw.hex(), twice(sent, src=seen_as).hex(), "at the host")
            answer = udp(host, seen_as, OPEN, got.ports[0], b"from " + host.encode())
            lab.from_host(answer)
            back = at_phone.expect_payload(Packet(answer).payload)
        check_equal(back.raw.hex(), twice(answer, dst=phone).hex(), "back at the phone")


@case
def a_host_at_home_begins_too(lab):
    for phone, host, _ in ways(lab):
        sent = udp(host, phone, lab.port(), OPEN, b"to " + phone.encode())
        with lab.capture("phone") as at_phone, lab.capture("host") as at_host:
            for _ in range(2):
                lab.from_host(sent)
                got = at_phone.expect_payload(Packet(sent).payload)
                check_equal(got.raw.hex(), twice(sent).hex(), "at the phone")
            answer = udp(phone, host, OPEN, Packet(sent).ports[0], b"from " + phone.encode())
            lab.from_phone(answer)
            back = at_host.expect_payload(Packet(answer).payload)
        check_equal(back.raw.hex(), twice(answer).hex(), "back at the host")


@case
def an_echo_passes_two_routers(lab):
    for phone, host, seen_as in ways(lab):
        sent = echo(phone, host, lab.port(), payload=b"echo to " + host.encode())
        with lab.capture("host") as at_host:
            lab.from_phone(sent)
            got = at_host.expect_payload(b"echo to " + host.encode())
        check_equal(got.raw.hex(), twice(sent, src=seen_as).hex(), "at the host")


@case
def tcp_carries_a_megabyte_each_way(lab):
    there, back = b"t" * (1 << 20), b"b" * (1 << 20)
    for phone, host, _ in ways(lab):
        for near, far, address in (("phone", "host", host), ("host", "phone", phone)):
            with bound_socket(lab, far, socket.SOCK_STREAM, address, 5001) as listener, \
                    client_socket(lab, near, socket.SOCK_STREAM, address) as client:
                listener.settimeout(2 * DEADLINE_S)
                client.settimeout(2 * DEADLINE_S)
                thread, got = echo_server(listener, back)
                answer = b""
                try:
                    client.connect((address, 5001))
                    client.sendall(there)
                    client.shutdown(socket.SHUT_WR)
                    while chunk := client.recv(65536):
                        answer += chunk
                finally:
                    thread.join()
            check(b"".join(got) == there, f"a megabyte from {near} to {far}")
            check(answer == back, f"a megabyte back from {far} to {near}")


@case
def the_hub_refuses_what_no_grant_names(lab):
    for phone, host, _ in ways(lab):
        before = lab.drops_in("hub", "acl"), lab.drops_in("home", "acl")
        with lab.capture("host") as at_host:
            lab.from_phone(udp(phone, host, lab.port(), CLOSED, b"refused"))
            mark = udp(phone, host, lab.port(), OPEN, b"mark for " + host.encode())
            lab.from_phone(mark)
            came = at_host.before(lambda p, m=mark: p.payload == Packet(m).payload, "the mark")
        check_equal([str(p) for p in came if p.ports[1] == CLOSED], [], "what came through")
        check_equal((lab.drops_in("hub", "acl"), lab.drops_in("home", "acl")),
                    (before[0] + 1, before[1]), "refused once, by the hub")


@case
def the_home_judges_what_the_hub_lets_through(lab):
    wide = lab.policy()
    wide["grants"] = [{"src": ["*"], "dst": ["*"]}]
    lab.apply_in("hub", wide)
    try:
        for phone, host, _ in ways(lab):
            before = lab.drops_in("hub", "acl"), lab.drops_in("home", "acl")
            lab.from_phone(udp(phone, host, lab.port(), CLOSED, b"refused"))
            wait_until(lambda b=before: lab.drops_in("home", "acl") == b[1] + 1, "the home's drop")
            check_equal(lab.drops_in("hub", "acl"), before[0], "the hub lets it through")
    finally:
        lab.apply_in("hub", lab.wanted)


@case
def a_host_at_home_is_judged_there(lab):
    for phone, host, _ in ways(lab):
        before = lab.drops_in("hub", "acl"), lab.drops_in("home", "acl")
        lab.from_host(udp(host, phone, lab.port(), CLOSED, b"refused"))
        wait_until(lambda b=before: lab.drops_in("home", "acl") == b[1] + 1, "the home's drop")
        check_equal(lab.drops_in("hub", "acl"), before[0], "nothing came as far as the hub")


@case
def a_narrow_hub_says_too_big(lab):
    narrow = lab.policy()
    narrow["nodes"]["hub"]["tunnel"]["mtu"] = MTU_NARROW
    lab.apply_in("hub", narrow)
    try:
        for phone, host, _ in ways(lab):
            for sender, receiver, send, at in ((phone, host, lab.from_phone, "phone"),
                                               (host, phone, lab.from_host, "host")):
                sent = udp(sender, receiver, lab.port(), OPEN, b"b" * 1350)
                with lab.capture(at) as capture:
                    send(sent)
                    error = capture.expect(is_too_big, f"an error about {Packet(sent)}")
                check_equal(struct.unpack_from("!I", error.segment, 4)[0], MTU_NARROW, "its MTU")
                check_equal(error.wrong_checksums(), [], "its checksums")
                quote, want = error.segment[8:], sent_as(sent, at)
                check_equal((error.dst, quote.hex()), (sender, want[:len(quote)].hex()),
                            "whom it tells, of what")
            check_segments_fit(lab, "phone", "host", host)
            check_segments_fit(lab, "host", "phone", phone)
    finally:
        lab.apply_in("hub", lab.wanted)


def is_too_big(packet):
    return ((packet.proto == ICMP and tuple(packet.segment[:2]) == (3, 4))
            or (packet.proto == ICMP6 and tuple(packet.segment[:2]) == (2, 0)))


def check_segments_fit(lab, near, far, address):
    """A connection through a narrow hub asks for segments that fit there."""
    with lab.capture(far) as capture, \
            client_socket(lab, near, socket.SOCK_STREAM, address) as client:
        with contextlib.suppress(OSError):      # nobody listens
            client.connect((address, 5001))
        syn = capture.expect(lambda p: p.proto == TCP and p.segment[13] == SYN, "a SYN")
    fits = MTU_NARROW - (60 if ":" in address else 40)
    check_equal(struct.unpack_from("!BBH", syn.segment, 20), (2, 4, fits), f"MSS to {address}")


def sent_as(raw, at):
    """An error from two routers away quotes what the first one has made of it."""
    return raw if at == "phone" else forwarded(raw)


@case
def nobody_calls_the_home_and_it_keeps_its_way_open(lab):
    shown = lab.exec("home", "wg", "show", lab.tunnels["home"]).stdout
    check_equal(re.findall(r"^peer: (\S+)", shown, re.M), [lab.keys["hub"]], "the home's peers")
    check("persistent keepalive: every 25 seconds" in shown, f"the home's keepalive:\n{shown}")
    endpoints = lab.exec("hub", "wg", "show", lab.tunnels["hub"], "endpoints").stdout
    outside = "192.0.2.20" if lab.underlay == 4 else "[2001:db8::20]"
    check(f"{lab.keys['home']}\t{outside}:" in endpoints, f"from the NAT:\n{endpoints}")


@case
def status_names_the_hub(lab):
    phone = {p["name"]: p for p in lab.status_of("home")["peers"]}["phone"]
    check_equal((phone["via"], phone["state"], phone["endpoint"]), ("hub", "up", None), "the phone")
    check_equal(phone["addresses"], [lab.PHONE, lab.PHONE6], "its addresses")
    peers = {p["name"]: p for p in lab.status_of("hub")["peers"]}
    check_equal((peers["home"]["via"], peers["home"]["state"]), (None, "up"), "home at the hub")
    check_equal(peers["home"]["addresses"], [lab.HOME, lab.HOME6], "its addresses")
    check(re.search(r"phone +peer +up +via hub ", lab.towpath_in("home", "status").stdout),
          "the table for people says so")


@case
def applying_again_does_nothing(lab):
    for who in ("hub", "home"):
        ops = lab.json_in(who, "plan", f"{lab.run_dir}/{who}.json", "--node", who)["ops"]
        check_equal(ops, [], f"what is left to do in {who}")


if __name__ == "__main__":
    main(met, ("ipv4.", "ipv6."))
