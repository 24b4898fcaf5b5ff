"""argus as the oracle: packets and bytes per conversation."""
import shutil
import subprocess

from facts_common import Conversations

FIELDS = ['proto', 'saddr', 'sport', 'daddr', 'dport', 'spkts', 'dpkts', 'sbytes', 'dbytes']


def missing():
    return None if shutil.which('argus') and shutil.which('ra') else 'argus and ra are not installed'


def facts(path):
    records = subprocess.run(['argus', '-r', str(path), '-w', '-'], capture_output=True, check=False).stdout
    if not records:
        return None
    listing = subprocess.run(['ra', '-r', '-', '-nn', '-c', ',', '-s', *FIELDS, '--', 'tcp or udp'], input=records, capture_output=True, check=False).stdout
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
