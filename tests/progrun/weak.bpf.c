// SPDX-License-Identifier: GPL-2.0
/* Would call a function of a newer kernel, or of a module: weak, and there is no such function. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

const volatile bool there = false;

extern int sw_no_such_function(int n) __ksym __weak;

SEC("tc")
int weak(struct __sk_buff *skb)
{
	return there ? sw_no_such_function(skb->len) : 7;
}
