// SPDX-License-Identifier: GPL-2.0-only
#include "colo_icmp.h"

#define HEADER_LEN 8 /* type, code, checksum, and four bytes that depend on the type */
#define IPV4_MIN_LEN 20
#define IPV6_LEN 40

#define UNREACHABLE 3
#define SOURCE_QUENCH 4
#define REDIRECT 5
#define TIME_EXCEEDED 11
#define PARAMETER_PROBLEM 12
#define V6_ERROR_FIRST 1 /* unreachable, too big, time exceeded, parameter problem */
#define V6_ERROR_LAST 4

static u8 family_of(const struct colo_packet *packet)
{
	return packet->head[packet->l3_offset] >> 4;
}

static bool is_error(const struct colo_packet *packet)
{
	u8 type = packet->head[packet->l4_offset];

	if (family_of(packet) == 6)
		return type >= V6_ERROR_FIRST && type <= V6_ERROR_LAST;
	return type == UNREACHABLE || type == SOURCE_QUENCH || type == REDIRECT ||
	       type == TIME_EXCEEDED || type == PARAMETER_PROBLEM;
}

/* Where things are in the packet that an error quotes; offsets from the start of the frame. */
struct quote {
	u32 addresses;
	u32 addresses_len;
	u32 protocol_at;
	u32 l4;
	u32 l4_len; /* as far as it is quoted */
	u8 protocol;
};

static bool find_quote(const struct colo_packet *packet, struct quote *quote)
{
	u8 family = family_of(packet);
	u32 at = packet->l4_offset + HEADER_LEN;
	u32 end = packet->l4_offset + packet->payload_len;
	u32 header_len = family == 6 ? IPV6_LEN : IPV4_MIN_LEN;
	const u8 *ip = packet->head + at;

	if (end > packet->head_len)
		end = packet->head_len;
	if (at + header_len > end || ip[0] >> 4 != family)
		return false;
	if (family == 4) {
		header_len = (u32)(ip[0] & 0x0f) * 4;
		if (header_len < IPV4_MIN_LEN || at + header_len > end)
			return false;
	}
	quote->addresses = at + (family == 6 ? 8 : 12);
	quote->addresses_len = family == 6 ? 32 : 8;
	quote->protocol_at = at + (family == 6 ? 6 : 9);
	quote->protocol = packet->head[quote->protocol_at];
	quote->l4 = at + header_len;
	quote->l4_len = end - quote->l4;
	return true;
}

static void add_part(struct colo_parts *parts, u32 offset, u32 len)
{
	if (!len)
		return;
	parts->offset[parts->count] = offset;
	parts->len[parts->count] = len;
	parts->count++;
}

/* Ports and a TCP's sequence number, or identifier and sequence of an echo. */
static void add_quoted_l4(struct colo_parts *parts, const struct quote *quote)
{
	bool echo =
		quote->protocol == COLO_PROTOCOL_ICMP || quote->protocol == COLO_PROTOCOL_ICMPV6;
	u32 from = echo ? 4 : 0;
	u32 to = echo || quote->protocol == COLO_PROTOCOL_TCP ? 8 : 4;

	if (quote->l4_len >= to)
		add_part(parts, quote->l4 + from, to - from);
}

void colo_icmp_parts(const struct colo_packet *packet, struct colo_parts *parts)
{
	u32 at = packet->l4_offset;
	struct quote quote;

	parts->count = 0;
	add_part(parts, at, 2); /* type and code; the checksum follows from the rest */
	if (!is_error(packet) || !find_quote(packet, &quote)) {
		add_part(parts, at + 4, packet->payload_len - 4);
		return;
	}
	add_part(parts, at + 4, 4); /* MTU, gateway, pointer */
	add_part(parts, quote.protocol_at, 1);
	add_part(parts, quote.addresses, quote.addresses_len);
	add_quoted_l4(parts, &quote);
}

static bool find_tcp_quote(const struct colo_packet *packet, struct quote *quote)
{
	return is_error(packet) && find_quote(packet, quote) &&
	       quote->protocol == COLO_PROTOCOL_TCP && quote->l4_len >= 8;
}

bool colo_icmp_quoted_key(const struct colo_packet *packet, struct colo_key *key)
{
	u8 icmp = key->family == 6 ? COLO_PROTOCOL_ICMPV6 : COLO_PROTOCOL_ICMP;
	struct quote quote;
	const u8 *addresses;

	if (packet->kind != COLO_KIND_DATAGRAM || key->protocol != icmp ||
	    !find_tcp_quote(packet, &quote))
		return false;
	/* The guest sent what is quoted. */
	addresses = packet->head + quote.addresses;
	memset(key->guest, 0, sizeof(key->guest));
	memset(key->peer, 0, sizeof(key->peer));
	memcpy(key->guest, addresses, quote.addresses_len / 2);
	memcpy(key->peer, addresses + quote.addresses_len / 2, quote.addresses_len / 2);
	key->guest_port = colo_get16(packet->head + quote.l4);
	key->peer_port = colo_get16(packet->head + quote.l4 + 2);
	key->protocol = COLO_PROTOCOL_TCP;
	return true;
}

u32 colo_icmp_quoted_seq(const struct colo_packet *packet)
{
	struct quote quote;

	return find_tcp_quote(packet, &quote) ? quote.l4 + 4 : 0;
}
