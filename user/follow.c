// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "attach.h"
#include "fail.h"
#include "follow.h"
#include "kernelfeatures.h"
#include "log.h"
#include "meta.h"

static const char *const hook_names[] = { "tc", "XDP", "egress" };

static bool is_attached(const struct dev *dev, int n, const uint32_t *ifindex)
{
	for (int i = 0; i < n; i++)
		if ((int)ifindex[i] == dev->ifindex)
			return true;
	return false;
}

/* Options for now: some are of the first attach only, and hold since. */
static struct attach_options options_now(const struct config *c)
{
	struct attach_options o = c->attach;
	const struct policy_change *g = &c->guard;
	struct sw_meta meta;

	if (meta_read(&meta) != META_NONE) {
		o.secret = NULL;
		o.backend_given = o.policy_given = false;
		return o;
	}
	o.policy_given = c->guard_given;
	o.policy.mode = g->mode >= 0 ? g->mode : o.policy.mode;
	o.policy.dry_run = g->dry_run >= 0 ? g->dry_run : o.policy.dry_run;
	o.policy.method = g->method >= 0 ? g->method : o.policy.method;
	o.policy.high = g->high >= 0 ? g->high : o.policy.high;
	o.policy.low = g->low >= 0 ? g->low : o.policy.low;
	o.policy.hold_s = g->hold_s >= 0 ? g->hold_s : o.policy.hold_s;
	return o;
}

/* All of them or none; -1 with sw_err(). */
static int attach(const struct dev_list *all, const struct config *c, int n, char *const *names)
{
	struct attach_options o = options_now(c);
	struct attached done;

	if (!n)
		return 0;
	if (attach_check(all, n, names) || attach_devices(all, n, names, &o, &done))
		return -1;
	for (int i = 0; i < n; i++)
		log_line(LOG_LINE_INFO, "%s: attached, %s", names[i],
			 hook_names[done.result[i].dev.hook % 3]);
	if (features_get()->conntrack_denied)
		log_line(LOG_LINE_WARNING,
			 "nf_conntrack is a module, whose functions take CAP_SYS_ADMIN: a stateful "
			 "ruleset is not told of connections that a cookie opened; where it must be, "
			 "as root: synward attach --replace DEV");
	return 0;
}

/*
 * Those that are there and have not been tried since they came. With again, all that
 * are not attached. What is not there any more is said once.
 */
static int find_new(struct follow *f, const struct config *c, const struct dev_list *all,
		    bool again, char *names[SW_MAX_DEVICES])
{
	uint32_t ifindex[SW_MAX_DEVICES];
	struct sw_device devices[SW_MAX_DEVICES];
	int attached = loader_devices(ifindex, devices), n = 0;

	for (int i = 0; i < c->n_devices; i++) {
		const struct dev *dev = dev_by_name(all, c->devices[i]);
		int before = f->seen[i];

		f->seen[i] = dev ? dev->ifindex : 0;
		if (!dev && (before || again))
			log_line(LOG_LINE_WARNING, "%s: %s; waiting for it", c->devices[i],
				 before ? "the device is gone" : "there is no such device yet");
		else if (dev && (before != dev->ifindex || again) &&
			 !is_attached(dev, attached, ifindex))
			names[n++] = (char *)c->devices[i];
	}
	return n;
}

/* What was asked for at the first attach holds; a configuration that says else is not obeyed in
 * silence. */
static void compare_sizes(const struct config *c)
{
	const struct attach_options *o = &c->attach;
	struct sw_meta m;

	if (o->sizes_given && meta_read(&m) == META_OK &&
	    (m.max_flows != o->max_flows || m.max_half_open != o->max_half_open ||
	     m.config.syn_timeout_s != o->syn_timeout_s || m.config.two_msl_s != 2 * o->msl_s))
		log_line(LOG_LINE_WARNING,
			 "max-flows, max-half-open, syn-timeout and msl stay as they "
			 "were at the first attach; first: synward detach --all");
}

/* False: one of them could not be. */
static bool attach_new(struct follow *f, const struct config *c, bool again)
{
	char *names[SW_MAX_DEVICES];
	struct dev_list all;
	bool done = true;
	int n;

	if (dev_list_get(&all)) {
		log_line(LOG_LINE_ERROR, "%s", sw_err_text());
		return false;
	}
	n = find_new(f, c, &all, again, names);
	for (int i = 0; i < n; i++) { /* one that cannot be is no reason against the others */
		if (!attach(&all, c, 1, &names[i]))
			continue;
		log_line(LOG_LINE_ERROR, "%s: %s", names[i], sw_err_text());
		done = false;
	}
	dev_list_free(&all);
	return done;
}

/* What is attached is what is to be followed. -1 with sw_err(): nothing is. */
static int adopt(struct config *c)
{
	uint32_t ifindex[SW_MAX_DEVICES];
	struct sw_device dev[SW_MAX_DEVICES];
	struct sw_meta meta;
	int n = 0;

	switch (meta_read(&meta)) {
	case META_OK:
		n = loader_devices(ifindex, dev);
		break;
	case META_NONE:
		break;
	default:
		return -1;
	}
	for (int i = 0; i < n; i++) {
		char name[SW_DEV_NAME_LEN + 1] = "";

		memcpy(name, dev[i].name, SW_DEV_NAME_LEN);
		if (config_add_device(c, name))
			return -1;
	}
	return n ? 0 :
		   sw_err("no device to watch: name one, or devices in a file (--config); nothing "
			  "is "
			  "attached in this network namespace");
}

/* Before anything is attached, so that no change is missed. */
static int listen_to_links(struct follow *f)
{
	f->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (f->nl && !mnl_socket_bind(f->nl, RTMGRP_LINK, MNL_SOCKET_AUTOPID))
		return 0;
	sw_err("cannot be told of devices: %s; does `ip monitor link` work?", strerror(errno));
	follow_stop(f);
	return -1;
}

int follow_start(struct follow *f, struct config *c)
{
	char *names[SW_MAX_DEVICES];
	struct dev_list all = { 0 };
	int ret = -1;

	*f = (struct follow){ 0 };
	if ((!c->n_devices && adopt(c)) || listen_to_links(f))
		return -1;
	if (!dev_list_get(&all))
		ret = attach(&all, c, find_new(f, c, &all, true, names), names);
	dev_list_free(&all);
	if (ret)
		follow_stop(f);
	else
		compare_sizes(c);
	return ret;
}

void follow_stop(struct follow *f)
{
	if (f->nl)
		mnl_socket_close(f->nl);
	f->nl = NULL;
}

int follow_fd(const struct follow *f)
{
	return mnl_socket_get_fd(f->nl);
}

bool follow_read(struct follow *f, const struct config *c)
{
	struct dev_list all;
	bool changed = false;
	char buf[8192];

	/* what has changed is looked up: so much may have that some of it was lost (ENOBUFS) */
	while (mnl_socket_recvfrom(f->nl, buf, sizeof(buf)) >= 0 || errno == ENOBUFS ||
	       errno == ENOSPC)
		;
	if (dev_list_get(&all))
		return true;
	for (int i = 0; i < c->n_devices; i++) {
		const struct dev *dev = dev_by_name(&all, c->devices[i]);

		changed |= (dev ? dev->ifindex : 0) != f->seen[i];
	}
	dev_list_free(&all);
	return changed;
}

void follow_attach(struct follow *f, const struct config *c)
{
	attach_new(f, c, false);
}

static bool has_device(const struct config *c, const char *name)
{
	for (int i = 0; i < c->n_devices; i++)
		if (!strcmp(c->devices[i], name))
			return true;
	return false;
}

/* What of a configuration is attached, but for what another one has too. True: there was some. */
static bool detach_but(const struct config *c, const struct config *but)
{
	uint32_t ifindex[SW_MAX_DEVICES];
	struct sw_device dev[SW_MAX_DEVICES];
	char name[SW_MAX_DEVICES][SW_DEV_NAME_LEN + 1] = { 0 }, *names[SW_MAX_DEVICES];
	struct dev_list all = { 0 };
	int devices = loader_devices(ifindex, dev), n = 0;

	for (int i = 0; i < devices; i++) {
		memcpy(name[n], dev[i].name, SW_DEV_NAME_LEN);
		if (!has_device(c, name[n]) || (but && has_device(but, name[n])))
			continue;
		names[n] = name[n];
		n++;
	}
	if (n && (dev_list_get(&all) || detach_devices(&all, n, names)))
		log_line(LOG_LINE_ERROR, "%s", sw_err_text());
	else
		for (int i = 0; i < n; i++)
			log_line(LOG_LINE_INFO, "%s: detached", names[i]);
	dev_list_free(&all);
	return n;
}

void follow_config(struct follow *f, const struct config *old, const struct config *c)
{
	bool done;

	memset(f->seen, 0, sizeof(f->seen));
	compare_sizes(c);
	/* first what comes: with the last device that goes everything would go */
	done = attach_new(f, c, true);
	if (detach_but(old, c) && !done)
		attach_new(f, c, true); /* one may have been in the way: a bond, and its slave */
}

void follow_detach(const struct config *c)
{
	detach_but(c, NULL);
}
