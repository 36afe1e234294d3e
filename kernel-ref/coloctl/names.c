// SPDX-License-Identifier: GPL-2.0-only
#include "names.h"

#include "../core/colo_node.h"
#include "../uapi/colo.h"

const char *const role_names[] = {
	[COLO_GENL_PRIMARY] = "primary",
	[COLO_GENL_SECONDARY] = "secondary",
	NULL,
};

const char *const state_names[] = {
	[COLO_NODE_RUNNING] = "running",   [COLO_NODE_REQUESTED] = "requested",
	[COLO_NODE_PAUSED] = "paused",	   [COLO_NODE_TRANSFER] = "transfer",
	[COLO_NODE_COMMITTED] = "committed", NULL,
};

const char *const mode_names[] = {
	[COLO_MODE_PROTECTED] = "protected", [COLO_MODE_ISOLATED] = "isolated",
	[COLO_MODE_ALONE] = "alone",	     [COLO_MODE_FENCED] = "fenced",
	[COLO_MODE_JOINING] = "joining",     NULL,
};

const char *const event_names[] = {
	[COLO_EVENT_REQUEST] = "request",   [COLO_EVENT_PAUSED] = "paused",
	[COLO_EVENT_REPLY] = "reply",	    [COLO_EVENT_STATE] = "state",
	[COLO_EVENT_RECEIVED] = "received", [COLO_EVENT_LOADED] = "loaded",
	[COLO_EVENT_ABORT] = "abort",	    [COLO_EVENT_GRANTED] = "granted",
	[COLO_EVENT_DENIED] = "denied",	    [COLO_EVENT_TERM] = "term",
	[COLO_EVENT_JOIN] = "join",	    NULL,
};

/* In the order of the bits of COLO_ACTION_*. */
const char *const action_names[] = {
	"pause",	  "send-request", "send-reply", "send-state", "send-received",
	"load",		  "send-loaded",  "resume",	"discard",    "full",
	"send-heartbeat", "answer-heartbeat", "ask",	"tell-term",  "take-over",
	"fence",	  NULL,
};

COLO_STATIC_ASSERT(sizeof(action_names) == 17 * sizeof(action_names[0]), "16 actions");

const char *const cause_names[] = {
	[COLO_GONE_DELETED] = "deleted", [COLO_GONE_OWNER] = "owner",
	[COLO_GONE_DEVICE] = "device",	 [COLO_GONE_NETNS] = "netns",
	NULL,
};

const char *const note_names[] = {
	"checkpoint-requested",
	"actions",
	"committed",
	"gone",
	NULL,
};

COLO_STATIC_ASSERT(sizeof(note_names) == 5 * sizeof(note_names[0]), "4 events");

const char *const stat_names[STAT_NAMES_MAX] = {
	[COLO_S_FLOWS] = "flows",
	[COLO_S_HELD] = "held",
	[COLO_S_EXTRA] = "extra",
	[COLO_S_RELEASED_PACKETS] = "released_packets",
	[COLO_S_RELEASED_BYTES] = "released_bytes",
	[COLO_S_HELD_PACKETS] = "held_packets",
	[COLO_S_CHECKPOINTS] = "checkpoints",
	[COLO_S_COALESCED] = "coalesced",
	[COLO_S_FROM_GUEST] = "from_guest",
	[COLO_S_FROM_SEC_DEV] = "from_sec_dev",
	[COLO_S_TO_SEC_DEV] = "to_sec_dev",
	[COLO_S_TO_GUEST] = "to_guest",
	[COLO_S_STALE] = "stale",
	[COLO_S_SEC_DEV_BAD] = "sec_dev_bad",
	[COLO_S_DROPPED_AT_LIMIT] = "dropped_at_limit",
	[COLO_S_DROPPED_QUEUE] = "dropped_queue",
	[COLO_S_DROPPED_MEMORY] = "dropped_memory",
	[COLO_S_DROPPED_DEVICE] = "dropped_device",
	[COLO_S_DROPPED_FRAGMENT] = "dropped_fragment",
	[COLO_S_MALFORMED_PRIMARY] = "malformed_primary",
	[COLO_S_MALFORMED_SECONDARY] = "malformed_secondary",
};

const char *name_of(const char *const *names, uint32_t number)
{
	uint32_t i;

	for (i = 0; names[i]; i++)
		if (i == number)
			return names[i];
	return "unknown";
}
