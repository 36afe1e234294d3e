/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is to be known of ICMP and ICMPv6 messages: which bytes of them count, and which
 * connection an error is about (rule icmp; RFC 792, RFC 4443).
 */
#ifndef COLO_ICMP_H
#define COLO_ICMP_H

#include "colo_packet.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of a datagram to compare: @count ranges, offsets from the start of the frame. */
#define COLO_PARTS_MAX 5

struct colo_parts {
	u32 count;
	u32 offset[COLO_PARTS_MAX];
	u32 len[COLO_PARTS_MAX];
};

/** colo_icmp_parts() - The bytes of a message that both guests must agree on. */
void colo_icmp_parts(const struct colo_packet *packet, struct colo_parts *parts);

/**
 * colo_icmp_quoted_key() - Which TCP connection of the guest is an incoming error about?
 * @packet: parsed, of any kind, side COLO_INBOUND, all headers in its head.
 * @key: the packet's own; receives that of the connection, in the guest's direction.
 *
 * Return: false if it is no error, or quotes no TCP header up to its sequence number.
 */
bool colo_icmp_quoted_key(const struct colo_packet *packet, struct colo_key *key);

/**
 * colo_icmp_quoted_seq() - Where the quoted sequence number is, from the start of the frame.
 * @packet: of which colo_icmp_quoted_key() found a connection; else 0 is returned.
 */
u32 colo_icmp_quoted_seq(const struct colo_packet *packet);

#ifdef __cplusplus
}
#endif

#endif /* COLO_ICMP_H */
