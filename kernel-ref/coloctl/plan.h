/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Commands to run, each with the one that undoes it. What would undo them is kept in a file of the
 * node, written before each is run: so teardown knows what setup found, even if setup was killed.
 */
#ifndef COLOCTL_PLAN_H
#define COLOCTL_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#define PLAN_STEPS_MAX 48
#define PLAN_COMMAND_MAX 1024
#define SHARED '~'

/* Words are separated by single blanks; no word has one in it. */
struct step {
	char command[PLAN_COMMAND_MAX];
	/* Empty if nothing has to be undone; SHARED first if other nodes may count on it. */
	char undo[PLAN_COMMAND_MAX];
};

struct plan {
	const char *program; /* who runs it, and is "coloctl" in commands */
	struct step steps[PLAN_STEPS_MAX];
	unsigned int count;
};

/** plan_do() - One more step. */
void plan_do(struct plan *plan, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** plan_undo() - How the last one is undone. */
void plan_undo(struct plan *plan, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** plan_undo_shared() - Likewise, but not before the last node that may count on it is gone. */
void plan_undo_shared(struct plan *plan, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** plan_print() - One command a line, as a shell would read it. */
void plan_print(const struct plan *plan);

/** command_run() - Wait for it. False after complaining. */
bool command_run(const char *program, const char *command);
/** command_status() - Its exit status, and nothing of what it says; -1 if it cannot be run. */
int command_status(const char *program, const char *command);
void command_print(const char *program, const char *command);

/** journal_lock() - Until this process ends. False after complaining. */
bool journal_lock(void);
bool journal_exists(uint32_t index);
void journal_path(uint32_t index, char *path);
/** journal_add() - One more line at the end. False after complaining. */
bool journal_add(uint32_t index, const char *undo);

/** plan_run_all_or_nothing() - With journal. Return: 0; EXIT_REFUSED once all is undone. */
int plan_run_all_or_nothing(const struct plan *plan, uint32_t index);
/** plan_run_all() - Every step, whatever fails. Return: 0; EXIT_REFUSED after complaining. */
int plan_run_all(const struct plan *plan);

/**
 * journal_undo() - Backwards, what still has to be undone. What is shared is left to another node's
 * journal, if there is one. Lines that fail stay.
 *
 * Return: 0; EXIT_REFUSED after complaining.
 */
int journal_undo(const char *program, uint32_t index, bool dry_run);

#endif /* COLOCTL_PLAN_H */
