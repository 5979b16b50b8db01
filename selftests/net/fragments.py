# SPDX-License-Identifier: GPL-2.0-only
"""Fragments: cutting packets up, and putting together what a capture saw. And a lab for cases
that must hold with SNAT and without."""

import contextlib
import struct

from lib import Lab, check, run
from packets import Packet, checksum

V6_FRAGMENT = 44
MORE, OFFSET = 0x2000, 0x1fff


@contextlib.contextmanager
def lab_with(prefix, grants):
    """A lab by these prefixes of main(): lab.source is what the phone is to the LAN, lab.wanted
    the policy."""
    snat = {"masquerade.": "masquerade", "routed.": "none"}[prefix]
    with Lab() as lab:
        lab.wanted = lab.policy()
        del lab.wanted["tests"]     # they hold for the example's grants only
        lab.wanted["grants"] += grants
        lab.wanted["routes"] = {p: {"snat": snat} for p in ("10.10.30.0/24", "fd10:30::/64")}
        lab.apply(lab.wanted)
        for short in ("dns", "web"):
            netns = lab.netns(short)
            run("ip", "-n", netns, "route", "add", "100.80.0.0/24", "via", lab.LAN)
            run("ip", "-n", netns, "route", "add", "fd7a:70::/64", "via", lab.LAN6)
        inside, outside = (lab.PHONE, lab.PHONE6), (lab.LAN, lab.LAN6)
        lab.source = outside if snat == "masquerade" else inside
        lab.next_port = 21000       # inside limits.snat_ports and free: the mapping keeps it
        lab.wait_for_tunnel()
        yield lab


def with_checksum(header):
    """An IPv4 header with the checksum of what it is now."""
    blank = header[:10] + b"\0\0" + header[12:]
    return blank[:10] + struct.pack("!H", checksum(blank)) + blank[12:]


def with_options(raw, options=b"\1\1\1\0"):
    """An IPv4 packet with IP options put in."""
    header = bytearray(raw[:20])
    header[0] += len(options) // 4
    struct.pack_into("!H", header, 2, len(raw) + len(options))
    return with_checksum(bytes(header) + options) + raw[20:]


def without_df(raw):
    return with_checksum(raw[:6] + b"\0\0" + raw[8:20]) + raw[20:]


def pieces(raw, size, ident=None):
    """The fragments of a packet, each of `size` bytes (a multiple of 8) behind its header."""
    packet = Packet(raw)
    body = packet.segment
    starts = range(0, len(body), size)
    ident = struct.unpack_from("!H", raw, 4)[0] if ident is None else ident
    out = []
    for start in starts:
        more = start + size < len(body)
        part = body[start:start + size]
        if packet.version == 4:
            header = packet.header[:2] + struct.pack(
                "!HHH", len(packet.header) + len(part), ident & 0xffff,
                start // 8 | (MORE if more else 0)) + packet.header[8:]
            out.append(with_checksum(header) + part)
        else:
            header = (raw[:4] + struct.pack("!HB", 8 + len(part), V6_FRAGMENT) + raw[7:40]
                      + struct.pack("!BBHI", packet.proto, 0, start | more, ident))
            out.append(header + part)
    return out


class Fragment:
    """What says where a captured packet belongs; key is None when it is whole."""

    def __init__(self, packet):
        raw = packet.raw
        self.key, self.more, self.body = None, False, packet.segment
        if packet.version == 4:
            field = struct.unpack_from("!H", raw, 6)[0]
            self.offset, self.more = (field & OFFSET) * 8, bool(field & MORE)
            if self.offset or self.more:
                self.key = (packet.src, packet.dst, raw[4:6], packet.proto)
        elif packet.proto == V6_FRAGMENT:
            self.next, _, field, ident = struct.unpack_from("!BBHI", packet.segment)
            self.offset, self.more = field & 0xfff8, bool(field & 1)
            self.body = packet.segment[8:]
            self.key = (packet.src, packet.dst, ident, None)


class Reassembly:
    """Takes the packets of a capture, gives the whole ones."""

    def __init__(self):
        self.parts = {}

    def take(self, packet):
        """(the whole Packet, its fragments) when this one completes it, else None."""
        fragment = Fragment(packet)
        if fragment.key is None:
            return packet, [packet]
        parts = self.parts.setdefault(fragment.key, [])
        parts.append((fragment, packet))
        parts.sort(key=lambda part: part[0].offset)
        end = 0
        for one, _ in parts:
            if one.offset != end:
                return None
            end += len(one.body)
        if parts[-1][0].more:
            return None
        del self.parts[fragment.key]
        return self._join(parts), [p for _, p in parts]

    @staticmethod
    def _join(parts):
        first, packet = parts[0]
        body = b"".join(one.body for one, _ in parts)
        if packet.version == 4:
            header = (packet.header[:2] + struct.pack("!H", len(packet.header) + len(body))
                      + packet.header[4:6] + b"\0\0" + packet.header[8:])
            return Packet(with_checksum(header) + body)
        return Packet(packet.raw[:4] + struct.pack("!HB", len(body), first.next)
                      + packet.raw[7:40] + body)


def expect_whole(capture, wanted, what):
    """The next packet, put together, for which wanted(packet) holds, and its fragments."""
    reassembly, found = Reassembly(), []

    def complete(packet):
        whole = reassembly.take(packet)
        if whole and wanted(whole[0]):
            found.append(whole)
        return found

    capture.expect(complete, what)
    return found[0]


def check_fragments(fragments, src, dst, ttl):
    """Each has these addresses and this TTL, and a header whose checksum is right."""
    check({(p.src, p.dst) for p in fragments} == {(src, dst)},
          f"addresses of the fragments: {[str(p) for p in fragments]}")
    check({p.ttl for p in fragments} == {ttl}, f"TTLs: {[p.ttl for p in fragments]}")
    wrong = [str(p) for p in fragments if p.version == 4 and checksum(p.header)]
    check(not wrong, f"wrong header checksums: {wrong}")
