/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_KFUNC_BPF_H
#define SW_KFUNC_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

/*
 * Kernel functions that newer kernels have. All weak: the loader looks for them
 * in the kernel's BTF and says so in constants of the object, and the verifier
 * takes out the calls that are not reached. The types carry a suffix, which
 * libbpf ignores, so that a full vmlinux.h may define them too; what is only
 * pointed to must be a struct all the same (bpf_core_types_are_compat).
 */
struct sock___sw {
	__u32 sk_ack_backlog; /* of a listener: connections that nobody has accepted yet */
	__u32 sk_max_ack_backlog;
} __attribute__((preserve_access_index));

struct nf_conn___sw {
	unsigned long status; /* enum ip_conntrack_status */
} __attribute__((preserve_access_index));

struct nf_conn___init___sw {
	int unused;
};

/* net/core/filter.c, 6.9 */
struct bpf_tcp_req_attrs___sw {
	__u32 rcv_tsval;
	__u32 rcv_tsecr;
	__u16 mss;
	__u8 rcv_wscale;
	__u8 snd_wscale;
	__u8 ecn_ok;
	__u8 wscale_ok;
	__u8 sack_ok;
	__u8 tstamp_ok;
	__u8 usec_ts_ok;
	__u8 reserved[3];
};

extern int bpf_sk_assign_tcp_reqsk(struct __sk_buff *skb, struct sock___sw *sk,
				   struct bpf_tcp_req_attrs___sw *attrs,
				   int attrs__sz) __ksym __weak;

/* net/netfilter/nf_conntrack_bpf.c, 6.1 */
struct bpf_ct_opts___sw {
	__s32 netns_id;
	__s32 error;
	__u8 l4proto;
	__u8 dir;
	__u8 reserved[2]; /* of 12 bytes, which kernels take that know more as well */
};

extern struct nf_conn___sw *bpf_skb_ct_lookup(struct __sk_buff *skb, struct bpf_sock_tuple *tuple,
					 __u32 tuple__sz, struct bpf_ct_opts___sw *opts,
					 __u32 opts__sz) __ksym __weak;
extern struct nf_conn___init___sw *bpf_skb_ct_alloc(struct __sk_buff *skb,
					       struct bpf_sock_tuple *tuple, __u32 tuple__sz,
					       struct bpf_ct_opts___sw *opts,
					       __u32 opts__sz) __ksym __weak;
extern struct nf_conn___sw *bpf_ct_insert_entry(struct nf_conn___init___sw *ct) __ksym __weak;
extern void bpf_ct_set_timeout(struct nf_conn___init___sw *ct, __u32 timeout_ms) __ksym __weak;
extern int bpf_ct_set_status(const struct nf_conn___init___sw *ct, __u32 status) __ksym __weak;
extern void bpf_ct_release(struct nf_conn___sw *ct) __ksym __weak;

#endif
