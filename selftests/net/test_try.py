#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""A change that may be a mistake. `apply --try`: what was in force comes back unless somebody
confirms, whoever is killed meanwhile. An apply that would cut the session it is typed in refuses.
Connections of the machine itself outlive the first apply."""

import base64
import contextlib
import errno
import os
import signal
import socket
import subprocess
import time

import snapshot
from lib import (TOWPATH, Lab, bound_socket, case, check, check_equal, client_socket, fault_shim,
                 main, wait_until)
from running import TABLET, end_of_trial, faulty, guardians

TRIAL_S = 2
LONG_S = 300
PATIENCE_S = TRIAL_S + 15


class TrialLab(Lab):
    """Each case begins with nothing set up."""

    def recover(self):
        self.script("towpath", "down", ok=False)


def state_of(lab):
    return snapshot.take(lab.netns("router"))


def narrowed(lab):
    """A policy that leaves the phone one peer less and one grant less."""
    policy = lab.policy()
    policy["grants"] = policy["grants"][:1]
    policy["tests"] = []
    policy["nodes"]["homelab-1"]["addresses"].append("100.80.0.2")
    return policy


def sha(lab):
    return lab.json("status")["policy"]["sha256"]


def record(lab):
    return f"/run/towpath/{lab.instance}.try"


def try_for(lab, policy, seconds=TRIAL_S, *options, status=0):
    return lab.towpath("apply", lab.write_policy(policy), "--try", str(seconds), *options,
                       status=status)


@case
def a_first_policy_goes_again(lab):
    before = state_of(lab)
    try_for(lab, lab.policy())
    check(snapshot.difference(before, state_of(lab)), "apply did something")
    end_of_trial(lab, PATIENCE_S)
    check_equal(snapshot.difference(before, state_of(lab)), [], "what is left")
    lab.towpath("status", status=5)


@case
def the_policy_before_comes_back(lab):
    lab.apply()
    before, old = state_of(lab), sha(lab)
    try_for(lab, narrowed(lab))
    check(sha(lab) != old, "the other policy is in force")
    end_of_trial(lab, PATIENCE_S)
    check_equal(sha(lab), old, "policy")
    check_equal(snapshot.difference(before, state_of(lab)), [], "difference")
    check_equal(lab.json("plan", lab.policy_path)["ops"], [], "plan of the policy before")
    lab.towpath("down")


@case
def a_peer_that_had_roamed_comes_back_to_its_place(lab):
    """The policy names no endpoint of the phone: WireGuard alone knows where it is."""
    lab.apply()
    lab.wait_for_tunnel()
    before = endpoints(lab)
    check(before and "(none)" not in before.values(), f"the phone has called: {before}")
    try_for(lab, without_phone(lab))
    check(not set(before) & set(endpoints(lab)), "the phone's peer is gone")
    end_of_trial(lab, PATIENCE_S)
    check_equal(endpoints(lab), before, "where the peer is")
    lab.exec("router", "ping", "-n", "-c", "1", "-W", "5", lab.PHONE)   # we call, it does not
    lab.towpath("down")


def endpoints(lab):
    text = lab.exec("router", "wg", "show", lab.tunnel, "endpoints").stdout
    return dict(line.split("\t") for line in text.splitlines())


def without_phone(lab):
    policy = lab.policy()
    policy["peers"] = {"tablet": TABLET}
    for name in ("groups", "grants", "tests"):
        del policy[name]
    return policy


@case
def confirm_keeps_it(lab):
    lab.apply()
    try_for(lab, narrowed(lab))
    new = sha(lab)
    lab.towpath("confirm")
    lab.towpath("status", "--healthy")
    time.sleep(TRIAL_S + 1)     # nothing is to happen then: there is no event to wait for
    check_equal(sha(lab), new, "policy")
    check_equal(lab.towpath("confirm", status=5).stderr.strip(),
                f"towpath: confirm: no policy of instance {lab.instance} is on trial", "twice")
    lab.towpath("down")


@case
def the_trial_shows_and_nothing_else_may_change_it(lab):
    lab.apply()
    try_for(lab, narrowed(lab), LONG_S)
    status = lab.json("status")
    check(not status["healthy"], "healthy")
    lab.towpath("status", "--healthy", status=1)
    check(any("ON TRIAL" in p["what"] and "confirm" in p["mend"] for p in status["problems"]),
          f"problems {status['problems']}")
    for command in ("apply", "run"):
        check("on trial" in lab.towpath(command, lab.policy_path, status=1).stderr, command)
    lab.towpath("down")
    check(not os.path.exists(record(lab)), "down ends the trial")
    wait_until(lambda: not guardians(lab), "the guardian to leave")


@case
def output_is_not_held_open(lab):
    """`$(towpath apply --try 300)` must not last 300 seconds."""
    began = time.monotonic()
    try_for(lab, lab.policy(), LONG_S)      # reads both streams to their end
    check(time.monotonic() - began < LONG_S / 2, "it returned")
    check(len(guardians(lab)) == 1, "the guardian is there")
    lab.towpath("down")


@case
def it_comes_back_when_apply_is_killed_half_way(lab):
    lab.apply()
    before, old = state_of(lab), sha(lab)
    path = lab.write_policy(narrowed(lab))
    with subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{lab.netns('router')}", "--", TOWPATH, "apply", path,
             "--instance", lab.instance, "--try", str(TRIAL_S)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True) as process:
        wait_until(lambda: guardians(lab), "the guardian")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)      # the guardian is in a session of its own
    end_of_trial(lab, PATIENCE_S)
    check_equal(sha(lab), old, "policy")
    check_equal(snapshot.difference(before, state_of(lab)), [], "difference")
    lab.towpath("down")


ABANDONED = "this policy was on trial, and what would have put back the one before has died"


@case
def a_killed_guardian_is_said(lab):
    lab.apply()
    try_for(lab, narrowed(lab), LONG_S)
    for pid in guardians(lab):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not guardians(lab), "its end")
    check_equal([p["what"] for p in lab.json("status")["problems"]], [ABANDONED], "problems")
    lab.towpath("status", "--healthy", status=1)
    check("has died" in lab.apply().stderr, "apply says so")
    check(not os.path.exists(record(lab)), "the record is gone")
    check_equal(lab.json("status")["problems"], [], "problems after it")
    lab.towpath("down")


def without_lock(lab, at, *arguments):
    """With the flock() of that number failed for another reason than that somebody holds it."""
    fault_shim()
    return faulty(lab, ("FAULT_ONLY=flock", f"FAULT_AT={at}"), *arguments)


@case
def a_record_that_cannot_be_locked_is_an_error_and_not_held(lab):
    lab.apply()
    path = lab.write_policy(narrowed(lab))
    done = without_lock(lab, 2, "apply", path, "--try", str(LONG_S))
    cause = f"lock {record(lab)}: {os.strerror(errno.EIO)}"
    check_equal((done.returncode, cause in done.stderr), (1, True), f"to make it\n{done.stderr}")
    check(not os.path.exists(record(lab)) and not guardians(lab), "nothing is on trial")
    try_for(lab, narrowed(lab), LONG_S)
    for at, command in ((2, ("apply", path)), (1, ("status",))):
        done = without_lock(lab, at, *command)
        check_equal((done.returncode, cause in done.stderr, "on trial for" in done.stderr),
                    (1, True, False), f"to look at it: {command}\n{done.stderr}")
    lab.towpath("down")


@case
def a_guardian_that_cannot_lock_says_so_and_tries_again(lab):
    """Its flock() is the third: those of apply are of the instance and of the record."""
    lab.apply()
    old = sha(lab)
    done = without_lock(lab, 3, "apply", lab.write_policy(narrowed(lab)), "--try", str(TRIAL_S))
    check_equal(done.returncode, 0, done.stderr)
    end_of_trial(lab, PATIENCE_S)
    with open(f"{record(lab)}.log", encoding="utf-8") as file:
        said = file.read()
    check(f"lock /run/towpath/{lab.instance}.lock: {os.strerror(errno.EIO)}" in said, said)
    check_equal(sha(lab), old, "policy")
    lab.towpath("down")


@case
def a_policy_that_fails_is_taken_back_at_once(lab):
    """Its port is taken, which shows when the device is there."""
    before = state_of(lab)
    with bound_socket(lab, "router", socket.SOCK_DGRAM, "0.0.0.0", 51820):
        said = try_for(lab, lab.policy(), LONG_S, status=1).stderr
    check("putting back" in said, said)
    check(not os.path.exists(record(lab)), "no trial is on")
    check_equal(snapshot.difference(before, state_of(lab)), [], "what is left")


@case
def without_what_to_put_back_it_refuses(lab):
    lab.apply()
    os.unlink(f"/run/towpath/{lab.instance}.policy")
    old = sha(lab)
    check("could not be put back" in try_for(lab, narrowed(lab), status=1).stderr, "says why")
    check_equal(sha(lab), old, "policy")
    lab.apply()         # keeps it again
    try_for(lab, narrowed(lab), LONG_S)
    lab.towpath("down")


# ---- what is there before ----------------------------------------------------------------

def connected(lab, client, server, address):
    """An established TCP connection, as (client's socket, server's socket)."""
    with bound_socket(lab, server, socket.SOCK_STREAM, address, 2222) as listener:
        sock = client_socket(lab, client, socket.SOCK_STREAM, address)
        sock.connect((address, 2222))
        return sock, listener.accept()[0]


def goes_on(pair, what):
    for sender, receiver in (pair, pair[::-1]):
        sender.sendall(what.encode())
        check_equal(receiver.recv(100), what.encode(), what)


@case
def connections_of_the_machine_outlive_the_first_apply(lab):
    pairs = {f"{client} to {server} by {address}": connected(lab, client, server, address)
             for client, server, address in (
                 ("web", "router", lab.LAN), ("web", "router", lab.LAN6),
                 ("router", "web", lab.WEB), ("router", "web", lab.WEB6),
                 ("phone", "router", "192.0.2.1"), ("phone", "router", "2001:db8::1"))}
    for what, pair in pairs.items():
        goes_on(pair, what)
    lab.apply()
    for what, pair in pairs.items():
        pair[1].settimeout(10)
        goes_on(pair, what)
    lab.towpath("down")
    for what, pair in pairs.items():
        goes_on(pair, what)
        for sock in pair:
            sock.close()


# ---- the session that it is typed in -----------------------------------------------------

def typed_from(lab, address, server, path, *options):
    environment = dict(os.environ, SSH_CONNECTION=f"{address} 50000 {server} 22")
    # as sudo leaves it: the variable is only in the environment of a parent
    return subprocess.run(
        ["nsenter", f"--net=/run/netns/{lab.netns('router')}", "--", "sh", "-c",
         'env -u SSH_CONNECTION "$@"; exit $?', "sh", TOWPATH, "apply", path, "--instance",
         lab.instance, *options],
        env=environment, text=True, capture_output=True, timeout=60, check=False)


def with_ssh(lab):
    policy = lab.policy()
    policy["grants"].append({"src": ["phone"], "dst": ["homelab-1"], "ip": ["tcp:22"]})
    return policy


def preshared_key(lab):
    path = f"{lab.run_dir}/phone.psk"
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(base64.b64encode(os.urandom(32)) + b"\n")
    return path


@case
def a_policy_that_cuts_the_session_is_refused(lab):
    lab.apply(with_ssh(lab))
    old = sha(lab)
    for phone, router in ((lab.PHONE, lab.ROUTER), (lab.PHONE6, lab.ROUTER6)):
        done = typed_from(lab, phone, router, lab.policy_path)
        check_equal(done.returncode, 1, f"exit status\n{done.stderr}")
        check("--force" in done.stderr and phone in done.stderr, done.stderr)
        check_equal(sha(lab), old, "policy")
    policy = with_ssh(lab)
    policy["peers"]["phone"]["addresses"] = ["100.80.0.11", lab.PHONE6]
    done = typed_from(lab, lab.PHONE, lab.ROUTER, lab.write_policy(policy, "moved.json"))
    check("that address no more" in done.stderr, done.stderr)
    check_equal(sha(lab), old, "policy")
    policy = with_ssh(lab)
    policy["peers"]["phone"]["preshared_key_file"] = preshared_key(lab)
    done = typed_from(lab, lab.PHONE6, lab.ROUTER6, lab.write_policy(policy, "secret.json"))
    check("another preshared key" in done.stderr, done.stderr)
    check_equal(sha(lab), old, "policy")
    lab.towpath("down")


@case
def what_does_not_cut_it_is_applied(lab):
    lab.apply(with_ssh(lab))
    other = lab.write_policy({**with_ssh(lab), "tests": []}, "other.json")
    check_equal(typed_from(lab, lab.PHONE, lab.ROUTER, other).returncode, 0, "still granted")
    for options, address in ((("--force",), lab.PHONE), ((), "198.51.100.7")):
        done = typed_from(lab, address, lab.ROUTER, lab.policy_path, *options)
        check_equal(done.returncode, 0, f"{address} {options}\n{done.stderr}")
        check_equal(typed_from(lab, lab.PHONE, lab.ROUTER, other).returncode, 0, "back")
    lab.towpath("down")


@contextlib.contextmanager
def plain_lab():
    with TrialLab() as lab:
        yield lab


if __name__ == "__main__":
    main(plain_lab)
