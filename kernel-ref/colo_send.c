// SPDX-License-Identifier: GPL-2.0-only
/* Frames out of the devices of a node: behind the shim, to the guest, into the bridge. */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/netfilter_bridge.h>

#include "colo_proxy.h"

struct way {
	struct colo_proxy *proxy;
	struct net_device *dev;
	struct colo_shim shim;
};

static void transmit(struct sk_buff *skb, const struct way *way, atomic64_t *counter)
{
	int err;

	skb->dev = way->dev;
	err = dev_queue_xmit(skb); /* not within net_xmit_eval(), which would call it twice */
	if (net_xmit_eval(err))
		atomic64_inc(&way->proxy->counters.dropped_device);
	else
		atomic64_inc(counter);
}

/* Data at the MAC header, checksum complete, no tag out of band, fits. */
static void send_shimmed(struct sk_buff *skb, void *arg)
{
	struct way *way = arg;
	u8 *frame;

	if (skb_cow_head(skb, COLO_SHIM_LEN + LL_RESERVED_SPACE(way->dev))) {
		atomic64_inc(&way->proxy->counters.dropped_memory);
		kfree_skb(skb);
		return;
	}
	way->shim.ethertype = colo_get16(skb->data + 2 * ETH_ALEN);
	frame = skb_push(skb, COLO_SHIM_LEN);
	memmove(frame, frame + COLO_SHIM_LEN, 2 * ETH_ALEN);
	colo_put16(frame + 2 * ETH_ALEN, COLO_SHIM_ETHERTYPE);
	colo_shim_write(&way->shim, frame + ETH_HLEN);
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, ETH_HLEN);
	skb_reset_mac_len(skb);
	skb->protocol = htons(COLO_SHIM_ETHERTYPE);
	transmit(skb, way, &way->proxy->counters.to_sec_dev);
}

static void send_packet(struct sk_buff *skb, struct way *way)
{
	/* No device knows where behind a shim the checksum belongs. */
	if (skb->ip_summed == CHECKSUM_PARTIAL && skb_csum_hwoffload_help(skb, 0)) {
		atomic64_inc(&way->proxy->counters.dropped_memory);
		kfree_skb(skb);
		return;
	}
	skb->ip_summed = CHECKSUM_NONE;
	skb->encapsulation = 0;
	if (skb->len - ETH_HLEN + COLO_SHIM_LEN <= way->dev->mtu) {
		send_shimmed(skb, way);
		return;
	}
	if (colo_cut(skb, way->dev, way->dev->mtu - COLO_SHIM_LEN, send_shimmed, way))
		atomic64_inc(&way->proxy->counters.dropped_device);
}

static void send_behind_shim(struct sk_buff *skb, struct way *way)
{
	struct sk_buff *next;

	if (skb_vlan_tag_present(skb))
		skb = __vlan_hwaccel_push_inside(skb);
	/* Room is made before segmentation, which leaves as much in each segment. */
	if (!skb || skb_cow_head(skb, COLO_SHIM_LEN + LL_RESERVED_SPACE(way->dev)))
		goto no_memory;
	if (skb_is_gso(skb)) {
		skb = colo_segments(skb, NETIF_F_SG);
		if (!skb)
			goto no_memory;
	}
	for (; skb; skb = next) {
		next = skb->next;
		skb_mark_not_on_list(skb);
		send_packet(skb, way);
	}
	return;

no_memory:
	atomic64_inc(&way->proxy->counters.dropped_memory);
	kfree_skb(skb);
}

/* Whatever it was before, it is a frame of its own from now on. */
static bool prepare(struct sk_buff *skb)
{
	if (!pskb_may_pull(skb, ETH_HLEN))
		return false;
	skb_reset_mac_header(skb);
	skb_reset_redirect(skb);
	skb->protocol = eth_hdr(skb)->h_proto;
	if (!eth_proto_is_802_3(skb->protocol))
		skb->protocol = htons(ETH_P_802_2);
	return true;
}

void colo_sec_send(struct colo_proxy *proxy, enum colo_shim_kind kind, struct sk_buff *skb)
{
	struct way way = {
		.proxy = proxy,
		.shim = {
			.kind = kind,
			.node = proxy->index,
			.epoch = READ_ONCE(proxy->epoch),
		},
	};

	if (proxy->plain && kind != COLO_SHIM_FRAME) {
		consume_skb(skb);
		return;
	}
	rcu_read_lock();
	way.dev = READ_ONCE(proxy->sec.dev);
	if (!way.dev || !(way.dev->flags & IFF_UP) || !prepare(skb)) {
		atomic64_inc(&proxy->counters.dropped_device);
		kfree_skb(skb);
	} else {
		skb_scrub_packet(skb, true);
		if (proxy->plain)
			transmit(skb, &way, &proxy->counters.to_sec_dev);
		else
			send_behind_shim(skb, &way);
	}
	rcu_read_unlock();
}
EXPORT_SYMBOL_NS_GPL(colo_sec_send, COLO_SYMBOLS);

static void send_to_guest(struct sk_buff *skb, void *arg)
{
	struct way *way = arg;

	nf_skip_egress(skb, true); /* our own hook has seen it, or has not to see it */
	transmit(skb, way, &way->proxy->counters.to_guest);
}

void colo_guest_send(struct colo_proxy *proxy, struct sk_buff *skb)
{
	struct way way = { .proxy = proxy };
	bool fits;

	rcu_read_lock();
	way.dev = READ_ONCE(proxy->guest.dev);
	if (!way.dev || !prepare(skb)) {
		atomic64_inc(&proxy->counters.dropped_device);
		kfree_skb(skb);
		goto out;
	}
	/* What had to be put together goes as it came; all else the device may refuse. */
	fits = skb_is_gso(skb) || skb->len - ETH_HLEN <= way.dev->mtu + VLAN_HLEN;
	if (fits || skb->ip_summed == CHECKSUM_PARTIAL)
		send_to_guest(skb, &way);
	else if (colo_cut(skb, way.dev, way.dev->mtu, send_to_guest, &way))
		atomic64_inc(&proxy->counters.dropped_device);
out:
	rcu_read_unlock();
}
EXPORT_SYMBOL_NS_GPL(colo_guest_send, COLO_SYMBOLS);

static void set_type(struct sk_buff *skb, const struct net_device *bridge)
{
	const u8 *to = eth_hdr(skb)->h_dest;

	if (is_broadcast_ether_addr(to))
		skb->pkt_type = PACKET_BROADCAST;
	else if (is_multicast_ether_addr(to))
		skb->pkt_type = PACKET_MULTICAST;
	else if (bridge && ether_addr_equal(to, bridge->dev_addr))
		skb->pkt_type = PACKET_HOST;
	else
		skb->pkt_type = PACKET_OTHERHOST;
}

/*
 * Behind the hooks of PREROUTING, as they would take it for what the guest says now, and it would
 * be judged, or fixed, once more.
 */
void colo_guest_receive(struct colo_proxy *proxy, struct sk_buff *skb)
{
	struct net_device *dev;

	rcu_read_lock();
	local_bh_disable();
	dev = READ_ONCE(proxy->guest.dev);
	if (!dev || !netif_is_bridge_port(dev) || !prepare(skb)) {
		atomic64_inc(&proxy->counters.dropped_device);
		kfree_skb(skb);
		goto out;
	}
	skb->dev = dev;
	skb->skb_iif = dev->ifindex;
	__skb_pull(skb, ETH_HLEN);
	skb_reset_network_header(skb);
	skb_reset_mac_len(skb);
	if (eth_type_vlan(skb->protocol))
		skb = skb_vlan_untag(skb);
	if (!skb) {
		atomic64_inc(&proxy->counters.dropped_memory);
		goto out;
	}
	set_type(skb, netdev_master_upper_dev_get_rcu(dev));
	memset(skb->cb, 0, sizeof(skb->cb));
	br_handle_frame_finish(proxy->net, NULL, skb);
out:
	local_bh_enable();
	rcu_read_unlock();
}
EXPORT_SYMBOL_NS_GPL(colo_guest_receive, COLO_SYMBOLS);
