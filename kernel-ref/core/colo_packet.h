/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the core knows of one frame. A room embeds a colo_packet in its own
 * packet, so that holding one allocates nothing.
 */
#ifndef COLO_PACKET_H
#define COLO_PACKET_H

#include "colo_env.h"
#include "colo_reason.h"

#ifdef __cplusplus
extern "C" {
#endif

#define COLO_TCP_FIN 0x01
#define COLO_TCP_SYN 0x02
#define COLO_TCP_RST 0x04
#define COLO_TCP_ACK 0x10

#define COLO_ETHERTYPE_IPV4 0x0800
#define COLO_ETHERTYPE_ARP 0x0806
#define COLO_ETHERTYPE_IPV6 0x86dd

/* Whose a packet is. */
enum colo_side {
	COLO_PRIMARY,	/* the primary guest sent it */
	COLO_SECONDARY, /* the secondary guest sent it */
	COLO_INBOUND,	/* it comes for the guests */
};

enum colo_kind {
	COLO_KIND_TCP,
	COLO_KIND_IP,	     /* another protocol above IP, or a fragment */
	COLO_KIND_L2,	     /* not IP */
	COLO_KIND_NEIGHBOUR, /* asks for a link address: ARP request, neighbour solicitation */
	COLO_KIND_MALFORMED,
};

/* Options of a SYN that both guests must agree on (rule tcp-syn), and others. */
#define COLO_OPT_MSS 0x01
#define COLO_OPT_WSCALE 0x02
#define COLO_OPT_SACK_PERMITTED 0x04
#define COLO_OPT_TIMESTAMPS 0x08
#define COLO_OPT_SACK 0x10
#define COLO_OPT_NEGOTIATED \
	(COLO_OPT_MSS | COLO_OPT_WSCALE | COLO_OPT_SACK_PERMITTED | COLO_OPT_TIMESTAMPS)

/* Identifies a flow within a node, in the guest's own direction. */
struct colo_key {
	u8 guest[16]; /* IPv4 addresses fill the first four bytes */
	u8 peer[16];
	u16 guest_port;
	u16 peer_port;
	u8 family; /* 4 or 6 */
	u8 protocol;
	u16 reserved;
};

/* Header fields to rewrite before a packet leaves, see colo_edit_apply(). */
#define COLO_EDIT_SEQ 0x01
#define COLO_EDIT_ACK 0x02 /* SACK blocks move by as much as the ack */
#define COLO_EDIT_SACK 0x04
#define COLO_EDIT_WINDOW 0x08
#define COLO_EDIT_TSVAL 0x10
#define COLO_EDIT_TSECR 0x20

struct colo_edit {
	u32 seq;
	u32 ack;
	u32 timestamp; /* TSval or TSecr, whichever the mask names; never both */
	u16 window;
	u8 mask;
};

struct colo_packet;

/**
 * typedef colo_chunk_fn - Contiguous bytes of a frame beyond its head.
 * @packet: the packet.
 * @offset: from the start of the frame, at least head_len, less than frame_len.
 * @len: receives how many bytes are contiguous there, at least 1.
 *
 * Return: the bytes; NULL if the room cannot read them, which compares as different.
 */
typedef const u8 *(*colo_chunk_fn)(const struct colo_packet *packet, u32 offset, u32 *len);

struct colo_packet {
	/* Links: the node's list of held packets; the flow's queue or heap. */
	struct list_head held;
	struct colo_packet *next;
	struct colo_packet *child;
	struct colo_conn *conn;
	u64 arrived_ns;

	/* Set by the room. All headers must lie within head. */
	const u8 *head;
	colo_chunk_fn chunk; /* may be NULL if head holds the whole frame */
	u32 head_len;
	u32 frame_len;

	/* Set by colo_packet_parse(), in host byte order. */
	u32 seq;
	u32 ack;
	u32 tsval;
	u32 tsecr;
	u32 payload_len;
	u16 payload_offset;
	u16 l4_offset;
	u16 window;
	u16 mss;
	u8 l3_offset;
	u8 ts_offset;	/* of TSval, from l4_offset; 0 if there is none */
	u8 sack_offset; /* of the first block, from l4_offset; 0 if there is none */
	u8 sack_count;
	u8 wscale;
	u8 options;
	u8 tcp_flags;
	u8 kind;
	u8 side;
	u8 reason;

	struct colo_edit edit;
};

COLO_STATIC_ASSERT(sizeof(void *) != 8 || sizeof(struct colo_packet) <= 128,
		   "a held packet costs its frame and little more");

/**
 * colo_packet_parse() - Learn what the core needs of an Ethernet frame.
 * @packet: head, head_len, frame_len and chunk are set; the rest is filled in.
 * @side: whose it is; decides which end is the guest in @key.
 * @key: filled in for COLO_KIND_TCP.
 *
 * Reads nothing beyond head_len and trusts no length field (rule malformed).
 * Bytes behind the IP length are padding and no payload (rule tcp-ignore).
 *
 * Return: the kind, also kept in @packet.
 */
enum colo_kind colo_packet_parse(struct colo_packet *packet, enum colo_side side,
				 struct colo_key *key);

/**
 * colo_packet_bytes() - Contiguous bytes of a frame.
 * @packet: a parsed packet.
 * @offset: from the start of the frame, less than frame_len.
 * @len: receives how many are contiguous, at least 1 unless NULL is returned.
 */
const u8 *colo_packet_bytes(const struct colo_packet *packet, u32 offset, u32 *len);

/**
 * colo_packet_units() - Sequence numbers taken: payload, SYN and FIN (RFC 9293, 3.4).
 *
 * Text behind a reset tells why and is not of the stream (RFC 9293, 3.5.3).
 */
static inline u32 colo_packet_units(const struct colo_packet *packet)
{
	if (packet->tcp_flags & COLO_TCP_RST)
		return 0;
	return packet->payload_len + !!(packet->tcp_flags & COLO_TCP_SYN) +
	       !!(packet->tcp_flags & COLO_TCP_FIN);
}

/**
 * colo_packet_refuses() - Does a reset refuse the SYN that has this ISN?
 *
 * It is numbered from zero, wherever an earlier connection of the tuple was (RFC 9293,
 * 3.10.7.1).
 */
static inline bool colo_packet_refuses(const struct colo_packet *packet, u32 isn)
{
	const u8 rst_ack = COLO_TCP_RST | COLO_TCP_ACK;

	return (packet->tcp_flags & rst_ack) == rst_ack && packet->ack == isn + 1;
}

static inline u32 colo_packet_end(const struct colo_packet *packet)
{
	return packet->seq + colo_packet_units(packet);
}

/* How the TCP checksum of a header to be edited stands. */
enum colo_checksum {
	COLO_CHECKSUM_FULL,    /* in the header, over everything: updated (RFC 1624) */
	COLO_CHECKSUM_PARTIAL, /* the pseudo header's only, hardware does the rest: kept */
	COLO_CHECKSUM_NONE,    /* not computed, will not be looked at: kept */
};

/**
 * colo_edit_apply() - Write a packet's edits into its headers.
 * @packet: parsed, with edits.
 * @frame: the writable frame, at least payload_offset bytes, laid out as when parsed.
 * @checksum: how the TCP checksum stands.
 */
void colo_edit_apply(const struct colo_packet *packet, u8 *frame, enum colo_checksum checksum);

#ifdef __cplusplus
}
#endif

#endif /* COLO_PACKET_H */
