// SPDX-License-Identifier: GPL-2.0
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "events.h"
#include "fail.h"
#include "pin.h"
#include "snapshot.h"

struct events {
	uint32_t place;
	int lock_fd, outer_fd;
	struct sw_readers *all;
	struct ring_buffer *ring;
	uint64_t lost; /* told of already */
	events_fn fn;
	void *arg;
};

static void place_path(char *buf, size_t size, uint32_t place)
{
	char name[32];

	snprintf(name, sizeof(name), "reader_%u", place);
	pin_path(buf, size, name);
}

int events_make_places(void)
{
	for (uint32_t place = 0; place < SW_READERS; place++) {
		char path[PATH_MAX];

		place_path(path, sizeof(path), place);
		if (mkdir(path, 0700) && errno != EEXIST)
			return sw_err("cannot make %s: %s", path, strerror(errno));
	}
	return 0;
}

static int open_failed(const char *path)
{
	return errno == ENOENT ? sw_err("what is attached here knows no events; try: "
					"synward attach DEV --replace") :
				 sw_err("cannot open %s: %s", path, strerror(errno));
}

/* Own a place. Its lock's file descriptor, or -1 with sw_err(). */
static int take_place(uint32_t *place)
{
	for (*place = 0; *place < SW_READERS; ++*place) {
		char path[PATH_MAX];
		int fd;

		place_path(path, sizeof(path), *place);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return open_failed(path);
		if (!flock(fd, LOCK_EX | LOCK_NB))
			return fd;
		close(fd);
	}
	return sw_err("%u readers of events are running here, no more is possible", SW_READERS);
}

static int open_pin(const char *name)
{
	char path[PATH_MAX];
	int fd;

	pin_path(path, sizeof(path), name);
	fd = bpf_obj_get(path);
	return fd < 0 ? open_failed(path) : fd;
}

static struct sw_readers *map_readers(void)
{
	int fd = open_pin("readers");
	void *at;

	if (fd < 0)
		return NULL;
	at = mmap(NULL, sizeof(struct sw_readers), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (at != MAP_FAILED)
		return at;
	sw_err("cannot map readers: %s", strerror(errno));
	return NULL;
}

static int on_record(void *arg, void *data, size_t size)
{
	struct events *e = arg;

	if (size >= sizeof(struct sw_record))
		e->fn(data, e->arg);
	return 0;
}

/* A fresh ring in the place; that of a reader that was killed goes with it. */
static int make_ring(struct events *e)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "sw_events", 0, 0, SW_READER_RING, NULL);

	if (fd < 0)
		return sw_err("cannot make a ring buffer: %s", strerror(errno));
	e->ring = ring_buffer__new(fd, on_record, e, NULL);
	if (!e->ring || bpf_map_update_elem(e->outer_fd, &e->place, &fd, BPF_ANY)) {
		sw_err("cannot use a ring buffer: %s", strerror(errno));
		close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

static uint32_t now_s(void)
{
	return snapshot_now() / SW_NS_PER_SEC;
}

static void begin(struct events *e, const struct sw_filter *filter, uint32_t rate)
{
	struct sw_reader *r = &e->all->reader[e->place];

	e->all->lost += r->lost;
	*r = (struct sw_reader){ .filter = *filter, .rate = rate, .alive_s = now_s() };
	__atomic_or_fetch(&e->all->mask, 1u << e->place, __ATOMIC_SEQ_CST);
}

struct events *events_open(const struct sw_filter *filter, uint32_t rate)
{
	struct events *e = calloc(1, sizeof(*e));

	if (!e) {
		sw_err("no memory");
		return NULL;
	}
	e->lock_fd = e->outer_fd = -1;
	e->all = map_readers();
	if (e->all)
		e->outer_fd = open_pin("events");
	if (e->outer_fd >= 0)
		e->lock_fd = take_place(&e->place);
	if (e->lock_fd >= 0) {
		/* of a reader that was killed: not told of while the ring changes */
		__atomic_and_fetch(&e->all->mask, ~(1u << e->place), __ATOMIC_SEQ_CST);
		if (!make_ring(e)) {
			begin(e, filter, rate);
			return e;
		}
	}
	events_close(e);
	return NULL;
}

void events_close(struct events *e)
{
	if (e->lock_fd >= 0) {
		__atomic_and_fetch(&e->all->mask, ~(1u << e->place), __ATOMIC_SEQ_CST);
		bpf_map_delete_elem(e->outer_fd, &e->place);
		close(e->lock_fd); /* last: now the place is another's */
	}
	ring_buffer__free(e->ring);
	if (e->all)
		munmap(e->all, sizeof(*e->all));
	if (e->outer_fd >= 0)
		close(e->outer_fd);
	free(e);
}

void events_read(struct events *e, events_fn fn, void *arg, uint64_t *lost, bool *more)
{
	struct sw_reader *r = &e->all->reader[e->place];
	uint32_t bit = 1u << e->place;
	uint64_t all;

	__atomic_store_n(&r->alive_s, now_s(), __ATOMIC_SEQ_CST);
	*more = !(__atomic_fetch_or(&e->all->mask, bit, __ATOMIC_SEQ_CST) & bit);
	all = __atomic_load_n(&r->lost, __ATOMIC_SEQ_CST);
	e->fn = fn;
	e->arg = arg;
	ring_buffer__consume(e->ring);
	*lost = all - e->lost;
	e->lost = all;
}

int events_status(int *n, uint64_t *lost)
{
	struct sw_readers *all = map_readers();

	if (!all)
		return -1;
	*n = __builtin_popcount(all->mask);
	*lost = all->lost;
	for (uint32_t i = 0; i < SW_READERS; i++)
		*lost += all->reader[i].lost;
	munmap(all, sizeof(*all));
	return 0;
}
