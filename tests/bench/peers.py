"""Servers that `run` measures: Holdfast, and beside it what the machine has. Each asks for the same name and password.

A server is started in a folder of its own and ended by its pid. `root` is the folder that lies behind its URL, or nothing
when it wants its files over WebDAV.
"""
import base64
import hashlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

USER, PASSWORD = "ada", secrets.token_urlsafe(12)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def program(*names):
    """The first of these that is there, or nothing."""
    return next(filter(None, (shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin") for name in names)), None)


def version_of(*command):
    told = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout
    return told.strip().splitlines()[0] if told.strip() else "unknown"


class Server:
    """One that runs."""

    def __init__(self, name, folder, command, port, path="/", root=None, version="", environment=None):
        self.name, self.port, self.path, self.root, self.version = name, port, path, root, version
        self.secret = PASSWORD
        self.log = open(folder / "log", "wb")
        self.process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env={**os.environ, **(environment or {})})
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError as error:
                if self.process.poll() is not None or time.monotonic() > end:
                    self.stop()
                    raise RuntimeError(f"{name} does not start: {(folder / 'log').read_text()[-2000:]}") from error
                time.sleep(0.05)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def authorization(self):
        return "Basic " + base64.b64encode(f"{USER}:{self.secret}".encode()).decode()

    def pids(self):
        """Its process and all below it."""
        parents = {}
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                parents[int(entry)] = int(Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
        found = {self.process.pid}
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return found

    def cpu(self):
        """Seconds of processor time so far."""
        ticks = 0
        for pid in self.pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def peak(self):
        """MiB of memory at most; what processes share counts in each."""
        lines = (line for pid in self.pids() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()


def holdfast(folder, binary, engine):
    port = free_port()
    environment = {
        "HOLDFAST_LISTEN": f"127.0.0.1:{port}", "HOLDFAST_DATA_DIR": str(folder / "data"),
        "HOLDFAST_ADMIN_USERNAME": USER, "HOLDFAST_ADMIN_PASSWORD": PASSWORD, "HOLDFAST_LOG": "warn"}
    if engine:
        environment["HOLDFAST_DATABASE_URL"] = engine
    server = Server("holdfast", folder, [binary, "serve"], port, "/dav/home/", None, version_of(binary, "--version"), environment)
    # As a mount would: with an app password.
    request = urllib.request.Request(
        f"http://{server.address}/api/app-passwords", b'{"name": "bench"}',
        {"Authorization": server.authorization, "Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        server.secret = json.load(answer)["password"]
    return server


def htpasswd(folder):
    file = folder / "htpasswd"
    file.write_text(f"{USER}:{{SHA}}{base64.b64encode(hashlib.sha1(PASSWORD.encode()).digest()).decode()}\n")
    file.chmod(0o644)
    return file


def nginx(folder):
    binary, port, root = program("nginx"), free_port(), folder / "root"
    module = Path("/usr/lib/nginx/modules/ngx_http_dav_ext_module.so")
    if not binary or not module.exists():
        return None
    (folder / "nginx.conf").write_text(f"""
daemon off; worker_processes auto; pid {folder}/pid; error_log {folder}/error.log;
load_module {module};
{"user root;" if os.getuid() == 0 else ""}
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; client_max_body_size 0; client_body_temp_path {folder}/body;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            root {root};
            auth_basic bench; auth_basic_user_file {htpasswd(folder)};
            dav_methods PUT DELETE MKCOL COPY MOVE; dav_ext_methods PROPFIND OPTIONS; create_full_put_path on;
        }}
    }}
}}
""")
    root.mkdir()
    return Server("nginx", folder, [binary, "-c", folder / "nginx.conf"], port, "/", root, version_of(binary, "-v"))


def apache(folder):
    binary, port, root = program("apache2", "httpd"), free_port(), folder / "root"
    modules = Path("/usr/lib/apache2/modules")
    if not binary or not (modules / "mod_dav_fs.so").exists():
        return None
    wanted = "mpm_event authn_core authn_file authz_core authz_user auth_basic dav dav_fs"
    load = "\n".join(f"LoadModule {name}_module {modules}/mod_{name}.so" for name in wanted.split())
    (folder / "httpd.conf").write_text(f"""
ServerRoot {folder}
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
PidFile {folder}/pid
ErrorLog {folder}/error.log
{load}
{"User www-data" if os.getuid() == 0 else ""}
DocumentRoot {root}
DavLockDB {root}/../locks/db
KeepAlive On
MaxKeepAliveRequests 0
<Directory {root}>
    Dav On
    AuthType Basic
    AuthName bench
    AuthUserFile {htpasswd(folder)}
    Require valid-user
</Directory>
""")
    root.mkdir()
    (folder / "locks").mkdir()
    for place in (root, folder / "locks"):
        place.chmod(0o777)
    return Server("apache", folder, [binary, "-DFOREGROUND", "-f", folder / "httpd.conf"], port, "/", root, version_of(binary, "-v"))


def rclone(folder):
    binary, port, root = program("rclone"), free_port(), folder / "root"
    if not binary:
        return None
    root.mkdir()
    command = [binary, "serve", "webdav", root, "--addr", f"127.0.0.1:{port}", "--user", USER, "--pass", PASSWORD]
    return Server("rclone", folder, command, port, "/", root, version_of(binary, "version"), {"RCLONE_CONFIG": "/dev/null"})


def dufs(folder):
    binary, port, root = program("dufs"), free_port(), folder / "root"
    if not binary:
        return None
    root.mkdir()
    command = [binary, root, "-A", "-b", "127.0.0.1", "-p", str(port), "--auth", f"{USER}:{PASSWORD}@/:rw"]
    return Server("dufs", folder, command, port, "/", root, version_of(binary, "--version"))


PEERS = {"nginx": nginx, "apache": apache, "rclone": rclone, "dufs": dufs}
