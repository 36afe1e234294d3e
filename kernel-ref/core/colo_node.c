// SPDX-License-Identifier: GPL-2.0-only
#include "colo_datagram.h"
#include "colo_failover.h"
#include "colo_flow.h"
#include "colo_seqfix.h"

#define MILLISECOND_NS 1000000ULL
#define SECOND_NS (1000 * MILLISECOND_NS)
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
	config->call_max = 64;
	config->reorder_window = 64;
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
	node->renewed_ns = now_ns;
	node->heard_ns = now_ns;
	node->beat_ns = now_ns;
	node->term_told = true;
	INIT_LIST_HEAD(&node->held);
	INIT_LIST_HEAD(&node->extra);
	INIT_LIST_HEAD(&node->kept);
	INIT_LIST_HEAD(&node->turning);
	INIT_LIST_HEAD(&node->open);
	INIT_LIST_HEAD(&node->closed);
}

static struct colo_packet *first_of(struct list_head *list)
{
	return list_empty(list) ? NULL : list_first_entry(list, struct colo_packet, held);
}

static void pass(struct colo_packet *packet, enum colo_reason reason, struct colo_out *out)
{
	if (packet->conn->type == COLO_CONN_DATAGRAM)
		colo_datagrams_pass(packet, reason, out);
	else
		colo_flow_pass(packet, reason, out);
}

static void drop_list(struct list_head *list, enum colo_reason reason, struct colo_out *out)
{
	struct colo_packet *packet;

	while ((packet = first_of(list)))
		colo_node_drop(packet, reason, out);
}

/**
 * colo_node_drop_all() - Drop all that is held.
 *
 * As everywhere, the epoch has to change as well, or flows would look for it.
 */
void colo_node_drop_all(struct colo_node *node, enum colo_reason reason, struct colo_out *out)
{
	drop_list(&node->kept, reason, out);
	drop_list(&node->held, reason, out);
	drop_list(&node->extra, reason, out);
}

/**
 * colo_node_let_all_go() - An epoch of the primary has ended.
 *
 * What was held leaves in the order in which it was sent, and the secondary's packets go.
 * Costs what is held; flows that hold nothing are rebased when next touched.
 */
void colo_node_let_all_go(struct colo_node *node, struct colo_out *out)
{
	enum colo_reason reason =
		colo_node_is_alone(node) ? COLO_RELEASE_UNPROTECTED : COLO_RELEASE_COMMIT;
	struct colo_packet *packet;

	while ((packet = first_of(&node->kept)))
		colo_flow_pass(packet, reason, out);
	while ((packet = first_of(&node->held)))
		pass(packet, reason, out);
	drop_list(&node->extra, COLO_DROP_COMMIT, out);
}

/** colo_node_commit() - The secondary holds the primary's whole state (rule ckpt-commit). */
void colo_node_commit(struct colo_node *node, u32 epoch, u64 now_ns, struct colo_out *out)
{
	node->epoch = epoch;
	node->committed_ns = now_ns;
	node->stats.checkpoints++;
	if (node->role == COLO_ROLE_PRIMARY)
		colo_node_let_all_go(node, out);
	else
		colo_node_drop_all(node, COLO_DROP_COMMIT, out);
}

/* A call's decision has room for one part, one resend and one remirror. */
static bool is_full(const struct colo_out *out)
{
	return out->part.packet || out->resend || out->remirror.packet;
}

static void resume(struct colo_conn *conn, u64 now_ns, struct colo_out *out)
{
	if (conn->type == COLO_CONN_DATAGRAM)
		colo_datagrams_resume(container_of(conn, struct colo_datagrams, conn), now_ns, out);
	else
		colo_flow_resume(container_of(conn, struct colo_flow, conn), now_ns, out);
}

/* Only what the packet's own connection holds may leave by it, and all of that at once. */
static bool resume_list(struct list_head *list, u64 now_ns, struct colo_out *out)
{
	struct list_head *at = list; /* it and those before it stay */

	while (at->next != list) {
		struct colo_packet *packet = list_entry(at->next, struct colo_packet, held);

		resume(packet->conn, now_ns, out);
		if (is_full(out))
			return false;
		if (at->next == &packet->held)
			at = &packet->held;
	}
	return true;
}

void colo_node_resume(struct colo_node *node, u64 now_ns, struct colo_out *out)
{
	/* Until then no call ends early. */
	node->resuming = true;
	node->resuming =
		!resume_list(&node->held, now_ns, out) || !resume_list(&node->kept, now_ns, out);
}

void colo_node_go_on(struct colo_node *node, u64 now_ns, struct colo_out *out)
{
	struct colo_conn *conn = node->unfinished;

	node->unfinished = NULL;
	/* In another epoch all that it held has left. */
	if (conn && conn->epoch == node->epoch)
		resume(conn, now_ns, out);
}

/**
 * colo_node_shuts_out() - Drop what no comparison is asked about: anything of a fenced host,
 * and of the secondary when the primary is alone. True if it did.
 */
bool colo_node_shuts_out(struct colo_packet *packet, struct colo_out *out)
{
	const struct colo_node *node = packet->conn->node;

	if (node->mode == COLO_MODE_FENCED)
		colo_node_drop(packet, COLO_DROP_LEASE, out);
	else if (colo_node_is_alone(node) && packet->side == COLO_SECONDARY)
		colo_node_drop(packet, COLO_DROP_EPOCH, out);
	else
		return false;
	return true;
}

void colo_node_count_malformed(struct colo_node *node, const struct colo_packet *packet)
{
	if (packet->kind != COLO_KIND_MALFORMED)
		return;
	if (packet->side == COLO_SECONDARY)
		node->stats.malformed_secondary++;
	else
		node->stats.malformed_primary++;
}

enum colo_class colo_node_class(const struct colo_node *node, const struct colo_packet *packet)
{
	if (packet->kind == COLO_KIND_TCP)
		return COLO_CLASS_STREAM;
	if (packet->kind == COLO_KIND_DATAGRAM)
		return COLO_CLASS_DATAGRAM;
	if (packet->kind == COLO_KIND_MALFORMED && node->config.malformed_hold)
		return COLO_CLASS_DATAGRAM;
	return COLO_CLASS_UNCOMPARED;
}

void colo_node_uncompared(struct colo_node *node, struct colo_packet *packet, u64 now_ns,
			  struct colo_out *out)
{
	bool malformed = packet->kind == COLO_KIND_MALFORMED;

	colo_node_count_malformed(node, packet);
	if (!colo_node_has_lease(node, now_ns)) {
		packet->reason = COLO_DROP_LEASE;
		colo_queue_push(&out->drop, packet);
	} else if (packet->side != COLO_SECONDARY) {
		packet->reason = malformed ? COLO_RELEASE_MALFORMED : COLO_RELEASE_UNCOMPARED;
		colo_queue_push(&out->release, packet);
	} else if (packet->kind == COLO_KIND_NEIGHBOUR && now_ns >= node->neighbour_next_ns &&
		   !colo_node_is_alone(node)) {
		node->neighbour_next_ns = now_ns + NEIGHBOUR_INTERVAL_NS;
		packet->reason = COLO_RELEASE_NEIGHBOUR;
		colo_queue_push(&out->release, packet);
	} else {
		packet->reason = malformed ? COLO_DROP_MALFORMED : COLO_DROP_SWALLOWED;
		colo_queue_push(&out->drop, packet);
	}
}

bool colo_node_event(struct colo_node *node, enum colo_node_event event, u32 epoch, u64 now_ns,
		     struct colo_out *out)
{
	colo_failover_check(node, now_ns, out);
	switch (event) {
	case COLO_EVENT_GRANTED:
	case COLO_EVENT_DENIED:
	case COLO_EVENT_TERM:
	case COLO_EVENT_JOIN:
		return colo_failover_event(node, event, epoch, now_ns, out);
	default:
		return colo_checkpoint_event(node, event, epoch, now_ns, out);
	}
}

/* Deadlines */

static u64 deadline_of(const struct colo_node *node, const struct list_head *list)
{
	/* A pending checkpoint releases all that is held anyway. */
	bool pending = node->role == COLO_ROLE_PRIMARY && node->state != COLO_NODE_RUNNING;

	if (pending || list_empty(list))
		return COLO_NEVER_NS;
	return list_first_entry(list, struct colo_packet, held)->arrived_ns +
	       node->config.compare_timeout_ns;
}

static u64 earlier(u64 a, u64 b)
{
	return a < b ? a : b;
}

u64 colo_node_deadline(const struct colo_node *node)
{
	u64 waiting = earlier(deadline_of(node, &node->held), deadline_of(node, &node->extra));

	if (node->resuming || node->unfinished)
		return 0;
	return earlier(waiting,
		       earlier(colo_checkpoint_deadline(node), colo_failover_deadline(node)));
}

static void held_too_long(struct colo_packet *oldest, u64 now_ns, struct colo_out *out)
{
	struct colo_mismatch mismatch = { .reason = COLO_MISMATCH_TIMEOUT_DATA };

	if (oldest->conn->type == COLO_CONN_STREAM) {
		struct colo_flow *flow = container_of(oldest->conn, struct colo_flow, conn);

		mismatch.reason = colo_flow_timeout_reason(flow, oldest);
		mismatch.position = flow->stream.matched;
	}
	colo_node_mismatch(oldest->conn, &mismatch, now_ns, out);
}

static void extra_too_long(struct colo_packet *oldest, u64 now_ns, struct colo_out *out)
{
	if (oldest->conn->type == COLO_CONN_STREAM)
		colo_flow_extra_expired(oldest, now_ns, out);
	else
		colo_datagrams_expire(oldest, out);
}

void colo_node_poll(struct colo_node *node, u64 now_ns, struct colo_out *out)
{
	colo_failover_poll(node, now_ns, out);
	if (node->unfinished) {
		colo_node_go_on(node, now_ns, out);
		return;
	}
	if (node->resuming) {
		colo_node_resume(node, now_ns, out);
		return;
	}
	colo_checkpoint_poll(node, now_ns, out);
	if (deadline_of(node, &node->held) <= now_ns) {
		if (node->role == COLO_ROLE_PRIMARY)
			held_too_long(first_of(&node->held), now_ns, out);
		else
			colo_seqfix_expire(first_of(&node->held), out);
	}
	if (deadline_of(node, &node->extra) <= now_ns)
		extra_too_long(first_of(&node->extra), now_ns, out);
}

void colo_node_fail_over(struct colo_node *node, u64 now_ns, struct colo_out *out)
{
	struct colo_packet *packet;

	node->failed_over = true;
	/* One turn, in which some leave, meets every connection and keeps the order. */
	while ((packet = first_of(&node->held)))
		list_move_tail(&packet->held, &node->turning);
	while ((packet = first_of(&node->turning))) {
		list_move_tail(&packet->held, &node->held);
		colo_seqfix_fail_over(packet, now_ns, out);
	}
}
