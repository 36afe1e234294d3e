// SPDX-License-Identifier: GPL-2.0-only
/* A node's configuration, state and statistics as attributes. */
#include <linux/random.h>

#include "colo_netlink.h"

#define FLOWS_MAX_DEFAULT 65536
#define TIME_MAX_NS (365ULL * 24 * 3600 * NSEC_PER_SEC)
#define TIME_MIN_NS NSEC_PER_MSEC

static struct netlink_range_validation interval = { .max = TIME_MAX_NS };
static struct netlink_range_validation timeout = { .min = TIME_MIN_NS, .max = TIME_MAX_NS };
static struct netlink_range_validation packets = { .min = 1, .max = 1 << 20 };
static struct netlink_range_validation datagrams = { .max = 1 << 20 };

const struct nla_policy colo_config_policy[COLO_C_MAX + 1] = {
	[COLO_C_COMPARE_TIMEOUT] = NLA_POLICY_FULL_RANGE(NLA_U64, &timeout),
	[COLO_C_INTERVAL_MIN] = NLA_POLICY_FULL_RANGE(NLA_U64, &interval),
	[COLO_C_INTERVAL_MAX] = NLA_POLICY_FULL_RANGE(NLA_U64, &interval),
	[COLO_C_IDLE_TIMEOUT] = NLA_POLICY_FULL_RANGE(NLA_U64, &timeout),
	[COLO_C_CLOSED_TIMEOUT] = NLA_POLICY_FULL_RANGE(NLA_U64, &timeout),
	[COLO_C_FLOW_HELD_MAX] = NLA_POLICY_FULL_RANGE(NLA_U32, &packets),
	[COLO_C_NODE_HELD_MAX] = NLA_POLICY_FULL_RANGE(NLA_U32, &packets),
	[COLO_C_FLOWS_MAX] = NLA_POLICY_FULL_RANGE(NLA_U32, &packets),
	[COLO_C_REORDER_WINDOW] = NLA_POLICY_FULL_RANGE(NLA_U32, &datagrams),
	[COLO_C_LEASE] = NLA_POLICY_FULL_RANGE(NLA_U64, &interval),
	[COLO_C_TAKEOVER] = NLA_POLICY_FULL_RANGE(NLA_U64, &interval),
	[COLO_C_HEARTBEAT] = NLA_POLICY_FULL_RANGE(NLA_U64, &interval),
	[COLO_C_ACK_CLAMP] = { .type = NLA_FLAG },
	[COLO_C_MALFORMED_HOLD] = { .type = NLA_FLAG },
	[COLO_C_PLAIN] = { .type = NLA_FLAG },
};

/* Fields of struct colo_config that are numbers. */
static const struct {
	u16 offset;
	bool is_time;
} fields[COLO_C_MAX + 1] = {
	[COLO_C_COMPARE_TIMEOUT] = { offsetof(struct colo_config, compare_timeout_ns), true },
	[COLO_C_INTERVAL_MIN] = { offsetof(struct colo_config, checkpoint_interval_min_ns), true },
	[COLO_C_INTERVAL_MAX] = { offsetof(struct colo_config, checkpoint_interval_max_ns), true },
	[COLO_C_IDLE_TIMEOUT] = { offsetof(struct colo_config, idle_timeout_ns), true },
	[COLO_C_CLOSED_TIMEOUT] = { offsetof(struct colo_config, closed_timeout_ns), true },
	[COLO_C_LEASE] = { offsetof(struct colo_config, lease_ns), true },
	[COLO_C_TAKEOVER] = { offsetof(struct colo_config, takeover_ns), true },
	[COLO_C_HEARTBEAT] = { offsetof(struct colo_config, heartbeat_interval_ns), true },
	[COLO_C_FLOW_HELD_MAX] = { offsetof(struct colo_config, flow_held_max), false },
	[COLO_C_NODE_HELD_MAX] = { offsetof(struct colo_config, node_held_max), false },
	[COLO_C_REORDER_WINDOW] = { offsetof(struct colo_config, reorder_window), false },
};

static void read_field(const struct nlattr *attr, struct colo_config *config)
{
	u32 type = nla_type(attr);
	void *field = (u8 *)config + fields[type].offset;

	if (fields[type].is_time)
		*(u64 *)field = nla_get_u64(attr);
	else if (fields[type].offset)
		*(u32 *)field = nla_get_u32(attr);
}

int colo_config_read(const struct nlattr *nest, struct colo_node_spec *spec,
		     struct netlink_ext_ack *extack)
{
	struct colo_config *config = &spec->config;
	struct nlattr *attrs[COLO_C_MAX + 1] = {};
	const char *why;
	int err, i;

	if (nest) {
		err = nla_parse_nested(attrs, COLO_C_MAX, nest, colo_config_policy, extack);
		if (err)
			return err;
	}
	colo_config_default(config);
	for (i = 0; i <= COLO_C_MAX; i++) {
		if (attrs[i])
			read_field(attrs[i], config);
	}
	if (attrs[COLO_C_ACK_CLAMP])
		config->ack_policy = COLO_ACK_CLAMP;
	config->malformed_hold = attrs[COLO_C_MALFORMED_HOLD];
	config->plain = attrs[COLO_C_PLAIN];
	config->chunk = colo_frame_chunk;
	config->digest_key = get_random_u64();
	spec->conns_max = FLOWS_MAX_DEFAULT;
	if (attrs[COLO_C_FLOWS_MAX])
		spec->conns_max = nla_get_u32(attrs[COLO_C_FLOWS_MAX]);
	why = colo_config_check(config);
	return why ? colo_refuse(extack, -EINVAL, why) : 0;
}

static int fill_fields(struct sk_buff *message, const struct colo_config *config)
{
	int i, err = 0;

	for (i = 0; i <= COLO_C_MAX && !err; i++) {
		const void *field = (const u8 *)config + fields[i].offset;

		if (fields[i].is_time)
			err = nla_put_u64_64bit(message, i, *(const u64 *)field, COLO_C_PAD);
		else if (fields[i].offset)
			err = nla_put_u32(message, i, *(const u32 *)field);
	}
	return err;
}

static int fill_flags(struct sk_buff *message, const struct colo_config *config)
{
	if (config->ack_policy == COLO_ACK_CLAMP && nla_put_flag(message, COLO_C_ACK_CLAMP))
		return -EMSGSIZE;
	if (config->malformed_hold && nla_put_flag(message, COLO_C_MALFORMED_HOLD))
		return -EMSGSIZE;
	if (config->plain && nla_put_flag(message, COLO_C_PLAIN))
		return -EMSGSIZE;
	return 0;
}

int colo_fill_config(struct sk_buff *message, const struct colo_proxy *proxy)
{
	const struct colo_config *config = &proxy->node.config;
	struct nlattr *nest = nla_nest_start(message, COLO_A_CONFIG);

	if (!nest || fill_fields(message, config) || fill_flags(message, config) ||
	    nla_put_u32(message, COLO_C_FLOWS_MAX, proxy->conns_max))
		return -EMSGSIZE;
	nla_nest_end(message, nest);
	return 0;
}

static int fill_mismatches(struct sk_buff *message, const struct colo_node_stats *stats)
{
	struct nlattr *nest = nla_nest_start(message, COLO_S_MISMATCHES);
	u32 i;

	if (!nest)
		return -EMSGSIZE;
	for (i = 0; i < COLO_REASON_COUNT; i++) {
		if (stats->mismatches[i] &&
		    nla_put(message, i + 1, sizeof(u64), &stats->mismatches[i]))
			return -EMSGSIZE;
	}
	nla_nest_end(message, nest);
	return 0;
}

struct statistic {
	u16 type;
	u64 value;
};

static int fill_numbers(struct sk_buff *message, const struct colo_proxy *proxy)
{
	const struct colo_node *node = &proxy->node;
	const struct colo_node_stats *stats = &node->stats;
	const struct colo_proxy_counters *counters = &proxy->counters;
	const struct statistic all[] = {
		{ COLO_S_FLOWS, atomic_read(&proxy->conns.nelems) },
		{ COLO_S_HELD, node->held_count },
		{ COLO_S_EXTRA, node->extra_count },
		{ COLO_S_RELEASED_PACKETS, stats->released_packets },
		{ COLO_S_RELEASED_BYTES, stats->released_bytes },
		{ COLO_S_HELD_PACKETS, stats->held_packets },
		{ COLO_S_CHECKPOINTS, stats->checkpoints },
		{ COLO_S_COALESCED, stats->coalesced },
		{ COLO_S_FROM_GUEST, atomic64_read(&counters->from_guest) },
		{ COLO_S_FROM_SEC_DEV, atomic64_read(&counters->from_sec_dev) },
		{ COLO_S_TO_SEC_DEV, atomic64_read(&counters->to_sec_dev) },
		{ COLO_S_TO_GUEST, atomic64_read(&counters->to_guest) },
		{ COLO_S_STALE, atomic64_read(&counters->stale) },
		{ COLO_S_SEC_DEV_BAD, atomic64_read(&counters->sec_dev_bad) },
		{ COLO_S_DROPPED_AT_LIMIT, stats->dropped_at_limit },
		{ COLO_S_DROPPED_QUEUE, atomic64_read(&counters->dropped_queue) },
		{ COLO_S_DROPPED_MEMORY, atomic64_read(&counters->dropped_memory) },
		{ COLO_S_DROPPED_DEVICE, atomic64_read(&counters->dropped_device) },
		{ COLO_S_DROPPED_FRAGMENT, atomic64_read(&counters->dropped_fragment) },
		{ COLO_S_MALFORMED_PRIMARY, stats->malformed_primary },
		{ COLO_S_MALFORMED_SECONDARY, stats->malformed_secondary },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(all); i++) {
		if (nla_put_u64_64bit(message, all[i].type, all[i].value, COLO_S_PAD))
			return -EMSGSIZE;
	}
	return 0;
}

int colo_fill_stats(struct sk_buff *message, const struct colo_proxy *proxy)
{
	struct nlattr *nest = nla_nest_start(message, COLO_A_STATS);

	if (!nest || fill_numbers(message, proxy) || fill_mismatches(message, &proxy->node.stats))
		return -EMSGSIZE;
	nla_nest_end(message, nest);
	return 0;
}

/* Of the pending checkpoint, or else of the next. */
u32 colo_next_epoch(const struct colo_node *node)
{
	bool begun = node->state != COLO_NODE_RUNNING && !node->deferred;

	return begun ? node->attempt : node->attempt + 1;
}

int colo_fill_node(struct sk_buff *message, const struct colo_proxy *proxy)
{
	const struct colo_node *node = &proxy->node;

	if (nla_put_u32(message, COLO_A_INDEX, proxy->index) ||
	    nla_put_u8(message, COLO_A_ROLE, node->role) ||
	    nla_put_string(message, COLO_A_GUEST_DEV, proxy->guest_name) ||
	    nla_put_u32(message, COLO_A_EPOCH, node->epoch) ||
	    nla_put_u32(message, COLO_A_NEXT_EPOCH, colo_next_epoch(node)) ||
	    nla_put_u32(message, COLO_A_TERM, node->term) ||
	    nla_put_u8(message, COLO_A_STATE, node->state) ||
	    nla_put_u8(message, COLO_A_MODE, node->mode))
		return -EMSGSIZE;
	if (proxy->sec_name[0] && nla_put_string(message, COLO_A_SEC_DEV, proxy->sec_name))
		return -EMSGSIZE;
	if (node->state != COLO_NODE_RUNNING && node->role == COLO_ROLE_PRIMARY &&
	    (nla_put_u8(message, COLO_A_REASON, node->cause) ||
	     nla_put_string(message, COLO_A_REASON_NAME, colo_reason_name(node->cause))))
		return -EMSGSIZE;
	if ((node->failed_over && nla_put_flag(message, COLO_A_FAILED_OVER)) ||
	    (proxy->armed && nla_put_flag(message, COLO_A_ARMED)) ||
	    (proxy->owner && nla_put_flag(message, COLO_A_OWNED)))
		return -EMSGSIZE;
	return 0;
}

int colo_fill_key(struct sk_buff *message, const struct colo_key *key)
{
	u32 len = key->family == 6 ? 16 : 4;

	if (nla_put_u8(message, COLO_F_FAMILY, key->family) ||
	    nla_put_u8(message, COLO_F_PROTOCOL, key->protocol) ||
	    nla_put(message, COLO_F_GUEST, len, key->guest) ||
	    nla_put(message, COLO_F_PEER, len, key->peer) ||
	    nla_put_u16(message, COLO_F_GUEST_PORT, key->guest_port) ||
	    nla_put_u16(message, COLO_F_PEER_PORT, key->peer_port))
		return -EMSGSIZE;
	if (key->vlan && nla_put_u16(message, COLO_F_VLAN, key->vlan))
		return -EMSGSIZE;
	if (key->inner_vlan && nla_put_u16(message, COLO_F_INNER_VLAN, key->inner_vlan))
		return -EMSGSIZE;
	return 0;
}
