// SPDX-License-Identifier: GPL-2.0-only
/*
 * One TCP stream of two guests: how far they agree, and what may leave.
 */
#include "colo_flow.h"

#include "colo_bytes.h"
#include "colo_failover.h"

static bool is_rst(const struct colo_packet *packet)
{
	return packet->tcp_flags & COLO_TCP_RST;
}

/**
 * colo_stream_begin() - Start a generation with the primary's SYN (rule tcp-reopen).
 * @first: that SYN, or the reset that refuses the client's; no SYN of the secondary follows it.
 *
 * What the client's own SYN said stays: it came before the answer to it.
 */
void colo_stream_begin(struct colo_stream *stream, const struct colo_packet *first)
{
	u32 c_isn = stream->c_isn;
	struct colo_queue s_later = stream->s_later;
	u32 client = stream->flags & (COLO_STREAM_C_SYN | COLO_STREAM_C_WSCALE);

	memset(stream, 0, sizeof(*stream));
	stream->s_later = s_later;
	stream->c_isn = c_isn;
	stream->flags = COLO_STREAM_ANCHORED;
	stream->matched = first->seq;
	stream->p_end = first->seq;
	stream->s_end = first->seq;
	stream->out_end = first->seq;
	if (first->tcp_flags & COLO_TCP_ACK)
		stream->flags |= client;
	if (is_rst(first)) {
		stream->flags |= COLO_STREAM_S_ENTERED;
		return;
	}
	stream->flags |= COLO_STREAM_P_SYN;
	stream->p_isn = first->seq;
	if (first->tcp_flags & COLO_TCP_ACK) {
		stream->flags |= COLO_STREAM_PASSIVE;
		stream->p_syn_ack = first->ack;
	}
}

/** colo_stream_repeats_rst() - Did both reset there before? A guest may for every late segment. */
bool colo_stream_repeats_rst(const struct colo_stream *stream, const struct colo_packet *packet)
{
	return is_rst(packet) && stream->flags & COLO_STREAM_P_RST && packet->seq == stream->rst;
}

/* A scale counts only if both SYNs carried one (RFC 7323, 2.2; rule tcp-window). */
void colo_stream_set_scale(struct colo_stream *stream)
{
	bool both = (stream->flags & COLO_STREAM_P_SYN) && (stream->flags & COLO_STREAM_C_SYN);

	if (both && !(stream->flags & COLO_STREAM_SCALE)) {
		stream->flags |= COLO_STREAM_SCALE;
		stream->shift = stream->flags & COLO_STREAM_C_WSCALE ? stream->p_wscale : 0;
	}
}

static u32 edge_of(const struct colo_stream *stream, const struct colo_packet *packet)
{
	u32 shift = packet->tcp_flags & COLO_TCP_SYN ? 0 : stream->shift;

	return packet->ack + ((u32)packet->window << shift);
}

/* Acks and edges only grow: of two that overtook each other the higher counts. */
void colo_stream_note_primary(struct colo_stream *stream, const struct colo_packet *packet)
{
	u32 edge;

	if (packet->tcp_flags & COLO_TCP_SYN) {
		stream->p_wscale = packet->wscale;
		if (stream->flags & COLO_STREAM_PASSIVE && packet->ack == stream->c_isn + 1)
			colo_stream_set_scale(stream);
	}
	if (!(packet->tcp_flags & COLO_TCP_ACK) || is_rst(packet))
		return;
	edge = edge_of(stream, packet);
	if (!(stream->flags & COLO_STREAM_P_ACK)) {
		stream->flags |= COLO_STREAM_P_ACK;
		stream->p_ack = packet->ack;
		stream->p_edge = edge;
	}
	if (!colo_before(packet->ack, stream->p_ack))
		stream->p_window = packet->window;
	stream->p_ack = colo_max_pos(stream->p_ack, packet->ack);
	stream->p_edge = colo_max_pos(stream->p_edge, edge);
}

void colo_stream_note_secondary(struct colo_stream *stream, const struct colo_packet *packet)
{
	u32 edge;

	if (!(packet->tcp_flags & COLO_TCP_ACK) || is_rst(packet))
		return;
	edge = edge_of(stream, packet);
	if (!(stream->flags & COLO_STREAM_S_ACK)) {
		stream->flags |= COLO_STREAM_S_ACK;
		stream->s_ack = packet->ack;
		stream->s_edge = edge;
	}
	if (!colo_before(packet->ack, stream->s_ack))
		stream->s_window = packet->window;
	stream->s_ack = colo_max_pos(stream->s_ack, packet->ack);
	stream->s_edge = colo_max_pos(stream->s_edge, edge);
}

/* A packet's units are its SYN, its payload, its FIN. */
#define AT_SYN (~(u32)0)

/* Payload bytes before a position within the packet; AT_SYN if its SYN is there. */
static u32 bytes_before(const struct colo_packet *packet, u32 position)
{
	return position - packet->seq - !!(packet->tcp_flags & COLO_TCP_SYN);
}

/* Payload from a position on, of which there is none at a SYN, a FIN, and in a reset. */
static u32 bytes_from(const struct colo_packet *packet, u32 before)
{
	return before == AT_SYN || is_rst(packet) ? 0 : packet->payload_len - before;
}

static void mismatch(struct colo_flow *flow, enum colo_reason reason, const struct colo_packet *p,
		     const struct colo_packet *s, u64 now_ns, struct colo_out *out)
{
	struct colo_stream *stream = &flow->stream;
	struct colo_mismatch found = { .reason = reason, .position = stream->matched };
	u32 p_before = bytes_before(p, stream->matched);
	u32 s_before = bytes_before(s, stream->matched);

	colo_mismatch_sample(&found, p, p->payload_offset + p_before, bytes_from(p, p_before), s,
			     s->payload_offset + s_before, bytes_from(s, s_before));
	stream->flags |= COLO_STREAM_DIVERGED;
	colo_node_mismatch(&flow->conn, &found, now_ns, out);
}

/** colo_stream_diverge() - Nothing is compared before the next checkpoint. */
void colo_stream_diverge(struct colo_flow *flow, enum colo_reason reason, u64 now_ns,
			 struct colo_out *out)
{
	struct colo_mismatch found = { .reason = reason, .position = flow->stream.matched };

	if (flow->stream.flags & COLO_STREAM_DIVERGED)
		return;
	flow->stream.flags |= COLO_STREAM_DIVERGED;
	colo_node_mismatch(&flow->conn, &found, now_ns, out);
}

/* The client will live by what the primary negotiated (rule tcp-syn). */
static enum colo_reason compare_syn(const struct colo_packet *p, const struct colo_packet *s)
{
	if ((p->options & COLO_OPT_NEGOTIATED) == (s->options & COLO_OPT_NEGOTIATED) &&
	    p->mss == s->mss && p->wscale == s->wscale)
		return COLO_REASON_NONE;
	return COLO_MISMATCH_SYN_OPTIONS;
}

/* Compare from matched on, as far as both packets reach. */
static enum colo_reason compare(struct colo_stream *stream, const struct colo_packet *p,
				const struct colo_packet *s, colo_chunk_fn chunk)
{
	u32 p_before = bytes_before(p, stream->matched);
	u32 s_before = bytes_before(s, stream->matched);
	u32 p_len = bytes_from(p, p_before);
	u32 s_len = bytes_from(s, s_before);
	u32 len = p_len < s_len ? p_len : s_len;
	enum colo_reason reason = COLO_REASON_NONE;
	u32 equal;

	if (len) {
		equal = colo_bytes_equal(p, p->payload_offset + p_before, s,
					 s->payload_offset + s_before, len, chunk);
		stream->matched += equal;
		return equal == len ? COLO_REASON_NONE : COLO_MISMATCH_BYTES;
	}
	if (p_before == AT_SYN || s_before == AT_SYN)
		reason = p_before == s_before ? compare_syn(p, s) : COLO_MISMATCH_BYTES;
	else if (p_len || s_len)
		reason = COLO_MISMATCH_FIN;
	else
		stream->flags |= COLO_STREAM_P_FIN;
	if (reason == COLO_REASON_NONE)
		stream->matched++;
	return reason;
}

static bool is_matched(const struct colo_stream *stream, const struct colo_packet *packet)
{
	if (is_rst(packet))
		return colo_stream_repeats_rst(stream, packet);
	return !colo_after(colo_packet_end(packet), stream->matched);
}

/** colo_stream_skip_matched() - Both queues begin with what has not wholly matched yet. */
void colo_stream_skip_matched(struct colo_stream *stream, struct colo_out *out)
{
	struct colo_packet *p = stream->p_cursor;
	struct colo_packet *s = colo_queue_head(&stream->s_queue);

	while (p && is_matched(stream, p))
		p = colo_queue_after(&stream->p_queue, p);
	stream->p_cursor = p;
	if (p)
		colo_packet_prefetch(p->next);
	while (s && is_matched(stream, s)) {
		colo_node_drop(colo_queue_pop(&stream->s_queue), COLO_DROP_COMPARED, out);
		s = colo_queue_head(&stream->s_queue);
	}
}

/**
 * colo_stream_match() - Advance the matched position.
 *
 * The guests may cut one stream at different places, so bytes decide and segment
 * boundaries do not (rule tcp-bytes). A SYN and a FIN are each a unit of the stream;
 * a RST is its end, and a byte past it on the other side a mismatch (rule tcp-rst).
 *
 * Return: false if the call has done enough, and there is more.
 */
bool colo_stream_match(struct colo_flow *flow, u64 now_ns, struct colo_out *out)
{
	struct colo_stream *stream = &flow->stream;
	struct colo_packet *p, *s;
	u32 count = 0;

	while ((s = colo_flow_next_secondary(stream, out)) && (p = stream->p_cursor) &&
	       !(stream->flags & COLO_STREAM_DIVERGED)) {
		enum colo_reason reason;

		if (colo_conn_is_enough(&flow->conn, count++))
			return false;
		if (!is_rst(p) && !is_rst(s)) {
			reason = compare(stream, p, s, flow->conn.node->config.chunk);
		} else if (is_rst(p) && is_rst(s) && p->seq == s->seq) {
			stream->flags |= COLO_STREAM_P_RST;
			stream->rst = p->seq;
			reason = COLO_REASON_NONE;
		} else {
			reason = COLO_MISMATCH_RST;
		}
		if (reason != COLO_REASON_NONE)
			mismatch(flow, reason, p, s, now_ns, out);
		colo_stream_skip_matched(stream, out);
	}
	return true;
}

/* Would the client learn something from the secondary's ack? */
static bool has_ack_news(const struct colo_stream *stream)
{
	return !(stream->flags & COLO_STREAM_OUT_ACK) ||
	       colo_after(stream->s_ack, stream->out_ack);
}

/**
 * colo_stream_may_leave() - Do the secondary's acks allow a packet whose bytes matched?
 *
 * Rules tcp-release and tcp-pure-ack: what the client is told was received, the
 * secondary must have received. A reset tells nothing.
 */
bool colo_stream_may_leave(const struct colo_flow *flow, const struct colo_packet *packet)
{
	const struct colo_stream *stream = &flow->stream;

	if (!(packet->tcp_flags & COLO_TCP_ACK) || is_rst(packet))
		return true;
	if (!(stream->flags & COLO_STREAM_S_ACK))
		return false;
	if (!colo_after(packet->ack, stream->s_ack))
		return true;
	return flow->conn.node->config.ack_policy == COLO_ACK_CLAMP && has_ack_news(stream);
}

/**
 * colo_stream_may_repeat() - May an ack that says nothing new leave, lowered to the secondary's?
 *
 * Asked before it is noted. Where sec_dev lost what a client uploads, the secondary stops at a
 * position that the primary, which acks coarsely, may never have named. A primary that says its
 * ack again was sent something again: the client has to hear what the secondary lacks, whatever
 * the policy, or it would go on to repeat what both have (rule tcp-pure-ack).
 */
bool colo_stream_may_repeat(const struct colo_stream *stream, const struct colo_packet *packet)
{
	const u32 flags = COLO_STREAM_P_ACK | COLO_STREAM_S_ACK;

	return (stream->flags & flags) == flags && packet->ack == stream->p_ack &&
	       (packet->tcp_flags & (COLO_TCP_ACK | COLO_TCP_RST)) == COLO_TCP_ACK &&
	       !colo_packet_units(packet) && has_ack_news(stream);
}

static u16 window_up_to(u32 edge, u32 ack, u32 shift)
{
	u32 window;

	if (!colo_after(edge, ack))
		return 0;
	window = (edge - ack) >> shift;
	return window > 0xffff ? 0xffff : (u16)window;
}

/*
 * The window that may leave with @ack: no further than the secondary can take, and
 * what was promised is not taken back (rule tcp-window).
 */
static u16 window_out(const struct colo_stream *stream, const struct colo_packet *packet, u32 ack)
{
	u32 shift = packet->tcp_flags & COLO_TCP_SYN ? 0 : stream->shift;
	u32 own, edge;

	if (!packet->window || !(stream->flags & COLO_STREAM_S_ACK))
		return packet->window;
	if (!(packet->tcp_flags & COLO_TCP_SYN) && !(stream->flags & COLO_STREAM_SCALE))
		return packet->window < stream->s_window ? packet->window : stream->s_window;

	own = edge_of(stream, packet);
	edge = colo_min_pos(own, stream->s_edge);
	if (stream->flags & COLO_STREAM_OUT_ACK && colo_before(edge, stream->out_edge))
		edge = colo_min_pos(own, stream->out_edge);
	if (edge == own && ack == packet->ack)
		return packet->window;
	return window_up_to(edge, ack, shift);
}

static void note_out_ack(struct colo_stream *stream, u32 ack, u16 window, u32 shift)
{
	u32 edge = ack + ((u32)window << shift);

	if (!(stream->flags & COLO_STREAM_OUT_ACK)) {
		stream->flags |= COLO_STREAM_OUT_ACK;
		stream->out_ack = ack;
		stream->out_edge = edge;
	}
	stream->out_ack = colo_max_pos(stream->out_ack, ack);
	stream->out_edge = colo_max_pos(stream->out_edge, edge);
}

static void edit_ack_and_window(struct colo_stream *stream, struct colo_packet *packet)
{
	struct colo_edit *edit = &packet->edit;

	edit->ack = packet->ack;
	if (colo_after(packet->ack, stream->s_ack)) {
		edit->ack = stream->s_ack;
		edit->mask |= COLO_EDIT_ACK;
	}
	edit->window = window_out(stream, packet, edit->ack);
	if (edit->window != packet->window)
		edit->mask |= COLO_EDIT_WINDOW;
	note_out_ack(stream, edit->ack, edit->window,
		     packet->tcp_flags & COLO_TCP_SYN ? 0 : stream->shift);
}

/* The client's PAWS would drop what comes later with an older stamp (RFC 7323, 5). */
static void edit_timestamp(struct colo_stream *stream, struct colo_packet *packet)
{
	if (!(packet->options & COLO_OPT_TIMESTAMPS))
		return;
	if (stream->flags & COLO_STREAM_OUT_TS &&
	    colo_before(packet->tsval, stream->out_tsval)) {
		packet->edit.timestamp = stream->out_tsval;
		packet->edit.mask |= COLO_EDIT_TSVAL;
		return;
	}
	stream->flags |= COLO_STREAM_OUT_TS;
	stream->out_tsval = packet->tsval;
}

static void edit_for_client(struct colo_stream *stream, struct colo_packet *packet, u32 end)
{
	packet->edit.mask = 0;
	if (is_rst(packet))
		return;
	if (packet->tcp_flags & COLO_TCP_ACK)
		edit_ack_and_window(stream, packet);
	edit_timestamp(stream, packet);
	if (colo_packet_is_syn(packet) && packet->options & COLO_OPT_MP_CAPABLE)
		packet->edit.mask |= COLO_EDIT_MP_CAPABLE;
	/* Only a checkpoint releases it, and then as it was signed. */
	if (packet->options & COLO_OPT_SIGNED)
		packet->edit.mask = 0;
	stream->out_end = colo_max_pos(stream->out_end, end);
}

/* Did it mean to promise more than it may? Behind the client's FIN no window is of use. */
static bool is_clamped(const struct colo_stream *stream, const struct colo_packet *packet)
{
	return packet->edit.mask & COLO_EDIT_ACK ||
	       (packet->edit.mask & COLO_EDIT_WINDOW && !(stream->flags & COLO_STREAM_C_FIN));
}

/* Does a packet that leaves say all that the kept one still has to? An older one may not. */
static bool supersedes_kept(const struct colo_stream *stream, const struct colo_packet *packet)
{
	const struct colo_packet *kept = stream->kept;

	if (!kept || is_rst(packet))
		return kept;
	return packet->tcp_flags & COLO_TCP_ACK && !is_clamped(stream, packet) &&
	       !colo_before(packet->ack, kept->ack) &&
	       (stream->flags & COLO_STREAM_C_FIN ||
		!colo_before(edge_of(stream, packet), edge_of(stream, kept)));
}

static void set_kept(struct colo_stream *stream, struct colo_packet *packet, struct colo_out *out)
{
	if (stream->kept)
		colo_node_drop(stream->kept, COLO_DROP_SUPERSEDED, out);
	stream->kept = packet;
}

/** colo_stream_leave() - Release one packet, with what the client may be promised. */
void colo_stream_leave(struct colo_flow *flow, struct colo_packet *packet, enum colo_reason reason,
		       struct colo_out *out)
{
	edit_for_client(&flow->stream, packet, colo_packet_end(packet));
	colo_node_release(packet, reason, out);
}

/**
 * colo_stream_let_go() - Release one packet that may leave, or a copy of it.
 *
 * A data-less ack that had to promise less than the primary meant stays with the
 * core and leaves as a copy, to be sent again when the secondary catches up.
 */
void colo_stream_let_go(struct colo_flow *flow, struct colo_packet *packet,
			enum colo_reason reason, struct colo_out *out)
{
	struct colo_stream *stream = &flow->stream;

	edit_for_client(stream, packet, colo_packet_end(packet));
	packet->reason = (u8)reason;
	if (is_clamped(stream, packet) && !colo_packet_units(packet) && !stream->p_acks.tail) {
		set_kept(stream, packet, out);
		colo_node_keep(packet);
		out->resend = packet;
		return;
	}
	if (supersedes_kept(stream, packet))
		set_kept(stream, NULL, out);
	colo_node_release(packet, reason, out);
}

/* The ack and window that the kept packet may promise by now, if that is news. */
static bool kept_has_news(struct colo_stream *stream)
{
	struct colo_packet *kept = stream->kept;
	struct colo_edit *edit = &kept->edit;
	u32 ack = colo_max_pos(stream->out_ack, colo_min_pos(kept->ack, stream->s_ack));
	u32 edge = colo_min_pos(stream->p_edge, stream->s_edge);
	u16 window;

	if (stream->flags & COLO_STREAM_SCALE)
		window = window_up_to(colo_max_pos(edge, stream->out_edge), ack, stream->shift);
	else
		window = stream->p_window < stream->s_window ? stream->p_window : stream->s_window;

	if (!colo_after(ack, edit->ack) &&
	    !colo_after(ack + ((u32)window << stream->shift),
			edit->ack + ((u32)edit->window << stream->shift)))
		return false;
	edit->ack = ack;
	edit->window = window;
	edit->mask |= COLO_EDIT_ACK | COLO_EDIT_WINDOW;
	if (stream->flags & COLO_STREAM_ANCHORED) {
		edit->seq = stream->out_end;
		edit->mask |= COLO_EDIT_SEQ;
	}
	return true;
}

static void stamp_kept(const struct colo_stream *stream, struct colo_packet *kept)
{
	if (!(kept->options & COLO_OPT_TIMESTAMPS))
		return;
	kept->edit.timestamp = colo_max_pos(kept->tsval, stream->out_tsval);
	kept->edit.mask |= COLO_EDIT_TSVAL;
}

/* Rule tcp-window: when the secondary's edge rises and the primary has nothing to say. */
static void send_kept_again(struct colo_flow *flow, struct colo_out *out)
{
	struct colo_stream *stream = &flow->stream;
	struct colo_packet *kept = stream->kept;

	if (!kept)
		return;
	if (out->resend == kept) {
		/* A part leaves before it. */
		stamp_kept(stream, kept);
		return;
	}
	if (!kept_has_news(stream))
		return;
	note_out_ack(stream, kept->edit.ack, kept->edit.window, stream->shift);
	stamp_kept(stream, kept);
	kept->reason = COLO_RELEASE_WINDOW;
	if (colo_before(stream->out_ack, kept->ack) ||
	    (stream->flags & COLO_STREAM_SCALE ? colo_before(stream->s_edge, stream->p_edge)
					       : stream->s_window < stream->p_window)) {
		out->resend = kept;
		return;
	}
	stream->kept = NULL;
	colo_node_release(kept, COLO_RELEASE_WINDOW, out);
}

/**
 * colo_stream_release_part() - Let go the segments of a packet that have matched (rule tcp-gso).
 *
 * Its last segment waits for the whole, as a FIN may be in it.
 */
void colo_stream_release_part(struct colo_flow *flow, struct colo_packet *packet,
			      struct colo_out *out)
{
	struct colo_stream *stream = &flow->stream;
	u32 to = packet->payload_len - 1;

	if (out->part.packet || !packet->gso_size || packet->payload_len <= packet->gso_size ||
	    packet->tcp_flags & (COLO_TCP_SYN | COLO_TCP_RST) ||
	    packet->options & COLO_OPT_SIGNED || !colo_after(stream->matched, packet->seq) ||
	    !colo_stream_may_leave(flow, packet))
		return;
	if (colo_before(stream->matched, packet->seq + to))
		to = stream->matched - packet->seq;
	to -= to % packet->gso_size;
	if (to <= packet->left)
		return;
	edit_for_client(stream, packet, packet->seq + to);
	packet->reason = COLO_RELEASE_MATCHED;
	out->part.packet = packet;
	out->part.from = packet->left;
	out->part.to = to;
	packet->left = to;
}

static bool release_queue(struct colo_flow *flow, struct colo_out *out)
{
	struct colo_stream *stream = &flow->stream;
	struct colo_packet *head;
	u32 count = 0;

	while ((head = colo_queue_head(&stream->p_queue)) && head != stream->p_cursor) {
		if (!colo_stream_may_leave(flow, head))
			return true;
		if (colo_conn_is_enough(&flow->conn, count++))
			return false;
		colo_queue_pop(&stream->p_queue);
		colo_stream_let_go(flow, head,
				   is_rst(head) ? COLO_RELEASE_RST : COLO_RELEASE_MATCHED, out);
	}
	return true;
}

static bool release_acks(struct colo_flow *flow, struct colo_out *out)
{
	struct colo_stream *stream = &flow->stream;
	struct colo_packet *head;
	u32 count = 0;

	while ((head = colo_queue_head(&stream->p_acks)) && colo_stream_may_leave(flow, head)) {
		if (colo_conn_is_enough(&flow->conn, count++))
			return false;
		colo_queue_pop(&stream->p_acks);
		colo_stream_let_go(flow, head,
				   colo_packet_units(head) ? COLO_RELEASE_REPEAT : COLO_RELEASE_ACK,
				   out);
	}
	return true;
}

/**
 * colo_stream_release() - Release all that may leave by now.
 * @all_matched: false if there is more to match at once; then what may pass data has not its
 *		 turn yet, so that things leave in the same order as if a call were not bounded.
 *
 * New data leaves in the stream's order (rule order). What has no new data waits
 * for the secondary's ack only, and does not wait behind data.
 *
 * Return: false if the call has done enough, and there is more.
 */
bool colo_stream_release(struct colo_flow *flow, bool all_matched, struct colo_out *out)
{
	struct colo_packet *head;

	if (!release_queue(flow, out) || !all_matched || !release_acks(flow, out))
		return false;
	head = colo_queue_head(&flow->stream.p_queue);
	if (head)
		colo_stream_release_part(flow, head, out);
	send_kept_again(flow, out);
	return true;
}
