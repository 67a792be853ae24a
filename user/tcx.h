/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SW_TCX_H
#define SW_TCX_H

#include <bpf/bpf.h>

/* enum bpf_attach_type of kernel 6.6; libbpf 1.1 has no helper, but passes the number through. */
#define ATTACH_TCX_INGRESS ((enum bpf_attach_type)46)
#define ATTACH_TCX_EGRESS ((enum bpf_attach_type)47)

#endif
