// SPDX-License-Identifier: GPL-2.0-only
/* Drives nf_conntrack_colo and sets hosts up; see coloctl.8. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "config.h"

static const struct command commands[] = {
	{ "node add", "INDEX --role ROLE --guest-dev DEV [OPTION...]",
	  "Make a node: one protected guest pair, as this host sees it.", 1, 1, node_add_options,
	  config_options, node_add },
	{ "node del", "INDEX [--if-exists]",
	  "Remove a node. What it holds is released; rules that name it let packets pass.", 1, 1,
	  node_del_options, NULL, node_del },
	{ "node list", "[INDEX]", "Show nodes: configuration and state.", 0, 1, NULL, NULL,
	  node_list },
	{ "stats", "[INDEX]", "Show what nodes have counted.", 0, 1, NULL, NULL, stats },
	{ "flows", "INDEX", "Show a node's connections.", 1, 1, NULL, NULL, flows },
	{ "monitor", "[INDEX] [--count N]",
	  "Print what happens, a line an event: checkpoints requested and committed, what\n"
	  "the hypervisor has to do, nodes that go. Begins with \"listening\".",
	  0, 1, monitor_options, NULL, monitor },
	{ "checkpoint", "INDEX [--epoch N]",
	  "Commit a checkpoint, once both guests stand still and the secondary has the\n"
	  "primary's state: first on the secondary's host, with the next epoch of the\n"
	  "primary's, then on the primary's. Both guests may go on then.",
	  1, 1, epoch_options, NULL, checkpoint },
	{ "protocol", "INDEX EVENT [--epoch N]",
	  "Take one step of the checkpoint or failover protocol. EVENT is one of request,\n"
	  "paused, reply, state, received, loaded, abort, granted, denied, term, join.",
	  2, 2, epoch_options, NULL, protocol },
	{ "heartbeat", "INDEX --term N --stamp NS", "A heartbeat of the other host has come.", 1,
	  1, heartbeat_options, NULL, heartbeat },
	{ "failover", "INDEX [--bridge BRIDGE [--mac MAC] [--address ADDRESS]...] [--dry-run]",
	  "The other host is lost: a primary goes on unprotected, a secondary speaks for\n"
	  "itself. With --bridge, its tap moves there and its addresses are announced.",
	  1, 1, failover_options, NULL, failover },
	{ "reset", "INDEX", "Release all, forget all flows, begin at epoch 0 again.", 1, 1, NULL,
	  NULL, reset },
	{ "announce", "BRIDGE --mac MAC [--address ADDRESS]...",
	  "Tell the LAN where a guest is now: gratuitous ARP and unsolicited neighbour\n"
	  "advertisements, or without addresses a frame for the switches.",
	  1, 1, announce_options, NULL, announce },
	{ "setup", "ROLE --index N --bridge BRIDGE --guest-dev DEV --sec-dev DEV [OPTION...]",
	  "Prepare this host: modules, parameters, bridge and ports, MTU, node, rules of\n"
	  "iptables and ip6tables. All or nothing: what fails undoes what was done.",
	  1, 1, setup_options, config_options, setup },
	{ "teardown", "[ROLE] --index N [--dry-run]",
	  "Undo what setup did, if it did. Takes all of setup's options; only these count.", 0, 1,
	  setup_options, config_options, teardown },
	{ "calibrate", "[--out FILE]",
	  "Measure what this host costs, for colo-scenario --calibration=FILE: comparing packets,\n"
	  "and if there is a node, waking its thread. Says of each figure where it comes from.\n"
	  "Takes a second or two, needs no module and changes nothing.",
	  0, 0, calibrate_options, NULL, calibrate },
	{ .name = NULL },
};

static void print_help(const char *program)
{
	const struct command *command;

	printf("usage: %s COMMAND [ARGUMENT...]\n\n"
	       "Drives the COLO proxy of this host (nf_conntrack_colo, xt_PMYCOLO, xt_SECCOLO).\n\n",
	       program);
	for (command = commands; command->name; command++)
		printf("  %s %s\n", command->name, command->usage);
	printf("\n%s COMMAND --help tells more; every command knows --json.\n"
	       "INDEX and N are numbers, ROLE is primary or secondary, times are like 3s or 5ms.\n"
	       "Exit status: 0; 1 if the kernel or a command refused; 2 for a wrong command line.\n",
	       program);
}

/* Matches one argument or two; their number goes to @used. */
static const struct command *find(int argc, char **argv, int *used)
{
	const struct command *command;
	size_t length;

	for (command = commands; command->name; command++) {
		length = strlen(argv[0]);
		if (!strcmp(command->name, argv[0])) {
			*used = 1;
			return command;
		}
		if (argc > 1 && !strncmp(command->name, argv[0], length) &&
		    command->name[length] == ' ' && !strcmp(command->name + length + 1, argv[1])) {
			*used = 2;
			return command;
		}
	}
	return NULL;
}

static int run(struct call *call, int argc, char **argv)
{
	int used, result;

	for (; argc && !strcmp(*argv, "--json"); argc--, argv++)
		call->json = true;
	if (argc && (!strcmp(*argv, "--help") || !strcmp(*argv, "-h") || !strcmp(*argv, "help"))) {
		print_help(call->program);
		return 0;
	}
	if (!argc) {
		complain("what to do? %s --help lists the commands", call->program);
		return EXIT_USAGE;
	}
	call->command = find(argc, argv, &used);
	if (!call->command) {
		bool of_two = !strcmp(argv[0], "node") && argc > 1;

		complain("no command is called \"%s%s%s\"; %s --help lists them", argv[0],
			 of_two ? " " : "", of_two ? argv[1] : "", call->program);
		return EXIT_USAGE;
	}
	result = call_parse(call, argc - used, argv + used);
	if (result)
		return result < 0 ? 0 : result;
	return call->command->run(call);
}

int main(int argc, char **argv)
{
	static struct call call;
	int result;

	call.program = *argv;
	result = run(&call, argc - 1, argv + 1);
	if (fflush(stdout) || ferror(stdout)) {
		complain("cannot write to standard output");
		return EXIT_REFUSED;
	}
	return result;
}
