// SPDX-License-Identifier: GPL-2.0-only
#include "plan.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "options.h"

#define WORDS_MAX 96

static void format_into(char *text, const char *format, va_list arguments)
{
	if (vsnprintf(text, PLAN_COMMAND_MAX, format, arguments) >= PLAN_COMMAND_MAX) {
		complain("a command gets too long: %s", text);
		exit(EXIT_USAGE);
	}
}

void plan_do(struct plan *plan, const char *format, ...)
{
	struct step *step = &plan->steps[plan->count];
	va_list arguments;

	if (plan->count == PLAN_STEPS_MAX - 1) {
		complain("too many commands");
		exit(EXIT_USAGE);
	}
	plan->count++;
	va_start(arguments, format);
	format_into(step->command, format, arguments);
	va_end(arguments);
	*step->undo = '\0';
}

void plan_undo(struct plan *plan, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	format_into(plan->steps[plan->count - 1].undo, format, arguments);
	va_end(arguments);
}

void plan_undo_shared(struct plan *plan, const char *format, ...)
{
	char *undo = plan->steps[plan->count - 1].undo;
	va_list arguments;

	va_start(arguments, format);
	format_into(undo, format, arguments);
	va_end(arguments);
	memmove(undo + 1, undo, PLAN_COMMAND_MAX - 1);
	undo[0] = SHARED;
	undo[PLAN_COMMAND_MAX - 1] = '\0';
}

/* Of a command, or of a line that undoes one. */
static int split(const char *program, char *command, char **words)
{
	int count = 0;
	char *word;

	if (*command == SHARED)
		command++;
	for (word = strtok(command, " "); word && count < WORDS_MAX - 1; word = strtok(NULL, " "))
		words[count++] = word;
	words[count] = NULL;
	/* As it was called, so that one that is not installed finds itself. */
	if (count && !strcmp(words[0], "coloctl"))
		words[0] = (char *)program;
	return count;
}

static void print_word(const char *word)
{
	const char *c = word;

	while (isalnum((unsigned char)*c) || (*c && strchr("_-+=.,:/@%", *c)))
		c++;
	if (*word && !*c) {
		fputs(word, stdout);
		return;
	}
	putchar('\'');
	for (; *word; word++)
		if (*word == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*word);
	putchar('\'');
}

void command_print(const char *program, const char *command)
{
	char copy[PLAN_COMMAND_MAX], *words[WORDS_MAX];
	int count, i;

	snprintf(copy, sizeof(copy), "%s", command);
	count = split(program, copy, words);
	for (i = 0; i < count; i++) {
		if (i)
			putchar(' ');
		print_word(words[i]);
	}
	putchar('\n');
}

void plan_print(const struct plan *plan)
{
	unsigned int i;

	for (i = 0; i < plan->count; i++)
		command_print(plan->program, plan->steps[i].command);
}

/* Becomes the command. What it prints goes to stderr, as stdout is ours. */
static void become(const char *program, const char *command, bool interruptible)
{
	char copy[PLAN_COMMAND_MAX], *words[WORDS_MAX];

	snprintf(copy, sizeof(copy), "%s", command);
	split(program, copy, words);
	if (interruptible) {
		signal(SIGINT, SIG_DFL);
		signal(SIGTERM, SIG_DFL);
		signal(SIGHUP, SIG_DFL);
	}
	dup2(STDERR_FILENO, STDOUT_FILENO);
	execvp(words[0], words);
	complain("%s: %s", words[0], strerror(errno));
	_exit(127);
}

static int run(const char *program, const char *command, bool interruptible, bool quiet)
{
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0) {
		if (quiet && !freopen("/dev/null", "w", stderr))
			_exit(127);
		become(program, command, interruptible);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status;
}

static bool complain_of(const char *command, int status)
{
	if (!status)
		return true;
	if (*command == SHARED)
		command++;
	if (status < 0)
		complain("%s: %s", command, strerror(-status));
	else if (WIFSIGNALED(status))
		complain("\"%s\" was killed: %s", command, strsignal(WTERMSIG(status)));
	else
		complain("\"%s\" failed with status %d", command, WEXITSTATUS(status));
	return false;
}

bool command_run(const char *program, const char *command)
{
	return complain_of(command, run(program, command, false, false));
}

int command_status(const char *program, const char *command)
{
	int status = run(program, command, false, true);

	return status >= 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A signal reaches the command that runs, which then fails, and what was done can be undone. */
static void ignore_signals(void)
{
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
}

int plan_run_all_or_nothing(const struct plan *plan, uint32_t index)
{
	char path[PLAN_COMMAND_MAX];
	bool failed = false;
	unsigned int i;

	ignore_signals();
	journal_path(index, path);
	for (i = 0; i < plan->count && !failed; i++) {
		const struct step *step = &plan->steps[i];

		failed = !journal_add(index, step->undo) ||
			 !complain_of(step->command,
				      run(plan->program, step->command, true, false));
	}
	if (!failed)
		return 0;
	for (i--; i-- > 0;)
		if (*plan->steps[i].undo)
			command_run(plan->program, plan->steps[i].undo);
	unlink(path);
	complain("what had been done is undone");
	return EXIT_REFUSED;
}

int plan_run_all(const struct plan *plan)
{
	int result = 0;
	unsigned int i;

	for (i = 0; i < plan->count; i++)
		if (!command_run(plan->program, plan->steps[i].command))
			result = EXIT_REFUSED;
	return result;
}
