// SPDX-License-Identifier: GPL-2.0
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "kernelfeatures.h"
#include "object.h"
#include "pin.h"
#include "procfs.h"

static const char *const pinned_maps[] = { "proven",  "half",   "stripes", "listeners", "ports",
					   "shared", "devices", "stats",   "meta",
					   "guards", "control", "secret", "lists",
					   "served", "sources", "replies", "firsts", "known",
					   "episodes", "latency", "moves", "readers", "events" };
#define N_MAPS (sizeof(pinned_maps) / sizeof(*pinned_maps))

/* What libbpf said last, for the one line that a user reads. */
static char libbpf_said[256];

static int on_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char line[sizeof(libbpf_said)];

	va_list again;

	va_copy(again, ap);
	vsnprintf(line, sizeof(line), fmt, again);
	va_end(again);
	if (getenv("SYNWARD_DEBUG"))
		vfprintf(stderr, fmt, ap);
	if (level != LIBBPF_WARN)
		return 0;
	if (strncmp(line, "libbpf: prog", 12) && strncmp(line, "libbpf: map", 11))
		return 0;
	line[strcspn(line, "\n")] = 0;
	snprintf(libbpf_said, sizeof(libbpf_said), "%s", line + 8);
	return 0;
}

__attribute__((constructor)) static void quiet_libbpf(void)
{
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	libbpf_set_print(on_libbpf);
}

static int lacks(enum bpf_prog_type type)
{
	return libbpf_probe_bpf_prog_type(type, NULL) == 0;
}

/* CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, or CAP_SYS_ADMIN, are in effect. */
bool object_privileged(void)
{
	const unsigned long long needed = 1ull << 39 | 1ull << 12 | 1ull << 38, admin = 1ull << 21;
	unsigned long long caps = proc_field("/proc/self/status", "CapEff: %llx");

	return caps & admin || (caps & needed) == needed;
}

static int load_failed(int err)
{
	/* the verifier too says EACCES and E2BIG: the reason is told apart by what failed */
	bool program = !strncmp(libbpf_said, "prog ", 5);

	if ((err == -EPERM || err == -EACCES) && !object_privileged())
		return sw_err("not allowed to load BPF programs; run as root, or with CAP_BPF, "
			      "CAP_NET_ADMIN and CAP_PERFMON");
	if (lacks(BPF_PROG_TYPE_XDP) || lacks(BPF_PROG_TYPE_SCHED_CLS))
		return sw_err("this kernel has no XDP or tc BPF programs; Linux 6.1 or later with "
			      "CONFIG_BPF_SYSCALL and CONFIG_NET_CLS_BPF is needed");
	if ((err == -ENOMEM || err == -E2BIG) && !program)
		return sw_err("no memory for the tables; use a smaller --max-flows or "
			      "--max-half-open");
	return sw_err("the kernel refused the BPF object: %s (%s); SYNWARD_DEBUG=1 shows why",
		      strerror(-err), libbpf_said[0] ? libbpf_said : "no detail");
}

static int pin_maps(struct synward_bpf *skel)
{
	struct bpf_map *map;
	char path[PATH_MAX];

	for (size_t i = 0; i < N_MAPS; i++) {
		map = bpf_object__find_map_by_name(skel->obj, pinned_maps[i]);
		pin_path(path, sizeof(path), pinned_maps[i]);
		if (!map || bpf_map__set_pin_path(map, path))
			return sw_err("cannot name the pin of map %s", pinned_maps[i]);
	}
	return 0;
}

struct synward_bpf *object_load(const struct object_options *o)
{
	struct synward_bpf *skel = synward_bpf__open();
	int err;

	if (!skel) {
		sw_err("cannot open the BPF object: %s", strerror(errno));
		return NULL;
	}
	memcpy((void *)&skel->rodata->sw_settings, o->config, sizeof(*o->config));
	skel->rodata->sw_device_slot = o->slot;
	skel->rodata->sw_device_raw = o->raw;
	skel->rodata->sw_replaying = o->replaying;
	skel->rodata->sw_backend = o->backend;
	skel->rodata->sw_can_conntrack = features_get()->conntrack;
	if (o->mac)
		memcpy((void *)skel->rodata->sw_device_mac, o->mac, 6);
	bpf_map__set_max_entries(skel->maps.proven, o->config->proven_buckets);
	bpf_map__set_max_entries(skel->maps.half, o->config->half_buckets);
	err = o->pinned && pin_maps(skel);
	if (!err) {
		features_skip_modules(skel->progs.sw_import);
		libbpf_said[0] = 0;
		err = synward_bpf__load(skel);
		if (err)
			load_failed(err);
	}
	if (!err)
		return skel;
	synward_bpf__destroy(skel);
	return NULL;
}
