// SPDX-License-Identifier: GPL-2.0-or-later
/* A link's histograms, asked of the module. See genl.h. */
#include "common/genl.h"

static int read_histogram(const struct nlattr *nest, struct genl_histogram *h)
{
	const struct nlattr *buckets = genl_find(nest, CTIHA_A_HISTOGRAM_BUCKETS);
	const struct nlattr *max = genl_find(nest, CTIHA_A_HISTOGRAM_MAX_NS);

	if (!buckets || mnl_attr_get_payload_len(buckets) != sizeof(h->buckets) ||
	    !max || mnl_attr_get_payload_len(max) != sizeof(h->max_ns))
		return -EPROTO;
	memcpy(h->buckets, mnl_attr_get_payload(buckets), sizeof(h->buckets));
	memcpy(&h->max_ns, mnl_attr_get_payload(max), sizeof(h->max_ns));
	return 0;
}

int genl_read_quality(const struct nlattr *link, struct genl_quality *quality)
{
	const struct nlattr *nest = link ? genl_find(link, CTIHA_A_LINK_QUALITY) : NULL;
	struct genl_quality read;
	const struct nlattr *attr;
	unsigned int i;

	if (!nest)
		return -EPROTO;
	for (i = 0; i < CTIHA_QUALITIES; i++) {
		attr = genl_find(nest, CTIHA_A_QUALITY_RTT + i);
		if (!attr || read_histogram(attr, &read.of[i]))
			return -EPROTO;
	}
	*quality = read;
	return 0;
}

static int take_quality(const struct genl_message *message, void *arg)
{
	return genl_read_quality(message->attr[CTIHA_A_LINK], arg);
}

int genl_request_quality(struct genl *genl, const char *name,
			 struct genl_quality *quality)
{
	struct nlmsghdr *nlh = genl_begin(genl, CTIHA_CMD_LINK_GET);
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTIHA_A_LINK);

	mnl_attr_put_strz(nlh, CTIHA_A_LINK_NAME, name);
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_put(nlh, CTIHA_A_QUALITY, 0, NULL);
	return genl_call(genl, take_quality, quality);
}
