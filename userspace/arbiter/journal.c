// SPDX-License-Identifier: GPL-2.0-or-later
/* Log lines and JSON lines. See journal.h. */
#include "arbiter/journal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/log.h"

struct line {
	char text[512];
};

static int inherited(const char *number)
{
	char *end;
	long fd = strtol(number, &end, 10);

	if (end == number || *end || fd < 0 || fd > 1023)
		return -EINVAL;
	if (fcntl((int)fd, F_SETFD, FD_CLOEXEC) ||
	    fcntl((int)fd, F_SETFL, fcntl((int)fd, F_GETFL) | O_NONBLOCK))
		return -errno;
	return (int)fd;
}

int journal_open(struct journal *journal, const char *target)
{
	journal->losing = false;
	journal->fd = -1;
	if (!*target)
		return 0;
	if (!strncmp(target, "fd:", 3)) {
		journal->fd = inherited(target + 3);
		return journal->fd < 0 ? journal->fd : 0;
	}
	journal->fd = open(target, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK |
			   O_CLOEXEC, 0644);
	return journal->fd < 0 ? -errno : 0;
}

static double seconds(u64 ns)
{
	return (double)ns / 1e9;
}

static const char *answer_name(u8 answer)
{
	return answer == WITNESS_REFUSED_STORAGE ? "storage" : "epoch";
}

static struct line granted_text(const struct grant_event *e)
{
	struct line line;
	int n = snprintf(line.text, sizeof(line.text),
			 "node %u is granted epoch %" PRIu64, e->node,
			 e->epoch);

	if (e->previous_epoch)
		n += snprintf(line.text + n, sizeof(line.text) - (size_t)n,
			      "; epoch %" PRIu64 " of node %u is over",
			      e->previous_epoch, e->previous_holder);
	if (e->previous_epoch && e->last_ns)
		snprintf(line.text + n, sizeof(line.text) - (size_t)n,
			 ", last renewed %.3f s ago",
			 seconds(e->time_ns - e->last_ns));
	return line;
}

static struct line event_text(const struct grant_event *e)
{
	static const char *const formats[] = {
		[GRANT_EVENT_HEARD] = "node %u speaks, in epoch %" PRIu64,
		[GRANT_EVENT_RENEWED] =
			"node %u renews its grant of epoch %" PRIu64,
		[GRANT_EVENT_RELEASED] = "node %u gave up epoch %" PRIu64,
	};
	struct line line;

	switch (e->kind) {
	case GRANT_EVENT_GRANTED:
		return granted_text(e);
	case GRANT_EVENT_SILENT:
		snprintf(line.text, sizeof(line.text),
			 "node %u is silent, last heard %.3f s ago", e->node,
			 seconds(e->time_ns - e->last_ns));
		break;
	case GRANT_EVENT_WAITED:
		snprintf(line.text, sizeof(line.text),
			 "node %u must wait %.3f s for epoch %" PRIu64,
			 e->node, seconds(e->wait_ns), e->epoch);
		break;
	case GRANT_EVENT_REFUSED:
		snprintf(line.text, sizeof(line.text),
			 "node %u is refused epoch %" PRIu64 " (%s)", e->node,
			 e->epoch, answer_name(e->answer));
		break;
	default:
		snprintf(line.text, sizeof(line.text), formats[e->kind],
			 e->node, e->epoch);
	}
	return line;
}

/* What only some events have, as further members of the object. */
static struct line members(const struct grant_event *e)
{
	struct line line = { "" };

	switch (e->kind) {
	case GRANT_EVENT_GRANTED:
		snprintf(line.text, sizeof(line.text),
			 ",\"holder\":%u,\"previous_epoch\":%" PRIu64
			 ",\"previous_holder\":%u,\"last_renewed_ns\":%" PRIu64,
			 e->node, e->previous_epoch, e->previous_holder,
			 e->last_ns);
		break;
	case GRANT_EVENT_RENEWED:
	case GRANT_EVENT_RELEASED:
		snprintf(line.text, sizeof(line.text), ",\"holder\":%u",
			 e->node);
		break;
	case GRANT_EVENT_SILENT:
		snprintf(line.text, sizeof(line.text),
			 ",\"last_heard_ns\":%" PRIu64, e->last_ns);
		break;
	case GRANT_EVENT_WAITED:
		snprintf(line.text, sizeof(line.text),
			 ",\"wait_ns\":%" PRIu64, e->wait_ns);
		break;
	case GRANT_EVENT_REFUSED:
		snprintf(line.text, sizeof(line.text), ",\"reason\":\"%s\"",
			 answer_name(e->answer));
		break;
	}
	return line;
}

static void write_json(struct journal *journal, u32 pair,
		       const struct grant_event *e)
{
	char text[1024];
	int len = snprintf(text, sizeof(text),
			   "{\"time_ns\":%" PRIu64 ",\"pair\":%u,\"event\":\"%s\",\"node\":%u,\"epoch\":%" PRIu64 "%s}\n",
			   e->time_ns, pair, grant_event_name(e->kind), e->node,
			   e->epoch, members(e).text);
	bool lost = write(journal->fd, text, (size_t)len) != len;

	if (lost && !journal->losing)
		log_warning("event lines are being lost: their reader does not keep up, or the disk is full");
	journal->losing = lost;
}

void journal_event(void *arg, const struct pair *pair,
		   const struct grant_event *event)
{
	struct journal *journal = arg;

	log_info("pair %u: %s", pair->id, event_text(event).text);
	if (journal->fd >= 0)
		write_json(journal, pair->id, event);
}

void journal_close(struct journal *journal)
{
	if (journal->fd >= 0)
		close(journal->fd);
	journal->fd = -1;
}
