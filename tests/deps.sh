#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The Debian or Ubuntu packages that building and testing need: names the missing
# ones, asks on a terminal, and installs them without asking where there is none.
# With --large those that a few tests need and that are large, as far as they can be
# had: a browser for the page, and Prometheus. Without them these tests are skipped.
# With "bench" also what the benchmark compares with.
set -eu

build="clang llvm make gcc libc6-dev pkg-config libbpf-dev libelf-dev zlib1g-dev libmnl-dev libjson-c-dev libpcap-dev
       libncurses-dev libconfuse-dev libmicrohttpd-dev"
check="libcmocka-dev python3 iproute2 nftables ethtool nginx-light wrk curl tmux procps util-linux libclang-rt-dev"
[ "${1:-}" = bench ] && check="$check xdp-tools iperf3 gnuplot-nox"
have() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

missing=
if [ "${1:-}" = --large ]; then
    command -v apt-get >/dev/null || { echo "make deps: not Debian or Ubuntu: without Chromium and Prometheus some tests are skipped" >&2; exit 1; }
    command -v prometheus >/dev/null || missing="$missing prometheus"
    # in Ubuntu "chromium" is a snap
    if ! command -v chromium-headless-shell >/dev/null && ! command -v chromium >/dev/null; then
        grep -qs '^ID=debian' /etc/os-release && missing="$missing chromium-headless-shell"
    fi
elif command -v dpkg-query >/dev/null; then
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
apt="apt-get -q -o Acquire::Retries=5 -o DPkg::Lock::Timeout=300"
for left in 2 1 0; do # another apt may have its lists locked, as after boot
    $apt update && break
    [ $left = 0 ] && exit 1
    sleep 10
done
apt-cache show libclang-rt-dev >/dev/null 2>&1 ||
    missing=$(echo "$missing" | sed 's/ libclang-rt-dev//') # its test is skipped
for p in $missing; do
    case $p in chromium-headless-shell) # younger than the release
        apt-cache show $p >/dev/null 2>&1 || missing=$(echo "$missing" | sed 's/ chromium-headless-shell/ chromium/') ;;
    esac
done
# shellcheck disable=SC2086 # a list
$apt install -y --no-install-recommends $missing
