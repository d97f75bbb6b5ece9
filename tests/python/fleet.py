"""A broker, benches and batches for the tests of the queue of many benches."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys

from conftest import LIMIT_S, ctp10, until

# The server of the distribution, and a current one from PyPI.
SERVERS = [
    found
    for found in (
        shutil.which("nats-server", path=f"{os.environ['PATH']}:/usr/sbin"),
        shutil.which("nats-server", path=str(pathlib.Path(sys.executable).parent)),
    )
    if found
]


def has_fleet():
    """Whether the program under test was built with the feature."""
    return "built without" not in ctp10("fleet", "status", "--fleet", "nats://127.0.0.1:1").stderr


class Broker:
    """A NATS server with JetStream. It can be stopped and started again with the same disk, or with an empty one."""

    def __init__(self, program, folder, *arguments):
        self.program, self.folder, self.arguments = program, pathlib.Path(folder), arguments
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.process, self.scheme, self.before = None, "nats", ""
        self.start()

    @property
    def url(self):
        """The address, after those of other servers of a cluster (`before`)."""
        return f"{self.before}{self.scheme}://127.0.0.1:{self.port}"

    def start(self):
        command = [self.program, "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(self.folder)]
        with open(self.folder / "broker.log", "ab") as log:
            before = log.tell()
            self.process = subprocess.Popen([*command, *self.arguments], stdout=log, stderr=log)
        # The port answers before JetStream has read its streams from the disk.
        until("the broker is ready", lambda: b"Server is ready" in self.log()[before:])

    def log(self):
        return (self.folder / "broker.log").read_bytes()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(LIMIT_S)

    def lose_disk(self):
        self.stop()
        shutil.rmtree(self.folder / "jetstream")
        self.start()


# A sweep of about a third of a second at a time scale of 0.02.
RECIPE = """
name: sweep
parameters:
  chip: { default: 1 }
  speed: { default: 20 }
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1520, stop_nm: 1620, speed_nm_s: "${speed}", power_dbm: 3 }
  - configure_scan: { start_nm: 1530, stop_nm: 1610, resolution_pm: 100 }
  - sweep:
  - fetch_trace: { detector: 4/1, trace: raw }
finally:
  - configure_laser: { laser: 1, output: false }
"""
FAILING = """
name: failing
steps:
  - fetch_trace: { detector: 9/1, trace: raw }
"""


class Fleet:
    """A broker with its benches."""

    def __init__(self, broker, start, folder):
        self.broker, self.starter, self.folder, self.benches = broker, start, pathlib.Path(folder), {}

    def ctp10(self, *arguments):
        return ctp10("fleet", *arguments, "--fleet", self.broker.url, cwd=self.folder)

    def batch(self, name, items, recipe=RECIPE, **more):
        """Writes a batch file, and submits it."""
        (self.folder / "sweep.yaml").write_text(recipe)
        file = self.folder / f"{name}.yaml"
        file.write_text(json.dumps({"name": name, "items": items, **more}))
        return self.submit(file)

    def submit(self, file):
        done = self.ctp10("submit", file)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def bench(self, name, *arguments, simulator=None, **options):
        """Starts a bench, or starts it again."""
        known = self.benches.get(name)
        if known is not None:
            known.start()
            return known
        scale = options.pop("time_scale", "0.02")
        simulator = simulator or self.starter.simulator("--time-scale", scale)
        named = ["--fleet", self.broker.url, "--bench", name]
        self.benches[name] = self.starter.server(simulator, *named, *arguments, **options)
        self.benches[name].simulator = simulator
        return self.benches[name]

    def status(self):
        done = self.ctp10("status", "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def items(self, batch):
        return {item["item"]: item for item in self.status()["items"] if item["batch"] == batch}

    def states(self, batch):
        return [item["state"] for _, item in sorted(self.items(batch).items())]

    def bench_status(self, name):
        found = next(bench for bench in self.status()["benches"] if bench["bench"] == name)
        return found["status"] or {}

    def runs(self, name):
        """The manifests of all runs of a bench."""
        folder = self.benches[name].folder / "runs"
        return [json.loads(path.read_text()) for path in sorted(folder.glob("*/run.json"))]
