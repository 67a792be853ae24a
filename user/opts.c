// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "netns.h"
#include "opts.h"
#include "out.h"
#include "version.h"

static int status;
static const char *netns;

int opts_bad(const struct command *cmd, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	sw_err("%s; see `synward %s --help`", line, cmd->name);
	return EXIT_USAGE;
}

static int done(int with)
{
	status = with;
	return OPT_DONE;
}

int opts_next(const struct command *cmd, int argc, char **argv, const struct option *table)
{
	for (;;) {
		int c;

		opterr = 0;
		c = getopt_long(argc, argv, ":", table, NULL);
		switch (c) {
		case OPT_JSON:
			out.json = true;
			break;
		case OPT_NETNS:
			netns = optarg;
			break;
		case OPT_VERSION:
			printf("synward %s\n", SW_VERSION);
			return done(EXIT_DONE);
		case OPT_HELP:
			printf("usage: synward %s %s\n\n%s.\n\n%s"
			       "      --json               the same as JSON\n"
			       "      --netns NAME|PID|PATH\n"
			       "                           in that network namespace\n"
			       "      --help, --version\n",
			       cmd->name, cmd->usage, cmd->summary, cmd->help);
			return done(EXIT_DONE);
		case ':':
			return done(opts_bad(cmd, "%s needs a value", argv[optind - 1]));
		case '?':
			return done(opts_bad(cmd, "unknown option %s", argv[optind - 1]));
		case -1:
			if (netns && netns_enter(netns))
				return done(EXIT_FAILED);
			return -1;
		default:
			return c;
		}
	}
}

int opts_status(void)
{
	return status;
}

bool opts_number(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end || errno || *value < min || *value > max) {
		sw_err("%s wants a number from %" PRIu64 " to %" PRIu64 ", not '%s'", name, min, max,
		       text);
		return false;
	}
	return true;
}

bool opts_duration(const char *name, const char *text, uint64_t *ns)
{
	const uint64_t most = 366 * 86400;
	uint64_t n, unit = 0;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	switch (*end) {
	case 's':
		unit = 1;
		break;
	case 'm':
		unit = 60;
		break;
	case 'h':
		unit = 3600;
		break;
	case 'd':
		unit = 86400;
	}
	if (!isdigit((unsigned char)text[0]) || !unit || end[1] || errno || !n || n > most / unit) {
		sw_err("%s wants a duration such as 90s, 10m, 2h or 7d, not '%s'", name, text);
		return false;
	}
	*ns = n * unit * 1000000000;
	return true;
}

int opts_word(const char *name, const char *text, const char *const *words)
{
	char list[128] = "";

	for (int i = 0; words[i]; i++) {
		if (!strcmp(text, words[i]))
			return i;
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "",
			 words[i]);
	}
	return sw_err("%s is one of %s, not '%s'", name, list, text);
}
