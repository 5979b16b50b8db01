#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The tunnel itself is lost under traffic: its process dies, or its device is deleted."""

import json
import os
import signal
import subprocess
import time

from daemon import BUSY_S
from lib import (DEADLINE_S, SLOWNESS, TOWPATH, Skip, case, check, check_equal, main, run,
                 wait_until)
from running import RunLab, forwards, noted, tunnel_process
from scenes import open_policy, pairs
from streams import Stream

CRASHES = 10
# a second is meant, on a machine that has nothing else to do
BACK_S = DEADLINE_S if SLOWNESS == 1 else BUSY_S


def require_process(lab):
    pid = tunnel_process(lab)
    if not pid:
        raise Skip("the tunnel is the kernel's")
    return pid


def crash(lab):
    os.kill(require_process(lab), signal.SIGKILL)


def delete(lab):
    run("ip", "-n", lab.netns("router"), "link", "del", lab.tunnel)


def device(lab):
    """What WireGuard holds, but for what changes by itself."""
    rows = lab.exec("router", "wg", "show", lab.tunnel, "dump").stdout.split("\n")
    peers = {}
    for row in filter(None, rows[1:]):
        key, psk, endpoint, allowed, _, _, _, keepalive = row.split("\t")
        peers[key] = psk, endpoint, sorted(allowed.split(",")), keepalive
    return rows[0].split("\t"), peers


def with_psk(lab):
    """The open policy, its phone with a preshared key, which the phone has too."""
    path = f"{lab.run_dir}/psk"
    key = run("wg", "genpsk").stdout
    with open(path, "w", encoding="ascii", opener=lambda p, f: os.open(p, f, 0o600)) as file:
        file.write(key)
    policy = open_policy(lab)
    policy["peers"]["phone"]["preshared_key_file"] = path
    router = policy["nodes"]["homelab-1"]["public_key"]
    real = lab.exec("phone", "wg", "show", lab.phone_tunnel, "peers").stdout.strip()
    check_equal(real, router, "the phone's peer")
    lab.exec("phone", "wg", "set", lab.phone_tunnel, "peer", router, "preshared-key", path)
    return policy


def survives(lab, damage):
    with lab.running(policy=with_psk(lab)) as daemon:
        lab.wait_for_tunnel()
        noted(daemon)
        if damage is crash:
            require_process(lab)
        before, flows = device(lab), lab.json("status")["flows"]
        streams = [Stream(lab, phone, server, 6000 + i)
                   for i, (phone, server) in enumerate(pairs(lab))]
        wait_until(lambda: all(s.got > 1000 for s in streams), "the streams to flow")
        before_got = [s.got for s in streams]
        was = lab.json("status")["flows"]["current"]
        began = time.monotonic()
        damage(lab)
        states = set()

        def back():
            code, _, body = daemon.fetch("/readyz")
            states.add(code)
            status = lab.json("status")
            states.add(status["healthy"])
            return status["healthy"] and code == 200 or (body and False)

        wait_until(back, "the daemon to be ready again", BACK_S)
        ready_s = time.monotonic() - began
        wait_until(lambda: all(s.got > b + 5000 for s, b in zip(streams, before_got)),
                   "the streams to go on", 6 * DEADLINE_S)
        print(f"# ready after {ready_s:.2f} s, traffic after {time.monotonic() - began:.2f} s")
        for stream in streams:
            stream.end()
        check_equal(device(lab), before, "WireGuard's device")
        # by the second question it may be back
        check(503 in states or False in states, f"it said that it was down: {states}")
        check_equal(lab.json("plan", lab.file)["ops"], [], "plan")
        check(lab.json("status")["flows"]["created"] <= flows["created"] + 12 and was >= 2,
              "flows went on")
        check(daemon.metrics().values("towpath_repairs_total")["link"] >= 2, "repairs")
        forwards(lab)


@case
def a_killed_process_is_started_again(lab):
    survives(lab, crash)


@case
def a_deleted_device_is_made_again(lab):
    survives(lab, delete)


def waits_for_an_answer(pid):
    with open(f"/proc/{pid}/wchan", encoding="ascii") as file:
        return file.read().startswith("unix_stream")


@case
def a_process_that_ends_while_it_is_asked_has_ended(lab):
    """It has taken the question, and no answer comes: a command sees a tunnel without a process."""
    policy = with_psk(lab)
    lab.apply(policy)
    pid = tunnel_process(lab)
    if not pid:
        raise Skip("the tunnel is the kernel's")
    os.kill(pid, signal.SIGSTOP)
    command = ["nsenter", f"--net=/run/netns/{lab.netns('router')}", "--", TOWPATH, "plan",
               lab.write_policy(policy), "--instance", lab.instance]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as asking:
        wait_until(lambda: waits_for_an_answer(asking.pid), "the question to be asked")
        os.kill(pid, signal.SIGKILL)
        said = asking.communicate(timeout=DEADLINE_S)
    check_equal(asking.returncode, 0, f"exit status\n{said}")
    check("add peer phone" in said[0], f"{said}")
    lab.apply(policy)
    lab.wait_for_tunnel()


def is_ready(lab, daemon):
    return lab.json("status")["healthy"] and daemon.fetch("/readyz")[0] == 200


def link_local(lab, short, device):
    """That address, and the number of the device."""
    shown = run("ip", "-j", "-6", "-n", lab.netns(short), "address", "show", device).stdout
    link = json.loads(shown)[0]
    return next(a["local"] for a in link["addr_info"] if a["scope"] == "link"), link["ifindex"]


def phone_calls(lab, endpoint):
    router = lab.exec("phone", "wg", "show", lab.phone_tunnel, "peers").stdout.strip()
    lab.exec("phone", "wg", "set", lab.phone_tunnel, "peer", router, "endpoint", endpoint)


@case
def a_peer_on_the_same_link_is_called_again(lab):
    """It had called from a link-local address, which leads nowhere without the device."""
    with lab.running(policy=with_psk(lab)) as daemon:
        phone_calls(lab, f"[{link_local(lab, 'router', 'wan0')[0]}%eth0]:51820")
        lab.wait_for_tunnel()
        noted(daemon)
        before = lab.json("status")["peers"][0]["endpoint"]
        if "%" not in before and tunnel_process(lab):
            raise Skip("this wireguard-go does not tell of devices")
        there = f"[{link_local(lab, 'phone', 'eth0')[0]}%{link_local(lab, 'router', 'wan0')[1]}]:"
        check(before.startswith(there), f"{before}, and not {there}")
        delete(lab)
        wait_until(lambda: is_ready(lab, daemon), "the daemon to be ready again", BACK_S)
        check_equal(lab.json("status")["peers"][0]["endpoint"], before, "its endpoint")
        lab.exec("router", "ping", "-n", "-c", "1", "-W", "10", "-I", lab.ROUTER, lab.PHONE)
        check_equal(lab.json("status")["peers"][0]["endpoint"], before, "its endpoint")
    phone_calls(lab, "192.0.2.1:51820")


@case
def many_crashes_leave_nothing_behind(lab):
    """Neither memory nor descriptors, and the peer is known to be where it was each time."""
    with lab.running(policy=with_psk(lab)) as daemon:
        lab.wait_for_tunnel()
        noted(daemon)
        before = device(lab)
        wait_until(lambda: daemon.metrics(), "metrics", BACK_S)
        sizes, took = [], []
        for _ in range(CRASHES):
            pid = tunnel_process(lab)
            began = time.monotonic()
            crash(lab)
            wait_until(lambda gone=pid: tunnel_process(lab) not in (None, gone)
                       and is_ready(lab, daemon), "the daemon to be ready again", 3 * DEADLINE_S)
            took.append(time.monotonic() - began)
            check_equal(device(lab), before, "WireGuard's device")
            sizes.append((daemon.resident_kib(), daemon.descriptors()))
        print(f"# ready after {min(took):.2f} to {max(took):.2f} s, KiB and descriptors {sizes}")
        least = min(count for _, count in sizes[1:])    # a client that hung up is noticed later
        wait_until(lambda: daemon.descriptors() <= least, f"no more than {least} descriptors")
        check(sizes[-1][0] <= sizes[1][0] + 512, f"resident KiB {sizes}")
        forwards(lab)


if __name__ == "__main__":
    main(RunLab)
