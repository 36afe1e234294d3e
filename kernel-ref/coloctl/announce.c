// SPDX-License-Identifier: GPL-2.0-only
#include "announce.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "options.h"

#define ETHERNET_FRAME_MIN 60
#define HOPLIMIT_OF_NEIGHBOURS 255
#define ADVERTISEMENT_LEN 32 /* with the option that carries the MAC */

static void put16(uint8_t *at, unsigned int value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

bool guest_address_parse(const char *text, struct guest_address *address)
{
	char copy[INET6_ADDRSTRLEN];
	size_t length = strcspn(text, "@");
	uint64_t vlan;

	memset(address, 0, sizeof(*address));
	address->vlan = -1;
	if (length >= sizeof(copy))
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	if (text[length]) {
		if (!parse_number(text + length + 1, 4094, &vlan) || !vlan)
			return false;
		address->vlan = (int)vlan;
	}
	address->family = strchr(copy, ':') ? AF_INET6 : AF_INET;
	return inet_pton(address->family, copy, address->bytes) == 1;
}

void guest_address_print(const struct guest_address *address, char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "?";

	inet_ntop(address->family, address->bytes, host, sizeof(host));
	if (address->vlan >= 0)
		snprintf(text, size, "%s@%d", host, address->vlan);
	else
		snprintf(text, size, "%s", host);
}

bool mac_parse(const char *text, uint8_t mac[6])
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	int i, j;

	if (strlen(text) != 17)
		return false;
	for (i = 0; i < 6; i++) {
		mac[i] = 0;
		for (j = 0; j < 2; j++) {
			const char *found = strchr(digits, text[3 * i + j]);

			if (!found)
				return false;
			mac[i] = (uint8_t)(mac[i] << 4 | ((found - digits) & 15));
		}
		if (i < 5 && text[3 * i + 2] != ':')
			return false;
	}
	return !(mac[0] & 1);
}

static uint8_t *put_header(uint8_t *frame, const uint8_t to[6], const uint8_t mac[6], int vlan,
			   unsigned int ethertype)
{
	memcpy(frame, to, 6);
	memcpy(frame + 6, mac, 6);
	frame += 12;
	if (vlan >= 0) {
		put16(frame, 0x8100);
		put16(frame + 2, (unsigned int)vlan);
		frame += 4;
	}
	put16(frame, ethertype);
	return frame + 2;
}

/* ARP or reverse ARP (RFC 826, 903) that asks for the sender itself. */
static uint8_t *put_arp(uint8_t *at, const uint8_t mac[6], const uint8_t *address,
			unsigned int operation)
{
	static const uint8_t ethernet_ip[] = { 0, 1, 8, 0, 6, 4 };

	memcpy(at, ethernet_ip, sizeof(ethernet_ip));
	put16(at + 6, operation);
	memcpy(at + 8, mac, 6);
	if (operation == 3)
		memcpy(at + 18, mac, 6);
	if (address) {
		memcpy(at + 14, address, 4);
		memcpy(at + 24, address, 4);
	}
	return at + 28;
}

static unsigned int add_words(unsigned int sum, const uint8_t *bytes, size_t length)
{
	size_t i;

	for (i = 0; i < length; i += 2)
		sum += (unsigned int)(bytes[i] << 8 | bytes[i + 1]);
	return sum;
}

static uint8_t *put_advertisement(uint8_t *at, const uint8_t mac[6], const uint8_t *address,
				  const uint8_t all_nodes[16])
{
	uint8_t *message = at + 40;
	unsigned int sum;

	at[0] = 0x60;
	put16(at + 4, ADVERTISEMENT_LEN);
	at[6] = IPPROTO_ICMPV6;
	at[7] = HOPLIMIT_OF_NEIGHBOURS;
	memcpy(at + 8, address, 16);
	memcpy(at + 24, all_nodes, 16);
	message[0] = 136;  /* neighbour advertisement */
	message[4] = 0x20; /* override what is known */
	memcpy(message + 8, address, 16);
	message[24] = 2; /* target's link-layer address */
	message[25] = 1; /* eight bytes */
	memcpy(message + 26, mac, 6);
	sum = add_words(IPPROTO_ICMPV6 + ADVERTISEMENT_LEN, at + 8, 32);
	sum = add_words(sum, message, ADVERTISEMENT_LEN);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	put16(message + 2, ~sum & 0xffff);
	return message + ADVERTISEMENT_LEN;
}

size_t announce_frame(uint8_t frame[ANNOUNCE_FRAME_MAX], const uint8_t mac[6],
		      const struct guest_address *address)
{
	static const uint8_t everyone[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	static const uint8_t all_nodes_mac[6] = { 0x33, 0x33, 0, 0, 0, 1 };
	static const uint8_t all_nodes[16] = { 0xff, 2, [15] = 1 };
	uint8_t *at;
	size_t length;

	memset(frame, 0, ANNOUNCE_FRAME_MAX);
	if (!address)
		at = put_arp(put_header(frame, everyone, mac, -1, 0x8035), mac, NULL, 3);
	else if (address->family == AF_INET)
		at = put_arp(put_header(frame, everyone, mac, address->vlan, 0x0806), mac,
			     address->bytes, 1);
	else
		at = put_advertisement(put_header(frame, all_nodes_mac, mac, address->vlan, 0x86dd),
				       mac, address->bytes, all_nodes);
	length = (size_t)(at - frame);
	return length < ETHERNET_FRAME_MIN ? ETHERNET_FRAME_MIN : length;
}
