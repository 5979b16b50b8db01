#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""A prefix that two nodes advertise, and one that nobody has approved: what status says of them,
and where packets from the LAN go, before and after a change of the policy under `run`.

The nodes barn and cabin are WireGuard devices beside the phone's; towpath runs in the router."""

import contextlib
import os

from hub import UAPI_DIR, start_wireguard
from lib import case, check, check_equal, inject_frame, main, run, wait_until
from packets import forwarded, udp
from running import RunLab
from scenes import open_policy

PORTS = {"barn": 40001, "cabin": 40002}
ADDRESSES = {"barn": ["100.80.0.21", "fd7a:70::21"], "cabin": ["100.80.0.22", "fd7a:70::22"]}
SHARED = ("10.60.0.0/24", "fd60::/64")      # both advertise them
WISHED = ("10.61.0.0/24", "fd61::/64")      # only barn does, and nothing approves them
HOSTS = {SHARED: ("10.60.0.7", "fd60::7"), WISHED: ("10.61.0.7", "fd61::7")}

TUNNEL, NOWHERE = "through the tunnel to {0}", "no entry of auto_approvers names {0} for it"


class NodesLab(RunLab):
    def __enter__(self):
        super().__enter__()
        self.keys = {}
        try:
            for who in PORTS:
                self._start_node(who)
            for prefix, via in (("10.0.0.0/8", self.LAN), ("fd00::/8", self.LAN6)):
                run("ip", "-n", self.netns("web"), "route", "add", prefix, "via", via)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *args):
        super().__exit__(*args)
        for who in PORTS:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{UAPI_DIR}/{self.name}{who}0.sock")

    def _start_node(self, who):
        """It calls nobody: the router has its endpoint."""
        device, netns, key = f"{self.name}{who}0", self.netns("phone"), f"{self.run_dir}/{who}.key"
        start_wireguard(netns, device)
        run("sh", "-c", f"umask 077; wg genkey >{key}")
        with open(f"{self.run_dir}/router.pub", encoding="ascii") as file:
            router = file.read().strip()
        self.exec("phone", "wg", "set", device, "private-key", key, "listen-port", PORTS[who],
                  "peer", router, "allowed-ips", "0.0.0.0/0,::/0")
        run("ip", "-n", netns, "link", "set", device, "mtu", 1420, "up")
        self.keys[who] = self.exec("phone", "wg", "show", device, "public-key").stdout.strip()

    def policy_of(self, *who, approved=SHARED, via=()):
        """Nodes in that order. Nothing approves a prefix that is not in approved."""
        policy = open_policy(self)
        for name in who:
            policy["nodes"][name] = {
                "public_key": self.keys[name], "addresses": ADDRESSES[name],
                "endpoint": f"192.0.2.10:{PORTS[name]}",
                "advertise_routes": list(SHARED + (WISHED if name == "barn" else ()))}
        policy["auto_approvers"]["routes"].update({prefix: list(who) for prefix in approved})
        if via:
            policy["routes"].update({prefix: {"via": list(via)} for prefix in SHARED})
        return policy

    # ---- what status says ----

    def states(self):
        """{(prefix, node): (state, reason)}, of the nodes here"""
        return {(r["prefix"], r["node"]): (r["state"], r["reason"])
                for r in self.json("status")["routes"] if r["node"] in PORTS}

    def becomes(self, wanted, what):
        """wanted: {(prefixes, node): (state, reason)}; nothing else is advertised."""
        want = {(prefix, node): (state, reason.format(node))
                for (prefixes, node), (state, reason) in wanted.items() for prefix in prefixes}
        wait_until(lambda: self.states() == want, f"{what}: {want}, got {self.states()}")
        check_equal(self.json("status")["problems"], [], f"{what}: problems")
        lines = [" ".join(line.split()) for line in self.towpath("status").stdout.splitlines()]
        for (prefix, node), (state, reason) in want.items():
            found = [line for line in lines if line.startswith(f"{prefix} {node} ")]
            check(len(found) == 1 and found[0].startswith(f"{prefix} {node} {state} ") and
                  found[0].endswith(f" {reason}"), f"{what}: {prefix} of {node}: {found}")

    # ---- where packets go ----

    def goes_to(self, node, prefixes, what):
        """From a host of the LAN, whole; node None: to neither."""
        with contextlib.ExitStack() as stack:
            sinks = {who: stack.enter_context(self.capture("phone", f"{self.name}{who}0"))
                     for who in PORTS}
            sent = {}
            self.next_port += 1
            for source, target in zip((self.WEB, self.WEB6), HOSTS[prefixes]):
                sent[target] = udp(source, target, self.next_port, 5000, what.encode())
                inject_frame(self.netns("web"), "eth0", self.mac("router", "lan0"),
                             sent[target])
            for who, sink in sinks.items():
                self.mark(who, sink)
            for target, raw in sent.items():
                came = {who: [bytes(p.raw) for p in sink.seen if p.dst == target]
                        for who, sink in sinks.items()}
                want = {who: [forwarded(raw)] if who == node else [] for who in PORTS}
                check_equal(came, want, f"{what}: packets to {target}")

    def mark(self, who, sink):
        """To the node's own address, behind what was sent. One that is no member has none, and is
        no peer of the device that could be sent anything."""
        if who not in {p["name"] for p in self.json("status")["peers"]}:
            peers = self.exec("router", "wg", "show", self.tunnel, "peers").stdout
            check(self.keys[who] not in peers, f"{who} among {peers}")
            return
        for source, target in zip((self.WEB, self.WEB6), ADDRESSES[who]):
            inject_frame(self.netns("web"), "eth0", self.mac("router", "lan0"),
                         udp(source, target, self.next_port, 5001, b"mark"))
            sink.expect(lambda p, t=target: p.dst == t, f"the mark for {who}")


BOTH = {(SHARED, "barn"): ("active", TUNNEL), (SHARED, "cabin"): ("standby", "barn is preferred"),
        (WISHED, "barn"): ("unapproved", NOWHERE)}


@case
def the_first_advertiser_is_active_and_the_next_stands_by(lab):
    with lab.running(policy=lab.policy_of("barn", "cabin")):
        lab.becomes(BOTH, "two advertisers")
        lab.goes_to("barn", SHARED, "two advertisers")
        # nobody is at a loss: the one that is left takes over
        lab.write(lab.policy_of("cabin"))
        lab.becomes({(SHARED, "cabin"): ("active", TUNNEL)}, "barn is removed")
        lab.goes_to("cabin", SHARED, "barn is removed")
        lab.write(lab.policy_of("barn", "cabin"))
        lab.becomes(BOTH, "barn is back")
        lab.goes_to("barn", SHARED, "barn is back")


@case
def via_names_who_is_preferred(lab):
    with lab.running(policy=lab.policy_of("barn", "cabin", via=("cabin", "barn"))):
        lab.becomes({**BOTH, (SHARED, "barn"): ("standby", "cabin is preferred"),
                     (SHARED, "cabin"): ("active", TUNNEL)}, "cabin first")
        lab.goes_to("cabin", SHARED, "cabin first")


@case
def what_nobody_approved_leads_nowhere_until_somebody_does(lab):
    with lab.running(policy=lab.policy_of("barn", "cabin")):
        lab.becomes(BOTH, "not approved")
        lab.goes_to(None, WISHED, "not approved")
        for prefix in WISHED:
            check_equal(lab.exec("router", "ip", "route", "show", "table", "all", prefix).stdout,
                        "", f"kernel routes to {prefix}")
        lab.write(lab.policy_of("barn", "cabin", approved=SHARED + WISHED))
        lab.becomes({**BOTH, (WISHED, "barn"): ("active", TUNNEL)}, "approved")
        lab.goes_to("barn", WISHED, "approved")
        lab.write(lab.policy_of("barn", "cabin"))
        lab.becomes(BOTH, "not approved any more")
        lab.goes_to(None, WISHED, "not approved any more")


if __name__ == "__main__":
    main(NodesLab)
