#!/usr/bin/env python3
"""Minutes or hours of live traffic at a steady rate: is memory flat, does a descriptor leak, does anything get lost?

usage: soak.py BUILD [--minutes N] [--rate N] [--capture FILE] [--workers N] [--every S]

Samples the resident memory and the open descriptors of both daemons. After a first third, in which tables fill, the middle and the last third are compared: flat is what
differs by less than 2 % (or 4 MB) and has not one descriptor more. Exit code 1 when something is not flat or was lost.
"""
import argparse
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import rates

ALLOWED_SHARE = 0.02
ALLOWED_MB = 4


def sample(pid):
    status = Path(f'/proc/{pid}/status').read_text()
    return int(re.search(r'VmRSS:\s+(\d+)', status)[1]) / 1024, len(os.listdir(f'/proc/{pid}/fd'))


def verdict(name, samples):
    third = len(samples) // 3
    middle, last = samples[third:2 * third], samples[2 * third:]
    before, after = statistics.median(mb for mb, _ in middle), statistics.median(mb for mb, _ in last)
    descriptors = max(n for _, n in middle), max(n for _, n in last)
    flat = after - before <= max(ALLOWED_MB, before * ALLOWED_SHARE) and descriptors[1] <= descriptors[0]
    print(f'| {name} | {samples[0][0]:.0f} | {before:.0f} | {after:.0f} | {max(mb for mb, _ in samples):.0f} | {descriptors[0]} / {descriptors[1]} | '
          f'{"flat" if flat else "NOT FLAT"} |')
    return flat


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('build', type=lambda word: Path(word).resolve())
    parser.add_argument('--minutes', type=float, default=60)
    parser.add_argument('--rate', type=int, default=50_000)
    parser.add_argument('--workers', type=int, default=1)
    parser.add_argument('--every', type=float, default=5)
    parser.add_argument('--capture', default=str(rates.ROOT / 'tests/captures/quickstart.pcapng.zst'))
    options = parser.parse_args()
    seconds = int(options.minutes * 60)
    rates.sandbox.enter(seconds + 600)
    rates.link()
    with tempfile.TemporaryDirectory(prefix='nj_soak_') as name:
        folder = Path(name)
        socket = folder / 'socket'
        with open(folder / 'aggregator.log', 'wb') as log:
            aggregator = subprocess.Popen([str(options.build / 'aggregator/nightjar-aggregator'), '--once', '--listen', f'ipc://{socket}', '--journal',
                                           str(folder / 'aggregator.journal'), '--store', str(folder / 'store')], stdout=log, stderr=log)
        rates.wait_for(socket.exists, 'the aggregator does not listen')
        sensor = rates.Sensor(options.build, options.workers)
        sensor.words[sensor.words.index('ipc:///run/nobody')] = f'ipc://{socket}'
        sensor.words[sensor.words.index('finish=1')] = 'finish=120'
        running = sensor.start(folder)
        sender = subprocess.Popen(rates.inside('source', [str(options.build / 'tests/sender'), 'va', str(options.rate), str(seconds), options.capture]),
                                  stdout=subprocess.PIPE, text=True)
        samples = {'nightjar-sensor': [], 'nightjar-aggregator': []}
        while sender.poll() is None:
            for name, pid in (('nightjar-sensor', running.process.pid), ('nightjar-aggregator', aggregator.pid)):
                samples[name].append(sample(pid))
            time.sleep(options.every)  # between two samples
        sent = int(sender.stdout.read().split()[0])
        said = running.end(signal.SIGTERM)
        aggregator.wait(rates.PATIENCE_S)
        lost = sensor.lost(said, sent)
        print(f'{options.minutes:g} min, {sent:,} frames sent at {sent / seconds:,.0f} a second, {lost} lost; load {os.getloadavg()[2]:.1f} over the last quarter of an hour')
        print(re.search(r'[0-9]+ windows =.*', said)[0])
        print('\n| daemon | MB at first | middle third | last third | highest | descriptors | |\n|---|---|---|---|---|---|---|')
        flat = [verdict(name, taken) for name, taken in samples.items()]
    sys.exit(0 if all(flat) and lost == 0 else 1)


if __name__ == '__main__':
    main()
