/* SPDX-License-Identifier: GPL-2.0-only */
/* All that differs between the kernels these modules are built for. */
#ifndef COLO_COMPAT_H
#define COLO_COMPAT_H

#include <linux/version.h>
#include <net/genetlink.h>

/* The namespace of our exports: for EXPORT_SYMBOL_NS_GPL() and MODULE_IMPORT_NS(). */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define COLO_SYMBOLS "NF_CONNTRACK_COLO"
#else
#define COLO_SYMBOLS NF_CONNTRACK_COLO
#endif

/* Of the request that began a dump. */
static inline struct nlattr **colo_dump_attrs(struct netlink_callback *cb)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
	return genl_dumpit_info(cb)->info.attrs;
#else
	return genl_dumpit_info(cb)->attrs;
#endif
}

#endif /* COLO_COMPAT_H */
