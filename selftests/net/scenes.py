# SPDX-License-Identifier: GPL-2.0-only
"""What several test programs set up: a lab where all is granted, traffic in it, its counters."""

import contextlib
import glob
import json
import os
import re
import socket
import struct
import sys
import threading

from lib import (DEADLINE_S, TOP, Lab, Skip, bound_socket, check, check_equal, client_socket,
                 inside, run)
from packets import ICMP6, ip_packet, packed

ETH_P_8021Q = 0x8100
MESH = ("100.80.0.0/24", "fd7a:70::/64")


def open_policy(lab, snat="masquerade"):
    """The example's, but with everything granted."""
    policy = lab.policy()
    policy["grants"] = [{"src": ["*"], "dst": ["*"]}]
    policy["routes"] = {p: {"snat": snat} for p in
                        policy["nodes"]["homelab-1"]["advertise_routes"]}
    del policy["tests"]     # they hold for the example's grants only
    return policy


@contextlib.contextmanager
def opened(snat="masquerade", attach="auto", change=lambda lab, policy: None):
    """A lab with the open policy applied, after `change(lab, policy)`, and its tunnel up. The LAN
    hosts know the way back where nothing is translated."""
    with Lab() as lab:
        policy = open_policy(lab, snat)
        change(lab, policy)
        done = lab.script("towpath", "apply", lab.write_policy(policy), "--tc-attach", attach,
                          ok=False)
        if done.returncode == 6 and attach == "tcx":
            raise Skip(f"the kernel has no tcx: {done.stderr.strip()}")
        check_equal(done.returncode, 0, f"apply --tc-attach {attach}: {done.stderr}")
        lab.snat, lab.attach, lab.next_port = snat, attach, 20000
        for host in ("dns", "web"):
            for prefix, via in zip(MESH, (lab.LAN, lab.LAN6)):
                run("ip", "-n", lab.netns(host), "route", "add", prefix, "via", via)
        lab.wait_for_tunnel()
        yield lab


def announce(lab, short, address):
    """Gratuitous ARP, or an unsolicited advertisement, from a host of the LAN."""
    mac = bytes.fromhex(lab.mac(short, "eth0").replace(":", ""))
    if ":" not in address:
        body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2) + (mac + packed(address)) * 2
        to, protocol = b"\xff" * 6, 0x0806
    else:
        body = ip_packet(address, "ff02::1", ICMP6, struct.pack("!BBHI", 136, 0, 0, 0x20000000)
                         + packed(address) + b"\x02\x01" + mac, ttl=255)
        to, protocol = bytes.fromhex("333300000001"), 0x86dd
    with inside(lab.netns(short)):
        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as sock:
            sock.sendto(body, ("eth0", protocol, 0, 0, to))


@contextlib.contextmanager
def narrow(lab, device, policy, size=1300):
    """A LAN device of the router that takes less than the tunnel does, as apply has seen."""
    def mtu(size):
        run("ip", "-n", lab.netns("router"), "link", "set", device, "mtu", size)
        lab.apply(policy)

    mtu(size)
    try:
        yield
    finally:
        mtu(1500)


def port(lab):
    """A source port no case has used: free and inside limits.snat_ports, so NAT keeps it."""
    lab.next_port += 1
    return lab.next_port


def source_on_the_lan(lab, phone):
    """Who a LAN host takes the phone for."""
    if lab.snat == "none":
        return phone
    return lab.LAN6 if ":" in phone else lab.LAN


def _reason_names():
    with open(os.path.join(TOP, "include", "towpath", "reason.h"), encoding="ascii") as file:
        return re.findall(r"^\tX\((\w+),", file.read(), re.M)


REASONS = _reason_names()


def reasons(lab):
    """Every counter of tp_drops by its name, those of forwarded packets too."""
    done = run("bpftool", "-j", "map", "dump", "pinned", f"{lab.pins}/maps/tp_drops")
    sums = [sum(v["value"] for v in row["formatted"]["values"]) for row in json.loads(done.stdout)]
    return dict(zip(REASONS, sums))


def inner_maps(lab, table):
    """The ids of the maps behind a two-slot table; bpftool shows an id as its bytes."""
    done = run("bpftool", "-j", "map", "dump", "pinned", f"{lab.pins}/maps/{table}")
    ids = [int.from_bytes(bytes(int(byte, 16) for byte in row["value"]), sys.byteorder)
           for row in json.loads(done.stdout)]
    check(ids, f"{table} has inner maps")
    return ids


def moved(before, after):
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


def echo_server(listener, answer):
    """Serves one client in a thread of its own: reads to the end, then sends `answer`."""
    got = []

    def serve():
        conn, _ = listener.accept()
        with conn:
            conn.settimeout(2 * DEADLINE_S)
            while chunk := conn.recv(65536):
                got.append(chunk)
            conn.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread, got


def send_frame(netns, device, dst, raw, tags):
    """An IP packet with VLAN tags (TCI values, the outer one first) in an Ethernet frame."""
    with inside(netns):
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
            sock.bind((device, 0))
            head = bytes.fromhex(dst.replace(":", "")) + sock.getsockname()[4]
            for tag in tags:
                head += struct.pack("!HH", ETH_P_8021Q, tag)
            sock.send(head + struct.pack("!H", 0x0800 if raw[0] >> 4 == 4 else 0x86dd) + raw)


def exchange(lab, phone, server, sent, answer, dport=5001, behind=None):
    """A TCP connection from the phone: `sent` there, `answer` back. Gives what each end read.
    behind: the namespace, address and port that really answer, where they are others."""
    host, address, port = behind or ("web", server, dport)
    with bound_socket(lab, host, socket.SOCK_STREAM, address, port) as listener, \
            client_socket(lab, "phone", socket.SOCK_STREAM, server) as client:
        listener.settimeout(2 * DEADLINE_S)
        thread, got = echo_server(listener, answer)
        back = b""
        try:
            client.settimeout(2 * DEADLINE_S)
            client.bind((phone, 0))
            client.connect((server, dport))
            check_equal(client.getpeername()[0], server, "who the phone talks to")
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            while chunk := client.recv(65536):
                back += chunk
        finally:
            thread.join()
    return b"".join(got), back


def pairs(lab):
    """Phone and LAN host in both families."""
    return (lab.PHONE, lab.WEB), (lab.PHONE6, lab.WEB6)


OBJECT_HASH = slice(80, 112)    # of struct tp_state


def run_files(lab):
    """What kinds of file the instance has below /run/towpath."""
    return sorted(path.rpartition(".")[2] for path in glob.glob(f"/run/towpath/{lab.instance}.*"))


def forget_object(lab):
    """As if other programs were attached than those of this binary."""
    path = f"{lab.pins}/maps/tp_state"
    key = ("key", "hex", "00", "00", "00", "00")
    row = json.loads(run("bpftool", "-j", "map", "lookup", "pinned", path, *key).stdout)["value"]
    row = [byte.removeprefix("0x") for byte in row]
    row[OBJECT_HASH] = ["42"] * 32
    run("bpftool", "map", "update", "pinned", path, *key, "value", "hex", *row)
