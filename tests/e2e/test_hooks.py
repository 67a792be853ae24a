# SPDX-License-Identifier: GPL-2.0
"""Hooks beside the usual ones: lo, clsact filters as before tcx, and a router between two devices."""

import fcntl
import os
import struct
import subprocess
from unittest import mock

import wire
from guard import Server, echo, transfer
from lab import S4, SYNWARD, LabTest, Net, eventually, need


class Hooks(LabTest):
    def test_lo(self):
        """Both ends of a connection over lo are this host's, and each segment is seen once."""
        lab = self.lab()
        for addr in ("127.0.0.1", "::1"):
            lab.s.listen(addr, 8080)
        self.assertEqual(lab.attach(devs=("lo",))["attached"][0]["hook"], "egress")
        for addr in ("127.0.0.1", "::1"):
            sock = lab.s.connect(addr, 8080)
            sock.sendall(b"ping")

        def check():
            flows = lab.flows()
            self.assertEqual(len(flows), 2)
            for f in flows:
                self.assertEqual((f["client"]["state"], f["server"]["state"], f["server"]["port"], f["local"],
                                  f["opened"], f["syn_retransmits"], f["dev"]),
                                 ("ESTABLISHED", "ESTABLISHED", 8080, None, "active", 0, "lo"))
            self.assertEqual([x["completed"] for x in lab.synward("listeners")], [1, 1])
        eventually(check)

    def test_tc_leaves_payload(self):
        """Only headers are brought into a packet's linear part: with payload there TCP could merge nothing that it receives."""
        lab = self.lab()
        Server(lab.listen(), echo)
        lab.attach("--hook", "tc")
        before = lab.s.nstat()
        transfer(lab.c.connect(S4, 8080), 20 << 20)
        after = lab.s.nstat()
        self.assertGreater(after["TcpExtTCPRcvCoalesce"] - before["TcpExtTCPRcvCoalesce"], 20)

    def test_clsact(self):
        """Without tcx (kernels before 6.6) the programs are filters; the qdisc goes with the last of them."""
        lab = self.lab()
        listener = lab.listen()
        qdiscs = lab.s.run("tc", "qdisc", "show")
        with mock.patch.dict(os.environ, SYNWARD_NO_TCX="1"):
            lab.attach("--hook", "tc")
            self.assertIn("clsact", lab.s.run("tc", "qdisc", "show", "dev", "s0"))
            lab.pair(listener)
            self.assert_agree(lab, connections=1)
            lab.synward("detach", "--all")
        self.assertEqual(lab.s.run("tc", "qdisc", "show"), qdiscs)

    def test_router(self):
        """A forwarded packet passes two attached devices and is counted once; the server behind is learned."""
        lab = self.lab()
        behind = Net(lab, f"sw-router-{os.getpid()}-d")
        self.addCleanup(subprocess.run, ["ip", "netns", "del", behind.name], capture_output=True)
        lab.s.ip(f"link add r0 type veth peer name d0 netns {behind.name}", "addr add 10.7.0.1/24 dev r0",
                 "link set r0 up")
        behind.ip("link set lo up", "addr add 10.7.0.2/24 dev d0", "link set d0 up", "route add default via 10.7.0.1")
        for ns, dev in ((lab.s, "r0"), (behind, "d0")):
            ns.run("ethtool", "-K", dev, "tx", "off")
        lab.s.sysctl("net.ipv4.ip_forward", 1)
        lab.c.ip(f"route add 10.7.0.0/24 via {S4}")
        listener = behind.listen("10.7.0.2", 8080)
        lab.attach(devs=("s0", "r0"))
        sock = lab.c.connect("10.7.0.2", 8080)
        sock.sendall(b"ping")
        served, _ = listener.accept()
        self.assertEqual(served.recv(4), b"ping")

        def check():
            flow, = lab.flows()
            self.assertEqual((flow["client"]["state"], flow["server"]["state"], flow["local"]),
                             ("ESTABLISHED", "ESTABLISHED", None))
            self.assertEqual((flow["syn_retransmits"], flow["synack_retransmits"]), (0, 0))
            reasons = lab.synward("status")["reasons"]
            self.assertEqual(reasons["observed"], reasons["forwarded"])
        eventually(check)

    def test_replace(self):
        """--replace exchanges the programs and keeps what was counted; connections go on being followed."""
        lab = self.lab()
        listener = lab.listen()
        lab.attach()
        c, _ = lab.pair(listener)
        lab.attach("--replace")
        lab.pair(listener)
        c.close()
        self.assert_agree(lab, connections=2)
        self.assertEqual(lab.listener(8080)["completed"], 2)


    def test_tun(self):
        """A device without Ethernet header: seen by tc, from the IP header on."""
        lab = self.lab()
        lab.s.listen("0.0.0.0", 8080)
        with lab.s.inside():
            try:
                tun = os.open("/dev/net/tun", os.O_RDWR)
                fcntl.ioctl(tun, 0x400454ca, struct.pack("16sH22x", b"tun0", 0x1001))  # TUNSETIFF, IFF_TUN|IFF_NO_PI
            except OSError as why:
                self.skipTest(f"no tun device: {why}")
        self.addCleanup(os.close, tun)
        lab.s.ip("addr add 10.8.0.1/24 dev tun0", "link set tun0 up")
        refused = lab.synward("attach", "tun0", "--hook", "xdp", expect=1)
        self.assertIn("--hook tc", refused.stderr)
        self.assertEqual(lab.attach(devs=("tun0",))["attached"][0]["hook"], "tc")
        syn, ack = 2, 16
        os.write(tun, wire.segment("10.8.0.2", 40000, "10.8.0.1", 8080, syn, seq=1000))
        while True:
            packet = os.read(tun, 2048)
            if packet[0] >> 4 == 4 and packet[9] == 6:
                break
        isn = int.from_bytes(packet[24:28], "big")
        os.write(tun, wire.segment("10.8.0.2", 40000, "10.8.0.1", 8080, ack, seq=1001, ack=isn + 1 & 0xffffffff))

        def check():
            flow, = lab.flows()
            self.assertEqual((flow["client"]["state"], flow["server"]["state"], flow["local"], flow["dev"]),
                             ("ESTABLISHED", "ESTABLISHED", "server", "tun0"))
        eventually(check)

    @need("setpriv")
    def test_capabilities(self):
        """CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are enough; without the last, one clear line."""
        lab = self.lab()
        three = "-all,+bpf,+net_admin,+perfmon"

        def run(caps, *args):
            return lab.s.run("setpriv", "--bounding-set", caps, "--inh-caps", caps, SYNWARD, *args, check=False)
        self.assertEqual(run(three, "attach", "s0").returncode, 0)
        self.assertEqual(run(three, "states").returncode, 0)
        self.assertEqual(run(three, "detach", "--all").returncode, 0)
        refused = run("-all,+bpf,+net_admin", "attach", "s0")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("CAP_PERFMON", refused.stderr_text)
        self.assertFalse(lab.s.pins.exists())
