// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>

#include "attach.h"
#include "commands.h"
#include "gone.h"
#include "out.h"
#include "pin.h"

enum { ALL = OPT_FIRST_OWN };

static const struct option options[] = {
	{ "all", no_argument, 0, ALL },
	COMMON_OPTIONS,
};

static void print(json_object *doc)
{
	json_object *devices = out_at(doc, "detached");
	size_t n = json_object_array_length(devices);

	for (size_t i = 0; i < n; i++)
		printf("%s\n", json_object_get_string(json_object_array_get_idx(devices, i)));
	if (!n)
		puts("nothing was attached");
}

static int run(int argc, char **argv)
{
	uint32_t ifindex[SW_MAX_DEVICES];
	struct sw_device dev[SW_MAX_DEVICES];
	struct dev_list list = { 0 };
	json_object *doc, *done;
	bool all = false;
	int c, n, lock, ret = 0;

	while ((c = opts_next(&cmd_detach, argc, argv, options)) >= 0)
		all = true;
	if (c == OPT_DONE)
		return opts_status();
	if (all == (optind < argc))
		return opts_bad(&cmd_detach, all ? "--all and a device" : "no device given");
	lock = pin_lock(false);
	if (lock == -1 || dev_list_get(&list))
		return EXIT_FAILED;
	gone_sweep();
	doc = json_object_new_object();
	done = json_object_new_array();
	json_object_object_add(doc, "detached", done);
	if (all) {
		n = loader_devices(ifindex, dev);
		for (int i = 0; i < n; i++)
			json_object_array_add(done, json_object_new_string(dev[i].name));
		loader_detach_all(&list);
	} else {
		ret = detach_devices(&list, argc - optind, argv + optind);
		for (int i = optind; i < argc; i++)
			json_object_array_add(done, json_object_new_string(argv[i]));
	}
	pin_unlock(lock);
	dev_list_free(&list);
	if (ret)
		return json_object_put(doc), EXIT_FAILED;
	out_doc(doc, print);
	return EXIT_DONE;
}

const struct command cmd_detach = {
	.name = "detach",
	.summary = "Stop watching and remove every trace",
	.usage = "DEV... | --all",
	.help = "      --all                every device of this network namespace, and what a killed\n"
		"                           command may have left\n\n"
		"Example:\n      synward detach --all\n\n",
	.run = run,
};
