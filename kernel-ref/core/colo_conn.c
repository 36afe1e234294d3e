// SPDX-License-Identifier: GPL-2.0-only
/*
 * What all kinds of connections share: how they age, and what they hold up to which limit.
 */
#include "colo_bytes.h"
#include "colo_node.h"

#define SECOND_NS 1000000000ULL
/* A connection that holds something is soon at the young end of its list again. */
#define EVICT_LOOK_MAX 64

/* Connections */

void colo_conn_init(struct colo_conn *conn, enum colo_conn_type type, struct colo_node *node,
		    const struct colo_key *key, u64 now_ns)
{
	memset(conn, 0, sizeof(*conn));
	conn->type = (u8)type;
	conn->node = node;
	conn->key = *key;
	conn->epoch = node->epoch;
	conn->touched_ns = now_ns;
	list_add_tail(&conn->age, &node->open);
}

static struct list_head *age_list(struct colo_conn *conn)
{
	return conn->closed ? &conn->node->closed : &conn->node->open;
}

static void renew(struct colo_conn *conn, u64 now_ns)
{
	conn->touched_ns = now_ns;
	list_move_tail(&conn->age, age_list(conn));
}

/*
 * At most once a second, as moving it touches two other connections that are in no cache. So
 * ages are right to within a second, and the lists stay in order.
 */
void colo_conn_touch(struct colo_conn *conn, u64 now_ns)
{
	if (now_ns - conn->touched_ns >= SECOND_NS)
		renew(conn, now_ns);
}

void colo_conn_set_closed(struct colo_conn *conn, bool closed)
{
	if (conn->closed == closed)
		return;
	conn->closed = closed;
	list_move_tail(&conn->age, age_list(conn));
}

/* It may have been left unfinished, if what it held has gone since. */
static void give_up(struct colo_conn *conn)
{
	list_del_init(&conn->age);
	if (conn->node->unfinished == conn)
		conn->node->unfinished = NULL;
}

static struct colo_conn *take_older_than(struct list_head *list, u64 timeout_ns, u64 now_ns)
{
	struct colo_conn *conn;

	if (list_empty(list))
		return NULL;
	conn = list_first_entry(list, struct colo_conn, age);
	if (now_ns - conn->touched_ns < timeout_ns)
		return NULL;
	if (conn->held || conn->extra) {
		/* Its turn comes again once a checkpoint has taken what it holds. */
		renew(conn, now_ns);
		return NULL;
	}
	give_up(conn);
	return conn;
}

struct colo_conn *colo_node_collect(struct colo_node *node, u64 now_ns)
{
	struct colo_conn *conn =
		take_older_than(&node->closed, node->config.closed_timeout_ns, now_ns);

	return conn ? conn : take_older_than(&node->open, node->config.idle_timeout_ns, now_ns);
}

static struct colo_conn *take_idle(struct list_head *list)
{
	struct list_head *at, *next;
	u32 looked_at = 0;

	list_for_each_safe(at, next, list) {
		struct colo_conn *conn = list_entry(at, struct colo_conn, age);

		if (!conn->held && !conn->extra) {
			give_up(conn);
			return conn;
		}
		if (++looked_at == EVICT_LOOK_MAX)
			break;
	}
	return NULL;
}

struct colo_conn *colo_node_evict(struct colo_node *node)
{
	struct colo_conn *conn = take_idle(&node->closed);

	return conn ? conn : take_idle(&node->open);
}

/**
 * colo_conn_pause() - May a call that has done enough end here, for colo_node_go_on() to go on?
 *
 * There is one place for a connection to go on with. While another one has it, as the room has
 * done something else first, a call does all at once; also while all connections are resumed.
 */
bool colo_conn_pause(struct colo_conn *conn)
{
	struct colo_node *node = conn->node;

	if (!node->config.call_max || node->resuming ||
	    (node->unfinished && node->unfinished != conn))
		return false;
	node->unfinished = conn;
	return true;
}

/* Packets */

static void unhold(struct colo_packet *packet)
{
	struct colo_conn *conn = packet->conn;

	if (!colo_packet_is_held(packet))
		return;
	list_del_init(&packet->held);
	if (packet->side == COLO_SECONDARY && conn->node->role == COLO_ROLE_PRIMARY) {
		conn->extra--;
		conn->node->extra_count--;
	} else {
		conn->held--;
		conn->node->held_count--;
	}
}

void colo_node_release(struct colo_packet *packet, enum colo_reason reason, struct colo_out *out)
{
	struct colo_node *node = packet->conn->node;

	node->stats.released_packets++;
	node->stats.released_bytes += packet->payload_len;
	if (colo_packet_is_held(packet))
		node->stats.held_packets++;
	unhold(packet);
	packet->reason = (u8)reason;
	colo_queue_push(&out->release, packet);
}

void colo_node_drop(struct colo_packet *packet, enum colo_reason reason, struct colo_out *out)
{
	unhold(packet);
	packet->reason = (u8)reason;
	colo_queue_push(&out->drop, packet);
}

static void limit_reached(struct colo_conn *conn, u64 now_ns, struct colo_out *out)
{
	struct colo_mismatch mismatch = { .reason = COLO_MISMATCH_LIMIT };

	/* While one is pending every further packet would only repeat it. */
	if (conn->node->state == COLO_NODE_RUNNING && conn->node->role == COLO_ROLE_PRIMARY)
		colo_node_mismatch(conn, &mismatch, now_ns, out);
}

/*
 * Rule no-loss: at the limit a checkpoint is requested, only at twice the limit a
 * packet dropped, which to both ends is a loss in the network.
 */
static bool hold_on(struct list_head *list, u32 *conn_count, u32 *node_count,
		    struct colo_conn *conn, struct colo_packet *packet, u64 now_ns,
		    struct colo_out *out)
{
	const struct colo_config *config = &conn->node->config;

	if (colo_packet_is_held(packet))
		return true;
	if (*conn_count >= 2 * config->flow_held_max || *node_count >= 2 * config->node_held_max) {
		conn->node->stats.dropped_at_limit++;
		colo_node_drop(packet, COLO_DROP_LIMIT, out);
		return false;
	}
	if (*conn_count >= config->flow_held_max || *node_count >= config->node_held_max)
		limit_reached(conn, now_ns, out);
	list_add_tail(&packet->held, list);
	(*conn_count)++;
	(*node_count)++;
	return true;
}

/** colo_node_hold() - Hold one of the primary's; false if it had to be dropped. */
bool colo_node_hold(struct colo_conn *conn, struct colo_packet *packet, u64 now_ns,
		    struct colo_out *out)
{
	struct colo_node *node = conn->node;

	return hold_on(&node->held, &conn->held, &node->held_count, conn, packet, now_ns, out);
}

/** colo_node_hold_extra() - Hold one of the secondary's; false if it had to be dropped. */
bool colo_node_hold_extra(struct colo_conn *conn, struct colo_packet *packet, u64 now_ns,
			  struct colo_out *out)
{
	struct colo_node *node = conn->node;

	return hold_on(&node->extra, &conn->extra, &node->extra_count, conn, packet, now_ns, out);
}

/** colo_node_keep() - Hold a packet whose copy has left: nothing waits for it any more. */
void colo_node_keep(struct colo_packet *packet)
{
	struct colo_conn *conn = packet->conn;

	if (!colo_packet_is_held(packet)) {
		conn->held++;
		conn->node->held_count++;
	}
	list_move_tail(&packet->held, &conn->node->kept);
}

void colo_node_mismatch(struct colo_conn *conn, const struct colo_mismatch *mismatch, u64 now_ns,
			struct colo_out *out)
{
	conn->node->stats.mismatches[mismatch->reason]++;
	if (out->mismatch.reason == COLO_REASON_NONE) {
		out->mismatch = *mismatch;
		out->mismatch.conn = conn;
	}
	colo_node_request(conn->node, mismatch->reason, now_ns, out);
}

/** colo_mismatch_sample() - Keep the first bytes of both, from where they differ. */
void colo_mismatch_sample(struct colo_mismatch *mismatch, const struct colo_packet *p,
			  u32 p_offset, u32 p_len, const struct colo_packet *s, u32 s_offset,
			  u32 s_len)
{
	colo_chunk_fn chunk = p->conn->node->config.chunk;

	if (p_len > COLO_MISMATCH_BYTES_MAX)
		p_len = COLO_MISMATCH_BYTES_MAX;
	if (s_len > COLO_MISMATCH_BYTES_MAX)
		s_len = COLO_MISMATCH_BYTES_MAX;
	mismatch->primary_len = (u8)colo_bytes_copy(p, p_offset, p_len, chunk, mismatch->primary);
	mismatch->secondary_len =
		(u8)colo_bytes_copy(s, s_offset, s_len, chunk, mismatch->secondary);
}
