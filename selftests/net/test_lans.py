#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""From one LAN to another through a node that judges such traffic and translates it: on the fast
path and by way of the stack. And other people's packets, which go the same way."""

import socket
import struct

from fragments import (check_fragments, expect_whole, pieces, with_options,
                       without_df)
from lans import (DEVICE, FAR, FAR6, OPEN, OTHER, OTHER6, SOURCE, SOURCE6, arrives, at_far,
                  families, from_far, from_web, two_lans)
from lib import Skip, bound_socket, case, check, check_equal, client_socket, main, run, wait_until
from packets import Packet, forwarded, udp
from scenes import moved, narrow, port, reasons

NEXT_HEADER_AT, DESTINATION_OPTIONS = 6, 60


def applied(prefix):
    return two_lans({"tc.": "off"}.get(prefix, prefix.rstrip(".")))


@case
def options_are_translated_both_ways(lab):
    options = b"\1\1\1\0"
    for _ in range(2):          # a flow that opens, and one that is known
        sport = port(lab)
        for text in (b"opens", b"goes on"):
            sent = udp(lab.WEB, FAR, sport, OPEN, text + b" %d" % sport)
            back = udp(FAR, SOURCE, OPEN, sport, b"answer to " + text)
            with at_far(lab) as far, lab.capture("web") as web:
                from_web(lab, with_options(without_df(sent), options))
                arrives(far, sent, with_options(without_df(forwarded(sent, src=SOURCE)), options),
                        "on the other LAN")
                from_far(lab, with_options(without_df(back), options))
                arrives(web, back, with_options(without_df(forwarded(back, dst=lab.WEB)), options),
                        "the answer")


def with_destination_options(raw):
    """An IPv6 packet with a header of padding in it."""
    return (raw[:4] + struct.pack("!HB", len(raw) - 40 + 8, DESTINATION_OPTIONS) + raw[7:40]
            + raw[6:7] + bytes((0, 1, 4, 0, 0, 0, 0)) + raw[40:])


@case
def extension_headers_are_translated_both_ways(lab):
    sport = port(lab)
    sent = udp(lab.WEB6, FAR6, sport, OPEN, b"behind a header %d" % sport)
    back = udp(FAR6, SOURCE6, OPEN, sport, b"its answer behind one %d" % sport)
    with at_far(lab) as far, lab.capture("web") as web:
        from_web(lab, with_destination_options(sent))
        got = far.expect_payload(b"behind a header")
        check_equal(got.raw.hex(),
                    with_destination_options(forwarded(sent, src=SOURCE6)).hex(), "there")
        from_far(lab, with_destination_options(back))
        got = web.expect_payload(b"its answer behind one")
        check_equal(got.raw.hex(),
                    with_destination_options(forwarded(back, dst=lab.WEB6)).hex(), "back")


def in_fragments(lab, sent, source, parts):
    with at_far(lab) as far:
        for part in parts:
            from_web(lab, part)
        whole, fragments = expect_whole(
            far, lambda p: Packet(sent).payload in p.segment, "the whole")
    check_equal((len(fragments), whole.payload), (len(parts), Packet(sent).payload), "what came")
    check_equal(whole.wrong_checksums(), [], "checksums of the whole")
    check_equal(whole.ports, Packet(sent).ports, "ports")
    check_fragments(fragments, source, whole.dst, 63)


@case
def fragments_are_translated(lab):
    for here, there, source in families(lab):
        sent = udp(here, there, port(lab), OPEN, b"long enough to be cut in pieces" * 9)
        in_fragments(lab, sent, source, pieces(sent, 96, port(lab)))


@case
def fragments_with_options_are_translated(lab):
    sent = udp(lab.WEB, FAR, port(lab), OPEN, b"options in each of the pieces" * 9)
    in_fragments(lab, sent, SOURCE, [with_options(p) for p in pieces(sent, 96, port(lab))])


@case
def what_the_other_lan_cannot_take_is_cut_up(lab):
    payload = b"more than the LAN takes " * 55      # 1320 bytes
    with narrow(lab, DEVICE, lab.wanted), at_far(lab) as far:
        sport = port(lab)
        for _ in range(2):
            from_web(lab, without_df(udp(lab.WEB, FAR, sport, OPEN, payload)))
            whole, fragments = expect_whole(far, lambda p: p.ports[0] == sport, "the whole")
            check(len(fragments) > 1, "it came in fragments")
            check_fragments(fragments, SOURCE, FAR, 63)
            check_equal((whole.payload, whole.wrong_checksums()), (payload, []), "the whole")


@case
def an_unknown_neighbour_keeps_the_translation(lab):
    before = lab.drops("nat_port_lost")
    for here, there, source in families(lab):
        sport = port(lab)
        for text in (b"asks first", b"asks again"):
            run("ip", "-n", lab.netns("router"), "neigh", "flush", "to", there, "dev", DEVICE)
            sent = udp(here, there, sport, OPEN, text + b" %d" % sport)
            with at_far(lab) as far:
                from_web(lab, sent)
                arrives(far, sent, forwarded(sent, src=source), text.decode())
    check_equal(lab.drops("nat_port_lost"), before, "the port is still the mapping's")


def is_refused(client):
    """Asks once. Whoever refuses limits how often it says so: an answer may have to be asked for
    again."""
    try:
        client.send(b"anybody?")
        client.recv(100)
    except ConnectionRefusedError:
        return True
    except TimeoutError:
        pass
    return False


@case
def a_closed_port_is_told_to_its_sender(lab):
    """The error is sent to the router's own address, and the sender's socket must hear of it."""
    for here, there, _ in families(lab):
        with client_socket(lab, "web", socket.SOCK_DGRAM, there) as client:
            client.settimeout(1)
            client.connect((there, OPEN))       # nobody listens
            check(wait_until(lambda client=client: is_refused(client), "an answer", 15),
                  f"{here} hears of it")


@case
def what_no_grant_names_is_refused(lab):
    before = lab.drops("acl")
    for here, there, source in families(lab):
        with at_far(lab) as far:
            from_web(lab, udp(here, there, port(lab), 99, b"refused"))
            if ":" not in here:
                from_web(lab, with_options(without_df(udp(here, there, port(lab), 99, b"refused"))))
            mark = udp(here, there, port(lab), OPEN, b"mark %d" % port(lab))
            from_web(lab, mark)
            arrives(far, mark, forwarded(mark, src=source), "the mark")
            check(not any(b"refused" in p.segment for p in far.seen), "it came all the same")
    lab.counted("acl", before, 3)


@case
def other_peoples_packets_pass_untouched(lab):
    for here, there in ((lab.WEB, OTHER), (lab.WEB6, OTHER6)):
        before = reasons(lab)
        sent = udp(here, there, port(lab), 99, b"nobody judges this %d" % port(lab))
        parts = pieces(udp(here, there, port(lab), 99, b"nor these pieces" * 20), 96, port(lab))
        with at_far(lab) as far:
            from_web(lab, sent)
            arrives(far, sent, forwarded(sent), "what is no route of ours")
            for part in parts:
                from_web(lab, part)
            for part in parts:
                body = Packet(part).segment
                far.expect(lambda p, body=body: p.segment == body, "a fragment")
        refused = set(moved(before, reasons(lab))) & {"unjudged", "frag_unknown", "acl", "invalid"}
        check_equal(refused, set(), "what was refused")


PUBLISHED = """
table inet published {
	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		udp dport 8053 dnat ip to 10.10.50.20:5354
		udp dport 8053 dnat ip6 to [fd10:50::20]:5354
	}
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		oifname lan1 udp dport 5354 masquerade
	}
}
"""


@case
def a_port_that_another_nat_publishes_is_reached(lab):
    done = lab.exec("router", "nft", "-f", lab.write_policy(PUBLISHED, "published.nft"), ok=False)
    if done.returncode:
        raise Skip(f"no nftables: {done.stderr.strip()}")
    try:
        for router, there in ((lab.LAN, FAR), (lab.LAN6, FAR6)):
            with bound_socket(lab, "lan", socket.SOCK_DGRAM, there, 5354) as server, \
                    client_socket(lab, "web", socket.SOCK_DGRAM, router) as client:
                client.sendto(b"question", (router, 8053))
                got, sender = server.recvfrom(100)
                server.sendto(b"answer", sender)
                check_equal((got, client.recv(100)), (b"question", b"answer"), "through nftables")
    finally:
        lab.exec("router", "nft", "delete", "table", "inet", "published")


if __name__ == "__main__":
    main(applied, ("tc.", "native.", "generic."))
