// SPDX-License-Identifier: GPL-2.0-only
#include "flow.h"

#include <arpa/inet.h>
#include <string.h>

#include "../uapi/colo.h"

static bool is_sound(const struct nlattr *attr)
{
	unsigned int length = mnl_attr_get_payload_len(attr);

	switch (mnl_attr_get_type(attr)) {
	case COLO_F_FAMILY:
	case COLO_F_PROTOCOL:
		return length == 1;
	case COLO_F_GUEST_PORT:
	case COLO_F_PEER_PORT:
	case COLO_F_VLAN:
	case COLO_F_INNER_VLAN:
		return length == 2;
	case COLO_F_HELD:
	case COLO_F_EXTRA:
	case COLO_F_MATCHED:
	case COLO_F_OFFSET:
		return length == 4;
	default:
		return true;
	}
}

static uint16_t u16_of(const struct nlattr *attr)
{
	return attr ? mnl_attr_get_u16(attr) : 0;
}

static uint32_t u32_of(const struct nlattr *attr)
{
	return attr ? mnl_attr_get_u32(attr) : 0;
}

static const void *address_of(const struct nlattr *attr, int family)
{
	if (!attr || mnl_attr_get_payload_len(attr) != (family == AF_INET6 ? 16 : 4))
		return NULL;
	return mnl_attr_get_payload(attr);
}

void flow_read(struct flow *flow, const struct nlattr *nest)
{
	const struct nlattr *attr, *of[COLO_F_MAX + 1] = { NULL };

	mnl_attr_for_each_nested(attr, nest)
		if (mnl_attr_get_type(attr) <= COLO_F_MAX && is_sound(attr))
			of[mnl_attr_get_type(attr)] = attr;
	memset(flow, 0, sizeof(*flow));
	flow->family = of[COLO_F_FAMILY] && mnl_attr_get_u8(of[COLO_F_FAMILY]) == 6 ? AF_INET6 :
										      AF_INET;
	flow->protocol = of[COLO_F_PROTOCOL] ? mnl_attr_get_u8(of[COLO_F_PROTOCOL]) : 0;
	flow->guest = address_of(of[COLO_F_GUEST], flow->family);
	flow->peer = address_of(of[COLO_F_PEER], flow->family);
	flow->guest_port = u16_of(of[COLO_F_GUEST_PORT]);
	flow->peer_port = u16_of(of[COLO_F_PEER_PORT]);
	flow->vlan = of[COLO_F_VLAN] ? u16_of(of[COLO_F_VLAN]) : -1;
	flow->inner_vlan = of[COLO_F_INNER_VLAN] ? u16_of(of[COLO_F_INNER_VLAN]) : -1;
	flow->held = u32_of(of[COLO_F_HELD]);
	flow->extra = u32_of(of[COLO_F_EXTRA]);
	flow->has_matched = of[COLO_F_MATCHED];
	flow->matched = u32_of(of[COLO_F_MATCHED]);
	flow->has_offset = of[COLO_F_OFFSET];
	flow->offset = u32_of(of[COLO_F_OFFSET]);
	flow->closed = of[COLO_F_CLOSED];
	flow->diverged = of[COLO_F_DIVERGED];
}

static const char *protocol_name(uint8_t protocol)
{
	static char number[4];

	switch (protocol) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_ICMPV6:
		return "icmpv6";
	case IPPROTO_SCTP:
		return "sctp";
	}
	snprintf(number, sizeof(number), "%u", protocol);
	return number;
}

static const char *address_text(const struct flow *flow, const void *address,
				char text[INET6_ADDRSTRLEN])
{
	if (!address || !inet_ntop(flow->family, address, text, INET6_ADDRSTRLEN))
		snprintf(text, INET6_ADDRSTRLEN, "?");
	return text;
}

void flow_write_json(struct json *json, const struct nlattr *nest)
{
	char text[INET6_ADDRSTRLEN];
	struct flow flow;

	flow_read(&flow, nest);
	json_number(json, "family", flow.family == AF_INET6 ? 6 : 4);
	json_text(json, "protocol", protocol_name(flow.protocol));
	json_text(json, "guest", address_text(&flow, flow.guest, text));
	json_number(json, "guest_port", flow.guest_port);
	json_text(json, "peer", address_text(&flow, flow.peer, text));
	json_number(json, "peer_port", flow.peer_port);
	if (flow.vlan >= 0)
		json_number(json, "vlan", (uint64_t)flow.vlan);
	if (flow.inner_vlan >= 0)
		json_number(json, "inner_vlan", (uint64_t)flow.inner_vlan);
	json_number(json, "held", flow.held);
	json_number(json, "extra", flow.extra);
	if (flow.has_matched)
		json_number(json, "matched", flow.matched);
	if (flow.has_offset)
		json_number(json, "offset", flow.offset);
	json_bool(json, "closed", flow.closed);
	json_bool(json, "diverged", flow.diverged);
}

static void write_end(FILE *out, const struct flow *flow, const void *address, uint16_t port)
{
	char text[INET6_ADDRSTRLEN];

	fprintf(out, flow->family == AF_INET6 ? "[%s]" : "%s",
		address_text(flow, address, text));
	if (port)
		fprintf(out, ":%u", port);
}

void flow_write_name(FILE *out, const struct nlattr *nest)
{
	struct flow flow;

	flow_read(&flow, nest);
	fprintf(out, "%s ", protocol_name(flow.protocol));
	write_end(out, &flow, flow.guest, flow.guest_port);
	fputs(" > ", out);
	write_end(out, &flow, flow.peer, flow.peer_port);
	if (flow.vlan >= 0)
		fprintf(out, " vlan %d", flow.vlan);
	if (flow.inner_vlan >= 0)
		fprintf(out, ".%d", flow.inner_vlan);
}

void flow_write_text(FILE *out, const struct nlattr *nest)
{
	struct flow flow;

	flow_read(&flow, nest);
	flow_write_name(out, nest);
	fprintf(out, ", held %u, extra %u", flow.held, flow.extra);
	if (flow.has_matched)
		fprintf(out, ", matched %u", flow.matched);
	if (flow.has_offset)
		fprintf(out, ", offset %u", flow.offset);
	fprintf(out, "%s%s", flow.closed ? ", closed" : "", flow.diverged ? ", diverged" : "");
}
