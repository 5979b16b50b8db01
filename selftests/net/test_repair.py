#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""What the daemon does about a kernel that is not as it left it."""

import contextlib
import os
import subprocess
import time

import snapshot
from daemon import BUSY_S
from lib import case, check, check_equal, inside, main, run, wait_until
from running import PROMPT_S, RunLab, forwards, noted
from scenes import open_policy

UNSEEN_S = 15   # five are meant
STORM_S = 6
SHARE_MAX = 0.15    # of a core: a twentieth is meant, and reading the notifications


def ip(lab, *args, **options):
    return run("ip", "-n", lab.netns("router"), *args, **options)


def plan(lab):
    return lab.json("plan", lab.file)["ops"]


def is_whole(lab, whole):
    return not snapshot.difference(whole, snapshot.take(lab.netns("router")))


def mended(lab, daemon, whole, what):
    """As before, within a moment, and nothing to do any more."""
    wait_until(lambda: is_whole(lab, whole), f"{what} to be put right", PROMPT_S)
    check(lab.json("status")["healthy"], "healthy again")
    check_equal(daemon.fetch("/readyz")[0], 200, "ready again")


def repairs(daemon):
    return daemon.metrics().values("towpath_repairs_total")


def sysctl(lab, path, value):
    with inside(lab.netns("router")):
        with open(f"/proc/sys/{path}", "w", encoding="ascii") as file:
            file.write(str(value))


def quiet(daemon):
    """Until what the daemon itself did has been looked at."""
    def settled():
        before = cpu_ticks(daemon)
        time.sleep(0.3)
        return cpu_ticks(daemon) == before

    wait_until(settled, "the daemon to be quiet")


def cpu_ticks(daemon):
    with open(f"/proc/{daemon.process.pid}/stat", encoding="ascii") as file:
        words = file.read().rsplit(")", 1)[1].split()
    return int(words[11]) + int(words[12])


# ---- one thing that is lost -------------------------------------------------------------

class RepairLab(RunLab):
    """One daemon for all that lose one thing: a phone calls a new tunnel only after seconds."""

    def __enter__(self):
        self.kept, self.daemon = contextlib.ExitStack(), None
        return super().__enter__()

    def __exit__(self, *failure):
        self.let_go()
        super().__exit__(*failure)

    def recover(self):
        self.let_go()
        super().recover()

    def let_go(self):
        self.kept.close()
        self.daemon = None

    def running(self, *options, **more):
        self.let_go()
        return super().running(*options, **more)

    def keep(self):
        if not self.daemon:
            self.daemon = self.kept.enter_context(self.running(policy=open_policy(self)))
            self.wait_for_tunnel()
        quiet(self.daemon)
        return self.daemon


def lose(lab, damage, kind):
    """Runs damage(lab); it is repaired, counted, and the last of it."""
    daemon = lab.keep()
    whole = snapshot.take(lab.netns("router"))
    before, said = repairs(daemon), daemon.log().count("is not as it was left")
    damage(lab)
    mended(lab, daemon, whole, kind)
    check(repairs(daemon)[kind] > before[kind], f"repairs {before}, {repairs(daemon)}")
    quiet(daemon)
    counted = repairs(daemon)
    check_equal(plan(lab), [], "plan")
    quiet(daemon)
    check_equal(repairs(daemon), counted, "a look that finds nothing counts nothing")
    check(daemon.log().count("is not as it was left") > said, daemon.log())
    forwards(lab)


@case
def a_route_comes_back(lab):
    lose(lab, lambda lab: ip(lab, "route", "del", f"{lab.PHONE}/32"), "route")


@case
def a_route6_comes_back(lab):
    lose(lab, lambda lab: ip(lab, "-6", "route", "del", f"{lab.PHONE6}/128"), "route")


@case
def an_address_comes_back(lab):
    lose(lab, lambda lab: ip(lab, "address", "del", f"{lab.ROUTER}/32", "dev", lab.tunnel),
         "address")


@case
def an_address6_comes_back(lab):
    lose(lab, lambda lab: ip(lab, "address", "del", f"{lab.ROUTER6}/128", "dev", lab.tunnel),
         "address")


@case
def a_link_comes_up_again(lab):
    lose(lab, lambda lab: ip(lab, "link", "set", lab.tunnel, "down"), "link")


@case
def an_mtu_is_put_back(lab):
    lose(lab, lambda lab: ip(lab, "link", "set", lab.tunnel, "mtu", "1300"), "link")


@case
def forwarding_is_switched_on_again(lab):
    lose(lab, lambda lab: sysctl(lab, f"net/ipv4/conf/{lab.tunnel}/forwarding", 0), "sysctl")


@case
def forwarding6_is_switched_on_again(lab):
    lose(lab, lambda lab: sysctl(lab, f"net/ipv6/conf/{lab.tunnel}/forwarding", 0), "sysctl")


@case
def a_flushed_qdisc_is_made_again(lab):
    """With clsact, programs go with their qdisc."""
    with lab.running("--tc-attach", "clsact", "--metrics-listen", "127.0.0.1:9586",
                     policy=open_policy(lab)) as daemon:
        lab.wait_for_tunnel()
        quiet(daemon)
        before = lab.json("status")["attachments"]
        for device in (lab.tunnel, "lan0"):
            run("tc", "-n", lab.netns("router"), "qdisc", "del", "dev", device, "clsact")
            wait_until(lambda: lab.json("status")["attachments"] == before, "programs",
                       BUSY_S)      # loading them takes a while
            quiet(daemon)
        check_equal(repairs(daemon)["program"], 4, "programs attached again")
        forwards(lab)


# ---- what no notification tells of ------------------------------------------------------

def unseen(lab, damage, kind, there, policy=None):
    """As `lose`, for what the daemon has to look for by itself; there(lab): it is there."""
    with lab.running(policy=policy or open_policy(lab)) as daemon:
        lab.wait_for_tunnel()
        noted(daemon)
        quiet(daemon)
        before = there(lab)
        damage(lab)
        check(there(lab) != before, f"the {kind} is damaged")
        wait_until(lambda: there(lab) == before, f"the {kind} to be put right", UNSEEN_S)
        wait_until(lambda: repairs(daemon)[kind] >= 1, "it to be counted", PROMPT_S)
        check_equal(plan(lab), [], "plan")
        check_equal(daemon.fetch("/readyz")[0], 200, "ready again")
        lab.wait_for_tunnel()
        forwards(lab)


def wg_peers(lab):
    """Who is on the device, with which addresses and where: a roamed peer is not forgotten."""
    text = lab.exec("router", "wg", "show", lab.tunnel, "dump").stdout
    rows = [row.split("\t") for row in text.strip().split("\n")[1:]]
    return sorted((row[0], row[2], *sorted(row[3].split(","))) for row in rows)


@case
def a_peer_comes_back(lab):
    """At the endpoint that it had roamed to."""
    def damage(lab):
        for key, *_ in wg_peers(lab):
            lab.exec("router", "wg", "set", lab.tunnel, "peer", key, "remove")

    unseen(lab, damage, "peer", wg_peers)


def live_programs(lab):
    """(device, hook) of what is attached; a program that is made anew is another link."""
    return [(a["device"], a["hook"]) for a in lab.json("status")["attachments"]]


def pins(lab):
    path = f"/sys/fs/bpf/towpath/{lab.instance}/links"
    return sorted(f"{path}/{name}" for name in os.listdir(path))


@case
def a_detached_program_is_attached_again(lab):
    def damage(lab):
        lab.exec("router", "bpftool", "link", "detach", "pinned", pins(lab)[0])

    unseen(lab, damage, "program", live_programs)


@case
def a_detached_xdp_program_is_attached_again(lab):
    policy = open_policy(lab)
    policy["nodes"]["homelab-1"]["xdp"] = "generic"

    def damage(lab):
        pin, = (path for path in pins(lab) if path.endswith("-xdp"))
        lab.exec("router", "bpftool", "link", "detach", "pinned", pin)

    unseen(lab, damage, "program", live_programs, policy)


@case
def a_deleted_pin_is_made_again(lab):
    unseen(lab, lambda lab: os.unlink(pins(lab)[0]), "program", live_programs)


# ---- what is not ours -------------------------------------------------------------------

def addresses_follow(lab, new, old):
    """The LAN device gets another address: who masquerades needs to know."""
    with lab.running(policy=open_policy(lab)) as daemon:
        lab.wait_for_tunnel()
        quiet(daemon)
        ip(lab, "address", "del", old, "dev", "lan0")
        ip(lab, "address", "add", new, "dev", "lan0", "nodad")
        try:
            wait_until(lambda: repairs(daemon)["map"], "the other address to be seen", PROMPT_S)
            check_equal(plan(lab), [], "plan")
        finally:
            ip(lab, "address", "del", new, "dev", "lan0")
            ip(lab, "address", "add", old, "dev", "lan0", "nodad")


@case
def another_lan_address_is_followed(lab):
    addresses_follow(lab, "10.10.30.7/24", f"{lab.LAN}/24")


@case
def another_lan_address6_is_followed(lab):
    addresses_follow(lab, "fd10:30::7/64", f"{lab.LAN6}/64")


@contextlib.contextmanager
def storm(lab):
    """Thousands of route changes a second in the main table, of both families."""
    path = f"{lab.run_dir}/storm"
    for suffix, prefix in (("4", "172.20.1.{}/32"), ("6", "fd99::{}/128")):
        with open(path + suffix, "w", encoding="ascii") as file:
            file.writelines(f"route {verb} {prefix.format(i + 1)} dev wan0\n"
                            for i in range(250) for verb in ("add", "del"))
    script = "while :; do " + "; ".join(
        f"ip -{n} -n {lab.netns('router')} -batch {path}{n}" for n in "46") + "; done"
    with subprocess.Popen(["sh", "-c", script], stdin=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill()


@case
def a_storm_of_routes_keeps_nobody_busy(lab):
    with lab.running(policy=open_policy(lab)) as daemon:
        lab.wait_for_tunnel()
        quiet(daemon)
        descriptors = daemon.descriptors()
        with storm(lab):
            time.sleep(1)
            resident = daemon.resident_kib()
            before, began = cpu_ticks(daemon), time.monotonic()
            time.sleep(STORM_S)
            share = (cpu_ticks(daemon) - before) / os.sysconf("SC_CLK_TCK") / \
                (time.monotonic() - began)
            print(f"# {share:.3f} of a core")
            check(share < SHARE_MAX, f"it took {share:.2f} of a core")
            ip(lab, "route", "del", f"{lab.PHONE}/32")
            wait_until(lambda: lab.PHONE in ip(lab, "route", "show", "proto", "116").stdout,
                       "our own route in the middle of it", PROMPT_S)
        check(daemon.resident_kib() - resident < 512, "RSS")
        quiet(daemon)
        check_equal(daemon.descriptors(), descriptors, "descriptors")
        forwards(lab)


@case
def a_fight_keeps_nobody_busy(lab):
    """Somebody who takes a route away whenever it is there."""
    with lab.running(policy=open_policy(lab)) as daemon:
        quiet(daemon)
        before, began = cpu_ticks(daemon), time.monotonic()
        while time.monotonic() < began + STORM_S:
            ip(lab, "route", "del", f"{lab.PHONE}/32", ok=False)
            time.sleep(0.02)
        share = (cpu_ticks(daemon) - before) / os.sysconf("SC_CLK_TCK") / STORM_S
        print(f"# {share:.3f} of a core")
        check(share < SHARE_MAX, f"it took {share:.2f} of a core")
        check(2 <= repairs(daemon)["route"] <= 2 * STORM_S + 2, f"repairs {repairs(daemon)}")
        wait_until(lambda: not plan(lab), "the last repair")


# ---- what cannot be repaired ------------------------------------------------------------

@case
def what_cannot_be_put_right_is_said(lab):
    """The tunnel's device loses our mark: it may be somebody else's now."""
    with lab.running(policy=open_policy(lab)) as daemon:
        lab.wait_for_tunnel()
        quiet(daemon)
        ip(lab, "link", "set", lab.tunnel, "alias", "somebody-else")
        why = "towpath did not make"

        def problems():
            return [p["what"] for p in lab.json("status")["problems"]]

        wait_until(lambda: any(why in p for p in problems()), "the problem")
        status, _, body = daemon.fetch("/readyz")
        check(status == 503 and why in body, body)
        check_equal(daemon.metrics().value("towpath_ready"), 0, "ready")
        sysctl(lab, "net/ipv4/conf/lan0/rp_filter", 2)
        time.sleep(1)
        check_equal(daemon.log().count(why), 1, "times in the log")
        ip(lab, "link", "set", lab.tunnel, "alias", f"towpath:{lab.instance}")
        wait_until(lambda: lab.json("status")["healthy"], "the repair", 2 * PROMPT_S)
        sysctl(lab, "net/ipv4/conf/lan0/rp_filter", 0)
        forwards(lab)


if __name__ == "__main__":
    main(RepairLab)
