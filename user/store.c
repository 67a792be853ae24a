// SPDX-License-Identifier: GPL-2.0
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fail.h"
#include "meta.h"
#include "netns.h"
#include "pin.h"
#include "store.h"

static int open_map(const char *name)
{
	char path[PATH_MAX];
	int fd;

	pin_path(path, sizeof(path), name);
	fd = bpf_obj_get(path);
	if (fd < 0 && (errno == EPERM || errno == EACCES))
		return sw_err("cannot open %s: %s; run as root", path, strerror(errno));
	if (fd < 0)
		return sw_err("cannot open %s: %s; synward detach --all clears what is left", path,
			      strerror(errno));
	return fd;
}

static const void *map_table(const char *name, size_t size)
{
	int fd = open_map(name);
	void *at;

	if (fd < 0)
		return NULL;
	at = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (at != MAP_FAILED)
		return at;
	sw_err("cannot map table %s: %s", name, strerror(errno));
	return NULL;
}

static int read_devices(struct store *s)
{
	int fd = open_map("devices");
	uint32_t key, *prev = NULL;

	if (fd < 0)
		return -1;
	s->n_devices = 0;
	while (s->n_devices < SW_MAX_DEVICES && !bpf_map_get_next_key(fd, prev, &key)) {
		struct store_device *d = &s->device[s->n_devices];

		if (!bpf_map_lookup_elem(fd, &key, &d->dev)) {
			d->ifindex = key;
			s->n_devices++;
		}
		prev = &key;
	}
	close(fd);
	return 0;
}

static int read_one(const char *name, void *value)
{
	uint32_t zero = 0;
	int fd = open_map(name), ret;

	if (fd < 0)
		return -1;
	ret = bpf_map_lookup_elem(fd, &zero, value);
	close(fd);
	return ret ? sw_err("cannot read map %s: %s", name, strerror(errno)) : 0;
}

int store_reload(struct store *s)
{
	struct sw_shared shared;

	if (read_one("shared", &shared) || read_devices(s))
		return -1;
	s->evicted = shared.evicted;
	s->n_listeners = shared.listeners < SW_MAX_LISTENERS ? shared.listeners :
							       SW_MAX_LISTENERS - 1;
	return 0;
}

int store_open(struct store *s)
{
	memset(s, 0, sizeof(*s));
	s->stats_fd = s->latency_fd = s->moves_fd = -1;
	s->netns = netns_inode();
	if (!s->netns)
		return -1;
	if (geteuid() && access(PIN_ROOT, X_OK) && errno == EACCES)
		return sw_err("cannot read " PIN_ROOT ": %s; run as root", strerror(errno));
	switch (meta_read(&s->meta)) {
	case META_OK:
		break;
	case META_NONE:
		return sw_err("nothing is attached in this network namespace; try: synward attach DEV");
	default:
		return -1;
	}
	if (store_reload(s))
		return -1;
	s->listeners = map_table("listeners", SW_MAX_LISTENERS * sizeof(struct sw_listener));
	s->stats_fd = open_map("stats");
	s->latency_fd = open_map("latency");
	s->moves_fd = open_map("moves");
	if (!s->listeners || s->stats_fd < 0) {
		store_close(s);
		return -1;
	}
	return 0;
}

int store_open_flows(struct store *s)
{
	if (store_open(s))
		return -1;
	s->proven = map_table("proven", s->meta.config.proven_buckets * sizeof(struct sw_bucket));
	s->half = map_table("half", s->meta.config.half_buckets * sizeof(struct sw_bucket));
	if (!s->proven || !s->half) {
		store_close(s);
		return -1;
	}
	return 0;
}

void store_close(struct store *s)
{
	if (s->proven)
		munmap((void *)s->proven, s->meta.config.proven_buckets * sizeof(struct sw_bucket));
	if (s->half)
		munmap((void *)s->half, s->meta.config.half_buckets * sizeof(struct sw_bucket));
	if (s->listeners)
		munmap((void *)s->listeners, SW_MAX_LISTENERS * sizeof(struct sw_listener));
	if (s->stats_fd >= 0)
		close(s->stats_fd);
	if (s->latency_fd >= 0)
		close(s->latency_fd);
	if (s->moves_fd >= 0)
		close(s->moves_fd);
	memset(s, 0, sizeof(*s));
	s->stats_fd = s->latency_fd = s->moves_fd = -1;
}

const struct store_device *store_device(const struct store *s, const char *name)
{
	for (int i = 0; i < s->n_devices; i++)
		if (!strncmp(s->device[i].dev.name, name, SW_DEV_NAME_LEN))
			return &s->device[i];
	sw_err("%s is not attached; see: synward status", name);
	return NULL;
}

const char *store_device_name(const struct store *s, uint32_t ifindex, char *buf)
{
	for (int i = 0; i < s->n_devices; i++)
		if (s->device[i].ifindex == ifindex)
			return strncpy(buf, s->device[i].dev.name, IF_NAMESIZE);
	return ifindex ? if_indextoname(ifindex, buf) : NULL;
}

/* A value of a map that is kept per CPU: its n counters, added up. */
static int add_cpus(int fd, const char *name, uint32_t key, uint64_t *sum, size_t n)
{
	int cpus = libbpf_num_possible_cpus(), ret = -1;
	uint64_t *all = cpus > 0 ? calloc(cpus, n * sizeof(*all)) : NULL;

	if (!all)
		return sw_err("cannot count CPUs");
	if (!bpf_map_lookup_elem(fd, &key, all)) {
		for (size_t i = 0; i < cpus * n; i++)
			sum[i % n] += all[i];
		ret = 0;
	} else {
		sw_err("cannot read map %s: %s", name, strerror(errno));
	}
	free(all);
	return ret;
}

int stats_add(int fd, uint32_t slot, uint64_t sum[SW_R_COUNT])
{
	return add_cpus(fd, "stats", slot, sum, SW_R_COUNT);
}

int store_latency(const struct store *s, struct sw_latency *sum)
{
	memset(sum, 0, sizeof(*sum));
	if (s->latency_fd < 0)
		return 0;
	return add_cpus(s->latency_fd, "latency", 0, (uint64_t *)sum,
			sizeof(*sum) / sizeof(uint64_t));
}

int store_moves(const struct store *s, struct sw_moves *sum)
{
	memset(sum, 0, sizeof(*sum));
	if (s->moves_fd < 0)
		return 0;
	return add_cpus(s->moves_fd, "moves", 0, (uint64_t *)sum, sizeof(*sum) / sizeof(uint64_t));
}

int store_reasons(const struct store *s, uint32_t slot, uint64_t sum[SW_R_COUNT])
{
	return stats_add(s->stats_fd, slot, sum);
}
