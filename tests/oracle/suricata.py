"""Suricata 7 as the oracle: JA4 of each TLS and QUIC conversation, and the server names of the latter.

Suricata 7.0 hashes a client's extensions with a trailing underscore when it offers no signature algorithms; JA4's specification says that the string then ends
without one (FoxIO-LLC/ja4 issue 146). Suricata's own JA3 string names the extensions, so its JA4 is mended here before it is compared. A log line comes only
once a handshake went on, a rule fires on the hello alone: hence the rule.
"""
import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path

from facts_common import conversation

CONFIGURATION = """%YAML 1.1
---
vars: { address-groups: { HOME_NET: "any", EXTERNAL_NET: "any" }, port-groups: {} }
outputs:
  - eve-log: { enabled: yes, filetype: regular, filename: eve.json, types: [ { alert: { metadata: { app-layer: true } } }, { tls: { custom: [ja3, ja4], ja4: on } }, { quic: { ja4: on } } ] }
app-layer: { protocols: { tls: { enabled: yes, ja3-fingerprints: yes, ja4-fingerprints: yes }, quic: { enabled: yes, ja3-fingerprints: yes, ja4-fingerprints: yes } } }
stream: { midstream: true, async-oneside: true, checksum-validation: no }
"""
RULE = 'alert tls any any -> any any (msg:"hello"; flow:to_server; ja4.hash; content:"_"; sid:1;)\n'
CLIENT_HELLO = re.compile(rb'\x16\x03[\x00-\x04]..\x01\x00', re.DOTALL)
QUIC_INITIAL = re.compile(rb'[\xc0-\xff](\x00\x00\x00\x01|\x6b\x33\x43\xcf|\xff\x00\x00[\x17-\x22])[\x00-\x14]', re.DOTALL)
SERVER_NAME, SIGNATURE_ALGORITHMS, ALPN = 0, 13, 16


def mended(ja4, ja3):
    """The JA4 as the specification has it; see above."""
    numbers = ja3.split(',')[2] if ja3.count(',') == 4 else ''
    extensions = [int(n) for n in numbers.split('-') if n]
    if SIGNATURE_ALGORITHMS in extensions:
        return ja4
    hashed = ','.join(f'{n:04x}' for n in sorted(extensions) if n not in (SERVER_NAME, ALPN))
    digest = lambda text: hashlib.sha256(text.encode()).hexdigest()[:12]
    if not ja4.endswith(digest(hashed + '_')):
        return ja4
    return ja4[:-12] + (digest(hashed) if hashed else 12 * '0')


def missing():
    if not shutil.which('suricata'):
        return 'Suricata is not installed'
    build = subprocess.run(['suricata', '--build-info'], capture_output=True, text=True, check=False).stdout
    version = re.search(r'version (\d+)', build)
    return None if version and int(version[1]) >= 7 else 'Suricata 7 is needed for JA4'


def facts(path):
    data = path.read_bytes()
    if not CLIENT_HELLO.search(data) and not QUIC_INITIAL.search(data):  # saves most of a thousand starts
        return {'ja4': {}, 'quic name': {}, 'quic ja4': {}}
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / 'suricata.yaml'
        configuration.write_text(CONFIGURATION)
        rules = Path(folder) / 'hello.rules'
        rules.write_text(RULE)
        subprocess.run(['suricata', '-c', configuration, '-r', str(path), '-l', folder, '-S', rules, '-k', 'none', '--runmode', 'single'],
                       capture_output=True, check=False)
        log = Path(folder) / 'eve.json'
        if not log.exists():
            return None
        prints, quic_names, quic_prints = defaultdict(set), {}, {}
        for line in log.read_text(errors='replace').splitlines():
            event = json.loads(line)
            tls = event.get('tls', {})
            if event.get('proto') == 'TCP' and tls.get('ja4'):
                key, _ = conversation('tcp', event['src_ip'], event['src_port'], event['dest_ip'], event['dest_port'])
                prints[key].add(mended(tls['ja4'], tls.get('ja3', {}).get('string', '')))
            quic = event.get('quic', {})
            if event.get('event_type') == 'quic' and quic.get('ja4'):
                key, _ = conversation('udp', event['src_ip'], event['src_port'], event['dest_ip'], event['dest_port'])
                quic_prints.setdefault(key, mended(quic['ja4'], quic.get('ja3', {}).get('string', '')))
                if quic.get('sni'):
                    quic_names.setdefault(key, quic['sni'].lower())
    return {'ja4': {k: tuple(sorted(v)) for k, v in prints.items()}, 'quic name': quic_names, 'quic ja4': quic_prints}
