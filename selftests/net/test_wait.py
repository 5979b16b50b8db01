#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""A node that has nothing to set up yet: `run` makes a missing key and waits for the policy to know
it; one that the policy does not list idles."""

import os
import stat

import snapshot
from lib import DEADLINE_S, case, check, check_equal, main, run, wait_until
from running import PROMPT_S, RunLab, forwards
from scenes import open_policy

NODE = "homelab-1"


class WaitLab(RunLab):
    def key_file(self):
        return f"{self.run_dir}/node/private.key"

    def policy_of(self, public_key=None):
        """The lab's, whose node has its key in a file of its own."""
        policy = open_policy(self)
        policy["tunnel"]["private_key_file"] = self.key_file()
        policy["nodes"][NODE].pop("tunnel", None)
        if public_key:
            policy["nodes"][NODE]["public_key"] = public_key
        return policy

    def lose_key(self):
        if os.path.exists(self.key_file()):
            os.unlink(self.key_file())

    def public_key(self):
        return self.towpath("pubkey", self.key_file()).stdout.strip()


def state_of(lab):
    return snapshot.take(lab.netns("router"))


def changes(lab, before):
    """But for the daemon's own process."""
    return [change for change in snapshot.difference(before, state_of(lab))
            if not change.startswith("processes")]


def use_key_of_lab(lab):
    """So that the lab's phone has a router to talk to."""
    with open(f"{lab.run_dir}/router.key", encoding="ascii") as source:
        key = source.read()
    with open(lab.key_file() + ".new", "w", encoding="ascii") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(key)
    os.rename(lab.key_file() + ".new", lab.key_file())


@case
def a_missing_key_is_made_and_waited_for(lab):
    lab.lose_key()
    before = state_of(lab)
    with lab.running("--node", NODE, policy=lab.policy_of(), ready=False) as daemon:
        wait_until(lambda: "waiting" in daemon.log(), "it to wait", PROMPT_S)
        check_equal(stat.S_IMODE(os.stat(lab.key_file()).st_mode), 0o600, "mode")
        public_key = lab.public_key()
        check(f"made a private key, {lab.key_file()}; public key: {public_key}" in daemon.log(),
              daemon.log())
        status = lab.json("status")
        check_equal([p["what"] for p in status["problems"]],
                    [f'the policy has not the public key of this node ("{NODE}"): {public_key}'],
                    "problems")
        lab.towpath("status", "--healthy", status=1)
        check(not any("READY" in message for message in daemon.messages()), "it is not ready")
        check_equal(changes(lab, before), [], "nothing is set up")
        lab.write(lab.policy_of(public_key))
        daemon.wait_for_ready()
        lab.towpath("status", "--healthy")
        check_equal(lab.public_key(), public_key, "the key stays")


@case
def the_right_key_ends_the_wait_too(lab):
    with lab.running("--node", NODE, policy=lab.policy_of(), ready=False) as daemon:
        wait_until(lambda: "waiting" in daemon.log(), "it to wait", PROMPT_S)
        use_key_of_lab(lab)
        daemon.wait_for_ready()
        lab.wait_for_tunnel()
        forwards(lab)
        lab.towpath("status", "--healthy")
        check(True, "it forwards")


def put_lan_addresses(lab, verb):
    for address in (f"{lab.LAN}/24", f"{lab.LAN6}/64"):
        run("ip", "-n", lab.netns("router"), "address", verb, address, "dev", "lan0")


@case
def what_fails_after_the_wait_is_tried_again(lab):
    lab.lose_key()
    with lab.running("--node", NODE, policy=lab.policy_of(), ready=False) as daemon:
        wait_until(lambda: "waiting" in daemon.log(), "it to wait", PROMPT_S)
        put_lan_addresses(lab, "del")
        lab.write(lab.policy_of(lab.public_key()))
        wait_until(lambda: any("no device leads to" in message["STATUS"]
                               for message in daemon.messages()),
                   "the lack of a LAN to be told", DEADLINE_S)
        check("and none is in force" in daemon.messages()[-1]["STATUS"], f"{daemon.messages()}")
        told = [p["what"] for p in lab.json("status")["problems"]]
        check("and none is in force" in told[0], f"problems {told}")
        check(not any("READY" in message for message in daemon.messages()), "it is not ready")
        put_lan_addresses(lab, "add")
        daemon.wait_for_ready()
        lab.towpath("status", "--healthy")


@case
def a_broken_file_is_told_while_it_is_there(lab):
    lab.lose_key()
    with lab.running("--node", NODE, policy=lab.policy_of(), ready=False) as daemon:
        for _ in range(2):
            for policy, told in ((lab.policy_of(), "has not the public key of this node"),
                                 ("{", "REJECTED, and none is in force")):
                lab.write(policy)
                wait_until(lambda t=told: any(t in message["STATUS"]
                                              for message in daemon.messages()[-1:]),
                           f"STATUS= with {told}", DEADLINE_S)
                problems = [p["what"] for p in lab.json("status")["problems"]]
                check(len(problems) == 1 and told in problems[0], f"problems {problems}")
        check(not any("READY" in message for message in daemon.messages()), "it is not ready")


@case
def a_node_that_is_not_listed_idles(lab):
    lab.lose_key()
    before = state_of(lab)
    with lab.running("--node", "elsewhere", policy=lab.policy_of()):
        status = lab.json("status")
        check_equal((status["healthy"], status["problems"]), (True, []), "healthy")
        check('does not list node "elsewhere"' in status["notes"][0]["what"] and
              lab.public_key() in status["notes"][0]["what"], f"notes {status['notes']}")
        lab.towpath("status", "--healthy")
        check_equal(changes(lab, before), [], "nothing is set up")
        policy = lab.policy_of(lab.public_key())
        policy["nodes"]["elsewhere"] = policy["nodes"].pop(NODE)
        for route in policy["auto_approvers"]["routes"].values():
            check("tag:k8s" in route, "the tag approves it")
        lab.write(policy)
        wait_until(lambda: lab.json("status")["node"] == "elsewhere", "its part", DEADLINE_S)
        lab.towpath("status", "--healthy")


@case
def a_key_that_is_lost_later_is_not_replaced(lab):
    os.makedirs(os.path.dirname(lab.key_file()), exist_ok=True)
    use_key_of_lab(lab)
    with lab.running("--node", NODE, policy=lab.policy_of()) as daemon:
        lab.wait_for_tunnel()
        lab.lose_key()
        wait_until(lambda: lab.key_file() in daemon.log().rpartition("watching")[2],
                   "it to say so", PROMPT_S)
        check(not os.path.exists(lab.key_file()), "no key is made")
        forwards(lab)


if __name__ == "__main__":
    main(WaitLab)
