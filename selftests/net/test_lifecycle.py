#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""What apply makes, what down leaves, what a bad policy does (nothing), and exit statuses."""

import glob
import json
import os
import stat
import sys

import snapshot
from lib import (TOP, TOWPATH, Lab, Skip, case, check, check_equal, main, run,
                 wait_until)
from running import same_flow
from scenes import inner_maps, open_policy

# cBPF that matches nothing: a filter of somebody else's.
FOREIGN_FILTER = ("bpf", "bytecode", "1,6 0 0 0", "flowid", "1:1")


class FreshLab(Lab):
    """Each case begins with nothing set up."""

    def recover(self):
        self.script("towpath", "down", ok=False)


def snapshot_of(lab):
    return snapshot.take(lab.netns("router"))


def nothing_changed(lab, before, what):
    check_equal(snapshot.difference(before, snapshot_of(lab)), [], what)
    check(not os.path.exists(lab.pins), f"{what}: {lab.pins} is there")


def bpftool_shows(kind, *which):
    """What bpftool says of an object, or None when there is none. Not by its exit status: that of
    `link show` in version 7.5 is another call's errno."""
    shown = json.loads(run("bpftool", "-j", kind, "show", *which, ok=False).stdout)
    return shown if "id" in shown else None


def object_ids(lab):
    """[(kind, id)] of every map, program and link that is pinned or attached by this instance."""
    ids = []
    for kind, folder in (("map", "maps"), ("link", "links")):
        for path in glob.glob(f"{lab.pins}/{folder}/*"):
            shown = bpftool_shows(kind, "pinned", path)
            ids.append((kind, shown["id"]))
            if "prog_id" in shown:
                ids.append(("prog", shown["prog_id"]))
    with open(f"/run/netns/{lab.netns('router')}", "rb") as netns:
        done = run("nsenter", f"--net=/proc/self/fd/{netns.fileno()}", "bpftool", "-j", "net",
                   pass_fds=(netns.fileno(),))
    for device in json.loads(done.stdout)[0]["tc"]:
        # 7.1 lists filters alone; later ones tcx links too, whose key is the other
        ids.append(("prog", device["id"] if "id" in device else device["prog_id"]))
    return sorted(set(ids))


def is_alive(kind, number):
    return bpftool_shows(kind, "id", number) is not None


def down_leaves_nothing(lab, *options):
    before = snapshot_of(lab)
    lab.apply(None, *options)
    lab.wait_for_tunnel()
    ids = object_ids(lab)
    check(len({k for k, _ in ids}) >= 2, f"maps and programs are there: {ids}")
    check(snapshot.difference(before, snapshot_of(lab)), "apply changed something")
    lab.towpath("down")
    for kind, number in ids:
        wait_until(lambda k=kind, n=number: not is_alive(k, n), f"{kind} {number} to be gone")
    nothing_changed(lab, before, "after down")
    sockets = glob.glob(f"/var/run/wireguard/{lab.tunnel}*")
    check_equal(sockets, [], "control sockets left")


@case
def down_leaves_nothing_with_the_best_hook(lab):
    down_leaves_nothing(lab)


@case
def down_leaves_nothing_with_clsact(lab):
    down_leaves_nothing(lab, "--tc-attach", "clsact")


def hooks(lab):
    return {a["hook"] for a in lab.json("status")["attachments"]}


@case
def another_way_to_attach_takes_over(lab):
    before, path = snapshot_of(lab), lab.write_policy(open_policy(lab))
    lab.towpath("apply", path)
    if hooks(lab) != {"tcx"}:
        lab.towpath("down")
        raise Skip("the kernel has no tcx")
    lab.wait_for_tunnel()
    same_flow(lab)
    created = lab.json("status")["flows"]["created"]
    for how, hook in (("clsact", "tc"), ("tcx", "tcx")):
        planned = lab.towpath("plan", path, "--tc-attach", how).stdout
        check(f"attach program tp_tc_lan on lan0 by {how}" in planned, planned)
        lab.towpath("apply", path, "--tc-attach", how)
        check_equal(hooks(lab), {hook}, f"after --tc-attach {how}")
        for options in ((), ("--tc-attach", how)):
            check_equal(lab.json("plan", path, *options)["ops"], [], f"the plan with {options}")
        same_flow(lab)
    check_equal(lab.json("status")["flows"]["created"], created, "flows made")
    lab.towpath("down")
    nothing_changed(lab, before, "after down")


@case
def apply_twice_gives_an_empty_plan(lab):
    planned = lab.json("plan", lab.policy_path)["ops"]
    check(len(planned) > 5, f"the first plan has {len(planned)} ops")
    for op in planned:
        check(op["phase"] in ("add", "switch", "remove") and op["verb"] and op["object"]
              and op["text"], f"op {op}")
    lab.apply()
    once = snapshot_of(lab)
    check_equal(lab.json("plan", lab.policy_path)["ops"], [], "the plan after apply")
    lab.apply()
    check_equal(snapshot.difference(once, snapshot_of(lab)), [], "the second apply")
    check_equal(lab.json("plan", lab.policy_path)["ops"], [], "the plan after two")
    lab.towpath("down")


@case
def plan_changes_nothing(lab):
    before = snapshot_of(lab)
    lab.towpath("plan", lab.policy_path)
    lab.towpath("check", lab.policy_path)
    nothing_changed(lab, before, "after plan and check")


@case
def a_changed_policy_takes_over_without_rest(lab):
    """A peer comes and goes; what remains is what the first apply made."""
    lab.apply()
    before = snapshot_of(lab)
    policy = lab.policy()
    policy["peers"]["tablet"] = {"public_key": "M" * 42 + "E=", "addresses": ["100.80.0.11"]}
    lab.apply(policy)
    names = {p["name"] for p in lab.json("status")["peers"]}
    check_equal(names, {"phone", "tablet"}, "peers")
    lab.apply()
    check_equal(snapshot.difference(before, snapshot_of(lab)), [], "after the old policy again")
    check_equal([p["name"] for p in lab.json("status")["peers"]], ["phone"], "peers")
    lab.towpath("down")


@case
def a_lost_piece_is_put_back(lab):
    """Somebody deletes our route and address: the next apply repairs just that."""
    lab.apply()
    whole = snapshot_of(lab)
    run("ip", "-n", lab.netns("router"), "route", "flush", "dev", lab.tunnel, "proto", "116")
    check(snapshot.difference(whole, snapshot_of(lab)), "the route is gone")
    check(lab.json("plan", lab.policy_path)["ops"], "the plan names it")
    lab.apply()
    check_equal(snapshot.difference(whole, snapshot_of(lab)), [], "after the repair")
    lab.towpath("down")


@case
def forwards_only_where_it_must(lab):
    """wan0 is neither the tunnel nor a LAN device: its forwarding stays off."""
    lab.apply()
    sysctls = dict(line.rsplit(" ", 1) for line in snapshot_of(lab)["sysctls"])
    for device, value in (("lan0", "1"), (lab.tunnel, "1"), ("wan0", "0")):
        check_equal(sysctls[f"net/ipv4/conf/{device}/forwarding"], value, f"{device} forwarding")
    lab.towpath("down")


# ---- bad input ----------------------------------------------------------------------------

def bad_policies():
    """[(file, the errors it must give)] from the golden tier."""
    found = []
    for path in sorted(glob.glob(f"{TOP}/selftests/golden/config/*.json")):
        errors = path[:-len("json")] + "errors"
        if os.path.exists(errors) and os.path.getsize(errors):
            with open(errors, encoding="utf-8") as file:
                found.append((path, file.read().splitlines()))
    return found


@case
def bad_policies_exit_3_and_change_nothing(lab):
    policies = bad_policies()
    check(len(policies) >= 40, f"{len(policies)} broken policies to try")
    before = snapshot_of(lab)
    for path, errors in policies:
        done = lab.towpath("apply", path, status=3)
        for error in errors:
            check(error in done.stderr, f"{path} does not say '{error}' but:\n{done.stderr}")
    nothing_changed(lab, before, f"after {len(policies)} broken policies")


@case
def a_bad_policy_leaves_the_running_one_alone(lab):
    lab.apply()
    before, status = snapshot_of(lab), lab.json("status")["policy"]
    broken = lab.policy()
    broken["tunel"] = {}
    lab.towpath("apply", lab.write_policy(broken), status=3)
    check_equal(snapshot.difference(before, snapshot_of(lab)), [], "after the bad policy")
    check_equal(lab.json("status")["policy"]["sha256"], status["sha256"], "the live policy")
    lab.towpath("down")


@case
def all_errors_are_named_in_one_run(lab):
    broken = lab.policy()
    broken["tunel"] = {}
    broken["peers"]["phone"]["addresses"][0] = "100.80.0.10/24"
    broken["nodes"]["homelab-1"]["advertise_routes"][0] = "10.10.30.1/24"
    path = lab.write_policy(broken)
    done = lab.towpath("check", path, status=3)
    for want in ('$.tunel: unknown key "tunel"; did you mean "tunnel"?',
                 '$.peers.phone.addresses[0]: "100.80.0.10/24" is not a host address; '
                 'did you mean "100.80.0.10"?',
                 '$.nodes.homelab-1.advertise_routes[0]: "10.10.30.1/24" has host bits set; '
                 'did you mean "10.10.30.0/24"?'):
        check(want in done.stderr, f"no '{want}' in:\n{done.stderr}")
    shown = json.loads(lab.towpath("check", path, "--json", status=3).stdout)
    check_equal((shown["valid"], len(shown["errors"])), (False, 3), "check --json")


# ---- exit statuses ------------------------------------------------------------------------

@case
def exit_2_for_a_wrong_command_line(lab):
    for words in (["bogus"], ["status", "--nope"], ["check"], ["apply"],
                  ["apply", lab.policy_path, "extra"], ["apply", "--tc-attach", "sometimes"]):
        done = lab.towpath(*words, status=2)
        check(done.stderr.startswith("towpath: ") and done.stderr.count("\n") == 1,
              f"one line, not:\n{done.stderr}")


@case
def exit_1_for_a_file_that_is_not_there(lab):
    for command in ("check", "plan", "apply"):
        lab.towpath(command, "/nonexistent/policy.json", status=1)


@case
def exit_4_for_a_test_that_does_not_hold(lab):
    before = snapshot_of(lab)
    policy = lab.policy()
    policy["tests"].append({"src": "phone", "accept": ["web:22"]})
    path = lab.write_policy(policy)
    for command in ("check", "apply"):
        done = lab.towpath(command, path, status=4)
        check("$.tests[4].accept[0]" in done.stdout + done.stderr, done.stdout + done.stderr)
    nothing_changed(lab, before, "after a failing test")


@case
def exit_5_when_nothing_is_set_up(lab):
    lab.towpath("status", status=5)


@case
def exit_6_for_a_section_not_served_yet(lab):
    before = snapshot_of(lab)
    policy = lab.policy()
    policy["routes"] = {"10.10.30.0/24": {"local": "prefer-mesh"}}
    done = lab.towpath("apply", lab.write_policy(policy), status=6)
    check('$.routes["10.10.30.0/24"].local' in done.stderr, done.stderr)
    nothing_changed(lab, before, "after an unserved section")


@case
def refuses_a_key_that_others_can_read(lab):
    before = snapshot_of(lab)
    key = f"{lab.run_dir}/router.key"
    os.chmod(key, 0o644)
    try:
        done = lab.script("towpath", "apply", lab.policy_path, ok=False)
    finally:
        os.chmod(key, 0o600)
    check(done.returncode not in (0, 2), f"exit status {done.returncode}")
    check("router.key" in done.stderr, done.stderr)
    nothing_changed(lab, before, "after a readable key")


@case
def keygen_writes_0600_and_never_prints_the_key(lab):
    path = f"{lab.run_dir}/new.key"
    public = lab.towpath("keygen", "--out", path).stdout.strip()
    check_equal(stat.S_IMODE(os.stat(path).st_mode), 0o600, "mode")
    with open(path, encoding="ascii") as file:
        private = file.read().strip()
    check_equal(run("sh", "-c", f"wg pubkey < {path}").stdout.strip(), public, "the public key")
    check_equal(lab.towpath("pubkey", path).stdout.strip(), public, "pubkey")
    check(private != public, "the key printed is the public one")


@case
def no_secret_in_any_output(lab):
    with open(f"{lab.run_dir}/router.key", encoding="ascii") as file:
        private = file.read().strip()
    said = []
    for words in (["plan", lab.policy_path], ["plan", lab.policy_path, "--json"],
                  ["apply", lab.policy_path, "--log-level", "debug"], ["status"],
                  ["status", "--json"], ["down", "--log-level", "debug"]):
        done = lab.towpath(*words)
        said.append(done.stdout + done.stderr)
    check(all(private not in text for text in said), "the private key was printed")


# ---- what is not ours ---------------------------------------------------------------------

def tc(lab, *words):
    return run("tc", "-n", lab.netns("router"), *words)


def foreign_things_survive(lab, *options):
    tc(lab, "qdisc", "add", "dev", "lan0", "clsact")
    for parent in ("ingress", "egress"):
        tc(lab, "filter", "add", "dev", "lan0", parent, "prio", "7", "handle", "1",
           *FOREIGN_FILTER)
    try:
        before = snapshot_of(lab)
        lab.apply(None, *options)
        lab.wait_for_tunnel()
        kept = snapshot_of(lab)["filters"]
        check_equal([f for f in before["filters"] if f not in kept], [], "filters after apply")
        lab.towpath("down")
        nothing_changed(lab, before, "after down")
    finally:
        tc(lab, "qdisc", "del", "dev", "lan0", "clsact")


@case
def foreign_filters_survive_tcx(lab):
    foreign_things_survive(lab)


@case
def foreign_filters_survive_clsact(lab):
    foreign_things_survive(lab, "--tc-attach", "clsact")


@case
def a_filter_that_came_later_keeps_the_qdisc(lab):
    """We made the qdisc, somebody else moved in: it is not ours to remove any more."""
    lab.apply(None, "--tc-attach", "clsact")
    tc(lab, "filter", "add", "dev", "lan0", "ingress", "prio", "7", *FOREIGN_FILTER)
    lab.towpath("down")
    shown = tc(lab, "filter", "show", "dev", "lan0", "ingress").stdout
    check("pref 7" in shown, f"the foreign filter is gone: {shown!r}")
    check("tp_" not in shown, f"ours is still there: {shown}")
    tc(lab, "qdisc", "del", "dev", "lan0", "clsact")


@case
def a_device_that_only_has_the_name_is_left_alone(lab):
    router = lab.netns("router")
    run("ip", "-n", router, "link", "add", lab.tunnel, "type", "bridge")
    try:
        before = snapshot_of(lab)
        done = lab.script("towpath", "apply", lab.policy_path, ok=False)
        check(done.returncode not in (0, 2, 3), f"exit status {done.returncode}: {done.stderr}")
        check(lab.tunnel in done.stderr, done.stderr)
        nothing_changed(lab, before, "after the refusal")
    finally:
        run("ip", "-n", router, "link", "del", lab.tunnel)


@case
def foreign_routes_survive(lab):
    """Also one through our own tunnel's prefix, of another protocol."""
    router = lab.netns("router")
    run("ip", "-n", router, "route", "add", "198.51.100.0/24", "via", "192.0.2.10", "proto",
        "static")
    run("ip", "-n", router, "rule", "add", "from", "198.51.100.7", "lookup", "100", "pref", "900")
    try:
        before = snapshot_of(lab)
        lab.apply()
        lab.towpath("down")
        nothing_changed(lab, before, "after down")
    finally:
        run("ip", "-n", router, "route", "del", "198.51.100.0/24")
        run("ip", "-n", router, "rule", "del", "pref", "900")


# ---- the same instance elsewhere, another instance here -----------------------------------

def towpath_in(netns, instance, *words, path=None):
    env = ("env", f"PATH={path}") if path else ()
    return run("nsenter", f"--net=/run/netns/{netns}", "--", *env, TOWPATH, "--instance", instance,
               *words, ok=False)


def sysctl(netns, name, value=None):
    word = name if value is None else f"{name}={value}"
    return run("ip", "netns", "exec", netns, "sysctl", "-n", word).stdout.strip()


def refuses_elsewhere(lab, *options):
    lab.apply(None, *options)
    before = snapshot_of(lab)
    for words in (["plan", lab.policy_path], ["apply", lab.policy_path], ["status"], ["down"]):
        done = towpath_in(lab.netns("web"), lab.instance, *words)
        check_equal(done.returncode, 1, f"exit status of {words[0]} elsewhere: {done.stderr}")
        check(f"instance {lab.instance} is set up in another network namespace" in done.stderr,
              done.stderr)
    check_equal(snapshot.difference(before, snapshot_of(lab)), [], "after the refusals")
    check_equal(lab.json("plan", lab.policy_path)["ops"], [], "the plan after the refusals")
    lab.towpath("down")


@case
def another_network_namespace_is_refused(lab):
    refuses_elsewhere(lab)


@case
def another_network_namespace_is_refused_with_clsact(lab):
    refuses_elsewhere(lab, "--tc-attach", "clsact")


def end_netns(netns):
    for pid in run("ip", "netns", "pids", netns).stdout.split():
        run("kill", "-KILL", pid, ok=False)     # one that ended by itself is fine
    run("ip", "netns", "del", netns)


@case
def what_a_dead_namespace_left_goes_with_down(lab):
    """And only that: devices and sysctls of the same names here belong to somebody else."""
    dead = lab.netns("dead")
    run("ip", "netns", "add", dead)
    try:
        run("ip", "-n", dead, "link", "add", "lan0", "up", "type", "bridge")
        for address in ("10.10.30.1/24", "fd10:30::1/64"):
            run("ip", "-n", dead, "address", "add", address, "dev", "lan0")
        sysctl(dead, "net.ipv4.conf.lan0.forwarding", 0)
        done = towpath_in(dead, lab.instance, "apply", lab.policy_path)
        check_equal(done.returncode, 0, f"apply: {done.stderr}")
    finally:
        end_netns(dead)
    sysctl(lab.netns("router"), "net.ipv4.conf.lan0.forwarding", 1)
    try:
        before = snapshot_of(lab)
        wait_until(lambda: "that is gone" in lab.towpath("status", status=1).stderr,
                   "the namespace to be gone")
        lab.towpath("apply", lab.policy_path, status=1)
        lab.towpath("down")
        nothing_changed(lab, before, "after down")
    finally:
        sysctl(lab.netns("router"), "net.ipv4.conf.lan0.forwarding", 0)


def add_marked_device(lab, name):
    router = lab.netns("router")
    shown = json.loads(run("ip", "-j", "-n", router, "link", "show", lab.tunnel).stdout)
    run("ip", "-n", router, "link", "add", name, "type", "bridge")
    run("ip", "-n", router, "link", "set", name, "alias", shown[0]["ifalias"])


def device_names(lab):
    return {d["ifname"] for d in json.loads(run("ip", "-j", "-n", lab.netns("router"),
                                                "link").stdout)}


@case
def a_device_that_a_crash_left_is_removed(lab):
    """It carries our mark, and neither the policy nor a map knows its name."""
    before = snapshot_of(lab)
    lab.apply()
    add_marked_device(lab, "stray0")
    removed = [op["object"] for op in lab.json("plan", lab.policy_path)["ops"]
               if op["verb"] == "remove"]
    check("link stray0" in removed, f"the plan removes {removed}")
    lab.apply()
    lab.apply()
    check("stray0" not in device_names(lab) and lab.tunnel in device_names(lab),
          f"devices {device_names(lab)}")
    check_equal(lab.json("plan", lab.policy_path)["ops"], [], "the plan after the repair")

    add_marked_device(lab, "stray0")
    add_marked_device(lab, "stray1")
    lab.towpath("down")
    nothing_changed(lab, before, "after down")


@case
def more_flows_than_there_is_room_for_are_refused(lab):
    lab.apply()
    before, live = snapshot_of(lab), lab.json("status")["policy"]
    policy = lab.policy()
    policy["limits"] = dict(policy.get("limits", {}), flows=524288)
    path = lab.write_policy(policy)
    for command in ("plan", "apply"):
        done = lab.towpath(command, path, status=1)
        check("tp_flow_state" in done.stderr and "`towpath down`" in done.stderr, done.stderr)
    check_equal(snapshot.difference(before, snapshot_of(lab)), [], "after the refusals")
    check_equal(lab.json("status")["policy"], live, "the live policy")
    lab.towpath("down")


def apply_second_instance(lab, instance):
    """It wants the routes that the first one has, and does without."""
    policy = lab.policy()
    for node in policy["nodes"].values():
        node["tunnel"] = dict(node.get("tunnel", {}), interface=lab.name + "second0",
                              listen_port=51999)
    done = towpath_in(lab.netns("router"), instance, "apply",
                      lab.write_policy(policy, "second.json"))
    check_equal(done.returncode, 0, f"exit status: {done.stderr}")
    for address in (f"{lab.PHONE}/32", f"{lab.PHONE6}/128"):
        check(f"a route of its own, {address} dev {lab.tunnel} " in done.stderr, done.stderr)


@case
def a_second_instance_takes_no_route_and_puts_no_sysctl_back_early(lab):
    router, second = lab.netns("router"), lab.instance + "2"
    before = snapshot_of(lab)
    try:
        lab.apply()
        first = snapshot_of(lab)
        apply_second_instance(lab, second)
        check_equal(towpath_in(router, second, "down").returncode, 0, "down of the second")
        check_equal(snapshot.difference(first, snapshot_of(lab)), [], "after the second's down")

        apply_second_instance(lab, second)
        lab.towpath("down")
        check_equal(sysctl(router, "net.ipv4.conf.lan0.forwarding"), "1", "while the second is up")
    finally:
        towpath_in(router, second, "down")
    nothing_changed(lab, before, "after both are down")


@case
def a_qdisc_of_ours_without_filters_goes_with_down(lab):
    """As an apply leaves it that ends between the two."""
    before = snapshot_of(lab)
    lab.apply(None, "--tc-attach", "clsact")
    for parent in ("ingress", "egress"):
        tc(lab, "filter", "del", "dev", "lan0", parent)
    lab.towpath("down")
    nothing_changed(lab, before, "after down")


@case
def exit_6_without_any_wireguard(lab):
    before = snapshot_of(lab)
    done = towpath_in(lab.netns("router"), lab.instance, "apply", lab.policy_path,
                      path="/nonexistent")
    if not done.returncode:
        lab.towpath("down")
        raise Skip("this kernel has WireGuard")
    check_equal(done.returncode, 6, f"exit status: {done.stderr}")
    check("wireguard-go is not installed" in done.stderr, done.stderr)
    lab.towpath("down")
    nothing_changed(lab, before, "after down")


def break_rules(lab):
    """Empties the live rules behind towpath's back: the programs refuse what the grants allow."""
    for inner in inner_maps(lab, "tp_rules"):
        size = json.loads(run("bpftool", "-j", "map", "show", "id", inner).stdout)
        for row in range(3, size["max_entries"]):
            run("bpftool", "map", "update", "id", inner, "key", *row.to_bytes(4, sys.byteorder),
                "value", *bytes(size["bytes_value"]))


@case
def other_tests_of_the_same_grants_are_put_through_the_programs(lab):
    policy = lab.policy()
    without = {key: value for key, value in policy.items() if key != "tests"}
    lab.apply(without)
    before = lab.json("status")["policy"]
    break_rules(lab)
    done = lab.towpath("apply", lab.write_policy(policy), status=1)
    check("does not judge as the policy says" in done.stderr, done.stderr)
    check_equal(lab.json("status")["policy"], before, "the policy in force")
    policy["grants"].append({"src": ["phone"], "dst": ["phone"]})
    lab.apply(policy)       # other tables: the rules are whole again


if __name__ == "__main__":
    main(FreshLab)
