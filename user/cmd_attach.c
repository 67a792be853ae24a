// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "fail.h"
#include "gone.h"
#include "import.h"
#include "loader.h"
#include "out.h"
#include "pin.h"
#include "view.h"

enum { HOOK = OPT_FIRST_OWN, XDP_MODE, REPLACE, MAX_FLOWS, MAX_HALF_OPEN, SYN_TIMEOUT, MSL, GUARD };

static const struct option options[] = {
	{ "hook", required_argument, 0, HOOK },
	{ "xdp-mode", required_argument, 0, XDP_MODE },
	{ "replace", no_argument, 0, REPLACE },
	{ "max-flows", required_argument, 0, MAX_FLOWS },
	{ "max-half-open", required_argument, 0, MAX_HALF_OPEN },
	{ "syn-timeout", required_argument, 0, SYN_TIMEOUT },
	{ "msl", required_argument, 0, MSL },
	{ "guard", required_argument, 0, GUARD },
	COMMON_OPTIONS,
};

static struct attach_options opts = {
	.max_flows = SW_MAX_FLOWS_DEFAULT,
	.max_half_open = SW_MAX_HALF_OPEN_DEFAULT,
	.syn_timeout_s = SW_SYN_TIMEOUT_DEFAULT,
	.msl_s = SW_MSL_DEFAULT,
};

/* EXIT_DONE, or the status to end with. */
static int parse(int argc, char **argv)
{
	static const char *const hooks[] = { "auto", "xdp", "tc", NULL };
	static const char *const modes[] = { "auto", "native", "generic", NULL };
	static const char *const guards[] = { "off", NULL };
	const struct {
		const char *name;
		uint32_t *value, min, max;
	} numbers[] = {
		[MAX_FLOWS - MAX_FLOWS] = { "--max-flows", &opts.max_flows, SW_MAX_FLOWS_MIN,
					    SW_MAX_FLOWS_MAX },
		[MAX_HALF_OPEN - MAX_FLOWS] = { "--max-half-open", &opts.max_half_open,
						SW_MAX_HALF_OPEN_MIN, SW_MAX_HALF_OPEN_MAX },
		[SYN_TIMEOUT - MAX_FLOWS] = { "--syn-timeout", &opts.syn_timeout_s,
					      SW_SYN_TIMEOUT_MIN, SW_SYN_TIMEOUT_MAX },
		[MSL - MAX_FLOWS] = { "--msl", &opts.msl_s, SW_MSL_MIN, SW_MSL_MAX },
	};
	uint64_t number;
	int c, word;

	while ((c = opts_next(&cmd_attach, argc, argv, options)) >= 0) {
		switch (c) {
		case HOOK:
			word = opts_word("--hook", optarg, hooks);
			if (word < 0)
				return EXIT_USAGE;
			opts.hook = word;
			break;
		case XDP_MODE:
			word = opts_word("--xdp-mode", optarg, modes);
			if (word < 0)
				return EXIT_USAGE;
			opts.xdp_mode = word;
			break;
		case GUARD:
			if (opts_word("--guard (this version observes only)", optarg, guards) < 0)
				return EXIT_USAGE;
			break;
		case REPLACE:
			opts.replace = true;
			break;
		default:
			if (!opts_number(numbers[c - MAX_FLOWS].name, optarg,
					 numbers[c - MAX_FLOWS].min, numbers[c - MAX_FLOWS].max,
					 &number))
				return EXIT_USAGE;
			*numbers[c - MAX_FLOWS].value = number;
			opts.sizes_given = true;
		}
	}
	if (c == OPT_DONE)
		return opts_status() ? opts_status() : -1;
	if (optind == argc)
		return opts_bad(&cmd_attach, "no device given");
	return EXIT_DONE;
}

/* All names are looked at before anything is done. */
static int check_devices(const struct dev_list *all, int n, char **names)
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
				return sw_err("%s and %s would count every packet twice: %s; attach "
					      "one of them",
					      a->name, b->name, why);
		}
	}
	return 0;
}

static void print(json_object *doc)
{
	json_object *devices = out_at(doc, "attached");

	for (size_t i = 0; i < json_object_array_length(devices); i++) {
		json_object *d = json_object_array_get_idx(devices, i);

		printf("%s: %s%s%s\n", out_str(d, "dev"), out_str(d, "hook"),
		       out_at(d, "xdp_mode") ? ", XDP " : "",
		       out_at(d, "xdp_mode") ? out_str(d, "xdp_mode") : "");
	}
	printf("imported %" PRId64 " listeners and %" PRId64 " connections\n",
	       out_int(doc, "imported.listeners"), out_int(doc, "imported.flows"));
}

static void undo(const struct dev_list *all, int n, char **names,
		 const struct attach_result *results)
{
	while (n-- > 0)
		if (!results[n].replaced)
			loader_detach(dev_by_name(all, names[n])->ifindex, &results[n].dev);
}

/* Attach all, then import. A failure undoes everything; -1 with sw_err(). */
static int attach(const struct dev_list *all, int n, char **names, json_object *doc)
{
	struct attach_result results[SW_MAX_DEVICES];
	json_object *devices = json_object_new_array(), *imported = json_object_new_object();
	uint32_t listeners = 0;
	int flows;

	json_object_object_add(doc, "attached", devices);
	json_object_object_add(doc, "imported", imported);
	for (int i = 0; i < n; i++) {
		const struct dev *dev = dev_by_name(all, names[i]);

		if (loader_attach(all, dev, &opts, &results[i])) {
			undo(all, i, names, results);
			return -1;
		}
		json_object_array_add(devices, view_device(&results[i].dev, dev->ifindex));
	}
	flows = import_sockets(&listeners);
	if (flows < 0) {
		undo(all, n, names, results);
		return -1;
	}
	json_object_object_add(imported, "listeners", json_object_new_int64(listeners));
	json_object_object_add(imported, "flows", json_object_new_int64(flows));
	return 0;
}

static int run(int argc, char **argv)
{
	json_object *doc;
	struct dev_list all = { 0 };
	int status = parse(argc, argv), lock, n;
	uint32_t ifindex[SW_MAX_DEVICES];
	struct sw_device left[SW_MAX_DEVICES];

	if (status)
		return status < 0 ? EXIT_DONE : status;
	n = argc - optind;
	if (n > SW_MAX_DEVICES)
		return sw_err("at most %d devices", SW_MAX_DEVICES), EXIT_USAGE;
	if (dev_list_get(&all) || check_devices(&all, n, argv + optind) || pin_mount())
		return EXIT_FAILED;
	lock = pin_lock(true);
	if (lock < 0)
		return EXIT_FAILED;
	gone_sweep();
	if (!loader_devices(ifindex, left))
		loader_detach_all(&all); /* what a killed attach may have left */
	doc = json_object_new_object();
	if (attach(&all, n, argv + optind, doc)) {
		status = EXIT_FAILED;
		if (!loader_devices(ifindex, left))
			pin_remove("");
		json_object_put(doc);
	} else {
		out_doc(doc, print);
	}
	pin_unlock(lock);
	dev_list_free(&all);
	return status;
}

const struct command cmd_attach = {
	.name = "attach",
	.summary = "Watch devices: load, pin, return",
	.usage = "DEV... [OPTION]...",
	.help = "      --hook auto|xdp|tc   where ingress is seen (default auto: XDP, on lo egress only)\n"
		"      --xdp-mode auto|native|generic\n"
		"                           default auto: native on hardware that can, generic on virtual\n"
		"                           devices\n"
		"      --replace            exchange the programs of a device attached already\n"
		"      --max-flows N        proven connections to hold (default 262144)\n"
		"      --max-half-open N    handshakes to hold (default 65536)\n"
		"      --syn-timeout SEC    a half-open handshake ends after it (default 63)\n"
		"      --msl SEC            TIME_WAIT lasts two of them (default 30)\n"
		"      --guard off          this version observes only\n"
		"\n"
		"Devices of one network namespace share one mirror. Memory: 288 bytes per flow, fixed at\n"
		"the first attach. Example:\n"
		"      synward attach eth0 && synward states --watch\n\n",
	.run = run,
};
