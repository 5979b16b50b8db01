#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Run in a guest after everything else: has the kernel itself come through it?
# shellcheck disable=SC2317 # test_case calls its case by name
# shellcheck source=selftests/vm/guest-lib.sh
. /t/guest-lib.sh

the_kernel_did_not_complain()
{
	equal "dmesg" "$(dmesg | grep -E -A 30 \
		'BUG:|WARNING:|Oops|Call Trace|general protection|suspicious RCU|segfault')" ""
}

test_case the_kernel_did_not_complain
exit $((failures > 0))
