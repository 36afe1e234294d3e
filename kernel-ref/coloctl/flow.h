/* SPDX-License-Identifier: GPL-2.0-only */
/* One connection of a node, as a nest of COLO_F_* tells it. */
#ifndef COLOCTL_FLOW_H
#define COLOCTL_FLOW_H

#include <libmnl/libmnl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "json.h"

struct flow {
	int family; /* AF_INET or AF_INET6 */
	uint8_t protocol;
	const void *guest; /* in network order; NULL if it is not there */
	const void *peer;
	uint16_t guest_port;
	uint16_t peer_port;
	int vlan; /* -1 without a tag */
	int inner_vlan;
	uint32_t held;
	uint32_t extra;
	bool has_matched;
	uint32_t matched;
	bool has_offset;
	uint32_t offset;
	bool closed;
	bool diverged;
};

void flow_read(struct flow *flow, const struct nlattr *nest);
void flow_write_json(struct json *json, const struct nlattr *nest);
void flow_write_text(FILE *out, const struct nlattr *nest);
/** flow_write_name() - "tcp 10.0.0.2:80 > 10.0.0.1:40000". */
void flow_write_name(FILE *out, const struct nlattr *nest);

#endif /* COLOCTL_FLOW_H */
