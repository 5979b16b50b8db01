#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""A host firewall that follows connections and drops what it calls invalid, as kube-proxy does.
A connection of which it saw one half would stall: the stack must see all of one or nothing."""

import contextlib
import json
import socket
import threading
import time

from lib import (DEADLINE_S, Skip, bound_socket, case, check, check_equal, client_socket, main,
                 run)
from scenes import opened, pairs

# Stricter than kube-proxy: no connection is picked up in the middle, none is given a chance.
RULES = """
table inet firewall {
	counter forwarded { }
	counter invalid { }
	chain forward {
		type filter hook forward priority filter; policy accept;
		counter name forwarded
		ct state invalid counter name invalid drop
	}
	chain input {
		type filter hook input priority filter; policy accept;
		ct state invalid counter name invalid drop
	}
	chain output {
		type filter hook output priority filter; policy accept;
		ct state invalid counter name invalid drop
	}
}
"""
BLOCK = bytes(i * 7 % 251 for i in range(60_000))
LASTS_S = 1.3       # beyond a look at the next hop


@contextlib.contextmanager
def lab_with_a_firewall(prefix):
    with opened("none" if prefix == "routed." else "masquerade") as lab:
        path = lab.write_policy(RULES, "firewall.nft")
        done = lab.exec("router", "nft", "-f", path, ok=False)
        if done.returncode:
            raise Skip(f"no nftables: {done.stderr.strip()}")
        lab.exec("router", "sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_loose=0",
                 "net.netfilter.nf_conntrack_tcp_be_liberal=0")
        yield lab


def counter(lab, name):
    done = lab.exec("router", "nft", "-j", "list", "counter", "inet", "firewall", name)
    return next(item["counter"]["packets"] for item in json.loads(done.stdout)["nftables"]
                if "counter" in item)


def echo_back(listener):
    """Serves one client: everything that comes, once more."""
    def serve():
        conn, _ = listener.accept()
        with conn:
            conn.settimeout(DEADLINE_S)
            while chunk := conn.recv(65536):
                conn.sendall(chunk)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def read_block(sock):
    got = b""
    while len(got) < len(BLOCK):
        chunk = sock.recv(len(BLOCK) - len(got))
        if not chunk:
            break
        got += chunk
    return got


def talk(client, seconds, between):
    """Blocks there and back; between() is called after each. Gives the number of blocks."""
    end = time.monotonic() + seconds
    count = 0
    while not count or time.monotonic() < end:
        writer = threading.Thread(target=client.sendall, args=(BLOCK,))
        writer.start()
        got = read_block(client)
        writer.join()
        check(got == BLOCK, f"block {count} has come back")
        between()
        count += 1
    return count


def forget_neighbours(lab):
    run("ip", "-n", lab.netns("router"), "neigh", "flush", "dev", "lan0")


def connection_goes_on(lab, opener, src, answerer, dst, seconds):
    """One that begins with an unknown neighbour and forgets it again and again."""
    forget_neighbours(lab)
    seen = counter(lab, "forwarded")
    with bound_socket(lab, answerer, socket.SOCK_STREAM, dst, 5001) as listener, \
            client_socket(lab, opener, socket.SOCK_STREAM, dst) as client:
        thread = echo_back(listener)
        try:
            client.bind((src, 0))
            client.connect((dst, 5001))
            blocks = talk(client, seconds, lambda: forget_neighbours(lab))
            client.shutdown(socket.SHUT_WR)
            check_equal(client.recv(1), b"", "the end")
        finally:
            thread.join()
    check(blocks > (seconds and 2), f"{blocks} blocks")
    check_equal(counter(lab, "invalid"), 0, "packets that the firewall called invalid")
    check_equal(counter(lab, "forwarded"), seen, "packets that the firewall saw")


@case
def connection_from_the_phone_never_stalls(lab):
    for phone, web in pairs(lab):
        connection_goes_on(lab, "phone", phone, "web", web, LASTS_S)


@case
def connection_to_the_phone_never_stalls(lab):
    for phone, web in pairs(lab):
        connection_goes_on(lab, "web", web, "phone", phone, LASTS_S)


@case
def connection_to_the_router_never_stalls(lab):
    """It ends in the stack: there the firewall sees both halves."""
    for phone, router in ((lab.PHONE, lab.ROUTER), (lab.PHONE6, lab.LAN6)):
        connection_goes_on(lab, "phone", phone, "router", router, 0)


@case
def connection_of_the_router_never_stalls(lab):
    for phone, router in ((lab.PHONE, lab.ROUTER), (lab.PHONE6, lab.ROUTER6)):
        connection_goes_on(lab, "router", router, "phone", phone, 0)


if __name__ == "__main__":
    main(lab_with_a_firewall, ("masquerade.", "routed."))
