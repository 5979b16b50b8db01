#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The same conversation on the fast path and by every way around it: the same policy, the same
translation. What comes out is compared with the packet that a router would have made, whole.

Declared differences: the way in is what the case is about, so IPv4 options are taken off, and
fragments put together, before the comparison; DF is that of the way."""

import contextlib
import struct

from fragments import (check_fragments, expect_whole, lab_with, pieces, with_checksum,
                       with_options, without_df)
from lib import case, check, check_equal, inject_frame, main, run
from packets import ACK, ICMP, ICMP6, SYN, Packet, echo, forwarded, ip_packet, tcp, udp
from scenes import narrow

# On the LAN, but nobody's: it hears everything and never answers.
DEAF, DEAF6 = "10.10.30.99", "fd10:30::99"
OPEN_UDP, OPEN_TCP, CLOSED = 7000, 7001, 7002
ECHO_REPLY = {4: 0, 6: 129}
MSS = {4: (b"\2\4\x05\xb4", b"\2\4\x05\x64"), 6: (b"\2\4\x05\xa0", b"\2\4\x05\x50")}

GRANTS = [
    {"src": ["phone"], "dst": ["lan", "lan6"], "ip": [f"udp:{OPEN_UDP}", f"tcp:{OPEN_TCP}"]},
]


@contextlib.contextmanager
def applied(prefix):
    with lab_with(prefix, GRANTS) as lab:
        mac = lab.mac("dns", "eth0")
        for address in (DEAF, DEAF6):
            run("ip", "-n", lab.netns("router"), "neigh", "replace", address, "lladdr", mac,
                "dev", "lan0", "nud", "permanent")
        lab.router_mac = lab.mac("router", "lan0")
        yield lab


def port(lab):
    lab.next_port += 1
    return lab.next_port


def plain(raw):
    """Without options and DF: what two ways have in common."""
    if raw[0] >> 4 == 6:
        return raw
    header = (raw[0] & 15) * 4
    head = (bytes([0x45]) + raw[1:2] + struct.pack("!H", 20 + len(raw) - header) + raw[4:6]
            + b"\0\0" + raw[8:20])
    return with_checksum(head) + raw[header:]


# How one packet is sent: each gives the packets that stand for it.
WAYS = {
    "fast": lambda raw: [raw],
    "fragments": lambda raw: pieces(raw, 32),
    "options": lambda raw: [with_options(without_df(raw))],
    "options in fragments": lambda raw: [with_options(p) for p in pieces(raw, 32)],
}


def ways(version):
    return WAYS if version == 4 else {w: WAYS[w] for w in ("fast", "fragments")}


class Talk:
    """One client and the deaf host, by one way; every packet with a text of its own."""

    def __init__(self, lab, version, way):
        self.lab, self.way, self.send = lab, way, WAYS[way]
        self.mine = lab.PHONE if version == 4 else lab.PHONE6
        self.host = DEAF if version == 4 else DEAF6
        self.outside = lab.source[version == 6]
        self.text = b"%d by %s, and long enough to be cut up in three or more" % (
            port(lab), way.encode())
        self.at_lan, self.at_phone = lab.capture("dns"), lab.capture("phone")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.at_lan.sock.close()
        self.at_phone.sock.close()

    def there(self, raw, want=None):
        """From the phone; it comes out as `want`, in one or more packets."""
        for part in self.send(raw):
            self.lab.from_phone(part)
        want = forwarded(want or raw, src=self.outside)
        self._comes(self.at_lan, raw, want, self.outside, self.host)

    def back(self, raw, want=None):
        """From the LAN, to where the client seems to be."""
        for part in self.send(raw):
            inject_frame(self.lab.netns("dns"), "eth0", self.lab.router_mac, part)
        want = forwarded(want or raw, dst=self.mine)
        self._comes(self.at_phone, raw, want, self.host, self.mine)

    def _comes(self, capture, raw, want, src, dst):
        payload = Packet(raw).payload
        whole, fragments = expect_whole(
            capture, lambda p: payload in p.segment, f"{self.way}: {Packet(raw)}")
        check_equal(plain(whole.raw).hex(), plain(want).hex(), f"by way of {self.way}")
        check_equal(whole.wrong_checksums(), [], "checksums")
        check_fragments(fragments, src, dst, 63)

    def refused(self, raw, reason):
        """It does not come out, while what is sent after it does."""
        before = self.lab.drops(reason)
        for part in self.send(raw):
            self.lab.from_phone(part)
        mark = udp(self.mine, self.host, port(self.lab), OPEN_UDP, b"mark %d" % port(self.lab))
        self.lab.from_phone(mark)
        self.at_lan.expect_payload(Packet(mark).payload)
        self.lab.counted(reason, before)
        leaked = [str(p) for p in self.at_lan.seen if p.src == self.mine != self.outside]
        check_equal(leaked, [], f"what left untranslated by way of {self.way}")
        came = [str(p) for p in self.at_lan.seen if p.ports == Packet(raw).ports]
        check_equal(came, [], f"what came of {reason} by way of {self.way}")


def each_way(lab, version, talk):
    for way in ways(version):
        with Talk(lab, version, way) as t:
            talk(t)


def datagrams(t):
    p = port(t.lab)
    for i in range(3):
        text = b"%d %s" % (i, t.text)
        t.there(udp(t.mine, t.host, p, OPEN_UDP, text, tos=0xbb))
        t.back(udp(t.host, t.outside, OPEN_UDP, p, text + b" back"))


@case
def datagrams_are_the_same_by_every_way(lab):
    each_way(lab, 4, datagrams)
    each_way(lab, 6, datagrams)


def echo_reply(src, dst, ident, payload):
    version = 4 if "." in src else 6
    segment = struct.pack("!BBHHH", ECHO_REPLY[version], 0, 0, ident, 1) + payload
    return ip_packet(src, dst, ICMP if version == 4 else ICMP6, segment)


def echoes(t):
    ident = port(t.lab)
    t.there(echo(t.mine, t.host, ident, payload=t.text))
    t.back(echo_reply(t.host, t.outside, ident, t.text + b" back"))


@case
def echoes_are_the_same_by_every_way(lab):
    each_way(lab, 4, echoes)
    each_way(lab, 6, echoes)


def connection(t):
    p, q = port(t.lab), OPEN_TCP
    asked, clamped = MSS[4 if "." in t.mine else 6]
    t.there(tcp(t.mine, t.host, p, q, SYN, payload=t.text, options=asked),
            tcp(t.mine, t.host, p, q, SYN, payload=t.text, options=clamped))
    text = t.text + b" back"
    t.back(tcp(t.host, t.outside, q, p, SYN | ACK, payload=text, options=asked),
           tcp(t.host, t.outside, q, p, SYN | ACK, payload=text, options=clamped))
    t.there(tcp(t.mine, t.host, p, q, ACK, payload=t.text + b" and data"))
    t.back(tcp(t.host, t.outside, q, p, ACK, payload=t.text + b" and more"))


@case
def connections_are_the_same_by_every_way(lab):
    each_way(lab, 4, connection)
    each_way(lab, 6, connection)


def refusals(t):
    t.refused(udp(t.mine, t.host, port(t.lab), CLOSED, t.text), "acl")
    t.refused(tcp(t.mine, t.host, port(t.lab), CLOSED, payload=t.text), "acl")
    t.refused(tcp(t.mine, t.host, port(t.lab), OPEN_TCP, ACK, payload=t.text), "invalid")
    t.refused(echo_reply(t.mine, t.host, port(t.lab), t.text), "icmp_unrelated")


@case
def refusals_are_the_same_by_every_way(lab):
    each_way(lab, 4, refusals)
    each_way(lab, 6, refusals)


def through_resolution(lab, phone, dns, source):
    netns = lab.netns("router")
    for way in ways(4 if "." in phone else 6):
        sent = udp(phone, dns, port(lab), 53, b"who has it, by way of " + way.encode() * 3)
        run("ip", "-n", netns, "neigh", "flush", "to", dns, "dev", "lan0")
        with lab.capture("dns") as capture:
            for part in WAYS[way](sent):
                lab.from_phone(part)
            whole, _ = expect_whole(capture, lambda p: Packet(sent).payload in p.segment, way)
        check_equal(plain(whole.raw).hex(), plain(forwarded(sent, src=source)).hex(), way)


@case
def an_unknown_neighbour_changes_nothing(lab):
    through_resolution(lab, lab.PHONE, lab.DNS, lab.source[0])
    through_resolution(lab, lab.PHONE6, lab.DNS6, lab.source[1])


@case
def what_the_stack_cuts_up_is_the_same(lab):
    payload = b"more than the LAN takes " * 55      # 1320 bytes
    with narrow(lab, "lan0", lab.wanted), Talk(lab, 4, "fast") as t:
        for sport in (port(lab), port(lab)):
            for _ in range(2):
                raw = without_df(udp(t.mine, t.host, sport, OPEN_UDP, payload))
                lab.from_phone(raw)
                whole, fragments = expect_whole(
                    t.at_lan, lambda p, sport=sport: p.ports[0] == sport, "the whole")
                check(len(fragments) > 1, "it came in fragments")
                check_fragments(fragments, t.outside, t.host, 63)
                check_equal(plain(whole.raw).hex(), plain(forwarded(raw, src=t.outside)).hex(),
                            "the whole")


if __name__ == "__main__":
    main(applied, ("masquerade.", "routed."))
