#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Run in a guest: programs of the net tier, with kernel WireGuard at both ends of the tunnel.
# usage: guest-net.sh [PROGRAM[:CASE...]]	test_forward, test_forward:tcp4:udp6; without, all
#
# A program has its own network namespaces and a deadline; CASEs are parts of cases' names.
# shellcheck source=selftests/vm/guest-lib.sh
. /t/guest-lib.sh

readonly LIMIT_S=1800
export SLOWNESS=6 LAB_DEADLINE_S=120 # of the emulator, beside other work on the same machine
failures=0
ulimit -n 65536 # a thousand flows take as many sockets

# shows_something FILE CASE...: cases that somebody chose for this kernel, and that were all
# skipped, have shown nothing of it.
shows_something()
{
	grep -q '^PASS ' "$scratch/program" && return
	echo "  nothing passed of: $*"
	echo "FAIL vm.$kernel.net.${1##*/}"
	failures=$((failures + 1))
}

# run_program FILE [CASE...]
run_program()
{
	local file=$1 status
	shift
	timeout "$LIMIT_S" "$file" "$@" | sed -u "s/^\(PASS\|FAIL\|SKIP\) /&vm.$kernel./" |
		tee "$scratch/program"
	status=${PIPESTATUS[0]}
	if ((status == 0)); then
		(($# == 0)) || shows_something "$file" "$@"
		return
	fi
	failures=$((failures + 1))
	((status == 1)) && return # it has said what failed
	echo "  exit status $status of: $file $*"
	echo "FAIL vm.$kernel.net.${file##*/}"
}

modprobe tun # nobody here makes the node when it is opened
(($# > 0)) || set -- /src/selftests/net/test_*.py
for wanted in "$@"; do
	IFS=: read -ra words <<<"$wanted"
	name=${words[0]##*/}
	run_program "/src/selftests/net/${name%.py}.py" "${words[@]:1}"
done
exit $((failures > 0))
