// SPDX-License-Identifier: GPL-2.0-only
#include "colo_arbiter.h"

void colo_arbiter_init(struct colo_arbiter *arbiter, u32 term)
{
	memset(arbiter, 0, sizeof(*arbiter));
	arbiter->term = term;
}

bool colo_arbiter_protect(struct colo_arbiter *arbiter, u32 term)
{
	/* Whoever begins a term was granted the one before. */
	if (arbiter->decided && colo_after(term, arbiter->term)) {
		arbiter->term = term;
		arbiter->decided = false;
	}
	return term == arbiter->term;
}

bool colo_arbiter_ask(struct colo_arbiter *arbiter, enum colo_role role, u32 term)
{
	/* The primary's report may have been lost; the secondary cannot know if it was due. */
	if (role == COLO_ROLE_PRIMARY)
		colo_arbiter_protect(arbiter, term);
	if (term != arbiter->term)
		return false;
	if (!arbiter->decided) {
		arbiter->decided = true;
		arbiter->granted = role;
	}
	return arbiter->granted == role;
}
