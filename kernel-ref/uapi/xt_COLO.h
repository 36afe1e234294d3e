/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/* What the iptables targets PMYCOLO and SECCOLO, revision 0, carry; the same for both. */
#ifndef _UAPI_XT_COLO_H
#define _UAPI_XT_COLO_H

#include <linux/types.h>

#define XT_COLO_INDEX_MAX 65535
#define XT_COLO_IFNAMSIZ 16

struct xt_colo_info {
	__u32 index;			/* the node's */
	char sec_dev[XT_COLO_IFNAMSIZ]; /* --forward-dev; empty: the module's parameter */

	/* The kernel's own. */
	struct colo_proxy *proxy __attribute__((aligned(8)));
};

#endif /* _UAPI_XT_COLO_H */
