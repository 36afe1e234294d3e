// SPDX-License-Identifier: GPL-2.0-only
/* Putting datagrams together and cutting them again, and what softirq has to know of IP for it. */
#include <linux/if_vlan.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/netfilter_bridge.h>
#include <linux/netfilter_ipv6.h>
#include <net/ip.h>
#include <net/ip6_fib.h>
#include <net/ipv6.h>
#include <net/netfilter/ipv6/nf_defrag_ipv6.h>
#include <net/route.h>
#include <net/udp.h> /* and with it segmentation, whose own header 6.1 has not */

#include "colo_proxy.h"

#define TAGS_MAX 2

/* What is there of an IP packet; offsets are from skb->data. */
struct view {
	__be16 ethertype; /* behind VLAN tags */
	u32 offset;	  /* of the IP header */
	u32 l4_offset;
	u8 protocol;
	bool fragment;
	bool first; /* or the only one */
};

static bool skip_tags(const struct sk_buff *skb, u32 at, struct view *view)
{
	u32 tags;

	for (tags = 0; eth_type_vlan(view->ethertype); tags++) {
		struct vlan_hdr buffer, *tag = skb_header_pointer(skb, at, sizeof(buffer), &buffer);

		if (!tag || tags == TAGS_MAX)
			return false;
		view->ethertype = tag->h_vlan_encapsulated_proto;
		at += VLAN_HLEN;
	}
	view->offset = at;
	return true;
}

static bool look4(const struct sk_buff *skb, struct view *view)
{
	struct iphdr buffer, *ip = skb_header_pointer(skb, view->offset, sizeof(buffer), &buffer);

	if (!ip || ip->version != 4 || ip->ihl < 5)
		return false;
	view->protocol = ip->protocol;
	view->l4_offset = view->offset + ip->ihl * 4;
	view->fragment = ip_is_fragment(ip);
	view->first = !(ip->frag_off & htons(IP_OFFSET));
	return true;
}

static bool look6(const struct sk_buff *skb, struct view *view)
{
	struct ipv6hdr buffer, *ip;
	__be16 fragment;
	int at;

	ip = skb_header_pointer(skb, view->offset, sizeof(buffer), &buffer);
	if (!ip || ip->version != 6)
		return false;
	view->protocol = ip->nexthdr;
	at = ipv6_skip_exthdr(skb, view->offset + sizeof(*ip), &view->protocol, &fragment);
	if (at < 0)
		return false;
	view->l4_offset = at;
	view->fragment = fragment;
	view->first = !(fragment & htons(IP6_OFFSET));
	if (!view->first) {
		u8 byte, *next = skb_header_pointer(skb, at, sizeof(byte), &byte);

		if (!next)
			return false;
		view->protocol = *next;
	}
	return true;
}

/* The frame goes on behind its ethertype at @at, 0 or ETH_HLEN. False if it is no IP. */
static bool look(const struct sk_buff *skb, u32 at, struct view *view)
{
	view->ethertype = skb->protocol;
	if (at && skb_copy_bits(skb, at - sizeof(__be16), &view->ethertype, sizeof(__be16)))
		return false;
	if (!skip_tags(skb, at, view))
		return false;
	if (view->ethertype == htons(ETH_P_IP))
		return look4(skb, view);
	return view->ethertype == htons(ETH_P_IPV6) && look6(skb, view);
}

/* Behind an extension header of a fragment there may be anything. */
static bool may_be_tcp(const struct view *view)
{
	if (view->protocol == IPPROTO_TCP)
		return true;
	return !view->first && view->ethertype == htons(ETH_P_IPV6) &&
	       view->protocol != IPPROTO_UDP && view->protocol != IPPROTO_ICMPV6;
}

static bool is_error(const struct sk_buff *skb, const struct view *view)
{
	u8 byte, *type = skb_header_pointer(skb, view->l4_offset, sizeof(byte), &byte);

	if (!type)
		return false;
	if (view->ethertype == htons(ETH_P_IPV6))
		return view->protocol == IPPROTO_ICMPV6 && !(*type & ICMPV6_INFOMSG_MASK);
	return view->protocol == IPPROTO_ICMP && *type != ICMP_ECHO && *type != ICMP_ECHOREPLY;
}

enum colo_traffic colo_traffic(const struct sk_buff *skb, u32 at)
{
	struct view view;

	if (!look(skb, at, &view))
		return COLO_TRAFFIC_OTHER;
	if (may_be_tcp(&view))
		return COLO_TRAFFIC_TCP;
	return view.first && is_error(skb, &view) ? COLO_TRAFFIC_ERROR : COLO_TRAFFIC_OTHER;
}
EXPORT_SYMBOL_NS_GPL(colo_traffic, COLO_SYMBOLS);

/*
 * The kernel's own users of defragmentation count from zero to some hundred thousand, so the
 * topmost bit keeps ours apart from all of them. Thirteen bits of an epoch come round again long
 * after fragments have been given up.
 */
static u32 defrag_user(const struct colo_proxy *proxy, enum colo_side side, u32 epoch)
{
	return BIT(31) | (u32)proxy->index << 15 | (epoch & 0x1fff) << 2 | side;
}

static struct sk_buff *gather4(struct net *net, struct sk_buff *skb, u32 user)
{
	struct dst_entry route = { .dev = skb->dev };

	/*
	 * It asks a route if there is no device, and without one tells nobody by ICMP what never
	 * came: that is for the guests, which get the same fragments.
	 */
	skb->dev = NULL;
	skb_dst_drop(skb);
	skb_dst_set_noref(skb, &route);
	skb = ip_check_defrag(net, skb, user);
	if (skb)
		skb_dst_drop(skb);
	return skb;
}

static struct sk_buff *gather6(struct net *net, struct sk_buff *skb, u32 user)
{
	int err;

	skb->dev = NULL; /* likewise */
	if (!pskb_may_pull(skb, sizeof(struct ipv6hdr)) ||
	    ipv6_hdr(skb)->payload_len == 0 ||
	    skb->len < sizeof(struct ipv6hdr) + ntohs(ipv6_hdr(skb)->payload_len))
		return skb;
	err = nf_ct_frag6_gather(net, skb, user);
	if (err == -EINPROGRESS)
		return NULL;
	if (err) {
		kfree_skb(skb);
		return NULL;
	}
	return skb;
}

struct sk_buff *colo_gather(const struct colo_proxy *proxy, struct sk_buff *skb,
			    enum colo_side side, u32 epoch, bool tcp)
{
	u32 user = defrag_user(proxy, side, epoch);
	struct view view;

	if (!look(skb, 0, &view) || !view.fragment || (tcp && !may_be_tcp(&view)))
		return skb;
	if (view.offset) {
		if (!pskb_may_pull(skb, view.offset))
			return skb;
		skb_pull_rcsum(skb, view.offset);
		skb->protocol = view.ethertype;
	}
	skb_reset_network_header(skb);
	skb_orphan(skb);
	nf_reset_ct(skb);
	if (view.ethertype == htons(ETH_P_IP))
		return gather4(proxy->net, skb, user);
	memset(IP6CB(skb), 0, sizeof(struct inet6_skb_parm));
	return gather6(proxy->net, skb, user);
}
EXPORT_SYMBOL_NS_GPL(colo_gather, COLO_SYMBOLS);

/* The route that fragmentation is given: what it makes gets it, too, and so finds us. */
struct cut {
	union {
		struct dst_entry dst; /* first in each */
		struct rtable route4;
		struct rt6_info route6;
	};
	void (*send)(struct sk_buff *skb, void *arg);
	void *arg;
	u32 header_len;
	u8 header[ETH_HLEN + TAGS_MAX * VLAN_HLEN];
};

static unsigned int cut_mtu(const struct dst_entry *dst)
{
	return dst->dev->mtu;
}

static struct dst_ops cut_ops = {
	.family = AF_UNSPEC,
	.mtu = cut_mtu,
};

static int send_fragment(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	struct cut *cut = container_of(skb_dst(skb), struct cut, dst);

	skb_dst_drop(skb);
	if (skb_cow_head(skb, cut->header_len)) {
		kfree_skb(skb);
		return -ENOMEM;
	}
	memcpy(skb_push(skb, cut->header_len), cut->header, cut->header_len);
	skb_reset_mac_header(skb);
	cut->send(skb, cut->arg);
	return 0;
}

/* Headers in place, and nothing behind the datagram, as all would be cut. */
static bool trim4(struct sk_buff *skb)
{
	u32 len;

	if (!pskb_may_pull(skb, sizeof(struct iphdr)) || ip_hdr(skb)->ihl < 5 ||
	    !pskb_may_pull(skb, ip_hdrlen(skb)))
		return false;
	len = ntohs(ip_hdr(skb)->tot_len);
	return len >= ip_hdrlen(skb) && len <= skb->len && !pskb_trim(skb, len);
}

static bool trim6(struct sk_buff *skb)
{
	u32 len;

	if (!pskb_may_pull(skb, sizeof(struct ipv6hdr)))
		return false;
	len = sizeof(struct ipv6hdr) + ntohs(ipv6_hdr(skb)->payload_len);
	return len <= skb->len && !pskb_trim(skb, len);
}

int colo_cut(struct sk_buff *skb, struct net_device *dev, u32 mtu,
	     void (*send)(struct sk_buff *skb, void *arg), void *arg)
{
	struct cut cut = { .send = send, .arg = arg };
	const struct nf_ipv6_ops *ops6 = nf_get_ipv6_ops();
	struct view view;

	skb_reset_mac_header(skb);
	if (!pskb_may_pull(skb, ETH_HLEN))
		goto drop;
	view.ethertype = eth_hdr(skb)->h_proto;
	if (!skip_tags(skb, ETH_HLEN, &view) || !pskb_may_pull(skb, view.offset))
		goto drop;
	mtu -= view.offset - ETH_HLEN;
	if (mtu < IPV4_MIN_MTU || mtu > IP_MAX_MTU) /* or less than nothing */
		goto drop;
	cut.header_len = view.offset;
	memcpy(cut.header, skb->data, view.offset);
	__skb_pull(skb, view.offset);
	skb_reset_network_header(skb);

	cut.dst.ops = &cut_ops;
	cut.dst.dev = dev;
	dst_init_metrics(&cut.dst, dst_default_metrics.metrics, true);
	skb_dst_drop(skb);
	skb->dev = dev;
	skb->ignore_df = 1;
	skb->ip_summed = CHECKSUM_NONE;
	if (view.ethertype == htons(ETH_P_IP) && trim4(skb)) {
		memset(IPCB(skb), 0, sizeof(struct inet_skb_parm));
		IPCB(skb)->frag_max_size = mtu;
		skb_dst_set_noref(skb, &cut.dst);
		return ip_do_fragment(dev_net(dev), NULL, skb, send_fragment);
	}
	if (view.ethertype == htons(ETH_P_IPV6) && ops6 && trim6(skb)) {
		memset(IP6CB(skb), 0, sizeof(struct inet6_skb_parm));
		IP6CB(skb)->frag_max_size = mtu;
		skb_dst_set_noref(skb, &cut.dst);
		return ops6->fragment(dev_net(dev), NULL, skb, send_fragment);
	}
drop:
	kfree_skb(skb);
	return -EMSGSIZE;
}

/*
 * Segments of TCP are one stream. UDP's, SCTP's and those in tunnels are packets of their own,
 * which the other guest's host will see one by one. UFO is one datagram, and stays one.
 */
bool colo_needs_split(const struct sk_buff *skb)
{
	const u32 whole = SKB_GSO_TCPV4 | SKB_GSO_TCPV6 | SKB_GSO_UDP | SKB_GSO_TCP_ECN |
			  SKB_GSO_TCP_FIXEDID | SKB_GSO_DODGY;

	if (!skb_is_gso(skb))
		return false;
	return skb_shinfo(skb)->gso_type & ~whole || skb->len > IP_MAX_MTU;
}
EXPORT_SYMBOL_NS_GPL(colo_needs_split, COLO_SYMBOLS);

struct sk_buff *colo_segments(struct sk_buff *skb, netdev_features_t features)
{
	struct sk_buff *segments;

	/* What a tap says is not always consistent, and segmentation would warn of it. */
	if (skb->ip_summed != CHECKSUM_PARTIAL)
		skb->ip_summed = CHECKSUM_UNNECESSARY;
	segments = skb_gso_segment(skb, features);
	if (IS_ERR_OR_NULL(segments)) {
		kfree_skb(skb);
		return NULL;
	}
	consume_skb(skb);
	return segments;
}

struct sk_buff *colo_split(struct sk_buff *skb)
{
	u32 mac_len = skb->data - skb_mac_header(skb);
	struct sk_buff *segments, *segment;

	skb_push(skb, mac_len);
	segments = colo_segments(skb, NETIF_F_SG | NETIF_F_HW_CSUM);
	for (segment = segments; segment; segment = segment->next) {
		__skb_pull(segment, mac_len);
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
		/* The bridge writes there, and cannot do without. */
		if (nf_bridge_info_exists(segment) && !skb_ext_add(segment, SKB_EXT_BRIDGE_NF)) {
			kfree_skb_list(segments);
			return NULL;
		}
#endif
	}
	return segments;
}
