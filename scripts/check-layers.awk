# SPDX-License-Identifier: GPL-2.0-only
# The include table: which folder may include what (docs/architecture.md has the reasons).
# Changing it is a decision about the architecture.
#
# rule(prefix, list): files whose path begins with `prefix` may include what begins with a word
# of `list`; rules that match the same file add up. A quoted include is looked up as written
# (-Iuser, -Iinclude, -Ibpf), <...> is written with its '<'. A word that ends in '$' must match
# to the end. <libc> stands for every header that no library below owns.

BEGIN {
	owned("cjson/"); owned("cJSON.h"); owned("libmnl/"); owned("bpf/"); owned("sodium")
	owned("microhttpd.h"); owned("linux/"); owned("asm/"); owned("vmlinux.h")
	owned("towpath/"); owned("libelf.h"); owned("gelf.h"); owned("zlib.h")

	towpath = "<towpath/ towpath/"

	rule("include/towpath/", "<linux/types.h>$ " towpath)

	rule("bpf/",         "lib/ <linux/ <bpf/bpf_helpers.h>$ <bpf/bpf_endian.h>$ " \
	     "<stdbool.h>$ <stddef.h>$ " towpath)	# the last two are the compiler's own

	rule("user/",        "<libc>")
	rule("user/base/",   "base/")
	rule("user/secret/", "secret/ base/ <sodium")
	rule("user/config/", "config/ base/ secret/")
	rule("user/config/json.c", "<cjson/")
	rule("user/model/",  "model/ base/ secret/ config/config.h$ " towpath)
	rule("user/plan/",   "plan/ base/ secret/ model/ " towpath)
	rule("user/kernel/", "kernel/ base/ secret/ plan/ops.h$ <linux/ " \
	     "model/state.h$ model/services.h$ model/facts.h$ model/stats.h$ " \
	     "model/decide_packet.h$ model/trace.h$ " towpath)
	rule("user/kernel/nl",   "<libmnl/")
	rule("user/kernel/wg",   "<libmnl/")
	rule("user/kernel/rt",   "<libmnl/")
	rule("user/kernel/bpf_", "<bpf/")
	rule("user/kernel/bpf_object.c", "tc_router.skel.h$ xdp_lan.skel.h$ " \
	     "sock_lb.skel.h$ sock_hide.skel.h$")
	rule("user/kernel/bpf_socket.c", "sock_lb.skel.h$ sock_hide.skel.h$")
	rule("user/kernel/bpf_led.c", "sock_iter.skel.h$")
	rule("user/kernel/bpf_sink.c", "sk_lookup.skel.h$")
	rule("user/kernel/bpf_sandbox.c", "tc_router.skel.h$")
	rule("user/report/", "report/ base/ secret/ model/ plan/ops.h$ <cjson/ " towpath)
	rule("user/daemon/", "daemon/ base/ secret/ model/ plan/ kernel/ report/ " towpath)
	rule("user/daemon/http.c", "<microhttpd.h>$ <linux/tcp.h>$")
	rule("user/cmd/",    "cmd/ base/ secret/ config/ model/ plan/ kernel/ report/ daemon/ " \
	     "version.h$ <linux/ " towpath)

	# Tests look into everything; only the top of the tree is closed to them.
	rule("selftests/", "< base/ secret/ config/ model/ plan/ kernel/ report/ daemon/ cmd/ " \
	     "lib/ version.h$ tc_router.skel.h$ xdp_lan.skel.h$ bench.skel.h$ selftests/ " towpath)
}

function owned(prefix) { owners[++owner_count] = prefix }
function rule(prefix, list) { rule_prefix[++rule_count] = prefix; rule_list[rule_count] = list }

function is_libc(include,    i)
{
	if (substr(include, 1, 1) != "<")
		return 0
	for (i = 1; i <= owner_count; i++)
		if (index(include, "<" owners[i]) == 1)
			return 0
	return 1
}

function matches(include, word)
{
	if (word == "<libc>")
		return is_libc(include)
	if (word ~ /\$$/)
		return include == substr(word, 1, length(word) - 1)
	return index(include, word) == 1
}

function is_allowed(path, include,    i, j, n, words)
{
	for (i = 1; i <= rule_count; i++) {
		if (index(path, rule_prefix[i]) != 1)
			continue
		n = split(rule_list[i], words, " ")
		for (j = 1; j <= n; j++)
			if (matches(include, words[j]))
				return 1
	}
	return 0
}

function exists(path,    unused, found)
{
	found = (getline unused < path) >= 0
	close(path)
	return found
}

# A test's own header, beside it or in selftests/lib, needs no rule.
function is_test_header(path, include,    sibling)
{
	if (path !~ /^selftests\// || include ~ /[\/<]/)
		return 0
	sibling = path
	sub(/[^\/]*$/, include, sibling)
	return exists(sibling) || exists("selftests/lib/" include)
}

/^[ \t]*#[ \t]*include/ {
	written = $0
	sub(/^[ \t]*#[ \t]*include[ \t]*/, "", written)
	include = written
	if (include ~ /^"/) {
		sub(/^"/, "", include)
		sub(/".*/, "", include)
	} else {
		sub(/>.*/, ">", include)
	}
	path = FILENAME
	sub(/^\.\//, "", path)
	seen++
	if (!is_allowed(path, include) && !is_test_header(path, include)) {
		printf "%s:%d: may not include %s\n", path, FNR, written
		bad++
	}
}

END {
	if (!seen) {
		print "check-layers: no include seen; wrong directory?"
		exit 2
	}
	exit bad > 0
}
