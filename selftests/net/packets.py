# SPDX-License-Identifier: GPL-2.0-only
"""Packets as bytes: building, taking apart, and what a router should have made of one.

Nothing here trusts an offload: every checksum is computed from the bytes, and so is the part of
it that is there when the rest is left to a device."""

import ipaddress
import struct

ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58
SYN, RST, ACK = 0x02, 0x04, 0x10
ECHO_REQUEST = {4: 8, 6: 128}
SHOWN_BYTES = 1500      # of a packet, in a message; some are 64 KiB
CHECKSUM_AT = {TCP: 16, UDP: 6, ICMP: 2, ICMP6: 2}


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def packed(address):
    return ipaddress.ip_address(address).packed


def pseudo_header(src, dst, proto, length):
    if len(src) == 4:
        return src + dst + struct.pack("!BBH", 0, proto, length)
    return src + dst + struct.pack("!IHBB", length, 0, 0, proto)


def l4_checksum(src, dst, proto, segment):
    """The right value of the checksum field, whatever is in it now."""
    at = CHECKSUM_AT[proto]
    blank = segment[:at] + b"\0\0" + segment[at + 2:]
    covered = blank if proto == ICMP else pseudo_header(src, dst, proto, len(segment)) + blank
    value = checksum(covered)
    return 0xffff if proto == UDP and value == 0 else value


def l4_checksum_begun(src, dst, proto, segment):
    """What the field holds when a device is to finish it: the sum of the pseudo header."""
    return ~checksum(pseudo_header(src, dst, proto, len(segment))) & 0xffff


def ip_packet(src, dst, proto, segment, ttl=64, tos=0, ident=0x1234):
    """IPv4 with DF set or IPv6; the checksums of both layers are filled in."""
    src, dst = packed(src), packed(dst)
    at = CHECKSUM_AT[proto]
    value = l4_checksum(src, dst, proto, segment)
    segment = segment[:at] + struct.pack("!H", value) + segment[at + 2:]
    if len(src) == 16:
        head = struct.pack("!IHBB", 6 << 28 | tos << 20, len(segment), proto, ttl)
        return head + src + dst + segment
    head = struct.pack("!BBHHHBBH", 0x45, tos, 20 + len(segment), ident, 0x4000, ttl, proto, 0)
    head += src + dst
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + segment


def udp(src, dst, sport, dport, payload=b"towpath", **ip):
    segment = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload
    return ip_packet(src, dst, UDP, segment, **ip)


def tcp(src, dst, sport, dport, flags=SYN, seq=1000, ack=0, payload=b"", options=b"", **ip):
    offset = (20 + len(options)) // 4 << 4
    segment = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, offset, flags, 64240, 0, 0)
    return ip_packet(src, dst, TCP, segment + options + payload, **ip)


def echo(src, dst, ident, seq=1, payload=b"0123456789abcdef", **ip):
    version = ipaddress.ip_address(src).version
    segment = struct.pack("!BBHHH", ECHO_REQUEST[version], 0, 0, ident, seq) + payload
    return ip_packet(src, dst, ICMP if version == 4 else ICMP6, segment, **ip)


class Packet:
    """An IP packet taken apart. `ports` are (source, destination); of an echo, (id, None).
    `unfinished`: the transport checksum is left to a device, as the kernel says."""

    def __init__(self, raw, unfinished=False):
        self.unfinished = unfinished
        self.version = raw[0] >> 4
        if self.version == 4:
            header, total = (raw[0] & 15) * 4, struct.unpack_from("!H", raw, 2)[0]
            self.tos, self.ttl, self.proto = raw[1], raw[8], raw[9]
            src, dst = raw[12:16], raw[16:20]
        elif self.version == 6:
            header, total = 40, 40 + struct.unpack_from("!H", raw, 4)[0]
            self.tos = struct.unpack_from("!I", raw)[0] >> 20 & 0xff
            self.proto, self.ttl = raw[6], raw[7]
            src, dst = raw[8:24], raw[24:40]
        else:
            raise ValueError(f"IP version {self.version}")
        if len(raw) < total or header < 20:
            raise ValueError(f"{len(raw)} bytes of a packet of {total}")
        self.raw, self.header = raw[:total], raw[:header]
        self.segment = raw[header:total]
        self.src, self.dst = (str(ipaddress.ip_address(a)) for a in (src, dst))
        self.ports = self._ports()

    def _ports(self):
        if len(self.segment) < 6:   # the end of a fragmented one
            return None, None
        if self.proto in (TCP, UDP):
            return struct.unpack_from("!HH", self.segment)
        if self.proto in (ICMP, ICMP6):
            return struct.unpack_from("!H", self.segment, 4)[0], None
        return None, None

    @property
    def payload(self):
        if self.proto == TCP:
            return self.segment[(self.segment[12] >> 4) * 4:]
        return self.segment[8:]

    def wrong_checksums(self):
        """The names of the checksums that do not fit the bytes."""
        wrong = []
        if self.version == 4 and checksum(self.header):
            wrong.append("IPv4 header")
        at = CHECKSUM_AT.get(self.proto)
        if at is not None:
            found = struct.unpack_from("!H", self.segment, at)[0]
            sum_up = l4_checksum_begun if self.unfinished else l4_checksum
            right = sum_up(packed(self.src), packed(self.dst), self.proto, self.segment)
            unused = self.proto == UDP and self.version == 4 and found == 0
            # both are zero in one's complement, and an update (RFC 1624) may give either;
            # in UDP 0 means that there is none
            same = found == right or (self.proto != UDP and {found, right} == {0, 0xffff})
            if not same and not unused:
                wrong.append(f"protocol {self.proto}: {found:#06x}, not {right:#06x}")
        return wrong

    def __str__(self):
        text = self.raw.hex()
        if len(self.raw) > SHOWN_BYTES:
            text = f"{self.raw[:SHOWN_BYTES].hex()}... ({len(self.raw)} bytes)"
        return (f"{self.src} > {self.dst} proto {self.proto} ports {self.ports} ttl {self.ttl} "
                f"{text}")


def forwarded(raw, src=None, dst=None, sport=None, dport=None):
    """What a router makes of `raw`: one TTL less, the named fields rewritten, every checksum
    right, and not another bit changed."""
    old = Packet(raw)
    src, dst = packed(src or old.src), packed(dst or old.dst)
    segment = bytearray(old.segment)
    if sport is not None:
        struct.pack_into("!H", segment, 0 if old.proto in (TCP, UDP) else 4, sport)
    if dport is not None:
        struct.pack_into("!H", segment, 2, dport)
    value = l4_checksum(src, dst, old.proto, bytes(segment))
    struct.pack_into("!H", segment, CHECKSUM_AT[old.proto], value)

    header = bytearray(old.header)
    if old.version == 6:
        header[7] -= 1
        header[8:40] = src + dst
    else:
        header[8] -= 1
        header[12:20] = src + dst
        header[10:12] = b"\0\0"
        struct.pack_into("!H", header, 10, checksum(bytes(header)))
    return bytes(header + segment)
