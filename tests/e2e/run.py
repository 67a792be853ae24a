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
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True
import lab	# noqa: E402

LIMIT = 120	# seconds for one test
SKIP = 77
running = set()


def names(suite):
    for t in suite:
        yield from names(t) if isinstance(t, unittest.TestSuite) else (t.id(),)


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


def stop(number, _frame):
    for p in list(running):
        p.terminate()
    for p in list(running):
        p.wait()
    lab.reap()
    os._exit(128 + number)


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("-j", type=int, default=1, metavar="N", help="tests at the same time (1)")
    ap.add_argument("--one", help=argparse.SUPPRESS)
    ap.add_argument("name", nargs="*", help="part of the name of the tests to run (all)")
    args = ap.parse_args()
    if args.one:
        return one(args.one)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    lab.reap()
    tests = [n for n in names(unittest.defaultTestLoader.discover(str(HERE)))
             if not args.name or any(part in n for part in args.name)]
    count = {"passed": 0, "failed": 0, "skipped": 0}
    with concurrent.futures.ThreadPoolExecutor(max(args.j, 1)) as pool:
        jobs = [pool.submit(spawn, n, args.j <= 1) for n in tests]
        for job in concurrent.futures.as_completed(jobs):
            name, status, seconds, out = job.result()
            verdict = {0: "passed", SKIP: "skipped"}.get(status, "failed")
            count[verdict] += 1
            why = f": {out.strip().splitlines()[-1]}" if verdict == "skipped" else ""
            print(f"{verdict:7} {name} ({seconds:.1f} s){why}", flush=True)
            for line in out.splitlines():
                if line.startswith("note: "):	# a figure that a test measured
                    print(f"        {line[6:]}", flush=True)
            if verdict == "failed":
                print(out.rstrip(), flush=True)
    lab.reap()
    if not tests:
        print("no test of that name")
    print(", ".join(f"{n} {k}" for k, n in count.items()), flush=True)
    return 1 if count["failed"] or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
