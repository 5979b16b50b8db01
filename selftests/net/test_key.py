#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Another private key for the node: one reload, and nothing but the key is touched."""

import contextlib
import os

import snapshot
from daemon import Daemon
from lib import TOWPATH, Lab, case, check, check_equal, main, run, wait_until
from running import forwards
from scenes import open_policy

UNKNOWN = "this machine's key belongs to no node of the policy"


class KeyLab(Lab):
    """The lab's policy and key files, each to be changed by itself."""

    def __enter__(self):
        super().__enter__()
        self.file, self.key_file = f"{self.run_dir}/watched.json", f"{self.run_dir}/router.key"
        self.next_port, self.made = 21000, 0
        return self

    def recover(self):
        self.script("towpath", "down", ok=False)

    def key(self):
        """A new one: where it is, and its public half."""
        self.made += 1
        path = f"{self.run_dir}/new-{self.made}.key"
        return path, run(TOWPATH, "keygen", "--out", path).stdout.strip()

    def write(self, public):
        policy = open_policy(self)
        policy["nodes"]["homelab-1"]["public_key"] = public
        self.write_policy(policy, "next.json")
        os.rename(f"{self.run_dir}/next.json", self.file)

    def public(self):
        return self.towpath("pubkey", self.key_file).stdout.strip()

    def teach_phone(self, public):
        """What its owner does: the node's new key in place of the old one."""
        shown = self.exec("phone", "wg", "show", self.phone_tunnel, "peers").stdout.split()
        for old in (key for key in shown if key != public):
            self.exec("phone", "wg", "set", self.phone_tunnel, "peer", old, "remove")
        self.exec("phone", "wg", "set", self.phone_tunnel, "peer", public,
                  "endpoint", "192.0.2.1:51820", "allowed-ips",
                  "100.80.0.0/24,fd7a:70::/64,10.10.30.0/24,fd10:30::/64")

    def device_key(self):
        return self.exec("router", "wg", "show", self.tunnel, "public-key").stdout.strip()

    def stands(self):
        """What must not change: the namespace, its devices' numbers, the links, the peers."""
        status = self.json("status")
        return (snapshot.take(self.netns("router")), status["attachments"],
                status["policy"]["generation"],
                self.exec("router", "wg", "show", self.tunnel, "allowed-ips").stdout)

    @contextlib.contextmanager
    def running(self):
        self.write(self.public())
        self.teach_phone(self.public())
        with Daemon(self, self.file) as daemon:
            self.wait_for_tunnel()
            yield daemon
        self.script("towpath", "down", ok=False)


def rejected(lab):
    """The first error of the file, or the empty string."""
    found = lab.json("status")["policy"]["rejected"]
    return found["errors"][0]["message"] if found else ""


def check_rotated(lab, daemon, public, before):
    wait_until(lambda: lab.device_key() == public, "the new key")
    wait_until(lambda: not rejected(lab), "the file to be good")
    lab.teach_phone(public)
    forwards(lab)
    check_equal(lab.stands(), before, "all but the key")
    lines = [line for line in daemon.log().splitlines() if "private-key (changed)" in line]
    check_equal(len(lines), 1, f"steps for the key:\n{daemon.log()}")


@case
def the_key_first_and_then_the_policy(lab):
    with lab.running() as daemon:
        before, old = lab.stands(), lab.public()
        path, public = lab.key()
        os.rename(path, lab.key_file)
        wait_until(lambda: UNKNOWN in rejected(lab), "the rejection, by the key alone")
        check_equal((lab.stands(), lab.device_key()), (before, old), "nothing has changed")
        forwards(lab)
        lab.write(public)
        check_rotated(lab, daemon, public, before)


@case
def the_policy_first_and_then_the_key(lab):
    with lab.running() as daemon:
        before, old = lab.stands(), lab.public()
        path, public = lab.key()
        lab.write(public)
        wait_until(lambda: UNKNOWN in rejected(lab), "the rejection")
        check_equal((lab.stands(), lab.device_key()), (before, old), "nothing has changed")
        forwards(lab)
        os.rename(path, lab.key_file)
        check_rotated(lab, daemon, public, before)


@case
def a_key_that_cannot_be_read_changes_nothing(lab):
    with lab.running():
        before, old = lab.stands(), lab.public()
        os.rename(lab.key_file, f"{lab.key_file}.away")
        wait_until(lambda: lab.key_file in rejected(lab), "the rejection")
        check_equal((lab.stands(), lab.device_key()), (before, old), "nothing has changed")
        forwards(lab)
        os.rename(f"{lab.key_file}.away", lab.key_file)
        wait_until(lambda: not rejected(lab), "the file to be good")
        check_equal((lab.stands(), lab.device_key()), (before, old), "nothing has changed")


@case
def apply_does_it_in_one_step(lab):
    lab.write(lab.public())
    lab.teach_phone(lab.public())
    lab.towpath("apply", lab.file)
    lab.wait_for_tunnel()
    before, old = lab.stands(), lab.public()
    path, public = lab.key()
    os.rename(path, lab.key_file)
    done = lab.towpath("apply", lab.file, status=1)
    check(UNKNOWN in done.stderr, done.stderr)
    check_equal((lab.stands(), lab.device_key()), (before, old), "nothing has changed")
    lab.write(public)
    verbs = [(op["verb"], op["object"]) for op in lab.json("plan", lab.file)["ops"]]
    check_equal([v for v in verbs if v[1] != "policy"], [("set", f"tunnel {lab.tunnel}")], "steps")
    lab.towpath("apply", lab.file)
    lab.teach_phone(public)
    forwards(lab)
    check_equal((lab.stands(), lab.device_key()), (before, public), "all but the key")
    lab.towpath("down")


if __name__ == "__main__":
    main(KeyLab)
