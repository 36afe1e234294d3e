// SPDX-License-Identifier: GPL-2.0-only
#include "colo_flow.h"
#include "colo_seqfix.h"

#define MILLISECOND_NS 1000000ULL
#define SECOND_NS (1000 * MILLISECOND_NS)
/* A connection that holds something is soon at the young end of its list again. */
#define EVICT_LOOK_MAX 64
/* As many address requests of the secondary go out as heal a cache, not a flood. */
#define NEIGHBOUR_INTERVAL_NS (10 * MILLISECOND_NS)

void colo_config_default(struct colo_config *config)
{
	memset(config, 0, sizeof(*config));
	config->compare_timeout_ns = 3 * SECOND_NS;
	config->idle_timeout_ns = 5 * 24 * 3600 * SECOND_NS;
	config->closed_timeout_ns = 60 * SECOND_NS;
	config->flow_held_max = 16384;
	config->node_held_max = 262144;
	config->ack_policy = COLO_ACK_HOLD;
}

void colo_node_init(struct colo_node *node, u16 id, enum colo_role role,
		    const struct colo_config *config, u64 now_ns)
{
	memset(node, 0, sizeof(*node));
	node->config = *config;
	node->role = role;
	node->id = id;
	node->committed_ns = now_ns;
	INIT_LIST_HEAD(&node->held);
	INIT_LIST_HEAD(&node->extra);
	INIT_LIST_HEAD(&node->kept);
	INIT_LIST_HEAD(&node->open);
	INIT_LIST_HEAD(&node->closed);
}

/* Connections */

void colo_conn_init(struct colo_conn *conn, struct colo_node *node, const struct colo_key *key,
		    u64 now_ns)
{
	memset(conn, 0, sizeof(*conn));
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

void colo_conn_touch(struct colo_conn *conn, u64 now_ns)
{
	conn->touched_ns = now_ns;
	list_move_tail(&conn->age, age_list(conn));
}

void colo_conn_set_closed(struct colo_conn *conn, bool closed)
{
	if (conn->closed == closed)
		return;
	conn->closed = closed;
	list_move_tail(&conn->age, age_list(conn));
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
		colo_conn_touch(conn, now_ns);
		return NULL;
	}
	list_del_init(&conn->age);
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
			list_del_init(&conn->age);
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

/* Packets */

/* A packet is on one of the node's lists from when it is held until it comes out. */
static bool is_held(const struct colo_packet *packet)
{
	return !list_empty(&packet->held);
}

static void unhold(struct colo_packet *packet)
{
	struct colo_conn *conn = packet->conn;

	if (!is_held(packet))
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
	if (is_held(packet))
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

static void request(struct colo_node *node, enum colo_reason reason, u64 now_ns,
		    struct colo_out *out);

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

	if (is_held(packet))
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

	if (!is_held(packet)) {
		conn->held++;
		conn->node->held_count++;
	}
	list_move_tail(&packet->held, &conn->node->kept);
}

void colo_node_uncompared(struct colo_node *node, struct colo_packet *packet, u64 now_ns,
			  struct colo_out *out)
{
	bool malformed = packet->kind == COLO_KIND_MALFORMED;

	if (packet->side != COLO_SECONDARY) {
		packet->reason = malformed ? COLO_RELEASE_MALFORMED : COLO_RELEASE_UNCOMPARED;
		colo_queue_push(&out->release, packet);
	} else if (packet->kind == COLO_KIND_NEIGHBOUR && now_ns >= node->neighbour_next_ns) {
		node->neighbour_next_ns = now_ns + NEIGHBOUR_INTERVAL_NS;
		packet->reason = COLO_RELEASE_NEIGHBOUR;
		colo_queue_push(&out->release, packet);
	} else {
		packet->reason = malformed ? COLO_DROP_MALFORMED : COLO_DROP_SWALLOWED;
		colo_queue_push(&out->drop, packet);
	}
}

/* Checkpoints */

static void begin_checkpoint(struct colo_node *node, struct colo_out *out)
{
	node->deferred = false;
	node->guest_paused = false;
	node->peer_paused = false;
	out->actions |= COLO_ACTION_PAUSE | COLO_ACTION_SEND_REQUEST;
	out->message_epoch = node->epoch + 1;
}

static u64 earliest_checkpoint(const struct colo_node *node)
{
	return node->committed_ns + node->config.checkpoint_interval_min_ns;
}

/* Rules ckpt-coalesce and ckpt-limits. */
static void request(struct colo_node *node, enum colo_reason reason, u64 now_ns,
		    struct colo_out *out)
{
	if (node->state != COLO_NODE_RUNNING) {
		node->stats.coalesced++;
		return;
	}
	node->state = COLO_NODE_REQUESTED;
	node->cause = reason;
	if (now_ns < earliest_checkpoint(node))
		node->deferred = true;
	else
		begin_checkpoint(node, out);
}

void colo_node_mismatch(struct colo_conn *conn, const struct colo_mismatch *mismatch, u64 now_ns,
			struct colo_out *out)
{
	conn->node->stats.mismatches[mismatch->reason]++;
	if (out->mismatch.reason == COLO_REASON_NONE) {
		out->mismatch = *mismatch;
		out->mismatch.conn = conn;
	}
	request(conn->node, mismatch->reason, now_ns, out);
}

static struct colo_flow *flow_of(struct colo_packet *packet)
{
	return container_of(packet->conn, struct colo_flow, conn);
}

static struct colo_packet *first_of(struct list_head *list)
{
	return list_empty(list) ? NULL : list_first_entry(list, struct colo_packet, held);
}

/*
 * The epoch ends: what was held leaves in the order in which it was sent, and the
 * secondary's packets go. Costs what is held; flows that hold nothing are rebased
 * when next touched.
 */
static void commit(struct colo_node *node, u32 epoch, u64 now_ns, struct colo_out *out)
{
	struct colo_packet *packet;

	node->epoch = epoch;
	node->committed_ns = now_ns;
	node->stats.checkpoints++;
	if (node->role == COLO_ROLE_SECONDARY) {
		while ((packet = first_of(&node->held)))
			colo_node_drop(packet, COLO_DROP_COMMIT, out);
		return;
	}
	while ((packet = first_of(&node->kept)))
		colo_flow_commit(flow_of(packet), packet, out);
	while ((packet = first_of(&node->held)))
		colo_flow_commit(flow_of(packet), packet, out);
	while ((packet = first_of(&node->extra)))
		colo_node_drop(packet, COLO_DROP_COMMIT, out);
}

static void start_transfer_when_both_paused(struct colo_node *node, struct colo_out *out)
{
	if (!node->guest_paused)
		return;
	node->state = COLO_NODE_PAUSED;
	if (!node->peer_paused)
		return;
	node->state = COLO_NODE_TRANSFER;
	out->actions |= COLO_ACTION_SEND_STATE;
	out->message_epoch = node->epoch + 1;
}

static void abort_checkpoint(struct colo_node *node, struct colo_out *out)
{
	node->state = COLO_NODE_RUNNING;
	node->deferred = false;
	out->actions |= COLO_ACTION_RESUME;
}

static bool primary_event(struct colo_node *node, enum colo_node_event event, u32 epoch,
			  u64 now_ns, struct colo_out *out)
{
	bool asked = node->state == COLO_NODE_REQUESTED && !node->deferred;
	bool next = epoch == node->epoch + 1;

	switch (event) {
	case COLO_EVENT_REQUEST:
		request(node, COLO_REQUEST_OPERATOR, now_ns, out);
		return true;
	case COLO_EVENT_PAUSED:
		if (!asked)
			return false;
		node->guest_paused = true;
		start_transfer_when_both_paused(node, out);
		return true;
	case COLO_EVENT_REPLY:
		if ((!asked && node->state != COLO_NODE_PAUSED) || !next)
			return false;
		node->peer_paused = true;
		start_transfer_when_both_paused(node, out);
		return true;
	case COLO_EVENT_RECEIVED:
		if (node->state != COLO_NODE_TRANSFER || !next)
			return false;
		node->state = COLO_NODE_COMMITTED;
		commit(node, epoch, now_ns, out);
		return true;
	case COLO_EVENT_LOADED:
		if (node->state != COLO_NODE_COMMITTED || epoch != node->epoch)
			return false;
		node->state = COLO_NODE_RUNNING;
		out->actions |= COLO_ACTION_RESUME;
		return true;
	case COLO_EVENT_ABORT:
		if (!asked && node->state != COLO_NODE_PAUSED && node->state != COLO_NODE_TRANSFER)
			return false;
		abort_checkpoint(node, out);
		return true;
	case COLO_EVENT_STATE:
		break;
	}
	return false;
}

static bool secondary_event(struct colo_node *node, enum colo_node_event event, u32 epoch,
			    u64 now_ns, struct colo_out *out)
{
	bool next = epoch == node->epoch + 1;

	out->message_epoch = node->epoch + 1;
	switch (event) {
	case COLO_EVENT_REQUEST:
		if (node->state != COLO_NODE_RUNNING || !next)
			return false;
		node->state = COLO_NODE_REQUESTED;
		out->actions |= COLO_ACTION_PAUSE;
		return true;
	case COLO_EVENT_PAUSED:
		if (node->state != COLO_NODE_REQUESTED)
			return false;
		node->state = COLO_NODE_PAUSED;
		out->actions |= COLO_ACTION_SEND_REPLY;
		return true;
	case COLO_EVENT_STATE:
		if (node->state != COLO_NODE_PAUSED || !next)
			return false;
		node->state = COLO_NODE_COMMITTED;
		commit(node, epoch, now_ns, out);
		out->message_epoch = epoch;
		out->actions |= COLO_ACTION_SEND_RECEIVED | COLO_ACTION_LOAD;
		return true;
	case COLO_EVENT_LOADED:
		if (node->state != COLO_NODE_COMMITTED)
			return false;
		node->state = COLO_NODE_RUNNING;
		out->message_epoch = node->epoch;
		out->actions |= COLO_ACTION_SEND_LOADED | COLO_ACTION_RESUME;
		return true;
	case COLO_EVENT_ABORT:
		if (node->state != COLO_NODE_REQUESTED && node->state != COLO_NODE_PAUSED)
			return false;
		abort_checkpoint(node, out);
		return true;
	case COLO_EVENT_REPLY:
	case COLO_EVENT_RECEIVED:
		break;
	}
	return false;
}

bool colo_node_event(struct colo_node *node, enum colo_node_event event, u32 epoch, u64 now_ns,
		     struct colo_out *out)
{
	if (node->role == COLO_ROLE_PRIMARY)
		return primary_event(node, event, epoch, now_ns, out);
	return secondary_event(node, event, epoch, now_ns, out);
}

/* Deadlines */

static u64 held_deadline(const struct colo_node *node)
{
	struct colo_packet *oldest = first_of((struct list_head *)&node->held);

	/* A pending checkpoint releases all that is held anyway. */
	if (!oldest || (node->role == COLO_ROLE_PRIMARY && node->state != COLO_NODE_RUNNING))
		return COLO_NEVER_NS;
	return oldest->arrived_ns + node->config.compare_timeout_ns;
}

static u64 checkpoint_deadline(const struct colo_node *node)
{
	if (node->role != COLO_ROLE_PRIMARY)
		return COLO_NEVER_NS;
	if (node->deferred)
		return earliest_checkpoint(node);
	if (node->state != COLO_NODE_RUNNING || !node->config.checkpoint_interval_max_ns)
		return COLO_NEVER_NS;
	return node->committed_ns + node->config.checkpoint_interval_max_ns;
}

u64 colo_node_deadline(const struct colo_node *node)
{
	u64 held = held_deadline(node);
	u64 checkpoint = checkpoint_deadline(node);

	return held < checkpoint ? held : checkpoint;
}

static void held_too_long(struct colo_node *node, u64 now_ns, struct colo_out *out)
{
	struct colo_packet *oldest = first_of(&node->held);
	struct colo_flow *flow = flow_of(oldest);
	struct colo_mismatch mismatch = {
		.reason = colo_flow_timeout_reason(flow, oldest),
		.position = flow->stream.matched,
	};

	colo_node_mismatch(&flow->conn, &mismatch, now_ns, out);
}

void colo_node_poll(struct colo_node *node, u64 now_ns, struct colo_out *out)
{
	if (checkpoint_deadline(node) <= now_ns) {
		if (node->deferred)
			begin_checkpoint(node, out);
		else
			request(node, COLO_REQUEST_PERIODIC, now_ns, out);
	}
	if (held_deadline(node) > now_ns)
		return;
	if (node->role == COLO_ROLE_PRIMARY)
		held_too_long(node, now_ns, out);
	else
		colo_seqfix_expire(first_of(&node->held), out);
}

void colo_node_fail_over(struct colo_node *node, u64 now_ns, struct colo_out *out)
{
	u32 turned = 0;

	node->failed_over = true;
	/* One turn of the list, of which some leave, meets every connection and keeps the order. */
	while (turned < node->held_count) {
		struct colo_packet *packet = first_of(&node->held);

		list_move_tail(&packet->held, &node->held);
		colo_seqfix_fail_over(packet, now_ns, out);
		turned += is_held(packet);
	}
}
