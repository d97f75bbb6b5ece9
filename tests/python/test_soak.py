"""A service that works for long takes no more memory and no more file handles than at first. Some rounds usually; for ten
minutes where CTP10_TEST_THOROUGH is set."""

import contextlib
import os
import pathlib
import random
import threading
import time

from conftest import ok, until

THOROUGH = "CTP10_TEST_THOROUGH" in os.environ
ROUNDS = 4
SOAK_S = 600
# Buffers, pools and caches have their size by then.
SETTLED_S = 120
VIEWERS = 20
RECIPE = """
name: soak
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1600, speed_nm_s: 100, power_dbm: 1 }
  - configure_scan: { start_nm: 1520, stop_nm: 1580, resolution_pm: 1 }
  - sweep: {}
  - fetch_trace: { detectors: [4/1, 4/2], traces: [raw] }
  - read_power: { detectors: [4/1], samples: 3, interval_s: 0.05 }
"""


def handles(server):
    return len(list(pathlib.Path(f"/proc/{server.process.pid}/fd").iterdir()))


def resident_mib(server):
    lines = pathlib.Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) / 1024


def one_round(server):
    """A run from its begin to its end, with its events, its downloads, and clients that leave in the middle."""
    run = server.begin(RECIPE, unattended=True)
    assert "event: finished" in server.get(f"/runs/{run}/events").text
    assert ok(server.get(f"/runs/{run}"))["state"] == "done"
    for suffix in ["parquet", "csv", "arrow", "npy"]:
        assert server.get(f"/runs/{run}/traces/1.{suffix}").status_code == 200
    ok(server.get(f"/runs/{run}/traces/2/view"))
    assert server.get(f"/runs/{run}/report").status_code == 200
    with server.http.stream("GET", f"/runs/{run}/traces/1.csv") as left, contextlib.suppress(StopIteration):
        next(left.iter_raw(1000))
    ok(server.get("/runs"))
    ok(server.get("/instrument"))
    server.get("/detector/trace/metadata?trace_type=11")


def come_and_go(server, over, failures):
    """A viewer: it watches for a while, leaves, and comes again."""
    try:
        while not over.is_set():
            with server.watch("/ws/power?interval=0.05") as watch:
                watch.frames(random.randint(5, 50), "data")
    except Exception as error:
        if not over.is_set():
            failures.append(error)


def test_memory_and_handles_stay_as_they_are(server):
    over, failures = threading.Event(), []
    viewers = [threading.Thread(target=come_and_go, args=(server, over, failures)) for _ in range(VIEWERS)]
    try:
        one_round(server)
        idle = until("nobody is connected", lambda: handles(server))
        for viewer in viewers:
            viewer.start()
        begun, settled, rounds = time.monotonic(), None, 0
        while rounds < ROUNDS or (THOROUGH and time.monotonic() - begun < SOAK_S):
            one_round(server)
            rounds += 1
            if THOROUGH and settled is None and time.monotonic() - begun > SETTLED_S:
                settled = resident_mib(server)
        lasting = resident_mib(server)
    finally:
        over.set()
        for viewer in viewers:
            viewer.join(60)
    assert not failures, failures
    print(f"{rounds} runs: {settled} MiB after {SETTLED_S} s, {lasting:.1f} MiB at the end")
    assert lasting < 200
    if settled is not None:
        assert abs(lasting - settled) <= 0.1 * settled, f"{settled} MiB became {lasting} MiB in {rounds} runs"
    # What viewers and downloads held is given back.
    until("no handle is left behind", lambda: handles(server) <= idle)
