// SPDX-License-Identifier: GPL-2.0-only
/* Comes and goes: with the module, with a network namespace, and with what nodes depend on. */
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/netlink.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "colo_proxy.h"

static int __net_init begin_net(struct net *net)
{
	struct colo_net *colo_net = colo_net_of(net);

	mutex_init(&colo_net->mutex);
	xa_init(&colo_net->proxies);
	return 0;
}

/*
 * Before devices and tables go, as both wait for us. Rules outlive it, and free what is left of
 * a proxy; our memory outlives them.
 */
static void __net_exit end_nodes(struct net *net)
{
	struct colo_net *colo_net = colo_net_of(net);
	struct colo_proxy *proxy;
	unsigned long index;

	mutex_lock(&colo_net->mutex);
	xa_for_each(&colo_net->proxies, index, proxy) {
		if (colo_proxy_has_node(proxy))
			colo_proxy_remove(proxy, COLO_GONE_NETNS);
	}
	mutex_unlock(&colo_net->mutex);
}

static struct pernet_operations net_ops = {
	.init = begin_net,
	.pre_exit = end_nodes,
	.id = &colo_net_id,
	.size = sizeof(struct colo_net),
};

static int device_event(struct notifier_block *block, unsigned long event, void *info)
{
	struct net_device *dev = netdev_notifier_info_to_dev(info);

	if (event == NETDEV_UNREGISTER)
		colo_proxy_device_gone(colo_net_of(dev_net(dev)), dev);
	return NOTIFY_DONE;
}

static struct notifier_block device_notifier = { .notifier_call = device_event };

/* In the context of close(), so a node is gone when its owner is. */
static int netlink_event(struct notifier_block *block, unsigned long event, void *info)
{
	const struct netlink_notify *notify = info;
	struct colo_net *colo_net;
	struct colo_proxy *proxy;
	unsigned long index;

	if (event != NETLINK_URELEASE || notify->protocol != NETLINK_GENERIC)
		return NOTIFY_DONE;
	colo_net = colo_net_of(notify->net);
	mutex_lock(&colo_net->mutex);
	xa_for_each(&colo_net->proxies, index, proxy) {
		if (colo_proxy_has_node(proxy) && proxy->owner == notify->portid)
			colo_proxy_remove(proxy, COLO_GONE_OWNER);
	}
	mutex_unlock(&colo_net->mutex);
	return NOTIFY_DONE;
}

static struct notifier_block netlink_notifier = { .notifier_call = netlink_event };

static int __init colo_init(void)
{
	int err = colo_conns_cache_init();

	if (err)
		return err;
	err = register_pernet_subsys(&net_ops);
	if (err)
		goto free_cache;
	err = colo_port_init();
	if (err)
		goto leave_nets;
	err = register_netdevice_notifier(&device_notifier);
	if (err)
		goto exit_port;
	err = netlink_register_notifier(&netlink_notifier);
	if (err)
		goto ignore_devices;
	err = colo_netlink_init();
	if (err)
		goto ignore_netlink;
	return 0;

ignore_netlink:
	netlink_unregister_notifier(&netlink_notifier);
ignore_devices:
	unregister_netdevice_notifier(&device_notifier);
exit_port:
	colo_port_exit();
leave_nets:
	unregister_pernet_subsys(&net_ops);
free_cache:
	colo_conns_cache_exit();
	return err;
}

static void __exit colo_exit(void)
{
	colo_netlink_exit();
	netlink_unregister_notifier(&netlink_notifier);
	unregister_netdevice_notifier(&device_notifier);
	/* No rule is left, or the modules of the targets would hold us; nodes may be. */
	unregister_pernet_subsys(&net_ops);
	colo_port_exit();
	colo_conns_cache_exit();
}

module_init(colo_init);
module_exit(colo_exit);
MODULE_LICENSE("GPL");
MODULE_AUTHOR("The COLO proxy testbed");
MODULE_DESCRIPTION("COLO: compares two guests' output, and decides what a client may see of it");
MODULE_ALIAS_GENL_FAMILY(COLO_GENL_NAME);
