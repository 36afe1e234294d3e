// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "libxt_colo.h"

static void help(void)
{
	printf("PMYCOLO target\n"
	       "Valid in PREROUTING of the table mangle, on the primary guest's tap: holds what the\n"
	       "primary guest sends until the secondary guest has sent the same.\n\n");
	libxt_colo_print_options("PMYCOLO");
}

static struct xtables_target target;

static void __attribute__((constructor)) register_target(void)
{
	libxt_colo_register(&target, "PMYCOLO", help);
}
