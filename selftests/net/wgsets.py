# SPDX-License-Identifier: GPL-2.0-only
"""What is said to a WireGuard device while something goes on: one entry a message that sets
something, with the keys of the peers in it. The kernel's are seen by an nlmon device, those to
wireguard-go by strace."""

import base64
import contextlib
import glob
import re
import shutil
import socket
import struct
import subprocess
import tempfile

from lib import (SO_RCVBUFFORCE, SOL_PACKET, Failed, Skip, check, check_equal, inside, run,
                 wait_until)

NETLINK_GENERIC = 16
ETH_P_ALL = 3
NLM_F_REQUEST = 1
GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 16, 3, 1, 2
PACKET_STATISTICS = 6
WG_CMD_SET_DEVICE = 1
WGDEVICE_A_IFNAME, WGDEVICE_A_FLAGS, WGDEVICE_A_PEERS = 2, 5, 8
WGPEER_A_PUBLIC_KEY, WGPEER_A_FLAGS = 1, 3
WGPEER_F_REPLACE_ALLOWEDIPS, WGPEER_F_UPDATE_ONLY = 1 << 1, 1 << 2
# what a peer is to lose to nobody is given to a peer of this key, which the same message removes
DRAIN = base64.b64encode(b"towpath drains allowed IPs by it").decode()
NLA_TYPE_MASK = 0x3fff
# in one line, or at its end, if another thread did something meanwhile
READ_SET = re.compile(r'read(?:\(\d+, | resumed>\s*)"(set=1\\n[^"]*)"')


def _attributes(data):
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            return
        yield kind & NLA_TYPE_MASK, data[at + 4:at + length]
        at += (length + 3) & ~3


def _messages(data):
    """Type, flags and the rest of each; what is sent at once is one packet of nlmon."""
    while len(data) >= 16:
        length, kind, flags = struct.unpack_from("=IHH", data)
        if not 16 <= length <= len(data):
            return
        yield kind, flags, data[16:length]
        data = data[(length + 3) & ~3:]


def _family(name):
    """The number the kernel has given to a family of generic netlink."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC) as sock:
        text = name.encode() + b"\0"
        attribute = struct.pack("=HH", 4 + len(text), CTRL_ATTR_FAMILY_NAME)
        attribute += text + bytes(-len(text) % 4)
        request = struct.pack("=IHHIIBBH", 20 + len(attribute), GENL_ID_CTRL, NLM_F_REQUEST, 1, 0,
                              CTRL_CMD_GETFAMILY, 1, 0)
        sock.sendto(request + attribute, (0, 0))
        for kind, _, body in _messages(sock.recv(1 << 16)):
            if kind == GENL_ID_CTRL:
                return struct.unpack("=H", dict(_attributes(body[4:]))[CTRL_ATTR_FAMILY_ID])[0]
    raise Failed(f"the kernel has no family {name}")


def _peers_set(body, device):
    """The keys in a WG_CMD_SET_DEVICE for that device, else None."""
    if len(body) < 4 or body[0] != WG_CMD_SET_DEVICE:
        return None
    attributes = dict(_attributes(body[4:]))
    if attributes.get(WGDEVICE_A_IFNAME) != device.encode() + b"\0":
        return None
    check(WGDEVICE_A_FLAGS not in attributes, "the peer set is never replaced")
    peers = [dict(_attributes(peer))
             for _, peer in _attributes(attributes.get(WGDEVICE_A_PEERS, b""))]
    known = WGPEER_F_REPLACE_ALLOWEDIPS | WGPEER_F_UPDATE_ONLY
    for peer in peers:
        flags = struct.unpack("=I", peer.get(WGPEER_A_FLAGS, bytes(4)))[0]
        check(flags & known != known, "allowed IPs of a peer that is there are never replaced")
    return [base64.b64encode(peer[WGPEER_A_PUBLIC_KEY]).decode() for peer in peers]


class KernelSets:
    """An nlmon device shows generic netlink messages of its own namespace."""

    def __init__(self, lab):
        self.lab, self.found, self.family = lab, [], _family("wireguard")

    def __enter__(self):
        netns = self.lab.netns("router")
        done = run("ip", "-n", netns, "link", "add", "nlmon0", "type", "nlmon", ok=False)
        if done.returncode:
            raise Skip(f"no nlmon here: {done.stderr.strip()}")
        run("ip", "-n", netns, "link", "set", "nlmon0", "up")
        with inside(netns):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
            self.sock.bind(("nlmon0", ETH_P_ALL))
        self.sock.setblocking(False)
        return self.found

    def __exit__(self, *_):
        with contextlib.suppress(BlockingIOError):
            while True:
                data, (_, protocol, *_) = self.sock.recvfrom(1 << 17)
                if protocol == NETLINK_GENERIC:
                    self.found += self._sets(data)
        dropped = struct.unpack("=II", self.sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
        check_equal(dropped, 0, "messages that the capture missed")
        self.sock.close()
        run("ip", "-n", self.lab.netns("router"), "link", "del", "nlmon0")


    def _sets(self, data):
        sets = (_peers_set(body, self.lab.tunnel) for kind, flags, body in _messages(data)
                if kind == self.family and flags & NLM_F_REQUEST)
        return [keys for keys in sets if keys is not None]


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
        for request in READ_SET.findall(self.log.read()):
            check("replace_peers" not in request, "the peer set is never replaced")
            for peer in request.split("public_key=")[1:]:
                check("update_only" not in peer or "replace_allowed_ips" not in peer,
                      "allowed IPs of a peer that is there are never replaced")
            self.found.append([base64.b64encode(bytes.fromhex(key)).decode()
                               for key in re.findall(r"public_key=([0-9a-f]{64})", request)])
        self.log.close()

    def _is_tunnel(self, pid):
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().split(b"\0")[-2:-1] == [self.lab.tunnel.encode()]

    @staticmethod
    def _is_traced(pid):
        """All its threads: any of them may be the one that reads."""
        statuses = glob.glob(f"/proc/{pid}/task/*/status")
        for status in statuses:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):    # it has ended
                with open(status, encoding="ascii") as file:
                    if "TracerPid:\t0\n" in file.read():
                        return False
        return bool(statuses)


def watched(lab, gently=False):
    """with watched(lab) as sets: ...   afterwards sets is the list. Each read of a traced
    wireguard-go waits for strace, packets' too: gently, sets is None there."""
    backend = lab.json("status")["tunnel"]["backend"]
    if backend == "kernel":
        return KernelSets(lab)
    return contextlib.nullcontext() if gently else UapiSets(lab)
