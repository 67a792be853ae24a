/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_OPTS_H
#define SW_OPTS_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

/* Exit statuses: done, it failed, wrong usage; done, and what was checked does not hold. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NO = 3 };
/* Of a command: it failed, and its JSON document has said why. */
#define EXIT_SAID (-1)

/* A command of synward. run() gets its own name as argv[0]. */
struct command {
	const char *name;
	const char *summary;  /* one line of `synward --help` */
	const char *usage;    /* what follows the name */
	const char *help;     /* options and examples */
	int (*run)(int argc, char **argv);
};

/* Options that every command has, for its struct option table and its switch. */
enum { OPT_JSON = 256, OPT_NETNS, OPT_HELP, OPT_VERSION, OPT_FIRST_OWN };
#define COMMON_OPTIONS                                                                             \
	{ "json", no_argument, 0, OPT_JSON }, { "netns", required_argument, 0, OPT_NETNS },       \
		{ "help", no_argument, 0, OPT_HELP }, { "version", no_argument, 0, OPT_VERSION }, \
		{ 0 }

/*
 * Next option of the command, as getopt_long(); common options are dealt with
 * here: --json, and --netns (which enters the namespace when options end).
 * -1 at the end; OPT_DONE when the command has nothing left to do (help, an
 * error): it returns opts_status() then.
 */
#define OPT_DONE (-2)
int opts_next(const struct command *cmd, int argc, char **argv, const struct option *table);
int opts_status(void);

/* A usage error: sets the line and returns EXIT_USAGE. */
int opts_bad(const struct command *cmd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Whole decimal number within [min, max]; false with sw_err() set, naming the option. */
bool opts_number(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *value);

/* "90s", "10m", "2h", "7d" in ns, from a second to 366 days; false with sw_err() set. */
bool opts_duration(const char *name, const char *text, uint64_t *ns);

/* Index of text in a NULL-terminated list of words; -1 with sw_err() set. */
int opts_word(const char *name, const char *text, const char *const *words);

#endif
