/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_LOADER_H
#define SW_LOADER_H

#include "backend.h"
#include "dev.h"
#include "shared.h"

/* What attach was asked for. */
struct attach_options {
	enum { HOOK_AUTO, HOOK_XDP, HOOK_TC } hook;
	enum { XDP_MODE_AUTO, XDP_MODE_NATIVE, XDP_MODE_GENERIC } xdp_mode;
	uint32_t max_flows, max_half_open, syn_timeout_s, msl_s;
	bool sizes_given; /* one of the four above was on the command line */
	bool replace;
	struct sw_policy policy; /* of all listeners, at the first attach */
	bool policy_given;
	enum backend_asked backend; /* of cookies */
	bool backend_given;
	const struct sw_secret *secret; /* that hosts share, NULL: random */
};

/* The words for hook, xdp_mode and backend, in the order of their values. */
extern const char *const attach_hook_words[], *const attach_mode_words[], *const attach_backend_words[];

/* What became of a device. */
struct attach_result {
	struct sw_device dev;
	bool replaced; /* programs were exchanged under existing links */
};

/*
 * Attach one device: load the programs with its constants, make or reuse the
 * namespace's pinned maps, make and pin the links. The caller holds the pin
 * lock. On failure everything that this call made is undone; -1 with sw_err().
 */
int loader_attach(const struct dev_list *all, const struct dev *dev,
		  const struct attach_options *opts, struct attach_result *result);

/*
 * Is it a device that can be attached: Ethernet, or *raw, packets that start with
 * their IP header (tun, wireguard, tunnels, PPP), which XDP does not take? -1 with sw_err().
 */
int loader_link_layer(const struct dev *dev, bool want_xdp, bool *raw);

/* Undo one device; ifindex need not exist any more. Best effort, never fails. */
void loader_detach(uint32_t ifindex, const struct sw_device *dev);

/* Remove all links, filters, maps and pins of the namespace, whatever is left of them. */
void loader_detach_all(const struct dev_list *all);

/* The namespace's attached devices: count, or 0 when there is no map. */
int loader_devices(uint32_t ifindex[SW_MAX_DEVICES], struct sw_device dev[SW_MAX_DEVICES]);

#endif
