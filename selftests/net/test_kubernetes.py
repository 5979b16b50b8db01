#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""scripts/kubernetes without a cluster: the manifest's policy, arguments and probe with the real
daemon, and `down` with a kubectl that runs its pod in the lab (kubectl_standin.py). That the image
builds and runs is selftests/image.sh's to show."""

import json
import os
import shutil
import stat

import snapshot
from daemon import HTTP_PORT, Daemon
from lib import (TOP, TOWPATH, Skip, case, check, check_equal, main, run,
                 wait_until)
from running import PROMPT_S, RunLab, forwards
from scenes import open_policy

try:
    import yaml
except ImportError:
    yaml = None

FOLDER = os.path.join(TOP, "scripts", "kubernetes")
NODE = "worker-1"


def manifest():
    """{kind: object}"""
    if not yaml or not shutil.which("jq"):
        raise Skip("no yaml for Python, or no jq: apt-get install python3-yaml jq")
    with open(f"{FOLDER}/towpath.yaml", encoding="utf-8") as file:
        return {one["kind"]: one for one in yaml.safe_load_all(file)}


def container():
    return manifest()["DaemonSet"]["spec"]["template"]["spec"]["containers"][0]


class Node(RunLab):
    """The lab's router as one of a cluster: /etc/towpath and /var/lib/towpath are the pod's."""

    def __enter__(self):
        super().__enter__()
        self.mounted, self.disk = f"{self.run_dir}/configmap", f"{self.run_dir}/disk"
        self.version = 0
        return self

    def begin(self):
        for path in (self.mounted, self.disk):
            shutil.rmtree(path, ignore_errors=True)
            os.mkdir(path)
        self.version = 0

    def publish(self, text):
        """As the kubelet does it: policy.json -> ..data/policy.json, ..data -> ..1, then ..2."""
        self.version += 1
        os.mkdir(f"{self.mounted}/..{self.version}")
        with open(f"{self.mounted}/..{self.version}/policy.json", "w", encoding="utf-8") as file:
            file.write(text)
        os.symlink(f"..{self.version}", f"{self.mounted}/..data_tmp")
        os.rename(f"{self.mounted}/..data_tmp", f"{self.mounted}/..data")
        if self.version == 1:
            os.symlink("..data/policy.json", f"{self.mounted}/policy.json")
        shutil.rmtree(f"{self.mounted}/..{self.version - 1}", ignore_errors=True)

    def daemon(self, **how):
        """With the manifest's arguments. The mounts are its own, and nothing is made below /etc or
        /var/lib of this machine."""
        command, path, *options = [word.replace("$(NODE_NAME)", NODE)
                                   for word in container()["args"]]
        check_equal((command, path), ("run", "/etc/towpath/policy.json"), "arguments")
        mounts = (f"mount -t tmpfs none /etc && mount -t tmpfs none /var/lib && "
                  f"mkdir /etc/towpath /var/lib/towpath && mount --bind {self.disk} "
                  f'/var/lib/towpath && mount --bind {self.mounted} /etc/towpath && exec "$@"')
        return Daemon(self, path, *options, "--metrics-listen", f"127.0.0.1:{HTTP_PORT}",
                      wrap=("unshare", "--mount", "sh", "-c", mounts, "-"), **how)

    def probe(self):
        """The exit status of the readiness probe."""
        words = container()["readinessProbe"]["exec"]["command"]
        check_equal(words[0], "towpath", "the probe")
        return self.script(*words, ok=False).returncode

    def policy_of(self, public_key):
        """What a reader of the manifest would write: the lab's, with the node under its name."""
        policy = open_policy(self)
        del policy["tunnel"]["private_key_file"]
        node = policy["nodes"].pop("homelab-1")
        node.pop("tunnel", None)
        policy["nodes"][NODE] = dict(node, public_key=public_key)
        return json.dumps(policy)


def router(lab):
    return snapshot.take(lab.netns("router"))


def shipped_policy():
    return manifest()["ConfigMap"]["data"]["policy.json"]


@case
def the_manifests_policy_is_accepted_and_its_node_idles(lab):
    lab.begin()
    whole = router(lab)
    lab.publish(shipped_policy())
    with lab.daemon() as daemon:
        check_equal(lab.probe(), 0, "the probe")
        status = lab.json("status")
        check_equal((status["healthy"], status["problems"]), (True, []), "health")
        public_key = lab.towpath("pubkey", f"{lab.disk}/private.key").stdout.strip()
        check_equal(stat.S_IMODE(os.stat(f"{lab.disk}/private.key").st_mode), 0o600, "mode")
        check(f'does not list node "{NODE}"' in status["notes"][0]["what"] and
              public_key in status["notes"][0]["what"], f"notes {status['notes']}")
        check(any("public key" in line and public_key in line
                  for line in daemon.log().splitlines()), "what the manifest has one grep for")
        changed = snapshot.difference(whole, router(lab))
        check_equal([change for change in changed if not change.startswith("processes")], [],
                    "set up")
        lab.publish(lab.policy_of(public_key))
        wait_until(lambda: lab.json("status")["node"] == NODE, "its part", PROMPT_S)
        wait_until(lambda: lab.probe() == 0, "the probe", PROMPT_S)
    lab.towpath("down")


@case
def a_listed_node_is_not_ready_before_its_key_is(lab):
    lab.begin()
    lab.publish(lab.policy_of("M" * 42 + "E="))
    with lab.daemon(ready=False) as daemon:
        wait_until(lambda: "waiting" in daemon.log(), "it to wait", PROMPT_S)
        public_key = lab.towpath("pubkey", f"{lab.disk}/private.key").stdout.strip()
        check_equal(lab.probe(), 1, "the probe")
        check_equal([p["what"] for p in lab.json("status")["problems"]],
                    [f'the policy has not the public key of this node ("{NODE}"): {public_key}'],
                    "problems")
        check(not any("READY" in message for message in daemon.messages()), "it is not ready")
        lab.publish(lab.policy_of(public_key))
        daemon.wait_for_ready()
        check_equal(lab.probe(), 0, "the probe")
    lab.towpath("down")


# ---- taking it down -------------------------------------------------------------------------

class Cluster:
    """What kubectl_standin.py finds, of a daemon that runs in the lab or has run there."""

    def __init__(self, lab, pid):
        self.lab, self.folder = lab, f"{lab.run_dir}/cluster"
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(f"{self.folder}/bin")
        os.symlink(f"{TOP}/selftests/net/kubectl_standin.py", f"{self.folder}/bin/kubectl")
        shutil.copy(TOWPATH, f"{self.folder}/towpath")
        self.write("bin/towpath", f'#!/bin/sh\nexec {self.folder}/towpath "$@" '
                                  f"--instance {lab.instance}\n", 0o755)
        self.write("daemonset.json", json.dumps(manifest()["DaemonSet"]))
        self.write("daemon.pid", str(pid))

    def write(self, name, text, mode=0o644):
        with open(f"{self.folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(f"{self.folder}/{name}", mode)

    def read(self, name):
        with open(f"{self.folder}/{name}", encoding="utf-8") as file:
            return file.read()

    def down(self):
        env = dict(os.environ, STANDIN=self.folder,
                   STANDIN_NETNS=f"/run/netns/{self.lab.netns('router')}",
                   PATH=f"{self.folder}/bin:{os.environ['PATH']}")
        done = run(f"{FOLDER}/down", ok=False, env=env)
        check_equal(done.returncode, 0, f"exit status\n{done.stdout}{done.stderr}")


def is_the_same_pod(lab, cluster):
    """On the same nodes, with the same mounts: so it sees what there is to remove."""
    mine = manifest()["DaemonSet"]["spec"]["template"]["spec"]
    pod = json.loads(cluster.read("pod.json"))
    got = pod["spec"]["template"]["spec"]
    for spec in (mine, got):
        for key in ("command", "args", "readinessProbe"):
            spec["containers"][0].pop(key, None)
    check_equal(got, mine, "the pod")
    check_equal((pod["kind"], pod["metadata"]["namespace"]), ("DaemonSet", "towpath"), "where")
    check_equal(pod["spec"]["selector"]["matchLabels"],
                pod["spec"]["template"]["metadata"]["labels"], "labels")


def takes_all_away(lab, late):
    whole = router(lab)
    with lab.running(policy=open_policy(lab)) as daemon:
        lab.wait_for_tunnel()
        forwards(lab)
        cluster = Cluster(lab, daemon.process.pid)
        if late:
            cluster.write("late", "")
        cluster.down()
        check_equal(daemon.process.wait(), 0, "exit status of the daemon")
        check_equal(snapshot.difference(whole, router(lab)), [], "left")
        check(not os.path.exists(lab.pins), f"{lab.pins} is there")
        check_equal(cluster.read("calls").splitlines(), [
            "-n towpath get daemonset towpath -o json",
            "-n towpath delete daemonset towpath --wait",
            "apply -f -",
            "-n towpath rollout status daemonset towpath-down --timeout=10m",
            "delete namespace towpath"], "calls of kubectl")
        is_the_same_pod(lab, cluster)
        return f"pid {daemon.process.pid}" in cluster.read("pod.log")


@case
def down_takes_all_away(lab):
    check(not takes_all_away(lab, late=False), "the first pod found nobody's lock")


@case
def down_outlasts_a_daemon_that_still_leaves(lab):
    """It holds the lock, and the first pod fails."""
    check(takes_all_away(lab, late=True), "the first pod named who holds the lock")


@case
def down_of_a_node_where_nothing_is_set_up(lab):
    lab.begin()
    whole = router(lab)
    lab.publish(shipped_policy())
    with lab.daemon() as daemon:
        cluster = Cluster(lab, daemon.process.pid)
        cluster.down()
        check_equal(daemon.process.wait(), 0, "exit status of the daemon")
        check_equal(snapshot.difference(whole, router(lab)), [], "left")
    check(os.path.exists(f"{lab.disk}/private.key"), "the node's key stays")


if __name__ == "__main__":
    main(Node)
