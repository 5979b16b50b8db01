#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Forwarded packets to services: real sockets of a phone and of a LAN host, in both families. No
socket here is translated: the phone's packets are, in the router."""

import contextlib
import errno
import json
import os
import socket

from daemon import Daemon
from lib import (DEADLINE_S, Lab, bound_socket, case, check, check_equal, client_socket, main, run,
                 wait_until)
from packets import tcp, udp
from scenes import echo_server, open_policy, reasons
from services import TCP, UDP, VIP, VIP6, own_cgroup, services, standing_behind

# the service's address, the client, the router on the LAN, the first backend and the second
FAMILIES = ((VIP, Lab.PHONE, Lab.LAN, Lab.WEB, Lab.DNS),
            (VIP6, Lab.PHONE6, Lab.LAN6, Lab.WEB6, Lab.DNS6))
PROBE = {"probe": "tcp:8880", "interval_ms": 200, "fail": 3, "rise": 2}
# behind the router's other device, which nobody advertises
DEVICE, AWAY, AWAY6 = "away0", "192.168.77.20", "fd77::20"
# the router's own, in no route
APART, APART6 = "192.168.78.1", "fd78::1"


def vip_policy(lab, backends=None, health=None, policy="failover", **socket_lb):
    """Nothing is granted but the services."""
    choice, policy = policy, open_policy(lab)
    policy["services"] = services(choice)
    for service in policy["services"].values():
        if backends:
            service["backends"] = [b for b in backends if (":" in b) == (":" in service["vip"])]
        if health:
            service["health"] = health
    policy["grants"] = [{"src": ["phone", "10.10.30.0/24", "fd10:30::/64"],
                         "dst": list(policy["services"])}]
    policy["socket_lb"] = {"mode": "off", **socket_lb}
    return policy


def port_policy(lab, protocol, behind):
    """The same, with one port: 80, and that one at the backends."""
    policy = vip_policy(lab)
    for service in policy["services"].values():
        service["ports"] = [{"port": 80, "protocol": protocol, "target_port": behind}]
    return policy


@contextlib.contextmanager
def served():
    with own_cgroup() as cgroup, Lab() as lab:
        lab.cgroup = cgroup
        policy = open_policy(lab)
        lab.apply(policy)
        lab.wait_for_tunnel()
        lab.apply(vip_policy(lab))
        lab.next_port = 20000
        for host in ("web", "dns"):
            for prefix, via in ((VIP + "/32", lab.LAN), (VIP6 + "/128", lab.LAN6)):
                run("ip", "-n", lab.netns(host), "route", "add", prefix, "via", via)
        with standing_behind(lab):
            yield lab


def port(lab):
    lab.next_port += 1
    return lab.next_port


def ask(sock, vip, question=b"who"):
    sock.sendto(question, (vip, 80))
    answer, source = sock.recvfrom(2048)
    check_equal(source[:2], (vip, 80), "who is said to answer")
    return answer.split()[0].decode()


def connect(lab, vip, short="phone"):
    with client_socket(lab, short, TCP, vip) as sock:
        sock.connect((vip, 80))
        check_equal(sock.getpeername()[:2], (vip, 80), "who is said to answer")
        return sock.recv(2048).decode()


def error_of(sock):
    """Of the next answer, which should be none."""
    try:
        return sock.recv(2048)
    except OSError as error:
        return error.errno


@case
def a_phone_reaches_a_service_and_sees_nothing_else(lab):
    for vip, phone, router, _, _ in FAMILIES:
        check_equal(connect(lab, vip), "web-tcp", "TCP")
        sport = port(lab)
        with bound_socket(lab, "phone", UDP, phone, sport) as sock:
            check_equal([ask(sock, vip) for _ in range(3)], ["web-udp"] * 3, "UDP")
        clients = {client[:2] for name, _, client in lab.servers.heard if name == "web-udp"}
        check((router, sport) in clients, f"who asks is the router: {clients}")


@case
def a_lan_host_reaches_it_too(lab):
    for vip, _, _, _, _ in FAMILIES:
        for host in ("dns", "web"):     # the second is the backend itself
            check_equal(connect(lab, vip, host), "web-tcp", f"{host}, TCP")
            with client_socket(lab, host, UDP, vip) as sock:
                check_equal(ask(sock, vip), "web-udp", f"{host}, UDP")


@case
def a_member_may_be_the_backend(lab):
    """Its answers come back through the tunnel to the router, also those to itself."""
    for address in (lab.PHONE, lab.PHONE6):
        lab.servers.start("phone-tcp", "phone", TCP, address, 8880)
        lab.servers.start("phone-udp", "phone", UDP, address, 9090)
    lab.apply(vip_policy(lab, [lab.PHONE, lab.PHONE6]))
    for (vip, *_), router in zip(FAMILIES, (lab.ROUTER, lab.ROUTER6)):
        for host in ("web", "phone"):
            check_equal(connect(lab, vip, host), "phone-tcp", f"{host}, TCP")
            with client_socket(lab, host, UDP, vip) as sock:
                check_equal(ask(sock, vip), "phone-udp", f"{host}, UDP")
        askers = {client[0] for name, _, client in lab.servers.heard if name == "phone-udp"}
        check(router in askers, f"the router asks: {askers}")
    lab.apply(vip_policy(lab))


@contextlib.contextmanager
def serving_here(lab, addresses):
    """The router itself is the only backend."""
    for address in addresses:
        lab.servers.start("router-tcp", "router", TCP, address, 8880)
        lab.servers.start("router-udp", "router", UDP, address, 9090)
    lab.apply(vip_policy(lab, addresses))
    try:
        yield
    finally:
        lab.apply(vip_policy(lab))
        lab.servers.stop()
        lab.servers.start_on(("web", "dns"))


@case
def the_router_itself_may_be_the_backend(lab):
    """By its mesh address, one on a LAN, and one that is in no route; it sees who asks."""
    for address in (APART + "/32", APART6 + "/128"):
        run("ip", "-n", lab.netns("router"), "address", "add", address, "dev", "lo")
    for addresses in ((lab.ROUTER, lab.ROUTER6), (lab.LAN, lab.LAN6), (APART, APART6)):
        with serving_here(lab, addresses):
            for vip, phone, *_ in FAMILIES:
                check_equal(connect(lab, vip), "router-tcp", f"{addresses}, TCP")
                sport = port(lab)
                with bound_socket(lab, "phone", UDP, phone, sport) as sock:
                    check_equal([ask(sock, vip) for _ in range(3)], ["router-udp"] * 3, "UDP")
                clients = {client[:2] for name, _, client in lab.servers.heard
                           if name == "router-udp"}
                check((phone, sport) in clients, f"who asks is the phone: {clients}")
            check_equal(lab.json("plan", lab.write_policy(vip_policy(lab, addresses)))["ops"], [],
                        "the second plan")
    for address in (APART + "/32", APART6 + "/128"):
        run("ip", "-n", lab.netns("router"), "address", "del", address, "dev", "lo")


@case
def a_closed_port_of_the_router_is_one_of_the_service(lab):
    policy = vip_policy(lab, [lab.LAN, lab.LAN6])
    for service in policy["services"].values():
        for one in service["ports"]:
            one["target_port"] = 9999
    lab.apply(policy)
    for vip, phone, *_ in FAMILIES:
        with bound_socket(lab, "phone", UDP, phone, port(lab)) as sock:
            sock.connect((vip, 80))
            sock.send(b"anybody")
            check_equal(error_of(sock), errno.ECONNREFUSED, "UDP")
        with client_socket(lab, "phone", TCP, vip) as client:
            check_equal(client.connect_ex((vip, 80)), errno.ECONNREFUSED, "TCP")
    lab.apply(vip_policy(lab))


@case
def a_dead_router_is_left_for_a_living_host(lab):
    """Probed like any other backend, and chosen again when it answers."""
    backends = [lab.LAN, lab.LAN6, lab.WEB, lab.WEB6]
    path = lab.write_policy(vip_policy(lab, backends, PROBE, cgroup=lab.cgroup))
    with Daemon(lab, path), contextlib.ExitStack() as stack:
        socks = [(vip, stack.enter_context(bound_socket(lab, "phone", UDP, phone, port(lab))))
                 for vip, phone, *_ in FAMILIES]

        def answered_by(name):
            for vip, sock in socks:
                sock.settimeout(1)

                def answered(vip=vip, sock=sock):
                    with contextlib.suppress(OSError):
                        return ask(sock, vip) == name
                    return False

                wait_until(answered, f"{vip} to be answered by {name}", 3 * DEADLINE_S)

        answered_by("web-udp")
        for address in (lab.LAN, lab.LAN6):
            lab.servers.start("router-tcp", "router", TCP, address, 8880)
            lab.servers.start("router-udp", "router", UDP, address, 9090)
        wait_until(lambda: all(b["healthy"] for s in lab.json("status")["services"]
                               for b in s["backends"]), "the router to be well", 3 * DEADLINE_S)
        stack.close()
        socks = [(vip, stack.enter_context(bound_socket(lab, "phone", UDP, phone, port(lab))))
                 for vip, phone, *_ in FAMILIES]
        answered_by("router-udp")
        lab.servers.stop()
        lab.servers.start_on(("web", "dns"))
        answered_by("web-udp")
    lab.apply(vip_policy(lab))


def exchange(lab, vip, backend, sent, answer):
    host, address = backend
    with bound_socket(lab, host, TCP, address, 5001) as listener, \
            client_socket(lab, "phone", TCP, vip) as client:
        thread, got = echo_server(listener, answer)
        client.connect((vip, 80))
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        back = b"".join(iter(lambda: client.recv(65536), b""))
        thread.join()
        check(b"".join(got) == sent, f"{vip} by {host}: what was sent")
        check(back == answer, f"{vip} by {host}: what was answered")


@case
def much_arrives_whole(lab):
    """Segments that no device has cut up yet, and sums that none has filled in, both ways."""
    policy = port_policy(lab, "tcp", 5001)
    lab.apply(policy)
    sent, answer = os.urandom(3 << 20), os.urandom(3 << 20)
    for vip, _, _, web, _ in FAMILIES:
        exchange(lab, vip, ("web", web), sent, answer)
    for service in policy["services"].values():
        service["backends"] = [lab.LAN6 if ":" in service["vip"] else lab.LAN]
    lab.apply(policy)
    for vip, _, router, _, _ in FAMILIES:
        exchange(lab, vip, ("router", router), sent, answer)
    lab.apply(vip_policy(lab))


@case
def the_backend_itself_is_not_granted(lab):
    before = lab.drops("acl")
    lab.from_phone(udp(lab.PHONE, lab.WEB, 20000, 9090))
    lab.from_phone(udp(lab.PHONE6, lab.WEB6, 20000, 9090))
    lab.counted("acl", before, 2)


@case
def a_large_answer_arrives_in_pieces(lab):
    """It does not fit the tunnel, and may be cut up in IPv4; in IPv6 its sender does that."""
    for vip, phone, _, _, _ in FAMILIES:
        with bound_socket(lab, "phone", UDP, phone, port(lab)) as sock:
            question = b"x" * 1390
            check_equal(ask(sock, vip), "web-udp", "a small one")
            sock.setsockopt(socket.IPPROTO_IP, 10, 0)       # IP_MTU_DISCOVER: IP_PMTUDISC_DONT
            got = []

            def asked(sock=sock, vip=vip, question=question, got=got):
                sock.settimeout(1)
                with contextlib.suppress(socket.timeout):
                    sock.sendto(question, (vip, 80))
                    got.append(sock.recv(4096))
                return got

            wait_until(asked, "a large answer")     # the first tells of the path's MTU
            check_equal(got[-1], b"web-udp " + question, "the answer")


@case
def a_closed_port_of_the_backend_is_one_of_the_service(lab):
    """ICMP errors come from the service's address, and quote what the phone has sent."""
    policy = port_policy(lab, "udp", 9999)
    lab.apply(policy)
    for vip, phone, _, _, _ in FAMILIES:
        with bound_socket(lab, "phone", UDP, phone, port(lab)) as sock:
            sock.connect((vip, 80))
            sock.send(b"anybody")
            check_equal(error_of(sock), errno.ECONNREFUSED, "what the phone hears")
    lab.apply(vip_policy(lab))


@case
def echo_and_other_ports_are_refused(lab):
    policy = vip_policy(lab)
    policy["grants"].append({"src": ["*"], "dst": [VIP, VIP6]})
    lab.apply(policy)
    before = lab.drops("no_service")
    for vip in (VIP, VIP6):
        done = lab.exec("phone", "ping", "-n", "-c", "1", "-W", "1", vip, ok=False)
        check(done.returncode != 0, done.stdout)
    lab.from_phone(udp(lab.PHONE, VIP, 20000, 81))
    lab.from_phone(udp(lab.PHONE6, VIP6, 20000, 81))
    lab.counted("no_service", before, 4)
    lab.apply(vip_policy(lab))


@case
def the_other_protocol_is_no_service(lab):
    """On one port, each alone."""
    for protocol, behind, other in (("tcp", 8880, udp), ("udp", 9090, tcp)):
        policy = port_policy(lab, protocol, behind)
        policy["grants"].append({"src": ["*"], "dst": [VIP, VIP6]})
        lab.apply(policy)
        before = lab.drops("no_service")
        for vip, phone, *_ in FAMILIES:
            lab.from_phone(other(phone, vip, port(lab), 80))
            if protocol == "tcp":
                check_equal(connect(lab, vip), "web-tcp", "TCP")
            else:
                with client_socket(lab, "phone", UDP, vip) as sock:
                    check_equal(ask(sock, vip), "web-udp", "UDP")
        lab.counted("no_service", before, len(FAMILIES))
    lab.apply(vip_policy(lab))


@case
def the_routers_own_sockets_do_not_let_it_out(lab):
    """Not translated with the socket load balancer off: nor sent, into the tunnel or elsewhere."""
    before = lab.drops("no_service")
    for vip in (VIP, VIP6):
        with client_socket(lab, "router", UDP, vip) as sock:
            with contextlib.suppress(OSError):      # EPERM: what egress drops
                sock.sendto(b"who", (vip, 80))
    lab.counted("no_service", before, 2)


@case
def a_dead_backend_is_left_and_none_is_an_error(lab):
    path = lab.write_policy(vip_policy(lab, health=PROBE, cgroup=lab.cgroup))
    with Daemon(lab, path), contextlib.ExitStack() as stack:
        socks = [(vip, stack.enter_context(bound_socket(lab, "phone", UDP, phone, port(lab))))
                 for vip, phone, *_ in FAMILIES]
        for vip, sock in socks:
            check_equal(ask(sock, vip), "web-udp", "before")
        lab.servers.stop()
        lab.servers.start_on(("dns",))
        for vip, sock in socks:
            sock.settimeout(1)

            def answered(vip=vip, sock=sock):
                with contextlib.suppress(OSError):
                    return ask(sock, vip) == "dns-udp"
                return False

            wait_until(answered, f"{vip} to be answered by the second", 3 * DEADLINE_S)
            check_equal(connect(lab, vip), "dns-tcp", "TCP")
        lab.servers.stop()
        wait_until(lambda: not any(b["healthy"] for s in lab.json("status")["services"]
                                   for b in s["backends"]), "nobody", 3 * DEADLINE_S)
        before = lab.drops("no_backend")
        for vip, sock in socks:
            with client_socket(lab, "phone", TCP, vip) as client:
                check_equal(client.connect_ex((vip, 80)), errno.ECONNREFUSED, "TCP")
            sock.connect((vip, 80))
            sock.send(b"anybody")
            check_equal(error_of(sock), errno.ECONNREFUSED, "UDP")
        lab.counted("no_backend", before, 2)    # for a second, UDP hears of it from the last one
        lab.servers.start_on(("web", "dns"))


@case
def a_random_choice_is_made_once_a_flow(lab):
    """Also when it is looked at again, once a second."""
    lab.apply(vip_policy(lab, policy="random"))
    with contextlib.ExitStack() as stack:
        socks = [(vip, stack.enter_context(bound_socket(lab, "phone", UDP, phone, port(lab))))
                 for vip, phone, *_ in FAMILIES for _ in range(10)]
        chosen = [ask(sock, vip) for vip, sock in socks]
        for family in (chosen[:10], chosen[10:]):
            check_equal(set(family), {"web-udp", "dns-udp"}, f"of ten flows: {family}")
        # a look leaves by the kernel's neighbour; the third is of a flow that is two seconds old
        for looks in range(3):
            before = reasons(lab)["forward_neigh"]

            def all_looked_at():
                check_equal([ask(sock, vip) for vip, sock in socks], chosen, f"look {looks + 1}")
                return reasons(lab)["forward_neigh"] >= before + len(socks)

            wait_until(all_looked_at, "all flows to be looked at")
    lab.apply(vip_policy(lab))


@case
def a_removed_backend_is_left_by_a_reload(lab):
    lab.apply(vip_policy(lab))
    with contextlib.ExitStack() as stack:
        socks = [(vip, stack.enter_context(bound_socket(lab, "phone", UDP, phone, port(lab))))
                 for vip, phone, *_ in FAMILIES]
        for vip, sock in socks:
            check_equal(ask(sock, vip), "web-udp", "before")
        lab.apply(vip_policy(lab, [lab.DNS, lab.DNS6]))
        for vip, sock in socks:
            check_equal([ask(sock, vip), ask(sock, vip)], ["dns-udp"] * 2, "after")
    lab.apply(vip_policy(lab))


def clients_of(lab, listeners):
    """A phone's and a LAN host's, each connected through a service's address to its first backend;
    the host's segments come with sums that none has filled in."""
    for vip, _, _, backend, _ in FAMILIES:
        for short in ("phone", "dns"):
            client = client_socket(lab, short, TCP, vip)
            client.connect((vip, 80))
            server, _ = listeners[backend].accept()
            client.sendall(b"is it you?")
            check_equal(server.recv(64), b"is it you?", f"{short} to {vip}")
            yield short, vip, client, server


def hears_of_its_end(short, vip, client):
    client.settimeout(2)    # a retransmission comes sooner
    client.sendall(b"are you there?")
    check_equal(error_of(client), errno.ECONNRESET, f"{short}, by {vip}")


@case
def a_client_hears_that_its_backend_was_removed(lab):
    policy = port_policy(lab, "tcp", 5001)
    lab.apply(policy)
    before = lab.drops("reset")
    with contextlib.ExitStack() as stack:
        listeners = {address: stack.enter_context(bound_socket(lab, host, TCP, address, 5001))
                     for host, address in (("web", lab.WEB), ("web", lab.WEB6),
                                           ("dns", lab.DNS), ("dns", lab.DNS6))}
        clients = list(clients_of(lab, listeners))
        for *_, client, server in clients:
            stack.enter_context(client)
            stack.enter_context(server)
        for service in policy["services"].values():
            service["backends"] = [lab.DNS6 if ":" in service["vip"] else lab.DNS]
        lab.apply(policy)
        for short, vip, client, _ in clients:
            hears_of_its_end(short, vip, client)
        for short, vip, *_ in clients:
            with client_socket(lab, short, TCP, vip) as again:
                again.connect((vip, 80))
                server, _ = listeners[lab.DNS6 if ":" in vip else lab.DNS].accept()
                server.close()
                check_equal(again.recv(64), b"", f"{short}, by {vip}, to who is left")
    lab.counted("reset", before, len(clients))
    lab.apply(vip_policy(lab))


@case
def a_backend_in_no_route_answers_to_the_router(lab):
    """Behind a device that is no LAN of anybody's: it becomes one, and its masquerade address."""
    router, far = lab.netns("router"), lab.netns("lan")
    run("ip", "-n", router, "link", "add", DEVICE, "up", "type", "veth", "peer", "name", "away1",
        "netns", far)
    run("ip", "-n", far, "link", "set", "away1", "up")
    for netns, device, last in ((router, DEVICE, 1), (far, "away1", 20)):
        run("ip", "-n", netns, "address", "add", f"192.168.77.{last}/24", "dev", device)
        run("ip", "-n", netns, "address", "add", f"fd77::{last}/64", "dev", device, "nodad")
    for address in (AWAY, AWAY6):
        lab.servers.start("away-tcp", "lan", TCP, address, 8880)
        lab.servers.start("away-udp", "lan", UDP, address, 9090)
    lab.apply(vip_policy(lab, [AWAY, AWAY6]))
    try:
        for vip, phone, *_ in FAMILIES:
            check_equal(connect(lab, vip), "away-tcp", "TCP")
            with bound_socket(lab, "phone", UDP, phone, port(lab)) as sock:
                check_equal(ask(sock, vip), "away-udp", "UDP")
        check(any(client[0] == "192.168.77.1" for name, _, client in lab.servers.heard
                  if name == "away-udp"), "who asks is the router")
        check_equal(lab.json("plan", lab.write_policy(vip_policy(lab, [AWAY, AWAY6])))["ops"], [],
                    "the second plan")
    finally:
        lab.apply(vip_policy(lab))
        lab.servers.stop()
        lab.servers.start_on(("web", "dns"))
        run("ip", "-n", router, "link", "del", DEVICE)


@case
def trace_names_the_service(lab):
    for (vip, phone, router, backend, _), name in zip(FAMILIES, ("vip", "vip6")):
        got = lab.json("trace", "--from", phone, "--to", vip, "--dport", "80", "--sport", "20999")
        check_equal((got["service"], got["backend"], got["snat"], got["reason"]),
                    (name, {"address": backend, "port": 8880},
                     {"address": router, "port": 20999}, "forward_neigh"), "trace")
        with serving_here(lab, [lab.ROUTER, lab.ROUTER6]):
            got = lab.json("trace", "--from", phone, "--to", vip, "--dport", "80", "--sport",
                           "20999")
        own = lab.ROUTER6 if ":" in vip else lab.ROUTER
        check_equal((got["service"], got["backend"], got["snat"], got["reason"]),
                    (name, {"address": own, "port": 8880}, None, "deliver"), "the router itself")
        got = lab.json("trace", "--from", phone, "--to", vip, "--dport", "81")
        check_equal((got["service"], got["reason"]), (None, "acl"), "another port")


@case
def nothing_is_left_by_down(lab):
    lab.towpath("down")
    routes = json.loads(run("ip", "-j", "-n", lab.netns("router"), "route").stdout)
    check_equal([r["dst"] for r in routes if r["dst"].startswith("100.80.")], [], "routes")
    lab.apply(vip_policy(lab))


if __name__ == "__main__":
    main(served)
