# SPDX-License-Identifier: GPL-2.0-only
"""Traffic that goes on while something happens to the router: of what it sent nothing is lost."""

import contextlib
import socket
import threading
import time

from lib import DEADLINE_S, bound_socket, check, check_equal, client_socket


class Stream:
    """A TCP connection from the phone that sends a little all the time."""

    def __init__(self, lab, phone, server, port):
        self.sent, self.got, self.error = 0, 0, None
        self.listener = bound_socket(lab, "web", socket.SOCK_STREAM, server, port)
        self.client = client_socket(lab, "phone", socket.SOCK_STREAM, server)
        self.client.bind((phone, 0))
        self.client.connect((server, port))
        self.server, _ = self.listener.accept()
        self.server.settimeout(6 * DEADLINE_S)
        self.client.settimeout(6 * DEADLINE_S)
        self.leaving = False
        self.threads = [threading.Thread(target=f, daemon=True)
                        for f in (self._send, self._receive)]
        for thread in self.threads:
            thread.start()

    def _send(self):
        try:
            while not self.leaving:
                self.client.sendall(b"x" * 100)
                self.sent += 100
                time.sleep(0.02)
            self.client.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.error = error

    def _receive(self):
        try:
            while chunk := self.server.recv(65536):
                self.got += len(chunk)
        except OSError as error:
            self.error = error

    def end(self):
        self.leaving = True
        for thread in self.threads:
            thread.join()
        for sock in (self.client, self.server, self.listener):
            sock.close()
        check(self.error is None, f"the stream broke: {self.error}")
        check_equal(self.got, self.sent, "bytes that arrived")


class Flows:
    """From the phone a new flow every few milliseconds, each with one question. The LAN host
    answers with the port that it sees. None may stay without an answer."""

    def __init__(self, lab, phone, server, port):
        self.lab, self.phone, self.to = lab, phone, (server, port)
        self.echo = bound_socket(lab, "web", socket.SOCK_DGRAM, server, port)
        self.echo.settimeout(0.2)
        self.flows, self.lost, self.leaving = [], 0, False
        self.threads = [threading.Thread(target=f, daemon=True)
                        for f in (self._answer, self._open)]
        for thread in self.threads:
            thread.start()

    def _answer(self):
        while not self.leaving:
            with contextlib.suppress(TimeoutError):
                question, sender = self.echo.recvfrom(64)
                self.echo.sendto(b"%s %d" % (question, sender[1]), sender)

    def ask(self, sock, question):
        """The outside port, or None."""
        sock.sendto(question, self.to)
        try:
            text, port = sock.recv(64).split()
        except TimeoutError:
            self.lost += 1
            return None
        return int(port) if text == question else None

    def _open(self):
        while not self.leaving:
            sock = client_socket(self.lab, "phone", socket.SOCK_DGRAM, self.phone)
            self.flows.append((sock, self.ask(sock, b"first")))
            time.sleep(0.02)

    def end(self):
        """Each flow is still the one that it was."""
        moved = [(was, now) for sock, was in self.flows
                 if (now := self.ask(sock, b"again")) != was]
        self.leaving = True
        for thread in self.threads:
            thread.join()
        check_equal((self.lost, moved), (0, []), f"lost, moved, of {len(self.flows)} flows")
        for sock in [self.echo] + [sock for sock, _ in self.flows]:
            sock.close()
