// SPDX-License-Identifier: GPL-2.0-only
/*
 * What nearly all packets are: the next bytes of a stream in which both guests keep step. A
 * shortcut through colo_flow.c and colo_stream.c, with the same outcome as the long way, which
 * is taken whenever anything is out of the ordinary.
 */
#include "colo_bytes.h"
#include "colo_failover.h"
#include "colo_flow.h"

static bool is_calm(const struct colo_stream *stream)
{
	const u32 known = COLO_STREAM_ANCHORED | COLO_STREAM_S_ENTERED | COLO_STREAM_P_ACK |
			  COLO_STREAM_S_ACK;

	return (stream->flags & (known | COLO_STREAM_DIVERGED)) == known &&
	       !stream->p_later.tail && !stream->s_later.tail && !stream->p_gap.root &&
	       !stream->s_gap.root && !stream->s_queue.tail && !stream->kept;
}

static bool is_plain(const struct colo_packet *packet)
{
	const u8 signs = COLO_TCP_SYN | COLO_TCP_FIN | COLO_TCP_RST | COLO_TCP_ACK;

	return (packet->tcp_flags & signs) == COLO_TCP_ACK && packet->payload_len &&
	       !(packet->options & COLO_OPT_SIGNED);
}

/* The primary's next bytes, of which the secondary has sent none: to be held. */
static bool primary_in_step(struct colo_flow *flow, struct colo_packet *packet, u64 now_ns,
			    struct colo_out *out)
{
	struct colo_stream *stream = &flow->stream;

	if (packet->seq != stream->p_end)
		return false;
	colo_stream_note_primary(stream, packet);
	if (!colo_node_hold(&flow->conn, packet, now_ns, out))
		return true;
	colo_queue_push(&stream->p_queue, packet);
	stream->p_end += packet->payload_len;
	if (!stream->p_cursor)
		stream->p_cursor = packet;
	return true;
}

/* The secondary's next bytes, which are the same as the primary's: it need not be held. */
static bool secondary_in_step(struct colo_flow *flow, struct colo_packet *packet, u64 now_ns,
			      struct colo_out *out)
{
	struct colo_stream *stream = &flow->stream;
	const struct colo_packet *p = stream->p_cursor;
	u32 len = packet->payload_len;

	if (!p || !is_plain(p) || p->seq != stream->matched || p->payload_len != len ||
	    packet->seq != stream->matched || stream->s_end != stream->matched ||
	    colo_bytes_equal(p, p->payload_offset, packet, packet->payload_offset, len,
			     flow->conn.node->config.chunk) != len)
		return false;
	colo_stream_note_secondary(stream, packet);
	stream->matched += len;
	stream->s_end += len;
	colo_stream_skip_matched(stream, out);
	colo_node_drop(packet, COLO_DROP_COMPARED, out);
	if (colo_node_may_speak(flow->conn.node, now_ns))
		colo_stream_release(flow, true, out);
	return true;
}

/** colo_lockstep() - True if the packet was in step, and is done with or held. */
bool colo_lockstep(struct colo_flow *flow, struct colo_packet *packet, u64 now_ns,
		   struct colo_out *out)
{
	if (flow->conn.node->mode != COLO_MODE_PROTECTED || !is_calm(&flow->stream) ||
	    !is_plain(packet))
		return false;
	if (packet->side == COLO_PRIMARY)
		return primary_in_step(flow, packet, now_ns, out);
	return secondary_in_step(flow, packet, now_ns, out);
}
