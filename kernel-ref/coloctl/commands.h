/* SPDX-License-Identifier: GPL-2.0-only */
/* The commands, each of which returns coloctl's exit status. */
#ifndef COLOCTL_COMMANDS_H
#define COLOCTL_COMMANDS_H

#include "options.h"

extern const struct option node_add_options[];
extern const struct option node_del_options[];
extern const struct option epoch_options[];
extern const struct option heartbeat_options[];
extern const struct option failover_options[];
extern const struct option announce_options[];
extern const struct option monitor_options[];
extern const struct option setup_options[];
extern const struct option calibrate_options[];

int node_add(struct call *call);
int node_del(struct call *call);
int node_list(struct call *call);
int stats(struct call *call);
int flows(struct call *call);
int checkpoint(struct call *call);
int protocol(struct call *call);
int heartbeat(struct call *call);
int reset(struct call *call);
int monitor(struct call *call);
int setup(struct call *call);
int teardown(struct call *call);
int failover(struct call *call);
int announce(struct call *call);
int calibrate(struct call *call);

#endif /* COLOCTL_COMMANDS_H */
