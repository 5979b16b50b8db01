#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Backends that die and come back, as `run` finds out by TCP, DNS and HTTP probes."""

import os
import socket
import subprocess
import threading
import time

from daemon import Daemon
from lib import (DEADLINE_S, TOWPATH, Lab, Skip, bound_socket, case, check, check_equal, main, run,
                 wait_until)
from other_lb import WAYS, OtherLb, older_kernel
from scenes import open_policy
from services import (TCP, UDP, VIP, VIP6, Row, cgroup_mount, new_cgroup, service_policy, served,
                      socket_in, true_peers)

V4, V6 = socket.AF_INET, socket.AF_INET6
PROBE = {"interval_ms": 200, "fail": 3, "rise": 2}


def probed(lab, probe, **more):
    policy = service_policy(lab, lab.cgroup)
    for service in policy["services"].values():
        service["health"] = {"probe": probe, **PROBE, **more}
    return lab.write_policy(policy)


def open_files(daemon):
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


def healthy(lab, name):
    services = {s["name"]: s["backends"] for s in lab.json("status")["services"]}
    return [b["healthy"] for b in services[name]]


class Web:
    """Answers every request with that status line, on both of a LAN host's addresses."""

    def __init__(self, lab, host, addresses, port):
        self.status, self.ended = b"HTTP/1.1 200 OK", False
        self.sockets = [bound_socket(lab, host, TCP, address, port) for address in addresses]
        for sock in self.sockets:
            sock.settimeout(0.2)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        while not self.ended:
            try:
                connection, _ = sock.accept()
            except OSError:
                continue
            with connection:
                if connection.recv(2048).startswith(b"GET /healthz HTTP/1.0\r\n"):
                    connection.sendall(self.status + b"\r\n\r\n")

    def close(self):
        self.ended = True
        for sock in self.sockets:
            sock.close()


def wait_for(lab, want):
    for name in ("vip", "vip6"):
        wait_until(lambda n=name: healthy(lab, n) == want, f"{name} to be {want}", 3 * DEADLINE_S)
    check(True, "health")


def ask_dns(lab, family, vip):
    with socket_in(lab, "router", UDP, family) as sock:
        sock.sendto(b"who", (vip, 80))
        return sock.recv(2048).split()[0].decode()


@case
def tcp_a_dead_backend_is_passed_over_and_comes_back(lab):
    with Daemon(lab, probed(lab, "tcp:8880")) as daemon:
        wait_for(lab, [True, True])
        lab.servers.stop()
        wait_for(lab, [False, False])
        with socket_in(lab, "router", TCP, V4) as sock:
            check_equal(sock.connect_ex((VIP, 80)), 113, "EHOSTUNREACH")
        lab.servers.start_on(("dns",))
        wait_for(lab, [False, True])
        for family, vip in ((V4, VIP), (V6, VIP6)):
            check_equal(ask_dns(lab, family, vip), "dns-udp", "who answers")
        lab.servers.start_on(("web",))
        wait_for(lab, [True, True])
        for line in ("backend 10.10.30.20 does not answer", "backend fd10:30::20 answers again"):
            check(line in daemon.log(), daemon.log())
        samples = daemon.metrics().values("towpath_backend_healthy")
        check_equal([samples["vip", Lab.WEB], samples["vip6", Lab.DNS6]], [1, 1], "metrics")
        repairs = daemon.metrics().values("towpath_repairs_total")
        check_equal(sum(repairs.values()), 0, "repairs")


@case
def what_was_found_outlives_the_daemon(lab):
    path = probed(lab, "tcp:1")     # where nobody listens
    with Daemon(lab, path) as daemon:
        wait_for(lab, [False, False])
        daemon.leave()
    lab.towpath("apply", path)
    wait_for(lab, [False, False])
    lab.apply(service_policy(lab, lab.cgroup))
    wait_for(lab, [True, True])     # nobody probes: all count as healthy


@case
def what_the_kernel_lost_is_found_again(lab):
    """A verdict that did not get into its row, or whose row was made anew since."""
    with Daemon(lab, probed(lab, "tcp:1")):
        wait_for(lab, [False, False])
        for name in ("vip", "vip6"):
            Row(lab, name).set_healthy(3)
        wait_for(lab, [False, False])


def limits(daemon):
    """Of open files: (soft, hard)."""
    with open(f"/proc/{daemon.process.pid}/limits", encoding="ascii") as file:
        line = next(line for line in file if line.startswith("Max open files"))
    return tuple(int(word) for word in line.split()[3:5])


def limit(daemon, files):
    run("prlimit", f"--pid={daemon.process.pid}", f"--nofile={files}")


def spent(daemon):
    """Seconds of the CPU's time."""
    with open(f"/proc/{daemon.process.pid}/stat", encoding="ascii") as file:
        words = file.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


@case
def without_descriptors_nothing_is_found_out(lab):
    """Whoever cannot ask has no answer; and who asks us meanwhile is answered later."""
    with Daemon(lab, probed(lab, "tcp:8880"), wrap=("prlimit", "--nofile=256:2048")) as daemon:
        check_equal(limits(daemon), (2048, 2048), "open files")
        wait_for(lab, [True, True])
        limit(daemon, "4:2048")
        asking = subprocess.Popen(["nsenter", f"--net=/run/netns/{lab.netns('router')}", TOWPATH,
                                   "status", "--instance", lab.instance],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        began, before = time.monotonic(), spent(daemon)
        time.sleep(15 * PROBE["interval_ms"] / 1000)
        share = (spent(daemon) - before) / (time.monotonic() - began)
        check(share < 0.1, f"it waits: {share:.0%} of a CPU")
        check_equal([Row(lab, name).value[0] for name in ("vip", "vip6")], [3, 3], "health")
        check("does not answer" not in daemon.log(), daemon.log())
        limit(daemon, "2048:2048")
        asking.wait()
        wait_until(lambda: lab.json("status")["daemon"], "the daemon to answer")
        lab.servers.stop()
        wait_for(lab, [False, False])
    lab.servers.start_on(("web", "dns"))


@case
def more_backends_than_descriptors_leave_some_for_the_rest(lab):
    policy = service_policy(lab, lab.cgroup)
    for i in range(4):
        for name, vip, backend in ((f"many{i}", f"100.80.1.{i}", "10.10.30.{}"),
                                   (f"many6{i}", f"fd7a:70::1:{i}", "fd10:30::{}")):
            policy["services"][name] = {
                "vip": vip, "ports": [{"port": 80, "protocol": "tcp"}],
                "backends": [backend.format(n) for n in range(100, 164)],
                "health": {"probe": "tcp:80", **PROBE, "interval_ms": 5000}}
    with Daemon(lab, lab.write_policy(policy), wrap=("prlimit", "--nofile=1024:1024")) as daemon:
        wait_until(lambda: open_files(daemon) > 500, "it to ask most of them")
        check("not all backends are probed" in daemon.log(), daemon.log())
        check(open_files(daemon) < 1024 - 100, f"it has {open_files(daemon)} open")
        check(lab.json("status")["daemon"], "it answers")
        lab.script("exec", "router", "ip", "route", "flush", "dev", lab.tunnel)
        wait_until(lambda: daemon.metrics().values("towpath_repairs_total")["route"], "a repair")
    lab.apply(service_policy(lab, lab.cgroup))


@case
def udp_any_answer_to_a_dns_query_counts(lab):
    with Daemon(lab, probed(lab, "udp:5399")):
        wait_for(lab, [False, False])
        resolvers = [bound_socket(lab, "dns", UDP, address, 5399)
                     for address in (Lab.DNS, Lab.DNS6)]
        ended = threading.Event()

        def answer(sock):
            sock.settimeout(0.2)
            while not ended.is_set():
                try:
                    query, client = sock.recvfrom(512)
                    sock.sendto(query[:2] + b"\x81\x85" + query[4:], client)    # refused
                except OSError:
                    continue

        threads = [threading.Thread(target=answer, args=(sock,)) for sock in resolvers]
        for thread in threads:
            thread.start()
        try:
            wait_for(lab, [False, True])
        finally:
            ended.set()
            for thread, sock in zip(threads, resolvers):
                thread.join()
                sock.close()
        wait_for(lab, [False, False])


@case
def http_the_status_counts(lab):
    web = Web(lab, "web", (Lab.WEB, Lab.WEB6), 8399)
    try:
        with Daemon(lab, probed(lab, "http:8399/healthz")):
            wait_for(lab, [True, False])
            web.status = b"HTTP/1.1 503 Service Unavailable"
            wait_for(lab, [False, False])
            web.status = b"HTTP/1.1 204 No Content"
            wait_for(lab, [True, False])
    finally:
        web.close()


@case
def the_resolver_is_another_within_three_intervals(lab):
    """The DNS service of a machine: its address answers on when the first resolver dies."""
    with Daemon(lab, probed(lab, "tcp:8880")):
        wait_for(lab, [True, True])
        check_equal(ask_dns(lab, V4, VIP), "web-udp", "before")
        lab.servers.stop()
        lab.servers.start_on(("dns",))
        wait_for(lab, [False, True])
        check_equal(ask_dns(lab, V4, VIP), "dns-udp", "after")
        lab.servers.start_on(("web",))


class Resolver:
    """Answers the probes of a host; once dead it notes for each whom the service leads to just
    then, by what the kernel has: nobody's answer is waited for."""

    def __init__(self, lab, host, address, family, vip):
        self.lab, self.family, self.vip = lab, family, vip
        self.address, self.dead, self.ended, self.led_to = address, False, False, []
        self.sock = bound_socket(lab, host, UDP, address, 5399)
        self.sock.settimeout(0.2)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while not self.ended:
            try:
                query, client = self.sock.recvfrom(512)
                if self.dead:
                    self.led_to.append(self._lead())
                else:
                    self.sock.sendto(query[:2] + b"\x81\x85" + query[4:], client)    # refused
            except OSError:
                continue

    def _lead(self):
        with socket_in(self.lab, "router", UDP, self.family) as sock:
            sock.connect((self.vip, 80))
            return true_peers(self.lab, "router", sock)[0]

    def close(self):
        self.ended = True
        self.thread.join()
        self.sock.close()


@case
def three_probes_without_an_answer_are_enough(lab):
    """By what the dead one counts, so however slow the machine is: the fourth meets the second."""
    policy = service_policy(lab, lab.cgroup)
    health = {"probe": "udp:5399", **PROBE}
    policy["services"] = {name: {**policy["services"][name], "health": health}
                          for name in ("vip", "vip6")}     # one probe a backend
    first = [Resolver(lab, "web", Lab.WEB, V4, VIP), Resolver(lab, "web", Lab.WEB6, V6, VIP6)]
    second = [Resolver(lab, "dns", Lab.DNS, V4, VIP), Resolver(lab, "dns", Lab.DNS6, V6, VIP6)]
    try:
        with Daemon(lab, lab.write_policy(policy)):
            wait_for(lab, [True, True])
            for resolver in first:
                resolver.dead = True
            for resolver, other in zip(first, second):
                wait_until(lambda r=resolver: len(r.led_to) > 3, "four probes", 3 * DEADLINE_S)
                check_equal(resolver.led_to[:2], [resolver.address] * 2,
                            "after one probe and after two")
                check_equal(resolver.led_to[3], other.address, "when the fourth comes")
    finally:
        for resolver in first + second:
            resolver.close()
    lab.apply(service_policy(lab, lab.cgroup))


def asked_elsewhere(lab, backends, **socket_lb):
    """Services whose backends are nobody's own addresses: who is asked there, does not answer."""
    policy = service_policy(lab, lab.cgroup, **socket_lb)
    for name, (vip, backend) in backends.items():
        policy["services"][name] = {
            "vip": vip, "ports": [{"port": 80, "protocol": "tcp"}], "backends": [backend],
            "health": {"probe": "tcp:80", **PROBE}}
    return policy


@case
def a_probe_is_no_client_of_a_service(lab):
    """Its backend is another service's address: forwarded there, nobody would answer."""
    asked = {"asked": ("100.80.0.86", VIP), "asked6": ("fd7a:70::86", VIP6)}
    with Daemon(lab, lab.write_policy(asked_elsewhere(lab, asked))):
        for family, vip in ((V4, VIP), (V6, VIP6)):
            with socket_in(lab, "router", TCP, family) as sock:
                check_equal(sock.connect_ex((vip, 80)), 0, "a client reaches it")
        for name in asked:
            wait_until(lambda n=name: healthy(lab, n) == [False], f"{name} to be found dead")
        check(True, "health")
    lab.apply(service_policy(lab, lab.cgroup))


DEAD = {"asked": ("100.80.0.86", "10.10.30.99"), "asked6": ("fd7a:70::86", "fd10:30::99")}


def warns_of_probes(lab, **socket_lb):
    said = lab.towpath("apply", lab.write_policy(asked_elsewhere(lab, DEAD, **socket_lb))).stderr
    return "BPF_F_PREORDER" in said


def check_found_dead(lab, ways):
    """Though who asks by another way is answered."""
    with OtherLb(lab.name, lab.cgroup) as other:
        for (_, address), alive in zip(DEAD.values(), (Lab.WEB, Lab.WEB6)):
            other.serve(address, 80, alive, 8880)
        for way in ways:
            other.attach(way)
            for socket_lb in ({}, {"mode": "off"}, {"foreign": "hide"},
                              {"foreign": "hide", "mode": "off"}):
                lab.apply(service_policy(lab, lab.cgroup))
                with Daemon(lab, lab.write_policy(asked_elsewhere(lab, DEAD, **socket_lb))):
                    for family, (_, address) in zip((V4, V6), DEAD.values()):
                        with socket_in(lab, "router", TCP, family) as sock:
                            check_equal(sock.connect_ex((address, 80)), 0, "the other tool answers")
                    for name in DEAD:
                        wait_until(lambda n=name: healthy(lab, n) == [False],
                                   f"{name} to be found dead, {way}, {socket_lb}")
                    check(lab.json("status")["healthy"], "status")
            other.detach()
    lab.apply(service_policy(lab, lab.cgroup))


@case
def a_probe_is_not_answered_by_another_tool(lab):
    if warns_of_probes(lab):
        raise Skip("this kernel has no BPF_F_PREORDER, and apply has warned of it")
    check_found_dead(lab, WAYS)


@case
def nor_without_preorder_in_a_cgroup_below(lab):
    with older_kernel():
        check(all(warns_of_probes(lab, **socket_lb) for socket_lb in
                  ({}, {"mode": "off"}, {"foreign": "hide", "mode": "off"})),
              "warned of in the cgroup itself")
        with new_cgroup(lab.cgroup + "/pod"):
            check(not warns_of_probes(lab), "warned of below")
            check_found_dead(lab, WAYS[:1])


@case
def without_translation_no_cgroup_is_needed(lab):
    """As in a container that has its own cgroup mounted as if there were no other: probes are made
    as they can be, and apply says who may answer them."""
    policy, mount = asked_elsewhere(lab, DEAD, mode="off"), cgroup_mount()
    policy["socket_lb"]["cgroup"] = "auto"
    path = lab.write_policy(policy)
    inner = f"umount {mount} && mount -t cgroup2 none {mount} && exec nsenter --net=/run/netns/" \
            f"{lab.netns('router')} {TOWPATH} plan {path} --instance {lab.instance}"
    done = run("unshare", "--cgroup", "--mount", "sh", "-c", inner, ok=False)
    check_equal(done.returncode, 0, f"exit status: {done.stderr}")
    check("another tool that translates sockets may answer for a dead backend: there is no cgroup"
          in done.stderr, done.stderr)


@case
def nor_one_that_another_tool_lets_nobody_into(lab):
    """Its programs are attached without BPF_F_ALLOW_MULTI."""
    policy = open_policy(lab)
    policy["socket_lb"] = {"cgroup": lab.cgroup}
    lab.apply(policy)
    with OtherLb(lab.name, lab.cgroup) as other:
        other.attach("alone")
        done = lab.towpath("apply", lab.write_policy(asked_elsewhere(lab, DEAD, mode="off")))
        check("answer for a dead backend: a program there lets none run beside it" in done.stderr,
              done.stderr)
        check(lab.json("status")["healthy"], "status")
    lab.apply(service_policy(lab, lab.cgroup))


if __name__ == "__main__":
    main(served)
