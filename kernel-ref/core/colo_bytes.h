/* SPDX-License-Identifier: GPL-2.0-only */
/* Payload bytes of two packets, wherever the room keeps them. */
#ifndef COLO_BYTES_H
#define COLO_BYTES_H

#include "colo_packet.h"

#ifdef __cplusplus
extern "C" {
#endif

u32 colo_bytes_equal_pieces(const struct colo_packet *a, u32 a_offset,
			    const struct colo_packet *b, u32 b_offset, u32 len,
			    colo_chunk_fn chunk);

/** colo_bytes_equal() - Length of the equal prefix of @len bytes at both offsets. */
static inline u32 colo_bytes_equal(const struct colo_packet *a, u32 a_offset,
				   const struct colo_packet *b, u32 b_offset, u32 len,
				   colo_chunk_fn chunk)
{
	if (a_offset + len <= a->head_len && b_offset + len <= b->head_len &&
	    !memcmp(a->head + a_offset, b->head + b_offset, len))
		return len;
	return colo_bytes_equal_pieces(a, a_offset, b, b_offset, len, chunk);
}

/** colo_bytes_copy() - Copy what is contiguous at @offset, at most @len bytes; how many. */
u32 colo_bytes_copy(const struct colo_packet *packet, u32 offset, u32 len, colo_chunk_fn chunk,
		    u8 *to);

/*
 * A digest of bytes that come in pieces: the same whatever the pieces. It is SipHash-1-3, so that
 * nobody without the key can choose bytes whose digests collide.
 */
struct colo_digest {
	u64 v[4];
	u64 word; /* bytes that do not fill a word yet */
	u32 filled;
	u32 len;
};

void colo_digest_init(struct colo_digest *digest, u64 key);
void colo_digest_add(struct colo_digest *digest, const struct colo_packet *packet, u32 offset,
		     u32 len, colo_chunk_fn chunk);
u64 colo_digest_value(struct colo_digest *digest);

#ifdef __cplusplus
}
#endif

#endif /* COLO_BYTES_H */
