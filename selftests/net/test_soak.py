#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""What a daemon with a hundred peers costs: while nothing happens, and for as long as SOAK_S says
under traffic and reloads."""

import base64
import hashlib
import json
import os
import time

from busy import BusyLab
from lib import SLOWNESS, case, check, check_equal, main, wait_until
from scenes import open_policy

PEERS = 100
SOAK_S = int(os.environ.get("SOAK_S", "60"))
WARM_S = SOAK_S / 4         # until every kind of reload was there several times
IDLE_S = 10                 # two looks for what nobody tells of are among them
SHARE_MAX = 0.01 * SLOWNESS
RSS_MAX_KIB = 16 * 1024
GROWTH_MAX_KIB = 768        # what malloc has not given back differs by half of that, either way
WAKES_PER_S_MAX = 20        # a look takes some, and there is one every 5 s


def peer(number):
    key = hashlib.sha256(b"soak %d" % number).digest()
    return {"public_key": base64.b64encode(key).decode(),
            "addresses": [f"100.80.1.{number}", f"fd7a:70::1:{number:x}"]}


class SoakLab(BusyLab):
    def make_policy(self):
        """With the phone, as many peers as are wanted; the others are not there."""
        policy = open_policy(self)
        policy["peers"].update({f"peer{i}": peer(i) for i in range(1, PEERS)})
        return policy


def cpu_seconds(daemon):
    """Precisely: the first word is what it ran, in ns."""
    with open(f"/proc/{daemon.process.pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0]) / 1e9


def wakes(daemon):
    """How often it has waited, in all threads."""
    total = 0
    for task in os.listdir(f"/proc/{daemon.process.pid}/task"):
        with open(f"/proc/{daemon.process.pid}/task/{task}/status", encoding="ascii") as file:
            total += sum(int(line.split()[1]) for line in file
                         if line.startswith("voluntary_ctxt_switches"))
    return total


def threads(daemon):
    return len(os.listdir(f"/proc/{daemon.process.pid}/task"))


def quiet(lab):
    """Until what the daemon itself did has been looked at."""
    def settled():
        before = cpu_seconds(lab.daemon)
        time.sleep(1)
        return cpu_seconds(lab.daemon) - before < SHARE_MAX

    wait_until(settled, "the daemon to be quiet", 30 * SLOWNESS)


@case
def a_hundred_peers_cost_little(lab):
    """While it has nothing to do; what is forwarded meanwhile is not its business."""
    check_equal(len(lab.status()["peers"]), PEERS, "peers")
    quiet(lab)
    ran, woke, began = cpu_seconds(lab.daemon), wakes(lab.daemon), time.monotonic()
    time.sleep(IDLE_S)
    took = time.monotonic() - began
    share, rate = (cpu_seconds(lab.daemon) - ran) / took, (wakes(lab.daemon) - woke) / took
    resident = lab.daemon.resident_kib()
    print(f"# {resident} KiB, {100 * share:.2f} % of a core, {rate:.1f} wakes/s")
    check(resident < RSS_MAX_KIB, f"RSS is {resident} KiB")
    check(share < SHARE_MAX, f"it took {100 * share:.2f} % of a core")
    check(rate < WAKES_PER_S_MAX, f"it woke {rate:.1f} times a second")


def reload(lab, text):
    """And all that somebody may ask of it."""
    reads = lab.daemon.reads()
    lab.write(text)
    wait_until(lambda: lab.daemon.reads() > reads, "the file to be read")
    for path in ("/metrics", "/readyz", "/status"):
        lab.daemon.fetch(path)
    lab.json("status")


def costs(lab):
    """What it holds once it is quiet; a client that hung up is noticed a moment later."""
    quiet(lab)
    return {"descriptors": lab.daemon.descriptors(), "threads": threads(lab.daemon),
            "objects": lab.objects(), "programs": lab.programs()}


@case
def costs_no_more_after_a_soak(lab):
    with lab.loses_nothing("soak") as rng:
        texts = [json.dumps(policy) for policy in lab.policies]
        texts += [f"// a thought\n{text}" for text in texts] + ["{ broken", "[]"]
        began, reloads, before = time.monotonic(), 0, None
        while time.monotonic() < began + SOAK_S:
            reload(lab, rng.choice(texts))
            reloads += 1
            if not before and time.monotonic() > began + WARM_S:
                before, resident = costs(lab), lab.daemon.resident_kib()
            time.sleep(rng.uniform(0, 1))
        lab.write(texts[0])
        wait_until(lambda: lab.status()["healthy"] and len(lab.status()["peers"]) == PEERS,
                   "the first policy")
        check_equal(costs(lab), before, "what it holds")
        after = lab.daemon.resident_kib()
        print(f"# {reloads} reloads, {resident} KiB before, {after} KiB after")
        check(after < RSS_MAX_KIB, f"RSS is {after} KiB")
        check(after - resident < GROWTH_MAX_KIB, f"RSS grew from {resident} to {after} KiB")
    check_equal(lab.changes(), [], "the router")


if __name__ == "__main__":
    main(SoakLab)
