#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""A cluster of one node, for scripts/kubernetes/down: a `kubectl` that knows its commands and no
others. A pod's container is a process of $STANDIN_NETNS with the files of $STANDIN in place of
its own. $STANDIN/daemonset.json and daemon.pid are what there is at first; calls, pod.json and
pod.pid are what it makes. With $STANDIN/late the daemon leaves only when a first pod has failed."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time

HERE = os.environ["STANDIN"]
DEADLINE_S = 60
# /tmp is the container's own; what is in bin stands for the image
CONTAINER = ["nsenter", f"--net={os.environ['STANDIN_NETNS']}", "--", "unshare", "--mount", "sh",
             "-c", 'mount -t tmpfs none /tmp && PATH=$0:$PATH exec "$@"', f"{HERE}/bin"]


def path(name):
    return os.path.join(HERE, name)


def end(name):
    """Told to end, as by the kubelet, and gone."""
    with open(path(name), encoding="ascii") as file:
        pid = int(file.read())
    with contextlib.suppress(ProcessLookupError):
        process = os.pidfd_open(pid)
        signal.pidfd_send_signal(process, signal.SIGTERM)
        if not select.select([process], [], [], DEADLINE_S)[0]:
            sys.exit(f"process {pid} does not end")


def container_of(pod):
    return pod["spec"]["template"]["spec"]["containers"][0]


def start(pod):
    """In a process of its own, which starts a container that has failed again."""
    if os.fork():
        return
    os.setsid()
    for fd in (0, 1, 2):
        os.dup2(os.open(path("pod.log"), os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), fd)
    container = container_of(pod)
    words = [*CONTAINER, *container["command"], *container.get("args", [])]
    while True:
        with subprocess.Popen(words) as it:
            with open(path("pod.pid.new"), "w", encoding="ascii") as file:
                file.write(str(it.pid))
            os.rename(path("pod.pid.new"), path("pod.pid"))
            if it.wait() in (0, -signal.SIGTERM):
                os._exit(0)
        if os.path.exists(path("late")):
            end("daemon.pid")
            os.unlink(path("late"))


def is_ready(probe):
    with contextlib.suppress(FileNotFoundError):
        with open(path("pod.pid"), encoding="ascii") as file:
            return not subprocess.run(["nsenter", f"--target={file.read()}", "--mount", "--",
                                       *probe], check=False).returncode
    return False


def wait_for_rollout():
    with open(path("pod.json"), encoding="utf-8") as file:
        probe = container_of(json.load(file))["readinessProbe"]["exec"]["command"]
    give_up = time.monotonic() + DEADLINE_S
    while not is_ready(probe):
        if time.monotonic() > give_up:
            sys.exit("no rollout")
        time.sleep(0.05)


def apply():
    with open(path("pod.json"), "w", encoding="utf-8") as file:
        file.write(sys.stdin.read())
    with open(path("pod.json"), encoding="utf-8") as file:
        start(json.load(file))


def show():
    with open(path("daemonset.json"), encoding="utf-8") as file:
        sys.stdout.write(file.read())


def delete():
    if not os.path.exists(path("late")):
        end("daemon.pid")


COMMANDS = {
    "-n towpath get daemonset towpath -o json": show,
    "-n towpath delete daemonset towpath --wait": delete,
    "apply -f -": apply,
    "-n towpath rollout status daemonset towpath-down --timeout=10m": wait_for_rollout,
    "delete namespace towpath": lambda: end("pod.pid"),
}


def main():
    command = " ".join(sys.argv[1:])
    with open(path("calls"), "a", encoding="utf-8") as file:
        print(command, file=file)
    if command not in COMMANDS:
        sys.exit(f"what is `kubectl {command}`?")
    COMMANDS[command]()


main()
