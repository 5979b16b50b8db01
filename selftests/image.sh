#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Builds the container image and runs it as the DaemonSet would: with the manifest's arguments,
# mounts and probe, in a lab's router. Prints `PASS image.case` and so on.
#
# The base is a minimal Debian that debootstrap makes, kept in .cache/image, so that no registry is
# needed. Containers are chroots in this machine's namespaces, which is near to what a privileged
# pod on the host's network is; what the kubelet does is not tested here.
# shellcheck disable=SC2317 # every function is reached, through try or the trap
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

readonly CACHE=${IMAGE_CACHE:-$PWD/.cache/image} MANIFEST=scripts/kubernetes/towpath.yaml
export LAB=image- TOWPATH=$PWD/build/towpath
readonly RUN=/run/towpath-lab/$LAB
readonly DEADLINE_S=60 OPTIONS=(--instance "lab-$LAB")
failed=0

scratch=$(mktemp -d) || exit 1
clean_up()
{
	[ -z "${daemon:-}" ] || kill "$daemon" 2>/dev/null
	scripts/lab down >/dev/null 2>&1
	store umount --all >/dev/null 2>&1
	store rm --all >/dev/null 2>&1
	rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

store()
{
	buildah --storage-driver vfs --root "$scratch/store" --runroot "$scratch/run" "$@"
}

pass() { echo "PASS image.$1"; }
fail()
{
	tail -20 "$scratch/out" | sed 's/^/  /'
	echo "FAIL image.$1"
	failed=1
}

# try NAME COMMAND...
try()
{
	local name=$1
	shift
	if "$@" >"$scratch/out" 2>&1; then
		pass "$name"
	else
		fail "$name"
		return 1
	fi
}

what_is_missing()
{
	local tool
	[ "$(id -u)" = 0 ] || echo "images are built as root here"
	for tool in buildah debootstrap; do
		command -v "$tool" >/dev/null && continue
		echo "no $tool here: apt-get install buildah debootstrap python3-yaml"
		return
	done
	python3 -c 'import yaml' 2>/dev/null ||
		echo "no yaml for Python: apt-get install python3-yaml"
}

# Made once; the mirror is the one that this machine installs from.
base_archive()
{
	local archive=$CACHE/bookworm.tar mirror
	[ -e "$archive" ] && return
	mkdir -p "$CACHE"
	# shellcheck disable=SC2016 # for apt-get
	mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -1)
	debootstrap --variant=minbase bookworm "$scratch/base" "$mirror" || return
	tar -C "$scratch/base" -cf "$archive.tmp" . && mv "$archive.tmp" "$archive"
	rm -rf "$scratch/base"
}

build()
{
	local base
	base=$(store from scratch) &&
		store add "$base" "$CACHE/bookworm.tar" / &&
		store commit "$base" localhost/base:12 &&
		store bud --isolation chroot -f scripts/kubernetes/Containerfile -t towpath \
			--build-arg BASE=localhost/base:12 --build-arg VERSION=image-test .
}

# The manifest's DaemonSet, a jq program's answer about its container.
manifest()
{
	python3 - "$MANIFEST" <<-'END' | jq -r "$1"
		import json, sys, yaml
		with open(sys.argv[1], encoding="utf-8") as file:
		    kinds = {d["kind"]: d for d in yaml.safe_load_all(file)}
		json.dump(kinds["DaemonSet"]["spec"]["template"]["spec"], sys.stdout)
	END
}

is_as_the_kubelet_wants_it()
{
	# 256 is 0400
	[ "$(manifest '(.containers | length) == 1 and .hostNetwork
		and .containers[0].securityContext.privileged
		and ([.containers[0].volumeMounts[].name] - [.volumes[].name] == [])
		and (.volumes[] | select(.secret).secret.defaultMode == 256)')" = true ]
}

# in_image COMMAND...: in the container's file system, with the host's directories that the manifest
# mounts, but for the key's, which is no business of a test's: the lab's policy names its keys by
# paths of the lab. `buildah run` would do it, but has /proc/sys and /sys for reading only.
in_image()
{
	local mounts=("$RUN:$RUN" "$RUN/mounted:/etc/towpath" "$RUN/key:/var/lib/towpath") path
	while read -r path; do
		[ "$path" = /var/lib/towpath ] || mounts+=("$path:$path")
	done < <(manifest '.volumes[] | select(.hostPath).hostPath.path')
	# shellcheck disable=SC2016 # for the shell inside
	nsenter --net="/run/netns/${LAB}router" unshare --mount sh -euc '
		root=$1; shift
		for mount in /proc:/proc /sys:/sys /dev:/dev $1; do
			mkdir -p "$root${mount#*:}"
			mount --rbind "${mount%:*}" "$root${mount#*:}"
		done
		shift
		exec chroot "$root" "$@"' - "$root" "${mounts[*]}" "$@"
}

says_its_version()
{
	[ "$(in_image towpath version --json | jq -r .version)" = image-test ]
}

start_daemon()
{
	local args
	# shellcheck disable=SC2016 # the manifest's own
	mapfile -t args < <(manifest '.containers[0].args[]' | sed 's/\$(NODE_NAME)/homelab-1/')
	in_image towpath "${args[@]}" "${OPTIONS[@]}" >"$scratch/daemon" 2>&1 &
	daemon=$!
}

is_ready()
{
	local probe end=$((SECONDS + DEADLINE_S))
	mapfile -t probe < <(manifest '.containers[0].readinessProbe.exec.command[]')
	until in_image "${probe[@]}" "${OPTIONS[@]}"; do
		if ((SECONDS > end)) || ! kill -0 "$daemon" 2>/dev/null; then
			cat "$scratch/daemon"
			return 1
		fi
		read -rt 0.5 <> <(:) || true
	done
}

# As the kubelet does; what was started is a shell, with the daemon below it.
stop_daemon()
{
	local pid
	pid=$(in_image towpath status --json "${OPTIONS[@]}" | jq -e .daemon.pid) &&
		kill "$pid" && wait "$daemon"
}

reaches_the_lan()
{
	scripts/lab exec phone curl -sS -m 20 "http://$1/"
}

missing=$(what_is_missing)
if [ -n "$missing" ]; then
	echo "SKIP image: $missing"
	exit 0
fi
make -j2 build/towpath >/dev/null || exit 1
try manifest_is_as_the_kubelet_wants_it is_as_the_kubelet_wants_it
if try base_is_there base_archive && try builds build && try lab_comes_up scripts/lab up; then
	root=$(store mount "$(store from localhost/towpath)")
	mkdir -p "$RUN/mounted" "$RUN/key" && cp "$RUN/policy.json" "$RUN/mounted/"
	try says_its_version says_its_version
	start_daemon
	if try its_probe_says_ready is_ready; then
		try phone_reaches_the_lan reaches_the_lan 10.10.30.20
		try phone_reaches_the_lan_by_ipv6 reaches_the_lan '[fd10:30::20]'
	fi
	try it_ends_when_told stop_daemon
	try down_takes_it_away in_image towpath down "${OPTIONS[@]}"
fi
exit "$failed"
