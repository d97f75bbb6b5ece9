"""Whether a long run stays as small and as fast at its end as it was at its beginning.

    cargo build --release && tests/all    # once: the binary, and tests/.venv
    tests/.venv/bin/python benches/long_run.py [TRACES]

One run of 10,000 sweeps, each with its fetch of 101 points, against a simulator of its own: memory and time a trace for every
tenth of it; then how long it takes to page through the traces over HTTP, to view the first and the last of them, to read the
journal, to report, to verify, and to ask the catalogue, each against the journal read line by line in Python.
"""

import json
import os
import pathlib
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

import httpx

ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARY = os.environ.get("CTP10_BIN", str(ROOT / "target" / "release" / "ctp10"))
TRACES = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
RECIPE = f"""
name: many
steps:
  - configure_tls: {{ tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 100, power_dbm: 0 }}
  - repeat:
      times: {TRACES}
      steps:
        - sweep: {{ start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }}
        - fetch_trace: {{ detector: 4/1, trace: raw }}
  # Time to ask the run about itself.
  - wait: 600
"""


def memory_mb(process, field="VmRSS"):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith(field))


def timed(what, work, floor=None):
    began = time.perf_counter()
    work()
    took = time.perf_counter() - began
    print(f"  {what:44} {1e3 * took:9.1f} ms" + (f"  {took / floor:6.2f} of the floor" if floor else ""))
    return took


def program(*arguments):
    subprocess.run([BINARY, *arguments], cwd=FOLDER, check=True, stdout=subprocess.DEVNULL)


FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="ctp10-bench-"))
(FOLDER / "many.yaml").write_text(RECIPE)
simulator = subprocess.Popen(
    [BINARY, "simulate", "--listen", "127.0.0.1:0", "--time-scale", "0.0005"],
    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
)
instrument = simulator.stdout.readline().split()[-1]
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    address = f"127.0.0.1:{free.getsockname()[1]}"
run = subprocess.Popen(
    [BINARY, "run", "many.yaml", "--instrument", instrument, "--sidecar", address, "--log-format", "json"],
    cwd=FOLDER, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
)
stored, began = 0, None
for line in run.stderr:
    if "trace_stored" in line:
        stored += 1
        began = began or time.perf_counter()
        if stored % max(TRACES // 10, 1) == 0:
            took = time.perf_counter() - began
            print(f"{stored:6} traces: {1e3 * took / (TRACES // 10):6.2f} ms each, {memory_mb(run):6.1f} MB")
            began = time.perf_counter()
        if stored == TRACES:
            break
folder = next(path.parent for path in (FOLDER / "runs").glob("*/run.json"))
journal = folder / "journal.jsonl"
print(f"journal: {journal.stat().st_size / 1e6:.1f} MB; most memory so far {memory_mb(run, 'VmHWM'):.1f} MB")


def read_journal():
    with journal.open() as lines:
        for line in lines:
            json.loads(line)


floor = timed("the journal, read in Python (the floor)", read_journal)
run_id = folder.name.rsplit("_", 1)[1]
with httpx.Client(base_url=f"http://{address}", timeout=60) as client:

    def ask(path, **query):
        answer = client.get(f"/runs/{run_id}{path}", params=query)
        answer.raise_for_status()
        return answer.json()

    def page_through():
        found, after = 0, 0
        while after is not None:
            page = ask("/traces", after=after)
            found, after = found + len(page["traces"]), page["next"]
        assert found == TRACES

    timed("all traces over HTTP, 1,000 a page", page_through, floor)
    timed("view of the first trace", lambda: ask("/traces/1/view", points=100), floor)
    timed(f"view of trace {TRACES}", lambda: ask(f"/traces/{TRACES}/view", points=100), floor)
    timed("status of the run", lambda: ask(""), floor)
print(f"  memory after that: {memory_mb(run):.1f} MB")
run.kill()
run.wait()
timed("report", lambda: program("runs", "report", run_id), floor)
timed("runs verify", lambda: program("runs", "verify", run_id), floor)
timed("resume --plan", lambda: program("resume", run_id, "--plan"), floor)


def ask_catalogue():
    with sqlite3.connect(FOLDER / "runs" / "catalogue.sqlite") as catalogue:
        assert catalogue.execute("SELECT status FROM runs WHERE run = ?", (run_id,)).fetchone()


timed("the run in the catalogue", ask_catalogue, floor)
simulator.kill()
