#!/usr/bin/env python3
"""nightjar-sensor and nightjar-aggregator as two processes: over ipc and over tcp they raise exactly the alerts of `nightjar replay`, whichever starts first; two that do not fit
say so by name; what is wrong on the command line or in a file is one line with a place, exit 2 or 3."""

import glob
import os
import re
import subprocess
import sys
import time

import craft

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CAPTURES = sorted(glob.glob(os.path.join(ROOT, "tests/captures/*.pcap*.zst")))
INVENTORY = os.path.join(ROOT, "tests/captures/inventory.yaml")
PATIENCE_S = 120


class Processes(craft.Case):
    sensor = aggregator = None  # programs, beside the one under test

    def start_aggregator(self, *words, endpoint="ipc", once=True):
        """Starts one, by default one that ends with its sensors, and waits until they can connect. Gives the process and the endpoint."""
        listen = [f"ipc://{self.path('socket')}"] if endpoint == "ipc" else ["tcp://127.0.0.1:*", "--set", "plain_tcp=true"]
        told = self.path(f"endpoint-{time.monotonic_ns()}")
        with open(self.path("alerts"), "wb") as alerts, open(self.path("aggregator.err"), "wb") as err:
            process = subprocess.Popen([self.aggregator, *["--once"][:once], "--alerts", "--listen", *listen, "--endpoint-file", told, *words],
                                       stdout=alerts, stderr=err)
        self.addCleanup(lambda: (process.kill(), process.wait()))
        deadline = time.monotonic() + PATIENCE_S
        while not os.path.exists(told):
            self.assertIsNone(process.poll(), self.read("aggregator.err"))
            self.assertLess(time.monotonic(), deadline, "the aggregator does not listen")
            time.sleep(0.01)  # between two looks at the condition
        with open(told) as file:
            return process, file.read().strip()

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def run_sensor(self, *words, code=0):
        done = subprocess.run([self.sensor, *words], capture_output=True, timeout=PATIENCE_S, cwd=self.folder)
        self.assertEqual(done.returncode, code, done.stderr.decode(errors="replace"))
        return done

    def replay(self, capture):
        return self.run_program("replay", "--json", "--inventory", INVENTORY, capture).stdout

    def deliver(self, capture, endpoint, *words):
        process, where = self.start_aggregator("--inventory", INVENTORY, endpoint=endpoint)
        done = self.run_sensor("--sensor", "replay", "--aggregator", where, "--set", "plain_tcp=true", "--inventory", INVENTORY, *words, "--read", capture)
        self.assertEqual(process.wait(PATIENCE_S), 0, self.read("aggregator.err"))
        self.assertIn(b" + 0 spooled + 0 dropped", done.stderr)
        return self.read("alerts")

    def test_two_processes_raise_the_alerts_of_replay(self):
        raised = 0
        for i, capture in enumerate(CAPTURES):
            expected = self.replay(capture)
            raised += len(expected.splitlines())
            with self.subTest(capture=os.path.basename(capture)):
                self.assertEqual(self.deliver(capture, ("ipc", "tcp")[i % 2], "--workers", str(1 + i % 3)), expected)
        self.assertGreater(raised, 0, "no capture raised anything: the comparison compared nothing")

    def test_a_journal_on_disk_gives_the_same(self):
        capture = CAPTURES[0]
        self.assertEqual(self.deliver(capture, "ipc", "--journal", self.path("journal")), self.replay(capture))

    def test_the_sensor_may_start_first(self):
        capture, where = CAPTURES[0], f"ipc://{self.path('socket')}"
        sensor = subprocess.Popen([self.sensor, "--sensor", "replay", "--aggregator", where, "--inventory", INVENTORY, "--read", capture],
                                  stderr=subprocess.PIPE)
        self.addCleanup(lambda: (sensor.kill(), sensor.wait(), sensor.stderr.close()))
        self.assertIn(b"delivers to", sensor.stderr.readline())
        process, _ = self.start_aggregator("--inventory", INVENTORY)
        self.assertEqual(sensor.wait(PATIENCE_S), 0)
        self.assertEqual(process.wait(PATIENCE_S), 0)
        self.assertEqual(self.read("alerts"), self.replay(capture))

    def test_an_aggregator_outlives_its_sensors(self):
        process, where = self.start_aggregator(once=False)
        for name in ("first", "second", "first"):
            done = self.run_sensor("--sensor", name, "--aggregator", where, "--set", "finish=10", "--read", CAPTURES[0])
            self.assertIn(b" + 0 spooled + 0 dropped", done.stderr)
        process.terminate()
        self.assertEqual(process.wait(PATIENCE_S), 0, self.read("aggregator.err"))

    def test_what_was_spooled_is_delivered_by_the_next_run(self):
        words = ("--aggregator", f"ipc://{self.path('socket')}", "--journal", self.path("journal"), "--set", "finish=1", "--read", CAPTURES[0])
        spooled = re.search(rb"(\d+) windows = 0 shipped \+ \1 spooled", self.run_sensor(*words, code=3).stderr)
        self.assertIsNotNone(spooled)
        process, _ = self.start_aggregator(once=False)
        shipped = re.search(rb"(\d+) windows = \1 shipped \+ 0 spooled", self.run_sensor(*words).stderr)
        self.assertIsNotNone(shipped)
        self.assertEqual(int(shipped[1]), int(spooled[1]))  # what the first run has told, the second passes over
        process.terminate()
        self.assertEqual(process.wait(PATIENCE_S), 0)
        self.assertIn(shipped[1] + b" windows", self.read("aggregator.err"))
        self.assertIn(b"(0 refused, 0 repeated, 0 lost by sensors)", self.read("aggregator.err"))

    def test_another_hash_key_is_refused_by_name(self):
        _, where = self.start_aggregator()
        done = self.run_sensor("--sensor", "tap-7", "--aggregator", where, "--set", "hash_key=other", "--read", CAPTURES[0], code=3)
        for words in (b"refuses: sensor tap-7 (nightjar ", b"hashes with key", b"give both the same hash_key"):
            self.assertIn(words, done.stderr)

    def test_nobody_there(self):
        done = self.run_sensor("--aggregator", f"ipc://{self.path('nobody')}", "--set", "finish=1", "--read", CAPTURES[0], code=3)
        self.assertIn(b"no progress for 1 s while waiting for the last acknowledgement", done.stderr)

    def test_what_was_readable_is_delivered(self):
        whole = craft.office(seconds=30).bytes()
        with open(self.path("cut.pcap"), "wb") as file:
            file.write(whole[:len(whole) // 2])
        process, where = self.start_aggregator()
        done = self.run_sensor("--aggregator", where, "--read", self.path("cut.pcap"), code=3)
        self.assertIn(b"cut.pcap", done.stderr)
        self.assertIn(b" + 0 spooled + 0 dropped", done.stderr)
        self.assertEqual(process.wait(PATIENCE_S), 0)

    def test_configuration(self):
        self.assertIn(b"nightjar-sensor 0.", self.run_sensor("--version").stdout)
        self.assertIn(b"flows_max", self.run_sensor("--help").stdout)
        dumped = self.run_sensor("--set", "workers=3", "--set", "plain_tcp=true", "--dump-config").stdout
        with open(self.path("sensor.yaml"), "wb") as file:
            file.write(dumped)
        self.assertEqual(self.run_sensor("--config", self.path("sensor.yaml"), "--dump-config").stdout, dumped)
        self.assertIn(b"memory is bounded by", self.run_sensor("--config", self.path("sensor.yaml"), "--check").stdout)
        for sample, program in (("sensor.yaml", self.sensor), ("aggregator.yaml", self.aggregator)):
            path = os.path.join(ROOT, "deploy", sample)
            subprocess.run([program, "--config", path, "--check"], check=True, stdout=subprocess.DEVNULL)

    def test_wrong_usage_is_2_and_says_what(self):
        with open(self.path("wrong.yaml"), "w") as file:
            file.write("sensor: a\nflwos_max: 5\n")
        for words, said in (([], b"nothing to read"), (["--jsno"], b"--jsno"), (["x.pcap"], b"x.pcap: what is it for?"),
                            (["--config", "wrong.yaml", "--check"], b"wrong.yaml:2: unknown key 'flwos_max'"),
                            (["--set", "workers=0", "--check"], b"workers: 0 is outside 1..64"),
                            (["--set", "memory_max=16M", "--set", "plain_tcp=true", "--check"], b"lower flows_max"),
                            (["--check"], b"tcp://127.0.0.1:7117': give it keys"),
                            (["--aggregator", "tcp://192.0.2.1:7117", "--read", CAPTURES[0]], b"loopback"),
                            (["--sensor", "a b", "--set", "plain_tcp=true", "--read", CAPTURES[0]], b"sensor and tap group have names"),
                            (["--set", "bpf=not a filter", "--set", "plain_tcp=true", "--read", CAPTURES[0]], b"filter")):
            done = self.run_sensor(*words, code=2)
            self.assertIn(said, done.stderr)
        self.assertIn(b"nowhere.yaml", self.run_sensor("--config", "nowhere.yaml", code=3).stderr)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(f"usage: {sys.argv[0]} NIGHTJAR NIGHTJAR-SENSOR NIGHTJAR-AGGREGATOR [test...]")
    Processes.sensor, Processes.aggregator = (os.path.abspath(sys.argv.pop(2)) for _ in range(2))
    craft.main()
