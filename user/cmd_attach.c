// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "attach.h"
#include "commands.h"
#include "fail.h"
#include "listeners.h"
#include "out.h"
#include "pin.h"
#include "view.h"

enum {
	HOOK = OPT_FIRST_OWN,
	XDP_MODE,
	REPLACE,
	MAX_FLOWS,
	MAX_HALF_OPEN,
	SYN_TIMEOUT,
	MSL,
	GUARD,
	DRY_RUN,
	LIVE,
	METHOD,
	BACKEND,
	SECRET,
};

static const struct option options[] = {
	{ "hook", required_argument, 0, HOOK },
	{ "xdp-mode", required_argument, 0, XDP_MODE },
	{ "replace", no_argument, 0, REPLACE },
	{ "max-flows", required_argument, 0, MAX_FLOWS },
	{ "max-half-open", required_argument, 0, MAX_HALF_OPEN },
	{ "syn-timeout", required_argument, 0, SYN_TIMEOUT },
	{ "msl", required_argument, 0, MSL },
	{ "guard", required_argument, 0, GUARD },
	{ "dry-run", no_argument, 0, DRY_RUN },
	{ "live", no_argument, 0, LIVE },
	{ "method", required_argument, 0, METHOD },
	{ "cookie-backend", required_argument, 0, BACKEND },
	{ "secret", required_argument, 0, SECRET },
	COMMON_OPTIONS,
};

static struct attach_options opts = {
	.max_flows = SW_MAX_FLOWS_DEFAULT,
	.max_half_open = SW_MAX_HALF_OPEN_DEFAULT,
	.syn_timeout_s = SW_SYN_TIMEOUT_DEFAULT,
	.msl_s = SW_MSL_DEFAULT,
	.policy = { .mode = SW_MODE_AUTO, .dry_run = 1, .hold_s = SW_HOLD_DEFAULT },
};

static struct sw_secret secret;

/* EXIT_DONE, or the status to end with. */
static int parse(int argc, char **argv)
{
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
	int c, word, flag = 0;

	while ((c = opts_next(&cmd_attach, argc, argv, options)) >= 0) {
		switch (c) {
		case HOOK:
			word = opts_word("--hook", optarg, attach_hook_words);
			if (word < 0)
				return EXIT_USAGE;
			opts.hook = word;
			break;
		case XDP_MODE:
			word = opts_word("--xdp-mode", optarg, attach_mode_words);
			if (word < 0)
				return EXIT_USAGE;
			opts.xdp_mode = word;
			break;
		case GUARD:
			word = opts_word("--guard", optarg, guard_modes);
			if (word < 0)
				return EXIT_USAGE;
			opts.policy.mode = word;
			opts.policy_given = true;
			break;
		case DRY_RUN:
		case LIVE:
			if (flag && flag != c)
				return opts_bad(&cmd_attach, "--dry-run and --live");
			flag = c;
			opts.policy.dry_run = c == DRY_RUN;
			opts.policy_given = true;
			break;
		case METHOD:
			word = opts_word("--method", optarg, guard_methods);
			if (word < 0)
				return EXIT_USAGE;
			opts.policy.method = word;
			opts.policy_given = true;
			break;
		case BACKEND:
			word = opts_word("--cookie-backend", optarg, attach_backend_words);
			if (word < 0)
				return EXIT_USAGE;
			opts.backend = word;
			opts.backend_given = true;
			break;
		case SECRET:
			if (guard_read_secret(optarg, &secret))
				return EXIT_FAILED;
			opts.secret = &secret;
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

/* What the guard was set to, into the answer; a warning when it cannot do it. */
static int tell_guard(json_object *doc)
{
	struct listener_list list;
	struct guard g;
	struct store s;
	int ret = -1;

	if (store_open(&s))
		return -1;
	if (!guard_open(&g)) {
		ret = listeners_get(&s, &list);
		if (!ret) {
			listeners_warn(&s, &g, &list, NULL);
			listeners_free(&list);
		}
		json_object_object_add(doc, "guard", view_guard_all(&g, &s, snapshot_now()));
		json_object_object_add(doc, "cookie", json_object_new_string(backend_name(s.meta.backend)));
		guard_close(&g);
	}
	store_close(&s);
	return ret;
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
	printf("guard: %s%s, method %s\n", out_str(doc, "guard.mode"),
	       json_object_get_boolean(out_at(doc, "guard.dry_run")) ? ", dry run" : "",
	       out_str(doc, "guard.method"));
}

/* What was done; -1 with sw_err(). */
static int describe(const struct dev_list *all, int n, char **names, const struct attached *done,
		    json_object *doc)
{
	json_object *devices = json_object_new_array(), *imported = json_object_new_object();

	for (int i = 0; i < n; i++)
		json_object_array_add(devices, view_device(&done->result[i].dev,
							   dev_by_name(all, names[i])->ifindex));
	json_object_object_add(doc, "attached", devices);
	json_object_object_add(doc, "imported", imported);
	json_object_object_add(imported, "listeners", json_object_new_int64(done->listeners));
	json_object_object_add(imported, "flows", json_object_new_int64(done->flows));
	return tell_guard(doc);
}

static int run(int argc, char **argv)
{
	json_object *doc;
	struct dev_list all = { 0 };
	int status = parse(argc, argv), lock, n;
	struct attached done;

	if (status)
		return status < 0 ? EXIT_DONE : status;
	n = argc - optind;
	if (n > SW_MAX_DEVICES)
		return sw_err("at most %d devices", SW_MAX_DEVICES), EXIT_USAGE;
	if (dev_list_get(&all) || attach_check(&all, n, argv + optind) || pin_mount())
		return EXIT_FAILED;
	lock = pin_lock(true);
	if (lock < 0)
		return EXIT_FAILED;
	doc = json_object_new_object();
	status = EXIT_FAILED;
	if (attach_devices(&all, n, argv + optind, &opts, &done)) {
		json_object_put(doc);
	} else if (describe(&all, n, argv + optind, &done, doc)) {
		attach_undo(&all, n, argv + optind, &done);
		json_object_put(doc);
	} else {
		out_doc(doc, print);
		status = EXIT_DONE;
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
		"      --guard off|auto|on  keep SYN floods off: never, when one comes (default), always\n"
		"      --dry-run            the guard decides and counts, and touches nothing (default)\n"
		"      --live               for real\n"
		"      --method cookie|first-syn|drop\n"
		"                           how (default cookie); see synward guard --help\n"
		"      --cookie-backend auto|assign|helper|none\n"
		"                           assign: own cookies, by bpf_sk_assign_tcp_reqsk (6.9); helper:\n"
		"                           the kernel's, with sysctls that are asked for; none: no cookies,\n"
		"                           first-syn instead; default auto: as kernel and sysctls allow\n"
		"      --secret FILE        of cookies: 32 hexadecimal digits, so that hosts that share them\n"
		"                           take each other's; default random\n"
		"\n"
		"Devices of one network namespace share one mirror. Memory: 288 bytes per flow, fixed at\n"
		"the first attach; so are the guard's options, see synward guard for later. Example:\n"
		"      synward attach eth0 && synward states --watch\n\n",
	.run = run,
};
