#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# For the tests in a guest (bash, sourced): three network namespaces, the middle one for towpath.
#
#   phone -------------- router -------------- lan
#   192.0.2.10           192.0.2.1             10.10.30.20   HTTP on 80 and 8080
#   2001:db8::10         10.10.30.1            fd10:30::20   DNS on 53
#
# phone has kernel WireGuard; lan has no route to the mesh. The HTTP server tells its client from
# which address it came (/cgi-bin/who) and the MD5 sum of what it was sent (/cgi-bin/sum).

readonly PHONE4=100.80.0.10 PHONE6=fd7a:70::10
readonly ROUTER4=10.10.30.1 ROUTER6=fd10:30::1
readonly LAN4=10.10.30.20 LAN6=fd10:30::20
readonly RUN=/run/vm WWW=/run/vm/www
readonly POLICY=$RUN/policy.json

# cable NS DEV NS DEV. No receiver takes a checksum on trust, as in scripts/lab.
cable()
{
	ip -n "$1" link add "$2" type veth peer name "$4" netns "$3"
	inside "$1" ethtool -K "$2" rx off >/dev/null
	inside "$3" ethtool -K "$4" rx off >/dev/null
}

# address NS DEV ADDRESS...
address()
{
	local ns=$1 dev=$2 address
	shift 2
	for address in "$@"; do
		ip -n "$ns" address add "$address" dev "$dev"
	done
	ip -n "$ns" link set "$dev" up
}

# has_settled NS DEVICES: carrier and a link-local address come by themselves, a little later.
has_settled()
{
	! ip -n "$1" -o link | grep -q NO-CARRIER &&
		[ "$(ip -n "$1" -o -6 address show scope link -tentative | wc -l)" = "$2" ]
}

make_network()
{
	local ns

	mkdir -p "$RUN"
	for ns in phone router lan; do
		ip netns add "$ns"
		inside "$ns" sysctl -qw net.ipv6.conf.default.accept_dad=0
		ip -n "$ns" link set lo up
	done
	cable phone eth0 router wan0
	cable router lan0 lan eth0
	address phone eth0 192.0.2.10/24 2001:db8::10/64
	address router wan0 192.0.2.1/24 2001:db8::1/64
	address router lan0 $ROUTER4/24 $ROUTER6/64
	address lan eth0 $LAN4/24 $LAN6/64
	becomes has_settled router 2
}

make_keys()
{
	local who

	umask 077
	for who in router phone tablet; do
		wg genkey >"$RUN/$who.key"
		wg pubkey <"$RUN/$who.key" >"$RUN/$who.pub"
	done
	wg genpsk >"$RUN/tablet.psk"
}

public_key()
{
	cat "$RUN/$1.pub"
}

make_policy()
{
	cat >"$POLICY" <<-END
	{
	  "version": 1,
	  "tunnel": { "private_key_file": "$RUN/router.key" },
	  "limits": { "flows": 4096 },
	  "nodes": {
	    "router": {
	      "public_key": "$(public_key router)",
	      "addresses": ["100.80.0.1", "fd7a:70::1"],
	      "endpoint": "192.0.2.1:51820",
	      "advertise_routes": ["10.10.30.0/24", "fd10:30::/64"]
	    }
	  },
	  "peers": {
	    "phone": {
	      "public_key": "$(public_key phone)",
	      "addresses": ["$PHONE4", "$PHONE6"],
	      "persistent_keepalive": 25
	    },
	    "tablet": {
	      "public_key": "$(public_key tablet)",
	      "addresses": ["100.80.0.11", "fd7a:70::11"],
	      "preshared_key_file": "$RUN/tablet.psk",
	      "endpoint": "[2001:db8::10]:40001"
	    }
	  },
	  "auto_approvers": {
	    "routes": { "10.10.30.0/24": ["router"], "fd10:30::/64": ["router"] }
	  },
	  "grants": [
	    { "src": ["phone"], "dst": ["10.10.30.0/24", "fd10:30::/64"],
	      "ip": ["tcp:80", "udp:53", "icmp:*"] }
	  ]
	}
	END
}

# script NAME: a CGI program from standard input
script()
{
	{ printf '#!/bin/sh\necho; '; cat; } >"$WWW/cgi-bin/$1"
	chmod 0755 "$WWW/cgi-bin/$1"
}

start_servers()
{
	local port

	mkdir -p "$WWW/cgi-bin"
	# shellcheck disable=SC2016 # expanded by the server
	echo 'echo $REMOTE_ADDR | tr -d "[]" | sed s/^::ffff://' | script who
	echo md5sum | script sum
	head -c 2000000 /dev/urandom | base64 >"$WWW/blob" # wget sends text only
	for port in 80 8080; do
		inside lan httpd -p "[::]:$port" -h "$WWW"
	done
	inside lan dnsmasq --conf-file=/dev/null --pid-file= --user=root --no-resolv --no-hosts \
		--log-queries --log-facility="$RUN/dns.log" \
		--host-record=web.example,$LAN4,$LAN6
}

start_phone()
{
	cat >"$RUN/phone.conf" <<-END
	[Interface]
	PrivateKey = $(cat "$RUN/phone.key")

	[Peer]
	PublicKey = $(public_key router)
	Endpoint = 192.0.2.1:51820
	AllowedIPs = 100.80.0.0/24, fd7a:70::/64, 10.10.30.0/24, fd10:30::/64
	END
	ip -n phone link add phone0 mtu 1420 type wireguard
	inside phone wg setconf phone0 "$RUN/phone.conf"
	address phone phone0 $PHONE4/32 $PHONE6/128
	for prefix in 100.80.0.0/24 fd7a:70::/64 10.10.30.0/24 fd10:30::/64; do
		ip -n phone route add "$prefix" dev phone0
	done
}

towpath()
{
	inside router /usr/bin/towpath "$@"
}

# fetch URL [FILE]: from the phone; FILE is sent.
fetch()
{
	inside phone timeout "${LIMIT_S:-20}" wget -q -O - ${2:+--post-file="$2"} "$1"
}

pings()
{
	inside phone ping -n -c 1 -W 1 "$@"
}
