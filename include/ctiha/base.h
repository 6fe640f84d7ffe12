/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The few names that kernel and userspace spell differently, so that frame.c,
 * session.c and lease.c are one source for the module, the packet backend, the
 * unit tests and the fuzzers.
 */
#ifndef CTIHA_BASE_H
#define CTIHA_BASE_H

#ifdef __KERNEL__

#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/types.h>

#else

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <linux/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#define cpu_to_be16(x)	((__be16)htobe16(x))
#define cpu_to_be32(x)	((__be32)htobe32(x))
#define cpu_to_be64(x)	((__be64)htobe64(x))
#define be16_to_cpu(x)	be16toh((uint16_t)(x))
#define be32_to_cpu(x)	be32toh((uint32_t)(x))
#define be64_to_cpu(x)	be64toh((uint64_t)(x))

#ifndef U64_MAX
#define U64_MAX		UINT64_MAX
#endif
#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif
#ifndef __packed
#define __packed	__attribute__((__packed__))
#endif

#endif /* __KERNEL__ */

#define CTIHA_NS_PER_US	1000ULL
#define CTIHA_NS_PER_MS	1000000ULL

#endif /* CTIHA_BASE_H */
