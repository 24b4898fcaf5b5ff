#!/usr/bin/env python3
"""Speed and memory of `nightjar replay` beside what others need for the same file: one command, one table.

usage: run.py BUILD [--capture FILE] [--rounds N] [--frames N]

Without --capture it builds one of at least N frames (default 1,000,000): from ../shared/captures by ../shared/bench where present, else from the bundled captures.
All programs run in turn, round after round, so that a drift of the machine meets them alike; wall and CPU are medians, memory the largest resident set.
"""
import argparse
import json
import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get('NJ_SHARED', ROOT.parent / 'shared'))
FRAME_GAP_US = 50  # 20,000 frames a second of capture time


def frames_of(path):
    """Ethernet frames of a capture, through editcap so that every format reads alike."""
    with tempfile.NamedTemporaryFile(suffix='.pcap') as plain:
        subprocess.run(['editcap', '-F', 'pcap', path, plain.name], check=False, stderr=subprocess.DEVNULL)
        data = Path(plain.name).read_bytes()
    if data[:4] != b'\xd4\xc3\xb2\xa1' or struct.unpack('<I', data[20:24])[0] & 0xffff != 1:
        return
    at = 24
    while at + 16 <= len(data):
        captured, wire = struct.unpack('<II', data[at + 8:at + 16])
        frame = data[at + 16:at + 16 + captured]
        if len(frame) == captured == wire and 34 < captured <= 1514:
            yield frame
        at += 16 + captured


def build_from_bundled(out, frames_wanted):
    """Repeats the bundled captures with other IPv4 addresses per copy until there are enough frames."""
    kept = [frame for path in sorted((ROOT / 'tests/captures').rglob('*.pcap*')) for frame in frames_of(path)]
    if not kept:
        sys.exit('no bundled captures to build from')
    copies = -(-frames_wanted // len(kept))
    number = 0
    with open(out, 'wb') as file:
        file.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
        for copy in range(copies):
            for original in kept:
                frame = bytearray(original)
                if frame[12:14] == b'\x08\x00':
                    frame[27] = (frame[27] + 37 * copy) & 255
                    frame[31] = (frame[31] + 37 * copy) & 255
                t_us = number * FRAME_GAP_US
                file.write(struct.pack('<IIII', 1700000000 + t_us // 1000000, t_us % 1000000, len(frame), len(frame)))
                file.write(frame)
                number += 1
    print(f'built from the bundled captures: {number} frames, {os.path.getsize(out)} bytes', file=sys.stderr)


def build_capture(out, frames_wanted):
    builder = SHARED / 'bench/mixed_capture.py'
    if not builder.exists():
        return build_from_bundled(out, frames_wanted)
    copies = max(1, frames_wanted // 430000)
    subprocess.run([sys.executable, builder, SHARED / 'captures', out, '--copies', str(copies)], check=True, stdout=sys.stderr)


def build_floor(folder):
    program = Path(folder) / 'floor'
    include = subprocess.run(['pkg-config', '--cflags', '--libs', 'libndpi', 'libpcap'], capture_output=True, text=True, check=True).stdout.split()
    subprocess.run(['cc', '-O2', '-std=gnu17', ROOT / 'tests/bench/floor.c', '-o', program, *include], check=True)
    return program


def contestants(build, floor, capture, folder):
    nightjar = build / 'cli/nightjar'
    rows = [
        ('libpcap alone', [floor, '0', capture]),
        ('libpcap + flow table', [floor, '1', capture]),
        ('floor: + bounded nDPI', [floor, '2', capture]),
        ('nightjar replay, 1 worker', [nightjar, 'replay', '--quiet', '--json', '--workers', '1', capture]),
        ('nightjar replay, 2 workers', [nightjar, 'replay', '--quiet', '--json', '--workers', '2', capture]),
        ('nightjar flows (sensor only)', [nightjar, 'flows', '--quiet', capture]),
    ]
    if shutil.which('ndpiReader'):
        rows.append(('ndpiReader', ['ndpiReader', '-q', '-i', capture]))
    if shutil.which('suricata'):
        rows.append(('Suricata, no rules', ['suricata', '-r', capture, '-S', '/dev/null', '-l', folder, '-k', 'none', '--runmode', 'autofp']))
    return [(name, [str(word) for word in command]) for name, command in rows]


def measure(command):
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return {'wall': time.monotonic() - start, 'cpu': usage.ru_utime + usage.ru_stime, 'kib': usage.ru_maxrss, 'exit': process.returncode}


def table(names, runs, frames):
    median = {name: {k: statistics.median(r[k] for r in runs[name]) for k in ('wall', 'cpu', 'kib')} for name in names}
    floor = median['floor: + bounded nDPI']
    lines = ['| program | wall s | CPU s | ns/packet (wall) | of floor, wall | of floor, CPU | MiB |', '|---|---|---|---|---|---|---|']
    for name in names:
        m = median[name]
        spread = f"{min(r['wall'] for r in runs[name]):.2f}-{max(r['wall'] for r in runs[name]):.2f}"
        lines.append(f"| {name} | {m['wall']:.2f} ({spread}) | {m['cpu']:.2f} | {m['wall'] / frames * 1e9:.0f} | {m['wall'] / floor['wall']:.2f} | "
                     f"{m['cpu'] / floor['cpu']:.2f} | {m['kib'] / 1024:.0f} |")
    ours, rivals = median['nightjar replay, 1 worker'], [n for n in names if n.startswith(('ndpiReader', 'Suricata'))]
    lines.append('')
    lines.append(f"replay with one worker: {ours['wall'] / floor['wall']:.2f} x the floor (goal 1.50)")
    if rivals:
        fastest = min(rivals, key=lambda name: median[name]['wall'])
        lines.append(f"replay with one worker: {ours['wall'] / median[fastest]['wall']:.2f} x {fastest} (goal 0.35)")
    return '\n'.join(lines)


def print_memory(build, capture):
    """Bytes per flow from the sensor's own account, per agent from what the aggregator's bound grows by with each agent more."""
    print('\nsensor part alone, one worker:\n' + subprocess.run([build / 'tests/bench_worker', capture, '1'], capture_output=True, text=True, check=True).stdout.strip())
    bound = {}
    small = ROOT / 'tests/captures/decoy.pcap.zst'
    for agents in (10000, 20000):
        with tempfile.NamedTemporaryFile(suffix='.json') as counters:
            subprocess.run([build / 'cli/nightjar', 'replay', '--quiet', '--json', '--agents-max', str(agents), '--counters', counters.name, small],
                           check=True, stdout=subprocess.DEVNULL)
            bound[agents] = json.loads(Path(counters.name).read_text())['memory_bytes']
    print(f'the memory bound grows by {(bound[20000] - bound[10000]) / 10000:.0f} bytes an agent')



def count_frames(capture):
    with open(capture, 'rb') as file:
        file.seek(24)
        frames = 0
        while len(header := file.read(16)) == 16:
            file.seek(struct.unpack('<I', header[8:12])[0], 1)
            frames += 1
    return frames


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('build', type=Path)
    parser.add_argument('--capture', type=Path)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--frames', type=int, default=1000000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix='nightjar-bench.') as folder:
        capture = options.capture or Path(folder) / 'capture.pcap'
        if not options.capture:
            build_capture(capture, options.frames)
        frames = count_frames(capture)
        rows = contestants(options.build.resolve(), build_floor(folder), capture, folder)
        runs = {name: [] for name, _ in rows}
        for number in range(options.rounds + 1):
            for name, command in rows:
                result = measure(command)
                if result['exit'] != 0:
                    sys.exit(f'{name} failed with exit {result["exit"]}: {" ".join(command)}')
                if number > 0:  # the first round warms the page cache
                    runs[name].append(result)
                print(f'round {number}: {name}: {result["wall"]:.2f} s', file=sys.stderr)
        print(f'{frames} packets, {os.path.getsize(capture)} bytes, {options.rounds} rounds in turn, {os.cpu_count()} cores; medians (range)\n')
        print(table([name for name, _ in rows], runs, frames))
        print_memory(options.build, capture)


if __name__ == '__main__':
    main()
