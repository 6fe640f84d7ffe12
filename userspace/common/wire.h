/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For structures that lie on the wire. */
#ifndef CTIHA_WIRE_H
#define CTIHA_WIRE_H

#include <ctiha/base.h>

/* A field lies where the protocol's document says. */
#define CHECK_OFFSET(wire, field, offset) \
	static_assert(offsetof(struct wire, field) == (offset), #wire "." #field)

#endif /* CTIHA_WIRE_H */
