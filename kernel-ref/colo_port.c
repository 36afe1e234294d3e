// SPDX-License-Identifier: GPL-2.0-only
/* The devices of a node: hooks on them, frames in and out. */
#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/if_vlan.h>
#include <linux/netfilter_bridge.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "colo_proxy.h"

/*
 * A sec_dev. Its hook, and its being promiscuous, are shared by all nodes that send over it.
 * Below colo_net.mutex; above rtnl is only the work.
 */
struct colo_link {
	struct list_head list; /* in links */
	struct net_device *dev;
	netdevice_tracker tracker;
	struct nf_hook_ops ingress;
	struct xarray proxies;		   /* by index; RCU */
	struct colo_proxy __rcu *plain; /* the only node of a link without shim */
	u32 users;

	refcount_t refs; /* users together, and the queued work */
	struct work_struct work;
	bool dead;
	bool promiscuous; /* the work's alone */
};

static LIST_HEAD(links);
static DEFINE_MUTEX(links_mutex);
static struct workqueue_struct *queue;

int colo_port_init(void)
{
	queue = alloc_workqueue("colo", 0, 0);
	return queue ? 0 : -ENOMEM;
}

void colo_port_exit(void)
{
	destroy_workqueue(queue);
}

/* --- sec_dev's hook --- */

static void count_bad(struct colo_link *link)
{
	unsigned long index = 0;
	struct colo_proxy *any = xa_find(&link->proxies, &index, ULONG_MAX, XA_PRESENT);

	if (any)
		atomic64_inc(&any->counters.sec_dev_bad);
}

/* Data is behind the shim's ethertype, and then behind that of the frame inside. */
static bool strip_shim(struct sk_buff *skb)
{
	u8 *to;

	if (!pskb_may_pull(skb, COLO_SHIM_LEN) || skb_unclone(skb, GFP_ATOMIC))
		return false;
	__vlan_hwaccel_clear_tag(skb); /* the link's own */
	skb_pull_rcsum(skb, COLO_SHIM_LEN);
	to = skb->data - ETH_HLEN;
	memmove(to, skb_mac_header(skb), 2 * ETH_ALEN);
	skb_set_mac_header(skb, -ETH_HLEN);
	skb_reset_network_header(skb);
	skb_reset_mac_len(skb);
	skb->protocol = eth_hdr(skb)->h_proto;
	if (!eth_proto_is_802_3(skb->protocol))
		skb->protocol = htons(ETH_P_802_2);
	return true;
}

/* Takes @skb, which may be shared with taps. */
static void receive(struct colo_proxy *proxy, struct sk_buff *skb, const struct colo_shim *shim)
{
	skb = skb_share_check(skb, GFP_ATOMIC);
	if (!skb || (shim && !strip_shim(skb))) {
		atomic64_inc(&proxy->counters.dropped_memory);
		kfree_skb(skb);
		return;
	}
	atomic64_inc(&proxy->counters.from_sec_dev);
	proxy->ops->receive(proxy, skb, shim);
}

static unsigned int link_ingress(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	struct colo_link *link = priv;
	struct colo_proxy *proxy = rcu_dereference(link->plain);
	u8 buffer[COLO_SHIM_LEN], *bytes;
	struct colo_shim shim;

	if (proxy) {
		if (!READ_ONCE(proxy->armed))
			return NF_ACCEPT;
		receive(proxy, skb, NULL);
		return NF_STOLEN;
	}
	if (skb->protocol != htons(COLO_SHIM_ETHERTYPE))
		return NF_ACCEPT; /* whatever else the link is used for */

	bytes = skb_header_pointer(skb, 0, sizeof(buffer), buffer);
	if (!bytes || !colo_shim_read(&shim, bytes, COLO_SHIM_LEN)) {
		count_bad(link);
		return NF_DROP;
	}
	proxy = xa_load(&link->proxies, shim.node);
	if (!proxy || !READ_ONCE(proxy->armed)) {
		count_bad(link);
		return NF_DROP;
	}
	receive(proxy, skb, &shim);
	return NF_STOLEN;
}

/* --- opening and closing --- */

static void link_put(struct colo_link *link)
{
	if (!refcount_dec_and_test(&link->refs))
		return;
	netdev_put(link->dev, &link->tracker);
	xa_destroy(&link->proxies);
	kfree(link);
}

/* Frames on sec_dev have the guest's addresses, not the device's. */
static void set_promiscuity(struct work_struct *work)
{
	struct colo_link *link = container_of(work, struct colo_link, work);
	bool wanted;

	rtnl_lock();
	wanted = !READ_ONCE(link->dead);
	if (wanted != link->promiscuous && link->dev->reg_state == NETREG_REGISTERED) {
		if (!dev_set_promiscuity(link->dev, wanted ? 1 : -1))
			link->promiscuous = wanted;
	}
	rtnl_unlock();
	link_put(link);
}

static void want_promiscuity(struct colo_link *link)
{
	refcount_inc(&link->refs);
	if (!queue_work(queue, &link->work))
		link_put(link);
}

static struct colo_link *link_make(struct net_device *dev)
{
	struct colo_link *link = kzalloc(sizeof(*link), GFP_KERNEL);
	int err;

	if (!link)
		return ERR_PTR(-ENOMEM);
	link->dev = dev;
	refcount_set(&link->refs, 1);
	INIT_WORK(&link->work, set_promiscuity);
	xa_init(&link->proxies);
	link->ingress.hook = link_ingress;
	link->ingress.priv = link;
	link->ingress.dev = dev;
	link->ingress.pf = NFPROTO_NETDEV;
	link->ingress.hooknum = NF_NETDEV_INGRESS;
	link->ingress.priority = INT_MIN;
	err = nf_register_net_hook(dev_net(dev), &link->ingress);
	if (err) {
		kfree(link);
		return ERR_PTR(err);
	}
	netdev_hold(dev, &link->tracker, GFP_KERNEL);
	list_add(&link->list, &links);
	want_promiscuity(link);
	return link;
}

static struct colo_link *link_find(const struct net_device *dev)
{
	struct colo_link *link;

	list_for_each_entry(link, &links, list) {
		if (link->dev == dev)
			return link;
	}
	return NULL;
}

/* The last one leaves. What is registered is still of @net, whatever becomes of the device. */
static void link_close(struct colo_link *link, struct net *net)
{
	list_del(&link->list);
	nf_unregister_net_hook(net, &link->ingress);
	WRITE_ONCE(link->dead, true);
}

static int link_add(struct colo_link *link, struct colo_proxy *proxy)
{
	int err;

	if (rcu_access_pointer(link->plain) || (proxy->plain && link->users))
		return -EBUSY;
	err = xa_insert(&link->proxies, proxy->index, proxy, GFP_KERNEL);
	if (err)
		return err;
	if (proxy->plain)
		rcu_assign_pointer(link->plain, proxy);
	link->users++;
	return 0;
}

static int link_open(struct colo_proxy *proxy, struct net_device *dev)
{
	struct colo_link *link;
	int err;

	mutex_lock(&links_mutex);
	link = link_find(dev);
	if (!link)
		link = link_make(dev);
	err = PTR_ERR_OR_ZERO(link);
	if (err)
		goto out;
	err = link_add(link, proxy);
	if (!err) {
		proxy->sec.link = link;
	} else if (!link->users) {
		link_close(link, proxy->net);
		synchronize_net();
		want_promiscuity(link);
		link_put(link);
	}
out:
	mutex_unlock(&links_mutex);
	return err;
}

/* Return: the link if it is over; it is put once no hook runs any more. */
static struct colo_link *link_leave(struct colo_proxy *proxy)
{
	struct colo_link *link = proxy->sec.link;

	if (!link)
		return NULL;
	mutex_lock(&links_mutex);
	proxy->sec.link = NULL;
	xa_erase(&link->proxies, proxy->index);
	if (proxy->plain)
		RCU_INIT_POINTER(link->plain, NULL);
	if (--link->users)
		link = NULL;
	else
		link_close(link, proxy->net);
	mutex_unlock(&links_mutex);
	return link;
}

static int hook(struct colo_proxy *proxy, struct nf_hook_ops *ops, struct net_device *dev,
		unsigned int hooknum, nf_hookfn *fn)
{
	int err;

	if (!fn)
		return 0;
	ops->hook = fn;
	ops->priv = proxy;
	ops->dev = dev;
	ops->pf = NFPROTO_NETDEV;
	ops->hooknum = hooknum;
	/* First to see what comes in, last what goes out: both guests get what others changed. */
	ops->priority = hooknum == NF_NETDEV_INGRESS ? INT_MIN : INT_MAX;
	err = nf_register_net_hook(proxy->net, ops);
	if (err)
		ops->hook = NULL;
	return err;
}

static void unhook(struct colo_proxy *proxy, struct nf_hook_ops *ops)
{
	if (ops->hook)
		nf_unregister_net_hook(proxy->net, ops);
	ops->hook = NULL;
}

static void port_set(struct colo_port *port, struct net_device *dev)
{
	netdev_hold(dev, &port->tracker, GFP_KERNEL);
	WRITE_ONCE(port->dev, dev);
	WRITE_ONCE(port->ifindex, dev->ifindex);
}

int colo_ports_open(struct colo_proxy *proxy, struct net_device *guest, struct net_device *sec,
		    nf_hookfn *ingress, nf_hookfn *egress)
{
	bool bridged = proxy->plain && proxy->ops->role == COLO_ROLE_SECONDARY;
	int err;

	if (guest->type != ARPHRD_ETHER || sec->type != ARPHRD_ETHER || guest == sec)
		return -EINVAL;
	port_set(&proxy->guest, guest);
	port_set(&proxy->sec, sec);
	err = bridged ? 0 : link_open(proxy, sec);
	if (!err)
		err = hook(proxy, &proxy->guest.ingress, guest, NF_NETDEV_INGRESS, ingress);
	if (!err)
		err = hook(proxy, &proxy->guest.egress, guest, NF_NETDEV_EGRESS, egress);
	if (err)
		colo_ports_close(proxy);
	return err;
}
EXPORT_SYMBOL_NS_GPL(colo_ports_open, COLO_SYMBOLS);

static struct net_device *port_clear(struct colo_port *port)
{
	struct net_device *dev = port->dev;

	WRITE_ONCE(port->ifindex, 0);
	WRITE_ONCE(port->dev, NULL);
	return dev;
}

/* Devices of which @gone is one; all if it is NULL. */
static void ports_close(struct colo_proxy *proxy, const struct net_device *gone)
{
	struct colo_port *guest = &proxy->guest, *sec = &proxy->sec;
	struct net_device *guest_dev = NULL, *sec_dev = NULL;
	struct colo_link *link = NULL;

	if (!gone || guest->dev == gone) {
		unhook(proxy, &guest->ingress);
		unhook(proxy, &guest->egress);
		guest_dev = port_clear(guest);
	}
	if (!gone || sec->dev == gone) {
		link = link_leave(proxy);
		sec_dev = port_clear(sec);
	}
	if (!guest_dev && !sec_dev)
		return;
	synchronize_net(); /* hooks have returned, and kcolo has sent what it was about to send */
	netdev_put(guest_dev, &guest->tracker);
	netdev_put(sec_dev, &sec->tracker);
	if (link) {
		want_promiscuity(link);
		link_put(link);
	}
}

void colo_ports_close(struct colo_proxy *proxy)
{
	ports_close(proxy, NULL);
}
EXPORT_SYMBOL_NS_GPL(colo_ports_close, COLO_SYMBOLS);

void colo_ports_forget(struct colo_proxy *proxy, const struct net_device *dev)
{
	ports_close(proxy, dev);
}

/* --- to kcolo --- */

bool colo_port_is_from(const struct colo_proxy *proxy, const struct sk_buff *skb,
		       const struct nf_hook_state *state)
{
	int ifindex = 0;

#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
	ifindex = nf_bridge_get_physinif(skb);
#endif
	if (!ifindex && state->in)
		ifindex = state->in->ifindex;
	return ifindex == READ_ONCE(proxy->guest.ifindex);
}
EXPORT_SYMBOL_NS_GPL(colo_port_is_from, COLO_SYMBOLS);

/* The frame is taken, not so its skb. */
static bool enqueue(struct colo_proxy *proxy, struct colo_frame *frame)
{
	if (colo_proxy_queue(proxy, frame))
		return true;
	atomic64_inc(&proxy->counters.dropped_queue);
	frame->skb = NULL;
	colo_frame_free(frame);
	return false;
}

static bool take(struct colo_proxy *proxy, struct sk_buff *skb, const struct nf_hook_state *state,
		 enum colo_side side)
{
	struct colo_frame *frame = colo_frame_take(skb, state, side);

	if (!frame) {
		atomic64_inc(&proxy->counters.dropped_memory);
		return false;
	}
	return enqueue(proxy, frame);
}

unsigned int colo_port_take(struct colo_proxy *proxy, struct sk_buff *skb,
			    const struct nf_hook_state *state, enum colo_side side)
{
	struct sk_buff *segment, *next;

	if (!colo_needs_split(skb)) {
		atomic64_inc(&proxy->counters.from_guest);
		return take(proxy, skb, state, side) ? NF_STOLEN : NF_DROP;
	}
	segment = colo_split(skb);
	if (!segment)
		atomic64_inc(&proxy->counters.dropped_memory);
	for (; segment; segment = next) {
		next = segment->next;
		skb_mark_not_on_list(segment);
		atomic64_inc(&proxy->counters.from_guest);
		if (!take(proxy, segment, state, side))
			kfree_skb(segment);
	}
	return NF_STOLEN;
}
EXPORT_SYMBOL_NS_GPL(colo_port_take, COLO_SYMBOLS);

void colo_port_arrive(struct colo_proxy *proxy, struct sk_buff *skb, enum colo_side side,
		      bool observed, const struct colo_shim *shim)
{
	struct colo_frame *frame = colo_frame_wrap(skb, side);

	if (!frame) {
		atomic64_inc(&proxy->counters.dropped_memory);
		kfree_skb(skb);
		return;
	}
	frame->observed = observed;
	if (shim) {
		frame->shimmed = true;
		frame->epoch = shim->epoch;
	}
	if (!enqueue(proxy, frame))
		kfree_skb(skb);
}
EXPORT_SYMBOL_NS_GPL(colo_port_arrive, COLO_SYMBOLS);

void colo_port_leaving(struct colo_proxy *proxy, struct sk_buff *skb, bool observed)
{
	skb = skb_share_check(skb, GFP_ATOMIC);
	if (!skb || !pskb_may_pull(skb, ETH_HLEN)) {
		atomic64_inc(&proxy->counters.dropped_memory);
		kfree_skb(skb);
		return;
	}
	skb_reset_mac_header(skb);
	__skb_pull(skb, ETH_HLEN);
	skb_reset_network_header(skb);
	skb = colo_gather(proxy, skb, COLO_INBOUND, 0, true);
	if (skb)
		colo_port_arrive(proxy, skb, COLO_INBOUND, observed, NULL);
}
EXPORT_SYMBOL_NS_GPL(colo_port_leaving, COLO_SYMBOLS);
