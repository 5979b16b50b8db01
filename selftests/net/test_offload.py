#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Unfinished checksums and super-packets (TSO, UDP_SEGMENT) both ways, as they leave on a wire.

No tunnel of this machine need make super-packets: the phone also has a cable to the router, and
what comes by it comes in by the tunnel, past the encryption. Its answers take the tunnel."""

import contextlib
import socket
import struct

from fragments import Reassembly, check_fragments
from lib import case, check, check_equal, client_socket, main, run
from packets import ICMP, ICMP6, TCP, UDP
from scenes import exchange, narrow, open_policy, opened, pairs, port, source_on_the_lan
from standin import handing_over

UDP_SEGMENT = 103
IP_MTU_DISCOVER, IP_PMTUDISC_DONT, IP_PMTUDISC_DO = 10, 0, 2
MTU_TUNNEL = 1420
UPLOAD = bytes(i * 7 % 251 for i in range(600_000))
DOWNLOAD = bytes(i * 11 % 241 for i in range(600_000))


@contextlib.contextmanager
def lab_with_a_cable(prefix):
    with opened("none" if prefix == "routed." else "masquerade") as lab:
        add_cable(lab)
        with handing_over(lab.netns("router"), "cable", lab.tunnel):
            yield lab


def add_cable(lab):
    phone, router = lab.netns("phone"), lab.netns("router")
    # what arrives there is looked at as it was sent, not as the kernel has put it together
    lab.exec("phone", "ethtool", "-K", lab.phone_tunnel, "gro", "off")
    for netns in (phone, router):   # nothing of the kernel's own making on it
        run("nsenter", f"--net=/run/netns/{netns}", "sysctl", "-qw",
            "net.ipv6.conf.default.addr_gen_mode=1")
    run("ip", "-n", phone, "link", "add", "cable", "type", "veth", "peer", "name", "cable",
        "netns", router)
    for netns in (router, phone):
        run("ip", "-n", netns, "link", "set", "cable", "mtu", 1420, "up")
    mac = lab.mac("router", "cable")
    for phone_addr, host in pairs(lab):
        family = "-6" if ":" in host else "-4"
        run("ip", "-n", phone, "neigh", "add", host, "lladdr", mac, "dev", "cable", "nud",
            "permanent")
        run("ip", family, "-n", phone, "route", "add", host, "dev", "cable", "src", phone_addr)


def whole_on_the_wire(packets, what):
    check(len(packets) > 5, f"{len(packets)} packets {what}")
    wrong = [f"{w}: {p}" for p in packets for w in p.wrong_checksums()]
    check_equal(wrong[:3], [], f"wrong checksums {what}")
    check_equal([str(p) for p in packets if p.unfinished][:3], [], f"left unfinished {what}")


def was_super(packets, what):
    """Else the case would show nothing."""
    check(any(len(p.raw) > 3 * MTU_TUNNEL and p.unfinished for p in packets),
          f"no unfinished super-packet {what}: {sorted({len(p.raw) for p in packets})[-5:]}")


def tcp_is_whole(lab, phone, web):
    with lab.capture("web") as at_web, lab.capture("phone") as at_phone, \
            lab.capture("router") as from_phone, lab.capture("router", "lan0") as from_web:
        sent, answer = exchange(lab, phone, web, UPLOAD, DOWNLOAD)
        for capture in (at_web, at_phone, from_phone, from_web):
            capture.expect(lambda p: p.proto == TCP and p.segment[13] & 1, "a FIN")
    check(sent == UPLOAD and answer == DOWNLOAD, "each end has read what the other sent")
    was_super([p for p in from_phone.seen if p.proto == TCP], "came out of the tunnel")
    was_super([p for p in from_web.seen if p.proto == TCP], "came from the LAN")

    there = [p for p in at_web.seen if p.proto == TCP and p.ports[1] == 5001]
    back = [p for p in at_phone.seen if p.proto == TCP and p.ports[0] == 5001]
    whole_on_the_wire(there, "on the LAN")
    whole_on_the_wire(back, "at the phone")
    check_equal({(p.src, p.dst, p.ttl) for p in there},
                {(source_on_the_lan(lab, phone), web, 63)}, "on the LAN")
    check_equal({(p.src, p.dst, p.ttl) for p in back}, {(web, phone, 63)}, "at the phone")


@case
def tcp4_super_packets_leave_whole(lab):
    tcp_is_whole(lab, *pairs(lab)[0])


@case
def tcp6_super_packets_leave_whole(lab):
    tcp_is_whole(lab, *pairs(lab)[1])


def send_segments(lab, short, src, dst, data, size, discover=IP_PMTUDISC_DO):
    """One write that the kernel is to cut into datagrams of `size`; with DF, which a write larger
    than the MTU does not get by itself, unless `discover` says otherwise."""
    with client_socket(lab, short, socket.SOCK_DGRAM, dst[0]) as sock:
        sock.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, size)
        if ":" not in dst[0]:
            sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, discover)
        sock.bind(src)
        sock.sendto(data, dst)


def segments_are_whole(capture, source, data, size):
    """The datagrams in their order, each with a checksum of its own."""
    last = (len(data) - 1) // size * size
    capture.expect(lambda p: p.payload == data[last:] and p.proto == UDP, "the last datagram")
    came = [p for p in capture.seen if p.proto == UDP and p.src == source[0]
            and p.ports[0] == source[1]]
    whole_on_the_wire(came, "of UDP_SEGMENT")
    check_equal(b"".join(p.payload for p in came) == data, True, "the datagrams are the data")
    check_equal({len(p.payload) for p in came[:-1]}, {size}, "their sizes")


@case
def udp_super_packets_leave_whole(lab):
    data = bytes(i * 13 % 239 for i in range(50_000))
    for phone, web in pairs(lab):
        sport = 5000 + port(lab) % 1000     # outside limits.snat_ports: NAT rewrites it
        with lab.capture("web") as at_web, lab.capture("phone") as at_phone, \
                lab.capture("router") as from_phone, lab.capture("router", "lan0") as from_web:
            send_segments(lab, "phone", (phone, sport), (web, 7000), data, 1200)
            first = at_web.expect(lambda p: p.proto == UDP and p.ports[1] == 7000, "a datagram")
            back = (first.src, first.ports[0])
            check_equal(back[0], source_on_the_lan(lab, phone), "who they come from")
            check_equal(back[1] == sport, lab.snat == "none", "they keep their port")
            segments_are_whole(at_web, back, data, 1200)
            send_segments(lab, "web", (web, 7000), back, data, 1111)
            segments_are_whole(at_phone, (web, 7000), data, 1111)
            for capture in (from_phone, from_web):
                packet = capture.expect(lambda p: p.proto == UDP, "a datagram")
                was_super([packet], "came in")


@case
def segments_larger_than_the_next_link_are_answered(lab):
    """UDP_SEGMENT may ask for datagrams that fit the sender's link and not the tunnel."""
    for phone, web in pairs(lab):
        proto, kind = (ICMP6, (2, 0)) if ":" in web else (ICMP, (3, 4))
        header = 48 if ":" in web else 28
        sport = port(lab)
        with lab.capture("web") as at_web, lab.capture("phone") as at_phone:
            send_segments(lab, "phone", (phone, sport), (web, 7000), b"open", 1200)
            got = at_web.expect_payload(b"open")
            back = (got.src, got.ports[0])
            size = MTU_TUNNEL - header + 1
            send_segments(lab, "web", (web, 7000), back, bytes(20_000), size)
            error = at_web.expect(lambda p, want=(proto, kind): p.proto == want[0]
                                  and tuple(p.segment[:2]) == want[1], "packet too big")
            send_segments(lab, "web", (web, 7000), back, b"mark", 1200)
            came = at_phone.before(lambda p: p.payload == b"mark", "the mark")
        check_equal([str(p) for p in came if p.proto == UDP], [], "what came through")
        mtu = struct.unpack_from("!I", error.segment, 4)[0]
        check_equal((mtu, error.wrong_checksums()), (MTU_TUNNEL, []), f"of {error}")


def whole_datagrams(capture, source, data, size):
    """The datagrams in their order, put together where they came in fragments. Gives the packets
    that they came in."""
    reassembly, whole, packets = Reassembly(), [], []

    def take(packet):
        found = reassembly.take(packet)
        if found and (found[0].src, found[0].ports[0]) == source and found[0].proto == UDP:
            whole.append(found[0])
            packets.extend(found[1])
        return sum(len(p.payload) for p in whole) >= len(data)

    capture.expect(take, f"{len(data)} bytes, of which {len(whole)} datagrams came")
    check_equal(b"".join(p.payload for p in whole) == data, True, "the datagrams are the data")
    check_equal({len(p.payload) for p in whole[:-1]}, {size}, "their sizes")
    wrong = [f"{w}: {p}" for p in whole for w in p.wrong_checksums()]
    check_equal(wrong[:3], [], "wrong checksums")
    return packets


def in_fragments(packets, src, dst, mtu):
    check_fragments(packets, src, dst, 63)
    sizes = sorted({len(p.raw) for p in packets})
    check(sizes[-1] <= mtu, f"packets of {sizes} bytes, where {mtu} fit")
    check(len({p.raw[4:6] for p in packets}) * 2 == len(packets), "each datagram in two, by its id")


@case
def segments_that_may_be_split_reach_the_member(lab):
    """Twice: what no flow is known for, and what goes on."""
    phone, web = pairs(lab)[0]
    sport, data = port(lab), bytes(i * 17 % 233 for i in range(14 * 1430))
    # the kernel makes no segments that are larger than what it has learned to fit
    run("ip", "-n", lab.netns("web"), "route", "flush", "cache")
    with lab.capture("web") as at_web, lab.capture("phone") as at_phone, \
            lab.capture("router", "lan0") as from_web:
        send_segments(lab, "phone", (phone, sport), (web, 7000), b"open", 1200)
        got = at_web.expect_payload(b"open")
        for _ in range(2):
            send_segments(lab, "web", (web, 7000), (got.src, got.ports[0]), data, 1430,
                          IP_PMTUDISC_DONT)
            packets = whole_datagrams(at_phone, (web, 7000), data, 1430)
            in_fragments(packets, web, phone, MTU_TUNNEL)
        was_super([from_web.expect(lambda p: p.proto == UDP, "a datagram")], "came from the LAN")


@case
def segments_that_may_be_split_reach_a_narrow_lan(lab):
    phone, web = pairs(lab)[0]
    source = source_on_the_lan(lab, phone)
    data = bytes(i * 19 % 229 for i in range(37 * 1350))
    sport = port(lab)
    with narrow(lab, "lan0", open_policy(lab, lab.snat), 1300), lab.capture("web") as at_web, \
            lab.capture("router") as from_phone:
        for _ in range(2):
            send_segments(lab, "phone", (phone, sport), (web, 7000), data, 1350, IP_PMTUDISC_DONT)
            packets = whole_datagrams(at_web, (source, sport), data, 1350)
            in_fragments(packets, source, web, 1300)
        was_super([from_phone.expect(lambda p: p.proto == UDP, "a datagram")],
                  "came out of the tunnel")


if __name__ == "__main__":
    main(lab_with_a_cable, ("masquerade.", "routed."))
