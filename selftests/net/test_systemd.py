#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The systemd unit, as `make install` puts it: valid, and true of the daemon, which runs here as it
says. No systemd is the first process here, so its part is played."""

import os
import shlex
import shutil
import signal
import tempfile

from daemon import Daemon
from lib import Skip, build, case, check, check_equal, main, run
from running import PROMPT_S, RunLab, forwards
from scenes import open_policy

UNIT = "lib/systemd/system/towpath.service"


class UnitLab(RunLab):
    """With an installation of its own."""

    def __enter__(self):
        for tool in ("make", "setpriv"):
            if not shutil.which(tool):
                raise Skip(f"there is no {tool} here")
        super().__enter__()
        self.prefix = tempfile.TemporaryDirectory(prefix="towpath-prefix-")
        build("-s", "install", f"PREFIX={self.prefix.name}")
        self.unit_path = f"{self.prefix.name}/{UNIT}"
        self.unit = read_unit(self.unit_path)
        return self

    def __exit__(self, *failure):
        self.prefix.cleanup()
        super().__exit__(*failure)

    def one(self, key):
        value, = self.unit[key]
        return value

    def capabilities(self):
        return [name for line in self.unit["CapabilityBoundingSet"] for name in line.split()]


def read_unit(path):
    """{key: [value of each line that has it]}"""
    found = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            if "=" in line and not line.startswith("#"):
                key, value = line.strip().split("=", 1)
                found.setdefault(key, []).append(value)
    return found


def as_the_unit_says(lab):
    """The command before the binary: with the unit's capabilities and no others."""
    names = ",".join(f"+{name.removeprefix('CAP_').lower()}" for name in lab.capabilities())
    return ("setpriv", f"--bounding-set=-all,{names}")


def may_do(process):
    """How many capabilities it has."""
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        words = dict(line.split(":", 1) for line in file)
    return int(words["CapEff"], 16).bit_count()


@case
def is_valid(lab):
    if not shutil.which("systemd-analyze"):
        raise Skip("there is no systemd-analyze here")
    env = dict(os.environ, MANPATH=f"{lab.prefix.name}/share/man")
    done = run("systemd-analyze", "verify", lab.unit_path, env=env, ok=False)
    check_equal((done.returncode, done.stdout + done.stderr), (0, ""), "systemd-analyze verify")


@case
def is_true_of_the_daemon(lab):
    binary, *words = shlex.split(lab.one("ExecStart"))
    check_equal((binary, words), (f"{lab.prefix.name}/sbin/towpath",
                                  ["run", "/etc/towpath/policy.json"]), "ExecStart")
    check_equal((lab.one("Type"), lab.one("KillMode")), ("notify", "process"), "Type, KillMode")
    lab.write(open_policy(lab))
    with Daemon(lab, lab.file, wrap=as_the_unit_says(lab), binary=binary) as daemon:
        check(may_do(daemon.process) <= len(lab.capabilities()), "it may do no more than that")
        run(*shlex.split(lab.one("ExecReload").replace("$MAINPID", str(daemon.process.pid))))
        daemon.wait_for_ready(2, PROMPT_S)
        check("RELOADING" in daemon.messages()[-2], f"{daemon.messages()}")
        check_equal(daemon.leave(signal.SIGTERM), 0, "exit status")
        check_equal(daemon.messages()[-1].get("STOPPING"), "1", "the last message")
    lab.wait_for_tunnel()
    forwards(lab)
    lab.towpath("down")


@case
def is_not_restarted_for_what_does_not_mend_itself(lab):
    statuses = {int(word) for word in lab.one("RestartPreventExitStatus").split()}
    untested = lab.policy()
    untested["tests"].append({"src": "phone", "accept": ["web:22"]})
    for status, text in ((3, "{"), (4, untested)):
        lab.write(text)
        lab.towpath("run", lab.file, status=status)
        check(status in statuses, f"{status} is among {statuses}")
    lab.towpath("run", status=2)
    check({2, 6} < statuses, f"2 and 6 are among {statuses}")
    check(1 not in statuses and lab.one("Restart") == "on-failure", "all else is tried again")


if __name__ == "__main__":
    main(UnitLab)
