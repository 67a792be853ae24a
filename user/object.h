/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_OBJECT_H
#define SW_OBJECT_H

#include "shared.h"
#include "synward.skel.h"

/* With what constants the BPF object is loaded. */
struct object_options {
	const struct sw_config *config;
	uint32_t slot;	/* of the device, in map stats */
	bool raw;	/* the device's packets start with their IP header */
	const uint8_t *mac; /* of the device, 6 bytes; NULL: cookies are never answered here */
	enum sw_backend backend; /* of cookies */
	bool replaying; /* sw_xdp takes frames and clock of a capture */
	bool pinned;	/* on the pinned maps of the current network namespace; made when missing */
};

/*
 * Load all programs and maps; attaches nothing. To be freed with
 * synward_bpf__destroy(), pins stay. NULL with sw_err() that says whether it
 * was the privilege, the kernel or the memory.
 */
struct synward_bpf *object_load(const struct object_options *o);

/* May this process load programs? */
bool object_privileged(void);

#endif
