# SPDX-License-Identifier: GPL-2.0
"""The ladders in the pages are what the tool draws now. SYNWARD_GOLDEN=write puts them there."""

import os
import re
import subprocess
import unittest

import golden
from lab import ROOT, SYNWARD
from test_scenarios import ENDS, KERNEL, UTF8, all_of, untuned

PAGES = [ROOT / "user/docs/tcp-states.md", ROOT / "README.zh.md"]
BLOCK = re.compile(r"<!-- synward (lab [a-z -]+) -->\n(?:```\n(.*?)```\n)?", re.S)


def ladder(command):
    """What the command prints, without its title."""
    done = subprocess.run([SYNWARD, *command.split()], capture_output=True, text=True, timeout=60, env=UTF8,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return untuned(done.stdout.split("\n\n", 1)[1])


class Docs(unittest.TestCase):
    def test_current(self):
        if os.geteuid() or not os.path.exists("/dev/net/tun"):
            self.skipTest("needs root and /dev/net/tun")
        self.maxDiff = 3000
        now = all_of(ladder, [command for page in PAGES for command, _ in BLOCK.findall(page.read_text())])
        for page in PAGES:
            text = page.read_text()
            if os.environ.get("SYNWARD_GOLDEN") == "write":
                text = BLOCK.sub(lambda m: f"<!-- synward {m[1]} -->\n```\n{now[m[1]]}```\n", text)
                page.write_text(text)
            found = BLOCK.findall(text)
            self.assertEqual({c.split()[1] for c, _ in found}, set(ENDS), page.name)
            for command, drawn in found:
                with self.subTest(page=page.name, command=command):
                    if "simultaneous-open" in command and KERNEL < (6, 12):
                        continue
                    golden.again(self, lambda c=command, d=drawn: golden.alike(self, now.pop(c, None) or ladder(c), d, c))

    def test_commands(self):
        """Every command that a page names is one."""
        known = subprocess.run([SYNWARD, "--help"], capture_output=True, text=True, check=True).stdout
        for page in PAGES:
            named = re.findall(r"(?m)(?:^    |`|&& )synward ([a-z]+)", page.read_text())
            self.assertGreater(len(named), 3)
            for name in named:
                self.assertIn(f"\n  {name} ", known)
