// SPDX-License-Identifier: GPL-2.0-only
/* Between an sk_buff and a packet of the core. */
#include <linux/if_vlan.h>
#include <linux/netfilter_bridge.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>

#include "colo_proxy.h"
#include "core/colo_icmp.h"

/* More than the headers of nearly all packets; ICMP errors quote some, too. */
#define HEADERS_PULL 256
/* Payload that is copied into a segment's linear part rather than into pages. */
#define LINEAR_MAX 2048
#define TCP_PSH 0x08
#define TCP_CWR 0x80

static struct colo_frame *make_frame(struct sk_buff *skb, enum colo_side side)
{
	struct colo_frame *frame;

	/* Pages that whoever sent this can still write to would not stay what was compared. */
	if (skb_orphan_frags_rx(skb, GFP_ATOMIC))
		return NULL;
	frame = kzalloc(sizeof(*frame), GFP_ATOMIC);
	if (!frame)
		return NULL;
	INIT_LIST_HEAD(&frame->packet.held);
	frame->skb = skb;
	frame->mac_len = skb->data - skb_mac_header(skb);
	frame->side = side;
	return frame;
}

static struct net_device *bridge_port(const struct sk_buff *skb, struct net *net)
{
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
	int ifindex = nf_bridge_get_physinif(skb);

	return ifindex ? dev_get_by_index_rcu(net, ifindex) : NULL;
#else
	return NULL;
#endif
}

struct colo_frame *colo_frame_take(struct sk_buff *skb, const struct nf_hook_state *state,
				   enum colo_side side)
{
	struct colo_frame *frame;
	u32 i;

	if (skb_dst(skb) && !skb_dst_force(skb))
		return NULL;
	frame = make_frame(skb, side);
	if (!frame)
		return NULL;
	frame->hook = *state;
	frame->hook.sk = NULL; /* PREROUTING has none */
	frame->pinned[0] = state->in;
	frame->pinned[1] = skb->dev;
	frame->pinned[2] = bridge_port(skb, state->net);
	for (i = 0; i < ARRAY_SIZE(frame->pinned); i++)
		dev_hold(frame->pinned[i]);
	return frame;
}
EXPORT_SYMBOL_NS_GPL(colo_frame_take, COLO_SYMBOLS);

struct colo_frame *colo_frame_wrap(struct sk_buff *skb, enum colo_side side)
{
	struct colo_frame *frame = make_frame(skb, side);

	if (!frame)
		return NULL;
	skb_orphan(skb);
	skb_dst_drop(skb);
	nf_reset_ct(skb);
	skb_ext_reset(skb);
	skb->dev = NULL;
	return frame;
}
EXPORT_SYMBOL_NS_GPL(colo_frame_wrap, COLO_SYMBOLS);

void colo_frame_unpin(struct colo_frame *frame)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(frame->pinned); i++) {
		dev_put(frame->pinned[i]);
		frame->pinned[i] = NULL;
	}
	frame->hook.okfn = NULL;
	frame->hook.in = NULL;
	if (frame->skb) {
		frame->skb->dev = NULL;
		skb_dst_drop(frame->skb);
	}
}

void colo_frame_free(struct colo_frame *frame)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(frame->pinned); i++)
		dev_put(frame->pinned[i]);
	consume_skb(frame->skb);
	kfree(frame);
}
EXPORT_SYMBOL_NS_GPL(colo_frame_free, COLO_SYMBOLS);

struct sk_buff *colo_frame_unwrap(struct colo_frame *frame)
{
	struct sk_buff *skb = frame->skb;

	frame->skb = NULL;
	skb_push(skb, frame->mac_len);
	colo_frame_free(frame);
	return skb;
}
EXPORT_SYMBOL_NS_GPL(colo_frame_unwrap, COLO_SYMBOLS);

bool colo_frame_pins(const struct colo_frame *frame, const struct net_device *dev)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(frame->pinned); i++) {
		if (frame->pinned[i] == dev)
			return true;
	}
	return false;
}

/* Only of TCP does the core know segments, see colo_needs_split(). */
static u16 segment_size(const struct sk_buff *skb)
{
	if (!skb_is_gso(skb) || !skb_is_gso_tcp(skb))
		return 0;
	return skb_shinfo(skb)->gso_size;
}

static enum colo_kind parse(struct colo_frame *frame, struct colo_key *key)
{
	const struct sk_buff *skb = frame->skb;

	frame->packet.head = skb_mac_header(skb);
	frame->packet.head_len = frame->mac_len + skb_headlen(skb);
	frame->packet.frame_len = frame->mac_len + skb->len;
	frame->packet.gso_size = segment_size(skb);
	return colo_packet_parse(&frame->packet, frame->side, key);
}

/* The tag that the device has taken off was the outer one. */
static void add_vlan(const struct sk_buff *skb, struct colo_key *key)
{
	if (!skb_vlan_tag_present(skb))
		return;
	key->inner_vlan = key->vlan;
	key->vlan = skb_vlan_tag_get_id(skb);
}

bool colo_frame_parse(struct colo_frame *frame, struct colo_key *key)
{
	struct sk_buff *skb = frame->skb;
	enum colo_kind kind = parse(frame, key);

	/*
	 * Pulling copies, and un-clones what taps look at, so headers of TCP that are in place
	 * stay where they are. For all else payload is short of what the core may look into.
	 */
	if (kind != COLO_KIND_TCP && skb_headlen(skb) < HEADERS_PULL && skb_is_nonlinear(skb)) {
		if (!pskb_may_pull(skb, min_t(u32, skb->len, HEADERS_PULL)))
			return false;
		kind = parse(frame, key);
	}
	/* Longer chains of IPv6 headers, which nobody but an attacker makes. */
	if (kind == COLO_KIND_MALFORMED && skb_is_nonlinear(skb)) {
		if (skb_linearize(skb))
			return false;
		kind = parse(frame, key);
	}
	frame->at = NULL;
	if (kind <= COLO_KIND_FRAGMENT)
		add_vlan(skb, key);
	return true;
}

static const u8 *bytes_at(const struct sk_buff *skb, u32 offset, u32 *len)
{
	u32 i;

	if (offset < skb_headlen(skb)) {
		*len = skb_headlen(skb) - offset;
		return skb->data + offset;
	}
	offset -= skb_headlen(skb);
	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];
		/* NULL for what some devices keep to themselves (devmem TCP). */
		const u8 *bytes = skb_frag_address_safe(frag);

		if (offset < skb_frag_size(frag)) {
			*len = skb_frag_size(frag) - offset;
			return bytes ? bytes + offset : NULL;
		}
		offset -= skb_frag_size(frag);
	}
	return NULL;
}

/*
 * A list may have thousands of fragments, and the core reads from front to back, so it is gone on
 * with where the last call was.
 */
const u8 *colo_frame_chunk(const struct colo_packet *packet, u32 offset, u32 *len)
{
	struct colo_frame *frame = container_of(packet, struct colo_frame, packet);
	struct sk_buff *skb = frame->skb, *at = frame->at;
	u32 begin = frame->at_offset;

	if (!skb || offset < frame->mac_len)
		return NULL;
	offset -= frame->mac_len;
	if (offset >= skb->len)
		return NULL;
	if (!skb_has_frag_list(skb) || offset < skb_pagelen(skb))
		return bytes_at(skb, offset, len);

	if (!at || offset < begin) {
		at = skb_shinfo(skb)->frag_list;
		begin = skb_pagelen(skb);
	}
	while (at && offset - begin >= at->len) {
		begin += at->len;
		at = at->next;
	}
	frame->at = at;
	frame->at_offset = begin;
	return at ? bytes_at(at, offset - begin, len) : NULL;
}

/* From the start of the frame. */
static u32 edited_len(const struct colo_packet *packet)
{
	if (packet->edit.mask & COLO_EDIT_QUOTED_SEQ)
		return colo_icmp_quoted_seq(packet) + 4;
	return packet->payload_offset;
}

static void write_edit(const struct colo_frame *frame, struct sk_buff *skb)
{
	bool partial = skb->ip_summed == CHECKSUM_PARTIAL;

	colo_edit_apply(&frame->packet, skb->data - frame->mac_len,
			partial ? COLO_CHECKSUM_PARTIAL : COLO_CHECKSUM_FULL);
	if (skb->ip_summed == CHECKSUM_COMPLETE)
		skb->ip_summed = CHECKSUM_NONE;
}

bool colo_frame_edit(struct colo_frame *frame)
{
	struct colo_packet *packet = &frame->packet;
	struct sk_buff *rest;

	if (packet->kind == COLO_KIND_TCP && packet->left) {
		rest = colo_frame_segment(frame, packet->left, packet->payload_len - packet->left);
		if (!rest)
			return false;
		consume_skb(frame->skb);
		frame->skb = rest;
		packet->edit.mask = 0;
		packet->left = 0;
	}
	if (packet->edit.mask) {
		if (skb_ensure_writable(frame->skb, edited_len(packet) - frame->mac_len))
			return false;
		write_edit(frame, frame->skb);
		packet->edit.mask = 0;
	}
	packet->head = skb_mac_header(frame->skb);
	return true;
}

/* What the bridge writes there on the way must not be shared with the frame that stays. */
static bool own_bridge_info(struct sk_buff *skb)
{
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
	return !nf_bridge_info_exists(skb) || skb_ext_add(skb, SKB_EXT_BRIDGE_NF);
#else
	return true;
#endif
}

struct sk_buff *colo_frame_copy(const struct colo_frame *frame)
{
	struct sk_buff *skb;

	/* What is before the data is not copied, so the MAC header must not be there. */
	__skb_push(frame->skb, frame->mac_len);
	skb = pskb_copy(frame->skb, GFP_KERNEL);
	__skb_pull(frame->skb, frame->mac_len);
	if (!skb)
		return NULL;
	__skb_pull(skb, frame->mac_len);
	if (!own_bridge_info(skb)) {
		kfree_skb(skb);
		return NULL;
	}
	/* What is before the data has its place in the copy, but was not copied. */
	memcpy(skb->data - frame->mac_len, frame->skb->data - frame->mac_len, frame->mac_len);
	if (frame->packet.edit.mask)
		write_edit(frame, skb);
	return skb;
}

static bool copy_payload(const struct sk_buff *from, u32 offset, struct sk_buff *to, u32 len)
{
	u32 i;

	if (!to->data_len)
		return !skb_copy_bits(from, offset, skb_put(to, len), len);
	for (i = 0; i < skb_shinfo(to)->nr_frags; i++) {
		const skb_frag_t *frag = &skb_shinfo(to)->frags[i];

		if (skb_copy_bits(from, offset, skb_frag_address(frag), skb_frag_size(frag)))
			return false;
		offset += skb_frag_size(frag);
	}
	return true;
}

/* As segmentation numbers them: the flags that end something are the last one's. */
static void number_segment(const struct colo_packet *packet, u8 *head, u32 from, u32 len,
			   bool fixed_id)
{
	u8 *ip = head + packet->l3_offset, *tcp = head + packet->l4_offset;
	u32 l4_len = packet->payload_offset - packet->l4_offset + len;
	struct tcphdr *th = (struct tcphdr *)tcp;

	colo_put32(tcp + 4, colo_get32(tcp + 4) + from);
	if (from)
		tcp[13] &= ~TCP_CWR;
	if (from + len < packet->payload_len)
		tcp[13] &= ~(COLO_TCP_FIN | TCP_PSH);
	if (ip[0] >> 4 == 4) {
		struct iphdr *iph = (struct iphdr *)ip;

		colo_put16(ip + 2, packet->l4_offset - packet->l3_offset + l4_len);
		if (!fixed_id)
			colo_put16(ip + 4, colo_get16(ip + 4) + from / packet->gso_size);
		ip_send_check(iph);
		th->check = ~csum_tcpudp_magic(iph->saddr, iph->daddr, l4_len, IPPROTO_TCP, 0);
	} else {
		struct ipv6hdr *iph = (struct ipv6hdr *)ip;

		colo_put16(ip + 4, packet->l4_offset - packet->l3_offset - sizeof(*iph) + l4_len);
		th->check = ~csum_ipv6_magic(&iph->saddr, &iph->daddr, l4_len, IPPROTO_TCP, 0);
	}
}

static void describe_segment(const struct colo_frame *frame, struct sk_buff *skb, u32 from,
			     u32 len)
{
	const struct colo_packet *packet = &frame->packet;
	struct skb_shared_info *info = skb_shinfo(skb);

	/* Offsets were copied as those of the whole frame. */
	skb_reset_mac_header(skb);
	__skb_pull(skb, frame->mac_len);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, packet->l4_offset - frame->mac_len);
	skb_reset_mac_len(skb);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_transport_header(skb) - skb->head;
	skb->csum_offset = offsetof(struct tcphdr, check);
	skb->encapsulation = 0;
	skb_clear_hash(skb);

	info->gso_type &= SKB_GSO_TCPV4 | SKB_GSO_TCPV6 | SKB_GSO_TCP_ECN | SKB_GSO_TCP_FIXEDID |
			  SKB_GSO_DODGY;
	if (from)
		info->gso_type &= ~SKB_GSO_TCP_ECN;
	info->gso_size = packet->gso_size;
	info->gso_segs = DIV_ROUND_UP(len, packet->gso_size);
	if (len <= packet->gso_size)
		skb_gso_reset(skb);
}

struct sk_buff *colo_frame_segment(const struct colo_frame *frame, u32 from, u32 len)
{
	const struct colo_packet *packet = &frame->packet;
	u32 headers = packet->payload_offset, linear = len > LINEAR_MAX ? 0 : len;
	u32 room = NET_SKB_PAD + LL_MAX_HEADER;
	struct sk_buff *skb;
	int err;

	if (packet->kind != COLO_KIND_TCP || !packet->gso_size || headers < frame->mac_len ||
	    from > packet->payload_len || len > packet->payload_len - from)
		return NULL;
	skb = alloc_skb_with_frags(room + headers + linear, len - linear, 0, &err, GFP_KERNEL);
	if (!skb)
		return NULL;
	skb_copy_header(skb, frame->skb);
	skb_reserve(skb, room);
	skb_put_data(skb, packet->head, headers);
	skb->data_len = len - linear;
	skb->len += skb->data_len;
	if (!copy_payload(frame->skb, headers - frame->mac_len + from, skb, len) ||
	    !own_bridge_info(skb)) {
		kfree_skb(skb);
		return NULL;
	}
	if (packet->edit.mask)
		colo_edit_apply(packet, skb->data, COLO_CHECKSUM_NONE);
	number_segment(packet, skb->data, from, len,
		       skb_shinfo(frame->skb)->gso_type & SKB_GSO_TCP_FIXEDID);
	describe_segment(frame, skb, from, len);
	return skb;
}

void colo_frame_go_on(const struct colo_frame *frame, struct sk_buff *skb)
{
	const struct nf_hook_state *hook = &frame->hook;

	if (!hook->okfn) {
		kfree_skb(skb);
		return;
	}
	rcu_read_lock();
	local_bh_disable();
	hook->okfn(hook->net, NULL, skb);
	local_bh_enable();
	rcu_read_unlock();
}
EXPORT_SYMBOL_NS_GPL(colo_frame_go_on, COLO_SYMBOLS);
