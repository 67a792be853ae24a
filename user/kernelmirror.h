/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_KERNELMIRROR_H
#define SW_KERNELMIRROR_H

#include "shared.h"

/*
 * The mirror in the kernel, fed by hand: the BPF object with tables of its
 * own, nothing attached, nothing pinned; frames go through sw_xdp by
 * BPF_PROG_TEST_RUN. Root.
 */
struct kernel_mirror {
	struct sw_config cfg;
	struct sw_bucket *proven, *half; /* the kernel's own memory */
	struct synward_bpf *skel;
	uint8_t *buf;
	uint64_t tiny; /* frames that a test run does not take */
};

/* cfg: as for the host's mirror. -1 with sw_err(). */
int kernel_mirror_open(struct kernel_mirror *k, const struct sw_config *cfg);

/* One frame of a capture, as host_packet(). -1 with sw_err(). */
int kernel_mirror_packet(struct kernel_mirror *k, const void *data, size_t len, size_t wire_len,
			 uint64_t now);

/* Packets by reason, of all so far. -1 with sw_err(). */
int kernel_mirror_reasons(const struct kernel_mirror *k, uint64_t reasons[SW_R_COUNT]);

void kernel_mirror_close(struct kernel_mirror *k);

#endif
