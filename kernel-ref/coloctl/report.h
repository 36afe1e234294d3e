/* SPDX-License-Identifier: GPL-2.0-only */
/* Nodes, flows and events, as text for people or JSON for programs. */
#ifndef COLOCTL_REPORT_H
#define COLOCTL_REPORT_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stdio.h>

#include "../uapi/colo.h"
#include "json.h"

/* The attributes of a message by type; NULL for those that are missing or ill-formed. */
struct attrs {
	const struct nlattr *of[COLO_A_MAX + 1];
};

/* A list that comes message by message. */
struct report {
	FILE *out;
	bool as_json;
	struct json json;
	unsigned int count;
};

void report_init(struct report *report, FILE *out, bool as_json);
/** report_end() - Nothing follows. Prints no list at all if none was begun before it @failed. */
void report_end(struct report *report, bool failed);

/* Handlers for channel_ask(); the data is a struct report. */
void report_node(const struct nlmsghdr *message, void *report);
void report_stats(const struct nlmsghdr *message, void *report);
void report_flow(const struct nlmsghdr *message, void *report);

/** report_event() - A line, of an event that came at @seconds and @microseconds. */
void report_event(const struct nlmsghdr *message, struct report *report, long long seconds,
		  long microseconds);

void attrs_read(struct attrs *attrs, const struct nlmsghdr *message);
uint32_t attrs_u32(const struct attrs *attrs, enum colo_genl_attr type);
const char *attrs_text(const struct attrs *attrs, enum colo_genl_attr type);

#endif /* COLOCTL_REPORT_H */
