# SPDX-License-Identifier: GPL-2.0-only
"""Services and the sockets that use them: a cgroup for this process, so that no other's sockets are
translated, and servers on the LAN that say who they are."""

import contextlib
import json
import os
import socket
import struct
import threading

from lib import SO_RCVBUFFORCE, Lab, bound_socket, check, check_equal, inside, run
from scenes import open_policy

TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM
SO_NETNS_COOKIE = 71


def cgroup_mount():
    with open("/proc/self/mounts", encoding="utf-8") as file:
        for line in file:
            _, directory, kind, *_ = line.split()
            if kind == "cgroup2":
                return directory
    return None


def move_to(directory):
    with open(f"{directory}/cgroup.procs", "w", encoding="ascii") as file:
        file.write(str(os.getpid()))


def our_cgroup():
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        return cgroup_mount() + next(line.split("::", 1)[1].strip() for line in file
                                     if line.startswith("0::"))


@contextlib.contextmanager
def new_cgroup(path):
    """This process in it; sockets that it makes meanwhile belong there."""
    home = our_cgroup()
    os.mkdir(path)
    try:
        move_to(path)
        yield path
    finally:
        move_to(home)
        os.rmdir(path)


def own_cgroup():
    return new_cgroup(f"{cgroup_mount()}/towpath-test-{os.getpid()}")


def programs_of(cgroup):
    text = run("bpftool", "-j", "cgroup", "show", cgroup, ok=False).stdout
    return sorted(p["name"] for p in json.loads(text.strip() or "[]"))


def cgroup_programs(lab):
    return programs_of(lab.cgroup)


class Servers:
    """Answer whatever comes with their own name and the question; each is a thread."""

    def __init__(self, lab):
        self.lab, self.sockets, self.heard, self.ended = lab, [], [], False

    def _echo(self, name, sock):
        while not self.ended:
            with contextlib.suppress(OSError):
                question, client = sock.recvfrom(2048)
                self.heard.append((name, question, client))
                sock.sendto(name.encode() + b" " + question, client)

    def _accept(self, name, sock):
        while not self.ended:
            with contextlib.suppress(OSError):
                connection, client = sock.accept()
                self.heard.append((name, b"", client))
                connection.sendall(name.encode())
                connection.close()

    def start(self, name, host, kind, address, port):
        sock = bound_socket(self.lab, host, kind, address, port)
        sock.settimeout(0.2)
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        serve = self._accept if kind == TCP else self._echo
        thread = threading.Thread(target=serve, args=(name, sock), daemon=True)
        self.sockets.append((sock, thread))
        thread.start()

    def start_on(self, hosts):
        """On both addresses of each, TCP and UDP."""
        for host in hosts:
            for address in (getattr(Lab, host.upper()), getattr(Lab, host.upper() + "6")):
                self.start(host + "-tcp", host, TCP, address, 8880)
                self.start(host + "-udp", host, UDP, address, 9090)

    def stop(self):
        self.ended = True
        for sock, thread in self.sockets:
            thread.join()
            sock.close()
        self.sockets, self.ended = [], False


def socket_in(lab, short, kind, family):
    with inside(lab.netns(short)):
        sock = socket.socket(family, kind)
    sock.settimeout(5)
    return sock


def true_peers(lab, short, sock):
    """The other end as the kernel has it, from /proc/net: no program shows it another way."""
    kind = "tcp" if sock.type == TCP else "udp"
    inode = str(os.fstat(sock.fileno()).st_ino)
    for table in (kind, kind + "6"):
        with inside(lab.netns(short)):
            with open(f"/proc/thread-self/net/{table}", encoding="ascii") as file:
                rows = [line.split() for line in file.readlines()[1:]]
        for row in rows:
            if row[9] == inode:
                address, port = row[2].split(":")
                words = bytes.fromhex(address)
                raw = b"".join(words[i:i + 4][::-1] for i in range(0, len(words), 4))
                family = socket.AF_INET if len(raw) == 4 else socket.AF_INET6
                return socket.inet_ntop(family, raw), int(port, 16)
    return None


def cookie_of(netns):
    with inside(netns):
        with socket.socket() as sock:
            return struct.unpack("=Q", sock.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8))[0]


def make_pod(name):
    """With a way out on which nobody answers: by lo, Linux 6.1 refuses at once."""
    def ip(*words):
        run("ip", "-n", name, *words)
    run("ip", "netns", "add", name)
    ip("link", "set", "lo", "up")
    ip("link", "add", "out", "type", "veth", "peer", "name", "nobody")
    ip("link", "set", "nobody", "up")
    ip("link", "set", "out", "up")
    ip("addr", "add", "192.0.2.1/32", "dev", "out")
    ip("addr", "add", "2001:db8::1/128", "dev", "out", "nodad")
    ip("route", "add", "default", "dev", "out")
    ip("-6", "route", "add", "default", "dev", "out")


class Row:
    """A row of tp_backends, which the daemon would change when a backend dies."""

    def __init__(self, lab, service):
        self.map = f"{lab.pins}/maps/tp_backends"
        rows = json.loads(run("bpftool", "-j", "map", "dump", "pinned", self.map).stdout)
        for row in rows:
            value = bytes(int(byte, 16) for byte in row["value"])
            if value[12:76].split(b"\0")[0].decode() == service:
                self.key = bytes(int(byte, 16) for byte in row["key"])
                self.value = value
                return
        raise KeyError(service)

    def set_healthy(self, mask):
        self.put(struct.pack("=Q", mask) + self.value[8:])

    def put(self, value):
        run("bpftool", "map", "update", "pinned", self.map, "key", "hex",
            *(f"{b:02x}" for b in self.key), "value", "hex", *(f"{b:02x}" for b in value))


VIP, VIP6 = "100.80.0.80", "fd7a:70::80"
SECOND, SECOND6 = "100.80.0.81", "fd7a:70::81"


def services(policy="failover"):
    """Two virtual addresses a family, one backend each way round; TCP 80 leads to 8880 there."""
    ports = [{"port": 80, "protocol": "tcp", "target_port": 8880},
             {"port": 80, "protocol": "udp", "target_port": 9090}]
    both = {"VIP": (VIP, [Lab.WEB, Lab.DNS]), "VIP6": (VIP6, [Lab.WEB6, Lab.DNS6]),
            "SECOND": (SECOND, [Lab.DNS, Lab.WEB]), "SECOND6": (SECOND6, [Lab.DNS6, Lab.WEB6])}
    return {name.lower(): {"vip": vip, "ports": ports, "backends": backends, "policy": policy}
            for name, (vip, backends) in both.items()}


def is_translated(lab, short):
    """Whether connect() in that namespace leads to a backend, by what the kernel has."""
    results = set()
    for family, vip, backend in ((socket.AF_INET, VIP, Lab.WEB), (socket.AF_INET6, VIP6, Lab.WEB6)):
        for kind, port in ((UDP, 9090), (TCP, 8880)):
            with socket_in(lab, short, kind, family) as sock:
                sock.setblocking(False)
                sock.connect_ex((vip, 80))
                peer = true_peers(lab, short, sock)
                check(peer in ((vip, 80), (backend, port)), f"{short}: the other end is {peer}")
                results.add(peer == (backend, port))
    check_equal(len(results), 1, "families and protocols are treated alike")
    return results.pop()


def service_policy(lab, cgroup, policy="failover", **socket_lb):
    value = open_policy(lab)
    value["services"] = services(policy)
    value["socket_lb"] = {"cgroup": cgroup, **socket_lb}
    return value


@contextlib.contextmanager
def standing_behind(lab):
    """The servers on web and dns, and at the end nothing of towpath."""
    lab.servers = Servers(lab)
    lab.servers.start_on(("web", "dns"))
    try:
        yield
    finally:
        lab.servers.stop()
        lab.towpath("down")


@contextlib.contextmanager
def served():
    """A lab with those services applied, and what stands behind them."""
    with own_cgroup() as cgroup, Lab() as lab:
        lab.cgroup = cgroup
        lab.apply(service_policy(lab, cgroup))
        # the way that who is not translated goes
        run("ip", "-n", lab.netns("router"), "route", "add", VIP + "/31", "via", lab.WEB)
        run("ip", "-n", lab.netns("router"), "route", "add", VIP6 + "/127", "via", lab.WEB6)
        with standing_behind(lab):
            yield lab
