# SPDX-License-Identifier: GPL-2.0
"""A terminal of a size of its own (tmux), keys that are pressed in it, and what it shows: as text, or drawn as SVG."""

import contextlib
import itertools
import os
import re
import shlex
import subprocess
from html import escape

from lab import wait_until


class Terminal:
    """cmd runs in it, in a namespace, with these environment variables; None takes one away."""

    count = itertools.count()

    def __init__(self, ns, width, height, *cmd, **env):
        self.lab, self.sock = ns.lab, ns.lab.dir() / f"tmux{next(self.count)}"
        variables = dict(os.environ, LC_ALL="C.UTF-8") | env
        for name in ("TMUX", "NO_COLOR", *(k for k, v in env.items() if v is None)):
            if env.get(name) is None:
                variables.pop(name, None)
        self.server = ns.popen("tmux", "-S", self.sock, "-f", "/dev/null", "-D", env=variables)
        wait_until(self.sock.exists, what="tmux")
        # what the pane shows stays when its program has ended
        self.tmux("set-option", "-g", "remain-on-exit", "on", ";", "new-session", "-d", "-x", width, "-y", height,
                  shlex.join(map(str, cmd)))

    def tmux(self, *args):
        return subprocess.run(["tmux", "-S", self.sock, *map(str, args)], check=True, capture_output=True, text=True,
                              timeout=20).stdout

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def resize(self, width, height):
        self.tmux("resize-window", "-x", width, "-y", height)

    def value(self, name):
        return self.tmux("display-message", "-p", f"#{{{name}}}").strip()

    def pid(self):
        return int(self.value("pane_pid"))

    def log(self, path):
        """From now on, every byte that the program writes is added to a file."""
        self.tmux("pipe-pane", "-o", f"exec cat >> {shlex.quote(str(path))}")

    def styled(self):
        return self.tmux("capture-pane", "-p", "-e", "-N").split("\n")[:-1]

    def text(self):
        return self.tmux("capture-pane", "-p").split("\n")[:-1]

    def shows(self, pattern, timeout=5):
        """Waits for it; the match."""
        def check():
            return re.search(pattern, "\n".join(self.text()), re.M)
        try:
            return wait_until(check, timeout, f"/{pattern}/ on the screen")
        except AssertionError as why:
            raise AssertionError(f"{why}\n" + "\n".join(self.text())) from None

    def end(self):
        with contextlib.suppress(subprocess.SubprocessError):
            self.tmux("kill-server")
        self.server.wait(10)
        self.lab.end(self.server)


COLOURS = ("#3b4048", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#abb2bf")
BACK, FRONT, CELL, LINE = "#1e2127", "#d0d4dc", 8.4, 17


def runs(lines):
    """Of each line its pieces: (text, bold, faint, reverse, colour). SGR sequences hold beyond a line's end."""
    bold = faint = reverse = False
    colour = None
    for line in lines:
        pieces = []
        for text, codes in re.findall(r"([^\x1b]*)(?:\x1b\[([\d;]*)m)?", line):
            if text:
                pieces.append((text, bold, faint, reverse, colour))
            for code in map(int, codes.split(";") if codes else ()):
                if code == 0:
                    bold = faint = reverse = False
                    colour = None
                elif code == 22:
                    bold = faint = False
                elif 30 <= code <= 37:
                    colour = COLOURS[code - 30]
                else:
                    bold, faint = bold or code == 1, faint or code == 2
                    reverse = code == 7 or reverse and code != 27
                    colour = None if code == 39 else colour
        yield pieces


def svg(lines):
    """A picture of what styled() shows."""
    lines = list(runs(lines))
    width = max(sum(len(piece[0]) for piece in line) for line in lines)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width * CELL + 16:.0f} {len(lines) * LINE + 16}" '
           f'font-family="ui-monospace,DejaVu Sans Mono,Menlo,Consolas,monospace" font-size="14" fill="{FRONT}">',
           f'<rect width="100%" height="100%" rx="6" fill="{BACK}"/>']
    for y, line in enumerate(lines):
        x = 0
        for text, bold, faint, reverse, colour in line:
            n, at, base = len(text), 8 + x * CELL, 8 + y * LINE
            ink = colour or FRONT
            if reverse:
                out.append(f'<rect x="{at:.1f}" y="{base}" width="{n * CELL:.1f}" height="{LINE}" fill="{ink}"/>')
                ink = BACK
            if text.strip():
                lead = n - len(text.lstrip())
                style = ' font-weight="bold"' * bold + ' opacity=".6"' * faint
                out.append(f'<text x="{at + lead * CELL:.1f}" y="{base + 13}" fill="{ink}"{style} '
                           f'textLength="{len(text.strip()) * CELL:.1f}" xml:space="preserve">'
                           f'{escape(text.strip())}</text>')
            x += n
    return "\n".join(out + ["</svg>", ""])
