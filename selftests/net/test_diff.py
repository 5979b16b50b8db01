#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The command `diff`: what it exits with, and what it prints where. What it finds is the business
of the unit and golden tiers."""

import json
import os
import tempfile

from lib import TOP, TOWPATH, Fixture, case, check, check_equal, main, run

EXAMPLE = f"{TOP}/docs/examples/homelab.json"
PHONE, LAN = "100.80.0.10", "10.10.30.0/24"
POLICY = """{ "version": 1,
  "nodes": { "gw": { "public_key": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
    "addresses": ["100.80.0.1"], "endpoint": "192.0.2.1:51820" } },
  "peers": { "phone": { "public_key": "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=",
    "addresses": ["100.80.0.10"] } },
  "grants": [ { "src": ["phone"], "dst": ["10.10.30.0/24"], "ip": [%s] } ],
  "tests": [ { "src": "phone", "accept": ["10.10.30.20:443"] } ] %s }
"""


def diff(old, new, *options):
    """Runs it on two texts, None for a file that is not there."""
    with tempfile.TemporaryDirectory() as directory:
        for name, text in (("old.json", old), ("new.json", new)):
            if text is not None:
                with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
                    file.write(text)
        return run(TOWPATH, "diff", "old.json", "new.json", *options, ok=False, cwd=directory)


def policy(ip, more=""):
    return POLICY % (ip, more)


@case
def exits_0_whether_they_differ_or_not(_):
    same = diff(policy('"tcp:443"'), policy('"tcp:443"'))
    check_equal((same.returncode, same.stderr), (0, ""), "the same")
    check_equal(same.stdout,
                "no difference: the grants of old.json and new.json allow the same\n", "said")
    other = diff(policy('"tcp:443", "udp:53"'), policy('"tcp:80-443"'))
    check_equal((other.returncode, other.stderr), (0, ""), "others")
    check_equal(other.stdout, "newly allowed:\n"
                f"+ phone ({PHONE}) -> {LAN}: tcp 80-442\n"
                "newly denied:\n"
                f"- phone ({PHONE}) -> {LAN}: udp 53\n", "said")


@case
def prints_json(_):
    done = diff(policy('"tcp:443"'), policy('"tcp:443", "80"'), "--json")
    block = {"src": PHONE, "dst": LAN, "ports": "80"}
    check_equal(json.loads(done.stdout),
                {"allowed": [{**block, "proto": "tcp"}, {**block, "proto": "udp"}],
                 "denied": []}, "blocks")
    done = diff(policy('"tcp:443"'), policy('"tcp:443"'), "--json")
    check_equal(json.loads(done.stdout), {"allowed": [], "denied": []}, "no blocks")


@case
def names_the_file_that_is_invalid(_):
    good, bad = policy('"tcp:443"'), policy('"tcp:0"')
    for old, new, name in ((good, bad, "new.json"), (bad, good, "old.json")):
        done = diff(old, new)
        check_equal((done.returncode, done.stdout), (3, ""), name)
        check(done.stderr.startswith(f"{name}: $.grants[0].ip[0]: "), done.stderr)
    done = diff(bad, bad)
    check_equal((done.returncode, len(done.stderr.splitlines())), (3, 2), "both")


@case
def a_missing_file_is_named(_):
    good = policy('"443"')
    for old, new, name in ((None, good, "old.json"), (good, None, "new.json")):
        done = diff(old, new)
        check_equal((done.returncode, done.stdout), (1, ""), name)
        check(name in done.stderr, done.stderr)


@case
def a_failing_test_of_new_is_exit_4_and_the_difference_is_shown(_):
    done = diff(policy('"tcp:443"'), policy('"tcp:80"'))
    check_equal(done.returncode, 4, "exit status")
    check(done.stderr.startswith("new.json: $.tests[0].accept[0]: "), done.stderr)
    check("- phone" in done.stdout and "+ phone" in done.stdout, done.stdout)


@case
def a_failing_test_of_old_is_a_warning(_):
    done = diff(policy('"tcp:80"'), policy('"tcp:443"'))
    check_equal(done.returncode, 0, "exit status")
    check(done.stderr.startswith("old.json: $.tests[0].accept[0]: warning: "), done.stderr)


@case
def what_this_build_cannot_serve_is_compared_too(_):
    more = ', "enforce": "log", "metrics": { "listen": "127.0.0.1:9586" }'
    done = diff(policy('"tcp:443"'), policy('"tcp:443"', more))
    check_equal((done.returncode, done.stderr), (0, ""), "exit status")


@case
def wants_two_files(_):
    done = run(TOWPATH, "diff", EXAMPLE, ok=False)
    check_equal(done.returncode, 2, "exit status")
    done = run(TOWPATH, "diff", EXAMPLE, EXAMPLE)
    check(done.stdout.startswith("no difference: "), done.stdout)


class NoLab(Fixture):
    """The command needs none."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


if __name__ == "__main__":
    main(NoLab)
