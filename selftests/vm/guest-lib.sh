#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# For the tests in a guest (bash, sourced): cases that print `PASS vm.KERNEL.case` or FAIL with
# what explains it above, and checks that are counted: a case that checks nothing fails.
#
# A case is a function; test_case runs it by name. It goes on after a check that does not hold.

kernel=$(uname -r | grep -oE '^[0-9]+\.[0-9]+')
readonly kernel
readonly scratch=/tmp/case
readonly DEADLINE_S=40
checks=0 faults=0 failures=0
mkdir -p "$scratch"

fault()
{
	echo "  $*"
	faults=$((faults + 1))
}

# equal WHAT GOT WANT
equal()
{
	checks=$((checks + 1))
	[ "$2" = "$3" ] && return
	fault "$1:"
	diff -u <(echo "$3") <(echo "$2") | sed '1,2d; s/^/    /'
	return 1
}

# holds COMMAND...: its output is shown when it fails.
holds()
{
	checks=$((checks + 1))
	"$@" >"$scratch/said" 2>&1 && return
	fault "exit status $? of: $*"
	sed 's/^/    /' "$scratch/said"
	return 1
}

# exits STATUS COMMAND...
exits()
{
	local want=$1 status=0
	shift
	checks=$((checks + 1))
	"$@" >"$scratch/said" 2>&1 || status=$?
	[ "$status" = "$want" ] && return
	fault "exit status $status, not $want, of: $*"
	sed 's/^/    /' "$scratch/said"
	return 1
}

# becomes COMMAND...: true before the deadline.
becomes()
{
	local end=$((SECONDS + DEADLINE_S))
	checks=$((checks + 1))
	until "$@" >"$scratch/said" 2>&1; do
		if ((SECONDS >= end)); then
			fault "still not after $DEADLINE_S s: $*"
			sed 's/^/    /' "$scratch/said"
			return 1
		fi
		usleep 50000
	done
}

test_case()
{
	checks=0 faults=0
	"$1" >"$scratch/out" 2>&1
	if ((faults == 0 && checks > 0)); then
		echo "PASS vm.$kernel.$1"
		return
	fi
	cat "$scratch/out"
	((checks > 0)) || echo "  it checked nothing"
	echo "FAIL vm.$kernel.$1"
	failures=$((failures + 1))
	return 1
}

# Never ip netns exec: it puts a fresh /sys over the one that holds /sys/fs/bpf.
inside()
{
	local ns=$1
	shift
	nsenter --net="/run/netns/$ns" -- "$@"
}
