#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The Debian or Ubuntu packages that building and testing need: names the missing
# ones, asks on a terminal, and installs them without asking where there is none.
set -eu

build="clang llvm make gcc libc6-dev pkg-config libbpf-dev libelf-dev zlib1g-dev libmnl-dev libjson-c-dev libpcap-dev"
check="libcmocka-dev python3 iproute2 nftables ethtool nginx-light wrk curl util-linux libclang-rt-dev"
have() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

missing=
if command -v dpkg-query >/dev/null; then
    for p in $build $check; do
        case $p in
        nginx-light) command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] && continue ;;
        # libFuzzer: it comes with some clangs, and not every release has the package
        libclang-rt-dev) ls /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-* >/dev/null 2>&1 && continue ;;
        esac
        have "$p" || missing="$missing $p"
    done
    # bpftool: a package of its own in Debian; in Ubuntu a wrapper that wants the kernel's tools
    if ! PATH=$PATH:/usr/sbin:/sbin bpftool version >/dev/null 2>&1; then
        if grep -qs '^ID=ubuntu' /etc/os-release; then
            missing="$missing linux-tools-common linux-tools-$(uname -r)"
        else
            missing="$missing bpftool"
        fi
    fi
else
    for tool in clang llvm-strip make gcc pkg-config bpftool nginx wrk curl nft ethtool python3; do
        command -v $tool >/dev/null || missing="$missing $tool"
    done
    [ -z "$missing" ] && exit 0
    echo "make deps: not Debian or Ubuntu; install what provides:$missing" >&2
    exit 1
fi
[ -z "$missing" ] && exit 0

echo "make deps: missing packages:$missing"
if [ -t 0 ] && [ -t 1 ] && [ -z "${CI:-}" ]; then
    printf 'Install them with apt-get? [Y/n] '
    read -r answer
    case $answer in [Nn]*) echo "make deps: not installed" >&2; exit 1 ;; esac
fi
if [ "$(id -u)" != 0 ]; then
    echo "make deps: run as root, or: apt-get install$missing" >&2
    exit 1
fi

# A package that is installed for a test must not start a server on this host.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap 'rm -f $policy' EXIT
    trap 'exit 130' INT TERM HUP
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-cache show libclang-rt-dev >/dev/null 2>&1 ||
    missing=$(echo "$missing" | sed 's/ libclang-rt-dev//') # its test is skipped
# shellcheck disable=SC2086 # a list
apt-get install -qy --no-install-recommends $missing
