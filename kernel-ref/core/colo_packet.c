// SPDX-License-Identifier: GPL-2.0-only
#include "colo_packet.h"

#define ADDRESSES_LEN 12 /* of Ethernet */
#define VLAN_TAG_LEN 4
#define VLAN_TAGS_MAX 2
#define VLAN_ID_MASK 0x0fff
#define IPV4_MIN_LEN 20
#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV4_OFFSET_MASK 0x1fff
#define IPV6_LEN 40
#define IPV6_EXTENSION_MIN_LEN 8
#define TCP_MIN_LEN 20
#define UDP_LEN 8
#define ICMP_ECHO_LEN 8U
#define ARP_REQUEST 1
/* No guest needs more for its headers, and offsets have 16 bits. */
#define HEADERS_LEN_MAX 0xf000

#define PROTOCOL_HOP_BY_HOP 0
#define PROTOCOL_IGMP 2
#define PROTOCOL_ROUTING 43
#define PROTOCOL_FRAGMENT 44
#define PROTOCOL_AUTHENTICATION 51
#define PROTOCOL_DESTINATION 60
#define PROTOCOL_MOBILITY 135

#define ICMP_ECHO_REPLY 0
#define ICMP_ECHO_REQUEST 8
#define ICMPV6_ECHO_REQUEST 128
#define ICMPV6_ECHO_REPLY 129
#define ICMPV6_MLD_FIRST 130 /* query, report, done */
#define ICMPV6_MLD_LAST 132
#define ICMPV6_ROUTER_SOLICITATION 133
#define ICMPV6_NEIGHBOUR_SOLICITATION 135
#define ICMPV6_REDIRECT 137
#define ICMPV6_MLD2_REPORT 143

#define MULTIPATH_MP_CAPABLE 0 /* subtype, RFC 8684, 8 */
/* RFC 7323, 2.3: a larger shift counts as this. */
#define WSCALE_MAX 14

static void parse_option(struct colo_packet *packet, const u8 *option, u8 at)
{
	bool syn = packet->tcp_flags & COLO_TCP_SYN;
	u8 len = option[1];

	switch (option[0]) {
	case COLO_TCPOPT_MSS:
		if (len == 4) {
			packet->mss = colo_get16(option + 2);
			packet->options |= COLO_OPT_MSS;
		}
		break;
	case COLO_TCPOPT_WSCALE:
		if (len == 3) {
			packet->wscale = option[2] > WSCALE_MAX ? WSCALE_MAX : option[2];
			packet->options |= COLO_OPT_WSCALE;
		}
		break;
	case COLO_TCPOPT_SACK_PERMITTED:
		if (len == 2)
			packet->options |= COLO_OPT_SACK_PERMITTED;
		break;
	case COLO_TCPOPT_SACK:
		if (len >= 10 && (len - 2) % 8 == 0 && !syn) {
			packet->sack_offset = (u8)(at + 2);
			packet->sack_count = (u8)((len - 2) / 8);
			packet->options |= COLO_OPT_SACK;
		}
		break;
	case COLO_TCPOPT_TIMESTAMPS:
		if (len == 10) {
			packet->ts_offset = (u8)(at + 2);
			packet->tsval = colo_get32(option + 2);
			packet->options |= COLO_OPT_TIMESTAMPS;
		}
		break;
	case COLO_TCPOPT_MD5:
	case COLO_TCPOPT_AO:
		packet->options |= COLO_OPT_SIGNED;
		break;
	case COLO_TCPOPT_MULTIPATH:
		if (len >= 3 && option[2] >> 4 == MULTIPATH_MP_CAPABLE && syn) {
			packet->mp_capable_offset = at;
			packet->mp_capable_len = len;
			packet->options |= COLO_OPT_MP_CAPABLE;
		}
		break;
	}
}

/* An option that overruns the header ends the list, as it does in the guests' stacks. */
static void parse_options(struct colo_packet *packet, const u8 *tcp, u32 header_len)
{
	u32 at = TCP_MIN_LEN;

	while (at < header_len && tcp[at] != COLO_TCPOPT_END) {
		if (tcp[at] == COLO_TCPOPT_NOP) {
			at++;
			continue;
		}
		if (at + 2 > header_len || tcp[at + 1] < 2 || at + tcp[at + 1] > header_len)
			return;
		parse_option(packet, tcp + at, (u8)at);
		at += tcp[at + 1];
	}
}

static void set_ports(struct colo_packet *packet, const u8 *ports, struct colo_key *key)
{
	bool inbound = packet->side == COLO_INBOUND;

	key->guest_port = colo_get16(ports + (inbound ? 2 : 0));
	key->peer_port = colo_get16(ports + (inbound ? 0 : 2));
}

static inline enum colo_kind parse_tcp(struct colo_packet *packet, u32 l4_len, struct colo_key *key)
{
	u32 l4 = packet->l4_offset;
	const u8 *tcp = packet->head + l4;
	u32 header_len;

	if (l4_len < TCP_MIN_LEN || l4 + TCP_MIN_LEN > packet->head_len)
		return COLO_KIND_MALFORMED;
	header_len = (u32)(tcp[12] >> 4) * 4;
	if (header_len < TCP_MIN_LEN || header_len > l4_len || l4 + header_len > packet->head_len)
		return COLO_KIND_MALFORMED;

	packet->payload_offset = (u16)(l4 + header_len);
	packet->payload_len = l4_len - header_len;
	packet->seq = colo_get32(tcp + 4);
	packet->ack = colo_get32(tcp + 8);
	packet->tcp_flags = tcp[13];
	packet->window = colo_get16(tcp + 14);
	if (header_len > TCP_MIN_LEN)
		parse_options(packet, tcp, header_len);
	set_ports(packet, tcp, key);
	return COLO_KIND_TCP;
}

static enum colo_kind parse_udp(struct colo_packet *packet, u32 l4_len, struct colo_key *key)
{
	u32 l4 = packet->l4_offset;
	u32 len;

	if (l4_len < UDP_LEN || l4 + UDP_LEN > packet->head_len)
		return COLO_KIND_MALFORMED;
	len = colo_get16(packet->head + l4 + 4);
	if (len < UDP_LEN || len > l4_len)
		return COLO_KIND_MALFORMED;
	packet->payload_offset = (u16)(l4 + UDP_LEN);
	packet->payload_len = len - UDP_LEN;
	set_ports(packet, packet->head + l4, key);
	return COLO_KIND_DATAGRAM;
}

static enum colo_kind parse_icmp(struct colo_packet *packet, u32 l4_len, struct colo_key *key)
{
	const u8 *icmp = packet->head + packet->l4_offset;

	if (l4_len < ICMP_ECHO_LEN || packet->l4_offset + ICMP_ECHO_LEN > packet->head_len)
		return COLO_KIND_MALFORMED;
	if (icmp[0] == ICMP_ECHO_REQUEST || icmp[0] == ICMP_ECHO_REPLY)
		key->guest_port = colo_get16(icmp + 4);
	return COLO_KIND_DATAGRAM;
}

static enum colo_kind parse_icmpv6(struct colo_packet *packet, u32 l4_len, struct colo_key *key)
{
	const u8 *icmp = packet->head + packet->l4_offset;

	if (l4_len < ICMP_ECHO_LEN || packet->l4_offset + ICMP_ECHO_LEN > packet->head_len)
		return COLO_KIND_MALFORMED;
	if (icmp[0] == ICMPV6_NEIGHBOUR_SOLICITATION)
		return COLO_KIND_NEIGHBOUR;
	if ((icmp[0] >= ICMPV6_MLD_FIRST && icmp[0] <= ICMPV6_MLD_LAST) ||
	    (icmp[0] >= ICMPV6_ROUTER_SOLICITATION && icmp[0] <= ICMPV6_REDIRECT) ||
	    icmp[0] == ICMPV6_MLD2_REPORT)
		return COLO_KIND_L2;
	if (icmp[0] == ICMPV6_ECHO_REQUEST || icmp[0] == ICMPV6_ECHO_REPLY)
		key->guest_port = colo_get16(icmp + 4);
	return COLO_KIND_DATAGRAM;
}

/* What is above IP begins at @l4, of which @l4_len bytes are there. */
static enum colo_kind parse_l4(struct colo_packet *packet, u32 l4, u32 l4_len,
			       struct colo_key *key)
{
	packet->l4_offset = (u16)l4;
	packet->payload_offset = (u16)l4;
	packet->payload_len = l4_len;
	switch (key->protocol) {
	case COLO_PROTOCOL_TCP:
		return parse_tcp(packet, l4_len, key);
	case COLO_PROTOCOL_UDP:
		return parse_udp(packet, l4_len, key);
	case COLO_PROTOCOL_ICMP:
		return key->family == 4 ? parse_icmp(packet, l4_len, key) : COLO_KIND_DATAGRAM;
	case COLO_PROTOCOL_ICMPV6:
		return key->family == 6 ? parse_icmpv6(packet, l4_len, key) : COLO_KIND_DATAGRAM;
	case PROTOCOL_IGMP:
		return COLO_KIND_L2;
	case COLO_PROTOCOL_SCTP:
		/* The ports are its first bytes, and compared with the rest. */
		if (l4_len >= 4 && l4 + 4 <= packet->head_len)
			set_ports(packet, packet->head + l4, key);
		return COLO_KIND_DATAGRAM;
	default:
		return COLO_KIND_DATAGRAM;
	}
}

static enum colo_kind parse_fragment(struct colo_packet *packet, u32 data, u32 len, u32 id,
				     u32 offset, bool more)
{
	packet->l4_offset = (u16)data;
	packet->payload_offset = (u16)data;
	packet->payload_len = len;
	packet->fragment_id = id;
	packet->fragment_offset = (u16)offset;
	packet->fragment_more = more;
	return COLO_KIND_FRAGMENT;
}

/* All of it in one store, as the table that is asked next reads it in larger pieces. */
static void set_address4(u8 *to, const u8 *address)
{
	u32 words[4] = { 0 };

	memcpy(words, address, 4);
	memcpy(to, words, sizeof(words));
}

static enum colo_kind parse_ipv4(struct colo_packet *packet, struct colo_key *key)
{
	u32 l3 = packet->l3_offset;
	const u8 *ip = packet->head + l3;
	u32 header_len, total_len, fragment;

	if (l3 + IPV4_MIN_LEN > packet->head_len)
		return COLO_KIND_MALFORMED;
	header_len = (u32)(ip[0] & 0x0f) * 4;
	total_len = colo_get16(ip + 2);
	if (ip[0] >> 4 != 4 || header_len < IPV4_MIN_LEN || total_len < header_len ||
	    l3 + total_len > packet->frame_len || l3 + header_len > packet->head_len)
		return COLO_KIND_MALFORMED;

	key->family = 4;
	key->protocol = ip[9];
	set_address4(key->guest, packet->side == COLO_INBOUND ? ip + 16 : ip + 12);
	set_address4(key->peer, packet->side == COLO_INBOUND ? ip + 12 : ip + 16);
	fragment = colo_get16(ip + 6);
	if (fragment & (IPV4_MORE_FRAGMENTS | IPV4_OFFSET_MASK))
		return parse_fragment(packet, l3 + header_len, total_len - header_len,
				      colo_get16(ip + 4), (fragment & IPV4_OFFSET_MASK) * 8,
				      fragment & IPV4_MORE_FRAGMENTS);
	return parse_l4(packet, l3 + header_len, total_len - header_len, key);
}

static bool is_extension(u8 protocol)
{
	return protocol == PROTOCOL_HOP_BY_HOP || protocol == PROTOCOL_ROUTING ||
	       protocol == PROTOCOL_DESTINATION || protocol == PROTOCOL_AUTHENTICATION ||
	       protocol == PROTOCOL_FRAGMENT || protocol == PROTOCOL_MOBILITY;
}

/*
 * Extension headers say how a packet travels, and what is behind them is compared. At most as
 * many rounds as fit into the head, as each takes eight bytes.
 */
static enum colo_kind parse_extensions(struct colo_packet *packet, u32 at, u32 end,
				       struct colo_key *key)
{
	while (is_extension(key->protocol)) {
		const u8 *extension = packet->head + at;
		u32 len;

		if (at + IPV6_EXTENSION_MIN_LEN > end ||
		    at + IPV6_EXTENSION_MIN_LEN > packet->head_len)
			return COLO_KIND_MALFORMED;
		len = ((u32)extension[1] + 1) * 8;
		if (key->protocol == PROTOCOL_AUTHENTICATION)
			len = ((u32)extension[1] + 2) * 4; /* RFC 4302, 2.2 */
		if (key->protocol == PROTOCOL_FRAGMENT) {
			u32 fragment = colo_get16(extension + 2);

			len = IPV6_EXTENSION_MIN_LEN;
			/* An atomic one is whole (RFC 6946). */
			if (fragment & 0xfff9) {
				key->protocol = extension[0];
				return parse_fragment(packet, at + len, end - at - len,
						      colo_get32(extension + 4), fragment & 0xfff8,
						      fragment & 1);
			}
		}
		if (at + len > end || at + len > packet->head_len || at + len > HEADERS_LEN_MAX)
			return COLO_KIND_MALFORMED;
		key->protocol = extension[0];
		at += len;
	}
	return parse_l4(packet, at, end - at, key);
}

static enum colo_kind parse_ipv6(struct colo_packet *packet, struct colo_key *key)
{
	u32 l3 = packet->l3_offset;
	const u8 *ip = packet->head + l3;
	u32 end;

	if (l3 + IPV6_LEN > packet->head_len || ip[0] >> 4 != 6)
		return COLO_KIND_MALFORMED;
	end = l3 + IPV6_LEN + colo_get16(ip + 4);
	if (end > packet->frame_len)
		return COLO_KIND_MALFORMED;

	key->family = 6;
	key->protocol = ip[6];
	memcpy(key->guest, packet->side == COLO_INBOUND ? ip + 24 : ip + 8, 16);
	memcpy(key->peer, packet->side == COLO_INBOUND ? ip + 8 : ip + 24, 16);
	if (!is_extension(key->protocol))
		return parse_l4(packet, l3 + IPV6_LEN, end - l3 - IPV6_LEN, key);
	return parse_extensions(packet, l3 + IPV6_LEN, end, key);
}

static bool is_arp_request(const struct colo_packet *packet)
{
	u32 operation = packet->l3_offset + 6;

	return packet->head_len >= operation + 2 &&
	       colo_get16(packet->head + operation) == ARP_REQUEST;
}

/* Returns the ethertype behind the VLAN tags, 0 if the frame is too short for them. */
static u16 parse_link(struct colo_packet *packet, struct colo_key *key)
{
	u32 at = ADDRESSES_LEN, tags;

	for (tags = 0; at + 2 <= packet->head_len; tags++) {
		u16 ethertype = colo_get16(packet->head + at);
		bool tag = ethertype == COLO_ETHERTYPE_VLAN ||
			   ethertype == COLO_ETHERTYPE_SERVICE_VLAN;

		if (!tag || tags == VLAN_TAGS_MAX) {
			packet->l3_offset = (u8)(at + 2);
			return ethertype;
		}
		if (at + VLAN_TAG_LEN > packet->head_len)
			break;
		if (tags)
			key->inner_vlan = colo_get16(packet->head + at + 2) & VLAN_ID_MASK;
		else
			key->vlan = colo_get16(packet->head + at + 2) & VLAN_ID_MASK;
		at += VLAN_TAG_LEN;
	}
	return 0;
}

static enum colo_kind parse_frame(struct colo_packet *packet, struct colo_key *key)
{
	switch (parse_link(packet, key)) {
	case 0:
		return COLO_KIND_MALFORMED;
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

/*
 * TCP over IPv4 without tags, fragments and IP options, which most frames are, without asking what
 * else they might be. All else, damaged ones too, takes the long way.
 */
static bool parse_plain(struct colo_packet *packet, struct colo_key *key)
{
	const u32 l3 = ADDRESSES_LEN + 2, l4 = l3 + IPV4_MIN_LEN;
	const u8 *ip = packet->head + l3;
	u32 total_len;

	if (packet->head_len < l4 + TCP_MIN_LEN ||
	    colo_get16(packet->head + ADDRESSES_LEN) != COLO_ETHERTYPE_IPV4 || ip[0] != 0x45 ||
	    ip[9] != COLO_PROTOCOL_TCP ||
	    (colo_get16(ip + 6) & (IPV4_MORE_FRAGMENTS | IPV4_OFFSET_MASK)))
		return false;
	total_len = colo_get16(ip + 2);
	if (total_len < IPV4_MIN_LEN + TCP_MIN_LEN || l3 + total_len > packet->frame_len)
		return false;

	packet->l3_offset = (u8)l3;
	packet->l4_offset = (u16)l4;
	key->vlan = 0;
	key->inner_vlan = 0;
	key->family = 4;
	key->protocol = COLO_PROTOCOL_TCP;
	set_address4(key->guest, packet->side == COLO_INBOUND ? ip + 16 : ip + 12);
	set_address4(key->peer, packet->side == COLO_INBOUND ? ip + 12 : ip + 16);
	return parse_tcp(packet, total_len - IPV4_MIN_LEN, key) == COLO_KIND_TCP;
}

/* What belongs to no flow is one lump of bytes, and all of a guest's lumps are alike. */
static void set_opaque(struct colo_packet *packet, struct colo_key *key)
{
	memset(key, 0, sizeof(*key));
	packet->l4_offset = 0;
	packet->payload_offset = 0;
	packet->payload_len = packet->frame_len;
}

enum colo_kind colo_packet_parse(struct colo_packet *packet, enum colo_side side,
				 struct colo_key *key)
{
	u8 *rest = (u8 *)packet + offsetof(struct colo_packet, edit);
	u16 gso_size = packet->gso_size;

	memset(rest, 0, sizeof(*packet) - offsetof(struct colo_packet, edit));
	INIT_LIST_HEAD(&packet->held);
	packet->next = NULL;
	packet->child = NULL;
	packet->conn = NULL;
	packet->left = 0;
	packet->gso_size = gso_size;
	packet->side = (u8)side;
	packet->kind = COLO_KIND_TCP;
	if (parse_plain(packet, key))
		return COLO_KIND_TCP;

	memset(key, 0, sizeof(*key));
	packet->kind = (u8)parse_frame(packet, key);
	if (packet->kind > COLO_KIND_FRAGMENT)
		set_opaque(packet, key);
	return (enum colo_kind)packet->kind;
}
