/* SPDX-License-Identifier: GPL-2.0-only */
/* Rules of iptables and ip6tables that name a node. */
#ifndef COLOCTL_RULES_H
#define COLOCTL_RULES_H

#include "plan.h"

struct rule {
	const char *iptables; /* of iptables_names; NULL for the system's choice */
	const char *guest_dev; /* in whichever bridge */
	const char *target;
	uint32_t index;
	const char *sec_dev;
};

extern const char *const iptables_names[];

/** rule_add() - A step that appends the rule, and how it is undone. @ipv6: ip6tables. */
void rule_add(struct plan *plan, const struct rule *rule, bool ipv6);

#endif /* COLOCTL_RULES_H */
