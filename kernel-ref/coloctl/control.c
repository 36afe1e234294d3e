// SPDX-License-Identifier: GPL-2.0-only
/* What a hypervisor tells a node, and what it hears from it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "channel.h"
#include "commands.h"
#include "names.h"
#include "report.h"

enum {
	EPOCH,
	EPOCH_COUNT,
};

const struct option epoch_options[EPOCH_COUNT + 1] = {
	[EPOCH] = { "epoch", "N", "the other host's (or the arbiter's term)", OPTION_NUMBER, 0,
		    NULL },
	[EPOCH_COUNT] = { .name = NULL },
};

enum {
	BEAT_TERM,
	BEAT_STAMP,
	BEAT_COUNT,
};

const struct option heartbeat_options[BEAT_COUNT + 1] = {
	[BEAT_TERM] = { "term", "N", "of the heartbeat", OPTION_NUMBER, 0, NULL },
	[BEAT_STAMP] = { "stamp", "NS", "of the heartbeat, as the other host's actions told",
			 OPTION_NUMBER, UINT64_MAX, NULL },
	[BEAT_COUNT] = { .name = NULL },
};

enum {
	MONITOR_COUNT_MAX,
	MONITOR_COUNT,
};

const struct option monitor_options[MONITOR_COUNT + 1] = {
	[MONITOR_COUNT_MAX] = { "count", "N", "end after so many events (0: never)",
				OPTION_NUMBER, 0, NULL },
	[MONITOR_COUNT] = { .name = NULL },
};

static struct channel channel;

struct answer {
	uint32_t epoch;
	bool has_epoch;
};

static void read_answer(const struct nlmsghdr *message, void *data)
{
	struct answer *answer = data;
	struct attrs attrs;

	attrs_read(&attrs, message);
	if (attrs.of[COLO_A_EPOCH]) {
		answer->epoch = attrs_u32(&attrs, COLO_A_EPOCH);
		answer->has_epoch = true;
	}
}

static void print_answer(const struct call *call, uint32_t index, const struct answer *answer)
{
	struct json json;

	if (call->json) {
		json_init(&json, stdout);
		json_open(&json, NULL, '{');
		json_number(&json, "index", index);
		if (answer->has_epoch)
			json_number(&json, "epoch", answer->epoch);
		json_close(&json);
		printf("\n");
	} else if (answer->has_epoch) {
		printf("node %u: epoch %u\n", index, answer->epoch);
	}
}

/* Asks once the request has all but INDEX. */
static int tell(const struct call *call, uint32_t index, struct nlmsghdr *request)
{
	struct answer answer = { .has_epoch = false };
	char what[32];
	int result;

	mnl_attr_put_u32(request, COLO_A_INDEX, index);
	snprintf(what, sizeof(what), "node %u", index);
	result = channel_ask(&channel, what, request, read_answer, &answer);
	if (!result)
		print_answer(call, index, &answer);
	return result;
}

int checkpoint(struct call *call)
{
	struct nlmsghdr *request;
	uint32_t index;

	if (!call_index(call, 0, &index))
		return EXIT_USAGE;
	if (!channel_open(&channel))
		return EXIT_REFUSED;
	request = channel_begin(&channel, COLO_CMD_CHECKPOINT, 0);
	if (call->options[EPOCH].given)
		mnl_attr_put_u32(request, COLO_A_EPOCH, (uint32_t)call->options[EPOCH].number);
	return tell(call, index, request);
}

int protocol(struct call *call)
{
	struct nlmsghdr *request;
	uint32_t index;
	int event, i;

	if (!call_index(call, 0, &index))
		return EXIT_USAGE;
	event = word_of(event_names, call->words[1]);
	if (event < 0) {
		fputs("coloctl: protocol: EVENT is one of", stderr);
		for (i = 0; event_names[i]; i++)
			fprintf(stderr, "%s %s", i ? "," : "", event_names[i]);
		fprintf(stderr, "; not \"%s\"\n", call->words[1]);
		return EXIT_USAGE;
	}
	if (!channel_open(&channel))
		return EXIT_REFUSED;
	request = channel_begin(&channel, COLO_CMD_PROTOCOL, 0);
	mnl_attr_put_u8(request, COLO_A_EVENT, (uint8_t)event);
	if (call->options[EPOCH].given)
		mnl_attr_put_u32(request, COLO_A_EPOCH, (uint32_t)call->options[EPOCH].number);
	return tell(call, index, request);
}

int heartbeat(struct call *call)
{
	struct nlmsghdr *request;
	uint32_t index;

	if (!call_index(call, 0, &index) || !require(call, BEAT_TERM) ||
	    !require(call, BEAT_STAMP))
		return EXIT_USAGE;
	if (!channel_open(&channel))
		return EXIT_REFUSED;
	request = channel_begin(&channel, COLO_CMD_HEARTBEAT, 0);
	mnl_attr_put_u32(request, COLO_A_TERM, (uint32_t)call->options[BEAT_TERM].number);
	mnl_attr_put_u64(request, COLO_A_STAMP, call->options[BEAT_STAMP].number);
	return tell(call, index, request);
}

int reset(struct call *call)
{
	uint32_t index;

	if (!call_index(call, 0, &index))
		return EXIT_USAGE;
	if (!channel_open(&channel))
		return EXIT_REFUSED;
	return tell(call, index, channel_begin(&channel, COLO_CMD_RESET, 0));
}

struct watch {
	struct report report;
	bool one;
	uint32_t index;
};

static void print_event(const struct nlmsghdr *message, void *data)
{
	struct watch *watch = data;
	struct timeval now;
	struct attrs attrs;

	attrs_read(&attrs, message);
	if (watch->one && attrs_u32(&attrs, COLO_A_INDEX) != watch->index)
		return;
	gettimeofday(&now, NULL);
	report_event(message, &watch->report, now.tv_sec, now.tv_usec);
}

/* About the monitor itself, so that a program knows that it misses nothing, or that it did. */
static void print_note(const struct watch *watch, const char *event, const char *text)
{
	if (watch->report.as_json)
		fprintf(watch->report.out, "{\"event\":\"%s\"}\n", event);
	else
		fprintf(watch->report.out, "%s\n", text);
	fflush(watch->report.out);
}

int monitor(struct call *call)
{
	struct watch watch = { .one = call->words_count > 0 };
	uint64_t count_max = call->options[MONITOR_COUNT_MAX].number;
	int error;

	if (watch.one && !call_index(call, 0, &watch.index))
		return EXIT_USAGE;
	if (!channel_open(&channel) || !channel_subscribe(&channel))
		return EXIT_REFUSED;
	watch.report.out = stdout;
	watch.report.as_json = call->json;
	print_note(&watch, "listening", "listening");
	while (!count_max || watch.report.count < count_max) {
		if (ferror(stdout))
			return EXIT_REFUSED;
		error = channel_listen(&channel, print_event, &watch);
		if (error == -ENOBUFS) {
			print_note(&watch, "lost", "events were lost, as they came too fast");
		} else if (error && error != -EINTR) {
			complain("monitor: %s", strerror(-error));
			return EXIT_REFUSED;
		}
	}
	return 0;
}
