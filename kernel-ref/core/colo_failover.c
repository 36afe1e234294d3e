// SPDX-License-Identifier: GPL-2.0-only
/*
 * Heartbeats, the lease to speak, and what becomes of a host that has lost the other one.
 */
#include "colo_failover.h"

const char *colo_config_check(const struct colo_config *config)
{
	if (!config->lease_ns)
		return NULL;
	if (!config->heartbeat_interval_ns || config->heartbeat_interval_ns >= config->lease_ns)
		return "the heartbeat interval must be shorter than the lease, and not 0";
	if (config->takeover_ns <= config->lease_ns)
		return "the takeover time must be longer than the lease";
	return NULL;
}

/* When the other host counts as lost. */
static u64 lost_ns(const struct colo_node *node)
{
	if (!node->config.lease_ns || node->mode != COLO_MODE_PROTECTED)
		return COLO_NEVER_NS;
	/* A primary that was never answered waits as long, but does not speak. */
	if (node->role == COLO_ROLE_PRIMARY)
		return colo_node_lease_end(node);
	return node->heard_ns + node->config.takeover_ns;
}

static bool beats(const struct colo_node *node)
{
	if (!node->config.lease_ns)
		return false;
	return node->mode == COLO_MODE_ISOLATED ||
	       (node->mode == COLO_MODE_PROTECTED && node->role == COLO_ROLE_PRIMARY);
}

/* Counted from now on rather than from when it was due: after a hang one beat is enough. */
static void beat(struct colo_node *node, u64 now_ns, struct colo_out *out)
{
	node->beat_ns = now_ns + node->config.heartbeat_interval_ns;
	out->message_term = node->term;
	if (node->role == COLO_ROLE_PRIMARY && node->config.lease_ns) {
		out->actions |= COLO_ACTION_SEND_HEARTBEAT;
		out->stamp_ns = now_ns;
		if (!node->term_told)
			out->actions |= COLO_ACTION_TELL_TERM;
	}
	if (node->asking)
		out->actions |= COLO_ACTION_ASK;
}

/**
 * colo_failover_protect() - A pair is made, by its first state's commit or from the beginning.
 *
 * The primary has no lease yet: until the secondary is heard from, nobody knows since when it
 * has been waiting.
 */
void colo_failover_protect(struct colo_node *node, u64 now_ns, struct colo_out *out)
{
	node->mode = COLO_MODE_PROTECTED;
	node->term = node->epoch;
	node->leased = false;
	node->asking = false;
	node->term_told = false;
	node->renewed_ns = now_ns;
	node->heard_ns = now_ns;
	node->heard_stamp_ns = 0;
	if (beats(node))
		beat(node, now_ns, out);
}

static void isolate(struct colo_node *node, u64 now_ns, struct colo_out *out)
{
	node->mode = COLO_MODE_ISOLATED;
	node->leased = false;
	node->asking = true;
	colo_checkpoint_stop(node, now_ns, out);
	beat(node, now_ns, out);
}

/**
 * colo_failover_check() - See whether the other host counts as lost by now.
 *
 * Before anything else that happens, so that nothing does under a lease that is over.
 */
void colo_failover_check(struct colo_node *node, u64 now_ns, struct colo_out *out)
{
	if (now_ns >= lost_ns(node))
		isolate(node, now_ns, out);
}

bool colo_node_lose_peer(struct colo_node *node, u64 now_ns, struct colo_out *out)
{
	if (node->mode == COLO_MODE_PROTECTED)
		isolate(node, now_ns, out);
	return node->mode == COLO_MODE_ISOLATED && node->asking;
}

static bool answer(struct colo_node *node, u64 stamp_ns, u64 now_ns, struct colo_out *out)
{
	/* Who has asked may be granted any time, and an answer would let the primary speak. */
	if (node->mode != COLO_MODE_PROTECTED || stamp_ns <= node->heard_stamp_ns)
		return false;
	node->heard_ns = now_ns;
	node->heard_stamp_ns = stamp_ns;
	out->actions |= COLO_ACTION_ANSWER_HEARTBEAT;
	out->message_term = node->term;
	out->stamp_ns = stamp_ns;
	return true;
}

static bool renew(struct colo_node *node, u64 stamp_ns, u64 now_ns, struct colo_out *out)
{
	bool spoke = colo_node_may_speak(node, now_ns);

	if (node->mode != COLO_MODE_PROTECTED && node->mode != COLO_MODE_ISOLATED)
		return false;
	if (stamp_ns > now_ns || (node->leased && stamp_ns <= node->renewed_ns) ||
	    stamp_ns + node->config.lease_ns <= now_ns)
		return false;
	node->mode = COLO_MODE_PROTECTED;
	node->leased = true;
	node->renewed_ns = stamp_ns;
	if (!spoke)
		colo_node_resume(node, now_ns, out);
	return true;
}

bool colo_node_heartbeat(struct colo_node *node, u32 term, u64 stamp_ns, u64 now_ns,
			 struct colo_out *out)
{
	if (term != node->term || !node->config.lease_ns)
		return false;
	if (node->role == COLO_ROLE_SECONDARY)
		return answer(node, stamp_ns, now_ns, out);
	return renew(node, stamp_ns, now_ns, out);
}

/*
 * Rule fail-secondary. The epoch ends, so that what a secondary that is cut off still sends is
 * dropped; its number is new, as that of any checkpoint.
 */
static void go_alone(struct colo_node *node, u64 now_ns, struct colo_out *out)
{
	node->mode = COLO_MODE_ALONE;
	node->unsure = false;
	colo_checkpoint_stop(node, now_ns, out);
	node->epoch = ++node->attempt;
	colo_node_let_all_go(node, out);
}

/* Rule fail-primary. A state that was received whole is the guest's once it is loaded. */
static void take_over(struct colo_node *node, u64 now_ns, struct colo_out *out)
{
	node->mode = COLO_MODE_ALONE;
	if (node->state == COLO_NODE_COMMITTED)
		return;
	out->actions |= COLO_ACTION_TAKE_OVER;
	colo_node_fail_over(node, now_ns, out);
}

/** colo_failover_loaded() - The secondary's guest has the state that it may be waiting for. */
void colo_failover_loaded(struct colo_node *node, u64 now_ns, struct colo_out *out)
{
	if (node->mode == COLO_MODE_ALONE)
		take_over(node, now_ns, out);
}

static void fence(struct colo_node *node, struct colo_out *out)
{
	node->mode = COLO_MODE_FENCED;
	node->state = COLO_NODE_RUNNING;
	node->deferred = false;
	node->epoch = ++node->attempt;
	out->actions |= COLO_ACTION_FENCE;
	colo_node_drop_all(node, COLO_DROP_LEASE, out);
}

static bool answered(struct colo_node *node, enum colo_node_event event, u32 term, u64 now_ns,
		     struct colo_out *out)
{
	if (!node->asking || term != node->term)
		return false;
	node->asking = false;
	if (event == COLO_EVENT_DENIED)
		fence(node, out);
	else if (node->role == COLO_ROLE_PRIMARY)
		go_alone(node, now_ns, out);
	else
		take_over(node, now_ns, out);
	return true;
}

bool colo_failover_event(struct colo_node *node, enum colo_node_event event, u32 term, u64 now_ns,
			 struct colo_out *out)
{
	switch (event) {
	case COLO_EVENT_GRANTED:
	case COLO_EVENT_DENIED:
		return answered(node, event, term, now_ns, out);
	case COLO_EVENT_TERM:
		if (term != node->term || node->term_told)
			return false;
		node->term_told = true;
		return true;
	case COLO_EVENT_JOIN:
		return colo_checkpoint_join(node, out);
	default:
		return false;
	}
}

void colo_node_join(struct colo_node *node)
{
	node->mode = COLO_MODE_JOINING;
}

void colo_node_succeed(struct colo_node *node, const struct colo_node *survivor, u64 now_ns)
{
	colo_node_init(node, survivor->id, COLO_ROLE_PRIMARY, &survivor->config, now_ns);
	node->mode = COLO_MODE_ALONE;
	node->term = survivor->term;
	node->attempt = survivor->attempt + 1;
	node->epoch = node->attempt;
}

u64 colo_failover_deadline(const struct colo_node *node)
{
	u64 lost = lost_ns(node);

	return beats(node) && node->beat_ns < lost ? node->beat_ns : lost;
}

void colo_failover_poll(struct colo_node *node, u64 now_ns, struct colo_out *out)
{
	colo_failover_check(node, now_ns, out);
	if (beats(node) && node->beat_ns <= now_ns)
		beat(node, now_ns, out);
}
