/* SPDX-License-Identifier: GPL-2.0-only */
/* Writes JSON (RFC 8259), whatever the strings hold. */
#ifndef COLOCTL_JSON_H
#define COLOCTL_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH_MAX 8

struct json {
	FILE *out;
	unsigned int depth;
	char closing[JSON_DEPTH_MAX];
	bool more[JSON_DEPTH_MAX]; /* something is there, so a comma comes next */
	bool on_lines;		   /* for people: each member on a line of its own */
};

void json_init(struct json *json, FILE *out);
/** json_open() - Begin '{' or '['. @name: its key, or NULL within an array or on top. */
void json_open(struct json *json, const char *name, char bracket);
void json_close(struct json *json);
void json_number(struct json *json, const char *name, uint64_t number);
void json_bool(struct json *json, const char *name, bool value);
/** json_text() - NULL becomes null; what is not UTF-8 becomes U+FFFD. */
void json_text(struct json *json, const char *name, const char *text);
/** json_format() - A number or word as it stands. */
void json_format(struct json *json, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif /* COLOCTL_JSON_H */
