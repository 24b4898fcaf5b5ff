#!/usr/bin/env python3
"""How many packets a second a live sensor takes without losing one, beside `tcpdump -w /dev/null` and Suricata without rules on the same link; and what a SYN flood
from ten million addresses costs. Prints the tables of docs/capture.md.

usage: rates.py BUILD [--capture FILE] [--seconds N] [--rounds N] [--only NAME,...] [--addresses N] [--flood-rate N]

A veth pair in a box of its own (tests/range/sandbox.py), a sender on one end (sender.c), the tool on the other. The rate is doubled until frames are lost or the sender
can no more, then halved in between. Beside it stands the processor time a frame costs the tool, which says what a core would do where the sender is the limit: here sender,
kernel and tool share the machine's cores. The load of the machine is printed with the figures: others' work counts against all tools alike.
"""
import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests/range'))
sys.dont_write_bytecode = True

import sandbox  # noqa: E402
from topology import inside  # noqa: E402

FIRST_RATE = 50_000
TOP_RATE = 6_400_000
HALVINGS = 4
PATIENCE_S = 120
SETTLE_S = 2  # tcpdump's ring hands a block over after a second


def link():
    """source:va <-> tap:vb"""
    for name in ('source', 'tap'):
        subprocess.run(['ip', 'netns', 'add', name], check=True)
        subprocess.run(inside(name, ['sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6; ip link set lo up']), check=True)
    subprocess.run(['ip', 'link', 'add', 'va', 'netns', 'source', 'type', 'veth', 'peer', 'name', 'vb', 'netns', 'tap'], check=True)
    for name, end in (('source', 'va'), ('tap', 'vb')):
        subprocess.run(['ip', '-n', name, 'link', 'set', end, 'up'], check=True)


def wait_for(condition, words):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f'rates: {words}')
        time.sleep(0.02)


def text_of(path):
    return path.read_text(errors='replace') if path.exists() else ''


class Tool:
    """A program that captures on vb: started, told to stop, asked what it took and lost."""

    def __init__(self, folder, words, ready, log=None):
        self.log = folder / 'log'
        self.log.unlink(missing_ok=True)
        with open(self.log, 'wb') as file:
            self.process = subprocess.Popen(inside('tap', words), stdout=file, stderr=subprocess.STDOUT)
        self.log = log or self.log
        wait_for(lambda: ready in text_of(self.log) or self.process.poll() is not None, f'{words[0]} does not begin')
        if self.process.poll() is not None:
            sys.exit(f'rates: {words[0]} ended: {text_of(self.log)[-500:]}')

    def cpu_s(self):
        """Of all threads, to the nanosecond: the scheduler's own count."""
        return sum(int(file.read_text().split()[0]) for file in Path(f'/proc/{self.process.pid}/task').glob('*/schedstat')) / 1e9

    def end(self, number):
        self.process.send_signal(number)
        self.process.wait(PATIENCE_S)
        return text_of(self.log)


class Sensor:
    end_signal = signal.SIGTERM

    def __init__(self, build, workers):
        self.name = f'nightjar-sensor, {workers} worker{"s" if workers > 1 else ""}'
        self.words = [str(build / 'sensor/nightjar-sensor'), '--interface', 'vb', '--workers', str(workers), '--aggregator', 'ipc:///run/nobody', '--set', 'finish=1']

    def start(self, folder):
        return Tool(folder, self.words + ['--journal', str(folder / 'journal')], 'watching with')

    @staticmethod
    def lost(said, sent):
        taken = int(re.search(r'(\d+) frames seen', said)[1])
        return sent - taken


class Tcpdump:
    name = 'tcpdump -w /dev/null'
    end_signal = signal.SIGINT

    @staticmethod
    def start(folder):
        return Tool(folder, ['tcpdump', '-i', 'vb', '-n', '-s', '0', '-B', '65536', '-Z', 'root', '-w', '/dev/null'], 'listening on')

    @staticmethod
    def lost(said, sent):
        return sent - int(re.search(r'(\d+) packets? captured', said)[1])


class Suricata:
    name = 'suricata, no rules'
    end_signal = signal.SIGINT

    @staticmethod
    def start(folder):
        shutil.rmtree(folder / 'suricata', ignore_errors=True)
        (folder / 'suricata').mkdir()
        return Tool(folder, ['suricata', '-c', '/etc/suricata/suricata.yaml', '--af-packet', '-S', '/dev/null', '-k', 'none', '-l', str(folder / 'suricata'), '--set',
                             'af-packet.0.interface=vb', '--set', 'af-packet.0.ring-size=200000', '--set', 'unix-command.enabled=no', '-v'], 'Engine started')

    @staticmethod
    def lost(said, sent):
        return sent - sum(int(packets) - int(drops) for packets, drops in re.findall(r'packets: (\d+), drops: (\d+)', said))


def send(build, rate, seconds, *what):
    done = subprocess.run(inside('source', [str(build / 'tests/sender'), 'va', str(rate), str(seconds), *what]), check=True, capture_output=True, text=True)
    frames, speed = re.match(r'(\d+) frames at (\d+)', done.stdout).groups()
    return int(frames), int(speed)


def trial(tool, options, folder, rate):
    """Gives the speed reached, the frames lost and the microseconds of processor a frame took."""
    running = tool.start(folder)
    before = running.cpu_s()
    sent, speed = send(options.build, rate, options.seconds, options.capture)
    time.sleep(SETTLE_S)  # the rings hand over what they hold
    cost_us = (running.cpu_s() - before) * 1e6 / sent
    lost = tool.lost(running.end(tool.end_signal), sent)
    print(f'  {tool.name}: asked {rate or "all"}, sent {sent} at {speed}/s, lost {lost}, {cost_us:.2f} us a frame', file=sys.stderr, flush=True)
    return speed, lost, cost_us


def measure(tool, options, folder):
    """The highest speed without loss, whether the sender was its limit, and the cost there."""
    best, cost, limit, rate = 0, 0.0, False, FIRST_RATE
    good, bad = 0, None
    while rate <= TOP_RATE:
        speed, lost, cost_us = trial(tool, options, folder, rate)
        if lost > 0:
            bad = rate
            break
        good = rate
        if speed > best:
            best, cost = speed, cost_us
        if speed < rate * 0.97:
            limit = True
            break
        rate *= 2
    for _ in range(HALVINGS if bad is not None else 0):
        rate = (good + bad) // 2
        speed, lost, cost_us = trial(tool, options, folder, rate)
        if lost > 0:
            bad = rate
        else:
            good = rate
            if speed > best:
                best, cost = speed, cost_us
    return best, limit, cost


def rates(options, folder):
    tools = [Sensor(options.build, 1), Sensor(options.build, 2), Tcpdump(), Suricata()]
    tools = [tool for tool in tools if any(word in tool.name for word in options.only.split(','))]
    tools = [tool for tool in tools if isinstance(tool, Sensor) or shutil.which(tool.name.split()[0].strip(','))]
    print('| tool | packets a second without loss | processor a packet | that is, a core |')
    print('|---|---|---|---|')
    for tool in tools:
        best, limit, cost = max(measure(tool, options, folder) for _ in range(options.rounds))
        print(f'| {tool.name} | {best:,}{" (all that the sender could)" if limit else ""} | {cost:.2f} us | {1e6 / cost if cost else 0:,.0f}/s |', flush=True)


def bound_mb(said):
    return float(re.search(r'memory bounded by (\d+) MB', said)[1])


def flood(options, folder):
    """The sensor's and the aggregator's memory through it, and whether the scan in it was found."""
    seconds = max(1, options.addresses // options.flood_rate)
    socket, alerts = folder / 'flood.socket', folder / 'alerts'
    with open(alerts, 'wb') as out, open(folder / 'aggregator.log', 'wb') as err:
        aggregator = subprocess.Popen([str(options.build / 'aggregator/nightjar-aggregator'), '--once', '--alerts', '--listen', f'ipc://{socket}'], stdout=out, stderr=err)
    wait_for(socket.exists, 'the aggregator does not listen')
    sensor = Sensor(options.build, 1)
    sensor.words[sensor.words.index('ipc:///run/nobody')] = f'ipc://{socket}'
    sensor.words[sensor.words.index('finish=1')] = 'finish=120'
    running = sensor.start(folder)
    sender = subprocess.Popen(inside('source', [str(options.build / 'tests/sender'), 'va', str(options.flood_rate), str(seconds), 'flood', str(options.addresses)]),
                              stdout=subprocess.PIPE, text=True)
    highest = {'sensor': 0.0, 'aggregator': 0.0}
    last = time.monotonic() + seconds + 25  # windows close, outcomes of the last openings are known
    while sender.poll() is None or time.monotonic() < last:
        for name, pid in (('sensor', running.process.pid), ('aggregator', aggregator.pid)):
            status = Path(f'/proc/{pid}/status').read_text()
            highest[name] = max(highest[name], int(re.search(r'VmRSS:\s+(\d+)', status)[1]) / 1024)
        time.sleep(0.25)  # between two looks
    said = running.end(signal.SIGTERM)
    aggregator.wait(PATIENCE_S)
    sent = sender.stdout.read().strip()
    found = [alert for alert in map(json.loads, alerts.read_text().splitlines()) if alert['agent']['address'] == '10.20.1.5']
    seen, kernel = int(re.search(r'(\d+) frames seen', said)[1]), re.findall(r'in all \d+ frames, (\d+) dropped', said)[-1]
    print(f'\nSYN flood from {options.addresses:,} addresses: {sent}; {seen} seen, {kernel} dropped by the kernel; {re.search(r"[0-9]+ windows =.*dropped", said)[0]}.')
    print(f'Sensor: {highest["sensor"]:.0f} MB resident of {bound_mb(said):.0f} MB printed. '
          f'Aggregator: {highest["aggregator"]:.0f} MB of {bound_mb(text_of(folder / "aggregator.log")):.0f} MB.')
    for alert in found:
        print(f'Found in it: {alert["detector"]}: {alert["summary"]}')
    if not found:
        print('The scan in it was NOT found.')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('build', type=lambda word: Path(word).resolve())
    parser.add_argument('--capture', default=str(ROOT / 'tests/captures/quickstart.pcapng.zst'))
    parser.add_argument('--seconds', type=int, default=5)
    parser.add_argument('--rounds', type=int, default=1)
    parser.add_argument('--only', default='nightjar,tcpdump,suricata,flood')
    parser.add_argument('--addresses', type=int, default=10_000_000)
    parser.add_argument('--flood-rate', type=int, default=200_000)
    options = parser.parse_args()
    sandbox.enter(3600)
    link()
    print(f'{os.cpu_count()} processors, kernel {os.uname().release}, load {os.getloadavg()[0]:.1f} at the start', flush=True)
    with tempfile.TemporaryDirectory(prefix='nj_rates_') as folder:
        rates(options, Path(folder))
        if 'flood' in options.only:
            flood(options, Path(folder))
    print(f'load {os.getloadavg()[0]:.1f} at the end')


if __name__ == '__main__':
    main()
