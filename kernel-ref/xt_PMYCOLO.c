// SPDX-License-Identifier: GPL-2.0-only
/*
 * The primary guest's host: what the guest sends is taken out of the bridge and kept until the
 * secondary guest has said the same; what it gets is copied to the secondary's host.
 *
 *               PREROUTING: target           kcolo/N: okfn
 *   guest - tap0 ----------> judged, held ------------> br0 - clients
 *            ^                                           |
 *            +------------- NF_NETDEV_EGRESS <-----------+
 *                            |  FRAME, and a copy of TCP for the core
 *                            v
 *                         sec_dev --> what the secondary guest sends: judged
 */
#include <linux/module.h>
#include <linux/netfilter/x_tables.h>
#include <net/dst.h>

#include "colo_compat.h"
#include "colo_proxy.h"
#include "uapi/xt_COLO.h"

/* Frames for the guests that wait for the end of a checkpoint; beyond it they are dropped. */
#define INBOUND_MAX 8192
/* How often more of them may come while they are delivered, before order is given up. */
#define ROUNDS_MAX 16

static char sec_dev[IFNAMSIZ];
module_param_string(sec_dev, sec_dev, sizeof(sec_dev), 0644);
MODULE_PARM_DESC(sec_dev, "Device to the secondary's host, for rules without --forward-dev");

static unsigned int pmycolo_target(struct sk_buff *skb, const struct xt_action_param *par)
{
	const struct xt_colo_info *info = par->targinfo;
	struct colo_proxy *proxy = info->proxy;

	if (!READ_ONCE(proxy->armed) || !colo_port_is_from(proxy, skb, par->state))
		return XT_CONTINUE;
	return colo_port_take(proxy, skb, par->state, COLO_PRIMARY);
}

/* --- what comes for the guests --- */

/* Data at the MAC header; the guest is about to get it. BH disabled, RCU. */
static void mirror(struct colo_proxy *proxy, struct sk_buff *skb)
{
	struct sk_buff *copy = skb_clone(skb, GFP_ATOMIC);

	if (copy)
		colo_sec_send(proxy, COLO_SHIM_FRAME, copy);
	else
		atomic64_inc(&proxy->counters.dropped_memory);
	if (colo_traffic(skb, ETH_HLEN) != COLO_TRAFFIC_TCP)
		return;

	copy = skb_clone(skb, GFP_ATOMIC);
	if (copy)
		colo_port_leaving(proxy, copy, true);
	else
		atomic64_inc(&proxy->counters.dropped_memory);
}

/* False if it need not wait. */
static bool hold_back(struct colo_proxy *proxy, struct sk_buff *skb)
{
	struct sk_buff_head *inbound = &proxy->inbound;
	bool full;

	spin_lock_bh(&inbound->lock);
	if (!proxy->paused) {
		spin_unlock_bh(&inbound->lock);
		return false;
	}
	full = skb_queue_len(inbound) >= INBOUND_MAX;
	if (!full) {
		skb_dst_drop(skb); /* of a bridge that may go meanwhile */
		__skb_queue_tail(inbound, skb);
	}
	spin_unlock_bh(&inbound->lock);
	if (full) {
		atomic64_inc(&proxy->counters.dropped_queue);
		kfree_skb(skb);
	}
	return true;
}

static unsigned int guest_egress(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	struct colo_proxy *proxy = priv;

	if (!READ_ONCE(proxy->armed))
		return NF_ACCEPT;
	if (READ_ONCE(proxy->paused) && hold_back(proxy, skb))
		return NF_STOLEN;
	mirror(proxy, skb);
	return NF_ACCEPT;
}

/* To both guests. */
static void deliver(struct colo_proxy *proxy, struct sk_buff_head *frames)
{
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(frames))) {
		rcu_read_lock();
		local_bh_disable();
		if (READ_ONCE(proxy->armed) && skb->dev == READ_ONCE(proxy->guest.dev))
			mirror(proxy, skb);
		colo_guest_send(proxy, skb);
		local_bh_enable();
		rcu_read_unlock();
		cond_resched();
	}
}

/* What comes meanwhile waits behind what is there, so that nothing is overtaken. */
static void resume(struct colo_proxy *proxy)
{
	struct sk_buff_head frames;
	u32 round;

	for (round = 0; READ_ONCE(proxy->paused); round++) {
		__skb_queue_head_init(&frames);
		spin_lock_bh(&proxy->inbound.lock);
		skb_queue_splice_init(&proxy->inbound, &frames);
		if (skb_queue_empty(&frames) || round == ROUNDS_MAX)
			WRITE_ONCE(proxy->paused, false);
		spin_unlock_bh(&proxy->inbound.lock);
		deliver(proxy, &frames);
	}
}

static void act(struct colo_proxy *proxy, u32 actions)
{
	if (actions & COLO_ACTION_PAUSE) {
		spin_lock_bh(&proxy->inbound.lock);
		WRITE_ONCE(proxy->paused, true);
		spin_unlock_bh(&proxy->inbound.lock);
	}
	if (actions & COLO_ACTION_RESUME)
		resume(proxy);
}

/* --- what comes over sec_dev --- */

static void receive(struct colo_proxy *proxy, struct sk_buff *skb, const struct colo_shim *shim)
{
	if (shim && shim->kind != COLO_SHIM_FRAME) {
		atomic64_inc(&proxy->counters.sec_dev_bad);
		kfree_skb(skb);
		return;
	}
	skb = colo_gather(proxy, skb, COLO_SECONDARY, shim ? shim->epoch : 0, false);
	if (skb)
		colo_port_arrive(proxy, skb, COLO_SECONDARY, false, shim);
}

/* --- kcolo --- */

static void arrived(struct colo_proxy *proxy, struct colo_frame *frame)
{
	struct sk_buff *skb;

	if (frame->side != COLO_PRIMARY || !colo_packet_is_syn(&frame->packet) || proxy->plain)
		return;
	skb = skb_clone(frame->skb, GFP_KERNEL);
	if (!skb) {
		atomic64_inc(&proxy->counters.dropped_memory);
		return;
	}
	skb_push(skb, frame->mac_len);
	colo_sec_send(proxy, COLO_SHIM_HINT, skb);
}

/* Of the secondary only requests for neighbours leave, as if its guest were here. */
static void release(struct colo_proxy *proxy, struct colo_frame *frame)
{
	struct sk_buff *skb = frame->skb;

	if (frame->side == COLO_SECONDARY) {
		colo_guest_receive(proxy, colo_frame_unwrap(frame));
		return;
	}
	frame->skb = NULL;
	colo_frame_go_on(frame, skb);
	colo_frame_free(frame);
}

static void emit(struct colo_proxy *proxy, const struct colo_frame *frame, struct sk_buff *skb)
{
	colo_frame_go_on(frame, skb);
}

/* A secondary that is about to get the primary's state has nothing to hear again. */
static void remirror(struct colo_proxy *proxy, struct sk_buff *skb)
{
	if (proxy->paused)
		consume_skb(skb);
	else
		colo_sec_send(proxy, COLO_SHIM_FRAME, skb);
}

static int start(struct colo_proxy *proxy, struct net_device *guest, struct net_device *sec)
{
	return colo_ports_open(proxy, guest, sec, NULL, guest_egress);
}

static void stop(struct colo_proxy *proxy)
{
	struct net_device *guest = proxy->guest.dev;
	struct sk_buff *skb;

	if (!guest)
		return;
	resume(proxy); /* the guest gets what waited, unless it is the guest's device that goes */
	colo_ports_close(proxy);
	while ((skb = skb_dequeue(&proxy->inbound))) {
		atomic64_inc(&proxy->counters.dropped_device);
		kfree_skb(skb);
	}
}

static const struct colo_proxy_ops pmycolo_ops = {
	.owner = THIS_MODULE,
	.role = COLO_ROLE_PRIMARY,
	.start = start,
	.stop = stop,
	.receive = receive,
	.arrived = arrived,
	.release = release,
	.emit = emit,
	.remirror = remirror,
	.act = act,
};

static int pmycolo_check(const struct xt_tgchk_param *par)
{
	return colo_target_check(par, sec_dev, &pmycolo_ops);
}

static struct xt_target pmycolo __read_mostly = {
	.name = "PMYCOLO",
	.revision = 0,
	.family = NFPROTO_UNSPEC,
	.table = "mangle",
	.hooks = 1 << NF_INET_PRE_ROUTING,
	.targetsize = sizeof(struct xt_colo_info),
	.usersize = offsetof(struct xt_colo_info, proxy),
	.checkentry = pmycolo_check,
	.target = pmycolo_target,
	.destroy = colo_target_destroy,
	.me = THIS_MODULE,
};

static int __init pmycolo_init(void)
{
	return xt_register_target(&pmycolo);
}

static void __exit pmycolo_exit(void)
{
	xt_unregister_target(&pmycolo);
}

module_init(pmycolo_init);
module_exit(pmycolo_exit);

MODULE_DESCRIPTION("COLO proxy: hold and compare what a primary guest sends");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(COLO_SYMBOLS);
MODULE_ALIAS("ipt_PMYCOLO");
MODULE_ALIAS("ip6t_PMYCOLO");
