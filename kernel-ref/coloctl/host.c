// SPDX-License-Identifier: GPL-2.0-only
#include "host.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An entry of a bridge's brforward file, see <linux/if_bridge.h>. */
struct learned {
	uint8_t mac[6];
	uint8_t port_low;
	uint8_t is_local;
	uint32_t age; /* hundredths of a second */
	uint8_t port_high;
	uint8_t pad[3];
};

void host_path(char path[HOST_PATH_MAX], const char *format, ...)
{
	const char *root = getenv("COLOCTL_ROOT");
	va_list arguments;
	int used;

	used = snprintf(path, HOST_PATH_MAX, "%.256s", root ? root : "");
	va_start(arguments, format);
	vsnprintf(path + used, HOST_PATH_MAX - (size_t)used, format, arguments);
	va_end(arguments);
}

static bool has(const char *path)
{
	return access(path, F_OK) == 0;
}

/* A number, decimal or hexadecimal, that a file begins with; -1 if there is none. */
static long number_in(const char *path)
{
	FILE *file = fopen(path, "re");
	long number = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%li", &number) != 1)
		number = -1;
	fclose(file);
	return number;
}

bool host_has_device(const char *device)
{
	char path[HOST_PATH_MAX];

	host_path(path, "/sys/class/net/%s", device);
	return has(path);
}

bool host_is_bridge(const char *device)
{
	char path[HOST_PATH_MAX];

	host_path(path, "/sys/class/net/%s/bridge", device);
	return has(path);
}

bool host_is_up(const char *device)
{
	char path[HOST_PATH_MAX];
	long flags;

	host_path(path, "/sys/class/net/%s/flags", device);
	flags = number_in(path);
	return flags >= 0 && (flags & IFF_UP);
}

bool host_has_address(const char *device)
{
	struct ifaddrs *all, *one;
	bool found = false;

	if (getifaddrs(&all))
		return false;
	for (one = all; one; one = one->ifa_next) {
		if (!one->ifa_addr || strcmp(one->ifa_name, device))
			continue;
		if (one->ifa_addr->sa_family == AF_INET)
			found = true;
		if (one->ifa_addr->sa_family == AF_INET6 &&
		    !IN6_IS_ADDR_LINKLOCAL(&((struct sockaddr_in6 *)one->ifa_addr)->sin6_addr))
			found = true;
	}
	freeifaddrs(all);
	return found;
}

unsigned int host_mtu(const char *device)
{
	char path[HOST_PATH_MAX];
	long mtu;

	host_path(path, "/sys/class/net/%s/mtu", device);
	mtu = number_in(path);
	return mtu > 0 ? (unsigned int)mtu : 0;
}

void host_bridge_of(const char *device, char *bridge, size_t size)
{
	char path[HOST_PATH_MAX], target[HOST_PATH_MAX];
	ssize_t length;

	host_path(path, "/sys/class/net/%s/brport/bridge", device);
	length = readlink(path, target, sizeof(target) - 1);
	target[length > 0 ? length : 0] = '\0';
	snprintf(bridge, size, "%s", strrchr(target, '/') ? strrchr(target, '/') + 1 : target);
}

void host_other_port(const char *bridge, const char *device, const char *second, char *port,
		     size_t size)
{
	char path[HOST_PATH_MAX];
	struct dirent *entry;
	DIR *ports;

	*port = '\0';
	host_path(path, "/sys/class/net/%s/brif", bridge);
	ports = opendir(path);
	if (!ports)
		return;
	while ((entry = readdir(ports)))
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, device) &&
		    strcmp(entry->d_name, second))
			snprintf(port, size, "%s", entry->d_name);
	closedir(ports);
}

bool host_has_module(const char *module)
{
	char path[HOST_PATH_MAX];

	host_path(path, "/sys/module/%s", module);
	return has(path);
}

int host_parameter(const char *name)
{
	char path[HOST_PATH_MAX];
	char *c;

	host_path(path, "/proc/sys/%s", name);
	for (c = path + strlen(path) - strlen(name); *c; c++)
		if (*c == '.')
			*c = '/';
	return (int)number_in(path);
}

bool host_guest_mac(const char *port, char mac[18])
{
	char path[HOST_PATH_MAX], bridge[IFNAMSIZ];
	struct learned entry, best = { .is_local = 1 };
	FILE *file;
	long number;

	host_bridge_of(port, bridge, sizeof(bridge));
	host_path(path, "/sys/class/net/%s/brport/port_no", port);
	number = number_in(path);
	host_path(path, "/sys/class/net/%s/brforward", bridge);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (fread(&entry, sizeof(entry), 1, file) == 1)
		if (!entry.is_local && (entry.port_high << 8 | entry.port_low) == number &&
		    (best.is_local || entry.age < best.age))
			best = entry;
	fclose(file);
	if (best.is_local)
		return false;
	snprintf(mac, 18, "%02x:%02x:%02x:%02x:%02x:%02x", best.mac[0], best.mac[1], best.mac[2],
		 best.mac[3], best.mac[4], best.mac[5]);
	return true;
}
