/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_AGENT_H
#define SW_AGENT_H

#include <stdbool.h>

/* What the command line says; it goes before the configuration file, also when that is read again. */
struct agent_options {
	char *const *devices;
	int n_devices;
	const char *config; /* NULL: none */
	const char *http;   /* NULL: as the configuration says */
	bool detach_on_exit;
};

/*
 * The agent, in the foreground: attaches what is to be watched and is not,
 * follows devices that come and go and sockets that begin to listen, writes what
 * the guard does into the log, serves metrics and page. The guard needs it not:
 * killed and started again, nothing was lost. Ends by SIGTERM or SIGINT: 0. -1
 * with sw_err(): it could not start, and has left nothing.
 */
int agent_run(const struct agent_options *o);

#endif
