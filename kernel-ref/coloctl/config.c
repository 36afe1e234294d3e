// SPDX-License-Identifier: GPL-2.0-only
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "../uapi/colo.h"

static const char *const ack_words[] = { "hold", "clamp", NULL };
static const char *const malformed_words[] = { "pass", "hold", NULL };

enum {
	COMPARE_TIMEOUT,
	INTERVAL_MIN,
	INTERVAL_MAX,
	IDLE_TIMEOUT,
	CLOSED_TIMEOUT,
	FLOW_HELD_MAX,
	NODE_HELD_MAX,
	FLOWS_MAX,
	REORDER_WINDOW,
	LEASE,
	TAKEOVER,
	HEARTBEAT,
	ACK,
	MALFORMED,
	PLAIN,
	CONFIG_COUNT,
};

const struct option config_options[CONFIG_COUNT + 1] = {
	[COMPARE_TIMEOUT] = { "compare-timeout", "TIME", "longest time a packet is held (3s)",
			      OPTION_TIME, 0, NULL },
	[INTERVAL_MIN] = { "interval-min", "TIME", "between two checkpoints, at least (0: any)",
			   OPTION_TIME, 0, NULL },
	[INTERVAL_MAX] = { "interval-max", "TIME",
			   "between two checkpoints, at most (0: no periodic ones)", OPTION_TIME,
			   0, NULL },
	[IDLE_TIMEOUT] = { "idle-timeout", "TIME",
			   "an open connection that is idle is forgotten (120h)", OPTION_TIME, 0,
			   NULL },
	[CLOSED_TIMEOUT] = { "closed-timeout", "TIME", "likewise a closed or half-open one (1min)",
			     OPTION_TIME, 0, NULL },
	[FLOW_HELD_MAX] = { "flow-held-max", "N",
			    "packets held of one flow before a checkpoint; twice as many are\n"
			    "                          the hard limit (16384)",
			    OPTION_NUMBER, 0, NULL },
	[NODE_HELD_MAX] = { "node-held-max", "N", "likewise of the node (262144)", OPTION_NUMBER,
			    0, NULL },
	[FLOWS_MAX] = { "flows-max", "N", "connections of the node (the kernel's choice)",
			OPTION_NUMBER, 0, NULL },
	[REORDER_WINDOW] = { "reorder-window", "N",
			     "datagrams of the secondary that may overtake one (64)",
			     OPTION_NUMBER, 0, NULL },
	[LEASE] = { "lease", "TIME",
		    "the primary speaks for so long after a heartbeat (0: no leases)",
		    OPTION_TIME, 0, NULL },
	[TAKEOVER] = { "takeover", "TIME", "longer: the secondary asks to take over after none",
		       OPTION_TIME, 0, NULL },
	[HEARTBEAT] = { "heartbeat", "TIME", "shorter: between two heartbeats", OPTION_TIME, 0,
			NULL },
	[ACK] = { "ack", "hold|clamp",
		  "an ack beyond the secondary's is held, or lowered to it (hold)", OPTION_WORD,
		  0, ack_words },
	[MALFORMED] = { "malformed", "pass|hold",
			"what cannot be parsed passes, or is compared as bytes (pass)",
			OPTION_WORD, 0, malformed_words },
	[PLAIN] = { "plain", NULL, "no shim on the forwarding device; one node a link",
		    OPTION_FLAG, 0, NULL },
	[CONFIG_COUNT] = { .name = NULL },
};

/* Attributes in the order of the options; words and flags are flags that only clamp, hold set. */
static const uint16_t attributes[CONFIG_COUNT] = {
	[COMPARE_TIMEOUT] = COLO_C_COMPARE_TIMEOUT,
	[INTERVAL_MIN] = COLO_C_INTERVAL_MIN,
	[INTERVAL_MAX] = COLO_C_INTERVAL_MAX,
	[IDLE_TIMEOUT] = COLO_C_IDLE_TIMEOUT,
	[CLOSED_TIMEOUT] = COLO_C_CLOSED_TIMEOUT,
	[FLOW_HELD_MAX] = COLO_C_FLOW_HELD_MAX,
	[NODE_HELD_MAX] = COLO_C_NODE_HELD_MAX,
	[FLOWS_MAX] = COLO_C_FLOWS_MAX,
	[REORDER_WINDOW] = COLO_C_REORDER_WINDOW,
	[LEASE] = COLO_C_LEASE,
	[TAKEOVER] = COLO_C_TAKEOVER,
	[HEARTBEAT] = COLO_C_HEARTBEAT,
	[ACK] = COLO_C_ACK_CLAMP,
	[MALFORMED] = COLO_C_MALFORMED_HOLD,
	[PLAIN] = COLO_C_PLAIN,
};

bool config_check(const struct call *call)
{
	const struct value *lease = &call->config[LEASE];
	const struct value *takeover = &call->config[TAKEOVER];
	const struct value *heartbeat = &call->config[HEARTBEAT];
	const struct value *least = &call->config[INTERVAL_MIN];
	const struct value *most = &call->config[INTERVAL_MAX];

	if (call->config[COMPARE_TIMEOUT].given && !call->config[COMPARE_TIMEOUT].number) {
		complain("--compare-timeout is longer than 0");
		return false;
	}
	if (most->number && least->number > most->number) {
		complain("--interval-min %s is longer than --interval-max %s", least->text,
			 most->text);
		return false;
	}
	if (lease->number && takeover->number <= lease->number) {
		complain("--takeover has to be longer than --lease %s", lease->text);
		return false;
	}
	if (lease->number && (!heartbeat->number || heartbeat->number >= lease->number)) {
		complain("--heartbeat has to be shorter than --lease %s, and not 0", lease->text);
		return false;
	}
	return true;
}

bool config_is_plain(const struct call *call)
{
	return call->config[PLAIN].given;
}

void config_put(struct nlmsghdr *request, const struct call *call)
{
	struct nlattr *nest = NULL;
	int i;

	for (i = 0; i < CONFIG_COUNT; i++) {
		const struct value *value = &call->config[i];

		if (!value->given)
			continue;
		if (!nest)
			nest = mnl_attr_nest_start(request, COLO_A_CONFIG);
		if (config_options[i].type == OPTION_TIME)
			mnl_attr_put_u64(request, attributes[i], value->number);
		else if (config_options[i].type == OPTION_NUMBER)
			mnl_attr_put_u32(request, attributes[i], (uint32_t)value->number);
		else if (value->number || config_options[i].type == OPTION_FLAG)
			mnl_attr_put(request, attributes[i], 0, NULL);
	}
	if (nest)
		mnl_attr_nest_end(request, nest);
}

void config_print_options(char *text, size_t size, const struct call *call)
{
	size_t used = 0;
	int i;

	*text = '\0';
	for (i = 0; i < CONFIG_COUNT && used < size; i++) {
		const struct value *value = &call->config[i];

		if (!value->given)
			continue;
		used += (size_t)snprintf(text + used, size - used, " --%s%s%s",
					 config_options[i].name, value->text ? " " : "",
					 value->text ? value->text : "");
	}
}

/* The attribute of an option, if the nest has it and it is as wide as it should be. */
static const struct nlattr *find(const struct nlattr *nest, int option)
{
	enum option_type type = config_options[option].type;
	const struct nlattr *attr, *found = NULL;

	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) != attributes[option])
			continue;
		if (type == OPTION_TIME && mnl_attr_validate(attr, MNL_TYPE_U64) < 0)
			continue;
		if (type == OPTION_NUMBER && mnl_attr_validate(attr, MNL_TYPE_U32) < 0)
			continue;
		found = attr;
	}
	return found;
}

/* "compare_timeout_ns" of "compare-timeout". */
static const char *json_name(int option)
{
	static char name[64];
	char *c;

	snprintf(name, sizeof(name), "%s%s", config_options[option].name,
		 config_options[option].type == OPTION_TIME ? "_ns" : "");
	for (c = name; *c; c++)
		if (*c == '-')
			*c = '_';
	return name;
}

void config_write_json(struct json *json, const struct nlattr *nest)
{
	int i;

	json_open(json, "config", '{');
	for (i = 0; i < CONFIG_COUNT; i++) {
		const struct option *option = &config_options[i];
		const struct nlattr *attr = find(nest, i);

		if (option->type == OPTION_WORD)
			json_text(json, json_name(i), option->words[attr ? 1 : 0]);
		else if (option->type == OPTION_FLAG)
			json_bool(json, json_name(i), attr);
		else if (attr)
			json_number(json, json_name(i),
				    option->type == OPTION_TIME ? mnl_attr_get_u64(attr) :
								  mnl_attr_get_u32(attr));
	}
	json_close(json);
}

void config_write_text(FILE *out, const struct nlattr *nest)
{
	char time[32];
	int i;

	for (i = 0; i < CONFIG_COUNT; i++) {
		const struct option *option = &config_options[i];
		const struct nlattr *attr = find(nest, i);

		if (option->type == OPTION_WORD) {
			fprintf(out, " %s %s", option->name, option->words[attr ? 1 : 0]);
		} else if (option->type == OPTION_FLAG && attr) {
			fprintf(out, " %s", option->name);
		} else if (option->type == OPTION_TIME && attr) {
			format_time(mnl_attr_get_u64(attr), time, sizeof(time));
			fprintf(out, " %s %s", option->name, time);
		} else if (option->type == OPTION_NUMBER && attr) {
			fprintf(out, " %s %" PRIu32, option->name, mnl_attr_get_u32(attr));
		}
	}
}
