# SPDX-License-Identifier: GPL-2.0
"""Texts that were reviewed once. SYNWARD_GOLDEN=write puts the present ones in their place."""

import os
import re
from pathlib import Path

HERE = Path(__file__).resolve().parents[1] / "golden"
TIME = re.compile(r"\+ *(\d+(?:\.\d+)?) (us|ms|s)")
UNIT = {"us": 1e-6, "ms": 1e-3, "s": 1}
SLACK = 0.3	# seconds that a busy machine may be late
NOISE = 0.2	# what took less has no time in a lab's ladder


def untimed(line):
    """The line without its time, and the time in seconds, 0 without."""
    found = TIME.search(line)
    if not found:
        return line, 0
    return line.replace(found[0], " " * len(found[0])), float(found[1]) * UNIT[found[2]]


def same(test, name, text, exact=True):
    """Is it the golden text? Not exact: times are about what they were."""
    path = HERE / name
    if os.environ.get("SYNWARD_GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    want = path.read_text()
    if exact:
        test.assertEqual(text, want, name)
        return
    alike(test, text, want, name)


def alike(test, text, want, name):
    """The same but for what timers and a busy machine add."""
    now, then = ([untimed(line) for line in t.splitlines()] for t in (text, want))
    test.assertEqual("\n".join(line for line, _ in now), "\n".join(line for line, _ in then), name)
    for (line, a), (_, b) in zip(now, then):
        test.assertLess(abs(a - b), SLACK + NOISE + 0.1 * b, f"{name}: {line}: {a} s, not {b} s")


def again(test, check, tries=3):
    """A stack that was kept waiting repeats segments of its own accord: then once more."""
    for left in range(tries, 0, -1):
        try:
            return check()
        except test.failureException:
            if left == 1:
                raise


def notes(table):
    """The English sentences of user/explain_notes.h."""
    string = r'"(?:[^"\\]|\\.)*"'
    text = table.replace("\\\n", "\n")
    found = re.findall(rf"X\([A-Z_0-9]+,\s*{string}\s*,\s*((?:{string}\s*)+),", text)
    return ["".join(x[1:-1] for x in re.findall(string, f)) for f in found]
