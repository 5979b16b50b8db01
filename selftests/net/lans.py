# SPDX-License-Identifier: GPL-2.0-only
"""A second LAN at the router, with one host on it, and a node that judges what goes across."""

import contextlib

from lib import Capture, Lab, check_equal, inject_frame, run
from packets import Packet

# The other LAN: the router's device and address there, and the one host.
DEVICE, PEER = "lan1", "far0"
SOURCE, SOURCE6 = "10.10.50.1", "fd10:50::1"
FAR, FAR6 = "10.10.50.20", "fd10:50::20"
# On the other LAN too, but in nobody's policy.
OTHER, OTHER6 = "10.99.0.20", "fd99::20"
OPEN = 5353
UNDER, UNDER_FAR = "10.98.0.1", "10.98.0.2"
VXLAN_PORT = 4789


def cable(lab, router=DEVICE, far=PEER):
    """The receiver at either end computes checksums itself."""
    run("ip", "-n", lab.netns("router"), "link", "add", router, "up", "type", "veth", "peer",
        "name", far, "netns", lab.netns("lan"))
    run("ip", "-n", lab.netns("lan"), "link", "set", far, "up")
    lab.exec("router", "ethtool", "-K", router, "tx", "off", "rx", "off")
    lab.exec("lan", "ethtool", "-K", far, "rx", "off")


def overlay(lab):
    """VXLAN over a cable. Its receiver sums up all of a packet to check the outer checksum, and the
    sum stays with the inner packet: CHECKSUM_COMPLETE, as some cards give it."""
    cable(lab, "under", "under")
    for short, device, mine, other in (("router", DEVICE, UNDER, UNDER_FAR),
                                       ("lan", PEER, UNDER_FAR, UNDER)):
        netns = lab.netns(short)
        run("ip", "-n", netns, "link", "set", "under", "mtu", 1600)
        run("ip", "-n", netns, "address", "add", f"{mine}/24", "dev", "under")
        run("ip", "-n", netns, "link", "add", device, "mtu", 1500, "up",
            "type", "vxlan", "id", 7, "local", mine, "remote", other, "dev", "under",
            "dstport", VXLAN_PORT, "udpcsum")
        lab.exec(short, "ethtool", "-K", "under", "tx", "off")  # left unfinished it is not checked


def make_other_lan(lab, link):
    link(lab)
    router, far = lab.netns("router"), lab.netns("lan")
    for netns, device, addresses in (
            (router, DEVICE, (f"{SOURCE}/24", f"{SOURCE6}/64", "10.99.0.1/24", "fd99::1/64")),
            (far, PEER, (f"{FAR}/24", f"{FAR6}/64", f"{OTHER}/24", f"{OTHER6}/64"))):
        for address in addresses:
            run("ip", "-n", netns, "address", "add", address, "dev", device)
    for prefix, via in (("10.0.0.0/8", lab.LAN), ("fd00::/8", lab.LAN6)):
        run("ip", "-n", lab.netns("web"), "route", "add", prefix, "via", via)
    for prefix, via in (("10.10.30.0/24", "10.99.0.1"), ("fd10:30::/64", "fd99::1")):
        run("ip", "-n", far, "route", "add", prefix, "via", via)


def judged(lab, xdp, snat):
    policy = lab.policy()
    node = policy["nodes"]["homelab-1"]
    node["lan_to_lan"], node["lan_interfaces"] = "judge", ["lan0", DEVICE]
    node["xdp"] = xdp
    node["advertise_routes"] += ["10.10.50.0/24", "fd10:50::/64"]
    policy["auto_approvers"]["routes"]["fd10:50::/64"] = ["tag:k8s"]
    policy["routes"] = {p: {"snat": snat} for p in node["advertise_routes"]}
    policy["grants"].append({"src": ["web", "web6"], "ip": [f"udp:{OPEN}"],
                             "dst": ["10.10.50.0/24", "fd10:50::/64"]})
    del policy["tests"]     # they hold for the example's grants only
    return policy


@contextlib.contextmanager
def two_lans(xdp="off", link=cable, snat="masquerade"):
    with Lab() as lab:
        make_other_lan(lab, link)
        lab.snat, lab.wanted = snat, judged(lab, xdp, snat)
        lab.apply(lab.wanted)
        lab.next_port = 22000
        lab.router_mac = lab.mac("router", "lan0")
        lab.far_router_mac = lab.mac("router", DEVICE)
        for address in (FAR, FAR6):     # some cases forget it again
            run("ip", "-n", lab.netns("router"), "neigh", "replace", address, "lladdr",
                lab.mac("lan", PEER), "dev", DEVICE, "nud", "reachable")
        yield lab


def at_far(lab):
    return Capture(lab.netns("lan"), PEER)


def from_web(lab, raw):
    inject_frame(lab.netns("web"), "eth0", lab.router_mac, raw)


def from_far(lab, raw):
    inject_frame(lab.netns("lan"), PEER, lab.far_router_mac, raw)


def families(lab):
    """The host here, the one there, and whom it takes the first for."""
    if lab.snat == "none":
        return (lab.WEB, FAR, lab.WEB), (lab.WEB6, FAR6, lab.WEB6)
    return (lab.WEB, FAR, SOURCE), (lab.WEB6, FAR6, SOURCE6)


def arrives(capture, sent, want, what):
    got = capture.expect_payload(Packet(sent).payload)
    check_equal(got.raw.hex(), want.hex(), what)
    return got
