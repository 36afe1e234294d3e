// SPDX-License-Identifier: GPL-2.0-only
/*
 * The checkpoint protocol of a node's two hosts (rules ckpt-*).
 *
 * No number is used for two attempts: the primary counts attempts, not commits, and an epoch
 * bears the number of the attempt that began it. The secondary takes part in any attempt newer
 * than the last that it knows, which may be the first it hears of since one broke off.
 *
 * Were a number used again, a REPLY or RECEIVED of the attempt that broke off would fit the next
 * one: the primary would commit to a state of which the secondary holds half. As it is, REPLY,
 * STATE and RECEIVED count only if they bear the number of the attempt under way, on both hosts,
 * so each of them was sent for this very attempt, after its REQUEST.
 *
 * An attempt that broke off before the primary sent the state left no trace: nothing could have
 * been loaded. After that, the secondary may have committed to it or not, and the primary cannot
 * know. If it has, it has forgotten what it sent in the old epoch and will send something else;
 * so what it sent then must not let anything leave any more, as a client would see what nobody
 * can go on from (output-commit). Hence the primary is unsure: it holds everything, and tries
 * again. Both hosts cover all that has left by then, whichever state the secondary is in. Should
 * it be in the new epoch, frames are of the wrong epoch on both hosts until the next commit.
 */
#include "colo_failover.h"

#define MILLISECOND_NS 1000000ULL
/* Until the next attempt, when one broke off: its cause remains, and so may what broke it. */
#define RETRY_NS (100 * MILLISECOND_NS)

static void begin_checkpoint(struct colo_node *node, struct colo_out *out)
{
	node->state = COLO_NODE_REQUESTED;
	node->deferred = false;
	node->guest_paused = false;
	node->peer_paused = false;
	node->attempt++;
	out->actions |= COLO_ACTION_PAUSE | COLO_ACTION_SEND_REQUEST;
	out->message_epoch = node->attempt;
}

static u64 earliest_checkpoint(const struct colo_node *node)
{
	u64 earliest = node->committed_ns + node->config.checkpoint_interval_min_ns;

	return earliest < node->retry_ns ? node->retry_ns : earliest;
}

/*
 * Only beside a secondary that was heard from: what a commit releases leaves under the lease,
 * too, and colo_failover_check() stops the checkpoint when that is over.
 */
static bool may_begin(const struct colo_node *node, u64 now_ns)
{
	return colo_node_has_lease(node, now_ns) && now_ns >= earliest_checkpoint(node);
}

/* Rules ckpt-coalesce and ckpt-limits. */
void colo_node_request(struct colo_node *node, enum colo_reason reason, u64 now_ns,
		       struct colo_out *out)
{
	bool paired = node->mode == COLO_MODE_PROTECTED || node->mode == COLO_MODE_ISOLATED;

	if (node->state != COLO_NODE_RUNNING || !paired) {
		node->stats.coalesced++;
		return;
	}
	node->cause = reason;
	if (may_begin(node, now_ns)) {
		begin_checkpoint(node, out);
	} else {
		node->state = COLO_NODE_REQUESTED;
		node->deferred = true;
	}
}

/** colo_checkpoint_join() - Synchronise a new secondary (rule fail-secondary). */
bool colo_checkpoint_join(struct colo_node *node, struct colo_out *out)
{
	if (!colo_node_is_alone(node) || node->state != COLO_NODE_RUNNING)
		return false;
	node->cause = COLO_REQUEST_JOIN;
	begin_checkpoint(node, out);
	out->actions |= COLO_ACTION_FULL;
	return true;
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
	if (node->mode == COLO_MODE_ALONE)
		out->actions |= COLO_ACTION_FULL;
	out->message_epoch = node->attempt;
}

static void stop_primary(struct colo_node *node, u64 now_ns, struct colo_out *out)
{
	bool committed = node->state == COLO_NODE_COMMITTED;

	if (!node->deferred)
		out->actions |= COLO_ACTION_RESUME;
	if (node->mode == COLO_MODE_ALONE || committed) {
		node->state = COLO_NODE_RUNNING;
		node->deferred = false;
		return;
	}
	if (node->state == COLO_NODE_TRANSFER)
		node->unsure = true;
	node->state = COLO_NODE_REQUESTED;
	if (!node->deferred)
		node->retry_ns = now_ns + RETRY_NS;
	node->deferred = true;
}

static void stop_secondary(struct colo_node *node, struct colo_out *out)
{
	/* What was received whole is loaded, whatever becomes of the primary. */
	if (node->state == COLO_NODE_COMMITTED)
		return;
	node->state = COLO_NODE_RUNNING;
	out->actions |= COLO_ACTION_DISCARD | COLO_ACTION_RESUME;
}

/**
 * colo_checkpoint_stop() - The other host is lost, or a transfer broke off (rule ckpt-failure).
 *
 * Each guest goes on from what its host holds whole. On the primary's host the cause remains.
 */
void colo_checkpoint_stop(struct colo_node *node, u64 now_ns, struct colo_out *out)
{
	if (node->state == COLO_NODE_RUNNING)
		return;
	if (node->role == COLO_ROLE_PRIMARY)
		stop_primary(node, now_ns, out);
	else
		stop_secondary(node, out);
}

static void commit_primary(struct colo_node *node, u32 epoch, u64 now_ns, struct colo_out *out)
{
	bool joined = node->mode == COLO_MODE_ALONE;

	node->state = COLO_NODE_COMMITTED;
	node->unsure = false;
	colo_node_commit(node, epoch, now_ns, out);
	if (joined)
		colo_failover_protect(node, now_ns, out);
}

static bool primary_event(struct colo_node *node, enum colo_node_event event, u32 epoch, u64 now_ns,
			  struct colo_out *out)
{
	bool asked = node->state == COLO_NODE_REQUESTED && !node->deferred;
	bool ours = epoch == node->attempt;

	switch (event) {
	case COLO_EVENT_REQUEST:
		if (node->mode == COLO_MODE_ALONE)
			return false;
		colo_node_request(node, COLO_REQUEST_OPERATOR, now_ns, out);
		return true;
	case COLO_EVENT_PAUSED:
		if (!asked)
			return false;
		node->guest_paused = true;
		start_transfer_when_both_paused(node, out);
		return true;
	case COLO_EVENT_REPLY:
		if ((!asked && node->state != COLO_NODE_PAUSED) || !ours)
			return false;
		node->peer_paused = true;
		start_transfer_when_both_paused(node, out);
		return true;
	case COLO_EVENT_RECEIVED:
		if (node->state != COLO_NODE_TRANSFER || !ours)
			return false;
		commit_primary(node, epoch, now_ns, out);
		return true;
	case COLO_EVENT_LOADED:
		if (node->state != COLO_NODE_COMMITTED || epoch != node->epoch)
			return false;
		node->state = COLO_NODE_RUNNING;
		out->actions |= COLO_ACTION_RESUME;
		return true;
	case COLO_EVENT_ABORT:
		if (node->state == COLO_NODE_RUNNING || node->deferred)
			return false;
		colo_checkpoint_stop(node, now_ns, out);
		return true;
	default:
		return false;
	}
}

/*
 * A secondary that lost the primary may have been granted to speak, or be so any time: nothing
 * but what it holds whole may replace its state then.
 */
static bool secondary_listens(const struct colo_node *node)
{
	return node->mode == COLO_MODE_PROTECTED || node->mode == COLO_MODE_JOINING;
}

static bool requested(struct colo_node *node, u32 epoch, struct colo_out *out)
{
	bool first = node->mode == COLO_MODE_JOINING && !node->attempt;

	if (!secondary_listens(node) || (!first && !colo_after(epoch, node->attempt)))
		return false;
	node->attempt = epoch;
	/* The attempt before may have broken off on the primary's host alone. */
	if (node->state == COLO_NODE_PAUSED) {
		out->actions |= COLO_ACTION_DISCARD | COLO_ACTION_SEND_REPLY;
		out->message_epoch = epoch;
	} else if (node->state == COLO_NODE_RUNNING) {
		node->state = COLO_NODE_REQUESTED;
		out->actions |= COLO_ACTION_PAUSE;
	}
	return true;
}

static void loaded(struct colo_node *node, u64 now_ns, struct colo_out *out)
{
	if (secondary_listens(node) && node->attempt != node->epoch) {
		/* Asked for the next one meanwhile, it still stands. */
		node->state = COLO_NODE_PAUSED;
		out->actions |= COLO_ACTION_SEND_REPLY;
		out->message_epoch = node->attempt;
		return;
	}
	node->state = COLO_NODE_RUNNING;
	out->message_epoch = node->epoch;
	out->actions |= COLO_ACTION_SEND_LOADED | COLO_ACTION_RESUME;
	colo_failover_loaded(node, now_ns, out);
}

static bool secondary_event(struct colo_node *node, enum colo_node_event event, u32 epoch,
			    u64 now_ns, struct colo_out *out)
{
	switch (event) {
	case COLO_EVENT_REQUEST:
		return requested(node, epoch, out);
	case COLO_EVENT_PAUSED:
		if (node->state != COLO_NODE_REQUESTED)
			return false;
		node->state = COLO_NODE_PAUSED;
		out->message_epoch = node->attempt;
		out->actions |= COLO_ACTION_SEND_REPLY;
		return true;
	case COLO_EVENT_STATE:
		if (node->state != COLO_NODE_PAUSED || epoch != node->attempt)
			return false;
		node->state = COLO_NODE_COMMITTED;
		colo_node_commit(node, epoch, now_ns, out);
		if (node->mode == COLO_MODE_JOINING)
			colo_failover_protect(node, now_ns, out);
		out->message_epoch = epoch;
		out->actions |= COLO_ACTION_SEND_RECEIVED | COLO_ACTION_LOAD;
		return true;
	case COLO_EVENT_LOADED:
		if (node->state != COLO_NODE_COMMITTED)
			return false;
		loaded(node, now_ns, out);
		return true;
	case COLO_EVENT_ABORT:
		if (node->state != COLO_NODE_REQUESTED && node->state != COLO_NODE_PAUSED)
			return false;
		colo_checkpoint_stop(node, now_ns, out);
		return true;
	default:
		return false;
	}
}

bool colo_checkpoint_event(struct colo_node *node, enum colo_node_event event, u32 epoch,
			   u64 now_ns, struct colo_out *out)
{
	if (node->mode == COLO_MODE_FENCED)
		return false;
	if (node->role == COLO_ROLE_PRIMARY)
		return primary_event(node, event, epoch, now_ns, out);
	return secondary_event(node, event, epoch, now_ns, out);
}

/** colo_checkpoint_deadline() - When the storm limit or the longest interval is over. */
u64 colo_checkpoint_deadline(const struct colo_node *node)
{
	bool heard_from =
		node->mode == COLO_MODE_PROTECTED && (node->leased || !node->config.lease_ns);

	if (node->role != COLO_ROLE_PRIMARY || !heard_from)
		return COLO_NEVER_NS;
	if (node->deferred)
		return earliest_checkpoint(node);
	if (node->state != COLO_NODE_RUNNING || !node->config.checkpoint_interval_max_ns)
		return COLO_NEVER_NS;
	return node->committed_ns + node->config.checkpoint_interval_max_ns;
}

/** colo_checkpoint_poll() - Begin what is due. */
void colo_checkpoint_poll(struct colo_node *node, u64 now_ns, struct colo_out *out)
{
	if (colo_checkpoint_deadline(node) > now_ns)
		return;
	if (node->deferred)
		begin_checkpoint(node, out);
	else
		colo_node_request(node, COLO_REQUEST_PERIODIC, now_ns, out);
}
