#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The docs tier: each command in a ```sh block of README.md and docs/*.md is run, in a lab that has
# the example policy applied, and must exit 0. Names of a real installation stand for the lab's.
# `make` targets are only shown to exist; commands of other tools that would change this machine
# are skipped by name. Also: links to files that are not there, options that do not exist, keys of
# status that docs/status.md does not tell.
set -uo pipefail
shopt -s lastpipe # fail_case counts at the end of a pipe
cd "$(dirname "$0")/.." || exit 1

export LAB=docs-
failures=0
cgroup=''
scratch=$(mktemp -d) || exit 1

finish()
{
	scripts/lab down >/dev/null 2>&1 || failures=$((failures + 1))
	[ -z "$cgroup" ] || rmdir "$cgroup"
	rm -rf "$scratch"
	exit $((failures > 0))
}
trap finish EXIT
trap 'exit 130' INT TERM

fail_case()
{
	sed 's/^/  /'
	echo "FAIL docs.$1"
	failures=$((failures + 1))
}

pages()
{
	printf '%s\n' README.md docs/*.md
}

# "page:line<TAB>command" for every command of every ```sh block; a trailing \ joins lines.
commands()
{
	# shellcheck disable=SC2046 # no page has a blank in its name
	awk '
	FNR == 1 { inside = 0; command = "" }
	/^```/ { inside = /^```sh$/; next }
	!inside || /^[ \t]*(#|$)/ { next }
	{
		sub(/^\$ /, "")
		if (command == "")
			place = FILENAME ":" FNR
		command = command $0
	}
	/\\$/ { sub(/\\$/, " ", command); next }
	{
		sub(/[ \t]+#.*/, "", command)
		print place "\t" command
		command = ""
	}' $(pages)
}

# What a reader has installed, as it is called in the lab.
in_the_lab()
{
	sed -e "s|/etc/towpath/policy.json|$policy|g; s|docs/examples/homelab.json|$policy|g" \
		-e "s|/sys/fs/bpf/towpath/towpath/|/sys/fs/bpf/towpath/lab-$LAB/|g" \
		-e "s|/var/lib/towpath/private.key|$scratch/private.key|g" <<<"$1"
}

# The example, with a service and an exempt namespace: in a cgroup of nobody's.
apply_services()
{
	cgroup=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)/towpath-docs
	mkdir -p "$cgroup" || return 1
	{
		echo '{ "services": { "dns": { "vip": "100.80.0.53", "backends": ["10.10.30.53"],'
		echo '"ports": [{ "port": 53, "protocol": "udp" }] } }, "socket_lb":'
		echo "{ \"cgroup\": \"$cgroup\", \"exempt\": [{ \"netns\": \"${LAB}phone\" }] },"
		sed '0,/^{/s///' "$policy"
	} >"$scratch/services.json" &&
		scripts/lab towpath apply "$scratch/services.json" >/dev/null 2>&1
}

# The state every command starts from: the example applied, and a key file.
prepare()
{
	case $1 in *tp_exempt | *tp_services | *tp_backends | *tp_foreign) apply_services ;; esac
	scripts/lab towpath status >/dev/null 2>&1 ||
		scripts/lab towpath apply "$policy" >/dev/null 2>&1 || return 1
	[[ $1 == *keygen* ]] && rm -f "$scratch/private.key" && return
	[ -e "$scratch/private.key" ] || (umask 077 && wg genkey >"$scratch/private.key")
}

run_command()
{
	local name=$1 command
	command=$(in_the_lab "$2")

	prepare "$command"
	# shellcheck disable=SC2016 # for the inner shell
	if bash -c 'set -o pipefail
		towpath() { scripts/lab towpath "$@"; }
		eval "$1"' bash "$command" >"$scratch/out" 2>&1 </dev/null; then
		echo "PASS docs.$name"
	else
		{ echo "$command"; tail -20 "$scratch/out"; } | fail_case "$name"
	fi
}

make_knows()
{
	if make -n "$2" >"$scratch/out" 2>&1; then
		echo "PASS docs.$1"
	else
		tail -5 "$scratch/out" | fail_case "$1"
	fi
}

test_command()
{
	local name=$1 command=$2 words
	read -ra words <<<"$command"

	while [[ ${words[0]} == *=* ]]; do
		words=("${words[@]:1}")
	done
	case ${words[0]} in
	towpath | bpftool | ls) run_command "$name" "$command" ;;
	scripts/lab)
		case ${words[1]} in
		up | down) echo "PASS docs.$name" ;;	# this tier begins and ends with them
		*) run_command "$name" "${words[*]}" ;;
		esac ;;
	make) make_knows "$name" "${words[1]:-all}" ;;
	selftests/*) if [ -x "${words[0]}" ]; then
			echo "PASS docs.$name"
		else
			echo "${words[0]} is not there" | fail_case "$name"
		fi ;;
	git | cd | sudo) echo "SKIP docs.$name: ${words[0]} is not run here" ;;
	*) echo "no idea how to test '$command'" | fail_case "$name" ;;
	esac
}

# Every (path) of a markdown link that names a file of the repository.
links_lead_somewhere()
{
	local page link bad=''
	for page in $(pages); do
		while read -r link; do
			[ -e "$(dirname "$page")/${link%%#*}" ] || bad+="$page: $link"$'\n'
		done < <(grep -oE '\]\([^):]+\)' "$page" | sed 's/^](//; s/)$//; /^#/d')
	done
	if [ -n "$bad" ]; then
		printf 'links to nothing:\n%s' "$bad" | fail_case links_lead_somewhere
	else
		echo "PASS docs.links_lead_somewhere"
	fi
}

# "COMMAND --option" for each option of each `towpath …` in running text.
mentioned_options()
{
	# shellcheck disable=SC2016 # backquotes of markdown
	pages | xargs grep -ohE '`towpath [a-z]+( [^`]*)?`' | tr -d '`' |
		awk '{ for (i = 3; i <= NF; i++) if ($i ~ /^--[a-z]/) print $2, $i }' | sort -u
}

options_exist()
{
	local command option bad=''
	while read -r command option; do
		build/towpath "$command" --help | grep -q -- "$option\\b" ||
			bad+="towpath $command has no $option"$'\n'
	done < <(mentioned_options)
	if [ -n "$bad" ]; then
		printf '%s' "$bad" | fail_case options_exist
	else
		echo "PASS docs.options_exist"
	fi
}

# One a line, as docs/status.md writes them: .peers[].name
keys_told()
{
	# shellcheck disable=SC2016 # backquotes of markdown
	grep -oE '`\.[a-z_]+[^`]*`' docs/status.md | tr -d '`' | sort -u
}

# The same of what status says now. Each reason of .drops is a key, which docs/counters.md has.
keys_said()
{
	scripts/lab towpath status --json |
		jq -r '[paths(type != "object" and type != "array") |
			map(if type == "number" then "[]" else "." + . end) | join("")] | .[]' |
		sed 's/^\.drops\..*/.drops.REASON/' | sort -u
}

# Every key that status could say, by its last word, in a lab that has all there is.
words_of_status()
{
	cat user/report/status*.c | tr -d '\n' |
		grep -oE '(cJSON_Add\w+|json_out_(number|time)|add_text)\([^,()]+,\s*"\w+"' |
		grep -oE '[a-z_]+"$' | tr -d '"' | sort -u
}

keys_of_status_are_told()
{
	local untold unknown key word
	untold=$(comm -13 <(keys_told) <(keys_said)
		comm -13 <(keys_told | tr -d '[]' | tr . '\n' | sort -u) <(words_of_status))
	# what this lab has none of must at least be a word of the source
	unknown=$(comm -23 <(keys_told) <(keys_said) | while read -r key; do
		word=$(sed 's/\[\]$//; s/.*\.//' <<<"$key")
		grep -qF "\"$word\"" user/report/status*.c || echo "$key"
	done)
	if [ -n "$untold$unknown" ]; then
		printf 'said, not told: %s\ntold, never said: %s\n' "$untold" "$unknown" |
			fail_case keys_of_status_are_told
	else
		echo "PASS docs.keys_of_status_are_told"
	fi
}

links_lead_somewhere
options_exist
if ! scripts/lab up >"$scratch/out" 2>&1; then
	fail_case lab_comes_up <"$scratch/out"
	exit
fi
policy=$(scripts/lab policy)
prepare status
keys_of_status_are_told
while IFS=$'\t' read -r place command; do
	test_command "$place" "$command"
done < <(commands)
