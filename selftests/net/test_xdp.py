#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""XDP on LAN devices: where it goes, in which mode, what it leaves alone, what becomes of it; and
what the programs are told of LAN-to-LAN traffic."""

import contextlib
import ctypes
import json
import os
import socket
import struct

import snapshot
from lib import Lab, case, check, check_equal, inject_frame, inside, main, run
from packets import udp
from scenes import forget_object

EXTRA = "x0"                # a LAN device that can go away
BPF_PROG_TYPE_XDP, BPF_XDP = 6, 37
XDP_FLAGS_SKB_MODE, XDP_FLAGS_DRV_MODE = 2, 4


class FreshLab(Lab):
    """Each case begins with nothing set up, on two LAN devices, both veth."""

    def __enter__(self):
        super().__enter__()
        self.make_extra()
        return self

    def make_extra(self):
        run("ip", "-n", self.netns("router"), "link", "add", EXTRA, "up", "type", "veth", "peer",
            "name", "x1", "netns", self.netns("lan"))
        run("ip", "-n", self.netns("lan"), "link", "set", "x1", "up")

    def remove_extra(self):
        run("ip", "-n", self.netns("router"), "link", "del", EXTRA)

    def recover(self):
        self.script("towpath", "down", ok=False)
        run("ip", "-n", self.netns("router"), "link", "del", EXTRA, ok=False)
        self.make_extra()


def policy_with(lab, xdp, *devices):
    policy = lab.policy()
    node = policy["nodes"]["homelab-1"]
    node["lan_interfaces"] = list(devices or ("lan0",))
    if xdp:
        node["xdp"] = xdp
    return policy


def xdp_of(lab):
    """{device: (program, mode, link id)} of what status calls XDP."""
    return {a["device"]: (a["program"], a["mode"], a["link_id"])
            for a in lab.json("status")["attachments"] if a["hook"] == "xdp"}


def kernel_xdp(lab, device):
    """(mode, program id) as the kernel has it, or None."""
    shown = json.loads(run("ip", "-j", "-n", lab.netns("router"), "link", "show", device).stdout)
    xdp = shown[0].get("xdp")
    return ({1: "native", 2: "generic"}[xdp["mode"]], xdp["prog"]["id"]) if xdp else None


def planned(lab, path):
    return [op["text"] for op in lab.json("plan", path)["ops"]]


def check_settled(lab, path):
    check_equal(planned(lab, path), [], "the plan after apply")
    status = lab.json("status")
    check(status["healthy"], f"status: {status['problems']}")


def is_attached_by_force(lab, mode):
    before = snapshot.take(lab.netns("router"))
    path = lab.write_policy(policy_with(lab, mode))
    text = f"attach program tp_xdp_lan on lan0 mode {mode}"
    ops = planned(lab, path)
    check(ops.index(text) > ops.index("attach program tp_tc_lan on lan0"), f"tc first: {ops}")

    lab.towpath("apply", path)
    program, shown, link = xdp_of(lab)["lan0"]
    check_equal((program, shown), ("tp_xdp_lan", mode), "status")
    check(link > 0, f"link id {link}")
    check_equal(kernel_xdp(lab, "lan0")[0], mode, "the kernel's mode")
    check(f"xdp {mode}" in lab.towpath("status").stdout, "the table for people names the mode")
    check_settled(lab, path)
    lab.wait_for_tunnel()
    lab.towpath("apply", path)
    check_equal(xdp_of(lab)["lan0"][2], link, "the link id after a second apply")

    lab.towpath("down")
    check_equal(kernel_xdp(lab, "lan0"), None, "XDP after down")
    check_equal(snapshot.difference(before, snapshot.take(lab.netns("router"))), [], "after down")
    check(not os.path.exists(lab.pins), f"{lab.pins} is there")


@case
def native_is_attached_where_the_policy_says_so(lab):
    is_attached_by_force(lab, "native")


@case
def generic_is_attached_where_the_policy_says_so(lab):
    is_attached_by_force(lab, "generic")


@case
def auto_and_off_leave_a_veth_alone(lab):
    for mode in (None, "auto", "off"):
        path = lab.write_policy(policy_with(lab, mode))
        done = lab.towpath("apply", path)
        check("XDP" not in done.stderr, done.stderr)
        check_equal((xdp_of(lab), kernel_xdp(lab, "lan0")), ({}, None), f"XDP with {mode}")
        check_settled(lab, path)
    lab.towpath("down")


@case
def another_mode_replaces_the_link(lab):
    links = []
    for mode in ("native", "generic", "native"):
        path = lab.write_policy(policy_with(lab, mode))
        lab.towpath("apply", path)
        check_equal(kernel_xdp(lab, "lan0")[0], mode, "the kernel's mode")
        check_equal(row_of(lab, "lan0")["flags"], 2 | (4 if mode == "native" else 0), "row")
        links.append(xdp_of(lab)["lan0"][2])
        check_settled(lab, path)
    check_equal(len(set(links)), 3, f"links {links}")

    path = lab.write_policy(policy_with(lab, "auto"))
    lab.towpath("apply", path)
    check_equal(kernel_xdp(lab, "lan0"), None, "XDP with auto")
    check_settled(lab, path)
    lab.towpath("down")


def row_of(lab, device):
    """The row of tp_devices, by the names of its BTF."""
    shown = json.loads(run("ip", "-j", "-n", lab.netns("router"), "link", "show", device).stdout)
    rows = json.loads(run("bpftool", "-j", "map", "dump", "pinned",
                          f"{lab.pins}/maps/tp_devices").stdout)
    return next(row["formatted"]["value"] for row in rows
                if row["formatted"]["key"] == shown[0]["ifindex"])


@case
def lan_to_lan_reaches_the_programs(lab):
    for value, flags in (("judge", 1), ("stack", 0)):
        policy = policy_with(lab, "off", "lan0", EXTRA)
        policy["nodes"]["homelab-1"]["lan_to_lan"] = value
        path = lab.write_policy(policy)
        judged = [text for text in planned(lab, path) if text.endswith(" judged")]
        check_equal(len(judged), 2 if flags else 0, f"devices that the plan calls judged: {judged}")
        lab.towpath("apply", path)
        check_equal([row_of(lab, d)["flags"] for d in ("lan0", EXTRA)], [flags] * 2, value)
        check_settled(lab, path)
    lab.towpath("down")


# ---- somebody else's -----------------------------------------------------------------------

_libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)
# mov64 r0, XDP_PASS; exit
_PASS = bytes((0xb7, 0, 0, 0, 2, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0))


def load_foreign():
    fd = _libbpf.bpf_prog_load(BPF_PROG_TYPE_XDP, b"foreign_pass", b"GPL",
                               ctypes.create_string_buffer(_PASS, len(_PASS)), 2, None)
    check(fd >= 0, f"load a program: {os.strerror(-fd)}")
    return fd


@contextlib.contextmanager
def foreign_by_netlink(lab, device, flags):
    fd = load_foreign()
    with inside(lab.netns("router")):
        index = socket.if_nametoindex(device)
        r = _libbpf.bpf_xdp_attach(index, fd, flags, None)
        check(r == 0, f"attach a foreign program: {os.strerror(-r)}")
    os.close(fd)
    try:
        yield
    finally:
        with inside(lab.netns("router")):
            _libbpf.bpf_xdp_detach(index, flags, None)


class LinkCreateOpts(ctypes.Structure):
    """struct bpf_link_create_opts, as far as XDP needs it."""
    _fields_ = [("size", ctypes.c_size_t), ("flags", ctypes.c_uint32)]


@contextlib.contextmanager
def foreign_by_link(lab, device, flags):
    fd = load_foreign()
    opts = LinkCreateOpts(ctypes.sizeof(LinkCreateOpts), flags)
    with inside(lab.netns("router")):
        link = _libbpf.bpf_link_create(fd, socket.if_nametoindex(device), BPF_XDP,
                                       ctypes.byref(opts))
    check(link >= 0, f"attach a foreign program: {os.strerror(-link)}")
    os.close(fd)
    try:
        yield
    finally:
        os.close(link)


def foreign_is_respected(lab, attach, flags, mode):
    with attach(lab, "lan0", flags):
        theirs = kernel_xdp(lab, "lan0")
        before = snapshot.take(lab.netns("router"))
        path = lab.write_policy(policy_with(lab, mode))
        for command in ("plan", "apply"):
            done = lab.towpath(command, path, status=1)
            check(f"lan0 runs an XDP program that is not ours (foreign_pass, id {theirs[1]})"
                  in done.stderr and "nodes.homelab-1.xdp" in done.stderr, done.stderr)
        check_equal(snapshot.difference(before, snapshot.take(lab.netns("router"))), [],
                    "after the refusals")

        path = lab.write_policy(policy_with(lab, "auto"))
        lab.towpath("apply", path)
        check_settled(lab, path)
        check_equal((xdp_of(lab), kernel_xdp(lab, "lan0")), ({}, theirs), "XDP with auto")
        lab.towpath("down")
        check_equal(kernel_xdp(lab, "lan0"), theirs, "XDP after down")


@case
def a_foreign_generic_program_stays(lab):
    foreign_is_respected(lab, foreign_by_netlink, XDP_FLAGS_SKB_MODE, "generic")


@case
def a_foreign_native_program_stays(lab):
    foreign_is_respected(lab, foreign_by_netlink, XDP_FLAGS_DRV_MODE, "native")


@case
def a_foreign_link_stays(lab):
    foreign_is_respected(lab, foreign_by_link, XDP_FLAGS_DRV_MODE, "native")


@case
def a_foreign_program_in_the_other_mode_stays(lab):
    foreign_is_respected(lab, foreign_by_netlink, XDP_FLAGS_SKB_MODE, "native")


# ---- what becomes of it --------------------------------------------------------------------

@case
def a_device_that_comes_back_has_it_again(lab):
    path = lab.write_policy(policy_with(lab, "native", "lan0", EXTRA))
    lab.towpath("apply", path)
    first = xdp_of(lab)
    check_equal(set(first), {"lan0", EXTRA}, "devices with XDP")

    lab.remove_extra()
    check_equal(set(xdp_of(lab)), {"lan0"}, "devices with XDP while it is gone")
    check(not lab.json("status")["healthy"], "status tells")
    lab.make_extra()
    check(f"attach program tp_xdp_lan on {EXTRA} mode native" in planned(lab, path), "the plan")
    lab.towpath("apply", path)
    again = xdp_of(lab)
    check_equal(again["lan0"], first["lan0"], "the device that stayed")
    check(again[EXTRA][2] != first[EXTRA][2], f"a new link: {again}")
    check_settled(lab, path)
    lab.towpath("down")
    check_equal(kernel_xdp(lab, EXTRA), None, "XDP after down")


@case
def a_device_that_is_no_lan_any_more_loses_it(lab):
    lab.towpath("apply", lab.write_policy(policy_with(lab, "generic", "lan0", EXTRA)))
    path = lab.write_policy(policy_with(lab, "generic"))
    check(f"detach program tp_xdp_lan on {EXTRA}" in planned(lab, path), "the plan")
    lab.towpath("apply", path)
    check_equal((set(xdp_of(lab)), kernel_xdp(lab, EXTRA)), ({"lan0"}, None), "XDP")
    check_settled(lab, path)
    lab.towpath("down")


@case
def a_link_that_was_lost_is_put_back(lab):
    """Somebody takes the pin away, and with it the program."""
    path = lab.write_policy(policy_with(lab, "native"))
    lab.towpath("apply", path)
    os.unlink(f"{lab.pins}/links/lan0-xdp")
    check_equal(kernel_xdp(lab, "lan0"), None, "XDP without its link")
    problems = [p["what"] for p in lab.json("status")["problems"]]
    check_equal(problems, ["no XDP program on lan0"], "problems")
    lab.towpath("apply", path)
    check_equal(kernel_xdp(lab, "lan0")[0], "native", "the kernel's mode")
    check_settled(lab, path)
    lab.towpath("down")


MALFORMED, SPOOFED, MARK = b"malformed", b"a mesh source", b"the mark"
ROUTING = 43


def malformed(src, dst):
    """A wrong header checksum; in IPv6, that has none, a routing header of type 0."""
    raw = udp(src, dst, 7, 7, MALFORMED)
    if raw[0] >> 4 == 4:
        return raw[:10] + bytes((raw[10] ^ 1,)) + raw[11:]
    return (raw[:4] + struct.pack("!HB", len(raw) - 40 + 8, ROUTING) + raw[7:40]
            + raw[6:7] + bytes((0, 0, 1, 0, 0, 0, 0)) + raw[40:])


def comes_past_xdp(lab, xdp):
    """What of three frames of each family is still there behind XDP, at the kernel's taps."""
    lab.towpath("apply", lab.write_policy(policy_with(lab, xdp)))
    mac = lab.mac("router", "lan0")
    with lab.capture("router", "lan0") as capture:
        for member, host, router in ((lab.PHONE, lab.WEB, lab.LAN),
                                     (lab.PHONE6, lab.WEB6, lab.LAN6)):
            for raw in (udp(member, router, 7, 7, SPOOFED), malformed(host, member),
                        udp(host, router, 7, 7, MARK)):
                inject_frame(lab.netns("lan"), "router", mac, raw)
            capture.expect_payload(MARK)
    lab.counted("spoof", 0, 2)
    lab.counted("malformed", 0, 2)
    lab.towpath("down")
    return [t for p in capture.seen for t in (SPOOFED, MALFORMED, MARK) if t in p.segment]


@case
def spoofed_and_malformed_frames_end_in_xdp(lab):
    check_equal(comes_past_xdp(lab, "off"), [SPOOFED, MALFORMED, MARK] * 2, "where tc refuses")
    for mode in ("native", "generic"):
        check_equal(comes_past_xdp(lab, mode), [MARK] * 2, f"behind {mode} XDP")


@case
def an_upgrade_keeps_the_link(lab):
    path = lab.write_policy(policy_with(lab, "native"))
    lab.towpath("apply", path)
    link, program = xdp_of(lab)["lan0"][2], kernel_xdp(lab, "lan0")[1]
    forget_object(lab)
    ops = planned(lab, path)
    check(ops[0].startswith("upgrade programs"), f"the plan: {ops}")
    check("attach program tp_xdp_lan on lan0 mode native" in ops, f"the plan: {ops}")
    lab.towpath("apply", path)
    check_equal(xdp_of(lab)["lan0"][2], link, "the link")
    check(kernel_xdp(lab, "lan0")[1] != program, "another program runs")
    check_settled(lab, path)
    lab.towpath("down")


# ---- when the driver cannot ------------------------------------------------------------------

@contextlib.contextmanager
def bridge_lan(lab):
    """A device whose driver has no XDP."""
    run("ip", "-n", lab.netns("router"), "link", "add", "d0", "up", "type", "bridge")
    try:
        yield "d0"
    finally:
        run("ip", "-n", lab.netns("router"), "link", "del", "d0")


@case
def exit_6_when_the_driver_cannot_and_native_was_asked_for(lab):
    with bridge_lan(lab) as device:
        done = lab.towpath("apply", lab.write_policy(policy_with(lab, "native", device, "lan0")),
                           status=6)
        check(f"attach tp_xdp_lan to {device}: its driver does not run it" in done.stderr and
              '"generic" or "auto"' in done.stderr, done.stderr)
        path = lab.write_policy(policy_with(lab, "generic", device, "lan0"))
        lab.towpath("apply", path)
        check_equal(kernel_xdp(lab, device)[0], "generic", "the kernel's mode")
        check_settled(lab, path)
        lab.towpath("down")


if __name__ == "__main__":
    main(FreshLab)
