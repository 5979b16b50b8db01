#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""`"enforce": "log"`: what the grants refuse goes through, and nobody can overlook that."""

from lib import Lab, case, check, check_equal, main, wait_until
from packets import TCP, forwarded, tcp

NOT_ENFORCED = "$.enforce: warning: the policy is NOT ENFORCED"


def policy_that(lab, enforce):
    policy = lab.policy()
    policy["enforce"] = enforce
    return policy


def would_refuse(lab):
    return lab.json("status")["flows"]["would_refuse"]


def reaches(lab, src, dst, sport):
    """A SYN to a port that no grant names, translated like any other."""
    sent = tcp(src, dst, sport, 8080)
    with lab.capture("web") as lan:
        lab.from_phone(sent)
        got = lan.expect(lambda p: p.proto == TCP and p.ports == (sport, 8080), "the SYN")
    source = lab.LAN6 if ":" in src else lab.LAN
    check_equal(got.raw.hex(), forwarded(sent, src=source).hex(), "the forwarded packet")


def shouts(lab, count):
    status = lab.json("status")
    check_equal(status["policy"]["enforce"], "log", "policy.enforce")
    check(not status["healthy"], "healthy")
    check("NOT ENFORCED" in status["problems"][0]["what"], status["problems"])
    first = lab.towpath("status").stdout.splitlines()[0]
    check("NOT ENFORCED" in first and f" {count} packets" in first, first)


@case
def what_is_refused_goes_through_and_status_says_so(lab):
    done = lab.apply(policy_that(lab, "log"))
    check(NOT_ENFORCED in done.stderr, f"apply warns: {done.stderr}")
    lab.wait_for_tunnel()
    before = lab.drops("acl")
    reaches(lab, lab.PHONE, lab.WEB, 20001)
    reaches(lab, lab.PHONE6, lab.WEB6, 20001)
    wait_until(lambda: would_refuse(lab) == 2, "would_refuse to be 2")
    check_equal(lab.drops("acl"), before, "drops.acl")
    shouts(lab, 2)


@case
def enforcing_again_refuses_the_same_flows(lab):
    lab.apply(policy_that(lab, "log"))
    lab.wait_for_tunnel()
    reaches(lab, lab.PHONE, lab.WEB, 20002)
    reaches(lab, lab.PHONE6, lab.WEB6, 20002)
    lab.apply(policy_that(lab, "on"))
    before, logged = lab.drops("acl"), would_refuse(lab)
    lab.from_phone(tcp(lab.PHONE, lab.WEB, 20002, 8080))
    lab.from_phone(tcp(lab.PHONE6, lab.WEB6, 20002, 8080))
    lab.counted("acl", before, 2)
    check_equal(would_refuse(lab), logged, "would_refuse")
    status = lab.json("status")
    check_equal((status["policy"]["enforce"], status["healthy"]), ("on", True), "status")


@case
def check_and_plan_warn(lab):
    path = lab.write_policy(policy_that(lab, "log"))
    report = lab.json("check", path)
    check(report["valid"], report)
    check_equal([w["place"] for w in report["warnings"]], ["$.enforce"], "warnings")
    lab.script("towpath", "down", ok=False)
    plan = lab.towpath("plan", path)
    check(NOT_ENFORCED in plan.stderr, plan.stderr)
    check(" NOT ENFORCED" in plan.stdout.splitlines()[-1], plan.stdout)


if __name__ == "__main__":
    main(Lab)
