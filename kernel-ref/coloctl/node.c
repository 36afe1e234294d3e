// SPDX-License-Identifier: GPL-2.0-only
/* Nodes: made, removed, shown. */
#include <errno.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <string.h>

#include "channel.h"
#include "commands.h"
#include "config.h"
#include "names.h"
#include "report.h"

enum {
	ADD_ROLE,
	ADD_GUEST_DEV,
	ADD_OWNED,
	ADD_JOINING,
	ADD_COUNT,
};

const struct option node_add_options[ADD_COUNT + 1] = {
	[ADD_ROLE] = { "role", "ROLE", "primary compares, secondary fixes sequence numbers",
		       OPTION_WORD, 0, role_names },
	[ADD_GUEST_DEV] = { "guest-dev", "DEV", "the guest's tap, a port of a bridge",
			    OPTION_DEVICE, 0, NULL },
	[ADD_OWNED] = { "owned", NULL, "stay; the node goes when this process ends", OPTION_FLAG,
			0, NULL },
	[ADD_JOINING] = { "joining", NULL,
			  "a new secondary waits for the whole state of a primary that is alone",
			  OPTION_FLAG, 0, NULL },
	[ADD_COUNT] = { .name = NULL },
};

enum {
	DEL_IF_EXISTS,
	DEL_COUNT,
};

const struct option node_del_options[DEL_COUNT + 1] = {
	[DEL_IF_EXISTS] = { "if-exists", NULL, "no error if there is no such node", OPTION_FLAG,
			    0, NULL },
	[DEL_COUNT] = { .name = NULL },
};

static struct channel channel;

static void print_index(const struct call *call, uint32_t index, const char *flag)
{
	struct json json;

	if (!call->json)
		return;
	json_init(&json, stdout);
	json_open(&json, NULL, '{');
	json_number(&json, "index", index);
	if (flag)
		json_bool(&json, flag, true);
	json_close(&json);
	printf("\n");
	fflush(stdout);
}

struct gone {
	uint32_t index;
	bool is;
};

static void watch(const struct nlmsghdr *message, void *data)
{
	const struct genlmsghdr *header = mnl_nlmsg_get_payload(message);
	struct gone *gone = data;
	struct attrs attrs;

	attrs_read(&attrs, message);
	if (header->cmd == COLO_NOTE_NODE_GONE && attrs.of[COLO_A_INDEX] &&
	    attrs_u32(&attrs, COLO_A_INDEX) == gone->index)
		gone->is = true;
}

/* Keeps the socket open, with which the kernel takes the node away. */
static int own(const struct call *call, uint32_t index)
{
	struct gone gone = { .index = index, .is = false };
	int error;

	print_index(call, index, "owned");
	if (!call->json) {
		printf("node %u goes when this process ends\n", index);
		fflush(stdout);
	}
	do {
		error = channel_listen(&channel, watch, &gone);
	} while (!gone.is && (!error || error == -EINTR || error == -ENOBUFS));
	if (gone.is)
		complain("node %u is gone", index);
	else
		complain("node %u: %s", index, strerror(-error));
	return EXIT_REFUSED;
}

int node_add(struct call *call)
{
	bool owned = call->options[ADD_OWNED].given;
	struct nlmsghdr *request;
	uint32_t index;
	char what[32];
	int result;

	if (!call_index(call, 0, &index) || !require(call, ADD_ROLE) ||
	    !require(call, ADD_GUEST_DEV) || !config_check(call))
		return EXIT_USAGE;
	if (call->options[ADD_JOINING].given &&
	    call->options[ADD_ROLE].number != COLO_GENL_SECONDARY) {
		complain("--joining is for a secondary");
		return EXIT_USAGE;
	}
	if (!channel_open(&channel) || (owned && !channel_subscribe(&channel)))
		return EXIT_REFUSED;
	request = channel_begin(&channel, COLO_CMD_NODE_ADD, 0);
	mnl_attr_put_u32(request, COLO_A_INDEX, index);
	mnl_attr_put_u8(request, COLO_A_ROLE, (uint8_t)call->options[ADD_ROLE].number);
	mnl_attr_put_strz(request, COLO_A_GUEST_DEV, call->options[ADD_GUEST_DEV].text);
	if (owned)
		mnl_attr_put(request, COLO_A_OWNED, 0, NULL);
	if (call->options[ADD_JOINING].given)
		mnl_attr_put(request, COLO_A_JOINING, 0, NULL);
	config_put(request, call);
	snprintf(what, sizeof(what), "node %u", index);
	result = channel_ask(&channel, what, request, NULL, NULL);
	if (result)
		return result;
	if (owned)
		return own(call, index);
	print_index(call, index, NULL);
	return 0;
}

int node_del(struct call *call)
{
	bool if_exists = call->options[DEL_IF_EXISTS].given;
	struct nlmsghdr *request;
	const char *why;
	uint32_t index;
	int error;

	if (!call_index(call, 0, &index))
		return EXIT_USAGE;
	if (!channel_open(&channel))
		return EXIT_REFUSED;
	request = channel_begin(&channel, COLO_CMD_NODE_DEL, 0);
	mnl_attr_put_u32(request, COLO_A_INDEX, index);
	error = channel_try(&channel, request, NULL, NULL, &why);
	if (error && !(if_exists && (error == -ENOENT || error == -ENXIO))) {
		complain("node %u: %s%s%s%s", index, why ? why : strerror(-error),
			 why ? " (" : "", why ? strerror(-error) : "", why ? ")" : "");
		return EXIT_REFUSED;
	}
	print_index(call, index, NULL);
	return 0;
}

/* Of the node that was asked for, or of all. */
static int show(struct call *call, uint8_t command, channel_handler handle)
{
	bool dump = call->words_count == 0 || command == COLO_CMD_FLOW_GET;
	struct nlmsghdr *request;
	struct report report;
	uint32_t index = 0;
	char what[32];
	int result;

	if (call->words_count && !call_index(call, 0, &index))
		return EXIT_USAGE;
	if (!channel_open(&channel))
		return EXIT_REFUSED;
	request = channel_begin(&channel, command, dump ? NLM_F_DUMP : 0);
	if (call->words_count)
		mnl_attr_put_u32(request, COLO_A_INDEX, index);
	snprintf(what, sizeof(what), call->words_count ? "node %u" : "nodes", index);
	report_init(&report, stdout, call->json);
	result = channel_ask(&channel, what, request, handle, &report);
	report_end(&report, result);
	return result;
}

int node_list(struct call *call)
{
	return show(call, COLO_CMD_NODE_GET, report_node);
}

int stats(struct call *call)
{
	return show(call, COLO_CMD_NODE_GET, report_stats);
}

int flows(struct call *call)
{
	return show(call, COLO_CMD_FLOW_GET, report_flow);
}
