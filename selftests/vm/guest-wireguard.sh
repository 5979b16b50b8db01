#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Run in a guest: the real binary with kernel WireGuard on both ends, from check to down.
# shellcheck disable=SC2317 # every case is reached, through test_case
# shellcheck source=selftests/vm/guest-lib.sh
. /t/guest-lib.sh
# shellcheck source=selftests/vm/guest-mesh.sh
. /t/guest-mesh.sh

# tcx came with 6.6.
way=tc
[ "$(printf '6.6\n%s\n' "$kernel" | sort -V | head -1)" = 6.6 ] && way=tcx
readonly way

# ---- looking ----------------------------------------------------------------------------

# What `down` must put back, as text. Devices' numbers change, and so do counters and times.
snapshot()
{
	ip -n router -o link | sed 's/^[0-9]*: //'
	ip -n router -o address | sed 's/^[0-9]*: //; s/ *valid_lft.*//'
	ip -n router -4 route show table all
	ip -n router -6 route show table all | sort
	ip -n router -4 rule
	ip -n router -6 rule
	inside router tc qdisc show
	for dev in wan0 lan0; do
		inside router tc filter show dev "$dev" ingress
		inside router tc filter show dev "$dev" egress
	done
	inside router grep -r . /proc/sys/net/ipv4/conf /proc/sys/net/ipv6/conf 2>/dev/null | sort |
		grep -vE 'stable_secret|/towpath0/'
	find /sys/fs/bpf
}

router_is_as_in()
{
	equal "the router's state" "$(snapshot)" "$(cat "$1")"
}

status()
{
	towpath status --json | jq -r "$1"
}

# steps POLICY [OPTION...]: of the plan, a line each.
steps()
{
	towpath plan "$@" --json >"$scratch/plan" || echo "plan: exit status $?"
	jq -r '.ops[] | .verb + " " + .object' "$scratch/plan"
}

plan_is_empty()
{
	equal "steps of the plan" "$(steps "$@")" ""
}

# dump FIELDS [PEER]: of `wg show towpath0 dump`, the peers' lines.
dump()
{
	inside router wg show towpath0 dump | sed 1d | grep -F "${2:-}" | cut -f "$1" | sort
}

# 1 key, 2 preshared key, 3 endpoint, 4 allowed IPs, 5 handshake, 6 rx, 7 tx, 8 keepalive
readonly SETTINGS=1-4,8

counter()
{
	status ".drops.$1"
}

# hook DEV ingress|egress: how ours is attached there
hook()
{
	status '.attachments[] | select(.device == "'"$1"'" and .mode == "'"$2"'").hook'
}

filters()
{
	inside router tc filter show dev "$1" "$2" | grep -c 'bpf chain 0 handle'
}

# Which address the LAN host sees when the phone talks to it.
seen_by()
{
	fetch "http://$1/cgi-bin/who"
}

answers_of_dns()
{
	inside phone nslookup -type=a web.example "$1" | grep -c "Address: $LAN4\$"
}

# ---- setting up ---------------------------------------------------------------------------

check_accepts_the_policy()
{
	holds towpath check "$POLICY"
}

# The kernel loads the module when its generic netlink family is asked for.
kernel_wireguard_is_found_before_it_is_loaded()
{
	holds [ ! -e /sys/module/wireguard ]
	equal "link" "$(towpath plan "$POLICY" --json |
		jq -r '.ops[] | select(.object == "link towpath0" and .verb == "add").text')" \
		"add link towpath0 type wireguard backend kernel"
}

plan_changes_nothing()
{
	holds towpath plan "$POLICY"
	router_is_as_in "$RUN/before"
}

apply_succeeds()
{
	holds towpath apply "$POLICY"
}

tunnel_is_kernel_wireguard()
{
	equal "status" "$(status .tunnel.backend)" kernel
	holds ip -n router link show dev towpath0 type wireguard
	equal "alias" "$(ip -n router -j link show towpath0 | jq -r '.[].ifalias')" towpath:towpath
	equal "group" "$(ip -n router -j link show towpath0 | jq -r '.[].group')" default
}

attaches_in_the_best_way_the_kernel_has()
{
	local count=1 dev side

	[ "$way" = tc ] || count=0
	for dev in lan0 towpath0; do
		for side in egress ingress; do
			equal "$dev $side" "$(hook "$dev" "$side")" "$way"
			equal "filters on $dev $side" "$(filters "$dev" "$side")" "$count"
		done
	done
}

second_apply_has_nothing_to_do()
{
	plan_is_empty "$POLICY"
	holds towpath apply "$POLICY"
	plan_is_empty "$POLICY"
}

# What `wg show all dump` has, all of it, as status would say it: of the device the public key, the
# port and the mark, of which we set none; and of each peer, with a key that is only there or not.
wg_as_status()
{
	inside router wg show all dump | jq -R -s -S '
	def some: if . == "(none)" then null else . end;
	def number: if . == "off" then 0 else tonumber end;
	def time: if . == "0" then null else tonumber | todate end;
	split("\n")[:-1] | map(split("\t")) | {
		device: (.[0] | { public_key: .[2], listen_port: (.[3] | number), fwmark: .[4] }),
		peers: (.[1:] | map({
			public_key: .[1],
			preshared_key: (.[2] != "(none)"),
			endpoint: (.[3] | some),
			allowed_ips: (.[4] | some // "" | split(",") | sort),
			latest_handshake: (.[5] | time),
			rx_bytes: (.[6] | number),
			tx_bytes: (.[7] | number),
			persistent_keepalive: (.[8] | number)
		}) | sort_by(.public_key))
	}'
}

status_as_wg()
{
	towpath status --json | jq -S '{
		device: (.tunnel | { public_key, listen_port, fwmark: "off" }),
		peers: (.peers | map({ public_key, preshared_key, endpoint, latest_handshake,
			rx_bytes, tx_bytes, persistent_keepalive, allowed_ips: (.allowed_ips | sort)
		}) | sort_by(.public_key))
	}'
}

# Counters may move in between: then again.
status_was_told_between_two_looks()
{
	wg_as_status >"$scratch/wg"
	status_as_wg >"$scratch/status"
	[ "$(wg_as_status)" = "$(cat "$scratch/wg")" ]
}

status_agrees_with_wg()
{
	becomes status_was_told_between_two_looks
	equal "status" "$(cat "$scratch/status")" "$(cat "$scratch/wg")"
	equal "peers, and what the phone has" "$(jq -c --arg phone "$(public_key phone)" \
		'[(.peers | length), (.peers[] | select(.public_key == $phone) |
			.rx_bytes > 0, .tx_bytes > 0, .latest_handshake != null)]' "$scratch/wg")" \
		"[2,true,true,true]"
	equal "private key" "$(inside router wg show all dump | head -1 | cut -f 2)" \
		"$(cat "$RUN/router.key")"
	equal "secrets in status" "$(towpath status --json |
		grep -cF -e "$(cat "$RUN/router.key")" -e "$(cat "$RUN/tablet.psk")")" 0
}

wg_has_what_the_policy_says()
{
	local tablet=100.80.0.11/32,fd7a:70::11/128

	equal "phone" "$(dump 2,3,4,8 "$(public_key phone)")" \
		"(none)	(none)	$PHONE4/32,$PHONE6/128	25"
	equal "tablet" "$(dump 2,3,4,8 "$(public_key tablet)")" \
		"$(cat "$RUN/tablet.psk")	[2001:db8::10]:40001	$tablet	off"
}

# Before anything is touched, or the programs loaded.
tcx_alone_is_refused_where_there_is_none()
{
	local refused=6
	[ "$way" = tc ] || refused=0
	exits "$refused" towpath plan "$POLICY" --tc-attach tcx
	[ "$way" = tcx ] || exits 6 towpath apply "$POLICY" --tc-attach tcx
	router_is_as_in "$RUN/before"
}

# ---- traffic ------------------------------------------------------------------------------

pings_through_the_tunnel()
{
	becomes pings "$LAN4"
	becomes pings "$LAN6"
	holds pings -M "do" -s 1372 "$LAN4"
	holds pings -M "do" -s 1372 "$LAN6"
}

the_lan_sees_the_router()
{
	equal "IPv4" "$(seen_by "$LAN4")" "$ROUTER4"
	equal "IPv6" "$(seen_by "[$LAN6]")" "$ROUTER6"
}

udp_is_answered()
{
	equal "IPv4" "$(answers_of_dns "$LAN4")" 1
	equal "IPv6" "$(answers_of_dns "$LAN6")" 1
	equal "who asked" "$(grep -oE 'from .*' "$RUN/dns.log" | sort -u)" \
		"$(printf 'from %s\n' "$ROUTER4" "$ROUTER6")"
}

# Both ways, because the super-packets of WireGuard and of the LAN take different paths.
large_transfers_arrive_whole()
{
	local host want
	want=$(md5sum <"$WWW/blob")
	for host in "$LAN4" "[$LAN6]"; do
		equal "from $host" "$(fetch "http://$host/blob" | md5sum)" "$want"
		equal "to $host" "$(fetch "http://$host/cgi-bin/sum" "$WWW/blob")" "$want"
	done
}

ungranted_port_is_refused()
{
	local before
	before=$(counter acl)
	holds inside router wget -q -O - "http://$LAN4:8080/cgi-bin/who"
	LIMIT_S=2 exits 143 fetch "http://$LAN4:8080/cgi-bin/who"
	LIMIT_S=2 exits 143 fetch "http://[$LAN6]:8080/cgi-bin/who"
	equal "counted" "$(($(counter acl) >= before + 2))" 1
}

# ---- changing it ----------------------------------------------------------------------------

# edit JQ_FILTER: to a copy of the policy, whose name is printed.
edit()
{
	jq "$1" "$POLICY" >"$RUN/edited.json"
	echo "$RUN/edited.json"
}

other_peers_are_untouched_by_an_edit()
{
	local phone edited
	phone=$(dump 1-5,8 "$(public_key phone)")
	edited=$(edit '.peers.tablet.persistent_keepalive = 11 |
		.peers.tablet.addresses = ["100.80.0.12", "fd7a:70::11"]')
	equal "peers in the plan" "$(steps "$edited" | grep -E '^[a-z]+ peer ')" "set peer tablet"
	holds towpath apply "$edited"
	equal "tablet" "$(dump 2,3,4,8 "$(public_key tablet)" | sed 's/[^\t]*//')" \
		"	[2001:db8::10]:40001	fd7a:70::11/128,100.80.0.12/32	11"
	equal "preshared key" "$(dump 2 "$(public_key tablet)")" "$(cat "$RUN/tablet.psk")"
	equal "phone" "$(dump 1-5,8 "$(public_key phone)")" "$phone"
	plan_is_empty "$edited"
	holds pings "$LAN4"
}

a_peer_is_removed_and_comes_back()
{
	local edited
	edited=$(edit 'del(.peers.tablet)')
	holds towpath apply "$edited"
	equal "peers" "$(dump 1)" "$(public_key phone)"
	plan_is_empty "$edited"
	holds towpath apply "$POLICY"
	equal "peers" "$(dump 1)" "$( (public_key phone; public_key tablet) | sort)"
	plan_is_empty "$POLICY"
}

roaming_is_not_undone()
{
	ip -n phone address add 192.0.2.11/24 dev eth0
	inside phone wg set phone0 listen-port 40000
	holds pings "$LAN4"
	equal "endpoint" "$(dump 3 "$(public_key phone)" | grep -o ':[0-9]*$')" :40000
	plan_is_empty "$POLICY"
}

damage_is_repaired()
{
	local settings
	settings=$(dump "$SETTINGS")
	inside router wg set towpath0 peer "$(public_key tablet)" remove
	inside router wg set towpath0 listen-port 51999
	ip -n router address del 100.80.0.1/32 dev towpath0
	ip -n router link set towpath0 mtu 1300
	inside router sysctl -qw net.ipv4.conf.lan0.forwarding=0
	rm -f /sys/fs/bpf/towpath/towpath/links/lan0-lan
	inside router tc filter del dev lan0 ingress 2>/dev/null
	holds towpath apply "$POLICY"
	plan_is_empty "$POLICY"
	equal "peers" "$(dump "$SETTINGS")" "$settings"
	# a keepalive from the wrong port made the phone send there, until the next one from here
	becomes pings "$LAN4"
	becomes pings "$LAN6"
}

# More than one message holds, in both directions.
many_peers_and_prefixes_fit()
{
	local edited=$RUN/many.json
	for ((i = 0; i < 120; i++)); do
		wg genkey | wg pubkey
	done >"$RUN/many.pub"
	jq --rawfile keys "$RUN/many.pub" '.peers += ($keys | split("\n")[:-1] | to_entries | map({
			key: "many\(.key)",
			value: { public_key: .value, addresses: ["100.81.0.\(.key)"] }
		}) | from_entries) |
		.peers.many0.advertise_routes = [range(250) | "10.\(.).7.0/24", "fd20:\(.)::/32"] |
		.auto_approvers.routes += { "10.0.0.0/8": ["many0"], "fd20::/16": ["many0"] }' \
		"$POLICY" >"$edited"
	holds towpath apply "$edited"
	plan_is_empty "$edited"
	equal "peers" "$(dump 1 | wc -l)" 122
	equal "allowed ips" "$(dump 4 "$(head -1 "$RUN/many.pub")" | tr , '\n' | wc -l)" 501
	equal "routes" "$(ip -n router -4 route show table 116 | grep -c '\.7\.0/24')" 250
	holds pings "$LAN4"
	holds towpath apply "$POLICY"
	plan_is_empty "$POLICY"
}

# ---- taking it down ---------------------------------------------------------------------------

# Programs and maps go when the last CPU has let go of them.
no_program_is_left()
{
	! { bpftool prog show; bpftool map show; } | grep -E 'name tp_'
}

down_leaves_nothing()
{
	holds towpath down
	router_is_as_in "$RUN/before"
	becomes no_program_is_left
	exits 5 towpath status
}

# On any kernel: --tc-attach clsact is what older ones get. Here and below, as few loads of the
# programs as will do: each takes an emulated CPU some twenty seconds.
applies_after_down()
{
	holds towpath apply "$POLICY" --tc-attach clsact
	equal "hooks" "$(status '[.attachments[].hook] | unique | join(" ")')" tc
	becomes pings "$LAN4"
	holds pings "$LAN6"
	equal "IPv4" "$(seen_by "$LAN4")" "$ROUTER4"
	plan_is_empty "$POLICY" --tc-attach clsact
}

# One hook of another kind than the rest, as an apply leaves it that was cut short.
mixed_attachments_come_down_too()
{
	inside router tc filter del dev lan0 ingress
	equal "steps" "$(steps "$POLICY")" "attach program tp_tc_lan on lan0"
	holds towpath apply "$POLICY"
	equal "lan0 ingress" "$(hook lan0 ingress)" "$way"
	becomes pings "$LAN4"
	holds towpath down
	router_is_as_in "$RUN/before"
}

clsact_shares_the_qdisc()
{
	inside router tc qdisc add dev lan0 clsact
	inside router tc filter add dev lan0 ingress prio 40000 handle 9 protocol ip \
		matchall action pass
	snapshot >"$RUN/shared"
	holds towpath apply "$POLICY" --tc-attach clsact
	becomes pings "$LAN4"
	holds pings "$LAN6"
	holds towpath down
	router_is_as_in "$RUN/shared"
	inside router tc qdisc del dev lan0 clsact
}

make_network
make_keys
make_policy
start_servers
snapshot >"$RUN/before"

test_case check_accepts_the_policy
test_case kernel_wireguard_is_found_before_it_is_loaded
test_case plan_changes_nothing
test_case tcx_alone_is_refused_where_there_is_none
test_case apply_succeeds || exit 1
start_phone
test_case tunnel_is_kernel_wireguard
test_case attaches_in_the_best_way_the_kernel_has
test_case wg_has_what_the_policy_says
test_case second_apply_has_nothing_to_do
test_case pings_through_the_tunnel
test_case status_agrees_with_wg
test_case the_lan_sees_the_router
test_case udp_is_answered
test_case large_transfers_arrive_whole
test_case ungranted_port_is_refused
test_case other_peers_are_untouched_by_an_edit
test_case a_peer_is_removed_and_comes_back
test_case roaming_is_not_undone
test_case damage_is_repaired
test_case many_peers_and_prefixes_fit
test_case down_leaves_nothing
test_case applies_after_down
test_case mixed_attachments_come_down_too
test_case clsact_shares_the_qdisc

exit $((failures > 0))
