// SPDX-License-Identifier: GPL-2.0-only
#include "colo_remirror.h"

#define ADDRESSES_LEN 12
#define ADDRESS_LEN 6
#define IPV4_LEN 20
#define IPV6_LEN 40
#define TCP_LEN 20
#define TIMESTAMPS_LEN 12 /* two NOPs before it */
#define HOP_LIMIT 64

static u32 sum16(u32 sum, const u8 *bytes, u32 len)
{
	u32 i;

	for (i = 0; i < len; i += 2)
		sum += colo_get16(bytes + i);
	return sum;
}

static u16 folded(u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (u16)~sum;
}

/* The way back: of each pair the second comes first. */
static void swap_pair(u8 *to, const u8 *pair, u32 len)
{
	memcpy(to, pair + len, len);
	memcpy(to + len, pair, len);
}

static u32 build_ip(u8 *to, const u8 *ip, u32 l4_len)
{
	if (ip[0] >> 4 == 4) {
		memset(to, 0, IPV4_LEN);
		to[0] = 0x45;
		colo_put16(to + 2, (u16)(IPV4_LEN + l4_len));
		to[8] = HOP_LIMIT;
		to[9] = COLO_PROTOCOL_TCP;
		swap_pair(to + 12, ip + 12, 4);
		colo_put16(to + 10, folded(sum16(0, to, IPV4_LEN)));
		return IPV4_LEN;
	}
	memset(to, 0, IPV6_LEN);
	to[0] = 0x60;
	colo_put16(to + 4, (u16)l4_len);
	to[6] = COLO_PROTOCOL_TCP;
	to[7] = HOP_LIMIT;
	swap_pair(to + 8, ip + 8, 16);
	return IPV6_LEN;
}

static void build_tcp(const struct colo_remirror *remirror, u8 *to, u32 len)
{
	const struct colo_packet *packet = remirror->packet;

	memset(to, 0, len);
	swap_pair(to, packet->head + packet->l4_offset, 2);
	colo_put32(to + 4, packet->ack);
	colo_put32(to + 8, remirror->ack);
	to[12] = (u8)(len / 4 << 4);
	to[13] = COLO_TCP_ACK;
	colo_put16(to + 14, remirror->window);
	if (len > TCP_LEN) {
		to[20] = COLO_TCPOPT_NOP;
		to[21] = COLO_TCPOPT_NOP;
		to[22] = COLO_TCPOPT_TIMESTAMPS;
		to[23] = 10;
		colo_put32(to + 24, colo_packet_tsecr(packet));
		colo_put32(to + 28, packet->tsval);
	}
}

u32 colo_remirror_build(const struct colo_remirror *remirror, u8 *frame)
{
	const struct colo_packet *packet = remirror->packet;
	u32 l3 = packet->l3_offset;
	u32 tcp_len = TCP_LEN + (packet->options & COLO_OPT_TIMESTAMPS ? TIMESTAMPS_LEN : 0);
	u32 ip_len, addresses_len;
	u8 *tcp;

	swap_pair(frame, packet->head, ADDRESS_LEN);
	memcpy(frame + ADDRESSES_LEN, packet->head + ADDRESSES_LEN, l3 - ADDRESSES_LEN);
	ip_len = build_ip(frame + l3, packet->head + l3, tcp_len);
	tcp = frame + l3 + ip_len;
	build_tcp(remirror, tcp, tcp_len);

	addresses_len = ip_len == IPV4_LEN ? 8 : 32;
	colo_put16(tcp + 16, folded(sum16(COLO_PROTOCOL_TCP + tcp_len, tcp - addresses_len,
					  addresses_len + tcp_len)));
	return l3 + ip_len + tcp_len;
}
