// SPDX-License-Identifier: GPL-2.0-only
#include "channel.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <time.h>

#include "../uapi/colo.h"
#include "options.h"

static struct nlmsghdr *begin(struct channel *channel, uint16_t type, uint8_t command,
			      uint8_t version, uint16_t flags)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(channel->request);
	struct genlmsghdr *header;

	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	message->nlmsg_seq = ++channel->seq;
	header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->cmd = command;
	header->version = version;
	return message;
}

struct nlmsghdr *channel_begin(struct channel *channel, uint8_t command, uint16_t flags)
{
	return begin(channel, channel->family, command, COLO_GENL_VERSION, flags);
}

/* The sentence of an extended ACK that begins at @offset of @message's payload. */
static const char *find_text(const struct nlmsghdr *message, size_t offset)
{
	const struct nlattr *attr;

	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS) ||
	    mnl_nlmsg_get_payload_len(message) < MNL_ALIGN(offset))
		return NULL;
	mnl_attr_for_each(attr, message, offset)
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG &&
		    !mnl_attr_validate(attr, MNL_TYPE_NUL_STRING))
			return mnl_attr_get_str(attr);
	return NULL;
}

/* How a request ended, by NLMSG_ERROR or NLMSG_DONE. */
static int read_end(const struct nlmsghdr *message, const char **why)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);
	size_t offset = sizeof(int);

	if (mnl_nlmsg_get_payload_len(message) < sizeof(int))
		return message->nlmsg_type == NLMSG_DONE ? 0 : -EBADMSG;
	if (message->nlmsg_type == NLMSG_ERROR) {
		if (mnl_nlmsg_get_payload_len(message) < sizeof(*error))
			return -EBADMSG;
		offset = sizeof(*error);
		if (!(message->nlmsg_flags & NLM_F_CAPPED))
			offset += mnl_nlmsg_get_payload_len(&error->msg);
	}
	*why = find_text(message, offset);
	return error->error < 0 ? error->error : 0;
}

/* Return: 0, a negative errno, or 1 if more has to come. */
static int read_answers(struct channel *channel, size_t length, uint32_t seq,
			channel_handler handle, void *data, const char **why)
{
	const struct nlmsghdr *message = (const void *)channel->answer;
	int left = (int)length;

	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
		if (message->nlmsg_seq != seq)
			continue; /* an event, or of a request that was given up */
		if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE)
			return read_end(message, why);
		if (handle && message->nlmsg_type >= NLMSG_MIN_TYPE &&
		    mnl_nlmsg_get_payload_len(message) >= sizeof(struct genlmsghdr))
			handle(message, data);
	}
	return 1;
}

int channel_try(struct channel *channel, struct nlmsghdr *request, channel_handler handle,
		void *data, const char **why)
{
	int result = 1;

	*why = NULL;
	if (mnl_socket_sendto(channel->socket, request, request->nlmsg_len) < 0)
		return -errno;
	do {
		ssize_t length = mnl_socket_recvfrom(channel->socket, channel->answer,
						     sizeof(channel->answer));

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return -errno;
		result = read_answers(channel, (size_t)length, request->nlmsg_seq, handle, data,
				      why);
	} while (result > 0);
	return result;
}

int channel_ask(struct channel *channel, const char *what, struct nlmsghdr *request,
		channel_handler handle, void *data)
{
	const char *why;
	int error = channel_try(channel, request, handle, data, &why);

	if (!error)
		return 0;
	if (why)
		complain("%s: %s (%s)", what, why, strerror(-error));
	else
		complain("%s: %s", what, strerror(-error));
	return EXIT_REFUSED;
}

static void read_group(struct channel *channel, const struct nlattr *groups)
{
	const struct nlattr *group, *attr;

	mnl_attr_for_each_nested(group, groups) {
		const char *name = NULL;
		uint32_t id = 0;

		mnl_attr_for_each_nested(attr, group) {
			if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_NAME &&
			    !mnl_attr_validate(attr, MNL_TYPE_NUL_STRING))
				name = mnl_attr_get_str(attr);
			if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_ID &&
			    !mnl_attr_validate(attr, MNL_TYPE_U32))
				id = mnl_attr_get_u32(attr);
		}
		if (name && !strcmp(name, COLO_GENL_GROUP))
			channel->group = id;
	}
}

static void read_family(const struct nlmsghdr *message, void *data)
{
	struct channel *channel = data;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, message, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID &&
		    !mnl_attr_validate(attr, MNL_TYPE_U16))
			channel->family = mnl_attr_get_u16(attr);
		if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GROUPS &&
		    !mnl_attr_validate(attr, MNL_TYPE_NESTED))
			read_group(channel, attr);
	}
}

static bool find_family(struct channel *channel)
{
	struct nlmsghdr *request = begin(channel, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, 0);
	const char *why;
	int error;

	mnl_attr_put_strz(request, CTRL_ATTR_FAMILY_NAME, COLO_GENL_NAME);
	error = channel_try(channel, request, read_family, channel, &why);
	if (!error && channel->family)
		return true;
	if (error == -ENOENT || !error)
		complain("the kernel has no netlink family \"%s\": modprobe nf_conntrack_colo",
			 COLO_GENL_NAME);
	else
		complain("netlink family \"%s\": %s", COLO_GENL_NAME, strerror(-error));
	return false;
}

bool channel_open(struct channel *channel)
{
	int on = 1;

	memset(channel, 0, sizeof(*channel));
	channel->seq = (uint32_t)time(NULL);
	channel->socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!channel->socket || mnl_socket_bind(channel->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		complain("generic netlink: %s", strerror(errno));
		return false;
	}
	/* A kernel that does not know these only says less. */
	mnl_socket_setsockopt(channel->socket, NETLINK_EXT_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(channel->socket, NETLINK_CAP_ACK, &on, sizeof(on));
	return find_family(channel);
}

void channel_close(struct channel *channel)
{
	if (channel->socket)
		mnl_socket_close(channel->socket);
	channel->socket = NULL;
}

bool channel_subscribe(struct channel *channel)
{
	int group = (int)channel->group;

	if (channel->group &&
	    mnl_socket_setsockopt(channel->socket, NETLINK_ADD_MEMBERSHIP, &group,
				  sizeof(group)) == 0)
		return true;
	complain("events of family \"%s\": %s", COLO_GENL_NAME,
		 channel->group ? strerror(errno) : "there is no such group");
	return false;
}

int channel_listen(struct channel *channel, channel_handler handle, void *data)
{
	const struct nlmsghdr *message = (const void *)channel->answer;
	ssize_t length = mnl_socket_recvfrom(channel->socket, channel->answer,
					     sizeof(channel->answer));
	int left = (int)length;

	if (length < 0)
		return -errno;
	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
		if (message->nlmsg_type == channel->family &&
		    mnl_nlmsg_get_payload_len(message) >= sizeof(struct genlmsghdr))
			handle(message, data);
	return 0;
}
