#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Write a slim vmlinux.h: the types named here, and what they need.

usage: slim-vmlinux.py < full-vmlinux.h > vmlinux.h
(full: bpftool btf dump file /sys/kernel/btf/vmlinux format c)
"""
import platform
import re
import sys

ROOTS = """
ethhdr iphdr ipv6hdr tcphdr xdp_md __sk_buff bpf_sock bpf_sock_tuple bpf_fib_lookup bpf_spin_lock
bpf_map_type bpf_prog_type xdp_action __u8 __u16 __u32 __u64 __s8 __s16 __s32 __s64
__be16 __be32 __be64 __le16 __le32 __sum16 __wsum u8 u16 u32 u64 s32 bool
""".split()
# Anonymous enums that hold these constants.
CONSTANTS = "BPF_ANY BPF_F_MMAPABLE BPF_F_CURRENT_NETNS BPF_F_INDEX_MASK BPF_RB_NO_WAKEUP BPF_FIB_LOOKUP_DIRECT BPF_FIB_LKUP_RET_NOT_FWDED false".split()


def definitions(text):
    """Top-level definitions as (name, body) in file order."""
    for block in re.split(r"\n\n+", text):
        block = block.strip()
        if not block or block.startswith("#"):
            continue
        if block.startswith("typedef"):
            # several one-line typedefs may stand together
            if "{" not in block:
                for line in block.splitlines():
                    m = re.search(r"\(\*(\w+)\)|(\w+)(?:\[[^]]*\])?;$", line)
                    if m:
                        yield m.group(1) or m.group(2), line
                continue
            yield re.search(r"(\w+);$", block).group(1), block
        elif block.startswith(("struct", "union", "enum")):
            m = re.match(r"(struct|union|enum) (\w+) \{", block)
            yield (m.group(2) if m else None), block


def main():
    text = sys.stdin.read()
    defs = list(definitions(text))
    by_name = {}
    for i, (name, _) in enumerate(defs):
        if name:
            by_name.setdefault(name, i)
    wanted = set()

    def want(i):
        if i in wanted:
            return
        wanted.add(i)
        for line in defs[i][1].splitlines():
            # a member's or typedef's type: all words but the name that it declares
            m = re.match(r"\s*(?:typedef )?([\w ]+?)\s*(\**)\w+(?:\[[^]]*\]|:\s*\d+)*;", line)
            if not m or m.group(2):  # a pointer needs no more than struct NAME
                continue
            for word in m.group(1).split():
                if word in by_name:
                    want(by_name[word])

    for root in ROOTS:
        if root in by_name:
            want(by_name[root])
        else:
            sys.exit("slim-vmlinux: this kernel's BTF has no %s" % root)
    for i, (name, body) in enumerate(defs):
        if name is None and any(re.search(r"\b%s\b" % c, body) for c in CONSTANTS):
            want(i)

    print("/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */")
    print("/*\n * Kernel types that synward's BPF programs use: packet headers, contexts, map types.")
    print(" * From the BTF of Linux %s by `make vmlinux`" % re.match(r"[\d.]+", platform.release()).group())
    print(" * (bpftool btf dump file /sys/kernel/btf/vmlinux format c | bpf/slim-vmlinux.py).")
    print(" * All are user-space ABI, so none carries preserve_access_index.")
    print(" * Another file: make VMLINUX_H=/path/to/vmlinux.h\n */")
    print("#ifndef __VMLINUX_H__\n#define __VMLINUX_H__\n")
    for i in sorted(wanted):
        print("\n" + defs[i][1])
    print("\n#endif /* __VMLINUX_H__ */")


main()
