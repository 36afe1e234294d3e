// SPDX-License-Identifier: GPL-2.0-only
/* The other host is lost: this one speaks, and the network has to know (rule fail-primary). */
#include <errno.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <linux/if_ether.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <sys/socket.h>
#include <unistd.h>

#include "announce.h"
#include "channel.h"
#include "commands.h"
#include "flow.h"
#include "host.h"
#include "plan.h"
#include "report.h"

/* Said more than once, as nobody answers if it gets lost. */
#define ANNOUNCEMENTS 3
#define ANNOUNCEMENT_GAP_NS 100000000

enum {
	BRIDGE,
	MAC,
	ADDRESS,
	DRY_RUN,
	FAILOVER_COUNT,
};

const struct option failover_options[FAILOVER_COUNT + 1] = {
	[BRIDGE] = { "bridge", "BRIDGE", "of the LAN: the secondary guest's tap moves there",
		     OPTION_DEVICE, 0, NULL },
	[MAC] = { "mac", "MAC", "the guest's (what its bridge has learned)", OPTION_TEXT, 0, NULL },
	[ADDRESS] = { "address", "ADDRESS[@VLAN]",
		      "the guest's, any number of times (those of its\n"
		      "                          connections)",
		      OPTION_MANY, 0, NULL },
	[DRY_RUN] = { "dry-run", NULL, "only print the commands", OPTION_FLAG, 0, NULL },
	[FAILOVER_COUNT] = { .name = NULL },
};

enum {
	ANNOUNCE_MAC,
	ANNOUNCE_ADDRESS,
	ANNOUNCE_COUNT,
};

const struct option announce_options[ANNOUNCE_COUNT + 1] = {
	[ANNOUNCE_MAC] = { "mac", "MAC", "the guest's", OPTION_TEXT, 0, NULL },
	[ANNOUNCE_ADDRESS] = { "address", "ADDRESS[@VLAN]", "the guest's, any number of times",
			       OPTION_MANY, 0, NULL },
	[ANNOUNCE_COUNT] = { .name = NULL },
};

static struct channel channel;

struct addresses {
	struct guest_address of[MANY_MAX];
	unsigned int count;
};

static bool check_mac(const struct value *value, uint8_t mac[6])
{
	if (mac_parse(value->text, mac))
		return true;
	complain("--mac is a guest's address like 52:54:00:12:34:56; not \"%s\"", value->text);
	return false;
}

static bool read_addresses(struct addresses *addresses, const struct value *value)
{
	unsigned int i;

	for (i = 0; i < value->count; i++)
		if (!guest_address_parse(value->many[i], &addresses->of[i])) {
			complain("--address is an IP address, perhaps with @VLAN; not \"%s\"",
				 value->many[i]);
			return false;
		}
	addresses->count = value->count;
	return true;
}

/* Of a connection: its guest's address, once. */
static void collect_address(const struct nlmsghdr *message, void *data)
{
	struct addresses *addresses = data;
	struct guest_address address = { .vlan = -1 };
	struct attrs attrs;
	struct flow flow;
	unsigned int i;

	attrs_read(&attrs, message);
	if (!attrs.of[COLO_A_FLOW] || addresses->count == MANY_MAX)
		return;
	flow_read(&flow, attrs.of[COLO_A_FLOW]);
	if (!flow.guest || flow.inner_vlan >= 0)
		return;
	address.family = flow.family;
	address.vlan = flow.vlan >= 0 ? flow.vlan & 0xfff : -1;
	memcpy(address.bytes, flow.guest, flow.family == AF_INET6 ? 16 : 4);
	for (i = 0; i < addresses->count; i++)
		if (!memcmp(&addresses->of[i], &address, sizeof(address)))
			return;
	addresses->of[addresses->count++] = address;
}

struct node {
	bool secondary;
	char guest_dev[IFNAMSIZ];
};

static void read_node(const struct nlmsghdr *message, void *data)
{
	struct node *node = data;
	struct attrs attrs;
	const char *name;

	attrs_read(&attrs, message);
	node->secondary = attrs_u32(&attrs, COLO_A_ROLE) == COLO_GENL_SECONDARY;
	name = attrs_text(&attrs, COLO_A_GUEST_DEV);
	snprintf(node->guest_dev, sizeof(node->guest_dev), "%s", name ? name : "");
}

static int ask(uint32_t index, uint8_t command, uint16_t flags, channel_handler handle, void *data)
{
	struct nlmsghdr *request = channel_begin(&channel, command, flags);
	char what[32];

	mnl_attr_put_u32(request, COLO_A_INDEX, index);
	snprintf(what, sizeof(what), "node %u", index);
	return channel_ask(&channel, what, request, handle, data);
}

static void add_announcement(struct plan *plan, const struct call *call, const char *guest_dev,
			     const struct addresses *addresses)
{
	char text[PLAN_COMMAND_MAX], mac[18];
	size_t used = 0;
	unsigned int i;

	if (call->options[MAC].given) {
		snprintf(mac, sizeof(mac), "%s", call->options[MAC].text);
	} else if (!host_guest_mac(guest_dev, mac)) {
		complain("nothing is announced, as nobody knows the guest's MAC: give --mac");
		return;
	}
	*text = '\0';
	for (i = 0; i < addresses->count && used + INET6_ADDRSTRLEN + 24 < sizeof(text) - 64; i++) {
		used += (size_t)snprintf(text + used, sizeof(text) - used, " --address ");
		guest_address_print(&addresses->of[i], text + used, sizeof(text) - used);
		used += strlen(text + used);
	}
	plan_do(plan, "coloctl announce %s --mac %s%s", call->options[BRIDGE].text, mac, text);
}

static int check_move(const struct call *call, const struct node *node)
{
	const char *bridge = call->options[BRIDGE].text;

	if (!node->secondary)
		complain("--bridge is for a secondary; a primary's guest is in its bridge already");
	else if (!host_is_bridge(bridge))
		complain("--bridge %s: there is no such bridge", bridge);
	else
		return 0;
	return EXIT_REFUSED;
}

static bool check_failover_options(const struct call *call, struct addresses *addresses)
{
	const struct value *values = call->options;
	uint8_t mac[6];

	if (!values[BRIDGE].given && (values[MAC].given || values[ADDRESS].given)) {
		complain("--mac and --address are of use with --bridge only");
		return false;
	}
	return (!values[MAC].given || check_mac(&values[MAC], mac)) &&
	       read_addresses(addresses, &values[ADDRESS]);
}

/*
 * All that follows the kernel's own failover; asked for before, as the tap's move forgets it. The
 * rule of setup names the tap, so it holds in the other bridge as well.
 */
static int plan_move(struct plan *plan, const struct call *call, uint32_t index,
		     struct addresses *addresses)
{
	struct node node = { .secondary = false };
	int result = ask(index, COLO_CMD_NODE_GET, 0, read_node, &node);

	if (!result)
		result = check_move(call, &node);
	if (!result && !addresses->count)
		result = ask(index, COLO_CMD_FLOW_GET, NLM_F_DUMP, collect_address, addresses);
	if (result)
		return result;
	plan_do(plan, "ip link set dev %s master %s", node.guest_dev, call->options[BRIDGE].text);
	/* The bridge has seen the guest at its uplink, and would send nothing back into the tap. */
	plan_do(plan, "ip link set dev %s type bridge fdb_flush", call->options[BRIDGE].text);
	add_announcement(plan, call, node.guest_dev, addresses);
	return 0;
}

static void print_json(const struct call *call, uint32_t index)
{
	if (call->json)
		printf("{\"index\":%u}\n", index);
}

int failover(struct call *call)
{
	bool moves = call->options[BRIDGE].given;
	static struct addresses addresses;
	static struct plan plan;
	uint32_t index;
	int result;

	if (!call_index(call, 0, &index) || !check_failover_options(call, &addresses))
		return EXIT_USAGE;
	if (!channel_open(&channel))
		return EXIT_REFUSED;
	plan.program = call->program;
	result = moves ? plan_move(&plan, call, index, &addresses) : 0;
	if (result)
		return result;
	if (call->options[DRY_RUN].given) {
		printf("%s failover %u\n", call->program, index);
		plan_print(&plan);
		return 0;
	}
	result = ask(index, COLO_CMD_FAILOVER, 0, NULL, NULL);
	if (!result)
		result = plan_run_all(&plan);
	if (!result)
		print_json(call, index);
	return result;
}

static int send_all(int socket, const struct sockaddr_ll *to, const uint8_t mac[6],
		    const struct addresses *addresses)
{
	uint8_t frame[ANNOUNCE_FRAME_MAX];
	unsigned int i = 0;
	size_t length;

	do {
		length = announce_frame(frame, mac, addresses->count ? &addresses->of[i] : NULL);
		if (sendto(socket, frame, length, 0, (const void *)to, sizeof(*to)) < 0)
			return errno;
	} while (++i < addresses->count);
	return 0;
}

int announce(struct call *call)
{
	const struct timespec gap = { .tv_nsec = ANNOUNCEMENT_GAP_NS };
	struct sockaddr_ll to = { .sll_family = AF_PACKET };
	static struct addresses addresses;
	const char *bridge = call->words[0];
	int packets, error, i;
	uint8_t mac[6];

	if (!require(call, ANNOUNCE_MAC) || !check_mac(&call->options[ANNOUNCE_MAC], mac) ||
	    !read_addresses(&addresses, &call->options[ANNOUNCE_ADDRESS]))
		return EXIT_USAGE;
	to.sll_ifindex = (int)if_nametoindex(bridge);
	if (!to.sll_ifindex) {
		complain("announce: there is no device %s", bridge);
		return EXIT_REFUSED;
	}
	packets = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	error = packets < 0 ? errno : send_all(packets, &to, mac, &addresses);
	for (i = 1; !error && i < ANNOUNCEMENTS; i++) {
		nanosleep(&gap, NULL);
		error = send_all(packets, &to, mac, &addresses);
	}
	if (packets >= 0)
		close(packets);
	if (error)
		complain("announce: %s: %s", bridge, strerror(error));
	else if (call->json)
		printf("{\"addresses\":%u}\n", addresses.count);
	return error ? EXIT_REFUSED : 0;
}
