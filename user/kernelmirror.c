// SPDX-License-Identifier: GPL-2.0
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fail.h"
#include "kernelmirror.h"
#include "object.h"
#include "store.h"

/* Bytes of a frame that a test run takes: 17 pages of fragments (6.1), a margin left. */
#define FRAME_MAX 60000

static void *map_table(struct bpf_map *map, uint32_t buckets)
{
	void *at = mmap(NULL, buckets * sizeof(struct sw_bucket), PROT_READ, MAP_SHARED,
			bpf_map__fd(map), 0);

	if (at != MAP_FAILED)
		return at;
	sw_err("cannot map table %s: %s", bpf_map__name(map), strerror(errno));
	return NULL;
}

int kernel_mirror_open(struct kernel_mirror *k, const struct sw_config *cfg)
{
	memset(k, 0, sizeof(*k));
	k->cfg = *cfg;
	k->skel = object_load(&(struct object_options){ .config = cfg, .replaying = true });
	if (!k->skel)
		return -1;
	k->proven = map_table(k->skel->maps.proven, cfg->proven_buckets);
	k->half = map_table(k->skel->maps.half, cfg->half_buckets);
	k->buf = malloc(sizeof(struct sw_replay) + FRAME_MAX);
	if (k->proven && k->half && k->buf)
		return 0;
	if (!k->buf)
		sw_err("no memory");
	kernel_mirror_close(k);
	return -1;
}

int kernel_mirror_packet(struct kernel_mirror *k, const void *data, size_t len, size_t wire_len,
			 uint64_t now)
{
	struct sw_replay head = { .now = now, .wire_len = wire_len };
	struct xdp_md ctx = { .data = sizeof(head) };
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = k->buf, .ctx_in = &ctx,
			    .ctx_size_in = sizeof(ctx), .repeat = 1);

	if (len < SW_ETH_HLEN) { /* refused by bpf_test_init(): what the parser would say */
		k->tiny++;
		return 0;
	}
	if (len > FRAME_MAX)
		len = FRAME_MAX;
	memcpy(k->buf, &head, sizeof(head));
	memcpy(k->buf + sizeof(head), data, len);
	opts.data_size_in = ctx.data_end = sizeof(head) + len;
	if (bpf_prog_test_run_opts(bpf_program__fd(k->skel->progs.sw_xdp), &opts))
		return sw_err("the kernel does not test-run a frame of %zu bytes: %s", len,
			      strerror(errno));
	return 0;
}

int kernel_mirror_reasons(const struct kernel_mirror *k, uint64_t reasons[SW_R_COUNT])
{
	memset(reasons, 0, SW_R_COUNT * sizeof(*reasons));
	reasons[SW_R_TRUNCATED] = k->tiny;
	return stats_add(bpf_map__fd(k->skel->maps.stats), 0, reasons);
}

void kernel_mirror_close(struct kernel_mirror *k)
{
	if (k->proven)
		munmap(k->proven, k->cfg.proven_buckets * sizeof(*k->proven));
	if (k->half)
		munmap(k->half, k->cfg.half_buckets * sizeof(*k->half));
	if (k->skel)
		synward_bpf__destroy(k->skel);
	free(k->buf);
}
