#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""A key is made whole or not at all, and never in place of another."""

import os
import subprocess
import tempfile

from lib import TOWPATH, Fixture, case, check, check_equal, main, run


class Scratch(Fixture):
    """A directory of the test's own."""

    def __enter__(self):
        self.place = tempfile.TemporaryDirectory(prefix="towpath-keygen-")
        return self

    def __exit__(self, *_):
        self.place.cleanup()

    def path(self, name):
        return os.path.join(self.place.name, name)

    def names(self):
        return sorted(os.listdir(self.place.name))

    def recover(self):
        for name in self.names():
            os.unlink(self.path(name))


def keygen(path, **streams):
    return subprocess.Popen([TOWPATH, "keygen", "--out", path], text=True, **streams)


@case
def of_two_at_once_one_makes_the_key(scratch):
    for _ in range(20):
        path = scratch.path("race.key")
        started = [keygen(path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
        ended = [(*process.communicate(timeout=20), process.returncode) for process in started]
        made = [out.strip() for out, _, status in ended if status == 0]
        check_equal(sorted(status for _, _, status in ended), [0, 1], "exit statuses")
        check_equal(made, [run(TOWPATH, "pubkey", path).stdout.strip()], "the key that is there")
        check(any("never overwritten" in said for _, said, _ in ended), f"what they say: {ended}")
        check_equal(scratch.names(), ["race.key"], "what is there")
        os.unlink(path)


@case
def a_full_disk_leaves_nothing(scratch):
    script = """mount -t tmpfs -o size=4k,mode=700 none "$1" && cd "$1" || exit 99
        head -c 4096 /dev/zero >filler
        "$0" keygen --out "$1/full.key"; status=$?
        ls; exit $status"""
    done = run("unshare", "--mount", "sh", "-c", script, TOWPATH, scratch.place.name, ok=False)
    check_equal((done.returncode, done.stdout), (1, "filler\n"), f"status, files; {done.stderr}")
    check("No space left on device" in done.stderr, done.stderr)


@case
def a_public_key_that_nobody_reads_is_an_error(scratch):
    path = scratch.path("unheard.key")
    with open("/dev/full", "w", encoding="ascii") as full:
        process = keygen(path, stdout=full, stderr=subprocess.PIPE)
        _, said = process.communicate(timeout=20)
    check_equal(process.returncode, 1, "exit status")
    check(f"towpath pubkey {path} shows it" in said, said)
    check(run(TOWPATH, "pubkey", path).stdout, "it does")
    os.unlink(path)


if __name__ == "__main__":
    main(Scratch)
