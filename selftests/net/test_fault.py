#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Every kernel call of `apply`, failed in turn: the error is reported with its cause, and the next
apply converges. A program that the verifier refuses leaves the old one running. FAULT_CALLS says
how many of the calls are tried, spread evenly (default 8; 0: all). FAULT_PART=2/5 tries every fifth
of those, from the second, so that several can run side by side. FAULT_AT names calls."""

import contextlib
import os
import subprocess

import snapshot
from lib import SHIM, TOWPATH, Failed, Lab, case, check, check_equal, fault_shim, main
from scenes import forget_object

# EIO; or what came of it: with a wrong answer of the kernel's, libbpf does without a feature
CAUSES = [os.strerror(number) for number in range(1, 134)]
WANTED = int(os.environ.get("FAULT_CALLS", "8"))
PART, PARTS = (int(number) for number in os.environ.get("FAULT_PART", "1/1").split("/"))
NAMED = [int(number) for number in os.environ.get("FAULT_AT", "").split()]
HANG_S = 60     # of an apply that is to end with an error


def faulty_apply(lab, *variables):
    return subprocess.run(
        ["nsenter", f"--net=/run/netns/{lab.netns('router')}", "--", "env", f"LD_PRELOAD={SHIM}",
         *variables, TOWPATH, "apply", lab.policy_path, "--instance", lab.instance],
        text=True, capture_output=True, timeout=HANG_S, check=False)


def apply(lab, at):
    """apply with the call of that number failed; (what it did, its calls' names)."""
    log = f"{lab.run_dir}/fault.log"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(log)
    done = faulty_apply(lab, f"FAULT_AT={at}", f"FAULT_LOG={log}")
    with open(log, encoding="utf-8") as file:
        return done, file.read().splitlines()


def chosen(count):
    if NAMED:
        return NAMED
    step = max(1, count // WANTED) if WANTED else 1
    return range(1, count + 1, step)[PART - 1::PARTS]


def fail_one(lab, at, before):
    """What is wrong with how that failure went, or None."""
    done, calls = apply(lab, at)
    failed = [line for line in calls if line.endswith(" failed")]
    if not failed:
        return None     # fewer calls than the last time: that happens with retries
    what = f"call {failed[0]}"
    if done.returncode < 0 or done.returncode > 6:
        return f"{what}: exit status {done.returncode}\n{done.stderr}"
    # a call that apply can do without leaves status 0: then all must be in place
    last = done.stderr.rstrip().rpartition("\n")[2]
    if done.returncode and not (last.startswith("towpath: apply: ") and
                                any(cause in last for cause in CAUSES)):
        return f"{what}: exit status {done.returncode}, and no cause is named\n{done.stderr}"
    again = lab.script("towpath", "apply", lab.policy_path, ok=False)
    if again.returncode:
        return f"{what}: the next apply failed\n{done.stderr}--\n{again.stderr}"
    left = lab.json("plan", lab.policy_path)["ops"]
    if left:
        return f"{what}: the plan after the next apply has {left}"
    lab.towpath("status", "--healthy")
    lab.towpath("down")
    rest = snapshot.difference(before, snapshot.take(lab.netns("router")))
    return f"{what}: down left {rest}" if rest else None


@case
def every_failed_call_is_reported_and_repaired(lab):
    before = snapshot.take(lab.netns("router"))
    done, calls = apply(lab, 0)
    check_equal(done.returncode, 0, done.stderr)
    lab.towpath("down")
    check(len(calls) > 100, f"{len(calls)} calls are counted")
    wrong = []
    for at in chosen(len(calls)):
        try:
            fault = fail_one(lab, at, before)
        except (Failed, subprocess.TimeoutExpired) as failure:
            fault = f"call {at}: {failure}"
        if fault:
            print(f"# {fault}", flush=True)
            wrong.append(fault)
            lab.script("towpath", "down", ok=False)
    check(not wrong, f"{len(wrong)} went wrong:\n" + "\n".join(wrong))


@case
def a_program_that_does_not_load_leaves_the_old_one_running(lab):
    """A new binary, one of whose programs this kernel's verifier refuses, for real."""
    lab.apply()
    lab.wait_for_tunnel()
    attached = lab.json("status")["attachments"]
    forget_object(lab)
    for program in ("tp_tc_lan", "tp_tc_tunnel"):
        done = faulty_apply(lab, f"FAULT_PROGRAM={program}")
        log = f"/run/towpath/{lab.instance}.load.log"
        check_equal(done.returncode, 1, f"exit status\n{done.stderr}")
        check(program in done.stderr and log in done.stderr, done.stderr)
        with open(log, encoding="utf-8") as file:
            check("R9 !read_ok" in file.read(), f"the verifier's words are in {log}")
        check_equal(lab.json("status")["attachments"], attached, "attachments")
        lab.wait_for_tunnel()
    lab.apply()
    lab.wait_for_tunnel()
    lab.towpath("down")


@contextlib.contextmanager
def plain_lab():
    fault_shim()
    with Lab() as lab:
        yield lab


if __name__ == "__main__":
    main(plain_lab)
