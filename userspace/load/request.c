// SPDX-License-Identifier: GPL-2.0-or-later
/* Datagrams between callers and application. See request.h. */
#include "load/request.h"

#define MAGIC	0x4354494c	/* "CTIL" */
#define VERSION	1

struct wire_request {
	__be32 magic;
	u8 version;
	u8 op;
	u8 status;
	u8 how;
	__be64 run;
	__be64 id;
	__be64 done;
	__be64 call;
	__be32 call_version;
	__be16 count;
	u8 more;
	u8 reserved;
	__be64 clock_ns;
	__be64 epoch;
} __packed;

struct wire_record {
	__be64 key;
	__be16 len;
} __packed;

static_assert(sizeof(struct wire_request) == REQUEST_HEAD_LEN);

size_t request_write(u8 *to, const struct request *r)
{
	const struct wire_request w = {
		.magic = cpu_to_be32(MAGIC),
		.version = VERSION,
		.op = r->op,
		.status = r->status,
		.how = r->how,
		.run = cpu_to_be64(r->run),
		.id = cpu_to_be64(r->id),
		.done = cpu_to_be64(r->done),
		.call = cpu_to_be64(r->call),
		.call_version = cpu_to_be32(r->version),
		.count = cpu_to_be16(r->count),
		.more = r->more,
		.clock_ns = cpu_to_be64(r->clock_ns),
		.epoch = cpu_to_be64(r->epoch),
	};

	memcpy(to, &w, sizeof(w));
	if (r->len)
		memcpy(to + sizeof(w), r->data, r->len);
	return sizeof(w) + r->len;
}

bool request_read(const u8 *data, size_t len, struct request *r)
{
	struct wire_request w;

	if (len < sizeof(w) || len > REQUEST_MAX)
		return false;
	memcpy(&w, data, sizeof(w));
	if (be32_to_cpu(w.magic) != MAGIC || w.version != VERSION)
		return false;
	*r = (struct request){
		.op = w.op,
		.status = w.status,
		.how = w.how,
		.run = be64_to_cpu(w.run),
		.id = be64_to_cpu(w.id),
		.done = be64_to_cpu(w.done),
		.call = be64_to_cpu(w.call),
		.version = be32_to_cpu(w.call_version),
		.count = be16_to_cpu(w.count),
		.more = w.more,
		.clock_ns = be64_to_cpu(w.clock_ns),
		.epoch = be64_to_cpu(w.epoch),
		.data = data + sizeof(w),
		.len = len - sizeof(w),
	};
	return true;
}

bool request_add_record(u8 *data, size_t *len, u64 key, const void *record,
			size_t record_len)
{
	const struct wire_record w = {
		.key = cpu_to_be64(key),
		.len = cpu_to_be16((u16)record_len),
	};

	if (record_len > UINT16_MAX ||
	    sizeof(w) + record_len > REQUEST_DATA_MAX - *len)
		return false;
	memcpy(data + *len, &w, sizeof(w));
	memcpy(data + *len + sizeof(w), record, record_len);
	*len += sizeof(w) + record_len;
	return true;
}

bool request_next_record(const u8 **at, const u8 *end, u64 *key,
			 const u8 **record, size_t *record_len)
{
	struct wire_record w;

	if ((size_t)(end - *at) < sizeof(w))
		return false;
	memcpy(&w, *at, sizeof(w));
	*key = be64_to_cpu(w.key);
	*record_len = be16_to_cpu(w.len);
	*record = *at + sizeof(w);
	if (*record_len > (size_t)(end - *record))
		return false;
	*at = *record + *record_len;
	return true;
}
