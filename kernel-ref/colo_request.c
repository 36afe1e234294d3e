// SPDX-License-Identifier: GPL-2.0-only
/* Requests that change a node: what a hypervisor or an operator may ask for. */
#include "colo_netlink.h"

/* Of what a hypervisor does that speaks the protocol step by step. */
#define STEPS \
	(COLO_ACTION_PAUSE | COLO_ACTION_SEND_REQUEST | COLO_ACTION_SEND_REPLY | \
	 COLO_ACTION_SEND_STATE | COLO_ACTION_SEND_RECEIVED | COLO_ACTION_LOAD | \
	 COLO_ACTION_SEND_LOADED | COLO_ACTION_DISCARD | COLO_ACTION_FULL)

/* What a request wants of kcolo, and why it is refused. */
struct wish {
	struct nlattr **attrs;
	u32 epoch; /* the answer of CHECKPOINT */
	const char *why;
};

static int refuse(struct wish *wish, int err, const char *why)
{
	wish->why = why;
	return err;
}

/* Let the node's kcolo do it. */
static int run(struct genl_info *info, colo_run_fn what, struct wish *wish)
{
	struct colo_net *colo_net = colo_net_of(genl_info_net(info));
	struct colo_proxy *proxy;
	u32 index;
	int err;

	wish->attrs = info->attrs;
	if (!colo_attr_index(info->attrs, info->extack, &index))
		return -EINVAL;
	mutex_lock(&colo_net->mutex);
	proxy = colo_proxy_find(colo_net, index);
	err = proxy ? colo_proxy_run(proxy, what, wish) :
		      refuse(wish, -ENOENT, "there is no such node");
	mutex_unlock(&colo_net->mutex);
	return err ? colo_refuse(info->extack, err, wish->why) : 0;
}

/* NODE_ADD, NODE_DEL */

static int read_spec(struct genl_info *info, struct colo_node_spec *spec)
{
	struct nlattr **attrs = info->attrs;
	u32 index;

	if (!colo_attr_index(attrs, info->extack, &index))
		return -EINVAL;
	if (!attrs[COLO_A_ROLE])
		return colo_refuse(info->extack, -EINVAL, "ROLE is missing");
	if (!attrs[COLO_A_GUEST_DEV])
		return colo_refuse(info->extack, -EINVAL, "GUEST_DEV is missing");
	spec->index = index;
	spec->role = nla_get_u8(attrs[COLO_A_ROLE]) == COLO_GENL_PRIMARY ? COLO_ROLE_PRIMARY :
									     COLO_ROLE_SECONDARY;
	spec->guest_name = nla_data(attrs[COLO_A_GUEST_DEV]);
	if (!dev_valid_name(spec->guest_name))
		return colo_refuse(info->extack, -EINVAL, "GUEST_DEV is no name of a device");
	spec->joining = attrs[COLO_A_JOINING];
	if (spec->joining && spec->role == COLO_ROLE_PRIMARY)
		return colo_refuse(info->extack, -EINVAL, "only a secondary can be JOINING");
	spec->owner = attrs[COLO_A_OWNED] ? info->snd_portid : 0;
	return colo_config_read(attrs[COLO_A_CONFIG], spec, info->extack);
}

int colo_request_add(struct sk_buff *request, struct genl_info *info)
{
	struct colo_node_spec spec = {};
	const char *why;
	int err;

	err = read_spec(info, &spec);
	if (err)
		return err;
	err = colo_proxy_add(genl_info_net(info), &spec, &why);
	return err ? colo_refuse(info->extack, err, why) : 0;
}

int colo_request_del(struct sk_buff *request, struct genl_info *info)
{
	struct colo_net *colo_net = colo_net_of(genl_info_net(info));
	struct colo_proxy *proxy;
	u32 index;

	if (!colo_attr_index(info->attrs, info->extack, &index))
		return -EINVAL;
	mutex_lock(&colo_net->mutex);
	proxy = colo_proxy_find(colo_net, index);
	if (proxy)
		colo_proxy_remove(proxy, COLO_GONE_DELETED);
	mutex_unlock(&colo_net->mutex);
	return proxy ? 0 : colo_refuse(info->extack, -ENOENT, "there is no such node");
}

/* CHECKPOINT */

static bool step(struct colo_node *node, enum colo_node_event event, u32 epoch, u64 now_ns,
		 struct colo_out *out)
{
	return colo_node_event(node, event, epoch, now_ns, out);
}

static const char *cannot_begin(const struct colo_node *node, u64 now_ns, int *err)
{
	const struct colo_config *config = &node->config;

	*err = -EINVAL;
	if (node->mode == COLO_MODE_FENCED)
		return "the node is fenced: the other host speaks";
	if (colo_node_is_alone(node))
		return NULL;
	if (!colo_node_has_lease(node, now_ns))
		return "the secondary was not heard from: there is no lease";
	*err = -EAGAIN;
	if (node->state == COLO_NODE_RUNNING || node->deferred) {
		if (now_ns < node->committed_ns + config->checkpoint_interval_min_ns)
			return "INTERVAL_MIN since the last checkpoint is not over";
		if (now_ns < node->retry_ns)
			return "the last attempt broke off just now";
	}
	return NULL;
}

/* From whichever step it is at. A deferred one whose time has come begins in the same way. */
static bool begin_primary(struct colo_node *node, u64 now_ns, struct colo_out *out)
{
	bool alone = colo_node_is_alone(node);

	if (node->state == COLO_NODE_RUNNING)
		return step(node, alone ? COLO_EVENT_JOIN : COLO_EVENT_REQUEST, 0, now_ns, out);
	if (node->deferred)
		colo_node_poll(node, now_ns, out);
	return true;
}

static bool checkpoint_primary(struct colo_node *node, u64 now_ns, struct colo_out *out)
{
	if (!begin_primary(node, now_ns, out))
		return false;
	if (node->state == COLO_NODE_REQUESTED && !node->guest_paused &&
	    !step(node, COLO_EVENT_PAUSED, 0, now_ns, out))
		return false;
	if ((node->state == COLO_NODE_REQUESTED || node->state == COLO_NODE_PAUSED) &&
	    !step(node, COLO_EVENT_REPLY, node->attempt, now_ns, out))
		return false;
	if (node->state == COLO_NODE_TRANSFER &&
	    !step(node, COLO_EVENT_RECEIVED, node->attempt, now_ns, out))
		return false;
	return step(node, COLO_EVENT_LOADED, node->epoch, now_ns, out);
}

static bool checkpoint_secondary(struct colo_node *node, u32 epoch, u64 now_ns,
				 struct colo_out *out)
{
	if (node->attempt != epoch && !step(node, COLO_EVENT_REQUEST, epoch, now_ns, out))
		return false;
	if (node->state == COLO_NODE_REQUESTED &&
	    !step(node, COLO_EVENT_PAUSED, 0, now_ns, out))
		return false;
	if (node->state == COLO_NODE_PAUSED &&
	    !step(node, COLO_EVENT_STATE, epoch, now_ns, out))
		return false;
	return node->epoch == epoch && step(node, COLO_EVENT_LOADED, epoch, now_ns, out);
}

static void hide_steps(struct colo_out *out)
{
	out->actions &= ~STEPS;
}

static int run_checkpoint(struct colo_proxy *proxy, void *arg, u64 now_ns, struct colo_out *out)
{
	struct colo_node *node = &proxy->node;
	struct wish *wish = arg;
	struct nlattr *epoch = wish->attrs[COLO_A_EPOCH];
	bool fits;
	int err;

	if (node->role == COLO_ROLE_PRIMARY) {
		wish->why = cannot_begin(node, now_ns, &err);
		if (wish->why)
			return err;
		if (epoch && nla_get_u32(epoch) != colo_next_epoch(node))
			return refuse(wish, -EINVAL, "EPOCH is not the next of this primary");
		fits = checkpoint_primary(node, now_ns, out);
	} else {
		if (!epoch)
			return refuse(wish, -EINVAL, "EPOCH is missing: NEXT_EPOCH of the primary");
		fits = checkpoint_secondary(node, nla_get_u32(epoch), now_ns, out);
	}
	if (!fits) {
		colo_node_event(node, COLO_EVENT_ABORT, 0, now_ns, out);
		hide_steps(out);
		return refuse(wish, -EINVAL, node->role == COLO_ROLE_PRIMARY ?
			"the node's state does not allow for a checkpoint" :
			"EPOCH is not newer than the last, or the node listens to no primary");
	}
	hide_steps(out);
	wish->epoch = node->epoch;
	return 0;
}

static int answer_epoch(struct genl_info *info, u32 epoch)
{
	struct sk_buff *message = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	void *header;

	if (!message)
		return -ENOMEM;
	header = genlmsg_put_reply(message, info, &colo_family, 0, COLO_CMD_CHECKPOINT);
	if (!header || nla_put_u32(message, COLO_A_INDEX, nla_get_u32(info->attrs[COLO_A_INDEX])) ||
	    nla_put_u32(message, COLO_A_EPOCH, epoch)) {
		nlmsg_free(message);
		return -EMSGSIZE;
	}
	genlmsg_end(message, header);
	return genlmsg_reply(message, info);
}

int colo_request_checkpoint(struct sk_buff *request, struct genl_info *info)
{
	struct wish wish = {};
	int err = run(info, run_checkpoint, &wish);

	return err ? err : answer_epoch(info, wish.epoch);
}

/* PROTOCOL, HEARTBEAT */

/* Does an event tell of what came from elsewhere, with an epoch or a term? */
static bool needs_epoch(enum colo_role role, enum colo_node_event event)
{
	switch (event) {
	case COLO_EVENT_REQUEST:
		return role == COLO_ROLE_SECONDARY;
	case COLO_EVENT_LOADED:
		return role == COLO_ROLE_PRIMARY;
	case COLO_EVENT_REPLY:
	case COLO_EVENT_STATE:
	case COLO_EVENT_RECEIVED:
	case COLO_EVENT_GRANTED:
	case COLO_EVENT_DENIED:
	case COLO_EVENT_TERM:
		return true;
	default:
		return false;
	}
}

static int run_protocol(struct colo_proxy *proxy, void *arg, u64 now_ns, struct colo_out *out)
{
	struct colo_node *node = &proxy->node;
	struct wish *wish = arg;
	struct nlattr *epoch = wish->attrs[COLO_A_EPOCH];
	enum colo_node_event event;

	if (!wish->attrs[COLO_A_EVENT])
		return refuse(wish, -EINVAL, "EVENT is missing");
	event = nla_get_u8(wish->attrs[COLO_A_EVENT]);
	if (!epoch && needs_epoch(node->role, event))
		return refuse(wish, -EINVAL, "EPOCH is missing: the message's, or the term");
	if (!colo_node_event(node, event, epoch ? nla_get_u32(epoch) : 0, now_ns, out))
		return refuse(wish, -EINVAL, "the event does not fit the node's state or epoch");
	return 0;
}

int colo_request_protocol(struct sk_buff *request, struct genl_info *info)
{
	struct wish wish = {};

	return run(info, run_protocol, &wish);
}

static int run_heartbeat(struct colo_proxy *proxy, void *arg, u64 now_ns, struct colo_out *out)
{
	struct wish *wish = arg;
	struct nlattr *term = wish->attrs[COLO_A_TERM], *stamp = wish->attrs[COLO_A_STAMP];

	if (!term || !stamp)
		return refuse(wish, -EINVAL, "TERM or STAMP is missing");
	if (!proxy->node.config.lease_ns)
		return refuse(wish, -EINVAL, "the node has no LEASE, so it needs no heartbeats");
	if (!colo_node_heartbeat(&proxy->node, nla_get_u32(term), nla_get_u64(stamp), now_ns, out))
		return refuse(wish, -EINVAL,
			      "of another term, too late, or the node has lost the other host");
	return 0;
}

int colo_request_heartbeat(struct sk_buff *request, struct genl_info *info)
{
	struct wish wish = {};

	return run(info, run_heartbeat, &wish);
}

/* FAILOVER, RESET */

static int run_failover(struct colo_proxy *proxy, void *arg, u64 now_ns, struct colo_out *out)
{
	struct colo_node *node = &proxy->node;
	struct wish *wish = arg;

	if (node->mode == COLO_MODE_ALONE)
		return refuse(wish, -EALREADY, "the node speaks for itself already");
	if (!colo_node_lose_peer(node, now_ns, out))
		return refuse(wish, -EINVAL, node->mode == COLO_MODE_FENCED ?
			"the node is fenced: the other host speaks" :
			"the node holds no state yet that it could go on from");
	colo_node_event(node, COLO_EVENT_GRANTED, node->term, now_ns, out);
	/* Who asks us is the arbiter. */
	out->actions &= ~COLO_ACTION_ASK;
	return 0;
}

int colo_request_failover(struct sk_buff *request, struct genl_info *info)
{
	struct wish wish = {};

	return run(info, run_failover, &wish);
}

int colo_request_reset(struct sk_buff *request, struct genl_info *info)
{
	struct wish wish = {};

	return run(info, colo_reset, &wish);
}
