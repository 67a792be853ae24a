// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <unistd.h>

#include "fail.h"
#include "pin.h"
#include "pinwait.h"

int pin_wait_init(struct pin_wait *w)
{
	*w = (struct pin_wait){ .dir = -1 };
	w->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return w->event < 0 ? sw_err("cannot make an eventfd: %s", strerror(errno)) : 0;
}

/* The lock belongs to the open directory, whichever thread has asked for it. */
static void *wait_for_lock(void *arg)
{
	const struct pin_wait *w = arg;
	uint64_t one = 1;

	while (flock(w->dir, LOCK_EX) && errno == EINTR)
		;
	while (write(w->event, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	return NULL;
}

static int begin_to_wait(struct pin_wait *w)
{
	pthread_t thread;

	w->dir = open(PIN_ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->dir < 0)
		return -3; /* who had the lock has removed it: next time */
	if (pthread_create(&thread, NULL, wait_for_lock, w)) {
		close(w->dir);
		return sw_err("cannot make a thread");
	}
	pthread_detach(thread);
	w->waits = true;
	return -3;
}

int pin_wait_lock(struct pin_wait *w, bool make)
{
	uint64_t n;
	int lock;

	if (w->waits) {
		if (read(w->event, &n, sizeof(n)) != sizeof(n))
			return -3;
		w->waits = false;
		lock = pin_adopt(w->dir, make);
		if (lock != -3)
			return lock;
	}
	lock = pin_try_lock(make);
	return lock == -3 ? begin_to_wait(w) : lock;
}

int pin_wait_for(struct pin_wait *w, bool make)
{
	int lock;

	while ((lock = pin_wait_lock(w, make)) == -3)
		poll(&(struct pollfd){ .fd = w->event, .events = POLLIN }, 1, 1000);
	return lock;
}
