"""A proxy in front of the server, as a lab has one: it serves a bench below a path, and says for whom it asks."""

import pathlib
import shutil
import socket
import subprocess

from conftest import LIMIT_S, Between, until


class PrefixProxy(Between):
    """Serves a server below a path. `strips`: whether it removes the prefix from the path."""

    def __init__(self, server, prefix, strips, headers=()):
        self.prefix, self.strips, self.headers = prefix, strips, headers
        super().__init__(server)
        self.url = f"http://{self.address}{prefix}"

    def requests(self, near, far):
        """One request for each connection; whatever follows its head is passed on."""
        lines = [near.readline()]
        while lines[-1].strip():
            lines.append(near.readline())
        method, path, version = lines[0].decode().split()
        if self.strips and path.startswith(self.prefix):
            path = path.removeprefix(self.prefix) or "/"
        is_upgrade = any(line.lower().startswith(b"upgrade:") for line in lines)
        kept = [line for line in lines[1:-1] if is_upgrade or not line.lower().startswith(b"connection:")]
        more = [f"{header}\r\n".encode() for header in self.headers]
        more += [] if is_upgrade else [b"Connection: close\r\n"]
        far.sendall(f"{method} {path} {version}\r\n".encode() + b"".join([*kept, *more, b"\r\n"]))
        self.pass_on(near.read1, far)


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
