#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Packets between the phone and the LAN, by both ways of attaching the programs."""

import contextlib
import re
import socket
import subprocess
import threading
import time

from lib import (DEADLINE_S, Lab, Skip, bound_socket, case, check, check_equal, client_socket,
                 inject_frame, main, run, wait_until)
from packets import ACK, ICMP, ICMP6, TCP, Packet, echo, forwarded, tcp, udp

# Inside limits.snat_ports and free: the mapping keeps it, so that the whole packet is known.
KEPT = 20000


@contextlib.contextmanager
def applied(prefix):
    how = prefix.rstrip(".")
    with Lab() as lab:
        done = lab.script("towpath", "apply", lab.policy_path, "--tc-attach", how, ok=False)
        if done.returncode == 6 and how == "tcx":
            raise Skip(f"the kernel has no tcx: {done.stderr.strip()}")
        check_equal(done.returncode, 0, f"apply --tc-attach {how}: {done.stderr}")
        lab.attach = how
        lab.next_port = KEPT
        lab.wait_for_tunnel()
        yield lab


def port(lab):
    """A source port no case has used."""
    lab.next_port += 1
    return lab.next_port


def arrives_masqueraded(lab, sent, source):
    """The whole packet, as the LAN host gets it. The payload tells it from all others."""
    old = Packet(sent)
    with lab.capture("dns" if old.dst in (lab.DNS, lab.DNS6) else "web") as capture:
        lab.from_phone(sent)
        got = capture.expect(lambda p: p.proto == old.proto and p.payload == old.payload
                             and p.ports == old.ports and p.dst == old.dst, str(old))
    check_equal(got.wrong_checksums(), [], f"checksums of {got}")
    check_equal(got.raw.hex(), forwarded(sent, src=source).hex(), "the forwarded packet")


@case
def attaches_the_way_it_was_told(lab):
    hooks = {a["hook"] for a in lab.json("status")["attachments"]}
    check_equal(hooks, {"tcx" if lab.attach == "tcx" else "tc"}, "hooks")


@case
def udp4_is_forwarded_whole(lab):
    arrives_masqueraded(lab, udp(lab.PHONE, lab.DNS, port(lab), 53, b"udp4 odd length"), lab.LAN)


@case
def udp6_is_forwarded_whole(lab):
    arrives_masqueraded(lab, udp(lab.PHONE6, lab.DNS6, port(lab), 53, b"udp6 payload"), lab.LAN6)


@case
def tcp4_syn_is_forwarded_whole(lab):
    sent = tcp(lab.PHONE, lab.WEB, port(lab), 80, options=b"\x02\x04\x03\xe8\x01\x01\x04\x02")
    arrives_masqueraded(lab, sent, lab.LAN)


@case
def tcp6_syn_is_forwarded_whole(lab):
    sent = tcp(lab.PHONE6, lab.WEB6, port(lab), 80, options=b"\x02\x04\x03\xe8")
    arrives_masqueraded(lab, sent, lab.LAN6)


@case
def icmp4_echo_is_forwarded_whole(lab):
    arrives_masqueraded(lab, echo(lab.PHONE, lab.WEB, port(lab), payload=b"echo four!"), lab.LAN)


@case
def icmp6_echo_is_forwarded_whole(lab):
    arrives_masqueraded(lab, echo(lab.PHONE6, lab.WEB6, port(lab), payload=b"echo six"), lab.LAN6)


@case
def dscp_and_ecn_survive(lab):
    arrives_masqueraded(lab, udp(lab.PHONE, lab.DNS, port(lab), 53, b"tos4", tos=0xbb), lab.LAN)
    arrives_masqueraded(lab, udp(lab.PHONE6, lab.DNS6, port(lab), 53, b"tos6", tos=0xbb), lab.LAN6)


@case
def second_packet_of_a_flow_is_like_the_first(lab):
    sport = port(lab)
    for payload in (b"the first", b"the second", b"the third one"):
        arrives_masqueraded(lab, udp(lab.PHONE, lab.DNS, sport, 53, payload), lab.LAN)


def reply_comes_home(lab, phone, server, ttl):
    """A datagram to a socket on the LAN and its answer; the answer seen whole at the phone."""
    sport = port(lab)
    payload = b"question on port %d" % sport
    answer = b"answer to port %d, of another length" % sport
    with lab.capture("phone") as at_phone, lab.capture("dns") as at_dns:
        with bound_socket(lab, "dns", socket.SOCK_DGRAM, server, 5353) as sock:
            lab.from_phone(udp(phone, server, sport, 5353, payload))
            got, source = sock.recvfrom(2048)
            check_equal(got, payload, "what the server read")
            sock.sendto(answer, source)
        at_dns.expect_payload(payload)
        home = at_phone.expect_payload(answer)
    check_equal((home.src, home.dst, home.ports), (server, phone, (5353, sport)), "the answer")
    check_equal(home.ttl, ttl - 1, "its TTL")
    check_equal(home.payload, answer, "its payload")
    check_equal(home.wrong_checksums(), [], f"checksums of {home}")


@contextlib.contextmanager
def granted(lab, *grants):
    """The policy with these grants added, and the old one again at the end."""
    policy = lab.policy()
    policy["grants"] += grants
    del policy["tests"]         # they hold for the example's grants only
    lab.apply(policy, "--tc-attach", lab.attach)
    try:
        yield
    finally:
        lab.apply(None, "--tc-attach", lab.attach)


@case
def replies_come_from_the_server_itself(lab):
    with granted(lab, {"src": ["phone"], "dst": ["adguard", "adguard6"], "ip": ["udp:5353"]}):
        reply_comes_home(lab, lab.PHONE, lab.DNS, 64)
        reply_comes_home(lab, lab.PHONE6, lab.DNS6, 64)


@case
def echo_replies_keep_their_id(lab):
    for phone, web, proto in ((lab.PHONE, lab.WEB, ICMP), (lab.PHONE6, lab.WEB6, ICMP6)):
        ident = port(lab)
        with lab.capture("phone") as capture:
            lab.from_phone(echo(phone, web, ident, payload=b"come home, %d" % ident))
            home = capture.expect(lambda p, proto=proto: p.proto == proto
                                  and b"come home" in p.payload, "the echo reply")
        check_equal((home.src, home.dst, home.ports[0], home.ttl), (web, phone, ident, 63), "it")
        check_equal(home.wrong_checksums(), [], f"checksums of {home}")


def port_outside_the_range_is_mapped(lab, phone, dns, lan):
    with lab.capture("dns") as capture:
        lab.from_phone(udp(phone, dns, 5000, 53, b"from port 5000"))
        got = capture.expect_payload(b"from port 5000")
    check(16384 <= got.ports[0] <= 29999, f"source port {got.ports[0]} is in the SNAT range")
    sent = udp(phone, dns, 5000, 53, b"from port 5000")
    check_equal(got.raw.hex(), forwarded(sent, src=lan, sport=got.ports[0]).hex(), "the packet")


@case
def ports_outside_the_range_are_mapped_into_it(lab):
    port_outside_the_range_is_mapped(lab, lab.PHONE, lab.DNS, lab.LAN)
    port_outside_the_range_is_mapped(lab, lab.PHONE6, lab.DNS6, lab.LAN6)


def http_over(lab, server, size):
    """A TCP exchange of `size` bytes each way; every packet of it is looked at on both ends."""
    data = bytes(i * 7 % 251 for i in range(size))
    received = []

    def serve(listener):
        conn, _ = listener.accept()
        with conn:
            conn.settimeout(DEADLINE_S)
            while sum(map(len, received)) < size:
                chunk = conn.recv(65536)
                if not chunk:
                    return
                received.append(chunk)
            conn.sendall(data)

    with bound_socket(lab, "web", socket.SOCK_STREAM, server, 5001) as listener, \
            lab.capture("web") as at_web, lab.capture("phone") as at_phone, \
            client_socket(lab, "phone", socket.SOCK_STREAM, server) as client:
        server_thread = threading.Thread(target=serve, args=(listener,))
        server_thread.start()
        try:
            client.connect((server, 5001))
            client.sendall(data)
            back = b""
            while chunk := client.recv(65536):
                back += chunk
            client.shutdown(socket.SHUT_WR)
        finally:
            server_thread.join()
        at_web.expect(lambda p: p.proto == TCP and p.segment[13] & 1, "the client's FIN")
        at_phone.expect(lambda p: p.proto == TCP and p.segment[13] & 1, "the server's FIN")
    check_equal(b"".join(received) == data, True, "the server read what was sent")
    check_equal(back == data, True, "the client read what was sent")
    return ([p for p in at_web.seen if p.proto == TCP and p.ports[1] == 5001],
            [p for p in at_phone.seen if p.proto == TCP and p.ports[0] == 5001])


def tcp_connection_is_clean(lab, phone, server, lan):
    there, back = http_over(lab, server, 300_000)
    check(len(there) > 10 and len(back) > 10, f"{len(there)} and {len(back)} packets seen")
    check_equal({p.src for p in there}, {lan}, "who the LAN host talked to")
    check_equal({p.ttl for p in there}, {63}, "TTLs on the LAN")
    check_equal({(p.src, p.dst) for p in back}, {(server, phone)}, "addresses at the phone")
    check_equal({p.ttl for p in back}, {63}, "TTLs at the phone")
    wrong = [f"{w}: {p}" for p in there + back for w in p.wrong_checksums()]
    check_equal(wrong[:3], [], "wrong checksums")


@case
def tcp_carries_data_both_ways(lab):
    with granted(lab, {"src": ["phone"], "dst": ["web", "web6"], "ip": ["tcp:5001"]}):
        tcp_connection_is_clean(lab, lab.PHONE, lab.WEB, lab.LAN)
        tcp_connection_is_clean(lab, lab.PHONE6, lab.WEB6, lab.LAN6)


@case
def names_and_pages_are_served(lab):
    name = lab.exec("phone", "dig", "+short", "+time=5", "web.lab.example").stdout
    check_equal(name, lab.WEB + "\n", "dig")
    tcp_name = lab.exec("phone", "dig", "+tcp", "+short", "web.lab.example", "AAAA").stdout
    check_equal(tcp_name, lab.WEB6 + "\n", "dig over TCP")
    for family in ("-4", "-6"):
        page = lab.exec("phone", "curl", "-sS", family, "-m", "10", "http://web.lab.example/")
        check("Hello from web.lab.example" in page.stdout, page.stdout)


def is_refused(lab, sent, reason, allowed):
    """`sent` does not come out while `allowed`, sent after it, does; and it is counted."""
    before = lab.drops(reason)
    mark = Packet(allowed)
    with lab.capture("dns") as dns, lab.capture("web") as web:
        lab.from_phone(sent)
        lab.from_phone(allowed)
        at = dns if mark.dst in (lab.DNS, lab.DNS6) else web
        at.expect(lambda p: p.payload == mark.payload and p.proto == mark.proto, "the mark")
        leaked = [str(p) for c in (dns, web) for p in c.seen
                  if Packet(sent).payload and p.payload == Packet(sent).payload
                  or p.ports == Packet(sent).ports]
    check_equal(leaked, [], "what came through")
    lab.counted(reason, before)


@case
def refuses_what_no_grant_names(lab):
    for sent in (tcp(lab.PHONE, lab.WEB, port(lab), 8080),
                 tcp(lab.PHONE6, lab.WEB6, port(lab), 8080),
                 udp(lab.PHONE, lab.WEB, port(lab), 53, b"not the DNS server"),
                 udp(lab.PHONE6, lab.DNS6, port(lab), 54, b"not the DNS port")):
        is_refused(lab, sent, "acl", udp(lab.PHONE, lab.DNS, port(lab), 53, b"mark %d"
                                         % lab.next_port))


@case
def refuses_tcp_that_does_not_begin_with_syn(lab):
    is_refused(lab, tcp(lab.PHONE, lab.WEB, port(lab), 80, flags=ACK, payload=b"midway"),
               "invalid", udp(lab.PHONE, lab.DNS, port(lab), 53, b"mark %d" % lab.next_port))


@contextlib.contextmanager
def route_to_the_mesh(lab, short):
    """The LAN host is told the way, which it does not have by itself."""
    netns = lab.netns(short)
    ways = (("100.80.0.0/24", lab.LAN), ("fd7a:70::/64", lab.LAN6))
    for prefix, via in ways:
        run("ip", "-n", netns, "route", "add", prefix, "via", via)
    try:
        yield
    finally:
        for prefix, via in ways:
            run("ip", "-n", netns, "route", "del", prefix, "via", via)


def send_udp(lab, short, dst, dport, payload):
    with client_socket(lab, short, socket.SOCK_DGRAM, dst) as sock:
        sock.sendto(payload, (dst, dport))


@case
def lan_host_cannot_reach_the_phone(lab):
    before = lab.drops("acl")
    with route_to_the_mesh(lab, "web"), lab.capture("phone") as capture:
        send_udp(lab, "web", lab.PHONE, 7000, b"unasked for, 4")
        send_udp(lab, "web", lab.PHONE6, 7000, b"unasked for, 6")
        lab.counted("acl", before, 2)
        lab.from_phone(echo(lab.PHONE, lab.WEB, port(lab), payload=b"the mark"))
        came = capture.before(lambda p: b"the mark" in p.segment, "the mark's reply")
    check_equal([str(p) for p in came if b"unasked" in p.segment], [], "what reached the phone")


@case
def lan_host_reaches_the_phone_by_a_grant(lab):
    grant = {"src": ["web", "web6"], "dst": ["phone"], "ip": ["udp:7000"]}
    with granted(lab, grant), route_to_the_mesh(lab, "web"), lab.capture("phone") as capture:
        for phone, web in ((lab.PHONE, lab.WEB), (lab.PHONE6, lab.WEB6)):
            send_udp(lab, "web", phone, 7000, b"granted to " + phone.encode())
            got = capture.expect_payload(b"granted to " + phone.encode())
            check_equal((got.src, got.dst, got.ttl), (web, phone, 63), "the packet")
            check_equal(got.wrong_checksums(), [], f"checksums of {got}")


@case
def refuses_a_mesh_source_from_the_lan(lab):
    mac = lab.mac("router", "lan0")
    before = lab.drops("spoof")
    inject_frame(lab.netns("web"), "eth0", mac,
                 udp(lab.PHONE, lab.ROUTER, 7000, 7000, b"I am the phone"))
    inject_frame(lab.netns("web"), "eth0", mac,
                 udp(lab.PHONE6, lab.ROUTER6, 7000, 7000, b"I am the phone"))
    lab.counted("spoof", before, 2)


def can_connect(lab, address, dport):
    with client_socket(lab, "phone", socket.SOCK_STREAM, address) as sock:
        sock.settimeout(1.5)
        try:
            sock.connect((address, dport))
        except OSError:
            return False
        return True


@case
def judges_what_is_for_the_router_itself(lab):
    grant = {"src": ["phone"], "dst": ["homelab-1"], "ip": ["tcp:2222"]}
    for address in (lab.ROUTER, lab.ROUTER6):
        with bound_socket(lab, "router", socket.SOCK_STREAM, address, 2222):
            before = lab.drops("acl")
            check(not can_connect(lab, address, 2222), f"{address}:2222 is reached ungranted")
            lab.counted("acl", before)
            with granted(lab, grant):
                check(can_connect(lab, address, 2222), f"{address}:2222 is not reached by a grant")


def route_all_from_phone(lab):
    """The phone sends whatever into its tunnel, as its owner can make it do."""
    peer = lab.exec("phone", "wg", "show", lab.phone_tunnel, "peers").stdout.split()[0]
    lab.exec("phone", "wg", "set", lab.phone_tunnel, "peer", peer, "allowed-ips",
             "0.0.0.0/0,::/0")


@case
def what_is_for_everybody_is_no_way_around_the_grants(lab):
    route_all_from_phone(lab)
    for phone, local, group, reason in ((lab.PHONE, "", "255.255.255.255", "martian"),
                                        (lab.PHONE, "", "224.0.0.1", "no_route"),
                                        (lab.PHONE6, "::", "ff02::1", "no_route")):
        with bound_socket(lab, "router", socket.SOCK_DGRAM, local, 2222) as server:
            before = lab.drops(reason)
            lab.from_phone(udp(phone, group, 5000, 2222, b"to all"))
            lab.counted(reason, before)
            server.setblocking(False)
            try:
                check(False, f"the router has read {server.recvfrom(64)}")
            except BlockingIOError:
                check(True, "nothing was read")


def goes_on_without_its_flow(lab, address):
    """A session with the router whose flow has expired, as one that is older than the policy."""
    with bound_socket(lab, "router", socket.SOCK_STREAM, address, 2222) as listener, \
            client_socket(lab, "phone", socket.SOCK_STREAM, address) as client:
        client.connect((address, 2222))
        session, _ = listener.accept()
        with session:
            session.settimeout(DEADLINE_S)
            created = lab.json("status")["flows"]["created"]
            end = time.monotonic() + 1.5        # the flow may be silent for a second
            wait_until(lambda: time.monotonic() > end, "the end of the flow")
            client.sendall(b"still here")
            check_equal(session.recv(64), b"still here", "what the router read")
            session.sendall(b"so am I")
            check_equal(client.recv(64), b"so am I", "what the phone read")
            check(lab.json("status")["flows"]["created"] > created, "the session has its old flow")


@case
def a_session_with_the_router_survives_the_loss_of_its_flow(lab):
    policy = lab.policy()
    policy["grants"].append({"src": ["phone"], "dst": ["homelab-1"], "ip": ["tcp:2222"]})
    policy["limits"] = {"timeouts": {"tcp_established": 1}}
    del policy["tests"]
    lab.apply(policy, "--tc-attach", lab.attach)
    try:
        goes_on_without_its_flow(lab, lab.ROUTER)
        goes_on_without_its_flow(lab, lab.ROUTER6)
    finally:
        lab.apply(None, "--tc-attach", lab.attach)


@case
def router_reaches_the_mesh_unasked(lab):
    """What the node's own sockets send is not judged, and its replies come in."""
    for phone in (lab.PHONE, lab.PHONE6):
        done = lab.exec("router", "ping", "-n", "-c", "2", "-i", "0.2", "-W", "5", phone, ok=False)
        check_equal(done.returncode, 0, f"ping {phone}:\n{done.stdout}")


@case
def lan_traffic_of_others_passes_untouched(lab):
    page = lab.exec("dns", "curl", "-sS", "-m", "5", "http://10.10.30.20:8080/").stdout
    check("Hello" in page, page)
    for address in (lab.LAN, lab.LAN6):
        done = lab.exec("web", "ping", "-n", "-c", "1", "-W", "5", address, ok=False)
        check_equal(done.returncode, 0, f"LAN host pings {address}:\n{done.stdout}")


@case
def ttl_of_one_is_answered_not_forwarded(lab):
    sent = udp(lab.PHONE, lab.DNS, port(lab), 53, b"one hop only", ttl=1)
    with lab.capture("dns") as dns, lab.capture("phone") as phone:
        lab.from_phone(sent)
        error = phone.expect(lambda p: p.proto == ICMP and p.segment[0] == 11, "time exceeded")
        lab.from_phone(udp(lab.PHONE, lab.DNS, port(lab), 53, b"the mark"))
        came = dns.before(lambda p: p.payload == b"the mark", "the mark")
    check_equal([str(p) for p in came if b"one hop" in p.segment], [], "what was forwarded")
    check_equal(error.dst, lab.PHONE, "to whom the error went")
    check_equal(error.wrong_checksums(), [], f"checksums of {error}")


@case
def status_counts_packets_and_flows(lab):
    status = lab.json("status")
    check_equal(status["node"], "homelab-1", "node")
    routes = {r["prefix"]: r for r in status["routes"]}
    check_equal(set(routes), {"10.10.30.0/24", "fd10:30::/64"}, "routes")
    for prefix, route in routes.items():
        check_equal(route["state"], "active", f"state of {prefix}")
        check(route["packets"] > 0 and route["bytes"] > 0, f"{prefix} has counted {route}")
    check_equal([(p["name"], p["state"]) for p in status["peers"]], [("phone", "up")], "peers")
    check(status["flows"]["current"] > 0, f"flows: {status['flows']}")
    check(status["drops"]["acl"] > 0, f"drops: {status['drops']}")


@case
def bpftool_names_the_fields(lab):
    lab.from_phone(udp(lab.PHONE, lab.DNS, port(lab), 53, b"a flow to look at"))
    done = run("bpftool", "map", "dump", "pinned", f"{lab.pins}/maps/tp_flows")
    check(re.search(r'"key":\s*\{', done.stdout), f"no named key in:\n{done.stdout[:400]}")
    check('"sport"' in done.stdout or "port" in done.stdout, f"no port in:\n{done.stdout[:400]}")
    raw = subprocess.run(["bpftool", "map", "show", "pinned", f"{lab.pins}/maps/tp_flows"],
                         capture_output=True, text=True, check=True).stdout
    check("btf_id" in raw, f"no BTF: {raw}")


@case
def apply_again_changes_nothing(lab):
    plan = lab.json("plan", lab.policy_path, "--tc-attach", lab.attach)
    check_equal(plan["ops"], [], "the plan after apply")


if __name__ == "__main__":
    main(applied, ("tcx.", "clsact."))
