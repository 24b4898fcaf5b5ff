#!/usr/bin/env python3
"""Both daemons under their full confinement, started by root and given to a user without rights: the alerts are those of `nightjar replay`, stores and journals are written and found
again after a restart, and the kernel says of every thread what the start line says. Needs root, for only root can become somebody else."""

import glob
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import craft

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CAPTURES = sorted(glob.glob(os.path.join(ROOT, "tests/captures/*.pcap*.zst")))
INVENTORY = os.path.join(ROOT, "tests/captures/inventory.yaml")
PATIENCE_S = 120
USER = "nobody"


def threads_of(process):
    """For each thread of a process, what /proc says of it."""
    told = []
    for path in glob.glob(f"/proc/{process.pid}/task/*/status"):
        with open(path) as file:
            told.append(dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line))
    return told


class Confined(craft.Case):
    sensor = aggregator = None  # programs, beside the one under test
    kills = True                # this build confines system calls

    def setUp(self):
        super().setUp()
        os.chmod(self.folder, 0o755)
        for name in ("etc", "state", "run"):
            os.mkdir(self.path(name))
        for name in ("state", "run"):
            os.chown(self.path(name), pwd.getpwnam(USER).pw_uid, -1)
        # The user must reach what it reads, wherever this checkout lies.
        self.inventory = shutil.copy(INVENTORY, self.path("etc"))
        self.captures = [shutil.copy(capture, self.path("etc")) for capture in CAPTURES]
        self.endpoint = f"ipc://{self.path('run/socket')}"
        self.starts = 0

    def configure(self, name, **options):
        with open(self.path(f"etc/{name}.yaml"), "w") as file:
            for key, value in {"user": USER, "inventory": self.inventory, **options}.items():
                file.write(f"{key}: {json.dumps(value)}\n")
        return self.path(f"etc/{name}.yaml")

    def start(self, program, *words):
        self.starts += 1
        err = self.path(f"err-{self.starts}")
        with open(err, "wb") as file:
            process = subprocess.Popen([program, *words], stdout=subprocess.PIPE, stderr=file)
        process.err = err
        self.addCleanup(lambda: (process.kill(), process.wait(), process.stdout.close()))
        return process

    def said(self, process):
        with open(process.err, errors="replace") as file:
            return file.read()

    def wait_for(self, process, words):
        deadline = time.monotonic() + PATIENCE_S
        while not re.search(words, self.said(process)):
            self.assertIsNone(process.poll(), self.said(process))
            self.assertLess(time.monotonic(), deadline, f"never said {words}")
            time.sleep(0.01)  # between two looks at the condition

    def start_aggregator(self, *words, **options):
        given = {"listen": self.endpoint, "journal": self.path("state/journal"), "store": self.path("state/store"), **options}
        config = self.configure("aggregator", **given)
        process = self.start(self.aggregator, "--config", config, "--alerts", *words)
        self.wait_for(process, "confined to ")
        return process

    def run_sensor(self, capture, **options):
        given = {"sensor": "replay", "aggregator": self.endpoint, "journal": self.path("state/sensor.journal"), **options}
        config = self.configure("sensor", **given)
        sensor = self.start(self.sensor, "--config", config, "--read", capture)
        self.assertEqual(sensor.wait(PATIENCE_S), 0, self.said(sensor))
        return self.said(sensor)

    def replay(self, capture):
        return self.run_program("replay", "--json", "--inventory", self.inventory, capture).stdout

    def test_the_alerts_are_those_of_replay(self):
        raised = 0
        for capture in self.captures:
            with self.subTest(capture=os.path.basename(capture)):
                for name in os.listdir(self.path("state")):
                    os.remove(self.path(f"state/{name}"))
                aggregator = self.start_aggregator("--once", shards=2)
                said = self.run_sensor(capture, workers=2)
                self.assertIn(f"confined to user {USER}, no capabilities", said)
                alerts = aggregator.stdout.read()
                self.assertEqual(aggregator.wait(PATIENCE_S), 0, self.said(aggregator))
                self.assertEqual(alerts, self.replay(capture))
                raised += len(alerts.splitlines())
        self.assertGreater(raised, 0)

    def test_what_it_writes_belongs_to_the_user_and_is_found_again(self):
        capture = self.captures[0]
        for _ in range(2):
            aggregator = self.start_aggregator()
            self.run_sensor(capture)
            aggregator.terminate()
            self.assertEqual(aggregator.wait(PATIENCE_S), 0, self.said(aggregator))
        for name in ("journal", "store", "sensor.journal"):
            self.assertEqual(os.stat(self.path(f"state/{name}")).st_uid, pwd.getpwnam(USER).pw_uid, name)
        kept = self.run_program("alerts", "--json", "--store", self.path("state/store")).stdout
        self.assertEqual(len(kept.splitlines()) > 0, len(self.replay(capture).splitlines()) > 0)
        self.assertIn(b"is whole", self.run_program("alerts", "--verify", "--store", self.path("state/store")).stdout)

    def test_every_thread_is_confined(self):
        aggregator = self.start_aggregator(shards=3)
        threads = threads_of(aggregator)
        self.assertGreater(len(threads), 3)
        uid = str(pwd.getpwnam(USER).pw_uid)
        for thread in threads:
            self.assertEqual(thread["Uid"].split(), [uid] * 4, thread["Name"])
            self.assertEqual({int(thread[key], 16) for key in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")}, {0}, thread["Name"])
            self.assertEqual(thread["NoNewPrivs"], "1", thread["Name"])
            self.assertEqual(thread["Seccomp"], "2" if self.kills else "0", thread["Name"])

    def test_an_encrypted_link_and_its_keys_read_again(self):
        """The keys are the user's; a sensor is let in and turned away by files and SIGHUP, under the confinement."""
        keys = self.path("etc")
        self.run_program("keygen", "--directory", keys, "aggregator", "tap-1")
        for name in ("aggregator.key", "tap-1.key"):
            os.chown(os.path.join(keys, name), pwd.getpwnam(USER).pw_uid, -1)
        os.mkdir(self.path("etc/authorized"))
        aggregator = self.start_aggregator("--endpoint-file", self.path("run/endpoint"), listen="tcp://127.0.0.1:*", secret_key=self.path("etc/aggregator.key"),
                                           authorized_sensors=self.path("etc/authorized"))
        shutil.copy(self.path("etc/tap-1.pub"), self.path("etc/authorized"))
        aggregator.send_signal(signal.SIGHUP)
        self.wait_for(aggregator, "1 sensors are authorised")
        with open(self.path("run/endpoint")) as file:
            self.endpoint = file.read().strip()
        options = {"sensor": "tap-1", "secret_key": self.path("etc/tap-1.key"), "aggregator_key": [self.path("etc/aggregator.pub")]}
        self.assertIn(" + 0 spooled + 0 dropped", self.run_sensor(self.captures[0], **options))
        os.remove(self.path("etc/authorized/tap-1.pub"))
        aggregator.send_signal(signal.SIGHUP)
        self.wait_for(aggregator, "0 sensors are authorised")
        config = self.configure("sensor", aggregator=self.endpoint, finish=1, **options)
        sensor = self.start(self.sensor, "--config", config, "--read", self.captures[0])
        self.assertEqual(sensor.wait(PATIENCE_S), 3, self.said(sensor))
        aggregator.terminate()
        self.assertEqual(aggregator.wait(PATIENCE_S), 0, self.said(aggregator))

    def in_network(self, process, words):
        subprocess.run(["nsenter", f"--net=/proc/{process.pid}/ns/net", "sh", "-ec", words], check=True)

    def test_a_live_sensor_keeps_what_opens_an_interface_again(self):
        """And nothing else: the interface is taken away and made anew while it runs, in a network namespace of its own."""
        aggregator = self.start_aggregator()
        config = self.configure("sensor", interfaces=["tap0"], aggregator=self.endpoint, journal=self.path("state/sensor.journal"), workers=2)
        make = "ip link add tap0 type veth peer name wire0; ip link set tap0 up; ip link set wire0 up"
        sensor = self.start("unshare", "--net", "sh", "-ec", make + '; exec "$0" "$@"', self.sensor, "--config", config)
        self.wait_for(sensor, "confined to .*capability net_raw alone")
        for thread in threads_of(sensor):
            self.assertEqual(thread["Uid"].split(), [str(pwd.getpwnam(USER).pw_uid)] * 4, thread["Name"])
            self.assertEqual((int(thread["CapEff"], 16), int(thread["CapPrm"], 16)), (1 << 13, 1 << 13), thread["Name"])
            self.assertEqual(thread["Seccomp"], "2" if self.kills else "0", thread["Name"])
        self.in_network(sensor, "ip link del tap0")
        self.wait_for(sensor, "tap0: is down or gone")
        self.in_network(sensor, make)
        self.wait_for(sensor, "tap0: is open again")
        self.in_network(sensor, "ip addr add 10.9.9.1/24 dev wire0; ping -c 3 -i 0.2 -W 1 10.9.9.2 >/dev/null || true")
        sensor.terminate()
        self.assertEqual(sensor.wait(PATIENCE_S), 0, self.said(sensor))
        self.assertRegex(self.said(sensor), r"[1-9]\d* frames seen")
        self.assertRegex(self.said(sensor), r" \+ 0 spooled \+ 0 dropped")
        aggregator.terminate()
        self.assertEqual(aggregator.wait(PATIENCE_S), 0)
        self.assertRegex(self.said(aggregator), r"[1-9]\d* windows \(")

    def test_a_folder_that_is_not_its_own(self):
        """Root made it: the user it became cannot write there, and says where."""
        config = self.configure("aggregator", listen=self.endpoint, store=self.path("etc/store"))
        process = self.start(self.aggregator, "--config", config)
        self.assertEqual(process.wait(PATIENCE_S), 3)
        self.assertIn("etc/store: ", self.said(process))

    def test_wrong_users(self):
        config = self.configure("sensor", user="nobody-of-that-name", aggregator=self.endpoint)
        process = self.start(self.sensor, "--config", config, "--read", self.captures[0])
        self.assertEqual(process.wait(PATIENCE_S), 2)
        self.assertIn("user: there is no user 'nobody-of-that-name'", self.said(process))
        process = self.start("setpriv", "--reuid", USER, "--clear-groups", shutil.copy(self.sensor, self.folder), "--set", "user=daemon", "--set", "plain_tcp=true", "--read", self.captures[0])
        self.assertEqual(process.wait(PATIENCE_S), 2, self.said(process))
        self.assertIn("user: only root can become 'daemon'", self.said(process))

    def test_root_that_stays_is_warned(self):
        process = self.start(self.sensor, "--aggregator", self.endpoint, "--set", "finish=1", "--read", self.captures[0])
        process.wait(PATIENCE_S)
        self.assertIn("warning: it runs as root, without the powers of root", self.said(process))

    def test_confinement_can_be_loosened(self):
        aggregator = self.start_aggregator(seccomp="log", landlock=False)
        self.assertRegex(self.said(aggregator), r"files by their permissions only")
        if self.kills:
            self.assertRegex(self.said(aggregator), r"\d+ system calls \(others only logged\)")
        aggregator = self.start_aggregator(seccomp="off", listen=f"ipc://{self.path('run/other')}")
        self.assertIn("any system call", self.said(aggregator))

    def test_a_supervisor_is_told(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
            supervisor.bind(self.path("run/notify"))
            supervisor.settimeout(PATIENCE_S)
            os.chmod(self.path("run/notify"), 0o777)
            os.environ.update(NOTIFY_SOCKET=self.path("run/notify"), WATCHDOG_USEC="300000")
            self.addCleanup(lambda: [os.environ.pop(name) for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC")])
            aggregator = self.start_aggregator()
            self.assertEqual(supervisor.recv(4096), b"READY=1\nSTATUS=listening")
            for _ in range(3):
                self.assertRegex(supervisor.recv(4096), rb"^WATCHDOG=1\nSTATUS=0 batches")
            aggregator.send_signal(signal.SIGTERM)
            while (told := supervisor.recv(4096)).startswith(b"WATCHDOG=1"):
                pass
            self.assertEqual(told, b"STOPPING=1\nSTATUS=closing")
            self.assertEqual(aggregator.wait(PATIENCE_S), 0)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(f"usage: {sys.argv[0]} NIGHTJAR NIGHTJAR-SENSOR NIGHTJAR-AGGREGATOR [test...]")
    if os.geteuid() != 0:
        print("SKIPPED: needs root, to become another user", file=sys.stderr)
        sys.exit(77)
    Confined.sensor, Confined.aggregator = (os.path.abspath(sys.argv.pop(2)) for _ in range(2))
    Confined.kills = b"libasan" not in subprocess.run(["ldd", Confined.sensor], capture_output=True, check=True).stdout
    craft.main()
