"""The bank's servers and the ones outside: real Debian daemons, each in the namespace of its host, with throw-away
configuration under /run/range.

Everything runs in the foreground as a child of the range, so the sandbox ends it. `start()` returns when every port
listens.
"""

import glob
import os
import random
import shutil
import subprocess
import time

from sandbox import PASSWORD, STATE
from topology import BY_NAME, EVERYONE, inside

TUNNEL_PASSWORD = "range-tunnel"
IODINE_DOMAIN = "t.cdn-sync.example"
DNS2TCP_DOMAIN = "d.static-cache.example"
WEBDAV_PORT = 8443
DNS2TCPD_CPU_S = 20
CA = f"{STATE}/ca.pem"
SSH_HOSTS = ["web", "git", "db", "files", "cache", "store", "app", "mon", "vault9", "tunnel", "tunnel2", "pinger"]
WORDS = (
    "account ledger branch teller deposit interest credit balance audit transfer settlement risk limit report quarter customer portfolio "
    "bond share market rate loan mortgage policy review meeting agenda minutes draft approval budget forecast").split()


class Servers:

    def __init__(self, host_names, seed, log):
        self.hosts = set(host_names)
        self.rng = random.Random(f"servers {seed}")
        self.log = log
        self._started = []

    def start(self):
        """Start what the present hosts serve; raises when one does not come up."""
        certificate_authority()
        starters = {
            "dns": [self._dns, self._ntp], "upstream": [self._upstream], "git": [self._git], "db": [self._postgres],
            "files": [self._samba], "cache": [self._redis], "mail": [self._mail], "tunnel": [self._iodine],
            "tunnel2": [self._dns2tcp], "pinger": [self._ptunnel]
        }
        for name in self.hosts & {
                "web", "pkg", "store", "app", "vault9", "news", "saas", "cloud", "updates", "c2", "drop", "notes", "tunnel",
                "tunnel2", "pinger"
        }:
            self._nginx(name)
        for name in self.hosts & set(SSH_HOSTS):
            self._sshd(name)
        for name in self.hosts & set(starters):
            for starter in starters[name]:
                starter()
        for name in self.hosts & {"store", "cloud", "drop"}:
            self._webdav(name)
        for name, process, port in self._started:
            wait_for_port(name, process, port)

    def _daemon(self, name, argv, port=None, program=None, called=None, **options):
        """Starts *argv* on host *name*; with a TCP *port*, start() waits for it. Its log is *called* as the program."""
        program = program or argv[0]
        if not find(program):
            self.log(f"SKIPPED: {program} is missing, {name} does not serve it")
            return None
        output = open(f"{STATE}/{name}.{called or os.path.basename(program)}.log", "ab")
        process = subprocess.Popen(inside(name,
                                          [find(argv[0])] + argv[1:]), stdin=options.pop("stdin", subprocess.DEVNULL),
                                   stdout=output, stderr=output, **options)
        if port:
            self._started.append((name, process, port))
        return process

    # Web: intranet, package mirror, DAV store, and everything outside

    def _nginx(self, name):
        folder = f"{STATE}/nginx-{name}"
        for part in ("html", "put", "tmp"):
            os.makedirs(f"{folder}/{part}")
            os.chmod(f"{folder}/{part}", 0o777)
        site_files(f"{folder}/html", self.rng, site_size(name))
        certificate(name, folder)
        with open(f"{folder}/nginx.conf", "w") as file:
            file.write(nginx_conf(name, folder))
        self._daemon(name, ["nginx", "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf", "-g", "daemon off;"],
                     8080 if name == "app" else 443)

    def _webdav(self, name):
        """What rclone copies to: its own WebDAV server over TLS (nginx's DAV module answers no PROPFIND)."""
        folder = f"{STATE}/nginx-{name}"
        self._daemon(name, [
            "rclone", "serve", "webdav", "--config", "/dev/null", "--addr", f":{WEBDAV_PORT}", "--cert",
            f"{folder}/cert.pem", "--key", f"{folder}/key.pem", f"{folder}/put"
        ], WEBDAV_PORT)

    def _git(self):
        """One repository behind git's own smart-HTTP program, spoken to through fcgiwrap and nginx."""
        repository = f"{STATE}/git/core-banking.git"
        make_repository(repository, self.rng)
        self._daemon("git", ["fcgiwrap", "-s", f"unix:{STATE}/git.sock", "-c", "2"])
        self._nginx("git")

    # Files, databases, mail

    def _sshd(self, name):
        key = f"{STATE}/ssh_host_key"
        if not os.path.exists(key) and find("ssh-keygen"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        conf = f"{STATE}/sshd-{name}.conf"
        with open(conf, "w") as file:
            file.write(
                f"Port 22\nHostKey {key}\nPidFile none\nUsePAM no\nPasswordAuthentication yes\nPermitRootLogin no\nStrictModes no\n"
                "MaxStartups 200\nLogLevel INFO\nPrintMotd no\nSubsystem sftp internal-sftp\n")
        self._daemon(name, ["sshd", "-D", "-e", "-f", conf], 22)

    def _postgres(self):
        binaries = postgres_binaries()
        if not binaries:
            self.log("SKIPPED: postgres is missing, db does not serve it")
            return
        data = f"{STATE}/pg"
        as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "env", "LC_ALL=C.UTF-8"]
        os.makedirs(data)
        shutil.chown(data, "postgres", "postgres")
        subprocess.run(
            as_postgres + [f"{binaries}/initdb", "-D", data, "-A", "trust", "-N", "--no-locale", "-E", "UTF8"],
            check=True, capture_output=True, cwd="/")
        with open(f"{data}/pg_hba.conf", "a") as file:
            file.write("host all all 10.20.0.0/16 trust\n")
        setup = "CREATE TABLE account(id int PRIMARY KEY, owner text, balance numeric); " \
                "INSERT INTO account SELECT n, 'customer ' || n, n * 3.17 FROM generate_series(1, 20000) n;\n"
        subprocess.run(as_postgres + [f"{binaries}/postgres", "--single", "-D", data, "postgres"], input=setup,
                       text=True, check=True, capture_output=True, cwd="/")
        self._daemon(
            "db", as_postgres + [
                f"{binaries}/postgres", "-D", data, "-h", "0.0.0.0", "-k", "", "-c", "fsync=off", "-c",
                "shared_buffers=16MB"
            ], 5432, program="setpriv", cwd="/")

    def _samba(self):
        root = f"{STATE}/samba"
        for part in ("share", "private", "lock", "state", "cache", "pid", "ncalrpc", "log"):
            os.makedirs(f"{root}/{part}")
        os.chmod(f"{root}/share", 0o777)
        for n in range(12):
            text_file(f"{root}/share/report-{n:02d}.txt", self.rng, self.rng.randint(20_000, 300_000))
        with open(f"{root}/smb.conf", "w") as file:
            file.write(
                f"[global]\nworkgroup = BANK\nnetbios name = FILES\nsmb ports = 445\nmap to guest = bad user\nguest account = nobody\n"
                f"private dir = {root}/private\nlock directory = {root}/lock\nstate directory = {root}/state\ncache directory = {root}/cache\n"
                f"pid directory = {root}/pid\nncalrpc dir = {root}/ncalrpc\nlog file = {root}/log/smbd\nload printers = no\nprintcap name = /dev/null\n"
                f"disable spoolss = yes\n[projects]\npath = {root}/share\nguest ok = yes\nread only = no\n")
        self._daemon("files", ["smbd", "--foreground", "--no-process-group", "-s", f"{root}/smb.conf"], 445)

    def _redis(self):
        self._daemon("cache", [
            "redis-server", "--bind", "0.0.0.0", "--port", "6379", "--save", "", "--protected-mode", "no", "--dir",
            STATE
        ], 6379)

    def _mail(self):
        self._daemon("mail", ["/usr/bin/python3", os.path.join(os.path.dirname(__file__), "mailsink.py"), "25"], 25)

    # Names and time

    def _dns(self):
        """The bank's resolver: own zone, the rest from the provider's; tunnel domains follow their delegation, as a
        real resolver would."""
        hosts = write_hosts("bank", [host for host in EVERYONE if host.inside])
        self._dnsmasq("dns", [
            "no-resolv", f"addn-hosts={hosts}", "local=/bank.example/", "local=/20.10.in-addr.arpa/",
            f"server={BY_NAME['upstream'].address}", f"server=/{IODINE_DOMAIN}/{BY_NAME['tunnel'].address}",
            f"server=/{DNS2TCP_DOMAIN}/{BY_NAME['tunnel2'].address}", "mx-host=bank.example,mail.bank.example,10",
            "cache-size=500"
        ])

    def _upstream(self):
        """The provider's resolver: knows every outside name of the range and no other (NXDOMAIN)."""
        hosts = write_hosts("world", [host for host in EVERYONE if not host.inside])
        tops = ["local=/" + top + "/" for top in ("example", "com", "net", "org", "arpa", "local", "lan", "test")]
        self._dnsmasq("upstream", ["no-resolv", f"addn-hosts={hosts}", "local-ttl=300"] + tops)

    def _dnsmasq(self, name, lines):
        conf = f"{STATE}/dnsmasq-{name}.conf"
        with open(conf, "w") as file:
            file.write("\n".join(["no-hosts", "user=root", "pid-file=", "bind-interfaces", "dns-forward-max=500"] +
                                 lines) + "\n")
        self._daemon(name, ["dnsmasq", "--keep-in-foreground", "-C", conf], 53)

    def _ntp(self):
        conf = f"{STATE}/chrony.conf"
        with open(conf, "w") as file:
            file.write(
                f"local stratum 8\nallow 10.20.0.0/16\nbindcmdaddress /\ncmdport 0\npidfile {STATE}/chronyd.pid\ndriftfile {STATE}/chrony.drift\n"
            )
        self._daemon("dns", ["chronyd", "-x", "-n", "-u", "root", "-f", conf])

    # The attacker's ends

    def _iodine(self):
        self._daemon("tunnel", ["iodined", "-f", "-c", "-P", TUNNEL_PASSWORD, "10.99.0.1/27", IODINE_DOMAIN])

    def _dns2tcp(self):
        conf = f"{STATE}/dns2tcpd.conf"
        chroot = f"{STATE}/dns2tcp-root"
        os.makedirs(chroot)
        with open(conf, "w") as file:
            file.write(
                f"listen = {BY_NAME['tunnel2'].address}\nport = 53\nuser = nobody\nchroot = {chroot}\ndomain = {DNS2TCP_DOMAIN}\n"
                "resources = web:127.0.0.1:80,ssh:127.0.0.1:22\n")
        if find("dns2tcpd"):  # told so by whoever needs it
            # Some of its sessions end in a loop that takes a whole core; what it does here needs a second of one.
            self._daemon("tunnel2", ["prlimit", f"--cpu={DNS2TCPD_CPU_S}", find("dns2tcpd"), "-F", "-f", conf],
                         called="dns2tcpd")

    def _ptunnel(self):
        self._daemon("pinger", ["ptunnel"])


def find(program):
    """Daemons live in sbin, which is not on everybody's path."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin:/usr/local/sbin")


def postgres_binaries():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    return os.path.dirname(found[-1]) if found else None


def wait_for_port(name, process, port, limit_s=90):
    """Until the host's own socket table shows the port listening: asking by a connection would be traffic."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        if listens(process.pid, port):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{name}: nothing listens on port {port}; see {STATE}/{name}.*.log: {last_words(name)}")


def listens(pid, port):
    rows = []
    for table in ("tcp", "tcp6"):
        try:
            rows += open(f"/proc/{pid}/net/{table}").read().splitlines()[1:]
        except OSError:
            pass
    return any(row.split()[1].endswith(f":{port:04X}") and row.split()[3] == "0A" for row in rows)


def last_words(name):
    said = ""
    for path in glob.glob(f"{STATE}/{name}.*.log"):
        said += open(path, errors="replace").read()[-500:]
    return said


def write_hosts(name, hosts):
    path = f"{STATE}/{name}.hosts"
    with open(path, "w") as file:
        for host in hosts:
            file.write(f"{host.address} {' '.join(host.names)}\n")
    return path


def certificate_authority():
    if not os.path.exists(CA):
        subprocess.run([
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
            "30", "-subj", "/O=Range/CN=Range root", "-keyout", f"{STATE}/ca.key", "-out", CA
        ], check=True, capture_output=True)


def certificate(name, folder):
    """A server certificate for all names of the host, signed by the range's own authority."""
    names = list(BY_NAME[name].names) + [IODINE_DOMAIN]
    with open(f"{folder}/san", "w") as file:
        file.write("subjectAltName=" + ",".join([f"DNS:{n}" for n in names] + [f"IP:{BY_NAME[name].address}"]) + "\n")
    subprocess.run([
        "openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
        f"/CN={names[0]}", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/csr.pem"
    ], check=True, capture_output=True)
    subprocess.run([
        "openssl", "x509", "-req", "-in", f"{folder}/csr.pem", "-CA", CA, "-CAkey", f"{STATE}/ca.key",
        "-CAcreateserial", "-days", "30", "-extfile", f"{folder}/san", "-out", f"{folder}/cert.pem"
    ], check=True, capture_output=True)


def nginx_conf(name, folder):
    git = f"""
    location /git/ {{
      include /etc/nginx/fastcgi_params;
      fastcgi_param SCRIPT_FILENAME /usr/lib/git-core/git-http-backend;
      fastcgi_param GIT_PROJECT_ROOT {STATE}/git;
      fastcgi_param GIT_HTTP_EXPORT_ALL "";
      fastcgi_param PATH_INFO $path_info;
      fastcgi_pass unix:{STATE}/git.sock;
    }}""" if name == "git" else ""
    return f"""
user root;
worker_processes 1;
pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
  types {{ text/html html; text/css css; text/javascript js; application/json json; image/png png; }}
  default_type application/octet-stream;
  access_log {folder}/access.log;
  client_body_temp_path {folder}/tmp/body; proxy_temp_path {folder}/tmp/proxy; fastcgi_temp_path {folder}/tmp/fastcgi;
  uwsgi_temp_path {folder}/tmp/uwsgi; scgi_temp_path {folder}/tmp/scgi;
  client_max_body_size 0; keepalive_timeout 3600s; keepalive_requests 100000; sendfile on;
  map $uri $path_info {{ ~^/git(?<rest>/.*)$ $rest; default ""; }}
  server {{
    listen {8080 if name == "app" else 80}; listen 443 ssl;
    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    root {folder}/html;
    location /put/ {{ alias {folder}/put/; dav_methods PUT DELETE MKCOL MOVE; create_full_put_path on; }}
    location /api/ {{ default_type application/json; return 200 '{{"status":"ok","id":"$request_id","items":[1,2,3]}}'; }}
    location /post {{ proxy_pass http://unix:{folder}/sink.sock; }}
    location /health {{ return 200 "ok"; }}{git}
  }}
  server {{ listen unix:{folder}/sink.sock; location / {{ return 200 "thanks"; }} }}
}}
"""


def site_size(name):
    """Pages and the largest file of a site, in bytes: mirrors hold packages, the rest pages and pictures."""
    return {"pkg": (4_000, 2_500_000), "updates": (4_000, 2_500_000),
            "news": (60_000, 250_000)}.get(name, (20_000, 90_000))


def site_files(folder, rng, sizes):
    page_max, large_max = sizes
    for n in range(20):
        text_file(f"{folder}/page-{n:02d}.html", rng, rng.randint(1_500, page_max))
        text_file(f"{folder}/style-{n:02d}.css", rng, rng.randint(500, 8_000))
    for n in range(12):
        random_file(f"{folder}/picture-{n:02d}.png", rng, rng.randint(2_000, large_max))
    shutil.copy(f"{folder}/page-00.html", f"{folder}/index.html")
    os.makedirs(f"{folder}/admin")
    shutil.copy(f"{folder}/page-01.html", f"{folder}/admin/index.html")


def text_file(path, rng, size_bytes):
    line = " ".join(rng.choices(WORDS, k=60)) + "\n"
    with open(path, "w") as file:
        while file.tell() < size_bytes:
            file.write(" ".join(rng.choices(WORDS, k=8)) + " " + line[:rng.randint(40, len(line))] + "\n")


def random_file(path, rng, size_bytes):
    with open(path, "wb") as file:
        file.write(rng.randbytes(size_bytes))


def make_repository(path, rng):
    """A bare repository with some history, made by git itself."""
    work = path + ".work"
    git = ["git", "-c", "user.name=build", "-c", "user.email=build@bank.example", "-C", work]
    subprocess.run(["git", "init", "-q", "-b", "main", work], check=True)
    for commit in range(8):
        for n in range(6):
            text_file(f"{work}/module_{n}.txt", rng, rng.randint(1_000, 15_000))
        subprocess.run(git + ["add", "."], check=True)
        subprocess.run(git + ["commit", "-q", "-m", f"change {commit}"], check=True)
    subprocess.run(["git", "clone", "-q", "--bare", work, path], check=True, capture_output=True)
    subprocess.run(["git", "-C", path, "config", "http.receivepack", "true"], check=True)
    subprocess.run(["git", "config", "--system", "--add", "safe.directory", "*"], check=True,
                   env={**os.environ, "GIT_CONFIG_SYSTEM": f"{STATE}/gitconfig"})


__all__ = ["Servers", "find", "postgres_binaries", "PASSWORD", "CA"]
