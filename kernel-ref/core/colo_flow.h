/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One connection as the primary host compares it.
 */
#ifndef COLO_FLOW_H
#define COLO_FLOW_H

#include "colo_node.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What is known of one value on the circle of sequence numbers. Zero is a value
 * like any other (rule tcp-serial), so being known is a bit of its own.
 */
#define COLO_STREAM_ANCHORED 0x0001	  /* matched and p_end hold */
#define COLO_STREAM_P_SYN 0x0002	  /* p_isn holds: the generation began with P's SYN */
#define COLO_STREAM_S_ENTERED 0x0004	  /* S is in P's generation */
#define COLO_STREAM_S_SYN 0x0008	  /* s_isn holds */
#define COLO_STREAM_P_ACK 0x0010	  /* p_ack, p_edge, p_window hold */
#define COLO_STREAM_S_ACK 0x0020	  /* s_ack, s_edge, s_window hold */
#define COLO_STREAM_C_SYN 0x0040	  /* c_isn holds */
#define COLO_STREAM_C_ACK 0x0080	  /* c_ack holds */
#define COLO_STREAM_OUT_ACK 0x0100	  /* out_ack, out_edge hold */
#define COLO_STREAM_OUT_TS 0x0200	  /* out_tsval holds */
#define COLO_STREAM_P_RST 0x0400	  /* rst holds: both reset there */
#define COLO_STREAM_P_FIN 0x0800	  /* P's FIN matched */
#define COLO_STREAM_C_FIN 0x1000	  /* the client's FIN was seen */
#define COLO_STREAM_SCALE 0x2000	  /* both SYNs were seen: shift holds */
#define COLO_STREAM_C_WSCALE 0x4000	  /* the client's SYN had a window scale */
#define COLO_STREAM_DIVERGED 0x8000	  /* waits for a checkpoint; nothing new is compared */
#define COLO_STREAM_PASSIVE 0x10000	  /* P's SYN acknowledged a client's: p_syn_ack holds */
#define COLO_STREAM_C_OPENS 0x20000	  /* the client's SYN is not answered yet */
#define COLO_STREAM_C_RST 0x40000	  /* the client reset the connection */

/*
 * Both guests' output as one stream. P is the primary, S the secondary, C the
 * client, OUT what the client has been sent. Positions are the primary's.
 *
 *   acked by the client        matched              p_end
 *        ----|--------------------|--------------------|----- ···gap··· -----
 *             released, or its ack     queue, from            p_gap
 *             is not S's yet           cursor on
 */
struct colo_stream {
	u32 flags;
	u32 matched; /* end of the common prefix (rule tcp-bytes) */

	u32 p_isn;
	u32 p_end; /* end of what P sent without a gap */
	u32 p_ack; /* highest, as is the edge */
	u32 p_edge;
	u32 p_syn_ack;
	u32 s_isn; /* as S sent it, unlike its later positions */
	u32 s_end; /* end of what S sent without a gap */
	u32 s_ack; /* highest */
	u32 s_edge;
	u32 c_isn;
	u32 c_ack;
	u32 out_end;
	u32 out_ack;
	u32 out_edge; /* highest promised right edge */
	u32 out_tsval;
	u32 rst;
	u16 p_window;
	u16 s_window;
	u16 c_window;
	u8 p_wscale;
	u8 shift; /* window scale of both guests, as negotiated */

	struct colo_queue p_queue;    /* new data, SYN, FIN, RST: no gap before them */
	struct colo_packet *p_cursor; /* first of p_queue that is not wholly matched */
	struct colo_heap p_gap;	      /* behind a gap */
	struct colo_queue p_acks;     /* no new data: waiting for S's ack only */
	struct colo_queue p_later;    /* of the next generation (rule tcp-reopen) */
	struct colo_queue s_queue;    /* from matched on, no gap before them */
	struct colo_heap s_gap;
	struct colo_queue s_later;
	struct colo_packet *kept; /* last data-less ack, when its window was clamped */
};

struct colo_flow {
	struct colo_conn conn; /* first, so that either pointer finds the other */
	struct colo_stream stream;
};

COLO_STATIC_ASSERT(sizeof(void *) != 8 || sizeof(struct colo_flow) <= 240,
		   "an idle connection and its place in a table cost 256 bytes");

/** colo_flow_init() - A flow never met before, in the node's care until collected. */
void colo_flow_init(struct colo_flow *flow, struct colo_node *node, const struct colo_key *key,
		    u64 now_ns);

/**
 * colo_flow_input() - One packet of the flow: what may leave now, and is there a mismatch?
 * @packet: parsed, COLO_KIND_TCP; belongs to the core until it comes out again. An inbound
 *	    one stays the room's: the core only looks at it.
 * @now_ns: never before an earlier call's.
 *
 * Cost: constant, or logarithmic in what the flow holds, for each packet in or out.
 */
void colo_flow_input(struct colo_flow *flow, struct colo_packet *packet, u64 now_ns,
		     struct colo_out *out);

/* For the files of the core. */
void colo_stream_begin(struct colo_stream *stream, const struct colo_packet *first);
bool colo_stream_repeats_rst(const struct colo_stream *stream, const struct colo_packet *packet);
void colo_stream_note_primary(struct colo_stream *stream, const struct colo_packet *packet);
void colo_stream_note_secondary(struct colo_stream *stream, const struct colo_packet *packet);
void colo_stream_set_scale(struct colo_stream *stream);
void colo_stream_diverge(struct colo_flow *flow, enum colo_reason reason, u64 now_ns,
			 struct colo_out *out);
void colo_stream_skip_matched(struct colo_stream *stream, struct colo_out *out);
struct colo_packet *colo_flow_next_secondary(struct colo_stream *stream, struct colo_out *out);
bool colo_stream_match(struct colo_flow *flow, u64 now_ns, struct colo_out *out);
bool colo_stream_may_leave(const struct colo_flow *flow, const struct colo_packet *packet);
bool colo_stream_may_repeat(const struct colo_stream *stream, const struct colo_packet *packet);
void colo_stream_leave(struct colo_flow *flow, struct colo_packet *packet, enum colo_reason reason,
		       struct colo_out *out);
void colo_stream_let_go(struct colo_flow *flow, struct colo_packet *packet,
			enum colo_reason reason, struct colo_out *out);
void colo_stream_release_part(struct colo_flow *flow, struct colo_packet *packet,
			      struct colo_out *out);
bool colo_stream_release(struct colo_flow *flow, bool all_matched, struct colo_out *out);
void colo_flow_rebase(struct colo_flow *flow);
bool colo_lockstep(struct colo_flow *flow, struct colo_packet *packet, u64 now_ns,
		   struct colo_out *out);
void colo_flow_pass(struct colo_packet *packet, enum colo_reason reason, struct colo_out *out);
void colo_flow_resume(struct colo_flow *flow, u64 now_ns, struct colo_out *out);
void colo_flow_extra_expired(struct colo_packet *oldest, u64 now_ns, struct colo_out *out);
enum colo_reason colo_flow_timeout_reason(const struct colo_flow *flow,
					  const struct colo_packet *packet);

#ifdef __cplusplus
}
#endif

#endif /* COLO_FLOW_H */
