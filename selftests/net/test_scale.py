#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""`check` on the largest policy there may be, and on one that is larger by one."""

import contextlib
import json
import os
import subprocess
import tempfile

from lib import TOP, TOWPATH, Fixture, case, check, check_equal, main, run

MEMORY_MAX_KIB = 500 << 10
FILE_MAX = 16 << 20


class Scale(Fixture):
    """The policy of selftests/scale/generate-policy, in a folder of its own."""

    def __init__(self, folder):
        self.folder = folder
        run(os.path.join(TOP, "selftests", "scale", "generate-policy"), "--packets", 200, folder)
        with open(f"{folder}/policy.json", encoding="ascii") as file:
            self.text = file.read()

    def policy(self):
        """A copy with room for one more prefix, to be made larger in another way."""
        policy = json.loads(self.text)
        while len(policy["hosts"]) > 4000:
            policy["hosts"].popitem()
        policy["grants"] = [g for g in policy["grants"]
                            if not any(name.startswith("host-") for name in g["dst"] + g["src"])]
        policy["tests"] = []
        return policy

    def check(self, text, name="changed.json"):
        """(exit status, output, KiB of memory at most)"""
        path = f"{self.folder}/{name}"
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        with open(f"{self.folder}/output", "w+", encoding="utf-8") as output:
            with subprocess.Popen([TOWPATH, "check", path], stdin=subprocess.DEVNULL,
                                  stdout=output, stderr=output) as child:
                _, status, usage = os.wait4(child.pid, 0)
                child.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            return child.returncode, output.read().replace(path, "FILE"), usage.ru_maxrss

    def refused(self, policy, error):
        """As invalid, and for this reason alone."""
        status, output, _ = self.check(json.dumps(policy))
        check_equal((status, output), (3, f"FILE: {error}\n"), "check")


@contextlib.contextmanager
def generated():
    with tempfile.TemporaryDirectory(prefix="towpath-scale-") as folder:
        yield Scale(folder)


@case
def the_largest_policy_is_checked_in_bounded_memory(scale):
    status, output, memory = scale.check(scale.text)
    check_equal(status, 0, f"exit status: {output}")
    check("tests: 200 passed, 0 failed" in output, output)
    check(memory < MEMORY_MAX_KIB, f"{memory} KiB of memory")
    print(f"  {memory} KiB")


@case
def one_prefix_more_is_an_error(scale):
    policy = json.loads(scale.text)
    policy["hosts"]["one-more"] = "10.0.0.1"
    # the last in the file is the one that is too many
    scale.refused(policy, "$.tests[199].deny[0]: more than 100000 addresses and prefixes in the "
                  "file")


@case
def one_peer_more_is_an_error(scale):
    policy = scale.policy()
    peer = dict(policy["peers"]["peer-0"], addresses=["100.127.0.1"], public_key="A" * 43 + "=")
    policy["peers"]["one-more"] = peer
    scale.refused(policy, "$.peers: has 10001 peers; the limit is 10000")


@case
def one_grant_more_is_an_error(scale):
    policy = scale.policy()
    while len(policy["grants"]) <= 4096:
        policy["grants"].append({"src": ["peer-0"], "dst": ["peer-1"]})
    scale.refused(policy, "$.grants: has 4097 grants; the limit is 4096")


@case
def one_byte_more_is_an_error(scale):
    text = scale.text + " " * (FILE_MAX - len(scale.text))
    check_equal(scale.check(text)[0], 0, "exit status with 16 MiB")
    status, output, _ = scale.check(text + " ")
    check_equal((status, output),
                (1, f"towpath: check: read FILE: it is larger than {FILE_MAX} bytes\n"), "check")


if __name__ == "__main__":
    main(generated)
