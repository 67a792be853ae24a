// SPDX-License-Identifier: GPL-2.0
/*
 * How many instructions the verifier looks at in each program, and how many
 * bytes the JIT makes of it, compared with the file that records them: growth of
 * more than a tenth fails, so that it is seen when it comes in. The numbers
 * are those of one compiler, kernel and machine; with others there is nothing
 * to compare. With --record the file is written anew. Root.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../../user/fail.h"
#include "../../user/object.h"

#define SKIPPED 77
#define GROWTH 10 /* percent */

struct size {
	char name[32];
	unsigned int verified, jited;
};

#define MAX_PROGRAMS 16

static struct size is[MAX_PROGRAMS];
static int n_programs;

/* Loaded as attach does it for an Ethernet device, with all that this kernel can do. */
static int load(void)
{
	const struct sw_config config = { .proven_buckets = 8, .half_buckets = 8 };
	static const uint8_t mac[6] = { 2 };
	struct synward_bpf *skel = object_load(&(struct object_options){
		.config = &config, .mac = mac, .backend = SW_BACKEND_ASSIGN });
	struct bpf_program *prog;

	if (!skel)
		return -1;
	bpf_object__for_each_program(prog, skel->obj) {
		struct bpf_prog_info info = { 0 };
		__u32 len = sizeof(info);

		if (n_programs == MAX_PROGRAMS ||
		    bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len))
			return sw_err("no information on %s: %s", bpf_program__name(prog),
				      strerror(errno));
		snprintf(is[n_programs].name, sizeof(is->name), "%s", bpf_program__name(prog));
		is[n_programs].verified = info.verified_insns;
		is[n_programs++].jited = info.jited_prog_len;
	}
	synward_bpf__destroy(skel);
	return 0;
}

/* What the numbers hold for. */
static void describe(char *to, size_t size)
{
	struct utsname u;
	int major = 0, minor = 0;

	uname(&u);
	sscanf(u.release, "%d.%d", &major, &minor);
	snprintf(to, size, "clang %s, Linux %d.%d, %s", CLANG_VERSION, major, minor, u.machine);
}

static int record(const char *path, const char *here)
{
	FILE *f = fopen(path, "w");

	if (!f)
		return sw_err("cannot write %s: %s", path, strerror(errno));
	fprintf(f,
		"# Instructions that the verifier looks at, and bytes of machine code, of each program.\n"
		"# Compared by `make test`; `make instructions` records them anew.\n"
		"%s\n",
		here);
	for (int i = 0; i < n_programs; i++)
		fprintf(f, "%s %u %u\n", is[i].name, is[i].verified, is[i].jited);
	return fclose(f) ? sw_err("cannot write %s: %s", path, strerror(errno)) : 0;
}

/* The file's entry of a program; NULL when it has none. */
static const struct size *entry_of(const struct size *was, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(was[i].name, name))
			return &was[i];
	return NULL;
}

static bool grew(unsigned int was, unsigned int now)
{
	return now > was + was / (100 / GROWTH);
}

static int compare(const char *path, const char *here)
{
	char line[128], where[128] = "";
	struct size was[MAX_PROGRAMS];
	int n = 0, failed = 0;
	FILE *f = fopen(path, "r");

	if (!f)
		return printf("FAIL %s: %s\n", path, strerror(errno)), 1;
	while (n < MAX_PROGRAMS && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		if (line[0] == '#')
			continue;
		if (!where[0])
			strcpy(where, line);
		else if (sscanf(line, "%31s %u %u", was[n].name, &was[n].verified, &was[n].jited) == 3)
			n++;
	}
	fclose(f);
	if (strcmp(where, here))
		return printf("SKIP instructions are recorded for %s; this is %s\n", where, here),
		       SKIPPED;
	for (int i = 0; i < n_programs; i++) {
		const struct size *old = entry_of(was, n, is[i].name);
		bool bad = !old || grew(old->verified, is[i].verified) || grew(old->jited, is[i].jited);

		printf("%s %s: %u instructions verified, %u bytes of machine code", bad ? "FAIL" : "ok",
		       is[i].name, is[i].verified, is[i].jited);
		if (old)
			printf(" (recorded: %u, %u)", old->verified, old->jited);
		printf("%s\n", old ? "" : " (not recorded)");
		failed += bad;
	}
	if (failed)
		printf("%d of %d programs are new, or more than %d %% larger than %s says; if that is "
		       "as it must be: make instructions, and commit the file\n",
		       failed, n_programs, GROWTH, path);
	return !!failed;
}

int main(int argc, char **argv)
{
	bool recording = argc == 3 && !strcmp(argv[1], "--record");
	char here[128];
	int ret;

	if (argc != 2 + recording) {
		fprintf(stderr, "usage: instructions [--record] FILE\n");
		return 2;
	}
	if (geteuid())
		return printf("SKIP needs root to load BPF programs\n"), SKIPPED;
	describe(here, sizeof(here));
	ret = load();
	if (!ret && !recording)
		return compare(argv[1], here);
	if (!ret)
		ret = record(argv[2], here);
	if (ret)
		printf("FAIL %s\n", sw_err_text());
	return !!ret;
}
