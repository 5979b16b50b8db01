#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Connected UDP sockets of a backend that is removed: closed, in every network namespace, and
nobody else's."""

import contextlib
import errno
import os
import signal
import socket
import subprocess

from daemon import Daemon
from lib import Lab, case, check, check_equal, inside, main, wait_until
from services import (SECOND, SECOND6, TCP, UDP, VIP, VIP6, Row, served, service_policy, socket_in,
                      true_peers)

V4, V6 = socket.AF_INET, socket.AF_INET6
# family, the service's address, its first backend, as such a socket names them
WAYS = ((V4, VIP, Lab.WEB), (V6, VIP6, Lab.WEB6), (V6, "::ffff:" + VIP, "::ffff:" + Lab.WEB))


def without(lab, address, address6, **socket_lb):
    """The policy in which no service but the second ones has that backend."""
    policy = service_policy(lab, lab.cgroup, **socket_lb)
    for service in (policy["services"]["vip"], policy["services"]["vip6"]):
        service["backends"] = [b for b in service["backends"] if b not in (address, address6)]
    return policy


def connected(lab, short, family, address, port=80, kind=UDP):
    sock = socket_in(lab, short, kind, family)
    sock.connect((address, port))
    return sock


def check_closed(sock, what):
    """The kernel's word for it; and the socket may be connected anew."""
    try:
        sock.recv(1)
        check(False, f"{what}: recv went on")
    except OSError as error:
        check_equal(error.errno, errno.ECONNABORTED, f"{what}: recv")
    try:
        sock.send(b"who")
        check(False, f"{what}: send went on")
    except OSError as error:
        check_equal(error.errno, errno.EDESTADDRREQ, f"{what}: send")


def check_lives(lab, short, sock, peer, what):
    check_equal(true_peers(lab, short, sock), peer, what)
    check_equal(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0, f"{what}: its error")


def plain(address):
    return address.replace("::ffff:", "")


@contextlib.contextmanager
def sockets(lab, short):
    """(closed, kept): those that talk to the first backend by the service, and all others that
    have anything to do with either, each with its other end."""
    closed, kept = [], []
    for family, vip, backend in WAYS:
        closed.append((connected(lab, short, family, vip), vip))
        kept.append((connected(lab, short, family, backend, 9090), (backend, 9090), "direct"))
        again = connected(lab, short, family, vip)
        again.connect((backend, 9090))
        kept.append((again, (backend, 9090), "connected anew, directly"))
        loose = socket_in(lab, short, UDP, family)
        loose.sendto(b"who", (vip, 80))
        kept.append((loose, None, "not connected"))
    for (family, vip), backend in zip(((V4, SECOND), (V6, SECOND6)), (Lab.WEB, Lab.WEB6)):
        kept.append((connected(lab, short, family, vip), (backend, 9090), "by another service"))
    try:
        yield closed, kept
    finally:
        for sock, *_ in closed + kept:
            sock.close()


def check_kept(lab, short, kept):
    for sock, peer, what in kept:
        if peer:
            check_lives(lab, short, sock, peer, f"{short}: {what}")
        else:
            check_equal(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0, what)


def second_by_the_first(lab):
    """The second services lead to the first backend as well."""
    for name in ("second", "second6"):
        Row(lab, name).set_healthy(2)


@case
def they_are_closed_and_nothing_else_is(lab):
    with contextlib.ExitStack() as stack:
        second_by_the_first(lab)
        made = {short: stack.enter_context(sockets(lab, short)) for short in ("router", "dns")}
        streams = [connected(lab, "router", family, vip, kind=TCP) for family, vip, _ in WAYS]
        lab.apply(without(lab, Lab.WEB, Lab.WEB6))
        for short, (closed, kept) in made.items():
            for sock, vip in closed:
                check_closed(sock, f"{short}: {vip}")
                sock.connect((vip, 80))
                peer = true_peers(lab, short, sock)
                check_equal(plain(peer[0]), Lab.DNS6 if vip == VIP6 else Lab.DNS, "connected anew")
            check_kept(lab, short, kept)
        for stream in streams:
            check_equal(stream.recv(100), b"web-tcp", "a connection keeps its backend")
            stream.close()
        for _, (_, kept) in made.items():
            for sock, _, what in kept:
                if what == "not connected":     # it takes another one by itself
                    sock.recv(100)
                    sock.sendto(b"who", ((VIP6 if sock.family == V6 else VIP), 80))
                    check_equal(sock.recv(100).split()[0], b"dns-udp", what)
    lab.apply(service_policy(lab, lab.cgroup))


@case
def in_a_namespace_without_a_name(lab):
    with subprocess.Popen(["unshare", "--net", "sh", "-c", "ip link set lo up; ip route add "
                           f"default dev lo; echo; exec sleep 600"],
                          stdout=subprocess.PIPE) as holder:
        try:
            holder.stdout.readline()
            with inside(f"/proc/{holder.pid}/ns/net"):
                sock = socket.socket(V4, UDP)
            sock.connect((VIP, 80))
            sock.settimeout(5)
            lab.apply(without(lab, Lab.WEB, Lab.WEB6))
            check_closed(sock, "its socket")
            sock.close()
        finally:
            os.kill(holder.pid, signal.SIGKILL)
    lab.apply(service_policy(lab, lab.cgroup))


@case
def an_exempt_namespace_is_left_alone(lab):
    with sockets(lab, "dns") as (closed, kept):
        exempt = [{"netns": lab.netns("dns")}]
        lab.apply(service_policy(lab, lab.cgroup, exempt=exempt))
        # in there nothing is ours any more, whatever this one was before
        again = closed.pop(1)[0]
        again.connect((Lab.WEB6, 9090))
        lab.apply(without(lab, Lab.WEB, Lab.WEB6, exempt=exempt))
        for sock, vip in closed:
            backend = next(backend for _, address, backend in WAYS if address == vip)
            check_lives(lab, "dns", sock, (backend, 9090), f"by {vip}")
        second_by_the_first(lab)
        lab.apply(service_policy(lab, lab.cgroup))
        lab.apply(without(lab, Lab.WEB, Lab.WEB6))
        for sock, vip in closed:
            check_closed(sock, f"no longer exempt: {vip}")
        check_lives(lab, "dns", again, (Lab.WEB6, 9090), "connected anew while it was exempt")
        again.close()
        for sock, *_ in kept:
            sock.close()
    lab.apply(service_policy(lab, lab.cgroup))


def udp_by_the_service(lab):
    return [connected(lab, "router", family, vip) for family, vip, _ in WAYS]


@case
def so_they_are_when_the_service_is_removed(lab):
    for all_of_them in (False, True):
        socks = udp_by_the_service(lab)
        policy = service_policy(lab, lab.cgroup)
        for name in ("vip", "vip6", "second", "second6")[:4 if all_of_them else 2]:
            del policy["services"][name]
        lab.apply(policy)
        for sock in socks:
            check_closed(sock, f"all services: {all_of_them}")
            sock.close()
        lab.apply(service_policy(lab, lab.cgroup))


@case
def and_when_its_port_changes(lab):
    socks = udp_by_the_service(lab)
    policy = service_policy(lab, lab.cgroup)
    for name in ("vip", "vip6"):
        policy["services"][name]["ports"][1]["target_port"] = 9091
    lab.apply(policy)
    for sock in socks:
        check_closed(sock, "another target_port")
        sock.close()
    lab.apply(service_policy(lab, lab.cgroup))


@case
def none_is_closed_where_nothing_is_removed(lab):
    socks = udp_by_the_service(lab)

    def all_live(what):
        for sock, (_, _, backend) in zip(socks, WAYS):
            check_lives(lab, "router", sock, (backend, 9090), what)

    for name in ("vip", "vip6"):
        Row(lab, name).set_healthy(2)
    policy = service_policy(lab, lab.cgroup, "random")
    for service in policy["services"].values():
        service["backends"].reverse()
    lab.apply(policy)
    all_live("not healthy, another order and policy")
    lab.apply(service_policy(lab, lab.cgroup, mode="off"))
    all_live("mode off")
    lab.apply(service_policy(lab, lab.cgroup))
    lab.towpath("down")
    all_live("down")
    lab.apply(service_policy(lab, lab.cgroup))
    for sock in socks:
        sock.close()


@case
def and_by_the_next_apply_when_one_ended_before_it_had(lab):
    """The rows of the services are then as they should be, and no plan has a word of them."""
    policy = without(lab, Lab.WEB, Lab.WEB6)
    lab.apply(policy)
    rows = [Row(lab, name) for name in ("vip", "vip6")]
    lab.apply(service_policy(lab, lab.cgroup))
    socks = udp_by_the_service(lab)
    for row in rows:
        row.put(row.value)
    lab.apply(policy)
    for sock in socks:
        check_closed(sock, "by the next apply")
        sock.close()
    lab.apply(service_policy(lab, lab.cgroup))


def is_connected(lab, sock):
    return true_peers(lab, "router", sock) not in (None, ("0.0.0.0", 0), ("::", 0))


@case
def so_are_several_that_share_a_port(lab):
    socks = []
    for family, vip, _ in WAYS:
        for _ in range(4):
            sock = socket_in(lab, "router", UDP, family)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind(("::" if family == V6 else "0.0.0.0", 40000 + len(vip)))
            sock.connect((vip, 80))
            socks.append((sock, vip))
    lab.apply(without(lab, Lab.WEB, Lab.WEB6))
    for sock, vip in socks:
        check_closed(sock, f"one of four to {vip}")
        sock.close()
    lab.apply(service_policy(lab, lab.cgroup))


@case
def run_closes_them_when_the_file_changes(lab):
    path = lab.write_policy(service_policy(lab, lab.cgroup))
    with Daemon(lab, path):
        socks = udp_by_the_service(lab)
        lab.write_policy(without(lab, Lab.WEB, Lab.WEB6))
        wait_until(lambda: not is_connected(lab, socks[-1]), "the last one to be closed")
        for sock in socks:
            check_closed(sock, "under run")
            sock.close()
    lab.apply(service_policy(lab, lab.cgroup))


if __name__ == "__main__":
    main(served)
