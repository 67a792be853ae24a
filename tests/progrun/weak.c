// SPDX-License-Identifier: GPL-2.0
/*
 * With the capabilities of the systemd unit, and no more, an object loads whose weak
 * functions are not in vmlinux: features_skip_modules() leans on what libbpf does
 * inside. Root; nothing is attached. Exit status 0, 1, or 77 without the means.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../user/kernelfeatures.h"
#include "weak.skel.h"

#define SKIPPED 77

static bool keep_three(void)
{
	const unsigned int caps[] = { CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON };
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	for (int i = 0; i < 3; i++) {
		data[caps[i] / 32].effective |= 1u << caps[i] % 32;
		data[caps[i] / 32].permitted |= 1u << caps[i] % 32;
	}
	return !syscall(SYS_capset, &head, data);
}

int main(void)
{
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, run, .repeat = 1);
	char frame[64] = { 0 };
	struct weak *skel;
	int err;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (geteuid() || !keep_three())
		return printf("SKIP weak: needs root\n"), SKIPPED;
	if (features_get()->modules)
		return printf("FAIL CAP_SYS_ADMIN is gone, and modules can be looked into\n"), 1;
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	skel = weak__open();
	if (!skel)
		return printf("FAIL cannot open\n"), 1;
	features_skip_modules(skel->progs.weak);
	err = weak__load(skel);
	if (err)
		return printf("FAIL a weak function that is not there: %s\n", strerror(-err)), 1;
	run.data_in = frame;
	run.data_size_in = sizeof(frame);
	err = bpf_prog_test_run_opts(bpf_program__fd(skel->progs.weak), &run);
	if (err || run.retval != 7)
		return printf("FAIL it returns %d (%d)\n", run.retval, err), 1;
	weak__destroy(skel);
	printf("ok weak functions that are not there, without CAP_SYS_ADMIN\n");
	return 0;
}
