/* SPDX-License-Identifier: GPL-2.0-only */
/* A node's configuration: its options, defaults and attributes. */
#ifndef COLOCTL_CONFIG_H
#define COLOCTL_CONFIG_H

#include <libmnl/libmnl.h>
#include <stdio.h>

#include "json.h"
#include "options.h"

/** config_options - For struct command; ends with a name of NULL. */
extern const struct option config_options[];

/** config_check() - Do the values fit each other? Complains if not. */
bool config_check(const struct call *call);

/** config_is_plain() - Is there no shim on sec_dev? */
bool config_is_plain(const struct call *call);

/** config_put() - Into a nest of @request, if any was given. */
void config_put(struct nlmsghdr *request, const struct call *call);

/** config_print_options() - What was given, as options of a command line. */
void config_print_options(char *text, size_t size, const struct call *call);

/** config_write_json(), config_write_text() - Of a COLO_A_CONFIG. */
void config_write_json(struct json *json, const struct nlattr *nest);
void config_write_text(FILE *out, const struct nlattr *nest);

#endif /* COLOCTL_CONFIG_H */
