#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Every kernel call of the start of `towpath run`, failed in turn: the daemon is ready in the end,
or it ends with an exit status and its cause; the next one is ready and has nothing to change.
FAULT_CALLS, FAULT_PART and FAULT_AT are those of test_fault.py."""

import contextlib
import tempfile

import snapshot
from daemon import BUSY_S, HTTP_PORT, Daemon
from lib import SHIM, Failed, case, check, check_equal, main, wait_until
from test_fault import CAUSES, FaultLab, fail_each


@contextlib.contextmanager
def daemon_with_failure(lab, at):
    """It, and what gives the lines of FAULT_LOG so far, which is not where it watches."""
    with tempfile.NamedTemporaryFile("r", prefix="towpath-fault-", encoding="utf-8") as log, \
            Daemon(lab, lab.file, "--metrics-listen", f"127.0.0.1:{HTTP_PORT}", ready=False,
                   wrap=("env", f"LD_PRELOAD={SHIM}", f"FAULT_AT={at}",
                         f"FAULT_LOG={log.name}")) as daemon:
        try:
            wait_until(lambda: is_ready(daemon) or daemon.process.poll() is not None,
                       "it to be ready or to end", BUSY_S)
        except Failed as late:
            raise Failed(f"{late}; its log:\n{daemon.log()}") from late
        yield daemon, log.readlines


def is_ready(daemon):
    return any(m.get("READY") == "1" for m in daemon.messages())


def ends_rightly(daemon, what):
    """Of one that is not there any more."""
    said = daemon.log()
    check(1 <= daemon.process.returncode <= 6,
          f"{what}: exit status {daemon.process.returncode}\n{said}")
    last = said.rstrip().rpartition("\n")[2]
    check(last.startswith("towpath: ") and any(cause in last for cause in CAUSES),
          f"{what}: no cause is named\n{said}")


def mends_itself(lab, daemon, what):
    """Of one that was ready: until all is in place."""
    wait_until(lambda: not lab.json("plan", lab.file)["ops"], f"{what}: an empty plan", BUSY_S)
    try:
        wait_until(lambda: daemon.fetch("/readyz")[0] == 200, f"{what}: /readyz", BUSY_S)
    except OSError as silent:
        raise Failed(f"{what}: /readyz: {silent}\n{daemon.log()}") from silent
    check_equal(daemon.leave(), 0, f"{what}: exit status")


@case
def every_failed_call_of_the_start_is_repaired_or_reported(lab):
    def down():
        lab.script("towpath", "down", ok=False)

    def fail_one(at):
        with daemon_with_failure(lab, at) as (daemon, calls):
            failed = [line for line in calls() if line.endswith(" failed\n")]
            what = failed[0].rstrip().partition(" ")[2] if failed else "no call failed"
            if daemon.process.poll() is None:
                mends_itself(lab, daemon, what)
            else:
                ends_rightly(daemon, what)
        with Daemon(lab, lab.file) as daemon:
            check_equal(lab.json("plan", lab.file)["ops"], [], f"{what}: the plan of the next run")
        lab.towpath("down")
        after = snapshot.take(lab.netns("router"))
        check_equal(snapshot.difference(before, after), [], f"{what}: what down left")

    lab.write(lab.policy())
    before = snapshot.take(lab.netns("router"))
    with daemon_with_failure(lab, 0) as (daemon, calls):
        check(daemon.process.poll() is None, f"it is ready\n{daemon.log()}")
        count = len(calls())
    lab.towpath("down")
    check(count > 100, f"{count} calls are counted")
    fail_each(count, fail_one, down)


if __name__ == "__main__":
    main(FaultLab)
