#!/usr/bin/env python3
"""Every frame of every shared capture, decoded by Nightjar and by tshark: innermost addresses, protocol and ports must agree.

  decode_vs_tshark.py DUMP_PACKETS [--captures DIR] [--show KIND] [PATTERN...]

DUMP_PACKETS is the built tests/oracle/dump_packets.c. Captures: $NJ_SHARED/captures, by default ../shared/captures beside the repository. Exits 77 (skipped,
with the reason) without tshark, mergecap or captures; 1 when a frame differs for a reason that decode-differences.md does not name; 0 otherwise.

tshark takes half a second to start, so sound captures without fragments are merged to batches; damaged ones and those with fragments (whose
reassembly must not mix) go alone. Two processes run side by side.
"""
import collections, concurrent.futures, itertools, os, re, shutil, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
FIELDS = ['frame.protocols', 'ip.src', 'ip.dst', 'ip.proto', 'ipv6.src', 'ipv6.dst', 'ipv6.nxt', 'tcp.srcport', 'tcp.dstport', 'udp.srcport',
          'udp.dstport', 'sctp.srcport', 'sctp.dstport', 'arp.src.proto_ipv4', 'arp.dst.proto_ipv4', 'ip.len', 'ip.hdr_len', 'ipv6.plen', 'udp.length',
          'tcp.hdr_len', 'ip.flags.mf', 'ip.frag_offset']
TRANSPORTS = {'tcp': 6, 'udp': 17, 'sctp': 132, 'icmp': 1, 'icmpv6': 58, 'udplite': 136, 'ip': 4, 'ipv6': 41, 'gre': 47, 'ospf': 89, 'igmp': 2, 'pim': 103,
              'vrrp': 112, 'esp': 50, 'ah': 51, 'dccp': 33, 'eigrp': 88, 'rsvp': 46}
BATCH_FRAMES = 12000

Packet = collections.namedtuple('Packet', 'src dst protocol src_port dst_port')
Ours = collections.namedtuple('Ours', 'fate packet segment frames encapsulations')


def skip(why):
    print(f'SKIPPED: decode against tshark not checked: {why}')
    sys.exit(77)


def find_captures(folder):
    return sorted(os.path.join(d, f) for d, _, fs in os.walk(folder) for f in fs if not f.endswith(('.csv', '.md', '.txt')))


def read_ours(dump, paths):
    """path -> (frames as Ours, fragments, error)"""
    out = subprocess.run([dump] + paths, capture_output=True, text=True, errors='replace')
    if out.returncode != 0:
        sys.exit(f'dump_packets failed: {out.stderr[-2000:]}')
    files, frames, path = {}, [], None
    for line in out.stdout.splitlines():
        f = line.split('\t')
        if f[0] == 'F':
            path, frames = f[2], []
        elif f[0] == 'E':
            files[path] = (frames, int(f[2]), f[3])
        elif len(f) == 2:
            frames.append(Ours(f[1], None, '', 0, 0))
        else:
            frames.append(Ours(f[1], Packet(f[2], f[3], int(f[4]), int(f[5]), int(f[6])), f[7], int(f[8]), int(f[9])))
    return files


def tshark_lines(path):
    command = ['tshark', '-n', '-r', path, '-T', 'fields', '-E', 'occurrence=a', '-E', 'aggregator=,', '-o', 'tcp.desegment_tcp_streams:FALSE',
               '-o', 'udp.check_checksum:FALSE', '-o', 'ip.defragment:TRUE']
    for field in FIELDS:
        command += ['-e', field]
    out = subprocess.run(command, capture_output=True, text=True, errors='replace').stdout
    return out.splitlines()


class Theirs:
    """What tshark says of a frame's innermost packet: its protocols down to the transport, the packet, and the lengths it printed."""

    def __init__(self, line):
        self.values = dict(zip(FIELDS, line.split('\t') + [''] * len(FIELDS)))
        self.kind = self.transport = None
        self.n = self.transport_n = 0
        self.path = self.find_innermost(self.values['frame.protocols'].split(':'))
        self.packet = self.make_packet() if self.kind else None

    def find_innermost(self, tokens):
        seen, path = collections.Counter(), []
        for token in tokens:
            path.append(token)
            seen[token] += 1
            if token in ('ip', 'ipv6', 'arp'):
                self.kind, self.n, self.transport = token, seen[token], None
            elif token in TRANSPORTS and self.transport is None and self.kind:
                self.transport, self.transport_n = token, seen[token]
                if token in ('icmp', 'icmpv6'):  # what follows is quoted
                    break
        return ':'.join(path)

    def value(self, field, n=None):
        """The field's value in the innermost header, as text."""
        v = self.values[field].split(',')
        i = (n or self.n) - 1
        return v[i] if i < len(v) else ''

    def number(self, field, n=None):
        text = self.value(field, n)
        return int(text, 0) if text else 0

    def make_packet(self):
        if self.kind == 'arp':
            return Packet(self.value('arp.src.proto_ipv4'), self.value('arp.dst.proto_ipv4'), 254, 0, 0)
        protocol = TRANSPORTS.get(self.transport)
        if protocol is None:
            text = self.value('ip.proto' if self.kind == 'ip' else 'ipv6.nxt')
            protocol = int(text) if text else -1
        ports = [0, 0]
        if self.transport in ('tcp', 'udp', 'sctp'):
            ports = [self.number(f'{self.transport}.{end}', self.transport_n) for end in ('srcport', 'dstport')]
        return Packet(self.value(f'{self.kind}.src'), self.value(f'{self.kind}.dst'), protocol, *ports)

    def lengths_disagree(self):
        """Do the lengths that tshark printed show a transport header that does not fit its IP packet?"""
        room = self.number('ip.len') - self.number('ip.hdr_len') if self.kind == 'ip' else self.number('ipv6.plen')
        if self.transport == 'udp':
            length = self.number('udp.length', self.transport_n)
            return room < 8 or length < 8 or length > room
        if self.transport == 'tcp':
            length = self.number('tcp.hdr_len', self.transport_n)
            return room < 20 or length < 20 or length > room
        return False

    def is_impossible_fragment(self):
        """Do they show an IPv4 fragment that cannot be one: empty, of an odd length, past the end?"""
        if self.kind != 'ip':
            return False
        length = self.number('ip.len') - self.number('ip.hdr_len')
        more = self.value('ip.flags.mf') in ('1', 'True')
        return length <= 0 or (more and length % 8 != 0) or 8 * self.number('ip.frag_offset') + length > 65535 - self.number('ip.hdr_len')


def run_batch(paths, files):
    """[(path, every frame as Theirs)]. A batch that does not merge, or merges to another number of frames, is halved."""
    if len(paths) == 1:
        return [(paths[0], [Theirs(line) for line in tshark_lines(paths[0])])]
    with tempfile.NamedTemporaryFile(suffix='.pcapng') as merged:
        if subprocess.run(['mergecap', '-a', '-w', merged.name] + paths, capture_output=True).returncode == 0:
            lines, result = iter(tshark_lines(merged.name)), []
            for path in paths:
                result.append((path, [Theirs(line) for line in itertools.islice(lines, len(files[path][0]))]))
            if len(result[-1][1]) == len(files[paths[-1]][0]) and next(lines, None) is None:
                return result
    half = len(paths) // 2
    return run_batch(paths[:half], files) + run_batch(paths[half:], files)


def make_batches(files):
    batches, batch, frames = [], [], 0
    for path, (packets, fragments, error) in sorted(files.items(), key=lambda item: ('/malformed/' in item[0], item[0])):
        if fragments or error:
            batches.append([path])
            continue
        batch.append(path)
        frames += len(packets)
        if frames > BATCH_FRAMES:
            batches.append(batch)
            batch, frames = [], 0
    return batches + ([batch] if batch else [])


class Rule:
    """A row of the table in decode-differences.md."""

    def __init__(self, cells):
        self.fate, self.path, self.where, self.frames, self.why = cells
        self.found = 0

    def fits(self, our, their, where):
        return re.fullmatch(self.fate, our.fate) and re.fullmatch(self.path, their.path) and re.search(self.where, where)


def read_rules():
    """The two tables of decode-differences.md: rules, and (capture, our frames, tshark's frames) where the counts differ."""
    rules, counts = [], set()
    for line in open(os.path.join(HERE, 'decode-differences.md')):
        cells = [c.strip().replace('\\|', '|') for c in re.split(r'(?<!\\)\|', line.strip().strip('|'))]
        if cells[0].startswith('`') and len(cells) == 5:
            rules.append(Rule([c.strip('`') for c in cells[:3]] + [int(cells[3]), cells[4]]))
        elif cells[0].startswith('`') and len(cells) == 4:
            counts.add((cells[0].strip('`'), int(cells[1]), int(cells[2])))
    return rules, counts


def explain(our, their, where, rules):
    """What kind of agreement or difference this is. Anything that is neither equal nor a row of the table begins with UNEXPLAINED."""
    if our.packet is not None and their.packet is not None:
        if our.fate == 'decoded' and our.packet == their.packet:
            return 'equal'
        if our.fate != 'decoded' and our.packet[:2] == their.packet[:2] and their.packet[3:] == (0, 0):
            return 'equal: a fragment by itself'
    if our.fate not in ('decoded', 'held') and their.packet is None:
        return 'equal: no packet in it'
    if our.fate == 'bad_transport_length' and their.lengths_disagree():
        return 'lengths that tshark prints, too, disagree: dropped here'
    if our.fate == 'fragment_range' and their.is_impossible_fragment():
        return 'a fragment that by tshark\'s numbers, too, cannot be one: dropped here'
    for rule in rules:
        if rule.fits(our, their, where):
            rule.found += 1
            return 'explained: ' + rule.why
    return f'UNEXPLAINED {our.fate} {their.path[:100]}'


def main():
    args = sys.argv[1:]
    show = captures = None
    if '--show' in args:
        i = args.index('--show')
        show = args[i + 1]
        del args[i:i + 2]
    if '--captures' in args:
        i = args.index('--captures')
        captures = args[i + 1]
        del args[i:i + 2]
    dump, patterns = args[0], args[1:]
    shared = os.environ.get('NJ_SHARED') or os.path.join(HERE, '..', '..', '..', 'shared')
    captures = os.path.realpath(captures or os.path.join(shared, 'captures'))  # reasons go by paths below it, whatever links lead there
    for tool in ('tshark', 'mergecap'):
        if not shutil.which(tool):
            skip(f'{tool} is not installed')
    if not os.path.isdir(captures):
        skip(f'no captures in {captures}')
    paths = [p for p in find_captures(os.path.realpath(captures)) if not patterns or any(x in p for x in patterns)]
    files = read_ours(dump, paths)
    batches = make_batches(files)
    rules, known_counts = read_rules()
    fates, kinds, examples, bad_counts, compared = collections.Counter(), collections.Counter(), {}, [], 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = itertools.chain.from_iterable(pool.map(lambda batch: run_batch(batch, files), batches))
        for path, theirs in results:
            where, ours = os.path.relpath(path, captures), files[path][0]
            if not theirs and all(o.fate == 'link_type' for o in ours):
                kinds['neither knows the link type'] += len(ours)
                continue
            if len(ours) != len(theirs) and (where, len(ours), len(theirs)) not in known_counts:
                bad_counts.append((where, len(ours), len(theirs)))
            for number, (our, their) in enumerate(zip(ours, theirs), 1):
                compared += 1
                fates[our.fate] += 1
                kind = explain(our, their, where, rules)
                kinds[kind] += 1
                if kind.startswith('UNEXPLAINED') or (show and show in kind):
                    examples.setdefault(kind, []).append((where, number, our, their))
    print(f'{len(files)} captures, {compared} frames compared in {len(batches)} runs of tshark')
    print('fates: ' + ', '.join(f'{k} {v}' for k, v in fates.most_common()))
    for kind, n in kinds.most_common():
        print(f'{n:8}  {kind}')
    for kind, list_ in examples.items():
        for where, number, our, their in list_[:5]:
            print(f'  {kind}: {where} frame {number}\n      ours   {our.fate} {our.packet}\n      tshark {their.path} {their.packet}')
    sys.exit(1 if report_misfits(rules, bad_counts, kinds, not patterns) else 0)


def report_misfits(rules, bad_counts, kinds, whole):
    misfits = sum(n for kind, n in kinds.items() if kind.startswith('UNEXPLAINED'))
    for where, n, m in bad_counts:
        print(f'  FRAME COUNTS DIFFER: {n} ours, {m} by tshark: {where}')
        misfits += 1
    for rule in rules if whole else []:
        if rule.found != rule.frames:
            print(f'  decode-differences.md says {rule.frames} frames, found {rule.found}: {rule.fate} {rule.path} {rule.where}')
            misfits += 1
    print(f'{misfits} differences without an explanation')
    return misfits


if __name__ == '__main__':
    main()
