#!/usr/bin/env python3
"""nightjar flows and nightjar windows on captures made by hand: what stands in a line, the order, many inputs and formats, damage, odd ends of pipes."""

import array
import fcntl
import gzip
import json
import os
import shutil
import signal
import subprocess
import termios
import unittest

import craft


def lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


class Flows(craft.Case):
    def test_a_flow_says_what_it_was(self):
        capture = craft.Capture()
        sport = capture.tls(craft.START, "10.20.9.11", "203.0.113.7", "www.example.com", 500, 9000)
        capture.refused(craft.START + 1, "10.20.9.11", "10.20.9.12", 22)
        capture.unanswered(craft.START + 2, "10.20.9.11", "10.20.9.13", 23)
        flows = lines(self.run_program("flows", capture.write(self.path("a.pcap"))))
        self.assertEqual([flow["outcome"] for flow in flows], ["answered", "refused", "unanswered"])
        first = flows[0]
        self.assertEqual((first["client"], first["client_port"], first["server"], first["server_port"], first["protocol"]),
                         ("10.20.9.11", sport, "203.0.113.7", 443, "tcp"))
        self.assertEqual(first["server_name"], "www.example.com")
        self.assertEqual(first["alpn"], "h2")
        self.assertTrue(first["ja4"].startswith("t12d02"), first["ja4"])
        self.assertTrue(first["community_id"].startswith("1:"))
        self.assertEqual(first["bytes_out"], len(craft.client_hello("www.example.com")) + 505)
        self.assertEqual(first["bytes_in"], 9 + 9005)
        self.assertEqual(first["first"], "2026-11-24T20:00:00.000000Z")

    def test_order_is_by_time_then_id_whatever_the_workers(self):
        path = craft.incident().write(self.path("a.pcap"))
        one = self.run_program("flows", path)
        keys = [(flow["first"], flow["community_id"]) for flow in lines(one)]
        self.assertEqual(keys, sorted(keys))
        self.assertGreater(len(keys), 600)
        for workers in ("2", "4"):
            self.assertEqual(self.run_program("flows", "--workers", workers, path).stdout, one.stdout, workers)

    def test_every_form_of_a_capture_reads_the_same(self):
        capture = craft.office(seconds=20)
        plain = capture.write(self.path("plain.pcap"))
        wanted = self.run_program("flows", plain).stdout
        self.assertTrue(wanted)
        capture.write(self.path("swapped.pcap"), big_endian=True)
        with gzip.open(self.path("zipped.whatever"), "wb") as file:
            file.write(capture.bytes())
        names = ["swapped.pcap", "zipped.whatever"]
        if shutil.which("zstd"):
            subprocess.run(["zstd", "-q", plain, "-o", self.path("packed.zst")], check=True)
            names.append("packed.zst")
        for name in names:
            self.assertEqual(self.run_program("flows", self.path(name)).stdout, wanted, name)
        self.assertEqual(self.run_program("flows", "-", stdin=capture.bytes()).stdout, wanted, "standard input")
        nanoseconds = capture.write(self.path("nano.pcap"), nanoseconds=True)
        self.assertEqual(len(lines(self.run_program("flows", nanoseconds))), len(wanted.splitlines()))

    def test_files_merge_in_time_order(self):
        capture = craft.office(seconds=30)
        frames = sorted(capture.frames, key=lambda item: item[0])
        wanted = self.run_program("flows", capture.write(self.path("whole.pcap"))).stdout
        os.mkdir(self.path("parts"))
        for part in range(3):
            piece = craft.Capture()
            piece.frames = frames[part::3]
            piece.write(self.path(f"parts/{2 - part}.pcap"))
        self.assertEqual(self.run_program("flows", self.path("parts")).stdout, wanted)

    def test_every_field_is_documented(self):
        capture = craft.incident()
        capture.add(craft.START, craft.udp("10.20.9.11", 5353, "10.20.0.53", 53, bytes.fromhex("000101000001000000000000037777770765786d61706c6503636f6d0000010001")))
        path = capture.write(self.path("a.pcap"))
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/output.md")) as file:
            page = file.read()
        for verb, words in (("flows", []), ("windows", ["--json"])):
            for key in {key for line in lines(self.run_program(verb, *words, path)) for key in line}:
                self.assertIn(f"`{key}`", page, f"{verb}: {key} does not stand in docs/output.md")

    def test_a_filter_filters(self):
        path = craft.incident().write(self.path("a.pcap"))
        flows = lines(self.run_program("flows", "--bpf", "port 445", path))
        self.assertEqual({flow["server_port"] for flow in flows}, {445})
        done = self.run_program("flows", "--bpf", "prot 445", path, code=2)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_windows_agree_with_flows(self):
        path = craft.incident().write(self.path("a.pcap"))
        flows = lines(self.run_program("flows", path))
        windows = lines(self.run_program("windows", "--json", path))
        self.assertEqual(sum(window["features"].get("flows_opened", 0) for window in windows), len(flows))
        times = [(window["start_ns"]) for window in windows]
        self.assertEqual(times, sorted(times))
        text = self.run_program("windows", "--agent", "10.20.1.5", path).stdout.decode()
        self.assertIn("10.20.1.5", text)
        self.assertNotIn("\n2026-11-24 20:00:00  10.20.9.11", text)
        self.assertNotIn("\x1b", text)

    def test_a_closed_pipe_is_no_failure(self):
        path = craft.incident().write(self.path("a.pcap"))
        for verb in ("flows", "windows"):
            program = subprocess.Popen([self.program, verb, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            program.stdout.readline()
            program.stdout.close()
            words = program.stderr.read()
            program.stderr.close()
            self.assertEqual(program.wait(timeout=60), 0, words)
            self.assertEqual(words, b"")

    @unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full here")
    def test_a_full_disk_is_a_failure_told_in_one_line(self):
        path = craft.incident().write(self.path("a.pcap"))
        with open("/dev/full", "wb") as full:
            done = subprocess.run([self.program, "flows", path], stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 3)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_an_interrupt_tells_what_was_read(self):
        reading, writing = os.pipe()
        program = subprocess.Popen([self.program, "flows", "-"], stdin=reading, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        capture = craft.office(seconds=90)
        os.write(writing, capture.bytes()[:500000])
        # It has read all there is once the pipe is empty: wait for that, not for a while.
        waiting = array.array("i", [1])
        while waiting[0] > 0 and program.poll() is None:
            fcntl.ioctl(reading, termios.FIONREAD, waiting)
        program.send_signal(signal.SIGINT)
        os.close(writing)
        os.close(reading)
        out, _ = program.communicate(timeout=60)
        self.assertEqual(program.returncode, 3)
        self.assertTrue(out)
        for line in out.splitlines():
            json.loads(line)


if __name__ == "__main__":
    craft.main()
