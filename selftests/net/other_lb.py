# SPDX-License-Identifier: GPL-2.0-only
"""Another tool's socket load balancer (selftests/sock/sock_standin.bpf.c) in a cgroup, attached in
each of the ways that such tools have."""

import contextlib
import ctypes
import json
import os
import socket
import struct

from lib import TOP, build, fault_shim, run
from standin import LINK_CREATE, bpf

OBJECT = os.path.join(TOP, "build", "bpf", "sock_standin.bpf.o")
OBJ_GET, PROG_ATTACH, PROG_DETACH, LINK_UPDATE = 7, 8, 9, 29
ALLOW_MULTI, REPLACE = 1 << 1, 1 << 2
# which the kernel may not have
PREORDER = 1 << 6
PLACES = {"": 0, "before": 1 << 3, "after": 1 << 4, "preorder": PREORDER,
          "preorder before": PREORDER | 1 << 3}
HOOKS = {"connect4": 10, "connect6": 11, "sendmsg4": 14, "sendmsg6": 15,
         "recvmsg4": 19, "recvmsg6": 20}
WAYS = ("link", "multi")


@contextlib.contextmanager
def older_kernel():
    """One without BPF_F_PREORDER, as those before 6.15, for whatever this process starts."""
    os.environ.update(LD_PRELOAD=fault_shim(), FAULT_NO_FLAG=str(PREORDER))
    try:
        yield
    finally:
        del os.environ["LD_PRELOAD"], os.environ["FAULT_NO_FLAG"]


def _place(address, port):
    raw = socket.inet_pton(socket.AF_INET6, address if ":" in address else "::ffff:" + address)
    return raw + struct.pack(">H", port) + bytes(2)     # the port as the context has it


def _hex(raw):
    return ("hex", *(f"{byte:02x}" for byte in raw))


class OtherLb:
    """Loaded from __enter__ to __exit__, with its table; attached when told."""

    def __init__(self, name, cgroup):
        self.pins, self.cgroup = f"/sys/fs/bpf/{name}other", cgroup
        self.attached, self.way = {}, None

    def __enter__(self):
        build("build/bpf/sock_standin.bpf.o")
        self.cgroup_fd = os.open(self.cgroup, os.O_RDONLY | os.O_DIRECTORY)
        os.mkdir(self.pins)
        for copy in ("old", "new"):     # two loads: a program and what takes its place
            run("bpftool", "prog", "loadall", OBJECT, f"{self.pins}/{copy}",
                *(("pinmaps", f"{self.pins}/maps") if copy == "old" else
                  [word for name in ("services", "reverse", "counts")
                   for word in ("map", "name", name, "pinned", f"{self.pins}/maps/{name}")]))
        return self

    def __exit__(self, *_):
        self.detach()
        os.close(self.cgroup_fd)
        for directory, _, files in os.walk(self.pins, topdown=False):
            for name in files:
                os.unlink(f"{directory}/{name}")
            os.rmdir(directory)

    def _program(self, hook, copy="old"):
        path = ctypes.create_string_buffer(f"{self.pins}/{copy}/other_{hook}".encode())
        return bpf(OBJ_GET, struct.pack("=QI", ctypes.addressof(path), 0))

    def serve(self, address, port, backend, backend_port):
        """backend None: the service has none."""
        to = _place(backend, backend_port) if backend else bytes(20)
        table = f"{self.pins}/maps/"
        run("bpftool", "map", "update", "pinned", table + "services",
            "key", *_hex(_place(address, port)), "value", *_hex(to))
        if backend:
            run("bpftool", "map", "update", "pinned", table + "reverse",
                "key", *_hex(to), "value", *_hex(_place(address, port)))

    def counts(self):
        """(rewritten, refused, shown as another)"""
        rows = json.loads(run("bpftool", "-j", "map", "dump", "pinned",
                              f"{self.pins}/maps/counts").stdout)
        return tuple(row["formatted"]["value"] for row in rows)

    def attach(self, way, flags=0):
        self.way = way
        for hook, number in HOOKS.items():
            program = self._program(hook)
            if way == "link":
                self.attached[hook] = bpf(LINK_CREATE, struct.pack(
                    "=IIII", program, self.cgroup_fd, number, flags))
            else:
                bpf(PROG_ATTACH, struct.pack("=IIII", self.cgroup_fd, program, number,
                                             flags | (ALLOW_MULTI if way == "multi" else 0)))
                self.attached[hook] = program
                continue
            os.close(program)

    def update(self):
        """The same programs, loaded once more, in place of those that are attached."""
        for hook, number in HOOKS.items():
            new = self._program(hook, "new")
            if self.way == "link":
                bpf(LINK_UPDATE, struct.pack("=IIII", self.attached[hook], new, 0, 0))
                os.close(new)
            else:
                bpf(PROG_ATTACH, struct.pack("=IIIII", self.cgroup_fd, new, number,
                                             ALLOW_MULTI | REPLACE, self.attached[hook]))
                os.close(self.attached[hook])
                self.attached[hook] = new

    def detach(self):
        for hook, fd in self.attached.items():
            if self.way != "link":
                with contextlib.suppress(OSError):
                    bpf(PROG_DETACH, struct.pack("=III", self.cgroup_fd, fd, HOOKS[hook]))
            os.close(fd)
        self.attached = {}
