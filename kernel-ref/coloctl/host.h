/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How things stand on this host, as files tell: devices, bridges, parameters, modules. All paths
 * are below COLOCTL_ROOT, if that is set, so that a test can be any host.
 */
#ifndef COLOCTL_HOST_H
#define COLOCTL_HOST_H

#include <stdbool.h>
#include <stddef.h>

#define HOST_PATH_MAX 512

/** host_path() - Where a file is. Cut off if it does not fit. */
void host_path(char path[HOST_PATH_MAX], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

bool host_has_device(const char *device);
bool host_is_bridge(const char *device);
bool host_is_up(const char *device);
/** host_has_address() - One that it would lose as a port: of IPv4, or global of IPv6. */
bool host_has_address(const char *device);
/** host_mtu() - 0 if nobody knows. */
unsigned int host_mtu(const char *device);
/** host_bridge_of() - The bridge whose port it is; empty if none. */
void host_bridge_of(const char *device, char *bridge, size_t size);
/** host_other_port() - A port of the bridge but @device and @second; empty if there is none. */
void host_other_port(const char *bridge, const char *device, const char *second, char *port,
		     size_t size);

bool host_has_module(const char *module);
/** host_parameter() - Of sysctl, "net.bridge.x"; -1 if there is none. */
int host_parameter(const char *name);

/** host_guest_mac() - Who the bridge heard last behind its port, as text. False if nobody. */
bool host_guest_mac(const char *port, char mac[18]);

#endif /* COLOCTL_HOST_H */
