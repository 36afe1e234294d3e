/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One connection as the secondary host rewrites it: its guest chose another
 * initial sequence number than the primary, whose numbering the client knows.
 */
#ifndef COLO_SEQFIX_H
#define COLO_SEQFIX_H

#include "colo_node.h"

#ifdef __cplusplus
extern "C" {
#endif

#define COLO_SEQFIX_S_SYN 0x001	    /* s_isn holds: the secondary sent a SYN */
#define COLO_SEQFIX_ACTIVE 0x002    /* the guest opens */
#define COLO_SEQFIX_OFFSET 0x004    /* offset holds */
#define COLO_SEQFIX_COMPLETE 0x008  /* the client has acknowledged the SYN */
#define COLO_SEQFIX_OPENING 0x010   /* opening_isn holds; the secondary's answer is to come */
#define COLO_SEQFIX_HINT 0x020	    /* hint_* hold */
#define COLO_SEQFIX_HINT_ACTIVE 0x040 /* the hint was a SYN without ACK */
#define COLO_SEQFIX_HINT_TS 0x080
#define COLO_SEQFIX_S_TS 0x100	    /* s_tsval holds */
#define COLO_SEQFIX_ECHOED 0x200    /* echoed_tsval holds */
#define COLO_SEQFIX_OUT_FIN 0x400
#define COLO_SEQFIX_IN_FIN 0x800
#define COLO_SEQFIX_HINT_USED 0x1000 /* an offset was made of the hint */

struct colo_seqfix {
	struct colo_conn conn; /* first, so that either pointer finds the other */
	struct colo_queue waiting; /* for an offset, in both directions, oldest first */
	u32 flags;
	u32 offset;    /* primary's position less secondary's */
	u32 ts_offset; /* likewise of timestamps; 0 until learned */
	u32 s_isn;
	u32 c_isn;
	u32 opening_isn; /* of the client's latest SYN */
	u32 s_tsval; /* of the secondary's SYN */
	u32 hint_isn;
	u32 hint_ack;
	u32 hint_tsval;
	u32 echoed_tsval; /* latest that the client echoed, in the primary's numbering */
};

/**
 * colo_seqfix_wanted() - Does a packet of an unknown connection begin an entry?
 *
 * Only a SYN does: after a checkpoint both guests number alike (rule fix-checkpoint),
 * and after a failover there is nobody left to differ from (rule fix-failover).
 */
static inline bool colo_seqfix_wanted(const struct colo_node *node,
				      const struct colo_packet *packet)
{
	return colo_packet_is_syn(packet) && !node->failed_over;
}

/** colo_seqfix_init() - An entry never met before, in the node's care until collected. */
void colo_seqfix_init(struct colo_seqfix *fix, struct colo_node *node, const struct colo_key *key,
		      u64 now_ns);

/**
 * colo_seqfix_input() - Rewrite one packet between the secondary guest and the world.
 * @packet: parsed, COLO_KIND_TCP, side COLO_SECONDARY or COLO_INBOUND. Comes out on
 *	    release, with edits, when its offset is known; on drop when it waited in vain.
 */
void colo_seqfix_input(struct colo_seqfix *fix, struct colo_packet *packet, u64 now_ns,
		       struct colo_out *out);

/**
 * colo_seqfix_hint() - Learn from the primary's own SYN or SYN-ACK (rule fix-hint).
 * @packet: parsed, COLO_KIND_TCP, side COLO_PRIMARY, as the primary guest sent it; stays
 *	    the room's.
 */
void colo_seqfix_hint(struct colo_seqfix *fix, const struct colo_packet *packet, u64 now_ns,
		      struct colo_out *out);

/**
 * colo_seqfix_icmp() - Translate what an incoming ICMP error quotes (rule icmp).
 * @fix: of the connection that it quotes, see colo_icmp_quoted_key().
 * @packet: parsed, COLO_KIND_DATAGRAM, side COLO_INBOUND. Comes out on release at once.
 */
void colo_seqfix_icmp(struct colo_seqfix *fix, struct colo_packet *packet, struct colo_out *out);

/* For the files of the core. */
void colo_seqfix_fail_over(struct colo_packet *waiting, u64 now_ns, struct colo_out *out);
void colo_seqfix_expire(struct colo_packet *oldest, struct colo_out *out);

#ifdef __cplusplus
}
#endif

#endif /* COLO_SEQFIX_H */
