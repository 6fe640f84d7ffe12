# SPDX-License-Identifier: GPL-2.0-or-later
#
# The front door. `make help` lists what it can do.

PREFIX	?= /usr/local
DESTDIR	?=
BUILD	:= build
CC	?= gcc

# Kernel to build the module for: KDIR=/path/to/headers. Default: the newest
# installed headers; `make check` and `make demo` bring their own.
KDIR	?= $(lastword $(sort $(wildcard /lib/modules/*/build)))

VERSION	:= 0.1.0

CFLAGS	?= -O2 -g
WARN	:= -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes \
	   -Wshadow -Wformat-security $(if $(findstring clang,$(CC)),-Wno-c2x-extensions)
ALL_CFLAGS = -std=gnu11 $(WARN) $(CFLAGS) $(SAN) -D_GNU_SOURCE -fPIC \
	   -DCTIHA_VERSION='"$(VERSION)"' \
	   -DCTIHA_DATA_DIR='"$(PREFIX)/share/ctiha"' \
	   -Iinclude -Iinclude/uapi -Iuserspace $(PKG_CFLAGS)
# Sanitizers of this flavour of the build, and the suffix that keeps its files apart.
SAN	?=
FLAVOUR	?=
OBJ	:= $(BUILD)/obj$(FLAVOUR)

# One short line per file; V=1 shows the commands.
Q	:= $(if $(V),,@)
say	= $(if $(V),,@printf '  %-4s%s\n' $(1) $(2))
MAKEFLAGS += --no-print-directory

include userspace/programs.mk
include selftests/selftests.mk

.DEFAULT_GOAL := all
.PHONY: all help module module-path userspace install demo bench-hog bench-context \
	bench-detect bench-flood bench-levels bench-sync check unit clean \
	dependencies

all: module userspace

help:
	@echo 'make                 build the module and all programs into build/'
	@echo 'make module KDIR=DIR build the module for these kernel headers'
	@echo 'make userspace       build the programs'
	@echo 'make install         install below $$DESTDIR$$PREFIX'
	@echo 'make demo            two virtual machines, thousands of calls, a power cut'
	@echo 'make check           every test; the last line counts them'
	@echo 'make check-unit      unit tests only (seconds)'
	@echo 'make check-net       network scenarios, native, packet backend'
	@echo 'make check-vm        network scenarios with the module, in a VM'
	@echo 'make check-pair      two virtual machines: cables pulled, panic, reboot, pauses'
	@echo 'make check-debug     the same on a debug kernel, built once (half an hour)'
	@echo 'make check-matrix    build and check-vm on 6.1 and 6.12, stock and PREEMPT_RT'
	@echo 'make check-uml       the module in virtual time: exact timing, a hostile hour,'
	@echo '                     failing allocations, coverage (builds a kernel once)'
	@echo 'make check-style     checkpatch, sparse, cppcheck, shellcheck, W=1'
	@echo 'make bench-hog       heartbeats beside a SCHED_FIFO hog, in two virtual machines'
	@echo 'make bench-context   lateness beside loads, kernel by kernel, in virtual time'
	@echo 'make bench-detect    detection and false failovers, beside keepalived, FRR, corosync'
	@echo 'make bench-flood     heartbeats and CPU beside 100,000 forged frames a second'
	@echo 'make bench-levels    what compressing call records costs and saves, level by level'
	@echo 'make bench-sync      the state sync beside Redis: speed, lag, bytes, memory'
	@echo 'make fuzz SECONDS=60 every fuzz target in turn'
	@echo 'make dependencies    install what the above need'

dependencies:
	scripts/dependencies

# ---- module ---------------------------------------------------------------

# The kernel's build system leaves its files beside the sources, so it gets a
# tree of links of its own for each kernel.
MODULE_SOURCES := Kbuild $(shell find kernel include -name '*.[ch]')
MODULE_TREE := $(BUILD)/module/$(notdir $(patsubst %/build,%,$(KDIR)))

module: $(MODULE_TREE)/ctiha.ko

# Where the above leaves it.
module-path:
	@echo $(CURDIR)/$(MODULE_TREE)/ctiha.ko

$(MODULE_TREE)/ctiha.ko: $(MODULE_SOURCES)
	@test -n "$(KDIR)" || { echo 'No kernel headers: install linux-headers-amd64, or give KDIR=DIR'; exit 1; }
	@rm -rf $(MODULE_TREE)/kernel $(MODULE_TREE)/include
	@mkdir -p $(MODULE_TREE)
	@cp -rs $(CURDIR)/kernel $(CURDIR)/include $(MODULE_TREE)/
	@ln -sf $(CURDIR)/Kbuild $(MODULE_TREE)/Kbuild
	$(Q)$(MAKE) -C $(KDIR) M=$(CURDIR)/$(MODULE_TREE) W=1 KCFLAGS=-Werror \
		CONFIG_DEBUG_INFO_BTF_MODULES= modules

# ---- programs -------------------------------------------------------------

userspace: $(PROGRAMS:%=$(BUILD)/bin/%) $(BUILD)/lib/libctiha.so \
	   $(BUILD)/lib/libctiha.a $(BUILD)/lib/pkgconfig/libctiha.pc \
	   $(BUILD)/share/calls.dict $(BUILD)/example/switchboard

$(OBJ)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)

# program(name, sources, libraries)
define program
$(BUILD)/bin/$(1): $(2:%.c=$(OBJ)/%.o) $(SHARED)
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(CFLAGS) $$(SAN) $$(LDFLAGS) $$(filter %.o,$$^) -o $$@ $(3)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p),$($(p)_SOURCES),$($(p)_LIBS))))

# As its users build theirs: by the public header and library alone.
$(BUILD)/example/%: Documentation/example/%.c $(BUILD)/lib/libctiha.so
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(CFLAGS) $(WARN) -Iuserspace/lib $< -o $@ -L$(BUILD)/lib -lctiha

# The dictionary that a new pair begins with, from records like a call centre's.
$(BUILD)/bin/first-dictionary: $(patsubst %.c,$(OBJ)/%.o,userspace/dictionary/main.c \
		userspace/load/record.c userspace/daemon/sync/packet_records.c)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(SAN) $(LDFLAGS) $(filter %.o,$^) -o $@ \
		$(call pkg_libs,libzstd)

$(BUILD)/share/calls.dict: $(BUILD)/bin/first-dictionary
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)$< > $@.new && mv $@.new $@

$(BUILD)/lib/libctiha.so: $(libctiha_SOURCES:%.c=$(OBJ)/%.o) userspace/lib/libctiha.map
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(SAN) -shared -Wl,-soname,libctiha.so.0 \
		-Wl,--version-script=userspace/lib/libctiha.map \
		$(filter %.o,$^) -o $@.0
	$(Q)ln -sf libctiha.so.0 $@

$(BUILD)/lib/libctiha.a: $(libctiha_SOURCES:%.c=$(OBJ)/%.o)
	@mkdir -p $(@D)
	$(call say,AR,$@)
	$(Q)$(AR) qcs $@ $^

$(BUILD)/lib/pkgconfig/libctiha.pc: userspace/lib/ctiha.pc.in
	@mkdir -p $(@D)
	$(Q)sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' $< > $@

install: all
	scripts/install '$(DESTDIR)' '$(PREFIX)' '$(MODULE_TREE)/ctiha.ko'

clean:
	rm -rf $(BUILD)

# ---- demo -----------------------------------------------------------------

demo:
	scripts/dependencies build demo
	scripts/demo

# ---- benchmarks -----------------------------------------------------------

bench-hog: userspace build-test-module
	scripts/in-netns /usr/bin/python3 selftests/bench/hog.py

CONTEXT_KERNELS ?= 6.1 6.12 6.1-rt
bench-context: userspace
	scripts/dependencies build demo
	@for k in $(CONTEXT_KERNELS); do $(MAKE) module \
		KDIR="$$(scripts/kernel get $$k | sed -n 's/^KDIR=//p')" || exit 1; done
	/usr/bin/python3 selftests/bench/context.py $(CONTEXT) $(CONTEXT_KERNELS)

# BENCH='--quick --system bfdd --load idle' for a part of it.
BENCH_PROGRAMS := $(BUILD)/bench/observe $(BUILD)/bench/flood
bench-detect:
	scripts/dependencies build demo
	$(Q)$(MAKE) userspace build-test-module $(BENCH_PROGRAMS)
	/usr/bin/python3 selftests/bench/detect.py $(BENCH)

bench-flood:
	scripts/dependencies build demo
	$(Q)$(MAKE) userspace build-test-module $(BUILD)/bench/forge
	/usr/bin/python3 selftests/bench/flood.py $(BENCH)

# Beside Redis, in namespaces of its own.
bench-sync:
	scripts/dependencies build demo check
	$(Q)$(MAKE) userspace $(BUILD)/bench/sync
	scripts/in-netns /usr/bin/python3 selftests/bench/sync.py $(BENCH)

SYNC_BENCH_SOURCES := $(wildcard selftests/bench/sync/*.c) userspace/load/record.c \
		      $(libctiha_SOURCES)
$(BUILD)/bench/sync: $(SYNC_BENCH_SOURCES:%.c=$(OBJ)/%.o) $(SHARED)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(SAN) $(LDFLAGS) $(filter %.o,$^) -o $@ $(SHARED) -lm

bench-levels: $(BUILD)/bench/levels $(BUILD)/share/calls.dict
	$< $(BUILD)/share/calls.dict

LEVELS_SOURCES := selftests/bench/levels/main.c userspace/load/record.c \
		  $(addprefix userspace/daemon/sync/,packet.c packet_records.c dictionary.c) \
		  $(wildcard userspace/common/mac*.c)
$(BUILD)/bench/levels: $(LEVELS_SOURCES:%.c=$(OBJ)/%.o)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(SAN) $(LDFLAGS) $(filter %.o,$^) -o $@ \
		$(call pkg_libs,libzstd nettle)

# Each program of the guests is one file.
$(foreach s,$(filter-out $(SYNC_BENCH_SOURCES) $(LEVELS_SOURCES),$(wildcard selftests/bench/*/*.c)),\
	$(eval $(BUILD)/bench/$(basename $(notdir $s)): $s))
$(BUILD)/bench/%:
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $< $(call pkg_libs,libmnl) -o $@
