// SPDX-License-Identifier: GPL-2.0-only
#include "colo_packet.h"

#define ETHERNET_LEN 14
#define IPV4_MIN_LEN 20
#define IPV6_LEN 40
#define TCP_MIN_LEN 20
#define PROTOCOL_TCP 6
#define PROTOCOL_ICMPV6 58
#define ICMPV6_NEIGHBOUR_SOLICITATION 135
#define ARP_REQUEST 1

#define TCPOPT_END 0
#define TCPOPT_NOP 1
#define TCPOPT_MSS 2
#define TCPOPT_WSCALE 3
#define TCPOPT_SACK_PERMITTED 4
#define TCPOPT_SACK 5
#define TCPOPT_TIMESTAMPS 8
/* RFC 7323, 2.3: a larger shift counts as this. */
#define WSCALE_MAX 14

const u8 *colo_packet_bytes(const struct colo_packet *packet, u32 offset, u32 *len)
{
	if (offset < packet->head_len) {
		*len = packet->head_len - offset;
		return packet->head + offset;
	}
	return packet->chunk ? packet->chunk(packet, offset, len) : NULL;
}

static void parse_option(struct colo_packet *packet, const u8 *option, u8 at)
{
	u8 len = option[1];

	switch (option[0]) {
	case TCPOPT_MSS:
		if (len == 4) {
			packet->mss = colo_get16(option + 2);
			packet->options |= COLO_OPT_MSS;
		}
		break;
	case TCPOPT_WSCALE:
		if (len == 3) {
			packet->wscale = option[2] > WSCALE_MAX ? WSCALE_MAX : option[2];
			packet->options |= COLO_OPT_WSCALE;
		}
		break;
	case TCPOPT_SACK_PERMITTED:
		if (len == 2)
			packet->options |= COLO_OPT_SACK_PERMITTED;
		break;
	case TCPOPT_SACK:
		if (len >= 10 && (len - 2) % 8 == 0) {
			packet->sack_offset = (u8)(at + 2);
			packet->sack_count = (u8)((len - 2) / 8);
			packet->options |= COLO_OPT_SACK;
		}
		break;
	case TCPOPT_TIMESTAMPS:
		if (len == 10) {
			packet->ts_offset = (u8)(at + 2);
			packet->tsval = colo_get32(option + 2);
			packet->tsecr = colo_get32(option + 6);
			packet->options |= COLO_OPT_TIMESTAMPS;
		}
		break;
	}
}

/* An option that overruns the header ends the list, as it does in the guests' stacks. */
static void parse_options(struct colo_packet *packet, const u8 *tcp, u32 header_len)
{
	u32 at = TCP_MIN_LEN;

	while (at < header_len && tcp[at] != TCPOPT_END) {
		if (tcp[at] == TCPOPT_NOP) {
			at++;
			continue;
		}
		if (at + 2 > header_len || tcp[at + 1] < 2 || at + tcp[at + 1] > header_len)
			return;
		parse_option(packet, tcp + at, (u8)at);
		at += tcp[at + 1];
	}
}

static enum colo_kind parse_tcp(struct colo_packet *packet, u32 l4, u32 l4_len,
				struct colo_key *key)
{
	const u8 *tcp = packet->head + l4;
	bool inbound = packet->side == COLO_INBOUND;
	u32 header_len;

	if (l4_len < TCP_MIN_LEN || l4 + TCP_MIN_LEN > packet->head_len)
		return COLO_KIND_MALFORMED;
	header_len = (u32)(tcp[12] >> 4) * 4;
	if (header_len < TCP_MIN_LEN || header_len > l4_len || l4 + header_len > packet->head_len)
		return COLO_KIND_MALFORMED;

	packet->l4_offset = (u16)l4;
	packet->payload_offset = (u16)(l4 + header_len);
	packet->payload_len = l4_len - header_len;
	packet->seq = colo_get32(tcp + 4);
	packet->ack = colo_get32(tcp + 8);
	packet->tcp_flags = tcp[13];
	packet->window = colo_get16(tcp + 14);
	parse_options(packet, tcp, header_len);

	key->guest_port = colo_get16(tcp + (inbound ? 2 : 0));
	key->peer_port = colo_get16(tcp + (inbound ? 0 : 2));
	key->protocol = PROTOCOL_TCP;
	return COLO_KIND_TCP;
}

static void set_addresses(struct colo_key *key, const u8 *source, const u8 *destination, u32 len,
			  bool inbound)
{
	memcpy(key->guest, inbound ? destination : source, len);
	memcpy(key->peer, inbound ? source : destination, len);
}

static enum colo_kind parse_ipv4(struct colo_packet *packet, struct colo_key *key)
{
	u32 l3 = packet->l3_offset;
	const u8 *ip = packet->head + l3;
	u32 header_len, total_len;

	if (l3 + IPV4_MIN_LEN > packet->head_len)
		return COLO_KIND_MALFORMED;
	header_len = (u32)(ip[0] & 0x0f) * 4;
	total_len = colo_get16(ip + 2);
	if (ip[0] >> 4 != 4 || header_len < IPV4_MIN_LEN || total_len < header_len ||
	    l3 + total_len > packet->frame_len || l3 + header_len > packet->head_len)
		return COLO_KIND_MALFORMED;
	/* More fragments, or not the first one. */
	if (ip[9] != PROTOCOL_TCP || (colo_get16(ip + 6) & 0x3fff))
		return COLO_KIND_IP;

	key->family = 4;
	set_addresses(key, ip + 12, ip + 16, 4, packet->side == COLO_INBOUND);
	return parse_tcp(packet, l3 + header_len, total_len - header_len, key);
}

static enum colo_kind parse_ipv6(struct colo_packet *packet, struct colo_key *key)
{
	u32 l3 = packet->l3_offset;
	const u8 *ip = packet->head + l3;
	u32 l4 = l3 + IPV6_LEN;
	u32 l4_len;

	if (l4 > packet->head_len || ip[0] >> 4 != 6)
		return COLO_KIND_MALFORMED;
	l4_len = colo_get16(ip + 4);
	if (l4 + l4_len > packet->frame_len)
		return COLO_KIND_MALFORMED;
	if (ip[6] == PROTOCOL_ICMPV6 && l4_len > 0 && l4 < packet->head_len &&
	    packet->head[l4] == ICMPV6_NEIGHBOUR_SOLICITATION)
		return COLO_KIND_NEIGHBOUR;
	if (ip[6] != PROTOCOL_TCP)
		return COLO_KIND_IP;

	key->family = 6;
	set_addresses(key, ip + 8, ip + 24, 16, packet->side == COLO_INBOUND);
	return parse_tcp(packet, l4, l4_len, key);
}

static bool is_arp_request(const struct colo_packet *packet)
{
	return packet->head_len >= ETHERNET_LEN + 8 &&
	       colo_get16(packet->head + ETHERNET_LEN + 6) == ARP_REQUEST;
}

static enum colo_kind parse_ethernet(struct colo_packet *packet, struct colo_key *key)
{
	if (packet->head_len < ETHERNET_LEN)
		return COLO_KIND_MALFORMED;

	packet->l3_offset = ETHERNET_LEN;
	switch (colo_get16(packet->head + 12)) {
	case COLO_ETHERTYPE_IPV4:
		return parse_ipv4(packet, key);
	case COLO_ETHERTYPE_IPV6:
		return parse_ipv6(packet, key);
	case COLO_ETHERTYPE_ARP:
		return is_arp_request(packet) ? COLO_KIND_NEIGHBOUR : COLO_KIND_L2;
	default:
		return COLO_KIND_L2;
	}
}

enum colo_kind colo_packet_parse(struct colo_packet *packet, enum colo_side side,
				 struct colo_key *key)
{
	memset(key, 0, sizeof(*key));
	INIT_LIST_HEAD(&packet->held);
	packet->next = NULL;
	packet->child = NULL;
	packet->conn = NULL;
	packet->mss = 0;
	packet->ts_offset = 0;
	packet->sack_offset = 0;
	packet->sack_count = 0;
	packet->wscale = 0;
	packet->options = 0;
	packet->tcp_flags = 0;
	packet->payload_len = 0;
	packet->side = (u8)side;
	packet->reason = COLO_REASON_NONE;
	packet->edit.mask = 0;
	packet->kind = (u8)parse_ethernet(packet, key);
	return (enum colo_kind)packet->kind;
}
