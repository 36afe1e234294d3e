// SPDX-License-Identifier: GPL-2.0-only
#include "colo_bytes.h"

#define WORD_LEN 8

/** colo_bytes_equal_pieces() - The same, also where they are not in one piece, or differ. */
u32 colo_bytes_equal_pieces(const struct colo_packet *a, u32 a_offset,
			    const struct colo_packet *b, u32 b_offset, u32 len,
			    colo_chunk_fn chunk)
{
	u32 done = 0;

	while (done < len) {
		u32 a_len = 0, b_len = 0, n, i;
		const u8 *a_bytes = colo_packet_bytes(a, chunk, a_offset + done, &a_len);
		const u8 *b_bytes = colo_packet_bytes(b, chunk, b_offset + done, &b_len);

		if (!a_bytes || !b_bytes || !a_len || !b_len)
			break;
		n = len - done;
		if (n > a_len)
			n = a_len;
		if (n > b_len)
			n = b_len;
		if (memcmp(a_bytes, b_bytes, n)) {
			for (i = 0; a_bytes[i] == b_bytes[i]; i++)
				;
			return done + i;
		}
		done += n;
	}
	return done;
}

u32 colo_bytes_copy(const struct colo_packet *packet, u32 offset, u32 len, colo_chunk_fn chunk,
		    u8 *to)
{
	u32 there = 0;
	const u8 *bytes = len ? colo_packet_bytes(packet, chunk, offset, &there) : NULL;

	if (!bytes)
		return 0;
	if (there > len)
		there = len;
	memcpy(to, bytes, there);
	return there;
}

void colo_digest_init(struct colo_digest *digest, u64 key)
{
	digest->v[0] = key ^ 0x736f6d6570736575ULL;
	digest->v[1] = 0x646f72616e646f6dULL;
	digest->v[2] = key ^ 0x6c7967656e657261ULL;
	digest->v[3] = 0x7465646279746573ULL;
	digest->word = 0;
	digest->filled = 0;
	digest->len = 0;
}

static u64 rotated(u64 value, u32 bits)
{
	return value << bits | value >> (64 - bits);
}

static void mix(u64 *v)
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotated(v[1], 13) ^ v[0];
	v[3] = rotated(v[3], 16) ^ v[2];
	v[0] = rotated(v[0], 32) + v[3];
	v[2] += v[1];
	v[1] = rotated(v[1], 17) ^ v[2];
	v[3] = rotated(v[3], 21) ^ v[0];
	v[2] = rotated(v[2], 32);
}

static void add_word(u64 *v, u64 word)
{
	v[3] ^= word;
	mix(v);
	v[0] ^= word;
}

static void add_bytes(struct colo_digest *digest, const u8 *bytes, u32 len)
{
	u64 v[4] = { digest->v[0], digest->v[1], digest->v[2], digest->v[3] };
	u64 word = digest->word;
	u32 filled = digest->filled;
	u32 i = 0;

	digest->len += len;
	while (i < len) {
		if (!filled && len - i >= WORD_LEN) {
			word = (u64)colo_get32(bytes + i) << 32 | colo_get32(bytes + i + 4);
			i += WORD_LEN;
		} else {
			word = word << 8 | bytes[i++];
			if (++filled < WORD_LEN)
				continue;
			filled = 0;
		}
		add_word(v, word);
		word = 0;
	}
	memcpy(digest->v, v, sizeof(v));
	digest->word = word;
	digest->filled = filled;
}

/** colo_digest_add() - What the room cannot read ends the bytes; it compares as different. */
void colo_digest_add(struct colo_digest *digest, const struct colo_packet *packet, u32 offset,
		     u32 len, colo_chunk_fn chunk)
{
	while (len) {
		u32 there = 0;
		const u8 *bytes = colo_packet_bytes(packet, chunk, offset, &there);

		if (!bytes || !there)
			return;
		if (there > len)
			there = len;
		add_bytes(digest, bytes, there);
		offset += there;
		len -= there;
	}
}

u64 colo_digest_value(struct colo_digest *digest)
{
	u64 *v = digest->v;

	add_word(v, (u64)digest->len << 56 | digest->word);
	v[2] ^= 0xff;
	mix(v);
	mix(v);
	mix(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
