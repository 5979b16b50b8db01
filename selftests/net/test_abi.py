#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Maps of another version of towpath: taken over with their flows, or refused untouched; and
removed by `down` of any version. That an older version has set up what is there is only noted in
tp_state; with NEXT_ABI=1 it is so, and a binary with the next ABI, built for it, takes over.
FAULT_CALLS says at how many moments that is killed (default 2; 0: at each of its kernel calls)."""

import contextlib
import glob
import json
import os
import signal
import socket
import subprocess

import snapshot
from daemon import BUSY_S, Daemon
from lib import (SHIM, TOP, TOWPATH, Lab, Skip, bound_socket, build, case, check, check_equal,
                 client_socket, fault_shim, main, run, wait_until)
from scenes import open_policy, pairs
from streams import Flows, Stream
from versions import kept_abi, kept_ids, note, our_abi

BUILD_NEXT = bool(int(os.environ.get("NEXT_ABI", "0")))
NEXT = os.path.join(TOP, "build/next/towpath") if BUILD_NEXT else TOWPATH
WANTED = int(os.environ.get("FAULT_CALLS", "2"))


class AbiLab(Lab):
    """Each case begins with nothing set up."""

    def recover(self):
        self.script("towpath", "down", ok=False)


def make_next():
    """Besides the number the size of a map differs, so that something has to be made anew."""
    fault_shim()
    if BUILD_NEXT:
        build("B=build/next", f"ABI_FLAGS=-DTP_ABI={our_abi() + 1} -DTP_HINTS=32768",
              "build/next/towpath")


def next_towpath(lab, *words, status=0, env=()):
    """What the next version says, in the router."""
    done = subprocess.run(
        ["nsenter", f"--net=/run/netns/{lab.netns('router')}", "--", "env", *env, NEXT, *words,
         "--instance", lab.instance], text=True, capture_output=True, timeout=120, check=False)
    check_equal(done.returncode, status, f"{' '.join(words)} of the next version: {done.stderr}")
    return done


def all_of(lab):
    """The namespace, and of each pinned map its id and all that is in it but counters."""
    taken = snapshot.take(lab.netns("router"))
    maps = f"{lab.pins}/maps"
    for name in sorted(os.listdir(maps)):
        shown = json.loads(run("bpftool", "-j", "map", "show", "pinned", f"{maps}/{name}").stdout)
        taken[f"map {name}"] = [f"id {shown['id']}"]
    for name in ("tp_state", "tp_limits", "tp_devices", "tp_peer_info", "tp_route_info",
                 "tp_sysctls", "tp_src", "tp_routes"):
        done = run("bpftool", "-j", "map", "dump", "pinned", f"{maps}/{name}")
        taken[f"rows of {name}"] = done.stdout.splitlines()
    return taken


def refuses(lab, number, words, commands):
    before = all_of(lab)
    note(lab, number)
    for command in commands:
        done = lab.towpath(*command, status=6)
        check(words in done.stderr and f"map ABI {number}," in done.stderr, done.stderr)
    note(lab, our_abi())
    check_equal(snapshot.difference(before, all_of(lab)), [], f"ABI {number}: changed")


@case
def a_newer_one_is_refused_before_anything_is_touched(lab):
    lab.apply()
    changed = lab.write_policy(open_policy(lab))
    refuses(lab, our_abi() + 1, "was set up by a newer towpath",
            [["plan", changed], ["apply", changed], ["run", changed], ["status"]])
    lab.towpath("down")


@case
def one_too_old_is_refused_before_anything_is_touched(lab):
    lab.apply()
    changed = lab.write_policy(open_policy(lab))
    refuses(lab, 3, "was set up by an older towpath",
            [["plan", changed], ["apply", changed], ["run", changed], ["status"]])
    lab.towpath("down")


@case
def down_removes_what_another_version_made(lab):
    for number in (3, our_abi() + 1):
        before = snapshot.take(lab.netns("router"))
        lab.apply()
        note(lab, number)
        lab.towpath("down")
        check_equal(snapshot.difference(before, snapshot.take(lab.netns("router"))), [],
                    f"after down from ABI {number}")
        check(not os.path.exists(lab.pins), f"{lab.pins} is there")


# ---- taken over ---------------------------------------------------------------------------

@case
def run_stays_beside_an_older_one_when_the_file_is_broken(lab):
    """It exits where nothing is in force; here something is, and is taken over at once."""
    lab.changed = lab.write_policy(open_policy(lab))
    lab.towpath("apply", lab.changed)
    note(lab, older_abi())
    with Daemon(lab, lab.write_policy("{", "broken.json"), ready=False) as daemon:
        wait_until(lambda: "stays in force" in daemon.log(), "it to say that it stays")
        wait_until(lambda: lab.script("towpath", "status", ok=False).returncode == 0,
                   "the older version's to be taken over", BUSY_S)
        check(lab.json("status")["policy"]["rejected"], "it says that the file is broken")
    lab.towpath("down")


def older_abi():
    older = our_abi() if BUILD_NEXT else kept_abi()
    if older == our_abi() and not BUILD_NEXT:
        raise Skip("this version takes none over")
    return older


def set_up(lab):
    """By the older version."""
    lab.changed = lab.write_policy(open_policy(lab))
    older = older_abi()
    lab.towpath("apply", lab.changed)
    lab.wait_for_tunnel()
    note(lab, older)


def drops(lab):
    return json.loads(next_towpath(lab, "status", "--json").stdout)["drops"]


def settled(lab):
    """By the next version, whose it is now."""
    next_towpath(lab, "status", "--healthy")
    check_equal(json.loads(next_towpath(lab, "plan", lab.changed, "--json").stdout)["ops"], [],
                "plan")
    check_equal(glob.glob(f"{lab.pins}/maps/old*"), [], "what was put aside")


@case
def flows_are_taken_over_by_the_next_version(lab):
    """Those included that are opened meanwhile; without a lost packet."""
    set_up(lab)
    ids = kept_ids(lab)
    done = next_towpath(lab, "status", status=6)
    check("`towpath apply` or `run` takes it over" in done.stderr, done.stderr)
    flows = [Flows(lab, *pair, 7000 + i) for i, pair in enumerate(pairs(lab))]
    streams = [Stream(lab, *pair, 6000 + i) for i, pair in enumerate(pairs(lab))]
    wait_until(lambda: all(len(f.flows) > 10 for f in flows) and all(s.got for s in streams),
               "traffic")

    done = next_towpath(lab, "plan", lab.changed)
    check(f"abi {older_abi()} to " in done.stdout, done.stdout)
    next_towpath(lab, "apply", lab.changed)
    count = [len(f.flows) for f in flows]
    wait_until(lambda: all(len(f.flows) > n + 10 for f, n in zip(flows, count)), "more flows")
    settled(lab)
    for traffic in flows + streams:
        traffic.end()
    check_equal(kept_ids(lab), ids, "ids of maps and links")
    for reason in ("invalid", "no_program", "no_policy", "acl", "no_route", "clash"):
        check_equal(drops(lab).get(reason, 0), 0, f"drops of {reason}")
    if BUILD_NEXT:
        refuses_to_go_back(lab)
    lab.towpath("down")


def refuses_to_go_back(lab):
    for command in ("apply", "plan"):
        done = lab.towpath(command, lab.changed, status=6)
        check("was set up by a newer towpath" in done.stderr, done.stderr)
    settled(lab)


# ---- killed while it takes over -----------------------------------------------------------

class Questions:
    """Of a flow in each family that was there before, and of new ones: all are answered, by way of
    the port that the flow had from the beginning."""

    def __init__(self, lab):
        self.lab, self.port = lab, 23456
        self.echoes = [bound_socket(lab, "web", socket.SOCK_DGRAM, server, 7000)
                       for _, server in pairs(lab)]
        self.old = self.open()
        self.ask(self.old, "before")

    def open(self):
        """A flow of each family."""
        self.port += 1
        clients = []
        for phone, server in pairs(self.lab):
            sock = client_socket(self.lab, "phone", socket.SOCK_DGRAM, phone)
            sock.bind((phone, self.port))
            sock.connect((server, 7000))
            clients.append(sock)
        return clients

    def ask(self, clients, when):
        for client, echo in zip(clients, self.echoes):
            client.send(when.encode())
            text, sender = echo.recvfrom(64)
            check_equal((text.decode(), sender[1]), (when, client.getsockname()[1]),
                        "question, and the port that it comes from")
            echo.sendto(text, sender)
            check_equal(client.recv(64), text, "answer")

    def ask_all(self, when):
        self.ask(self.old, when)
        self.ask(self.open(), when)


def killed_apply(lab, at):
    """The next version's apply, killed at its kernel call of that number from the first change of
    pins on: what is before that leaves all as it was. Gives the calls' names."""
    log = f"{lab.run_dir}/fault.log"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(log)
    next_towpath(lab, "apply", lab.changed, status=-signal.SIGKILL if at else 0,
                 env=[f"LD_PRELOAD={SHIM}", "FAULT_KILL=1", "FAULT_FROM=rename", f"FAULT_AT={at}",
                      f"FAULT_LOG={log}"])
    with open(log, encoding="utf-8") as file:
        return file.read().splitlines()


def chosen(calls):
    """The last of few is when only some programs are attached. The last twenty calls are not made
    each time."""
    count = len(calls) - 20
    if not WANTED:
        return range(1, count + 1)
    return [count * 9 // 10 * (i + 1) // WANTED for i in range(WANTED)]


@case
def a_take_over_that_is_killed_is_finished_by_the_next(lab):
    set_up(lab)
    calls = killed_apply(lab, 0)
    questions = Questions(lab)
    for at in chosen(calls):
        note(lab, older_abi())
        killed_apply(lab, at)
        questions.ask_all(f"killed at {at}")
        next_towpath(lab, "apply", lab.changed)
        questions.ask_all(f"finished after {at}")
        settled(lab)
    lab.towpath("down")


@contextlib.contextmanager
def abi_lab():
    make_next()
    with AbiLab() as lab:
        yield lab


if __name__ == "__main__":
    main(abi_lab)
