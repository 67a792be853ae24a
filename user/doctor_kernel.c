// SPDX-License-Identifier: GPL-2.0
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "doctor.h"
#include "fail.h"
#include "backend.h"
#include "kernelfeatures.h"
#include "object.h"
#include "pin.h"
#include "procfs.h"
#include "sysctl.h"

/* Helpers that the programs call, and no kernel is too old for but one before 6.1. */
static const struct {
	enum bpf_prog_type type;
	enum bpf_func_id id;
	const char *name;
} helpers[] = {
	{ BPF_PROG_TYPE_XDP, BPF_FUNC_xdp_load_bytes, "bpf_xdp_load_bytes" },
	{ BPF_PROG_TYPE_XDP, BPF_FUNC_skc_lookup_tcp, "bpf_skc_lookup_tcp" },
	{ BPF_PROG_TYPE_XDP, BPF_FUNC_fib_lookup, "bpf_fib_lookup" },
	{ BPF_PROG_TYPE_XDP, BPF_FUNC_xdp_adjust_tail, "bpf_xdp_adjust_tail" },
	{ BPF_PROG_TYPE_XDP, BPF_FUNC_ktime_get_coarse_ns, "bpf_ktime_get_coarse_ns" },
	{ BPF_PROG_TYPE_XDP, BPF_FUNC_ringbuf_output, "bpf_ringbuf_output" },
	{ BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_sk_lookup_tcp, "bpf_sk_lookup_tcp" },
	{ BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_skc_to_tcp_sock, "bpf_skc_to_tcp_sock" },
};
#define N_HELPERS (sizeof(helpers) / sizeof(*helpers))

static void privilege(struct doctor *d)
{
	d->can_load = object_privileged();
	if (d->can_load)
		doctor_say(d, OK, "privilege", NULL, NULL, "BPF programs may be loaded");
	else
		doctor_say(d, FAIL, "privilege", NULL,
			   "run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON",
			   "not allowed to load BPF programs");
}

/* "none [integrity] confidentiality" */
static void version(struct doctor *d)
{
	FILE *f = fopen("/sys/kernel/security/lockdown", "re");
	char line[64] = "", *mode = NULL;
	struct utsname u;

	if (f && fgets(line, sizeof(line), f))
		mode = strchr(line, '[');
	if (f)
		fclose(f);
	if (mode)
		mode[strcspn(mode, "]")] = 0;
	uname(&u);
	doctor_say(d, OK, "kernel", NULL, NULL, "Linux %s%s%s%s", u.release,
		   mode && strcmp(mode + 1, "none") ? ", locked down: " : "",
		   mode && strcmp(mode + 1, "none") ? mode + 1 : "",
		   mode && strcmp(mode + 1, "none") ? ", which synward does not mind" : "");
}

static void programs(struct doctor *d)
{
	bool xdp = libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_XDP, NULL) == 1;
	bool tc = libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_SCHED_CLS, NULL) == 1;
	char missing[256] = "";

	d->can_load &= xdp && tc;
	if (xdp && tc)
		doctor_say(d, OK, "programs", NULL, NULL, "XDP and tc");
	else
		doctor_say(d, FAIL, "programs", NULL,
			   "use Linux 6.1 or later with CONFIG_BPF_SYSCALL and CONFIG_NET_CLS_BPF",
			   "this kernel has no %s programs", xdp ? "tc BPF" : "XDP");
	for (size_t i = 0; i < N_HELPERS; i++)
		if (libbpf_probe_bpf_helper(helpers[i].type, helpers[i].id, NULL) != 1)
			snprintf(missing + strlen(missing), sizeof(missing) - strlen(missing),
				 "%s%s", *missing ? ", " : "", helpers[i].name);
	if (*missing)
		doctor_say(d, FAIL, "helpers", NULL, "use Linux 6.1 or later",
			   "this kernel lacks %s", missing);
	else
		doctor_say(d, OK, "helpers", NULL, NULL, "all that are needed");
}

static void btf(struct doctor *d)
{
	struct btf *vmlinux = btf__load_vmlinux_btf();

	if (vmlinux)
		doctor_say(d, OK, "btf", NULL, NULL,
			   "the kernel describes its types and functions");
	else
		doctor_say(d, WARN, "btf", NULL, "use a kernel with CONFIG_DEBUG_INFO_BTF",
			   "no BTF: what the kernel can do beyond 6.1 is not found out");
	btf__free(vmlinux);
}

static void functions(struct doctor *d)
{
	const char *lacks = backend_lacks(SW_BACKEND_HELPER);

	if (features_get()->assign) {
		doctor_say(d, OK, "cookies", NULL, NULL, "bpf_sk_assign_tcp_reqsk is there");
	} else if (lacks) {
		doctor_say(d, WARN, "cookies", NULL,
			   "attach --cookie-backend helper with these, or Linux 6.9; else first-syn serves",
			   "this kernel lacks bpf_sk_assign_tcp_reqsk; %s", lacks);
		return;
	} else {
		doctor_say(d, OK, "cookies", NULL, NULL,
			   "this kernel lacks bpf_sk_assign_tcp_reqsk; its own cookies serve (helper)");
	}
	if (features_get()->conntrack)
		doctor_say(d, OK, "ct-functions", NULL, NULL,
			   "a stateful ruleset can be told of a cookie's connection");
	else if (features_get()->conntrack_denied)
		doctor_say(d, WARN, "ct-functions", NULL, "run as root, or with CAP_SYS_ADMIN as well",
			   "nf_conntrack is a module, whose functions take CAP_SYS_ADMIN: a stateful "
			   "ruleset would not be told of a cookie's connection");
	else
		doctor_say(d, WARN, "ct-functions", NULL,
			   "use CONFIG_NF_CONNTRACK and Linux 6.1, or load nf_conntrack first",
			   "no BPF functions of nf_conntrack: a stateful ruleset would drop a "
			   "cookie's connection");
}

static void jit(struct doctor *d)
{
	if (access("/proc/sys/net/core/bpf_jit_enable", R_OK)) /* of the first namespace only */
		return;
	if (sysctl_read("net/core/bpf_jit_enable"))
		doctor_say(d, OK, "jit", NULL, NULL, "programs are compiled");
	else
		doctor_say(d, WARN, "jit", NULL, "sysctl -w net.core.bpf_jit_enable=1",
			   "programs are interpreted, and slow");
}

static void bpffs(struct doctor *d)
{
	if (pin_is_mounted())
		doctor_say(d, OK, "bpffs", NULL, NULL, "mounted");
	else if (pin_may_mount())
		doctor_say(d, OK, "bpffs", NULL, NULL, "not mounted yet; attach does it");
	else
		doctor_say(
			d, FAIL, "bpffs", NULL,
			"use --netns instead of `ip netns exec`, or mount -t bpf bpf /sys/fs/bpf",
			"not mounted in this mount namespace, where a pin would not last");
}

static void memory(struct doctor *d)
{
	uint64_t have = proc_field("/proc/meminfo", "MemAvailable: %llu kB") << 10;
	uint64_t need = sizeof(struct sw_bucket) * ((uint64_t)sw_buckets_for(SW_MAX_FLOWS_DEFAULT) +
						    sw_buckets_for(SW_MAX_HALF_OPEN_DEFAULT));
	enum verdict v = need > have / 10 * 9 ? WARN : OK;

	if (d->attached)
		return;
	doctor_say(d, v, "memory", NULL,
		   v == OK ? NULL : "attach with a smaller --max-flows or --max-half-open",
		   "the tables take %" PRIu64 " MiB of %" PRIu64 " that are free", need >> 20,
		   have >> 20);
}

void doctor_kernel(struct doctor *d)
{
	privilege(d);
	version(d);
	if (d->can_load) {
		programs(d);
		btf(d);
		functions(d);
	}
	jit(d);
	bpffs(d);
	memory(d);
}
