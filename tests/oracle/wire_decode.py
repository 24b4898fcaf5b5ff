#!/usr/bin/env python3
"""Decodes batches by docs/wire.md alone, with Python's msgpack, and holds them against what the C side says they contain. Then rewrites each batch as a later
release might (fields appended everywhere) and as a terser writer might (trailing zeros left out), and lets the C decoder read both.

usage: wire_decode.py WIRE_TOOL FEATURES_MD [SEED]        exits 77 when Python has no msgpack
"""
import ipaddress
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import msgpack
except ImportError:
    print('SKIPPED: this Python has no msgpack (Debian: python3-msgpack); the wire page was NOT checked', file=sys.stderr)
    sys.exit(77)

PAGE = Path(__file__).parents[2] / 'docs/wire.md'
BATCHES = 60
M64 = 1 << 64
ACCOUNT_COUNTS = 14
CONTACT = ('flow_port opened answered refused unanswered reset packets_out packets_in bytes_out bytes_in flow_bytes external '
           'first_ns last_ns requests name bursts burst_ms began ended').split()
SELDOM = {'flow_bytes', 'opened', 'answered', 'refused', 'unanswered', 'reset', 'requests', 'bursts'}
EXCHANGE = ('port flow_port protocol form score end_ns bytes_up bytes_down burst_ms wait_ms answer_ms records_up records_down record_p50_bytes gap_p50_us '
            'flags api client_kind').split()
FLAGS = re.search(r'The bits of flags from 1 on: (.*)\.', PAGE.read_text())[1].split(', ')
APIS = dict(re.findall(r'(\d+) (\w+)', re.search(r'The values of api: (.*)\.', PAGE.read_text())[1]))
KINDS = {1: 'ja4', 2: 'hassh', 3: 'http'}


def table(page, section):
    """Rows of one table of features.md: (name, unit, rule)."""
    part = page.split(f'## {section}\n')[1].split('\n## ')[0]
    return re.findall(r'^\| \d+ \| `(\w+)` \| (.*?) \| (\w+) \|', part, re.M)


def address(raw):
    if len(raw) == 4:
        return str(ipaddress.IPv4Address(raw))
    return str(ipaddress.IPv6Address(raw))


def sort_key(raw):
    return bytes(10) + b'\xff\xff' + raw if len(raw) == 4 else raw


def segment(value):
    kind, value = value >> 24, value & 0xffffff
    return {1: f'vlan:{value & 0xfff}', 2: f'qinq:{value >> 12}.{value & 0xfff}', 3: f'vni:{value}'}.get(kind, '')


def field(record, index, missing=0):
    return record[index] if index < len(record) else missing


def pairs(gap_list):
    index = -1
    for gap, value in zip(gap_list[::2], gap_list[1::2], strict=True):
        index += 1 + gap
        yield index, value


class Batch:
    def __init__(self, frame, scalars, vectors):
        self.record = msgpack.unpackb(frame, raw=True)
        self.scalars, self.vectors = scalars, vectors
        self.texts = [b'']
        self.start = self.record[9]

    def text(self, value):
        if isinstance(value, int):
            return self.texts[value].decode()
        if value and len(self.texts) < 4096:
            self.texts.append(value)
        return value.decode()

    def head(self):
        r = self.record
        assert r[0] == 2 and r[1] == 1, r[:3]
        head = {'sensor': r[3].decode(), 'tap_group': r[4].decode(), 'table_id': r[5][0], 'key_id': r[6], 'boot': r[7], 'sequence': r[8],
                'start_ns': r[9], 'width_ms': r[10], 'flags': r[11]}
        if r[11] & 1:
            drops = [v.decode() if isinstance(v, bytes) else v for v in field(r[12], ACCOUNT_COUNTS, [])]
            head['account'] = [field(r[12], i) for i in range(ACCOUNT_COUNTS)] + drops
        else:
            assert r[12] is None
        return head

    def window(self, w):
        features = {}
        for index, value in pairs(field(w, 2, [])):
            name, unit, _ = self.scalars[index]
            features[name] = (self.start + value) % M64 if unit == 'ns' else value
        vectors = {}
        for index, value in pairs(field(w, 3, [])):
            name, _, kind = self.vectors[index]
            assert kind in ('DISTINCT', 'HISTOGRAM')
            elements = enumerate(value) if isinstance(value, bytes) else pairs(value)
            vectors[name] = [[i, v] for i, v in elements if v]
        return {'address': address(w[0]), 'segment': segment(field(w, 1)), 'start_ns': self.start, 'width_ms': self.record[10],
                'features': features, 'vectors': vectors, 'contacts': self.contacts(field(w, 4, [])),
                'domains': [self.domain(d) for d in field(w, 5, [])], 'clients': [self.client(c) for c in field(w, 6, [])],
                'exchanges': [self.exchange(e) for e in field(w, 7, [])], 'tools': [self.tool(t) for t in field(w, 8, [])]}

    def contacts(self, records):
        out, peer = [], None
        for r in records:
            peer = peer if r[0] is None else r[0]
            c = {'peer': address(peer), 'port': r[1], 'protocol': r[2], 'role': {1: 'client', 2: 'server'}[r[3]], 'app': self.text(r[4])}
            c.update((name, field(r, 5 + i)) for i, name in enumerate(CONTACT))
            c['first_ns'] = (self.start + c['first_ns']) % M64
            c['last_ns'] = (c['first_ns'] + c['last_ns']) % M64
            c['external'] = c['external'] == 1
            c['name'] = self.text(c['name'])
            for name in ('began', 'ended'):
                c[name] = [i for i, _ in pairs([v for gap in c[name] or [] for v in (gap, 1)])]
            for name in SELDOM | {'name', 'burst_ms', 'began', 'ended'}:
                if not c[name]:
                    del c[name]
            out.append(c)
        return out

    def domain(self, r):
        d = {'name': self.text(r[0]), 'queries': r[1], 'nxdomain': r[2], 'free_text': r[3], 'name_bytes': r[4], 'answer_bytes': r[5], 'sample': field(r, 6, [])}
        return {k: v for k, v in d.items() if v or k not in ('nxdomain', 'free_text')}

    def client(self, r):
        return {'kind': KINDS[r[0]], 'text': self.text(r[1]), 'flows': r[2], 'bytes_out': r[3], 'first_ns': (self.start + r[4]) % M64,
                'peer': address(r[5]), 'port': r[6]}

    def exchange(self, r):
        e = {'start_ns': (self.start + r[0]) % M64, 'peer': address(r[1])}
        e.update((name, field(r, 2 + i)) for i, name in enumerate(EXCHANGE))
        e['end_ns'] = (e['start_ns'] + e['end_ns']) % M64
        e['client'], e['name'] = self.text(field(r, 20)), self.text(field(r, 21))
        e['client_kind'] = KINDS.get(e['client_kind'], '')
        e['form'] = {1: 'streamed', 2: 'single'}.get(e['form'], 'unknown')
        e['flags'] = [name for i, name in enumerate(FLAGS) if e['flags'] >> i & 1]
        e['api'] = APIS.get(str(e['api']), '')
        return {k: v for k, v in e.items() if v or k not in ('name', 'client', 'client_kind', 'record_p50_bytes', 'gap_p50_us')}

    def tool(self, r):
        t = {'peer': address(r[0]), 'port': field(r, 1), 'kind': {1: 'mcp', 2: 'a2a', 3: 'json-rpc'}.get(field(r, 2), ''), 'external': field(r, 3) == 1,
             'calls': field(r, 4), 'first_ns': (self.start + field(r, 5)) % M64, 'method': self.text(field(r, 6)), 'name': self.text(field(r, 7))}
        return {k: v for k, v in t.items() if v or k != 'name'}

    def lines(self):
        agents = [(field(w, 1), sort_key(w[0])) for w in self.record[13]]
        assert agents == sorted(set(agents)), 'agents are not in order'
        return [self.head()] + [self.window(w) for w in self.record[13]]


CONTACT_TAIL = [0, 0, 0, [], [], []]


def rewrite(record, change):
    """Applies *change* to every record of a batch."""
    windows = []
    for w in record[13]:
        w = list(w)
        for i in range(4, len(w)):
            w[i] = [change('contact' if i == 4 else 'element', list(r)) for r in w[i]]
        windows.append(change('window', w))
    account = change('account', list(record[12])) if record[12] is not None else None
    return change('batch', [*record[:12], account, windows])


def append_fields(what, record):
    if what == 'contact':
        record += CONTACT_TAIL[len(record) - 19:]
    if what == 'window':
        record += [[]] * (9 - len(record))
    return record + [{'later': [1, -2.5, None]}, b'bytes', -1]


def append_rows(what, record):
    """A later release's features: indices this one does not know."""
    if what == 'window':
        record[2] = record[2] + [900, 7]
        record[3] = record[3] + [900, [0, 1]]
    return record


def trim(_, record):
    record = list(record)
    while record and record[-1] in (0, b'', [], None) and len(record) > 1:
        record.pop()
    return record


def pack(record):
    return msgpack.packb(record, use_bin_type=True)


def mark_texts(record):
    """raw=True gave every string as bytes; make those that were strings str again, so that they are packed as strings."""
    def contact(r):
        r[4] = as_text(r[4])
        if len(r) > 20:
            r[20] = as_text(r[20])
        return r

    def named(r, i):
        r[i] = as_text(r[i])
        return r

    record = list(record)
    record[3], record[4] = record[3].decode(), record[4].decode()
    if record[12] is not None:
        record[12] = record[12][:14] + [[as_text(v) for v in record[12][14]]]
    record[13] = [[*w[:4], [contact(list(c)) for c in w[4]], [named(list(d), 0) for d in w[5]], [named(list(c), 1) for c in w[6]],
                   *([named(named(list(r), a), b) for r in part] for part, a, b in zip(w[7:], (20, 6), (21, 7)))] for w in record[13]]
    return record


def as_text(value):
    return value.decode() if isinstance(value, bytes) else value


def read_back(tool, folder, frame):
    path = folder / 'rewritten.batch'
    path.write_bytes(frame)
    run = subprocess.run([tool, 'read', path], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


def check_small(tool, folder):
    subprocess.run([tool, 'small', folder], check=True)
    hello = msgpack.unpackb((folder / 'hello').read_bytes())
    ack = msgpack.unpackb((folder / 'ack').read_bytes())
    refuse = msgpack.unpackb((folder / 'refuse').read_bytes())
    assert hello[:3] == [1, 1, 1] and hello[3].startswith('nightjar ') and hello[4:6] == ['tap-1', 'rack.7'], hello
    assert len(hello[6]) >= 1 and hello[8:] == [1 << 63, 12, 3, 1, 11, 4], hello
    assert ack == [3, 1, 1, 1 << 63, 300, 32, 1, 290, 2], ack
    example = re.search(r'^    ((?:[0-9a-f]{2} ?)+)$', PAGE.read_text(), re.M)[1]
    assert bytes.fromhex(example) == (folder / 'ack').read_bytes(), 'the example of the page is not what is sent'
    assert refuse[:4] == [4, 1, 1, 2] and refuse[5] == 'because', refuse


    assert msgpack.unpackb((folder / 'settled').read_bytes()) == [6, 1, 1, 1 << 63, 299]
    check_heartbeat(folder)


def check_heartbeat(folder):
    """By the numbered rows of the page: | 5 | boot | ... |."""
    record = msgpack.unpackb((folder / 'heartbeat').read_bytes())
    told = json.loads((folder / 'heartbeat.json').read_text())
    section = PAGE.read_text().split('## HEARTBEAT')[1].split('\n## ')[0]
    rows = re.findall(r'^\| (\d+) \| (\w+) \|', section, re.M)
    assert record[:3] == [5, 1, 1] and len(rows) == len(told) == len(record) - 3, (len(rows), len(told), len(record))
    for index, name in rows:
        assert record[int(index)] == told[name], (name, record[int(index)], told[name])


def main():
    tool, page = sys.argv[1], Path(sys.argv[2]).read_text()
    seed = sys.argv[3] if len(sys.argv) > 3 else '1'
    scalars, vectors = table(page, 'Scalars'), table(page, 'Vectors')
    windows = contacts = size = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([tool, 'write', folder, str(BATCHES), seed], check=True)
        for i in range(BATCHES):
            frame, text = (folder / f'{i}.batch').read_bytes(), (folder / f'{i}.json').read_text()
            expected = [json.loads(line) for line in text.splitlines()]
            batch = Batch(frame, scalars, vectors)
            lines = batch.lines()
            assert len(lines) == len(expected), (i, len(lines), len(expected))
            for mine, theirs in zip(lines, expected):
                if mine != theirs:
                    parts = [k for k in theirs if mine.get(k) != theirs[k]]
                    sys.exit(f'batch {i} of seed {seed} differs in {parts}:\n  page: {[mine.get(k) for k in parts]}\n  C:    {[theirs[k] for k in parts]}')
            record = mark_texts(batch.record)
            for change in (append_rows, append_fields, trim):
                again = read_back(tool, folder, pack(rewrite(record, change)))
                assert again == text, f'batch {i} of seed {seed} after {change.__name__}'
            windows += len(lines) - 1
            contacts += sum(len(w['contacts']) for w in lines[1:])
            size += len(frame)
        check_small(tool, folder)
    print(f'{BATCHES} batches, {windows} windows, {contacts} contacts, {size} bytes: equal; later and terser writers understood')


if __name__ == '__main__':
    main()
