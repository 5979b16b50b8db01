#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""What holds without a daemon: the programs know by themselves when a key and when a flow expires,
and `down` needs nobody's memory, also of an apply that was killed, also beside a broken file."""

import os
import signal
import subprocess
import time

import snapshot
from daemon import Daemon
from lib import DEADLINE_S, TOWPATH, Lab, case, check, check_equal, main, wait_until
from packets import udp
from scenes import open_policy, pairs, run_files

KILLED_AFTER_S = (0.05, 0.3, 0.8, 1.5, 2.5)     # of an apply, which takes a second or three


class Alone(Lab):
    """Each case begins with nothing set up."""

    def recover(self):
        self.script("towpath", "down", ok=False)


def arrives(lab, port):
    for phone, server in pairs(lab):
        with lab.capture("web") as capture:
            lab.from_phone(udp(phone, server, port, 443, b"arrives"))
            capture.expect_payload(b"arrives")


@case
def an_expired_peer_is_refused(lab):
    """What goes on as well as what begins, of both families."""
    expiry = int(time.time()) + 2 * DEADLINE_S
    policy = open_policy(lab)
    policy["peers"]["phone"]["key_expiry"] = time.strftime("%Y-%m-%dT%H:%M:%SZ",
                                                           time.gmtime(expiry))
    lab.apply(policy)
    lab.wait_for_tunnel()
    arrives(lab, 29000)
    check(time.time() < expiry, "this machine is too slow for the case")
    wait_until(lambda: time.time() > expiry + 1, "the key to expire", 3 * DEADLINE_S)
    before = lab.drops("peer_expired")
    for number, source_port in enumerate((29000, 29001)):
        for phone, server in pairs(lab):
            lab.from_phone(udp(phone, server, source_port, 443, b"too late"))
        lab.counted("peer_expired", before, 2 * (number + 1))
    check_equal(lab.json("status")["daemon"], None, "daemon")
    lab.towpath("down")


@case
def a_flow_expires(lab):
    """The same packet after the time of its flow begins another one."""
    policy = open_policy(lab)
    policy.setdefault("limits", {})["timeouts"] = {"udp": 2}
    lab.apply(policy)
    lab.wait_for_tunnel()
    arrives(lab, 29000)
    created = lab.json("status")["flows"]["created"]
    arrives(lab, 29000)
    check_equal(lab.json("status")["flows"]["created"], created, "flows while it lives")
    time.sleep(3)
    arrives(lab, 29000)
    check_equal(lab.json("status")["flows"]["created"], created + 2, "flows after it")
    lab.towpath("down")


@case
def down_takes_back_an_apply_that_was_killed(lab):
    before = snapshot.take(lab.netns("router"))
    path = lab.write_policy(open_policy(lab))
    for seconds in KILLED_AFTER_S:
        with subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{lab.netns('router')}", "--", TOWPATH, "apply", path,
                 "--instance", lab.instance], stderr=subprocess.DEVNULL) as process:
            time.sleep(seconds)
            process.send_signal(signal.SIGKILL)
        with open(path, "w", encoding="ascii") as file:
            file.write("{")     # nor is there a policy any more that could be read
        done = lab.script("towpath", "down", ok=False)     # 0, or 5 when nothing was there yet
        # the starter of a tunnel may outlive who started it for a moment
        wait_until(lambda: not leftover(lab, before), f"all to be gone, killed after {seconds} s")
        check(not os.path.exists(lab.pins), f"{lab.pins} is there still, killed after {seconds} s: "
              f"{[*os.walk(lab.pins)]}\n{done.returncode} {done.stderr}")
        path = lab.write_policy(open_policy(lab))


@case
def down_leaves_no_file_of_a_daemon_that_was_killed(lab):
    path = lab.write_policy(open_policy(lab))
    with Daemon(lab, path) as daemon:
        daemon.wait_for_ready()
        daemon.process.kill()
    check_equal(run_files(lab), ["lock", "policy", "sock"], "files")
    lab.towpath("down")
    check_equal(run_files(lab), [], "files")
    lab.towpath("down", status=5)
    check_equal(run_files(lab), [], "files when nothing is set up")


def leftover(lab, before):
    rest = snapshot.difference(before, snapshot.take(lab.netns("router")))
    if rest:
        lab.script("towpath", "down", ok=False)
    return rest


if __name__ == "__main__":
    main(Alone)
