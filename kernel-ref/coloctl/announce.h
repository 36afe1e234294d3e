/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames that tell a LAN where a guest is now (rule fail-primary). */
#ifndef COLOCTL_ANNOUNCE_H
#define COLOCTL_ANNOUNCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANNOUNCE_FRAME_MAX 128

/* An address of the guest's, and the VLAN it is in. */
struct guest_address {
	int family;
	uint8_t bytes[16];
	int vlan; /* -1 for none */
};

/** guest_address_parse() - "10.0.0.2", "2001:db8::2", "10.0.0.2@100". */
bool guest_address_parse(const char *text, struct guest_address *address);
void guest_address_print(const struct guest_address *address, char *text, size_t size);

/** mac_parse() - "52:54:00:12:34:56"; false for a group's, too. */
bool mac_parse(const char *text, uint8_t mac[6]);

/**
 * announce_frame() - A gratuitous ARP request (RFC 5944, 4.6), or an unsolicited neighbour
 * advertisement (RFC 4861, 7.2.6). Without @address a reverse ARP request, which only switches
 * learn from.
 *
 * Return: its length.
 */
size_t announce_frame(uint8_t frame[ANNOUNCE_FRAME_MAX], const uint8_t mac[6],
		      const struct guest_address *address);

#endif /* COLOCTL_ANNOUNCE_H */
