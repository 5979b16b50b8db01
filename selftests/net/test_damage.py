#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""One case for each damage that somebody can do to a running towpath: `status` says that it is not
healthy, /readyz that it is not ready; the daemon puts it right, counts it, and what it need not
lose is still there. The daemon is stopped while the damage is looked at, so that there is time; and
once before, what would repair it is refused (FAULT_HELD of the preloaded build/fault.so), to see
that the daemon is not ready for as long as that is so.

One daemon for all of them, which also shows that a repair leaves nothing to repair. A few cases run
by default; EVERY_DAMAGE=1 runs all."""

import contextlib
import json
import os
import shutil
import signal
import time

from daemon import HTTP_PORT
from lib import case, check, check_equal, fault_shim, main, run, wait_until
from running import PROMPT_S, TABLET, OneDaemonLab, forwards, noted, present, same_flow
from scenes import open_policy
from standin import going_first

EVERY = bool(os.environ.get("EVERY_DAMAGE"))
at_length = case if EVERY else lambda function: function
UNSEEN_S = 15   # what the kernel tells nobody is looked for: five are meant


class Damaged(OneDaemonLab):
    """With the one flow of each family that shall survive."""

    def begin(self, attach="auto"):
        policy = open_policy(self)
        policy["nodes"]["homelab-1"]["xdp"] = "generic"
        self.in_force = policy
        self.holding = f"{self.run_dir}/holding"
        self.daemon = self.ending.enter_context(self.running(
            "--tc-attach", attach, "--metrics-listen", f"127.0.0.1:{HTTP_PORT}", policy=policy,
            wrap=("env", f"LD_PRELOAD={fault_shim()}", "FAULT_HELD=1",
                  f"FAULT_WHILE={self.holding}")))
        self.wait_for_tunnel()
        same_flow(self)
        noted(self.daemon)


# ---- what is looked at ----------------------------------------------------------------------

def repairs(lab):
    return lab.daemon.metrics().values("towpath_repairs_total")


def has_mended(lab, kind, counted):
    # while it loads programs it answers nobody, and a machine with much to do takes long over that
    with contextlib.suppress(OSError):
        return repairs(lab)[kind] > counted[kind]
    return False


def objects(lab):
    """The id of everything that is pinned, by its place."""
    found = {}
    for kind in ("maps", "links"):
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(f"{lab.pins}/{kind}"):
                done = run("bpftool", "-j", kind[:-1], "show", "pinned",
                           f"{lab.pins}/{kind}/{name}", ok=False)
                if not done.returncode:
                    found[f"{kind}/{name}"] = json.loads(done.stdout)["id"]
    return found


def problems(lab):
    """What `status` finds, while the daemon says nothing."""
    done = lab.script("towpath", "status", "--healthy", "--json", ok=False)
    if done.returncode in (1, 5) and not done.stdout:
        return [done.stderr]
    found = [p["what"] for p in json.loads(done.stdout)["problems"]]
    check_equal(done.returncode, int(bool(found)), f"exit status with {found}")
    return found


def ready(lab):
    return lab.daemon.fetch("/readyz")[0] == 200 and lab.json("status")["healthy"]


@contextlib.contextmanager
def stopped(daemon):
    daemon.tell(signal.SIGSTOP)
    try:
        yield
    finally:
        daemon.tell(signal.SIGCONT)


@contextlib.contextmanager
def held(lab):
    """Nothing of the kernel's can be put back. Then, it is tried at once and not when due."""
    try:
        with present(lab.holding):
            yield
    finally:
        lab.daemon.tell(signal.SIGHUP)


def has_tried(lab, since):
    """A repair has failed. Of pins the log tells it; with none of them left there is no status."""
    status, _, text = lab.daemon.fetch("/status")
    return ("the machine cannot be made as the policy in force wants it" in text
            if status == 200 else not os.path.exists(lab.pins)) or \
        "deleted pins are not put back" in lab.daemon.log()[since:]


def is_unready_until_it_is_repaired(lab, damage, problem, seconds):
    since = len(lab.daemon.log())
    with held(lab):
        damage(lab)
        status, _, text = lab.daemon.fetch("/readyz")
        check(status == 503 and problem in text, f"/readyz at once: {status} {text}")
        wait_until(lambda: has_tried(lab, since), "a repair to fail", seconds)
        status, _, text = lab.daemon.fetch("/readyz")
        check(status == 503 and problem in text, f"/readyz after a repair in vain: {status} {text}")
        check_equal(lab.daemon.metrics().value("towpath_ready"), 0, "the metric")
    wait_until(lambda: ready(lab), "the daemon to be ready", seconds)
    check_equal(lab.json("plan", lab.file)["ops"], [], "plan, as it is ready")


def mends(lab, damage, kind, problem, seconds, same_objects):
    """damage(lab); all that the first lines of this file promise."""
    is_unready_until_it_is_repaired(lab, damage, problem, seconds)
    before, counted = objects(lab), repairs(lab)
    created = lab.json("status")["flows"]["created"]
    with stopped(lab.daemon):
        damage(lab)
        found = problems(lab)
    check(any(problem in what for what in found), f'no "{problem}" among {found}')
    wait_until(lambda: has_mended(lab, kind, counted), f"a {kind} to be repaired", seconds)
    wait_until(lambda: ready(lab), "the daemon to be ready", PROMPT_S)
    check_equal(lab.json("plan", lab.file)["ops"], [], "plan")
    if same_objects:
        check_equal(objects(lab), before, "ids of what is pinned")
    lab.wait_for_tunnel()
    forwards(lab)
    same_flow(lab)
    # forwards makes one of each family, wait_for_tunnel pings
    check(lab.json("status")["flows"]["created"] - created <= 6, "the flow is still the same")


def told(lab, damage, kind, problem, same_objects=True):
    mends(lab, damage, kind, problem, PROMPT_S, same_objects)


def untold(lab, damage, kind, problem, seconds=UNSEEN_S):
    mends(lab, damage, kind, problem, seconds, same_objects=False)


# ---- pins -----------------------------------------------------------------------------------

def unpin(*paths):
    def damage(lab):
        for path in paths:
            os.unlink(f"{lab.pins}/{path}")
    return damage


def link_pins(lab, ending=""):
    return [f"links/{name}" for name in os.listdir(f"{lab.pins}/links") if name.endswith(ending)]


@at_length
def a_deleted_link_pin(lab):
    for hook in ("tunnel", "lan", "egress", "xdp"):
        told(lab, unpin(link_pins(lab, "-" + hook)[0]), "program", "no ")


@case
def a_deleted_map_pin_of_the_flows(lab):
    told(lab, unpin("maps/tp_flows", "maps/tp_flow_state"), "map", "tp_flow")


@at_length
def a_deleted_map_pin_of_the_stages(lab):
    """The kernel empties an array of programs that nobody holds by a pin or a descriptor."""
    told(lab, unpin("maps/tp_stages"), "map", "tp_stages")


@at_length
def a_deleted_map_pin_of_the_state(lab):
    told(lab, unpin("maps/tp_state"), "map", "tp_state")


@at_length
def a_deleted_map_pin_of_the_policy(lab):
    told(lab, unpin("maps/tp_src", "maps/tp_routes", "maps/tp_rules"), "map", "tp_r")


@at_length
def all_pins_of_maps(lab):
    told(lab, lambda lab: shutil.rmtree(f"{lab.pins}/maps"), "map", "")


@case
def the_whole_directory_of_pins(lab):
    told(lab, lambda lab: shutil.rmtree(lab.pins), "program", "")


@case
def pins_deleted_while_a_policy_is_put_in_force(lab):
    """What the daemon held before its own steps it still holds after them. Many routes give the
    time to delete something meanwhile."""
    before, policy, said = objects(lab), json.loads(json.dumps(lab.in_force)), lab.daemon.log()
    routes = [f"10.{64 + i // 256}.{i % 256}.0/24" for i in range(900)]
    policy["peers"]["car"] = dict(TABLET, advertise_routes=routes)
    policy["auto_approvers"]["routes"]["10.64.0.0/10"] = ["car"]
    damage, end = unpin(*link_pins(lab, "-tunnel"), "maps/tp_flows"), time.monotonic() + UNSEEN_S
    ready_before = [m for m in lab.daemon.messages() if "READY" in m]
    lab.write(policy)
    while "steps to do" not in lab.daemon.log()[len(said):]:
        check(time.monotonic() < end, f"the plan begins: {lab.daemon.log()[len(said):]}")
    damage(lab)
    check_equal([m for m in lab.daemon.messages() if "READY" in m], ready_before,
                "the plan still goes on")
    wait_until(lambda: len(lab.json("status")["peers"]) == 2, "its end", UNSEEN_S)
    wait_until(lambda: objects(lab) == before, "the same objects to be pinned", PROMPT_S)
    lab.write(lab.in_force)
    wait_until(lambda: ready(lab) and not lab.json("plan", lab.file)["ops"], "the end", UNSEEN_S)
    same_flow(lab)


# ---- programs -------------------------------------------------------------------------------

def detach(hook):
    def damage(lab):
        lab.exec("router", "bpftool", "link", "detach", "pinned",
                 f"{lab.pins}/{link_pins(lab, hook)[0]}")
    return damage


@case
def a_detached_link(lab):
    hooks = (("-tunnel", "ingress"), ("-lan", "ingress"), ("-egress", "egress"), ("-xdp", "XDP"))
    for hook, where in hooks if EVERY else hooks[:1]:
        untold(lab, detach(hook), "program", where)


@case
def a_foreign_program_before_ours(lab):
    """Ours goes first again, the other one stays behind it."""
    router = lab.netns("router")
    places = ((lab.tunnel, "ingress"), ("lan0", "egress"), ("lan0", "ingress"))
    for device, hook in places if EVERY else places[:1]:
        with contextlib.ExitStack() as stack:
            untold(lab, lambda lab, d=device, h=hook, s=stack: s.enter_context(
                going_first(router, d, h)), "program", f"runs before it on the {hook} of {device}",
                   seconds=3 * UNSEEN_S)    # programs are loaded, and the one before were, too


@at_length
def a_foreign_xdp_program_in_our_place(lab):
    """It is never replaced: what ours is not there for is told until there is room again."""
    with going_first_after(lab, detach("-xdp")):
        wait_until(lambda: any("XDP program that is not ours" in what for what in problems(lab)),
                   "the daemon to say so", UNSEEN_S)
        check_equal(lab.daemon.fetch("/readyz")[0], 503, "/readyz")
    # after a failure the next try comes by itself, in its own time; a reload is at once
    lab.daemon.tell(signal.SIGHUP)
    wait_until(lambda: ready(lab), "the daemon to be ready", UNSEEN_S)
    check_equal(lab.json("plan", lab.file)["ops"], [], "plan")
    forwards(lab)


@contextlib.contextmanager
def going_first_after(lab, damage):
    with stopped(lab.daemon):
        damage(lab)
        attached = going_first(lab.netns("router"), "lan0", "xdp")
        attached.__enter__()
    try:
        yield
    finally:
        attached.__exit__(None, None, None)


@case
def a_flushed_qdisc(lab):
    """Of clsact, with both programs of a device in it."""
    lab.end()
    lab.begin(attach="clsact")
    for device in (lab.tunnel, "lan0") if EVERY else (lab.tunnel,):
        told(lab, lambda lab, d=device: run("tc", "-n", lab.netns("router"), "qdisc", "del", "dev",
                                            d, "clsact"),
             "program", f"no program on the ingress of {device}")
    lab.end()
    lab.begin()


# ---- devices, addresses, routes -------------------------------------------------------------

def ip(lab, *args, **options):
    return run("ip", "-n", lab.netns("router"), *args, **options)


@case
def a_deleted_route(lab):
    routes = (("-4", f"{lab.PHONE}/32"), ("-6", f"{lab.PHONE6}/128"))
    for family, prefix in routes if EVERY else routes[1:]:
        told(lab, lambda lab, f=family, p=prefix: ip(lab, f, "route", "del", p), "route", "gone")


@case
def a_deleted_address(lab):
    for address in (f"{lab.ROUTER}/32", f"{lab.ROUTER6}/128"):
        told(lab, lambda lab, a=address: ip(lab, "address", "del", a, "dev", lab.tunnel),
             "address", address.split("/", maxsplit=1)[0])


@at_length
def a_tunnel_that_is_set_down(lab):
    told(lab, lambda lab: ip(lab, "link", "set", lab.tunnel, "down"), "link", "is down")


@case
def a_lan_device_that_is_made_anew(lab):
    """Its programs went with it, and the new one has another number."""
    def damage(lab):
        ip(lab, "link", "del", "lan0")
        ip(lab, "link", "add", "lan0", "type", "veth", "peer", "name", "router", "netns",
           lab.netns("lan"))
        run("ip", "-n", lab.netns("lan"), "link", "set", "router", "master", "switch", "up")
        lab.exec("router", "ethtool", "-K", "lan0", "tx", "off")
        ip(lab, "link", "set", "lan0", "up")
        for address in (f"{lab.LAN}/24", f"{lab.LAN6}/64"):
            ip(lab, "address", "add", address, "dev", "lan0", "nodad")

    told(lab, damage, "program", "is gone", same_objects=False)


# ---- WireGuard ------------------------------------------------------------------------------

def wg_peer(lab):
    return lab.exec("router", "wg", "show", lab.tunnel, "peers").stdout.split()[0]


@at_length
def a_removed_peer(lab):
    untold(lab, lambda lab: lab.exec("router", "wg", "set", lab.tunnel, "peer", wg_peer(lab),
                                     "remove"), "peer", "of no peer")


@case
def a_removed_allowed_ip(lab):
    untold(lab, lambda lab: lab.exec("router", "wg", "set", lab.tunnel, "peer", wg_peer(lab),
                                     "allowed-ips", f"{lab.PHONE}/32"), "peer", "of no peer")


if __name__ == "__main__":
    main(Damaged)
