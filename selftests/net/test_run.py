#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The daemon: which file is in force, what a bad one does (nothing), and how it comes and goes."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import time

import snapshot
from daemon import Daemon
from lib import (DEADLINE_S, SLOWNESS, TOP, bound_socket, case, check, check_equal, client_socket,
                 inside, main, run, wait_until)
from running import PROMPT_S, TABLET, RunLab, follows, forwards, peers
from scenes import open_policy, pairs, run_files
from services import cgroup_mount, service_policy


def date(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


# ---- coming and going -------------------------------------------------------------------

@case
def is_ready_when_the_policy_is_in_force(lab):
    with lab.running(ready=False) as daemon:
        daemon.wait_for_ready()
        check_equal(daemon.messages()[0].get("READY"), "1", "the first message")
        check(lab.file in daemon.messages()[0]["STATUS"], f"STATUS {daemon.messages()[0]}")
        status = lab.json("status")
        check(status["healthy"], f"problems {status['problems']}")
        check_equal((status["daemon"]["pid"], status["daemon"]["file"]),
                    (daemon.process.pid, lab.file), "daemon")
        check(status["policy"]["rejected"] is None, f"rejected {status['policy']}")


@case
def leaves_the_data_path_behind(lab):
    with lab.running(policy=open_policy(lab)) as daemon:
        lab.wait_for_tunnel()
        for number in (signal.SIGTERM, signal.SIGINT):
            check_equal(daemon.leave(number), 0, "exit status")
            check_equal(daemon.messages()[-1].get("STOPPING"), "1", "the last message")
            forwards(lab)
            status = lab.json("status")
            check(status["healthy"] and status["daemon"] is None, f"status {status['daemon']}")
            check(not os.path.exists(f"/run/towpath/{lab.instance}.sock"), "the socket is gone")
            again = Daemon(lab, lab.file)
            daemon = again.__enter__()
            check_equal(lab.json("status")["policy"]["generation"], 1, "generation")
        check_equal(daemon.leave(), 0, "exit status")
        again.__exit__()


@case
def cleans_up_on_exit_when_told_to(lab):
    before = snapshot.take(lab.netns("router"))
    with lab.running("--cleanup-on-exit") as daemon:
        check(snapshot.difference(before, snapshot.take(lab.netns("router"))), "it set things up")
        check_equal(daemon.leave(), 0, "exit status")
        check_equal(snapshot.difference(before, snapshot.take(lab.netns("router"))), [], "left")
        check(not os.path.exists(lab.pins), f"{lab.pins} is there")
        check_equal(run_files(lab), [], "files")


@case
def there_is_one_at_a_time(lab):
    with lab.running() as daemon:
        for command in (("run", lab.file), ("apply", lab.file), ("down",)):
            done = lab.towpath(*command, status=1)
            check(f"pid {daemon.process.pid}" in done.stderr, done.stderr)
        check_equal(peers(lab), ["phone"], "peers")


@case
def a_stale_socket_is_replaced(lab):
    with lab.running() as daemon:
        daemon.process.kill()
        daemon.process.wait()
        check(os.path.exists(f"/run/towpath/{lab.instance}.sock"), "the socket is left")
        check(lab.json("status")["daemon"] is None, "nobody answers")
        with Daemon(lab, lab.file) as second:
            mode = os.stat(f"/run/towpath/{lab.instance}.sock").st_mode & 0o777
            check_equal(mode, 0o600, "mode of the socket")
            check_equal(lab.json("status")["daemon"]["pid"], second.process.pid, "who answers")


@case
def a_broken_first_file_ends_it(lab):
    before = snapshot.take(lab.netns("router"))
    lab.write('{ "version": 1, "tunel": {} }')
    done = lab.towpath("run", lab.file, status=3)
    check("$.tunel" in done.stderr, done.stderr)
    check_equal(snapshot.difference(before, snapshot.take(lab.netns("router"))), [], "set up")
    policy = lab.policy()
    policy["tests"].append({"src": "phone", "accept": ["web:22"]})
    lab.write(policy)
    lab.towpath("run", lab.file, status=4)
    lab.towpath("run", f"{lab.run_dir}/nothing.json", status=1)
    lab.towpath("run", "-", status=2)
    check_equal(snapshot.difference(before, snapshot.take(lab.netns("router"))), [], "set up")


def repairs_what_is_lost(lab):
    """By the text that an earlier process saved."""
    for family, prefix in (("-4", lab.PHONE), ("-6", lab.PHONE6)):
        route = ("ip", family, "-n", lab.netns("router"), "route")
        run(*route, "del", prefix)
        wait_until(lambda r=route, p=prefix: run(*r, "show", p).stdout, "the route to come back",
                   PROMPT_S)
    forwards(lab)


@case
def a_restart_with_a_broken_file_stays_up(lab):
    """What is live in the kernel is in force, so there is something to stay for."""
    lab.apply(open_policy(lab))
    lab.wait_for_tunnel()
    with lab.running(policy="{") as daemon:
        forwards(lab)
        status = lab.json("status")
        check(not status["healthy"] and status["policy"]["rejected"]["errors"], f"{status}")
        check("REJECTED" in daemon.messages()[0]["STATUS"], f"{daemon.messages()}")
        check_equal(daemon.metrics().value("towpath_policy_rejected"), 1, "the metric")
        check_equal(daemon.fetch("/readyz")[0], 200, "ready by the policy in force")
        repairs_what_is_lost(lab)
        policy = open_policy(lab)
        policy["peers"]["tablet"] = TABLET
        lab.write(policy)
        follows(lab, ["phone", "tablet"], "the mended file")
        check_equal(daemon.metrics().value("towpath_policy_rejected"), 0, "the metric")


@case
def a_restart_with_a_broken_file_listens_where_the_policy_in_force_wants(lab):
    policy = dict(lab.policy(), metrics={"listen": "127.0.0.1:9586"})
    with lab.running("--log-level", "info", policy=policy) as daemon:
        daemon.leave()
        lab.write("{")
        with Daemon(lab, lab.file, "--log-level", "info") as daemon:
            check_equal(daemon.metrics().value("towpath_policy_rejected"), 1, "the metric")
            lab.write(lab.policy())
            wait_until(lambda: "no longer serving metrics" in daemon.log(), "the mended file")


def probe_timeout():
    """Of the readiness probe in the manifest, seconds."""
    with open(os.path.join(TOP, "scripts", "kubernetes", "towpath.yaml"), encoding="utf-8") as file:
        return int(re.search(r"timeoutSeconds: (\d+)", file.read())[1])


@case
def status_does_not_wait_for_a_daemon_that_is_busy(lab):
    """While the verifier has it, it answers nobody: here one that is stopped stands for it. What
    the kernel has is told all the same, and before a probe loses its patience."""
    with lab.running() as daemon:
        daemon.tell(signal.SIGSTOP)
        try:
            began = time.monotonic()
            done = lab.towpath("status", "--healthy")
            took = time.monotonic() - began
        finally:
            daemon.tell(signal.SIGCONT)
        print(f"# status after {took:.2f} s")
        check("does not answer" in done.stderr, done.stderr)
        check("healthy" in done.stdout and "phone" in done.stdout, done.stdout)
        check(took < probe_timeout() * SLOWNESS, f"it took {took:.1f} s")
        check_equal(lab.json("status")["daemon"]["pid"], daemon.process.pid, "it answers again")


# ---- following the file -----------------------------------------------------------------

@case
def follows_an_edit_in_place(lab):
    with lab.running() as daemon:
        lab.write(lab.with_tablet())
        follows(lab, ["phone", "tablet"], "the edit")
        daemon.wait_for_ready(2)
        names = [name for m in daemon.messages() for name in ("RELOADING", "READY") if name in m]
        check_equal(names, ["READY", "RELOADING", "READY"], "messages")
        reloading = daemon.messages()[1]
        age_s = time.clock_gettime(time.CLOCK_MONOTONIC) - int(reloading["MONOTONIC_USEC"]) / 1e6
        check(0 <= age_s < 60, f"MONOTONIC_USEC is {age_s} s ago")


@case
def follows_a_rename_over_the_file(lab):
    with lab.running():
        for policy, names in ((lab.with_tablet(), ["phone", "tablet"]), (lab.policy(), ["phone"])):
            os.rename(lab.write_policy(policy, "new.json"), lab.file)
            follows(lab, names, "the new file")


@case
def follows_a_configmap(lab):
    """As kubelet does it: policy.json -> ..data/policy.json, ..data -> ..1, then -> ..2."""
    top = f"{lab.run_dir}/configmap"

    def publish(version, policy):
        os.makedirs(f"{top}/..{version}")
        with open(f"{top}/..{version}/policy.json", "w", encoding="utf-8") as file:
            json.dump(policy, file)
        os.symlink(f"..{version}", f"{top}/..data_tmp")
        os.rename(f"{top}/..data_tmp", f"{top}/..data")
        shutil.rmtree(f"{top}/..{version - 1}", ignore_errors=True)

    publish(1, lab.policy())
    os.symlink("..data/policy.json", f"{top}/policy.json")
    with Daemon(lab, f"{top}/policy.json"):
        for version, names in ((2, ["phone", "tablet"]), (3, ["phone"]), (4, ["phone", "tablet"])):
            publish(version, lab.with_tablet() if "tablet" in names else lab.policy())
            follows(lab, names, f"version {version}")
    lab.towpath("down")
    shutil.rmtree(top)


@case
def a_file_that_comes_back_is_followed(lab):
    with lab.running() as daemon:
        os.rename(lab.file, f"{lab.file}.away")
        wait_until(lambda: lab.json("status")["policy"]["rejected"], "the loss to be noticed")
        check_equal(peers(lab), ["phone"], "peers")
        lab.write(lab.with_tablet())
        follows(lab, ["phone", "tablet"], "the file that came back")
        os.remove(f"{lab.file}.away")
        check_equal(daemon.log().count("No such file"), 1, "the loss in the log")


@case
def sighup_repairs_what_is_lost(lab):
    """A peer: of that the kernel tells nobody."""
    with lab.running() as daemon:
        key = lab.json("status")["peers"][0]["public_key"]
        lab.exec("router", "wg", "set", lab.tunnel, "peer", key, "remove")
        daemon.tell(signal.SIGHUP)
        daemon.wait_for_ready(2)
        shown = lab.exec("router", "wg", "show", lab.tunnel, "allowed-ips").stdout
        check(key in shown and lab.PHONE in shown and lab.PHONE6 in shown, shown)
        daemon.tell(signal.SIGHUP)
        daemon.wait_for_ready(3)
        reloads = daemon.metrics().values("towpath_reloads_total")
        check_equal(reloads, {"applied": 2, "unchanged": 1, "rejected": 0}, "reloads")


@case
def a_comment_changes_nothing(lab):
    with lab.running() as daemon:
        before = daemon.reads()
        lab.write("// a thought\n" + json.dumps(lab.policy(), indent=4))
        wait_until(lambda: daemon.reads() > before, "the comment to be read")
        check_equal(lab.json("status")["policy"]["generation"], 1, "generation")


SOON_S = 12 * SLOWNESS   # time enough to start, and to read a file again


@case
def a_key_expires_on_time(lab):
    def devices():
        return lab.exec("router", "wg", "show", lab.tunnel, "peers").stdout.count("\n")

    with lab.running() as daemon:
        policy = lab.policy()
        expiry = int(time.time()) + SOON_S
        policy["peers"]["tablet"] = dict(TABLET, key_expiry=date(expiry))
        lab.write(policy)
        follows(lab, ["phone", "tablet"], "the edit")
        check_equal(daemon.metrics().value("towpath_peer_key_expiry_timestamp_seconds", "tablet"),
                    expiry, "the metric")
        check_equal(devices(), 2, "peers of the device")
        wait_until(lambda: devices() == 1, "the peer to go", SOON_S + 2 * PROMPT_S)
        late_s = time.time() - expiry
        check(0 <= late_s < PROMPT_S, f"it went {late_s} s after its time")
        states = {p["name"]: p["state"] for p in lab.json("status")["peers"]}
        check_equal(states["tablet"], "expired", "state")


@case
def a_key_is_announced_to_expire(lab):
    policy = lab.policy()
    expiry = int(time.time()) + 14 * 86400 + SOON_S
    policy["peers"]["tablet"] = dict(TABLET, key_expiry=date(expiry))
    told = f"expires on {date(expiry)}, within 14 days"
    with lab.running(policy=policy) as daemon:
        check(told not in daemon.log(), "too early")
        check_equal(lab.json("status")["notes"], [], "notes before")
        wait_until(lambda: told in daemon.log(), "the warning", SOON_S + 2 * PROMPT_S)
        late_s = time.time() - (expiry - 14 * 86400)
        check(0 <= late_s < PROMPT_S, f"it came {late_s} s after its time")
        status = lab.json("status")
        check_equal((status["healthy"], status["problems"]), (True, []), "it is healthy")
        check_equal([n["what"] for n in status["notes"]], [f"the key of tablet {told}"], "notes")
        check_equal(daemon.fetch("/readyz")[0], 200, "ready")
        daemon.tell(signal.SIGHUP)
        daemon.wait_for_ready(2)
        check_equal(daemon.log().count(told), 1, "times in the log")
    with lab.running(policy=policy) as daemon:
        check_equal(daemon.log().count(told), 1, "times in the log of another start")
    done = lab.towpath("check", lab.file)
    check(f"$.peers.tablet.key_expiry: warning: {told}" in done.stdout, done.stdout)


# ---- what cannot be put right ---------------------------------------------------------------

@contextlib.contextmanager
def without_lan(lab):
    """The policy cannot be put in force: no device leads to its routes."""
    def addresses(verb):
        for address in (f"{lab.LAN}/24", f"{lab.LAN6}/64"):
            run("ip", "-n", lab.netns("router"), "address", verb, address, "dev", "lan0")

    addresses("del")
    try:
        yield
    finally:
        addresses("add")


def says(daemon, text):
    """The last STATUS= has that; what it has else is nobody's news."""
    wait_until(lambda: text in daemon.messages()[-1]["STATUS"], f"STATUS= with {text}", PROMPT_S)
    check(True, text)


@case
def a_repair_that_fails_is_told_to_the_service_manager(lab):
    """And one that does not, later; neither says again that it is ready."""
    with lab.running() as daemon:
        whole = daemon.messages()[0]["STATUS"]
        for _ in range(2):
            with without_lan(lab):
                says(daemon, f"as the policy of {lab.file} wants it: no device leads to ")
            says(daemon, whole)
        told = daemon.messages()[1:]
        check_equal([list(message) for message in told], [["STATUS"]] * len(told), "messages")
        check(all(a != b for a, b in zip(told, told[1:])), f"each is news: {told}")


@case
def a_rejected_file_and_a_repair_that_fails_are_both_told(lab):
    """What was in force before is then not said to be."""
    with lab.running() as daemon:
        lab.write("{")
        says(daemon, "an earlier policy is in force")
        with without_lan(lab):
            says(daemon, "as the policy before it wants it: no device leads to ")
        says(daemon, "an earlier policy is in force")


# ---- limits -------------------------------------------------------------------------------

def kept_flow(lab, phone, server, port):
    """A flow from the phone that goes on while limits change: gives what asks through it."""
    echo = bound_socket(lab, "web", socket.SOCK_DGRAM, server, port)
    client = client_socket(lab, "phone", socket.SOCK_DGRAM, phone)
    client.connect((server, port))

    def outside_port(question):
        client.send(question.encode())
        text, sender = echo.recvfrom(64)
        check_equal(text.decode(), question, "question")
        echo.sendto(text, sender)
        check_equal(client.recv(64), text, "answer")
        return sender[1]

    return outside_port


@case
def other_limits_keep_the_flows(lab):
    """Fewer flows and then more of them, as many as the maps were made for; other timeouts and
    other ports. More than that is refused before anything is touched."""
    policy = open_policy(lab)

    def reload(words, **limits):
        policy["limits"] = limits
        lab.write(policy)
        wait_until(lambda: lab.json("status")["policy"]["sha256"] == sha256(lab.file), words,
                   PROMPT_S)
        check_equal([ask(words) for ask in asks], ports, f"outside ports with {words}")
        check_equal(lab.json("status")["flows"]["limit"], limits["flows"], f"limit, {words}")
        check_equal(ids(lab), maps, f"the maps with {words}")

    policy["limits"] = {"flows": 4096}
    with lab.running(policy=policy) as daemon:
        lab.wait_for_tunnel()
        asks = [kept_flow(lab, *pair, 7100 + i) for i, pair in enumerate(pairs(lab))]
        ports, maps = [ask("before") for ask in asks], ids(lab)
        reload("fewer", flows=1024)
        reload("as many as before", flows=4096)
        reload("other times", flows=4096, timeouts={"udp": 60})
        reload("other ports", flows=4096, snat_ports="20000-20999")

        policy["limits"] = {"flows": 8192}
        lab.write(policy)
        rejected = wait_until(lambda: lab.json("status")["policy"]["rejected"], "the rejection")
        check("tp_flow_state was made for 4096 rows" in rejected["errors"][0]["message"],
              f"{rejected}")
        check_equal([ask("refused") for ask in asks], ports, "outside ports after it")
        check_equal(lab.json("status")["flows"]["limit"], 4096, "limit")
        check("back to" not in daemon.log(), "nothing had to be taken back")


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def ids(lab):
    """Of the maps that hold flows."""
    return [json.loads(run("bpftool", "-j", "map", "show", "pinned",
                           f"{lab.pins}/maps/{name}").stdout)["id"]
            for name in ("tp_flows", "tp_flow_state", "tp_nat_in", "tp_nat_out")]


# ---- files that are refused -------------------------------------------------------------

@case
def a_broken_file_changes_nothing(lab):
    with lab.running(policy=open_policy(lab)) as daemon:
        lab.wait_for_tunnel()
        before = snapshot.take(lab.netns("router"))
        reads = daemon.reads()
        broken = json.dumps(dict(open_policy(lab), tunel={}, grans=[]))
        lab.write(broken)
        wait_until(lambda: lab.json("status")["policy"]["rejected"], "the rejection")
        forwards(lab)
        check_equal(snapshot.difference(before, snapshot.take(lab.netns("router"))), [], "changed")
        status = lab.json("status")
        check_equal([e["place"] for e in status["policy"]["rejected"]["errors"]],
                    ["$.tunel", "$.grans"], "errors")
        check(not status["healthy"] and "REJECTED" in status["problems"][0]["what"], f"{status}")
        check_equal(daemon.status()["policy"], status["policy"], "/status")
        text = lab.towpath("status").stdout
        check("NOT HEALTHY" in text and "REJECTED" in text and "$.tunel" in text, text)
        check_equal(daemon.metrics().value("towpath_policy_rejected"), 1, "the metric")
        check_equal(daemon.fetch("/readyz")[0], 200, "the data path is ready all the same")

        lab.write(broken)
        wait_until(lambda: daemon.reads() >= reads + 2, "the same file to be read again")
        check_equal(daemon.log().count('unknown key "tunel"'), 1, "times in the log")
        lab.write(broken + "\n")
        wait_until(lambda: daemon.log().count('unknown key "tunel"') == 2, "other bytes' errors")

        lab.write(open_policy(lab))
        wait_until(lambda: not lab.json("status")["policy"]["rejected"], "the mended file")
        status = lab.json("status")
        check(status["healthy"] and status["policy"]["generation"] == 1, f"{status['policy']}")
        check_equal(daemon.metrics().value("towpath_policy_rejected"), 0, "the metric")


@case
def a_failing_test_changes_nothing(lab):
    with lab.running():
        policy = lab.with_tablet()
        policy["tests"].append({"src": "phone", "accept": ["web:22"]})
        lab.write(policy)
        rejected = wait_until(lambda: lab.json("status")["policy"]["rejected"], "the rejection")
        check_equal(rejected["errors"][0]["place"], "$.tests[4].accept[0]", "place")
        check_equal(peers(lab), ["phone"], "peers")


@case
def a_step_that_fails_is_taken_back(lab):
    """The tunnel's port is somebody else's: by then the LAN program knows it already. Nobody need
    say that it is free again."""
    with lab.running(policy=open_policy(lab)) as daemon:
        lab.wait_for_tunnel()
        policy = open_policy(lab)
        policy["peers"]["tablet"] = TABLET
        policy["nodes"]["homelab-1"].setdefault("tunnel", {})["listen_port"] = 51999
        with inside(lab.netns("router")):
            taken = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        with taken:
            taken.bind(("", 51999))
            lab.write(policy)
            rejected = wait_until(lambda: lab.json("status")["policy"]["rejected"], "rejection")
            check("in use" in rejected["errors"][0]["message"], f"{rejected}")
            back = lab.write_policy(json.dumps(open_policy(lab)))
            wait_until(lambda: not lab.json("plan", back)["ops"], "the old policy to be back")
            forwards(lab)
        wait_until(lambda: peers(lab) == ["phone", "tablet"],
                   f"the file, now that the port is free\n{daemon.log()}", 3 * DEADLINE_S)


@case
def more_flows_than_the_maps_have_room_for_are_refused_whole(lab):
    """Those of flows cannot grow: that is said before anything is touched."""
    with lab.running() as daemon:
        whole = snapshot.take(lab.netns("router"))
        policy = lab.policy()
        policy["peers"]["tablet"] = TABLET
        policy["limits"] = {"flows": 524288}
        lab.write(policy)
        rejected = wait_until(lambda: lab.json("status")["policy"]["rejected"], "the rejection")
        check("tp_flow_state was made for" in rejected["errors"][0]["message"], f"{rejected}")
        check_equal(peers(lab), ["phone"], "peers")
        check_equal(snapshot.difference(whole, snapshot.take(lab.netns("router"))), [], "changed")
        check("back to" not in daemon.log(), "nothing had to be taken back")


# ---- what it costs ----------------------------------------------------------------------

@case
def costs_the_same_after_many_reloads(lab):
    policy = json.dumps(lab.policy())
    files = [json.dumps(lab.with_tablet()), "{ broken", policy, "// a thought\n" + policy, "[]"]
    with lab.running() as daemon:
        def reload(text):
            with open(lab.file, "w", encoding="utf-8") as file:
                file.write(text)
            ready = sum("READY" in m for m in daemon.messages())
            daemon.wait_for_ready(ready + 1)
            for path in ("/metrics", "/readyz", "/status"):
                daemon.fetch(path)
            lab.json("status")

        idle = daemon.descriptors()
        for text in files * 2:
            reload(text)
        before = daemon.resident_kib()
        for text in files * 10:
            reload(text)
        after = daemon.resident_kib()
        check(after - before < 512, f"RSS grew from {before} to {after} KiB")
        check(after < 16 * 1024, f"RSS is {after} KiB")
        # a client that hung up is noticed a moment later
        wait_until(lambda: daemon.descriptors() <= idle, f"{idle} descriptors")


# ---- a failure that stays ----------------------------------------------------------------

LOOK_S = 6      # a little longer than between two looks that nobody asks for


def reads(daemon):
    """How much it has read while nothing happens: each look reads the same files."""
    def so_far():
        with open(f"/proc/{daemon.process.pid}/io", encoding="ascii") as file:
            return int(re.search(r"syscr: (\d+)", file.read())[1])
    before = so_far()
    time.sleep(LOOK_S)
    return so_far() - before


@case
def is_no_reason_to_look_more_often(lab):
    cgroup = f"{cgroup_mount()}/towpath-test-{os.getpid()}-away"
    os.mkdir(cgroup)
    with lab.running(policy=service_policy(lab, cgroup)) as daemon:
        usual = reads(daemon)
        check(usual, "it looks by itself")
        os.rmdir(cgroup)
        wait_until(lambda: not lab.json("status")["healthy"], "the failure")
        # the look that finds it is behind a healthy one, the next behind a failed one
        for _ in range(2):
            check(reads(daemon) <= 4 * usual, f"reads, usually {usual}")
        check(cgroup in daemon.log(), "its cause")


if __name__ == "__main__":
    main(RunLab)
