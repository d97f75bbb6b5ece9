"""fetch_trace: from the step to the stored trace, in one run, on one processor."""

import os

import numpy
import pyarrow
import pyarrow.parquet

from . import recipes
from .programs import FOLDER, OWN, PROCESSORS, Run, simulator, timed
from .relay import Relay, asked, received

ROUNDS = 15
# The memory of a run with 940,001 points, for the run with more.
ONE = {}


def encode_floor(block, rounds=ROUNDS):
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
    took = timed(encode, rounds)
    os.sched_setaffinity(0, PROCESSORS)
    return took


def trace_of(relay, detector="4/1"):
    module, channel = detector.split("/")
    return asked(relay.address, f"TRAC:SENS{module}:CHAN{channel}:TYPE1:DATA? BIN,DB\n".encode())


def fetch(table):
    with simulator() as instrument:
        relay = Relay(instrument)
        run = Run(recipes.fetching(times=ROUNDS + 2), relay.address)
        floor = encode_floor(trace_of(relay))
    took, stored = run.steps_ms("fetch_trace"), next((run.folder / "traces").glob("0001*"))
    table.add("fetch_trace, first of a grid", took[:1])
    table.add("fetch_trace, socket to synced Parquet", took[2:], floor, target=28, ratio=1.2)
    table.add("memory of the run", [run.memory_mib], target=10, unit="MiB")
    table.add("size of the file", [stored.stat().st_size / 1e6], target=2.25, unit="MB")
    ONE["memory"], ONE["floor"] = run.memory_mib, floor


def slow_transfer(table):
    """The transfer itself is the floor."""
    rate = 1e6
    with simulator() as instrument:
        relay = Relay(instrument, rate)
        run = Run(recipes.fetching(times=4), relay.address)
        floor = timed(lambda: trace_of(relay), 2)
    table.add("fetch_trace at 1 MB/s", run.steps_ms("fetch_trace")[1:], floor, ratio=1.01)


def large(table):
    with simulator("--points", 22_000_001) as instrument:
        run = Run(recipes.fetching(times=2), Relay(instrument).address)
    table.add("fetch_trace of 22,000,001 points", run.steps_ms("fetch_trace")[1:])
    if "memory" in ONE:
        table.add("memory for that, beyond 940,001 points", [run.memory_mib - ONE["memory"]], target=2, unit="MiB")
