// SPDX-License-Identifier: GPL-2.0-or-later
/* Call records. See record.h. */
#include "load/record.h"

#include <stdio.h>

#define PARTIES_MIN	2
#define PARTIES_MAX	3

struct party {
	char number[24];
	u8 role;		/* caller, called, consulted */
	u8 state;
	__be16 trunk;
	__be32 connection;
	__be64 since_ms;
	char name[8];
} __packed;

struct call_record {
	__be64 call;
	__be32 version;
	char ucid[20];
	char calling[32];
	char called[32];
	char dialled[16];
	char agent[16];
	__be16 skill;
	__be16 ivr;
	__be16 rms;
	__be16 route;
	u8 state;
	u8 parties;
	__be16 priority;
	__be64 arrived_ms;
	__be64 queued_ms;
	__be64 connected_ms;
	__be64 changed_ms;
	char attached[128];
	struct party party[PARTIES_MAX];
} __packed;

static_assert(sizeof(struct call_record) <= RECORD_MAX);

/* splitmix64: spreads a counter over all bits. */
static u64 mix(u64 x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static void fill_party(struct party *p, u64 call, u32 version, int index)
{
	u64 r = mix(call * 4 + (u64)index);

	snprintf(p->number, sizeof(p->number), "+49%010llu",
		 (unsigned long long)(r % 10000000000ULL));
	snprintf(p->name, sizeof(p->name), "p%llu",
		 (unsigned long long)(r % 100000));
	p->role = (u8)index;
	p->state = (u8)(version % 4);
	p->trunk = cpu_to_be16((u16)(r >> 48));
	p->connection = cpu_to_be32((u32)r);
	p->since_ms = cpu_to_be64(call * 40 + version * 977ULL);
}

static void fill_numbers(struct call_record *c, u64 call, u64 r)
{
	snprintf(c->ucid, sizeof(c->ucid), "00001%014llu",
		 (unsigned long long)call);
	snprintf(c->calling, sizeof(c->calling), "+49%010llu",
		 (unsigned long long)(r % 10000000000ULL));
	snprintf(c->called, sizeof(c->called), "+4980055%05llu",
		 (unsigned long long)(call % 40));
	snprintf(c->dialled, sizeof(c->dialled), "80055%05llu",
		 (unsigned long long)(call % 40));
}

/* What changes with each version. */
static void fill_state(struct call_record *c, u64 call, u32 version, u64 r)
{
	u64 v = mix(r + version);

	snprintf(c->agent, sizeof(c->agent), "agent-%05llu",
		 (unsigned long long)(v % 12000));
	c->skill = cpu_to_be16((u16)(v >> 8 & 63));
	c->ivr = cpu_to_be16((u16)(1 + (v & 1)));
	c->rms = cpu_to_be16((u16)(1 + (v >> 1 & 1)));
	c->route = cpu_to_be16((u16)(6000 + (v >> 2 & 1)));
	c->state = (u8)(version % 7);
	c->parties = (u8)(PARTIES_MIN + (v >> 3 & 1));
	c->priority = cpu_to_be16((u16)(v >> 16 & 7));
	c->arrived_ms = cpu_to_be64(call * 40);
	c->queued_ms = cpu_to_be64(call * 40 + 700);
	c->connected_ms = cpu_to_be64(call * 40 + 700 + v % 90000);
	c->changed_ms = cpu_to_be64(call * 40 + version * 977ULL);
	snprintf(c->attached, sizeof(c->attached),
		 "customer=%08llu;language=%s;menu=%llu.%llu;contract=K%06llu;callback=no;note=change %u;key=%016llx%016llx",
		 (unsigned long long)(r % 100000000), v & 16 ? "de" : "en",
		 (unsigned long long)(v >> 5 & 7),
		 (unsigned long long)(v >> 9 & 7),
		 (unsigned long long)(r >> 20 & 0xfffff), version,
		 (unsigned long long)v, (unsigned long long)mix(v));
}

size_t record_make(u8 to[RECORD_MAX], u64 seed, u64 call, u32 version)
{
	struct call_record c;
	u64 r = mix(seed ^ mix(call));
	size_t len;
	int i;

	memset(&c, 0, sizeof(c));
	c.call = cpu_to_be64(call);
	c.version = cpu_to_be32(version);
	fill_numbers(&c, call, r);
	fill_state(&c, call, version, r);
	for (i = 0; i < c.parties; i++)
		fill_party(&c.party[i], call, version, i);
	len = offsetof(struct call_record, party) +
	      c.parties * sizeof(c.party[0]);
	memcpy(to, &c, len);
	return len;
}

u64 record_call(const void *record, size_t len)
{
	__be64 call;

	if (len < offsetof(struct call_record, ucid))
		return 0;
	memcpy(&call, record, sizeof(call));
	return be64_to_cpu(call);
}

u32 record_version(const void *record, size_t len)
{
	__be32 version;

	if (len < offsetof(struct call_record, ucid))
		return 0;
	memcpy(&version, (const u8 *)record +
	       offsetof(struct call_record, version), sizeof(version));
	return be32_to_cpu(version);
}

void record_key(u8 key[RECORD_KEY_LEN], u64 call)
{
	__be64 wire = cpu_to_be64(call);

	memcpy(key, &wire, sizeof(wire));
}

u64 record_key_call(const void *key)
{
	__be64 wire;

	memcpy(&wire, key, sizeof(wire));
	return be64_to_cpu(wire);
}
