// SPDX-License-Identifier: GPL-2.0
#include "agent.h"
#include "commands.h"

enum { CONFIG = OPT_FIRST_OWN, HTTP, DETACH };

static const struct option options[] = {
	{ "config", required_argument, 0, CONFIG },
	{ "http", required_argument, 0, HTTP },
	{ "detach-on-exit", no_argument, 0, DETACH },
	COMMON_OPTIONS,
};

static int run(int argc, char **argv)
{
	struct agent_options o = { 0 };
	int c;

	while ((c = opts_next(&cmd_run, argc, argv, options)) >= 0) {
		switch (c) {
		case CONFIG:
			o.config = optarg;
			break;
		case HTTP:
			o.http = optarg;
			break;
		case DETACH:
			o.detach_on_exit = true;
		}
	}
	if (c == OPT_DONE)
		return opts_status();
	o.devices = argv + optind;
	o.n_devices = argc - optind;
	return agent_run(&o) ? EXIT_FAILED : EXIT_DONE;
}

const struct command cmd_run = {
	.name = "run",
	.summary = "Agent in the foreground: log, metrics for Prometheus, a page",
	.usage = "[DEV...] [OPTION]...",
	.help = "Attaches DEV where it is not attached yet, again when it comes back, and stays. "
		"Without DEV:\n"
		"the devices of the configuration, or those that are attached.\n\n"
		"      --config FILE        what else to do; SIGHUP reads it again "
		"(synward.conf(5))\n"
		"      --http [ADDR:]PORT|off\n"
		"                           page at /, metrics at /metrics (default "
		"127.0.0.1:9293); read only\n"
		"      --detach-on-exit     else everything stays attached, and guarded, without "
		"the agent\n\n"
		"The log goes to the journal or stderr; with --json as objects to stdout. "
		"Example:\n"
		"      synward run eth0 & curl http://127.0.0.1:9293/metrics\n\n",
	.run = run,
};
