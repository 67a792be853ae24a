// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "commands.h"
#include "doctor.h"
#include "fail.h"
#include "meta.h"
#include "out.h"

#define MOST_DEVICES 8 /* that are looked at when none is named */

static const struct option options[] = { COMMON_OPTIONS };

static const char *const verdicts[] = { "ok", "warn", "fail" };

void doctor_say(struct doctor *d, enum verdict verdict, const char *check, const char *about,
		const char *todo, const char *fmt, ...)
{
	json_object *line = json_object_new_object();
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_object_object_add(line, "verdict", json_object_new_string(verdicts[verdict]));
	json_object_object_add(line, "check", json_object_new_string(check));
	json_object_object_add(line, "about", about ? json_object_new_string(about) : NULL);
	json_object_object_add(line, "found", json_object_new_string(text));
	json_object_object_add(line, "do", todo ? json_object_new_string(todo) : NULL);
	json_object_array_add(d->checks, line);
}

static void print(json_object *doc)
{
	json_object *lines = out_at(doc, "checks");

	for (size_t i = 0; i < json_object_array_length(lines); i++) {
		json_object *line = json_object_array_get_idx(lines, i);
		const char *verdict = out_str(line, "verdict"), *about = out_str(line, "about");
		bool good = !strcmp(verdict, "ok");

		printf("%s%-4s%s  %-14s  %s%s%s",
		       good	       ? "" :
		       *verdict == 'f' ? out_red() :
					 out_bold(),
		       verdict, out_plain(), out_str(line, "check"),
		       out_at(line, "about") ? about : "", out_at(line, "about") ? ": " : "",
		       out_str(line, "found"));
		if (out_at(line, "do"))
			printf("; %s", out_str(line, "do"));
		putchar('\n');
	}
	printf("%" PRId64 " ok, %" PRId64 " warn, %" PRId64 " fail\n", out_int(doc, "ok"),
	       out_int(doc, "warn"), out_int(doc, "fail"));
}

/* The tables and policies of this namespace, or those that a first attach would make. */
static int open_maps(struct doctor *d)
{
	int found = meta_read(&d->store.meta);

	if (found == META_OK && !store_open(&d->store)) {
		d->attached = !guard_open(&d->guard);
		if (d->attached)
			return 0;
		store_close(&d->store);
	}
	if (found != META_NONE)
		doctor_say(d, FAIL, "pins", NULL, NULL, "%s", sw_err_text());
	memset(&d->store, 0, sizeof(d->store));
	backend_pick(BACKEND_AUTO, &d->store.meta.backend);
	d->store.listeners = calloc(SW_MAX_LISTENERS, sizeof(*d->store.listeners));
	d->store.device[0].dev.hook = SW_HOOK_XDP;
	d->store.n_devices = 1;
	d->guard.guards = calloc(SW_MAX_LISTENERS, sizeof(*d->guard.guards));
	d->guard.served = calloc(SW_SERVED, sizeof(*d->guard.served));
	if (!d->store.listeners || !d->guard.guards || !d->guard.served)
		return sw_err("no memory");
	d->guard.guards[0].now =
		(struct sw_policy){ .mode = SW_MODE_AUTO, .dry_run = 1, .hold_s = SW_HOLD_DEFAULT };
	return 0;
}

static void close_maps(struct doctor *d)
{
	if (d->attached) {
		guard_close(&d->guard);
		store_close(&d->store);
	} else {
		free((void *)d->store.listeners);
		free(d->guard.guards);
		free((void *)d->guard.served);
	}
}

/* The devices that are attached; else those that are up. */
static void devices(struct doctor *d)
{
	int n = 0;

	for (int i = 0; i < d->devs.n; i++) {
		const struct dev *dev = &d->devs.dev[i];
		bool attached = false;

		for (int k = 0; d->attached && k < d->store.n_devices; k++)
			attached |= (int)d->store.device[k].ifindex == dev->ifindex;
		if (d->attached ? !attached : dev->loopback || !(dev->flags & IFF_UP))
			continue;
		if (n++ < MOST_DEVICES)
			doctor_device(d, dev);
	}
	if (!n)
		doctor_say(d, WARN, "device", NULL, "see: ip link", "no device is up");
	else if (n > MOST_DEVICES)
		doctor_say(d, OK, "device", NULL, "name one: synward doctor DEV",
			   "%d more were not looked at", n - MOST_DEVICES);
}

static json_object *report(struct doctor *d)
{
	json_object *doc = json_object_new_object();
	size_t lines = json_object_array_length(d->checks);
	int64_t n[3] = { 0 };

	json_object_object_add(doc, "checks", json_object_get(d->checks));
	for (int v = OK; v <= FAIL; v++) {
		for (size_t i = 0; i < lines; i++)
			n[v] += !strcmp(out_str(json_object_array_get_idx(d->checks, i), "verdict"),
					verdicts[v]);
		json_object_object_add(doc, verdicts[v], json_object_new_int64(n[v]));
	}
	if (n[FAIL]) {
		sw_err("%" PRId64 " of %zu checks fail", n[FAIL], lines);
		json_object_object_add(doc, "error", json_object_new_string(sw_err_text()));
	}
	return doc;
}

static int examine(struct doctor *d, const struct dev *dev)
{
	json_object *doc;
	int status;

	if (open_maps(d)) {
		close_maps(d);
		return EXIT_FAILED;
	}
	doctor_kernel(d);
	doctor_sysctls(d);
	if (dev)
		doctor_device(d, dev);
	else
		devices(d);
	doctor_selftest(d);
	doctor_ruleset(d);
	doctor_listeners(d);
	close_maps(d);
	doc = report(d);
	status = out_int(doc, "fail") ? EXIT_SAID : EXIT_DONE;
	out_doc(doc, print);
	return status;
}

static int run(int argc, char **argv)
{
	struct doctor d = { 0 };
	const struct dev *dev = NULL;
	int status = EXIT_FAILED;

	if (opts_next(&cmd_doctor, argc, argv, options) == OPT_DONE)
		return opts_status();
	if (optind + 1 < argc)
		return opts_bad(&cmd_doctor, "unexpected '%s'", argv[optind + 1]);
	if (dev_list_get(&d.devs))
		return EXIT_FAILED;
	if (optind < argc)
		dev = dev_by_name(&d.devs, argv[optind]);
	if (optind < argc && !dev) {
		sw_err("no device '%s' in this network namespace; see: ip link", argv[optind]);
	} else {
		d.checks = json_object_new_array();
		status = examine(&d, dev);
		json_object_put(d.checks);
	}
	dev_list_free(&d.devs);
	return status;
}

const struct command cmd_doctor = {
	.name = "doctor",
	.summary = "What this kernel, device, ruleset and sysctls allow",
	.usage = "[DEV] [OPTION]...",
	.help = "A line for each thing that synward needs or that gets in its way: ok, warn (something is\n"
		"not possible, or not advisable) or fail (synward cannot be used here), and what to do.\n"
		"Without DEV: the devices that are attached, else those that are up. Handshakes are tried\n"
		"through this host's ruleset, from a network namespace that ends with the command; nothing\n"
		"is left behind. Exit status 1 when something fails.\n\n"
		"Example:\n      synward doctor eth0 | grep -v ^ok\n\n",
	.run = run,
};
