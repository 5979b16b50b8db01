#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""A node that has nothing to set up yet: `run` makes a missing key and waits for the policy to know
it; one that the policy does not list idles; one that boots waits for its LAN."""

import contextlib
import os
import re
import stat

import snapshot
from daemon import BUSY_S, HTTP_PORT, Daemon
from lib import DEADLINE_S, SLOWNESS, case, check, check_equal, main, run, wait_until
from running import PROMPT_S, RunLab, forwards, same_flow
from scenes import open_policy, run_files

NODE = "homelab-1"
GLANCE_S = 3 * SLOWNESS     # less than between two looks that the kernel has not asked for


class WaitLab(RunLab):
    def key_file(self):
        return f"{self.run_dir}/node/private.key"

    def policy_of(self, public_key=None):
        """The lab's, whose node has its key in a file of its own."""
        policy = open_policy(self)
        policy["tunnel"]["private_key_file"] = self.key_file()
        policy["nodes"][NODE].pop("tunnel", None)
        policy["metrics"] = {"listen": f"127.0.0.1:{HTTP_PORT}"}
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
        code, _, body = daemon.fetch("/readyz")
        check(code == 503 and public_key in body, f"/readyz {code}: {body}")
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


@case
def what_fails_after_the_wait_is_tried_again(lab):
    lab.lose_key()
    with lab.running("--node", NODE, policy=lab.policy_of(), ready=False) as daemon:
        wait_until(lambda: "waiting" in daemon.log(), "it to wait", PROMPT_S)
        run("ip", "-n", lab.netns("router"), "link", "add", lab.tunnel, "type", "bridge")
        lab.write(lab.policy_of(lab.public_key()))
        wait_until(lambda: any("which towpath did not make" in message["STATUS"]
                               for message in daemon.messages()),
                   "the name that is taken to be told", DEADLINE_S)
        check("and none is in force" in daemon.messages()[-1]["STATUS"], f"{daemon.messages()}")
        told = [p["what"] for p in lab.json("status")["problems"]]
        check("and none is in force" in told[0], f"problems {told}")
        check(not any("READY" in message for message in daemon.messages()), "it is not ready")
        run("ip", "-n", lab.netns("router"), "link", "del", lab.tunnel)
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
    with lab.running("--node", "elsewhere", policy=lab.policy_of()) as daemon:
        status = lab.json("status")
        check_equal((status["healthy"], status["problems"]), (True, []), "healthy")
        check('does not list node "elsewhere"' in status["notes"][0]["what"] and
              lab.public_key() in status["notes"][0]["what"], f"notes {status['notes']}")
        check_equal(daemon.fetch("/readyz")[::2], (200, "ready\n"), "/readyz")
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


# ---- a node that boots ------------------------------------------------------------------

def change(lab, *what):
    run("ip", "-n", lab.netns("router"), *what)


def put_addresses(lab, verb, *addresses):
    for address in addresses or (f"{lab.LAN}/24", f"{lab.LAN6}/64"):
        change(lab, "address", verb, address, "dev", "lan0")


def make_lan(lab):
    """The router's device, as a cable to the switch that is plugged in."""
    run("ip", "-n", lab.netns("lan"), "link", "add", "router", "type", "veth", "peer", "name",
        "lan0", "netns", lab.netns("router"))
    run("ip", "-n", lab.netns("lan"), "link", "set", "router", "master", "switch", "up")
    lab.exec("lan", "ethtool", "-K", "router", "rx", "off")
    lab.exec("router", "ethtool", "-K", "lan0", "rx", "off", "tx", "off")
    change(lab, "link", "set", "lan0", "up")
    put_addresses(lab, "add")


@contextlib.contextmanager
def addresses_kept(lab):
    """All of them are there behind it, whatever the case has put."""
    try:
        yield
    finally:
        change(lab, "address", "flush", "dev", "lan0", "scope", "global")
        put_addresses(lab, "add")


@contextlib.contextmanager
def without_addresses(lab):
    with addresses_kept(lab):
        put_addresses(lab, "del")
        yield


@contextlib.contextmanager
def without_lan(lab):
    change(lab, "link", "del", "lan0")
    try:
        yield
    finally:
        if run("ip", "-n", lab.netns("router"), "link", "show", "lan0", ok=False).returncode:
            make_lan(lab)


def lacks(prefix):
    return (f"no device leads to {prefix}, which {NODE} advertises: "
            f"set nodes.{NODE}.lan_interfaces")


def waits_for(daemon, text, seconds=BUSY_S):
    """And tells nothing else: the service manager, who looks, and who asks over HTTP."""
    wait_until(lambda: daemon.process.poll() is not None or
               [m["STATUS"] for m in daemon.messages()[-1:]] == [text], f"STATUS={text}", seconds)
    check(daemon.process.poll() is None, f"run ended:\n{daemon.log()}")
    for status in (daemon.lab.json("status"), daemon.status()):
        check_equal([p["what"] for p in status["problems"]], [text], "problems")
    daemon.lab.towpath("status", "--healthy", status=1)
    code, _, body = daemon.fetch("/readyz")
    check(code == 503 and text in body, f"/readyz {code}: {body}")
    check_equal(daemon.fetch("/healthz")[0], 200, "/healthz")
    check_equal(daemon.metrics().values("towpath_ready"), {(): 0}, "towpath_ready")
    check(not any("READY" in message for message in daemon.messages()), "it is not ready")


def comes_up(lab, daemon):
    daemon.wait_for_ready()
    lab.wait_for_tunnel()
    forwards(lab)
    lab.towpath("status", "--healthy")
    check_equal(daemon.messages()[-1]["STATUS"], f"the policy of {lab.file} is in force", "STATUS")
    check_equal(lab.json("plan", lab.file)["ops"], [], "the plan")
    same_flow(lab)


def repairs(daemon):
    return sum(daemon.metrics().values("towpath_repairs_total").values())


@contextlib.contextmanager
def waiting_for_the_lan(lab):
    before = state_of(lab)
    with lab.running(policy=open_policy(lab), ready=False) as daemon:
        waits_for(daemon, lacks("10.10.30.0/24"))
        check_equal(changes(lab, before), [], "nothing is set up")
        yield daemon


@case
def addresses_of_a_lan_are_waited_for(lab):
    """Each is seen when the kernel tells of it, however often one has come and gone."""
    with without_addresses(lab), waiting_for_the_lan(lab) as daemon:
        reads = daemon.reads()
        for _ in range(4):
            put_addresses(lab, "add", f"{lab.LAN}/24")
            waits_for(daemon, lacks("fd10:30::/64"), GLANCE_S)
            put_addresses(lab, "del", f"{lab.LAN}/24")
            waits_for(daemon, lacks("10.10.30.0/24"), GLANCE_S)
        check_equal(daemon.reads(), reads, "reloads that somebody asked for")
        put_addresses(lab, "add")
        comes_up(lab, daemon)
        check_equal((daemon.log().count("waiting"), repairs(daemon)), (9, 0),
                    f"lines about it, and repairs, in\n{daemon.log()}")


@case
def a_lan_device_is_waited_for(lab):
    with without_lan(lab), waiting_for_the_lan(lab) as daemon:
        make_lan(lab)
        comes_up(lab, daemon)


@case
def a_lan_device_that_is_named_is_waited_for(lab):
    policy = open_policy(lab)
    policy["nodes"][NODE]["lan_interfaces"] = ["lan0"]
    with without_lan(lab):
        with lab.running(policy=policy, ready=False) as daemon:
            waits_for(daemon, f"{NODE} advertises routes, but no device matches its "
                              f"lan_interfaces: set nodes.{NODE}.lan_interfaces")
            make_lan(lab)
            comes_up(lab, daemon)


@case
def a_way_to_what_is_behind_the_lan_is_waited_for(lab):
    """Routes of others may be many, and are looked at less often; not by who waits for one."""
    policy = open_policy(lab)
    policy["nodes"][NODE]["advertise_routes"] = ["10.10.99.0/24", "fd10:30:99::/64"]
    ways = (("10.10.99.0/24", lab.WEB), ("fd10:30:99::/64", lab.WEB6))
    with lab.running(policy=policy, ready=False) as daemon:
        waits_for(daemon, lacks("10.10.99.0/24"))
        change(lab, "route", "add", ways[0][0], "via", ways[0][1])
        for _ in range(4):
            waits_for(daemon, lacks("fd10:30:99::/64"), GLANCE_S)
            change(lab, "route", "del", ways[0][0])
            waits_for(daemon, lacks("10.10.99.0/24"), GLANCE_S)
            change(lab, "route", "add", ways[0][0], "via", ways[0][1])
        change(lab, "route", "add", ways[1][0], "via", ways[1][1])
        daemon.wait_for_ready()
        lab.towpath("status", "--healthy")
    for prefix, _ in ways:
        change(lab, "route", "del", prefix)


@case
def a_device_that_an_address_of_ours_goes_on_is_waited_for(lab):
    """Its LAN is far: it is asked for on the device that leads there."""
    policy = open_policy(lab)
    policy["routes"]["10.10.30.0/24"]["snat"] = "10.10.30.77"
    policy["nodes"][NODE]["lan_interfaces"] = ["wan0"]
    with without_lan(lab), lab.running(policy=policy, ready=False) as daemon:
        waits_for(daemon, "routes.10.10.30.0/24.snat: no LAN device of this node leads there")
        policy["nodes"][NODE]["lan_interfaces"] = []
        lab.write(policy)
        waits_for(daemon, lacks("10.10.30.0/24"))
        make_lan(lab)
        comes_up(lab, daemon)


@case
def a_policy_is_followed_while_the_lan_is_waited_for(lab):
    policy, other = open_policy(lab), open_policy(lab)
    other["nodes"][NODE]["advertise_routes"] = ["10.10.99.0/24"]
    with without_addresses(lab), waiting_for_the_lan(lab) as daemon:
        lab.write(other)
        waits_for(daemon, lacks("10.10.99.0/24"))
        lab.write("{")
        wait_until(lambda: "REJECTED, and none is in force" in daemon.messages()[-1]["STATUS"],
                   "the rejection", PROMPT_S)
        rejected = daemon.metrics().values("towpath_reloads_total")
        put_addresses(lab, "add")
        problems = [p["what"] for p in lab.json("status")["problems"]]
        check(len(problems) == 1 and "and none is in force" in problems[0], f"{problems}")
        check_equal(daemon.metrics().values("towpath_reloads_total"), rejected, "reloads")
        put_addresses(lab, "del")
        lab.write(policy)
        waits_for(daemon, lacks("10.10.30.0/24"))
        put_addresses(lab, "add")
        comes_up(lab, daemon)


@case
def what_ends_while_it_waits_leaves_nothing(lab):
    with without_addresses(lab):
        before, pins = state_of(lab), os.path.exists(lab.pins)
        with lab.running(policy=open_policy(lab), ready=False) as daemon:
            waits_for(daemon, lacks("10.10.30.0/24"))
            check_equal(daemon.leave(), 0, "exit status")
            check_equal((changes(lab, before), os.path.exists(lab.pins)), ([], pins), "left")
            lab.towpath("status", status=5)
        with lab.running("--cleanup-on-exit", policy=open_policy(lab), ready=False) as daemon:
            wait_until(lambda: "waiting" in daemon.log(), "it to wait", PROMPT_S)
            check_equal(daemon.leave(), 0, "exit status")
            check_equal((changes(lab, before), run_files(lab)), ([], []), "left and cleaned up")


# ---- one that has a policy in force -----------------------------------------------------

def tells(daemon, text, seconds):
    wait_until(lambda: text in daemon.messages()[-1].get("STATUS", ""), f"STATUS= with {text}",
               seconds)


def is_healthy(lab):
    return lab.script("towpath", "status", "--healthy", ok=False).returncode == 0


@case
def a_lan_that_is_lost_is_seen_when_it_is_back(lab):
    with addresses_kept(lab), lab.running(policy=open_policy(lab)) as daemon:
        lab.wait_for_tunnel()
        same_flow(lab)
        for _ in range(4):
            put_addresses(lab, "del")
            tells(daemon, lacks("10.10.30.0/24"), GLANCE_S)
            put_addresses(lab, "add", f"{lab.LAN}/24")
            tells(daemon, lacks("fd10:30::/64"), GLANCE_S)
            put_addresses(lab, "add", f"{lab.LAN6}/64")
            tells(daemon, "is in force", GLANCE_S)
        lab.towpath("status", "--healthy")
        same_flow(lab)
        forwards(lab)


def listener(lab):
    """The HTTP server's socket, by its inode."""
    told = lab.exec("router", "ss", "-Hltne", "sport", "=", f":{HTTP_PORT}").stdout
    return re.search(r" ino:(\d+) ", told)[1]


@case
def nobody_is_hung_up_on_while_a_new_policy_lacks_its_lan(lab):
    """Which wants another listener on that port: not before it is in force."""
    policy = dict(open_policy(lab), metrics={"listen": f"127.0.0.1:{HTTP_PORT}"})
    with lab.running("--node", NODE, policy=policy) as daemon, without_addresses(lab):
        tells(daemon, lacks("10.10.30.0/24"), PROMPT_S)
        before = listener(lab)
        lab.write(dict(policy, metrics={"listen": f"0.0.0.0:{HTTP_PORT}"}))
        tells(daemon, "policy file REJECTED", PROMPT_S)
        check_equal(listener(lab), before, "listener")
        put_addresses(lab, "add", f"{lab.LAN}/24")
        put_addresses(lab, "add", f"{lab.LAN6}/64")
        tells(daemon, "is in force", GLANCE_S)
        check(listener(lab) != before, "the new one")


@case
def a_restart_without_the_lan_is_well_once_it_is_there(lab):
    """The file is not in force then, though it is the same."""
    with lab.running(policy=open_policy(lab)) as daemon:
        lab.wait_for_tunnel()
        same_flow(lab)
        daemon.leave()
        with without_addresses(lab), Daemon(lab, lab.file) as daemon:
            told = lacks("10.10.30.0/24")
            tells(daemon, told, PROMPT_S)
            check(any(told in p["what"] for p in lab.json("status")["problems"]), "a problem")
            rejected = daemon.metrics().value("towpath_reloads_total", "rejected")
            put_addresses(lab, "add", f"{lab.LAN}/24")
            tells(daemon, lacks("fd10:30::/64"), GLANCE_S)
            check_equal(daemon.metrics().value("towpath_reloads_total", "rejected"), rejected,
                        "rejections")
            put_addresses(lab, "add", f"{lab.LAN6}/64")
            wait_until(lambda: is_healthy(lab), "it to be healthy", GLANCE_S)
            check_equal(daemon.messages()[-1]["STATUS"],
                        f"the policy of {lab.file} is in force", "STATUS")
            same_flow(lab)
            forwards(lab)


@case
def what_no_network_mends_ends_it(lab):
    """A policy that is wrong, one for which a name is taken, and any for `apply`."""
    taken, policy = open_policy(lab), open_policy(lab)
    taken["tunnel"]["interface"] = "lan0"
    taken["nodes"][NODE].pop("tunnel", None)
    with without_addresses(lab):
        for wrong, status in ((taken, 1), (dict(policy, tunel={}), 3)):
            done = lab.towpath("run", lab.write_policy(wrong), status=status)
            check("waiting" not in done.stderr, done.stderr)
        done = lab.towpath("apply", lab.write_policy(policy), status=1)
        check(lacks("10.10.30.0/24") in done.stderr, done.stderr)


if __name__ == "__main__":
    main(WaitLab)
