/* SPDX-License-Identifier: GPL-2.0-only */
/* The way to nf_conntrack_colo: generic netlink, see uapi/colo.h. */
#ifndef COLOCTL_CHANNEL_H
#define COLOCTL_CHANNEL_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stdint.h>

/* What the kernel puts into one message of a dump, with room to spare. */
#define CHANNEL_BUFFER 32768

struct channel {
	struct mnl_socket *socket;
	uint16_t family;
	uint32_t group;
	uint32_t seq;
	char request[4096];
	char answer[CHANNEL_BUFFER];
};

/* Sees each message that answers, or an event. */
typedef void (*channel_handler)(const struct nlmsghdr *message, void *data);

/** channel_open() - Find the family. False after complaining. */
bool channel_open(struct channel *channel);
void channel_close(struct channel *channel);

/** channel_begin() - An empty request in channel->request. @flags: NLM_F_DUMP or 0. */
struct nlmsghdr *channel_begin(struct channel *channel, uint8_t command, uint16_t flags);

/**
 * channel_try() - Send the request and hand each answer to @handle, which may be NULL.
 * @why: what the kernel said, if it refused.
 *
 * Return: 0 or a negative errno.
 */
int channel_try(struct channel *channel, struct nlmsghdr *request, channel_handler handle,
		void *data, const char **why);

/** channel_ask() - Likewise. Return: 0; EXIT_REFUSED after complaining, @what first. */
int channel_ask(struct channel *channel, const char *what, struct nlmsghdr *request,
		channel_handler handle, void *data);

/** channel_subscribe() - To the events. False after complaining. */
bool channel_subscribe(struct channel *channel);

/** channel_listen() - Wait for events. Return: 0; a negative errno, -ENOBUFS if some were lost. */
int channel_listen(struct channel *channel, channel_handler handle, void *data);

#endif /* COLOCTL_CHANNEL_H */
