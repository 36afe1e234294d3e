/* SPDX-License-Identifier: GPL-2.0-only */
/* What the numbers of the control channel are called. Lists end with NULL. */
#ifndef COLOCTL_NAMES_H
#define COLOCTL_NAMES_H

#include <stdint.h>

extern const char *const role_names[];
extern const char *const state_names[];
extern const char *const mode_names[];
extern const char *const event_names[];	 /* of COLO_CMD_PROTOCOL */
extern const char *const action_names[]; /* by bit */
extern const char *const cause_names[];
extern const char *const note_names[]; /* COLO_NOTE_*, from the first one on */

/* Of COLO_S_*; NULL where there is none. */
#define STAT_NAMES_MAX 64
extern const char *const stat_names[STAT_NAMES_MAX];

/** name_of() - "unknown" beyond the list's end. */
const char *name_of(const char *const *names, uint32_t number);

#endif /* COLOCTL_NAMES_H */
