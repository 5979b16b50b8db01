#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Somebody deletes pins of maps, and no daemon runs: `status` tells, `apply` pins the same maps
anew, and `down` still knows what to put back. (With a daemon: test_damage.py.) EVERY_DAMAGE=1 runs
all cases."""

import json
import os

import snapshot
from lib import Lab, case, check, check_equal, main, run
from running import TABLET, same_flow
from scenes import open_policy

at_length = case if os.environ.get("EVERY_DAMAGE") else lambda function: function
OWN = ("tp_peer_info", "tp_route_info", "tp_rule_info", "tp_sysctls",     # no program reads them
       "tp_guard")                                                        # XDP, not attached


class Pins(Lab):
    """Each case begins with nothing set up."""

    def recover(self):
        self.script("towpath", "down", ok=False)

    def set_up(self, attach):
        self.whole = snapshot.take(self.netns("router"))
        self.towpath("apply", self.write_policy(open_policy(self)), "--tc-attach", attach)
        self.wait_for_tunnel()
        same_flow(self)

    def again(self, attach):
        return self.towpath("apply", f"{self.run_dir}/changed.json", "--tc-attach", attach)

    def down_leaves_nothing(self):
        self.towpath("down")
        rest = snapshot.difference(self.whole, snapshot.take(self.netns("router")))
        check(not rest, f"down left {rest}")
        check(not os.path.exists(self.pins), f"{self.pins} is gone")


def map_ids(lab):
    return {name: json.loads(run("bpftool", "-j", "map", "show", "pinned",
                                 f"{lab.pins}/maps/{name}").stdout)["id"]
            for name in os.listdir(f"{lab.pins}/maps")}


def pinned_anew(lab, attach, names, programs=False):
    """names(ids of all maps) lose their pins; programs: all are loaded again."""
    lab.set_up(attach)
    before, created = map_ids(lab), lab.json("status")["flows"]["created"]
    names = names(before)
    for name in names:
        os.unlink(f"{lab.pins}/maps/{name}")
    done = lab.script("towpath", "status", "--healthy", ok=False)
    check_equal(done.returncode, 1, "exit status of `status --healthy`")
    check(f"pins of {len(names)} maps were deleted" in done.stdout, done.stdout)
    done = lab.again(attach)
    check("pinned anew" in done.stderr, done.stderr)
    check_equal("load programs" in done.stderr or "upgrade programs" in done.stderr, programs,
                f"programs are loaded\n{done.stderr}")
    after = map_ids(lab)
    check_equal(after, before, "ids")
    check_equal(lab.json("plan", f"{lab.run_dir}/changed.json")["ops"], [], "plan")
    lab.towpath("status", "--healthy")
    same_flow(lab)
    check_equal(lab.json("status")["flows"]["created"], created, "flows made")
    lab.wait_for_tunnel()
    lab.down_leaves_nothing()


def used_by_programs(ids):
    return [name for name in ids if name != "tp_stages"]


def used_but_state(ids):
    """By filters, of which all programs of the machine are: ours are told by the pinned state."""
    return [name for name in used_by_programs(ids) if name != "tp_state"]


@case
def apply_pins_the_same_maps(lab):
    pinned_anew(lab, "auto", used_by_programs)


@at_length
def apply_pins_the_same_maps_with_clsact(lab):
    pinned_anew(lab, "clsact", used_but_state)


@case
def an_array_of_programs_is_filled_again(lab):
    """The kernel empties it when its last pin goes, so the stages behind the first are lost."""
    pinned_anew(lab, "auto", lambda _: ["tp_stages"], programs=True)


TABLES = ("tp_src", "tp_dst", "tp_ports", "tp_rules", "tp_hosts", "tp_routes")


def inner_maps(lab, slot):
    """{outer map: the id of the map in that slot} of what packets are judged by."""
    def inner(name):
        rows = run("bpftool", "-j", "map", "dump", "pinned", f"{lab.pins}/maps/{name}").stdout
        return json.loads(rows)[slot]

    return {name: inner(name) for name in TABLES}


@case
def a_lost_map_of_names_opens_no_gap_for_another_policy(lab):
    """The new policy is beside the live one until it is switched to, as always."""
    lab.set_up("auto")
    lab.towpath("apply", lab.write_policy(lab.policy()))    # so that there is something in both
    live = lab.json("status")["policy"]["generation"] % 2
    before = inner_maps(lab, live)
    os.unlink(f"{lab.pins}/maps/tp_rule_info")
    policy = open_policy(lab)
    policy["grants"] = []
    lab.towpath("apply", lab.write_policy(policy))
    check_equal(lab.json("status")["policy"]["generation"] % 2, 1 - live, "the other slot is live")
    check_equal(inner_maps(lab, live), before, "what was live")
    lab.down_leaves_nothing()


@at_length
def down_puts_everything_back_without_pins_of_maps(lab):
    lab.set_up("auto")
    for name in used_by_programs(map_ids(lab)):
        os.unlink(f"{lab.pins}/maps/{name}")
    lab.down_leaves_nothing()


@at_length
def what_only_towpath_uses_is_not_lost(lab):
    """What the sysctls were before, and whose peers are ours."""
    pinned_anew(lab, "auto", lambda _: OWN)


@case
def peers_are_ours_after_that(lab):
    """So one that the policy has no more goes, and is not taken for somebody else's."""
    policy = open_policy(lab)
    policy["peers"]["tablet"] = TABLET
    lab.towpath("apply", lab.write_policy(policy))
    os.unlink(f"{lab.pins}/maps/tp_peer_info")
    done = lab.towpath("apply", lab.write_policy(open_policy(lab)))
    check("foreign" not in done.stderr, done.stderr)
    keys = lab.exec("router", "wg", "show", lab.tunnel, "peers").stdout.split()
    check_equal(len(keys), 1, "peers on the device")
    lab.towpath("down")


if __name__ == "__main__":
    main(Pins)
