#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Frames with VLAN tags: a LAN device that is a VLAN, priority tags, and other people's VLANs."""

import contextlib
import socket

from lib import Skip, bound_socket, case, check, check_equal, main, run
from packets import Packet, forwarded, udp
from scenes import exchange, moved, opened, port, reasons, send_frame

ROUTER10, ROUTER10_6 = "10.10.40.1", "fd10:30:40::1"
WEB10, WEB10_6 = "10.10.40.20", "fd10:30:40::20"
VLAN, OTHER_VLAN = 10, 20
PRIORITY = 5 << 13      # 802.1Q: of VLAN 0, so of none


def add_vlan(lab, short, device, vlan, *addresses):
    run("ip", "-n", lab.netns(short), "link", "add", "link", device, "name", f"{device}.{vlan}",
        "type", "vlan", "id", vlan)
    run("ip", "-n", lab.netns(short), "link", "set", f"{device}.{vlan}", "up")
    for address in addresses:
        run("ip", "-n", lab.netns(short), "address", "add", address, "dev", f"{device}.{vlan}")


def has_vlan_devices(lab):
    router = lab.netns("router")
    if run("ip", "-n", router, "link", "add", "link", "lan0", "name", "probe", "type", "vlan",
           "id", 99, ok=False).returncode:
        return False
    run("ip", "-n", router, "link", "del", "probe")
    return True


def add_vlans(lab, policy):
    """VLAN 10 is advertised as a LAN of its own, VLAN 20 is none of towpath's business."""
    add_vlan(lab, "router", "lan0", VLAN, f"{ROUTER10}/24", f"{ROUTER10_6}/64")
    add_vlan(lab, "web", "eth0", VLAN, f"{WEB10}/24", f"{WEB10_6}/64")
    add_vlan(lab, "router", "lan0", OTHER_VLAN, "10.99.0.1/24", "fd99::1/64")
    add_vlan(lab, "web", "eth0", OTHER_VLAN, "10.99.0.20/24", "fd99::20/64")
    node = policy["nodes"]["homelab-1"]
    for prefix in ("10.10.40.0/24", "fd10:30:40::/64"):
        node["advertise_routes"].append(prefix)
        policy["routes"][prefix] = {"snat": "masquerade"}
        run("ip", "-n", lab.netns("phone"), "route", "add", prefix, "dev", lab.phone_tunnel)
    peer = lab.exec("phone", "wg", "show", lab.phone_tunnel, "peers").stdout.strip()
    lab.exec("phone", "wg", "set", lab.phone_tunnel, "peer", peer, "allowed-ips",
             "100.80.0.0/24,fd7a:70::/64,10.10.0.0/16,fd10:30::/32")


def prepare(lab, policy):
    lab.vlans = has_vlan_devices(lab)
    if lab.vlans:
        add_vlans(lab, policy)


def need_vlan_devices(lab):
    if not lab.vlans:
        raise Skip("the kernel has no VLAN devices (CONFIG_VLAN_8021Q)")


@contextlib.contextmanager
def lab_with_vlans():
    with opened("none", change=prepare) as lab:
        yield lab


@case
def vlan_device_is_a_lan_device(lab):
    need_vlan_devices(lab)
    devices = {a["device"] for a in lab.json("status")["attachments"]}
    check("lan0.10" in devices, f"attached to {devices}")
    for phone, web, router in ((lab.PHONE, WEB10, ROUTER10), (lab.PHONE6, WEB10_6, ROUTER10_6)):
        sent = udp(phone, web, port(lab), 7000, b"into the VLAN")
        with lab.capture("web", "eth0.10") as at_web, lab.capture("phone") as at_phone:
            with bound_socket(lab, "web", socket.SOCK_DGRAM, web, 7000) as sock:
                lab.from_phone(sent)
                _, source = sock.recvfrom(2048)
                sock.sendto(b"out of the VLAN", source)
            got = at_web.expect_payload(b"into the VLAN")
            home = at_phone.expect_payload(b"out of the VLAN")
        check_equal(got.raw.hex(), forwarded(sent, src=router).hex(), "the packet")
        check_equal((home.src, home.ports, home.ttl), (web, Packet(sent).ports[::-1], 63), "back")
        check_equal(home.wrong_checksums(), [], f"checksums of {home}")


@case
def tcp_goes_through_a_vlan_device(lab):
    need_vlan_devices(lab)
    data = bytes(i * 7 % 251 for i in range(300_000))
    for phone, web in ((lab.PHONE, WEB10), (lab.PHONE6, WEB10_6)):
        with lab.capture("web", "eth0.10") as at_web, lab.capture("phone") as at_phone:
            sent, answer = exchange(lab, phone, web, data, data[::-1])
            at_web.expect(lambda p: p.segment[13] & 1, "the phone's FIN")
            at_phone.expect(lambda p: p.segment[13] & 1, "the server's FIN")
        check(sent == data and answer == data[::-1], "each end has read what the other sent")
        wrong = [str(p) for p in at_web.seen + at_phone.seen if p.wrong_checksums()]
        check_equal(wrong[:3], [], "wrong checksums")


def from_web(lab, raw, *tags):
    send_frame(lab.netns("web"), "eth0", lab.mac("router", "lan0"), raw, tags)


@case
def priority_tag_changes_nothing(lab):
    """And does not get into the tunnel, where it would be bytes in front of the packet."""
    for web, phone in ((lab.WEB, lab.PHONE), (lab.WEB6, lab.PHONE6)):
        plain = udp(web, phone, 7000, port(lab), b"plain")
        tagged = udp(web, phone, 7001, port(lab), b"with a priority")
        with lab.capture("phone") as capture:
            before = reasons(lab)
            from_web(lab, plain)
            capture.expect_payload(b"plain")
            for _ in range(2):      # opens a flow, belongs to one
                from_web(lab, tagged, PRIORITY)
                got = capture.expect_payload(b"with a priority")
                check_equal(got.raw.hex(), forwarded(tagged).hex(), "the tagged one")
        counts = moved(before, reasons(lab))
        # what is sent by the kernel's neighbours are the phone's "port unreachable"
        check_equal((counts["forward"], counts["judged"]),
                    (3, 3 + counts.get("forward_neigh", 0)), f"counted, of {counts}")


@case
def priority_tag_is_judged_too(lab):
    spoofed = udp(lab.PHONE, lab.ROUTER, 7000, 7000, b"I am the phone")
    before = lab.drops("spoof")
    from_web(lab, spoofed, PRIORITY)
    lab.counted("spoof", before)


@case
def answer_to_a_translated_packet_may_have_a_priority(lab):
    need_vlan_devices(lab)
    for phone, web, router in ((lab.PHONE, WEB10, ROUTER10), (lab.PHONE6, WEB10_6, ROUTER10_6)):
        sport = port(lab)
        with lab.capture("web", "eth0.10") as at_web, lab.capture("phone") as at_phone:
            lab.from_phone(udp(phone, web, sport, 7000, b"question"))
            at_web.expect_payload(b"question")
            answer = udp(web, router, 7000, sport, b"answer of priority 5")
            from_web(lab, answer, PRIORITY | VLAN)
            got = at_phone.expect_payload(b"answer of priority 5")
        check_equal(got.raw.hex(), forwarded(answer, dst=phone).hex(), "the answer")


@case
def frames_of_other_vlans_are_left_alone(lab):
    """To lan0 they are another network: nothing of them is looked at, whatever it says. Where the
    machine has that network on a device of its own, the stack routes and egress judges."""
    spoof, acl = lab.drops("spoof"), lab.drops("acl")
    with lab.capture("phone") as capture:
        for src, phone, dst in ((lab.WEB, lab.PHONE, lab.ROUTER),
                                (lab.WEB6, lab.PHONE6, lab.ROUTER6)):
            for tags in ([30], [PRIORITY | 30], [30, VLAN], [0, 30]):
                from_web(lab, udp(src, phone, 7000, 7000, b"of VLAN 30"), *tags)
                from_web(lab, udp(phone, dst, 7000, 7000, b"spoofed in VLAN 30"), *tags)
        from_web(lab, udp(lab.WEB, lab.PHONE, 7000, port(lab), b"mark"))
        came = capture.before(lambda p: p.payload == b"mark", "the mark")
    check_equal([str(p) for p in came if b"VLAN 30" in p.segment], [], "what came through")
    check_equal((lab.drops("spoof"), lab.drops("acl")), (spoof, acl), "spoof, acl")


@case
def another_vlan_of_the_machine_is_judged_on_its_way_out(lab):
    """lan0.20 is no LAN device: the stack routes what comes there, and egress sees to it."""
    need_vlan_devices(lab)
    web = lab.netns("web")
    send = lab.mac("router", "lan0.20")
    with lab.capture("phone") as capture:
        before = reasons(lab)
        for src, phone in (("10.99.0.20", lab.PHONE), ("fd99::20", lab.PHONE6)):
            send_frame(web, "eth0", send, udp(src, phone, 7000, 7000, b"from VLAN 20"),
                       [OTHER_VLAN])
            got = capture.expect_payload(b"from VLAN 20")
            check_equal((got.src, got.ttl), (src, 63), f"of {got}")
        counts = moved(before, reasons(lab))
    check_equal((counts["judged"], counts.get("forward", 0)), (2, 0), f"counted, of {counts}")


if __name__ == "__main__":
    main(lab_with_vlans)
