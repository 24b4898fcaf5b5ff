"""Suricata 7 as the oracle: JA4 and server name of each TLS conversation."""
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
  - eve-log: { enabled: yes, filetype: regular, filename: eve.json, types: [ { tls: { extended: yes, ja4: on } } ] }
app-layer: { protocols: { tls: { enabled: yes, ja4-fingerprints: yes, detection-ports: { dp: "1:65535" } } } }
stream: { midstream: true, async-oneside: true, checksum-validation: no }
"""


def missing():
    if not shutil.which('suricata'):
        return 'Suricata is not installed'
    build = subprocess.run(['suricata', '--build-info'], capture_output=True, text=True, check=False).stdout
    version = re.search(r'version (\d+)', build)
    return None if version and int(version[1]) >= 7 else 'Suricata 7 is needed for JA4'


def facts(path):
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / 'suricata.yaml'
        configuration.write_text(CONFIGURATION)
        subprocess.run(['suricata', '-c', configuration, '-r', str(path), '-l', folder, '-S', '/dev/null', '-k', 'none', '--runmode', 'single'],
                       capture_output=True, check=False)
        log = Path(folder) / 'eve.json'
        if not log.exists():
            return None
        prints = defaultdict(set)
        for line in log.read_text(errors='replace').splitlines():
            event = json.loads(line)
            tls = event.get('tls', {})
            if event.get('proto') == 'TCP' and tls.get('ja4'):
                key, _ = conversation('tcp', event['src_ip'], event['src_port'], event['dest_ip'], event['dest_port'])
                prints[key].add(tls['ja4'])
    return {'ja4': {k: tuple(sorted(v)) for k, v in prints.items()}}
