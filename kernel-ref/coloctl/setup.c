// SPDX-License-Identifier: GPL-2.0-only
/* What a host needs besides a node, found missing and made. */
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "../core/colo_shim.h"
#include "../uapi/colo.h"
#include "commands.h"
#include "config.h"
#include "host.h"
#include "names.h"
#include "plan.h"
#include "rules.h"

/* A frame may have two VLAN tags, which are behind the shim. */
#define TAGS_LEN 8

enum {
	INDEX,
	BRIDGE,
	GUEST_DEV,
	SEC_DEV,
	UPLINK,
	LAN_BRIDGE,
	IPTABLES,
	NO_IPV6,
	JOINING,
	DRY_RUN,
	SETUP_COUNT,
};

const struct option setup_options[SETUP_COUNT + 1] = {
	[INDEX] = { "index", "N", "of the node", OPTION_NUMBER, 65535, NULL },
	[BRIDGE] = { "bridge", "BRIDGE", "the guest's; the secondary's leads nowhere else",
		     OPTION_DEVICE, 0, NULL },
	[GUEST_DEV] = { "guest-dev", "DEV", "the guest's tap", OPTION_DEVICE, 0, NULL },
	[SEC_DEV] = { "sec-dev", "DEV",
		      "leads to the other host, and is no port of a bridge (with --plain,\n"
		      "                          on the secondary's host, of the guest's)",
		      OPTION_DEVICE, 0, NULL },
	[UPLINK] = { "uplink", "DEV",
		     "leads to the LAN: becomes a port of the primary's bridge, or of\n"
		     "                          the secondary's --lan-bridge",
		     OPTION_DEVICE, 0, NULL },
	[LAN_BRIDGE] = { "lan-bridge", "BRIDGE", "of the secondary's host, for a failover",
			 OPTION_DEVICE, 0, NULL },
	[IPTABLES] = { "iptables", "legacy|nft", "which iptables (the system's choice)",
		       OPTION_WORD, 0, iptables_names },
	[NO_IPV6] = { "no-ipv6", NULL, "no rule of ip6tables, so IPv6 passes unprotected",
		      OPTION_FLAG, 0, NULL },
	[JOINING] = { "joining", NULL,
		      "a new secondary waits for the whole state of a primary that is alone",
		      OPTION_FLAG, 0, NULL },
	[DRY_RUN] = { "dry-run", NULL, "only print the commands", OPTION_FLAG, 0, NULL },
	[SETUP_COUNT] = { .name = NULL },
};

struct request {
	const struct call *call;
	bool primary;
	bool sec_dev_in_bridge; /* the link is bridged to the secondary guest as it is */
	uint32_t index;
	const char *bridge;
	const char *guest_dev;
	const char *sec_dev;
	const char *uplink; /* NULL if not given, as the next */
	const char *lan_bridge;
};

static bool device_exists(const char *option, const char *device)
{
	if (host_has_device(device))
		return true;
	complain("--%s %s: there is no such device", option, device);
	return false;
}

static bool can_be_bridge(const char *option, const char *device)
{
	if (!host_has_device(device) || host_is_bridge(device))
		return true;
	complain("--%s %s is no bridge", option, device);
	return false;
}

static bool can_be_port(const char *option, const char *device, const char *bridge)
{
	char there[IFNAMSIZ];

	if (!device_exists(option, device))
		return false;
	host_bridge_of(device, there, sizeof(there));
	if (*there && strcmp(there, bridge)) {
		complain("--%s %s is a port of %s already", option, device, there);
		return false;
	}
	if (!*there && host_has_address(device)) {
		complain("--%s %s has an IP address, which has to move to %s first", option,
			 device, bridge);
		return false;
	}
	return true;
}

static bool check_sec_dev(const struct request *request)
{
	char bridge[IFNAMSIZ];

	if (request->sec_dev_in_bridge)
		return can_be_port("sec-dev", request->sec_dev, request->bridge);
	if (!device_exists("sec-dev", request->sec_dev))
		return false;
	host_bridge_of(request->sec_dev, bridge, sizeof(bridge));
	if (*bridge)
		complain("--sec-dev %s is a port of %s, and must be of none", request->sec_dev,
			 bridge);
	return !*bridge;
}

/* What the secondary guest says must not reach the network while the primary speaks. */
static bool check_isolation(const struct request *request)
{
	char other[IFNAMSIZ];

	host_other_port(request->bridge, request->guest_dev,
			request->sec_dev_in_bridge ? request->sec_dev : "", other, sizeof(other));
	if (*other)
		complain("--bridge %s has another port, %s: the secondary guest would reach it",
			 request->bridge, other);
	return !*other;
}

static bool names_differ(const struct call *call)
{
	static const int devices[] = { BRIDGE, GUEST_DEV, SEC_DEV, UPLINK, LAN_BRIDGE };
	size_t i, j;

	for (i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		const struct value *value = &call->options[devices[i]];
		size_t length = value->given ? strlen(value->text) : 0;

		for (j = 0; j < i; j++)
			if (value->given && call->options[devices[j]].given &&
			    !strcmp(value->text, call->options[devices[j]].text)) {
				complain("--%s and --%s are both %s",
					 setup_options[devices[j]].name,
					 setup_options[devices[i]].name, value->text);
				return false;
			}
		if (length && value->text[length - 1] == '+') {
			complain("--%s %s: to iptables that would be many devices",
				 setup_options[devices[i]].name, value->text);
			return false;
		}
	}
	return true;
}

/* Complete, and without contradictions? Looks at the command line alone. */
static bool read_request(struct request *request, const struct call *call)
{
	const struct value *values = call->options;
	int role = word_of(role_names, call->words[0]);

	if (role < 0) {
		complain("setup: ROLE is primary or secondary; not \"%s\"", call->words[0]);
		return false;
	}
	if (!require(call, INDEX) || !require(call, BRIDGE) || !require(call, GUEST_DEV) ||
	    !require(call, SEC_DEV) || !names_differ(call) || !config_check(call))
		return false;
	*request = (struct request){
		.call = call,
		.primary = role == COLO_GENL_PRIMARY,
		.sec_dev_in_bridge = role == COLO_GENL_SECONDARY && config_is_plain(call),
		.index = (uint32_t)values[INDEX].number,
		.bridge = values[BRIDGE].text,
		.guest_dev = values[GUEST_DEV].text,
		.sec_dev = values[SEC_DEV].text,
		.uplink = values[UPLINK].text,
		.lan_bridge = values[LAN_BRIDGE].text,
	};
	if (request->primary && request->lan_bridge)
		complain("--lan-bridge is for a secondary; a primary's guest is in --bridge");
	else if (request->primary && values[JOINING].given)
		complain("--joining is for a secondary");
	else if (!request->primary && request->uplink && !request->lan_bridge)
		complain("--uplink of a secondary needs --lan-bridge, whose port it becomes");
	else
		return true;
	return false;
}

/* Can this host be set up so? */
static bool check_host(const struct request *request)
{
	const char *lan = request->primary ? request->bridge : request->lan_bridge;

	return can_be_bridge("bridge", request->bridge) &&
	       (!request->lan_bridge || can_be_bridge("lan-bridge", request->lan_bridge)) &&
	       can_be_port("guest-dev", request->guest_dev, request->bridge) &&
	       (!request->uplink || can_be_port("uplink", request->uplink, lan)) &&
	       check_sec_dev(request) && (request->primary || check_isolation(request));
}

static void add_module(struct plan *plan, const char *module)
{
	if (!host_has_module(module))
		plan_do(plan, "modprobe %s", module);
}

static void add_parameter(struct plan *plan, const char *name)
{
	int value = host_parameter(name);

	if (value == 1)
		return;
	plan_do(plan, "sysctl -qw %s=1", name);
	/* br_netfilter, which is not loaded yet then, turns it on; before, it was as if off. */
	plan_undo_shared(plan, "sysctl -qw %s=%d", name, value < 0 ? 0 : value);
}

static void add_up(struct plan *plan, const char *device, bool shared)
{
	if (host_is_up(device))
		return;
	plan_do(plan, "ip link set dev %s up", device);
	if (shared)
		plan_undo_shared(plan, "ip link set dev %s down", device);
	else
		plan_undo(plan, "ip link set dev %s down", device);
}

static void add_bridge(struct plan *plan, const char *bridge)
{
	if (!host_has_device(bridge)) {
		plan_do(plan, "ip link add name %s type bridge", bridge);
		plan_undo_shared(plan, "ip link del dev %s", bridge);
	}
	add_up(plan, bridge, true);
}

static void add_port(struct plan *plan, const char *device, const char *bridge, bool shared)
{
	char there[IFNAMSIZ];

	host_bridge_of(device, there, sizeof(there));
	if (!*there) {
		plan_do(plan, "ip link set dev %s master %s", device, bridge);
		if (shared)
			plan_undo_shared(plan, "ip link set dev %s nomaster", device);
		else
			plan_undo(plan, "ip link set dev %s nomaster", device);
	}
	add_up(plan, device, shared);
}

static void add_sec_dev(struct plan *plan, const struct request *request)
{
	unsigned int guest_mtu = host_mtu(request->guest_dev);
	unsigned int shim = config_is_plain(request->call) ? 0 : COLO_SHIM_LEN;
	unsigned int wanted = (guest_mtu ? guest_mtu : 1500) + shim + TAGS_LEN;
	unsigned int mtu = host_mtu(request->sec_dev);

	if (mtu < wanted) {
		plan_do(plan, "ip link set dev %s mtu %u", request->sec_dev, wanted);
		plan_undo_shared(plan, "ip link set dev %s mtu %u", request->sec_dev,
				 mtu ? mtu : 1500);
	}
	if (request->sec_dev_in_bridge)
		add_port(plan, request->sec_dev, request->bridge, true);
	else
		add_up(plan, request->sec_dev, true);
}

static void add_node(struct plan *plan, const struct request *request)
{
	char options[PLAN_COMMAND_MAX];

	config_print_options(options, sizeof(options), request->call);
	plan_do(plan, "coloctl node add %u --role %s --guest-dev %s%s%s", request->index,
		request->primary ? "primary" : "secondary", request->guest_dev,
		request->call->options[JOINING].given ? " --joining" : "", options);
	plan_undo(plan, "coloctl node del %u --if-exists", request->index);
}

static void add_rules(struct plan *plan, const struct request *request)
{
	struct rule rule = {
		.iptables = request->call->options[IPTABLES].text,
		.guest_dev = request->guest_dev,
		.target = request->primary ? "PMYCOLO" : "SECCOLO",
		.index = request->index,
		.sec_dev = request->sec_dev,
	};

	rule_add(plan, &rule, false);
	if (!request->call->options[NO_IPV6].given)
		rule_add(plan, &rule, true);
}

static void make_plan(struct plan *plan, const struct request *request)
{
	/* A kernel may have it built in. */
	if (host_parameter("net.bridge.bridge-nf-call-iptables") < 0)
		add_module(plan, "br_netfilter");
	add_module(plan, request->primary ? "xt_PMYCOLO" : "xt_SECCOLO");
	add_parameter(plan, "net.bridge.bridge-nf-call-iptables");
	add_parameter(plan, "net.bridge.bridge-nf-call-ip6tables");
	add_parameter(plan, "net.bridge.bridge-nf-filter-vlan-tagged");
	add_bridge(plan, request->bridge);
	if (request->lan_bridge)
		add_bridge(plan, request->lan_bridge);
	add_sec_dev(plan, request);
	if (request->uplink)
		add_port(plan, request->uplink,
			 request->primary ? request->bridge : request->lan_bridge, true);
	add_port(plan, request->guest_dev, request->bridge, false);
	add_node(plan, request);
	add_rules(plan, request);
}

static void print_done(const struct call *call, uint32_t index)
{
	if (call->json)
		printf("{\"index\":%u}\n", index);
}

int setup(struct call *call)
{
	bool dry_run = call->options[DRY_RUN].given;
	struct request request;
	static struct plan plan;
	int result;

	if (!read_request(&request, call))
		return EXIT_USAGE;
	if (!dry_run && !journal_lock())
		return EXIT_REFUSED;
	if (journal_exists(request.index)) {
		complain("node %u is set up already: teardown --index %u first", request.index,
			 request.index);
		return EXIT_REFUSED;
	}
	if (!check_host(&request))
		return EXIT_REFUSED;
	plan.program = call->program;
	make_plan(&plan, &request);
	if (dry_run) {
		plan_print(&plan);
		return 0;
	}
	result = plan_run_all_or_nothing(&plan, request.index);
	if (!result)
		print_done(call, request.index);
	return result;
}

int teardown(struct call *call)
{
	bool dry_run = call->options[DRY_RUN].given;
	uint32_t index = (uint32_t)call->options[INDEX].number;
	int result;

	if (call->words_count && word_of(role_names, call->words[0]) < 0) {
		complain("teardown: ROLE is primary or secondary; not \"%s\"", call->words[0]);
		return EXIT_USAGE;
	}
	if (!require(call, INDEX))
		return EXIT_USAGE;
	if (!dry_run && !journal_lock())
		return EXIT_REFUSED;
	result = journal_undo(call->program, index, dry_run);
	if (!result && !dry_run)
		print_done(call, index);
	return result;
}
