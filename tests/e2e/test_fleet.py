#!/usr/bin/env python3
"""Several processes and their accidents: three sensors that each see a third of the traffic, an aggregator that is killed at any of its alerts and started again, peers of
another release. Whatever happens, the alerts are those of `nightjar replay` on the whole capture, once each, and what the programs count adds up (laws 1, 2, 3, 7)."""

import json
import os
import re
import subprocess
import sys
import time

import craft

PATIENCE_S = 120
SENSORS = 3
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

SENSOR_WORDS = re.compile(rb"(\d+) frames seen = (\d+) decoded \+ (\d+) dropped; (\d+) windows = (\d+) shipped \+ (\d+) spooled \+ (\d+) dropped; (\d+) batches sent \((\d+) again\)")
AGGREGATOR_WORDS = re.compile(rb"(\d+) batches \((\d+) refused, (\d+) repeated, (\d+) lost by sensors\), (\d+) windows \((\d+) late\), .* (\d+) alerts raised = (\d+) paged \+ (\d+) queued \+ (\d+) merged")


def incident():
    """Enough for several alerts, spread over ten minutes: two scans, a decoy-like sweep and a lot of office."""
    capture = craft.Capture(7)
    capture.office(craft.START, 600, clients=8)
    capture.scan(craft.START + 60, "10.20.1.5", 445, 300)
    capture.scan(craft.START + 240, "10.20.1.6", 22, 400)
    capture.scan(craft.START + 420, "10.20.1.7", 3389, 300)
    return capture


def pair_of(frame):
    return frozenset((frame[26:30], frame[30:34]))


def parts_of(capture, n):
    """The capture as *n* taps would record it, each some of the conversations."""
    parts = [craft.Capture() for _ in range(n)]
    for at, frame in capture.frames:
        parts[sum(sum(address) for address in pair_of(frame)) % n].add(at, frame)
    return parts


def nameless(line):
    alert = json.loads(line)
    del alert["sensor"]
    return json.dumps(alert, sort_keys=True)


class Fleet(craft.Case):
    sensor = aggregator = strange = None

    def setUp(self):
        super().setUp()
        self.endpoint = f"ipc://{self.path('socket')}"
        self.told = 0

    def start(self, err, *words):
        """Standard error goes to the file *err*, standard output to a pipe."""
        with open(self.path(err), "wb") as file:
            process = subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, stderr=file)

        def stop():
            process.kill()
            process.wait()
            process.stdout.close()
        self.addCleanup(stop)
        return process

    def start_sensor(self, name, path, *words):
        return self.start(name + ".err", self.sensor, "--sensor", name, "--aggregator", self.endpoint, "--set", "plain_tcp=true", *words, "--read", path)

    def start_aggregator(self, *words):
        """Its alerts come by a pipe, so that a test can wait for one."""
        self.told += 1
        endpoint = self.path(f"endpoint-{self.told}")
        process = self.start(f"aggregator-{self.told}.err", self.aggregator, "--once", "--alerts", "--listen", self.endpoint, "--set", "plain_tcp=true", "--endpoint-file", endpoint, *words)
        self.wait_for(lambda: os.path.exists(endpoint) or process.poll() is not None)
        self.assertIsNone(process.poll(), self.read(f"aggregator-{self.told}.err"))
        with open(endpoint) as file:
            self.endpoint = file.read().strip()
        return process

    def wait_for(self, condition):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)  # between two looks at the condition

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def end(self, process, err, code=0):
        self.assertEqual(process.wait(PATIENCE_S), code, self.read(err).decode(errors="replace"))

    def replayed(self, path):
        """As an undisturbed run tells its alerts, and as it leaves them in its store, where repeats are counted."""
        lines = self.run_program("replay", "--json", "--store", self.path("undisturbed"), path).stdout.splitlines()
        self.assertGreaterEqual(len(lines), 3)
        return [nameless(line) for line in lines], self.stored("undisturbed")

    def stored(self, name):
        self.assertIn(b"is whole", self.run_program("alerts", "--verify", "--store", self.path(name)).stdout)
        return sorted(nameless(line) for line in self.run_program("alerts", "--json", "--store", self.path(name)).stdout.splitlines())

    def check_books(self, *sensors, aggregator=None):
        """What left the sensors is what came to the aggregator."""
        shipped = sent_once = 0
        for name in sensors:
            seen, decoded, dropped, windows, out, spooled, lost, sent, again = map(int, SENSOR_WORDS.search(self.read(name + ".err")).groups())
            self.assertEqual(seen, decoded + dropped)
            self.assertEqual(windows, out + spooled + lost)
            self.assertEqual((spooled, lost), (0, 0))
            shipped += out
            sent_once += sent - again
        counts = AGGREGATOR_WORDS.search(self.read(f"aggregator-{aggregator or self.told}.err"))
        received, refused, _, gaps, windows, late, raised, paged, queued, merged = map(int, counts.groups())
        self.assertEqual(raised, paged + queued + merged)
        self.assertEqual((gaps, late), (0, 0))
        if aggregator is None:  # one that was started again has to ask strangers to greet, and counts from then on
            self.assertEqual(refused, 0)
            self.assertEqual(windows, shipped)
            self.assertEqual(received + gaps, sent_once)

    def deliver_in_parts(self, capture, *words):
        aggregator = self.start_aggregator("--sensors", SENSORS, *words)
        sensors = [self.start_sensor(f"part-{n}", part.write(self.path(f"part-{n}.pcap"))) for n, part in enumerate(parts_of(capture, SENSORS))]
        alerts, _ = aggregator.communicate(timeout=PATIENCE_S)
        self.end(aggregator, f"aggregator-{self.told}.err")
        for n, sensor in enumerate(sensors):
            self.end(sensor, f"part-{n}.err")
        self.check_books(*(f"part-{n}" for n in range(SENSORS)))
        return alerts.splitlines()

    def test_three_sensors_tell_what_one_would(self):
        capture = incident()
        expected, _ = self.replayed(capture.write(self.path("whole.pcap")))
        for endpoint, words in ((self.endpoint, ()), ("tcp://127.0.0.1:*", ("--set", "shards=4"))):
            with self.subTest(endpoint=endpoint):
                self.endpoint = endpoint
                alerts = self.deliver_in_parts(capture, *words)
                self.assertEqual([nameless(line) for line in alerts], expected)
                self.assertIn(f"{SENSORS} sensors", {json.loads(line)["sensor"] for line in alerts})

    def test_killed_and_started_again(self):
        """At each alert in turn: what is in the journal is judged again, and the store knows what it has told already."""
        path = incident().write(self.path("whole.pcap"))
        _, expected = self.replayed(path)
        for victim in range(len(expected) + 1):  # 0: before the first alert
            with self.subTest(killed_at_alert=victim):
                self.endpoint = f"ipc://{self.path(f'socket-{victim}')}"
                keep = ("--store", self.path(f"store-{victim}"), "--journal", self.path(f"journal-{victim}"))
                first = self.start_aggregator(*keep)
                name = f"tap-{victim}"
                sensor = self.start_sensor(name, path)
                before = [first.stdout.readline() for _ in range(victim)]
                self.assertNotIn(b"", before)
                first.kill()
                first.wait()
                second = self.start_aggregator(*keep)
                second.communicate(timeout=PATIENCE_S)
                self.end(second, f"aggregator-{self.told}.err")
                self.end(sensor, name + ".err")
                self.check_books(name, aggregator=self.told)
                self.assertEqual(self.stored(f"store-{victim}"), expected)

    def test_an_aggregator_that_was_done_has_nothing_new_to_say(self):
        path = incident().write(self.path("whole.pcap"))
        keep = ("--store", self.path("store"), "--journal", self.path("journal"))
        for _ in range(2):
            aggregator = self.start_aggregator(*keep)
            if self.told == 1:
                self.end(self.start_sensor("tap", path), "tap.err")
            aggregator.communicate(timeout=PATIENCE_S)
            self.end(aggregator, f"aggregator-{self.told}.err")
        _, expected = self.replayed(path)
        self.assertEqual(self.stored("store"), expected)

    def test_a_sensor_of_another_release_is_told_so(self):
        self.start_aggregator()
        for what, said in (("version", r"refused 1 by nightjar [\d.]+: sensor stranger \(nightjar [\d.]+\) speaks wire version 2\.\d+, this aggregator \(nightjar [\d.]+\) 1\.\d+"),
                           ("table", r"refused 2 by nightjar [\d.]+: sensor stranger \(nightjar [\d.]+\) has feature table [0-9a-f]{8}, this aggregator \(nightjar [\d.]+\) [0-9a-f]{8}"),
                           ("key", r"refused 3 by nightjar [\d.]+: sensor stranger .* hashes with key [0-9a-f]{8}, this aggregator .* with [0-9a-f]{8}: give both the same hash_key"),
                           ("none", "accepted from 0")):
            done = subprocess.run([self.strange, "greet", self.endpoint, what], capture_output=True, timeout=PATIENCE_S)
            self.assertRegex(done.stdout.decode(), said)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_an_aggregator_of_another_release_is_told_of(self):
        strange = self.start("strange.err", self.strange, "refuse", self.endpoint)
        self.assertEqual(strange.stdout.readline(), b"ready\n")
        sensor = self.start_sensor("tap", craft.office(seconds=30).write(self.path("office.pcap")))
        self.end(sensor, "tap.err", code=3)
        self.assertIn(b"refuses: nightjar 9.9.9 speaks wire version 9", self.read("tap.err"))
        self.assertEqual(strange.wait(PATIENCE_S), 0)

    def test_plain_tcp_stays_on_the_machine(self):
        path = craft.office(seconds=5).write(self.path("office.pcap"))
        for words in ([self.aggregator, "--listen", "tcp://0.0.0.0:7117"], [self.aggregator, "--listen", "tcp://*:7117"],
                      [self.sensor, "--aggregator", "tcp://192.0.2.1:7117", "--read", path]):
            done = subprocess.run([*words[:3], "--set", "plain_tcp=true", *words[3:]], capture_output=True, timeout=PATIENCE_S)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(b"loopback", done.stderr)
            self.assertIn(words[2].encode(), done.stderr)


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(f"usage: {sys.argv[0]} NIGHTJAR NIGHTJAR-SENSOR NIGHTJAR-AGGREGATOR STRANGE_PEER [test...]")
    Fleet.sensor, Fleet.aggregator, Fleet.strange = (os.path.abspath(sys.argv.pop(2)) for _ in range(3))
    craft.main()
