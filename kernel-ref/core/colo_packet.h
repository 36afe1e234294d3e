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

/* Options of TCP. */
#define COLO_TCPOPT_END 0
#define COLO_TCPOPT_NOP 1
#define COLO_TCPOPT_MSS 2
#define COLO_TCPOPT_WSCALE 3
#define COLO_TCPOPT_SACK_PERMITTED 4
#define COLO_TCPOPT_SACK 5
#define COLO_TCPOPT_TIMESTAMPS 8
#define COLO_TCPOPT_MD5 19
#define COLO_TCPOPT_AO 29
#define COLO_TCPOPT_MULTIPATH 30

#define COLO_TCP_FIN 0x01
#define COLO_TCP_SYN 0x02
#define COLO_TCP_RST 0x04
#define COLO_TCP_ACK 0x10

#define COLO_ETHERTYPE_IPV4 0x0800
#define COLO_ETHERTYPE_ARP 0x0806
#define COLO_ETHERTYPE_VLAN 0x8100	   /* 802.1Q */
#define COLO_ETHERTYPE_IPV6 0x86dd
#define COLO_ETHERTYPE_SERVICE_VLAN 0x88a8 /* 802.1ad */

#define COLO_PROTOCOL_ICMP 1
#define COLO_PROTOCOL_TCP 6
#define COLO_PROTOCOL_UDP 17
#define COLO_PROTOCOL_ICMPV6 58
#define COLO_PROTOCOL_SCTP 132

/* Whose a packet is. */
enum colo_side {
	COLO_PRIMARY,	/* the primary guest sent it */
	COLO_SECONDARY, /* the secondary guest sent it */
	COLO_INBOUND,	/* it comes for the guests */
};

enum colo_kind {
	COLO_KIND_TCP,
	COLO_KIND_DATAGRAM,  /* any other protocol above IP */
	COLO_KIND_FRAGMENT,  /* of an IP packet: the room puts it together first */
	/* Those below belong to no flow. */
	COLO_KIND_L2,	     /* of the link: not IP, neighbour discovery, IGMP, MLD */
	COLO_KIND_NEIGHBOUR, /* asks for a link address: ARP request, neighbour solicitation */
	COLO_KIND_MALFORMED,
};

/* Options of a SYN that both guests must agree on (rule tcp-syn), and others. */
#define COLO_OPT_MSS 0x01
#define COLO_OPT_WSCALE 0x02
#define COLO_OPT_SACK_PERMITTED 0x04
#define COLO_OPT_TIMESTAMPS 0x08
#define COLO_OPT_SACK 0x10
#define COLO_OPT_MP_CAPABLE 0x20 /* RFC 8684, 3.1 */
#define COLO_OPT_SIGNED 0x40	 /* MD5 or AO: no header can be rewritten (RFC 2385, RFC 5925) */
#define COLO_OPT_NEGOTIATED \
	(COLO_OPT_MSS | COLO_OPT_WSCALE | COLO_OPT_SACK_PERMITTED | COLO_OPT_TIMESTAMPS)

/*
 * Identifies a flow within a node, in the guest's own direction. What is not there is zero;
 * a priority tag without a VLAN counts as no tag.
 */
struct colo_key {
	u8 guest[16]; /* IPv4 addresses fill the first four bytes */
	u8 peer[16];
	u16 guest_port; /* or the identifier of an ICMP echo */
	u16 peer_port;
	u16 vlan;	/* of the tag next to the addresses */
	u16 inner_vlan; /* of the tag inside it */
	u8 family;	/* 4 or 6; 0 for what cannot be parsed */
	u8 protocol;
};

/* Header fields to rewrite before a packet leaves, see colo_edit_apply(). */
#define COLO_EDIT_SEQ 0x01
#define COLO_EDIT_ACK 0x02 /* SACK blocks move by as much as the ack */
#define COLO_EDIT_SACK 0x04
#define COLO_EDIT_WINDOW 0x08
#define COLO_EDIT_TSVAL 0x10
#define COLO_EDIT_TSECR 0x20
#define COLO_EDIT_MP_CAPABLE 0x40 /* becomes NOPs (rule tcp-options) */
#define COLO_EDIT_QUOTED_SEQ 0x80 /* of the segment that an ICMP error quotes, to seq */

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
	/* Links: the node's list of held packets; the flow's queue, and below heap or tree. */
	struct list_head held;
	struct colo_packet *next;
	struct colo_conn *conn;
	u64 arrived_ns;

	/* Set by the room. All headers must lie within head. */
	const u8 *head;
	u32 head_len;
	u32 frame_len;

	/* The rest is set by colo_packet_parse(), in host byte order. */
	union {
		struct { /* COLO_KIND_TCP */
			u32 seq;
			u32 ack;
			u32 tsval;
			u32 left; /* payload bytes that have left already (rule tcp-gso) */
		};
		struct { /* COLO_KIND_DATAGRAM */
			struct colo_packet *branch[2];
		};
		struct { /* COLO_KIND_FRAGMENT */
			u32 fragment_id;
			u16 fragment_offset; /* in bytes */
			bool fragment_more;
		};
	};
	union {
		struct colo_edit edit; /* when it leaves */
		struct {	       /* while it waits */
			struct colo_packet *child; /* likewise a link */
			u64 digest;		   /* of a datagram's payload */
		};
	};
	u32 payload_len;
	u16 payload_offset; /* also where headers end */
	u16 l4_offset;
	u16 window;
	u16 mss;
	u16 gso_size; /* payload bytes of each segment, 0 if it is only one; set by the room */
	u8 l3_offset;
	u8 ts_offset;	/* of TSval, from l4_offset; 0 if there is none */
	union { /* from l4_offset, as options say */
		struct { /* COLO_OPT_SACK: of the first block */
			u8 sack_offset;
			u8 sack_count;
		};
		struct { /* COLO_OPT_MP_CAPABLE, which only a SYN has */
			u8 mp_capable_offset;
			u8 mp_capable_len;
		};
	};
	u8 wscale;
	u8 options;
	u8 tcp_flags;
	u8 kind;
	u8 side;
	u8 reason;
};

COLO_STATIC_ASSERT(sizeof(void *) != 8 || sizeof(struct colo_packet) <= 112,
		   "a held packet costs its frame and little more");

/**
 * colo_packet_parse() - Learn what the core needs of an Ethernet frame.
 * @packet: head, head_len, frame_len and gso_size are set; the rest is filled in.
 * @side: whose it is; decides which end is the guest in @key.
 * @key: filled in for TCP, datagrams and fragments (without ports); zero else.
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
 * @chunk: reads beyond the head; may be NULL if the head holds the whole frame.
 * @offset: from the start of the frame, less than frame_len.
 * @len: receives how many are contiguous, at least 1 unless NULL is returned.
 */
static inline const u8 *colo_packet_bytes(const struct colo_packet *packet, colo_chunk_fn chunk,
					  u32 offset, u32 *len)
{
	if (offset < packet->head_len) {
		*len = packet->head_len - offset;
		return packet->head + offset;
	}
	return chunk ? chunk(packet, offset, len) : NULL;
}

/** colo_packet_is_held() - On one of the node's lists, from when it is held until it comes out. */
static inline bool colo_packet_is_held(const struct colo_packet *packet)
{
	return !list_empty(&packet->held);
}

/** colo_packet_prefetch() - It will be looked at soon, and may have left the caches by now. */
static inline void colo_packet_prefetch(const struct colo_packet *packet)
{
	colo_prefetch(packet);
	colo_prefetch((const u8 *)(packet + 1) - 1);
}

/** colo_packet_is_syn() - Does it open a connection? A SYN that resets as well does not. */
static inline bool colo_packet_is_syn(const struct colo_packet *packet)
{
	return packet->kind == COLO_KIND_TCP &&
	       (packet->tcp_flags & (COLO_TCP_SYN | COLO_TCP_RST)) == COLO_TCP_SYN;
}

/** colo_packet_tsecr() - The stamp that it echoes; it has COLO_OPT_TIMESTAMPS. */
static inline u32 colo_packet_tsecr(const struct colo_packet *packet)
{
	return colo_get32(packet->head + packet->l4_offset + packet->ts_offset + 4);
}

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
 * @checksum: how the TCP or ICMP checksum stands.
 */
void colo_edit_apply(const struct colo_packet *packet, u8 *frame, enum colo_checksum checksum);

#ifdef __cplusplus
}
#endif

#endif /* COLO_PACKET_H */
