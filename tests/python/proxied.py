"""A proxy in front of the server, as a lab has one: it serves a bench below a path, and says for whom it asks."""

import pathlib
import shutil
import socket
import subprocess
import threading

from conftest import LIMIT_S, until


class PrefixProxy:
    """Passes connections on. `strips`: whether it removes the prefix from the path."""

    def __init__(self, server, prefix, strips, headers=()):
        self.server, self.prefix, self.strips, self.headers = server, prefix, strips, headers
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}{prefix}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(near,), daemon=True).start()

    def serve(self, near):
        """One request for each connection; whatever follows its head is passed on in both directions."""
        file = near.makefile("rb")
        lines = [file.readline()]
        while lines[-1].strip():
            lines.append(file.readline())
        method, path, version = lines[0].decode().split()
        if self.strips and path.startswith(self.prefix):
            path = path.removeprefix(self.prefix) or "/"
        kept = [line for line in lines[1:-1] if self.is_upgrade(lines) or not line.lower().startswith(b"connection:")]
        more = [f"{header}\r\n".encode() for header in self.headers]
        more += [] if self.is_upgrade(lines) else [b"Connection: close\r\n"]
        far = socket.create_connection((self.server.host, self.server.port), LIMIT_S)
        far.sendall(f"{method} {path} {version}\r\n".encode() + b"".join([*kept, *more, b"\r\n"]))
        threading.Thread(target=self.pass_on, args=(file.read1, far), daemon=True).start()
        self.pass_on(far.recv, near)

    def is_upgrade(self, lines):
        return any(line.lower().startswith(b"upgrade:") for line in lines)

    def pass_on(self, read, target):
        try:
            while data := read(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except (OSError, ValueError):
            pass

    def close(self):
        self.listener.close()


NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
  server {{
    listen 127.0.0.1:{port};
    {locations}
  }}
}}
"""
# As in docs/http-api.md.
LOCATION = """
    location {prefix}/ {{
      proxy_pass http://{server.host}:{server.port};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_buffering off;
      proxy_read_timeout 1h;
    }}
"""


def nginx_program():
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


class Nginx:
    """nginx, with one location for each server: `{"/bench-a": server}`."""

    def __init__(self, folder: pathlib.Path, servers):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        locations = "".join(LOCATION.format(prefix=prefix, server=server) for prefix, server in servers.items())
        config = folder / "nginx.conf"
        config.write_text(NGINX.format(folder=folder, port=self.port, locations=locations))
        self.process = subprocess.Popen([nginx_program(), "-p", str(folder), "-c", str(config)])
        self.root = f"http://127.0.0.1:{self.port}"
        until("nginx listens", self.listens)

    def listens(self):
        assert self.process.poll() is None, "nginx does not start"
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def close(self):
        self.process.terminate()
        self.process.wait(LIMIT_S)
