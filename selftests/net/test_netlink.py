#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Netlink that is interrupted: a signal before each call, a table that changes while it is read,
an answer for which the kernel had no memory. What can be asked again is, and nothing is read
twice; what never ends well is an error that says so, and nothing was changed."""

import contextlib
import errno
import json
import os
import subprocess

import snapshot
from lib import SHIM, TOWPATH, Lab, case, check, check_equal, fault_shim, main

HANG_S = 60     # of a command that is to end


def faulty(lab, command, what, *variables):
    """The command with that fault; (what it did, how often the fault struck)."""
    log = f"{lab.run_dir}/netlink.log"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(log)
    done = subprocess.run(
        ["nsenter", f"--net=/run/netns/{lab.netns('router')}", "--", "env", f"LD_PRELOAD={SHIM}",
         f"FAULT_NETLINK={what}", f"FAULT_LOG={log}", *variables, TOWPATH, *command,
         "--instance", lab.instance],
        text=True, capture_output=True, timeout=HANG_S, check=False)
    with open(log, encoding="utf-8") as file:
        struck = sum(line.endswith(" failed\n") for line in file)
    return done, struck


def plan(lab, what):
    done, struck = faulty(lab, ["plan", lab.policy_path, "--json"], what)
    check(done.returncode in (0, 2), f"{what}: status {done.returncode} of plan\n{done.stderr}")
    check(struck > 3, f"{what}: struck {struck} times during plan")
    return json.loads(done.stdout)["ops"]


def apply_all_the_same(lab, what, at_least):
    """First apply, the same again, and what is read before and after, each with the fault."""
    before = snapshot.take(lab.netns("router"))
    ops = lab.json("plan", lab.policy_path)["ops"]
    check(ops, "there is nothing to do")
    check_equal(plan(lab, what), ops, f"{what}: the plan before")
    for _ in range(2):
        done, struck = faulty(lab, ["apply", lab.policy_path], what)
        check_equal(done.returncode, 0, f"{what}: exit status of apply\n{done.stderr}")
        check(struck >= at_least, f"{what}: struck {struck} times during apply")
        check_equal(lab.json("plan", lab.policy_path)["ops"], [], f"{what}: the plan after")
        check_equal(plan(lab, what), [], f"{what}: the plan after, read with the fault")
    lab.wait_for_tunnel()
    done, _ = faulty(lab, ["down"], what)
    check_equal(done.returncode, 0, f"{what}: exit status of down\n{done.stderr}")
    after = snapshot.take(lab.netns("router"))
    check_equal(snapshot.difference(before, after), [], f"{what}: what down left")


def refuse(lab, what, words):
    before = snapshot.take(lab.netns("router"))
    done, _ = faulty(lab, ["apply", lab.policy_path], what, "FAULT_NETLINK_ALWAYS=1")
    check(done.returncode != 0, f"{what}: apply succeeded")
    check(words in done.stderr, f"{what}: {words!r} is not said\n{done.stderr}")
    after = snapshot.take(lab.netns("router"))
    check_equal(snapshot.difference(before, after), [], f"{what}: what apply changed")


@case
def a_signal_before_each_call_changes_nothing(lab):
    apply_all_the_same(lab, "signal", 20)


@case
def an_interrupted_dump_is_read_anew(lab):
    apply_all_the_same(lab, "interrupted", 5)


@case
def a_dump_that_lost_a_part_is_read_anew(lab):
    apply_all_the_same(lab, "lost", 5)


@case
def a_dump_that_is_always_interrupted_is_an_error(lab):
    refuse(lab, "interrupted", "the kernel's tables changed during each of 10 dumps")


@case
def a_dump_that_always_loses_a_part_is_an_error(lab):
    refuse(lab, "lost", f"netlink lost a part of each of 10 dumps: {os.strerror(errno.ENOBUFS)}")


@case
def a_dump_that_the_kernel_never_has_memory_for_is_an_error(lab):
    refuse(lab, "starved", f"read from netlink: {os.strerror(errno.ENOBUFS)}")


@contextlib.contextmanager
def plain_lab():
    fault_shim()
    with Lab() as lab:
        yield lab


if __name__ == "__main__":
    main(plain_lab)
