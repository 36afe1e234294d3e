/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who may speak to the clients (rules fail-primary, fail-secondary, fail-fence).
 *
 *   primary     PROTECTED ⇄ ISOLATED ─granted→ ALONE ─joined→ PROTECTED
 *                                    ─denied─→ FENCED
 *   secondary   JOINING ─committed→ PROTECTED ─→ ISOLATED ─granted→ ALONE: takes over
 *                                                         ─denied─→ FENCED
 *
 * The primary of a protected pair speaks under a lease: until lease_ns after the time at which
 * it sent the last heartbeat that was answered. The secondary asks the arbiter takeover_ns after
 * it last answered one, and never answers again in this term. An answer is given after its
 * heartbeat was sent, so the lease is over by takeover_ns - lease_ns when the secondary asks,
 * however long messages take, and wherever the primary hung meanwhile. That margin has to cover
 * how far two clocks drift apart in takeover_ns, and the longest time between the room's reading
 * the clock and the frame's leaving the host.
 *
 * Once it has asked, the primary may still be heard again before the arbiter is, and goes on
 * under the lease. But it asks on: a grant that was given must not stay unknown.
 */
#ifndef COLO_FAILOVER_H
#define COLO_FAILOVER_H

#include "colo_node.h"

#ifdef __cplusplus
extern "C" {
#endif

/** colo_config_check() - What is wrong with a configuration, as a sentence; NULL if nothing. */
const char *colo_config_check(const struct colo_config *config);

/** colo_node_is_alone() - Does the primary compare with nobody? Each packet leaves at once. */
static inline bool colo_node_is_alone(const struct colo_node *node)
{
	return node->role == COLO_ROLE_PRIMARY && node->mode == COLO_MODE_ALONE;
}

static inline u64 colo_node_lease_end(const struct colo_node *node)
{
	return node->renewed_ns + node->config.lease_ns;
}

/** colo_node_has_lease() - May this host send anything to the clients at all? */
static inline bool colo_node_has_lease(const struct colo_node *node, u64 now_ns)
{
	if (node->mode == COLO_MODE_ALONE)
		return node->role == COLO_ROLE_PRIMARY || node->failed_over;
	if (node->mode != COLO_MODE_PROTECTED || node->role != COLO_ROLE_PRIMARY)
		return false;
	return !node->config.lease_ns || (node->leased && now_ns < colo_node_lease_end(node));
}

/**
 * colo_node_may_speak() - May what was compared leave now?
 *
 * If not, it stays held, also when it has matched; colo_node_resume() lets it go later. To be
 * asked at each release, not once for several calls: only so a primary that hung sees that its
 * lease is over before anything leaves.
 */
static inline bool colo_node_may_speak(const struct colo_node *node, u64 now_ns)
{
	return !node->unsure && colo_node_has_lease(node, now_ns);
}

/**
 * colo_node_heartbeat() - A heartbeat has come to the secondary, or its answer to the primary.
 * @term: as it was sent (colo_out.message_term).
 * @stamp_ns: likewise (colo_out.stamp_ns); the answer carries what the heartbeat did.
 *
 * Return: false if it is of another term, or older than one before; nothing changed then.
 */
bool colo_node_heartbeat(struct colo_node *node, u32 term, u64 stamp_ns, u64 now_ns,
			 struct colo_out *out);

/**
 * colo_node_lose_peer() - The room knows that the other host is lost, before any timer does.
 *
 * Nothing leaves until the arbiter has answered (COLO_EVENT_GRANTED or DENIED, in node->term).
 *
 * Return: false if the node is no part of a pair, so that there is nothing to ask.
 */
bool colo_node_lose_peer(struct colo_node *node, u64 now_ns, struct colo_out *out);

/**
 * colo_node_join() - Turn a fresh secondary's node into one that waits to be synchronised.
 *
 * It holds no state yet, so it neither answers heartbeats nor takes over.
 */
void colo_node_join(struct colo_node *node);

/**
 * colo_node_succeed() - Begin the node with which a survivor compares (rule fix-failover).
 * @node: of role primary; alone, until COLO_EVENT_JOIN and a full checkpoint.
 * @survivor: took over. Lives on, as its entries go on fixing what its guest sends.
 *
 * What the survivor's guest sends goes through @survivor first and then, in the numbers that
 * the clients know, to @node. As the new secondary's guest is a copy of the survivor's, so is
 * its host's first stage a copy of the survivor's entries; what both guests open from then on
 * is left alone there, and fixed by the new secondary's own node.
 */
void colo_node_succeed(struct colo_node *node, const struct colo_node *survivor, u64 now_ns);

/* For the files of the core. */
bool colo_failover_event(struct colo_node *node, enum colo_node_event event, u32 term, u64 now_ns,
			 struct colo_out *out);
void colo_failover_check(struct colo_node *node, u64 now_ns, struct colo_out *out);
void colo_failover_protect(struct colo_node *node, u64 now_ns, struct colo_out *out);
void colo_failover_loaded(struct colo_node *node, u64 now_ns, struct colo_out *out);
u64 colo_failover_deadline(const struct colo_node *node);
void colo_failover_poll(struct colo_node *node, u64 now_ns, struct colo_out *out);

#ifdef __cplusplus
}
#endif

#endif /* COLO_FAILOVER_H */
