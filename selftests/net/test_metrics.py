#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""What the daemon serves over HTTP, and where."""

import contextlib
import http.client
import os
import re
import select
import socket
import time

from daemon import HTTP_PORT, Daemon
from lib import DEADLINE_S, TOP, Lab, case, check, check_equal, inside, main, run, wait_until
from packets import udp
from scenes import REASONS, moved, pairs, reasons
from services import own_cgroup, service_policy

EXPIRY = 4102444800     # 2100-01-01


@contextlib.contextmanager
def served():
    """A lab whose daemon serves metrics, with its tunnel up and some oddities in the policy."""
    with own_cgroup() as cgroup, Lab() as lab:
        policy = service_policy(lab, cgroup)
        policy["peers"]["tablet"] = {"public_key": "M" * 42 + "E=", "addresses": ["100.80.0.11"],
                                     "key_expiry": "2100-01-01T00:00:00Z"}
        policy["grants"].append({"action": "deny", "src": ["*"], "dst": ["*"], "ip": ["tcp:9"]})
        lab.open = policy
        lab.file = lab.write_policy(policy, "watched.json")
        with Daemon(lab, lab.file) as lab.daemon:
            lab.wait_for_tunnel()
            yield lab


def documented():
    """{name: (type, {labels})} of docs/metrics.md."""
    with open(os.path.join(TOP, "docs", "metrics.md"), encoding="utf-8") as file:
        rows = re.findall(r"^\| `(towpath_\w+)` \| (\w+) \| (.*?) \|", file.read(), re.M)
    check_equal(len({name for name, _, _ in rows}), len(rows), "names, each once")
    return {name: (kind, frozenset(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


NONE_YET = ("towpath_local_vip_here",)      # samples of it are test_local_vip's


@case
def the_page_lists_every_metric(lab):
    metrics = lab.daemon.metrics()
    scraped = {name: (kind, set()) for name, (kind, _) in metrics.families.items()}
    for name, labels in metrics.samples:
        scraped[name][1].add(frozenset(label for label, _ in labels))
    wanted = documented()
    check_equal({name: kind for name, (kind, _) in scraped.items()},
                {name: kind for name, (kind, _) in wanted.items()}, "metrics")
    check_equal({name: labels for name, (_, labels) in scraped.items() if name not in NONE_YET},
                {name: {labels} for name, (_, labels) in wanted.items() if name not in NONE_YET},
                "labels, the same in all samples of a metric")
    check_equal({name: scraped[name][1] for name in NONE_YET}, dict.fromkeys(NONE_YET, set()),
                "samples of what no packet has gone to")
    for name, (kind, _) in metrics.families.items():
        check_equal(name.endswith("_total"), kind == "counter", f"_total of {name}")


@case
def counts_as_status_does(lab):
    metrics, status = lab.daemon.metrics(), lab.json("status")
    check_equal(metrics.value("towpath_ready"), 1, "ready")
    check_equal(metrics.value("towpath_node_info", status["node"]), 1, "node")
    check_equal(metrics.value("towpath_policy_generation"), status["policy"]["generation"], "gen")
    check_equal(metrics.value("towpath_tunnel_up", lab.tunnel), 1, "tunnel")
    check_equal(metrics.value("towpath_flows_limit"), status["flows"]["limit"], "limit")
    check_equal(metrics.values("towpath_peer_key_expiry_timestamp_seconds"), {"tablet": EXPIRY},
                "key expiry")
    check_equal(metrics.values("towpath_peer_up"), {"phone": 1, "tablet": 0}, "up")
    age_s = time.time() - metrics.value("towpath_peer_latest_handshake_timestamp_seconds", "phone")
    check(0 <= age_s < 200, f"the handshake was {age_s} s ago")
    check_equal({k for k, v in metrics.values("towpath_route_state").items() if v},
                {(r["prefix"], r["node"], r["state"]) for r in status["routes"]}, "route states")
    check_equal({(a["device"], a["program"]) for a in status["attachments"]},
                set(metrics.values("towpath_attached")), "attached")
    check_equal({reason for _, reason in metrics.values("towpath_verdicts_total")},
                set(REASONS) - {"none"}, "reasons")
    check_equal(set(metrics.values("towpath_rule_packets_total")), {("0", "accept"), ("1", "deny")},
                "rules")


@case
def counts_every_packet_where_it_belongs(lab):
    """Three packets of a flow, in each family."""
    for phone, server in pairs(lab):
        before, was = lab.daemon.metrics(), reasons(lab)
        with lab.capture("web") as capture:
            for i in range(3):
                packet = udp(phone, server, 25000, 443, b"packet %d" % i)
                lab.from_phone(packet)
                capture.expect_payload(b"packet %d" % i)
        after = lab.daemon.metrics()
        prefix = "fd10:30::/64" if ":" in server else "10.10.30.0/24"
        for name, labels, want in (
                ("towpath_peer_rx_packets_total", ("phone",), 3),
                ("towpath_peer_rx_bytes_total", ("phone",), 3 * len(packet)),
                ("towpath_route_packets_total", (prefix, "homelab-1"), 3),
                ("towpath_route_bytes_total", (prefix, "homelab-1"), 3 * len(packet)),
                ("towpath_rule_packets_total", ("0", "accept"), 3),
                ("towpath_rule_bytes_total", ("0", "accept"), 3 * len(packet)),
                ("towpath_flows_created_total", (), 1)):
            check_equal(after.value(name, *labels) - before.value(name, *labels), want,
                        f"{name} {labels} in {prefix}")
        grown = moved(was, reasons(lab))
        verdicts = {reason: count - before.values("towpath_verdicts_total")[verdict, reason]
                    for (verdict, reason), count in after.values("towpath_verdicts_total").items()}
        check(verdicts["forward"] + verdicts["forward_neigh"] >= 3, f"{verdicts}")
        check(all(verdicts[name] <= count for name, count in grown.items()), f"{verdicts} {grown}")


@case
def is_not_ready_while_the_tunnel_is_down(lab):
    check_equal(lab.daemon.fetch("/readyz")[::2], (200, "ready\n"), "/readyz")
    run("ip", "-n", lab.netns("router"), "link", "set", lab.tunnel, "down")
    try:
        status, _, body = lab.daemon.fetch("/readyz")
        check_equal(status, 503, "/readyz")
        check(lab.tunnel in body and "down" in body and "mend" in body, body)
        check_equal(lab.daemon.fetch("/healthz")[::2], (200, "ok\n"), "/healthz")
        metrics = lab.daemon.metrics()
        check_equal((metrics.value("towpath_ready"),
                     metrics.value("towpath_tunnel_up", lab.tunnel)), (0, 0), "metrics")
    finally:
        run("ip", "-n", lab.netns("router"), "link", "set", lab.tunnel, "up")
    # the kernel took its routes and addresses along, and they are put back first
    wait_until(lambda: lab.daemon.fetch("/readyz")[0] == 200, "/readyz")
    check(True, "/readyz")


@case
def refuses_other_paths_and_methods(lab):
    for path in ("/", "/metrics/", "/metricsx", "/../metrics", "/status.json"):
        check_equal(lab.daemon.fetch(path)[0], 404, path)
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        status, headers, _ = lab.daemon.fetch("/metrics", method)
        check_equal((status, headers["Allow"]), (405, "GET, HEAD"), method)
    status, headers, body = lab.daemon.fetch("/metrics", "HEAD")
    check_equal((status, body), (200, ""), "HEAD")
    check(int(headers["Content-Length"]) > 1000, f"{headers}")
    check_equal(lab.daemon.fetch("/metrics?x=1")[0], 200, "a query")


@case
def clients_that_say_nothing_keep_nobody_waiting(lab):
    """As many as there are places: status and reloads go on, and they are timed out."""
    idle = [lab.daemon.connect() for _ in range(16)]
    try:
        for sock in idle[::2]:
            sock.sendall(b"GET /metrics HT")
        before = time.monotonic()
        check_equal(lab.json("status")["daemon"]["pid"], lab.daemon.process.pid, "who answers")
        check(time.monotonic() - before < 3, "status did not wait")
        check_equal(lab.daemon.fetch("/healthz")[0], 200, "once they are timed out")
    finally:
        for sock in idle:
            sock.close()


@case
def clients_that_take_no_answer_are_timed_out(lab):
    """However much they have asked for, or they could keep the places of all others."""
    with contextlib.closing(lab.daemon.connect()) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                sock.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        ends = select.poll()
        ends.register(sock, 0)
        check(ends.poll(15000), "the daemon hung up")


@case
def no_key_is_ever_served(lab):
    with open(f"{lab.run_dir}/router.key", encoding="ascii") as file:
        key = file.read().strip()
    for path in ("/metrics", "/status", "/readyz", "/x"):
        check(key not in lab.daemon.fetch(path)[2], path)
    check(key not in lab.daemon.log(), "log")


# ---- where it listens; the daemon of the fixture makes way -------------------------------

def scrape_at(lab, address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with inside(lab.netns("router")):
        sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(DEADLINE_S)
    client = http.client.HTTPConnection(address, HTTP_PORT)
    client.sock = sock
    try:
        sock.connect((address, HTTP_PORT))
        client.request("GET", "/healthz")
        return client.getresponse().status == 200
    except (ConnectionRefusedError, ConnectionResetError):   # the latter: closed meanwhile
        return False
    finally:
        client.close()


def listening_at(lab, address):
    lab.open["metrics"] = {"listen": address and (f"[{address}]:{HTTP_PORT}" if ":" in address
                                                  else f"{address}:{HTTP_PORT}")}
    lab.write_policy(lab.open, "watched.json")


@case
def listens_where_the_policy_says(lab):
    """A loopback address, the mesh address that the tunnel brings, any, and nowhere."""
    lab.daemon.leave()
    lab.towpath("down")
    listening_at(lab, lab.ROUTER)
    with Daemon(lab, lab.file, "--log-level", "info") as daemon:
        check(scrape_at(lab, lab.ROUTER), "the mesh address, from the start")
        check(not scrape_at(lab, "127.0.0.1"), "only there")
        for address, at in (("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("0.0.0.0", lab.LAN),
                            (lab.ROUTER6, lab.ROUTER6)):
            listening_at(lab, address)
            wait_until(lambda at=at: scrape_at(lab, at), f"metrics at {address}")
        listening_at(lab, None)
        wait_until(lambda: not scrape_at(lab, lab.ROUTER6), "metrics to be off")

        with inside(lab.netns("router")):
            busy = socket.create_server(("127.0.0.1", HTTP_PORT))
        with busy:
            listening_at(lab, "127.0.0.1")
            rejected = wait_until(lambda: lab.json("status")["policy"]["rejected"], "rejection")
            check("in use" in rejected["errors"][0]["message"], f"{rejected}")
        lab.write_policy(lab.open, "watched.json")
        wait_until(lambda: scrape_at(lab, "127.0.0.1"), "metrics now that the port is free")
        check_equal(daemon.leave(), 0, "exit status")
    done = lab.apply(lab.open)
    check("$.metrics.listen" in done.stderr and "towpath run" in done.stderr, done.stderr)


if __name__ == "__main__":
    main(served)
