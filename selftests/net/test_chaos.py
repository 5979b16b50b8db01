#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""A daemon that is killed, restarted, replaced and fed with broken files, and a kernel that others
take apart, under traffic that goes on: what it may lose, which is nothing but while something is
really gone, and what is left at the end, which is what was there at first.

CHAOS_SEED repeats a run. CHAOS_KILLS, _RELOADS, _SWAPS, _ABI_SWAPS, _TAKE_OVERS, _DAMAGES and
_PROGRAMS say how many, CHAOS_ATTACH how to attach."""

import glob
import os
import shutil
import signal
import subprocess
import time

from busy import ATTACH, START_S, BusyLab, dice
from lib import (DEADLINE_S, TOP, TOWPATH, Failed, Skip, build, case, check, check_equal, inside,
                 main, run, wait_until)
from running import TABLET, tunnel_process
from scenes import open_policy
from versions import kept_abi, kept_ids, note, noted, our_abi

COUNTS = {"KILLS": 10, "RELOADS": 10, "SWAPS": 3, "ABI_SWAPS": 2, "TAKE_OVERS": 2,
          "DAMAGES": 8, "PROGRAMS": 1}
OTHER = os.path.join(TOP, "build", "other", "towpath")
REPAIR_S = 9 * DEADLINE_S   # that it is done is asked here, not how soon


def times(what):
    return range(int(os.environ.get(f"CHAOS_{what}", COUNTS[what])))


def build_all(*targets):
    if not shutil.which("make"):
        raise Skip("there is no make here")
    build(*targets)


def binary_of_abi(number):
    return os.path.join(TOP, "build", f"abi-{number}", "towpath")


# ---- what must lose nothing -------------------------------------------------------------

@case
def kill_9_loses_nothing(lab):
    """At any moment: before it is ready, in the middle of a change, or later."""
    with lab.loses_nothing("kills") as rng:
        before = lab.objects()
        for _ in times("KILLS"):
            lab.write(rng.choice(lab.policies))
            lab.kill()
            ready = rng.random() < 0.5
            lab.start(ready=ready)
            if ready and rng.random() < 0.5:
                lab.write(rng.choice(lab.policies))
            time.sleep(rng.uniform(0, 0.2))
        lab.write(lab.policies[0])
        lab.restart()
        check_equal(lab.objects(), before, "maps, links and the tunnel's process")
    check_equal(lab.changes(), [], "changed")


BROKEN = ("", "{", "[]", "null", '{ "version": 1 }', "\0\1\2", '{ "version": 2 }', "x" * 70000)


def broken_policy(lab, rng):
    """Text, or a policy with one fault."""
    policy = open_policy(lab)
    faults = (lambda: policy.update(tunel={}),
              lambda: policy["peers"].update(tablet=dict(TABLET, addresses=["100.80.0.10"])),
              lambda: policy.update(tests=[{"src": "phone", "deny": ["web:22"]}]),
              lambda: policy["grants"][0].update(src=["nobody"]),
              lambda: policy["tunnel"].update(private_key_file="/nowhere"),
              lambda: policy["nodes"]["homelab-1"].pop("addresses"))
    if rng.random() < 0.5:
        return rng.choice(BROKEN)
    rng.choice(faults)()
    return policy


@case
def reloads_lose_nothing(lab):
    """Each second file is broken: then what was in force stays so, and the problem is shown."""
    with lab.loses_nothing("reloads") as rng:
        before, peers = lab.objects(), 1
        for i in times("RELOADS"):
            if i % 2:
                lab.write(broken_policy(lab, rng))
                rejected = wait_until(lambda: lab.status()["policy"]["rejected"], "rejection")
                check(rejected["errors"] and not lab.status()["healthy"], f"{rejected}")
            else:
                peers = 3 - peers
                lab.write(lab.policies[peers - 1])
                wait_until(lambda: not lab.status()["policy"]["rejected"] and
                           len(lab.status()["peers"]) == peers, f"{peers} peers")
                check_equal(lab.status()["problems"], [], "problems")
            check_equal(len(lab.status()["peers"]), peers, "peers in force")
        lab.write(lab.policies[0])
        wait_until(lambda: lab.status()["healthy"] and len(lab.status()["peers"]) == 1, "the end")
        check_equal(lab.objects(), before, "maps, links and the tunnel's process")
    check_equal(lab.changes(), [], "changed")


@case
def another_binary_loses_nothing(lab):
    """Other programs take over, on the same links and maps, and none is left behind; also when the
    first attempt ends somewhere in between."""
    build_all("build/other/towpath")
    with lab.loses_nothing("binary swaps") as rng:
        before, count = lab.objects(), len(lab.programs())
        for i in times("SWAPS"):
            old, binary = lab.programs(), (OTHER, TOWPATH)[i % 2]
            if rng.random() < 0.5:
                check_equal(lab.daemon.leave(), 0, "exit status")
            if rng.random() < 0.3:
                lab.restart(binary, ready=False)
                time.sleep(rng.uniform(0, 3))
            lab.restart(binary)
            wait_until(lambda was=old: not was & lab.programs(), "the old programs to be gone")
        lab.restart()
        check_equal(lab.objects(), before, "maps, links and the tunnel's process")
        wait_until(lambda: len(lab.programs()) == count, f"{count} programs")
    check_equal(lab.changes(), [], "changed")


@case
def another_abi_is_refused_before_anything(lab):
    """Newer or older: nothing is guessed, and what is there goes on."""
    own = our_abi()
    others = [binary_of_abi(own + step) for step in (1, -1)]
    build_all(*(os.path.relpath(path, TOP) for path in others))
    with lab.loses_nothing("ABI swaps") as rng:
        before, programs = lab.objects(), lab.programs()
        for i in times("ABI_SWAPS"):
            lab.kill()
            words = [rng.choice(("run", "apply", "plan")), lab.file]
            done = subprocess.run(
                ["nsenter", f"--net=/run/netns/{lab.netns('router')}", "--", others[i % 2], *words,
                 "--instance", lab.instance], text=True, capture_output=True, timeout=60,
                check=False)
            check_equal(done.returncode, 6, f"{words}: exit status\n{done.stderr}")
            check(f"ABI {own}" in done.stderr, done.stderr)
            check_equal(lab.objects(), before, "maps, links and the tunnel's process")
            check_equal(lab.programs(), programs, "programs")
            check_equal(lab.changes(), [], "changed")
            lab.start()
            check_equal(lab.programs(), programs, "programs after the start of our own")


def put_aside(lab):
    """The pins of an older version's maps, which are there while it is taken over."""
    return glob.glob(f"{lab.pins}/maps/old*")


def kill_in_take_over(lab, rng):
    """From when it changes something on; the verifier has the programs before. True when it was
    half way."""
    lab.start(ready=False)
    wait_until(lambda: put_aside(lab) or any("READY" in m for m in lab.daemon.messages()),
               "the take-over", START_S)
    time.sleep(rng.uniform(0, 0.3))
    lab.kill()
    return noted(lab) != our_abi()


@case
def a_take_over_that_is_killed_loses_nothing(lab):
    """What is there is said to be an older version's, and whoever takes it over is killed,
    sometimes the one after it too, until one may finish."""
    if kept_abi() == our_abi():
        raise Skip("this version takes none over")
    with lab.loses_nothing("take-overs") as rng:
        before, half_way = kept_ids(lab), 0
        for _ in times("TAKE_OVERS"):
            lab.kill()
            note(lab, kept_abi())
            half_way += kill_in_take_over(lab, rng)
            if rng.random() < 0.5:
                lab.start(ready=False)
                time.sleep(rng.uniform(0, 3))
                lab.kill()
            lab.start()
            check_equal(kept_ids(lab), before, "what was to be kept")
            check_equal((noted(lab), put_aside(lab)), (our_abi(), []), "what it ends with")
            check_equal(lab.plan(), [], "plan")
        print(f"# {half_way} of {len(times('TAKE_OVERS'))} were half way")
    check_equal(lab.changes(), [], "changed")


# ---- what is gone for a while -----------------------------------------------------------

def ip(lab, *args, **options):
    return run("ip", "-n", lab.netns("router"), *args, **options)


def sysctl_off(lab, path):
    with inside(lab.netns("router")), open(f"/proc/sys/{path}", "w", encoding="ascii") as file:
        file.write("0")


def pins(lab, kind="*"):
    """The paths of what is pinned, links, maps or both."""
    return sorted(glob.glob(f"{lab.pins}/{kind}/*"))


def lose_carrier(lab, _):
    """The switch has no power for a moment."""
    for state in ("down", "up"):
        run("ip", "-n", lab.netns("lan"), "link", "set", "router", state)
        time.sleep(0.5)


def end_tunnel_process(lab, _):
    pid = tunnel_process(lab)
    if pid:
        os.kill(pid, signal.SIGKILL)
    else:
        ip(lab, "link", "del", lab.tunnel)


def remove_peers(lab, _):
    for key in lab.exec("router", "wg", "show", lab.tunnel, "peers").stdout.split():
        lab.exec("router", "wg", "set", lab.tunnel, "peer", key, "remove")


def flush_foreign_qdisc(lab, rng):
    """With whom nothing of ours may go: tcx does without. With clsact it is ours."""
    device = rng.choice(devices(lab))
    for kind in ("root pfifo", "clsact") if ATTACH != "clsact" else ("root pfifo",):
        for verb in ("add", "del"):
            run("tc", "-n", lab.netns("router"), "qdisc", verb, "dev", device, *kind.split())


def devices(lab):
    return lab.tunnel, "lan0"


def detach(lab, rng):
    """One program; a filter of clsact has no pin."""
    links = pins(lab, "links")
    if links:
        lab.exec("router", "bpftool", "link", "detach", "pinned", rng.choice(links))
    else:
        run("tc", "-n", lab.netns("router"), "filter", "del", "dev",
            rng.choice(devices(lab)), rng.choice(("ingress", "egress")))


def detach_device(lab, device):
    """Both programs; those of clsact with their qdisc."""
    if ATTACH == "clsact":
        run("tc", "-n", lab.netns("router"), "qdisc", "del", "dev", device, "clsact")
    for pin in pins(lab, "links"):
        if device in os.path.basename(pin):
            lab.exec("router", "bpftool", "link", "detach", "pinned", pin)


def detach_all(lab, _):
    for device in devices(lab):
        detach_device(lab, device)


def unpin_one(lab, rng):
    os.unlink(rng.choice(pins(lab)))


def unpin_all(lab, _):
    for pin in pins(lab):
        os.unlink(pin)


DAMAGES = {
    "route": lambda lab, _: ip(lab, "route", "del", f"{lab.PHONE}/32"),
    "route6": lambda lab, _: ip(lab, "-6", "route", "del", f"{lab.PHONE6}/128"),
    "routes": lambda lab, _: [ip(lab, n, "route", "flush", "proto", "116") for n in ("-4", "-6")],
    "address": lambda lab, _: ip(lab, "address", "del", f"{lab.ROUTER}/32", "dev", lab.tunnel),
    "address6": lambda lab, _: ip(lab, "address", "del", f"{lab.ROUTER6}/128", "dev", lab.tunnel),
    "addresses": lambda lab, _: ip(lab, "address", "flush", "dev", lab.tunnel,
                                  "scope", "global"),
    "link down": lambda lab, _: ip(lab, "link", "set", lab.tunnel, "down"),
    "link deleted": lambda lab, _: ip(lab, "link", "del", lab.tunnel),
    "link mtu": lambda lab, _: ip(lab, "link", "set", lab.tunnel, "mtu", "1300"),
    "carrier": lose_carrier,
    "process": end_tunnel_process,
    "peers": remove_peers,
    "forwarding": lambda lab, _: sysctl_off(lab, f"net/ipv4/conf/{lab.tunnel}/forwarding"),
    "forwarding6": lambda lab, _: sysctl_off(lab, f"net/ipv6/conf/{lab.tunnel}/forwarding"),
    "foreign qdisc": flush_foreign_qdisc,
    "detached": detach,
    "bare": lambda lab, rng: detach_device(lab, rng.choice(devices(lab))),
    "pin": unpin_one,
    "pins": unpin_all,
}
HELD = ("pin", "pins", "bare")      # by nobody but the daemon, until it is repaired

# What leaves the stack to itself: it forwards what phones send as it is, hosts reset what they do
# not know, and so no connection is safe until the programs are back.
BARE = {"detached": detach_all}


def repaired(lab, what):
    """As it was, and with nothing to do. Gives how long that took."""
    began = time.monotonic()
    try:
        wait_until(lambda: lab.has_nothing_to_do() and lab.is_whole() and
                   lab.status()["healthy"], f"{what} to be repaired", REPAIR_S)
    except Failed as slow:
        raise Failed(f"{slow}\n{lab.plan()}\n{lab.changes()}\n{lab.status()['problems']}\n"
                     f"{lab.daemon.log()[-2000:]}") from slow
    return time.monotonic() - began


def damages(table, rng, what):
    """All of them, in another order each time."""
    names = []
    for _ in times(what):
        names = names or rng.sample(sorted(table), len(table))
        yield names.pop()


def show(took):
    print("# repaired in at most, s: " +
          ", ".join(f"{name} {max(s):.1f}" for name, s in sorted(took.items())))


@case
def damage_is_repaired(lab):
    """The daemon is now and then killed right behind it. No stream breaks."""
    rng, took = dice("damages"), {}
    for name in damages(DAMAGES, rng, "DAMAGES"):
        DAMAGES[name](lab, rng)
        if name not in HELD and rng.random() < 0.2:
            lab.restart()
        took.setdefault(name, []).append(repaired(lab, name))
        try:
            lab.traffic.flows_again()
            lab.traffic.streams_flow()
        except Failed as broken:
            raise Failed(f"{name}: {broken}") from broken
    show(took)
    lab.traffic.losses()
    lab.traffic.has_one_source_each()


@case
def it_ends_as_it_began(lab):
    """Streams with every byte that was said in them, and nothing to do."""
    with lab.loses_nothing("the end"):
        time.sleep(1)
    lab.traffic.end_streams()
    check_equal(lab.changes(), [], "the router")
    check_equal(lab.plan(), [], "plan")
    lab.begin_traffic()


@case
def programs_that_are_lost_come_back(lab):
    rng, took = dice("programs"), {}
    count = len(lab.programs())
    for name in damages(BARE, rng, "PROGRAMS"):
        BARE[name](lab, rng)
        took.setdefault(name, []).append(repaired(lab, name))
        lab.begin_traffic()
    show(took)
    # of the filters that are left on one device, the egress program is another copy
    most = count + (ATTACH == "clsact")
    wait_until(lambda: count <= len(lab.programs()) <= most, f"{count} programs")
    with lab.loses_nothing("the end"):
        lab.restart()
    lab.traffic.end_streams()
    check_equal(lab.changes(), [], "the router")


if __name__ == "__main__":
    main(BusyLab)
