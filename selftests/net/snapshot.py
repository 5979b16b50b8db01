# SPDX-License-Identifier: GPL-2.0-only
"""All of a namespace that towpath could have changed, as text to compare: two equal snapshots
mean that nothing is left behind and nothing was taken away."""

import glob
import json
import os
import re

from lib import inside, run, wait_until


def _ip(netns, *args):
    return run("ip", "-n", netns, *args).stdout


def _lines(text, *noise):
    """Without what changes by itself; in an order of its own."""
    for pattern in noise:
        text = re.sub(pattern, "", text)
    return sorted(line.rstrip() for line in text.splitlines() if line.strip())


def _sysctls(netns):
    """Every per-device and global setting of both families that is a number we may read."""
    values = {}
    with inside(netns):
        # /proc/sys/net is that of the thread that opens it
        base = "/proc/sys/net"
        paths = [f"{base}/ipv4/ip_forward"]
        for family in ("ipv4", "ipv6"):
            paths += glob.glob(f"{base}/{family}/conf/*/*")
        for path in paths:
            if path.endswith(("stable_secret", "mc_forwarding")) or not os.access(path, os.R_OK):
                continue
            with open(path, encoding="utf-8") as file:
                values[path[len("/proc/sys/"):]] = file.read().strip()
    return [f"{path} {value}" for path, value in sorted(values.items())]


def _filters(netns):
    found = []
    devices = json.loads(_ip(netns, "-j", "link"))
    for device in (d["ifname"] for d in devices):
        for parent in ("ingress", "egress"):
            done = run("tc", "-n", netns, "filter", "show", "dev", device, parent, ok=False)
            found += [f"{device} {parent} {line}" for line in _lines(done.stdout)]
    return found


def _tcx(netns):
    with inside(netns):
        return _lines(run("bpftool", "net").stdout)


def take(netns):
    """A dictionary of lists of lines. The kernel gives an address its routes when it has looked for
    duplicates, which it does later and of which there are none."""
    wait_until(lambda: not _ip(netns, "-6", "address", "show", "tentative"),
               "addresses to be settled")
    counters = r"(valid_lft|expires) \S+( preferred_lft \S+)?"
    return {
        "links": _lines(_ip(netns, "-o", "-d", "link"), r"state \S+", r"promiscuity \d+"),
        "addresses": _lines(_ip(netns, "-o", "address"), counters, r"\\"),
        "routes": _lines(_ip(netns, "route", "show", "table", "all"), counters),
        "routes6": _lines(_ip(netns, "-6", "route", "show", "table", "all"), counters),
        "rules": _lines(_ip(netns, "rule")),
        "rules6": _lines(_ip(netns, "-6", "rule")),
        "qdiscs": _lines(run("tc", "-n", netns, "qdisc").stdout),
        "filters": _filters(netns),
        "programs": _tcx(netns),
        "sysctls": _sysctls(netns),
        "processes": sorted(run("ip", "netns", "pids", netns).stdout.split()),
    }


def difference(before, after):
    """What changed, a line each; empty when nothing did."""
    changes = []
    for part, old in before.items():
        new = after[part]
        changes += [f"{part}: gone: {line}" for line in old if line not in new]
        changes += [f"{part}: left: {line}" for line in new if line not in old]
    return changes
