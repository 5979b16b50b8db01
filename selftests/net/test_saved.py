#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The text of the policy in force, as it is kept: written when it is another, and once."""

import os
import subprocess

from daemon import Daemon
from lib import SHIM, TOWPATH, case, check, check_equal, fault_shim, main
from running import RunLab, noted

LOOKS = 3


def kept(lab):
    return f"/run/towpath/{lab.instance}.policy"


def looks(daemon):
    for _ in range(LOOKS):
        noted(daemon)


@case
def what_is_kept_is_not_written_again(lab):
    with lab.running() as daemon:
        before = os.stat(kept(lab))
        looks(daemon)
        after = os.stat(kept(lab))
        check_equal((after.st_ino, after.st_mtime_ns), (before.st_ino, before.st_mtime_ns), "file")
        with open(kept(lab), "r+", encoding="utf-8") as file:
            file.write("X")
        looks(daemon)
        with open(lab.file, "rb") as want, open(kept(lab), "rb") as got:
            check_equal(got.read(), want.read(), "what is kept, once it was damaged")


@case
def what_cannot_be_kept_is_said_once(lab):
    lab.apply()
    os.unlink(kept(lab))
    os.mkdir(kept(lab))
    try:
        lab.write(lab.policy())
        with Daemon(lab, lab.file) as daemon:
            looks(daemon)
            check_equal(daemon.log().count("could not be kept"), 1, daemon.log())
    finally:
        os.rmdir(kept(lab))
    lab.towpath("down")


@case
def killed_writers_leave_no_litter(lab):
    fault_shim()
    lab.apply()
    os.unlink(kept(lab))
    for _ in range(2):
        done = subprocess.run(
            ["nsenter", f"--net=/run/netns/{lab.netns('router')}", "--", "env", "FAULT_KILL=1",
             f"LD_PRELOAD={SHIM}", "FAULT_FROM=fsync", "FAULT_AT=1", TOWPATH,
             "apply", lab.policy_path, "--instance", lab.instance], stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, timeout=60, check=False)
        check(done.returncode < 0, f"it was killed: {done.returncode}")
    lab.apply()
    names = [name for name in os.listdir("/run/towpath")
             if name.startswith(f"{lab.instance}.policy")]
    check_equal(names, [f"{lab.instance}.policy"], "files")
    lab.towpath("down")


if __name__ == "__main__":
    main(RunLab)
