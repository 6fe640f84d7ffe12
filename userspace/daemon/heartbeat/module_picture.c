// SPDX-License-Identifier: GPL-2.0-or-later
/* All the module's objects: read, and told to the daemon. See module.h. */
#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "daemon/heartbeat/module.h"

#define TRIES	5

static int read_objects(struct module *m, struct module_picture *picture)
{
	int ret;

	memset(picture, 0, sizeof(*picture));
	ret = genl_request_links(m->request, &picture->snap);
	if (!ret)
		ret = genl_request_peer(m->request, &picture->snap.peer);
	if (!ret)
		ret = genl_request_node(m->request, &picture->snap.node,
					&picture->seq);
	return ret;
}

/*
 * Objects are read one by one. If no event happened from before the first to
 * after the last, they are one picture. While events rain it is none, but each
 * object is newer than @before, and the events since then are still to come.
 */
int module_picture_read(struct module *m, struct module_picture *picture)
{
	unsigned int tries = TRIES;
	struct heartbeat_node node;
	u64 before = 0;
	int ret = genl_request_node(m->request, &node, &before);

	if (ret)
		return ret;
	while (tries--) {
		ret = read_objects(m, picture);
		if (ret && ret != -EINTR)
			return ret;
		if (!ret && picture->seq == before)
			return 0;
		if (!ret && tries)
			before = picture->seq;
	}
	picture->seq = before;
	return ret;
}

static void deliver(struct module *m, const struct module_picture *picture)
{
	const struct heartbeat_event event = {
		.seq = picture->seq,
		.time_ns = clock_now_ns(),
		.cause = CTIHA_CAUSE_NONE,
	};
	unsigned int i;

	m->callbacks.resync(m->arg);
	module_switch_notice(m, &event, &picture->snap.node);
	m->callbacks.node(m->arg, &event, &picture->snap.node);
	m->callbacks.peer(m->arg, &event, &picture->snap.peer);
	for (i = 0; i < picture->snap.link_count; i++) {
		module_link_notice(m, &picture->snap.links[i]);
		m->callbacks.link(m->arg, &event, &picture->snap.links[i]);
	}
}

void module_picture_tell(struct module *m)
{
	struct module_picture picture;

	m->stale = false;
	if (module_picture_read(m, &picture)) {
		module_break_down(m, genl_text(m->request));
		return;
	}
	m->seq = picture.seq;
	module_link_complete(m, &picture.snap);
	deliver(m, &picture);
}
