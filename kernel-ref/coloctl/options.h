/* SPDX-License-Identifier: GPL-2.0-only */
/* What is on the command line: tables of options, and what was given for each. */
#ifndef COLOCTL_OPTIONS_H
#define COLOCTL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define EXIT_REFUSED 1 /* the kernel or a command said no; its words were shown */
#define EXIT_USAGE 2   /* the command line is wrong; nothing was done */

#define VALUES_MAX 32
#define MANY_MAX 64

enum option_type {
	OPTION_FLAG,
	OPTION_NUMBER,
	OPTION_TIME,   /* "3s", "5ms"; nanoseconds */
	OPTION_DEVICE, /* a name that the kernel allows */
	OPTION_WORD,   /* one of several */
	OPTION_TEXT,
	OPTION_MANY, /* a text, any number of times */
};

struct option {
	const char *name;  /* NULL ends a table */
	const char *value; /* what --help calls it; NULL for a flag */
	const char *text;  /* meaning and default */
	enum option_type type;
	uint64_t max;		  /* of a number; 0 for any of 32 bits */
	const char *const *words; /* of a word, ends with NULL */
};

struct value {
	bool given;
	uint64_t number; /* nanoseconds; of a word, which */
	const char *text;
	const char *many[MANY_MAX];
	unsigned int count;
};

struct call;

struct command {
	const char *name; /* one word or two; NULL ends a table */
	const char *usage;
	const char *summary;
	int words_min; /* besides options */
	int words_max;
	const struct option *options; /* NULL for none */
	const struct option *config;  /* those of a node's configuration, or NULL */
	int (*run)(struct call *call);
};

/* A command and what it was called with. */
struct call {
	const char *program; /* as it was called */
	const struct command *command;
	bool json;
	const char *words[4];
	int words_count;
	struct value options[VALUES_MAX];
	struct value config[VALUES_MAX];
};

/** complain() - A line on stderr, "coloctl: " before it. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/**
 * call_parse() - Sort out what follows the command's name.
 *
 * Return: 0; EXIT_USAGE once it has complained; -1 if --help was asked for and shown.
 */
int call_parse(struct call *call, int argc, char **argv);

/** call_index() - The word at @position as the index of a node. False after complaining. */
bool call_index(const struct call *call, int position, uint32_t *index);

/** require() - Was the option given? Complains if not. */
bool require(const struct call *call, int option);

bool parse_number(const char *text, uint64_t max, uint64_t *number);
/** parse_time() - "1.5s", "20ms", "5us", "7ns", "2min", "1h", "0"; false for all else. */
bool parse_time(const char *text, uint64_t *ns);
/** format_time() - The shortest that parse_time() reads back. */
void format_time(uint64_t ns, char *text, unsigned int size);
/** word_of() - Its position in the list that ends with NULL; -1 if it is not there. */
int word_of(const char *const *words, const char *text);

void print_command_help(const char *program, const struct command *command);

#endif /* COLOCTL_OPTIONS_H */
