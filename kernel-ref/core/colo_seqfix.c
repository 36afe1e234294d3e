// SPDX-License-Identifier: GPL-2.0-only
#include "colo_seqfix.h"

#include "colo_icmp.h"

/* More than a handshake and a first window never waits for one offset. */
#define WAITING_MAX 64

void colo_seqfix_init(struct colo_seqfix *fix, struct colo_node *node, const struct colo_key *key,
		      u64 now_ns)
{
	memset(fix, 0, sizeof(*fix));
	colo_conn_init(&fix->conn, COLO_CONN_SEQFIX, node, key, now_ns);
	colo_conn_set_closed(&fix->conn, true); /* until its handshake is over */
}

static bool knows(const struct colo_seqfix *fix, u32 flag)
{
	return fix->flags & flag;
}

static bool is_failed_over(const struct colo_seqfix *fix)
{
	return fix->conn.node->failed_over;
}

/* Without shim or primary nobody tells: the client's own packets have to teach. */
static bool learns_from_client(const struct colo_seqfix *fix)
{
	return fix->conn.node->config.plain || is_failed_over(fix);
}

static void set_offset(struct colo_seqfix *fix, u32 p_isn)
{
	fix->offset = p_isn - fix->s_isn;
	fix->flags |= COLO_SEQFIX_OFFSET;
}

/* Rule fix-hint: pair the secondary's SYN with what the primary sent for the same one. */
static void use_hint(struct colo_seqfix *fix)
{
	bool active = knows(fix, COLO_SEQFIX_ACTIVE);

	if (!knows(fix, COLO_SEQFIX_HINT) || !knows(fix, COLO_SEQFIX_S_SYN) ||
	    knows(fix, COLO_SEQFIX_COMPLETE) || active != knows(fix, COLO_SEQFIX_HINT_ACTIVE))
		return;
	if (!active && fix->hint_ack != fix->c_isn + 1)
		return;
	fix->flags |= COLO_SEQFIX_HINT_USED;
	set_offset(fix, fix->hint_isn);
	if (knows(fix, COLO_SEQFIX_HINT_TS) && knows(fix, COLO_SEQFIX_S_TS))
		fix->ts_offset = fix->hint_tsval - fix->s_tsval;
}

/*
 * Rules fix-passive, fix-active without a hint. Only the ack of exactly the SYN says
 * where the primary's numbering began, and only without data behind it is it sure.
 */
static void learn_from_client(struct colo_seqfix *fix, const struct colo_packet *packet)
{
	bool answers_syn = packet->tcp_flags & COLO_TCP_SYN;

	if (!learns_from_client(fix) || !(packet->tcp_flags & COLO_TCP_ACK) ||
	    packet->tcp_flags & COLO_TCP_RST || !knows(fix, COLO_SEQFIX_S_SYN) ||
	    knows(fix, COLO_SEQFIX_OFFSET) || answers_syn != knows(fix, COLO_SEQFIX_ACTIVE))
		return;
	if (!answers_syn && (packet->payload_len || packet->seq != fix->c_isn + 1))
		return;
	set_offset(fix, packet->ack - 1);
	if (packet->options & COLO_OPT_TIMESTAMPS && knows(fix, COLO_SEQFIX_S_TS))
		fix->ts_offset = colo_packet_tsecr(packet) - fix->s_tsval;
}

static void edit_outgoing(struct colo_seqfix *fix, struct colo_packet *packet)
{
	struct colo_edit *edit = &packet->edit;
	u32 tsval = packet->tsval + fix->ts_offset;

	if (fix->offset) {
		edit->seq = packet->seq + fix->offset;
		edit->mask |= COLO_EDIT_SEQ;
	}
	if (!(packet->options & COLO_OPT_TIMESTAMPS))
		return;
	/* The client drops what is older than it has seen (rule fix-timestamps). */
	if (is_failed_over(fix) && knows(fix, COLO_SEQFIX_ECHOED))
		tsval = colo_max_pos(tsval, fix->echoed_tsval);
	if (tsval != packet->tsval) {
		edit->timestamp = tsval;
		edit->mask |= COLO_EDIT_TSVAL;
	}
}

static void edit_incoming(struct colo_seqfix *fix, struct colo_packet *packet)
{
	struct colo_edit *edit = &packet->edit;

	if (!(packet->tcp_flags & COLO_TCP_ACK))
		return;
	if (!(packet->tcp_flags & COLO_TCP_SYN))
		fix->flags |= COLO_SEQFIX_COMPLETE;
	if (fix->offset) {
		edit->ack = packet->ack - fix->offset;
		edit->mask |= COLO_EDIT_ACK;
		if (packet->options & COLO_OPT_SACK)
			edit->mask |= COLO_EDIT_SACK;
	}
	if (packet->options & COLO_OPT_TIMESTAMPS && fix->ts_offset) {
		edit->timestamp = colo_packet_tsecr(packet) - fix->ts_offset;
		edit->mask |= COLO_EDIT_TSECR;
	}
}

/*
 * Entries go when the connection closes, whoever closes it, and soon when its handshake
 * never ends (rule fix-close). What comes after a reset shows that it was a stray one.
 */
static void note_close(struct colo_seqfix *fix, const struct colo_packet *packet)
{
	const u32 both = COLO_SEQFIX_OUT_FIN | COLO_SEQFIX_IN_FIN;

	if (packet->tcp_flags & COLO_TCP_FIN)
		fix->flags |= packet->side == COLO_INBOUND ? COLO_SEQFIX_IN_FIN :
							     COLO_SEQFIX_OUT_FIN;
	colo_conn_set_closed(&fix->conn, packet->tcp_flags & COLO_TCP_RST ||
						 (fix->flags & both) == both ||
						 !knows(fix, COLO_SEQFIX_COMPLETE));
}

static void pass(struct colo_seqfix *fix, struct colo_packet *packet, struct colo_out *out)
{
	packet->edit.mask = 0;
	if (packet->side != COLO_INBOUND && packet->options & COLO_OPT_MP_CAPABLE)
		packet->edit.mask = COLO_EDIT_MP_CAPABLE;
	if (knows(fix, COLO_SEQFIX_OFFSET)) {
		if (packet->side == COLO_INBOUND)
			edit_incoming(fix, packet);
		else
			edit_outgoing(fix, packet);
	}
	note_close(fix, packet);
	colo_node_release(packet, packet->edit.mask ? COLO_RELEASE_FIXED : COLO_RELEASE_UNFIXED,
			  out);
}

static void wait(struct colo_seqfix *fix, struct colo_packet *packet, u64 now_ns,
		 struct colo_out *out)
{
	/* Looked at again it waits already, and counts as one of them. */
	if (fix->conn.held >= WAITING_MAX && list_empty(&packet->held))
		colo_node_drop(packet, COLO_DROP_LIMIT, out);
	else if (colo_node_hold(&fix->conn, packet, now_ns, out))
		colo_queue_push(&fix->waiting, packet);
}

static void pass_waiting(struct colo_seqfix *fix, struct colo_out *out)
{
	struct colo_packet *packet;

	while ((packet = colo_queue_pop(&fix->waiting)))
		pass(fix, packet, out);
}

static void rebase(struct colo_seqfix *fix)
{
	fix->conn.epoch = fix->conn.node->epoch;
	fix->waiting.tail = NULL; /* dropped by the commit */
	fix->flags = 0;
	fix->offset = 0;
	fix->ts_offset = 0;
}

static void touch(struct colo_seqfix *fix, u64 now_ns)
{
	if (fix->conn.epoch != fix->conn.node->epoch)
		rebase(fix);
	colo_conn_touch(&fix->conn, now_ns);
}

/* Forget all but the hint, which may be ahead of the secondary. */
static void begin_generation(struct colo_seqfix *fix)
{
	fix->flags &= COLO_SEQFIX_HINT | COLO_SEQFIX_HINT_ACTIVE | COLO_SEQFIX_HINT_TS |
		      COLO_SEQFIX_HINT_USED;
	fix->offset = 0;
	fix->ts_offset = 0;
}

/* A repetition of the SYN whose handshake is over teaches nothing (rule fix-duplicate-syn). */
static bool is_old_syn(const struct colo_seqfix *fix, const struct colo_packet *syn)
{
	bool passive = syn->tcp_flags & COLO_TCP_ACK;

	if (!knows(fix, COLO_SEQFIX_COMPLETE))
		return false;
	return passive ? syn->ack == fix->c_isn + 1 : syn->seq == fix->s_isn;
}

static void learn_secondary_syn(struct colo_seqfix *fix, const struct colo_packet *syn)
{
	bool passive = syn->tcp_flags & COLO_TCP_ACK;
	/* The guest opens anew: the hint for its last connection says nothing about this. */
	bool reopens = knows(fix, COLO_SEQFIX_COMPLETE) && knows(fix, COLO_SEQFIX_ACTIVE);

	if (reopens && knows(fix, COLO_SEQFIX_HINT_USED))
		fix->flags &= ~(u32)COLO_SEQFIX_HINT;
	begin_generation(fix);
	fix->flags |= COLO_SEQFIX_S_SYN;
	fix->s_isn = syn->seq;
	if (passive)
		fix->c_isn = syn->ack - 1;
	else
		fix->flags |= COLO_SEQFIX_ACTIVE;
	if (syn->options & COLO_OPT_TIMESTAMPS) {
		fix->flags |= COLO_SEQFIX_S_TS;
		fix->s_tsval = syn->tsval;
	}
	use_hint(fix);
}

static void outgoing(struct colo_seqfix *fix, struct colo_packet *packet, u64 now_ns,
		     struct colo_out *out);
static void incoming(struct colo_seqfix *fix, struct colo_packet *packet, u64 now_ns,
		     struct colo_out *out);

/* What waited for a hint may teach now, or need no teacher. */
static void retry_waiting(struct colo_seqfix *fix, u64 now_ns, struct colo_out *out)
{
	struct colo_queue waiting = fix->waiting;
	struct colo_packet *packet;

	fix->waiting.tail = NULL;
	while ((packet = colo_queue_pop(&waiting))) {
		if (packet->side == COLO_INBOUND)
			incoming(fix, packet, now_ns, out);
		else
			outgoing(fix, packet, now_ns, out);
	}
}

static void outgoing_syn(struct colo_seqfix *fix, struct colo_packet *packet, u64 now_ns,
			 struct colo_out *out)
{
	if (!is_old_syn(fix, packet))
		learn_secondary_syn(fix, packet);
	if (knows(fix, COLO_SEQFIX_OFFSET)) {
		pass(fix, packet, out);
		pass_waiting(fix, out);
	} else if (learns_from_client(fix)) {
		/* The comparison knows that SYNs differ in it. */
		pass(fix, packet, out);
		retry_waiting(fix, now_ns, out);
	} else {
		wait(fix, packet, now_ns, out);
	}
}

static void outgoing(struct colo_seqfix *fix, struct colo_packet *packet, u64 now_ns,
		     struct colo_out *out)
{
	if (packet->tcp_flags & COLO_TCP_SYN) {
		outgoing_syn(fix, packet, now_ns, out);
		return;
	}
	if (knows(fix, COLO_SEQFIX_OPENING) && colo_packet_refuses(packet, fix->opening_isn))
		begin_generation(fix);
	if (knows(fix, COLO_SEQFIX_S_SYN) && !knows(fix, COLO_SEQFIX_OFFSET)) {
		wait(fix, packet, now_ns, out);
		return;
	}
	/* The guest answers the client's SYN as one that it takes for a stray one. */
	fix->flags &= ~(u32)COLO_SEQFIX_OPENING;
	pass(fix, packet, out);
	pass_waiting(fix, out);
}

/*
 * The primary's SYN left either because the secondary had sent its own, or by a checkpoint, since
 * when the secondary is one that has sent the very same (rule fix-checkpoint).
 */
static void learn_from_answer(struct colo_seqfix *fix, const struct colo_packet *syn_ack)
{
	if (knows(fix, COLO_SEQFIX_S_SYN) || learns_from_client(fix))
		return;
	fix->flags |= COLO_SEQFIX_S_SYN | COLO_SEQFIX_ACTIVE | COLO_SEQFIX_COMPLETE;
	fix->s_isn = syn_ack->ack - 1;
	set_offset(fix, fix->s_isn);
}

static void incoming_syn(struct colo_seqfix *fix, struct colo_packet *packet, u64 now_ns,
			 struct colo_out *out)
{
	if (packet->tcp_flags & COLO_TCP_ACK) {
		learn_from_client(fix, packet);
		learn_from_answer(fix, packet);
		if (knows(fix, COLO_SEQFIX_OFFSET))
			pass(fix, packet, out);
		else
			wait(fix, packet, now_ns, out);
		return;
	}
	if (!knows(fix, COLO_SEQFIX_S_SYN) || packet->seq != fix->c_isn) {
		fix->flags |= COLO_SEQFIX_OPENING;
		fix->opening_isn = packet->seq;
		if (!knows(fix, COLO_SEQFIX_S_SYN))
			fix->c_isn = packet->seq;
	}
	pass(fix, packet, out);
}

static void incoming(struct colo_seqfix *fix, struct colo_packet *packet, u64 now_ns,
		     struct colo_out *out)
{
	bool acks = packet->tcp_flags & COLO_TCP_ACK;

	if (packet->options & COLO_OPT_TIMESTAMPS && acks) {
		u32 tsecr = colo_packet_tsecr(packet);

		if (knows(fix, COLO_SEQFIX_ECHOED))
			tsecr = colo_max_pos(fix->echoed_tsval, tsecr);
		fix->echoed_tsval = tsecr;
		fix->flags |= COLO_SEQFIX_ECHOED;
	}
	if (packet->tcp_flags & COLO_TCP_SYN) {
		incoming_syn(fix, packet, now_ns, out);
		return;
	}
	learn_from_client(fix, packet);
	if (acks && (knows(fix, COLO_SEQFIX_OPENING) ||
		     (knows(fix, COLO_SEQFIX_S_SYN) && !knows(fix, COLO_SEQFIX_OFFSET)))) {
		wait(fix, packet, now_ns, out);
		return;
	}
	pass_waiting(fix, out);
	pass(fix, packet, out);
}

void colo_seqfix_input(struct colo_seqfix *fix, struct colo_packet *packet, u64 now_ns,
		       struct colo_out *out)
{
	touch(fix, now_ns);
	packet->conn = &fix->conn;
	packet->arrived_ns = now_ns;
	if (packet->side == COLO_INBOUND)
		incoming(fix, packet, now_ns, out);
	else
		outgoing(fix, packet, now_ns, out);
}

void colo_seqfix_icmp(struct colo_seqfix *fix, struct colo_packet *packet, struct colo_out *out)
{
	bool still = fix->conn.epoch == fix->conn.node->epoch;

	packet->conn = &fix->conn;
	packet->edit.mask = 0;
	if (still && knows(fix, COLO_SEQFIX_OFFSET) && fix->offset) {
		packet->edit.seq = colo_get32(packet->head + colo_icmp_quoted_seq(packet)) -
				   fix->offset;
		packet->edit.mask = COLO_EDIT_QUOTED_SEQ;
	}
	colo_node_release(packet, packet->edit.mask ? COLO_RELEASE_FIXED : COLO_RELEASE_UNFIXED,
			  out);
}

void colo_seqfix_hint(struct colo_seqfix *fix, const struct colo_packet *packet, u64 now_ns,
		      struct colo_out *out)
{
	touch(fix, now_ns);
	if (!(packet->tcp_flags & COLO_TCP_SYN))
		return;
	if (fix->hint_isn != packet->seq || fix->hint_ack != packet->ack)
		fix->flags &= ~(u32)COLO_SEQFIX_HINT_USED;
	fix->flags &= ~(u32)(COLO_SEQFIX_HINT_ACTIVE | COLO_SEQFIX_HINT_TS);
	fix->flags |= COLO_SEQFIX_HINT;
	fix->hint_isn = packet->seq;
	fix->hint_ack = packet->ack;
	if (!(packet->tcp_flags & COLO_TCP_ACK))
		fix->flags |= COLO_SEQFIX_HINT_ACTIVE;
	if (packet->options & COLO_OPT_TIMESTAMPS) {
		fix->flags |= COLO_SEQFIX_HINT_TS;
		fix->hint_tsval = packet->tsval;
	}
	use_hint(fix);
	if (knows(fix, COLO_SEQFIX_OFFSET) && !knows(fix, COLO_SEQFIX_OPENING))
		pass_waiting(fix, out);
}

/** colo_seqfix_fail_over() - Nobody will tell any more what a waiting packet waits for. */
void colo_seqfix_fail_over(struct colo_packet *waiting, u64 now_ns, struct colo_out *out)
{
	retry_waiting(container_of(waiting->conn, struct colo_seqfix, conn), now_ns, out);
}

/** colo_seqfix_expire() - The oldest waiting packet of the node has waited in vain. */
void colo_seqfix_expire(struct colo_packet *oldest, struct colo_out *out)
{
	struct colo_seqfix *fix = container_of(oldest->conn, struct colo_seqfix, conn);

	colo_node_drop(colo_queue_pop(&fix->waiting), COLO_DROP_EXPIRED, out);
}
