#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""A DNS service of two resolvers, with `health` as it is by default, as a phone sees it when the
first one dies: how long it is without an answer, counted in probes and not by a clock."""

import contextlib
import select
import socket
import threading
import time

from daemon import Daemon
from lib import (DEADLINE_S, Failed, Lab, bound_socket, case, check, check_equal, client_socket,
                 main, wait_until)
from scenes import open_policy
from services import UDP, own_cgroup

VIP, VIP6, BEAT = "100.80.0.53", "fd7a:70::53", "100.80.0.54"
# the service's address and its two resolvers
FAMILIES = ((VIP, Lab.WEB, Lab.DNS), (VIP6, Lab.WEB6, Lab.DNS6))
INTERVALS = 3
BEATS = 4       # an interval
DEFAULT_MS = 1000
PORT, BEAT_PORT = 5399, 5398
ROOT = b"\0" b"\0\2" b"\0\1"                    # NS, IN: what a probe asks
HOST = b"\5phone\4test\0" b"\0\1" b"\0\1"       # A, IN: what the phone asks
FIRST, SECOND = bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))
GIVE_UP_S = 0.05    # the phone's, with each question


class Resolver:
    """Answers with its own address, until it dies behind the answer to a probe: so the next probe
    is as far away as it can be."""

    def __init__(self, lab, host, address, port, says):
        self.says, self.probes, self.missed = says, 0, 0
        self.dies, self.closes = False, False
        self.dead, self.ended = threading.Event(), False
        self.sock = bound_socket(lab, host, UDP, address, port)
        self.sock.settimeout(0.2)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while not self.ended:
            with contextlib.suppress(OSError):
                query, client = self.sock.recvfrom(512)
                is_probe = query[12:] == ROOT
                if self.dead.is_set():
                    self.missed += is_probe
                    continue
                self.sock.sendto(self._answer(query), client)
                self.probes += is_probe
                if is_probe and self.dies:
                    self._die()

    def _die(self):
        """The host with it, or, closed, the process alone: then the host refuses for it."""
        if self.closes:
            self.ended = True
            self.sock.close()
        self.dead.set()

    def _answer(self, query):
        """RFC 1035 4.1: the question, and one address to its name."""
        return query[:2] + b"\x81\x80" + query[4:6] + b"\0\1" + query[8:] + \
            b"\xc0\x0c" b"\0\1" b"\0\1" b"\0\0\0\0" b"\0\4" + self.says

    def close(self):
        self.ended = True
        self.thread.join()
        self.sock.close()


class Phone:
    """Asks by a socket that it keeps, and by a new one each time."""

    def __init__(self, lab, vip):
        self.lab, self.vip, self.id = lab, vip, 0
        self.kept = client_socket(lab, "phone", UDP, vip)

    def _ask(self, sock):
        self.id += 1
        query = self.id.to_bytes(2, "big") + b"\1\0" b"\0\1" b"\0\0" b"\0\0" b"\0\0" + HOST
        sock.sendto(query, (self.vip, 53))

    def _heard(self, sock):
        answer, source = sock.recvfrom(512)
        check_equal(source[:2], (self.vip, 53), "who is said to answer")
        return answer[-4:]

    def ask(self):
        """Who answers: (the socket that was there before, a new one), None for nobody."""
        with client_socket(self.lab, "phone", UDP, self.vip) as new:
            for sock in (self.kept, new):
                self._ask(sock)
            heard, end = {}, time.monotonic() + GIVE_UP_S
            while len(heard) < 2 and time.monotonic() < end:
                ready, _, _ = select.select([self.kept, new], [], [], GIVE_UP_S)
                heard.update({sock: self._heard(sock) for sock in ready})
            return heard.get(self.kept), heard.get(new)

    def close(self):
        self.kept.close()


def resolver_policy(lab):
    """And a service that nobody uses, whose probes of a living backend are the clock."""
    policy = open_policy(lab)
    service = {"ports": [{"port": 53, "protocol": "udp", "target_port": PORT}]}
    policy["services"] = {
        name: {**service, "vip": vip, "backends": [first, second],
               "health": {"probe": f"udp:{PORT}"}}
        for name, (vip, first, second) in zip(("resolver", "resolver6"), FAMILIES)}
    policy["services"]["beat"] = {**service, "vip": BEAT, "backends": [Lab.DNS], "health": {
        "probe": f"udp:{BEAT_PORT}", "interval_ms": DEFAULT_MS // BEATS}}
    policy["grants"] = [{"src": ["phone"], "dst": list(policy["services"])}]
    policy["socket_lb"] = {"mode": "off", "cgroup": lab.cgroup}
    return policy


@contextlib.contextmanager
def resolved():
    with own_cgroup() as cgroup, Lab() as lab:
        lab.cgroup = cgroup
        lab.apply(open_policy(lab))
        lab.wait_for_tunnel()
        yield lab


def outage(phone, first, clock):
    """The phone's, from the death of the first to an answer of the second: for each of its ways to
    ask, (beats of the clock, probes that the dead one has not answered)."""
    first.dies = True
    check(first.dead.wait(DEADLINE_S), "a probe that it dies behind")
    began, found = clock.probes, {}
    end = time.monotonic() + 3 * DEADLINE_S
    while len(found) < 2:
        if time.monotonic() > end:
            raise Failed(f"nobody answers the phone: {found}")
        for way, says in zip(("a flow that was there", "a new one"), phone.ask()):
            if says == SECOND:
                found.setdefault(way, (clock.probes - began, first.missed))
    return found


def outages(lab, **dying):
    """Of both families: [address, way, intervals, probes missed], and nobody else answers."""
    with contextlib.ExitStack() as stack:
        def until_the_end(what):
            return stack.enter_context(contextlib.closing(what))

        clock = until_the_end(Resolver(lab, "dns", Lab.DNS, BEAT_PORT, SECOND))
        firsts = []
        for vip, first, second in FAMILIES:
            firsts.append((vip, until_the_end(Resolver(lab, "web", first, PORT, FIRST))))
            until_the_end(Resolver(lab, "dns", second, PORT, SECOND))
        stack.enter_context(Daemon(lab, lab.write_policy(resolver_policy(lab))))
        found = []
        wait_until(lambda: all(backend["healthy"] for service in lab.json("status")["services"]
                               for backend in service["backends"]), "all to be well")
        for vip, first in firsts:
            phone = until_the_end(Phone(lab, vip))
            check_equal(phone.ask(), (FIRST, FIRST), f"{vip}, before")
            for name, value in dying.items():
                setattr(first, name, value)
            found += [(vip, way, beats / BEATS, missed)
                      for way, (beats, missed) in outage(phone, first, clock).items()]
        return found


@case
def the_phone_hears_of_the_second_within_three_intervals(lab):
    found = outages(lab)
    late = [row for row in found if max(row[2:]) > INTERVALS]
    check_equal(late, [], f"intervals without an answer, and probes, of {found}")


@case
def a_resolver_that_refuses_is_not_given_up_sooner(lab):
    """As one that is started anew does meanwhile."""
    # the phone's questions are refused as well, and a host would leave it at one a second
    lab.exec("web", "sysctl", "-qw", "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")
    found = outages(lab, closes=True)
    wrong = [row for row in found if not 2 <= row[2] <= INTERVALS]
    check_equal(wrong, [], f"intervals without an answer, of {found}")


if __name__ == "__main__":
    main(resolved)
