#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Endpoints that are DNS names, while `run` stays: looked up beside the loop, and again when a
handshake stalls. The daemon has /etc/hosts, resolv.conf and nsswitch.conf of its own."""

import contextlib
import json
import os
import socket
import time

from daemon import Daemon
from lib import (DEADLINE_S, SLOWNESS, Lab, bound_socket, case, check, check_equal, main,
                 wait_until)
from scenes import open_policy
from wgsets import watched

NAME, OTHER = "phone.example", "car.example"
PORT = 40123
STALL_S = 2 if SLOWNESS == 1 else 5 * SLOWNESS    # a peer that has just called is not stalled
NOWHERE, NOWHERE6 = "192.0.2.250", "2001:db8::250"
UNDERLAY, UNDERLAY6 = "192.0.2.10", "2001:db8::10"


def endpoint(address):
    return f"[{address}]:{PORT}" if ":" in address else f"{address}:{PORT}"


class EndpointsLab(Lab):
    """The phone listens at PORT, and does not call by itself."""

    def __enter__(self):
        super().__enter__()
        self.etc = f"{self.run_dir}/daemon-etc"
        os.mkdir(self.etc)
        self.resolver("files", "")
        self.hosts({})
        self.base = open_policy(self)
        self.base["peers"]["phone"]["endpoint"] = f"{NAME}:{PORT}"
        self.base["peers"]["phone"]["persistent_keepalive"] = 1
        self.base["nodes"]["homelab-1"].pop("endpoint")
        self.base["peers"]["car"] = {
            "public_key": "M" * 42 + "E=", "addresses": ["100.80.0.12"],
            "endpoint": "192.0.2.77:40002"}
        self.phone("listen-port", PORT)
        self.phone("peer", self.router_key(), "persistent-keepalive", "0",
                   "endpoint", f"{NOWHERE}:9")
        return self

    def recover(self):
        self.script("towpath", "down", ok=False)

    def phone(self, *args):
        self.exec("phone", "wg", "set", self.phone_tunnel, *args)

    def router_key(self):
        return self.base["nodes"]["homelab-1"]["public_key"]

    def put(self, name, text):
        """In place: it is mounted over the machine's own."""
        with open(f"{self.etc}/{name}", "w", encoding="ascii") as file:
            file.write(text)

    def hosts(self, names):
        self.put("hosts", "127.0.0.1 localhost\n" +
                 "".join(f"{address} {name}\n" for name, address in names.items()))

    def resolver(self, order, servers):
        self.put("nsswitch.conf", f"hosts: {order}\n")
        self.put("resolv.conf", servers)

    @contextlib.contextmanager
    def running(self, policy=None):
        """The daemon; nothing is left behind."""
        self.file = self.write_policy(policy or self.base, "watched.json")
        mounts = "".join(f"mount --bind {self.etc}/{name} /etc/{name}; "
                         for name in ("hosts", "resolv.conf", "nsswitch.conf"))
        wrap = ("unshare", "--mount", "sh", "-c", mounts + 'exec "$@"', "-")
        with Daemon(self, self.file, "--metrics-listen", "127.0.0.1:9586", "--stall-after",
                    str(STALL_S), wrap=wrap) as daemon:
            yield daemon
        self.script("towpath", "down", ok=False)

    def endpoints(self):
        lines = self.exec("router", "wg", "show", self.tunnel, "endpoints").stdout.splitlines()
        return dict(line.split("\t") for line in lines)

    def phone_is_at(self, address, what):
        key = self.base["peers"]["phone"]["public_key"]
        wait_until(lambda: self.endpoints()[key] == endpoint(address), what,
                   2 * DEADLINE_S)
        check(True, what)

    def what_is_wrong(self):
        return [p["what"] for p in self.json("status")["problems"]]


@case
def a_name_is_followed_when_the_handshake_stalls(lab):
    for nowhere, there in ((NOWHERE, UNDERLAY), (NOWHERE6, UNDERLAY6)):
        lab.hosts({NAME: nowhere})
        with lab.running() as daemon:
            lab.phone_is_at(nowhere, "the first answer")
            others = {k: v for k, v in lab.endpoints().items()
                      if k != lab.base["peers"]["phone"]["public_key"]}
            with watched(lab) as sets:
                lab.hosts({NAME: there})
                lab.phone_is_at(there, "the other answer")
                lab.exec("router", "ping", "-n", "-c", "1", "-W", "10", "-I", lab.ROUTER,
                         lab.PHONE)
            check_equal(sets, [[lab.base["peers"]["phone"]["public_key"]]], "messages")
            check_equal({k: v for k, v in lab.endpoints().items() if k in others}, others,
                        "the others")
            check(f"{NAME}, the endpoint of phone, is {endpoint(there)} now" in daemon.log(),
                  daemon.log())
            check(lab.json("status")["healthy"], f"{lab.what_is_wrong()}")
        lab.phone("peer", lab.router_key(), "endpoint", f"{NOWHERE}:9")


@case
def a_peer_that_has_roamed_and_lives_is_left_alone(lab):
    """Its handshakes are young, whatever the name says."""
    lab.hosts({NAME: UNDERLAY})
    with lab.running() as daemon:
        lab.phone_is_at(UNDERLAY, "the first answer")
        lab.exec("router", "ping", "-n", "-c", "1", "-W", "10", "-I", lab.ROUTER, lab.PHONE)
        lab.phone("listen-port", PORT + 1)
        lab.exec("phone", "ping", "-n", "-c", "1", "-W", "5", lab.WEB)
        key = lab.base["peers"]["phone"]["public_key"]
        wait_until(lambda: lab.endpoints()[key] == f"{UNDERLAY}:{PORT + 1}", "it to roam")
        policy = json.loads(json.dumps(lab.base))
        policy["peers"]["car"]["persistent_keepalive"] = 7
        lab.write_policy(policy, "watched.json")
        daemon.wait_for_ready(2)
        check_equal(lab.endpoints()[key], f"{UNDERLAY}:{PORT + 1}", "where it is")
    lab.phone("listen-port", PORT, "peer", lab.router_key(), "endpoint", f"{NOWHERE}:9")


@case
def a_name_that_does_not_resolve_is_a_problem_until_it_does(lab):
    lab.hosts({})
    with lab.running() as daemon:
        wait_until(lambda: any(NAME in what for what in lab.what_is_wrong()), "the problem")
        what = lab.what_is_wrong()[0]
        check(what.startswith(f'$.peers.phone.endpoint: "{NAME}", the endpoint of phone, does not '
                              "resolve: "), what)
        check_equal(daemon.fetch("/readyz")[0], 200, "/readyz: the data path is whole")
        check(any(NAME in p["what"] for p in daemon.status()["problems"]), "/status")
        lab.hosts({NAME: "fe80::1"})    # of which link?
        time.sleep(3)       # it is tried again, and that is not news
        check_equal(daemon.log().count("does not resolve"), 1, daemon.log())
        check(any(NAME in what for what in lab.what_is_wrong()), "it is still one")
        lab.hosts({NAME: UNDERLAY})
        lab.phone_is_at(UNDERLAY, "the answer")
        wait_until(lambda: not lab.what_is_wrong(), "the problem to end")
        check_equal(daemon.log().count("resolves again"), 1, daemon.log())


@case
def another_name_in_the_file_is_followed_at_once(lab):
    lab.hosts({NAME: NOWHERE, OTHER: UNDERLAY})
    with lab.running():
        lab.phone_is_at(NOWHERE, "the first name")
        policy = json.loads(json.dumps(lab.base))
        policy["peers"]["phone"]["endpoint"] = f"{OTHER}:{PORT}"
        lab.write_policy(policy, "watched.json")
        lab.phone_is_at(UNDERLAY, "the other name")


@case
def a_resolver_that_hangs_holds_nothing_up(lab):
    """Its server takes questions and never answers."""
    lab.hosts({})
    lab.resolver("dns", "nameserver 127.0.0.1\noptions timeout:30 attempts:1\n")
    with bound_socket(lab, "router", socket.SOCK_DGRAM, "127.0.0.1", 53) as server:
        begun = time.monotonic()
        with lab.running() as daemon:
            server.recv(512)
            policy = json.loads(json.dumps(lab.base))
            policy["peers"]["car"]["persistent_keepalive"] = 9
            lab.write_policy(policy, "watched.json")
            daemon.wait_for_ready(2)
            check_equal(daemon.fetch("/healthz")[0], 200, "/healthz")
            check("warning" not in daemon.log() and "resolve" not in daemon.log(), daemon.log())
            check_equal(daemon.leave(), 0, "exit status")
        check(time.monotonic() - begun < 25 * SLOWNESS, f"{time.monotonic() - begun:.0f} s")
    lab.resolver("files", "")


if __name__ == "__main__":
    main(EndpointsLab)
