# SPDX-License-Identifier: GPL-2.0
"""Cookies by the kernel's helpers, as kernels before 6.9 have to: what holds for our own must hold for these."""

import json

import test_guard_cookie
import test_guard_rulesets
from guard import address, options, said, transfer
from lab import C4, S4, wait_until
from wire import OPTIONS, SYN, Wire, segment, spoofed

MB = 1 << 20


class Helper:
    """Servers with the sysctls that it asks for, attached with --cookie-backend helper."""

    def lab(self, **kw):
        lab = super().lab(**kw)
        lab.s.sysctl("net.ipv4.tcp_syncookies", 2)
        lab.s.sysctl("net.ipv4.tcp_timestamps", 2)
        attach = lab.attach

        def with_helper(*args, ns=None, **how):
            own = () if ns else ("--cookie-backend", "helper")
            return attach(*args, *own, ns=ns, **how)
        lab.attach = with_helper
        return lab


class Ages(Helper, test_guard_cookie.Ages):
    pass


class Options(Helper, test_guard_cookie.Options):
    JUMBO = 1448	# of the kernel's table (msstab)

    def test_guard_switched_off_while_armed(self):
        """The listener resets the cookies that still offer it: the breaker opens before many are hurt."""
        for option in ("tcp_sack", "tcp_window_scaling"):
            with self.subTest(option):
                lab = self.lab()
                self.echo(lab)
                sources = [f"10.1.{i}.1" for i in range(30)]	# a single prefix would prove nothing
                lab.c.ip(*(f"addr add {a}/32 dev c0" for a in sources))
                lab.s.ip(f"route add 10.1.0.0/16 via {C4}")
                self.on(lab)
                said(lab.c.connect(S4, 8080))
                lab.s.sysctl(f"net.ipv4.{option}", 0)
                hurt = 0
                for a in sources:
                    try:
                        said(lab.c.connect(S4, 8080, a))
                    except ConnectionResetError:
                        hurt += 1
                self.assertLessEqual(hurt, 8)
                self.assert_disarmed(lab)
                self.assertIn("did not come to be", self.guard(lab)["guard"]["why"])
                lab.close()


class Kernel(Helper, test_guard_cookie.Kernel):
    FAST_OPEN = 0	# it answers all SYNs with cookies

    def test_guard_no_cookie_to_be_had(self):
        """While the accept queue is full the kernel makes no cookie: it gets the SYNs itself."""
        lab = self.lab()
        lab.listen(backlog=2)
        lab.attach("--guard", "on", "--live")
        for _ in range(3):	# nobody accepts them
            lab.c.connect(S4, 8080)
        wait_until(lambda: self.guard(lab)["accept_queue"] == 3)
        before, refused, sent = self.guard(lab), lab.s.nstat()["TcpExtListenDrops"], self.reasons(lab)["cookie"]
        wire = Wire(lab.c, "c0", sniff=False)
        for i in range(20):
            wire.send(segment(spoofed(i), 1024 + i, S4, 8080, SYN, i, options=OPTIONS))
        wait_until(lambda: lab.s.nstat()["TcpExtListenDrops"] == refused + 20)
        self.assertEqual(self.guard(lab)["passed"], before["passed"] + 20)
        self.assertEqual(self.reasons(lab)["cookie"], sent)


class Refused(test_guard_cookie.GuardTest):
    """Where the sysctls are not set, or are changed later."""

    def test_guard_helper_refused(self):
        lab = self.lab()
        for cookies, timestamps in ((1, 1), (2, 1), (1, 2), (0, 0)):
            lab.s.sysctl("net.ipv4.tcp_syncookies", cookies)
            lab.s.sysctl("net.ipv4.tcp_timestamps", timestamps)
            done = lab.synward("attach", "s0", "--cookie-backend", "helper", expect=1)
            for part in (f"tcp_syncookies is {cookies}", f"tcp_timestamps {timestamps}",
                         "sysctl -w net.ipv4.tcp_syncookies=2 net.ipv4.tcp_timestamps=2"):
                self.assertIn(part, json.loads(done.stdout)["error"])
        self.assertEqual(lab.s.sysctl("net.ipv4.tcp_syncookies"), "0")

    def test_guard_helper_changed(self):
        """Timestamps with a secret offset are not offered once the kernel was seen to use them; it says so."""
        lab = self.lab()
        for name in ("tcp_syncookies", "tcp_timestamps"):
            lab.s.sysctl(f"net.ipv4.{name}", 2)
        self.echo(lab)
        self.on(lab, "--cookie-backend", "helper")
        self.assertEqual(lab.synward("status")["cookie"], "helper")
        self.assertEqual(self.guard(lab)["guard"]["serves"], "cookie")
        lab.s.sysctl("net.ipv4.tcp_timestamps", 1)
        lab.synward("guard", "off")
        self.known(lab)
        lab.synward("guard", "on", "--live")
        for v6 in (False, True):
            c = lab.c.connect(address(v6), 8080)
            transfer(c, MB)
            self.assertFalse(options(lab.s, 8080, v6)[0]["ts"])
        self.assertEqual(self.cookies(lab)["ok"], 1)
        self.assertIn("tcp_timestamps 1", self.guard(lab)["guard"]["why"])
        lab.synward("guard", "--check", expect=3)


class Devices(Helper, test_guard_cookie.Devices):
    pass


class Rulesets(Helper, test_guard_rulesets.Rulesets):
    pass
