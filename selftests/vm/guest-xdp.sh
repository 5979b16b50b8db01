#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Run in a guest: where "xdp": "auto" goes on network cards. boot gives the guest two of virtio,
# whose driver runs XDP up to a page a frame: eth0 with the usual MTU, eth1 with jumbo frames.
# shellcheck disable=SC2317 # test_case calls its cases by name
# shellcheck source=selftests/vm/guest-lib.sh
. /t/guest-lib.sh

readonly POLICY=/tmp/policy.json

make_network()
{
	modprobe virtio_pci
	modprobe virtio_net
	becomes ip link show eth1 || return
	ip netns add router
	for device in eth0 eth1; do
		ip link set "$device" netns router
	done
	ip -n router link set lo up
	ip -n router address add 10.10.30.1/24 dev eth0
	for device in eth0 eth1; do
		ip -n router link set "$device" up
	done
}

make_policy()
{
	local key
	key=$(towpath keygen --out /tmp/router.key)
	cat >"$POLICY" <<-END
	{ "version": 1,
	  "tunnel": { "private_key_file": "/tmp/router.key" },
	  "nodes": { "router": { "public_key": "$key", "addresses": ["100.80.0.1"],
	    "advertise_routes": ["10.10.30.0/24"], "lan_interfaces": ["eth*"] } },
	  "auto_approvers": { "routes": { "10.10.30.0/24": ["router"] } },
	  "limits": { "flows": 1024 },
	  "grants": [] }
	END
}

towpath()
{
	inside router /usr/bin/towpath "$@"
}

attached()
{
	towpath status --json |
		jq -r '.attachments[] | select(.hook == "xdp") | "\(.device) \(.program) \(.mode)"'
}

auto_goes_to_cards_in_the_mode_that_their_driver_has()
{
	holds towpath apply "$POLICY"
	equal "XDP" "$(attached)" "eth0 tp_xdp_lan native
eth1 tp_xdp_lan generic"
}

a_driver_that_refused_is_not_asked_again()
{
	equal "the plan" "$(towpath plan "$POLICY" --json | jq -c .ops)" "[]"
	holds towpath apply "$POLICY"
	equal "XDP" "$(attached)" "eth0 tp_xdp_lan native
eth1 tp_xdp_lan generic"
}

down_takes_xdp_away()
{
	holds towpath down
	equal "XDP" "$(ip -n router -j link | jq -c '[.[].xdp | values]')" "[]"
}

make_network
make_policy
test_case auto_goes_to_cards_in_the_mode_that_their_driver_has
test_case a_driver_that_refused_is_not_asked_again
test_case down_takes_xdp_away
exit $((failures > 0))
