// SPDX-License-Identifier: GPL-2.0-only
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "../uapi/device_name.h"
#include "../uapi/xt_COLO.h"
#include "libxt_colo.h"

enum {
	OPTION_INDEX,
	OPTION_FORWARD_DEV,
};

static const struct xt_option_entry options[] = {
	{
		.name = "index",
		.id = OPTION_INDEX,
		.type = XTTYPE_UINT32,
		.flags = XTOPT_MAND | XTOPT_PUT,
		.min = 0,
		.max = XT_COLO_INDEX_MAX,
		XTOPT_POINTER(struct xt_colo_info, index),
	},
	{
		.name = "forward-dev",
		.id = OPTION_FORWARD_DEV,
		.type = XTTYPE_STRING,
	},
	XTOPT_TABLEEND,
};

static void parse(struct xt_option_call *call)
{
	struct xt_colo_info *info = call->data;
	const char *fault;

	xtables_option_parse(call);
	if (call->entry->id != OPTION_FORWARD_DEV)
		return;
	fault = device_name_fault(call->arg);
	if (fault)
		xtables_error(PARAMETER_PROBLEM, "%s: --forward-dev \"%s\" %s", call->ext_name,
			      call->arg, fault);
	strncpy(info->sec_dev, call->arg, sizeof(info->sec_dev) - 1);
}

static const struct xt_colo_info *info_of(const struct xt_entry_target *target)
{
	return (const void *)target->data;
}

static void print(const void *ip, const struct xt_entry_target *target, int numeric)
{
	const struct xt_colo_info *info = info_of(target);

	(void)ip;
	(void)numeric;
	printf(" colo index %u", info->index);
	if (*info->sec_dev)
		printf(" forward-dev %.*s", XT_COLO_IFNAMSIZ, info->sec_dev);
}

static void save(const void *ip, const struct xt_entry_target *target)
{
	const struct xt_colo_info *info = info_of(target);

	(void)ip;
	printf(" --index %u", info->index);
	if (*info->sec_dev) {
		printf(" --forward-dev");
		xtables_save_string(info->sec_dev);
	}
}

void libxt_colo_print_options(const char *name)
{
	printf("%s target options:\n"
	       "  --index N           the node, 0 to %d, which \"coloctl node add N\" has made\n"
	       "  --forward-dev DEV   the device that leads to the other host, instead of the\n"
	       "                      module's parameter sec_dev\n",
	       name, XT_COLO_INDEX_MAX);
}

void libxt_colo_register(struct xtables_target *target, const char *name, void (*help)(void))
{
	target->version = XTABLES_VERSION;
	target->name = name;
	target->revision = 0;
	target->family = NFPROTO_UNSPEC;
	target->size = XT_ALIGN(sizeof(struct xt_colo_info));
	target->userspacesize = offsetof(struct xt_colo_info, proxy);
	target->help = help;
	target->x6_parse = parse;
	target->x6_options = options;
	target->print = print;
	target->save = save;
	xtables_register_target(target);
}
