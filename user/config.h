/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_CONFIG_H
#define SW_CONFIG_H

#include "loader.h"
#include "policy.h"

/* The policy that a configuration asks for, of listeners on one port or address and port. */
struct config_listener {
	struct sw_listener which; /* as listener_parse() */
	struct policy_change change;
};

#define CONFIG_LISTENERS 64
#define HTTP_PORT_DEFAULT 9293 /* where RFC 9293 is drawn */

/* What the agent is to do. */
struct config {
	char devices[SW_MAX_DEVICES][IFNAMSIZ]; /* none: those that are attached */
	int n_devices;
	bool http; /* serve metrics and page */
	bool detach_on_exit;
	struct sw_listener http_at;   /* as listener_parse(); family 0: loopback */
	struct attach_options attach; /* of the first attach; attach.secret points to secret */
	struct sw_secret secret;
	bool guard_given;	    /* else policies stay as they are */
	struct policy_change guard; /* of all listeners without one of their own */
	struct config_listener listeners[CONFIG_LISTENERS];
	int n_listeners;
};

/* The defaults. */
void config_init(struct config *c);
/*
 * Defaults, and what the file says. -1 with sw_err(), which names file, line and
 * what is wrong there; *c is not to be used then.
 */
int config_read(struct config *c, const char *path);

/* A device to watch, once. -1 with sw_err(): too many, or no name of a device. */
int config_add_device(struct config *c, const char *name);
/* "off", a port (of loopback), or an address and port. -1 with sw_err(). */
int config_set_http(struct config *c, const char *name, const char *text);

#endif
