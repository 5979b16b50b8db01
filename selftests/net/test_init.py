#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""A first minute: `init` on a machine with a LAN, `apply` of what it wrote, and a peer that reaches
the LAN with the key that it was given."""

import contextlib
import json
import os
import stat

from lib import Lab, case, check, check_equal, load_policy, main, wait_until

DIRECTORY = "init"


def paths(lab):
    folder = f"{lab.run_dir}/{DIRECTORY}"
    os.makedirs(folder, exist_ok=True)
    return f"{folder}/policy.json", f"{folder}/private.key", f"{folder}/phone.key"


def init(lab, *options, status=0):
    policy, key, _ = paths(lab)
    return lab.towpath("init", "--lan", "lan0", "--node", "gw", "--out", policy, "--key", key,
                       *options, status=status)


def content(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def connect(lab, policy, key):
    """The phone becomes the policy's peer."""
    node, peer = policy["nodes"]["gw"], policy["peers"]["phone"]
    old = lab.exec("phone", "wg", "show", lab.phone_tunnel, "peers").stdout.strip()
    lab.exec("phone", "wg", "set", lab.phone_tunnel, "private-key", key, "peer", old, "remove")
    lab.exec("phone", "wg", "set", lab.phone_tunnel, "peer", node["public_key"], "endpoint",
             "192.0.2.1:51820", "allowed-ips", ",".join(node["addresses"] +
                                                        node["advertise_routes"]))
    lab.exec("phone", "ip", "address", "flush", "dev", lab.phone_tunnel)
    for address in peer["addresses"]:
        lab.exec("phone", "ip", "address", "add", address, "dev", lab.phone_tunnel)
    for prefix in node["addresses"] + node["advertise_routes"]:
        lab.exec("phone", "ip", "route", "replace", prefix, "dev", lab.phone_tunnel)


def answers(lab, address):
    return lab.exec("phone", "ping", "-n", "-c", "1", "-W", "2", address,
                    ok=False).returncode == 0


@case
def writes_a_policy_and_keys_for_this_lan(lab):
    said = init(lab).stdout
    policy_path, key, peer_key = paths(lab)
    policy = load_policy(policy_path)
    node = policy["nodes"]["gw"]
    check_equal(node["advertise_routes"], ["10.10.30.0/24", "fd10:30::/64"], "routes")
    check_equal(node["endpoint"], "10.10.30.1:51820", "endpoint")
    for path, who in ((key, node), (peer_key, policy["peers"]["phone"])):
        check_equal(stat.S_IMODE(os.stat(path).st_mode), 0o600, path)
        check_equal(lab.towpath("pubkey", path).stdout.strip(), who["public_key"], path)
        check(path in said and content(path).strip() not in said, f"output names {path} alone")
    checked = json.loads(lab.towpath("check", policy_path, "--json").stdout)
    check_equal((checked["valid"], checked["warnings"]), (True, []), "check")


@case
def overwrites_nothing(lab):
    policy_path, key, _ = paths(lab)
    before = [content(path) for path in paths(lab)]
    check("is there already" in init(lab, status=1).stderr, "says why")
    check_equal([content(path) for path in paths(lab)], before, "files")
    os.rename(policy_path, policy_path + ".old")
    check(f"{key} (was there)" in init(lab).stdout, "an old key is used and said so")
    check_equal([content(path) for path in paths(lab)][1:], before[1:], "keys")
    check_equal(load_policy(policy_path)["nodes"]["gw"]["public_key"],
                load_policy(policy_path + ".old")["nodes"]["gw"]["public_key"], "public key")


@case
def a_name_for_both_is_refused_before_anything_is_written(lab):
    said = lab.towpath("init", "--lan", "lan0", "--node", "x", "--peer", "x", "--out",
                       f"{lab.run_dir}/none.json", "--key", f"{lab.run_dir}/none.key", status=1)
    check("--peer NAME" in said.stderr, said.stderr)
    check(not os.path.exists(f"{lab.run_dir}/none.key"), "no key")


@case
def the_peer_reaches_the_lan(lab):
    policy_path, _, peer_key = paths(lab)
    policy = load_policy(policy_path)
    policy["tunnel"]["interface"] = lab.tunnel      # UAPI sockets of all namespaces share a folder
    lab.apply(policy)
    connect(lab, policy, peer_key)
    wait_until(lambda: answers(lab, lab.WEB), "an answer through the tunnel", 20)
    for address in (lab.WEB6, *policy["nodes"]["gw"]["addresses"]):
        check(answers(lab, address), f"{address} answers")
    lab.towpath("down")


@contextlib.contextmanager
def plain_lab():
    with Lab() as lab:
        yield lab


if __name__ == "__main__":
    main(plain_lab)
