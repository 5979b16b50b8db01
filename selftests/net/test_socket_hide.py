#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Another tool's socket load balancer kept away from exempt network namespaces: each way that it is
attached, before and after ours, updated in place, dropped and attached anew."""

import contextlib
import errno
import glob
import json
import os
import socket
import struct
import subprocess
import threading
import time

from daemon import HTTP_PORT, Daemon
from lib import (DEADLINE_S, SLOWNESS, SO_RCVBUFFORCE, Lab, Skip, bound_socket, case, check,
                 check_equal, main, run, wait_until)
from other_lb import HOOKS, PLACES, PREORDER, WAYS, OtherLb, older_kernel
from scenes import open_policy
from services import (TCP, UDP, cgroup_programs, move_to, new_cgroup, own_cgroup, programs_of,
                      socket_in, true_peers)
from standin import LINK_CREATE, bpf

V4, V6 = socket.AF_INET, socket.AF_INET6
OTHERS, OTHERS6 = "100.80.0.90", "fd7a:70::90"
BACKEND, BACKEND6 = "10.10.30.99", "fd10:30::99"    # nobody: a connection there stays open,
BACKEND_MAC = "02:00:00:00:00:99"                   # as long as no neighbour is looked for in vain
EMPTY, EMPTY6 = "100.80.0.91", "fd7a:70::91"
MORE, MORE6 = "100.80.0.92", "fd7a:70::92"
FAMILIES = ((V4, OTHERS, BACKEND), (V6, OTHERS6, BACKEND6), (V6, "::ffff:" + OTHERS,
                                                            "::ffff:" + BACKEND))


def hiding(lab, foreign="hide", **socket_lb):
    """The policy: the phone's namespace is exempt."""
    policy = open_policy(lab)
    policy["socket_lb"] = {"cgroup": lab.cgroup, "foreign": foreign,
                           "exempt": [{"netns": lab.netns("phone")}], **socket_lb}
    return policy


def reached(lab, short, kind, family, address):
    """Where connect() to that address leads, by what the kernel has."""
    with socket_in(lab, short, kind, family) as sock:
        sock.setblocking(False)
        error = sock.connect_ex((address, 80))
        check(error in (0, errno.EINPROGRESS), f"{short}: connect to {address}: {error}")
        return true_peers(lab, short, sock)


def sent_to(lab, address, family):
    """Where a datagram of an unconnected socket of the phone goes: seen in the tunnel."""
    payload = f"to {address}".encode()
    lab.wait_for_tunnel()
    with lab.capture("router") as tunnel, socket_in(lab, "phone", UDP, family) as sock:
        sock.sendto(payload, (address, 80))
        packet = tunnel.expect_payload(payload)
    return packet.dst, packet.ports[1]


def check_hidden(lab, other, what):
    """The phone's sockets go where they want and the other tool has not seen them; the router's
    are the other tool's."""
    before = other.counts()
    for family, address, _ in FAMILIES:
        for kind in (TCP, UDP):
            check_equal(reached(lab, "phone", kind, family, address), (address, 80),
                        f"{what}: the phone's")
        check_equal(sent_to(lab, address, family), (address.replace("::ffff:", ""), 80),
                    f"{what}: the phone's datagram")
    check_equal(other.counts(), before, f"{what}: what the other tool did")
    for family, address, backend in FAMILIES:
        for kind in (TCP, UDP):
            check_equal(reached(lab, "router", kind, family, address), (backend, 8081),
                        f"{what}: the router's")


def is_hidden(lab):
    return lab.json("status")["healthy"]


def is_reached(lab, short, address):
    """Whether connect() leads there as it is: no other tool led it elsewhere, nobody refused."""
    with socket_in(lab, short, UDP, V4) as sock:
        return not sock.connect_ex((address, 80)) and true_peers(lab, short, sock)[0] == address


def hide_pins(lab):
    return glob.glob(f"{lab.pins}/links/cgroup-*tp_hide_*")


def check_lost(lab, what):
    status = lab.json("status")
    check_equal([p["what"] for p in status["problems"]],
                [f"exempt sockets are not hidden from other tools' programs in {lab.cgroup}"], what)


@case
def whoever_comes_first_and_however_it_is_attached(lab):
    for way in WAYS:
        with other_lb(lab) as other:
            other.attach(way)
            check_equal(reached(lab, "phone", TCP, V4, OTHERS), (BACKEND, 8081), "not hidden yet")
            lab.apply(hiding(lab))
            check_hidden(lab, other, f"{way}, before ours")
            other.update()
            check(is_hidden(lab), f"{way}: in force after an update in place")
            check_hidden(lab, other, f"{way}, updated in place")
            other.detach()
            check(is_hidden(lab), f"{way}: in force when it is gone")
            other.attach(way)
            check_lost(lab, f"{way}, attached behind ours")
            lab.apply(hiding(lab))
            check_hidden(lab, other, f"{way}, after the next apply")
            check_equal(lab.json("plan", lab.write_policy(hiding(lab)))["ops"], [], "plan")


def check_briefly(lab, other, what):
    before = other.counts()
    for family, address, _ in FAMILIES:
        check_equal(reached(lab, "phone", UDP, family, address), (address, 80), what)
    check_equal(other.counts(), before, f"{what}: what the other tool did")
    check_equal(reached(lab, "router", UDP, V4, OTHERS), (BACKEND, 8081), f"{what}: the router's")


def takes(other, way, place):
    """Whether this kernel lets anybody be attached so."""
    try:
        other.attach(way, PLACES[place])
    except OSError as error:
        check_equal(error.errno, errno.EINVAL, f"attached {place}")
        other.detach()
        return False
    return True


@case
def wherever_it_is_attached_among_others(lab):
    """It asks to be first or last, and comes before us or behind us."""
    tried = 0
    for way in WAYS:
        for place in PLACES:
            if lab.below and "preorder" in place:
                continue    # which a kernel without it cannot do
            what = f"{way} {place}"
            with other_lb(lab) as other:
                if not takes(other, way, place):
                    continue
                tried += 1
                lab.apply(hiding(lab))
                check_briefly(lab, other, f"{what}, before ours")
                other.detach()
                other.attach(way, PLACES[place])
                lab.apply(hiding(lab))
                check(is_hidden(lab), f"{what}, behind ours: in force after the next apply")
                check_briefly(lab, other, f"{what}, behind ours")
    check(tried, f"places that this kernel has: {tried}")


@case
def it_cannot_come_alone_when_ours_are_there(lab):
    """Which docs/policy.md says: a tool that attaches itself without flags is shut out by us."""
    with other_lb(lab) as other:
        lab.apply(hiding(lab))
        try:
            other.attach("alone")
            check(False, "it was attached")
        except OSError as error:
            check_equal(error.errno, errno.EPERM, "attached without flags")


THREADS, DATAGRAMS = 8, 4000


@case
def many_threads_on_one_hidden_socket_reach_whom_they_mean(lab):
    """Both addresses are the other tool's, and by themselves of sockets in the phone."""
    with other_lb(lab) as other, contextlib.ExitStack() as stack:
        for address, address6 in ((OTHERS, OTHERS6), (MORE, MORE6)):
            other.serve(address, 80, BACKEND, 8081)
            other.serve(address6, 80, BACKEND6, 8081)
            for own in (address + "/32", address6 + "/128"):
                run("ip", "-n", lab.netns("phone"), "address", "add", own, "dev", "lo", "nodad")
                stack.callback(run, "ip", "-n", lab.netns("phone"), "address", "del", own,
                               "dev", "lo")
        other.attach("link")
        lab.apply(hiding(lab))
        before = other.counts()
        for family, addresses in ((V4, (OTHERS, MORE)), (V6, (OTHERS6, MORE6))):
            check_equal(hammered(lab, family, addresses), [], "misdelivered or refused")
        check_equal(other.counts(), before, "what the other tool did")


def hammered(lab, family, addresses):
    """What came where it was not meant to, and the errors of those that did not go."""
    wrong, heard = [], [0, 0]
    with contextlib.ExitStack() as stack:
        there = [stack.enter_context(bound_socket(lab, "phone", UDP, a, 80)) for a in addresses]
        sock = stack.enter_context(socket_in(lab, "phone", UDP, family))

        def hammer(address):
            for _ in range(DATAGRAMS // THREADS):
                try:
                    sock.sendto(address.encode(), (address, 80))
                except OSError as error:
                    wrong.append((address, error.errno))

        def listen(i):
            while heard[i] < DATAGRAMS // 2:
                question = there[i].recv(100).decode()
                heard[i] += 1
                if question != addresses[i]:
                    wrong.append((addresses[i], question))

        for receiver in there:
            receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        threads = [threading.Thread(target=listen, args=(i,)) for i in (0, 1)]
        threads += [threading.Thread(target=hammer, args=(addresses[i % 2],))
                    for i in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    check_equal(heard, [DATAGRAMS // 2] * 2, f"came, and wrong were {wrong[:3]}")
    return wrong[:5]


@case
def what_it_refuses_is_not_refused_to_exempt_sockets(lab):
    with other_lb(lab) as other:
        other.attach("link")
        lab.apply(hiding(lab))
        for family, address in ((V4, EMPTY), (V6, EMPTY6)):
            with socket_in(lab, "router", TCP, family) as sock:
                check_equal(sock.connect_ex((address, 80)), errno.EHOSTUNREACH, "the router's")
            check_equal(reached(lab, "phone", TCP, family, address), (address, 80), "the phone's")
            check_equal(sent_to(lab, address, family), (address, 80), "the phone's datagram")


@contextlib.contextmanager
def default_routes(lab, short):
    """By which an address that no other route is for leaves the machine."""
    netns = lab.netns(short)
    for family in ("-4", "-6"):
        run("ip", "-n", netns, family, "route", "add", "default", "dev", lab.phone_tunnel)
    try:
        yield
    finally:
        for family in ("-4", "-6"):
            run("ip", "-n", netns, family, "route", "del", "default", "dev", lab.phone_tunnel)


@case
def without_what_puts_back_nothing_goes_anywhere(lab):
    with other_lb(lab) as other:
        other.attach("link")
        lab.apply(hiding(lab))
        for program in ("c4", "c6", "s4", "s6"):
            run("rm", f"{lab.pins}/links/cgroup-tp_restore_{program}")
        wait_until(lambda: not any("restore" in p for p in cgroup_programs(lab)),
                   "the kernel to have detached them")
        before = other.counts()
        with default_routes(lab, "phone"):
            for family, address, _ in FAMILIES:
                for kind in (TCP, UDP):
                    with socket_in(lab, "phone", kind, family) as sock:
                        sock.setblocking(False)
                        check(sock.connect_ex((address, 80)) in (
                            errno.ENETUNREACH, errno.EACCES, errno.EINVAL),
                              f"{kind.name}: connect to {address} went on")
                with socket_in(lab, "phone", UDP, family) as sock:
                    try:
                        sock.sendto(b"lost", (address, 80))
                        check(False, f"sendto {address} went on")
                    except OSError as error:
                        check_equal(error.errno, errno.EINVAL, "sendto")
        check_equal(other.counts(), before, "what the other tool did")
        check_lost(lab, "status")
        lab.apply(hiding(lab))
        check_hidden(lab, other, "after the next apply")


def our_programs(lab):
    return [p for cgroup in (lab.cgroup, lab.pod) for p in programs_of(cgroup) if "tp_" in p]


@case
def run_notices_who_attaches_anew(lab):
    with other_lb(lab) as other:
        other.attach("link")
        with Daemon(lab, lab.write_policy(hiding(lab))):
            check_hidden(lab, other, "at the start")
            other.detach()
            other.attach("multi")
            wait_until(lambda: is_hidden(lab), "the exemption to be in force", 4 * DEADLINE_S)
            check_hidden(lab, other, "after the repair")
            check_equal(len(our_programs(lab)), 8, "our programs, each once")


PAUSE_S = 0.005
ELSEWHERE_S = 1     # of waiting for what loopback brings at once, and nobody else does


def connects(lab, kind, family, there):
    """Where connect() leads: "." there, "o" to somebody else, or the error."""
    with socket_in(lab, "phone", kind, family) as sock:
        sock.settimeout(ELSEWHERE_S)
        try:
            sock.connect(there.getsockname()[:2])
            if kind == TCP:
                there.accept()[0].close()
            return "." if sock.getpeername()[:2] == there.getsockname()[:2] else "o"
        except TimeoutError:
            return "o"
        except OSError as error:
            return errno.errorcode[error.errno]


def sends(lab, family, there):
    """The same of a datagram."""
    with socket_in(lab, "phone", UDP, family) as sock:
        question = os.urandom(8)
        try:
            sock.sendto(question, there.getsockname()[:2])
            return "." if there.recv(100) == question else "of another datagram"
        except TimeoutError:
            return "o"
        except OSError as error:
            return errno.errorcode[error.errno]


class Client(threading.Thread):
    """Does one of those over and over."""

    def __init__(self, what, *args):
        super().__init__(daemon=True)
        self.what, self.args, self.leaving, self.outcomes = what, args, False, []

    def run(self):
        while not self.leaving:
            self.outcomes.append(self.what(*self.args))
            time.sleep(PAUSE_S)

    def go_on(self):
        """Until it has seen what there is now; how often it has tried."""
        wanted = len(self.outcomes) + 20
        wait_until(lambda: len(self.outcomes) > wanted, "a client to go on", 4 * DEADLINE_S)
        return len(self.outcomes)


@contextlib.contextmanager
def clients(lab, stack):
    """Of each program that hides; they want addresses of the phone's own."""
    running = []
    for family, address, bits in ((V4, OTHERS, 32), (V6, OTHERS6, 128)):
        own = ("address", "del", f"{address}/{bits}", "dev", "lo")
        run("ip", "-n", lab.netns("phone"), "address", "add", *own[2:], "nodad")
        stack.callback(run, "ip", "-n", lab.netns("phone"), *own)
        stream = stack.enter_context(bound_socket(lab, "phone", TCP, address, 80))
        datagrams = stack.enter_context(bound_socket(lab, "phone", UDP, address, 80))
        for there in (stream, datagrams):
            there.settimeout(ELSEWHERE_S)
        running += [Client(connects, lab, TCP, family, stream),
                    Client(connects, lab, UDP, family, datagrams),
                    Client(sends, lab, family, datagrams)]
    for client in running:
        client.start()
    try:
        yield running
    finally:
        for client in running:
            client.leaving = True
        for client in running:
            client.join()


def changes(outcomes):
    """What came, each only once in a row."""
    return [a for a, before in zip(outcomes, [None, *outcomes]) if a != before]


@case
def a_repair_has_no_gap(lab):
    """From when the other tool has come behind ours, it leads sockets elsewhere; from the repair on
    no more. In between nothing is refused, and nothing goes back and forth."""
    with other_lb(lab) as other, contextlib.ExitStack() as stack, \
            Daemon(lab, lab.write_policy(hiding(lab))):
        other.attach("link")
        wait_until(lambda: is_hidden(lab), "the exemption to be in force", 4 * DEADLINE_S)
        with clients(lab, stack) as running:
            hidden = [client.go_on() for client in running]
            for way in ("multi", "link", "multi"):
                at = [client.go_on() for client in running]
                for client, begin, end in zip(running, hidden, at):
                    check_equal(changes(client.outcomes[begin:end]), ["."], "while in force")
                other.detach()
                other.attach(way)
                wait_until(lambda: is_hidden(lab), "the repair", 4 * DEADLINE_S)
                hidden = [client.go_on() for client in running]
                for client, begin, end in zip(running, at, hidden):
                    came = "".join(changes(client.outcomes[begin:end]))
                    check(came in (".o.", "o.", "."), f"{way}, {client.what.__name__}: {came}")
            check(any("o" in client.outcomes for client in running), "it had been behind ours")


def check_refused(lab, other, what):
    """The phone's sockets, wherever they want to; the router's are the other tool's."""
    for family, address, backend in FAMILIES:
        for kind in (TCP, UDP):
            with socket_in(lab, "phone", kind, family) as sock:
                check_equal(sock.connect_ex((address, 80)), errno.EACCES, f"{what}: {kind.name}")
            check_equal(reached(lab, "router", kind, family, address), (backend, 8081),
                        f"{what}: the router's")
        with socket_in(lab, "phone", UDP, family) as sock:
            try:
                sock.sendto(b"lost", (address, 80))
                check(False, f"{what}: sendto {address} went on")
            except OSError as error:
                check_equal(error.errno, errno.EACCES, f"{what}: sendto")


@case
def without_what_hides_nothing_goes_anywhere(lab):
    with other_lb(lab) as other:
        other.attach("link")
        lab.apply(hiding(lab))
        for pin in hide_pins(lab):
            os.unlink(pin)
        wait_until(lambda: not any("tp_hide" in p for p in our_programs(lab)),
                   "the kernel to have detached them")
        check_refused(lab, other, "not hidden")
        check_lost(lab, "status")
        lab.apply(hiding(lab))
        check_hidden(lab, other, "after the next apply")


def somebody_in_phone(lab):
    return subprocess.Popen(["nsenter", f"--net=/run/netns/{lab.netns('phone')}", "sleep", "1000"])


@case
def who_is_in_the_cgroup_itself(lab):
    """Where nothing comes before the other tool, without PREORDER."""
    with other_lb(lab) as other:
        other.attach("link")
        lab.apply(hiding(lab))
        move_to(lab.cgroup)
        try:
            if not lab.below:
                check_hidden(lab, other, "in the cgroup itself")
                return
            check_refused(lab, other, "in the cgroup itself")
            check(is_hidden(lab), "no process is there that is exempt")
            with somebody_in_phone(lab) as process:
                wait_until(lambda: not is_hidden(lab), "it to be seen")
                problems = [p["what"] for p in lab.json("status")["problems"]]
                check_equal(len(problems), 1, problems)
                check(f"process {process.pid} (sleep) are refused: it is in {lab.cgroup} itself"
                      in problems[0], problems)
                check_equal(lab.json("plan", lab.write_policy(hiding(lab)))["ops"], [], "plan")
                process.kill()
            check(is_hidden(lab), "it is gone")
        finally:
            move_to(lab.pod)


@case
def run_follows_cgroups_as_they_come_and_go(lab):
    with other_lb(lab) as other:
        other.attach("link")
        with Daemon(lab, lab.write_policy(hiding(lab))) as daemon:
            for name in ("other", "third.slice", "other"):
                with new_cgroup(f"{lab.cgroup}/{name}"):
                    wait_until(lambda: is_reached(lab, "phone", OTHERS), "its sockets to be hidden",
                               3 * SLOWNESS)
                    check_hidden(lab, other, f"{name}, made anew")
                    check(is_hidden(lab), "status")
                check(is_hidden(lab), "status, when it is gone")
            check(" warn: " not in daemon.log(), daemon.log())
        check(len(hide_pins(lab)) <= 8, f"links of cgroups that are gone: {hide_pins(lab)}")
        lab.apply(open_policy(lab))
        check_equal((our_programs(lab), hide_pins(lab)), ([], []), "afterwards")


@case
def another_tool_in_the_cgroup_below(lab):
    """Which nothing can be attached before, without PREORDER; said of whom it is."""
    with other_lb(lab, lab.pod) as other:
        other.attach("multi")
        lab.apply(hiding(lab))
        if not lab.below:
            check_hidden(lab, other, "attached below")
            return
        problems = [p["what"] for p in lab.json("status")["problems"]]
        check_equal(len(problems), 1, problems)
        check(f"program in {lab.pod} comes before" in problems[0], problems)
        check_equal(lab.json("plan", lab.write_policy(hiding(lab)))["ops"], [], "plan")
        other.detach()
        other.attach("multi")
        check(is_hidden(lab), "it comes behind ours now")
        check_hidden(lab, other, "attached below, behind ours")


PROG_GET_FD_BY_ID = 13


def attach_again(lab, name, hook):
    """What `run` does in a repair: the earlier link goes when this one is there."""
    below = f"{os.stat(lab.pod).st_ino}-" if lab.below else ""
    pin = f"{lab.pins}/links/cgroup-{below}tp_{name}"
    shown = json.loads(run("bpftool", "-j", "link", "show", "pinned", pin).stdout)
    program = bpf(PROG_GET_FD_BY_ID, struct.pack("=III", shown["prog_id"], 0, 0))
    cgroup = os.open(lab.pod if lab.below else lab.cgroup, os.O_RDONLY | os.O_DIRECTORY)
    flags = 0 if lab.below else PREORDER
    try:
        return bpf(LINK_CREATE, struct.pack("=IIII", program, cgroup, HOOKS[hook], flags))
    finally:
        os.close(cgroup)
        os.close(program)


@case
def hidden_twice_it_is_put_back_as_it_was(lab):
    with other_lb(lab) as other:
        other.attach("link")
        lab.apply(hiding(lab))
        links = [attach_again(lab, f"hide_{hook[0]}{hook[-1]}", hook)
                 for hook in ("connect4", "connect6", "sendmsg4", "sendmsg6")]
        try:
            check_hidden(lab, other, "hidden twice")
        finally:
            for link in links:
                os.close(link)


@case
def two_of_us_hide_one_socket(lab):
    """Two instances that share a cgroup, in any order: neither is the other tool."""
    with other_lb(lab) as other, Lab() as second:
        second.cgroup = lab.cgroup
        other.attach("link")
        lab.apply(hiding(lab))
        policy = hiding(second)
        policy["socket_lb"]["exempt"] = [{"netns": lab.netns("phone")}]
        second.apply(policy)
        check_hidden(lab, other, "hidden twice")
        check_equal((is_hidden(lab), is_hidden(second)), (True, True), "in force")
        for one, value in ((lab, hiding(lab)), (second, policy)):
            check_equal(one.json("plan", one.write_policy(value))["ops"], [], "plan")
        second.towpath("down")


@case
def one_that_tolerates_nobody_is_named(lab):
    with other_lb(lab) as other:
        other.attach("alone")
        done = lab.towpath("apply", lab.write_policy(hiding(lab)), status=1)
        check("BPF_F_ALLOW_MULTI" in done.stderr, done.stderr)
        check_equal(reached(lab, "router", TCP, V4, OTHERS), (BACKEND, 8081), "it works on")


@case
def one_in_a_cgroup_above_is_told_until_that_is_named(lab):
    """Its programs come behind both of ours, whichever way they are attached."""
    lost = f"exempt sockets are not hidden from other tools' programs in {lab.pod}"
    with other_lb(lab) as other:
        for way in WAYS:
            other.attach(way)
            lab.apply(hiding(lab, cgroup=lab.pod))
            status = lab.json("status")
            told = {p["what"]: p["mend"] for p in status["problems"]}
            check(not status["healthy"] and lost in told, f"{way}: {told}")
            check("name that in socket_lb.cgroup" in told[lost], told[lost])
            with Daemon(lab, lab.write_policy(hiding(lab, cgroup=lab.pod)), "--metrics-listen",
                        f"127.0.0.1:{HTTP_PORT}") as daemon:
                wait_until(lambda d=daemon: lost in d.fetch("/readyz")[2], f"{way}: to be told")
                check_equal(daemon.fetch("/readyz")[0], 503, f"{way}: /readyz")
            if not lab.below:   # there this process, in the cgroup itself, is refused
                check_equal(reached(lab, "phone", TCP, V4, OTHERS), (BACKEND, 8081), "in force?")
            lab.apply(hiding(lab))
            check_hidden(lab, other, f"{way}, with the cgroup above")
            check(is_hidden(lab), f"{way}: healthy with the cgroup above")
            other.detach()


@case
def some_destinations_stay_with_the_other_tool(lab):
    """As a cluster's API server, which nobody else would translate."""
    with other_lb(lab) as other:
        other.attach("link")
        for served in ([OTHERS, OTHERS6], [OTHERS, "fd7a:70::90/127"], [OTHERS, "::/0"]):
            served = [s if "/" in s else s + ("/128" if ":" in s else "/32") for s in served]
            lab.apply(hiding(lab, foreign_serves=served))
            check_equal(lab.json("plan", lab.write_policy(hiding(lab, foreign_serves=served)))
                        ["ops"], [], "plan after apply")
            for family, address, backend in FAMILIES:
                for kind in (TCP, UDP):
                    check_equal(reached(lab, "phone", kind, family, address), (backend, 8081),
                                f"{served}: translated by the other tool")
                with socket_in(lab, "phone", UDP, family) as sock:
                    before = other.counts()[0]
                    sock.sendto(b"where", (address, 80))
                    check_equal(other.counts()[0] - before, 1, f"{served}: its datagram too")
            for kind in (TCP, UDP):
                check_equal(reached(lab, "phone", kind, V4, EMPTY), (EMPTY, 80), "not in the list")
        lab.apply(hiding(lab, foreign_serves=[EMPTY + "/32", EMPTY6 + "/128"]))
        check_hidden(lab, other, "others than those")
        for family, address in ((V4, EMPTY), (V6, EMPTY6)):
            with socket_in(lab, "phone", TCP, family) as sock:
                check_equal(sock.connect_ex((address, 80)), errno.EHOSTUNREACH, "as it says")
        lab.apply(hiding(lab))
        check_hidden(lab, other, "without a list")


@case
def what_was_hidden_once_is_not_put_back_later(lab):
    """One socket: hidden and never put back, then connected while its namespace is not exempt."""
    with other_lb(lab) as other:
        other.attach("link")
        lab.apply(hiding(lab))
        with contextlib.ExitStack() as stack:
            socks = [(stack.enter_context(socket_in(lab, "phone", UDP, family)), address, backend)
                     for family, address, backend in FAMILIES]
            for program in ("c4", "c6"):
                run("rm", f"{lab.pins}/links/cgroup-tp_restore_{program}")
            wait_until(lambda: not any("restore_c" in p for p in cgroup_programs(lab)),
                       "the kernel to have detached them")
            for sock, address, _ in socks:
                sock.connect_ex((address, 81))
            lab.apply(hiding(lab, exempt=[]))
            for sock, address, backend in socks:
                sock.connect((address, 80))
                check_equal(true_peers(lab, "phone", sock), (backend, 8081), "connected at last")


@case
def turned_off_it_leaves_the_other_tool_alone(lab):
    with other_lb(lab) as other:
        other.attach("link")
        lab.apply(hiding(lab))
        lab.apply(hiding(lab, "off"))
        check(is_hidden(lab), "nothing is wrong")
        for short in ("router", "phone"):
            check_equal(reached(lab, short, TCP, V4, OTHERS), (BACKEND, 8081), short)


@contextlib.contextmanager
def other_lb(lab, cgroup=None):
    with OtherLb(lab.name, cgroup or lab.cgroup) as other:
        for address, empty, backend in ((OTHERS, EMPTY, BACKEND), (OTHERS6, EMPTY6, BACKEND6)):
            other.serve(address, 80, backend, 8081)
            other.serve(empty, 80, None, 0)
        try:
            yield other
        finally:
            lab.apply(open_policy(lab))     # and not down, after which the phone has to call anew


def hides_below(lab):
    """Whether it does so where this process is, or in the cgroup above, which others hang on."""
    places = {a["device"] for a in lab.json("status")["attachments"] if "hide" in a["program"]}
    check(places in ({lab.pod}, {lab.cgroup}), f"hides in {places}")
    return places == {lab.pod}


@contextlib.contextmanager
def prepared(way=""):
    """The way that this kernel has; "below.": what it had if it were an older one."""
    with own_cgroup() as cgroup, new_cgroup(cgroup + "/pod") as pod, Lab() as lab:
        lab.cgroup, lab.pod = cgroup, pod
        for backend in (BACKEND, BACKEND6):
            run("ip", "-n", lab.netns("router"), "neigh", "add", backend, "lladdr", BACKEND_MAC,
                "dev", "lan0", "nud", "permanent")
        lab.apply(hiding(lab))
        lab.below = hides_below(lab)
        if way and lab.below:
            raise Skip("this kernel has no other way")
        with older_kernel() if way else contextlib.nullcontext():
            if way:
                lab.apply(hiding(lab))
                lab.below = hides_below(lab)
                check(lab.below, "hides below, once it cannot in the cgroup itself")
            lab.apply(open_policy(lab))
            yield lab


if __name__ == "__main__":
    main(prepared, ("", "below."))
