# SPDX-License-Identifier: GPL-2.0-only
# One makefile, nothing recursive; everything that is made lies under build/.
#
#   make              the binary, build/towpath
#   make demo         a lab in network namespaces, traffic through it, a status table (root)
#   make check        every tier this machine can run (root)
#   make check-unit   one tier: lint unit golden packet net vm docs
#   make check-vm     FULL=1 for all tests in every kernel, which takes hours
#   make bench        what forwarding costs (root); BENCH="t2 kernel towpath" ROUNDS=9 for a part
#   make nightly      tests at length: millions of packets, thousands of policies (root)
#   make install      DESTDIR and PREFIX as usual
#   V=1               show commands

CC      ?= gcc
CLANG   ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/local/sbin/bpftool) bpftool)
PREFIX  ?= /usr/local
B       := build
Q       := $(if $(V),,@)
say      = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)')

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla \
	-Wpointer-arith -Wwrite-strings -Wundef -Wimplicit-fallthrough -Wold-style-definition
CFLAGS  ?= -O2 -g
# of the maps, for tests: make B=build/next ABI_FLAGS=-DTP_ABI=99 build/next/towpath
ABI_FLAGS ?=
ALL_CFLAGS := -std=gnu11 -D_GNU_SOURCE -Iuser -Iinclude -I$(B)/skel $(WARN) -fno-common \
	-fstack-protector-strong -MMD -MP $(ABI_FLAGS)
LIBS    := -lbpf -lelf -lz -lmnl -lsodium -lcjson \
	$(shell pkg-config --libs libmicrohttpd 2>/dev/null || echo -lmicrohttpd)
MULTIARCH := $(shell $(CC) -dumpmachine)
BPF_CFLAGS := -target bpf -mcpu=v3 -g -O2 -std=gnu11 -fno-strict-aliasing \
	-Ibpf -Iinclude -I/usr/include/$(MULTIARCH) -Wall -Wextra -Werror -Wshadow \
	-Wno-unused-parameter -Wno-missing-prototypes -MMD -MP $(ABI_FLAGS)

BPF_SRC  := $(wildcard bpf/*.bpf.c)
BPF_OBJ  := $(BPF_SRC:bpf/%.bpf.c=$(B)/bpf/%.bpf.o)
BENCH_OBJ := $(B)/bpf/bench.bpf.o
SKEL     := $(BPF_SRC:bpf/%.bpf.c=$(B)/skel/%.skel.h)
USER_SRC := $(filter-out user/cmd/main.c,$(wildcard user/*/*.c))
TEST_LIB := $(wildcard selftests/lib/*.c)
BENCH_SRC := $(filter-out %.bpf.c,$(wildcard selftests/bench/*.c))
TIERS    := lint unit golden packet net vm docs

.PHONY: all deps demo check nightly $(TIERS:%=check-%) bench install clean
.DELETE_ON_ERROR:
.SECONDARY:
all: $(B)/towpath

# ---- BPF: object, then skeleton with the object inside -------------------------------------
define build_bpf
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@.tmp -MF $(@:.o=.d) -MT $@
	$(Q)$(BPFTOOL) gen object $@ $@.tmp && rm $@.tmp
endef

$(B)/bpf/%.bpf.o: bpf/%.bpf.c
	$(build_bpf)

$(B)/bpf/%.bpf.o: selftests/bench/%.bpf.c
	$(build_bpf)

$(B)/bpf/%.bpf.o: selftests/sock/%.bpf.c
	$(build_bpf)

$(B)/bpf/%.bpf.o: selftests/tc/%.bpf.c
	$(build_bpf)

define build_skeleton
	$(call say,SKEL,$@)
	@mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name tp_$* > $@.tmp && mv $@.tmp $@
endef

$(B)/skel/%.skel.h: $(B)/bpf/%.bpf.o
	$(build_skeleton)

# ---- userspace, once per variant: plain, asan (ASan + UBSan), clang (a second opinion) ---------
plain_CC := $(CC)
plain_FLAGS := $(CFLAGS) -D_FORTIFY_SOURCE=2
asan_CC := $(CC)
asan_FLAGS := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
clang_CC := $(CLANG)
clang_FLAGS := -O2 -g

# $(call variant,NAME): rules for the library, the binary and the test programs of one variant
define variant
$(B)/$(1)/%.o: %.c | $(B)/version.h
	$$(call say,CC,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$($(1)_CC) $$(ALL_CFLAGS) $$($(1)_FLAGS) -Iselftests/lib -I$(B) -c $$< -o $$@

# the files that include the skeletons, and their test
$(B)/$(1)/user/kernel/bpf_object.o $(B)/$(1)/user/kernel/bpf_sandbox.o \
$(B)/$(1)/user/kernel/bpf_socket.o $(B)/$(1)/user/kernel/bpf_led.o \
$(B)/$(1)/user/kernel/bpf_sink.o \
$(B)/$(1)/selftests/packet/test_object.o: $$(SKEL)

$(B)/$(1)/libtowpath.a: $$(USER_SRC:%.c=$(B)/$(1)/%.o)
	$$(call say,AR,$$@)
	$$(Q)rm -f $$@ && ar rcs $$@ $$^

$(B)/$(1)/towpath: $(B)/$(1)/user/cmd/main.o $(B)/$(1)/libtowpath.a
	$$(call say,LD,$$@)
	$$(Q)$$($(1)_CC) $$($(1)_FLAGS) -o $$@ $$^ $$(LIBS)

$(foreach tier,unit golden packet,
$(B)/$(1)/test-$(tier): \
		$$(patsubst %.c,$(B)/$(1)/%.o,$$(wildcard selftests/$(tier)/*.c) $$(TEST_LIB)) \
		$(B)/$(1)/libtowpath.a
	$$(call say,LD,$$@)
	$$(Q)$$($(1)_CC) $$($(1)_FLAGS) -o $$@ $$^ $$(LIBS)
)
$(B)/$(1)/bench: $$(patsubst %.c,$(B)/$(1)/%.o,$$(BENCH_SRC)) $(B)/$(1)/libtowpath.a
	$$(call say,LD,$$@)
	$$(Q)$$($(1)_CC) $$($(1)_FLAGS) -o $$@ $$^ $$(LIBS)

$$(BENCH_SRC:%.c=$(B)/$(1)/%.o): $(B)/skel/bench.skel.h

-include $$(shell find $(B)/$(1) -name '*.d' 2>/dev/null)
endef
$(foreach v,plain asan clang,$(eval $(call variant,$(v))))
-include $(BPF_OBJ:.o=.d) $(BENCH_OBJ:.o=.d) $(BPF_OBJ:$(B)/%.o=$(B)/other/%.d)

# ---- the binary as another release would be, for the tests of an upgrade -----------------------
# build/other: other programs and another version over the same maps. build/abi-N: maps of ABI N,
# taking over those of no other. Compiled anew is what differs; it comes before the library, which
# has the rest.
OTHER := $(B)/other
OTHER_SRC := $(shell grep -lE '"(version|[a-z_]+\.skel)\.h"' $(USER_SRC))
ABI_SRC  := $(shell grep -l TP_ABI $(USER_SRC))
PLAIN_OBJ := $(B)/plain/user/cmd/main.o $(B)/plain/libtowpath.a
define link_other
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(plain_CC) $(other_FLAGS) $(filter-out -MMD -MP,$(ALL_CFLAGS)) $(plain_FLAGS) -I$(B) \
		-o $@ $(filter %.c,$^) $(PLAIN_OBJ) $(LIBS)
endef

# other names of source files in their BTF: programs that do the same, and are others
$(OTHER)/bpf/%.bpf.o: BPF_CFLAGS += -ffile-prefix-map=bpf/=other/
$(OTHER)/bpf/%.bpf.o: bpf/%.bpf.c
	$(build_bpf)

$(OTHER)/skel/%.skel.h: $(OTHER)/bpf/%.bpf.o
	$(build_skeleton)

$(OTHER)/version.h: $(B)/version.h
	@mkdir -p $(@D)
	$(Q)sed 's/"$$/-other"/' $< > $@

$(OTHER)/towpath: other_FLAGS = -I$(OTHER) -I$(OTHER)/skel
$(OTHER)/towpath: $(OTHER_SRC) $(OTHER)/version.h $(SKEL:$(B)/%=$(OTHER)/%) $(PLAIN_OBJ)
	$(link_other)

$(B)/abi-%/towpath: other_FLAGS = -DTP_ABI=$* -DTP_ABI_KEPT=$*
$(B)/abi-%/towpath: $(ABI_SRC) $(PLAIN_OBJ)
	$(link_other)

# preloaded by the net tier, to fail kernel calls
$(B)/fault.so: $(wildcard selftests/fault/*.c) selftests/fault/fault.h
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) $(CFLAGS) -shared -fPIC -o $@ \
		$(filter %.c,$^) -ldl

$(B)/towpath: $(B)/plain/towpath
	$(Q)cp $< $@.tmp && mv $@.tmp $@	# the old one may be running

# rewritten only when the version changes
$(B)/version.h: FORCE
	@mkdir -p $(@D)
	@echo '#define TOWPATH_VERSION "$(VERSION)"' | cmp -s - $@ || \
		echo '#define TOWPATH_VERSION "$(VERSION)"' > $@
.PHONY: FORCE

# ---- what people run --------------------------------------------------------------------
deps:
	$(Q)scripts/install-deps

demo: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)scripts/demo

check: deps
	$(Q)selftests/run $(TIERS)

$(TIERS:%=check-%): check-%: deps
	$(Q)selftests/run $*

# t6 and t8, the size of a policy, are a program of their own, and so are t7, the number of peers,
# t5, connect(), and t10, a million flows; BENCH unset asks for all
BENCH_SIZES := t6 t8
BENCH_PEERS := t7
BENCH_CONNECT := t5
BENCH_FLOWS := t10
bench_lanes = $(filter-out $(BENCH_SIZES) $(BENCH_PEERS) $(BENCH_CONNECT) $(BENCH_FLOWS),$(1))
run_lanes = $(Q)TOWPATH=$(B)/towpath $(B)/plain/bench $(call bench_lanes,$(BENCH))
run_sizes = $(Q)selftests/scale/bench $(B)/towpath $(B)/plain/test-packet
run_peers = $(Q)selftests/scale/bench-peers $(B)/towpath
run_connect = $(Q)selftests/scale/bench-connect
run_flows = $(Q)FLOW_BENCH=1 $(B)/plain/test-packet packet.flow_cost
bench: deps
	$(Q)$(MAKE) --no-print-directory $(B)/towpath $(B)/plain/bench $(B)/plain/test-packet
	$(if $(call bench_lanes,$(or $(BENCH),all)),$(run_lanes))
	$(if $(filter $(BENCH_SIZES),$(or $(BENCH),$(BENCH_SIZES))),$(run_sizes))
	$(if $(filter $(BENCH_PEERS),$(or $(BENCH),$(BENCH_PEERS))),$(run_peers))
	$(if $(filter $(BENCH_CONNECT),$(or $(BENCH),$(BENCH_CONNECT))),$(run_connect))
	$(if $(filter $(BENCH_FLOWS),$(or $(BENCH),$(BENCH_FLOWS))),$(run_flows))

nightly: deps
	$(Q)$(MAKE) --no-print-directory all $(B)/plain/test-packet \
		$(B)/bpf/sock_standin.bpf.o
	$(Q)PROPERTY_PACKETS=10000000 POLICY_SWAPS=1000 RANDOM_PAIRS=1000000 \
		$(B)/plain/test-packet packet.property packet.swap packet.random
	$(Q)CHAOS_KILLS=200 CHAOS_RELOADS=200 CHAOS_SWAPS=50 CHAOS_ABI_SWAPS=20 \
		CHAOS_TAKE_OVERS=30 CHAOS_DAMAGES=150 CHAOS_PROGRAMS=12 selftests/net/test_chaos.py
	$(Q)CHAOS_ATTACH=clsact CHAOS_SWAPS=10 CHAOS_DAMAGES=30 CHAOS_PROGRAMS=4 \
		selftests/net/test_chaos.py
	$(Q)SOAK_S=1200 selftests/net/test_soak.py
	$(Q)FAULT_CALLS=0 selftests/net/test_fault.py
	$(Q)FAULT_CALLS=0 selftests/net/test_fault_run.py
	$(Q)EVERY_DAMAGE=1 selftests/net/test_damage.py
	$(Q)EVERY_DAMAGE=1 selftests/net/test_pins.py
	$(Q)NEXT_ABI=1 FAULT_CALLS=0 selftests/net/test_abi.py
	$(Q)FAULT_CALLS=8 selftests/net/test_grow.py
	$(Q)selftests/image.sh
	$(Q)FOREIGN_FLOWS=1000000 selftests/net/test_collateral.py foreign_flows
	$(Q)FULL=1 selftests/vm/run

SHARE := $(DESTDIR)$(PREFIX)/share
install: all
	install -D -m 0755 $(B)/towpath $(DESTDIR)$(PREFIX)/sbin/towpath
	install -D -m 0644 docs/towpath.8 $(SHARE)/man/man8/towpath.8
	install -D -m 0644 docs/policy.schema.json $(SHARE)/towpath/policy.schema.json
	sed 's|/usr/local|$(PREFIX)|' scripts/systemd/towpath.service | install -D -m 0644 \
		/dev/stdin $(DESTDIR)$(PREFIX)/lib/systemd/system/towpath.service

clean:
	rm -rf $(B)
