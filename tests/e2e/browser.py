# SPDX-License-Identifier: GPL-2.0
"""A page in headless Chromium, spoken to over a pipe (Chrome DevTools Protocol)."""

import base64
import fcntl
import itertools
import json
import os
import select
import shutil
import sys
import time
import unittest

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
         "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe", "about:blank")


def find():
    """Chromium's path; no test where there is none."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    raise unittest.SkipTest(f"needs one of {', '.join(NAMES)}")


class Browser:
    """One page. It runs in a lab's namespace, as the client or the server there would."""

    def __init__(self, lab, ns, width=1200, height=1600):
        path = find()
        (lab.dir() / "chromium").mkdir(exist_ok=True)
        theirs_in, self.out = os.pipe()
        self.into, theirs_out = os.pipe()
        # they become its descriptors 3 and 4, from where neither takes the other's place
        ends = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 100) for fd in (theirs_in, theirs_out)]
        script = ("import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); "
                  "os.execv(sys.argv[3], sys.argv[3:])")
        self.p = ns.popen(sys.executable, "-c", script, *ends, path, *FLAGS, f"--user-data-dir={lab.dir()}/chromium",
                          pass_fds=ends, stderr=(lab.dir() / "chromium.log").open("w"))
        for fd in (theirs_in, theirs_out, *ends):
            os.close(fd)
        self.ids, self.buffer, self.session, self.errors, self.asked = itertools.count(1), b"", None, [], []
        target = self.call("Target.createTarget", 120, url="about:blank")["targetId"]	# it may come from a cold disk
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.size(width, height)

    def messages(self, timeout):
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            if b"\0" not in self.buffer:
                if not select.select([self.into], [], [], left)[0]:
                    return
                data = os.read(self.into, 1 << 20)
                assert data, "Chromium has ended"
                self.buffer += data
                continue
            one, self.buffer = self.buffer.split(b"\0", 1)
            yield json.loads(one)

    def note(self, message):
        """What the page complains of, and what it asks of others than its own host."""
        what = message.get("method")
        if what == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(message["params"]["exceptionDetails"])[:500])
        elif what == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
            self.errors.append(message["params"]["entry"]["text"])
        elif what == "Network.requestWillBeSent":
            self.asked.append(message["params"]["request"]["url"])

    def call(self, method, timeout=30, **params):
        number = next(self.ids)
        message = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        for answer in self.messages(timeout):
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self.note(answer)
        raise AssertionError(f"{method}: no answer in {timeout} s")

    def size(self, width, height, mobile=False, scale=1):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale,
                  mobile=mobile)

    def dark(self, dark):
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def go(self, url):
        self.call("Page.navigate", url=url)

    def eval(self, expression):
        """A JSON value out of the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, f"{expression}: {result}"
        return result["result"].get("value")

    def screenshot(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]))
