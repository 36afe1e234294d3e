// SPDX-License-Identifier: GPL-2.0-only
/* Events for the hypervisors and operators of a namespace. Who does not listen misses them. */
#include "colo_netlink.h"

static struct sk_buff *begin(const struct colo_proxy *proxy, enum colo_genl_cmd command,
			     void **header)
{
	struct sk_buff *message;

	if (!READ_ONCE(colo_family_is_up))
		return NULL;
	message = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!message)
		return NULL;
	*header = genlmsg_put(message, 0, 0, &colo_family, 0, command);
	if (*header && !nla_put_u32(message, COLO_A_INDEX, proxy->index))
		return message;
	nlmsg_free(message);
	return NULL;
}

static void send(const struct colo_proxy *proxy, struct sk_buff *message, void *header, int err)
{
	if (err) {
		nlmsg_free(message);
		return;
	}
	genlmsg_end(message, header);
	genlmsg_multicast_netns(&colo_family, proxy->net, message, 0, 0, GFP_KERNEL);
}

static int fill_cause(struct sk_buff *message, const struct colo_proxy *proxy)
{
	const struct colo_mismatch *cause = &proxy->cause;
	struct nlattr *nest;

	if (cause->reason != proxy->node.cause)
		return 0;
	nest = nla_nest_start(message, COLO_A_FLOW);
	if (!nest || colo_fill_key(message, &proxy->cause_key))
		return -EMSGSIZE;
	nla_nest_end(message, nest);
	if (nla_put_u32(message, COLO_A_POSITION, cause->position))
		return -EMSGSIZE;
	if (cause->primary_len &&
	    nla_put(message, COLO_A_PRIMARY_BYTES, cause->primary_len, cause->primary))
		return -EMSGSIZE;
	if (cause->secondary_len &&
	    nla_put(message, COLO_A_SECONDARY_BYTES, cause->secondary_len, cause->secondary))
		return -EMSGSIZE;
	return 0;
}

void colo_note_requested(struct colo_proxy *proxy, u32 epoch)
{
	enum colo_reason reason = proxy->node.cause;
	struct sk_buff *message;
	void *header;
	int err;

	message = begin(proxy, COLO_NOTE_CHECKPOINT_REQUESTED, &header);
	if (!message)
		return;
	err = nla_put_u32(message, COLO_A_EPOCH, epoch) ||
	      nla_put_u8(message, COLO_A_REASON, reason) ||
	      nla_put_string(message, COLO_A_REASON_NAME, colo_reason_name(reason)) ||
	      nla_put_string(message, COLO_A_REASON_TEXT, colo_reason_text(reason)) ||
	      fill_cause(message, proxy);
	send(proxy, message, header, err);
}

void colo_note_actions(const struct colo_proxy *proxy, const struct colo_out *out)
{
	struct sk_buff *message;
	void *header;
	int err;

	message = begin(proxy, COLO_NOTE_ACTIONS, &header);
	if (!message)
		return;
	err = nla_put_u32(message, COLO_A_ACTIONS, out->actions) ||
	      nla_put_u32(message, COLO_A_EPOCH, out->message_epoch) ||
	      nla_put_u32(message, COLO_A_TERM, out->message_term) ||
	      nla_put_u64_64bit(message, COLO_A_STAMP, out->stamp_ns, COLO_A_PAD);
	send(proxy, message, header, err);
}

void colo_note_committed(const struct colo_proxy *proxy)
{
	struct sk_buff *message;
	void *header;

	message = begin(proxy, COLO_NOTE_COMMITTED, &header);
	if (message)
		send(proxy, message, header,
		     nla_put_u32(message, COLO_A_EPOCH, proxy->node.epoch));
}

void colo_note_gone(const struct colo_proxy *proxy, enum colo_genl_gone cause)
{
	struct sk_buff *message;
	void *header;

	message = begin(proxy, COLO_NOTE_NODE_GONE, &header);
	if (message)
		send(proxy, message, header, nla_put_u8(message, COLO_A_CAUSE, cause));
}
