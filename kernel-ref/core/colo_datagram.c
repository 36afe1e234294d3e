// SPDX-License-Identifier: GPL-2.0-only
#include "colo_datagram.h"

#include "colo_bytes.h"
#include "colo_failover.h"
#include "colo_icmp.h"

/* The tree. A node is the latest of its digest, its child the oldest, which chains to the next. */

static struct colo_packet **find(struct colo_tree *tree, u64 digest)
{
	struct colo_packet **link = &tree->root;
	u64 bits = digest;

	/* No more steps than bits: who shares them all has the same digest. */
	while (*link && (*link)->digest != digest) {
		link = &(*link)->branch[bits & 1];
		bits >>= 1;
	}
	return link;
}

/* At the link where its digest was looked for. */
static void add(struct colo_packet **link, struct colo_packet *packet)
{
	struct colo_packet *latest = *link;

	if (latest) {
		packet->branch[0] = latest->branch[0];
		packet->branch[1] = latest->branch[1];
		packet->child = latest->child;
		latest->child = packet;
	} else {
		packet->branch[0] = NULL;
		packet->branch[1] = NULL;
		packet->child = packet;
	}
	*link = packet;
}

/* Any leaf below may take a node's place, as the bits on the way to there are its own too. */
static void remove_node(struct colo_packet **link)
{
	struct colo_packet *node = *link;
	struct colo_packet **leaf = link;

	while ((*leaf)->branch[0] || (*leaf)->branch[1])
		leaf = &(*leaf)->branch[!(*leaf)->branch[0]];
	if (*leaf == node) {
		*link = NULL;
		return;
	}
	*link = *leaf;
	*leaf = NULL;
	(*link)->branch[0] = node->branch[0];
	(*link)->branch[1] = node->branch[1];
}

static struct colo_packet *take_oldest(struct colo_packet **link)
{
	struct colo_packet *oldest = (*link)->child;

	if (oldest == *link)
		remove_node(link);
	else
		(*link)->child = oldest->child;
	return oldest;
}

/* What to compare */

static void parts_of(const struct colo_packet *packet, struct colo_parts *parts)
{
	const struct colo_key *key = &packet->conn->key;
	u8 icmp = key->family == 6 ? COLO_PROTOCOL_ICMPV6 : COLO_PROTOCOL_ICMP;

	if (packet->kind == COLO_KIND_DATAGRAM && key->protocol == icmp) {
		colo_icmp_parts(packet, parts);
		return;
	}
	parts->count = 1;
	parts->offset[0] = packet->payload_offset;
	parts->len[0] = packet->payload_len;
}

static colo_chunk_fn chunk_of(const struct colo_packet *packet)
{
	return packet->conn->node->config.chunk;
}

static u64 digest_of(const struct colo_packet *packet)
{
	struct colo_digest digest;
	struct colo_parts parts;
	u32 i;

	parts_of(packet, &parts);
	colo_digest_init(&digest, packet->conn->node->config.digest_key);
	for (i = 0; i < parts.count; i++)
		colo_digest_add(&digest, packet, parts.offset[i], parts.len[i], chunk_of(packet));
	return colo_digest_value(&digest);
}

static bool are_equal(const struct colo_packet *a, const struct colo_packet *b)
{
	struct colo_parts a_parts, b_parts;
	u32 i;

	parts_of(a, &a_parts);
	parts_of(b, &b_parts);
	if (a_parts.count != b_parts.count)
		return false;
	for (i = 0; i < a_parts.count; i++) {
		u32 len = a_parts.len[i];

		if (len != b_parts.len[i] ||
		    colo_bytes_equal(a, a_parts.offset[i], b, b_parts.offset[i], len,
				     chunk_of(a)) != len)
			return false;
	}
	return true;
}

/* The flow */

void colo_datagrams_init(struct colo_datagrams *flow, struct colo_node *node,
			 const struct colo_key *key, u64 now_ns)
{
	memset(flow, 0, sizeof(*flow));
	colo_conn_init(&flow->conn, COLO_CONN_DATAGRAM, node, key, now_ns);
	/* No datagram says that it is the last one. */
	colo_conn_set_closed(&flow->conn, true);
}

static struct colo_datagrams *flow_of(const struct colo_packet *packet)
{
	return container_of(packet->conn, struct colo_datagrams, conn);
}

static bool is_matched(const struct colo_packet *packet)
{
	return packet->reason == COLO_RELEASE_MATCHED;
}

static void advance_cursor(struct colo_datagrams *flow)
{
	struct colo_packet *cursor = flow->p_cursor;

	if (!cursor || !is_matched(cursor))
		return;
	while (cursor && is_matched(cursor))
		cursor = colo_queue_after(&flow->p_queue, cursor);
	flow->p_cursor = cursor;
	flow->overtaken = 0;
}

static void primary_input(struct colo_datagrams *flow, struct colo_packet *packet, u64 now_ns,
			  struct colo_out *out)
{
	struct colo_packet **link = find(&flow->unmatched, packet->digest);
	bool secondarys = *link && (*link)->side == COLO_SECONDARY;

	if (!colo_node_hold(&flow->conn, packet, now_ns, out))
		return;
	colo_queue_push(&flow->p_queue, packet);
	if (secondarys && are_equal((*link)->child, packet)) {
		colo_node_drop(take_oldest(link), COLO_DROP_COMPARED, out);
		packet->reason = COLO_RELEASE_MATCHED;
		return;
	}
	/* Equal digests of different bytes never happen by chance: it waits for the timeout. */
	if (!secondarys)
		add(link, packet);
	if (!flow->p_cursor)
		flow->p_cursor = packet;
}

static void mismatch(struct colo_datagrams *flow, const struct colo_packet *s, u64 now_ns,
		     struct colo_out *out)
{
	const struct colo_packet *p = flow->p_cursor;
	struct colo_mismatch found = { .reason = COLO_MISMATCH_BYTES };
	u32 len = p->payload_len < s->payload_len ? p->payload_len : s->payload_len;
	u32 equal = colo_bytes_equal(p, p->payload_offset, s, s->payload_offset, len, chunk_of(p));

	found.position = equal;
	colo_mismatch_sample(&found, p, p->payload_offset + equal, p->payload_len - equal, s,
			     s->payload_offset + equal, s->payload_len - equal);
	flow->overtaken = 0;
	colo_node_mismatch(&flow->conn, &found, now_ns, out);
}

/*
 * Rule udp: it may come in any order, but once so many of the secondary's have overtaken the
 * partner of the primary's oldest, that one will never come.
 */
static void count_overtaking(struct colo_datagrams *flow, const struct colo_packet *s, u64 now_ns,
			     struct colo_out *out)
{
	if (!flow->p_cursor || is_matched(flow->p_cursor))
		return;
	flow->overtaken++;
	if (flow->overtaken > flow->conn.node->config.reorder_window)
		mismatch(flow, s, now_ns, out);
}

static void secondary_input(struct colo_datagrams *flow, struct colo_packet *packet, u64 now_ns,
			    struct colo_out *out)
{
	struct colo_packet **link = find(&flow->unmatched, packet->digest);
	enum colo_reason reason = COLO_DROP_DIVERGED;

	if (!*link || (*link)->side == COLO_SECONDARY) {
		count_overtaking(flow, packet, now_ns, out);
		if (colo_node_hold_extra(&flow->conn, packet, now_ns, out))
			add(link, packet);
		return;
	}
	if (are_equal((*link)->child, packet)) {
		take_oldest(link)->reason = COLO_RELEASE_MATCHED;
		reason = COLO_DROP_COMPARED;
	}
	count_overtaking(flow, packet, now_ns, out);
	colo_node_drop(packet, reason, out);
}

static void leave(struct colo_packet *packet, enum colo_reason reason, struct colo_out *out)
{
	/* Links and digest were there. */
	packet->left = 0;
	packet->edit.mask = 0;
	colo_node_release(packet, reason, out);
}

static void release(struct colo_datagrams *flow, struct colo_out *out)
{
	struct colo_packet *head;
	u32 count = 0;

	while ((head = colo_queue_head(&flow->p_queue)) && is_matched(head) &&
	       !colo_conn_is_enough(&flow->conn, count++)) {
		colo_queue_pop(&flow->p_queue);
		leave(head, COLO_RELEASE_MATCHED, out);
	}
}

static void rebase(struct colo_datagrams *flow)
{
	flow->conn.epoch = flow->conn.node->epoch;
	flow->p_queue.tail = NULL;
	flow->p_cursor = NULL;
	flow->unmatched.root = NULL;
	flow->overtaken = 0;
}

/** colo_datagrams_pass() - Release one of the primary's that need not match. */
void colo_datagrams_pass(struct colo_packet *packet, enum colo_reason reason, struct colo_out *out)
{
	struct colo_datagrams *flow = flow_of(packet);

	if (flow->conn.epoch != flow->conn.node->epoch)
		rebase(flow);
	leave(packet, reason, out);
}

void colo_datagrams_input(struct colo_datagrams *flow, struct colo_packet *packet, u64 now_ns,
			  struct colo_out *out)
{
	if (flow->conn.epoch != flow->conn.node->epoch)
		rebase(flow);
	colo_conn_touch(&flow->conn, now_ns);
	colo_node_count_malformed(flow->conn.node, packet);
	packet->conn = &flow->conn;
	packet->arrived_ns = now_ns;
	if (colo_node_shuts_out(packet, out))
		return;
	if (colo_node_is_alone(flow->conn.node)) {
		colo_datagrams_pass(packet, COLO_RELEASE_UNPROTECTED, out);
		return;
	}
	packet->digest = digest_of(packet);
	if (packet->side == COLO_PRIMARY)
		primary_input(flow, packet, now_ns, out);
	else
		secondary_input(flow, packet, now_ns, out);
	advance_cursor(flow);
	colo_datagrams_resume(flow, now_ns, out);
}

/** colo_datagrams_resume() - Release what may leave by now. */
void colo_datagrams_resume(struct colo_datagrams *flow, u64 now_ns, struct colo_out *out)
{
	if (colo_node_may_speak(flow->conn.node, now_ns))
		release(flow, out);
}

/** colo_datagrams_expire() - The secondary's oldest has no partner; nothing was lost by it. */
void colo_datagrams_expire(struct colo_packet *oldest, struct colo_out *out)
{
	struct colo_datagrams *flow = flow_of(oldest);

	/* Of one digest the oldest comes first, and it is the oldest of all. */
	colo_node_drop(take_oldest(find(&flow->unmatched, oldest->digest)), COLO_DROP_EXPIRED, out);
}
