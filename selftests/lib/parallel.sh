#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2034 # statuses and seconds are for who sources this
# Sourced: several jobs at a time, reported as if there were one.

pids=()		# of the jobs that run, by their numbers
statuses=()	# of those that have ended
seconds=()	# that they took; of those that run, when they began

wait_for_one()
{
	local ended status=0 i

	wait -n -p ended "${pids[@]}" || status=$?
	for i in "${!pids[@]}"; do
		[ "${pids[i]}" = "$ended" ] || continue
		unset "pids[$i]"
		statuses[i]=$status
		seconds[i]=$((SECONDS - seconds[i]))
	done
}

# in_order COUNT AT_A_TIME START REPORT: `START N` puts the job N, from 0, into the background, a
# command and no shell, for it is what end_jobs ends; `REPORT N` comes once it and all before it
# have ended.
in_order()
{
	local count=$1 at_a_time=$2 start=$3 report=$4 next=0 reported=0

	while ((reported < count)); do
		while ((next < count && ${#pids[@]} < at_a_time)); do
			seconds[next]=$SECONDS
			"$start" "$next"
			pids[next++]=$!
		done
		((${#pids[@]} == 0)) || wait_for_one
		while ((reported < next)) && [ -z "${pids[reported]:-}" ]; do
			"$report" $((reported++))
		done
	done
}

# For the exit trap: a job in the background does not hear of an interrupt.
end_jobs()
{
	((${#pids[@]} == 0)) || kill "${pids[@]}" 2>/dev/null
	wait
}
