// SPDX-License-Identifier: GPL-2.0-only
/* The control channel: who may say what. See uapi/colo.h for what it means. */
#include <linux/module.h>

#include "colo_netlink.h"

static struct netlink_range_validation index_range = { .max = U16_MAX };

static const struct nla_policy policy[COLO_A_MAX + 1] = {
	[COLO_A_INDEX] = NLA_POLICY_FULL_RANGE(NLA_U32, &index_range),
	[COLO_A_ROLE] = NLA_POLICY_MAX(NLA_U8, COLO_GENL_SECONDARY),
	[COLO_A_GUEST_DEV] = { .type = NLA_NUL_STRING, .len = IFNAMSIZ - 1 },
	[COLO_A_OWNED] = { .type = NLA_FLAG },
	[COLO_A_JOINING] = { .type = NLA_FLAG },
	[COLO_A_CONFIG] = NLA_POLICY_NESTED(colo_config_policy),
	[COLO_A_EPOCH] = { .type = NLA_U32 },
	[COLO_A_TERM] = { .type = NLA_U32 },
	[COLO_A_STAMP] = { .type = NLA_U64 },
	[COLO_A_EVENT] = NLA_POLICY_MAX(NLA_U8, COLO_EVENT_JOIN),
};

static const struct genl_ops ops[] = {
	{
		.cmd = COLO_CMD_NODE_ADD,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = colo_request_add,
	},
	{
		.cmd = COLO_CMD_NODE_DEL,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = colo_request_del,
	},
	{
		.cmd = COLO_CMD_NODE_GET,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = colo_request_get,
		.dumpit = colo_dump_nodes,
	},
	{
		.cmd = COLO_CMD_FLOW_GET,
		.flags = GENL_UNS_ADMIN_PERM,
		.dumpit = colo_dump_flows,
		.done = colo_dump_flows_done,
	},
	{
		.cmd = COLO_CMD_CHECKPOINT,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = colo_request_checkpoint,
	},
	{
		.cmd = COLO_CMD_PROTOCOL,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = colo_request_protocol,
	},
	{
		.cmd = COLO_CMD_HEARTBEAT,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = colo_request_heartbeat,
	},
	{
		.cmd = COLO_CMD_FAILOVER,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = colo_request_failover,
	},
	{
		.cmd = COLO_CMD_RESET,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = colo_request_reset,
	},
};

static const struct genl_multicast_group groups[] = {
	{ .name = COLO_GENL_GROUP },
};

struct genl_family colo_family __ro_after_init = {
	.name = COLO_GENL_NAME,
	.version = COLO_GENL_VERSION,
	.maxattr = COLO_A_MAX,
	.policy = policy,
	.netnsok = true,
	.module = THIS_MODULE,
	.ops = ops,
	.n_ops = ARRAY_SIZE(ops),
	.resv_start_op = COLO_CMD_UNSPEC + 1,
	.mcgrps = groups,
	.n_mcgrps = ARRAY_SIZE(groups),
};

bool colo_family_is_up;

int colo_netlink_init(void)
{
	int err = genl_register_family(&colo_family);

	if (!err)
		WRITE_ONCE(colo_family_is_up, true);
	return err;
}

void colo_netlink_exit(void)
{
	WRITE_ONCE(colo_family_is_up, false);
	genl_unregister_family(&colo_family);
}
