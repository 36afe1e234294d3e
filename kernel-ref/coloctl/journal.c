// SPDX-License-Identifier: GPL-2.0-only
/* What is to be undone, a file a node: one command a line, the first to be run last. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host.h"
#include "options.h"
#include "plan.h"

#define FOLDER "/run/coloctl"
#define SUFFIX ".undo"
#define NO_SUCH_RULE 1 /* what iptables -C ends with */

struct lines {
	char text[2 * PLAN_STEPS_MAX][PLAN_COMMAND_MAX];
	unsigned int count;
};

/* Nodes, devices and rules are a network namespace's, and so is what undoes them. */
static unsigned long long net_namespace(void)
{
	struct stat self;

	return stat("/proc/self/ns/net", &self) ? 0 : (unsigned long long)self.st_ino;
}

static void folder_path(char *path)
{
	host_path(path, FOLDER "/%llu", net_namespace());
}

void journal_path(uint32_t index, char *path)
{
	host_path(path, FOLDER "/%llu/%" PRIu32 SUFFIX, net_namespace(), index);
}

bool journal_lock(void)
{
	char path[HOST_PATH_MAX];
	int lock;

	host_path(path, FOLDER);
	mkdir(path, 0755); /* or it is there, or the next one tells */
	folder_path(path);
	if (mkdir(path, 0755) && errno != EEXIST) {
		complain("%s: %s", path, strerror(errno));
		return false;
	}
	host_path(path, FOLDER "/%llu/lock", net_namespace());
	lock = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	if (lock < 0 || flock(lock, LOCK_EX)) {
		complain("%s: %s", path, strerror(errno));
		return false;
	}
	return true; /* the file stays open, and with it the lock */
}

bool journal_exists(uint32_t index)
{
	char path[HOST_PATH_MAX];

	journal_path(index, path);
	return access(path, F_OK) == 0;
}

static bool append(const char *path, const char *line, const char *mode)
{
	FILE *file = fopen(path, mode);

	if (!file || fprintf(file, "%s\n", line) < 0 || fclose(file)) {
		complain("%s: %s", path, strerror(errno));
		return false;
	}
	return true;
}

bool journal_add(uint32_t index, const char *undo)
{
	char path[HOST_PATH_MAX];

	journal_path(index, path);
	return append(path, undo, "ae");
}

static bool read_lines(const char *path, struct lines *lines)
{
	FILE *file = fopen(path, "re");
	unsigned int most = sizeof(lines->text) / sizeof(lines->text[0]);

	lines->count = 0;
	if (!file)
		return errno == ENOENT;
	while (lines->count < most &&
	       fgets(lines->text[lines->count], PLAN_COMMAND_MAX, file)) {
		char *line = lines->text[lines->count];

		line[strcspn(line, "\n")] = '\0';
		if (*line && *line != '#')
			lines->count++;
	}
	fclose(file);
	return true;
}

/* Replaces the file in one step; an empty one goes. */
static bool write_lines(const char *path, const struct lines *lines)
{
	char temporary[HOST_PATH_MAX + 8];
	unsigned int i;
	FILE *file;

	if (!lines->count)
		return unlink(path) == 0 || errno == ENOENT;
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	file = fopen(temporary, "we");
	for (i = 0; file && i < lines->count; i++)
		fprintf(file, "%s\n", lines->text[i]);
	if (!file || ferror(file) || fclose(file) || rename(temporary, path)) {
		complain("%s: %s", path, strerror(errno));
		return false;
	}
	return true;
}

static bool begins(const char *line, const char *with)
{
	return !strncmp(line, with, strlen(with));
}

/* The word after @before, in @word; false if there is none. */
static bool word_after(const char *line, const char *before, char *word, size_t size)
{
	const char *at = strstr(line, before);

	if (!at)
		return false;
	at += strlen(before);
	snprintf(word, size, "%.*s", (int)strcspn(at, " ="), at);
	return true;
}

/* Is it undone already: by whoever removed the device, the rule, the node? */
static bool is_moot(const char *program, const char *line)
{
	char command[PLAN_COMMAND_MAX], name[PLAN_COMMAND_MAX];
	const char *rule = strstr(line, " -D ");

	if (*line == SHARED)
		line++;
	if (begins(line, "ip ") && word_after(line, " dev ", name, sizeof(name)))
		return !host_has_device(name);
	if (begins(line, "sysctl ") && word_after(line, " -qw ", name, sizeof(name)))
		return host_parameter(name) < 0;
	if (begins(line, "coloctl "))
		return !host_has_module("nf_conntrack_colo");
	if (rule) {
		snprintf(command, sizeof(command), "%.*s -C %s", (int)(rule - line), line,
			 rule + strlen(" -D "));
		return command_status(program, command) == NO_SUCH_RULE;
	}
	return false;
}

/* The journal of another node, or an empty string. */
static void other_journal(uint32_t index, char path[HOST_PATH_MAX])
{
	char folder[HOST_PATH_MAX], own[32];
	struct dirent *entry;
	DIR *journals;

	*path = '\0';
	snprintf(own, sizeof(own), "%" PRIu32 SUFFIX, index);
	folder_path(folder);
	journals = opendir(folder);
	if (!journals)
		return;
	while ((entry = readdir(journals))) {
		size_t length = strlen(entry->d_name);

		if (length > strlen(SUFFIX) &&
		    !strcmp(entry->d_name + length - strlen(SUFFIX), SUFFIX) &&
		    strcmp(entry->d_name, own))
			snprintf(path, HOST_PATH_MAX, "%.255s/%.200s", folder, entry->d_name);
	}
	closedir(journals);
}

/* Puts lines before those that are there, so that they are undone after them. */
static bool hand_over(const char *path, const struct lines *shared)
{
	static struct lines theirs;
	static struct lines all;
	unsigned int i;

	if (!shared->count)
		return true;
	if (!read_lines(path, &theirs))
		return false;
	all = *shared;
	for (i = 0; i < theirs.count && all.count < sizeof(all.text) / sizeof(all.text[0]); i++)
		memcpy(all.text[all.count++], theirs.text[i], PLAN_COMMAND_MAX);
	return write_lines(path, &all);
}

/* Keeps the order in which lines were, though they come backwards. */
static void put_first(struct lines *lines, const char *line)
{
	memmove(lines->text[1], lines->text[0], lines->count * sizeof(lines->text[0]));
	snprintf(lines->text[0], PLAN_COMMAND_MAX, "%s", line);
	lines->count++;
}

int journal_undo(const char *program, uint32_t index, bool dry_run)
{
	static struct lines lines, shared, failed;
	char path[HOST_PATH_MAX], other[HOST_PATH_MAX];
	unsigned int i;

	journal_path(index, path);
	if (!read_lines(path, &lines)) {
		complain("%s: %s", path, strerror(errno));
		return EXIT_REFUSED;
	}
	other_journal(index, other);
	for (i = lines.count; i-- > 0;) {
		const char *line = lines.text[i];

		if (*other && *line == SHARED) {
			put_first(&shared, line);
		} else if (!is_moot(program, line)) {
			if (dry_run)
				command_print(program, line);
			else if (!command_run(program, line))
				put_first(&failed, line);
		}
	}
	if (dry_run)
		return 0;
	if (!hand_over(other, &shared) || !write_lines(path, &failed))
		return EXIT_REFUSED;
	if (failed.count)
		complain("%s says what is left to be undone", path);
	return failed.count ? EXIT_REFUSED : 0;
}
