# SPDX-License-Identifier: GPL-2.0-only
"""`towpath run` as a process of the test, and what it says: log, readiness, HTTP."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import tempfile

from lib import DEADLINE_S, TOWPATH, Failed, check_equal, inside, wait_until

HTTP_PORT = 9586
BUSY_S = 6 * DEADLINE_S     # its loop stands still while it loads the programs


class Daemon:
    """Runs from __enter__, when its first policy is in force, to __exit__."""

    def __init__(self, lab, path, *options, ready=True, wrap=(), binary=TOWPATH):
        self.lab, self.path, self.ready, self.binary = lab, path, ready, binary
        self.options = options or ("--metrics-listen", f"127.0.0.1:{HTTP_PORT}")
        self.wrap = wrap        # a command that runs it
        self.process = None
        self.notified = []

    def __enter__(self):
        # its end is also ours, so that nothing is left when a case fails
        self.scratch = tempfile.TemporaryDirectory(prefix="towpath-run-")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(f"{self.scratch.name}/notify")
        self.notify.setblocking(False)
        self.log_path = f"{self.scratch.name}/log"
        env = dict(os.environ, NOTIFY_SOCKET=f"{self.scratch.name}/notify")
        with open(self.log_path, "wb") as log:
            # pylint: disable-next=consider-using-with # __exit__ ends it
            self.process = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{self.lab.netns('router')}", "--",
                 *self.wrap, self.binary, "run",
                 self.path, "--instance", self.lab.instance, *self.options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
        try:
            if self.ready:
                self.wait_for_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.notify.close()
        self.scratch.cleanup()

    # ---- what it says ----

    def log(self):
        with open(self.log_path, encoding="utf-8") as file:
            return file.read()

    def messages(self):
        """What came to $NOTIFY_SOCKET so far, a list of {name: value}."""
        with contextlib.suppress(BlockingIOError):
            while True:
                text = self.notify.recv(4096).decode()
                self.notified.append(dict(line.split("=", 1) for line in text.split("\n")))
        return self.notified

    def wait_for_ready(self, times=1, seconds=BUSY_S):
        def ready():
            if self.process.poll() is not None:
                raise Failed(f"run ended with {self.process.returncode}:\n{self.log()}")
            return sum(m.get("READY") == "1" for m in self.messages()) >= times

        try:
            wait_until(ready, f"READY=1, {times} times", seconds)
        except Failed as late:
            raise Failed(f"{late}; its log:\n{self.log()}") from late

    def reads(self):
        """How often it has read the file, whatever came of it."""
        return sum(self.metrics().values("towpath_reloads_total").values())

    # ---- what it is told ----

    def tell(self, number):
        self.process.send_signal(number)

    def leave(self, number=signal.SIGTERM):
        self.tell(number)
        try:
            return self.process.wait(3 * DEADLINE_S)
        except subprocess.TimeoutExpired as slow:
            raise Failed(f"run did not end:\n{self.log()}") from slow

    # ---- HTTP ----

    def connect(self):
        with inside(self.lab.netns("router")):
            sock = socket.create_connection(("127.0.0.1", HTTP_PORT), BUSY_S)
        return sock

    def fetch(self, path, method="GET"):
        """(status, headers, body)"""
        client = http.client.HTTPConnection("127.0.0.1", HTTP_PORT, timeout=BUSY_S)
        client.sock = self.connect()
        try:
            client.request(method, path)
            answer = client.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            client.close()

    def metrics(self):
        status, headers, body = self.fetch("/metrics")
        check_equal(status, 200, "/metrics")
        check_equal(headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8", "type")
        return Metrics(body)

    def status(self):
        status, headers, body = self.fetch("/status")
        check_equal((status, headers["Content-Type"]), (200, "application/json"), "/status")
        return json.loads(body)

    # ---- what it costs ----

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))


_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_SAMPLE = re.compile(rf"({_NAME})(?:\{{(.*)\}})? (-?[0-9.e+-]+|NaN|[+-]Inf)")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')


class Metrics:
    """Prometheus' text format 0.0.4, read strictly: what breaks a rule fails the case."""

    def __init__(self, text):
        self.families = {}      # name -> (type, help)
        self.samples = {}       # (name, ((label, value), ...)) -> number
        if not text.endswith("\n"):
            raise Failed("the last line has no end")
        self.helps, current = {}, None
        for line in text.split("\n")[:-1]:
            current = self._read(line, current)

    def _read(self, line, current):
        """Gives the family that samples must be of from here on."""
        words = line.split(" ", 3)
        if words[:2] == ["#", "HELP"]:
            if words[2] in self.helps or len(words) < 4:
                raise Failed(f"a second HELP, or an empty one: {line}")
            self.helps[words[2]] = words[3]
            return None
        if words[:2] == ["#", "TYPE"]:
            if words[2] in self.families or words[3] not in ("counter", "gauge"):
                raise Failed(f"a second TYPE, or an unknown one: {line}")
            self.families[words[2]] = (words[3], self.helps[words[2]])
            return words[2]
        self._read_sample(line, current)
        return current

    def _read_sample(self, line, current):
        match = _SAMPLE.fullmatch(line)
        if not match or match[1] != current:
            raise Failed(f"not a sample of {current}: {line}")
        labels, rest = [], match[2] or ""
        while rest:
            label = _LABEL.match(rest)
            if not label:
                raise Failed(f"labels of {line}")
            labels.append((label[1], label[2]))
            rest = rest[label.end():]
        key = (current, tuple(labels))
        if len(dict(labels)) != len(labels) or key in self.samples:
            raise Failed(f"twice: {line}")
        self.samples[key] = float(match[3])

    def values(self, name):
        """{label values: number}; of one label, its value alone is the key."""
        found = {tuple(v for _, v in labels): number
                 for (n, labels), number in self.samples.items() if n == name}
        return {k[0] if len(k) == 1 else k: number for k, number in found.items()}

    def value(self, name, *labels):
        return self.values(name)[labels[0] if len(labels) == 1 else labels]
