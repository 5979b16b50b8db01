#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""A flood of handshake initiations, in front of a real WireGuard. The guard is XDP's, on the device
that the phone's packets come by."""

import contextlib
import functools
import socket
import threading

from lib import case, check, check_equal, client_socket, main, run
from scenes import opened

PORT = 51820
OUTSIDE = {"192.0.2.1": "192.0.2.10", "2001:db8::1": "2001:db8::10"}     # router: phone
INITIATION = b"\1\0\0\0" + bytes(i * 7 % 251 for i in range(144))
PAUSE_S = 0.0005
HANDSHAKE_S = 12    # WireGuard tries again after five seconds


def guard_the_outside(_lab, policy):
    node = policy["nodes"]["homelab-1"]
    node["lan_interfaces"] = ["lan0", "wan0"]
    node["xdp"] = "generic"


class Flood:
    """Initiations from the phone's address by another port, as fast as a pause lets them."""

    def __init__(self, lab, router):
        self.sock = client_socket(lab, "phone", socket.SOCK_DGRAM, router)
        self.sock.bind((OUTSIDE[router], 0))
        self.sock.connect((router, PORT))
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        while not self.over.wait(PAUSE_S):
            with contextlib.suppress(ConnectionRefusedError):
                self.sock.send(INITIATION)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.sock.close()


def key_of(lab, who):
    with open(f"{lab.run_dir}/{who}.pub", encoding="ascii") as file:
        return file.read().strip()


def wg(lab, *words):
    return lab.exec("phone", "wg", *words).stdout.strip()


def begin_anew(lab, router):
    """The phone forgets its session and nothing else: its port stays the same."""
    router_key, device = key_of(lab, "router"), lab.phone_tunnel
    port = wg(lab, "show", device, "listen-port")
    wg(lab, "set", device, "peer", router_key, "remove")
    endpoint = f"[{router}]:{PORT}" if ":" in router else f"{router}:{PORT}"
    wg(lab, "set", device, "peer", router_key, "endpoint", endpoint, "allowed-ips",
       "100.80.0.0/24,fd7a:70::/64,10.10.30.0/24,fd10:30::/64")
    check_equal(wg(lab, "show", device, "listen-port"), port, "the phone's port")


def is_answered(lab):
    return lab.exec("phone", "ping", "-n", "-c", "1", "-W", str(HANDSHAKE_S), lab.WEB,
                    ok=False).returncode == 0


def known_endpoints(lab):
    done = run("bpftool", "map", "dump", "pinned", f"{lab.pins}/maps/tp_guard_known")
    return done.stdout.count('"port"')


def a_flood_does_not_keep_the_phone_out(lab, router):
    begin_anew(lab, router)
    check(is_answered(lab), "a handshake in peace")
    check(known_endpoints(lab) >= 1, "the phone is known")
    before = lab.drops("wg_limited")
    with Flood(lab, router):
        lab.counted("wg_limited", before, at_least=200)     # no token has a chance to wait
        begin_anew(lab, router)
        check(is_answered(lab), "a handshake under a flood from the phone's address")


@case
def a_flood_over_ipv4_does_not_keep_the_phone_out(lab):
    a_flood_does_not_keep_the_phone_out(lab, "192.0.2.1")


@case
def a_flood_over_ipv6_does_not_keep_the_phone_out(lab):
    a_flood_does_not_keep_the_phone_out(lab, "2001:db8::1")


def passes_full_packets(lab, address, headers):
    check(is_answered(lab), "a session")
    before = lab.drops("wg_malformed")
    mtu = 1420
    done = lab.exec("phone", "ping", "-n", "-c", "1", "-W", "5", "-M", "do",
                    "-s", str(mtu - headers), address, ok=False)
    check_equal(done.returncode, 0, f"an echo of {mtu} bytes: {done.stdout}")
    check_equal(lab.drops("wg_malformed"), before, "messages refused as malformed")


@case
def a_packet_as_large_as_the_mtu_passes(lab):
    passes_full_packets(lab, lab.WEB, 28)
    passes_full_packets(lab, lab.WEB6, 48)


if __name__ == "__main__":
    main(functools.partial(opened, change=guard_the_outside))
