/* SPDX-License-Identifier: GPL-2.0-only */
/* What iptables has to know of PMYCOLO and SECCOLO, which take the same options. */
#ifndef LIBXT_COLO_H
#define LIBXT_COLO_H

#include <xtables.h>

/**
 * libxt_colo_register() - Offer a target to iptables and ip6tables, legacy and nft.
 * @target: zeroed memory that stays; filled in here.
 * @help: prints what the target does.
 */
void libxt_colo_register(struct xtables_target *target, const char *name, void (*help)(void));

/** libxt_colo_print_options() - The lines of --help that both targets share. */
void libxt_colo_print_options(const char *name);

#endif /* LIBXT_COLO_H */
