# SPDX-License-Identifier: GPL-2.0-only
"""A lab for cases about the daemon: a policy file that it follows, and what it makes of it."""

import contextlib
import json
import os
import signal
import subprocess

from daemon import Daemon
from lib import SHIM, SLOWNESS, TOWPATH, Lab, check, run, wait_until
from packets import udp
from scenes import pairs

TABLET = {"public_key": "M" * 42 + "E=", "addresses": ["100.80.0.11"]}
PROMPT_S = 5 * SLOWNESS     # a second is meant, on a machine that has nothing else to do
HANG_S = 60     # of a command that is to end with an error


def faulty(lab, variables, *arguments):
    """towpath with those FAULT_ variables of the shim, which fault_shim() has built."""
    return subprocess.run(
        ["nsenter", f"--net=/run/netns/{lab.netns('router')}", "--", "env", f"LD_PRELOAD={SHIM}",
         *variables, TOWPATH, *arguments, "--instance", lab.instance],
        text=True, capture_output=True, timeout=HANG_S, check=False)


@contextlib.contextmanager
def present(path):
    """There is a file: what goes on FAULT_WHILE it is there goes on."""
    with open(path, "w", encoding="ascii"):
        pass
    try:
        yield
    finally:
        os.unlink(path)


class RunLab(Lab):
    """Each case begins with nothing set up."""

    def __enter__(self):
        super().__enter__()
        self.file = f"{self.run_dir}/watched.json"
        self.next_port = 30000
        return self

    def recover(self):
        self.script("towpath", "down", ok=False)

    def write(self, policy):
        """In place, as an editor that keeps the inode."""
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(policy if isinstance(policy, str) else json.dumps(policy))

    def with_tablet(self):
        policy = self.policy()
        policy["peers"]["tablet"] = TABLET
        return policy

    @contextlib.contextmanager
    def running(self, *options, policy=None, **how):
        """A daemon that follows self.file; nothing is left behind."""
        self.write(policy or self.policy())
        with Daemon(self, self.file, *options, **how) as daemon:
            yield daemon
        self.script("towpath", "down", ok=False)


class OneDaemonLab(RunLab):
    """Its daemon, which begin() puts into self.ending, is there for all cases."""

    def __enter__(self):
        super().__enter__()
        self.ending, self.daemon = contextlib.ExitStack(), None
        try:
            self.begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *args):
        self.ending.close()
        super().__exit__(*args)

    def begin(self):
        raise NotImplementedError

    def end(self):
        self.daemon.tell(signal.SIGCONT)
        self.ending.close()

    def recover(self):
        self.end()
        self.script("towpath", "down", ok=False)
        self.begin()


def peers(lab):
    return sorted(p["name"] for p in lab.json("status")["peers"])


def follows(lab, names, what):
    wait_until(lambda: peers(lab) == sorted(names), f"{what} to be in force", PROMPT_S)
    check(True, what)


def forwards(lab):
    """A packet of each family from the phone comes out on the LAN."""
    lab.next_port += 1
    for phone, server in pairs(lab):
        with lab.capture("web") as capture:
            lab.from_phone(udp(phone, server, lab.next_port, 443, b"through"))
            capture.expect_payload(b"through")


def same_flow(lab):
    """One more packet of the flow of each family."""
    for phone, server in pairs(lab):
        with lab.capture("web") as capture:
            lab.from_phone(udp(phone, server, 29000, 443, b"the same flow"))
            capture.expect_payload(b"the same flow")


def noted(daemon):
    """Until the daemon has looked at the tunnel as it is: it then knows where peers are."""
    reads = daemon.reads()
    daemon.tell(signal.SIGHUP)
    wait_until(lambda: daemon.reads() > reads, "the daemon to look", PROMPT_S)


def tunnel_process(lab):
    """The pid of the router's wireguard-go, None for the kernel's WireGuard."""
    for pid in run("ip", "netns", "pids", lab.netns("router")).stdout.split():
        # one may end meanwhile
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), \
                open(f"/proc/{pid}/cmdline", "rb") as file:
            if b"wireguard-go" in file.read():
                return int(pid)
    return None


def guardians(lab):
    """The pids of those who watch over policies on trial."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/comm", encoding="utf-8") as comm, \
                    open(f"/proc/{pid}/cmdline", "rb") as cmdline:
                if comm.read() == "tp-revert\n" and lab.instance.encode() in cmdline.read():
                    found.append(int(pid))
    return found


def end_of_trial(lab, seconds):
    """And its guardian's, a process of the router's that takes the record away and then leaves."""
    wait_until(lambda: not os.path.exists(f"/run/towpath/{lab.instance}.try"), "the trial to end",
               seconds)
    wait_until(lambda: not guardians(lab), "the guardian to leave")
