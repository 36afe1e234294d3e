// SPDX-License-Identifier: GPL-2.0-only
/*
 * A packet's way into its flow: which generation of the connection it belongs to,
 * whether there is a gap before it, and what a commit does to it all.
 */
#include "colo_flow.h"

#include "colo_failover.h"

void colo_flow_init(struct colo_flow *flow, struct colo_node *node, const struct colo_key *key,
		    u64 now_ns)
{
	memset(&flow->stream, 0, sizeof(flow->stream));
	colo_conn_init(&flow->conn, COLO_CONN_STREAM, node, key, now_ns);
}

static void drop_queue(struct colo_queue *queue, enum colo_reason reason, struct colo_out *out)
{
	struct colo_packet *packet;

	while ((packet = colo_queue_pop(queue)))
		colo_node_drop(packet, reason, out);
}

static void drop_heap(struct colo_heap *heap, enum colo_reason reason, struct colo_out *out)
{
	struct colo_packet *packet;

	while ((packet = colo_heap_pop(heap)))
		colo_node_drop(packet, reason, out);
}

static bool holds_this_generation(const struct colo_stream *stream)
{
	return stream->p_queue.tail || stream->p_acks.tail || stream->p_gap.root;
}

/* Behind the last packet, no gap between: compared as soon as the other side has as much. */
static void append_primary(struct colo_stream *stream, struct colo_packet *packet)
{
	colo_queue_push(&stream->p_queue, packet);
	stream->p_end = colo_max_pos(stream->p_end, colo_packet_end(packet));
	if (!stream->p_cursor)
		stream->p_cursor = packet;
}

static bool is_new_to(u32 position, const struct colo_packet *packet)
{
	return packet->tcp_flags & COLO_TCP_RST ||
	       (colo_packet_units(packet) && colo_after(colo_packet_end(packet), position));
}

static void close_primary_gap(struct colo_stream *stream)
{
	while (stream->p_gap.root && !colo_after(stream->p_gap.root->seq, stream->p_end)) {
		struct colo_packet *packet = colo_heap_pop(&stream->p_gap);

		if (is_new_to(stream->matched, packet))
			append_primary(stream, packet);
		else
			colo_queue_push(&stream->p_acks, packet);
	}
}

static void append_secondary(struct colo_stream *stream, struct colo_packet *packet,
			     struct colo_out *out)
{
	if (!is_new_to(stream->s_end, packet) || colo_stream_repeats_rst(stream, packet)) {
		colo_node_drop(packet, COLO_DROP_REPEAT, out);
		return;
	}
	colo_queue_push(&stream->s_queue, packet);
	stream->s_end = colo_max_pos(stream->s_end, colo_packet_end(packet));
}

/**
 * colo_flow_next_secondary() - What the secondary sent next; NULL if there is a gap before it.
 *
 * Behind a gap that has closed each is taken from the heap when its turn has come to be compared,
 * so that it is fetched into the caches once.
 */
struct colo_packet *colo_flow_next_secondary(struct colo_stream *stream, struct colo_out *out)
{
	if (!(stream->flags & COLO_STREAM_ANCHORED))
		return NULL;
	while (!stream->s_queue.tail && stream->s_gap.root &&
	       !colo_after(stream->s_gap.root->seq, stream->s_end))
		append_secondary(stream, colo_heap_pop(&stream->s_gap), out);
	return colo_queue_head(&stream->s_queue);
}

/*
 * First data of a connection that is older than its protection: from here on, or
 * from where the client has everything (rule tcp-adopt).
 */
static void adopt(struct colo_stream *stream, const struct colo_packet *packet)
{
	u32 start = packet->seq;

	if (stream->flags & COLO_STREAM_C_ACK)
		start = colo_max_pos(start, stream->c_ack);
	stream->flags |= COLO_STREAM_ANCHORED | COLO_STREAM_S_ENTERED;
	stream->matched = start;
	stream->p_end = start;
	stream->s_end = start;
	stream->out_end = start;
}

/* No new data: it waits for the secondary's ack only. */
static void place_repeat(struct colo_flow *flow, struct colo_packet *packet, bool may_repeat,
			 u64 now_ns, struct colo_out *out)
{
	bool repeats = colo_packet_units(packet) || packet->tcp_flags & COLO_TCP_RST;

	if (colo_node_may_speak(flow->conn.node, now_ns) &&
	    (may_repeat || colo_stream_may_leave(flow, packet)))
		colo_stream_let_go(flow, packet, repeats ? COLO_RELEASE_REPEAT : COLO_RELEASE_ACK,
				   out);
	else if (colo_node_hold(&flow->conn, packet, now_ns, out))
		colo_queue_push(&flow->stream.p_acks, packet);
}

/* A primary packet of the current generation. */
static void place_primary(struct colo_flow *flow, struct colo_packet *packet, u64 now_ns,
			  struct colo_out *out)
{
	struct colo_stream *stream = &flow->stream;
	bool is_signed = packet->options & COLO_OPT_SIGNED;
	bool may_repeat = colo_stream_may_repeat(stream, packet);

	colo_stream_note_primary(stream, packet);
	if (!(stream->flags & COLO_STREAM_ANCHORED) &&
	    (packet->tcp_flags & COLO_TCP_RST || colo_packet_units(packet)))
		adopt(stream, packet);

	if (!is_signed && (colo_stream_repeats_rst(stream, packet) ||
			   !is_new_to(stream->matched, packet))) {
		place_repeat(flow, packet, may_repeat, now_ns, out);
	} else if (!colo_node_hold(&flow->conn, packet, now_ns, out)) {
		return;
	} else if (colo_after(packet->seq, stream->p_end)) {
		colo_heap_insert(&stream->p_gap, packet);
	} else {
		append_primary(stream, packet);
		close_primary_gap(stream);
	}
	/* Its window, ack and stamp cannot be lowered to what the secondary can keep. */
	if (is_signed)
		colo_stream_diverge(flow, COLO_MISMATCH_UNSUPPORTED, now_ns, out);
}

/*
 * The secondary says again what the client has acknowledged: that ack was lost on its way to the
 * secondary, and the client will not repeat it (rule tcp-remirror).
 */
static void remirror(const struct colo_stream *stream, struct colo_packet *packet,
		     struct colo_out *out)
{
	if (!(stream->flags & COLO_STREAM_C_ACK) || !(packet->tcp_flags & COLO_TCP_ACK) ||
	    packet->tcp_flags & COLO_TCP_RST || colo_after(colo_packet_end(packet), stream->c_ack))
		return;
	out->remirror.packet = packet;
	out->remirror.ack = stream->c_ack;
	out->remirror.window = stream->c_window;
}

/* A secondary packet of the current generation. */
static void place_secondary(struct colo_flow *flow, struct colo_packet *packet, u64 now_ns,
			    struct colo_out *out)
{
	struct colo_stream *stream = &flow->stream;
	bool anchored = stream->flags & COLO_STREAM_ANCHORED;
	bool rst = packet->tcp_flags & COLO_TCP_RST;

	colo_stream_note_secondary(stream, packet);
	if (packet->options & COLO_OPT_SIGNED)
		colo_stream_diverge(flow, COLO_MISMATCH_UNSUPPORTED, now_ns, out);
	if (!rst && !colo_packet_units(packet)) {
		colo_node_drop(packet, COLO_DROP_COMPARED, out);
	} else if (stream->flags & COLO_STREAM_DIVERGED) {
		colo_node_drop(packet, COLO_DROP_DIVERGED, out);
	} else if (colo_stream_repeats_rst(stream, packet) ||
		   (anchored && !is_new_to(stream->s_end, packet))) {
		remirror(stream, packet, out);
		colo_node_drop(packet, COLO_DROP_REPEAT, out);
	} else if (!colo_node_hold_extra(&flow->conn, packet, now_ns, out)) {
		return;
	} else if (!anchored || colo_after(packet->seq, stream->s_end)) {
		colo_heap_insert(&stream->s_gap, packet);
	} else {
		append_secondary(stream, packet, out);
	}
}

enum generation { GENERATION_OLD, GENERATION_CURRENT, GENERATION_NEXT };

static bool is_refusal(const struct colo_stream *stream, const struct colo_packet *packet)
{
	return stream->flags & COLO_STREAM_C_OPENS && colo_packet_refuses(packet, stream->c_isn);
}

static enum generation secondary_syn_generation(const struct colo_stream *stream,
						const struct colo_packet *syn)
{
	bool answers = syn->tcp_flags & COLO_TCP_ACK && stream->flags & COLO_STREAM_PASSIVE;

	if (!(stream->flags & COLO_STREAM_P_SYN))
		return GENERATION_NEXT;
	if (stream->flags & COLO_STREAM_S_ENTERED) {
		/* Answering one SYN again it may number anew (rule fix-duplicate-syn). */
		bool repeats = syn->seq == stream->p_isn ||
			       (stream->flags & COLO_STREAM_S_SYN && syn->seq == stream->s_isn) ||
			       (answers && syn->ack == stream->p_syn_ack);

		return repeats ? GENERATION_CURRENT : GENERATION_NEXT;
	}
	/* It answers another SYN of the client than the primary's did. */
	if (answers && syn->ack != stream->p_syn_ack)
		return stream->flags & COLO_STREAM_C_SYN && syn->ack == stream->c_isn + 1 ?
			       GENERATION_NEXT :
			       GENERATION_OLD;
	return GENERATION_CURRENT;
}

static enum generation secondary_generation(const struct colo_stream *stream,
					    const struct colo_packet *packet)
{
	if (colo_packet_is_syn(packet))
		return secondary_syn_generation(stream, packet);
	if (stream->s_later.tail || is_refusal(stream, packet))
		return GENERATION_NEXT;
	if (stream->flags & COLO_STREAM_P_SYN && !(stream->flags & COLO_STREAM_S_ENTERED))
		return GENERATION_OLD;
	return GENERATION_CURRENT;
}

static void secondary_input(struct colo_flow *flow, struct colo_packet *packet, u64 now_ns,
			    struct colo_out *out)
{
	struct colo_stream *stream = &flow->stream;

	switch (secondary_generation(stream, packet)) {
	case GENERATION_OLD:
		colo_node_drop(packet, COLO_DROP_GENERATION, out);
		break;
	case GENERATION_NEXT:
		if (colo_node_hold_extra(&flow->conn, packet, now_ns, out))
			colo_queue_push(&stream->s_later, packet);
		break;
	case GENERATION_CURRENT:
		if (colo_packet_is_syn(packet)) {
			stream->s_isn = packet->seq;
			stream->flags |= COLO_STREAM_S_ENTERED | COLO_STREAM_S_SYN;
			/* Each guest chose its own (rule tcp-syn); positions are the primary's. */
			packet->seq = stream->p_isn;
		}
		place_secondary(flow, packet, now_ns, out);
		break;
	}
}

static bool begins_generation(const struct colo_stream *stream, const struct colo_packet *packet)
{
	if (!colo_packet_is_syn(packet))
		return is_refusal(stream, packet);
	return !(stream->flags & COLO_STREAM_P_SYN && packet->seq == stream->p_isn);
}

static void begin_generation(struct colo_flow *flow, struct colo_packet *first, u64 now_ns,
			     struct colo_out *out)
{
	struct colo_stream *stream = &flow->stream;
	struct colo_queue ahead;
	struct colo_packet *packet;

	drop_queue(&stream->s_queue, COLO_DROP_GENERATION, out);
	drop_heap(&stream->s_gap, COLO_DROP_GENERATION, out);
	if (stream->kept)
		colo_node_drop(stream->kept, COLO_DROP_SUPERSEDED, out);
	colo_stream_begin(stream, first);
	place_primary(flow, first, now_ns, out);

	/* The secondary may have been here before. */
	ahead = stream->s_later;
	stream->s_later.tail = NULL;
	while ((packet = colo_queue_pop(&ahead)))
		secondary_input(flow, packet, now_ns, out);
}

static void primary_input(struct colo_flow *flow, struct colo_packet *packet, u64 now_ns,
			  struct colo_out *out)
{
	struct colo_stream *stream = &flow->stream;
	bool begins = begins_generation(stream, packet);

	if (stream->p_later.tail || (begins && holds_this_generation(stream))) {
		if (colo_node_hold(&flow->conn, packet, now_ns, out))
			colo_queue_push(&stream->p_later, packet);
	} else if (begins) {
		begin_generation(flow, packet, now_ns, out);
	} else {
		place_primary(flow, packet, now_ns, out);
	}
}

/* False if it stopped on the way, as a call is bounded. */
static bool match_and_release(struct colo_flow *flow, u64 now_ns, struct colo_out *out)
{
	bool all = colo_stream_match(flow, now_ns, out);

	return colo_node_may_speak(flow->conn.node, now_ns) ?
		       colo_stream_release(flow, all, out) :
		       all;
}

/* When all of one generation has left, the next one begins. */
static void begin_later(struct colo_flow *flow, u64 now_ns, struct colo_out *out)
{
	struct colo_stream *stream = &flow->stream;

	while (stream->p_later.tail && !holds_this_generation(stream)) {
		struct colo_queue later = stream->p_later;
		struct colo_packet *packet;

		stream->p_later.tail = NULL;
		while ((packet = colo_queue_pop(&later)))
			primary_input(flow, packet, now_ns, out);
		match_and_release(flow, now_ns, out);
	}
}

/*
 * The client has done with the connection: what it would have been sent is of no
 * use to it. Should it go on all the same, both guests retransmit.
 */
static void discard(struct colo_stream *stream, struct colo_out *out)
{
	drop_queue(&stream->p_queue, COLO_DROP_CLIENT_ENDED, out);
	drop_heap(&stream->p_gap, COLO_DROP_CLIENT_ENDED, out);
	drop_queue(&stream->p_acks, COLO_DROP_CLIENT_ENDED, out);
	drop_queue(&stream->p_later, COLO_DROP_CLIENT_ENDED, out);
	drop_queue(&stream->s_queue, COLO_DROP_CLIENT_ENDED, out);
	drop_heap(&stream->s_gap, COLO_DROP_CLIENT_ENDED, out);
	drop_queue(&stream->s_later, COLO_DROP_CLIENT_ENDED, out);
	if (stream->kept)
		colo_node_drop(stream->kept, COLO_DROP_CLIENT_ENDED, out);
	stream->kept = NULL;
	stream->p_cursor = NULL;
	stream->p_end = stream->matched;
	stream->s_end = stream->matched;
}

/* RFC 9293, 3.10.7.4: a reset counts inside the window only. */
static bool is_valid_client_rst(const struct colo_stream *stream, const struct colo_packet *packet)
{
	if (!(stream->flags & COLO_STREAM_OUT_ACK))
		return true;
	return !colo_before(packet->seq, stream->out_ack) &&
	       !colo_after(packet->seq, stream->out_edge);
}

static void inbound_syn(struct colo_stream *stream, const struct colo_packet *packet,
			struct colo_out *out)
{
	bool answers = packet->tcp_flags & COLO_TCP_ACK;

	if (answers && !(stream->flags & COLO_STREAM_P_SYN && packet->ack == stream->p_isn + 1))
		return;
	if (stream->flags & COLO_STREAM_C_SYN && stream->c_isn == packet->seq)
		return;
	stream->flags |= COLO_STREAM_C_SYN;
	if (!answers) {
		discard(stream, out);
		stream->flags |= COLO_STREAM_C_OPENS;
	}
	stream->c_isn = packet->seq;
	stream->flags &= ~(u32)(COLO_STREAM_C_WSCALE | COLO_STREAM_C_FIN);
	if (packet->options & COLO_OPT_WSCALE)
		stream->flags |= COLO_STREAM_C_WSCALE;
	if (answers)
		colo_stream_set_scale(stream);
}

/* An ack of an earlier connection may still be on its way. */
static bool is_news_of_client(const struct colo_stream *stream, const struct colo_packet *packet)
{
	if (stream->flags & COLO_STREAM_ANCHORED && colo_after(packet->ack, stream->p_end))
		return false;
	if (stream->flags & COLO_STREAM_P_SYN && !colo_after(packet->ack, stream->p_isn))
		return false;
	return !(stream->flags & COLO_STREAM_C_ACK) || !colo_before(packet->ack, stream->c_ack);
}

static void inbound(struct colo_flow *flow, const struct colo_packet *packet, struct colo_out *out)
{
	struct colo_stream *stream = &flow->stream;

	if (packet->tcp_flags & COLO_TCP_RST) {
		if (is_valid_client_rst(stream, packet)) {
			discard(stream, out);
			stream->flags |= COLO_STREAM_C_RST;
		}
		return;
	}
	if (packet->tcp_flags & COLO_TCP_SYN)
		inbound_syn(stream, packet, out);
	if (packet->tcp_flags & COLO_TCP_ACK && is_news_of_client(stream, packet)) {
		stream->c_ack = packet->ack;
		stream->c_window = packet->window;
		stream->flags |= COLO_STREAM_C_ACK;
	}
	if (packet->tcp_flags & COLO_TCP_FIN)
		stream->flags |= COLO_STREAM_C_FIN;
}

/* A connection that is over, or that the client never confirmed, is soon forgotten. */
static void update_closed(struct colo_flow *flow)
{
	const u32 both_fins = COLO_STREAM_P_FIN | COLO_STREAM_C_FIN;
	u32 flags = flow->stream.flags;
	bool confirmed = flags & COLO_STREAM_C_ACK;
	bool over = flags & (COLO_STREAM_P_RST | COLO_STREAM_C_RST) ||
		    (flags & both_fins) == both_fins;

	colo_conn_set_closed(&flow->conn, over || !confirmed);
}

/* Segments that matched before pass what is held, with the rest still waiting (tcp-retransmit). */
static void release_repeated_part(struct colo_flow *flow, struct colo_packet *packet, u64 now_ns,
				  struct colo_out *out)
{
	if (packet->gso_size && packet->side == COLO_PRIMARY && colo_packet_is_held(packet) &&
	    !flow->stream.p_later.tail && colo_node_may_speak(flow->conn.node, now_ns))
		colo_stream_release_part(flow, packet, out);
}

static void outbound(struct colo_flow *flow, struct colo_packet *packet, u64 now_ns,
		     struct colo_out *out)
{
	if (colo_node_shuts_out(packet, out))
		return;
	/* Nobody to wait for, but one that joins will begin where the primary is by then. */
	if (colo_node_is_alone(flow->conn.node)) {
		colo_flow_pass(packet, COLO_RELEASE_UNPROTECTED, out);
		return;
	}
	if (packet->side == COLO_PRIMARY)
		primary_input(flow, packet, now_ns, out);
	else
		secondary_input(flow, packet, now_ns, out);
	/* While older data is still to leave, nothing passes it. */
	if (match_and_release(flow, now_ns, out))
		release_repeated_part(flow, packet, now_ns, out);
	begin_later(flow, now_ns, out);
}

void colo_flow_input(struct colo_flow *flow, struct colo_packet *packet, u64 now_ns,
		     struct colo_out *out)
{
	if (flow->conn.epoch != flow->conn.node->epoch)
		colo_flow_rebase(flow);
	colo_conn_touch(&flow->conn, now_ns);
	if (packet->side == COLO_INBOUND) {
		inbound(flow, packet, out);
	} else {
		packet->conn = &flow->conn;
		packet->arrived_ns = now_ns;
		if (colo_lockstep(flow, packet, now_ns, out))
			return;
		outbound(flow, packet, now_ns, out);
	}
	update_closed(flow);
}

/**
 * colo_flow_rebase() - Everything becomes the primary's (rule ckpt-rebase).
 *
 * The queues are forgotten, not walked: all that was in them is on the node's lists,
 * from where the commit has taken it.
 */
void colo_flow_rebase(struct colo_flow *flow)
{
	struct colo_stream *stream = &flow->stream;

	flow->conn.epoch = flow->conn.node->epoch;
	stream->p_queue.tail = NULL;
	stream->p_cursor = NULL;
	stream->p_gap.root = NULL;
	stream->p_acks.tail = NULL;
	stream->p_later.tail = NULL;
	stream->s_queue.tail = NULL;
	stream->s_gap.root = NULL;
	stream->s_later.tail = NULL;
	stream->kept = NULL;

	stream->flags &= ~(u32)(COLO_STREAM_DIVERGED | COLO_STREAM_S_SYN | COLO_STREAM_S_ACK);
	stream->flags |= COLO_STREAM_S_ENTERED;
	if (stream->flags & COLO_STREAM_P_ACK)
		stream->flags |= COLO_STREAM_S_ACK;
	stream->matched = stream->p_end;
	stream->s_end = stream->p_end;
	stream->s_ack = stream->p_ack;
	stream->s_edge = stream->p_edge;
	stream->s_window = stream->p_window;
}

/**
 * colo_flow_pass() - Release one primary packet that need not match.
 * @packet: held, and covered by a checkpoint; or of a primary that nobody protects.
 *
 * The stream follows it: bytes behind a gap and connections that had to wait for
 * their turn are the primary's past as well.
 */
void colo_flow_pass(struct colo_packet *packet, enum colo_reason reason, struct colo_out *out)
{
	struct colo_flow *flow = container_of(packet->conn, struct colo_flow, conn);
	struct colo_stream *stream = &flow->stream;
	bool counts = packet->tcp_flags & COLO_TCP_RST || colo_packet_units(packet);

	if (flow->conn.epoch != flow->conn.node->epoch)
		colo_flow_rebase(flow);
	if (begins_generation(stream, packet))
		colo_stream_begin(stream, packet);
	colo_stream_note_primary(stream, packet);
	if (counts && !(stream->flags & COLO_STREAM_ANCHORED)) {
		stream->flags |= COLO_STREAM_ANCHORED;
		stream->p_end = colo_packet_end(packet);
		stream->out_end = packet->seq;
	}
	stream->p_end = colo_max_pos(stream->p_end, colo_packet_end(packet));
	if (packet->tcp_flags & COLO_TCP_FIN)
		stream->flags |= COLO_STREAM_P_FIN;
	if (packet->tcp_flags & COLO_TCP_RST) {
		stream->flags |= COLO_STREAM_P_RST;
		stream->rst = packet->seq;
	}
	colo_flow_rebase(flow);
	colo_stream_leave(flow, packet, reason, out);
}

/** colo_flow_resume() - Release what may leave by now. */
void colo_flow_resume(struct colo_flow *flow, u64 now_ns, struct colo_out *out)
{
	match_and_release(flow, now_ns, out);
	begin_later(flow, now_ns, out);
	update_closed(flow);
}

/*
 * Has the primary sent it as well, or the client acknowledged it before protection began? Or may
 * it be behind a gap of the primary, whose own packets have a timeout? Then it is not extra.
 */
static bool is_known(const struct colo_stream *stream, const struct colo_packet *packet)
{
	/* The primary's would have begun the generation. */
	if (colo_packet_is_syn(packet))
		return false;
	if (stream->p_gap.root)
		return true;
	if (stream->flags & COLO_STREAM_ANCHORED)
		return !is_new_to(stream->p_end, packet);
	return stream->flags & COLO_STREAM_C_ACK && !is_new_to(stream->c_ack, packet);
}

/**
 * colo_flow_extra_expired() - A packet of the secondary has waited for its partner too long.
 *
 * Nothing unsafe has left, but the secondary has gone its own way (rule secondary-extra).
 */
void colo_flow_extra_expired(struct colo_packet *oldest, u64 now_ns, struct colo_out *out)
{
	struct colo_flow *flow = container_of(oldest->conn, struct colo_flow, conn);
	struct colo_mismatch mismatch = {
		.reason = COLO_MISMATCH_EXTRA,
		.position = oldest->seq,
	};

	if (oldest->tcp_flags & COLO_TCP_RST && oldest == colo_queue_head(&flow->stream.s_queue)) {
		/* Nobody's byte; what the primary goes on to send will miss its partner. */
		colo_node_drop(colo_queue_pop(&flow->stream.s_queue), COLO_DROP_EXPIRED, out);
		return;
	}
	if (oldest->tcp_flags & COLO_TCP_RST || is_known(&flow->stream, oldest)) {
		oldest->arrived_ns = now_ns;
		list_move_tail(&oldest->held, &flow->conn.node->extra);
		return;
	}
	if (flow->stream.flags & COLO_STREAM_ANCHORED && !colo_packet_is_syn(oldest))
		mismatch.position = colo_max_pos(mismatch.position, flow->stream.p_end);
	colo_node_mismatch(&flow->conn, &mismatch, now_ns, out);
}

/** colo_flow_timeout_reason() - Which of the secondary's things a packet waited for. */
enum colo_reason colo_flow_timeout_reason(const struct colo_flow *flow,
					  const struct colo_packet *packet)
{
	return is_new_to(flow->stream.matched, packet) ? COLO_MISMATCH_TIMEOUT_DATA :
							 COLO_MISMATCH_TIMEOUT_ACK;
}
