# SPDX-License-Identifier: GPL-2.0-only
"""Traffic that goes on while something else happens: UDP echoes with numbers, the same from a new
port each time, pings, and TCP streams whose content is known; phone to LAN and back, both families.

Its rates are low, so that what is lost was lost by whoever is tested: a packet each 20 ms, 50 for
pings, 100 for new ports. What the machine itself has lost, for want of room in a socket of the
tunnel's process, is known to the kernel and told apart (`machine_losses`)."""

import contextlib
import random
import re
import selectors
import socket
import struct
import threading
import time

from lib import (DEADLINE_S, SLOWNESS, SO_RCVBUFFORCE, Failed, check, check_equal, inside,
                 wait_until)
from packets import checksum

ECHO_S, PING_S, FRESH_S, STREAM_S = (s * SLOWNESS for s in (0.02, 0.05, 0.1, 0.02))
ROOM_BYTES = 16 << 20
CHUNK = 500
HEAD = struct.Struct("!QQ")     # a mark, a number
TEXT = random.Random(7).randbytes(65521)    # what streams say, again and again
RCVBUF_ERRORS = re.compile(r"^Udp6?RcvbufErrors\s+(\d+)", re.M)


def text_at(position, length):
    start = position % len(TEXT)
    return (TEXT[start:] + TEXT * (length // len(TEXT) + 1))[:length]


def make_socket(lab, short, address, kind, protocol=0):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with inside(lab.netns(short)):
        sock = socket.socket(family, kind, protocol)
    if kind != socket.SOCK_STREAM:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM_BYTES)
    sock.setblocking(False)
    return sock


class Way:
    """From where to where, with addresses of one family."""

    def __init__(self, source, source_address, target, target_address):
        self.source, self.source_address = source, source_address
        self.target, self.target_address = target, target_address
        self.version = 6 if ":" in target_address else 4

    def __str__(self):
        return f"{self.source} to {self.target}, IPv{self.version}"


def ways(lab):
    there = Way("phone", lab.PHONE, "web", lab.WEB), Way("phone", lab.PHONE6, "web", lab.WEB6)
    return *there, *(Way(w.target, w.target_address, w.source, w.source_address) for w in there)


class Asker:
    """Sends numbers, waits for each to come back. What is sent at all is up to who inherits."""

    def __init__(self, name, interval_s):
        self.name, self.interval_s = name, interval_s
        self.number, self.waiting = 0, {}       # waiting: number -> when it was sent
        self.arrived = set()                    # where it was to go to
        self.errors = []

    def tick(self, now):
        self.number += 1
        self.waiting[self.number] = now
        try:
            self.ask(self.number)
        except OSError as error:
            self.errors.append(f"{self.name}: sending number {self.number}: {error}")

    def answered(self, number):
        if self.waiting.pop(number, None) is None:
            self.errors.append(f"{self.name}: number {number} came twice, or was never sent")

    def forget(self, number):
        del self.waiting[number]

    def ask(self, number):
        raise NotImplementedError

    def handlers(self):
        """(socket, what to call when it is readable), ..."""
        raise NotImplementedError


class Echo(Asker):
    """One flow. Whoever answers has to see it come from one address and port all the time."""

    def __init__(self, lab, way, port):
        super().__init__(f"UDP {way}", ECHO_S)
        self.mark = random.getrandbits(64)
        self.server = make_socket(lab, way.target, way.target_address, socket.SOCK_DGRAM)
        self.server.bind((way.target_address, port))
        self.client = make_socket(lab, way.source, way.source_address, socket.SOCK_DGRAM)
        self.client.bind((way.source_address, 0))
        self.client.connect((way.target_address, port))
        self.seen_from = set()

    def ask(self, number):
        self.client.send(HEAD.pack(self.mark, number) + text_at(number, 32))

    def _serve(self):
        data, source = self.server.recvfrom(2048)
        self.seen_from.add(source[:2])
        self.arrived.add(HEAD.unpack_from(data)[1])
        self.server.sendto(data, source)

    def _take(self):
        data = self.client.recv(2048)
        mark, number = HEAD.unpack_from(data)
        if mark != self.mark or data[HEAD.size:] != text_at(number, 32):
            self.errors.append(f"{self.name}: not what was sent: {data.hex()}")
        self.answered(number)

    def handlers(self):
        return (self.server, self._serve), (self.client, self._take)


class Fresh(Asker):
    """Each packet from a port of its own: no program knows a flow of it yet."""

    def __init__(self, lab, way, port):
        super().__init__(f"UDP from new ports, {way}", FRESH_S)
        self.lab, self.way, self.port = lab, way, port
        self.server = make_socket(lab, way.target, way.target_address, socket.SOCK_DGRAM)
        self.server.bind((way.target_address, port))
        self.clients, self.selector = {}, None

    def ask(self, number):
        client = make_socket(self.lab, self.way.source, self.way.source_address,
                             socket.SOCK_DGRAM)
        client.bind((self.way.source_address, 0))
        client.connect((self.way.target_address, self.port))
        self.clients[number] = client
        self.selector.register(client, selectors.EVENT_READ, lambda: self._take(client, number))
        client.send(HEAD.pack(0, number))

    def _serve(self):
        data, source = self.server.recvfrom(2048)
        self.arrived.add(HEAD.unpack_from(data)[1])
        self.server.sendto(data, source)

    def _take(self, client, number):
        if HEAD.unpack(client.recv(2048)) != (0, number):
            self.errors.append(f"{self.name}: not number {number}")
        self._close(number)
        self.answered(number)

    def _close(self, number):
        client = self.clients.pop(number)
        self.selector.unregister(client)
        client.close()

    def forget(self, number):
        super().forget(number)
        self._close(number)

    def handlers(self):
        return ((self.server, self._serve),)


class Ping(Asker):
    """By the router and the stack at the other end, from a raw socket."""

    def __init__(self, lab, way, identifier):
        super().__init__(f"ping {way}", PING_S)
        self.way, self.identifier = way, identifier
        self.request, self.reply = (128, 129) if way.version == 6 else (8, 0)
        protocol = socket.IPPROTO_ICMPV6 if way.version == 6 else socket.IPPROTO_ICMP
        self.sock = make_socket(lab, way.source, way.source_address, socket.SOCK_RAW, protocol)
        self.sock.bind((way.source_address, 0))

    def ask(self, number):
        """Of its 64 bits the number's lowest 16 are also the header's."""
        body = struct.pack("!HHQ", self.identifier, number & 0xffff, number)
        head = struct.pack("!BBH", self.request, 0, 0)
        if self.way.version == 4:   # for IPv6 the stack does it
            head = struct.pack("!BBH", self.request, 0, checksum(head + body))
        self.sock.sendto(head + body, (self.way.target_address, 0))

    def _take(self):
        data, source = self.sock.recvfrom(2048)
        if self.way.version == 4:
            data = data[(data[0] & 15) * 4:]
        if len(data) < 16 or data[0] != self.reply or source[0] != self.way.target_address:
            return
        identifier, _, number = struct.unpack_from("!HHQ", data, 4)
        if identifier == self.identifier:
            self.arrived.add(number)
            self.answered(number)

    def handlers(self):
        return ((self.sock, self._take),)


class End:
    """One end of a stream."""

    def __init__(self, sock, name):
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock, self.name = sock, name
        self.sent = self.got = 0
        self.over = False       # the other end has said all

    def send(self):
        with contextlib.suppress(BlockingIOError):
            self.sent += self.sock.send(text_at(self.sent, CHUNK))

    def take(self):
        chunk = self.sock.recv(65536)
        if chunk != text_at(self.got, len(chunk)):
            raise Failed(f"{self.name}: other bytes than were sent, from {self.got} on")
        self.got += len(chunk)
        self.over = not chunk


class Stream:
    """A TCP connection with as much to say in either direction, all the time."""

    def __init__(self, lab, way, port):
        self.name, self.interval_s, self.errors = f"TCP {way}", STREAM_S, []
        self.ended = False
        listener = make_socket(lab, way.target, way.target_address, socket.SOCK_STREAM)
        with listener:
            listener.settimeout(DEADLINE_S)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((way.target_address, port))
            listener.listen(1)
            client = make_socket(lab, way.source, way.source_address, socket.SOCK_STREAM)
            client.settimeout(DEADLINE_S)
            client.bind((way.source_address, 0))
            client.connect((way.target_address, port))
            server, _ = listener.accept()
        self.ends = End(client, f"{self.name}, client"), End(server, f"{self.name}, server")

    def tick(self, _):
        for end in self.ends:
            if not self.ended and not self.errors:
                self._try(end, end.send)

    def _try(self, end, what):
        """Whatever goes wrong with it is the end of a connection."""
        try:
            what()
        except BlockingIOError:
            pass
        except (OSError, Failed) as error:
            self.errors.append(f"{end.name}, after {end.got} bytes: {error}")
        return not end.over and not self.errors

    def handlers(self):
        return tuple((end.sock, lambda e=end: self._try(e, e.take)) for end in self.ends)

    def end(self):
        self.ended = True
        for end in self.ends:
            end.sock.shutdown(socket.SHUT_WR)

    def is_whole(self):
        one, other = self.ends
        return one.over and other.over and (one.sent, other.sent) == (other.got, one.got)


class Traffic:
    """Runs from __enter__ to __exit__, in a thread of its own."""

    def __init__(self, lab):
        self.lab, self.lock, self.leaving = lab, threading.Lock(), False
        self.selector = selectors.DefaultSelector()
        self.askers, self.streams = [], []
        for i, way in enumerate(ways(lab)):
            self.askers += [Echo(lab, way, 7100 + i), Fresh(lab, way, 7200 + i),
                            Ping(lab, way, 7300 + i)]
            self.streams.append(Stream(lab, way, 7400 + i))
        for flow in self._flows():
            if isinstance(flow, Fresh):
                flow.selector = self.selector
            for sock, handler in flow.handlers():
                self.selector.register(sock, selectors.EVENT_READ, handler)
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.leaving = True
        self.thread.join()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()

    def _flows(self):
        return self.askers + self.streams

    # ---- the thread ----

    def _run(self):
        due = {flow: 0.0 for flow in self._flows()}
        while not self.leaving:
            now = time.monotonic()
            with self.lock:
                for flow in due:
                    if due[flow] <= now:
                        # not sooner because it was late: a burst would be another kind of traffic
                        due[flow] = now + flow.interval_s
                        flow.tick(now)
            ready = self.selector.select(max(min(due.values()) - time.monotonic(), 0))
            with self.lock:
                for key, _ in ready:
                    self._handle(key)

    def _handle(self, key):
        """A handler that gives False is done with its socket."""
        try:
            if key.data() is False:
                self.selector.unregister(key.fileobj)
        except OSError as error:    # an ICMP error that came for it
            self.errors_of(key.fileobj).append(f"receiving: {error}")

    def errors_of(self, sock):
        for flow in self.askers:
            if any(s is sock for s, _ in flow.handlers()):
                return flow.errors
        return []

    # ---- what came of it ----

    def losses(self):
        """How many of the packets that were sent by now did not come back, and whose they were,
        {flow: text}, with any error. It is told once."""
        with self.lock:
            marks = {asker: asker.number for asker in self.askers}

        def outstanding():
            with self.lock:
                return {a: [n for n in a.waiting if n <= marks[a]] for a in self.askers}

        with contextlib.suppress(Failed):
            wait_until(lambda: not any(outstanding().values()), "answers", DEADLINE_S / 2)
        told, count = {}, 0
        for asker, numbers in outstanding().items():
            with self.lock:
                there = sum(n in asker.arrived for n in numbers)
                for number in numbers:
                    asker.forget(number)
                errors, asker.errors = asker.errors, []
            count += len(numbers)
            if numbers or errors:
                told[asker.name] = (f"{len(numbers)} of {asker.number}, {there} of them on the "
                                    f"way back: {numbers[:10]} {errors[:3]}")
        return count, told

    def count(self):
        """How many packets have been asked with."""
        return sum(asker.number for asker in self.askers)

    def streams_flow(self):
        """None of them is broken, and all go on from here."""
        with self.lock:
            marks = [(end, end.got) for stream in self.streams for end in stream.ends]
        wait_until(lambda: self.broken() or all(end.got > was for end, was in marks),
                   "the streams to go on", 6 * DEADLINE_S)
        check_equal(self.broken(), [], "streams that broke")

    def broken(self):
        return [error for stream in self.streams for error in stream.errors]

    def flows_again(self):
        """Everybody gets an answer to something that is sent from here on."""
        with self.lock:
            marks = {asker: asker.number for asker in self.askers}

        def answered(asker):
            with self.lock:
                later = set(range(marks[asker] + 1, asker.number + 1))
                return bool(later - set(asker.waiting))

        for asker in self.askers:
            wait_until(lambda a=asker: answered(a), f"answers: {asker.name}", 3 * DEADLINE_S)

    def has_one_source_each(self):
        """A mapping that was lost would show as another port."""
        for asker in self.askers:
            if isinstance(asker, Echo):
                check_equal(len(asker.seen_from), 1, f"{asker.name} came from {asker.seen_from}")

    def end_streams(self):
        """Says the last word in each, and compares what was said with what was heard."""
        with self.lock:
            for stream in self.streams:
                stream.end()
        wait_until(lambda: self.broken() or all(s.is_whole() for s in self.streams),
                   "the streams to end", 6 * DEADLINE_S)
        check_equal(self.broken(), [], "streams that broke")
        for stream in self.streams:
            check(stream.is_whole() and stream.ends[0].got > CHUNK, f"{stream.name} is whole")


def machine_losses(lab):
    """What sockets of the lab had no room for, of this machine's doing."""
    lost = 0
    for short in ("phone", "router", "web"):
        with inside(lab.netns(short)):
            for name in ("snmp", "snmp6"):
                with open(f"/proc/thread-self/net/{name}", encoding="ascii") as file:
                    lost += _rcvbuf_errors(file.read())
    return lost


def _rcvbuf_errors(text):
    found = sum(int(n) for n in RCVBUF_ERRORS.findall(text))
    rows = [line.split() for line in text.splitlines() if line.startswith("Udp: ")]
    if rows:    # names, then numbers
        found += int(dict(zip(rows[0], rows[1]))["RcvbufErrors"])
    return found
