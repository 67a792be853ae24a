// SPDX-License-Identifier: GPL-2.0
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stddef.h>

#include "kernelfeatures.h"

static bool has_function(const struct btf *btf, const char *name)
{
	return btf && btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;
}

static bool has_conntrack(const struct btf *btf)
{
	return has_function(btf, "bpf_skb_ct_alloc") && has_function(btf, "bpf_ct_insert_entry");
}

/* A module's function is called by the id of its BTF, which takes CAP_SYS_ADMIN (bpf_obj_get_next_id). */
static bool may_use_modules(void)
{
	__u32 id = 0;

	return !bpf_btf_get_next_id(id, &id) || errno == ENOENT;
}

/* libbpf looks through the modules once for each object (load_module_btfs): then let it be now. */
void features_skip_modules(struct bpf_program *prog)
{
	if (!features_get()->modules)
		bpf_program__set_attach_target(prog, 0, "sw_no_such_function");
}

const struct features *features_get(void)
{
	static struct features f;
	static bool done;
	struct btf *vmlinux, *module = NULL;

	if (done)
		return &f;
	done = true;
	vmlinux = btf__load_vmlinux_btf();
	if (vmlinux)
		module = btf__load_module_btf("nf_conntrack", vmlinux);
	f.modules = may_use_modules();
	f.assign = has_function(vmlinux, "bpf_sk_assign_tcp_reqsk");
	f.conntrack = has_conntrack(vmlinux) || (f.modules && has_conntrack(module));
	f.conntrack_denied = !f.conntrack && has_conntrack(module);
	btf__free(module);
	btf__free(vmlinux);
	return &f;
}
