"""Speed and memory against floors that are measured in the same run: one table, and the same as JSON.

    cargo build --release && tests/all    # once: the binary, and tests/.venv
    tests/.venv/bin/python benches/performance.py [--json FILE] [NAME…]

Starts the real binary and the real simulator. Traces come through a relay that remembers the block of a trace, so that the time
of a fetch is the time of ctp10 and not that of the simulator. With two processors or more, ctp10 has one of them for itself.
A ratio is the median of the rounds divided by the floor; its spread is that of the rounds.
The exit status is 1 if a target is missed.
"""

import argparse
import contextlib
import http.client
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime

import numpy
import pyarrow
import pyarrow.parquet

ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARY = os.environ.get("CTP10_BIN", str(ROOT / "target" / "release" / "ctp10"))
SCRATCH = tempfile.TemporaryDirectory(prefix="ctp10-bench-")
FOLDER = pathlib.Path(SCRATCH.name)
POINTS = 940_001
ROUNDS = 15
PROCESSORS = sorted(os.sched_getaffinity(0))
OWN, OTHERS = {PROCESSORS[0]}, set(PROCESSORS[1:]) or {PROCESSORS[0]}
RECIPE = f"""
name: fetching
steps:
  - configure_tls: {{ tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 100, power_dbm: 0 }}
  - configure_scan: {{ start_nm: 1502, stop_nm: 1596, resolution_pm: 0.1 }}
  - create_reference: {{ detector: 4/1 }}
  - sweep: {{}}
  - repeat:
      times: {ROUNDS + 2}
      steps:
        - fetch_trace: {{ detector: 4/1, trace: tf }}
"""


@contextlib.contextmanager
def started(*arguments, processors, **options):
    """A process of ctp10 that does not outlive its block."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CTP10_")}
    process = subprocess.Popen(
        [BINARY, *map(str, arguments)], env=environment, cwd=FOLDER, text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, processors), **options,
    )
    with process:
        try:
            yield process
        finally:
            # A run that is killed would leave its watchdog behind.
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


@contextlib.contextmanager
def simulator(*arguments):
    with started(
        "simulate", "--listen", "127.0.0.1:0", "--time-scale", "0.01", *arguments,
        processors=OTHERS, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:
        yield process.stdout.readline().split()[-1]


class Relay:
    """Hands lines on to an instrument. A block that was asked for before comes from memory."""

    def __init__(self, instrument):
        host, port = instrument.rsplit(":", 1)
        self.instrument, self.blocks = (host, int(port)), {}
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client, socket.create_connection(self.instrument) as instrument:
            instrument.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            lines, replies = client.makefile("rb"), instrument.makefile("rb")
            for line in lines:
                if line in self.blocks:
                    client.sendall(self.blocks[line])
                    continue
                if line.upper().startswith(b"INIT") or b":INIT" in line.upper():
                    self.blocks.clear()
                instrument.sendall(line)
                if b"?" not in line:
                    continue
                if b":DATA" in line.upper() and b"BIN" in line.upper():
                    head = replies.read(2)
                    length = replies.read(int(head[1:]))
                    self.blocks[line] = head + length + replies.read(int(length))
                    client.sendall(self.blocks[line])
                else:
                    client.sendall(replies.readline())


def values_of(instrument):
    """The values of a trace as the instrument sends them, for the floors."""
    with socket.create_connection(instrument) as plain:
        plain.sendall(b"TRAC:SENS4:CHAN1:TYPE1:DATA? BIN,DB\n")
        replies = plain.makefile("rb")
        head = replies.read(2)
        return replies.read(int(replies.read(int(head[1:]))))


def received(data):
    """Receives these bytes from another thread; a bare socket."""
    listener = socket.create_server(("127.0.0.1", 0))

    def send():
        with listener, listener.accept()[0] as sender:
            sender.sendall(data)

    threading.Thread(target=send).start()
    with socket.create_connection(listener.getsockname()) as plain:
        return b"".join(iter(lambda: plain.recv(1 << 20), b""))


def timed(work, rounds=ROUNDS):
    took = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        work()
        took.append(1e3 * (time.perf_counter() - began))
    return took[1:]


def encode_floor(block):
    """One thread of C++: the bytes from a socket, both columns encoded by pyarrow, and an fsync."""
    pyarrow.set_cpu_count(1)
    path = FOLDER / "floor.parquet"

    def encode():
        values = numpy.frombuffer(received(block), dtype=">f4").astype("<f4")
        axis = (1_502_000_000 + 100 * numpy.arange(len(values))) / 1e6
        table = pyarrow.table({"wavelength_nm": axis, "value": values})
        with path.open("wb") as file:
            pyarrow.parquet.write_table(
                table, file, use_dictionary=False, use_byte_stream_split=True, compression="zstd", compression_level=1
            )
            os.fsync(file.fileno())

    os.sched_setaffinity(0, OWN)
    took = timed(encode)
    os.sched_setaffinity(0, PROCESSORS)
    return took


def memory_mib(process, field="RssAnon"):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith(field))


class Table:
    def __init__(self):
        self.rows = []

    def add(self, name, took, floor=None, target=None, ratio=None, unit="ms"):
        """`target` is a limit of the figure itself, `ratio` one of its ratio to the floor."""
        value, base = statistics.median(took), statistics.median(floor) if floor else None
        row = {"name": name, "value": value, "unit": unit, "floor": base, "target": target, "target_ratio": ratio}
        if base:
            row["ratio"], row["spread"] = value / base, [min(took) / base, max(took) / base]
        limits = [value <= target] if target else []
        limits += [value / base <= ratio] if ratio else []
        row["met"] = all(limits) if limits else None
        self.rows.append(row)
        print(self.line(row), flush=True)

    @staticmethod
    def line(row):
        floor = f"{row['floor']:8.2f}" if row["floor"] else " " * 8
        ratio = f"{row['ratio']:5.2f} ({row['spread'][0]:.2f} to {row['spread'][1]:.2f})" if row["floor"] else ""
        target = f"<= {row['target_ratio']} x floor" if row["target_ratio"] else f"<= {row['target']} {row['unit']}" if row["target"] else ""
        met = {True: "met", False: "MISSED", None: ""}[row["met"]]
        return f"{row['name']:44} {row['value']:8.2f} {row['unit']:3} {floor}  {ratio:22} {target:16} {met}"


def fetch(table):
    """From the step that fetches to the stored trace, in one run."""
    took, began, most = [], None, 0
    with simulator() as instrument:
        relay = Relay(instrument)
        (FOLDER / "fetching.yaml").write_text(RECIPE)
        with started(
            "run", "fetching.yaml", "--instrument", relay.address, "--sidecar", "off", "--log-format", "json",
            processors=OWN, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        ) as run:
            for line in run.stderr:
                event = json.loads(line) if line.startswith("{") else {}
                at = datetime.fromisoformat(event["time"]).timestamp() if "event" in event else None
                if event.get("event") == "step_started" and "fetch_trace" in event["step"]["operation"]:
                    began = at
                elif event.get("event") == "trace_stored":
                    took.append(1e3 * (at - began))
                    most = max(most, memory_mib(run))
            assert run.wait() == 0
        block = values_of(relay.instrument)
    stored = next((FOLDER / "runs").glob("*_fetching_*/traces/0001*"))
    table.add("fetch_trace, first of a grid", took[:1])
    table.add("fetch_trace, socket to synced Parquet", took[2:], encode_floor(block), target=28, ratio=1.2)
    table.add("memory of the run", [most], target=10, unit="MiB")
    table.add("size of the file", [stored.stat().st_size / 1e6], target=2.25, unit="MB")


def downloads(table):
    """Traces over HTTP: from the instrument, and from the folder of a run."""
    with simulator() as instrument, started(
        "serve", "--instrument", Relay(instrument).address, "--listen", "127.0.0.1:0",
        processors=OWN, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as service:
        client = http.client.HTTPConnection(service.stdout.readline().split()[-1].removeprefix("http://"), timeout=60)

        def get(path, **headers):
            client.request("GET", path, headers=headers)
            reply = client.getresponse()
            body = reply.read()
            assert reply.status == 200, body
            return body

        while not json.loads(get("/health"))["connected"]:
            time.sleep(0.01)
        client.request("POST", "/runs", json.dumps({"recipe": RECIPE.replace(f"times: {ROUNDS + 2}", "times: 2")}), {"Content-Type": "application/json"})
        run = json.loads(client.getresponse().read())["run"]
        while (state := json.loads(get(f"/runs/{run}"))["state"]) == "running":
            time.sleep(0.05)
        assert state == "done", state
        idle, before = memory_mib(service), memory_mib(service, "VmRSS")
        for name, path, target in [
            ("GET /detector/trace/binary (NPY)", "/detector/trace/binary", 25),
            ("GET /detector/trace/data (JSON)", "/detector/trace/data", 80),
            ("GET /runs/{id}/traces/{n}.parquet", f"/runs/{run}/traces/1.parquet", None),
            ("GET /runs/{id}/traces/{n}.arrow", f"/runs/{run}/traces/1.arrow", None),
            ("GET /runs/{id}/traces/{n}.npy", f"/runs/{run}/traces/1.npy", None),
            ("GET /runs/{id}/traces/{n}.csv", f"/runs/{run}/traces/1.csv", None),
        ]:
            body = get(path)
            table.add(name, timed(lambda path=path: get(path)), timed(lambda body=body: received(body)), target=target)
        table.add("growth of the server's memory", [memory_mib(service, "VmHWM") - before], target=5, unit="MiB")
        table.add("idle memory of the server", [idle], unit="MiB")
        windows = iter(range(10_000))
        view = f"/runs/{run}/traces/2/view?points=2000"
        table.add("view of 2,000 pieces, first", timed(lambda: get(f"{view}&from_nm={1502 + next(windows) * 1e-4}")), target=10)
        table.add("view of 2,000 pieces, repeated", timed(lambda: get(view)), target=2)


def commands(table):
    recipe = ROOT / "recipes" / "power-series.yaml"
    program = lambda *arguments: subprocess.run([BINARY, *map(str, arguments)], check=True, capture_output=True, cwd=FOLDER)
    table.add("check of a recipe", timed(lambda: program("check", recipe)), timed(lambda: program("--version")), target=10)
    began = time.perf_counter()
    program("rehearse", recipe)
    table.add("rehearse", [time.perf_counter() - began], target=20, unit="s")


def main():
    every = {"fetch": fetch, "downloads": downloads, "commands": commands}
    options = argparse.ArgumentParser()
    options.add_argument("--json", type=pathlib.Path)
    options.add_argument("names", nargs="*", choices=[[], *every], metavar="NAME", help=", ".join(every))
    given = options.parse_args()
    table = Table()
    print(f"{'':44} {'figure':>8}     {'floor':>8}  {'ratio':22} {'target':16}")
    with SCRATCH:
        for name in given.names or every:
            every[name](table)
    if given.json:
        given.json.write_text(json.dumps(table.rows, indent=1) + "\n")
    missed = [row["name"] for row in table.rows if row["met"] is False]
    print(f"{len(missed)} targets are missed" if missed else "all targets are met")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
