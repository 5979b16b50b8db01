# SPDX-License-Identifier: GPL-2.0-only
"""A home behind a carrier's NAT, which nobody can call, and a phone that meets it at a hub:

    phone 192.0.2.10 ---+--- hub 192.0.2.1
                        |
             192.0.2.20 nat 100.64.0.1 --- 100.64.0.2 home 10.10.30.1 --- host 10.10.30.20

towpath runs in hub and home, an instance each; the phone is a plain client of the hub. The host's
way to the mesh is the home."""

import contextlib
import json
import os
import shutil
import subprocess

from lib import TOWPATH, Capture, Lab, inject_frame, inject_ip, listens, run, wait_until

UAPI_DIR = "/var/run/wireguard"
NFT = """table inet cgn {
    chain out {
        type nat hook postrouting priority srcnat
        oifname "wan0" masquerade
    }
    chain in {
        type filter hook forward priority filter; policy drop
        iifname "inside" accept
        ct state established,related accept
    }
}"""


def start_wireguard(netns, device):
    """The kernel's, or wireguard-go, which ends with what else is in the namespace."""
    made = run("ip", "-n", netns, "link", "add", device, "type", "wireguard", ok=False)
    if not made.returncode:
        return
    # pylint: disable-next=consider-using-with # __exit__ ends whoever is in the namespace
    subprocess.Popen(["nsenter", f"--net=/run/netns/{netns}", "--", "wireguard-go",
                      "--foreground", device], stdin=subprocess.DEVNULL,
                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                     env=dict(os.environ, LOG_LEVEL="silent"))
    wait_until(lambda: listens(netns, f"{UAPI_DIR}/{device}.sock"), "it to listen")
    wait_until(lambda: not run("nsenter", f"--net=/run/netns/{netns}", "--", "wg", "show", device,
                               ok=False).returncode, f"the tunnel {device}")


class HubLab(Lab):
    NAMESPACES = ("phone", "net", "hub", "nat", "home", "host")
    HUB, HUB6 = "100.80.0.1", "fd7a:70::1"
    HOME, HOME6 = "100.80.0.2", "fd7a:70::2"
    HOME_LAN, HOME_LAN6 = "10.10.30.1", "fd10:30::1"
    HOST, HOST6 = "10.10.30.20", "fd10:30::20"
    LAN_PREFIXES = ("10.10.30.0/24", "fd10:30::/64")
    ENDPOINTS = {4: "192.0.2.1:51820", 6: "[2001:db8::1]:51820"}

    def __init__(self, underlay=4):
        super().__init__()
        self.underlay = underlay
        self.next_port = 20000      # inside limits.snat_ports, so NAT keeps it
        self.tunnels = {who: f"{self.name}{who}0" for who in ("hub", "home", "phone")}
        self.phone_tunnel = self.tunnels["phone"]
        self.keys = {}

    # ---- up and down ----

    def __enter__(self):
        os.makedirs(self.run_dir, 0o700)
        try:
            self._make_namespaces()
            self._make_net()
            self._make_home()
            for who in self.tunnels:
                self._make_key(who)
            self._start_phone()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for who in ("hub", "home"):
            self.towpath_in(who, "down", ok=False)
        for short in self.NAMESPACES:
            pids = run("ip", "netns", "pids", self.netns(short), ok=False).stdout.split()
            for pid in pids:    # what they started themselves
                run("kill", pid, ok=False)
            run("ip", "netns", "del", self.netns(short), ok=False)
        for tunnel in self.tunnels.values():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{UAPI_DIR}/{tunnel}.sock")
        shutil.rmtree(self.run_dir)
        with contextlib.suppress(OSError):      # another lab is up
            os.rmdir(os.path.dirname(self.run_dir.rstrip("/")))

    def _make_namespaces(self):
        for short in self.NAMESPACES:
            run("ip", "netns", "add", self.netns(short))
            self.exec(short, "sysctl", "-qw", "net.ipv4.ip_forward=0",
                      "net.ipv6.conf.default.accept_dad=0")
            run("ip", "-n", self.netns(short), "link", "set", "lo", "up")

    def _cable(self, a, a_device, b, b_device):
        """As scripts/lab lays them: no receiver takes a checksum on trust."""
        run("ip", "-n", self.netns(a), "link", "add", a_device, "up", "type", "veth", "peer",
            "name", b_device, "netns", self.netns(b))
        run("ip", "-n", self.netns(b), "link", "set", b_device, "up")
        self.exec(a, "ethtool", "-K", a_device, "rx", "off")
        self.exec(b, "ethtool", "-K", b_device, "rx", "off")

    def _address(self, short, device, *addresses):
        for address in addresses:
            run("ip", "-n", self.netns(short), "address", "add", address, "dev", device)

    def _route(self, short, *route):
        run("ip", "-n", self.netns(short), "route", "add", *route)

    def _make_net(self):
        run("ip", "-n", self.netns("net"), "link", "add", "switch", "up", "type", "bridge",
            "stp_state", 0, "forward_delay", 0)
        for short, device, last in (("hub", "eth0", "1"), ("phone", "eth0", "10"),
                                    ("nat", "wan0", "20")):
            self._cable(short, device, "net", short)
            run("ip", "-n", self.netns("net"), "link", "set", short, "master", "switch")
            self._address(short, device, f"192.0.2.{last}/24", f"2001:db8::{last}/64")
        self._cable("nat", "inside", "home", "wan0")
        self._address("nat", "inside", "100.64.0.1/24", "fd64::1/64")
        self.exec("nat", "sysctl", "-qw", "net.ipv4.ip_forward=1",
                  "net.ipv6.conf.all.forwarding=1")
        self.exec("nat", "nft", NFT)

    def _make_home(self):
        self._address("home", "wan0", "100.64.0.2/24", "fd64::2/64")
        for via in ("100.64.0.1", "fd64::1"):
            self._route("home", "default", "via", via)
        self._cable("host", "eth0", "home", "lan0")
        self._address("home", "lan0", f"{self.HOME_LAN}/24", f"{self.HOME_LAN6}/64")
        self._address("host", "eth0", f"{self.HOST}/24", f"{self.HOST6}/64")
        for via in (self.HOME_LAN, self.HOME_LAN6):
            self._route("host", "default", "via", via)
        self.exec("home", "ethtool", "-K", "lan0", "tx", "off")
        self.host_mac = self.mac("host", "eth0")
        self.home_mac = self.mac("home", "lan0")

    def _make_key(self, who):
        path = f"{self.run_dir}/{who}.key"
        self.keys[who] = run(TOWPATH, "keygen", "--out", path).stdout.strip()

    def _start_phone(self):
        device, netns = self.phone_tunnel, self.netns("phone")
        start_wireguard(netns, device)
        path = f"{self.run_dir}/phone.key"
        self.exec("phone", "wg", "set", device, "private-key", path, "peer", self.keys["hub"],
                  "endpoint", self.ENDPOINTS[self.underlay], "persistent-keepalive", 5,
                  "allowed-ips", ",".join(("100.80.0.0/24", "fd7a:70::/64") + self.LAN_PREFIXES))
        self._address("phone", device, f"{self.PHONE}/32", f"{self.PHONE6}/128")
        run("ip", "-n", netns, "link", "set", device, "mtu", 1420, "up")
        for prefix in ("100.80.0.0/24", "fd7a:70::/64") + self.LAN_PREFIXES:
            self._route("phone", prefix, "dev", device)

    # ---- towpath ----

    def exec(self, short, *command, **options):
        return run("nsenter", f"--net=/run/netns/{self.netns(short)}", "--", *command, **options)

    def towpath_in(self, who, *args, **options):
        return self.exec(who, TOWPATH, "--instance", f"{self.name}{who}", *args, **options)

    def node(self, who, addresses, **more):
        return {"public_key": self.keys[who], "addresses": addresses,
                "tunnel": {"interface": self.tunnels[who],
                           "private_key_file": f"{self.run_dir}/{who}.key"}} | more

    def policy(self):
        return {
            "version": 1,
            "nodes": {
                "hub": self.node("hub", [self.HUB, self.HUB6],
                                 endpoint=self.ENDPOINTS[self.underlay]),
                "home": self.node("home", [self.HOME, self.HOME6], via="hub",
                                  advertise_routes=list(self.LAN_PREFIXES)),
            },
            "peers": {"phone": {"public_key": self.keys["phone"],
                                "addresses": [self.PHONE, self.PHONE6]}},
            "auto_approvers": {"routes": {p: ["home"] for p in self.LAN_PREFIXES}},
            "hosts": {"lan": self.LAN_PREFIXES[0], "lan6": self.LAN_PREFIXES[1]},
            "grants": [
                {"src": ["phone"], "dst": ["lan", "lan6", "hub", "home"],
                 "ip": ["icmp:*", "tcp:5001", "udp:5353"]},
                {"src": ["lan", "lan6", "home"], "dst": ["phone"],
                 "ip": ["icmp:*", "tcp:5001", "udp:5353"]},
            ],
        }

    def apply_in(self, who, policy):
        """By name: on one machine each could read the other's key."""
        return self.towpath_in(who, "apply", self.write_policy(policy, f"{who}.json"),
                               "--node", who)

    def drops_in(self, who, reason):
        return self.status_of(who)["drops"][reason]

    def status_of(self, who):
        return self.json_in(who, "status")

    def json_in(self, who, *args):
        return json.loads(self.towpath_in(who, *args, "--json").stdout)

    # ---- packets ----

    def capture(self, short, device=None):
        return Capture(self.netns(short), device or self.tunnels.get(short, "eth0"))

    def from_phone(self, raw):
        inject_ip(self.netns("phone"), self.phone_tunnel, raw)

    def from_host(self, raw):
        inject_frame(self.netns("host"), "eth0", self.home_mac, raw)

    def port(self):
        self.next_port += 1
        return self.next_port

    def pings(self, short, address, ok=True):
        return self.exec(short, "ping", "-n", "-c", "1", "-W", "5", address, ok=ok).returncode == 0
