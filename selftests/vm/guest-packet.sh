#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Run in a guest: the packet tier against this kernel's verifier, JIT and helpers.
# shellcheck source=selftests/vm/guest-lib.sh
. /t/guest-lib.sh

modprobe tun # elsewhere opening /dev/net/tun does that, but there is nobody here to make the node
export PROPERTY_PACKETS=2000 # an emulated CPU takes an hour for as many as elsewhere
test-packet | sed "s/^\(PASS\|FAIL\|SKIP\) /&vm.$kernel./"
exit "${PIPESTATUS[0]}"
