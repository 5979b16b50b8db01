#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""tunnel.netns: the router's tunnel and its LAN in a namespace of their own, `inner`, and the UDP
socket in `router`, which has the road and no LAN."""

import contextlib
import json
import os
import re
import signal
import socket
import time
from pathlib import Path

import snapshot
from daemon import BUSY_S, Daemon
from lib import (SHIM, TOWPATH, Failed, bound_socket, case, check, check_equal, fault_shim,
                 inside, main, run, wait_until)
from running import RunLab, forwards
from scenes import open_policy
from services import cookie_of, is_translated, make_pod, own_cgroup, service_policy

PORT = 51820
EXEMPT_TUNNEL = 4   # of enum tp_exempt_why


class NetnsLab(RunLab):
    """Each case begins and ends with an inner namespace in which nothing is set up."""

    def __enter__(self):
        super().__enter__()
        run("ip", "-n", self.netns("router"), "link", "del", "lan0")
        self.make_inner()
        return self

    def __exit__(self, *_):
        self.recover()
        self.drop_inner()
        super().__exit__()

    def recover(self):
        super().recover()
        if not os.path.exists(f"/run/netns/{self.inner}"):
            self.make_inner()

    @property
    def inner(self):
        return self.netns("inner")

    def in_inner(self, *command, **options):
        return run("nsenter", f"--net=/run/netns/{self.inner}", "--", *command, **options)

    def make_inner(self):
        """With the router's end of the LAN."""
        run("ip", "netns", "add", self.inner)
        self.furnish_inner()

    def furnish_inner(self):
        lan = self.netns("lan")
        self.in_inner("sysctl", "-qw", "net.ipv4.ip_forward=0",
                      "net.ipv6.conf.default.accept_dad=0")
        self.in_inner("ip", "link", "set", "lo", "up")
        run("ip", "-n", lan, "link", "add", "router", "type", "veth", "peer", "name", "lan0",
            "netns", self.inner)
        run("ip", "-n", lan, "link", "set", "router", "master", "switch", "up")
        self.exec("lan", "ethtool", "-K", "router", "rx", "off")
        self.in_inner("ethtool", "-K", "lan0", "rx", "off", "tx", "off")
        self.in_inner("ip", "link", "set", "lan0", "up")
        for address in (f"{self.LAN}/24", f"{self.LAN6}/64"):
            self.in_inner("ip", "address", "add", address, "dev", "lan0")

    def drop_inner(self):
        """With it goes its end of the LAN, and so the other end."""
        run("ip", "netns", "del", self.inner, ok=False)
        wait_until(lambda: run("ip", "-n", self.netns("lan"), "link", "show", "router",
                               ok=False).returncode, "the namespace to be gone")

    def policy_inside(self, where=None):
        policy = open_policy(self)
        policy["tunnel"]["netns"] = where or self.inner
        return policy

    def links(self, netns):
        return {d["ifname"] for d in json.loads(run("ip", "-n", netns, "-j", "link").stdout)}

    def udp_ports(self, netns):
        """Of the sockets of both families that are bound; as `ss -lun`, which guests lack."""
        with inside(netns):
            tables = [Path(f"/proc/thread-self/net/{name}").read_text(encoding="ascii")
                      for name in ("udp", "udp6")]
        return {int(port, 16) for table in tables
                for port in re.findall(r"^ *\d+: [0-9A-F]+:([0-9A-F]{4})", table, re.M)}

    def problems(self):
        done = self.script("towpath", "status", ok=False)
        return done.stdout + done.stderr


def snapshots(lab):
    return [snapshot.take(netns) for netns in (lab.netns("router"), lab.inner)]


def differences(lab, before):
    return [snapshot.difference(b, now) for b, now in zip(before, snapshots(lab))]


def is_split(lab):
    """The device inside, the socket outside, and both families pass."""
    lab.wait_for_tunnel()
    forwards(lab)
    check(lab.tunnel in lab.links(lab.inner), "the tunnel is inside")
    check(lab.tunnel not in lab.links(lab.netns("router")), "and not outside")
    check(PORT in lab.udp_ports(lab.netns("router")), "its UDP socket is outside")
    check_equal(lab.udp_ports(lab.inner), set(), "UDP sockets inside")


def apply_and_down(lab, where):
    before = snapshots(lab)
    policy = lab.policy_inside(where)
    lab.apply(policy)
    is_split(lab)
    outside = [d for d in differences(lab, before)[0] if not d.startswith("processes:")]
    check_equal(outside, [], "what apply changed outside")
    check_equal(lab.json("plan", lab.write_policy(policy))["ops"], [], "the plan after apply")
    status = lab.json("status")
    check(status["healthy"], f"problems {status['problems']}")
    check_equal([p["name"] for p in status["peers"]], ["phone"], "peers")
    trace = lab.json("trace", "--from", lab.PHONE6, "--to", lab.WEB6, "--dport", "80")
    check("lan0" in json.dumps(trace), f"trace {trace}")
    lab.towpath("down")
    check_equal(differences(lab, before), [[], []], "left by down")
    check(not os.path.exists(lab.pins), f"{lab.pins} is there")
    check_equal(lab.udp_ports(lab.netns("router")), set(), "sockets left")


@case
def by_a_name_below_run_netns(lab):
    apply_and_down(lab, None)


@case
def by_an_absolute_path(lab):
    apply_and_down(lab, f"/run/netns/{lab.inner}")


@case
def a_namespace_that_is_not_there_fails_apply(lab):
    before = snapshots(lab)
    done = lab.towpath("apply", lab.write_policy(lab.policy_inside("no-such")), status=1)
    check("ip netns add no-such" in done.stderr, done.stderr)
    check_equal(differences(lab, before), [[], []], "changed")
    lab.towpath("status", status=5)


@case
def another_one_is_refused_while_it_is_set_up(lab):
    lab.apply(lab.policy_inside())
    whole = snapshots(lab)
    for where in (lab.netns("dns"), None):
        policy = lab.policy_inside(where)
        if not where:
            del policy["tunnel"]["netns"]
        done = lab.towpath("apply", lab.write_policy(policy), status=1)
        check("towpath down" in done.stderr and lab.inner in done.stderr, done.stderr)
        check_equal(differences(lab, whole), [[], []], "changed")
    lab.towpath("down")


@case
def an_apply_that_is_killed_does_not_lose_it(lab):
    """Another policy, killed behind the first name that it takes away, and then whole."""
    fault_shim()
    lab.apply(lab.policy_inside())
    noted = os.lstat(f"{lab.pins}/netns").st_ino
    path = lab.write_policy({**lab.policy_inside(), "grants": []})
    run("nsenter", f"--net=/run/netns/{lab.netns('router')}", "--", "env", "FAULT_KILL=1",
        f"LD_PRELOAD={SHIM}", "FAULT_FROM=unlink", "FAULT_AT=2", TOWPATH, "apply",
        path, "--instance", lab.instance, ok=False)
    lab.towpath("status")
    lab.towpath("apply", path)
    check_equal(os.lstat(f"{lab.pins}/netns").st_ino, noted, "inode of what notes it")
    lab.towpath("down")


@case
def down_removes_what_a_vanished_one_left(lab):
    lab.apply(lab.policy_inside())
    lab.drop_inner()
    done = lab.towpath("status", status=1)
    check("which is gone" in done.stderr, done.stderr)
    lab.towpath("down")
    check(not os.path.exists(lab.pins), f"{lab.pins} is there")
    wait_until(lambda: not lab.udp_ports(lab.netns("router")), "the socket to be closed")
    lab.make_inner()


@case
def apply_sets_it_up_again_after_one_vanished(lab):
    lab.apply(lab.policy_inside())
    lab.drop_inner()
    lab.make_inner()
    lab.apply(lab.policy_inside())
    is_split(lab)
    lab.towpath("down")


@contextlib.contextmanager
def running_inside(lab, **options):
    lab.write(lab.policy_inside())
    with Daemon(lab, lab.file, **options) as daemon:
        yield daemon
    lab.script("towpath", "down", ok=False)


def is_ready(daemon):
    return daemon.fetch("/readyz")[0] == 200


def becomes_ready(daemon, what):
    try:
        wait_until(lambda: is_ready(daemon), what, BUSY_S)
    except Failed as late:
        raise Failed(f"{late}: {daemon.fetch('/readyz')[2]}\n{daemon.log()}") from late


@case
def run_waits_for_it(lab):
    """And is not ready before, for the service manager either: no packet would flow."""
    lab.drop_inner()
    with running_inside(lab, ready=False) as daemon:
        wait_until(daemon.messages, "what it waits for", BUSY_S)
        check("ip netns add" in daemon.messages()[-1]["STATUS"], f"{daemon.messages()}")
        check_equal(daemon.fetch("/readyz")[0], 503, "/readyz")
        check_equal(daemon.fetch("/healthz")[0], 200, "/healthz")
        reads = daemon.reads()
        daemon.tell(signal.SIGHUP)
        wait_until(lambda: daemon.reads() > reads, "the reload", BUSY_S)
        check(all("EXTEND_TIMEOUT_USEC" in message for message in daemon.messages()),
              f"{daemon.messages()}")
        lab.make_inner()
        daemon.wait_for_ready()
        becomes_ready(daemon, "it to be set up")
        is_split(lab)
        check("is in force" in daemon.messages()[-1]["STATUS"], f"{daemon.messages()[-1]}")


@case
def run_waits_for_the_lan_inside(lab):
    lab.drop_inner()
    with running_inside(lab, ready=False) as daemon:
        for come, told in (((), "ip netns add"),
                           (("ip", "netns", "add", lab.inner), "no device leads to")):
            if come:
                run(*come)
            wait_until(lambda t=told: [m for m in daemon.messages()[-1:] if t in m["STATUS"]],
                       f"STATUS= with {told}", BUSY_S)
            check(told in daemon.fetch("/readyz")[2], daemon.fetch("/readyz")[2])
            check(told in lab.problems(), lab.problems())
        lab.furnish_inner()
        daemon.wait_for_ready()
        is_split(lab)
        lab.towpath("status", "--healthy")


@case
def run_recovers_when_it_vanishes_and_returns(lab):
    with running_inside(lab) as daemon:
        is_split(lab)
        lab.drop_inner()
        wait_until(lambda: not is_ready(daemon), "the loss to be told")
        check(lab.inner in daemon.fetch("/readyz")[2], daemon.fetch("/readyz")[2])
        check(lab.inner in lab.problems(), lab.problems())
        lab.make_inner()
        becomes_ready(daemon, "it to be set up again")
        is_split(lab)


@case
def run_recovers_when_the_lan_comes_later(lab):
    """By then it has removed what was left of the one before, and failed for want of a LAN."""
    with running_inside(lab) as daemon:
        lab.drop_inner()
        run("ip", "netns", "add", lab.inner)
        wait_until(lambda: "no device leads to" in daemon.log(), "the lack of a LAN to be told")
        lab.furnish_inner()
        becomes_ready(daemon, "it to be set up again")
        is_split(lab)


@case
def run_says_what_keeps_it_from_clearing_up(lab):
    """A directory among the pins, which is none of ours."""
    with running_inside(lab) as daemon:
        lab.drop_inner()
        os.mkdir(f"{lab.pins}/foreign")
        lab.make_inner()
        try:
            wait_until(lambda: "the policy in force: remove" in daemon.log(), "the cause", BUSY_S)
            check(f"{lab.pins}: Directory not empty" in daemon.log(), daemon.log())
            check("not valid any more" not in daemon.log(), daemon.log())
        finally:
            os.rmdir(f"{lab.pins}/foreign")


@case
def run_repairs_inside(lab):
    with running_inside(lab):
        is_split(lab)
        lab.in_inner("ip", "route", "flush", "dev", lab.tunnel, "proto", "116")
        wait_until(lambda: "116" in lab.in_inner("ip", "route", "show", "dev", lab.tunnel).stdout,
                   "the route to be back")
        lab.in_inner("ip", "link", "del", lab.tunnel)
        wait_until(lambda: lab.tunnel in lab.links(lab.inner), "the device to be back")
        is_split(lab)


@case
def backends_are_asked_from_inside(lab):
    """As packets that are forwarded to them would go; outside, nothing leads there."""
    policy, found = lab.policy_inside(), {"answers": True, "silent": False}
    with own_cgroup() as cgroup:
        policy["socket_lb"] = {"cgroup": cgroup}
        for number, (name, port) in enumerate(zip(found, (8398, 8397))):
            for suffix, vip, backend in (("", "100.80.0.8", lab.WEB),
                                         ("6", "fd7a:70::8", lab.WEB6)):
                policy.setdefault("services", {})[name + suffix] = {
                    "vip": f"{vip}{number}", "ports": [{"port": 80, "protocol": "tcp"}],
                    "backends": [backend],
                    "health": {"probe": f"tcp:{port}", "interval_ms": 200}}
        listening = [bound_socket(lab, "web", socket.SOCK_STREAM, address, 8398)
                     for address in (lab.WEB, lab.WEB6)]
        try:
            lab.write(policy)
            with Daemon(lab, lab.file):
                def healthy():
                    return {s["name"]: s["backends"][0]["healthy"]
                            for s in lab.json("status")["services"]}
                want = {name + suffix: lives for name, lives in found.items()
                        for suffix in ("", "6")}
                wait_until(lambda: healthy() == want, "the silent ones to be found dead")
                ended = time.monotonic() + 1    # twice the time in which all would be found dead
                while time.monotonic() < ended:
                    check_equal(healthy(), want, "and they alone")
        finally:
            for sock in listening:
                sock.close()
            lab.script("towpath", "down", ok=False)


def policy_of_sockets(lab, cgroup, **socket_lb):
    """Its socket_lb does not name the tunnel's namespace."""
    policy = service_policy(lab, cgroup, **socket_lb)
    policy["tunnel"]["netns"] = lab.inner
    return policy


def exempt_rows(lab):
    """Of tp_exempt: (cookie, why, what, netns)."""
    done = run("bpftool", "-j", "map", "dump", "pinned", f"{lab.pins}/maps/tp_exempt")
    rows = [row["formatted"] for row in json.loads(done.stdout)]
    return [(r["key"], r["value"]["why"], r["value"]["what"], r["value"]["netns"]) for r in rows]


def is_exempt(lab, cookie):
    """It alone, in the map and in the status."""
    check_equal(exempt_rows(lab), [(cookie, EXEMPT_TUNNEL, lab.inner, lab.inner)], "tp_exempt")
    check_equal(lab.json("status")["exempt"],
                [{"cookie": cookie, "why": "tunnel.netns", "what": lab.inner,
                  "netns": lab.inner}], "status")
    check(not is_translated(lab, "inner"), "sockets in the tunnel's namespace are left alone")
    check(is_translated(lab, "aside"), "those of another one are not")


@contextlib.contextmanager
def beside(lab):
    """A cgroup for this process, and a namespace that is not exempt."""
    with own_cgroup() as cgroup:
        make_pod(lab.netns("aside"))
        try:
            yield cgroup
        finally:
            lab.script("towpath", "down", ok=False)     # its processes are in the cgroup
            run("ip", "netns", "del", lab.netns("aside"))


@case
def its_sockets_are_left_alone(lab):
    """Without a word of it in the policy."""
    with beside(lab) as cgroup:
        for exempt in ([], [{"netns": lab.inner}]):
            lab.apply(policy_of_sockets(lab, cgroup, exempt=exempt))
            is_exempt(lab, cookie_of(lab.inner))


@case
def run_follows_it_as_an_exempt_one(lab):
    """Made anew it is another namespace, of another cookie."""
    with beside(lab) as cgroup:
        lab.write(policy_of_sockets(lab, cgroup))
        with Daemon(lab, lab.file) as daemon:
            first = cookie_of(lab.inner)
            is_exempt(lab, first)
            lab.drop_inner()
            wait_until(lambda: not is_ready(daemon), "the loss to be told")
            lab.make_inner()
            becomes_ready(daemon, "it to be set up again")
            check(cookie_of(lab.inner) != first, "another namespace")
            is_exempt(lab, cookie_of(lab.inner))


if __name__ == "__main__":
    main(NetnsLab)
