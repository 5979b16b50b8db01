#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Traceroute and path-MTU discovery through the router, with SNAT and without.

    phone ==tunnel== router ---- lan ---- x ---- far      10.10.40.20  fd10:30:0:40::20

x is one more router on the LAN; no packet above 1300 bytes goes from it to far. An error is only
believed that the kernel of its receiver believes: it is read from the socket that it is about."""

import contextlib
import errno
import select
import socket
import struct
import threading

from lib import (DEADLINE_S, Lab, bound_socket, case, check, check_equal, client_socket, main, run,
                 wait_until)
from packets import ICMP, ICMP6, Packet, checksum, udp

FAR, FAR6 = "10.10.40.20", "fd10:30:0:40::20"
X, X6 = "10.10.30.254", "fd10:30::fe"               # on the LAN
X_FAR, X_FAR6 = "10.10.40.254", "fd10:30:0:40::fe"  # toward far
FAR_NETS = ("10.10.40.0/24", "fd10:30:0:40::/64")
LAN_NETS = ("10.10.30.0/24", "fd10:30::/64")
MESH_NETS = ("100.80.0.0/24", "fd7a:70::/64")
NARROW, TUNNEL_MTU = 1300, 1420
CLOSED = 33434
IP_RECVERR, IP_MTU, IP_MTU_DISCOVER, PMTU_DO = 11, 14, 10, 2
IPV6_RECVERR, IPV6_MTU, IPV6_MTU_DISCOVER = 25, 24, 23
FROM_ICMP = {2, 3}                                  # SO_EE_ORIGIN_ICMP and _ICMP6


# ---- the lab and what is behind it -----------------------------------------------------------

def cable(lab, one, device, other, other_device):
    run("ip", "-n", lab.netns(one), "link", "add", device, "type", "veth", "peer", "name",
        other_device, "netns", lab.netns(other))
    for short, name in ((one, device), (other, other_device)):
        run("nsenter", f"--net=/run/netns/{lab.netns(short)}", "ethtool", "-K", name, "rx", "off")


def addresses(lab, short, device, *cidrs):
    run("ip", "-n", lab.netns(short), "link", "set", device, "up")
    for cidr in cidrs:
        run("ip", "-n", lab.netns(short), "address", "add", cidr, "dev", device)


def routes(lab, short, nets, *via):
    for net, gateway in zip(nets, via):
        run("ip", "-n", lab.netns(short), "route", "add", net, "via", gateway)


def make_far(lab):
    for short in ("x", "far"):
        run("ip", "netns", "add", lab.netns(short))
        lab.exec(short, "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0",
                 f"net.ipv4.ip_forward={int(short == 'x')}",
                 f"net.ipv6.conf.all.forwarding={int(short == 'x')}",
                 "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")
        run("ip", "-n", lab.netns(short), "link", "set", "lo", "up")
    cable(lab, "x", "eth0", "lan", "x")
    cable(lab, "x", "eth1", "far", "eth0")
    run("ip", "-n", lab.netns("lan"), "link", "set", "x", "master", "switch", "up")
    addresses(lab, "x", "eth0", X + "/24", X6 + "/64")
    addresses(lab, "x", "eth1", X_FAR + "/24", X_FAR6 + "/64")
    addresses(lab, "far", "eth0", FAR + "/24", FAR6 + "/64")
    lab.exec("far", "ethtool", "-K", "eth0", "tx", "off")   # what is quoted of it is whole
    for address in (FAR, FAR6):
        run("ip", "-n", lab.netns("x"), "route", "add", address, "dev", "eth1", "mtu", "lock",
            NARROW)
    routes(lab, "far", ("default", "::/0"), X_FAR, X_FAR6)
    for short in ("x", "web"):
        routes(lab, short, MESH_NETS, lab.LAN, lab.LAN6)
    routes(lab, "router", FAR_NETS, X, X6)


def let_phone_reach_far(lab):
    peer = lab.exec("phone", "wg", "show", lab.phone_tunnel, "peers").stdout.strip()
    lab.exec("phone", "wg", "set", lab.phone_tunnel, "peer", peer, "allowed-ips",
             ",".join(MESH_NETS + LAN_NETS + FAR_NETS))
    for net in FAR_NETS:
        run("ip", "-n", lab.netns("phone"), "route", "add", net, "dev", lab.phone_tunnel)


def policy(lab, snat):
    value = lab.policy()
    del value["tests"]
    inside = list(LAN_NETS + FAR_NETS)
    value["nodes"]["homelab-1"]["advertise_routes"] = inside
    value["nodes"]["homelab-1"]["lan_interfaces"] = ["lan0"]
    value["routes"] = {net: {"snat": snat} for net in inside}
    value["grants"] = [{"src": ["phone"], "dst": inside, "ip": ["*"]},
                       {"src": inside, "dst": ["phone"], "ip": ["*"]}]
    return value


@contextlib.contextmanager
def far_behind_the_lan(prefix):
    snat = {"snat.": "masquerade", "routed.": "none"}[prefix]
    with Lab() as lab:
        try:
            make_far(lab)
            let_phone_reach_far(lab)
            # the stack's errors come as fast as these cases ask for them
            lab.exec("router", "sysctl", "-qw", "net.ipv4.icmp_ratelimit=0",
                     "net.ipv6.icmp.ratelimit=0")
            lab.apply(policy(lab, snat))
            lab.snat = snat == "masquerade"
            lab.next_port = 20000
            lab.wait_for_tunnel()
            yield lab
        finally:
            for short in ("x", "far"):
                run("ip", "netns", "del", lab.netns(short), ok=False)


def port(lab):
    lab.next_port += 1
    return lab.next_port


def forget_mtus(lab):
    for short in ("phone", "far"):
        run("ip", "-n", lab.netns(short), "route", "flush", "cache")
        run("ip", "-n", lab.netns(short), "-6", "route", "flush", "cache")


# ---- errors as a socket hears of them --------------------------------------------------------

def option(sock, v4, v6, value):
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, v6, value)
    else:
        sock.setsockopt(socket.IPPROTO_IP, v4, value)


def set_ttl(sock, ttl):
    option(sock, socket.IP_TTL, socket.IPV6_UNICAST_HOPS, ttl)


def hear_errors(sock):
    option(sock, IP_RECVERR, IPV6_RECVERR, 1)


def next_error(sock, what):
    """(who sent it, type, code, MTU) of the next ICMP error about the socket's packets."""
    poll = select.poll()
    poll.register(sock, 0)      # POLLERR alone
    while True:
        check(poll.poll(10000), f"no ICMP error about {what} in 10 s")
        _, ancillary, _, _ = sock.recvmsg(2048, 512, socket.MSG_ERRQUEUE)
        raw = ancillary[0][2]
        _, origin, kind, code, _, info, _ = struct.unpack_from("=IBBBBII", raw)
        if origin in FROM_ICMP:
            family = socket.AF_INET6 if origin == 3 else socket.AF_INET
            at = 16 + (8 if origin == 3 else 4)
            length = 16 if origin == 3 else 4
            return socket.inet_ntop(family, raw[at:at + length]), kind, code, info


TIME_EXCEEDED = {4: (11, 0), 6: (3, 0)}
PORT_CLOSED = {4: (3, 3), 6: (1, 4)}
TOO_BIG = {4: (3, 4), 6: (2, 0)}


def version_of(address):
    return 6 if ":" in address else 4


def error_to(lab, short, address, ttl):
    with client_socket(lab, short, socket.SOCK_DGRAM, address) as sock:
        hear_errors(sock)
        set_ttl(sock, ttl)
        sock.connect((address, CLOSED))
        sock.send(b"how far with a TTL of %d?" % ttl)
        return next_error(sock, f"TTL {ttl} to {address}")[:3]


def trace(lab, short, address, hops):
    """As traceroute does: a datagram for each TTL, and who says that it goes no further."""
    version = version_of(address)
    for ttl, hop in enumerate(hops, start=1):
        want = PORT_CLOSED if hop == address else TIME_EXCEEDED
        check_equal(error_to(lab, short, address, ttl), (hop, *want[version]),
                    f"the answer to TTL {ttl} from {short} to {address}")


def trace_by_echoes(lab, short, address, hops):
    for ttl, hop in enumerate(hops, start=1):
        done = lab.exec(short, "ping", "-n", "-c", "1", "-W", "10", "-t", ttl, address, ok=False)
        said = "bytes from" if hop == address else "From"
        check(f"{said} {hop}" in done.stdout, f"ping -t {ttl} {address}: not {hop}:\n{done.stdout}")


def wrong_in_error(error, quote_is_whole):
    """What is wrong with an ICMP error's checksums, those in its quote included."""
    quote = error.segment[8:]
    wrong = error.wrong_checksums()
    if not quote_is_whole:
        return wrong
    if quote[0] >> 4 == 4 and checksum(quote[:(quote[0] & 15) * 4]):
        wrong.append("quoted IPv4 header")
    try:
        wrong += ["quoted " + w for w in Packet(quote).wrong_checksums()]
    except ValueError:
        pass        # cut short: nothing can be said about its transport checksum
    return wrong


def is_error(packet):
    return (packet.proto == ICMP and packet.segment[0] in (3, 11)
            or packet.proto == ICMP6 and packet.segment[0] in (1, 2, 3))


@contextlib.contextmanager
def errors_are_whole(lab, short, at_least=1, quotes=True):
    """Every ICMP error that gets there meanwhile has nothing but right checksums. Quotes are left
    out where a sender leaves its own checksums to a device."""
    with lab.capture(short) as capture:
        yield capture
        mark = b"that was all, %d" % port(lab)
        peer, address = ("phone", FAR) if short == "far" else ("far", lab.PHONE)
        with client_socket(lab, peer, socket.SOCK_DGRAM, address) as sock:
            sock.sendto(mark, (address, CLOSED))
        capture.expect(lambda p: mark in p.segment and not is_error(p), "the mark")
        errors = [p for p in capture.seen if is_error(p)]
    check(len(errors) >= at_least, f"{len(errors)} errors came to {short}")
    wrong = [f"{w}: {p}" for p in errors for w in wrong_in_error(p, quotes)]
    check_equal(wrong, [], "wrong checksums")


# ---- traceroute ------------------------------------------------------------------------------

@case
def traceroute_from_the_mesh(lab):
    with errors_are_whole(lab, "phone", 6):
        trace(lab, "phone", FAR, (lab.ROUTER, X, FAR))
        trace(lab, "phone", FAR6, (lab.ROUTER6, X6, FAR6))


@case
def traceroute_from_the_mesh_by_echoes(lab):
    with errors_are_whole(lab, "phone", 4):
        trace_by_echoes(lab, "phone", FAR, (lab.ROUTER, X, FAR))
        trace_by_echoes(lab, "phone", FAR6, (lab.ROUTER6, X6, FAR6))


@case
def traceroute_from_the_lan(lab):
    with errors_are_whole(lab, "far", 6):
        trace(lab, "far", lab.PHONE, (X_FAR, lab.LAN, lab.PHONE))
        trace(lab, "far", lab.PHONE6, (X_FAR6, lab.LAN6, lab.PHONE6))


@case
def traceroute_from_the_lan_by_echoes(lab):
    with errors_are_whole(lab, "far", 4):
        trace_by_echoes(lab, "far", lab.PHONE, (X_FAR, lab.LAN, lab.PHONE))
        trace_by_echoes(lab, "far", lab.PHONE6, (X_FAR6, lab.LAN6, lab.PHONE6))


# ---- errors about answers --------------------------------------------------------------------

@contextlib.contextmanager
def answering(lab, phone, far):
    """A socket at far that has heard from the phone and is connected to whom it heard."""
    with bound_socket(lab, "far", socket.SOCK_DGRAM, far, 5353) as sock:
        hear_errors(sock)
        lab.from_phone(udp(phone, far, port(lab), 5353, b"a question"))
        _, source = sock.recvfrom(2048)
        sock.connect(source[:2])
        yield sock, source[0]


def a_late_answer_is_told(lab, phone, far, router):
    with answering(lab, phone, far) as (sock, source):
        check_equal(source, router if lab.snat else phone, "who asked")
        set_ttl(sock, 2)
        sock.send(b"an answer that gets as far as the router")
        check_equal(next_error(sock, "the answer")[:3],
                    (router, *TIME_EXCEEDED[version_of(far)]), "the error")


@case
def an_answer_whose_ttl_runs_out_at_the_router(lab):
    with errors_are_whole(lab, "far", 2):
        a_late_answer_is_told(lab, lab.PHONE, FAR, lab.LAN)
        a_late_answer_is_told(lab, lab.PHONE6, FAR6, lab.LAN6)


@case
def an_answer_whose_checksum_was_left_to_a_device(lab):
    """No device has done it when the router quotes the answer; the error must be right all the
    same, and still be so when it has left by a device that does."""
    lab.exec("far", "ethtool", "-K", "eth0", "tx", "on")
    try:
        with errors_are_whole(lab, "far", 4, quotes=False):
            a_late_answer_is_told(lab, lab.PHONE, FAR, lab.LAN)
            a_late_answer_is_told(lab, lab.PHONE6, FAR6, lab.LAN6)
            a_large_answer_is_told(lab, lab.PHONE, FAR)
            a_large_answer_is_told(lab, lab.PHONE6, FAR6)
    finally:
        lab.exec("far", "ethtool", "-K", "eth0", "tx", "off")
        forget_mtus(lab)


def a_closed_port_is_told(lab, phone, far):
    """The question came from no socket, so the phone refuses the answer."""
    with answering(lab, phone, far) as (sock, source):
        sock.send(b"an answer that nobody waits for")
        check_equal(next_error(sock, "the answer")[:3],
                    (source, *PORT_CLOSED[version_of(far)]), "the error")


@case
def an_answer_that_the_client_refuses(lab):
    with errors_are_whole(lab, "far", 2):
        a_closed_port_is_told(lab, lab.PHONE, FAR)
        a_closed_port_is_told(lab, lab.PHONE6, FAR6)


# ---- path-MTU discovery ----------------------------------------------------------------------

def learnt_mtu(lab, short, address):
    words = run("ip", "-n", lab.netns(short), "route", "get", address).stdout.split()
    return int(words[words.index("mtu") + 1]) if "mtu" in words else 0


def a_large_answer_is_told(lab, phone, far):
    with answering(lab, phone, far) as (sock, source):
        option(sock, IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTU_DO)
        sock.send(bytes(1440))
        told = next_error(sock, "the large answer")
        check_equal(told[1:], (*TOO_BIG[version_of(far)], TUNNEL_MTU), "the error")
        check_equal(learnt_mtu(lab, "far", source), TUNNEL_MTU, "what far has learnt")
        try:
            sock.send(bytes(1440))
            check(False, "far sends as large a packet again")
        except OSError as error:
            check_equal(error.errno, errno.EMSGSIZE, "sending as large a packet again")


@case
def a_lan_host_learns_the_mtu_of_the_tunnel(lab):
    forget_mtus(lab)
    with errors_are_whole(lab, "far", 2):
        a_large_answer_is_told(lab, lab.PHONE, FAR)
        a_large_answer_is_told(lab, lab.PHONE6, FAR6)


def upload(lab, far, size=200_000):
    """Over TCP to far, in segments that only fit once the phone knows the MTU behind x."""
    received = []

    def serve(listener):
        conn, _ = listener.accept()
        with conn:
            conn.settimeout(DEADLINE_S)
            while chunk := conn.recv(65536):
                received.append(len(chunk))

    with bound_socket(lab, "far", socket.SOCK_STREAM, far, 5001) as listener, \
            client_socket(lab, "phone", socket.SOCK_STREAM, far) as client:
        server = threading.Thread(target=serve, args=(listener,), daemon=True)
        server.start()
        client.connect((far, 5001))
        client.sendall(bytes(size))
        client.shutdown(socket.SHUT_WR)
        wait_until(lambda: not server.is_alive(), f"{size} bytes to get to {far}")
    check_equal(sum(received), size, f"bytes that got to {far}")
    check_equal(learnt_mtu(lab, "phone", far), NARROW, "what the phone has learnt")


@case
def a_client_learns_the_mtu_behind_another_router(lab):
    forget_mtus(lab)
    with errors_are_whole(lab, "phone", 2):
        upload(lab, FAR)
        upload(lab, FAR6)


if __name__ == "__main__":
    main(far_behind_the_lan, ("snat.", "routed."))
