/* SPDX-License-Identifier: GPL-2.0-only */
/* What this host costs, measured: the core's work on a frame, and waking kcolo. */
#ifndef COLOCTL_MEASURE_H
#define COLOCTL_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

#define MEASURE_ROUNDS 15
/* Payloads of the two kinds of pairs, and the headers before them. */
#define MEASURE_SMALL 64
#define MEASURE_LARGE 1460
#define MEASURE_HEADERS 54

/* Told now and then how far it is. */
typedef void (*measure_progress)(const char *what, unsigned int done, unsigned int all);

/**
 * measure_compare() - One packet of either guest, compared and released: nanoseconds for both.
 * @payload: bytes in each.
 *
 * The median of MEASURE_ROUNDS, after one that warms up. False after complaining, if the core did
 * not release what it should.
 */
bool measure_compare(unsigned int payload, measure_progress progress, double *ns);

/**
 * measure_wakeup() - From a command's arrival at an idle kcolo until it runs, in nanoseconds.
 * @why: if it cannot be measured, why.
 *
 * A request that kcolo answers wakes two: kcolo, and then who asked. One for a node that is not
 * there wakes nobody. So it is half of the medians' difference.
 */
bool measure_wakeup(measure_progress progress, double *ns, const char **why);

#endif /* COLOCTL_MEASURE_H */
