// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "libxt_colo.h"

static void help(void)
{
	printf("SECCOLO target\n"
	       "Valid in PREROUTING of the table mangle, on the secondary guest's bridge: gives what\n"
	       "the secondary guest sends the primary's sequence numbers, and the reverse.\n\n");
	libxt_colo_print_options("SECCOLO");
}

static struct xtables_target target;

static void __attribute__((constructor)) register_target(void)
{
	libxt_colo_register(&target, "SECCOLO", help);
}
