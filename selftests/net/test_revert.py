#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""What `apply --try` puts back when the machine is not any more as it was: key files that are
elsewhere or another's, names that nobody resolves, a port that is taken. EVERY_DAMAGE=1 keeps the
port for longer."""

import json
import os
import socket
import subprocess
import time

import snapshot
from lib import TOWPATH, Lab, bound_socket, case, check, check_equal, main, run, wait_until
from running import end_of_trial
from scenes import open_policy

TRIAL_S = 2
PATIENCE_S = TRIAL_S + 15
TAKEN_S = 15 if os.environ.get("EVERY_DAMAGE") else 3
NAME = "phone.example"
UNDERLAY = "192.0.2.10"


class RevertLab(Lab):
    """Each case begins with nothing set up, in the lab's directory."""

    def __enter__(self):
        super().__enter__()
        self.key_file = f"{self.run_dir}/router.key"
        self.record = f"/run/towpath/{self.instance}.try"
        return self

    def recover(self):
        self.script("towpath", "down", ok=False)

    def key(self, path):
        """A new one in place of what is there; its public half."""
        if os.path.exists(path):
            os.unlink(path)
        return run(TOWPATH, "keygen", "--out", path).stdout.strip()

    def read_key(self):
        with open(self.key_file, encoding="ascii") as file:
            return file.read()

    def put_key(self, text):
        with open(self.key_file, "w", encoding="ascii") as file:
            file.write(text)

    def with_psk(self):
        policy = open_policy(self)
        policy["peers"]["phone"]["preshared_key_file"] = "phone.psk"
        self.key(f"{self.run_dir}/phone.psk")
        return policy

    def apply_here(self, policy, *options, name="changed.json", wrap=()):
        """From the lab's directory, which relative paths are meant from."""
        self.write_policy(policy, name)
        done = subprocess.run(
            ["nsenter", f"--net=/run/netns/{self.netns('router')}", "--", *wrap, TOWPATH, "apply",
             name, "--instance", self.instance, *options], cwd=self.run_dir, text=True,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
        check_equal(done.returncode, 0, f"exit status of apply {options}\n{done.stderr}")

    def try_here(self, policy, seconds=TRIAL_S, wrap=()):
        self.apply_here(policy, "--try", str(seconds), name="tried.json", wrap=wrap)

    def in_force(self):
        """Of the policy, the device and its keys."""
        dump = self.exec("router", "wg", "show", self.tunnel, "dump").stdout.splitlines()
        return (self.json("status")["policy"]["sha256"], snapshot.take(self.netns("router")),
                [line.split("\t")[:2] for line in dump])

    def endpoint(self):
        return self.exec("router", "wg", "show", self.tunnel, "endpoints").stdout.split()[1]

    def trial_says(self):
        with open(f"{self.record}.log", encoding="utf-8") as file:
            return file.read()

    def comes_back(self, before, seconds=PATIENCE_S):
        end_of_trial(self, seconds)
        said = self.trial_says()
        policy, state, keys = self.in_force()
        check_equal(policy, before[0], f"policy\n{said}")
        check_equal(snapshot.difference(before[1], state), [], f"difference\n{said}")
        check_equal(keys, before[2], f"keys\n{said}")
        self.towpath("down")


def narrowed(policy, **tunnel):
    """One address more, as a change that shows."""
    policy = json.loads(json.dumps(policy))
    policy["nodes"]["homelab-1"]["addresses"].append("100.80.0.2")
    policy["tunnel"].update(tunnel)
    return policy


def with_another_key(lab):
    """(what is in force, the node's key, a policy for the new one that is in its file now)"""
    policy = lab.with_psk()
    lab.apply_here(policy)
    before, key, tried = lab.in_force(), lab.read_key(), narrowed(policy)
    tried["nodes"]["homelab-1"]["public_key"] = lab.key(lab.key_file)
    return before, key, tried


@case
def with_other_keys_in_the_same_files(lab):
    """What was in force had the keys that WireGuard knows."""
    before, key, tried = with_another_key(lab)
    lab.key(f"{lab.run_dir}/phone.psk")
    try:
        lab.try_here(tried)
        check(lab.in_force()[2] != before[2], "other keys are on trial")
        lab.comes_back(before)
    finally:
        lab.put_key(key)


@case
def with_key_files_of_relative_paths_and_without_them(lab):
    """The guardian is elsewhere; and then both are gone."""
    policy = lab.with_psk()
    policy["tunnel"]["private_key_file"] = "router.key"
    lab.apply_here(policy)
    before = lab.in_force()
    without = narrowed(policy)
    del without["peers"]["phone"]
    without["peers"]["other"] = {"public_key": "M" * 42 + "E=", "addresses": ["100.80.0.12"]}
    without["groups"] = {}
    lab.try_here(without)
    os.rename(lab.key_file, f"{lab.key_file}.away")
    os.unlink(f"{lab.run_dir}/phone.psk")
    try:
        lab.comes_back(before)
    finally:
        os.rename(f"{lab.key_file}.away", lab.key_file)


@case
def what_could_not_be_put_back_is_not_left(lab):
    """The key that is needed is nowhere: neither in its file nor in WireGuard."""
    before, key, tried = with_another_key(lab)
    lab.exec("router", "wg", "set", lab.tunnel, "private-key", lab.key_file)
    try:
        done = lab.script("towpath", "apply", lab.write_policy(tried, "tried.json"), "--try",
                          "300", ok=False, cwd=lab.run_dir)
        check_equal(done.returncode, 1, f"exit status\n{done.stderr}")
        check("could not be put back: this machine's key belongs to no node" in done.stderr,
              done.stderr)
        check(not os.path.exists(lab.record), "no trial is on")
        check_equal(lab.in_force()[0], before[0], "policy")
    finally:
        lab.put_key(key)
    lab.towpath("down")


@case
def it_is_tried_until_it_works(lab):
    """The port of the policy before is taken for a while."""
    policy = open_policy(lab)
    lab.apply_here(policy)
    before = lab.in_force()
    lab.try_here(narrowed(policy, listen_port=51999))
    with bound_socket(lab, "router", socket.SOCK_DGRAM, "0.0.0.0", 51820):
        wait_until(lambda: "could not" in lab.trial_says(), "the first try to fail", PATIENCE_S)
        lab.towpath("status", "--healthy", status=1)
        check("again" in lab.script("towpath", "apply", lab.policy_path, ok=False).stderr,
              "apply says that it is tried again")
        time.sleep(TAKEN_S)
    lab.comes_back(before, PATIENCE_S + TAKEN_S)


@case
def down_ends_what_is_tried_again(lab):
    policy = open_policy(lab)
    lab.apply_here(policy)
    lab.try_here(narrowed(policy, listen_port=51999), 1)
    with bound_socket(lab, "router", socket.SOCK_DGRAM, "0.0.0.0", 51820):
        wait_until(lambda: "could not" in lab.trial_says(), "the first try to fail", PATIENCE_S)
        wait_until(lambda: not lab.script("towpath", "down", ok=False).returncode,
                   "down between two tries")
    check(not os.path.exists(lab.record), "the trial is over")
    lab.towpath("status", status=5)


@case
def without_asking_for_names(lab):
    """A trial that cuts the way to the name server: the names of the policy before are known."""
    etc = {"hosts": f"127.0.0.1 localhost\n{UNDERLAY} {NAME}\n", "resolv.conf": "",
           "nsswitch.conf": "hosts: files\n"}
    for name, text in etc.items():
        lab.write_policy(text, name)
    mounts = "".join(f"mount --bind {lab.run_dir}/{name} /etc/{name}; " for name in etc)
    wrap = ("unshare", "--mount", "sh", "-c", mounts + 'exec "$@"', "-")
    policy = open_policy(lab)
    policy["peers"]["phone"]["endpoint"] = f"{NAME}:40123"
    lab.apply_here(policy, wrap=wrap)
    before, endpoint = lab.in_force(), lab.endpoint()
    check_equal(endpoint, f"{UNDERLAY}:40123", "endpoint")
    tried = narrowed(policy)
    tried["peers"]["phone"]["endpoint"] = "192.0.2.77:40000"
    lab.try_here(tried, wrap=wrap)
    lab.write_policy("hosts: dns\n", "nsswitch.conf")
    lab.write_policy("nameserver 127.0.0.1\noptions timeout:30 attempts:1\n", "resolv.conf")
    with bound_socket(lab, "router", socket.SOCK_DGRAM, "127.0.0.1", 53):
        wait_until(lambda: not os.path.exists(lab.record), "the trial to end", PATIENCE_S)
        check_equal(lab.endpoint(), endpoint, "endpoint")
    lab.comes_back(before)


if __name__ == "__main__":
    main(RevertLab)
