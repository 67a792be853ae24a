#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Every test: host unit tests, packets through the BPF programs, end to end in
# namespaces. Names on the command line select end-to-end tests. The last line is
# "N passed, N failed, N skipped".
set -u
cd "$(dirname "$0")/.." || exit 1
make --no-print-directory all tests || { echo "0 passed, 1 failed, 0 skipped"; exit 1; }

passed=0 failed=0 skipped=0
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT TERM HUP

# Adds the counts of a run's last line; a run without one has failed.
count() {
    # shellcheck disable=SC2046 # three words
    set -- $(tail -n 1 "$log" | sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p')
    if [ $# = 3 ]; then
        passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
    else
        failed=$((failed + 1))
    fi
}

# A test binary, with its arguments: exit 0 passed, 77 skipped, else failed; its output only when something is
# wrong. Counts the tests in it, as cmocka or its own "ok" lines tell.
binary() {
    name=${1#build/} name=${name#tests/}
    "$@" >"$log" 2>&1
    status=$?
    tests=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$log")
    [ -n "$tests" ] || tests=$(grep -c '^ok ' "$log")
    case $status in
    0) passed=$((passed + tests)); echo "passed  $name ($tests)" ;;
    77) skipped=$((skipped + 1)); echo "skipped $name: $(tail -n 1 "$log")" ;;
    *) failed=$((failed + 1)); echo "failed  $name"; cat "$log" ;;
    esac
}

for t in test_parse test_table test_core test_flags test_forged test_frames test_cookie test_trend test_arrows; do
    binary "build/tests/$t"
    binary "build/tests/plain/$t"
done
for t in vectors progrun races full cookies weak; do
    binary "build/tests/$t"
done
binary build/tests/instructions tests/bench/instructions
binary tests/fuzz/run.sh
if [ "$(id -u)" = 0 ]; then
    python3 tests/e2e/run.py -j 2 --again 3 "$@" 2>&1 | tee "$log"
    count
else
    skipped=$((skipped + 1))
    echo "skipped end-to-end tests: they need root"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
