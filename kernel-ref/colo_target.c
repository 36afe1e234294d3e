// SPDX-License-Identifier: GPL-2.0-only
/* What the rules of both targets have in common. */
#include <linux/moduleparam.h>
#include <linux/netfilter/x_tables.h>
#include <net/netfilter/ipv4/nf_defrag_ipv4.h>
#include <net/netfilter/ipv6/nf_defrag_ipv6.h>

#include "colo_proxy.h"
#include "uapi/xt_COLO.h"

/*
 * Fragments have to be whole before they reach a target, and nothing of connection tracking is
 * needed for that. In a namespace that goes, both are off already and this changes nothing.
 */
static int gather_enable(const struct xt_tgchk_param *par)
{
	if (par->family == NFPROTO_IPV6)
		return nf_defrag_ipv6_enable(par->net);
	return nf_defrag_ipv4_enable(par->net);
}

static void gather_disable(struct net *net, u8 family)
{
	if (family == NFPROTO_IPV6)
		nf_defrag_ipv6_disable(net);
	else
		nf_defrag_ipv4_disable(net);
}

int colo_target_check(const struct xt_tgchk_param *par, const char *parameter,
		      const struct colo_proxy_ops *ops)
{
	const char *name = par->target->name;
	struct xt_colo_info *info = par->targinfo;
	char sec_dev[IFNAMSIZ];
	int err;

	if (par->family != NFPROTO_IPV4 && par->family != NFPROTO_IPV6) {
		pr_info_ratelimited("%s: only for iptables and ip6tables\n", name);
		return -EPFNOSUPPORT;
	}
	if (info->index > XT_COLO_INDEX_MAX) {
		pr_info_ratelimited("%s: index %u is above %u\n", name, info->index,
				    XT_COLO_INDEX_MAX);
		return -ERANGE;
	}
	if (strnlen(info->sec_dev, sizeof(info->sec_dev)) == sizeof(info->sec_dev)) {
		pr_info_ratelimited("%s: name of the forwarding device is too long\n", name);
		return -ENAMETOOLONG;
	}
	if (info->sec_dev[0]) {
		strscpy(sec_dev, info->sec_dev, sizeof(sec_dev));
	} else {
		kernel_param_lock(ops->owner);
		strscpy(sec_dev, parameter, sizeof(sec_dev));
		kernel_param_unlock(ops->owner);
	}
	if (!sec_dev[0]) {
		pr_info_ratelimited("%s: no forwarding device: use --forward-dev, or the module parameter sec_dev\n",
				    name);
		return -EINVAL;
	}

	err = gather_enable(par);
	if (err)
		return err;
	info->proxy = colo_proxy_attach(par->net, info->index, sec_dev, ops);
	if (IS_ERR(info->proxy)) {
		err = PTR_ERR(info->proxy);
		gather_disable(par->net, par->family);
	}
	return err;
}
EXPORT_SYMBOL_NS_GPL(colo_target_check, COLO_SYMBOLS);

void colo_target_destroy(const struct xt_tgdtor_param *par)
{
	struct xt_colo_info *info = par->targinfo;

	colo_proxy_detach(info->proxy);
	gather_disable(par->net, par->family);
}
EXPORT_SYMBOL_NS_GPL(colo_target_destroy, COLO_SYMBOLS);
