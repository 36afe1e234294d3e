/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Datagrams of one pair of addresses and ports as the primary host compares them:
 * UDP, ICMP, and whatever else there is above IP (rules udp, icmp, other-ip).
 */
#ifndef COLO_DATAGRAM_H
#define COLO_DATAGRAM_H

#include "colo_node.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Datagrams that have no partner yet, by digest. Those of one digest are all of one side, as
 * a partner would have been found. A digital search tree: its depth is bounded by the digest's
 * bits, whatever arrives; what is equal queues up in one place, oldest first.
 */
struct colo_tree {
	struct colo_packet *root;
};

struct colo_datagrams {
	struct colo_conn conn;	      /* first, so that either pointer finds the other */
	struct colo_queue p_queue;    /* held ones of the primary, in the order of its sending */
	struct colo_packet *p_cursor; /* first of p_queue that has no partner yet */
	struct colo_tree unmatched;
	u32 overtaken; /* datagrams of the secondary that came while p_cursor waited */
};

/** colo_datagrams_init() - A flow never met before, in the node's care until collected. */
void colo_datagrams_init(struct colo_datagrams *flow, struct colo_node *node,
			 const struct colo_key *key, u64 now_ns);

/**
 * colo_datagrams_input() - One packet of the flow: what may leave now, and is there a mismatch?
 * @packet: parsed, COLO_CLASS_DATAGRAM, of either guest; belongs to the core until it comes out.
 * @now_ns: never before an earlier call's.
 *
 * Cost: reads the payload once, or twice; else constant, whatever is held.
 */
void colo_datagrams_input(struct colo_datagrams *flow, struct colo_packet *packet, u64 now_ns,
			  struct colo_out *out);

/* For the files of the core. */
void colo_datagrams_pass(struct colo_packet *packet, enum colo_reason reason, struct colo_out *out);
void colo_datagrams_expire(struct colo_packet *oldest, struct colo_out *out);
void colo_datagrams_resume(struct colo_datagrams *flow, u64 now_ns, struct colo_out *out);

#ifdef __cplusplus
}
#endif

#endif /* COLO_DATAGRAM_H */
