/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who speaks when the two hosts of a pair have lost each other (rule fail-fence): a third
 * party that both can ask, and that answers each question once and for all.
 */
#ifndef COLO_ARBITER_H
#define COLO_ARBITER_H

#include "colo_node.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Time is cut into terms. A term begins when a pair is protected, named by the epoch of the
 * checkpoint that made it one, and ends when another pair is. In a term the first that asks is
 * granted to speak alone, and nobody else ever.
 *
 * So there are never two speakers. Alone speaks only who was granted, one of a term. Speakers of
 * two terms: only who was granted the earlier one can begin a later one, and it stops speaking
 * alone before it says so. Speaking under a lease beside somebody granted: see colo_failover.h.
 * An attempt at a pair that came to nothing had a number as well, which is never used again: a
 * secondary left over from it asks for a term that never began.
 */
struct colo_arbiter {
	u32 term;
	enum colo_role granted; /* holds if decided */
	bool decided;
};

/** colo_arbiter_init() - A pair is protected, whose nodes begin in this term (0: fresh ones). */
void colo_arbiter_init(struct colo_arbiter *arbiter, u32 term);

/**
 * colo_arbiter_protect() - The primary reports a pair protected again (COLO_ACTION_TELL_TERM).
 *
 * Telling again changes nothing, so that the report may be lost, doubled or late.
 *
 * Return: the term has begun, which the primary learns by COLO_EVENT_TERM.
 */
bool colo_arbiter_protect(struct colo_arbiter *arbiter, u32 term);

/**
 * colo_arbiter_ask() - One host of the pair of a term has lost the other (COLO_ACTION_ASK).
 * @role: its role in that term.
 *
 * The same question has the same answer, however often it is asked.
 *
 * Return: granted, to be told as COLO_EVENT_GRANTED with the term, else COLO_EVENT_DENIED.
 */
bool colo_arbiter_ask(struct colo_arbiter *arbiter, enum colo_role role, u32 term);

#ifdef __cplusplus
}
#endif

#endif /* COLO_ARBITER_H */
