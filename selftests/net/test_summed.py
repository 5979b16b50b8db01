#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""What a device has summed up of a whole packet (CHECKSUM_COMPLETE) follows what is rewritten in
it. The next device takes it over, and its stack checks by it.

    far ==VXLAN== lan1 router lan0 ---- lan

IPv4 makes up for every change by its header checksum, IPv6 has none."""

import struct
import sys

from fragments import pieces, without_df
from lans import OPEN, arrives, at_far, families, from_far, from_web, overlay, two_lans
from lib import case, check, check_equal, main
from packets import forwarded, udp
from scenes import port
from standin import summing

ETHERNET = 14


def folded(total):
    return total % 0xffff       # 0 and 0xffff are the same sum


def sum_of(raw):
    """As this machine adds it up, in its own byte order."""
    raw += b"\0" * (len(raw) % 2)
    order = "<" if sys.byteorder == "little" else ">"
    return folded(sum(struct.unpack(f"{order}{len(raw) // 2}H", raw)))


def follows(lab, packet, want, web, what):
    """From far; `want` arrives at the LAN's port of the router's cable, its sum along with it."""
    with summing(lab.netns("lan"), "router", ETHERNET + len(want)) as summed:
        from_far(lab, packet)
        got = web.expect(lambda p: p.raw == want, what)
        check(summed.value() > 0, f"{what}: a device has summed it up: {summed.value()}")
        check_equal(folded(summed.value()), sum_of(got.raw), f"the sum of {what}")


def opened(lab, here, there, source, web):
    """The port of a flow that has been answered once: only what comes next is sent with a link
    header of our own. In front of what bpf_redirect_neigh sends the kernel puts another than it
    has summed up (6.18), which nobody can make up for who does not know it."""
    sport = port(lab)
    sent = udp(here, there, sport, OPEN, b"opens %d" % sport)
    back = udp(there, source, OPEN, sport, b"answers %d" % sport)
    with at_far(lab) as far:
        from_web(lab, sent)
        arrives(far, sent, forwarded(sent, src=source), "on the other LAN")
        from_far(lab, back)
        arrives(web, back, forwarded(back, dst=here), "the first answer")
    return sport


@case
def the_sum_follows_what_is_rewritten(lab):
    for here, there, source in families(lab):
        with lab.capture("web") as web:
            sport = opened(lab, here, there, source, web)
            for text in (b"one more", b"of an odd length"):
                back = udp(there, source, OPEN, sport, text)
                follows(lab, back, forwarded(back, dst=here), web, f"{text.decode()} to {here}")


@case
def the_sum_follows_what_is_rewritten_in_fragments(lab):
    for here, there, source in families(lab):
        with lab.capture("web") as web:
            sport = opened(lab, here, there, source, web)
            back = udp(there, source, OPEN, sport, b"long enough to be cut in pieces" * 9)
            home = forwarded(back, dst=here)
            if ":" not in here:
                back, home = without_df(back), without_df(home)
            for part, want in zip(pieces(back, 96, sport), pieces(home, 96, sport)):
                follows(lab, part, want, web, f"a fragment to {here}")


def lab_with(prefix):
    return two_lans(link=overlay, snat={"masquerade.": "masquerade", "routed.": "none"}[prefix])


if __name__ == "__main__":
    main(lab_with, ("masquerade.", "routed."))
