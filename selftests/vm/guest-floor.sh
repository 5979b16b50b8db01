#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Run in a guest whose kernel is older than towpath wants (5.10): it is refused with exit status 6
# and the names of what is missing, by every command that would load programs, and nothing changes.
# shellcheck disable=SC2317 # every case is reached, through test_case
# shellcheck source=selftests/vm/guest-lib.sh
. /t/guest-lib.sh
# shellcheck source=selftests/vm/guest-mesh.sh
. /t/guest-mesh.sh

release=$(uname -r)
readonly LACKS="this kernel ($release) lacks atomic BPF instructions that give the old value \
(Linux 5.12), bpf_xdp_get_buff_len (Linux 5.18)"

snapshot()
{
	ip -n router -o link
	ip -n router -o address
	ip -n router -4 route show table all
	ip -n router -4 rule
	inside router tc qdisc show
	inside router grep -r . /proc/sys/net/ipv4/conf 2>/dev/null | sort
	find /sys/fs/bpf /run/towpath /run/wireguard 2>/dev/null
	bpftool prog show
	bpftool map show
}

# refuses TEXT COMMAND...
refuses()
{
	local text=$1
	shift
	exits 6 towpath "$@"
	equal "$1" "$(cat "$scratch/said")" "towpath: $1: $text"
}

every_command_that_loads_programs_refuses()
{
	local before command
	before=$(snapshot)
	for command in plan apply run; do
		refuses "$LACKS; towpath wants Linux 6.1 or later" "$command" "$POLICY"
	done
	refuses "$LACKS; towpath wants Linux 6.1 or later" trace \
		--from "$PHONE4" --to "$LAN4" --dport 80
	refuses "$LACKS, tcx (Linux 6.6), which --tc-attach auto would do without; \
towpath wants Linux 6.1 or later" apply "$POLICY" --tc-attach tcx
	equal "the machine" "$(snapshot)" "$before"
}

what_needs_no_programs_works()
{
	holds towpath check "$POLICY"
	exits 5 towpath status
	exits 5 towpath down
}

make_network
make_keys
make_policy
test_case every_command_that_loads_programs_refuses
test_case what_needs_no_programs_works
exit $((failures > 0))
