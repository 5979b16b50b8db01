#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Every kernel call of `apply`, failed in turn, of a first one and of a change: the error is
reported with its cause, and the next apply converges. A program that the verifier refuses leaves
the old one running. FAULT_CALLS says how many of the calls are tried, spread evenly (default 8; 0:
all). FAULT_PART=2/5 tries every fifth of those, from the second, so that several can run side by
side. FAULT_AT names calls."""

import contextlib
import errno
import os
import signal
import subprocess

import snapshot
from daemon import HTTP_PORT, Daemon
from lib import (DEADLINE_S, SHIM, Failed, case, check, check_equal, fault_shim, main,
                 wait_until)
from running import TABLET, RunLab, faulty, present, same_flow
from scenes import forget_object, open_policy
from services import own_cgroup, service_policy

# EIO; or what came of it: with a wrong answer of the kernel's, libbpf does without a feature
CAUSES = [os.strerror(number) for number in range(1, 134)]
WANTED = int(os.environ.get("FAULT_CALLS", "8"))
PART, PARTS = (int(number) for number in os.environ.get("FAULT_PART", "1/1").split("/"))
NAMED = [int(number) for number in os.environ.get("FAULT_AT", "").split()]
LOAD_S = 6 * DEADLINE_S    # the verifier has work to do


def apply(lab, policy, at):
    """apply with the call of that number failed; (what it did, its calls' names)."""
    log = f"{lab.run_dir}/fault.log"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(log)
    done = faulty(lab, (f"FAULT_AT={at}", f"FAULT_LOG={log}"), "apply", policy)
    with open(log, encoding="utf-8") as file:
        return done, file.read().splitlines()


def chosen(count):
    if NAMED:
        return NAMED
    step = max(1, count // WANTED) if WANTED else 1
    return range(1, count + 1, step)[PART - 1::PARTS]


def fail(lab, policy, at, between=lambda: None):
    """An apply with that failure, and one without: Failed if either goes wrong. False if there are
    fewer calls than the last time, as happens with retries."""
    done, calls = apply(lab, policy, at)
    failed = [line for line in calls if line.endswith(" failed")]
    if not failed:
        return False
    what = failed[0].partition(" ")[2]
    check(0 <= done.returncode <= 6, f"{what}: exit status {done.returncode}\n{done.stderr}")
    # a call that apply can do without leaves status 0: then all must be in place
    last = done.stderr.rstrip().rpartition("\n")[2]
    check(not done.returncode or (last.startswith("towpath: ") and
                                  any(cause in last for cause in CAUSES)),
          f"{what}: exit status {done.returncode}, and no cause is named\n{done.stderr}")
    between()
    again = lab.script("towpath", "apply", policy, ok=False)
    check_equal(again.returncode, 0,
                f"{what}: exit status of the next apply\n{done.stderr}--\n{again.stderr}")
    check_equal(lab.json("plan", policy)["ops"], [], f"{what}: the plan after the next apply")
    lab.towpath("status", "--healthy")
    return True


def fail_each(count, fail_one, mend):
    """fail_one(at) of each call that is chosen. What goes wrong is shown, and does not end it."""
    wrong = []
    for at in chosen(count):
        try:
            fail_one(at)
        except (Failed, subprocess.TimeoutExpired) as failure:
            wrong.append(f"call {at}: {failure}")
            print(f"# {wrong[-1]}", flush=True)
            mend()
    check(not wrong, f"{len(wrong)} went wrong:\n" + "\n".join(wrong))


@case
def every_failed_call_is_reported_and_repaired(lab):
    def fail_one(at):
        if fail(lab, lab.policy_path, at):
            lab.towpath("down")
            after = snapshot.take(lab.netns("router"))
            check_equal(snapshot.difference(before, after), [], "what down left")

    before = snapshot.take(lab.netns("router"))
    done, calls = apply(lab, lab.policy_path, 0)
    check_equal(done.returncode, 0, done.stderr)
    lab.towpath("down")
    check(len(calls) > 100, f"{len(calls)} calls are counted")
    fail_each(len(calls), fail_one, lambda: lab.script("towpath", "down", ok=False))


@case
def every_failed_call_of_a_change_too(lab):
    """From one policy in force to another, and back: packets go on as both have it."""
    with own_cgroup() as cgroup:
        more = service_policy(lab, cgroup)
        more["peers"]["tablet"] = TABLET
        ways = [lab.write_policy(open_policy(lab), "less.json"),
                lab.write_policy(more, "more.json")]
        lab.towpath("apply", ways[0])
        lab.wait_for_tunnel()
        for before, after in (ways, ways[::-1]):
            def set_out(policy=before):
                lab.towpath("apply", policy)

            def fail_one(at, policy=after, begin=set_out):
                begin()
                fail(lab, policy, at, between=lambda: same_flow(lab))

            done, calls = apply(lab, after, 0)
            check_equal(done.returncode, 0, done.stderr)
            check(len(calls) > 100, f"{len(calls)} calls are counted")
            fail_each(len(calls), fail_one, set_out)
        lab.towpath("down")


def down(lab, at):
    """down with that readdir() failed; (what it did, how many there were)."""
    log = f"{lab.run_dir}/fault.log"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(log)
    done = faulty(lab, ("FAULT_ONLY=readdir", f"FAULT_AT={at}", f"FAULT_LOG={log}"), "down")
    with open(log, encoding="utf-8") as file:
        return done, len(file.readlines())


@case
def a_folder_that_is_not_read_to_its_end_is_an_error(lab):
    """readdir() tells a failure from the end of a folder by errno alone."""
    lab.apply()
    done, count = down(lab, 0)
    check_equal(done.returncode, 0, done.stderr)
    lab.apply()
    done, _ = down(lab, count)
    check_equal((done.returncode, os.strerror(errno.EIO) in done.stderr), (1, True), done.stderr)
    lab.towpath("down")


@case
def a_device_whose_name_cannot_be_had_is_not_gone(lab):
    """What the last apply said of a device that is gone is taken away."""
    lab.apply()
    lab.wait_for_tunnel()
    policy = lab.write_policy(open_policy(lab), "open.json")
    for at in (1, 2):
        done = faulty(lab, ("FAULT_ONLY=if_indextoname", f"FAULT_AT={at}"), "apply", policy)
        check_equal((done.returncode, os.strerror(errno.EIO) in done.stderr), (1, True),
                    done.stderr)
        lab.towpath("status", "--healthy")
    lab.towpath("down")


@case
def a_program_that_does_not_load_leaves_the_old_one_running(lab):
    """A new binary, one of whose programs this kernel's verifier refuses, for real."""
    lab.apply()
    lab.wait_for_tunnel()
    attached = lab.json("status")["attachments"]
    forget_object(lab)
    for program in ("tp_tc_lan", "tp_tc_tunnel"):
        done = faulty(lab, (f"FAULT_PROGRAM={program}",), "apply", lab.policy_path)
        log = f"/run/towpath/{lab.instance}.load.log"
        check_equal(done.returncode, 1, f"exit status\n{done.stderr}")
        check(program in done.stderr and log in done.stderr, done.stderr)
        check_equal(done.stderr.count(os.strerror(errno.EACCES)), 1, f"the cause\n{done.stderr}")
        with open(log, encoding="utf-8") as file:
            check("R9 !read_ok" in file.read(), f"the verifier's words are in {log}")
        check_equal(lab.json("status")["attachments"], attached, "attachments")
        lab.wait_for_tunnel()
    lab.apply()
    lab.wait_for_tunnel()
    lab.towpath("down")


# ---- the same of a daemon -------------------------------------------------------------------

@contextlib.contextmanager
def daemon_that_cannot_load(lab, program):
    """While lab.spoiling is there."""
    options = ("--metrics-listen", f"127.0.0.1:{HTTP_PORT}")
    with Daemon(lab, lab.file, *options, wrap=(
            "env", f"LD_PRELOAD={SHIM}", f"FAULT_PROGRAM={program}",
            f"FAULT_WHILE={lab.spoiling}")) as daemon:
        yield daemon


def tells_that_it_does_not_load(lab, daemon, program):
    """By each way that there is to ask, with where the verifier's words are."""
    log = f"/run/towpath/{lab.instance}.load.log"
    with open(log, encoding="utf-8") as file:
        check("R9 !read_ok" in file.read(), f"the verifier's words are in {log}")
    problems = [p["what"] for p in lab.json("status")["problems"]]
    status, _, unready = daemon.fetch("/readyz")
    for told in (problems[0], problems[1], daemon.messages()[-1]["STATUS"], unready, daemon.log()):
        check(program in told and log in told, f"the program and {log}: {told}")
    check("REJECTED, an earlier policy is in force" in problems[0], problems[0])
    check_equal(status, 503, "/readyz")
    metrics = daemon.metrics()
    check_equal([metrics.value(f"towpath_{name}") for name in ("ready", "policy_rejected")], [0, 1],
                "metrics")


def recovers(lab, daemon, peers):
    """By the next good reload."""
    daemon.tell(signal.SIGHUP)
    wait_until(lambda: daemon.fetch("/readyz")[0] == 200, "the daemon to be ready", LOAD_S)
    status = lab.json("status")
    check_equal((status["healthy"], status["policy"]["rejected"]), (True, None), "health")
    check_equal(sorted(p["name"] for p in status["peers"]), peers, "peers")
    check_equal(lab.json("plan", lab.file)["ops"], [], "plan")
    check("is in force" in daemon.messages()[-1]["STATUS"], f"{daemon.messages()[-1]}")
    same_flow(lab)


@case
def a_daemon_whose_programs_do_not_load_leaves_the_old_ones_running(lab):
    """At a restart with a new binary, and then at a reload: the verifier refuses what both want."""
    lab.write(open_policy(lab))
    lab.towpath("apply", lab.file)
    lab.wait_for_tunnel()
    same_flow(lab)
    created, attached = lab.json("status")["flows"]["created"], lab.json("status")["attachments"]

    def goes_on():
        check_equal(lab.json("status")["attachments"], attached, "attachments")
        same_flow(lab)
        check_equal(lab.json("status")["flows"]["created"], created, "flows")

    forget_object(lab)
    with contextlib.ExitStack() as stack:
        with present(lab.spoiling):
            daemon = stack.enter_context(daemon_that_cannot_load(lab, "tp_tc_lan"))
            wait_until(lambda: "steps to put that right" in daemon.log(), "a repair", LOAD_S)
            wait_until(lambda: len(lab.json("status")["problems"]) == 2, "its failure", LOAD_S)
            tells_that_it_does_not_load(lab, daemon, "tp_tc_lan")
            goes_on()
        recovers(lab, daemon, ["phone"])
        attached = lab.json("status")["attachments"]
        forget_object(lab)
        with present(lab.spoiling):
            lab.write(dict(open_policy(lab), peers=lab.with_tablet()["peers"]))
            wait_until(lambda: len(lab.json("status")["problems"]) == 2, "its failure", LOAD_S)
            tells_that_it_does_not_load(lab, daemon, "tp_tc_lan")
            check_equal([p["name"] for p in lab.json("status")["peers"]], ["phone"], "peers")
            goes_on()
        recovers(lab, daemon, ["phone", "tablet"])
    lab.towpath("down")


class FaultLab(RunLab):
    def __enter__(self):
        fault_shim()
        super().__enter__()
        self.spoiling = f"{self.run_dir}/spoiling"
        return self


if __name__ == "__main__":
    main(FaultLab)
