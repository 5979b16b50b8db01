# SPDX-License-Identifier: GPL-2.0-only
"""A lab where a daemon runs and traffic goes on, for cases about what happens meanwhile: what was
lost, and what of the router, its maps, links and programs is not as it was."""

import contextlib
import glob
import json
import os
import random
import re
import time

import snapshot
from daemon import HTTP_PORT, Daemon
from lib import DEADLINE_S, TOWPATH, Failed, Skip, check_equal, run
from running import TABLET, RunLab, tunnel_process
from scenes import MESH, open_policy
from traffic import Traffic, machine_losses

SEED = int(os.environ.get("CHAOS_SEED", random.randrange(1 << 31)))
ATTACH = os.environ.get("CHAOS_ATTACH", "auto")
START_S = 9 * DEADLINE_S
# what is another one for each device and program: indices, ids, link-local addresses of a tunnel
NUMBERS = re.compile(r"^\d+: |@if\d+|\(\d+\)|:\[\d+\]|\b(id|prog_id|link_id|jited|tag|handle) \w+|"
                     r"\bfe80::[0-9a-f:]+")


def dice(what):
    """Of a case's own, so that it can be run alone; the seed is said where a failure shows it."""
    print(f"# CHAOS_SEED={SEED}")
    return random.Random(f"{SEED} {what}")


def pinned_id(kind, pin):
    return json.loads(run("bpftool", "-j", kind, "show", "pinned", pin).stdout)["id"]


class BusyLab(RunLab):
    """The open policy in force, a daemon, and traffic."""

    def __init__(self):
        super().__init__()
        self.daemon = self.traffic = None

    def __enter__(self):
        super().__enter__()
        self.policies = [self.make_policy(), self.make_policy()]
        self.policies[1]["peers"]["tablet"] = TABLET
        self.write(self.policies[0])
        for host in ("dns", "web"):
            for prefix, via in zip(MESH, (self.LAN, self.LAN6)):
                run("ip", "-n", self.netns(host), "route", "add", prefix, "via", via)
        with contextlib.ExitStack() as undo:
            undo.callback(lambda: RunLab.__exit__(self))
            undo.callback(self.kill)
            self.start()
            self.wait_for_tunnel()
            undo.callback(self.end_traffic)
            self.begin_traffic()
            self.whole = self.look()
            self.undo = undo.pop_all()
        return self

    def __exit__(self, *_):
        self.undo.close()

    def make_policy(self):
        return open_policy(self)

    def recover(self):
        """The next case begins whole, with streams of its own."""
        self.kill()
        self.script("towpath", "down", ok=False)
        self.write(self.policies[0])
        self.start()
        self.wait_for_tunnel()
        self.begin_traffic()

    def begin_traffic(self):
        self.end_traffic()
        self.traffic = Traffic(self).__enter__()
        self.traffic.flows_again()

    def end_traffic(self):
        if self.traffic:
            self.traffic.__exit__()
        self.traffic = None

    # ---- the daemon ----

    def start(self, binary=TOWPATH, ready=True):
        """A binary with other programs needs the verifier, which takes long on a busy machine."""
        self.daemon = Daemon(self, self.file, "--tc-attach", ATTACH, "--metrics-listen",
                             f"127.0.0.1:{HTTP_PORT}", ready=False, binary=binary)
        self.daemon.__enter__()
        try:
            if ready:
                self.daemon.wait_for_ready(seconds=START_S)
        except Failed as slow:
            raise Failed(f"{slow}\n{self.daemon.log()[-2000:]}") from slow

    def kill(self):
        """SIGKILL, at whatever it is doing."""
        if self.daemon:
            self.daemon.__exit__()
        self.daemon = None

    def restart(self, binary=TOWPATH, ready=True):
        self.kill()
        self.start(binary, ready)

    def status(self):
        return self.daemon.status()

    # ---- what there is ----

    def objects(self):
        """{pin: id} of maps and links, and the wireguard-go."""
        ids = {}
        for kind in ("map", "link"):
            for pin in glob.glob(f"{self.pins}/{kind}s/*"):
                ids[pin] = pinned_id(kind, pin)
        ids["wireguard"] = tunnel_process(self)
        return ids

    def programs(self):
        """The ids of the programs that use our maps, attached or not."""
        state = pinned_id("map", f"{self.pins}/maps/tp_state")
        shown = json.loads(run("bpftool", "-j", "prog", "show").stdout)
        return {p["id"] for p in shown if state in p.get("map_ids", ())}

    def look(self):
        """All of the router, but for who runs there and what the kernel counts or makes up."""
        seen = snapshot.take(self.netns("router"))
        del seen["processes"]
        return {part: sorted(NUMBERS.sub("", line) for line in lines)
                for part, lines in seen.items()}

    def plan(self):
        return self.json("plan", self.file)["ops"]

    def has_nothing_to_do(self):
        """A device that is being made has no mark of ours yet, and no plan is made beside it."""
        done = self.script("towpath", "plan", self.file, "--json", ok=False)
        return done.returncode == 0 and not json.loads(done.stdout)["ops"]

    def changes(self):
        return snapshot.difference(self.whole, self.look())

    def is_whole(self):
        return not self.changes()

    def lost_nothing(self, what):
        """Since the last time that was asked, unless this machine did it."""
        count, told = self.traffic.losses()
        here = machine_losses(self) - self.here
        if told and count <= here:
            raise Skip(f"sockets of this machine had no room for {here} packets: {told}")
        check_equal(told, {}, f"{what}: lost")
        self.traffic.streams_flow()
        self.traffic.has_one_source_each()

    @contextlib.contextmanager
    def loses_nothing(self, what):
        self.traffic.losses()
        self.here, before = machine_losses(self), self.traffic.count()
        began = time.monotonic()
        yield dice(what)
        self.lost_nothing(what)
        print(f"# {what}: {self.traffic.count() - before} packets asked with in "
              f"{time.monotonic() - began:.0f} s, each was answered")
