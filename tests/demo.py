#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What synward is for, in half a minute: two private namespaces, nginx in one and clients in the
other, and the state histogram of both ends while connections open, close, fail and pile up; then a
flood, the guard that arms itself, clients that notice nothing, and the all-clear.

Live on a terminal; elsewhere a snapshot per step. It checks what it shows: exit 1 when the mirror
does not say what was made to happen."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "e2e"))
import guard  # noqa: E402
import lab as e2e  # noqa: E402
import wire  # noqa: E402

LIVE = sys.stdout.isatty()
BOLD, PLAIN = ("\033[1m", "\033[0m") if LIVE and not os.environ.get("NO_COLOR") else ("", "")
HALF_OPEN, OPEN, HALF_CLOSED, REFUSED, TRANSFERS = 200, 40, 12, 10, 200
RATE, VISITORS, HOLD = 20000, 100, 4


class Demo:
    def __init__(self, lab):
        self.lab, self.step, self.seen, self.socks = lab, 0, [], []

    def draw(self, title, *views):
        """A title and what commands say, of `listeners` the one that all is about."""
        view = ""
        for name in views or ("states",):
            said = subprocess.run([e2e.SYNWARD, name, "--netns", self.lab.s.path], text=True,
                                  stdout=subprocess.PIPE, check=True).stdout
            if name == "listeners":
                said = "".join(line for line in said.splitlines(True) if not line.startswith("[::]"))
            view += said + "\n"
        if LIVE:
            view = view.replace("\n", "\033[K\n")
            print(f"\033[H{BOLD}{self.step}. {title}{PLAIN}\033[K\n\n{view}\033[J", end="", flush=True)
        else:
            print(f"== {self.step}. {title}\n\n{view}", flush=True)

    def show(self, title, check, *views, seconds=2.0):
        """Shows the views until check(states document) has nothing to complain about, and a moment longer."""
        self.step += 1
        end = time.monotonic() + 20
        while True:
            doc = self.lab.synward("states")
            wrong = [f"{what}: {got}, not {want}" for what, got, want in check(doc) if got != want]
            if LIVE:
                self.draw(title, *views)
            if not wrong:
                break
            if time.monotonic() > end:
                raise AssertionError(f"step {self.step} ({title}): {'; '.join(wrong)}")
            time.sleep(0.1)
        if LIVE:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                self.draw(title, *views)
                time.sleep(0.2)
        else:
            self.draw(title, *views)

    def in_kernel(self, side):
        """TIME_WAIT sockets of one namespace's kernel: the truth."""
        return sum(x.state == "TIME_WAIT" for x in getattr(self.lab, side).ss())

    def run(self):
        lab = self.lab
        lab.nginx()
        lab.attach()

        self.show("nothing yet", lambda s: [("flows", s["flows"], 0)])

        self.socks = [lab.c.connect(e2e.S4, 80) for _ in range(OPEN)]
        self.show(f"{OPEN} clients connect: three-way handshakes",
                  lambda s: [("client ESTABLISHED", s["client"]["ESTABLISHED"], OPEN),
                             ("server ESTABLISHED", s["server"]["ESTABLISHED"], OPEN)])

        urls = [f"http://{e2e.S4}/"] * TRANSFERS
        done = 0
        for i in range(0, TRANSFERS, 50):
            out = lab.c.run("curl", "-s", "-H", "Connection: close", *urls[i:i + 50])
            done += out.count("synward")
            if LIVE:
                self.draw(f"{done} transfers: who closes first keeps TIME_WAIT")
        assert done == TRANSFERS, f"{done} of {TRANSFERS} transfers"
        self.show(f"{TRANSFERS} transfers: who closes first keeps TIME_WAIT",
                  lambda s: [("flows", s["flows"], OPEN + TRANSFERS),
                             ("server TIME_WAIT", s["server"]["TIME_WAIT"], self.in_kernel("s")),
                             ("client TIME_WAIT", s["client"]["TIME_WAIT"], self.in_kernel("c")),
                             ("client ESTABLISHED", s["client"]["ESTABLISHED"], OPEN)])

        for sock in self.socks[:HALF_CLOSED]:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        self.show(f"{HALF_CLOSED} half-closes: the server has finished, these clients have not",
                  lambda s: [("client CLOSE_WAIT", s["client"]["CLOSE_WAIT"], HALF_CLOSED),
                             ("server FIN_WAIT_2", s["server"]["FIN_WAIT_2"], HALF_CLOSED)])

        for _ in range(REFUSED):
            try:
                lab.c.connect(e2e.S4, 81)
            except ConnectionRefusedError:
                continue
            raise AssertionError("port 81 should refuse")
        self.show(f"{REFUSED} refused connections to port 81 leave no flow behind",
                  lambda s: [("client SYN_SENT", s["client"]["SYN_SENT"], 0),
                             ("client ESTABLISHED", s["client"]["ESTABLISHED"], OPEN - HALF_CLOSED)],
                  seconds=1)

        before = lab.listener(80, "0.0.0.0")
        wire.flood(lab.c, "c0", e2e.S4, 80, HALF_OPEN, seconds=1.0)
        self.show(f"{HALF_OPEN} SYNs from spoofed sources: half-open, no client will ever answer",
                  lambda s: [("half_open", s["half_open"], HALF_OPEN),
                             ("server SYN_RCVD", s["server"]["SYN_RCVD"], HALF_OPEN),
                             ("client ESTABLISHED", s["client"]["ESTABLISHED"], OPEN - HALF_CLOSED)])
        after = lab.listener(80, "0.0.0.0")
        assert after["half_open"] == HALF_OPEN and after["syn"] - before["syn"] == HALF_OPEN, after

        for sock in self.socks[HALF_CLOSED:]:
            sock.close()
        rest = OPEN - HALF_CLOSED
        self.show(f"{rest} clients leave: FIN, ACK, FIN, ACK",
                  lambda s: [("client ESTABLISHED", s["client"]["ESTABLISHED"], 0),
                             ("client TIME_WAIT", s["client"]["TIME_WAIT"], self.in_kernel("c"))])
        kernel, mirror = lab.kernel(), lab.mirror()
        proven = {k: v for k, v in mirror.items() if v[1] != "SYN_RCVD"}
        known = {k: v for k, v in kernel.items() if v[1] != "SYN_RCVD"}
        assert proven == known, f"mirror and kernel differ: {set(proven.items()) ^ set(known.items())}"
        kept_off = self.flood()
        reasons = lab.synward("status")["reasons"]
        lab.synward("detach", "--all")
        print(f"\n{BOLD}seen{PLAIN}: {OPEN + TRANSFERS} handshakes completed, {HALF_CLOSED} half-closed, "
              f"{REFUSED} refused, {HALF_OPEN} half-open; {reasons['observed']} segments; every "
              f"connection in the state that both kernels say. {kept_off} SYNs of a flood kept off, "
              f"{VISITORS} clients served meanwhile.")

    def flood(self):
        """A SYN flood, and what the guard makes of it; how many SYNs it kept off."""
        lab = self.lab

        def entry(*fields):
            found = lab.listener(80, "0.0.0.0")
            return [found["guard"]["armed"], *(found[f] for f in fields)]
        lab.synward("guard", "auto", "--live", "--hold", HOLD)
        flood = guard.Flood(lab, e2e.S4, 80, rate=RATE)
        self.show(f"a flood, {RATE:,} spoofed SYNs a second: the guard arms itself and answers with cookies",
                  lambda s: [("armed", entry()[0], True), ("kept off", entry("kept_off")[1] > RATE, True)],
                  "listeners", seconds=1)
        before = lab.listener(80, "0.0.0.0")
        out = lab.c.run("curl", "-s", "-H", "Connection: close", *[f"http://{e2e.S4}/"] * VISITORS)
        assert out.count("synward") == VISITORS, f"{out.count('synward')} of {VISITORS} clients served"
        self.show(f"meanwhile {VISITORS} clients ask nginx: each gets its answer, with all its TCP options",
                  lambda s: [("completed", entry("completed")[1] - before["completed"], VISITORS)], "listeners")
        sent = flood.end()["sent"]
        self.show("the flood is over: all clear", lambda s: [("armed", entry()[0], False)], "listeners", "attacks")
        attacks = lab.synward("attacks")
        assert len(attacks) == 1, attacks
        attack = attacks[0]
        assert attack["kind"] == "attack" and attack["kept_off"] >= sent - 512, attack
        return attack["kept_off"]


def main():
    signal.alarm(120)
    if os.geteuid():
        print("demo: needs root, for its two network namespaces", file=sys.stderr)
        return 1
    e2e.reap()
    lab = e2e.Lab("demo")
    try:
        if LIVE:
            print("\033[2J", end="")
        Demo(lab).run()
    except AssertionError as why:
        print(f"\ndemo: {why}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: interrupted", file=sys.stderr)
        return 130
    finally:
        lab.close()
    return 0


sys.exit(main())
