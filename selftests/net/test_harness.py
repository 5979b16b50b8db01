#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The harness itself: a check that cannot fail shows nothing, and a lab that leaves something
behind spoils what runs after it."""

import glob
import os
import subprocess

import snapshot
from lib import Failed, Lab, case, check, check_equal, load_policy, main, run
from packets import Packet, checksum, echo, forwarded, tcp, udp

P, H, S = "100.80.0.10", "10.10.30.53", "10.10.30.1"
P6, H6, S6 = "fd7a:70::10", "fd10:30::53", "fd10:30::1"


def l4_sum(raw):
    return int.from_bytes(raw[36:38], "big")


def flipped(raw, at):
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1:]


@case
def checksum_is_that_of_rfc_1071(_):
    check_equal(checksum(bytes.fromhex("0001f203f4f5f6f7")), 0x220d, "the RFC's example")
    header = bytes.fromhex("450000730000400040110000c0a80001c0a800c7")
    check_equal(checksum(header), 0xb861, "a known IPv4 header")


@case
def a_flipped_bit_is_noticed(_):
    for raw in (udp(P, H, 1, 2), udp(P6, H6, 1, 2), tcp(P, H, 1, 2, payload=b"x"),
                tcp(P6, H6, 1, 2), echo(P, H, 3), echo(P6, H6, 3)):
        packet = Packet(raw)
        check_equal(packet.wrong_checksums(), [], f"checksums of {packet}")
        last = len(raw) - 1
        check(Packet(flipped(raw, last)).wrong_checksums(), f"last byte of {packet}")
        check(Packet(flipped(raw, len(packet.header) - 1)).wrong_checksums(),
              f"destination of {packet}")


@case
def both_zeroes_of_ones_complement_are_right(_):
    # a payload that brings the sum to zero
    rest = l4_sum(tcp(P, H, 1, 2, payload=b"\0\0"))
    raw = tcp(P, H, 1, 2, payload=rest.to_bytes(2, "big"))
    check_equal(l4_sum(raw), 0, f"checksum of {Packet(raw)}")
    other = raw[:36] + b"\xff\xff" + raw[38:]
    check_equal(Packet(other).wrong_checksums(), [], "the other zero")
    check(Packet(flipped(other, 39)).wrong_checksums(), "a flipped bit beside it")


@case
def an_unfinished_checksum_is_that_of_the_pseudo_header(_):
    # 10.0.0.1 > 10.0.0.2, TCP, 21 bytes: 0a00 + 0001 + 0a00 + 0002 + 0006 + 0015
    begun = tcp("10.0.0.1", "10.0.0.2", 1, 2, payload=b"x")
    begun = begun[:36] + bytes.fromhex("141e") + begun[38:]
    check_equal(Packet(begun, unfinished=True).wrong_checksums(), [], "the sum begun")
    check(Packet(begun).wrong_checksums(), "the sum begun, where it is to be finished")
    check(Packet(flipped(begun, 19), unfinished=True).wrong_checksums(), "another destination")


@case
def forwarded_changes_what_it_should(_):
    for raw, source in ((udp(P, H, 5000, 53), S), (udp(P6, H6, 5000, 53), S6)):
        got = Packet(forwarded(raw, src=source, sport=20000))
        old = Packet(raw)
        check_equal((got.src, got.dst, got.ports, got.ttl, got.payload, got.tos),
                    (source, old.dst, (20000, 53), old.ttl - 1, old.payload, old.tos), "it")
        check_equal(got.wrong_checksums(), [], "its checksums")


@case
def a_short_packet_is_no_packet(_):
    raw = udp(P, H, 1, 2)
    for broken in (raw[:-1], b"\x55" + raw[1:], b"\x41" + raw[1:]):
        try:
            Packet(broken)
        except ValueError:
            check(True, "refused")
        else:
            raise Failed(f"taken for a packet: {broken.hex()}")


@case
def comments_and_commas_are_read(_):
    policy = load_policy(os.path.join(os.path.dirname(__file__), "../../docs/examples",
                                      "homelab.json"))
    check_equal(sorted(policy["nodes"]), ["homelab-1"], "nodes of the example")


@case
def a_word_that_names_no_case_fails(_):
    """One that was renamed: whoever selects it would take nothing for success."""
    done = run(__file__, "comments_and", "no_such_case", ok=False)
    check_equal((done.returncode, done.stdout),
                (1, "  no case has 'no_such_case' in its name\nFAIL net.selection\n"
                 "PASS net.comments_and_commas_are_read\n"), "what it says")


@case
def a_difference_is_seen(_):
    before = {"links": ["a", "b"]}
    check_equal(snapshot.difference(before, {"links": ["b", "c"]}),
                ["links: gone: a", "links: left: c"], "the difference")


@case
def snapshot_sees_what_towpath_would_leave(lab):
    router = lab.netns("router")
    before = snapshot.take(router)
    check_equal(snapshot.difference(before, snapshot.take(router)), [], "nothing done")
    steps = (("ip", "-n", router, "route", "add", "100.80.0.9", "dev", "lan0"),
             ("ip", "-n", router, "rule", "add", "from", "100.80.0.9", "lookup", "100"),
             ("ip", "-n", router, "address", "add", "100.80.0.1/32", "dev", "lan0"),
             ("ip", "-n", router, "link", "add", "x0", "type", "bridge"),
             ("tc", "-n", router, "qdisc", "add", "dev", "lan0", "clsact"),
             ("ip", "netns", "exec", router, "sysctl", "-qw", "net.ipv4.conf.wan0.forwarding=1"))
    for step in steps:
        run(*step)
        now = snapshot.take(router)
        check(snapshot.difference(before, now), f"not noticed: {' '.join(step)}")
        before = now


@case
def capture_and_socket_see_the_lan(lab):
    with lab.capture("web") as capture:
        page = lab.exec("dns", "curl", "-sS", "-m", "5", "http://10.10.30.20/").stdout
        check("Hello" in page, page)
        syn = capture.expect(lambda p: p.ports[1] == 80, "the SYN")
        check_equal((syn.src, syn.dst, syn.ttl), (lab.DNS, lab.WEB, 64), "it")


@case
def two_labs_live_side_by_side_and_leave_nothing(_):
    with Lab() as one, Lab() as two:
        check(one.name != two.name, "names differ")
        names = [n for lab in (one, two) for n in glob.glob(f"/run/netns/{lab.name}*")]
        check_equal(len(names), 10, "namespaces")
        kept = (one.name, two.name)
    for name in kept:
        left = glob.glob(f"/run/netns/{name}*") + glob.glob(f"/run/towpath-lab/{name}*")
        left += glob.glob(f"/var/run/wireguard/{name}*")
        check_equal(left, [], f"what lab {name} left")
        processes = subprocess.run(["pgrep", "-af", f"{name}(phone|towpath)0"], check=False,
                                   capture_output=True, text=True).stdout
        check_equal(processes, "", "processes")
        env = dict(os.environ, LAB=name)
        run(os.path.join(os.path.dirname(__file__), "../../scripts/lab"), "down", env=env)
    check(True, "down twice is fine")


if __name__ == "__main__":
    main(Lab)
