# SPDX-License-Identifier: GPL-2.0-only
"""What is said to a WireGuard device while something goes on: one entry a message that sets
something, with the keys of the peers in it. The kernel's are seen by an nlmon device, those to
wireguard-go by strace."""

import base64
import contextlib
import re
import shutil
import socket
import struct
import subprocess
import tempfile

from lib import Skip, check, inside, run, wait_until

NETLINK_GENERIC = 16
ETH_P_ALL = 3
NLM_F_REQUEST = 1
WG_CMD_SET_DEVICE = 1
WGDEVICE_A_IFNAME, WGDEVICE_A_FLAGS, WGDEVICE_A_PEERS = 2, 5, 8
WGPEER_A_PUBLIC_KEY = 1
NLA_TYPE_MASK = 0x3fff


def _attributes(data):
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            return
        yield kind & NLA_TYPE_MASK, data[at + 4:at + length]
        at += (length + 3) & ~3


def _read_message(data, device):
    """The keys of a WG_CMD_SET_DEVICE for that device, else None."""
    if len(data) < 20:
        return None
    length, _, flags, _, _, command = struct.unpack_from("=IHHIIB", data)
    if not flags & NLM_F_REQUEST or command != WG_CMD_SET_DEVICE:
        return None
    attributes = dict(_attributes(data[20:length]))
    if attributes.get(WGDEVICE_A_IFNAME) != device.encode() + b"\0":
        return None
    check(WGDEVICE_A_FLAGS not in attributes, "the peer set is never replaced")
    return [base64.b64encode(dict(_attributes(peer))[WGPEER_A_PUBLIC_KEY]).decode()
            for _, peer in _attributes(attributes.get(WGDEVICE_A_PEERS, b""))]


class KernelSets:
    """An nlmon device shows generic netlink messages of its own namespace."""

    def __init__(self, lab):
        self.lab, self.found = lab, []

    def __enter__(self):
        netns = self.lab.netns("router")
        done = run("ip", "-n", netns, "link", "add", "nlmon0", "type", "nlmon", ok=False)
        if done.returncode:
            raise Skip(f"no nlmon here: {done.stderr.strip()}")
        run("ip", "-n", netns, "link", "set", "nlmon0", "up")
        with inside(netns):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self.sock.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)     # SO_RCVBUFFORCE
            self.sock.bind(("nlmon0", ETH_P_ALL))
        self.sock.setblocking(False)
        return self.found

    def __exit__(self, *_):
        with contextlib.suppress(BlockingIOError):
            while True:
                data, (_, protocol, *_) = self.sock.recvfrom(1 << 17)
                keys = (_read_message(data, self.lab.tunnel)
                        if protocol == NETLINK_GENERIC else None)
                if keys is not None:
                    self.found.append(keys)
        self.sock.close()
        run("ip", "-n", self.lab.netns("router"), "link", "del", "nlmon0")


class UapiSets:
    """wireguard-go reads its requests from a socket; strace shows what it reads."""

    def __init__(self, lab):
        self.lab, self.found = lab, []

    def __enter__(self):
        if not shutil.which("strace"):
            raise Skip("no strace here")
        pids = run("ip", "netns", "pids", self.lab.netns("router")).stdout.split()
        pid = next(p for p in pids if self._is_tunnel(p))
        self.log = tempfile.NamedTemporaryFile("r", encoding="ascii", errors="replace")
        self.strace = subprocess.Popen(
            ["strace", "-f", "-qq", "-e", "trace=read", "-s", "100000", "-o", self.log.name,
             "-p", pid], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: self._is_traced(pid), "strace to attach")
        return self.found

    def __exit__(self, *_):
        self.strace.terminate()
        self.strace.wait()
        for request in re.findall(r'read\(\d+, "(set=1\\n[^"]*)"', self.log.read()):
            check("replace_peers" not in request, "the peer set is never replaced")
            self.found.append([base64.b64encode(bytes.fromhex(key)).decode()
                               for key in re.findall(r"public_key=([0-9a-f]{64})", request)])
        self.log.close()

    def _is_tunnel(self, pid):
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().split(b"\0")[-2:-1] == [self.lab.tunnel.encode()]

    @staticmethod
    def _is_traced(pid):
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            return "TracerPid:\t0\n" not in file.read()


def watched(lab, gently=False):
    """with watched(lab) as sets: ...   afterwards sets is the list. Each read of a traced
    wireguard-go waits for strace, packets' too: gently, sets is None there."""
    backend = lab.json("status")["tunnel"]["backend"]
    if backend == "kernel":
        return KernelSets(lab)
    return contextlib.nullcontext() if gently else UapiSets(lab)
