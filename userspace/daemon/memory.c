// SPDX-License-Identifier: GPL-2.0-or-later
/* What a server must not forget over a restart. See memory.h. */
#include "daemon/memory.h"

#include "common/durable.h"

#define MEMORY_FILE	"memory"

struct stored_memory {
	__be64 epoch;
	u8 left;
} __packed;

int memory_read(const char *directory, struct memory *memory)
{
	struct stored_memory stored;
	ssize_t length = durable_read(directory, MEMORY_FILE, &stored,
				      sizeof(stored));

	memset(memory, 0, sizeof(*memory));
	if (length == -ENOENT)
		return 0;
	if (length < 0)
		return (int)length;
	if (length != sizeof(stored) || stored.left > 1)
		return -EBADMSG;
	memory->epoch = be64_to_cpu(stored.epoch);
	memory->left = stored.left;
	return 0;
}

int memory_write(const char *directory, const struct memory *memory)
{
	struct stored_memory stored = {
		.epoch = cpu_to_be64(memory->epoch),
		.left = memory->left,
	};

	return durable_write(directory, MEMORY_FILE, &stored, sizeof(stored));
}
