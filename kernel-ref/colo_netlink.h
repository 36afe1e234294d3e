/* SPDX-License-Identifier: GPL-2.0-only */
/* For the files of the control channel. */
#ifndef COLO_NETLINK_H
#define COLO_NETLINK_H

#include <net/genetlink.h>

#include "colo_proxy.h"

extern struct genl_family colo_family;
/* Groups of a family that is not there belong to others. */
extern bool colo_family_is_up;

extern const struct nla_policy colo_config_policy[COLO_C_MAX + 1];

/* colo_config.c: all return 0 or -EMSGSIZE but the first. */

/** colo_config_read() - NODE_ADD's; without @nest all defaults. */
int colo_config_read(const struct nlattr *nest, struct colo_node_spec *spec,
		     struct netlink_ext_ack *extack);
int colo_fill_config(struct sk_buff *message, const struct colo_proxy *proxy);
int colo_fill_stats(struct sk_buff *message, const struct colo_proxy *proxy);
int colo_fill_node(struct sk_buff *message, const struct colo_proxy *proxy);
u32 colo_next_epoch(const struct colo_node *node);
/** colo_fill_key() - In a nest of COLO_F_*. */
int colo_fill_key(struct sk_buff *message, const struct colo_key *key);

/* colo_request.c */

int colo_request_add(struct sk_buff *request, struct genl_info *info);
int colo_request_del(struct sk_buff *request, struct genl_info *info);
int colo_request_checkpoint(struct sk_buff *request, struct genl_info *info);
int colo_request_protocol(struct sk_buff *request, struct genl_info *info);
int colo_request_heartbeat(struct sk_buff *request, struct genl_info *info);
int colo_request_failover(struct sk_buff *request, struct genl_info *info);
int colo_request_reset(struct sk_buff *request, struct genl_info *info);

/* colo_dump.c */

int colo_request_get(struct sk_buff *request, struct genl_info *info);
int colo_dump_nodes(struct sk_buff *message, struct netlink_callback *cb);
int colo_dump_flows(struct sk_buff *message, struct netlink_callback *cb);
int colo_dump_flows_done(struct netlink_callback *cb);

static inline int colo_refuse(struct netlink_ext_ack *extack, int err, const char *why)
{
	if (extack)
		extack->_msg = why;
	return err;
}

/** colo_attr_index() - Of a request; false, and it is told, if it names none. */
static inline bool colo_attr_index(struct nlattr **attrs, struct netlink_ext_ack *extack,
				   u32 *index)
{
	if (!attrs[COLO_A_INDEX]) {
		colo_refuse(extack, -EINVAL, "INDEX is missing: name a node");
		return false;
	}
	*index = nla_get_u32(attrs[COLO_A_INDEX]);
	return true;
}

#endif /* COLO_NETLINK_H */
