"""What live power costs, and whether it keeps its pace: against a simulator and a service of their own.

    cargo build --release && tests/all    # once: the binary, and tests/.venv
    tests/.venv/bin/python benches/live_power.py [gaps] [clients] [back] [abort]

gaps     message gaps of a 10-Hz stream before, during and after the transfer of 940,001 points at 1 MB/s, with two
         connections and with one; /health and /connection/status meanwhile; a query after a download that was given up
clients  1, 50 and 1,000 clients at 10 Hz: messages per client, queries at the instrument, processor time
back     the instrument killed and started again during a stream, and in mid-download
abort    how soon an abort of a sweep and of a run shows, and how often the register is asked during a sweep
"""

import asyncio
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import httpx
import websockets

ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARY = os.environ.get("CTP10_BIN", str(ROOT / "target" / "release" / "ctp10"))
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="ctp10-bench-"))
TICKS = os.sysconf("SC_CLK_TCK")


def start(*arguments):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CTP10_")}
    process = subprocess.Popen(
        [BINARY, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, cwd=FOLDER, text=True
    )
    address = process.stdout.readline().split()[-1].removeprefix("http://")
    return process, address


def simulate(*arguments, listen="127.0.0.1:0"):
    return start("simulate", "--listen", listen, *arguments)


def serve(instrument):
    return start("serve", "--instrument", instrument, "--listen", "127.0.0.1:0")


def processor_s(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def connected(client):
    while not (await client.get("/health")).json()["connected"]:
        await asyncio.sleep(0.01)


class Stream:
    """A 10-Hz stream and when its messages came."""

    def __init__(self, address):
        self.address, self.seen, self.task = address, [], None

    async def __aenter__(self):
        self.task = asyncio.create_task(self.listen())
        return self

    async def __aexit__(self, *_):
        self.task.cancel()

    async def listen(self):
        async with websockets.connect(f"ws://{self.address}/ws/power?interval=0.1", compression=None) as socket:
            async for text in socket:
                self.seen.append((time.perf_counter(), json.loads(text)["type"]))

    def told(self, name, begin, end):
        seen = [(at, kind) for at, kind in self.seen if begin <= at < end and kind != "heartbeat"]
        gaps = sorted(1e3 * (b[0] - a[0]) for a, b in zip(seen, seen[1:]))
        kinds = {kind: sum(k == kind for _, k in seen) for _, kind in seen}
        p99 = gaps[int(len(gaps) * 0.99)]
        print(f"  {name:7} {kinds}: gap median {statistics.median(gaps):.1f}, p99 {p99:.1f}, max {gaps[-1]:.1f} ms")


async def gaps():
    for connections in ("2", "1"):
        print(f"gaps, --max-connections {connections}")
        simulator, instrument = simulate(
            "--points", "940001", "--bandwidth", "1000000", "--max-connections", connections, "--time-scale", "0.2"
        )
        service, address = serve(instrument)
        async with httpx.AsyncClient(base_url=f"http://{address}", timeout=120) as client, Stream(address) as stream:
            await connected(client)
            await client.post("/measurement/sweep/start?wait=true")
            calm = time.perf_counter()
            await asyncio.sleep(3)
            begin = time.perf_counter()
            download = asyncio.create_task(client.get("/detector/trace/binary?trace_type=11"))
            latency = {"/health": [], "/connection/status": []}
            while not download.done():
                for path, taken in latency.items():
                    asked = time.perf_counter()
                    await client.get(path)
                    taken.append(1e3 * (time.perf_counter() - asked))
                await asyncio.sleep(0.05)
            end = time.perf_counter()
            await asyncio.sleep(3)
            stream.told("before", calm + 0.3, begin)
            stream.told("during", begin - 0.2, end + 0.2)
            stream.told("after", end, time.perf_counter())
            print(f"  download: {download.result().status_code}, {end - begin:.1f} s")
            for path, taken in latency.items():
                print(f"  {path} meanwhile: median {statistics.median(taken):.1f}, max {max(taken):.1f} ms")
            try:
                await client.get("/detector/trace/binary?trace_type=11", timeout=1)
            except httpx.ReadTimeout:
                pass
            asked = time.perf_counter()
            await client.get("/measurement/resolution")
            print(f"  query after a download given up: {1e3 * (time.perf_counter() - asked):.0f} ms")
        service.kill()
        simulator.kill()


async def clients():
    log = FOLDER / "commands.log"
    simulator, instrument = simulate("--log", str(log))
    service, address = serve(instrument)
    async with httpx.AsyncClient(base_url=f"http://{address}") as client:
        await connected(client)
    for count in (1, 50, 1000):
        received, counting = [0] * count, False

        async def listen(number):
            url = f"ws://{address}/ws/power?interval=0.1"
            async with websockets.connect(url, compression=None, open_timeout=60) as socket:
                while True:
                    await socket.recv()
                    received[number] += counting

        tasks = []
        for number in range(count):
            tasks.append(asyncio.create_task(listen(number)))
            if number % 50 == 49:
                await asyncio.sleep(0.2)
        await asyncio.sleep(3)
        lines, used, began, counting = len(log.read_bytes().splitlines()), processor_s(service), time.perf_counter(), True
        await asyncio.sleep(10)
        counting, took = False, time.perf_counter() - began
        rates = sorted(number / took for number in received)
        queries = (len(log.read_bytes().splitlines()) - lines) / took
        cores = (processor_s(service) - used) / took
        print(
            f"{count:5} clients: {statistics.median(rates):.2f} messages/s each ({rates[0]:.2f} to {rates[-1]:.2f}), "
            f"{queries:.1f} queries/s, {100 * cores:.0f} % of a core"
        )
        for task in tasks:
            task.cancel()
        await asyncio.sleep(1)
    service.kill()
    simulator.kill()


async def back():
    options = ["--points", "940001", "--bandwidth", "1000000", "--time-scale", "0.1"]
    simulator, instrument = simulate(*options)
    service, address = serve(instrument)
    async with httpx.AsyncClient(base_url=f"http://{address}", timeout=60) as client, Stream(address) as stream:
        await connected(client)
        for during in ("stream", "download"):
            download = None
            if during == "download":
                await client.post("/measurement/sweep/start?wait=true")
                download = asyncio.create_task(client.get("/detector/trace/binary?trace_type=11"))
            await asyncio.sleep(1)
            simulator.kill()
            simulator.wait()
            used = processor_s(service)
            await asyncio.sleep(3)
            used = (processor_s(service) - used) / 3
            simulator, _ = simulate(*options, listen=instrument)
            returned = time.perf_counter()
            while not any(at > returned and kind == "data" for at, kind in stream.seen):
                await asyncio.sleep(0.005)
            answer = f", it was answered {(await download).status_code}" if download else ""
            print(
                f"killed during a {during}: data again {time.perf_counter() - returned:.2f} s after its return, "
                f"{100 * used:.1f} % of a core meanwhile{answer}"
            )
    service.kill()
    simulator.kill()


async def abort():
    log = FOLDER / "sweep.log"
    simulator, instrument = simulate("--log", str(log))
    service, address = serve(instrument)
    async with httpx.AsyncClient(base_url=f"http://{address}", timeout=60) as client:
        await connected(client)
        await client.post("/tls/1/config", json={"sweep_speed_nmps": 10})
        await client.post(
            "/measurement/sweep/wavelengths", json={"start_wavelength_nm": 1520, "stop_wavelength_nm": 1570}
        )
        await client.post("/measurement/sweep/start")
        lines = len(log.read_bytes().splitlines())
        asked = time.perf_counter()
        while (took := time.perf_counter() - asked) < 3:
            # A client that asks as fast as it can.
            await client.get("/measurement/sweep/status")
        polls = sum(b"COND?" in line for line in log.read_bytes().splitlines()[lines:]) / took
        asked = time.perf_counter()
        await client.post("/measurement/sweep/abort")
        print(f"abort of a sweep: idle after {1e3 * (time.perf_counter() - asked):.0f} ms; {polls:.0f} register polls/s")
        recipe = "name: long\nsteps:\n  - sweep: { start_nm: 1520, stop_nm: 1570 }\n"
        run = (await client.post("/runs", json={"recipe": recipe})).json()["run"]
        while not (await client.get("/connection/condition")).json()["bits"]["scanning"]:
            pass
        asked = time.perf_counter()
        await client.post(f"/runs/{run}/abort")
        while not (await client.get("/connection/condition")).json()["is_idle"]:
            pass
        print(f"abort of a run: idle after {1e3 * (time.perf_counter() - asked):.0f} ms")
    service.kill()
    simulator.kill()


if __name__ == "__main__":
    every = {"gaps": gaps, "clients": clients, "back": back, "abort": abort}
    for name in sys.argv[1:] or every:
        asyncio.run(every[name]())
