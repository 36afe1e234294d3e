// SPDX-License-Identifier: GPL-2.0-only
/*
 * The secondary guest's host: the guest hears what the primary's does, in its own numbers, and is
 * heard by the primary's host alone, until it has failed over.
 *
 *            NF_NETDEV_INGRESS
 *   guest - tap0 ------------------> fixed --> sec_dev --> primary's host
 *            ^ <---------- fixed <------------ sec_dev
 *            |
 *            x  NF_NETDEV_EGRESS: the bridge is shut out
 *            |
 *           br1
 *
 * From the failover on, and always in plain mode, it is the bridge that the guest talks to: what
 * it sends is fixed in PREROUTING, what it gets at its port's egress. There only TCP, and errors
 * that quote TCP, are taken; the rest is not held up.
 */
#include <linux/module.h>
#include <linux/netfilter/x_tables.h>

#include "colo_compat.h"
#include "colo_proxy.h"
#include "uapi/xt_COLO.h"

static char sec_dev[IFNAMSIZ];
module_param_string(sec_dev, sec_dev, sizeof(sec_dev), 0644);
MODULE_PARM_DESC(sec_dev, "Device to the primary's host, for rules without --forward-dev");

/* Does the guest talk to the bridge? */
static bool is_open(const struct colo_proxy *proxy)
{
	return proxy->plain || READ_ONCE(proxy->speaks);
}

static unsigned int seccolo_target(struct sk_buff *skb, const struct xt_action_param *par)
{
	const struct xt_colo_info *info = par->targinfo;
	struct colo_proxy *proxy = info->proxy;

	if (!READ_ONCE(proxy->armed) || !colo_port_is_from(proxy, skb, par->state))
		return XT_CONTINUE;
	if (is_open(proxy) && colo_traffic(skb, 0) != COLO_TRAFFIC_TCP)
		return XT_CONTINUE;
	return colo_port_take(proxy, skb, par->state, COLO_SECONDARY);
}

static unsigned int guest_ingress(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	struct colo_proxy *proxy = priv;

	if (!READ_ONCE(proxy->armed) || is_open(proxy))
		return NF_ACCEPT;
	skb = skb_share_check(skb, GFP_ATOMIC);
	if (!skb) {
		atomic64_inc(&proxy->counters.dropped_memory);
		return NF_STOLEN;
	}
	atomic64_inc(&proxy->counters.from_guest);
	if (colo_traffic(skb, 0) != COLO_TRAFFIC_TCP) {
		skb_push(skb, skb->data - skb_mac_header(skb));
		colo_sec_send(proxy, COLO_SHIM_FRAME, skb);
		return NF_STOLEN;
	}
	skb = colo_gather(proxy, skb, COLO_SECONDARY, 0, true);
	if (skb)
		colo_port_arrive(proxy, skb, COLO_SECONDARY, false, NULL);
	return NF_STOLEN;
}

static unsigned int guest_egress(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	struct colo_proxy *proxy = priv;

	if (!READ_ONCE(proxy->armed))
		return NF_ACCEPT;
	/* What comes while a checkpoint is taken, the state that is loaded has. */
	if (!is_open(proxy) || (proxy->plain && READ_ONCE(proxy->paused)))
		return NF_DROP;
	if (colo_traffic(skb, ETH_HLEN) == COLO_TRAFFIC_OTHER)
		return NF_ACCEPT;
	colo_port_leaving(proxy, skb, false);
	return NF_STOLEN;
}

static void receive(struct colo_proxy *proxy, struct sk_buff *skb, const struct colo_shim *shim)
{
	bool hint = shim->kind == COLO_SHIM_HINT;
	enum colo_side side = hint ? COLO_PRIMARY : COLO_INBOUND;

	skb = colo_gather(proxy, skb, side, shim->epoch, true);
	if (skb)
		colo_port_arrive(proxy, skb, side, hint, shim);
}

/* --- kcolo --- */

static void arrived(struct colo_proxy *proxy, struct colo_frame *frame)
{
}

static void release(struct colo_proxy *proxy, struct colo_frame *frame)
{
	struct sk_buff *skb = frame->skb;

	if (frame->side != COLO_SECONDARY) {
		if (proxy->paused && !proxy->speaks) {
			atomic64_inc(&proxy->counters.stale);
			colo_frame_free(frame);
			return;
		}
		colo_guest_send(proxy, colo_frame_unwrap(frame));
	} else if (!is_open(proxy)) {
		colo_sec_send(proxy, COLO_SHIM_FRAME, colo_frame_unwrap(frame));
	} else if (frame->hook.okfn) {
		frame->skb = NULL;
		colo_frame_go_on(frame, skb);
		colo_frame_free(frame);
	} else {
		/* Taken before the guest was let speak, and not in PREROUTING. */
		colo_guest_receive(proxy, colo_frame_unwrap(frame));
	}
}

/* The sequence fix keeps nothing to send again, and speaks for no client. */
static void emit(struct colo_proxy *proxy, const struct colo_frame *frame, struct sk_buff *skb)
{
	kfree_skb(skb);
}

static void remirror(struct colo_proxy *proxy, struct sk_buff *skb)
{
	kfree_skb(skb);
}

/* The guest gets the new epoch's frames from the commit on, though it does not run yet. */
static void act(struct colo_proxy *proxy, u32 actions)
{
	if (actions & COLO_ACTION_PAUSE)
		WRITE_ONCE(proxy->paused, true);
	if (actions & (COLO_ACTION_LOAD | COLO_ACTION_RESUME))
		WRITE_ONCE(proxy->paused, false);
}

static int start(struct colo_proxy *proxy, struct net_device *guest, struct net_device *sec)
{
	return colo_ports_open(proxy, guest, sec, guest_ingress, guest_egress);
}

static void stop(struct colo_proxy *proxy)
{
	colo_ports_close(proxy);
}

static const struct colo_proxy_ops seccolo_ops = {
	.owner = THIS_MODULE,
	.role = COLO_ROLE_SECONDARY,
	.start = start,
	.stop = stop,
	.receive = receive,
	.arrived = arrived,
	.release = release,
	.emit = emit,
	.remirror = remirror,
	.act = act,
};

static int seccolo_check(const struct xt_tgchk_param *par)
{
	return colo_target_check(par, sec_dev, &seccolo_ops);
}

static struct xt_target seccolo __read_mostly = {
	.name = "SECCOLO",
	.revision = 0,
	.family = NFPROTO_UNSPEC,
	.table = "mangle",
	.hooks = 1 << NF_INET_PRE_ROUTING,
	.targetsize = sizeof(struct xt_colo_info),
	.usersize = offsetof(struct xt_colo_info, proxy),
	.checkentry = seccolo_check,
	.target = seccolo_target,
	.destroy = colo_target_destroy,
	.me = THIS_MODULE,
};

static int __init seccolo_init(void)
{
	return xt_register_target(&seccolo);
}

static void __exit seccolo_exit(void)
{
	xt_unregister_target(&seccolo);
}

module_init(seccolo_init);
module_exit(seccolo_exit);

MODULE_DESCRIPTION("COLO proxy: fix the sequence numbers of a secondary guest");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(COLO_SYMBOLS);
MODULE_ALIAS("ipt_SECCOLO");
MODULE_ALIAS("ip6t_SECCOLO");
