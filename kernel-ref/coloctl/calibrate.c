// SPDX-License-Identifier: GPL-2.0-only
/* Writes what this host costs as a file that the simulation reads (scenarios/README.md). */
#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "../core/colo_node.h"
#include "commands.h"
#include "host.h"
#include "json.h"
#include "measure.h"

enum {
	OUT,
	CALIBRATE_COUNT,
};

const struct option calibrate_options[CALIBRATE_COUNT + 1] = {
	[OUT] = { "out", "FILE", "write it there, in one step, and say on stdout what it says",
		  OPTION_TEXT, 0, NULL },
	[CALIBRATE_COUNT] = { .name = NULL },
};

enum {
	WAKEUP,
	PER_FRAME,
	PER_KIB,
	FLOW_HELD,
	NODE_HELD,
	OVERHEAD,
	LOAD_TIME,
	FIGURES,
};

#define TEXT_MAX 400 /* what colo-scenario takes */

struct figure {
	const char *name;
	const char *unit;
	const char *attribute;
	uint64_t value;
	const char *command;   /* NULL if it is assumed */
	char source[TEXT_MAX]; /* if it is assumed */
};

/* The assumptions are those of scenarios/calibration.json. */
static struct figure figures[FIGURES] = {
	[WAKEUP] = { "kcolo-wakeup", "ns", "ns3::ColoPrimaryProxy::KcoloWakeup", 10000, NULL,
		     "order of magnitude; coloctl calibrate measures it" },
	[PER_FRAME] = { "compare-per-frame", "ns", "ns3::ColoPrimaryProxy::KcoloCostPerFrame", 0,
			NULL, "" },
	[PER_KIB] = { "compare-per-kib", "ns", "ns3::ColoPrimaryProxy::KcoloCostPerKib", 0, NULL,
		      "" },
	[FLOW_HELD] = { "flow-held-max", "packets", "ns3::ColoPrimaryProxy::FlowHeldMax", 0, NULL,
			"the kernel modules' default (coloctl node add --flow-held-max)" },
	[NODE_HELD] = { "node-held-max", "packets", "ns3::ColoPrimaryProxy::NodeHeldMax", 0, NULL,
			"the kernel modules' default (coloctl node add --node-held-max)" },
	[OVERHEAD] = { "checkpoint-overhead", "ns", "ns3::ColoCheckpointer::Overhead", 2000000,
		       NULL, "order of magnitude; Remus (NSDI 2008) takes one every 25 ms" },
	[LOAD_TIME] = { "load-time", "ns", "ns3::ColoCheckpointer::LoadTime", 1000000, NULL,
			"order of magnitude of devices' state into a guest" },
};

/* On a terminal, from the first second on. */
static void show_progress(const char *what, unsigned int done, unsigned int all)
{
	static struct timespec start;
	struct timespec now;
	long ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!start.tv_sec)
		start = now;
	ms = (now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000;
	if (ms >= 1000 && isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[Kmeasuring %s: %u of %u", what, done, all);
}

static void hide_progress(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

/* Both guests' frames cost the same, so many nanoseconds and as many again for each byte. */
static bool calibrate_compare(void)
{
	double small, large, per_byte;

	if (!measure_compare(MEASURE_SMALL, show_progress, &small) ||
	    !measure_compare(MEASURE_LARGE, show_progress, &large))
		return false;
	per_byte = fmax(large - small, 0) / 2 / (MEASURE_LARGE - MEASURE_SMALL);
	figures[PER_KIB].value = (uint64_t)llround(per_byte * 1024);
	figures[PER_FRAME].value = (uint64_t)llround(
		fmax(small / 2 - per_byte * (MEASURE_HEADERS + MEASURE_SMALL), 0));
	figures[PER_FRAME].command = figures[PER_KIB].command =
		"coloctl calibrate: the core alone, 64 and 1460 bytes, medians of 15";
	return true;
}

static void calibrate_wakeup(void)
{
	struct figure *figure = &figures[WAKEUP];
	const char *why;
	double ns;
	size_t length = strlen(figure->source);

	if (measure_wakeup(show_progress, &ns, &why)) {
		figure->value = (uint64_t)llround(ns);
		figure->command = "coloctl calibrate: half of a request to kcolo, medians of 200";
	} else {
		snprintf(figure->source + length, TEXT_MAX - length, "; not measured: %s", why);
	}
}

static void calibrate_limits(void)
{
	struct colo_config config;

	colo_config_default(&config);
	figures[FLOW_HELD].value = config.flow_held_max;
	figures[NODE_HELD].value = config.node_held_max;
}

/* Name, processor, kernel. */
static void describe_machine(char *text, size_t size)
{
	char line[256], processor[160] = "unknown processor";
	struct utsname name;
	FILE *file = fopen("/proc/cpuinfo", "re");

	while (file && fgets(line, sizeof(line), file)) {
		const char *value = strstr(line, ": ");

		if (!strncmp(line, "model name", strlen("model name")) && value) {
			snprintf(processor, sizeof(processor), "%.*s",
				 (int)strcspn(value + 2, "\n"), value + 2);
			break;
		}
	}
	if (file)
		fclose(file);
	uname(&name);
	snprintf(text, size, "%.64s: %s, %ld of them, %.32s %.64s %.32s", name.nodename, processor,
		 sysconf(_SC_NPROCESSORS_ONLN), name.sysname, name.release, name.machine);
}

static void write_calibration(FILE *out, bool on_lines)
{
	char machine[TEXT_MAX], date[32];
	time_t now = time(NULL);
	struct json json;
	int i;

	describe_machine(machine, sizeof(machine));
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
	json_init(&json, out);
	json.on_lines = on_lines;
	json_open(&json, NULL, '{');
	json_text(&json, "format", "colo-calibration-1");
	json_open(&json, "figures", '[');
	for (i = 0; i < FIGURES; i++) {
		const struct figure *figure = &figures[i];

		json_open(&json, NULL, '{');
		json_text(&json, "name", figure->name);
		json_number(&json, "value", figure->value);
		json_text(&json, "unit", figure->unit);
		json_text(&json, "attribute", figure->attribute);
		json_text(&json, "origin", figure->command ? "measured" : "assumed");
		if (figure->command) {
			json_text(&json, "command", figure->command);
			json_text(&json, "machine", machine);
			json_text(&json, "date", date);
		} else {
			json_text(&json, "source", figure->source);
		}
		json_close(&json);
	}
	json_close(&json);
	json_close(&json);
	fputc('\n', out);
}

static void print_table(void)
{
	int i;

	for (i = 0; i < FIGURES; i++)
		printf("%-20s %9" PRIu64 " %-8s %s\n", figures[i].name, figures[i].value,
		       figures[i].unit, figures[i].command ? "measured" : figures[i].source);
}

/* Closes it as well; errno says why not. */
static bool finish(FILE *file)
{
	bool is_well = !fflush(file) && !ferror(file) && (!fsync(fileno(file)) || errno == EINVAL);
	int error = errno;

	if (!fclose(file) && is_well)
		return true;
	if (!is_well)
		errno = error;
	return false;
}

/* Beside its place first, so that nobody ever sees half of it. */
static bool write_beside(const char *path)
{
	static char draft[PATH_MAX + 8];
	mode_t mask = umask(0);
	int descriptor, error;
	FILE *file;

	umask(mask);
	snprintf(draft, sizeof(draft), "%s.XXXXXX", path);
	descriptor = mkstemp(draft);
	if (descriptor < 0)
		return false;
	file = fdopen(descriptor, "w");
	if (file) {
		write_calibration(file, true);
		if (!fchmod(descriptor, 0666 & ~mask) && finish(file) && !rename(draft, path))
			return true;
	}
	error = errno;
	unlink(draft);
	errno = error;
	return false;
}

/* Where a name leads, through a link if it is one; false if it cannot be written. */
static bool find_place(const char *out, char place[PATH_MAX], bool *is_regular)
{
	static char folder[PATH_MAX];
	struct stat there;
	bool is_there = !lstat(out, &there);

	*is_regular = true;
	if ((!is_there && errno != ENOENT) || !*out)
		return false;
	snprintf(place, PATH_MAX, "%s", out);
	if (is_there && S_ISLNK(there.st_mode)) {
		if (!realpath(out, place) || stat(place, &there))
			return false;
	}
	if (is_there && S_ISDIR(there.st_mode)) {
		errno = EISDIR;
		return false;
	}
	*is_regular = !is_there || S_ISREG(there.st_mode);
	if (!*is_regular)
		return !access(place, W_OK);
	snprintf(folder, sizeof(folder), "%s", place);
	return !access(dirname(folder), W_OK | X_OK);
}

static bool write_to(const char *place, bool is_regular)
{
	FILE *file;

	if (is_regular)
		return write_beside(place);
	file = fopen(place, "we");
	if (!file)
		return false;
	write_calibration(file, true);
	return finish(file);
}

int calibrate(struct call *call)
{
	const char *out = call->options[OUT].text;
	static char place[PATH_MAX];
	bool is_regular = true, is_measured;

	if (out && !find_place(out, place, &is_regular)) { /* sooner than after all the work */
		complain("--out %s: %s", out, *out ? strerror(errno) : "names no file");
		return EXIT_USAGE;
	}
	calibrate_limits();
	is_measured = calibrate_compare();
	if (is_measured)
		calibrate_wakeup();
	hide_progress();
	if (!is_measured)
		return EXIT_REFUSED;
	if (out && !write_to(place, is_regular)) {
		complain("--out %s: %s", out, strerror(errno));
		return EXIT_REFUSED;
	}
	if (!out || call->json)
		write_calibration(stdout, !call->json);
	else
		print_table();
	return 0;
}
