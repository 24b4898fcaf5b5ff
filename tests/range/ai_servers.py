"""The servers the agent scenarios add: models at their providers, behind a gateway and in the house, tool and portal
servers, a directory, the secrets plane, a market feed, a video call's far end, a remote brain."""

import os
import subprocess

from sandbox import STATE
from servers import PASSWORD, Servers, certificate, find, wait_for_port

HERE = os.path.dirname(os.path.realpath(__file__))
PYTHON = "/usr/bin/python3"
PLAIN_PORT, SERVED_PORT, PORTAL_PORT, TOOLS_PORT, FEED_PORT, DASHBOARD_PORT, MEET_PORT = 11434, 8443, 8090, 3001, 9443, 9444, 3478
PROVIDERS = {  # host -> forms its models speak
    "oai": ("openai-chat", "openai-responses"), "ant": ("anthropic", ), "gem": ("gemini", ), "dsk": ("openai-chat", )
}
BASE = "dc=bank,dc=example"


def models_of(which):
    """Names of a set's models by the host that serves them (the gateway serves all)."""
    import model_forms  # needs python3-yaml, which the rest of the range does not
    known, sets = model_forms.models(os.path.join(HERE, "models.yaml"))
    mine = [model for name, model in known.items() if sets[name] == which]
    house = [m.name for m in mine if m.name.endswith(("served", "local"))]
    slow = [m.name for m in mine if m.name.endswith("slow")]
    found = {host: [m.name for m in mine if m.form in forms and m.name not in house + slow]
             for host, forms in PROVIDERS.items() if host != "dsk"}
    found["dsk"] = slow or found["oai"]
    found["gpu"] = house
    found["api-gw"] = [m.name for m in mine if m.form != "ollama"]
    return found


def missing():
    """Debian packages without which there are no agent scenarios."""
    return [f"python3-{module}" for module in ("h2", "yaml")
            if subprocess.run([PYTHON, "-c", f"import {module}"], capture_output=True).returncode != 0]


class AiServers(Servers):

    def __init__(self, host_names, seed, log, which):
        super().__init__(host_names, seed, log)
        self.seed, self.which = seed, which

    def start(self):
        super().start()
        ready = len(self._started)
        for host, names in models_of(self.which).items():
            if host in self.hosts and names:
                self._models(host, names)
        for host, starters in {
                "tools": [("tools", TOOLS_PORT, False)], "portal": [("portal", PORTAL_PORT, False)],
                "node": [("secrets", "80,2375,10250,2379,8200", False)],
                "feed": [("feed", FEED_PORT, True), ("dashboard", DASHBOARD_PORT, True)],
                "meet": [("meet", MEET_PORT, False)], "brain": [("brain", 443, True)]
        }.items():
            if host in self.hosts:
                for role, ports, tls in starters:
                    self._lab(host, role, str(ports), tls)
        if "dir" in self.hosts:
            self._directory()
        for host in self.hosts & {"dir", "portal", "tools"}:
            self._sshd(host)
        for name, process, port in self._started[ready:]:
            wait_for_port(name, process, port)

    def _keys(self, host):
        folder = f"{STATE}/keys-{host}"
        if not os.path.isdir(folder):
            os.makedirs(folder)
            certificate(host, folder)
        return ["--cert", f"{folder}/cert.pem", "--key", f"{folder}/key.pem"]

    def _models(self, host, names):
        ports = ["--tls", "443", "--quic", "443"]
        if host == "gpu":
            ports = ["--tls", str(SERVED_PORT), "--plain", str(PLAIN_PORT)]
        self._daemon(host, [PYTHON, f"{HERE}/model_server.py", "--models", ",".join(names), "--seed", str(self.seed)] +
                     ports + self._keys(host), int(ports[1]), called="model_server")

    def _lab(self, host, role, ports, tls):
        self._daemon(host, [PYTHON, f"{HERE}/lab_services.py", role, ports, "--seed", str(self.seed)] +
                     (self._keys(host) if tls else []), None if role == "meet" else int(ports.split(",")[0]),
                     called=f"lab_{role}")

    def _directory(self):
        """OpenLDAP with the bank's people and machines."""
        if not find("slapd"):
            self.log("SKIPPED: slapd is missing, dir does not serve a directory")
            return
        root = f"{STATE}/ldap"
        os.makedirs(f"{root}/db")
        with open(f"{root}/slapd.conf", "w") as file:
            file.write("".join(f"include /etc/ldap/schema/{name}.schema\n"
                               for name in ("core", "cosine", "nis", "inetorgperson")) +
                       f"pidfile {root}/slapd.pid\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\ndatabase mdb\n"
                       f"suffix \"{BASE}\"\nrootdn \"cn=admin,{BASE}\"\nrootpw {PASSWORD}-admin\ndirectory {root}/db\n"
                       "maxsize 33554432\naccess to attrs=userPassword by anonymous auth by * none\n"
                       "access to * by * read\n")
        with open(f"{root}/all.ldif", "w") as file:
            file.write(ldif(self.rng))
        subprocess.run([find("slapadd"), "-f", f"{root}/slapd.conf", "-l", f"{root}/all.ldif"], check=True,
                       capture_output=True)
        self._daemon("dir", ["slapd", "-d", "0", "-f", f"{root}/slapd.conf", "-h", "ldap:///"], 389)


def ldif(rng):
    from topology import EVERYONE
    rows = [f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: bank\ndc: bank\n"]
    rows += [f"dn: ou={ou},{BASE}\nobjectClass: organizationalUnit\nou: {ou}\n" for ou in ("people", "hosts", "groups")]
    for number, uid in enumerate(["ops", "build", "teller"] + [f"clerk{n:02d}" for n in range(40)]):
        password = PASSWORD if uid in ("ops", "teller") else "%016x" % rng.getrandbits(64)
        rows.append(f"dn: uid={uid},ou=people,{BASE}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: {uid}\n"
                    f"mail: {uid}@bank.example\nuserPassword: {password}\nemployeeNumber: {number}\n")
    for host in EVERYONE:
        if host.inside and host.role in ("server", "ops") and host.name != "vault9":
            rows.append(f"dn: cn={host.name},ou=hosts,{BASE}\nobjectClass: device\nobjectClass: ipHost\ncn: {host.name}\n"
                        f"ipHostNumber: {host.address}\ndescription: {host.role}\n")
    return "\n".join(rows)


__all__ = ["AiServers", "missing", "models_of"]
