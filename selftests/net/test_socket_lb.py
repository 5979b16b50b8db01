#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The socket load balancer: real sockets, TCP and UDP, both families, in real cgroups and network
namespaces."""

import contextlib
import ctypes
import errno
import json
import os
import socket
import struct
import subprocess
import threading

from daemon import Daemon
from lib import (DEADLINE_S, TOWPATH, Lab, bound_socket, case, check, check_equal, fault_shim,
                 inside, main, run, wait_until)
from services import (SECOND, SECOND6, TCP, UDP, VIP, VIP6, Row, cgroup_mount, cgroup_programs,
                      cookie_of, is_translated, make_pod, served, service_policy, socket_in,
                      true_peers)
from standin import MAP_LOOKUP, bpf

V4, V6 = socket.AF_INET, socket.AF_INET6
# the service's address, its first backend and its second, by family
FAMILIES = ((V4, VIP, Lab.WEB, Lab.DNS), (V6, VIP6, Lab.WEB6, Lab.DNS6))
MAPPED = ((V6, "::ffff:" + VIP, "::ffff:" + Lab.WEB, "::ffff:" + Lab.DNS),)
AF_UNSPEC_ADDRESS = bytes(16)
STREAM_PORT = 8882
MAP_UPDATE, OBJ_GET, STORAGE_SIZE = 2, 7, 8 + 16 * 48
_libc = ctypes.CDLL(None, use_errno=True)


def ask(sock, to, question=b"who"):
    """(answer, the address that the socket is told it came from)."""
    sock.sendto(question, to)
    answer, source = sock.recvfrom(2048)
    return answer.decode().split()[0], source[:2]


def connected(lab, kind, family, address, short="router", port=80):
    sock = socket_in(lab, short, kind, family)
    sock.connect((address, port))
    return sock


def whom(sock):
    if sock.type == UDP:
        sock.send(b"who")
    return sock.recv(2048).decode().split()[0]


@case
def connect_goes_to_a_backend_and_shows_the_service(lab):
    for family, vip, backend, _ in FAMILIES:
        for kind, name, port in ((TCP, "web-tcp", 8880), (UDP, "web-udp", 9090)):
            with connected(lab, kind, family, vip) as sock:
                check_equal(whom(sock), name, f"who answers behind {vip}")
                check_equal(sock.getpeername()[:2], (vip, 80), "getpeername")
                check_equal(true_peers(lab, "router", sock), (backend, port), "the other end")


@case
def a_mapped_address_is_the_ipv4_service(lab):
    mapped = "::ffff:" + VIP
    for kind, name in ((TCP, "web-tcp"), (UDP, "web-udp")):
        with connected(lab, kind, V6, mapped) as sock:
            check_equal(whom(sock), name, "who answers")
            check_equal(sock.getpeername()[:2], (mapped, 80), "getpeername")
    with socket_in(lab, "router", UDP, V6) as sock:
        check_equal(ask(sock, (mapped, 80)), ("web-udp", (mapped, 80)), "unconnected")


@case
def an_unconnected_socket_hears_from_the_service(lab):
    for family, vip, _, _ in FAMILIES:
        with socket_in(lab, "router", UDP, family) as sock:
            check_equal(ask(sock, (vip, 80)), ("web-udp", (vip, 80)), "answer and its source")


@case
def a_direct_exchange_is_shown_as_it_is(lab):
    for family, vip, backend, _ in FAMILIES:
        with socket_in(lab, "router", UDP, family) as sock:
            for to in ((vip, 80), (backend, 9090), (vip, 80)):
                check_equal(ask(sock, to), ("web-udp", to), f"answer from {to}")


@case
def a_backend_of_two_services_answers_for_the_last_one_used(lab):
    for family, first, second, backend in ((V4, VIP, SECOND, 1), (V6, VIP6, SECOND6, 1)):
        Row(lab, "second6" if family == V6 else "second").set_healthy(1 << backend)
        with socket_in(lab, "router", UDP, family) as sock:
            for vip in (first, second, first, second):
                check_equal(ask(sock, (vip, 80)), ("web-udp", (vip, 80)), f"from {vip}")
    lab.apply(service_policy(lab, lab.cgroup))


@case
def what_is_no_service_is_left_alone(lab):
    for family, vip, backend, _ in FAMILIES:
        with connected(lab, TCP, family, backend, port=8880) as sock:
            check_equal(sock.getpeername()[:2], (backend, 8880), "a backend's own address")
        with socket_in(lab, "router", UDP, family) as sock:
            sock.connect((vip, 81))
            check_equal(true_peers(lab, "router", sock), (vip, 81), "another port")


@case
def the_other_protocol_is_no_service(lab):
    """On one port, each alone: connect() and sendto() of the other are left as they are."""
    for kind, protocol, target in ((TCP, "tcp", 8880), (UDP, "udp", 9090)):
        policy = service_policy(lab, lab.cgroup)
        for service in policy["services"].values():
            service["ports"] = [{"port": 80, "protocol": protocol, "target_port": target}]
        lab.apply(policy)
        for family, vip, backend, _ in FAMILIES:
            for other in (TCP, UDP):
                with socket_in(lab, "router", other, family) as sock:
                    sock.setblocking(False)
                    sock.connect_ex((vip, 80))
                    check_equal(true_peers(lab, "router", sock),
                                (backend, target) if other == kind else (vip, 80),
                                f"{protocol} alone: the other end")
        if kind == UDP:
            continue
        before = lab.drops("no_service")
        for family, vip, _, _ in FAMILIES:
            with socket_in(lab, "router", UDP, family) as sock:
                with contextlib.suppress(PermissionError):  # of the tunnel's device: no way out
                    sock.sendto(b"who", (vip, 80))
        lab.counted("no_service", before, len(FAMILIES))
    lab.apply(service_policy(lab, lab.cgroup))


def with_second():
    for family, vip, backend, _ in FAMILIES + MAPPED:
        yield family, vip, backend, {VIP: SECOND, VIP6: SECOND6}.get(vip, "::ffff:" + SECOND)


def disconnect(sock):
    check_equal(_libc.connect(sock.fileno(), AF_UNSPEC_ADDRESS, len(AF_UNSPEC_ADDRESS)), 0,
                "connect to AF_UNSPEC")


@case
def a_socket_may_be_connected_anew(lab):
    for family, vip, backend, _ in FAMILIES + MAPPED:
        for kind, name, port in ((TCP, "web-tcp", 8880), (UDP, "web-udp", 9090)):
            with connected(lab, kind, family, vip) as sock:
                check_equal(whom(sock), name, "the service")
                for to in ((backend, port), (vip, 80)):
                    disconnect(sock)
                    sock.connect(to)
                    check_equal(sock.getpeername()[:2], to, "who is said to be the other end")
                    if kind == TCP:
                        check_equal(whom(sock), name, "who answers")
                    else:
                        check_equal(ask(sock, to), (name, to), "its answer")


@case
def whom_a_socket_talked_to_is_not_whom_it_talks_to(lab):
    """What connect() and sendto() remember does not show in what they do for one another."""
    for family, vip, backend, second in with_second():
        with connected(lab, UDP, family, vip) as sock:
            disconnect(sock)
            check_equal(ask(sock, (backend, 9090)), ("web-udp", (backend, 9090)),
                        "disconnected, to the backend itself")
        row = Row(lab, "second6" if second == SECOND6 else "second")
        row.set_healthy(2)      # it has the same backend
        with connected(lab, UDP, family, vip) as sock:
            disconnect(sock)
            check_equal(ask(sock, (second, 80)), ("web-udp", (second, 80)),
                        "disconnected, to another service of that backend")
        row.set_healthy(3)
        with socket_in(lab, "router", UDP, family) as sock:
            check_equal(ask(sock, (vip, 80)), ("web-udp", (vip, 80)), "before it is connected")
            sock.connect((backend, 9090))
            sock.send(b"who")
            answer, source = sock.recvfrom(2048)
            check_equal((answer, source[:2]), (b"web-udp who", (backend, 9090)),
                        "connected to the backend itself")
            disconnect(sock)
            check_equal(ask(sock, (vip, 80)), ("web-udp", (vip, 80)), "the service again")


@case
def a_connected_socket_sends_to_its_own_backend_by_either_way(lab):
    """The kernel lets nobody else answer, so another choice would be a datagram lost."""
    for family, vip, _, _ in FAMILIES + MAPPED:
        row = Row(lab, "vip6" if vip == VIP6 else "vip")
        with connected(lab, UDP, family, vip) as sock:
            check_equal(ask(sock, (vip, 80)), ("web-udp", (vip, 80)), "connected, to the service")
            row.set_healthy(2)
            check_equal(ask(sock, (vip, 80)), ("web-udp", (vip, 80)), "while another is chosen")
            check_equal(whom(sock), "web-udp", "by send()")
            row.set_healthy(3)
        with socket_in(lab, "router", UDP, family) as sock:
            row.set_healthy(2)
            check_equal(ask(sock, (vip, 80)), ("dns-udp", (vip, 80)), "before it is connected")
            row.set_healthy(3)
            sock.connect((vip, 80))
            check_equal(ask(sock, (vip, 80)), ("web-udp", (vip, 80)), "and after")


@case
def a_service_without_healthy_backend_cannot_be_reached(lab):
    for family, vip, _, _ in FAMILIES:
        row = Row(lab, "vip6" if family == V6 else "vip")
        row.set_healthy(0)
        for kind in (TCP, UDP):
            with socket_in(lab, "router", kind, family) as sock:
                check_equal(sock.connect_ex((vip, 80)), errno.EHOSTUNREACH, "connect")
        with socket_in(lab, "router", UDP, family) as sock:
            try:
                sock.sendto(b"who", (vip, 80))
                check(False, "sendto went out")
            except OSError as error:
                check_equal(error.errno, errno.EHOSTUNREACH, "sendto")
        row.set_healthy(3)


@case
def failover_takes_the_first_healthy_one(lab):
    for family, vip, _, _ in FAMILIES:
        row = Row(lab, "vip6" if family == V6 else "vip")
        with socket_in(lab, "router", UDP, family) as socket_before:
            # a socket stays with what it has as long as that is healthy
            for healthy, host, stays in ((3, "web", "web"), (2, "dns", "dns"), (3, "web", "dns")):
                row.set_healthy(healthy)
                with connected(lab, TCP, family, vip) as sock:
                    check_equal(whom(sock), host + "-tcp", f"healthy {healthy:b}")
                check_equal(ask(socket_before, (vip, 80))[0], stays + "-udp", "a socket's own")


def connections(lab, family, vip, times):
    """Who has answered that many."""
    seen = set()
    for _ in range(times):
        with connected(lab, TCP, family, vip) as sock:
            seen.add(whom(sock))
    return seen


@case
def random_takes_all_but_a_socket_stays_with_one(lab):
    lab.apply(service_policy(lab, lab.cgroup, "random"))
    for family, vip, _, _ in FAMILIES:
        check_equal(connections(lab, family, vip, 40), {"web-tcp", "dns-tcp"}, "of 40 connections")
        firsts = set()
        for _ in range(20):
            with socket_in(lab, "router", UDP, family) as sock:
                answers = {ask(sock, (vip, 80))[0] for _ in range(10)}
            check_equal(len(answers), 1, f"backends of one socket: {answers}")
            firsts |= answers
        check_equal(firsts, {"web-udp", "dns-udp"}, "of 20 sockets")


@case
def source_gives_a_client_one_backend(lab):
    lab.apply(service_policy(lab, lab.cgroup, "source"))
    for family, vip, _, _ in FAMILIES:
        seen = connections(lab, family, vip, 20)
        check_equal(len(seen), 1, f"backends of one client: {seen}")
        row = Row(lab, "vip6" if family == V6 else "vip")
        row.set_healthy(1 if seen == {"dns-tcp"} else 2)
        with connected(lab, TCP, family, vip) as sock:
            check(whom(sock) not in seen, "another one when that is not healthy")
    lab.apply(service_policy(lab, lab.cgroup))


@contextlib.contextmanager
def namespaces(lab, count):
    """As many pods; what one of them sends goes nowhere."""
    names = [f"{lab.name}many{i}" for i in range(count)]
    try:
        for name in names:
            make_pod(name)
        yield names
    finally:
        for name in names:
            run("ip", "netns", "del", name, ok=False)


def led_to(lab, netns, family, kind, vip):
    """Whose address a socket of that namespace is led to, by what the kernel has."""
    with inside(netns), socket.socket(family, kind) as sock:
        sock.setblocking(False)
        sock.connect_ex((vip, 80))
        return true_peers(lab, netns.removeprefix(lab.name), sock)[0]


@case
def source_tells_namespaces_apart(lab):
    """Each is a client: its sockets share a backend, and all of them do not share one."""
    lab.apply(service_policy(lab, lab.cgroup, "source"))
    with namespaces(lab, 16) as pods:
        for family, vip, *backends in FAMILIES:
            seen = set()
            for pod in pods:
                mine = {led_to(lab, pod, family, kind, vip) for kind in 3 * (TCP, UDP)}
                check_equal(len(mine), 1, f"backends of one namespace: {mine}")
                seen |= mine
            check_equal(seen, set(backends), "backends of 16 namespaces")
    lab.apply(service_policy(lab, lab.cgroup))


@case
def exempt_by_name_path_pid_or_device(lab):
    netns = lab.netns("phone")
    check(is_translated(lab, "phone"), "not exempt: it is translated")
    with socket_in(lab, "phone", UDP, V4) as before:
        before.connect((VIP, 80))
        holder = run_in(lab, "phone")
        try:
            for entry in ({"netns": netns}, {"netns": f"/run/netns/{netns}"},
                          {"pid": holder.pid}, {"interface": lab.phone_tunnel[:-2] + "*"}):
                lab.apply(service_policy(lab, lab.cgroup, exempt=[entry]))
                check(not is_translated(lab, "phone"), f"exempt by {entry}")
                check(is_translated(lab, "router"), f"and nobody else by {entry}")
                rows = lab.json("status")["exempt"]
                why, what = next(iter(entry.items()))
                check_equal([(r["why"], r["what"]) for r in rows], [(why, str(what))], "status")
        finally:
            holder.kill()
            holder.wait()
        # the socket that is connected keeps its backend
        check_equal(true_peers(lab, "phone", before), (Lab.WEB, 9090), "a socket from before")
    lab.apply(service_policy(lab, lab.cgroup))
    check(is_translated(lab, "phone"), "no longer exempt: translated again")


@case
def who_is_exempt_from_now_on_still_knows_whom_it_talks_to(lab):
    exempt = service_policy(lab, lab.cgroup, exempt=[{"netns": lab.netns("phone")}])
    for policy in (exempt, service_policy(lab, lab.cgroup, mode="host-only")):
        for family, vip, backend, _ in FAMILIES:
            with connected(lab, UDP, family, vip, "phone") as sock, \
                 socket_in(lab, "phone", UDP, family) as free:
                free.sendto(b"who", (vip, 80))
                sock.send(b"who")
                lab.apply(policy)
                check_equal(sock.getpeername()[:2], (vip, 80), "getpeername")
                for waiting in (sock, free):
                    answer, source = waiting.recvfrom(2048)
                    check_equal((answer, source[:2]), (b"web-udp who", (vip, 80)), "its answer")
                check_equal(ask(free, (backend, 9090)), ("web-udp", (backend, 9090)),
                            "the backend by its own address")
            lab.apply(service_policy(lab, lab.cgroup))


def exempting(lab, phone):
    """Whether the phone is exempt; TCP leads to a port of this case's."""
    policy = service_policy(lab, lab.cgroup, exempt=phone and [{"netns": lab.netns("phone")}] or [])
    for service in policy["services"].values():
        service["ports"][0]["target_port"] = STREAM_PORT
    policy["grants"].append({"src": ["phone"], "dst": list(policy["services"])})
    return policy


def accepted(stack, lab, listener, family, vip):
    """A connection of the phone's: (client, server)."""
    client = stack.enter_context(connected(lab, TCP, family, vip, "phone"))
    server, _ = listener.accept()
    server.settimeout(DEADLINE_S)
    return client, stack.enter_context(server)


def passes_both_ways(client, server):
    for here, there in ((client, server), (server, client)):
        here.sendall(b"go on")
        check_equal(there.recv(100), b"go on", "the stream")


def conversations(stack, lab, listeners):
    """Of the phone with a service: for each the socket, and what has it go on."""
    made = []
    for family, vip, backend, _ in FAMILIES + MAPPED:
        client, server = accepted(stack, lab, listeners[plain(backend)], family, vip)
        made.append((client, vip, backend, STREAM_PORT,
                     lambda c=client, s=server: passes_both_ways(c, s)))
        sock = stack.enter_context(connected(lab, UDP, family, vip, "phone"))
        made.append((sock, vip, backend, 9090,
                     lambda s=sock: check_equal(whom(s), "web-udp", "who answers")))
    return made


def plain(address):
    return address.removeprefix("::ffff:")


def goes_on(lab, made, translated):
    """Each as it was connected, whoever has become exempt since."""
    for sock, vip, backend, port, go_on in made:
        what = f"{vip}, {sock.type.name}, translated: {translated}"
        check_equal(true_peers(lab, "phone", sock), (backend, port) if translated else (vip, 80),
                    f"{what}: the other end")
        check_equal(sock.getpeername()[:2], (vip, 80), f"{what}: getpeername")
        go_on()


@case
def what_is_connected_stays_as_it_is(lab):
    """When its namespace becomes exempt, and when it is no longer: a connection and a UDP socket of
    each family. By the phone's packets the router serves it, when its sockets are left alone."""
    with contextlib.ExitStack() as stack:
        listeners = {address: stack.enter_context(bound_socket(lab, "web", TCP, address,
                                                               STREAM_PORT))
                     for address in (lab.WEB, lab.WEB6)}
        for first in (False, True):
            lab.apply(exempting(lab, first))
            old = conversations(stack, lab, listeners)
            goes_on(lab, old, not first)
            lab.apply(exempting(lab, not first))
            goes_on(lab, old, not first)
            goes_on(lab, conversations(stack, lab, listeners), first)
            goes_on(lab, old, not first)
    lab.apply(service_policy(lab, lab.cgroup))


def run_in(lab, short):
    return subprocess.Popen(["nsenter", f"--net=/run/netns/{lab.netns(short)}", "sleep", "600"])


@case
def host_only_translates_where_towpath_runs(lab):
    lab.apply(service_policy(lab, lab.cgroup, mode="host-only"))
    check(is_translated(lab, "router"), "the router is translated")
    check(not is_translated(lab, "phone"), "another namespace is not")
    lab.apply(service_policy(lab, lab.cgroup, mode="off"))
    check(not is_translated(lab, "router"), "nobody is")
    check_equal(cgroup_programs(lab), [], "programs in the cgroup")
    lab.apply(service_policy(lab, lab.cgroup))
    check(is_translated(lab, "phone"), "all are")


@case
def a_reload_leaves_links_and_sockets_alone(lab):
    def links():
        return [a for a in lab.json("status")["attachments"] if a["hook"] == "cgroup"]

    before = links()
    check_equal(len(before), 8, "programs of sockets")
    with connected(lab, UDP, V4, VIP) as sock:
        policy = service_policy(lab, lab.cgroup)
        policy["services"]["vip"]["backends"].reverse()
        path = lab.write_policy(policy)
        lab.towpath("apply", path)
        check_equal(lab.json("plan", path)["ops"], [], "plan after apply")
        check_equal(links(), before, "links")
        check_equal(whom(sock), "web-udp", "the connected socket's backend")
        with connected(lab, UDP, V4, VIP) as other:
            check_equal(whom(other), "dns-udp", "the next socket's")
    lab.apply(service_policy(lab, lab.cgroup))
    names = {s["name"]: s for s in lab.json("status")["services"]}
    check_equal(names["vip"], {"name": "vip", "vip": VIP,
                               "ports": [{"port": 80, "protocol": "tcp", "target_port": 8880},
                                         {"port": 80, "protocol": "udp", "target_port": 9090}],
                               "backends": [{"address": Lab.WEB, "healthy": True},
                                            {"address": Lab.DNS, "healthy": True}]}, "status")


@case
def a_reload_moves_an_unconnected_socket_only_when_it_has_to(lab):
    for family, vip, backend, _ in FAMILIES:
        name = "vip6" if family == V6 else "vip"
        lab.servers.start("new-udp", "web", UDP, backend, 9091)
        policy = service_policy(lab, lab.cgroup)
        with socket_in(lab, "router", UDP, family) as sock:
            check_equal(ask(sock, (vip, 80))[0], "web-udp", "the first one")
            policy["services"][name]["backends"].reverse()
            lab.apply(policy)
            check_equal(ask(sock, (vip, 80))[0], "web-udp", "the same, which is now the second")
            policy["services"][name]["ports"][1] = {"port": 80, "protocol": "udp",
                                                    "target_port": 9091}
            policy["services"][name]["backends"].reverse()
            lab.apply(policy)
            check_equal(ask(sock, (vip, 80)), ("new-udp", (vip, 80)), "at the new port")
            policy["services"][name]["backends"].pop(0)
            policy["services"][name]["ports"][1]["target_port"] = 9090
            lab.apply(policy)
            check_equal(ask(sock, (vip, 80))[0], "dns-udp", "the one that is left")
        lab.apply(service_policy(lab, lab.cgroup))


SERVICES = 128


@case
def one_socket_talks_to_many_services(lab):
    """All of one backend, so that each answer is of the service that was used last."""
    policy = service_policy(lab, lab.cgroup)
    for service in policy["services"].values():
        service["ports"] = [{"port": port, "protocol": "udp", "target_port": 9090}
                            for port in range(1, SERVICES + 2)]
    lab.apply(policy)
    for family, vip, backend, _ in FAMILIES:
        with socket_in(lab, "router", UDP, family) as sock:
            for port in (*range(1, SERVICES + 1), 1, 17, SERVICES, 16):
                check_equal(ask(sock, (vip, port)), ("web-udp", (vip, port)), f"{vip} {port}")
            check_equal(ask(sock, (backend, 9090)), ("web-udp", (backend, 9090)), "directly")
            try:
                sock.sendto(b"who", (vip, SERVICES + 1))
                check(False, "one more was sent to")
            except OSError as error:
                check_equal(error.errno, errno.ENOBUFS, "one more")
            check_equal(ask(sock, (vip, SERVICES)), ("web-udp", (vip, SERVICES)), "the last one")
    lab.apply(service_policy(lab, lab.cgroup))


def set_clock(lab, sock, value):
    """Of what the socket has been told (struct tp_sock_udp)."""
    path = ctypes.create_string_buffer(f"{lab.pins}/maps/tp_sock_udp".encode())
    storage = bpf(OBJ_GET, struct.pack("=QI", ctypes.addressof(path), 0))
    key = ctypes.create_string_buffer(struct.pack("=i", sock.fileno()))
    row = ctypes.create_string_buffer(STORAGE_SIZE)
    where = struct.pack("=IIQQQ", storage, 0, ctypes.addressof(key), ctypes.addressof(row), 0)
    try:
        bpf(MAP_LOOKUP, where)
        row[:4] = struct.pack("=I", value)
        bpf(MAP_UPDATE, where)
    finally:
        os.close(storage)


@case
def who_was_used_last_is_known_after_four_billion_datagrams(lab):
    for family, first, second, backend in ((V4, VIP, SECOND, 1), (V6, VIP6, SECOND6, 1)):
        Row(lab, "second6" if family == V6 else "second").set_healthy(1 << backend)
        with socket_in(lab, "router", UDP, family) as sock:
            for vip in (first, second):
                check_equal(ask(sock, (vip, 80)), ("web-udp", (vip, 80)), "at the beginning")
            set_clock(lab, sock, 0xffffffff - 3)
            for _ in range(4):
                for vip in (first, second):
                    check_equal(ask(sock, (vip, 80)), ("web-udp", (vip, 80)), "later")
    lab.apply(service_policy(lab, lab.cgroup))


THREADS, ROUNDS = 8, 250


def hammered(sock, vips):
    """Errors, and of all answers those that are not from whom the question was for, or are shown as
    another's."""
    wrong, meant = [], {vip: ("web-udp", "dns-udp")[i % 2] for i, vip in enumerate(vips)}

    def hammer(vip):
        """Whoever reads, reads anybody's answer."""
        try:
            for _ in range(ROUNDS):
                sock.sendto(vip.encode(), (vip, 80))
                answer, source = sock.recvfrom(2048)
                name, asked = answer.decode().split()
                if (meant[asked], (asked, 80)) != (name, source[:2]):
                    wrong.append((asked, name, source[:2]))
        except OSError as error:
            wrong.append(error)

    threads = [threading.Thread(target=hammer, args=(vips[i % len(vips)],))
               for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wrong


@case
def many_threads_on_one_socket_reach_whom_they_mean(lab):
    """And hear from whom they have asked."""
    mapped = "::ffff:" + VIP, "::ffff:" + SECOND
    for family, vips in ((V4, (VIP, SECOND)), (V6, (VIP6, SECOND6) + mapped)):
        del lab.servers.heard[:]
        with socket_in(lab, "router", UDP, family) as sock:
            check_equal(hammered(sock, vips)[:5], [], "misdelivered, or shown as another's")
        check_equal(len(lab.servers.heard), THREADS * ROUNDS, "questions that came")


def aside(lab):
    return lab.name + "aside"


def remake_aside(lab):
    """A namespace of that name that was not there before, as a pod that starts again has it."""
    run("ip", "netns", "del", aside(lab), ok=False)
    make_pod(aside(lab))


def cookies(lab):
    return [row["cookie"] for row in lab.json("status")["exempt"]]


@case
def run_follows_namespaces_as_they_come_and_go(lab):
    remake_aside(lab)
    exempt = [{"netns": aside(lab)}, {"interface": "late*"}]
    path = lab.write_policy(service_policy(lab, lab.cgroup, exempt=exempt))
    try:
        with Daemon(lab, path) as daemon:
            first = cookie_of(aside(lab))
            check_equal(cookies(lab), [first], "exempt at the start")
            remake_aside(lab)
            second = cookie_of(aside(lab))
            check(second != first, "another namespace")
            wait_until(lambda: cookies(lab) == [second], "the new namespace to be exempt")
            check(not is_translated(lab, "aside"), "its sockets are left alone")
            run("ip", "-n", lab.netns("phone"), "link", "add", "late0", "type",
                "veth", "peer", "name", "other0")
            phone = cookie_of(lab.netns("phone"))
            wait_until(lambda: cookies(lab) == sorted([second, phone]),
                       "the device to exempt its own")
            run("ip", "-n", lab.netns("phone"), "link", "del", "late0")
            wait_until(lambda: cookies(lab) == [second], "it to be exempt no more")
            repairs = daemon.metrics().values("towpath_repairs_total")
            check_equal(sum(repairs.values()), 0, "repairs")
    finally:
        run("ip", "netns", "del", aside(lab), ok=False)
    lab.apply(service_policy(lab, lab.cgroup))


def programs(lab):
    return sum(a["hook"] == "cgroup" for a in lab.json("status")["attachments"])


def damages(lab):
    pins = f"{lab.pins}/links/cgroup-tp_"
    return (("bpftool", "link", "detach", "pinned", pins + "connect4"), ("rm", pins + "recvmsg6"))


@case
def a_program_that_is_detached_is_missed(lab):
    path = lab.write_policy(service_policy(lab, lab.cgroup))
    for damage in damages(lab):
        run(*damage)
        check_equal(programs(lab), 7, f"programs after {damage[0]}")
        status = lab.json("status")
        check_equal((status["healthy"], [p["what"] for p in status["problems"]]),
                    (False, [f"7 of the 8 programs of sockets are attached to {lab.cgroup}"]),
                    "status")
        lab.towpath("apply", path)
        check_equal((programs(lab), lab.json("status")["healthy"]), (8, True), "after apply")


@case
def run_puts_a_detached_program_back(lab):
    path = lab.write_policy(service_policy(lab, lab.cgroup))
    with Daemon(lab, path) as daemon:
        for times, damage in enumerate(damages(lab), 1):
            run(*damage)
            # that one was detached is seen at the next look, which a slow machine has later
            wait_until(lambda n=times: daemon.metrics().values("towpath_repairs_total")["program"]
                       + daemon.metrics().values("towpath_repairs_total")["map"] >= n,
                       f"the repair of {damage[0]}", 4 * DEADLINE_S)
            wait_until(lambda: len(cgroup_programs(lab)) == 8, "all programs", 4 * DEADLINE_S)
            check_equal(programs(lab), 8, "programs")
        with connected(lab, TCP, V4, VIP) as sock:
            check_equal(whom(sock), "web-tcp", "who answers")


@case
def run_pins_the_same_link_anew(lab):
    """It holds what is pinned, as it does for the programs of devices."""
    def links():
        return [a for a in lab.json("status")["attachments"] if a["hook"] == "cgroup"]

    with Daemon(lab, lab.write_policy(service_policy(lab, lab.cgroup))):
        before = links()
        run("rm", f"{lab.pins}/links/cgroup-tp_connect4", f"{lab.pins}/links/cgroup-tp_recvmsg6")
        wait_until(lambda: len(links()) == 8, "the pins to be back")
        check_equal(links(), before, "links")
        check_equal(len(cgroup_programs(lab)), 8, "programs in the cgroup")


@case
def a_map_whose_pin_is_gone_is_made_anew(lab):
    """Without a daemon, which would hold it."""
    exempt = [{"netns": lab.netns("phone")}]
    path = lab.write_policy(service_policy(lab, lab.cgroup, exempt=exempt))
    lab.towpath("apply", path)
    for name in ("tp_exempt", "tp_services"):
        os.unlink(f"{lab.pins}/maps/{name}")
        lab.towpath("apply", path)
        check(not is_translated(lab, "phone"), f"{name}: the phone's namespace is exempt")
        check(is_translated(lab, "router"), f"{name}: the router's is not")
        check_equal(lab.json("plan", path)["ops"], [], f"{name}: plan")
    lab.apply(service_policy(lab, lab.cgroup))


@case
def a_map_that_an_older_towpath_had_not_is_added(lab):
    """Its programs run on until they are updated in place: sockets know whom they talk to."""
    def links():
        return [a["link_id"] for a in lab.json("status")["attachments"] if a["hook"] == "cgroup"]

    path = lab.write_policy(service_policy(lab, lab.cgroup))
    lab.towpath("apply", path)
    before = links()
    check_equal(len(before), 8, "links")
    with socket_in(lab, "router", UDP, V4) as sock:
        check_equal(ask(sock, (VIP, 80)), ("web-udp", (VIP, 80)), "before")
        os.unlink(f"{lab.pins}/maps/tp_sock_more")
        lab.towpath("apply", path)
        check_equal(lab.json("plan", path)["ops"], [], "plan")
        check_equal(links(), before, "links")
        check(os.path.exists(f"{lab.pins}/maps/tp_sock_more"), "the map is pinned")
        check_equal(ask(sock, (VIP, 80)), ("web-udp", (VIP, 80)), "after")


@case
def down_takes_all_away(lab):
    lab.towpath("down")
    check_equal(cgroup_programs(lab), [], "programs in the cgroup")
    check(not os.path.exists(lab.pins), "pins are gone")
    lab.apply(service_policy(lab, lab.cgroup))
    check_equal(len(cgroup_programs(lab)), 8, "programs after the next apply")


@case
def a_part_of_the_cgroups_is_not_taken_for_the_root(lab):
    """As in a container that has its own cgroup mounted as if there were no other."""
    path, mount = lab.write_policy(service_policy(lab, "auto")), cgroup_mount()
    inner = f"umount {mount} && mount -t cgroup2 none {mount} && exec nsenter --net=/run/netns/" \
            f"{lab.netns('router')} {TOWPATH} plan {path} --instance {lab.instance}"
    done = run("unshare", "--cgroup", "--mount", "sh", "-c", inner, ok=False)
    check_equal(done.returncode, 1, "exit status")
    check(f"{mount} is not the root of all cgroups" in done.stderr and
          "mount the host's" in done.stderr, done.stderr)
    check_equal(lab.towpath("plan", path).returncode, 0, "with the real one")


def addresses(lab):
    shown = json.loads(run("ip", "-j", "-n", lab.netns("router"), "address", "show", "dev",
                           lab.tunnel).stdout)
    return {a["local"] for a in shown[0]["addr_info"]}


@case
def run_repairs_all_else_while_the_cgroup_is_gone(lab):
    """An address of the tunnel; the cgroup's own programs as soon as there is one again."""
    cgroup = f"{lab.cgroup}/gone"
    os.mkdir(cgroup)
    policy = service_policy(lab, cgroup, exempt=[{"netns": lab.netns("phone")}])
    with Daemon(lab, lab.write_policy(policy)) as daemon:
        check_equal((cookies(lab), programs(lab)), ([cookie_of(lab.netns("phone"))], 8),
                    "exempt, and programs")
        os.rmdir(cgroup)
        wait_until(lambda: any(f"there is no cgroup {cgroup}" in p["what"]
                               for p in lab.json("status")["problems"]), "it to be said",
                   2 * DEADLINE_S)
        for address in (lab.ROUTER, lab.ROUTER6):
            run("ip", "-n", lab.netns("router"), "address", "del",
                address + ("/128" if ":" in address else "/32"), "dev", lab.tunnel)
            wait_until(lambda a=address: a in addresses(lab), f"{address} to be back")
        check(not lab.json("status")["healthy"], "healthy again")
        check_equal(cookies(lab), [cookie_of(lab.netns("phone"))], "exempt meanwhile")
        check_equal(daemon.log().count("there is no cgroup"), 1, "it is said once")
        os.mkdir(cgroup)
        wait_until(lambda: lab.json("status")["healthy"], "all to be well", 2 * DEADLINE_S)
        check_equal(programs(lab), 8, "programs")
    lab.apply(service_policy(lab, lab.cgroup))
    os.rmdir(cgroup)


@case
def run_repairs_all_else_while_a_namespace_cannot_be_entered(lab):
    """Who is exempt cannot be found out meanwhile, and stays as it was."""
    remake_aside(lab)
    closed = f"{lab.run_dir}/closed"
    wrap = ("env", f"LD_PRELOAD={fault_shim()}", f"FAULT_NETNS={closed}")
    exempt = [{"netns": lab.netns("phone")}, {"interface": "late*"}]
    path = lab.write_policy(service_policy(lab, lab.cgroup, exempt=exempt))
    phone = [cookie_of(lab.netns("phone"))]
    try:
        with Daemon(lab, path, wrap=wrap):
            check_equal(cookies(lab), phone, "exempt at the start")
            os.symlink(f"/run/netns/{aside(lab)}", closed)
            run("ip", "-n", aside(lab), "link", "add", "late0", "type", "veth", "peer", "name",
                "other0")
            for address in (lab.ROUTER, lab.ROUTER6):
                run("ip", "-n", lab.netns("router"), "address", "del",
                    address + ("/128" if ":" in address else "/32"), "dev", lab.tunnel)
                wait_until(lambda a=address: a in addresses(lab), f"{address} to be back")
            wait_until(lambda: not lab.json("status")["healthy"], "it to be said", 2 * DEADLINE_S)
            check_equal(cookies(lab), phone, "exempt meanwhile")
            os.unlink(closed)
            wait_until(lambda: cookies(lab) == sorted([*phone, cookie_of(aside(lab))]),
                       "who has come to be exempt", 2 * DEADLINE_S)
            wait_until(lambda: lab.json("status")["healthy"], "all to be well", 2 * DEADLINE_S)
    finally:
        run("ip", "netns", "del", aside(lab), ok=False)
    lab.apply(service_policy(lab, lab.cgroup))


if __name__ == "__main__":
    main(served)
