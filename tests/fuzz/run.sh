#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# fuzz_mirror: run.sh [SECONDS]. Without: the corpus, and ten seconds on from there. With:
# what it finds goes into the corpus, of which in the end stays what reaches some code that
# the rest does not. Exit status 77 where clang has no libFuzzer.
set -u
cd "$(dirname "$0")/../.." || exit 1
corpus=tests/fuzz/corpus fuzzer=build/tests/fuzz_mirror

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
mkdir "$work/seeds" "$work/new" "$work/merged"

if ! echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' |
    "${CLANG:-clang}" -fsanitize=fuzzer -x c - -o "$work/probe" 2>"$work/log"; then
    cat "$work/log"
    echo "SKIP clang has no libFuzzer (libclang-rt-dev)"
    exit 77
fi
make --no-print-directory $fuzzer build/tests/seeds || exit 1
build/tests/seeds "$work/seeds" || exit 1

# What fails is kept, and how to see it told.
fuzz() {
    if ! $fuzzer -max_len=528 -timeout=20 -rss_limit_mb=1024 -artifact_prefix=build/tests/ "$@" >"$work/log" 2>&1; then
        tail -n 60 "$work/log"
        echo "FAIL FUZZ_TRACE=1 $fuzzer FILE shows the packets of the file named above"
        exit 1
    fi
}

if [ $# = 0 ]; then
    fuzz -runs=0 $corpus "$work/seeds"
    echo "ok the corpus: $(sed -n 's/.* \(cov: [0-9]* ft: [0-9]*\) .*/\1/p' "$work/log" | tail -n 1)"
    fuzz -max_total_time=10 "$work/new" $corpus "$work/seeds"
    echo "ok $(sed -n 's/^Done \([0-9]* runs in [0-9]* second(s)\)$/\1/p' "$work/log")"
    exit 0
fi
fuzz -max_total_time="$1" "$work/new" $corpus "$work/seeds"
grep -E '^(Done|#.*DONE)' "$work/log"
fuzz -merge=1 -use_counters=0 "$work/merged" $corpus "$work/new" "$work/seeds"
rm -f $corpus/*
cp "$work"/merged/* $corpus/
echo "$corpus: $(find $corpus -type f | wc -l) files, $(du -sb $corpus | cut -f1) bytes"
