#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Addresses of the LAN that a load balancer on the gateway itself announces: nobody answers for
them there, and a packet from the mesh reaches the load balancer all the same, as a LAN client's.

The load balancer is a stand-in (lb.py) on the router's LAN device. Behind it are a pod of the
router's, and a LAN host to which it masquerades. The daemon finds out by itself where an address
is; a LAN host takes it, and gives it back.

So it is with a service of ours whose backend is such an address: we translate that of the service,
once each way, and the load balancer that of the backend."""

import contextlib
import errno
import socket
import time

from daemon import BUSY_S, HTTP_PORT, Daemon
from lb import LoadBalancer, TC_ACT_OK, TC_ACT_UNSPEC
from lib import (DEADLINE_S, SLOWNESS, Lab, bound_socket, case, check, check_equal, client_socket,
                 inject_frame, main, run, wait_until)
from packets import forwarded, udp
from scenes import announce, exchange, open_policy, reasons

VIP, VIP6 = "10.10.30.50", "fd10:30::50"
VIPS = {"10.10.30.0/24": ["10.10.30.48-10.10.30.55"], "fd10:30::/64": ["fd10:30::48-fd10:30::5f"]}
POD, POD6, POD_VIA, POD_VIA6 = "10.244.0.5", "fd44::5", "10.244.0.1", "fd44::1"
POD_PORT, HOST_PORT, OWN_PORT = 5353, 8053, 8081
HERE, ELSEWHERE = "here", "elsewhere"
SERVICES = {VIP: "100.80.0.80", VIP6: "fd7a:70::80"}    # whose backends those are


def families(lab):
    """The phone, the VIP, the pod, the router on the LAN and a LAN host."""
    return ((lab.PHONE, VIP, POD, lab.LAN, lab.WEB), (lab.PHONE6, VIP6, POD6, lab.LAN6, lab.WEB6))


class Scene(Lab):
    """With a pod at the router, and nothing applied."""

    def __enter__(self):
        super().__enter__()
        self.next_port = 20000
        run("ip", "netns", "add", self.netns("pod"))
        router, pod = ("ip", "-n", self.netns("router")), ("ip", "-n", self.netns("pod"))
        run(*router, "link", "add", "pod0", "type", "veth", "peer", "name", "eth0", "netns",
            self.netns("pod"))
        for address, via, ns, device in (
                (POD_VIA, None, router, "pod0"), (POD, POD_VIA, pod, "eth0"),
                (POD_VIA6, None, router, "pod0"), (POD6, POD_VIA6, pod, "eth0")):
            bits, flags = ("24", ()) if "." in address else ("64", ("nodad",))
            run(*ns, "link", "set", device, "up")
            run(*ns, "address", "add", f"{address}/{bits}", "dev", device, *flags)
            if via:
                run(*ns, "route", "add", "default", "via", via)
        run("nsenter", f"--net=/run/netns/{self.netns('router')}", "--", "sysctl", "-qw",
            "net.ipv4.conf.pod0.forwarding=1", "net.ipv6.conf.pod0.forwarding=1")
        # where there is force_forwarding, that of all devices is not what towpath sets
        run("nsenter", f"--net=/run/netns/{self.netns('router')}", "--", "sysctl", "-qw",
            "net.ipv6.conf.pod0.force_forwarding=1", ok=False)
        for short, device in (("router", "pod0"), ("pod", "eth0")):
            run("nsenter", f"--net=/run/netns/{self.netns(short)}", "--", "ethtool", "-K", device,
                "tx", "off")
        return self

    def __exit__(self, *_):
        super().__exit__()
        run("ip", "netns", "delete", self.netns("pod"))

    def recover(self):
        self.script("towpath", "down", ok=False)

    def vip_policy(self, **node):
        policy = open_policy(self)
        for prefix, vips in VIPS.items():
            policy["routes"][prefix]["local_vips"] = vips
        policy["nodes"]["homelab-1"].update(node)
        policy["socket_lb"] = {"mode": "off"}
        policy["services"] = {
            f"of-{index}": {"vip": service, "backends": [vip],
                            "ports": [{"port": port, "protocol": protocol}
                                      for port in (53, 80) for protocol in ("tcp", "udp")]}
            for index, (vip, service) in enumerate(SERVICES.items())}
        policy["grants"] += [{"src": ["*"], "dst": list(policy["services"])}]
        return policy

    def port(self):
        self.next_port += 1
        return self.next_port

    @contextlib.contextmanager
    def running(self, attach="auto", **node):
        """A daemon that has found out that nobody has the VIPs."""
        self.path = self.write_policy(self.vip_policy(**node))
        with Daemon(self, self.path, "--tc-attach", attach,
                    "--metrics-listen", f"127.0.0.1:{HTTP_PORT}") as daemon:
            self.wait_for_tunnel()
            for vip in (VIP, VIP6):
                self.is_at(vip, HERE)
            yield daemon
        self.script("towpath", "down")

    def found(self, vip):
        rows = self.json("status")["local_vips"]
        return next((row["where"] for row in rows if row["address"] == vip), None)

    def is_at(self, vip, where, seconds=DEADLINE_S):
        wait_until(lambda: self.found(vip) == where, f"{vip} to be found at {where}", seconds)

    @contextlib.contextmanager
    def balanced(self, tcx=True, first=False, then=TC_ACT_UNSPEC, adopted=False):
        """The stand-in on the LAN device and on the pod's; adopted: and on the tunnel's."""
        places = [("lan0", "ingress", "lb_in"), ("lan0", "egress", "lb_out"),
                  ("pod0", "ingress", "lb_in")]
        if adopted:
            places += [(self.tunnel, "ingress", "lb_in_l3"), (self.tunnel, "egress", "lb_out_l3")]
        with LoadBalancer(self) as lb, contextlib.ExitStack() as stack:
            lb.then(then)
            for _, vip, pod, router, web in families(self):
                lb.serve(vip, 53, pod, POD_PORT)
                lb.serve(vip, 80, web, HOST_PORT, router)
                lb.serve(vip, 81, router, OWN_PORT)
            for device, way, program in places:
                stack.enter_context(lb.attached(device, way, program, tcx, first))
            yield lb

    def is_first(self):
        """Nobody's program runs before ours, by what the daemon has seen. Two looks may be needed
        where others come one by one, and each loads the programs."""
        wait_until(lambda: self.json("plan", self.path)["ops"] == [], "ours to be first",
                   2 * BUSY_S)


def counted(before, after):
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


def is_reached(lab, lb, at, sent, answer, translations):
    """A datagram and its answer, both compared whole, and one translation of each. at: namespace,
    its device and the router's toward it; sent: the question and what arrives of it; answer: what
    the other end says, and what the phone hears."""
    (short, device, ours), before = at, lb.counts()
    with lab.capture(short) as there, lab.capture("phone") as at_phone:
        lab.from_phone(sent[0])
        got = there.expect_payload(b"to the " + short.encode())
        check_equal(got.raw.hex(), sent[1].hex(), f"what {short} is sent")
        inject_frame(lab.netns(short), device, lab.mac("router", ours), answer[0])
        got = at_phone.expect_payload(b"from the " + short.encode())
        check_equal(got.raw.hex(), answer[1].hex(), "what the phone is sent")
    check_equal(counted(before, lb.counts()), translations, "translations")


def names(vip):
    """By which it is reached: its own, and that of the service."""
    return vip, SERVICES[vip]


def pod_is_reached(lab, lb):
    for phone, vip, pod, _, _ in families(lab):
        for name in names(vip):
            pod_is_reached_by(lab, lb, phone, name, pod)


def pod_is_reached_by(lab, lb, phone, vip, pod):
    sport = lab.port()
    question = udp(phone, vip, sport, 53, b"to the pod")
    answer = udp(pod, phone, POD_PORT, sport, b"from the pod")
    is_reached(lab, lb, ("pod", "eth0", "pod0"),
               (question, forwarded(question, dst=pod, dport=POD_PORT)),
               (answer, forwarded(answer, src=vip, sport=53)),
               {"to_backend": 1, "from_masquerade": 1})


def host_is_reached(lab, lb):
    """A LAN host, which sees the router's address."""
    for phone, vip, _, router, web in families(lab):
        for name in names(vip):
            host_is_reached_by(lab, lb, phone, name, (router, web))


def host_is_reached_by(lab, lb, phone, vip, pair):
    router, web = pair
    sport = lab.port()
    question = udp(phone, vip, sport, 80, b"to the web")
    answer = udp(web, router, HOST_PORT, sport, b"from the web")
    is_reached(lab, lb, ("web", "eth0", "lan0"),
               (question, forwarded(question, src=router, dst=web, dport=HOST_PORT)),
               (answer, forwarded(answer, src=vip, dst=phone, sport=80)),
               {"to_backend": 1, "masqueraded": 1, "from_masquerade": 1})


STREAMS = ("pod", 53, POD_PORT), ("web", 80, HOST_PORT)
OWN_STREAM = ("router", 81, OWN_PORT)


def streams_are_served(lab, lb, streams, translations):
    """Connections of real sockets, large enough to be sent in super-packets. The last packet of one
    may come a little later, so nothing that counts is to follow."""
    said, before = (b"question" * 20000, b"an answer" * 20000), lb.counts()
    for short, vip_port, server_port in streams:
        for phone, vip, pod, router, web in families(lab):
            behind = short, {"pod": pod, "web": web, "router": router}[short], server_port
            # what a socket of the router answers is translated behind us, to the address itself
            for name in names(vip) if short != "router" else (vip,):
                check(exchange(lab, phone, name, *said, vip_port, behind) == said,
                      f"{name} by {short}: a stream of bytes each way")
    check_equal(set(counted(before, lb.counts())), translations, "translations")


def is_served(lab, lb):
    """By UDP and TCP: the pod, and the LAN host."""
    pod_is_reached(lab, lb)
    host_is_reached(lab, lb)
    streams_are_served(lab, lb, STREAMS, {"to_backend", "masqueraded", "from_masquerade"})


@case
def is_reached_where_nobody_answers(lab):
    with lab.running(), lab.balanced() as lb:
        before = reasons(lab)
        is_served(lab, lb)
        check(reasons(lab)["handed_over"] > before["handed_over"], "it was handed over")
        check_equal(reasons(lab)["spoof"], before["spoof"], "what was handed over is let in")


@case
def is_reached_behind_and_before_us(lab):
    """As the load balancer's verdicts are: whoever is next goes on, or nobody does."""
    with lab.running():
        for tcx in (True, False):
            for first in (True, False):
                for then in (TC_ACT_UNSPEC, TC_ACT_OK):
                    with lab.balanced(tcx, first, then) as lb:
                        is_served(lab, lb)


@case
def is_reached_where_there_is_no_tcx(lab):
    """Both by filters: a load balancer that is first there stays first."""
    with lab.running("clsact"):
        for first in (True, False):
            for then in (TC_ACT_UNSPEC, TC_ACT_OK):
                with lab.balanced(False, first, then) as lb:
                    is_served(lab, lb)
        with lab.balanced(False, False, adopted=True) as lb:
            all_are_reached(lab, lb)


@case
def is_reached_through_generic_xdp(lab):
    with lab.running(xdp="generic"), lab.balanced() as lb:
        is_served(lab, lb)


# ---- where the load balancer has adopted the tunnel's device, too -------------------------------

def own_socket_is_reached(lab, lb):
    """A socket of the router itself, whose answers are translated where they leave: behind our
    program, which sees them as they were sent, and before it."""
    for phone, vip, _, router, _ in families(lab):
        before = lb.counts()
        with bound_socket(lab, "router", socket.SOCK_DGRAM, router, OWN_PORT) as server, \
                client_socket(lab, "phone", socket.SOCK_DGRAM, vip) as client:
            client.bind((phone, 0))
            client.connect((vip, 81))
            client.send(b"to the router")
            question, sender = server.recvfrom(100)
            check_equal((question, sender[:2]), (b"to the router", client.getsockname()[:2]),
                        f"{vip}: what the router is sent")
            server.sendto(b"from the router", sender)
            check_equal(client.recv(100), b"from the router", f"{vip}: what the phone is sent")
        check_equal(counted(before, lb.counts()), {"to_backend": 1, "to_client": 1},
                    "translations")


def all_are_reached(lab, lb):
    pod_is_reached(lab, lb)
    host_is_reached(lab, lb)
    own_socket_is_reached(lab, lb)
    streams_are_served(lab, lb, (*STREAMS, OWN_STREAM),
                       {"to_backend", "masqueraded", "from_masquerade", "to_client"})


@case
def is_translated_once_behind_us_on_the_tunnel(lab):
    with lab.running():
        for tcx in (True, False):
            for then in (TC_ACT_UNSPEC, TC_ACT_OK):
                with lab.balanced(tcx, False, then, adopted=True) as lb:
                    all_are_reached(lab, lb)


@case
def is_translated_once_when_we_are_first_again(lab):
    """Who gets before us on the tunnel would translate what nobody has judged: the daemon sees to
    it that nobody does."""
    with lab.running():
        for then in (TC_ACT_UNSPEC, TC_ACT_OK):
            with lab.balanced(True, True, then, adopted=True) as lb:
                lab.is_first()
                all_are_reached(lab, lb)


@case
def a_filter_before_ours_on_the_tunnel_is_told(lab):
    """Filters have no first place to take. On a LAN device the load balancer may have it."""
    def told():
        return [p["what"] for p in lab.json("status")["problems"]
                if "runs before ours" in p["what"]]

    with lab.running("clsact") as daemon:
        for first, adopted in ((False, True), (True, False)):
            with lab.balanced(False, first, adopted=adopted):
                check_equal(told(), [], f"first {first}, on the tunnel {adopted}")
        with lab.balanced(False, True, adopted=True):
            what = "a filter of priority 1 that is not towpath's runs before ours on the "
            check_equal(told(), [what + f"{way} of {lab.tunnel}" for way in ("ingress", "egress")],
                        "first there")
            check_equal(daemon.fetch("/readyz")[0], 503, "/readyz")
            check_equal(lab.json("plan", lab.path)["ops"], [], "plan")
        check_equal(told(), [], "after it")


# ---- where it is -------------------------------------------------------------------------------

@contextlib.contextmanager
def held_by(lab, short, address):
    """A LAN host has the address."""
    ip = ("ip", "-n", lab.netns(short), "address")
    bits, flags = ("32", ()) if "." in address else ("128", ("nodad",))
    run(*ip, "add", f"{address}/{bits}", "dev", "eth0", *flags)
    try:
        yield
    finally:
        run(*ip, "del", f"{address}/{bits}", "dev", "eth0")


def lan_is_reached(lab, vip, phone, router, sport, text):
    """The host that has it gets the packet, from the router's address."""
    question = udp(phone, vip, sport, 53, text)
    with lab.capture("dns") as at_dns:
        lab.from_phone(question)
        got = at_dns.expect_payload(text)
        check_equal(got.raw.hex(), forwarded(question, src=router).hex(), "what the host is sent")


def flow_goes_to_pod(lab, vip, phone, pod, sport, text):
    question = udp(phone, vip, sport, 53, text)
    with lab.capture("pod") as at_pod:
        lab.from_phone(question)
        got = at_pod.expect_payload(text)
        check_equal(got.raw.hex(), forwarded(question, dst=pod, dport=POD_PORT).hex(),
                    "what the pod is sent")


@case
def follows_the_address_to_another_machine_and_back(lab):
    """The same flow, from the same port: by where the address is at the time."""
    with lab.running() as daemon, lab.balanced():
        for phone, vip, pod, router, _ in families(lab):
            sport = lab.port()
            flow_goes_to_pod(lab, vip, phone, pod, sport, b"first here")
            check_equal(daemon.metrics().value("towpath_local_vip_here", vip), 1, "metrics")
            with held_by(lab, "dns", vip):
                lab.is_at(vip, ELSEWHERE)
                check_equal(daemon.metrics().value("towpath_local_vip_here", vip), 0, "metrics")
                lan_is_reached(lab, vip, phone, router, sport, b"then there")
            lab.is_at(vip, HERE)
            flow_goes_to_pod(lab, vip, phone, pod, sport, b"and here again")


def opened(stack, lab, vip, behind):
    """A connection to the address: (client, server)."""
    with bound_socket(lab, *behind) as listener:
        client = stack.enter_context(client_socket(lab, "phone", socket.SOCK_STREAM, vip))
        client.connect((vip, 53))
        server, _ = listener.accept()
        server.settimeout(DEADLINE_S)
        stack.enter_context(server)
    passes_both_ways((client, server))
    return client, server


def passes_both_ways(ends):
    for here, there in (ends, ends[::-1]):
        here.sendall(b"go on")
        check_equal(there.recv(100), b"go on", "the stream")


def hears_nothing(end, what):
    end.setblocking(False)
    try:
        got = end.recv(100)
    except OSError as error:
        got = error.errno
    check_equal(got, errno.EAGAIN, what)


def is_over(lab, all_ends):
    """What their clients say ends here."""
    before = lab.drops("invalid")
    for client, _ in all_ends:
        client.sendall(b"are you there?")
    lab.counted("invalid", before, len(all_ends))


@case
def a_connection_is_of_the_machine_that_has_the_address(lab):
    """One that is silent while the address is elsewhere goes on when it is back. One that is not is
    over, as one to the other machine is then; and either way they may be opened anew."""
    vips = [(vip, ("pod", socket.SOCK_STREAM, pod, POD_PORT), ("dns", socket.SOCK_STREAM, vip, 53))
            for _, vip, pod, _, _ in families(lab)]

    def is_found(where):
        for vip, *_ in vips:
            lab.is_at(vip, where)

    with lab.running(), lab.balanced(), contextlib.ExitStack() as stack:
        silent, speaks = ([opened(stack, lab, vip, pod) for vip, pod, _ in vips] for _ in "ab")
        with contextlib.ExitStack() as moved:
            for vip, *_ in vips:
                moved.enter_context(held_by(lab, "dns", vip))
            is_found(ELSEWHERE)
            there = [opened(stack, lab, vip, dns) for vip, _, dns in vips]
            is_over(lab, speaks)
            for ends in there:
                passes_both_ways(ends)
        is_found(HERE)
        is_over(lab, there)
        for ends in silent + [opened(stack, lab, vip, pod) for vip, pod, _ in vips]:
            passes_both_ways(ends)
        for end in (end for ends in speaks + there for end in ends):
            hears_nothing(end, "of a connection that is over")


@case
def hears_an_announcement_at_once(lab):
    """It comes from a host that answers no question: three of these later it is here again."""
    with lab.running(), lab.balanced():
        for phone, vip, pod, _, _ in families(lab):
            flow_goes_to_pod(lab, vip, phone, pod, lab.port(), b"it is in use")
            start = time.monotonic()
            announce(lab, "web", vip)
            lab.is_at(vip, ELSEWHERE)
            check(time.monotonic() - start < 0.5 * SLOWNESS, f"{vip} was found at once")
            lab.is_at(vip, HERE, 2 * DEADLINE_S)


@case
def a_mesh_source_on_the_lan_is_refused_meanwhile(lab):
    """Also one that has the addresses and ports of a packet that is handed over just then."""
    with lab.running(), lab.balanced() as lb:
        for phone, vip, pod, _, _ in families(lab):
            sport = lab.port()
            flow_goes_to_pod(lab, vip, phone, pod, sport, b"not spoofed")
            before, served = lab.drops("spoof"), lb.counts()
            for _ in range(3):
                inject_frame(lab.netns("web"), "eth0", lab.mac("router", "lan0"),
                             udp(phone, vip, sport, 53, b"spoofed"))
            lab.counted("spoof", before, 3)
            check_equal(counted(served, lb.counts()), {}, "what the load balancer has seen")


@case
def a_strict_reverse_path_filter_is_an_error(lab):
    path = "net.ipv4.conf.lan0.rp_filter"
    set_filter = ("nsenter", f"--net=/run/netns/{lab.netns('router')}", "--", "sysctl", "-qw")
    run(*set_filter, f"{path}=1")
    try:
        done = lab.towpath("apply", lab.write_policy(lab.vip_policy()), status=1)
        check("rp_filter is 1 (strict)" in done.stderr and f"set {path} to 2" in done.stderr,
              f"the error names the mend: {done.stderr}")
    finally:
        run(*set_filter, f"{path}=0")


if __name__ == "__main__":
    main(Scene)
