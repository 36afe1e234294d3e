// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a proxy: a node comes and goes, rules come and go, devices vanish. All of it under
 * the namespace's mutex.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/moduleparam.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "colo_proxy.h"

/* Each has a thread, of which namespaces' users could otherwise make as many as they like. */
static unsigned int nodes_max = 1024;
module_param(nodes_max, uint, 0644);
MODULE_PARM_DESC(nodes_max, "Nodes that there can be, in all network namespaces together");

static atomic_t nodes = ATOMIC_INIT(0);

unsigned int colo_net_id;

struct colo_net *colo_net_of(struct net *net)
{
	return net_generic(net, colo_net_id);
}

struct colo_proxy *colo_proxy_find(struct colo_net *colo_net, u32 index)
{
	struct colo_proxy *proxy = xa_load(&colo_net->proxies, index);

	lockdep_assert_held(&colo_net->mutex);
	return proxy && colo_proxy_has_node(proxy) ? proxy : NULL;
}

static struct colo_proxy *make_proxy(struct net *net, u16 index)
{
	struct colo_proxy *proxy = kzalloc(sizeof(*proxy), GFP_KERNEL_ACCOUNT);
	int err;

	if (!proxy)
		return ERR_PTR(-ENOMEM);
	init_llist_head(&proxy->arrived);
	init_llist_head(&proxy->commands);
	init_waitqueue_head(&proxy->wait);
	skb_queue_head_init(&proxy->inbound);
	proxy->net = net;
	proxy->index = index;
	err = xa_err(xa_store(&colo_net_of(net)->proxies, index, proxy, GFP_KERNEL_ACCOUNT));
	if (err) {
		kfree(proxy);
		return ERR_PTR(err);
	}
	return proxy;
}

/* Neither node nor rules need it any more. */
static void put_proxy(struct colo_proxy *proxy)
{
	if (colo_proxy_has_node(proxy) || proxy->rules)
		return;
	xa_erase(&colo_net_of(proxy->net)->proxies, proxy->index);
	skb_queue_purge(&proxy->inbound);
	kfree_rcu(proxy, rcu);
}

/* Arming: a node with a rule takes frames. */

static const char *check_devices(const struct colo_proxy *proxy, const struct net_device *guest,
				 const struct net_device *sec, int *err)
{
	u32 shim = proxy->plain ? 0 : COLO_SHIM_LEN;

	*err = -ENODEV;
	if (!guest)
		return "the guest's device does not exist";
	if (!sec)
		return "sec_dev does not exist";
	if (guest == sec)
		return "sec_dev is the guest's device";
	*err = -EMSGSIZE;
	if (READ_ONCE(sec->mtu) < READ_ONCE(guest->mtu) + shim)
		return "the MTU of sec_dev has no room for the guest's frames and the shim";
	*err = 0;
	return NULL;
}

static int start(struct colo_proxy *proxy, struct net_device *guest, struct net_device *sec,
		 const char **why)
{
	int err;

	*why = check_devices(proxy, guest, sec, &err);
	if (err)
		return err;
	err = proxy->ops->start(proxy, guest, sec);
	if (err)
		*why = err == -EBUSY  ? "a node without shim shares sec_dev with no other" :
		       err == -EINVAL ? "the guest's device or sec_dev is no Ethernet" :
					"the devices cannot be used";
	return err;
}

/* A checkpoint may have begun before. */
static int pause_if_pending(struct colo_proxy *proxy, void *arg, u64 now_ns, struct colo_out *out)
{
	const struct colo_node *node = &proxy->node;

	if (node->state != COLO_NODE_RUNNING && !node->deferred)
		proxy->ops->act(proxy, COLO_ACTION_PAUSE);
	return 0;
}

static int arm(struct colo_proxy *proxy, const char **why)
{
	struct net_device *guest = dev_get_by_name(proxy->net, proxy->guest_name);
	struct net_device *sec = dev_get_by_name(proxy->net, proxy->sec_name);
	int err = start(proxy, guest, sec, why);

	dev_put(guest);
	dev_put(sec);
	if (err)
		return err;
	colo_proxy_run(proxy, pause_if_pending, NULL);
	WRITE_ONCE(proxy->armed, true);
	return 0;
}

/* No frame is queued any more when it returns, and none is held. */
static void disarm(struct colo_proxy *proxy)
{
	if (!proxy->armed)
		return;
	WRITE_ONCE(proxy->armed, false);
	synchronize_net();
	colo_proxy_run(proxy, colo_let_go, NULL);
	proxy->ops->stop(proxy);
	skb_queue_purge(&proxy->inbound);
}

static int set_ops(struct colo_proxy *proxy, void *arg, u64 now_ns, struct colo_out *out)
{
	proxy->ops = arg;
	return 0;
}

/* While there is a thread, it alone changes what it reads at any time. */
static void use_ops(struct colo_proxy *proxy, const struct colo_proxy_ops *ops)
{
	if (colo_proxy_run(proxy, set_ops, (void *)ops))
		proxy->ops = ops;
}

/* Rules */

static int check_rule(const struct colo_proxy *proxy, const char *sec_name,
		      const struct colo_proxy_ops *ops, const char **why)
{
	bool other_role = colo_proxy_has_node(proxy) && proxy->node.role != ops->role;

	if (other_role || (proxy->rules && proxy->ops != ops)) {
		*why = "the node is of the other role";
		return -EPROTOTYPE;
	}
	if (proxy->rules && strcmp(proxy->sec_name, sec_name)) {
		*why = "another rule of the node names another sec_dev";
		return -EBUSY;
	}
	return 0;
}

static int attach_first(struct colo_proxy *proxy, const char *sec_name,
			const struct colo_proxy_ops *ops, const char **why)
{
	int err;

	if (strscpy(proxy->sec_name, sec_name, IFNAMSIZ) <= 0) {
		proxy->sec_name[0] = 0;
		*why = "neither the rule nor the module names a sec_dev";
		return -ENODEV;
	}
	use_ops(proxy, ops);
	err = arm(proxy, why);
	if (err) {
		use_ops(proxy, NULL);
		proxy->sec_name[0] = 0;
	}
	return err;
}

static int attach(struct colo_proxy *proxy, const char *sec_name,
		  const struct colo_proxy_ops *ops, const char **why)
{
	int err;

	*why = "there is no such node";
	if (!proxy)
		return -ENXIO;
	err = check_rule(proxy, sec_name, ops, why);
	if (!err && !proxy->rules)
		err = attach_first(proxy, sec_name, ops, why);
	if (!err)
		proxy->rules++;
	return err;
}

struct colo_proxy *colo_proxy_attach(struct net *net, u32 index, const char *sec_name,
				     const struct colo_proxy_ops *ops)
{
	struct colo_net *colo_net = colo_net_of(net);
	struct colo_proxy *proxy;
	const char *why;
	int err;

	mutex_lock(&colo_net->mutex);
	proxy = xa_load(&colo_net->proxies, index);
	err = attach(proxy, sec_name, ops, &why);
	mutex_unlock(&colo_net->mutex);
	if (!err)
		return proxy;
	pr_info_ratelimited("a rule for node %u is refused: %s\n", index, why);
	return ERR_PTR(err);
}
EXPORT_SYMBOL_NS_GPL(colo_proxy_attach, COLO_SYMBOLS);

void colo_proxy_detach(struct colo_proxy *proxy)
{
	struct colo_net *colo_net = colo_net_of(proxy->net);

	mutex_lock(&colo_net->mutex);
	if (!--proxy->rules) {
		disarm(proxy);
		use_ops(proxy, NULL);
		proxy->sec_name[0] = 0;
	}
	put_proxy(proxy);
	mutex_unlock(&colo_net->mutex);
}
EXPORT_SYMBOL_NS_GPL(colo_proxy_detach, COLO_SYMBOLS);

/* Nodes */

static int start_node(struct colo_proxy *proxy, const struct colo_node_spec *spec)
{
	int err;

	colo_node_init(&proxy->node, spec->index, spec->role, &spec->config, ktime_get_ns());
	if (spec->joining)
		colo_node_join(&proxy->node);
	proxy->conns_max = spec->conns_max;
	proxy->plain = spec->config.plain;
	proxy->paused = false;
	proxy->cause.reason = COLO_REASON_NONE;
	memset(&proxy->counters, 0, sizeof(proxy->counters));
	strscpy(proxy->guest_name, spec->guest_name, IFNAMSIZ);
	colo_publish(proxy);
	err = colo_conns_init(proxy);
	if (err)
		return err;
	err = colo_thread_start(proxy);
	if (err)
		colo_conns_free(proxy);
	return err;
}

static void stop_node(struct colo_proxy *proxy)
{
	disarm(proxy);
	colo_thread_stop(proxy);
	colo_conns_free(proxy);
	proxy->owner = 0;
}

static int start_and_arm(struct colo_proxy *proxy, const struct colo_node_spec *spec,
			 const char **why)
{
	int err;

	*why = "there is not enough memory";
	err = start_node(proxy, spec);
	if (err || !proxy->rules)
		return err;
	err = arm(proxy, why);
	if (err)
		stop_node(proxy);
	return err;
}

static int add_node(struct colo_proxy *proxy, const struct colo_node_spec *spec, const char **why)
{
	int err;

	*why = "there are as many nodes as the module's parameter nodes_max allows";
	err = -ENOSPC;
	if (atomic_inc_return(&nodes) <= READ_ONCE(nodes_max))
		err = start_and_arm(proxy, spec, why);
	if (err)
		atomic_dec(&nodes);
	return err;
}

static bool has_device(struct net *net, const char *name)
{
	struct net_device *dev = dev_get_by_name(net, name);

	dev_put(dev);
	return dev;
}

static int check_place(const struct colo_proxy *proxy, const struct colo_node_spec *spec,
		       const char **why)
{
	*why = "there is a node of this index";
	if (colo_proxy_has_node(proxy))
		return -EEXIST;
	*why = "rules of the other role name this index; delete them first";
	if (proxy->rules && proxy->ops->role != spec->role)
		return -EPROTOTYPE;
	return 0;
}

static int add(struct net *net, const struct colo_node_spec *spec, const char **why)
{
	struct colo_proxy *proxy = xa_load(&colo_net_of(net)->proxies, spec->index);
	int err;

	*why = "GUEST_DEV does not exist";
	if (!has_device(net, spec->guest_name))
		return -ENODEV;
	*why = "there is not enough memory";
	if (!proxy)
		proxy = make_proxy(net, spec->index);
	if (IS_ERR(proxy))
		return PTR_ERR(proxy);
	err = check_place(proxy, spec, why);
	if (err)
		return err;
	err = add_node(proxy, spec, why);
	if (err)
		put_proxy(proxy);
	else
		proxy->owner = spec->owner;
	return err;
}

int colo_proxy_add(struct net *net, const struct colo_node_spec *spec, const char **why)
{
	struct colo_net *colo_net = colo_net_of(net);
	int err;

	mutex_lock(&colo_net->mutex);
	err = add(net, spec, why);
	mutex_unlock(&colo_net->mutex);
	return err;
}

void colo_proxy_remove(struct colo_proxy *proxy, enum colo_genl_gone cause)
{
	stop_node(proxy);
	atomic_dec(&nodes);
	colo_note_gone(proxy, cause);
	put_proxy(proxy);
}

/* Devices */

/* A node that no rule arms yet knows its device by name. */
static bool is_guest(const struct colo_proxy *proxy, const struct net_device *dev)
{
	return proxy->armed ? proxy->guest.dev == dev : !strcmp(proxy->guest_name, dev->name);
}

static void forget_device(struct colo_proxy *proxy, struct net_device *dev)
{
	/*
	 * Nothing comes over a device that is being unregistered any more, so what is queued by
	 * now is all there is.
	 */
	colo_proxy_run(proxy, colo_unpin, dev);
	if (is_guest(proxy, dev))
		colo_proxy_remove(proxy, COLO_GONE_DEVICE);
	else if (proxy->sec.dev == dev)
		colo_ports_forget(proxy, dev);
}

void colo_proxy_device_gone(struct colo_net *colo_net, struct net_device *dev)
{
	struct colo_proxy *proxy;
	unsigned long index;

	mutex_lock(&colo_net->mutex);
	xa_for_each(&colo_net->proxies, index, proxy) {
		if (colo_proxy_has_node(proxy))
			forget_device(proxy, dev);
	}
	mutex_unlock(&colo_net->mutex);
}
