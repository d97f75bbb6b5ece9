"""Traces over HTTP: from the instrument, and from the folder of a run."""

import time

import pyarrow.parquet

from . import recipes
from .programs import FOLDER, memory_mib, service, simulator, timed
from .relay import Relay, received

ROUNDS = 15


def downloads(table):
    with simulator() as instrument, service(Relay(instrument).address) as (server, client):
        time.sleep(1)
        table.add("idle memory of the server", [memory_mib(server)], target=5, unit="MiB")
        run = client.run(recipes.fetching(times=2))
        time.sleep(1)
        table.add("idle memory of the server after a run", [memory_mib(server)], target=5, unit="MiB")
        before = memory_mib(server, "VmRSS")
        for name, path, target in [
            ("GET /detector/trace/binary (NPY)", "/detector/trace/binary", 25),
            ("GET /detector/trace/data (JSON)", "/detector/trace/data", 80),
        ]:
            body = client.get(path)
            floor = timed(lambda body=body: received(body), ROUNDS)
            table.add(name, timed(lambda path=path: client.get(path), ROUNDS), floor, target=target)
        table.add("growth of the server's memory", [memory_mib(server, "VmHWM") - before], target=5, unit="MiB")
        file = next((FOLDER / "runs").glob(f"*{run}/traces/0001*"))
        reading = timed(lambda: pyarrow.parquet.read_table(file, columns=["wavelength_nm", "value"], use_threads=False), ROUNDS)
        for suffix in ["parquet", "arrow", "npy", "csv"]:
            path = f"/runs/{run}/traces/1.{suffix}"
            table.add(f"GET /runs/…/1.{suffix}, by reading the Parquet", timed(lambda: client.get(path), ROUNDS), reading)
        windows = iter(range(10_000))
        view = f"/runs/{run}/traces/2/view?points=2000"
        first = lambda: client.get(f"{view}&from_nm={1502 + next(windows) * 1e-4}")
        table.add("view of 2,000 pieces, first", timed(first, ROUNDS), target=10)
        table.add("view of 2,000 pieces, repeated", timed(lambda: client.get(view), ROUNDS), target=2)
