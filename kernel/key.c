// SPDX-License-Identifier: GPL-2.0
/* The key slots of a node. See key.h. */
#include <linux/netlink.h>
#include <linux/rcupdate.h>

#include "key.h"
#include "mac.h"
#include "node.h"

/* Nobody uses the key of before on return, neither to seal nor to verify. */
static void replace(struct ctiha_node *node, u8 slot, struct ctiha_mac_key *key,
		    bool send)
{
	struct ctiha_net *cn = ctiha_net(node->net);

	key = rcu_replace_pointer(node->keys[slot], key,
				  lockdep_is_held(&cn->config));
	if (send)
		WRITE_ONCE(node->send_slot, slot);
	synchronize_rcu();
	ctiha_mac_key_free(key);
}

int ctiha_key_set(struct ctiha_node *node, u8 slot, const u8 *secret, bool send)
{
	struct ctiha_mac_key *key = ctiha_mac_key_new(secret);

	if (!key)
		return -ENOMEM;
	node->verify_ns = ctiha_mac_cost_ns(key);
	replace(node, slot, key, send);
	return 0;
}

int ctiha_key_drop(struct ctiha_node *node, u8 slot,
		   struct netlink_ext_ack *extack)
{
	if (node->send_slot == slot) {
		NL_SET_ERR_MSG(extack,
			       "key: frames are sealed with this slot, send with the other one first");
		return -EBUSY;
	}
	replace(node, slot, NULL, false);
	return 0;
}
