# SPDX-License-Identifier: GPL-2.0-or-later
# Tests. Each prints KTAP; selftests/run shows and counts them.
# TESTS=selftests/net/X_test.sh restricts check-vm, check-debug and check-matrix.

KSELFTEST = $(shell scripts/kselftest-headers)

UNIT_TESTS := $(patsubst selftests/unit/%.c,%,$(wildcard selftests/unit/*_test.c))
FUZZ_TARGETS := $(patsubst selftests/fuzz/%.c,%,$(wildcard selftests/fuzz/*_fuzz.c))
NET_TESTS := $(sort $(wildcard selftests/net/*_test.sh))

# Unit tests and fuzz targets run with sanitizers, and so does what they link.
TEST_SAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined
FUZZ_SAN := -fsanitize=fuzzer-no-link,address,undefined

# Everything but the programs' main functions.
TESTABLE_SOURCES := $(filter-out %/main.c,$(sort $(SHARED_SOURCES) \
	$(ctihad_SOURCES) $(ctiha_SOURCES) $(ctiha-arbiter_SOURCES) \
	$(ctiha-load_SOURCES) $(libctiha_SOURCES)))
TESTABLE := $(BUILD)/lib/libtestable$(FLAVOUR).a
TEST_LIBS = $(call pkg_libs,libevent libmnl libnl-3.0 libnl-route-3.0 libzstd \
	    libconfuse jansson smartcols gnutls nettle hogweed libsystemd libxxhash) -llmdb -lcap

$(TESTABLE): $(TESTABLE_SOURCES:%.c=$(OBJ)/%.o)
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) qcs $@ $^

# The kernel's test harness leaves parameters unused.
$(BUILD)/unit/%: selftests/unit/%.c $(TESTABLE)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -Wno-unused-parameter -Wno-missing-prototypes \
		-isystem $(KSELFTEST) -MMD -MP -MT $@ -MF $@.d $< \
		$(TESTABLE) $(TEST_LIBS) -o $@

$(BUILD)/fuzz/%: selftests/fuzz/%.c $(TESTABLE)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -Wno-missing-prototypes -Wno-c2x-extensions -fsanitize=fuzzer \
		-MMD -MP -MT $@ -MF $@.d $< $(TESTABLE) $(TEST_LIBS) -o $@

# Makes inputs that the frame's fuzzer begins with.
$(BUILD)/fuzz/frame_seeds: selftests/fuzz/frame_seeds.c $(TESTABLE)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -fsanitize=address,undefined -MMD -MP -MT $@ -MF $@.d \
		$< $(TESTABLE) $(TEST_LIBS) -o $@

# Random trouble for the module: selftests/net/stress_test.sh.
STORM_SOURCES := $(wildcard selftests/storm/*.c)
$(BUILD)/net/storm: $(STORM_SOURCES:%.c=$(OBJ)/%.o) $(SHARED)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(SAN) $(LDFLAGS) $(filter %.o,$^) -o $@ \
		$(SHARED) $(call pkg_libs,libmnl nettle)

-include $(wildcard $(BUILD)/unit/*.d $(BUILD)/fuzz/*.d $(BUILD)/net/*.d)

.PHONY: unit-programs fuzz-programs net-programs check check-unit check-net check-vm \
	check-pair check-debug check-matrix check-style fuzz
unit-programs: $(UNIT_TESTS:%=$(BUILD)/unit/%)
fuzz-programs: $(FUZZ_TARGETS:%=$(BUILD)/fuzz/%) $(BUILD)/fuzz/frame_seeds

build-unit:
	$(Q)$(MAKE) SAN='$(TEST_SAN)' FLAVOUR=-san unit-programs

build-fuzz:
	$(Q)$(MAKE) CC=clang SAN='$(FUZZ_SAN)' FLAVOUR=-fuzz fuzz-programs

# Programs that the network scenarios need besides ours.
net-programs: $(BUILD)/net/netlink_fuzz $(BUILD)/net/storm

$(BUILD)/net/%: selftests/net/%.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -MT $@ -MF $@.d $< $(TEST_LIBS) -o $@

# The module for the kernel that the virtual machines boot.
build-test-module:
	$(Q)$(MAKE) module KDIR="$$(scripts/kernel get 6.1 | sed -n 's/^KDIR=//p')"

UNIT_RUNS := runner:selftests/lib/run_selftest.sh \
	     $(foreach t,$(UNIT_TESTS),unit:$(BUILD)/unit/$(t))
NET_RUNS := $(NET_TESTS:%=net:%)
STYLE_RUNS := style:selftests/style.sh
VM_RUNS = vm@3000:selftests/vm.sh $(TESTS)
# make check leaves out what takes minutes and is either pure code that ran natively,
# or a storm that has its place in check-debug; and what builds another daemon.
LONG_TESTS := $(addprefix selftests/net/,keys_test.sh oneway_test.sh stress_test.sh \
	kill_test.sh versions_test.sh)
VM_CHECK = vm@3000:selftests/vm.sh $(or $(TESTS),$(filter-out $(LONG_TESTS),$(NET_TESTS)))
PAIR_RUNS := $(patsubst %,pair@900:%,$(sort $(wildcard selftests/pair/*_test.py)))

check:
	scripts/dependencies build demo check
	$(Q)$(MAKE) userspace net-programs build-unit build-test-module
	selftests/run -o $(BUILD)/check.log '$(STYLE_RUNS)' \
		$(foreach r,$(UNIT_RUNS) $(NET_RUNS),'$(r)') '$(VM_CHECK)' \
		'pair@900:selftests/pair/carrier_test.py'

check-unit: build-unit
	selftests/run $(foreach r,$(UNIT_RUNS),'$(r)')

check-net: userspace net-programs
	selftests/run $(foreach r,$(NET_RUNS),'$(r)')

check-vm: userspace net-programs build-test-module
	selftests/run '$(VM_RUNS)'

check-pair: userspace build-test-module
	selftests/run $(foreach r,$(PAIR_RUNS),'$(r)')

# The same scenarios where KASAN, lockdep, kmemleak and others look on.
check-debug:
	scripts/dependencies build kernel demo check
	$(Q)$(MAKE) userspace net-programs
	$(Q)kdir=$$(scripts/kernel get x86-debug | sed -n 's/^KDIR=//p') && \
		$(MAKE) module KDIR="$$kdir" UBSAN_SANITIZE=y GCOV_PROFILE=y
	selftests/run 'debug@10100:env KERNEL=x86-debug selftests/vm.sh $(TESTS)'

# What the module has to build for and run on.
KERNELS ?= 6.1 6.1-rt 6.12 6.12-rt
check-matrix:
	scripts/dependencies build demo check
	$(Q)$(MAKE) userspace net-programs
	KERNELS='$(KERNELS)' selftests/matrix.sh $(TESTS)

check-style: userspace
	selftests/run '$(STYLE_RUNS)'

SECONDS ?= 60
fuzz: build-fuzz
	@mkdir -p $(BUILD)/corpus/frame_fuzz
	@$(BUILD)/fuzz/frame_seeds $(BUILD)/corpus/frame_fuzz
	@for target in $(FUZZ_TARGETS); do \
		mkdir -p $(BUILD)/corpus/$$target; \
		echo "== $$target"; \
		$(BUILD)/fuzz/$$target -max_total_time=$(SECONDS) -print_final_stats=1 \
			$(BUILD)/corpus/$$target || exit 1; \
	done

# ---- user-mode Linux ------------------------------------------------------

UML_TESTS := $(patsubst selftests/uml/%.c,%,$(wildcard selftests/uml/*_test.c))
UML_COMMON := $(addprefix selftests/uml/,bed.c capture.c chaos.c)

UML_LIBS = $(call pkg_libs,libmnl nettle)

$(BUILD)/uml/%_test: selftests/uml/%_test.c $(UML_COMMON:%.c=$(OBJ)/%.o) $(SHARED)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -Wno-unused-parameter -Wno-missing-prototypes \
		-isystem $(KSELFTEST) -MMD -MP -MT $@ -MF $@.d $< \
		$(filter %.o,$^) $(SHARED) $(UML_LIBS) -o $@

$(BUILD)/uml/getrandom.so: selftests/uml/getrandom.c
	@mkdir -p $(@D)
	$(Q)$(CC) -O2 -Wall -Wextra -Werror -fPIC -shared $< -o $@

.SECONDARY: $(UML_COMMON:%.c=$(OBJ)/%.o)
-include $(wildcard $(BUILD)/uml/*.d)

# The module counts its own lines, and checks itself for undefined behaviour.
.PHONY: uml-programs build-uml check-uml
uml-programs: $(UML_TESTS:%=$(BUILD)/uml/%) $(BUILD)/uml/getrandom.so
build-uml: uml-programs
	$(Q)$(MAKE) module ARCH=um GCOV_PROFILE=y UBSAN_SANITIZE=y \
		KDIR="$$(scripts/build-kernel get um | sed -n 's/^KDIR=//p')"

UML_RUNS := 'uml@960:selftests/uml/run build/uml/timing_test' \
	    'uml@960:selftests/uml/run build/uml/gasp_test' \
	    'uml@960:selftests/uml/run build/uml/fault_test' \
	    'uml@3600:selftests/uml/repeat'
check-uml:
	scripts/dependencies build demo kernel
	$(Q)$(MAKE) build-uml
	selftests/run -o $(BUILD)/check-uml.log $(UML_RUNS)
	selftests/uml/coverage
