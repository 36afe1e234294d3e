// SPDX-License-Identifier: GPL-2.0-only
#include "colo_packet.h"

#define TCP_SEQ 4
#define TCP_ACK 8
#define TCP_WINDOW 14
#define TCP_CHECKSUM 16

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

void colo_edit_apply(const struct colo_packet *packet, u8 *frame, enum colo_checksum checksum)
{
	const struct colo_edit *edit = &packet->edit;
	u8 *tcp = frame + packet->l4_offset;
	bool ts_odd = packet->ts_offset & 1;
	struct sum sum = { 0 };

	if (edit->mask & COLO_EDIT_SEQ)
		replace32(&sum, tcp + TCP_SEQ, edit->seq, false);
	if (edit->mask & COLO_EDIT_ACK)
		replace32(&sum, tcp + TCP_ACK, edit->ack, false);
	if (edit->mask & COLO_EDIT_SACK)
		shift_sack(&sum, tcp + packet->sack_offset, packet->sack_count,
			   edit->ack - packet->ack, packet->sack_offset & 1);
	if (edit->mask & COLO_EDIT_WINDOW)
		replace16(&sum, tcp + TCP_WINDOW, edit->window, false);
	if (edit->mask & COLO_EDIT_TSVAL)
		replace32(&sum, tcp + packet->ts_offset, edit->timestamp, ts_odd);
	if (edit->mask & COLO_EDIT_TSECR)
		replace32(&sum, tcp + packet->ts_offset + 4, edit->timestamp, ts_odd);

	if (checksum == COLO_CHECKSUM_FULL)
		colo_put16(tcp + TCP_CHECKSUM,
			   updated_checksum(colo_get16(tcp + TCP_CHECKSUM), sum));
}
