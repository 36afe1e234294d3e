// SPDX-License-Identifier: GPL-2.0-only
/* Frames into the core, and what it decides out of it. All of this is kcolo's. */
#include <linux/sched.h>
#include <linux/timekeeping.h>

#include "colo_proxy.h"
#include "core/colo_icmp.h"
#include "core/colo_remirror.h"

static void count(atomic64_t *counter)
{
	atomic64_inc(counter);
}

static void drop(struct colo_packet *packet, enum colo_reason reason, struct colo_out *out)
{
	packet->reason = reason;
	colo_queue_push(&out->drop, packet);
}

/* The table is full of connections that hold something, or there is no memory (rule no-loss). */
static void no_space(struct colo_proxy *proxy, struct colo_packet *packet, struct colo_out *out)
{
	proxy->node.stats.dropped_at_limit++;
	drop(packet, COLO_DROP_LIMIT, out);
}

/* On the primary's host nothing leaves uncompared, so what is no whole datagram does not. */
static void compare(struct colo_proxy *proxy, struct colo_packet *packet,
		    const struct colo_key *key, u64 now_ns, struct colo_out *out)
{
	struct colo_node *node = &proxy->node;
	struct colo_entry *entry;

	if (packet->kind == COLO_KIND_FRAGMENT && !colo_node_is_alone(node)) {
		count(&proxy->counters.dropped_fragment);
		drop(packet, COLO_DROP_FRAGMENT, out);
		return;
	}
	switch (colo_node_class(node, packet)) {
	case COLO_CLASS_STREAM:
		entry = colo_conns_get(proxy, key, COLO_CONN_STREAM, now_ns);
		if (entry && entry->conn.type == COLO_CONN_STREAM)
			colo_flow_input(&entry->flow, packet, now_ns, out);
		else
			no_space(proxy, packet, out);
		break;
	case COLO_CLASS_DATAGRAM:
		entry = colo_conns_get(proxy, key, COLO_CONN_DATAGRAM, now_ns);
		if (entry && entry->conn.type == COLO_CONN_DATAGRAM)
			colo_datagrams_input(&entry->datagrams, packet, now_ns, out);
		else
			no_space(proxy, packet, out);
		break;
	case COLO_CLASS_UNCOMPARED:
		colo_node_uncompared(node, packet, now_ns, out);
		break;
	}
}

static struct colo_seqfix *find_fix(struct colo_proxy *proxy, const struct colo_packet *packet,
				    const struct colo_key *key, u64 now_ns)
{
	struct colo_entry *entry;

	if (colo_seqfix_wanted(&proxy->node, packet))
		entry = colo_conns_get(proxy, key, COLO_CONN_SEQFIX, now_ns);
	else
		entry = colo_conns_find(proxy, key);
	return entry ? &entry->fix : NULL;
}

static void fix(struct colo_proxy *proxy, struct colo_packet *packet, const struct colo_key *key,
		u64 now_ns, struct colo_out *out)
{
	struct colo_seqfix *found = NULL;
	struct colo_key quoted = *key;

	if (packet->kind == COLO_KIND_TCP) {
		found = find_fix(proxy, packet, key, now_ns);
		if (found) {
			colo_seqfix_input(found, packet, now_ns, out);
			return;
		}
		/* Unfixed, its connection would never come right. */
		if (colo_seqfix_wanted(&proxy->node, packet)) {
			no_space(proxy, packet, out);
			return;
		}
	} else if (packet->side == COLO_INBOUND && colo_icmp_quoted_key(packet, &quoted)) {
		struct colo_entry *entry = colo_conns_find(proxy, &quoted);

		if (entry) {
			colo_seqfix_icmp(&entry->fix, packet, out);
			return;
		}
	}
	packet->reason = COLO_RELEASE_UNFIXED;
	colo_queue_push(&out->release, packet);
}

/* Inbound on the primary's host drives its flow; on the secondary's it is a hint. */
static void observe(struct colo_proxy *proxy, struct colo_packet *packet,
		    const struct colo_key *key, u64 now_ns, struct colo_out *out)
{
	struct colo_entry *entry;

	if (packet->kind != COLO_KIND_TCP)
		return;
	if (proxy->node.role == COLO_ROLE_PRIMARY) {
		entry = colo_conns_get(proxy, key, COLO_CONN_STREAM, now_ns);
		if (entry && entry->conn.type == COLO_CONN_STREAM)
			colo_flow_input(&entry->flow, packet, now_ns, out);
	} else if (colo_packet_is_syn(packet)) {
		entry = colo_conns_get(proxy, key, COLO_CONN_SEQFIX, now_ns);
		if (entry)
			colo_seqfix_hint(&entry->fix, packet, now_ns, out);
	}
}

/* Rule ckpt-epoch. A host that speaks for itself listens to no other one. */
static bool is_stale(const struct colo_proxy *proxy, const struct colo_frame *frame)
{
	const struct colo_shim shim = { .node = proxy->index, .epoch = frame->epoch };

	return frame->shimmed && !colo_shim_is_current(&shim, &proxy->node);
}

void colo_judge(struct colo_proxy *proxy, struct colo_frame *frame)
{
	bool observed = frame->observed;
	struct colo_out out;
	struct colo_key key;
	u64 now_ns;

	colo_out_init(&out);
	if (is_stale(proxy, frame)) {
		count(&proxy->counters.stale);
		colo_frame_free(frame);
		return;
	}
	if (!colo_frame_parse(frame, &key)) {
		count(&proxy->counters.dropped_memory);
		colo_frame_free(frame);
		return;
	}
	if (proxy->ops)
		proxy->ops->arrived(proxy, frame);
	now_ns = ktime_get_ns();
	if (observed)
		observe(proxy, &frame->packet, &key, now_ns, &out);
	else if (proxy->node.role == COLO_ROLE_PRIMARY)
		compare(proxy, &frame->packet, &key, now_ns, &out);
	else
		fix(proxy, &frame->packet, &key, now_ns, &out);
	colo_deliver(proxy, &out);
	/* Who is only looked at stays ours. */
	if (observed)
		colo_frame_free(frame);
}

void colo_publish(struct colo_proxy *proxy)
{
	const struct colo_node *node = &proxy->node;

	WRITE_ONCE(proxy->epoch, node->epoch);
	WRITE_ONCE(proxy->speaks, node->role == COLO_ROLE_SECONDARY && node->failed_over);
}

static void release_all(struct colo_proxy *proxy, struct colo_out *out)
{
	struct colo_packet *packet;

	while ((packet = colo_queue_pop(&out->release))) {
		struct colo_frame *frame = colo_frame_of(packet);

		if (!proxy->ops) {
			colo_frame_free(frame);
		} else if (colo_frame_edit(frame)) {
			proxy->ops->release(proxy, frame);
		} else {
			count(&proxy->counters.dropped_memory);
			colo_frame_free(frame);
		}
		cond_resched();
	}
}

static void emit(struct colo_proxy *proxy, const struct colo_packet *packet, struct sk_buff *skb)
{
	if (skb)
		proxy->ops->emit(proxy, colo_frame_of(packet), skb);
	else
		count(&proxy->counters.dropped_memory);
}

static void remirror(struct colo_proxy *proxy, const struct colo_remirror *said)
{
	struct sk_buff *skb = alloc_skb(LL_MAX_HEADER + COLO_REMIRROR_MAX, GFP_KERNEL);

	if (!skb) {
		count(&proxy->counters.dropped_memory);
		return;
	}
	skb_reserve(skb, LL_MAX_HEADER);
	skb_reset_mac_header(skb);
	skb_put(skb, colo_remirror_build(said, skb->data));
	proxy->ops->remirror(proxy, skb);
}

static void send_copies(struct colo_proxy *proxy, const struct colo_out *out)
{
	const struct colo_part *part = &out->part;

	if (!proxy->ops)
		return;
	if (part->packet)
		emit(proxy, part->packet,
		     colo_frame_segment(colo_frame_of(part->packet), part->from,
					part->to - part->from));
	if (out->resend)
		emit(proxy, out->resend, colo_frame_copy(colo_frame_of(out->resend)));
	if (out->remirror.packet)
		remirror(proxy, &out->remirror);
}

static void drop_all(struct colo_out *out)
{
	struct colo_packet *packet;

	while ((packet = colo_queue_pop(&out->drop))) {
		colo_frame_free(colo_frame_of(packet));
		cond_resched();
	}
}

/* A checkpoint may begin later than what it is for, and its connection be gone by then. */
static void remember_cause(struct colo_proxy *proxy, const struct colo_mismatch *mismatch)
{
	if (mismatch->reason == COLO_REASON_NONE || proxy->cause.reason != COLO_REASON_NONE)
		return;
	proxy->cause = *mismatch;
	proxy->cause.conn = NULL;
	proxy->cause_key = mismatch->conn->key;
}

static void tell_cause(struct colo_proxy *proxy, struct colo_out *out)
{
	remember_cause(proxy, &out->mismatch);
	if (out->actions & COLO_ACTION_SEND_REQUEST)
		colo_note_requested(proxy, out->message_epoch);
	if (proxy->node.state == COLO_NODE_RUNNING)
		proxy->cause.reason = COLO_REASON_NONE;
}

static void act(struct colo_proxy *proxy, struct colo_out *out)
{
	tell_cause(proxy, out);
	release_all(proxy, out);
	send_copies(proxy, out);
	drop_all(out);
	if (!out->actions)
		return;
	if (proxy->ops)
		proxy->ops->act(proxy, out->actions);
	colo_note_actions(proxy, out);
}

void colo_deliver(struct colo_proxy *proxy, struct colo_out *out)
{
	colo_publish(proxy);
	if (!colo_out_is_empty(out))
		act(proxy, out);
	while (colo_node_is_unfinished(&proxy->node)) {
		cond_resched();
		colo_out_init(out);
		colo_node_go_on(&proxy->node, ktime_get_ns(), out);
		act(proxy, out);
	}
}

/*
 * Rule fail-fence: without a lease nothing leaves, whoever asks. What waits on the secondary's
 * host is either compared no more, or inbound, to which it is a loss in the network.
 */
static void empty(struct colo_node *node, u64 now_ns, struct colo_out *out)
{
	if (node->role == COLO_ROLE_PRIMARY && colo_node_may_speak(node, now_ns))
		colo_node_let_all_go(node, out);
	else
		colo_node_drop_all(node, COLO_DROP_COMMIT, out);
}

int colo_let_go(struct colo_proxy *proxy, void *arg, u64 now_ns, struct colo_out *out)
{
	empty(&proxy->node, now_ns, out);
	colo_conns_forget(proxy);
	return 0;
}

int colo_reset(struct colo_proxy *proxy, void *arg, u64 now_ns, struct colo_out *out)
{
	struct colo_node *node = &proxy->node;
	const struct colo_config config = node->config;
	const struct colo_node_stats stats = node->stats;

	colo_let_go(proxy, NULL, now_ns, out);
	colo_node_init(node, node->id, node->role, &config, now_ns);
	node->stats = stats;
	out->actions |= COLO_ACTION_RESUME;
	return 0;
}

static void unpin_list(struct colo_proxy *proxy, struct list_head *list,
		       const struct net_device *dev)
{
	struct colo_packet *packet;

	list_for_each_entry(packet, list, held) {
		struct colo_frame *frame = colo_frame_of(packet);

		if (colo_frame_pins(frame, dev))
			colo_frame_unpin(frame);
		cond_resched();
	}
}

int colo_unpin(struct colo_proxy *proxy, void *arg, u64 now_ns, struct colo_out *out)
{
	struct colo_node *node = &proxy->node;

	unpin_list(proxy, &node->held, arg);
	unpin_list(proxy, &node->extra, arg);
	unpin_list(proxy, &node->kept, arg);
	return 0;
}
