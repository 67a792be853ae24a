#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Runs the end-to-end tests, each in a process of its own. Usage: run.py [-j N] [NAME...]
A NAME selects the tests whose full name contains it."""

import argparse
import concurrent.futures
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True
import lab	# noqa: E402

LIMIT = 180	# seconds for one test
SKIP = 77
SIGNALS = signal.SIGTERM, signal.SIGINT
running = set()
starting = threading.Lock()
stopping = False


def names(suite):
    for t in suite:
        yield from names(t) if isinstance(t, unittest.TestSuite) else ((t.id(), getattr(t, "alone", False)),)


def one(name):
    """Runs a single test in this process."""
    result = unittest.TextTestRunner(verbosity=0).run(unittest.defaultTestLoader.loadTestsFromName(name))
    if not result.wasSuccessful():
        return 1
    if result.skipped:
        print("; ".join(why for _, why in result.skipped))
        return SKIP
    return 0 if result.testsRun == 1 else 1


def spawn(name, alone):
    """(name, exit status, seconds, output) of one test."""
    begin = time.monotonic()
    with tempfile.TemporaryFile("w+") as out:
        env = dict(os.environ, SYNWARD_E2E_ALONE="1" if alone else "")
        with starting:
            if stopping:
                return name, SKIP, 0, "not begun"
            p = subprocess.Popen([sys.executable, __file__, "--one", name], stdout=out, stderr=out, env=env)
            running.add(p)
        late = ""
        try:
            p.wait(LIMIT)
        except subprocess.TimeoutExpired:
            late = f"\nended after {LIMIT} s"
            p.terminate()
            try:
                p.wait(20)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        running.discard(p)
        out.seek(0)
        return name, p.returncode, time.monotonic() - begin, out.read() + late


def tell(name, status, seconds, out):
    """Says what became of a test: "passed", "failed", "skipped"."""
    verdict = {0: "passed", SKIP: "skipped"}.get(status, "failed")
    why = f": {out.strip().splitlines()[-1]}" if verdict == "skipped" else ""
    print(f"{verdict:7} {name} ({seconds:.1f} s){why}", flush=True)
    for line in out.splitlines():
        if line.startswith("note: "):	# a figure that a test measured
            print(f"        {line[6:]}", flush=True)
    if verdict == "failed":
        print(out.rstrip(), flush=True)
    return verdict


def stop(number, _frame):
    global stopping
    for again in SIGNALS:	# a second one would wait for a child that the first one waits for
        signal.signal(again, signal.SIG_IGN)
    try:
        with starting:
            stopping = True
        for p in list(running):
            p.terminate()
        for p in list(running):
            p.wait()
        lab.reap()
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(128 + number)


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("-j", type=int, default=1, metavar="N", help="tests at the same time (1)")
    ap.add_argument("--again", type=int, default=0, metavar="N",
                    help="up to N that fail beside others are run twice more, alone, and must pass both times (0)")
    ap.add_argument("--one", help=argparse.SUPPRESS)
    ap.add_argument("name", nargs="*", help="part of the name of the tests to run (all)")
    args = ap.parse_args()
    if args.one:
        return one(args.one)
    for number in SIGNALS:
        signal.signal(number, stop)
    lab.reap()
    tests = [(n, alone) for n, alone in names(unittest.defaultTestLoader.discover(str(HERE)))
             if not args.name or any(part in n for part in args.name)]
    count = {"passed": 0, "failed": 0, "skipped": 0}
    failed = []
    # those that measure, one by one when the others are through
    for number, group in ((args.j, [n for n, alone in tests if not alone]), (1, [n for n, alone in tests if alone])):
        with concurrent.futures.ThreadPoolExecutor(max(number, 1)) as pool:
            jobs = [pool.submit(spawn, n, number <= 1) for n in group]
            for job in concurrent.futures.as_completed(jobs):
                verdict = tell(*job.result())
                count[verdict] += 1
                if verdict == "failed" and number > 1:
                    failed.append(job.result()[0])
    if len(failed) <= args.again:
        for name in failed:	# the neighbours' noise, or the test's own fault?
            print(f"again, alone: {name}", flush=True)
            if all(tell(*spawn(name, False)) == "passed" for _ in range(2)):
                count["failed"] -= 1
                count["passed"] += 1
    lab.reap()
    if not tests:
        print("no test of that name")
    print(", ".join(f"{n} {k}" for k, n in count.items()), flush=True)
    return 1 if count["failed"] or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
