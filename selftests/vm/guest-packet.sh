#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Run in a guest: the packet tier against this kernel's verifier, JIT and helpers.
# usage: guest-packet.sh [CASE[:CASE...]]	parts of cases' names, -CASE for all but
# shellcheck source=selftests/vm/guest-lib.sh
. /t/guest-lib.sh

modprobe tun # elsewhere opening /dev/net/tun does that, but there is nobody here to make the node
# an emulated CPU takes an hour for as many as elsewhere
export PROPERTY_PACKETS=2000 RANDOM_PAIRS=4000
IFS=: read -ra cases <<<"${1:-}"
cd /src || exit 1
test-packet "${cases[@]}" | sed -u "s/^\(PASS\|FAIL\|SKIP\) /&vm.$kernel./"
exit "${PIPESTATUS[0]}"
