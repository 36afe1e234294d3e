// SPDX-License-Identifier: GPL-2.0-only
#include "json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>

void json_init(struct json *json, FILE *out)
{
	json->out = out;
	json->depth = 0;
	json->more[0] = false;
	json->on_lines = false;
}

static void break_line(const struct json *json)
{
	if (json->on_lines)
		fprintf(json->out, "\n%*s", 2 * (int)json->depth, "");
}

/* Length of the UTF-8 sequence (RFC 3629, 4) at @text; 0 if there is none. */
static int utf8_length(const unsigned char *text)
{
	static const struct {
		unsigned char first, last, low, high; /* first byte; bounds of the second */
		int length;
	} forms[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	size_t i;
	int j;

	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (text[0] >= forms[i].first && text[0] <= forms[i].last)
			break;
	if (i == sizeof(forms) / sizeof(forms[0]) || text[1] < forms[i].low ||
	    text[1] > forms[i].high)
		return 0;
	for (j = 2; j < forms[i].length; j++)
		if ((text[j] & 0xc0) != 0x80)
			return 0;
	return forms[i].length;
}

static void write_string(FILE *out, const char *string)
{
	const unsigned char *text = (const unsigned char *)string;

	fputc('"', out);
	while (*text) {
		int length = utf8_length(text);

		if (length) {
			fwrite(text, 1, (size_t)length, out);
			text += length;
			continue;
		}
		if (*text == '"' || *text == '\\')
			fprintf(out, "\\%c", *text);
		else if (*text < 0x20 || *text == 0x7f)
			fprintf(out, "\\u%04x", *text);
		else if (*text > 0x7f)
			fputs("\\ufffd", out);
		else
			fputc(*text, out);
		text++;
	}
	fputc('"', out);
}

static void begin(struct json *json, const char *name)
{
	if (json->more[json->depth])
		fputc(',', json->out);
	json->more[json->depth] = true;
	if (json->depth)
		break_line(json);
	if (name) {
		write_string(json->out, name);
		fputs(json->on_lines ? ": " : ":", json->out);
	}
}

void json_open(struct json *json, const char *name, char bracket)
{
	begin(json, name);
	fputc(bracket, json->out);
	json->depth++;
	json->closing[json->depth] = bracket == '{' ? '}' : ']';
	json->more[json->depth] = false;
}

void json_close(struct json *json)
{
	const char bracket = json->closing[json->depth];

	json->depth--;
	break_line(json);
	fputc(bracket, json->out);
}

void json_number(struct json *json, const char *name, uint64_t number)
{
	json_format(json, name, "%" PRIu64, number);
}

void json_bool(struct json *json, const char *name, bool value)
{
	json_format(json, name, "%s", value ? "true" : "false");
}

void json_text(struct json *json, const char *name, const char *text)
{
	begin(json, name);
	if (text)
		write_string(json->out, text);
	else
		fputs("null", json->out);
}

void json_format(struct json *json, const char *name, const char *format, ...)
{
	va_list arguments;

	begin(json, name);
	va_start(arguments, format);
	vfprintf(json->out, format, arguments);
	va_end(arguments);
}
