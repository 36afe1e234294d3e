/* SPDX-License-Identifier: GPL-2.0-only */
/* For coloctl and the plugins of iptables, which take names of devices. */
#ifndef DEVICE_NAME_H
#define DEVICE_NAME_H

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "xt_COLO.h"

/* What is wrong with it, NULL if nothing: see the kernel's dev_valid_name(). */
static inline const char *device_name_fault(const char *name)
{
	if (!*name)
		return "is empty";
	if (strlen(name) >= XT_COLO_IFNAMSIZ)
		return "is longer than 15 characters";
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return "is no name of a device";
	for (; *name; name++)
		if (*name == '/' || *name == ':' || isspace((unsigned char)*name))
			return "has a character that no device's name has";
	return NULL;
}

#endif /* DEVICE_NAME_H */
