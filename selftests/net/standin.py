# SPDX-License-Identifier: GPL-2.0-only
"""Small tc programs of a test's own, loaded without a compiler: one that counts what comes past it,
as somebody else's program behind ours would, one that tells what a device has summed up, and one
that hands packets to another device."""

import contextlib
import ctypes
import os
import platform
import socket
import struct

from lib import inside, run

SYS_BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]
MAP_CREATE, MAP_LOOKUP, PROG_LOAD, OBJ_PIN, LINK_CREATE = 0, 1, 5, 6, 28
MAP_TYPE_ARRAY, PROG_TYPE_SCHED_CLS = 2, 3
TCX = {"ingress": 46, "egress": 47}
HELPER_LOOKUP, HELPER_REDIRECT, HELPER_CSUM_UPDATE = 1, 23, 40
F_INGRESS = 1
TC_ACT_UNSPEC = -1
PROG_TYPE_XDP, XDP_LINK, XDP_PASS = 6, 37, 2
F_BEFORE, XDP_SKB_MODE = 1 << 3, 1 << 1

_libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    buffer = ctypes.create_string_buffer(attributes.ljust(128, b"\0"), 128)
    result = _libc.syscall(SYS_BPF, command, buffer, 128)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"bpf command {command}")
    return result


def _insn(code, dst=0, src=0, off=0, imm=0):
    return struct.pack("=BBhi", code, dst | src << 4, off, imm)


def _load(instructions, kind=PROG_TYPE_SCHED_CLS):
    code, text = ctypes.create_string_buffer(instructions), ctypes.create_string_buffer(b"GPL")
    return bpf(PROG_LOAD, struct.pack("=IIQQ", kind, len(instructions) // 8,
                                       ctypes.addressof(code), ctypes.addressof(text)))


def _load_counter(map_fd, length):
    """One more in the map if the packet has that length, and on to whoever is next."""
    return _load(_insn(0x61, 2, 1)                                  # r2 = skb->len
                 + _insn(0x55, 2, off=9, imm=length)                # another one: go on
                 + _insn(0x62, 10, off=-4)                          # key 0 on the stack
                 + _insn(0x18, 1, 1, imm=map_fd) + _insn(0)         # r1 = the map
                 + _insn(0xbf, 2, 10) + _insn(0x07, 2, imm=-4)      # r2 = the key
                 + _insn(0x85, imm=HELPER_LOOKUP)
                 + _insn(0x15, 0, off=2)                            # not there: go on
                 + _insn(0xb7, 1, imm=1) + _insn(0xdb, 0, 1)        # *r0 += 1, atomically
                 + _insn(0xb7, 0, imm=TC_ACT_UNSPEC) + _insn(0x95))


def _load_sum(map_fd, length):
    """skb->csum into the map if the packet has that length: what bpf_csum_update(skb, 0) says."""
    return _load(_insn(0x61, 2, 1)                                  # r2 = skb->len
                 + _insn(0x55, 2, off=11, imm=length)               # another one: go on
                 + _insn(0xb7, 2) + _insn(0x85, imm=HELPER_CSUM_UPDATE)
                 + _insn(0xbf, 6, 0)                                # r6 = the sum
                 + _insn(0x62, 10, off=-4)                          # key 0 on the stack
                 + _insn(0x18, 1, 1, imm=map_fd) + _insn(0)         # r1 = the map
                 + _insn(0xbf, 2, 10) + _insn(0x07, 2, imm=-4)      # r2 = the key
                 + _insn(0x85, imm=HELPER_LOOKUP)
                 + _insn(0x15, 0, off=1)                            # not there: go on
                 + _insn(0x7b, 0, 6)                                # *r0 = r6
                 + _insn(0xb7, 0, imm=TC_ACT_UNSPEC) + _insn(0x95))


def _load_redirect(ifindex):
    return _load(_insn(0xb7, 1, imm=ifindex) + _insn(0xb7, 2, imm=F_INGRESS)
                 + _insn(0x85, imm=HELPER_REDIRECT) + _insn(0x95))


@contextlib.contextmanager
def _attached(netns, device, way, program, tcx):
    """tcx: behind what is there. Else as a filter of clsact, with the lowest priority."""
    if tcx:
        with inside(netns):
            ifindex = socket.if_nametoindex(device)
            link = bpf(LINK_CREATE, struct.pack("=IIII", program, ifindex, TCX[way], 0))
        try:
            yield
        finally:
            os.close(link)
        return
    pin = f"/sys/fs/bpf/{netns}-{device}-{way}"
    path = ctypes.create_string_buffer(pin.encode())
    bpf(OBJ_PIN, struct.pack("=QI", ctypes.addressof(path), program))
    tc = ("nsenter", f"--net=/run/netns/{netns}", "--", "tc")
    try:
        run(*tc, "qdisc", "add", "dev", device, "clsact", ok=False)     # it may be there
        run(*tc, "filter", "add", "dev", device, way, "pref", 60000, "protocol", "all",
            "bpf", "da", "object-pinned", pin)
        try:
            yield
        finally:
            run(*tc, "filter", "del", "dev", device, way, "pref", 60000)
    finally:
        os.unlink(pin)


class Counter:
    def __init__(self, map_fd):
        self.map_fd = map_fd

    def value(self):
        key, value = ctypes.c_uint32(0), ctypes.c_int64(0)
        bpf(MAP_LOOKUP, struct.pack("=IIQQ", self.map_fd, 0, ctypes.addressof(key),
                                     ctypes.addressof(value)))
        return value.value


@contextlib.contextmanager
def _with_a_map(netns, device, way, load, tcx):
    map_fd = bpf(MAP_CREATE, struct.pack("=IIII", MAP_TYPE_ARRAY, 4, 8, 1))
    program = load(map_fd)
    try:
        with _attached(netns, device, way, program, tcx):
            yield Counter(map_fd)
    finally:
        os.close(program)
        os.close(map_fd)


def counting(netns, device, way, length, tcx):
    """Gives a Counter of the packets of that length (with their link header, if the device has
    one) that come past everybody in front of it. The length tells a test's own from the rest."""
    return _with_a_map(netns, device, way, lambda fd: _load_counter(fd, length), tcx)


def summing(netns, device, length):
    """The same for what comes in, but its value() is what a device has summed up of the last such
    packet (CHECKSUM_COMPLETE), link header aside: 32 bits to be folded, or negative: nothing."""
    return _with_a_map(netns, device, "ingress", lambda fd: _load_sum(fd, length), False)


@contextlib.contextmanager
def handing_over(netns, device, to):
    """What comes in by `device` comes in by `to`: an Ethernet header is taken off on the way."""
    with inside(netns):
        program = _load_redirect(socket.if_nametoindex(to))
    try:
        with _attached(netns, device, "ingress", program, False):
            yield
    finally:
        os.close(program)


@contextlib.contextmanager
def going_first(netns, device, hook):
    """A program that passes everything on, before all that is there: "ingress" or "egress" by tcx,
    or "xdp", where there must be none."""
    xdp = hook == "xdp"
    verdict = XDP_PASS if xdp else TC_ACT_UNSPEC
    program = _load(_insn(0xb7, 0, imm=verdict) + _insn(0x95),
                    PROG_TYPE_XDP if xdp else PROG_TYPE_SCHED_CLS)
    try:
        with inside(netns):
            ifindex = socket.if_nametoindex(device)
            link = bpf(LINK_CREATE, struct.pack(
                "=IIII", program, ifindex, XDP_LINK if xdp else TCX[hook],
                XDP_SKB_MODE if xdp else F_BEFORE))
        try:
            yield
        finally:
            os.close(link)
    finally:
        os.close(program)
