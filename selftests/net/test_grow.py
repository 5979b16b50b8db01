#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""A policy of more peers than the maps of counters have rows for: larger ones take their place
under traffic. No flow ends and no count is lost, also when the apply is killed on its way.
FAULT_CALLS says at how many moments that is (default 1; 0: at each of its last kernel calls)."""

import base64
import contextlib
import glob
import hashlib
import json
import os
import signal
import subprocess

from lib import (SHIM, TOWPATH, Lab, case, check, check_equal, fault_shim, main, run,
                 wait_until)
from scenes import open_policy, pairs
from streams import Flows, Stream

WANTED = int(os.environ.get("FAULT_CALLS", "1"))
COUNTERS = ("tp_peer_stats", "tp_route_stats")
STEADY = ("tp_flows", "tp_flow_state", "tp_nat_in", "tp_nat_out", "tp_state", "tp_sysctls")


class GrowLab(Lab):
    """Each case begins with nothing set up."""

    def __enter__(self):
        super().__enter__()
        fault_shim()
        return self

    def recover(self):
        self.script("towpath", "down", ok=False)


def key_of(number):
    return base64.b64encode(hashlib.sha256(b"%d" % number).digest()).decode()


def with_members(lab, count):
    """The open policy and so many peers more, and a node that advertises half as many networks
    of each family."""
    policy = open_policy(lab)
    for i in range(count):
        policy["peers"][f"p{i}"] = {"public_key": key_of(i),
                                    "addresses": [f"100.81.{i // 250}.{i % 250 + 1}"]}
    networks = [network for i in range(count // 2)
                for network in (f"10.{100 + i // 256}.{i % 256}.0/24", f"fd10:77:{i:x}::/64")]
    policy["nodes"]["far"] = {"public_key": key_of(-1), "addresses": ["100.80.0.99"],
                              "advertise_routes": networks}
    return lab.write_policy(policy, f"members-{count}.json")


def shown(lab, name):
    return json.loads(run("bpftool", "-j", "map", "show", "pinned",
                          f"{lab.pins}/maps/{name}").stdout)


def links(lab):
    return [json.loads(run("bpftool", "-j", "link", "show", "pinned", path).stdout)["id"]
            for path in sorted(glob.glob(f"{lab.pins}/links/*"))]


def kept_ids(lab):
    return [shown(lab, name)["id"] for name in STEADY], links(lab)


def packets(lab):
    """What status counts by our routes, which is all that there is."""
    return sum(r["packets"] for r in lab.json("status")["routes"] if r["node"] == "homelab-1")


def rows(lab):
    return [shown(lab, name)["max_entries"] for name in COUNTERS]


def is_settled(lab, path):
    check_equal(lab.json("plan", path)["ops"], [], "plan")
    check_equal(glob.glob(f"{lab.pins}/maps/old*"), [], "what was put aside")


@case
def more_peers_than_there_are_rows_for_find_room_under_traffic(lab):
    lab.towpath("apply", with_members(lab, 10))
    lab.wait_for_tunnel()
    path, ids, before = with_members(lab, 1500), kept_ids(lab), packets(lab)
    flows = [Flows(lab, *pair, 7000 + i) for i, pair in enumerate(pairs(lab))]
    streams = [Stream(lab, *pair, 6000 + i) for i, pair in enumerate(pairs(lab))]
    wait_until(lambda: all(len(f.flows) > 10 for f in flows) and all(s.got for s in streams),
               "traffic")

    plan = lab.towpath("plan", path).stdout
    check("grow programs" in plan and "peers 1024 to 2048 routes 1024 to 2048" in plan, plan[:500])
    lab.towpath("apply", path)
    count = [len(f.flows) for f in flows]
    wait_until(lambda: all(len(f.flows) > n + 10 for f, n in zip(flows, count)), "more flows")
    for traffic in flows + streams:
        traffic.end()

    is_settled(lab, path)
    check_equal(rows(lab), [2048, 2048], "rows")
    check_equal(kept_ids(lab), ids, "ids of maps and links")
    for reason in ("invalid", "no_program", "no_policy", "acl", "no_route", "clash", "internal"):
        check_equal(lab.drops(reason), 0, f"drops of {reason}")
    asked = 4 * sum(len(f.flows) for f in flows)    # and answered, in the beginning and in the end
    check(packets(lab) - before >= asked, f"{before}, {asked} questions, {packets(lab)}")
    lab.towpath("apply", with_members(lab, 10))     # what has grown stays as it is
    check_equal(rows(lab), [2048, 2048], "rows")
    lab.towpath("down")
    check(not os.path.exists(lab.pins), f"{lab.pins} is there")


# ---- killed while it grows ------------------------------------------------------------------

def killed_apply(lab, path, at):
    """An apply, killed at its kernel call of that number from the first pin that is put aside on.
    Gives the calls' names."""
    log = f"{lab.run_dir}/fault.log"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(log)
    done = subprocess.run(
        ["nsenter", f"--net=/run/netns/{lab.netns('router')}", "--", "env",
         f"LD_PRELOAD={SHIM}", "FAULT_KILL=1", "FAULT_FROM=rename", f"FAULT_AT={at}",
         f"FAULT_LOG={log}", TOWPATH, "apply", path, "--instance", lab.instance],
        stdin=subprocess.DEVNULL, text=True, capture_output=True, timeout=120, check=False)
    check_equal(done.returncode, -signal.SIGKILL if at else 0, f"apply, at {at}: {done.stderr}")
    with open(log, encoding="utf-8") as file:
        return file.read().splitlines()


def nameless(calls):
    """The first map of counters has been put aside, and the new one is pinned nowhere yet. Before
    them tp_stages is."""
    renamed = [i for i, call in enumerate(calls, 1) if "rename" in call]
    return renamed[1] + 1


def moments(calls):
    if not WANTED:
        return range(1, len(calls) + 1)
    return [nameless(calls), *(len(calls) * (i + 1) // WANTED for i in range(WANTED - 1))]


def ask(lab):
    """An echo of each family and its answer; how many packets that is."""
    for _, server in pairs(lab):
        lab.exec("phone", "ping", "-n", "-c", "1", "-W", "5", "-e", "4711", server)
    return 4


def finished(lab, small, large, at, then):
    """Killed there, and then either policy applied."""
    lab.towpath("down")
    lab.towpath("apply", small)
    lab.wait_for_tunnel()
    sent = packets(lab)
    killed_apply(lab, large, at)
    sent += ask(lab)
    check_equal(packets(lab), sent, f"packets counted, killed at {at}")
    lab.towpath("apply", then)
    sent += ask(lab)
    check_equal(packets(lab), sent, f"packets counted, after {at}")
    is_settled(lab, then)


@case
def an_apply_that_is_killed_is_finished_by_the_next(lab):
    """Also by one that needs no more room: what was put aside is what goes on then."""
    small, large = with_members(lab, 10), with_members(lab, 1030)
    lab.towpath("apply", small)
    lab.wait_for_tunnel()
    calls = killed_apply(lab, large, 0)
    for at in moments(calls):
        finished(lab, small, large, at, large)
        check_equal(rows(lab), [2048, 2048], "rows")
    finished(lab, small, large, nameless(calls), small)
    check_equal(rows(lab), [1024, 1024], "rows")
    lab.towpath("down")
    check(not os.path.exists(lab.pins), f"{lab.pins} is there")


if __name__ == "__main__":
    main(GrowLab)
