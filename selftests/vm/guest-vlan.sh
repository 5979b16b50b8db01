#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Run in a guest: the LAN is a VLAN, with kernel WireGuard. The parent devices have no address, so
# what arrives at all was tagged; and the LAN's hosts mark their frames with a priority.
# shellcheck disable=SC2317 # every case is reached, through test_case
# shellcheck source=selftests/vm/guest-lib.sh
. /t/guest-lib.sh
# shellcheck source=selftests/vm/guest-mesh.sh
. /t/guest-mesh.sh

readonly VLAN=10 PRIORITY=5 OTHER=20

# move_to_vlan NS DEV ADDRESS...: into a VLAN device on DEV, with the addresses that DEV had.
move_to_vlan()
{
	local ns=$1 dev=$2
	shift 2
	ip -n "$ns" address flush dev "$dev" scope global
	ip -n "$ns" link add link "$dev" name "$dev.$VLAN" type vlan id $VLAN \
		egress-qos-map "0:$PRIORITY"
	address "$ns" "$dev.$VLAN" "$@"
}

make_vlans()
{
	move_to_vlan router lan0 $ROUTER4/24 $ROUTER6/64
	move_to_vlan lan eth0 $LAN4/24 $LAN6/64
	# one more on the same cable that no policy names, and a way to the mesh from there
	ip -n router link add link lan0 name lan0.$OTHER type vlan id $OTHER
	ip -n lan link add link eth0 name eth0.$OTHER type vlan id $OTHER
	address router lan0.$OTHER 198.51.100.1/24
	address lan eth0.$OTHER 198.51.100.20/24
	ip -n lan route add 100.80.0.0/24 via 198.51.100.1
	inside router sysctl -qw net.ipv4.ip_forward=1
}

status()
{
	towpath status --json | jq -r "$1"
}

lan_device_is_the_vlan()
{
	holds towpath apply "$POLICY"
	equal "devices" "$(status '[.attachments[].device] | unique | join(" ")')" \
		"lan0.$VLAN towpath0"
}

packets_cross_both_ways()
{
	local host want
	becomes pings "$LAN4"
	becomes pings "$LAN6"
	want=$(md5sum <"$WWW/blob")
	for host in "$LAN4" "[$LAN6]"; do
		equal "from $host" "$(fetch "http://$host/blob" | md5sum)" "$want"
		equal "to $host" "$(fetch "http://$host/cgi-bin/sum" "$WWW/blob")" "$want"
	done
	equal "who asks" "$(fetch "http://$LAN4/cgi-bin/who")" "$ROUTER4"
	equal "who asks" "$(fetch "http://[$LAN6]/cgi-bin/who")" "$ROUTER6"
}

# As on a card that leaves tags in the frame; the kernel takes them off.
packets_cross_with_tags_in_the_frame()
{
	inside router ethtool -K lan0 txvlan off >/dev/null
	inside lan ethtool -K eth0 txvlan off >/dev/null
	packets_cross_both_ways
}

# Its device is not ours: the stack routes, and what leaves by the tunnel is judged there.
another_vlan_on_the_cable_is_judged()
{
	local before
	before=$(status '.drops.acl // 0')
	exits 1 inside lan ping -n -c 1 -W 1 "$PHONE4"
	equal "counted" "$(($(status '.drops.acl // 0') - before))" 1
}

make_network
make_vlans
make_keys
make_policy
start_servers

test_case lan_device_is_the_vlan || exit 1
start_phone
test_case packets_cross_both_ways
test_case packets_cross_with_tags_in_the_frame
test_case another_vlan_on_the_cable_is_judged

exit $((failures > 0))
