"""argus as the oracle: packets and bytes per conversation."""
import shutil
import subprocess
import tempfile
from pathlib import Path

from facts_common import Conversations

WAITS = True  # a second for every start, at nothing: many may wait side by side
FIELDS = ['proto', 'saddr', 'sport', 'daddr', 'dport', 'spkts', 'dpkts', 'sbytes', 'dbytes']


def missing():
    return None if shutil.which('argus') and shutil.which('ra') else 'argus and ra are not installed'


def facts(path):
    with tempfile.TemporaryDirectory() as folder:
        records = Path(folder) / 'records'  # a file: through a pipe, the last record is lost now and then
        subprocess.run(['argus', '-r', str(path), '-w', records], capture_output=True, check=False)
        if not records.exists():
            return None
        listing = subprocess.run(['ra', '-r', records, '-nn', '-c', ',', '-s', *FIELDS, '--', 'tcp or udp'], capture_output=True, check=False).stdout
    conversations = Conversations()
    for line in listing.decode('utf-8', 'replace').split('\n')[1:]:
        values = dict(zip(FIELDS, (v.strip() for v in line.split(','))))
        if len(values) != len(FIELDS) or values['proto'] not in ('6', '17') or not (values['sport'].isdigit() and values['dport'].isdigit()):
            continue
        protocol = 'tcp' if values['proto'] == '6' else 'udp'
        one, other = (values['saddr'], values['sport']), (values['daddr'], values['dport'])
        conversations.add(protocol, *one, *other, int(values['spkts']), int(values['sbytes']))
        conversations.add(protocol, *other, *one, int(values['dpkts']), int(values['dbytes']))
    return conversations.facts()
