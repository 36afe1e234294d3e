// SPDX-License-Identifier: GPL-2.0-only
#include "measure.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../core/colo_flow.h"
#include "../uapi/colo.h"
#include "channel.h"
#include "host.h"
#include "options.h"
#include "report.h"

#define ROUND_NS 20000000
/* Pairs between two looks at the clock; their frames fit into a core's cache. */
#define BLOCK 32
#define PACKET_NS 100 /* between two, on the core's clock */
#define IP_AT 14
#define TCP_AT 34
#define GUEST_ISN 0x10000000
#define CLIENT_ISN 0x20000000

#define WAKEUP_ROUNDS 200
#define REST_NS 1000000 /* in which the kernel lets idle processors sleep */

struct frame {
	struct colo_packet packet;
	u8 bytes[MEASURE_HEADERS + MEASURE_LARGE];
};

/* A connection of one guest, and frames in memory that is used again and again. */
struct bench {
	struct colo_node node;
	struct colo_flow flow;
	struct frame frames[2][BLOCK];
	unsigned int payload;
	u32 seq;
	u64 now_ns;
	u64 released;
	bool has_faults;
};

static u64 clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000000000 + (u64)now.tv_nsec;
}

static int compare_doubles(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double *values, unsigned int count)
{
	qsort(values, count, sizeof(*values), compare_doubles);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static void fill(struct frame *frame, bool inbound, unsigned int payload, u8 flags, u32 seq,
		 u32 ack)
{
	const u32 guest = 0x0a000001, client = 0xc0000201;
	u8 *ip = frame->bytes + IP_AT, *tcp = frame->bytes + TCP_AT;
	unsigned int i;

	memset(frame->bytes, 0, MEASURE_HEADERS);
	colo_put16(frame->bytes + 12, COLO_ETHERTYPE_IPV4);
	ip[0] = 0x45;
	colo_put16(ip + 2, (u16)(MEASURE_HEADERS - IP_AT + payload));
	ip[8] = 64;
	ip[9] = COLO_PROTOCOL_TCP;
	colo_put32(ip + 12, inbound ? client : guest);
	colo_put32(ip + 16, inbound ? guest : client);
	colo_put16(tcp, inbound ? 40000 : 80);
	colo_put16(tcp + 2, inbound ? 80 : 40000);
	colo_put32(tcp + 4, seq);
	colo_put32(tcp + 8, ack);
	tcp[12] = 5 << 4;
	tcp[13] = flags;
	colo_put16(tcp + 14, 60000);
	for (i = 0; i < payload; i++)
		frame->bytes[MEASURE_HEADERS + i] = (u8)(i % 251);
	frame->packet.head = frame->bytes;
	frame->packet.head_len = MEASURE_HEADERS + payload;
	frame->packet.frame_len = MEASURE_HEADERS + payload;
	frame->packet.gso_size = 0;
}

/* What is measured of a frame: it is parsed, judged, and what leaves is taken. */
static void judge(struct bench *bench, struct frame *frame, enum colo_side side)
{
	struct colo_out out;
	struct colo_key key;

	colo_packet_parse(&frame->packet, side, &key);
	if (!bench->flow.conn.node)
		colo_flow_init(&bench->flow, &bench->node, &key, bench->now_ns);
	colo_out_init(&out);
	bench->now_ns += PACKET_NS;
	colo_flow_input(&bench->flow, &frame->packet, bench->now_ns, &out);
	while (colo_queue_pop(&out.release))
		bench->released++;
	while (colo_queue_pop(&out.drop))
		;
	bench->has_faults |= out.mismatch.reason != COLO_REASON_NONE || out.actions;
}

static void open_connection(struct bench *bench)
{
	const u8 syn_ack = COLO_TCP_SYN | COLO_TCP_ACK;
	struct colo_config config;
	static struct frame frame[4];
	int i;

	colo_config_default(&config);
	memset(&bench->flow, 0, sizeof(bench->flow));
	bench->now_ns = 1000000000;
	colo_node_init(&bench->node, 0, COLO_ROLE_PRIMARY, &config, bench->now_ns);
	fill(&frame[0], true, 0, COLO_TCP_SYN, CLIENT_ISN, 0);
	judge(bench, &frame[0], COLO_INBOUND);
	fill(&frame[1], false, 0, syn_ack, GUEST_ISN, CLIENT_ISN + 1);
	judge(bench, &frame[1], COLO_PRIMARY);
	fill(&frame[2], false, 0, syn_ack, GUEST_ISN, CLIENT_ISN + 1);
	judge(bench, &frame[2], COLO_SECONDARY);
	fill(&frame[3], true, 0, COLO_TCP_ACK, CLIENT_ISN + 1, GUEST_ISN + 1);
	judge(bench, &frame[3], COLO_INBOUND);
	bench->seq = GUEST_ISN + 1;
	for (i = 0; i < BLOCK; i++) {
		fill(&bench->frames[COLO_PRIMARY][i], false, bench->payload, COLO_TCP_ACK, 0,
		     CLIENT_ISN + 1);
		fill(&bench->frames[COLO_SECONDARY][i], false, bench->payload, COLO_TCP_ACK, 0,
		     CLIENT_ISN + 1);
	}
}

/* Return: nanoseconds for BLOCK pairs, without numbering them and the client's ack. */
static u64 run_block(struct bench *bench)
{
	static struct frame ack;
	u64 start_ns, ns;
	int i;

	for (i = 0; i < BLOCK; i++, bench->seq += bench->payload) {
		colo_put32(bench->frames[COLO_PRIMARY][i].bytes + TCP_AT + 4, bench->seq);
		colo_put32(bench->frames[COLO_SECONDARY][i].bytes + TCP_AT + 4, bench->seq);
	}
	start_ns = clock_ns();
	for (i = 0; i < BLOCK; i++) {
		judge(bench, &bench->frames[COLO_PRIMARY][i], COLO_PRIMARY);
		judge(bench, &bench->frames[COLO_SECONDARY][i], COLO_SECONDARY);
	}
	ns = clock_ns() - start_ns;
	fill(&ack, true, 0, COLO_TCP_ACK, CLIENT_ISN + 1, bench->seq);
	judge(bench, &ack, COLO_INBOUND);
	return ns;
}

static double run_round(struct bench *bench)
{
	u64 ns = 0, pairs = 0;

	/* After a fault the core may still hold what would be used again. */
	while (ns < ROUND_NS && !bench->has_faults) {
		ns += run_block(bench);
		pairs += BLOCK;
	}
	bench->has_faults |= bench->released != pairs;
	bench->released = 0;
	return pairs ? (double)ns / (double)pairs : 0;
}

bool measure_compare(unsigned int payload, measure_progress progress, double *ns)
{
	static struct bench bench;
	double rounds[MEASURE_ROUNDS];
	unsigned int i;

	bench.payload = payload;
	bench.has_faults = false;
	open_connection(&bench);
	bench.has_faults |= bench.released != 1; /* the guests' SYN */
	bench.released = 0;
	run_round(&bench);
	for (i = 0; i < MEASURE_ROUNDS && !bench.has_faults; i++) {
		progress(payload == MEASURE_SMALL ? "small packets" : "large packets", i,
			 MEASURE_ROUNDS);
		rounds[i] = run_round(&bench);
	}
	if (bench.has_faults || bench.node.held_count || bench.node.extra_count) {
		complain("calibrate: the core did not release each packet of %u bytes", payload);
		return false;
	}
	*ns = median(rounds, MEASURE_ROUNDS);
	return true;
}

/* The indices that nodes have, as far as the two that are needed. */
struct nodes {
	bool has_one;
	uint32_t one;
	uint32_t none; /* which no node has, perhaps none can have */
};

static void note_node(const struct nlmsghdr *message, void *data)
{
	struct nodes *nodes = data;
	struct attrs attrs;
	uint32_t index;

	attrs_read(&attrs, message);
	index = attrs_u32(&attrs, COLO_A_INDEX);
	nodes->one = index;
	nodes->has_one = true;
	if (index >= nodes->none)
		nodes->none = index + 1;
}

static int ask(struct channel *channel, uint32_t index)
{
	struct nlmsghdr *request = channel_begin(channel, COLO_CMD_NODE_GET, 0);
	const char *why;

	mnl_attr_put_u32(request, COLO_A_INDEX, index);
	return channel_try(channel, request, NULL, NULL, &why);
}

/* Return: nanoseconds, after a rest; 0 if the answer is not as @expected_ok. */
static double round_trip(struct channel *channel, uint32_t index, bool expected_ok)
{
	const struct timespec rest = { .tv_sec = 0, .tv_nsec = REST_NS };
	u64 start_ns, end_ns;
	int error;

	nanosleep(&rest, NULL);
	start_ns = clock_ns();
	error = ask(channel, index);
	end_ns = clock_ns();
	return !error == expected_ok ? (double)(end_ns - start_ns) : 0;
}

static bool time_nodes(struct channel *channel, const struct nodes *nodes,
		       measure_progress progress, double *ns)
{
	static double with[WAKEUP_ROUNDS], without[WAKEUP_ROUNDS];
	unsigned int i;

	for (i = 0; i < WAKEUP_ROUNDS; i++) {
		progress("kcolo", i, WAKEUP_ROUNDS);
		with[i] = round_trip(channel, nodes->one, true);
		without[i] = round_trip(channel, nodes->none, false);
		if (with[i] <= 0 || without[i] <= 0)
			return false;
	}
	*ns = (median(with, WAKEUP_ROUNDS) - median(without, WAKEUP_ROUNDS)) / 2;
	if (*ns < 0)
		*ns = 0;
	return true;
}

bool measure_wakeup(measure_progress progress, double *ns, const char **why)
{
	static struct channel channel;
	struct nodes nodes = { .has_one = false };
	const char *said;
	int error;

	/* Asking for the family would have the kernel load it. */
	if (!host_has_module("nf_conntrack_colo")) {
		*why = "nf_conntrack_colo is not loaded";
		return false;
	}
	*why = "the kernel module did not answer";
	if (!channel_open(&channel))
		return false;
	error = channel_try(&channel, channel_begin(&channel, COLO_CMD_NODE_GET, NLM_F_DUMP),
			    note_node, &nodes, &said);
	if (error == -EPERM)
		*why = "that takes the capability CAP_NET_ADMIN";
	else if (!error && !nodes.has_one)
		*why = "there is no node";
	else if (!error && time_nodes(&channel, &nodes, progress, ns))
		*why = NULL;
	channel_close(&channel);
	return !*why;
}
