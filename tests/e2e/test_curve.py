#!/usr/bin/env python3
"""Encrypted links between real daemons, and whoever should not be on them: unknown keys, another server's key, no encryption at all, a key that speaks in another's name, replayed,
malformed and oversized frames, recorded bytes played again, silent and half-open connections, a flood of them, revoked keys. Each is refused and counted, and each time the honest
sensor beside it delivers exactly the alerts of `nightjar replay`. Enrolment and revocation are a file and a SIGHUP."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import craft

PATIENCE_S = 120
COUNTS = re.compile(rb"(?P<connections>\d+) connections: (?P<handshakes>\d+) with good handshakes, (?P<keys_refused>\d+) with keys that are not authorised, (?P<failed>\d+) failed, "
                    rb"held off (?P<held_off>\d+) times; (?P<revoked>\d+) frames under revoked keys, (?P<lying>\d+) in another's name")
BATCHES = re.compile(rb"(?P<received>\d+) batches \((?P<refused>\d+) refused, (?P<repeated>\d+) repeated, (?P<lost>\d+) lost by sensors\)")


def nameless(line):
    alert = json.loads(line)
    del alert["sensor"]
    return json.dumps(alert, sort_keys=True)


class Proxy(threading.Thread):
    """Between a sensor and the aggregator: keeps what the first connection said and may spoil a byte of it."""

    def __init__(self, port, spoil_at=None):
        super().__init__(daemon=True)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port, self.spoil_at = port, spoil_at
        self.said, self.heard, self.connections = b"", b"", 0
        self.start()

    def endpoint(self):
        return f"tcp://127.0.0.1:{self.server.getsockname()[1]}"

    def run(self):
        while True:
            try:
                near, _ = self.server.accept()
                far = socket.create_connection(("127.0.0.1", self.port))
            except OSError:
                return
            self.connections += 1
            first = self.connections == 1
            threading.Thread(target=self.carry, args=(near, far, "said" if first else None), daemon=True).start()
            threading.Thread(target=self.carry, args=(far, near, "heard" if first else None), daemon=True).start()

    def carry(self, source, target, keep):
        try:
            while data := source.recv(65536):
                if keep:
                    kept = getattr(self, keep)
                    setattr(self, keep, kept + data)
                    if keep == "said" and self.spoil_at is not None and len(kept) <= self.spoil_at < len(kept) + len(data):
                        data = bytearray(data)
                        data[self.spoil_at - len(kept)] ^= 1
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Curve(craft.Case):
    sensor = aggregator = strange = None
    expected = None

    def setUp(self):
        super().setUp()
        self.capture = craft.incident().write(self.path("incident.pcap"))
        if Curve.expected is None:
            Curve.expected = sorted(nameless(line) for line in self.run_program("replay", "--json", self.capture).stdout.splitlines())
            self.assertGreater(len(Curve.expected), 0)
        self.run_program("keygen", "aggregator", "honest", "rogue", "stranger", "--directory", self.folder)
        os.mkdir(self.path("authorized"))
        for name in ("honest", "rogue"):
            self.authorize(name)
        self.port = None

    # ---- keys

    def authorize(self, name):
        shutil.copy(self.path(f"{name}.pub"), self.path("authorized"))

    def revoke(self, name):
        os.remove(self.path(f"authorized/{name}.pub"))

    def keys(self, name, server="aggregator"):
        return ["--set", f"secret_key={self.path(name + '.key')}", "--set", f"aggregator_key={self.path(server + '.pub')}"]

    # ---- processes

    def start(self, err, *words, **how):
        with open(self.path(err), "wb") as file:
            process = subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, stderr=file, **how)

        def stop():
            process.kill()
            process.wait()
            process.stdout.close()
        self.addCleanup(stop)
        return process

    def start_aggregator(self, *words, keyed=True):
        told = self.path("endpoint")
        keys = ["--set", f"secret_key={self.path('aggregator.key')}", "--set", f"authorized_sensors={self.path('authorized')}"] if keyed else ["--set", "plain_tcp=true"]
        process = self.start("aggregator.err", self.aggregator, "--once", "--alerts", "--listen", "tcp://127.0.0.1:*", "--endpoint-file", told, *keys, *words)
        self.wait_for(lambda: os.path.exists(told) or process.poll() is not None, "an endpoint")
        self.assertIsNone(process.poll(), self.read("aggregator.err"))
        with open(told) as file:
            self.endpoint = file.read().strip()
        self.port = int(self.endpoint.rsplit(":", 1)[1])
        return process

    def run_sensor(self, name, *words, code=0, endpoint=None):
        done = subprocess.run([self.sensor, "--sensor", name, "--aggregator", endpoint or self.endpoint, *words, "--read", self.capture], capture_output=True, timeout=PATIENCE_S)
        self.assertEqual(done.returncode, code, done.stderr.decode(errors="replace"))
        return done.stderr

    def wait_for(self, condition, what):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            self.assertLess(time.monotonic(), deadline, f"waiting for {what}")
            time.sleep(0.01)  # between two looks at the condition

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def peer(self, name=None):
        """A strange peer; ask it by say()."""
        keys = [] if name is None else [self.path(name + ".key"), self.path("aggregator.pub")]
        return self.start(f"peer-{name}.err", self.strange, "talk", self.endpoint, *keys, stdin=subprocess.PIPE)

    def say(self, peer, line):
        peer.stdin.write(line.encode() + b"\n")
        peer.stdin.flush()
        return peer.stdout.readline().decode().strip()

    def hang_up(self, peer):
        peer.stdin.close()
        peer.wait(PATIENCE_S)

    def reload(self, aggregator, words):
        """Sends SIGHUP and waits until the aggregator has said *words* once more."""
        before = self.read("aggregator.err").count(words)
        aggregator.send_signal(signal.SIGHUP)
        self.wait_for(lambda: self.read("aggregator.err").count(words) > before, words)

    def finish(self, aggregator, **least):
        """The honest sensor delivers, the aggregator ends: its alerts are those of replay, and it has counted what it should."""
        said = self.run_sensor("honest", *self.keys("honest"))
        self.assertIn(b" + 0 spooled + 0 dropped", said)
        return self.end(aggregator, **least)

    def end(self, aggregator, **least):
        alerts, _ = aggregator.communicate(timeout=PATIENCE_S)
        log = self.read("aggregator.err")
        self.assertEqual(aggregator.returncode, 0, log.decode(errors="replace"))
        self.assertEqual(sorted(nameless(line) for line in alerts.splitlines()), self.expected)
        counts = {name: int(value) for match in (COUNTS.search(log), BATCHES.search(log)) for name, value in match.groupdict().items()}
        self.assertGreaterEqual(counts["connections"], counts["handshakes"] + counts["keys_refused"], counts)
        for name, value in least.items():
            self.assertGreaterEqual(counts[name], value, (name, counts))
        for name in {"keys_refused", "failed", "held_off", "revoked", "lying", "refused", "repeated", "lost"} - set(least):
            self.assertEqual(counts[name], 0, (name, counts))
        return counts

    # ---- the honest way

    def test_delivers_what_replay_says_and_shows_nothing(self):
        aggregator = self.start_aggregator()
        proxy = Proxy(self.port)
        self.run_sensor("honest", *self.keys("honest"), endpoint=proxy.endpoint())
        self.end(aggregator, handshakes=1)
        self.assertEqual(proxy.connections, 1)
        self.assertGreater(len(proxy.said), 1000)
        for readable in (b"honest", b"nightjar", b"example.com"):
            self.assertNotIn(readable, proxy.said)
            self.assertNotIn(readable, proxy.heard)

    def test_without_keys_it_would_show(self):
        """The looking glass of the test above is clear."""
        aggregator = self.start_aggregator(keyed=False)
        proxy = Proxy(self.port)
        self.run_sensor("honest", "--set", "plain_tcp=true", endpoint=proxy.endpoint())
        self.end(aggregator)
        self.assertIn(b"honest", proxy.said)
        self.assertIn(b"nightjar", proxy.said)

    def test_beyond_loopback(self):
        """An address of another interface, in a network namespace of its own."""
        inside = ["unshare", "--net", "--", "sh", "-c", "ip link set lo up && ip addr add 192.0.2.7/32 dev lo && exec \"$@\"", "sh"]
        if os.geteuid() != 0 or subprocess.run([*inside, "true"], capture_output=True).returncode != 0:
            self.skipTest("SKIPPED LOUDLY: needs root and network namespaces")
        script = f"""
            {self.aggregator} --once --alerts --listen 'tcp://192.0.2.7:7117' --endpoint-file {self.path("told")} --set secret_key={self.path("aggregator.key")} \
                --set authorized_sensors={self.path("authorized")} > {self.path("alerts")} & aggregator=$!
            {self.sensor} --sensor honest --aggregator tcp://192.0.2.7:7117 {" ".join(self.keys("honest"))} --read {self.capture} || exit 1
            wait $aggregator"""
        done = subprocess.run([*inside, "sh", "-c", script], capture_output=True, timeout=PATIENCE_S)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sorted(nameless(line) for line in self.read("alerts").splitlines()), self.expected)

    # ---- keys that do not fit

    def test_unknown_key(self):
        aggregator = self.start_aggregator()
        said = self.run_sensor("honest", *self.keys("stranger"), "--set", "finish=2", code=3)
        self.assertIn(b"the other end does not know our key", said)
        self.finish(aggregator, keys_refused=1)

    def test_wrong_server_key(self):
        aggregator = self.start_aggregator()
        said = self.run_sensor("honest", *self.keys("honest", server="stranger"), "--set", "finish=2", code=3)
        self.assertIn(b"is the public key given for it its own", said)
        self.finish(aggregator, failed=1)

    def test_peer_without_encryption(self):
        aggregator = self.start_aggregator()
        peer = self.peer()
        self.assertIn("only to those who have a key", self.say(peer, "hello honest"))
        self.hang_up(peer)
        said = self.run_sensor("honest", "--set", "plain_tcp=true", "--set", "finish=2", code=3)
        self.assertIn(b"only to those who have a key", said)
        self.finish(aggregator, failed=2)

    def test_key_of_another_sensor(self):
        aggregator = self.start_aggregator()
        said = self.run_sensor("honest", *self.keys("rogue"), code=3)
        self.assertIn(b"refuses: its key is that of sensor rogue, not of honest", said)
        peer = self.peer("rogue")
        self.assertRegex(self.say(peer, "hello honest"), "refused 6 .*: its key is that of sensor rogue, not of honest")
        self.assertRegex(self.say(peer, "batch honest 0"), "refused 4 .*: greet first")
        self.assertEqual(self.say(peer, "hello rogue"), "accepted from 0")
        self.assertRegex(self.say(peer, "batch honest 0"), "refused 5 .*: a batch of sensor honest came from sensor rogue")
        self.hang_up(peer)
        self.finish(aggregator, lying=2, refused=2)

    # ---- an authorised sensor that misbehaves

    def test_replayed_batch(self):
        aggregator = self.start_aggregator("--sensors", "2")
        peer = self.peer("rogue")
        self.assertEqual(self.say(peer, "hello rogue"), "accepted from 0")
        self.assertEqual(self.say(peer, "batch rogue 0"), "accepted from 1")
        self.assertEqual(self.say(peer, "batch rogue 0"), "accepted from 1")
        self.hang_up(peer)
        counts = self.finish(aggregator, repeated=1)
        self.assertEqual(counts["repeated"], 1)

    def test_malformed_and_oversized_frames(self):
        aggregator = self.start_aggregator()
        peer = self.peer("rogue")
        self.assertRegex(self.say(peer, "junk"), "refused 5")
        self.assertEqual(self.say(peer, "giant"), "cut off")
        self.assertEqual(self.say(peer, "hello rogue"), "accepted from 0")
        self.hang_up(peer)
        self.finish(aggregator, refused=1, handshakes=3)

    # ---- the network in between

    def test_recorded_bytes_played_again(self):
        aggregator = self.start_aggregator()
        proxy = Proxy(self.port)
        said = self.start("honest.err", self.sensor, "--sensor", "honest", "--aggregator", proxy.endpoint(), *self.keys("honest"), "--set", "finish=60", "--read", self.capture)
        self.wait_for(lambda: len(proxy.said) > 2000, "something to record")
        with socket.create_connection(("127.0.0.1", self.port)) as again:
            again.settimeout(PATIENCE_S)
            again.sendall(proxy.said)
            with contextlib.suppress(ConnectionResetError):  # how it hangs up while more is on its way to it
                while again.recv(65536):
                    pass  # until the aggregator hangs up on what was said for other keys
        said.wait(PATIENCE_S)
        self.assertEqual(said.returncode, 0, self.read("honest.err"))
        self.end(aggregator, failed=1)

    def test_spoilt_bytes(self):
        """One bit in the middle of a batch: the connection ends, the sensor comes again, nothing is lost or doubled."""
        aggregator = self.start_aggregator()
        proxy = Proxy(self.port, spoil_at=3000)
        said = self.run_sensor("honest", *self.keys("honest"), endpoint=proxy.endpoint())
        self.assertIn(b" + 0 spooled + 0 dropped", said)
        self.assertGreaterEqual(proxy.connections, 2)
        self.end(aggregator, handshakes=2, failed=1)

    def test_silent_and_half_open_connections(self):
        aggregator = self.start_aggregator()
        greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00CURVE" + bytes(15) + b"\x00" + bytes(31)
        held = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(60)]
        for number, connection in enumerate(held):
            connection.sendall(greeting[:number] if number < len(greeting) else greeting)
        aborted = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(60)]
        for connection in aborted:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        self.finish(aggregator, failed=60)
        for connection in held:
            connection.close()

    def test_flood_of_connections(self):
        aggregator = self.start_aggregator("--set", "connections_max=32")
        peer = self.peer("honest")  # one that was there before keeps its place
        self.assertEqual(self.say(peer, "hello honest"), "accepted from 0")
        over, knocks = threading.Event(), []

        def flood():
            while not over.is_set():
                knock = socket.socket()
                knock.setblocking(False)
                knock.connect_ex(("127.0.0.1", self.port))
                knocks.append(knock)
                if len(knocks) > 500:
                    knocks.pop(0).close()
                over.wait(0.001)
        flooder = threading.Thread(target=flood)
        flooder.start()
        try:
            self.wait_for(lambda: len(knocks) > 400, "a flood")
            for _ in range(3):
                self.assertEqual(self.say(peer, "hello honest"), "accepted from 0")
            self.assertLess(len(os.listdir(f"/proc/{aggregator.pid}/fd")), 32 + 100 + 60)  # places, the queue before the door, its own
        finally:
            over.set()
            flooder.join()
            for knock in knocks:
                knock.close()
        self.hang_up(peer)
        self.finish(aggregator, held_off=1, failed=1)

    # ---- a sensor comes and goes

    def test_enrolled_by_a_file_and_sighup(self):
        aggregator = self.start_aggregator()
        peer = self.peer("stranger")
        self.assertIn("does not know our key", self.say(peer, "hello stranger"))
        self.authorize("stranger")
        self.reload(aggregator, b"reloaded: 3 sensors are authorised")
        self.wait_for(lambda: self.say(peer, "hello stranger").startswith("accepted"), "being let in without a restart")
        self.hang_up(peer)
        self.finish(aggregator, keys_refused=1)

    def test_revoked_by_a_file_and_sighup(self):
        aggregator = self.start_aggregator("--sensors", "2")
        peer = self.peer("rogue")
        self.assertEqual(self.say(peer, "hello rogue"), "accepted from 0")
        self.revoke("rogue")
        self.assertEqual(self.say(peer, "hello rogue"), "accepted from 0")  # a file alone changes nothing
        self.reload(aggregator, b"reloaded: 1 sensors are authorised")
        for line in ("batch rogue 0", "hello rogue", "junk"):
            self.assertRegex(self.say(peer, line), "refused 4 .*: the key of this sensor is not authorised any more")
        late = self.peer("rogue")
        self.assertIn("does not know our key", self.say(late, "hello rogue"))
        self.hang_up(late)
        self.authorize("rogue")
        self.reload(aggregator, b"reloaded: 2 sensors are authorised")
        self.assertEqual(self.say(peer, "hello rogue"), "accepted from 0")
        self.assertEqual(self.say(peer, "batch rogue 0"), "accepted from 1")
        self.hang_up(peer)
        self.finish(aggregator, revoked=3, keys_refused=1)

    def test_key_given_to_another_name(self):
        aggregator = self.start_aggregator()
        peer = self.peer("rogue")
        self.assertEqual(self.say(peer, "hello rogue"), "accepted from 0")
        os.rename(self.path("authorized/rogue.pub"), self.path("authorized/other.pub"))
        self.reload(aggregator, b"reloaded: 2 sensors are authorised")
        self.assertRegex(self.say(peer, "batch rogue 0"), "refused 6 .*: its key is that of sensor other, not of rogue")
        self.hang_up(peer)
        self.finish(aggregator, lying=1)

    def test_reload_is_whole_or_not_at_all(self):
        aggregator = self.start_aggregator()
        shutil.copy(self.path("stranger.key"), self.path("authorized/stranger.pub"))
        self.revoke("rogue")
        self.reload(aggregator, b"reload refused, all is as before: " + self.path("authorized/stranger.pub").encode() + b": holds a secret key where the public one belongs")
        peer = self.peer("rogue")
        self.assertEqual(self.say(peer, "hello rogue"), "accepted from 0")
        self.hang_up(peer)
        os.remove(self.path("authorized/stranger.pub"))
        self.reload(aggregator, b"reloaded: 1 sensors are authorised")
        self.finish(aggregator)

    def test_only_keys_change_while_it_runs(self):
        with open(self.path("aggregator.yaml"), "w") as file:
            file.write("shards: 1\n")
        aggregator = self.start_aggregator("--config", self.path("aggregator.yaml"))
        with open(self.path("aggregator.yaml"), "w") as file:
            file.write("shards: 2\n")
        self.reload(aggregator, b"reload refused, all is as before: shards cannot change while the aggregator runs")
        with open(self.path("aggregator.yaml"), "w") as file:
            file.write("shards: 1\nchards: 2\n")
        self.reload(aggregator, b"aggregator.yaml:2: unknown key 'chards'")
        self.finish(aggregator)

    # ---- what does not even start

    def test_refused_at_the_start(self):
        secret = f"secret_key={self.path('aggregator.key')}"
        folder = f"authorized_sensors={self.path('authorized')}"
        shutil.copy(self.path("aggregator.pub"), self.path("wrong.key"))
        os.chmod(self.path("wrong.key"), 0o600)
        for words, said, code in ((["--listen", "tcp://0.0.0.0:7117"], b"encrypted or not at all", 2),
                                  (["--listen", "tcp://0.0.0.0:7117", "--set", "plain_tcp=true"], b"encrypted or not at all", 2),
                                  (["--listen", "tcp://127.0.0.1:7117"], b"ask for unencrypted tcp on loopback", 2),
                                  (["--set", secret], b"both secret_key and authorized_sensors", 2),
                                  (["--set", secret, "--set", f"authorized_sensors={self.path('nowhere')}"], b"nowhere: No such file", 3),
                                  (["--set", f"secret_key={self.path('wrong.key')}", "--set", folder], b"holds a public key where the secret one belongs", 2)):
            for check in ([], ["--check"]):
                done = subprocess.run([self.aggregator, *words, *check], capture_output=True, timeout=PATIENCE_S)
                self.assertIn(said, done.stderr)
                self.assertEqual(done.returncode, code, done.stderr)
        os.chmod(self.path("aggregator.key"), 0o640)
        done = subprocess.run([self.aggregator, "--set", secret, "--set", folder], capture_output=True, timeout=PATIENCE_S)
        self.assertIn(f"mend it with: chmod 600 {self.path('aggregator.key')}".encode(), done.stderr)
        for words, said in ((self.keys("honest")[:2], b"both secret_key and aggregator_key"), (["--set", f"aggregator_key={self.path('aggregator.pub')}"], b"both secret_key"),
                            (["--aggregator", "tcp://192.0.2.1:7117", "--set", "plain_tcp=true"], b"encrypted or not at all")):
            done = subprocess.run([self.sensor, *words, "--read", self.capture], capture_output=True, timeout=PATIENCE_S)
            self.assertIn(said, done.stderr)
            self.assertEqual(done.returncode, 2, done.stderr)

    def test_keys_are_never_overwritten(self):
        before = self.read("honest.key")
        done = self.run_program("keygen", "honest", "--directory", self.folder, code=2)
        self.assertIn(b"never overwritten", done.stderr)
        os.rename(self.path("honest.key"), self.path("kept.key"))
        self.run_program("keygen", "honest", "--directory", self.folder, code=2)  # the public half is there
        self.assertFalse(os.path.exists(self.path("honest.key")))
        self.assertEqual(self.read("kept.key"), before)
        self.assertIn(b"is no name", self.run_program("keygen", "../honest", "--directory", self.folder, code=2).stderr)


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(f"usage: {sys.argv[0]} NIGHTJAR NIGHTJAR-SENSOR NIGHTJAR-AGGREGATOR STRANGE_PEER [test...]")
    Curve.sensor, Curve.aggregator, Curve.strange = (os.path.abspath(sys.argv.pop(2)) for _ in range(3))
    craft.main()
