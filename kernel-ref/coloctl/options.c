// SPDX-License-Identifier: GPL-2.0-only
#include "options.h"

#include "../uapi/device_name.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NODE_INDEX_MAX 65535

static const struct {
	const char *name;
	uint64_t ns;
} units[] = {
	{ "h", UINT64_C(3600000000000) }, { "min", UINT64_C(60000000000) },
	{ "s", 1000000000 },		  { "ms", 1000000 },
	{ "us", 1000 },			  { "ns", 1 },
};

#define UNITS_COUNT (sizeof(units) / sizeof(units[0]))

void complain(const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	fputs("coloctl: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}

bool parse_number(const char *text, uint64_t max, uint64_t *number)
{
	uint64_t value = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		uint64_t digit = (uint64_t)(*text - '0');

		if (!isdigit((unsigned char)*text) || digit > max || value > (max - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*number = value;
	return true;
}

/* Digits after the point: as many nanoseconds as a unit of @scale has of them, none left over. */
static bool parse_fraction(const char **text, uint64_t scale, uint64_t *ns)
{
	const char *start = *text;

	for (; isdigit((unsigned char)**text); (*text)++) {
		if (scale % 10)
			return false;
		scale /= 10;
		*ns += scale * (uint64_t)(**text - '0');
	}
	return *text != start;
}

bool parse_time(const char *text, uint64_t *ns)
{
	size_t digits = strspn(text, "0123456789");
	const char *unit = text + strspn(text, "0123456789.");
	const char *fraction = text + digits;
	char whole[21];
	uint64_t count;
	size_t i;

	if (!digits || digits >= sizeof(whole))
		return false;
	memcpy(whole, text, digits);
	whole[digits] = '\0';
	if (!strcmp(whole, "0") && !text[1]) {
		*ns = 0;
		return true;
	}
	for (i = 0; i < UNITS_COUNT && strcmp(unit, units[i].name); i++)
		;
	if (i == UNITS_COUNT)
		return false;
	/* Less than half of what fits, so that a sum of two does. */
	if (!parse_number(whole, (UINT64_MAX >> 1) / units[i].ns - 1, &count))
		return false;
	*ns = count * units[i].ns;
	if (*fraction == '.') {
		fraction++;
		if (!parse_fraction(&fraction, units[i].ns, ns))
			return false;
	}
	return fraction == unit;
}

void format_time(uint64_t ns, char *text, unsigned int size)
{
	size_t i;

	for (i = 0; ns % units[i].ns; i++)
		;
	if (ns)
		snprintf(text, size, "%" PRIu64 "%s", ns / units[i].ns, units[i].name);
	else
		snprintf(text, size, "0");
}

int word_of(const char *const *words, const char *text)
{
	int i;

	for (i = 0; words[i]; i++)
		if (!strcmp(words[i], text))
			return i;
	return -1;
}

static bool parse_word(const struct option *option, struct value *value)
{
	int found = word_of(option->words, value->text);
	int i;

	if (found >= 0) {
		value->number = (uint64_t)found;
		return true;
	}
	fflush(stdout);
	fprintf(stderr, "coloctl: --%s is one of", option->name);
	for (i = 0; option->words[i]; i++)
		fprintf(stderr, "%s %s", i ? "," : "", option->words[i]);
	fprintf(stderr, "; not \"%s\"\n", value->text);
	return false;
}

static bool parse_value(const struct option *option, struct value *value)
{
	uint64_t max = option->max ? option->max : UINT32_MAX;
	const char *fault;

	switch (option->type) {
	case OPTION_NUMBER:
		if (parse_number(value->text, max, &value->number))
			return true;
		complain("--%s is a number, 0 to %" PRIu64 "; not \"%s\"", option->name, max,
			 value->text);
		return false;
	case OPTION_TIME:
		if (parse_time(value->text, &value->number))
			return true;
		complain("--%s is a time like 3s, 1.5s, 20ms or 500us; not \"%s\"", option->name,
			 value->text);
		return false;
	case OPTION_DEVICE:
		fault = device_name_fault(value->text);
		if (fault)
			complain("--%s \"%s\" %s", option->name, value->text, fault);
		return !fault;
	case OPTION_WORD:
		return parse_word(option, value);
	case OPTION_MANY:
		if (value->count == MANY_MAX) {
			complain("--%s is given more than %d times", option->name, MANY_MAX);
			return false;
		}
		value->many[value->count++] = value->text;
		return true;
	case OPTION_FLAG:
	case OPTION_TEXT:
		break;
	}
	return true;
}

static const struct option *find_in(const struct option *table, struct value *values,
				    const char *name, size_t length, struct value **value)
{
	for (; table && table->name; table++, values++)
		if (strlen(table->name) == length && !strncmp(table->name, name, length)) {
			*value = values;
			return table;
		}
	return NULL;
}

/* Takes the option at *argument, and the next argument if that is its value. */
static int parse_option(struct call *call, char ***argument, char **end)
{
	const char *name = **argument + 2;
	size_t length = strcspn(name, "=");
	const struct option *option;
	struct value *value;

	if (!strcmp(name, "json")) {
		call->json = true;
		return 0;
	}
	option = find_in(call->command->options, call->options, name, length, &value);
	if (!option)
		option = find_in(call->command->config, call->config, name, length, &value);
	if (!option) {
		complain("%s has no option --%.*s; see %s %s --help", call->command->name,
			 (int)length, name, call->program, call->command->name);
		return EXIT_USAGE;
	}
	if (value->given && option->type != OPTION_MANY) {
		complain("--%s is given twice", option->name);
		return EXIT_USAGE;
	}
	value->given = true;
	if (!option->value) {
		if (!name[length])
			return 0;
		complain("--%s takes no value", option->name);
		return EXIT_USAGE;
	}
	if (name[length]) {
		value->text = name + length + 1;
	} else if (*argument + 1 < end) {
		value->text = *++*argument;
	} else {
		complain("--%s needs a value: %s", option->name, option->value);
		return EXIT_USAGE;
	}
	return parse_value(option, value) ? 0 : EXIT_USAGE;
}

static int take_word(struct call *call, const char *word)
{
	const struct command *command = call->command;

	if (call->words_count < command->words_max) {
		call->words[call->words_count++] = word;
		return 0;
	}
	complain("%s: \"%s\" is one word too many; usage: %s %s %s", command->name, word,
		 call->program, command->name, command->usage);
	return EXIT_USAGE;
}

static int take_argument(struct call *call, char ***argument, char **end)
{
	const char *text = **argument;

	if (text[0] != '-' || !text[1])
		return take_word(call, text);
	if (!strcmp(text, "-h") || !strcmp(text, "--help")) {
		print_command_help(call->program, call->command);
		return -1;
	}
	if (text[1] == '-')
		return parse_option(call, argument, end);
	complain("%s has no option %s; see %s %s --help", call->command->name, text,
		 call->program, call->command->name);
	return EXIT_USAGE;
}

int call_parse(struct call *call, int argc, char **argv)
{
	const struct command *command = call->command;
	char **argument;
	int result;

	for (argument = argv; argument < argv + argc; argument++) {
		result = take_argument(call, &argument, argv + argc);
		if (result)
			return result;
	}
	if (call->words_count >= command->words_min)
		return 0;
	complain("%s needs more; usage: %s %s %s", command->name, call->program, command->name,
		 command->usage);
	return EXIT_USAGE;
}

bool call_index(const struct call *call, int position, uint32_t *index)
{
	uint64_t number;

	if (!parse_number(call->words[position], NODE_INDEX_MAX, &number)) {
		complain("%s: INDEX is a number, 0 to %d; not \"%s\"", call->command->name,
			 NODE_INDEX_MAX, call->words[position]);
		return false;
	}
	*index = (uint32_t)number;
	return true;
}

bool require(const struct call *call, int option)
{
	const struct option *wanted = &call->command->options[option];

	if (!call->options[option].given)
		complain("%s needs --%s %s", call->command->name, wanted->name, wanted->value);
	return call->options[option].given;
}

static void print_options(const struct option *table)
{
	for (; table && table->name; table++) {
		int width = printf("  --%s%s%s", table->name, table->value ? " " : "",
				   table->value ? table->value : "");

		printf("%*s%s\n", width < 26 ? 26 - width : 2, "", table->text);
	}
}

void print_command_help(const char *program, const struct command *command)
{
	printf("usage: %s %s %s\n\n%s\n\n", program, command->name, command->usage,
	       command->summary);
	print_options(command->options);
	printf("  --json%*sanswer in JSON\n  --help%*sthis\n", 18, "", 18, "");
	if (!command->config)
		return;
	printf("\nThe node's configuration; times are like 3s, 1.5s, 20ms or 500us:\n\n");
	print_options(command->config);
}
