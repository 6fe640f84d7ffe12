# SPDX-License-Identifier: GPL-2.0-or-later
# Which sources and libraries make which program. A new file in a folder is
# picked up by itself.

PROGRAMS := ctihad ctiha ctiha-arbiter ctiha-load

pkg_libs = $(shell pkg-config --libs $(1))
PKG_CFLAGS := $(shell pkg-config --cflags libnl-route-3.0 libevent libmnl smartcols)

# What programs share. Kept in an archive, so that each gets what it calls.
SHARED_SOURCES := $(wildcard userspace/common/*.c) \
		  kernel/budget.c kernel/complaint.c kernel/damping.c \
		  kernel/frame.c kernel/lease.c kernel/loss.c kernel/session.c \
		  kernel/skew.c
SHARED := $(BUILD)/lib/libshared$(FLAVOUR).a

ctihad_SOURCES := $(wildcard userspace/daemon/*.c userspace/daemon/*/*.c) \
		  userspace/lib/protocol.c
ctihad_LIBS = $(SHARED) $(call pkg_libs,libevent libmnl libnl-3.0 libnl-route-3.0 \
	      libzstd libconfuse jansson gnutls nettle hogweed libsystemd libxxhash) \
	      -llmdb -lcap

# document.c: the daemon and the command line show things in the same words.
ctiha_SOURCES := $(wildcard userspace/cli/*.c) userspace/daemon/document.c
ctiha_LIBS = $(SHARED) $(call pkg_libs,libmnl jansson smartcols nettle)

ctiha-arbiter_SOURCES := $(wildcard userspace/arbiter/*.c)
ctiha-arbiter_LIBS = $(SHARED) $(call pkg_libs,libevent libconfuse jansson nettle \
		     libsystemd) -lcap

libctiha_SOURCES := $(wildcard userspace/lib/*.c)

ctiha-load_SOURCES := $(wildcard userspace/load/*.c) $(libctiha_SOURCES)
ctiha-load_LIBS = $(SHARED) $(call pkg_libs,libevent jansson)

$(SHARED): $(SHARED_SOURCES:%.c=$(OBJ)/%.o)
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) qcs $@ $^
