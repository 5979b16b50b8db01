#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""A program of ours is attached a second time, in front of somebody else's. An apply that fails or
is killed on the way there, at the worst of moments, leaves a hook with a program of ours, and the
next one puts everything right."""

import contextlib
import ctypes
import json
import os
import socket
import struct
import subprocess

from lib import (SHIM, TOWPATH, Lab, case, check, check_equal, fault_shim, inside, main,
                 run)
from running import same_flow
from scenes import open_policy
from standin import TCX, bpf, going_first

PROG_QUERY = 16     # BPF_PROG_QUERY


class ReplaceLab(Lab):
    """The open policy, applied by tcx."""

    def __enter__(self):
        super().__enter__()
        fault_shim()
        self.recover()
        return self

    def recover(self):
        self.script("towpath", "down", ok=False)
        self.apply(open_policy(self))
        self.wait_for_tunnel()
        same_flow(self)

    def hooks(self):
        """Names of the programs on the ingress of the LAN device, in their order."""
        ids = (ctypes.c_uint32 * 64)()
        with inside(self.netns("router")):      # bpftool of Debian 12 does not know of tcx
            query = struct.pack("=IIIIQI", socket.if_nametoindex("lan0"), TCX["ingress"], 0, 0,
                                ctypes.addressof(ids), len(ids))
            bpf(PROG_QUERY, query)
        shown = [run("bpftool", "-j", "prog", "show", "id", i, ok=False).stdout for i in ids if i]
        return [json.loads(text).get("name", "") for text in shown if text]

    def broken_apply(self, first, at, *variables):
        return subprocess.run(
            ["nsenter", f"--net=/run/netns/{self.netns('router')}", "--", "env",
             f"LD_PRELOAD={SHIM}", f"FAULT_FROM={first}", f"FAULT_AT={at}", *variables, TOWPATH,
             "apply", f"{self.run_dir}/changed.json", "--instance", self.instance],
            stdin=subprocess.DEVNULL, text=True, capture_output=True, timeout=60, check=False)

    def moments(self):
        """Of such an apply: around the rename that gives a pin to another link, and behind the
        last call that takes a pin away."""
        log = f"{self.run_dir}/fault.log"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(log)
        done = self.broken_apply("unlink", 0, f"FAULT_LOG={log}")
        check_equal(done.returncode, 0, f"exit status of apply\n{done.stderr}")
        with open(log, encoding="ascii") as file:
            names = [line.split()[1] for line in file]
        removed = len(names) - names[::-1].index("unlink")
        return ("unlink", removed + 1), ("rename", 1), ("rename", 2)

    def is_as_it_should_be(self, what):
        self.towpath("apply", f"{self.run_dir}/changed.json")
        check_equal(self.hooks(), ["tp_tc_lan", ""], f"programs after the next apply, {what}")
        check(not os.path.lexists(f"{self.pins}/new"), "what was left is cleared")
        check_equal(self.json("plan", f"{self.run_dir}/changed.json")["ops"], [], "plan")
        same_flow(self)


def break_off(lab, *variables):
    with going_first(lab.netns("router"), "lan0", "ingress"):
        moments = lab.moments()
    for first, at in moments:
        lab.apply(open_policy(lab))
        with going_first(lab.netns("router"), "lan0", "ingress"):
            check_equal(lab.hooks(), ["", "tp_tc_lan"], "somebody got before us")
            done = lab.broken_apply(first, at, *variables)
            what = f"ended at call {at} from {first} on with {done.returncode}\n{done.stderr}"
            check("tp_tc_lan" in lab.hooks(), f"a program of ours runs, {what}")
            lab.is_as_it_should_be(what)
            yield done


@case
def a_killed_apply_leaves_a_program_on_the_hook(lab):
    ended = [done.returncode for done in break_off(lab, "FAULT_KILL=1")]
    check(-9 in ended, f"one of them was killed: {ended}")


@case
def a_failed_one_too(lab):
    ended = [done.stderr for done in break_off(lab)]
    check(any("Input/output error" in said for said in ended), f"one of them failed: {ended}")


if __name__ == "__main__":
    main(ReplaceLab)
