#!/usr/bin/env python3
"""What the command line refuses, and how inputs that are damaged, empty, garbage or not to be read are told: one line that says what and where, and the exit
code the design gives it. What was readable before the damage is still reported."""

import gzip
import json
import os
import struct
import subprocess

import craft

VERBS = ("replay", "flows", "windows")


class Usage(craft.Case):
    def one_line(self, done, *words):
        told = done.stderr.decode().splitlines()
        self.assertEqual(len(told), 1, done.stderr)
        for word in words:
            self.assertIn(word, told[0])

    def test_wrong_usage_is_2_and_says_what(self):
        for words, said in ((["replay", "--jsno", "x"], "did you mean --json"), (["reply", "x"], "did you mean 'replay'"), ([], "a verb is missing"),
                            (["replay"], "what to read is missing"), (["replay", "--workers", "0", "x"], "must be from 1 to 64"),
                            (["alerts"], "--store FILE"), (["agents"], "--store FILE"), (["sensors"], "--store FILE"), (["baseline", "x"], "--output FILE"),
                            (["help", "nothing"], "is no verb"), (["config", "eat", "x"], "config check"), (["replay", "--extract", "d", "-"], "twice")):
            self.one_line(self.run_program(*words, code=2), said)

    def test_help_and_version_are_0(self):
        self.assertIn(b"usage: nightjar replay", self.run_program("help", "replay").stdout)
        self.assertIn(b"--fail-on", self.run_program("replay", "--help").stdout)
        self.assertIn(b"nightjar replay capture.pcap", self.run_program("help").stdout)
        self.assertIn(b"nightjar 0.", self.run_program("version").stdout)
        self.assertEqual(self.run_program("--version").stdout, self.run_program("version").stdout)

    def test_missing_and_unreadable_are_3(self):
        for verb in VERBS:
            self.one_line(self.run_program(verb, "nowhere.pcap", code=3), "nowhere.pcap")
        if os.geteuid() != 0:  # root may read anything
            path = craft.office(seconds=5).write(self.path("locked.pcap"))
            os.chmod(path, 0)
            self.one_line(self.run_program("flows", path, code=3), "locked.pcap")

    def test_empty_and_garbage_are_3(self):
        for name, content in (("empty.pcap", b""), ("garbage.pcap", os.urandom(5000).replace(b"\xa1", b"x")), ("text.pcap", b"hello\n" * 100), ("short.pcap", b"\xd4\xc3\xb2")):
            with open(self.path(name), "wb") as file:
                file.write(content)
            for verb in VERBS:
                self.one_line(self.run_program(verb, self.path(name), code=3), name)

    def test_a_folder_without_captures_is_3(self):
        os.mkdir(self.path("bare"))
        for verb in VERBS:
            self.one_line(self.run_program(verb, self.path("bare"), code=3), "bare", "no capture file in it")
        with open(self.path("bare/notes.txt"), "w") as file:
            file.write("nothing to see\n")
        self.one_line(self.run_program("flows", self.path("bare"), code=3), "bare", "no capture file in it")

    def test_a_capture_without_packets_is_0(self):
        path = craft.Capture().write(self.path("none.pcap"))
        self.assertEqual(self.run_program("flows", path).stdout, b"")
        self.assertIn(b"Detections  none", self.run_program("replay", path).stdout)
        self.run_program("replay", "--report", self.path("none.html"), path)
        with open(self.path("none.html")) as file:
            self.assertIn("No packet was read.", file.read())

    def test_a_truncated_file_gives_what_it_holds_and_3(self):
        whole = craft.office(seconds=30).bytes()
        with open(self.path("cut.pcap"), "wb") as file:
            file.write(whole[:len(whole) // 2])
        done = self.run_program("flows", self.path("cut.pcap"), code=3)
        self.one_line(done, "cut.pcap", "byte")
        self.assertGreater(len(done.stdout.splitlines()), 5)
        done = self.run_program("replay", self.path("cut.pcap"), code=3)
        self.one_line(done, "cut.pcap", "byte")
        self.assertIn(b"packets", done.stdout)

    def test_a_damaged_length_is_told_with_its_place(self):
        data = bytearray(craft.office(seconds=30).bytes())
        at = 24
        for _ in range(100):
            at += 16 + struct.unpack_from("<I", data, at + 8)[0]
        struct.pack_into("<I", data, at + 8, 0x7FFFFFFF)
        with open(self.path("bad.pcap"), "wb") as file:
            file.write(data)
        self.one_line(self.run_program("flows", self.path("bad.pcap"), code=3), "bad.pcap", str(at))

    def test_a_cut_gzip_gives_what_it_holds_and_3(self):
        packed = gzip.compress(craft.office(seconds=60).bytes())
        with open(self.path("cut.gz"), "wb") as file:
            file.write(packed[:len(packed) * 2 // 3])
        done = self.run_program("flows", self.path("cut.gz"), code=3)
        self.one_line(done, "cut.gz")
        self.assertGreater(len(done.stdout.splitlines()), 5)

    def test_one_bad_file_among_good_ones(self):
        good = craft.office(seconds=30).write(self.path("good.pcap"))
        with open(self.path("bad.pcap"), "wb") as file:
            file.write(b"not a capture at all, whatever its name")
        wanted = self.run_program("flows", good).stdout
        done = self.run_program("flows", good, self.path("bad.pcap"), code=3)
        self.assertEqual(done.stdout, wanted)
        self.one_line(done, "bad.pcap")

    def test_unknown_yaml_key_is_2_with_file_and_line(self):
        with open(self.path("who.yaml"), "w") as file:
            file.write("home_networks: [10.0.0.0/8]\ndecois:\n  - 10.20.9.9\n")
        path = craft.office(seconds=5).write(self.path("a.pcap"))
        self.one_line(self.run_program("replay", "--inventory", self.path("who.yaml"), path, code=2), "who.yaml:2", "decois")
        self.one_line(self.run_program("config", "check", self.path("who.yaml"), code=2), "who.yaml:2")
        with open(self.path("good.yaml"), "w") as file:
            file.write("home_networks: [10.0.0.0/8]\ndecoys:\n  - 10.20.9.9\n")
        self.assertIn(b"good (inventory)", self.run_program("config", "check", self.path("good.yaml")).stdout)

    def test_config_check_knows_the_programs(self):
        with open(self.path("a.yaml"), "w") as file:
            file.write("listen: tcp://127.0.0.1:7117\nshards: 4\n")
        self.assertIn(b"good (configuration of an aggregator)", self.run_program("config", "check", self.path("a.yaml")).stdout)
        with open(self.path("s.yaml"), "w") as file:
            file.write("journal: /tmp/j.db\nsensor: tap-1\nflows_max: 5000\n")
        self.assertIn(b"good (configuration of a sensor)", self.run_program("config", "check", self.path("s.yaml")).stdout)
        with open(self.path("b.yaml"), "w") as file:
            file.write("listen: tcp://127.0.0.1:7117\nshards: 400\n")
        self.one_line(self.run_program("config", "check", self.path("b.yaml"), code=2), "b.yaml:2", "shards")
        self.one_line(self.run_program("config", "check", self.path("none.yaml"), code=3), "none.yaml")

    def test_more_memory_than_allowed_is_2(self):
        path = craft.office(seconds=5).write(self.path("a.pcap"))
        self.one_line(self.run_program("flows", "--max-memory", "1M", path, code=2), "--max-memory")

    def test_hostile_file_names_cannot_write_on_the_terminal(self):
        name = self.path("evil\x1b[31m\nname.pcap")
        with open(name, "wb") as file:
            file.write(b"junk")
        done = self.run_program("flows", name, code=3)
        self.assertNotIn(b"\x1b", done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1)


if __name__ == "__main__":
    craft.main()
