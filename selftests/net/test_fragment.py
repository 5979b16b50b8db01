#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Datagrams that do not fit into one packet, with SNAT and without."""

import contextlib
import socket

from fragments import check_fragments, expect_whole, lab_with, pieces
from lib import bound_socket, case, check, check_equal, client_socket, main
from packets import ICMP, ICMP6, UDP, udp

BIG = 8000
ECHO = 5353                 # a UDP port that answers with what it got
IP_MTU_DISCOVER, IP_PMTUDISC_DONT = 10, 0

GRANTS = [
    {"src": ["phone"], "dst": ["lan", "lan6"], "ip": [f"udp:{ECHO}", "icmp:*"]},
    {"src": ["phone"], "dst": ["homelab-1"], "ip": [f"udp:{ECHO}"]},
]


@contextlib.contextmanager
def applied(prefix):
    with lab_with(prefix, GRANTS) as lab:
        for short in ("dns", "web"):    # IPv6 routers cut nothing up: what these send has to fit
            lab.exec(short, "sysctl", "-qw", "net.ipv6.conf.eth0.mtu=1400")
        yield lab


def text(size, seed):
    return bytes((i * 7 + i // 251 + seed) % 251 for i in range(size))


def is_whole(fragments, packet, payload):
    check(len(fragments) > 1, f"{len(fragments)} packets for {len(payload)} bytes")
    check_equal(packet.payload == payload, True, "the payload is what was sent")
    check_equal(packet.wrong_checksums(), [], "checksums of the whole")


def big_datagrams_go_both_ways(lab, phone, server, source):
    asked, answered = text(BIG, 1), text(BIG, 2)
    with bound_socket(lab, "dns", socket.SOCK_DGRAM, server, ECHO) as sock, \
            client_socket(lab, "phone", socket.SOCK_DGRAM, server) as client, \
            lab.capture("dns") as at_dns, lab.capture("phone") as at_phone:
        client.sendto(asked, (server, ECHO))
        got, sender = sock.recvfrom(65536)
        check_equal(got == asked, True, "the server read what was sent")
        whole, fragments = expect_whole(at_dns, lambda p: p.proto == UDP, "the question")
        sock.sendto(answered, sender)
        check_equal(client.recv(65536) == answered, True, "the client read the answer")
        home, back = expect_whole(at_phone, lambda p: p.proto == UDP, "the answer")
    is_whole(fragments, whole, asked)
    check_fragments(fragments, source, server, 63)
    is_whole(back, home, answered)
    check_fragments(back, server, phone, 63)


@case
def udp4_of_8_kb_goes_both_ways(lab):
    big_datagrams_go_both_ways(lab, lab.PHONE, lab.DNS, lab.source[0])


@case
def udp6_of_8_kb_goes_both_ways(lab):
    big_datagrams_go_both_ways(lab, lab.PHONE6, lab.DNS6, lab.source[1])


def big_echo_is_answered(lab, phone, server, source, proto):
    with lab.capture("web") as at_web, lab.capture("phone") as at_phone:
        done = lab.exec("phone", "ping", "-n", "-c", "2", "-i", "0.2", "-W", "5", "-s", "3000",
                        server, ok=False)
        check_equal(done.returncode, 0, f"ping:\n{done.stdout}")
        for capture, src, dst in ((at_web, source, server), (at_phone, server, phone)):
            whole, fragments = expect_whole(
                capture, lambda p: p.proto == proto and len(p.segment) == 3008, "the echo")
            check(len(fragments) > 1, "it came in fragments")
            check_fragments(fragments, src, dst, 63)
            check_equal(whole.wrong_checksums(), [], "checksums of the whole")


@case
def echo4_of_3000_bytes_is_answered(lab):
    big_echo_is_answered(lab, lab.PHONE, lab.WEB, lab.source[0], ICMP)


@case
def echo6_of_3000_bytes_is_answered(lab):
    big_echo_is_answered(lab, lab.PHONE6, lab.WEB6, lab.source[1], ICMP6)


@case
def an_answer_too_big_for_the_tunnel_arrives_in_fragments(lab):
    answered = text(1460, 3)            # one packet on the LAN
    with bound_socket(lab, "dns", socket.SOCK_DGRAM, lab.DNS, ECHO) as sock, \
            client_socket(lab, "phone", socket.SOCK_DGRAM, lab.DNS) as client, \
            lab.capture("phone") as at_phone:
        sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
        client.sendto(b"question", (lab.DNS, ECHO))
        sock.sendto(answered, sock.recvfrom(2048)[1])
        check_equal(client.recv(65536) == answered, True, "the client read the answer")
        home, back = expect_whole(at_phone, lambda p: p.proto == UDP, "the answer")
    is_whole(back, home, answered)
    check_fragments(back, lab.DNS, lab.PHONE, 63)


def own_datagrams_go_both_ways(lab, router, phone):
    asked, answered = text(BIG, 4), text(BIG, 5)
    with bound_socket(lab, "phone", socket.SOCK_DGRAM, phone, ECHO) as sock, \
            client_socket(lab, "router", socket.SOCK_DGRAM, phone) as client:
        client.bind((router, 0))
        client.sendto(asked, (phone, ECHO))
        got, sender = sock.recvfrom(65536)
        check_equal(got == asked, True, "the phone read what the router sent")
        sock.sendto(answered, sender)
        check_equal(client.recv(65536) == answered, True, "the router read the answer")


@case
def own_datagrams_of_8_kb_go_both_ways(lab):
    own_datagrams_go_both_ways(lab, lab.ROUTER, lab.PHONE)
    own_datagrams_go_both_ways(lab, lab.ROUTER6, lab.PHONE6)


def later_ones_do_not_leak(lab, phone, dns, source):
    lab.next_port += 1
    payload = b"out of order, %d bytes of it" % lab.next_port + bytes(200)
    parts = pieces(udp(phone, dns, lab.next_port, ECHO, payload), 64, lab.next_port)
    mark = udp(phone, dns, lab.next_port, ECHO, b"the mark %d" % lab.next_port)
    before = lab.drops("frag_unknown")
    with lab.capture("dns") as at_dns:
        for part in reversed(parts):
            lab.from_phone(part)
        lab.from_phone(mark)
        at_dns.expect_payload(b"the mark %d" % lab.next_port)
    check_equal([(p.src, p.dst) for p in at_dns.seen if p.dst == dns],
                [(source, dns)] * 2, "what came: the first fragment, last of all, and the mark")
    lab.counted("frag_unknown", before, len(parts) - 1)


@case
def what_comes_before_the_first_does_not_leak(lab):
    later_ones_do_not_leak(lab, lab.PHONE, lab.DNS, lab.source[0])
    later_ones_do_not_leak(lab, lab.PHONE6, lab.DNS6, lab.source[1])


if __name__ == "__main__":
    main(applied, ("masquerade.", "routed."))
