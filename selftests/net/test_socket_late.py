#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Sockets that send datagrams to a service while it fails over: whose answer is whose, however late
it comes."""

import contextlib
import errno
import socket

from lib import Lab, bound_socket, case, check, check_equal, main
from services import UDP, VIP, VIP6, Row, served, service_policy, socket_in

V4, V6 = socket.AF_INET, socket.AF_INET6
MAPPED = "::ffff:" + VIP
# what the socket is, the service's address as it names it, and the backends' own
FAMILIES = ((V4, VIP, Lab.WEB, Lab.DNS), (V6, VIP6, Lab.WEB6, Lab.DNS6),
            (V6, MAPPED, Lab.WEB, Lab.DNS))
BEHIND = 9191
FIRST, SECOND, BOTH = 1, 2, 3
SERVICES = 128      # of one socket


def ports_policy(lab, ports):
    policy = service_policy(lab, lab.cgroup)
    for service in policy["services"].values():
        service["ports"] = [{"port": port, "protocol": "udp", "target_port": BEHIND}
                            for port in ports]
    return policy


class Backend:
    """Answers when it is told to."""

    def __init__(self, lab, host, address):
        self.address, self.client = address, None
        self.sock = bound_socket(lab, host, UDP, address, BEHIND)

    def hear(self, question):
        heard, self.client = self.sock.recvfrom(2048)
        check_equal(heard, question, f"what {self.address} was asked")

    def answer(self, text):
        self.sock.sendto(text, self.client)


@contextlib.contextmanager
def scene(lab, family, vip, first, second):
    """(socket, row of the service, its backends)"""
    with contextlib.ExitStack() as stack:
        backends = [Backend(lab, host, address)
                    for host, address in (("web", first), ("dns", second))]
        for backend in backends:
            stack.enter_context(backend.sock)
        row = Row(lab, "vip6" if vip == VIP6 else "vip")
        row.set_healthy(BOTH)
        yield stack.enter_context(socket_in(lab, "router", UDP, family)), row, *backends
        row.set_healthy(BOTH)


def ask(sock, whom, backend, question=b"who"):
    sock.sendto(question, whom)
    backend.hear(question)


def hears(sock, backend, text, source):
    """What that backend says now."""
    backend.answer(text)
    heard, said = sock.recvfrom(2048)
    check_equal((heard, said[:2]), (text, source), "what it hears, and of whom")


def check_refused(sock, service, why):
    try:
        sock.sendto(b"who", service)
    except OSError as error:
        check_equal(error.errno, why, "sendto")
    else:
        check(False, "sendto went out")


@case
def a_late_answer_is_the_services(lab):
    """Of the backend before, wherever the service has failed over to and back."""
    lab.apply(ports_policy(lab, (80,)))
    for family, *addresses in FAMILIES:
        with scene(lab, family, *addresses) as (sock, row, first, second):
            service = (addresses[0], 80)
            ask(sock, service, first, b"one")
            for healthy, chosen, before in ((SECOND, second, first), (FIRST, first, second),
                                            (SECOND, second, first)):
                row.set_healthy(healthy)
                for question in (b"two", b"three"):
                    ask(sock, service, chosen, question)
                hears(sock, before, b"late", service)
                hears(sock, chosen, b"in time", service)
    lab.apply(service_policy(lab, lab.cgroup))


@case
def it_takes_no_more_room_however_often_it_fails_over(lab):
    """There is some for another service, and for the backend before of that."""
    lab.apply(ports_policy(lab, (80, 81)))
    for family, *addresses in FAMILIES:
        with scene(lab, family, *addresses) as (sock, row, first, second):
            often, other = (addresses[0], 80), (addresses[0], 81)
            for times in range(SERVICES + 3):
                row.set_healthy((FIRST, SECOND)[times % 2])
                ask(sock, often, (first, second)[times % 2])
            for healthy, chosen in ((FIRST, first), (SECOND, second)):
                row.set_healthy(healthy)
                ask(sock, other, chosen)
            for backend in (first, second):
                hears(sock, backend, b"late", other)
    lab.apply(service_policy(lab, lab.cgroup))


@case
def the_backend_before_is_itself_when_it_is_asked_itself(lab):
    lab.apply(ports_policy(lab, (80,)))
    for family, *addresses in FAMILIES:
        with scene(lab, family, *addresses) as (sock, row, first, second):
            service = (addresses[0], 80)
            direct = (addresses[1] if addresses[0] != MAPPED else "::ffff:" + first.address, BEHIND)
            ask(sock, service, first, b"one")
            row.set_healthy(SECOND)
            ask(sock, service, second, b"two")
            ask(sock, direct, first, b"three")
            hears(sock, first, b"itself", direct)
            hears(sock, second, b"in time", service)
    lab.apply(service_policy(lab, lab.cgroup))


def exchange(sock, service, backend):
    ask(sock, service, backend)
    hears(sock, backend, b"me", service)


@case
def the_backends_before_take_no_room_of_services(lab):
    """A socket may talk to as many services as one that has seen nothing fail."""
    lab.apply(ports_policy(lab, range(1, SERVICES + 2)))
    for family, *addresses in FAMILIES:
        with scene(lab, family, *addresses) as (sock, row, first, second):
            vip = addresses[0]
            for count, healthy, chosen in ((10, FIRST, first), (10, SECOND, second),
                                           (100, FIRST, first), (SERVICES, SECOND, second),
                                           (SERVICES, FIRST, first)):
                row.set_healthy(healthy)
                for port in range(1, count + 1):
                    exchange(sock, (vip, port), chosen)
            check_refused(sock, (vip, SERVICES + 1), errno.ENOBUFS)
    lab.apply(service_policy(lab, lab.cgroup))


@case
def seventeen_services_may_fail_over(lab):
    """The first of them that needs the larger room is one that fails over."""
    lab.apply(ports_policy(lab, range(1, SERVICES + 2)))
    for family, *addresses in FAMILIES:
        with scene(lab, family, *addresses) as (sock, row, first, second):
            services = [(addresses[0], port) for port in range(1, 17)]
            for service in services:
                ask(sock, service, first)
            row.set_healthy(SECOND)
            ask(sock, services[-1], second)
            hears(sock, first, b"late", services[-1])
            hears(sock, second, b"in time", services[-1])
    lab.apply(service_policy(lab, lab.cgroup))


@case
def without_a_backend_nothing_is_lost(lab):
    """The one before is none yet: late answers of it are the service's."""
    lab.apply(ports_policy(lab, (80,)))
    for family, *addresses in FAMILIES:
        with scene(lab, family, *addresses) as (sock, row, first, second):
            service = (addresses[0], 80)
            ask(sock, service, first, b"one")
            row.set_healthy(0)
            for _ in range(3):
                check_refused(sock, service, errno.EHOSTUNREACH)
            hears(sock, first, b"late", service)
            row.set_healthy(SECOND)
            exchange(sock, service, second)
            hears(sock, first, b"later", service)
    lab.apply(service_policy(lab, lab.cgroup))


if __name__ == "__main__":
    main(served)
