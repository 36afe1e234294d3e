// SPDX-License-Identifier: GPL-2.0-only
#include "rules.h"

#include <stdio.h>

const char *const iptables_names[] = { "legacy", "nft", NULL };

static void write_rule(char *text, size_t size, const struct rule *rule, bool ipv6, char what)
{
	int used = snprintf(text, size, "ip%stables%s%s -w -t mangle -%c PREROUTING",
			    ipv6 ? "6" : "", rule->iptables ? "-" : "",
			    rule->iptables ? rule->iptables : "", what);

	snprintf(text + used, size - (size_t)used,
		 " -m physdev --physdev-in %s -j %s --index %u --forward-dev %s", rule->guest_dev,
		 rule->target, rule->index, rule->sec_dev);
}

void rule_add(struct plan *plan, const struct rule *rule, bool ipv6)
{
	char text[PLAN_COMMAND_MAX];

	write_rule(text, sizeof(text), rule, ipv6, 'A');
	plan_do(plan, "%s", text);
	write_rule(text, sizeof(text), rule, ipv6, 'D');
	plan_undo(plan, "%s", text);
}
