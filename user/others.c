// SPDX-License-Identifier: GPL-2.0
#include <bpf/bpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "others.h"
#include "tcx.h"

const char *program_name(uint32_t id, char *buf, size_t size)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);

	snprintf(buf, size, "id %u", id);
	if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) && info.name[0])
		snprintf(buf, size, "%s (id %u)", info.name, id);
	if (fd >= 0)
		close(fd);
	return buf;
}

static bool is_ours(const char *name)
{
	return !strncmp(name, "sw_xdp ", 7) || !strncmp(name, "sw_admit ", 9) ||
	       !strncmp(name, "sw_ingress ", 11) || !strncmp(name, "sw_egress ", 10);
}

bool others_tcx(int ifindex, char *buf, size_t size)
{
	static const enum bpf_attach_type sides[] = { ATTACH_TCX_INGRESS, ATTACH_TCX_EGRESS };
	size_t len = 0;

	buf[0] = 0;
	for (int side = 0; side < 2; side++) {
		uint32_t ids[64];
		DECLARE_LIBBPF_OPTS(bpf_prog_query_opts, opts, .prog_ids = ids,
				    .prog_cnt = sizeof(ids) / sizeof(*ids));

		if (bpf_prog_query_opts(ifindex, sides[side], &opts)) /* before 6.6 */
			continue;
		for (uint32_t i = 0; i < opts.prog_cnt && len < size; i++) {
			char name[64];

			program_name(ids[i], name, sizeof(name));
			if (!is_ours(name))
				len += snprintf(buf + len, size - len, "%s%s", len ? ", " : "",
						name);
		}
	}
	return len;
}
