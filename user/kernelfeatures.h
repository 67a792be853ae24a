/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_KERNELFEATURES_H
#define SW_KERNELFEATURES_H

#include <stdbool.h>

/* What the running kernel has beyond the least that synward needs; probed, never guessed by version. */
struct features {
	bool assign;	/* bpf_sk_assign_tcp_reqsk (6.9): cookies of our own */
	bool conntrack; /* BPF functions of nf_conntrack (6.1, and CONFIG_NF_CONNTRACK), for this process */
	bool conntrack_denied; /* they are a module's, which takes CAP_SYS_ADMIN */
	bool modules;	/* this process may look for functions in modules */
};

/* Looked up once. */
const struct features *features_get(void);

/*
 * Before the load of an object, for any one of its programs: who may not look for
 * functions in modules does without them. libbpf 1.1 else gives up the load when a
 * weak function is not in vmlinux; later ones go on by themselves.
 */
struct bpf_program;
void features_skip_modules(struct bpf_program *prog);

#endif
