# SPDX-License-Identifier: GPL-2.0-only
"""Another tool's load balancer in tc (selftests/tc/lb_standin.bpf.c), attached to devices of a
namespace in each of the ways that such tools have, before and behind whoever is there."""

import contextlib
import ctypes
import json
import os
import shutil
import socket
import struct

from lib import TOP, build, inside, run
from standin import LINK_CREATE, TCX, bpf

OBJECT = os.path.join(TOP, "build", "bpf", "lb_standin.bpf.o")
OBJ_GET, F_BEFORE, F_AFTER = 7, 1 << 3, 1 << 4
TC_ACT_UNSPEC, TC_ACT_OK = -1, 0
PROTOCOLS = {"udp": socket.IPPROTO_UDP, "tcp": socket.IPPROTO_TCP}
COUNTS = ("to_backend", "masqueraded", "from_masquerade", "to_client")
FIRST, LAST = 1, 60000      # priorities of clsact; Cilium takes the first


def _addr(text):
    return socket.inet_pton(socket.AF_INET6, text if ":" in text else "::ffff:" + text)


def _place(address, port, protocol):
    return _addr(address) + struct.pack(">HBx", port, PROTOCOLS[protocol])


def _hex(raw):
    return ("hex", *(f"{byte:02x}" for byte in raw))


class LoadBalancer:
    """Loaded from __enter__ to __exit__, with its tables; attached when told."""

    def __init__(self, lab, short="router"):
        self.netns, self.pins = lab.netns(short), f"/sys/fs/bpf/{lab.name}lb"
        self.links = []

    def __enter__(self):
        build("build/bpf/lb_standin.bpf.o")
        os.mkdir(self.pins)
        run("bpftool", "prog", "loadall", OBJECT, f"{self.pins}/progs", "pinmaps",
            f"{self.pins}/maps")
        self.then(TC_ACT_UNSPEC)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.pins)    # bpffs removes what is in there as files are

    def _update(self, table, key, value):
        run("bpftool", "map", "update", "pinned", f"{self.pins}/maps/{table}", "key", *_hex(key),
            "value", *_hex(value))

    def then(self, verdict):
        """What becomes of a packet that it has translated."""
        self._update("lb_settings", bytes(4), struct.pack("=i", verdict))

    def serve(self, vip, port, backend, target, masquerade=None):
        for protocol in PROTOCOLS:
            self._update("lb_services", _place(vip, port, protocol),
                         _place(backend, target, protocol)
                         + (_addr(masquerade) if masquerade else bytes(16)))

    def counts(self):
        done = run("bpftool", "-j", "map", "dump", "pinned", f"{self.pins}/maps/lb_counts")
        return dict(zip(COUNTS, (row["formatted"]["value"] for row in json.loads(done.stdout))))

    @contextlib.contextmanager
    def attached(self, device, way, program, tcx, first):
        pin = f"{self.pins}/progs/{program}"
        with (self._tcx if tcx else self._clsact)(device, way, pin, first):
            yield

    @contextlib.contextmanager
    def _tcx(self, device, way, pin, first):
        path = ctypes.create_string_buffer(pin.encode())
        fd = bpf(OBJ_GET, struct.pack("=QI", ctypes.addressof(path), 0))
        try:
            with inside(self.netns):
                link = bpf(LINK_CREATE, struct.pack(
                    "=IIII", fd, socket.if_nametoindex(device), TCX[way],
                    F_BEFORE if first else F_AFTER))
        finally:
            os.close(fd)
        try:
            yield
        finally:
            os.close(link)

    @contextlib.contextmanager
    def _clsact(self, device, way, pin, first):
        tc = ("nsenter", f"--net=/run/netns/{self.netns}", "--", "tc")
        priority = ("pref", FIRST if first else LAST)
        run(*tc, "qdisc", "add", "dev", device, "clsact", ok=False)     # it may be there
        run(*tc, "filter", "add", "dev", device, way, *priority, "protocol", "all", "bpf", "da",
            "object-pinned", pin)
        try:
            yield
        finally:
            run(*tc, "filter", "del", "dev", device, way, *priority)

