// SPDX-License-Identifier: GPL-2.0-only
#include "report.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <linux/genetlink.h>
#include <netinet/in.h>
#include <string.h>

#include "../core/colo_node.h"
#include "config.h"
#include "flow.h"
#include "names.h"

static bool is_sound(const struct nlattr *attr)
{
	switch (mnl_attr_get_type(attr)) {
	case COLO_A_INDEX:
	case COLO_A_EPOCH:
	case COLO_A_NEXT_EPOCH:
	case COLO_A_TERM:
	case COLO_A_ACTIONS:
	case COLO_A_POSITION:
		return mnl_attr_validate(attr, MNL_TYPE_U32) >= 0;
	case COLO_A_STAMP:
		return mnl_attr_validate(attr, MNL_TYPE_U64) >= 0;
	case COLO_A_ROLE:
	case COLO_A_EVENT:
	case COLO_A_STATE:
	case COLO_A_MODE:
	case COLO_A_REASON:
	case COLO_A_CAUSE:
		return mnl_attr_validate(attr, MNL_TYPE_U8) >= 0;
	case COLO_A_GUEST_DEV:
	case COLO_A_SEC_DEV:
	case COLO_A_REASON_NAME:
	case COLO_A_REASON_TEXT:
		return mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0;
	case COLO_A_CONFIG:
	case COLO_A_FLOW:
	case COLO_A_STATS:
		return mnl_attr_validate(attr, MNL_TYPE_NESTED) >= 0;
	default:
		return true;
	}
}

void attrs_read(struct attrs *attrs, const struct nlmsghdr *message)
{
	const struct nlattr *attr;

	memset(attrs, 0, sizeof(*attrs));
	mnl_attr_for_each(attr, message, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(attr) <= COLO_A_MAX && is_sound(attr))
			attrs->of[mnl_attr_get_type(attr)] = attr;
}

uint32_t attrs_u32(const struct attrs *attrs, enum colo_genl_attr type)
{
	const struct nlattr *attr = attrs->of[type];

	if (!attr)
		return 0;
	return mnl_attr_get_payload_len(attr) == 1 ? mnl_attr_get_u8(attr) :
						     mnl_attr_get_u32(attr);
}

const char *attrs_text(const struct attrs *attrs, enum colo_genl_attr type)
{
	return attrs->of[type] ? mnl_attr_get_str(attrs->of[type]) : NULL;
}

void report_init(struct report *report, FILE *out, bool as_json)
{
	memset(report, 0, sizeof(*report));
	report->out = out;
	report->as_json = as_json;
	json_init(&report->json, out);
}

void report_end(struct report *report, bool failed)
{
	if (report->as_json && (report->count || !failed)) {
		if (!report->count)
			json_open(&report->json, NULL, '[');
		json_close(&report->json);
		fputc('\n', report->out);
	}
	fflush(report->out);
}

/* An element of the list begins, on a line of its own if there are several. */
static void next_object(struct report *report)
{
	if (!report->count++)
		json_open(&report->json, NULL, '[');
	else
		fputc('\n', report->out);
	json_open(&report->json, NULL, '{');
}

static uint64_t number_of(const struct nlattr *attr)
{
	switch (mnl_attr_get_payload_len(attr)) {
	case sizeof(uint64_t):
		return mnl_attr_get_u64(attr);
	case sizeof(uint32_t):
		return mnl_attr_get_u32(attr);
	default:
		return 0;
	}
}

static void mismatches_json(struct json *json, const struct nlattr *nest)
{
	const struct nlattr *attr;

	json_open(json, "mismatches", '{');
	mnl_attr_for_each_nested(attr, nest) {
		unsigned int reason = mnl_attr_get_type(attr) - 1u;

		if (reason < COLO_REASON_COUNT)
			json_number(json, colo_reason_name((enum colo_reason)reason),
				    number_of(attr));
	}
	json_close(json);
}

static void stats_json(struct json *json, const struct nlattr *nest)
{
	const struct nlattr *attr;

	json_open(json, "stats", '{');
	mnl_attr_for_each_nested(attr, nest) {
		unsigned int type = mnl_attr_get_type(attr);

		if (type == COLO_S_MISMATCHES && mnl_attr_validate(attr, MNL_TYPE_NESTED) >= 0)
			mismatches_json(json, attr);
		else if (type < STAT_NAMES_MAX && stat_names[type])
			json_number(json, stat_names[type], number_of(attr));
	}
	json_close(json);
}

static void identity_json(struct json *json, const struct attrs *attrs)
{
	json_number(json, "index", attrs_u32(attrs, COLO_A_INDEX));
	json_text(json, "role", name_of(role_names, attrs_u32(attrs, COLO_A_ROLE)));
	json_text(json, "guest_dev", attrs_text(attrs, COLO_A_GUEST_DEV));
	json_text(json, "sec_dev", attrs_text(attrs, COLO_A_SEC_DEV));
}

static void node_json(struct json *json, const struct attrs *attrs)
{
	identity_json(json, attrs);
	json_bool(json, "armed", attrs->of[COLO_A_ARMED]);
	json_bool(json, "owned", attrs->of[COLO_A_OWNED]);
	json_text(json, "state", name_of(state_names, attrs_u32(attrs, COLO_A_STATE)));
	json_text(json, "mode", name_of(mode_names, attrs_u32(attrs, COLO_A_MODE)));
	json_bool(json, "failed_over", attrs->of[COLO_A_FAILED_OVER]);
	json_number(json, "epoch", attrs_u32(attrs, COLO_A_EPOCH));
	json_number(json, "next_epoch", attrs_u32(attrs, COLO_A_NEXT_EPOCH));
	json_number(json, "term", attrs_u32(attrs, COLO_A_TERM));
	if (attrs->of[COLO_A_CONFIG])
		config_write_json(json, attrs->of[COLO_A_CONFIG]);
	if (attrs->of[COLO_A_STATS])
		stats_json(json, attrs->of[COLO_A_STATS]);
}

static void node_text(FILE *out, const struct attrs *attrs)
{
	const char *sec_dev = attrs_text(attrs, COLO_A_SEC_DEV);
	const char *guest_dev = attrs_text(attrs, COLO_A_GUEST_DEV);

	fprintf(out, "%u: %s guest-dev %s sec-dev %s%s%s\n", attrs_u32(attrs, COLO_A_INDEX),
		name_of(role_names, attrs_u32(attrs, COLO_A_ROLE)), guest_dev ? guest_dev : "?",
		sec_dev ? sec_dev : "none",
		attrs->of[COLO_A_ARMED] ? "" : ", no rule names it, so packets pass",
		attrs->of[COLO_A_OWNED] ? ", owned" : "");
	fprintf(out, "    %s, %s%s, epoch %u, next %u, term %u\n",
		name_of(state_names, attrs_u32(attrs, COLO_A_STATE)),
		name_of(mode_names, attrs_u32(attrs, COLO_A_MODE)),
		attrs->of[COLO_A_FAILED_OVER] ? ", failed over" : "",
		attrs_u32(attrs, COLO_A_EPOCH), attrs_u32(attrs, COLO_A_NEXT_EPOCH),
		attrs_u32(attrs, COLO_A_TERM));
	if (attrs->of[COLO_A_CONFIG]) {
		fputs("   ", out);
		config_write_text(out, attrs->of[COLO_A_CONFIG]);
		fputc('\n', out);
	}
}

void report_node(const struct nlmsghdr *message, void *data)
{
	struct report *report = data;
	struct attrs attrs;

	attrs_read(&attrs, message);
	if (report->as_json) {
		next_object(report);
		node_json(&report->json, &attrs);
		json_close(&report->json);
	} else {
		node_text(report->out, &attrs);
	}
}

static void mismatches_text(FILE *out, const struct nlattr *nest)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest) {
		unsigned int reason = mnl_attr_get_type(attr) - 1u;

		if (reason < COLO_REASON_COUNT && number_of(attr))
			fprintf(out, "    %-22s %" PRIu64 "  %s (%s)\n", "mismatches",
				number_of(attr), colo_reason_text((enum colo_reason)reason),
				colo_reason_name((enum colo_reason)reason));
	}
}

static void stats_text(FILE *out, const struct attrs *attrs)
{
	const struct nlattr *attr;

	fprintf(out, "%u: %s, epoch %u\n", attrs_u32(attrs, COLO_A_INDEX),
		name_of(role_names, attrs_u32(attrs, COLO_A_ROLE)),
		attrs_u32(attrs, COLO_A_EPOCH));
	if (!attrs->of[COLO_A_STATS])
		return;
	mnl_attr_for_each_nested(attr, attrs->of[COLO_A_STATS]) {
		unsigned int type = mnl_attr_get_type(attr);

		if (type == COLO_S_MISMATCHES && mnl_attr_validate(attr, MNL_TYPE_NESTED) >= 0)
			mismatches_text(out, attr);
		else if (type < STAT_NAMES_MAX && stat_names[type])
			fprintf(out, "    %-22s %" PRIu64 "\n", stat_names[type],
				number_of(attr));
	}
}

void report_stats(const struct nlmsghdr *message, void *data)
{
	struct report *report = data;
	struct attrs attrs;

	attrs_read(&attrs, message);
	if (!report->as_json) {
		stats_text(report->out, &attrs);
		return;
	}
	next_object(report);
	identity_json(&report->json, &attrs);
	json_number(&report->json, "epoch", attrs_u32(&attrs, COLO_A_EPOCH));
	if (attrs.of[COLO_A_STATS])
		stats_json(&report->json, attrs.of[COLO_A_STATS]);
	json_close(&report->json);
}

void report_flow(const struct nlmsghdr *message, void *data)
{
	struct report *report = data;
	struct attrs attrs;

	attrs_read(&attrs, message);
	if (!attrs.of[COLO_A_FLOW])
		return;
	if (report->as_json) {
		next_object(report);
		flow_write_json(&report->json, attrs.of[COLO_A_FLOW]);
		json_close(&report->json);
	} else {
		flow_write_text(report->out, attrs.of[COLO_A_FLOW]);
		fputc('\n', report->out);
	}
}

static void hex(char *text, const struct nlattr *attr)
{
	const unsigned char *bytes = mnl_attr_get_payload(attr);
	unsigned int i;

	*text = '\0';
	for (i = 0; i < mnl_attr_get_payload_len(attr) && i < COLO_MISMATCH_BYTES_MAX; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
}

static void requested_json(struct json *json, const struct attrs *attrs)
{
	char bytes[2 * COLO_MISMATCH_BYTES_MAX + 1];

	json_text(json, "reason", attrs_text(attrs, COLO_A_REASON_NAME));
	json_text(json, "text", attrs_text(attrs, COLO_A_REASON_TEXT));
	if (attrs->of[COLO_A_FLOW]) {
		json_open(json, "flow", '{');
		flow_write_json(json, attrs->of[COLO_A_FLOW]);
		json_close(json);
	}
	if (attrs->of[COLO_A_POSITION])
		json_number(json, "position", attrs_u32(attrs, COLO_A_POSITION));
	if (attrs->of[COLO_A_PRIMARY_BYTES]) {
		hex(bytes, attrs->of[COLO_A_PRIMARY_BYTES]);
		json_text(json, "primary_bytes", bytes);
	}
	if (attrs->of[COLO_A_SECONDARY_BYTES]) {
		hex(bytes, attrs->of[COLO_A_SECONDARY_BYTES]);
		json_text(json, "secondary_bytes", bytes);
	}
}

static void actions_json(struct json *json, const struct attrs *attrs)
{
	uint32_t actions = attrs_u32(attrs, COLO_A_ACTIONS);
	unsigned int i;

	json_open(json, "actions", '[');
	for (i = 0; action_names[i]; i++)
		if (actions & 1u << i)
			json_text(json, NULL, action_names[i]);
	json_close(json);
}

static void event_json(struct json *json, int command, const struct attrs *attrs)
{
	if (command == COLO_NOTE_CHECKPOINT_REQUESTED)
		requested_json(json, attrs);
	if (command == COLO_NOTE_ACTIONS)
		actions_json(json, attrs);
	if (command == COLO_NOTE_NODE_GONE)
		json_text(json, "cause", name_of(cause_names, attrs_u32(attrs, COLO_A_CAUSE)));
	if (attrs->of[COLO_A_EPOCH])
		json_number(json, "epoch", attrs_u32(attrs, COLO_A_EPOCH));
	if (attrs->of[COLO_A_TERM])
		json_number(json, "term", attrs_u32(attrs, COLO_A_TERM));
	if (attrs->of[COLO_A_STAMP])
		json_number(json, "stamp_ns", mnl_attr_get_u64(attrs->of[COLO_A_STAMP]));
}

static void requested_text(FILE *out, const struct attrs *attrs)
{
	const char *text = attrs_text(attrs, COLO_A_REASON_TEXT);
	const char *name = attrs_text(attrs, COLO_A_REASON_NAME);
	char bytes[2 * COLO_MISMATCH_BYTES_MAX + 1];

	fprintf(out, ": %s (%s)", text ? text : "?", name ? name : "?");
	if (attrs->of[COLO_A_FLOW]) {
		fputs(", ", out);
		flow_write_name(out, attrs->of[COLO_A_FLOW]);
	}
	if (attrs->of[COLO_A_POSITION])
		fprintf(out, ", position %u", attrs_u32(attrs, COLO_A_POSITION));
	if (attrs->of[COLO_A_PRIMARY_BYTES]) {
		hex(bytes, attrs->of[COLO_A_PRIMARY_BYTES]);
		fprintf(out, ", primary %s", *bytes ? bytes : "nothing");
	}
	if (attrs->of[COLO_A_SECONDARY_BYTES]) {
		hex(bytes, attrs->of[COLO_A_SECONDARY_BYTES]);
		fprintf(out, ", secondary %s", *bytes ? bytes : "nothing");
	}
}

static void event_text(FILE *out, int command, const struct attrs *attrs)
{
	uint32_t actions = attrs_u32(attrs, COLO_A_ACTIONS);
	unsigned int i;

	fprintf(out, "%u: %s", attrs_u32(attrs, COLO_A_INDEX),
		name_of(note_names, (uint32_t)command - COLO_NOTE_CHECKPOINT_REQUESTED));
	if (command == COLO_NOTE_CHECKPOINT_REQUESTED)
		requested_text(out, attrs);
	for (i = 0; command == COLO_NOTE_ACTIONS && action_names[i]; i++)
		if (actions & 1u << i)
			fprintf(out, " %s", action_names[i]);
	if (command == COLO_NOTE_NODE_GONE)
		fprintf(out, ", cause: %s", name_of(cause_names, attrs_u32(attrs, COLO_A_CAUSE)));
	if (attrs->of[COLO_A_EPOCH])
		fprintf(out, ", epoch %u", attrs_u32(attrs, COLO_A_EPOCH));
	if (attrs->of[COLO_A_TERM])
		fprintf(out, ", term %u", attrs_u32(attrs, COLO_A_TERM));
}

void report_event(const struct nlmsghdr *message, struct report *report, long long seconds,
		  long microseconds)
{
	const struct genlmsghdr *header = mnl_nlmsg_get_payload(message);
	uint32_t note = header->cmd - (uint32_t)COLO_NOTE_CHECKPOINT_REQUESTED;
	struct json json;
	struct attrs attrs;

	attrs_read(&attrs, message);
	report->count++;
	if (!report->as_json) {
		fprintf(report->out, "%lld.%06ld ", seconds, microseconds);
		event_text(report->out, header->cmd, &attrs);
	} else {
		json_init(&json, report->out);
		json_open(&json, NULL, '{');
		json_format(&json, "time", "%lld.%06ld", seconds, microseconds);
		json_text(&json, "event", name_of(note_names, note));
		json_number(&json, "index", attrs_u32(&attrs, COLO_A_INDEX));
		event_json(&json, header->cmd, &attrs);
		json_close(&json);
	}
	fputc('\n', report->out);
	fflush(report->out);
}
