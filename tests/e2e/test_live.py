#!/usr/bin/env python3
"""A sensor on a live tap: what it tells equals what `nightjar` makes of the file that tcpdump recorded at the same port and the same time, with one worker and with
several; it outlives its interface, takes a new configuration over or refuses it whole, is told to stop and stops; and a silent link does not keep windows open.

usage: test_live.py NIGHTJAR NIGHTJAR-SENSOR NIGHTJAR-AGGREGATOR JOURNAL_WINDOWS [Replayed | TwoFibres | Range | Life ...]

Everything happens in a box of its own (tests/range/sandbox.py): namespaces, bridge and processes end with it. Needs root; without it exits 77 (skipped).
Sensors share the namespace of the tap; aggregators live in another one, with tcp and CURVE between them.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "tests/range")]
sys.dont_write_bytecode = True

import craft  # noqa: E402
import recording  # noqa: E402
import sandbox  # noqa: E402
import scenarios  # noqa: E402
import servers  # noqa: E402
import topology  # noqa: E402
from stage import NEEDED, Stage  # noqa: E402

INVENTORY = os.path.join(ROOT, "tests/captures/inventory.yaml")
CAPTURES = ["quickstart.pcapng.zst", "scan-vertical.pcap.zst", "fanout.pcap.zst", "icmp-tunnel.pcap.zst"]
PATIENCE_S = 60
LIMIT_S = 600
AGGREGATOR = "192.0.2.2"
WINDOW_S = 10
ANSWER_S = 5
RATE = "6000"  # packets a second of the replays: a scan stays one, and no ring of this machine overflows


def skip_unless_possible():
    lacking = [tool for tool in ("ip", "tcpdump", "tcpreplay", "tcpprep", "zstdcat", "unshare", "ethtool") if not servers.find(tool)]
    if os.geteuid() != 0:
        lacking.append("root")
    elif subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "true"], capture_output=True).returncode != 0:
        lacking.append("the right to make namespaces")
    if lacking:
        print("SKIPPED: the live test lacks " + ", ".join(lacking))
        sys.exit(77)


def ip(*words):
    subprocess.run(["ip", *words], check=True, stdout=subprocess.DEVNULL)


def hub():
    """A bridge that floods, and the tap and a source on it."""
    topology._quiet(None)  # pylint: disable=protected-access
    ip("link", "add", "name", "hub0", "type", "bridge", "ageing_time", "0", "mcast_snooping", "0", "stp_state", "0")
    ip("link", "set", "dev", "hub0", "up")
    for number, name in enumerate(("tap", "source")):
        plug(name, number)


def plug(name, number):
    if not os.path.exists(f"/run/netns/{name}"):
        ip("netns", "add", name)
        topology._quiet(name)  # pylint: disable=protected-access
    ip("link", "add", "name", f"port{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
    ip("link", "set", "dev", f"port{number}", "master", "hub0", "up")
    ip("-n", name, "link", "set", "dev", "lo", "up")
    ip("-n", name, "link", "set", "dev", "eth0", "up")
    await_port(number)


def await_port(number):
    """A bridge begins to forward a while after the link is up."""
    deadline = time.monotonic() + PATIENCE_S
    while "state forwarding" not in subprocess.run(["bridge", "link", "show", "dev", f"port{number}"], check=True, capture_output=True, text=True).stdout:
        if time.monotonic() > deadline:
            raise RuntimeError(f"port{number} does not forward")
        time.sleep(0.02)  # between two looks at the condition


def with_checksum(frame):
    """A bridge that filters drops IPv4 headers whose checksum is wrong, and craft leaves it out."""
    header = frame[14:34]
    total = sum(int.from_bytes(header[i:i + 2], "big") for i in range(0, 20, 2))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    return frame[:24] + (total ^ 0xffff).to_bytes(2, "big") + frame[26:]


class Tap(craft.Case):
    """The tap's network and what is started on it."""

    sensor = aggregator = journal_windows = None  # programs, beside the one under test

    def setUp(self):
        super().setUp()
        if not os.path.exists("/run/netns/aggregator"):
            ip("netns", "add", "aggregator")
            ip("-n", "aggregator", "link", "set", "dev", "lo", "up")

    def connect_aggregators(self):
        """A link of its own between tap and aggregators, and keys for its two ends; the sensors are all called replay, as in `nightjar replay`."""
        ip("link", "add", "name", "up0", "netns", "tap", "type", "veth", "peer", "name", "up0", "netns", "aggregator")
        for name, address in (("tap", "192.0.2.1/30"), ("aggregator", f"{AGGREGATOR}/30")):
            ip("-n", name, "addr", "add", address, "dev", "up0")
            ip("-n", name, "link", "set", "dev", "up0", "up")
        os.makedirs(self.path("keys/authorized"))
        self.run_program("keygen", "--directory", self.path("keys"), "replay", "aggregator")
        os.rename(self.path("keys/replay.pub"), self.path("keys/authorized/replay.pub"))

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def wait_for(self, condition, words, patience_s=PATIENCE_S):
        deadline = time.monotonic() + patience_s
        while not condition():
            self.assertLess(time.monotonic(), deadline, words)
            time.sleep(0.02)  # between two looks at the condition

    def wait_for_log(self, name, words, process=None, times=1):
        def found():
            text = self.read(f"{name}.err")
            if process is not None and text.count(words) < times:
                self.assertIsNone(process.poll(), text.decode())
            return text.count(words) >= times

        self.wait_for(found, f"{name} does not say {words!r} {times} times; it says:\n{self.read(f'{name}.err').decode()}")

    def start(self, name, namespace, words):
        with open(self.path(f"{name}.out"), "wb") as out, open(self.path(f"{name}.err"), "wb") as err:
            process = subprocess.Popen(topology.inside(namespace, words), stdout=out, stderr=err)
        self.addCleanup(lambda: (process.poll() is None and process.kill(), process.wait()))
        return process

    def start_aggregator(self, name, endpoint, *words):
        told = self.path(f"{name}.endpoint")
        process = self.start(name, "aggregator", [self.aggregator, "--once", "--alerts", "--inventory", INVENTORY, "--listen", endpoint, "--endpoint-file", told,
                                                  *words])
        self.wait_for(lambda: os.path.exists(told), "the aggregator does not listen")
        return process

    def start_keyed_aggregator(self, name, port):
        return self.start_aggregator(name, f"tcp://{AGGREGATOR}:{port}", "--set", f"secret_key={self.path('keys/aggregator.key')}", "--set",
                                     f"authorized_sensors={self.path('keys/authorized')}")

    def keyed(self, port):
        """A sensor's words for the aggregator on that port."""
        return ["--aggregator", f"tcp://{AGGREGATOR}:{port}", "--set", f"secret_key={self.path('keys/replay.key')}", "--set",
                f"aggregator_key={self.path('keys/aggregator.pub')}"]

    def start_sensor(self, name, *words, namespace="tap"):
        """By default one whose aggregator is not there."""
        process = self.start(name, namespace, [self.sensor, "--interface", "eth0", "--sensor", "replay", "--inventory", INVENTORY, "--aggregator",
                                              f"ipc://{self.path('nobody')}", *words])
        self.wait_for_log(name, b"watching with", process)
        return process

    def record(self, path, interface="eth0", name="tcpdump"):
        """tcpdump at the tap, as soon as it listens."""
        process = self.start(name, "tap", ["tcpdump", "-i", interface, "-n", "-U", "-s", "0", "-B", str(recording.BUFFER_KIB), "-Z", "root",
                                                "--time-stamp-precision=nano", "-w", path])
        self.wait_for_log(name, b"listening on", process)
        return process

    def end_recording(self, process, name="tcpdump"):
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(PATIENCE_S), 0)
        said = self.read(f"{name}.err").decode()
        self.assertIn("\n0 packets dropped by kernel", said)
        return int(re.search(r"(\d+) packets? captured", said)[1])

    def stop(self, name, process):
        process.terminate()
        self.assertEqual(process.wait(PATIENCE_S), 0, self.read(f"{name}.err").decode())

    def replay_captures(self, captures=None):
        """Sends bundled captures through the hub, one after the other."""
        for capture in captures or CAPTURES:
            plain = self.path("plain.pcap")
            with open(plain, "wb") as file:
                subprocess.run(["zstdcat", os.path.join(ROOT, "tests/captures", capture)], check=True, stdout=file)
            subprocess.run(topology.inside("source", ["tcpreplay", "-q", "-p", RATE, "-i", "eth0", plain]), check=True, capture_output=True)

    def let_windows_close(self):
        """Until the clock has passed the end of the window in which the last opening must have been answered."""
        end = (time.time() + ANSWER_S) // WINDOW_S * WINDOW_S + WINDOW_S + 1
        self.wait_for(lambda: time.time() >= end, "time stands still")

    def frames_of(self, name):
        """Frames seen and what the kernel dropped, by the sensor's own account."""
        text = self.read(f"{name}.err").decode()
        dropped = [int(n) for n in re.findall(r"in all \d+ frames, (\d+) dropped", text)]
        workers = len(set(re.findall(r"worker (\d+):", text)))
        return int(re.search(r"(\d+) frames seen", text)[1]), sum(dropped[-workers:])


class Comparison(Tap):
    """Four sensors at one port beside tcpdump: with one and three workers over encrypted links, with one and two whose windows are kept."""

    def watch(self, *words):
        self.connect_aggregators()
        for workers, port in (("1", 7117), ("3", 7118)):
            self.aggregators[f"aggregator{workers}"] = self.start_keyed_aggregator(f"aggregator{workers}", port)
            self.sensors[f"sensor{workers}"] = self.start_sensor(f"sensor{workers}", "--workers", workers, *self.keyed(port), *words)
        for workers in ("1", "2"):
            self.sensors[f"kept{workers}"] = self.start_sensor(f"kept{workers}", "--workers", workers, "--journal", self.path(f"kept{workers}"), "--set",
                                                               "finish=1", *words)

    maxDiff = 20000

    def setUp(self):
        super().setUp()
        self.aggregators, self.sensors = {}, {}

    def windows_of(self, journal):
        return parsed(subprocess.run([self.journal_windows, self.path(journal)], check=True, capture_output=True).stdout)

    def assert_same(self, live, recorded, name):
        self.assertEqual(live, recorded, name)  # every field

    def compare(self, tcpdump, capture):
        self.let_windows_close()
        for name, process in self.sensors.items():
            self.stop(name, process)
        for name, process in self.aggregators.items():
            self.assertEqual(process.wait(PATIENCE_S), 0, self.read(f"{name}.err").decode())
        recorded = self.end_recording(tcpdump)
        for name in self.sensors:
            self.assertEqual(self.frames_of(name), (recorded, 0), name)
        expected = self.run_program("replay", "--json", "--inventory", INVENTORY, capture).stdout
        self.assertGreater(len(expected.splitlines()), 0, "nothing was raised: the comparison compares nothing")
        for name in self.aggregators:
            self.assert_same(parsed(self.read(f"{name}.out")), parsed(expected), name)
        windows = parsed(self.run_program("windows", "--json", "--inventory", INVENTORY, capture).stdout)
        for name in ("kept1", "kept2"):
            self.assert_same(self.windows_of(name), windows, name)
        print(f"{recorded} frames, {len(windows)} windows, {len(expected.splitlines())} alerts: all equal", file=sys.stderr)


def parsed(lines):
    return [json.loads(line) for line in lines.splitlines()]


class Replayed(Comparison):

    def test_bundled_captures_at_the_tap(self):
        hub()
        tcpdump = self.record(self.path("recorded.pcap"))
        self.watch()
        self.replay_captures()
        self.compare(tcpdump, self.path("recorded.pcap"))


class TwoFibres(Comparison):
    """A passive tap: what clients say comes in on one interface, what servers say on another."""

    def test_directions_on_two_interfaces_meet(self):
        hub()
        ip("link", "add", "name", "eth1", "netns", "source", "type", "veth", "peer", "name", "eth1", "netns", "tap")
        for name in ("source", "tap"):
            ip("-n", name, "link", "set", "dev", "eth1", "up")
        plain, cache, paths = self.path("plain.pcap"), self.path("cache"), [self.path("0.pcap"), self.path("1.pcap")]
        with open(plain, "wb") as file:
            subprocess.run(["zstdcat", os.path.join(ROOT, "tests/captures", CAPTURES[0])], check=True, stdout=file)
        subprocess.run(["tcpprep", "--auto=first", "-i", plain, "-o", cache], check=True, capture_output=True)
        recordings = [self.record(path, f"eth{i}", f"tcpdump{i}") for i, path in enumerate(paths)]
        for workers in ("1", "2"):
            self.sensors[workers] = self.start_sensor(workers, "--interface", "eth1", "--workers", workers, "--journal", self.path(f"journal{workers}"), "--set",
                                                      "finish=1")
        subprocess.run(topology.inside("source", ["tcpreplay", "-q", "-p", RATE, "-c", cache, "-i", "eth0", "-I", "eth1", plain]), check=True, capture_output=True)
        self.let_windows_close()
        for name, process in self.sensors.items():
            self.stop(name, process)
        recorded = [self.end_recording(process, f"tcpdump{i}") for i, process in enumerate(recordings)]
        self.assertGreater(min(recorded), 1000, "both interfaces have something to say")
        windows = parsed(self.run_program("windows", "--json", "--inventory", INVENTORY, *paths).stdout)
        for workers in ("1", "2"):
            self.assertEqual(self.frames_of(workers), (sum(recorded), 0))
            self.assert_same(self.windows_of(f"journal{workers}"), windows, workers)


class Range(Comparison):
    """Frames of a local TCP carry the time at which they were to be sent, which keeps the kernel from stamping them when they are received: each socket, tcpdump's
    too, stamps for itself, a microsecond apart. So times may differ by a millisecond here, and the id of an alert, which is made of its start, at will."""

    def assert_same(self, live, recorded, name):
        self.assertEqual(len(live), len(recorded), name)
        for one, other in zip(live, recorded):
            self.assert_near(one, other, name, "")

    def assert_near(self, one, other, where, key):
        if isinstance(one, dict):
            self.assertEqual(one.keys(), other.keys(), where)
            for k in one:
                self.assert_near(one[k], other[k], f"{where}/{k}", k)
        elif isinstance(one, list):
            self.assertEqual(len(one), len(other), where)
            for i, pair in enumerate(zip(one, other)):
                self.assert_near(*pair, f"{where}[{i}]", key)
        elif key.endswith("_ns"):
            self.assertAlmostEqual(one, other, None, where, 1_000_000)
        elif key.endswith("_us"):
            self.assertAlmostEqual(one, other, None, where, 1_000)
        elif key.endswith("_ms"):
            self.assertAlmostEqual(one, other, None, where, 1)
        elif key in ("start", "end"):
            self.assertLess(abs(datetime.fromisoformat(one) - datetime.fromisoformat(other)), timedelta(milliseconds=1), where)
        elif key != "id":
            self.assertEqual(one, other, where)

    def test_live_traffic_of_the_range(self):
        missing = [tool for tool in NEEDED + ["nmap"] if not servers.find(tool)]
        if missing:
            print("SKIPPED: the range lacks " + ", ".join(missing))
            sys.exit(77)
        scenario = scenarios.SCENARIOS["mini"]
        topology.build(scenario.hosts)
        stage = Stage(1, scenario.duration_s, 1, lambda line: print(line, file=sys.stderr))
        world = servers.Servers(scenario.hosts, 1, stage.log)
        world.start()
        tcpdump = self.record(self.path("recorded.pcap"))
        self.watch()
        stage.begin()
        scenario.play(stage, scenarios.parameters(1))
        self.assertEqual(stage.failures, [])
        self.compare(tcpdump, self.path("recorded.pcap"))


class Life(Tap):

    def setUp(self):
        super().setUp()
        hub()
        self.addCleanup(self.unplug)

    def unplug(self):
        ip("link", "del", "hub0")
        for name in ("tap", "source"):
            subprocess.run(["ip", "-n", name, "link", "del", "eth0"], stderr=subprocess.DEVNULL, check=False)

    def send(self, count, first=1):
        """UDP frames from the source, each with a port of its own."""
        capture = craft.Capture()
        for number in range(first, first + count):
            capture.add(craft.START, with_checksum(craft.udp("10.20.10.11", number, "10.20.20.2", 53, b"x" * 20)))
        capture.write(self.path("some.pcap"))
        subprocess.run(topology.inside("source", ["tcpreplay", "-q", "-t", "-i", "eth0", self.path("some.pcap")]), check=True, capture_output=True)

    def test_the_interface_goes_down_and_comes_back(self):
        sensor = self.start_sensor("sensor", "--workers", "2", "--journal", self.path("journal"), "--set", "finish=1")
        self.send(100)
        ip("-n", "tap", "link", "set", "dev", "eth0", "down")
        self.wait_for_log("sensor", b"eth0: is down or gone", sensor)
        self.send(50, 1000)  # nobody hears them
        ip("-n", "tap", "link", "set", "dev", "eth0", "up")
        self.wait_for_log("sensor", b"eth0: is open again; nothing was heard for", sensor)
        await_port(0)
        self.send(200, 2000)
        self.stop("sensor", sensor)
        self.assertEqual(self.frames_of("sensor"), (300, 0))
        self.assertIn(b"eth0: open; in all 0 dropped by the interface, 1 gaps of", self.read("sensor.err"))

    def test_the_interface_vanishes_and_another_takes_its_name(self):
        sensor = self.start_sensor("sensor", "--workers", "3", "--journal", self.path("journal"), "--set", "finish=1")
        self.send(100)
        ip("link", "del", "port0")
        self.wait_for_log("sensor", b"eth0: is down or gone", sensor)
        plug("tap", 0)
        self.wait_for_log("sensor", b"eth0: is open again", sensor)
        self.send(70, 3000)
        self.stop("sensor", sensor)
        self.assertEqual(self.frames_of("sensor"), (170, 0))

    def test_a_pulled_cable_is_a_gap(self):
        sensor = self.start_sensor("sensor", "--journal", self.path("journal"), "--set", "finish=1")
        ip("link", "set", "dev", "port0", "down")
        self.wait_for_log("sensor", b"eth0: has no link", sensor)
        ip("link", "set", "dev", "port0", "up")
        self.wait_for_log("sensor", b"eth0: has its link again", sensor)
        await_port(0)
        self.send(10)
        self.stop("sensor", sensor)
        self.assertEqual(self.frames_of("sensor"), (10, 0))

    def test_an_interface_that_is_down_is_waited_for(self):
        ip("-n", "tap", "link", "set", "dev", "eth0", "down")
        sensor = self.start_sensor("sensor", "--journal", self.path("journal"), "--set", "finish=1")
        ip("-n", "tap", "link", "set", "dev", "eth0", "up")
        self.wait_for_log("sensor", b"eth0: is open again", sensor)
        await_port(0)
        self.send(10)
        self.stop("sensor", sensor)
        self.assertEqual(self.frames_of("sensor"), (10, 0))

    def test_no_such_interface(self):
        done = subprocess.run(topology.inside("tap", [self.sensor, "--interface", "eth7", "--aggregator", "ipc://nobody"]), capture_output=True, timeout=PATIENCE_S)
        self.assertEqual(done.returncode, 3)
        self.assertIn(b"eth7: no such interface", done.stderr)

    def check(self, interface):
        done = subprocess.run(topology.inside("tap", [self.sensor, "--interface", interface, "--aggregator", "ipc://nobody", "--check"]), capture_output=True, text=True,
                              timeout=PATIENCE_S)
        return done.returncode, done.stdout

    def test_check_gives_commands_that_mend(self):
        code, said = self.check("eth0")
        self.assertEqual(code, 0)
        self.assertIn("configuration is good", said)
        commands = re.findall(r"^    (ethtool -[KGX] .*)$", said, re.M)
        self.assertTrue(any(command.startswith("ethtool -K eth0 ") and "gro off" in command for command in commands) or "gro" not in said, said)
        self.assertNotEqual(commands, [], "a fresh veth glues frames together, and nothing is said")
        for command in commands:
            subprocess.run(topology.inside("tap", command.split()), check=True, capture_output=True)
        self.assertIn("eth0: nothing stands in the way", self.check("eth0")[1])
        ip("-n", "tap", "link", "set", "dev", "eth0", "down")
        self.assertIn("eth0: is down\n    ip link set dev eth0 up", self.check("eth0")[1])
        code, said = self.check("eth7")
        self.assertEqual(code, 3)
        self.assertIn("eth7: no such interface", said)

    def test_a_silent_link_closes_windows_by_the_clock(self):
        sensor = self.start_sensor("sensor", "--workers", "2", "--journal", self.path("journal"), "--set", "finish=1", "--set", "window=1s", "--set", "answer=1s")
        self.send(20)  # and never again; an opening waits a second, its window is over a second later
        self.wait_for(lambda: self.kept_windows(), "no window was closed")
        self.assertIsNone(sensor.poll())
        self.stop("sensor", sensor)

    def kept_windows(self):
        """What the journal of a running sensor holds; a copy, since opening one may write."""
        for name in ("journal", "journal-wal"):
            shutil.copy(self.path(name), self.path(f"copied-{name}"))
        done = subprocess.run([self.journal_windows, self.path("copied-journal")], capture_output=True)
        return done.stdout.splitlines() if done.returncode == 0 else []

    def wait_for_frames(self, number):
        """With one worker and statistics every second."""
        self.wait_for_log("sensor", b"in all %d frames" % number)

    def reload(self, sensor, text, words, times=1):
        with open(self.path("sensor.yaml"), "w") as file:
            file.write(text)
        sensor.send_signal(signal.SIGHUP)
        self.wait_for_log("sensor", words, sensor, times)

    def test_a_configuration_is_taken_over_whole_or_not_at_all(self):
        with open(self.path("sensor.yaml"), "w") as file:
            file.write("bpf: \"\"\n")
        sensor = self.start_sensor("sensor", "--config", self.path("sensor.yaml"), "--journal", self.path("journal"), "--set", "finish=1", "--set",
                                   "stats=1s")
        self.send(10)
        self.reload(sensor, "bpf: tcp prot\n", b"not taken over: filter \"tcp prot\"")
        self.reload(sensor, "bpf: tcp\nflwos_max: 7\n", b"sensor.yaml:2: unknown key 'flwos_max'; everything stays as it was")
        self.reload(sensor, "bpf: tcp\nworkers: 1\nwindow: 20s\n", b"window changes only with a restart; everything stays as it was")
        self.send(10, 100)  # still taken: udp
        self.wait_for_frames(20)  # what is in a ring when a filter changes is judged by the new one
        self.reload(sensor, "bpf: tcp\n", b"read again and taken over")
        self.send(10, 200)  # not taken
        self.reload(sensor, "bpf: udp\n", b"read again and taken over", 2)
        self.send(10, 300)
        self.stop("sensor", sensor)
        self.assertEqual(self.frames_of("sensor"), (30, 0))

    def test_what_is_in_the_ring_is_told_before_the_end(self):
        """The kernel hands a block over after a second: all frames are in the ring when the signal comes."""
        sensor = self.start_sensor("sensor", "--workers", "2", "--set", "read_timeout=1s", "--journal", self.path("journal"), "--set", "finish=1")
        self.send(400)
        began = time.monotonic()
        self.stop("sensor", sensor)
        self.assertLess(time.monotonic() - began, 30)
        self.assertEqual(self.frames_of("sensor"), (400, 0))
        self.assertRegex(self.read("sensor.err"), rb"2 windows = 0 shipped \+ 2 spooled \+ 0 dropped")

    def test_a_second_signal_ends_it_at_once(self):
        sensor = self.start_sensor("sensor", "--set", "finish=1h")  # the only journal is in memory, and there is nobody to deliver to
        self.send(10)
        sensor.terminate()
        self.wait_for_log("sensor", b"worker 0: 10 frames", sensor)
        sensor.terminate()
        self.assertEqual(sensor.wait(PATIENCE_S), 3)

    def test_undelivered_windows_in_memory_are_a_failure(self):
        sensor = self.start_sensor("sensor", "--set", "finish=1")
        self.send(10)
        sensor.terminate()
        self.assertEqual(sensor.wait(PATIENCE_S), 3)
        self.assertIn(b"no progress for 1 s", self.read("sensor.err"))


if __name__ == "__main__":
    skip_unless_possible()
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    sys.argv[1:5] = [os.path.abspath(word) for word in sys.argv[1:5]]
    sandbox.enter(LIMIT_S)
    Tap.sensor, Tap.aggregator, Tap.journal_windows = (sys.argv.pop(2) for _ in range(3))
    craft.main()
