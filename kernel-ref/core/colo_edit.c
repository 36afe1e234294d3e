// SPDX-License-Identifier: GPL-2.0-only
#include "colo_icmp.h"
#include "colo_packet.h"

#define TCP_SEQ 4
#define TCP_ACK 8
#define TCP_WINDOW 14
#define TCP_CHECKSUM 16
#define ICMP_CHECKSUM 2

/* Ones' complement sum of what changed: ~old + new (RFC 1624, equation 3). */
struct sum {
	u32 value;
};

/*
 * A field behind an odd number of option bytes straddles two checksum words, so
 * its bytes count swapped.
 */
static void replace16(struct sum *sum, u8 *field, u16 to, bool odd)
{
	u16 from = colo_get16(field);
	u16 out = (u16)~from;
	u16 in = to;

	if (odd) {
		out = (u16)(out << 8 | out >> 8);
		in = (u16)(in << 8 | in >> 8);
	}
	sum->value += out;
	sum->value += in;
	colo_put16(field, to);
}

static void replace32(struct sum *sum, u8 *field, u32 to, bool odd)
{
	replace16(sum, field, (u16)(to >> 16), odd);
	replace16(sum, field + 2, (u16)to, odd);
}

static u16 updated_checksum(u16 checksum, struct sum sum)
{
	u32 folded = (u16)~checksum + sum.value;

	folded = (folded & 0xffff) + (folded >> 16);
	folded = (folded & 0xffff) + (folded >> 16);
	return (u16)~folded;
}

static void shift_sack(struct sum *sum, u8 *blocks, u32 count, u32 shift, bool odd)
{
	u32 i;

	for (i = 0; i < 2 * count; i++)
		replace32(sum, blocks + 4 * i, colo_get32(blocks + 4 * i) + shift, odd);
}

static void replace8(struct sum *sum, u8 *field, u8 to, bool odd)
{
	u16 shift = odd ? 0 : 8;

	sum->value += (u16)~(*field << shift);
	sum->value += (u16)(to << shift);
	*field = to;
}

static void blank_option(struct sum *sum, u8 *tcp, u32 offset, u32 len)
{
	u32 i;

	for (i = offset; i < offset + len; i++)
		replace8(sum, tcp + i, COLO_TCPOPT_NOP, i & 1);
}

static void edit_tcp(const struct colo_packet *packet, u8 *tcp, struct sum *sum)
{
	const struct colo_edit *edit = &packet->edit;
	bool ts_odd = packet->ts_offset & 1;

	if (edit->mask & COLO_EDIT_SEQ)
		replace32(sum, tcp + TCP_SEQ, edit->seq, false);
	if (edit->mask & COLO_EDIT_ACK)
		replace32(sum, tcp + TCP_ACK, edit->ack, false);
	if (edit->mask & COLO_EDIT_SACK)
		shift_sack(sum, tcp + packet->sack_offset, packet->sack_count,
			   edit->ack - packet->ack, packet->sack_offset & 1);
	if (edit->mask & COLO_EDIT_WINDOW)
		replace16(sum, tcp + TCP_WINDOW, edit->window, false);
	if (edit->mask & COLO_EDIT_TSVAL)
		replace32(sum, tcp + packet->ts_offset, edit->timestamp, ts_odd);
	if (edit->mask & COLO_EDIT_TSECR)
		replace32(sum, tcp + packet->ts_offset + 4, edit->timestamp, ts_odd);
	if (edit->mask & COLO_EDIT_MP_CAPABLE)
		blank_option(sum, tcp, packet->mp_capable_offset, packet->mp_capable_len);
}

void colo_edit_apply(const struct colo_packet *packet, u8 *frame, enum colo_checksum checksum)
{
	u8 *l4 = frame + packet->l4_offset;
	u8 *field = l4 + TCP_CHECKSUM;
	struct sum sum = { 0 };

	if (!packet->edit.mask)
		return;
	if (packet->edit.mask & COLO_EDIT_QUOTED_SEQ) {
		field = l4 + ICMP_CHECKSUM;
		replace32(&sum, frame + colo_icmp_quoted_seq(packet), packet->edit.seq, false);
	} else {
		edit_tcp(packet, l4, &sum);
	}
	if (checksum == COLO_CHECKSUM_FULL)
		colo_put16(field, updated_checksum(colo_get16(field), sum));
}
