// SPDX-License-Identifier: GPL-2.0
#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"
#include "meta.h"
#include "netns.h"
#include "pin.h"

static int read_entry(int fd, struct sw_meta *meta)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info), zero = 0;

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return sw_err("cannot read map meta: %s", strerror(errno));
	if (info.value_size != sizeof(*meta))
		return sw_err("the maps here were made by another version of synward; use that one, "
			      "or: synward detach --all");
	if (bpf_map_lookup_elem(fd, &zero, meta))
		return sw_err("cannot read map meta: %s", strerror(errno));
	return 0;
}

int meta_read(struct sw_meta *meta)
{
	char path[PATH_MAX];
	int fd, ret;

	pin_path(path, sizeof(path), "meta");
	fd = bpf_obj_get(path);
	if (fd < 0 && errno == ENOENT)
		return META_NONE;
	if (fd < 0)
		return sw_err("cannot open %s: %s; run as root", path, strerror(errno));
	ret = read_entry(fd, meta);
	close(fd);
	if (ret)
		return -1;
	if (meta->magic != SW_MAGIC)
		return sw_err("an attach was cut short here; try: synward detach --all");
	if (meta->abi != SW_ABI || meta->flow_size != sizeof(struct sw_flow) ||
	    meta->listener_size != sizeof(struct sw_listener))
		return sw_err("the maps here were made by synward %.*s, whose layout is another; use "
			      "that one, or: synward detach --all",
			      (int)sizeof(meta->version), meta->version);
	return meta->netns_cookie == netns_cookie() ? META_OK : META_NONE;
}
