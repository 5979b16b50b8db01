#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Members, and what is behind them, with a smaller MTU than the tunnel's: who may not be split is
told, who may be arrives in fragments that fit, by whatever way the packet goes."""

import contextlib
import errno
import socket
import struct

from fragments import check_fragments, expect_whole, without_df
from lib import (Skip, case, check, check_equal, client_socket, inject_frame, main, run,
                 wait_until)
from packets import ICMP, ICMP6, SYN, TCP, Packet, forwarded, ip_packet, udp
from scenes import open_policy, opened, pairs, port, source_on_the_lan

MTU_MEMBER, MTU_TUNNEL = 1300, 1420
FAR, FAR6 = "10.77.0.9", "fd10:77::9"     # behind the phone
BETWEEN = 1350                            # of payload: fits the tunnel, not the member
IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2
IPV6_MTU_DISCOVER = 23
IP_MTU, IPV6_MTU = 14, 24


def with_a_small_member(_, policy, mtu=MTU_MEMBER):
    policy["peers"]["phone"].update(mtu=mtu, advertise_routes=["10.77.0.0/24", "fd10:77::/64"])
    for prefix in ("10.77.0.0/24", "fd10:77::/64"):
        policy["auto_approvers"]["routes"][prefix] = ["phone"]
    policy["routes"] |= {p: {"snat": "none"} for p in ("10.77.0.0/24", "fd10:77::/64")}


def policy_of(lab, mtu):
    policy = open_policy(lab, lab.snat)
    with_a_small_member(lab, policy, mtu)
    return policy


@contextlib.contextmanager
def applied(prefix):
    snat = "none" if prefix == "routed." else "masquerade"
    with opened(snat, change=with_a_small_member) as lab:
        for netns in ("dns", "web"):
            run("ip", "-n", lab.netns(netns), "route", "add", "10.77.0.0/24", "via", lab.LAN)
            run("ip", "-n", lab.netns(netns), "route", "add", "fd10:77::/64", "via", lab.LAN6)
        for address in (FAR, FAR6):
            run("ip", "-n", lab.netns("phone"), "address", "add", address, "dev", "lo")
        lab.router_mac = lab.mac("router", "lan0")
        yield lab


def small_ends(lab):
    """Whoever is reached through the small member, with a LAN host of the family."""
    return [*pairs(lab), (FAR, lab.WEB), (FAR6, lab.WEB6)]


def from_web(lab, raw):
    inject_frame(lab.netns("web"), "eth0", lab.router_mac, raw)


def is_too_big(packet):
    return ((packet.proto == ICMP and tuple(packet.segment[:2]) == (3, 4))
            or (packet.proto == ICMP6 and tuple(packet.segment[:2]) == (2, 0)))


def expect_error(capture, wanted, sent, mtu):
    """The error about `sent`, quoting it as it was sent."""
    error = capture.expect(wanted, f"an error about {Packet(sent)}")
    check_equal(struct.unpack_from("!I", error.segment, 4)[0], mtu, "the MTU that it tells")
    check_equal(error.wrong_checksums(), [], "its checksums")
    quote = error.segment[8:]
    check(len(quote) >= 28, f"it quotes {len(quote)} bytes")
    check_equal(quote.hex(), sent[:len(quote)].hex(), "what it quotes")
    check_equal(error.dst, Packet(sent).src, "whom it tells")


def expect_too_big(capture, sent, mtu):
    expect_error(capture, is_too_big, sent, mtu)


def expect_in_fragments(capture, sent, mtu):
    """All of it, in pieces that fit. Gives them."""
    payload = Packet(sent).payload
    whole, fragments = expect_whole(capture, lambda p: payload in p.segment, f"{Packet(sent)}")
    check(len(fragments) > 1, "it came in fragments")
    check(max(len(p.raw) for p in fragments) <= mtu,
          f"fragments of {[len(p.raw) for p in fragments]} bytes, where {mtu} fit")
    check_equal(whole.wrong_checksums(), [], "checksums of the whole")
    return fragments


@case
def the_first_packet_of_a_flow_is_answered(lab):
    for end, web in small_ends(lab):
        sent = udp(web, end, port(lab), 9, b"b" * BETWEEN)
        with lab.capture("web") as at_web, lab.capture("phone") as at_phone:
            from_web(lab, sent)
            expect_too_big(at_web, sent, MTU_MEMBER)
            mark = udp(web, end, port(lab), 9, b"mark to " + end.encode())
            from_web(lab, mark)
            came = at_phone.before(lambda p, m=mark: p.payload == Packet(m).payload, "the mark")
        check_equal([str(p) for p in came if p.ports[1] == 9], [], "what came through")


@case
def the_first_packet_of_a_flow_is_cut_up(lab):
    for end, web in ((lab.PHONE, lab.WEB), (FAR, lab.WEB)):
        sent = without_df(udp(web, end, port(lab), 9, end.encode() * (BETWEEN // len(end))))
        with lab.capture("phone") as at_phone:
            for _ in range(2):
                from_web(lab, sent)
                fragments = expect_in_fragments(at_phone, sent, MTU_MEMBER)
                check_fragments(fragments, web, end, 63)


def opened_from_the_phone(lab, end, web):
    """A flow that the member has opened: gives what the LAN host answers to. Somebody listens
    there, or that host's own error would come to the phone sooner or later."""
    with lab.capture("web") as at_web, client_socket(lab, "web", socket.SOCK_DGRAM, web) as host:
        host.bind((web, 9))
        text = b"open from %s %d" % (end.encode(), port(lab))
        lab.from_phone(udp(end, web, lab.next_port, 9, text))
        got = at_web.expect_payload(text)
    check_equal(got.src, source_on_the_lan(lab, end), "who it comes from")
    return got.src, got.ports[0]


@case
def answers_are_answered(lab):
    for end, web in small_ends(lab):
        back = opened_from_the_phone(lab, end, web)
        sent = udp(web, back[0], 9, back[1], b"b" * BETWEEN)
        with lab.capture("web") as at_web:
            from_web(lab, sent)
            expect_too_big(at_web, sent, MTU_MEMBER)


@case
def answers_are_cut_up(lab):
    for end, web in ((lab.PHONE, lab.WEB), (FAR, lab.WEB)):
        back = opened_from_the_phone(lab, end, web)
        text = end.encode() * (BETWEEN // len(end))
        sent = without_df(udp(web, back[0], 9, back[1], text))
        with lab.capture("phone") as at_phone:
            from_web(lab, sent)
            fragments = expect_in_fragments(at_phone, sent, MTU_MEMBER)
            check_fragments(fragments, web, end, 63)


@case
def this_machines_datagrams_are_cut_up(lab):
    for end, own in ((lab.PHONE, lab.ROUTER), (lab.PHONE6, lab.ROUTER6), (FAR, lab.ROUTER),
                     (FAR6, lab.ROUTER6)):
        text = b"from the router to " + end.encode()
        text *= BETWEEN // len(text)
        with client_socket(lab, "router", socket.SOCK_DGRAM, end) as sock, \
                lab.capture("phone") as at_phone:
            sock.bind((own, port(lab)))
            sock.sendto(text, (end, 9))
            _, fragments = expect_whole(at_phone, lambda p, t=text: t in p.segment, "datagram")
            check(len(fragments) > 1, "it came in fragments")
            check(max(len(p.raw) for p in fragments) <= MTU_MEMBER, "they fit")


@case
def this_machines_sockets_know_the_mtu(lab):
    for end, own in ((lab.PHONE, lab.ROUTER), (lab.PHONE6, lab.ROUTER6), (FAR, lab.ROUTER),
                     (FAR6, lab.ROUTER6)):
        level, option, header = ((socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, 48) if ":" in end
                                 else (socket.IPPROTO_IP, IP_MTU_DISCOVER, 28))
        with client_socket(lab, "router", socket.SOCK_DGRAM, end) as sock:
            sock.setsockopt(level, option, IP_PMTUDISC_DO)
            sock.bind((own, port(lab)))
            sock.sendto(bytes(MTU_MEMBER - header), (end, 9))
            try:
                sock.sendto(bytes(MTU_MEMBER - header + 1), (end, 9))
                refused = 0
            except OSError as error:
                refused = error.errno
            check_equal(refused, errno.EMSGSIZE, f"a byte too many to {end}")


@case
def this_machines_connections_ask_for_segments_that_fit(lab):
    for end, own in ((lab.PHONE, lab.ROUTER), (lab.PHONE6, lab.ROUTER6)):
        with lab.capture("phone") as at_phone, \
                client_socket(lab, "router", socket.SOCK_STREAM, end) as sock:
            sock.bind((own, port(lab)))
            check_equal(sock.connect_ex((end, 1)), errno.ECONNREFUSED, "nobody listens")
            syn = at_phone.expect(lambda p: p.proto == TCP and p.segment[13] == SYN, "a SYN")
        mss = syn.segment[20:24]
        check_equal(mss.hex(), struct.pack("!BBH", 2, 4, MTU_MEMBER - (60 if ":" in end else 40))
                    .hex(), f"its MSS, toward {end}")


def mtu_level(address):
    """The socket option that tells the MTU that a socket knows of."""
    return ((socket.IPPROTO_IPV6, IPV6_MTU) if ":" in address else (socket.IPPROTO_IP, IP_MTU))


def mapped(lab, phone, web):
    """An outside port that stands for one of the phone: where a hairpin is sent."""
    if lab.snat == "none":
        raise Skip("nothing is translated")
    return opened_from_the_phone(lab, phone, web)


def is_time_exceeded(packet):
    return ((packet.proto == ICMP and packet.segment[0] == 11)
            or (packet.proto == ICMP6 and packet.segment[0] == 3))


@case
def hairpins_are_answered(lab):
    """The first packet, which no flow remembers, and one of a flow that has gone round."""
    for phone, web in pairs(lab):
        outside, dport = mapped(lab, phone, web)
        sport = port(lab)
        large = udp(phone, outside, sport, dport, b"b" * BETWEEN)
        tired = udp(phone, outside, sport, dport, ttl=1)
        with lab.capture("phone") as at_phone:
            for text in (b"first", b"second"):
                lab.from_phone(large)
                expect_error(at_phone, is_too_big, large, MTU_MEMBER)
                lab.from_phone(tired)
                expect_error(at_phone, is_time_exceeded, tired, 0)
                if "." in phone:    # may be split, but nobody here can
                    lab.from_phone(without_df(large))
                    expect_error(at_phone, is_too_big, without_df(large), MTU_MEMBER)
                lab.from_phone(udp(phone, outside, sport, dport, text))
                at_phone.expect_payload(text)
        check_equal([str(p) for p in at_phone.seen if p.src != outside and p.proto != ICMP6], [],
                    "what came from somebody else")


@case
def a_socket_learns_the_mtu_of_a_hairpin(lab):
    for phone, web in pairs(lab):
        outside, dport = mapped(lab, phone, web)
        with client_socket(lab, "phone", socket.SOCK_DGRAM, phone) as sock, \
                lab.capture("phone") as at_phone:
            sock.bind((phone, port(lab)))
            sock.connect((outside, dport))
            sock.send(b"a" * BETWEEN)
            at_phone.expect(is_too_big, "packet too big")
            wait_until(lambda s=sock, level=mtu_level(phone): s.getsockopt(*level) == MTU_MEMBER,
                       "the socket to know")
            check_equal(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), errno.EMSGSIZE,
                        "what it is told")
            sock.send(b"b" * BETWEEN)
            whole, _ = expect_whole(at_phone, lambda p: b"b" * BETWEEN in p.segment, "the second")
            check_equal((whole.src, whole.ports[1]), (outside, dport), "the hairpin")


def on_the_lan(lab):
    """Phone, LAN host, and the router's address there."""
    return (lab.PHONE, lab.WEB, lab.LAN), (lab.PHONE6, lab.WEB6, lab.LAN6)


@contextlib.contextmanager
def narrow_route(lab, web, mtu):
    way = (f"{web}/{128 if ':' in web else 32}", "dev", "lan0")
    run("ip", "-n", lab.netns("router"), "route", "add", *way, "mtu", "lock", mtu)
    try:
        yield
    finally:
        run("ip", "-n", lab.netns("router"), "route", "del", *way)


@case
def a_locked_route_on_the_lan_is_told(lab):
    for phone, web, _ in on_the_lan(lab):
        with narrow_route(lab, web, MTU_MEMBER), lab.capture("phone") as at_phone, \
                lab.capture("web") as at_web:
            sport = port(lab)
            large = udp(phone, web, sport, 9, b"b" * BETWEEN)
            for text in (b"first of %d" % sport, b"second of %d" % sport):
                lab.from_phone(large)
                expect_too_big(at_phone, large, MTU_MEMBER)
                lab.from_phone(udp(phone, web, sport, 9, text))
                at_web.expect_payload(text)
        check_equal([str(p) for p in at_web.seen if len(p.raw) > MTU_MEMBER], [], "what came")


@case
def a_locked_route_on_the_lan_cuts_up(lab):
    phone, web = pairs(lab)[0]
    with narrow_route(lab, web, MTU_MEMBER), lab.capture("web") as at_web:
        sport = port(lab)
        for _ in range(2):
            sent = without_df(udp(phone, web, sport, 9, b"route" * (BETWEEN // 5)))
            lab.from_phone(sent)
            fragments = expect_in_fragments(at_web, sent, MTU_MEMBER)
            check_fragments(fragments, source_on_the_lan(lab, phone), web, 63)


def learn_mtu(lab, router, web, mtu):
    """A socket of the router's is told of a narrow way to the LAN host."""
    with client_socket(lab, "router", socket.SOCK_DGRAM, web) as sock, \
            lab.capture("web") as at_web:
        sock.bind((router, 0))
        sock.connect((web, 9))
        sock.send(b"how wide is it? %d" % port(lab))
        asked = at_web.expect_payload(b"how wide is it? %d" % lab.next_port)
        kind, proto = ((2, 0), ICMP6) if ":" in web else ((3, 4), ICMP)
        error = struct.pack("!BBHI", *kind, 0, mtu) + asked.raw
        from_web(lab, ip_packet(web, router, proto, error))
        wait_until(lambda: sock.getsockopt(*mtu_level(web)) == mtu, "the router to believe it")


@case
def what_this_machine_has_learned_holds_nothing_up(lab):
    """The programs cannot tell a learned MTU from a locked one, and leave it to the stack. That
    does not go by it in IPv4; in IPv6 it answers, from its output path."""
    for phone, web, router in on_the_lan(lab):
        learn_mtu(lab, router, web, MTU_MEMBER)
        with lab.capture("web") as at_web, lab.capture("phone") as at_phone:
            sport = port(lab)
            for _ in range(3):
                sent = udp(phone, web, sport, 9, b"%d" % port(lab) * (BETWEEN // 5))
                lab.from_phone(sent)
                if ":" in web:
                    error = at_phone.expect(is_too_big, "packet too big")
                    check_equal(struct.unpack_from("!I", error.segment, 4)[0], MTU_MEMBER, "MTU")
                    continue
                got = at_web.expect_payload(Packet(sent).payload)
                check_equal(got.raw.hex(),
                            forwarded(sent, src=source_on_the_lan(lab, phone)).hex(), "it came as")


def routes_of(lab):
    ours = ["route", "show", "table", "all", "proto", "116"]
    return [line.split() for family in ("-4", "-6")
            for line in run("ip", family, "-n", lab.netns("router"), *ours).stdout.splitlines()]


def locked_mtus(lab):
    found = {}
    for words in routes_of(lab):
        at = words.index("lock") + 1 if "lock" in words else None
        found.setdefault(words[0], []).append(int(words[at]) if at else 0)
    return found


def check_applied(lab, policy, mtu):
    """The plan of the change, then a plan of nothing, and the routes as they are now."""
    path = lab.write_policy(policy)
    ops = [(op["verb"], op["object"].split()[0]) for op in lab.json("plan", path)["ops"]]
    check_equal([op for op in ops if op[1] == "route"], [("change", "route")] * 4, f"of {ops}")
    lab.apply(policy)
    check_equal(lab.json("plan", path)["ops"], [], "the second plan")
    check_equal(locked_mtus(lab),
                {p: [mtu] for p in (lab.PHONE, lab.PHONE6, "10.77.0.0/24", "fd10:77::/64")},
                "locked MTUs")


@case
def a_change_of_the_policy_changes_routes_and_flows(lab):
    flows = [(end, web, opened_from_the_phone(lab, end, web)) for end, web in small_ends(lab)]
    for mtu in (1290, 1400, MTU_TUNNEL, MTU_MEMBER):
        check_applied(lab, policy_of(lab, mtu), 0 if mtu == MTU_TUNNEL else mtu)
        for end, web, back in flows:
            header = 48 if ":" in end else 28
            sent = udp(web, back[0], 9, back[1], b"b" * (mtu - header + 1))
            fits = udp(web, back[0], 9, back[1], b"b" * (mtu - header))
            with lab.capture("web") as at_web, lab.capture("phone") as at_phone:
                from_web(lab, sent)
                expect_too_big(at_web, sent, mtu)
                from_web(lab, fits)
                at_phone.expect(lambda p, end=end, n=mtu: p.dst == end and len(p.raw) == n,
                                f"{mtu} bytes for {end}")


@case
def flows_follow_the_tunnels_own_mtu(lab):
    policy = policy_of(lab, MTU_TUNNEL)
    lab.apply(policy)
    flows = [(end, web, opened_from_the_phone(lab, end, web)) for end, web in pairs(lab)]
    policy["tunnel"]["mtu"] = 1340
    lab.apply(policy)
    for _, web, back in flows:
        sent = udp(web, back[0], 9, back[1], b"b" * BETWEEN)
        with lab.capture("web") as at_web:
            from_web(lab, sent)
            expect_too_big(at_web, sent, 1340)
    lab.apply(policy_of(lab, MTU_MEMBER))


if __name__ == "__main__":
    main(applied, ("masquerade.", "routed."))
