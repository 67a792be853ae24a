# SPDX-License-Identifier: GPL-2.0
"""What a flood leaves of nginx: with the guard, with an oracle that knows the flood, with the kernel's own syncookies.
Native XDP for all of them. One CPU is the flood's, with all that its segments cost there; everything else has the others."""

import contextlib
import json
import os
import signal
import subprocess

from lab import ROOT, S4

STORM, PROGRAMS = ROOT / "build/tests/storm", ROOT / "build/tests/storm.bpf.o"
GUARD, ORACLE, KERNEL = "guard", "oracle", "kernel"
KINDS = (ORACLE, GUARD, KERNEL)
MAX = 100_000_000	# SYNs a second that no source makes: as many as it can


@contextlib.contextmanager
def beside():
    """This process and what it starts leave a CPU to the flood: yields which."""
    cpus = os.sched_getaffinity(0)
    if len(cpus) > 1:
        os.sched_setaffinity(0, cpus - {max(cpus)})
    try:
        yield max(cpus)
    finally:
        os.sched_setaffinity(0, cpus)


class Storm:
    """tests/flood/storm.c from the client, on a CPU of its own: its rate holds whatever is measured."""

    def __init__(self, lab, cpu, rate):
        self.lab = lab
        self.p = lab.c.popen(STORM, "c0", lab.c.peer_mac("c0").hex(":"), S4, 80, rate, stdout=subprocess.PIPE)
        os.sched_setaffinity(self.p.pid, {cpu})

    def end(self):
        """What was sent, a second."""
        self.p.send_signal(signal.SIGTERM)
        out, _ = self.p.communicate(timeout=20)
        self.lab.end(self.p)
        return json.loads(out)["rate"]


def xdp(ns, dev, name):
    ns.run("ip", "link", "set", "dev", dev, "xdpdrv", "obj", PROGRAMS, "program", name)


def prepare(lab, kind):
    """nginx behind the guard, or what it is compared with; answers to the flood end at the client's door."""
    lab.nginx()
    xdp(lab.c, "c0", "sink")
    if kind == GUARD:
        lab.attach("--guard", "auto", "--live", "--xdp-mode", "native")
    else:
        xdp(lab.s, "s0", {ORACLE: "oracle", KERNEL: "nothing"}[kind])
