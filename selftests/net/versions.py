# SPDX-License-Identifier: GPL-2.0-only
"""Who set up what is there: the number of the map ABI in tp_state."""

import glob
import json
import re

from lib import TOP, TOWPATH, run

KEPT = ("tp_flows", "tp_flow_state", "tp_nat_in", "tp_nat_out", "tp_state", "tp_sysctls")


def our_abi():
    return json.loads(run(TOWPATH, "version", "--json").stdout)["abi"]


def kept_abi():
    """Which is the oldest that ours takes over."""
    with open(f"{TOP}/include/towpath/layout.h", encoding="ascii") as file:
        return int(re.search(r"define TP_ABI_KEPT (\d+)", file.read())[1])


_KEY = ("key", "hex", "00", "00", "00", "00")


def _row(lab):
    """Of tp_state, a list of bytes as bpftool takes them."""
    shown = run("bpftool", "-j", "map", "lookup", "pinned", f"{lab.pins}/maps/tp_state", *_KEY)
    return [byte.removeprefix("0x") for byte in json.loads(shown.stdout)["value"]]


def noted(lab):
    return int.from_bytes(bytes.fromhex("".join(_row(lab)[:4])), "little")


def note(lab, abi):
    """As if a towpath with that ABI had set it up."""
    run("bpftool", "map", "update", "pinned", f"{lab.pins}/maps/tp_state", *_KEY, "value", "hex",
        *(f"{byte:02x}" for byte in abi.to_bytes(4, "little")), *_row(lab)[4:])


def kept_ids(lab):
    """Of what another version uses as it is."""
    def number(kind, path):
        return json.loads(run("bpftool", "-j", kind, "show", "pinned", path).stdout)["id"]

    return ([number("map", f"{lab.pins}/maps/{name}") for name in KEPT] +
            [number("link", path) for path in sorted(glob.glob(f"{lab.pins}/links/*"))])
