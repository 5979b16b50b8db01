# SPDX-License-Identifier: GPL-2.0-only
"""Cases on a lab of their own (scripts/lab). A test program is

    @case
    def refuses_what_no_grant_names(lab): ...

    if __name__ == "__main__":
        main(applied_lab)

where the fixture is a context manager that gives what the cases are handed. A case that checks
nothing fails; Skip ends one with its reason."""

import contextlib
import ctypes
import fcntl
import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import time
import traceback

from packets import Packet

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOWPATH = os.environ.get("TOWPATH", os.path.join(TOP, "build", "towpath"))
SHIM = os.path.join(TOP, "build", "fault.so")        # selftests/fault
SLOWNESS = int(os.environ.get("SLOWNESS", "1"))      # of an emulated machine: 1 is a real one
DEADLINE_S = 10 * SLOWNESS
BUILD_S = 900       # all of towpath, on a machine with much to do
CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
PACKET_OUTGOING = 4
SO_RCVBUFFORCE = 33
SOL_PACKET, PACKET_AUXDATA, AUXDATA_BYTES = 263, 8, 20
TP_STATUS_CSUMNOTREADY = 1 << 3
CAPTURE_BYTES = 64 << 20    # a capture is read when its case is done sending

_cases = []
_checks = 0


class Skip(Exception):
    """The case cannot be tried here; the text says why."""


class Failed(Exception):
    """A check did not hold."""


def case(function):
    # those of a test that another one imports, for what it builds, are not run again
    if function.__module__ == "__main__":
        _cases.append(function)
    return function


def check(condition, text):
    global _checks
    _checks += 1
    if not condition:
        raise Failed(text)


def check_equal(got, want, what):
    check(got == want, f"{what}:\n   got {got}\n  want {want}")


def wait_until(condition, what, seconds=DEADLINE_S):
    """Polls, with a deadline; gives what the condition gave."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise Failed(f"gave up after {seconds} s waiting for {what}")
        time.sleep(0.02)


# ---- namespaces -------------------------------------------------------------------------

_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def inside(netns):
    """This thread in the namespace of that name, or path. Sockets made inside stay there."""
    def enter(fd):
        if _libc.setns(fd, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {netns}")

    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(os.path.join("/run/netns", netns), os.O_RDONLY)
    try:
        enter(there)
        try:
            yield
        finally:
            enter(home)
    finally:
        os.close(there)
        os.close(home)


def listens(netns, path):
    """Whether a socket of that path listens in the namespace, without a connection to it: `wg`
    deletes a socket that refuses it, as it does between bind() and listen() too."""
    with inside(netns), open("/proc/thread-self/net/unix", encoding="utf-8") as file:
        rows = [line.split() for line in file]
    return any(row[3] == "00010000" and row[-1] == path for row in rows)


def run(*command, ok=True, timeout=120 * SLOWNESS, **options):
    """Runs it; with ok=True an exit status other than 0 fails the case, with the output."""
    done = subprocess.run([str(c) for c in command], text=True, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=timeout, check=False, **options)
    if ok and done.returncode:
        raise Failed(f"{' '.join(map(str, command))}: exit status {done.returncode}\n"
                     f"{done.stdout}{done.stderr}")
    return done


def build(*targets):
    """By make, one program at a time: those that run side by side would read what the other one
    is just writing. A guest has what is wanted, and neither make nor a compiler."""
    if not os.path.exists(f"{TOP}/Makefile"):
        return
    os.makedirs(f"{TOP}/build", exist_ok=True)
    with open(f"{TOP}/build/net.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run("make", "-C", TOP, *targets, timeout=BUILD_S)


def fault_shim():
    """What LD_PRELOAD takes to have calls fail, built."""
    build("build/fault.so")
    return SHIM


class Capture:
    """What passes a device, as IP packets, from the moment this is made. A checksum may be
    unfinished on the sending side of a veth, so look at the receiving one; and on a tunnel, where
    a wireguard-go of 2023 or later hands several TCP segments over as one."""

    def __init__(self, netns, device):
        with inside(netns):     # with a protocol it would hear all devices until it is bound
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, CAPTURE_BYTES)
            self.sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
            self.sock.bind((device, ETH_P_ALL))
        self.ethernet = self.sock.getsockname()[3] == 1     # ARPHRD_ETHER
        self.seen = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def _read(self, seconds):
        ready, _, _ = select.select([self.sock], [], [], max(seconds, 0))
        if not ready:
            return None
        raw, auxdata, _, (_, protocol, kind, *_) = self.sock.recvmsg(
            65536 + 14, socket.CMSG_SPACE(AUXDATA_BYTES))
        if kind == PACKET_OUTGOING or protocol not in (0x0800, 0x86dd):
            return None
        status = struct.unpack_from("=I", auxdata[0][2])[0]
        return Packet(raw[14:] if self.ethernet else raw, bool(status & TP_STATUS_CSUMNOTREADY))

    def expect(self, wanted, what, seconds=DEADLINE_S):
        """The next packet for which wanted(packet) holds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            packet = self._read(end - time.monotonic())
            if packet is None:
                continue
            self.seen.append(packet)
            if wanted(packet):
                return packet
        seen = "\n".join(f"    {p}" for p in self.seen[-10:]) or "    nothing"
        raise Failed(f"{what} did not come in {seconds} s; came:\n{seen}")

    def expect_payload(self, payload, seconds=DEADLINE_S):
        return self.expect(lambda p: payload in p.segment, f"packet with {payload!r}", seconds)

    def before(self, wanted, what):
        """All packets up to the one for which wanted(packet) holds, without it."""
        start = len(self.seen)
        self.expect(wanted, what)
        return self.seen[start:-1]


def inject_ip(netns, device, raw):
    """Sends an IP packet out of a device without link header (a tunnel)."""
    protocol = 0x0800 if raw[0] >> 4 == 4 else 0x86dd
    with inside(netns):
        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as sock:
            sock.sendto(raw, (device, protocol))


def inject_frame(netns, device, mac, raw):
    """Sends an IP packet in an Ethernet frame to `mac`."""
    protocol = 0x0800 if raw[0] >> 4 == 4 else 0x86dd
    with inside(netns):
        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as sock:
            sock.sendto(raw, (device, protocol, 0, 0, bytes.fromhex(mac.replace(":", ""))))


# ---- the lab ----------------------------------------------------------------------------

_COMMENT = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.S)
_COMMA = re.compile(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])', re.S)


def load_policy(path):
    """A policy file as a value: JSON once comments and trailing commas are gone."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for pattern in (_COMMENT, _COMMA):
        text = pattern.sub(lambda match: match.group(1) or "", text)
    return json.loads(text)


class Fixture:
    """What cases are handed."""

    def describe(self):
        """Its state in lines, for who reads of a failed case."""
        return ""

    def recover(self):
        """Called after a failed case, for the sake of the next one."""


class Lab(Fixture):
    """One lab, with names of its own. Use as a context manager."""

    PHONE, PHONE6 = "100.80.0.10", "fd7a:70::10"
    ROUTER, ROUTER6 = "100.80.0.1", "fd7a:70::1"
    LAN, LAN6 = "10.10.30.1", "fd10:30::1"          # the router's addresses there
    DNS, DNS6 = "10.10.30.53", "fd10:30::53"
    WEB, WEB6 = "10.10.30.20", "fd10:30::20"
    count = 0

    def __init__(self):
        for _ in range(8):      # process ids that are far apart may share a name
            Lab.count += 1
            self.name = "t" + _base36(os.getpid() * 8 % 46656 + Lab.count % 8) + "-"
            if not os.path.exists(f"/run/netns/{self.name}router"):
                break
        self.instance = "lab-" + self.name
        self.tunnel = self.name + "towpath0"
        self.phone_tunnel = self.name + "phone0"
        self.pins = f"/sys/fs/bpf/towpath/{self.instance}"
        self.run_dir = f"/run/towpath-lab/{self.name}"

    def __enter__(self):
        self.script("up")
        self.policy_path = f"{self.run_dir}/policy.json"
        # What leaves the router is whole, so that a capture behind it shows what a wire would.
        self.exec("router", "ethtool", "-K", "lan0", "tx", "off")
        return self

    def __exit__(self, *_):
        self.script("down")

    def script(self, *args, **options):
        env = dict(os.environ, LAB=self.name, TOWPATH=TOWPATH)
        return run(os.path.join(TOP, "scripts", "lab"), *args, env=env, **options)

    def netns(self, short):
        return self.name + short

    def exec(self, short, *command, **options):
        return self.script("exec", short, *command, **options)

    def towpath(self, *args, status=0):
        """Runs towpath in the router; its exit status must be the one named."""
        done = self.script("towpath", *args, ok=False)
        check(done.returncode == status, f"towpath {' '.join(args)}: exit status "
              f"{done.returncode}, not {status}\n{done.stdout}{done.stderr}")
        return done

    def json(self, *args):
        return json.loads(self.towpath(*args, "--json").stdout)

    def policy(self):
        return load_policy(self.policy_path)

    def write_policy(self, policy, name="changed.json"):
        """Into the lab's directory; a value or text. Gives the path."""
        path = f"{self.run_dir}/{name}"
        with open(path, "w", encoding="utf-8") as file:
            file.write(policy if isinstance(policy, str) else json.dumps(policy, indent=1))
        return path

    def apply(self, policy=None, *args):
        path = self.write_policy(policy) if policy else self.policy_path
        return self.towpath("apply", path, *args)

    def drops(self, reason):
        return self.json("status")["drops"].get(reason, 0)

    def describe(self):
        done = self.script("towpath", "status", ok=False)
        return f"towpath status: exit status {done.returncode}\n{done.stdout}{done.stderr}"

    def counted(self, reason, before, at_least=1):
        wait_until(lambda: self.drops(reason) >= before + at_least,
                   f'counter "{reason}" to pass {before}')
        check(True, reason)

    def capture(self, short, device=None):
        return Capture(self.netns(short), device or self.device(short))

    def device(self, short):
        return {"phone": self.phone_tunnel, "router": self.tunnel}.get(short, "eth0")

    def from_phone(self, raw):
        inject_ip(self.netns("phone"), self.phone_tunnel, raw)

    def mac(self, short, device):
        links = json.loads(run("ip", "-j", "-n", self.netns(short), "link", "show", device).stdout)
        return links[0]["address"]

    def wait_for_tunnel(self):
        """A phone calls a router that has lost their session only after 15 s: it is made to."""
        if not self._answers():
            self.call_anew()
            wait_until(self._answers, "an answer through the tunnel", 2 * DEADLINE_S)
        self.exec("phone", "ping", "-n", "-c", "1", "-W", "5", self.WEB6)

    def call_anew(self):
        config = f"{self.run_dir}/anew.conf"
        with open(config, "w", encoding="ascii") as file:
            file.write(self.exec("phone", "wg", "showconf", self.phone_tunnel).stdout)
        self.exec("phone", "wg", "setconf", self.phone_tunnel, config)

    def _answers(self):
        return not self.exec("phone", "ping", "-n", "-c", "1", "-W", "1", self.WEB,
                             ok=False).returncode


def _base36(number):
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    return "".join(digits[number // 36 ** i % 36] for i in (2, 1, 0))


def bound_socket(lab, short, kind, address, port):
    """A socket in that namespace, bound; a stream one listens."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with inside(lab.netns(short)):
        sock = socket.socket(family, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.settimeout(DEADLINE_S)
    sock.bind((address, port))
    if kind == socket.SOCK_STREAM:
        sock.listen(8)
    return sock


def client_socket(lab, short, kind, address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with inside(lab.netns(short)):
        sock = socket.socket(family, kind)
    sock.settimeout(DEADLINE_S)
    return sock


# ---- running ----------------------------------------------------------------------------

def _indent(text):
    return "\n".join("  " + line for line in str(text).splitlines())


def _fail(text, name, value):
    """With what the router says, which no second look will tell."""
    print(_indent(text), flush=True)
    try:
        print(_indent(value.describe()))
    except subprocess.TimeoutExpired as slow:
        print(_indent(slow))
    print(f"FAIL {name}", flush=True)


def _run_case(function, name, value):
    """True unless it failed."""
    global _checks
    _checks = 0
    try:
        function(value)
        if not _checks:
            raise Failed("it checked nothing")
    except Skip as reason:
        print(f"SKIP {name}: {reason}", flush=True)
    except Failed as reason:
        _fail(reason, name, value)
        return False
    except Exception:       # pylint: disable=broad-except # a case that breaks has failed
        _fail(traceback.format_exc(), name, value)
        return False
    else:
        print(f"PASS {name}", flush=True)
    return True


def _wanted(name):
    words = sys.argv[1:]
    return not words or any(word in name for word in words)


def run_cases(fixture, prefix=""):
    """All cases on one fixture; the number of those that failed. When the fixture itself breaks,
    that is a failure named `fixture`."""
    chosen = [(f"net.{prefix}{f.__name__}", f) for f in _cases]
    chosen = [(name, f) for name, f in chosen if _wanted(name)]
    if not chosen:
        return 0
    failed = 0
    try:
        with fixture() as value:
            for name, function in chosen:
                if not _run_case(function, name, value):
                    failed += 1
                    value.recover()
    except Skip as reason:
        print(f"SKIP net.{prefix}all: {reason}", flush=True)
    except Exception as error:      # pylint: disable=broad-except # setting up or taking down
        text = error if isinstance(error, Failed) else traceback.format_exc()
        print(f"{_indent(text)}\nFAIL net.{prefix}fixture", flush=True)
        failed += 1
    return failed


def _name_nothing(prefixes):
    """The words of the command line that are in no case's name: one that was renamed, say."""
    names = [f"net.{prefix}{f.__name__}" for prefix in prefixes for f in _cases]
    return [word for word in sys.argv[1:] if not any(word in name for name in names)]


def main(fixture, prefixes=("",)):
    """fixture(prefix) when there are several prefixes, else fixture()."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))     # so that labs go down
    if os.geteuid():
        print("SKIP net.all: network namespaces need root")
        sys.exit(0)
    failed = 0
    for word in _name_nothing(prefixes):
        print(f"  no case has {word!r} in its name\nFAIL net.selection", flush=True)
        failed += 1
    for prefix in prefixes:
        failed += run_cases((lambda p=prefix: fixture(p)) if prefix else fixture, prefix)
    sys.exit(failed > 0)
