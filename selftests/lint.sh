#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The lint tier: two compilers, format, static analysis, and our own checks with the proof that
# each of them refuses what it should. Prints one line a case, the complaints above a failure.
# shellcheck disable=SC2317 # every function is reached, through test_case
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
shopt -s nullglob

readonly JOBS=2
readonly LLVM=14	# whose format and checks the tree follows; others disagree in details

failures=0
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

# test_case NAME COMMAND...
test_case()
{
	local name=$1
	shift

	if "$@" >"$scratch/out" 2>&1 </dev/null; then
		echo "PASS lint.$name"
	else
		sed 's/^/  /' "$scratch/out"
		echo "FAIL lint.$name"
		failures=$((failures + 1))
	fi
}

skip_case()
{
	echo "SKIP lint.$1: $2"
}

# has_llvm TOOL: there, and of the version the tree follows.
has_llvm()
{
	"$1" --version 2>/dev/null | grep -q "version $LLVM\\."
}

# llvm_case NAME TOOL COMMAND...
llvm_case()
{
	local name=$1 tool=$2
	shift 2

	if has_llvm "$tool"; then
		test_case "$name" "$@"
	else
		skip_case "$name" "$tool here is not version $LLVM, whose rules the tree follows"
	fi
}

c_files()
{
	find user include bpf selftests -name '*.[ch]'
}

shell_files()
{
	grep -rlIE '^#!/bin/(ba)?sh' scripts selftests .ci
}

# clang-tidy takes the files first and the compiler's flags behind "--". One file a run: from the
# second on, version 14 takes every va_list for uninitialized.
tidy_some()
{
	local flags=$1
	shift

	# shellcheck disable=SC2086 # a list of words
	clang-tidy --quiet "$@" -- $flags 2>/dev/null
}
export -f tidy_some

tidy()
{
	local flags=$1
	shift

	# shellcheck disable=SC2016 # $@ is the inner shell's
	printf '%s\n' "$@" | xargs -P "$JOBS" -n 1 bash -c 'tidy_some "$@"' bash "$flags"
}

# Tests are watched by the sanitizers instead: a failed CHECK goes on, which tidy cannot follow.
# A system header's functions free nothing, it thinks; libbpf's do, and a skeleton calls them.
tidy_user()
{
	tidy "-std=gnu11 -D_GNU_SOURCE -Iuser -Iinclude -isystem build/skel -Ibuild
		--no-system-header-prefix=bpf/" user/*/*.c
}

tidy_bpf()
{
	tidy "-target bpf -mcpu=v3 -std=gnu11 -Ibpf -Iinclude -I/usr/include/$(gcc -dumpmachine)" \
		bpf/*.bpf.c
}

# internalAstError: it does not know the GNU statement expressions of our array macros.
run_cppcheck()
{
	cppcheck --quiet -j "$JOBS" --enable=warning,portability,performance --inline-suppr \
		--suppress=internalAstError --suppress=normalCheckLevelMaxBranches \
		--error-exitcode=1 --std=c11 -Iuser -Iinclude \
		'-DLIBBPF_OPTS(type, name, ...)=struct type name = { __VA_ARGS__ }' user
}

counters_current()
{
	scripts/gen-counters | diff -u docs/counters.md -
}

manual_clean()
{
	mandoc -T lint -W warning docs/towpath.8
}

# ---- the checks themselves, each shown to refuse ----------------------------------------

# seed FILE: makes it, below a tree of its own, from standard input.
seed()
{
	mkdir -p "$scratch/tree/$(dirname "$1")"
	cat >"$scratch/tree/$1"
}

# refuses CHECK TEXT: CHECK fails on the tree, naming the place and TEXT.
refuses()
{
	local said

	if said=$("scripts/$1" "$scratch/tree"); then
		echo "scripts/$1 accepts it"
		return 1
	fi
	[[ $said == *"$2"* ]] && return
	echo "scripts/$1 does not say '$2' but:"
	echo "$said"
	return 1
}

# refuses_include FILE INCLUDE
refuses_include()
{
	rm -rf "$scratch/tree"
	printf '#include <string.h>\n#include %s\n' "$2" | seed "$1"
	refuses check-layers "$1:2: may not include $2"
}

layers_refuse_stray_includes()
{
	refuses_include user/base/a.c '"kernel/nl.h"' &&
		refuses_include user/cmd/a.c '<cjson/cJSON.h>' &&
		refuses_include user/cmd/a.c '<libmnl/libmnl.h>' &&
		refuses_include user/cmd/a.c '<bpf/libbpf.h>' &&
		refuses_include user/config/read.c '<cjson/cJSON.h>' &&
		refuses_include user/config/read.c '"model/policy.h"' &&
		refuses_include user/model/a.c '"config/json.h"' &&
		refuses_include user/model/a.c '"kernel/rt.h"' &&
		refuses_include user/plan/a.c '"kernel/apply.h"' &&
		refuses_include user/kernel/apply.c '<libmnl/libmnl.h>' &&
		refuses_include user/kernel/apply.c '"model/policy.h"' &&
		refuses_include user/report/a.c '<bpf/bpf.h>' &&
		refuses_include user/base/a.c '<sodium.h>' &&
		refuses_include include/towpath/a.h '<stdint.h>' &&
		refuses_include bpf/lib/a.h '"vmlinux.h"' &&
		refuses_include bpf/lib/a.h '"base/mem.h"'
}

layers_accept_what_the_table_allows()
{
	rm -rf "$scratch/tree"
	echo '#include <cjson/cJSON.h>' | seed user/config/json.c
	echo '#include <libmnl/libmnl.h>' | seed user/kernel/nl.c
	echo '#include <linux/types.h>' | seed include/towpath/a.h
	scripts/check-layers "$scratch/tree"
}

# refuses_style FILE TEXT, the file on standard input
refuses_style()
{
	rm -rf "$scratch/tree"
	seed "$1"
	refuses check-style "$1:$2"
}

# repeat N LINE
repeat()
{
	awk -v n="$1" -v line="$2" 'BEGIN { while (n--) print line }'
}

readonly SPDX='// SPDX-License-Identifier: GPL-2.0-only'

style_refuses_what_is_overgrown()
{
	{ echo "$SPDX"; printf 'int %096d;\n' 0; } |
		refuses_style user/base/a.c '2: line of 101 columns' &&
	{ echo "$SPDX"; printf '\t%093d\n' 0; } |
		refuses_style user/base/a.c '2: line of 101 columns' &&
	{ echo "$SPDX"; repeat 400 'int a;'; } |
		refuses_style user/base/a.c '401: file of 401 lines' &&
	{ printf '%s\nvoid f(void)\n{\n' "$SPDX"; repeat 61 '	f();'; echo '}'; } |
		refuses_style user/base/a.c '3: function of 61 lines'
}

style_refuses_what_is_left_over()
{
	printf '%s\nint a; \n' "$SPDX" |
		refuses_style user/base/a.c '2: blank at the end' &&
	printf 'int a;\n' |
		refuses_style user/base/a.c '1: no SPDX' &&
	printf '%s\ntypedef struct a a;\n' "$SPDX" |
		refuses_style user/base/a.c '2: typedef hides' &&
	printf '%s\n// %s: later\n' "$SPDX" "TO""DO" |
		refuses_style user/base/a.c "2: TO""DO without an issue" &&
	printf '#!/bin/sh\necho a\n' |
		refuses_style scripts/a '1: no SPDX'
}

style_accepts_the_limits()
{
	rm -rf "$scratch/tree"
	{ echo "$SPDX"; repeat 337 'int a;'; printf 'void f(void)\n{\n'
	  repeat 59 '	f();'; echo '}'; } | seed user/base/a.c
	{ echo "$SPDX"; printf 'int %095d;\n' 0; echo "// TO""DO(#12): later"; } |
		seed user/base/b.c
	scripts/check-style "$scratch/tree"
}

counters_notice_a_stale_page()
{
	! scripts/gen-counters | sed 's/acl/lca/' | diff -q docs/counters.md -
}

# ---- the cases --------------------------------------------------------------------------

test_case builds_with_gcc make -j"$JOBS" build/towpath build/plain/bench
test_case builds_with_clang make -j"$JOBS" build/clang/towpath build/clang/bench
# shellcheck disable=SC2046 # no file name here holds a blank
llvm_case format clang-format clang-format --dry-run -Werror $(c_files)
llvm_case tidy_user clang-tidy tidy_user
llvm_case tidy_bpf clang-tidy tidy_bpf
test_case cppcheck run_cppcheck
# shellcheck disable=SC2046
test_case shellcheck shellcheck --format=gcc $(shell_files)
test_case layers scripts/check-layers
test_case style scripts/check-style
test_case counters_current counters_current
if [ -e docs/towpath.8 ]; then
	test_case manual_clean manual_clean
fi

test_case layers_refuse_stray_includes layers_refuse_stray_includes
test_case layers_accept_what_the_table_allows layers_accept_what_the_table_allows
test_case style_refuses_what_is_overgrown style_refuses_what_is_overgrown
test_case style_refuses_what_is_left_over style_refuses_what_is_left_over
test_case style_accepts_the_limits style_accepts_the_limits
test_case counters_notice_a_stale_page counters_notice_a_stale_page

exit $((failures > 0))
