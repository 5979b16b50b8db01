#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""What becomes of a flow when its next hop changes under it, with nobody to tell the programs."""

import contextlib
import select
import socket
import time

from lib import DEADLINE_S, Failed, bound_socket, case, check, check_equal, main, run
from packets import udp
from scenes import announce, opened, port

EVERY_S = 0.02
FOLLOWED_S = 1.0 + 1.0      # the programs look again each second; the rest is a busy machine's
FAR, FAR6 = "10.10.30.77", "fd10:30::77"    # behind web or dns: routes say which


def prepare(lab):
    """The kernel doubts a neighbour after one to four seconds, asks it a second later, and gives it
    up after a few tenths; by default all that takes most of a minute. It must be longer in doubt
    than a second, or the kernel takes its own question for use. FAR is anycast."""
    for family in ("ipv4", "ipv6"):
        neigh = f"net.{family}.neigh.lan0"
        lab.exec("router", "sysctl", "-qw", f"{neigh}.base_reachable_time_ms=2500",
                 f"{neigh}.delay_first_probe_time=1", f"{neigh}.retrans_time_ms=100",
                 f"{neigh}.ucast_solicit=2", f"{neigh}.mcast_solicit=2")
    lab.exec("router", "sysctl", "-qw", "net.ipv6.conf.lan0.keep_addr_on_down=1")
    # the timers that run already were set by the old values
    run("ip", "-n", lab.netns("router"), "neigh", "flush", "dev", "lan0")
    for host in ("web", "dns"):
        for address in (FAR, FAR6):
            run("ip", "-n", lab.netns(host), "address", "add", address, "dev", "lo")


@contextlib.contextmanager
def lab_in_a_hurry():
    with opened() as lab:
        prepare(lab)
        with bound_socket(lab, "web", socket.SOCK_DGRAM, "::", 7000) as web, \
                bound_socket(lab, "dns", socket.SOCK_DGRAM, "::", 7000) as dns:
            lab.hosts = {web: "web", dns: "dns"}
            yield lab


class Stream:
    """Numbered datagrams of one flow: who got which, and from where."""

    def __init__(self, lab, src, dst):
        self.src, self.dst, self.port = src, dst, port(lab)
        self.sent, self.got = 0, {}

    def datagram(self):
        self.sent += 1
        return udp(self.src, self.dst, self.port, 7000, b"%d %d" % (self.port, self.sent))

    def host(self):
        return self.got[max(self.got)][0][0] if self.got else None

    def lost(self):
        return [n for n in range(1, self.sent + 1) if n not in self.got]

    def doubled(self):
        return [n for n, came in self.got.items() if len(came) > 1]


class Streams:
    """One of each family, at a steady pace."""

    def __init__(self, lab, dst, dst6):
        self.lab = lab
        self.all = [Stream(lab, lab.PHONE, dst), Stream(lab, lab.PHONE6, dst6)]

    def _receive(self, seconds):
        for sock in select.select(list(self.lab.hosts), [], [], max(seconds, 0))[0]:
            data, source = sock.recvfrom(2048)
            sport, number = map(int, data.split())
            for stream in self.all:
                if stream.port == sport:
                    stream.got.setdefault(number, []).append((self.lab.hosts[sock], source[:2]))

    def flow_until(self, holds, what, seconds=DEADLINE_S):
        """Gives how long that took."""
        start = time.monotonic()
        while not holds():
            if time.monotonic() > start + seconds:
                raise Failed(f"{what}: not in {seconds} s; lost: " + "; ".join(
                    f"{s.dst} {s.lost()[-3:]} of {s.sent}" for s in self.all))
            for stream in self.all:
                self.lab.from_phone(stream.datagram())
            end = time.monotonic() + EVERY_S
            while time.monotonic() < end:
                self._receive(end - time.monotonic())
        return time.monotonic() - start

    def flow_for(self, seconds):
        end = time.monotonic() + seconds
        self.flow_until(lambda: time.monotonic() > end, f"{seconds} s pass")

    def come_again(self, seconds=DEADLINE_S):
        """Until several that are sent from now on have arrived."""
        first = [s.sent + 1 for s in self.all]
        self.flow_until(lambda: all(sum(n >= f for n in s.got) >= 5
                                    for s, f in zip(self.all, first)), "they come", seconds)

    def come_to(self, host, seconds=FOLLOWED_S):
        self.flow_until(lambda: all(s.host() == host for s in self.all), f"they come to {host}",
                        seconds)

    def keep_their_port(self):
        for stream in self.all:
            ports = {source[1] for came in stream.got.values() for _, source in came}
            check_equal(ports, {stream.port}, f"source ports to {stream.dst}")

    def lost_nothing(self):
        for stream in self.all:
            check_equal((stream.lost(), stream.doubled()), ([], []),
                        f"lost and doubled, of {stream.sent} to {stream.dst}")


@case
def a_neighbour_that_stays_costs_nothing(lab):
    """Over several looks at the next hop, and while the kernel confirms the neighbour."""
    streams = Streams(lab, lab.WEB, lab.WEB6)
    streams.flow_for(2.5)
    streams.come_again()
    streams.lost_nothing()
    streams.keep_their_port()


@case
def a_host_that_moved_silently_is_found(lab):
    """Another network card and no word of it. Were packets only sent to the remembered address,
    the kernel would never ask again, and they would go to the old card for ever."""
    streams = Streams(lab, lab.WEB, lab.WEB6)
    streams.flow_for(2)     # until what the kernel asked for the first packet is answered
    run("ip", "-n", lab.netns("web"), "link", "set", "eth0", "address", "02:00:00:00:77:01")
    streams.come_again()
    streams.keep_their_port()


@case
def an_announced_move_is_followed_within_a_second(lab):
    streams = Streams(lab, lab.WEB, lab.WEB6)
    streams.come_again()
    mac = "02:00:00:00:77:02"
    run("ip", "-n", lab.netns("web"), "link", "set", "eth0", "address", mac)
    for address in (lab.WEB, lab.WEB6):
        announce(lab, "web", address)
    streams.come_again(FOLLOWED_S)
    streams.keep_their_port()


@case
def a_host_that_was_away_gets_its_packets_again(lab):
    """Long enough for its neighbour entry to fail."""
    streams = Streams(lab, lab.WEB, lab.WEB6)
    streams.come_again()
    run("ip", "-n", lab.netns("lan"), "link", "set", "web", "nomaster")

    def has_failed():
        done = run("ip", "-n", lab.netns("router"), "neigh", "show", "dev", "lan0")
        states = {line.split()[0]: line.split()[-1] for line in done.stdout.splitlines()}
        return all(states.get(a) in ("FAILED", "INCOMPLETE") for a in (lab.WEB, lab.WEB6))

    streams.flow_until(has_failed, "the neighbour fails")
    run("ip", "-n", lab.netns("lan"), "link", "set", "web", "master", "switch")
    streams.come_again()
    check(all(s.lost() for s in streams.all), "nothing was lost: the host was not away")
    streams.keep_their_port()


def route_far(lab, verb, via, via6):
    router = lab.netns("router")
    run("ip", "-n", router, "route", verb, FAR, "via", via, "dev", "lan0")
    run("ip", "-n", router, "route", verb, FAR6, "via", via6, "dev", "lan0")


@contextlib.contextmanager
def far_behind_web(lab):
    route_far(lab, "add", lab.WEB, lab.WEB6)
    try:
        yield
    finally:
        for address in (FAR, FAR6):
            run("ip", "-n", lab.netns("router"), "route", "del", address)


@case
def another_gateway_is_taken_within_a_second_and_without_loss(lab):
    streams = Streams(lab, FAR, FAR6)
    with far_behind_web(lab):
        streams.come_again()
        check_equal({s.host() for s in streams.all}, {"web"}, "who gets them")
        route_far(lab, "replace", lab.DNS, lab.DNS6)
        streams.come_to("dns")
        route_far(lab, "replace", lab.WEB, lab.WEB6)
        streams.come_to("web")
        streams.come_again()
    streams.lost_nothing()
    streams.keep_their_port()


@case
def a_gateway_of_the_other_family_is_taken(lab):
    streams = Streams(lab, FAR, FAR6)
    with far_behind_web(lab):
        streams.come_again()
        run("ip", "-n", lab.netns("router"), "route", "replace", FAR, "via", "inet6", lab.DNS6,
            "dev", "lan0")
        run("ip", "-n", lab.netns("router"), "route", "replace", FAR6, "via", lab.DNS6, "dev",
            "lan0")
        streams.come_to("dns")
    streams.lost_nothing()


@case
def a_lan_device_comes_back(lab):
    streams = Streams(lab, lab.WEB, lab.WEB6)
    streams.come_again()
    run("ip", "-n", lab.netns("router"), "link", "set", "lan0", "down")
    run("ip", "-n", lab.netns("router"), "link", "set", "lan0", "up")
    streams.come_again()
    streams.keep_their_port()


if __name__ == "__main__":
    main(lab_in_a_hurry)
