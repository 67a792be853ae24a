// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "attach.h"
#include "fail.h"
#include "gone.h"
#include "import.h"
#include "meta.h"
#include "pin.h"

int attach_check(const struct dev_list *all, int n, char *const *names)
{
	for (int i = 0; i < n; i++) {
		const struct dev *a = dev_by_name(all, names[i]), *b;
		const char *why;

		if (!a)
			return sw_err("no device '%s' in this network namespace; see: ip link",
				      names[i]);
		for (int k = 0; k < i; k++) {
			b = dev_by_name(all, names[k]);
			if (a == b)
				return sw_err("%s is named twice", a->name);
			if (dev_overlap(all, a, b, &why))
				return sw_err(
					"%s and %s would count every packet twice: %s; attach "
					"one of them",
					a->name, b->name, why);
		}
	}
	return 0;
}

/* What is made once, with the maps, cannot be asked for later. */
static int check_first(const struct attach_options *opts)
{
	struct sw_meta meta;

	switch (meta_read(&meta)) {
	case META_NONE:
		return 0;
	case META_OK:
		break;
	default:
		return -1;
	}
	if (opts->policy_given)
		return sw_err(
			"--guard, --dry-run, --live and --method are for the first attach here; "
			"now it is: synward guard");
	if (opts->secret || opts->backend_given)
		return sw_err("--secret and --cookie-backend are for the first attach here; first: "
			      "synward detach --all");
	return 0;
}

static bool any_attached(void)
{
	uint32_t ifindex[SW_MAX_DEVICES];
	struct sw_device dev[SW_MAX_DEVICES];

	return loader_devices(ifindex, dev);
}

void attach_undo(const struct dev_list *all, int n, char *const *names, const struct attached *done)
{
	while (n-- > 0)
		if (!done->result[n].replaced)
			loader_detach(dev_by_name(all, names[n])->ifindex, &done->result[n].dev);
	if (!any_attached())
		pin_remove("");
}

int attach_devices(const struct dev_list *all, int n, char *const *names,
		   const struct attach_options *opts, struct attached *done)
{
	int flows, i = 0;

	gone_sweep();
	if (!any_attached())
		loader_detach_all(all); /* what a killed attach may have left */
	if (!check_first(opts)) {
		while (i < n &&
		       !loader_attach(all, dev_by_name(all, names[i]), opts, &done->result[i]))
			i++;
		flows = i < n ? -1 : import_sockets(&done->listeners);
		if (flows >= 0) {
			done->flows = flows;
			return 0;
		}
	}
	attach_undo(all, i, names, done);
	return -1;
}

int detach_devices(const struct dev_list *all, int n, char *const *names)
{
	uint32_t ifindex[SW_MAX_DEVICES];
	struct sw_device dev[SW_MAX_DEVICES];
	int found[SW_MAX_DEVICES], devices = loader_devices(ifindex, dev);

	if (n > SW_MAX_DEVICES)
		return sw_err("at most %d devices", SW_MAX_DEVICES);
	for (int i = 0; i < n; i++) {
		found[i] = -1;
		for (int k = 0; k < devices; k++)
			if (!strncmp(dev[k].name, names[i], SW_DEV_NAME_LEN))
				found[i] = k;
		if (found[i] < 0)
			return sw_err("%s is not attached; see: synward status", names[i]);
	}
	for (int i = 0; i < n; i++)
		loader_detach(ifindex[found[i]], &dev[found[i]]);
	if (!any_attached())
		loader_detach_all(all); /* the last one: nothing stays */
	return 0;
}
