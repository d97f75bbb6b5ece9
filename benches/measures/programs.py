"""Programs that a measurement starts: the binary, its simulator, floors in C. None outlives its block."""

import contextlib
import json
import os
import pathlib
import subprocess
import tempfile
import threading
import time
from datetime import datetime

from .http import Client

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("CTP10_BIN", str(ROOT / "target" / "release" / "ctp10"))
SCRATCH = tempfile.TemporaryDirectory(prefix="ctp10-bench-")
FOLDER = pathlib.Path(SCRATCH.name)
PROCESSORS = set(os.sched_getaffinity(0))
# With two processors or more, the program has one of them for itself.
OWN = {min(PROCESSORS)}
OTHERS = PROCESSORS - OWN or OWN


@contextlib.contextmanager
def pinned(processors):
    """Programs that start in this block get these processors. With `preexec_fn`, each start would copy this process first,
    and the copy would count as time of the program."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def started(*arguments, processors=PROCESSORS, environment=None, **options):
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CTP10_")}
    with pinned(processors):
        process = subprocess.Popen(
            [BINARY, *map(str, arguments)], env=plain | (environment or {}), cwd=FOLDER, text=True, **options,
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
def simulator(*arguments, time_scale=0.01):
    with started(
        "simulate", "--listen", "127.0.0.1:0", "--time-scale", time_scale, *arguments,
        processors=OTHERS, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:
        yield process.stdout.readline().split()[-1]


@contextlib.contextmanager
def server(instrument, *arguments):
    """A server, and a client of it."""
    with started(
        "serve", "--instrument", instrument, "--listen", "127.0.0.1:0", *arguments,
        processors=OWN, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:
        yield process, Client(process.stdout.readline().split()[-1].removeprefix("http://"))


@contextlib.contextmanager
def service(instrument, *arguments):
    """A server that is connected to the instrument, and a client of it."""
    with server(instrument, *arguments) as (process, client):
        while not client.json("/health")["connected"]:
            time.sleep(0.01)
        yield process, client


class Memory:
    """The most anonymous memory of a process, looked at every 5 ms. Files that are mapped do not count."""

    def __init__(self, process):
        self.process, self.most, self.ended = process, 0.0, threading.Event()
        self.watch = threading.Thread(target=self.look, daemon=True)

    def look(self):
        while not self.ended.wait(0.005):
            with contextlib.suppress(OSError, StopIteration):
                self.most = max(self.most, memory_mib(self.process))

    def __enter__(self):
        self.watch.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.watch.join()


def memory_mib(process, field="RssAnon"):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith(field))


def processor_ms(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return 1e3 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Run:
    """A run that has ended: its events with their times, the most memory, and its folder."""

    def __init__(self, recipe, instrument, name="measured.yaml", processors=OWN, environment=None):
        (FOLDER / name).write_text(recipe)
        out = tempfile.mkdtemp(dir=FOLDER)
        log = pathlib.Path(out, "log.txt")
        with log.open("w") as messages, started(
            "run", name, "--instrument", instrument, "--sidecar", "off", "--unattended", "--log-format", "json", "--out", out,
            processors=processors, environment=environment, stdout=subprocess.DEVNULL, stderr=messages,
        ) as process, Memory(process) as memory:
            assert process.wait() == 0, log.read_text()[-2000:]
        self.folder = next(pathlib.Path(out).glob("*/run.json")).parent
        self.events = [json.loads(line) for line in (self.folder / "journal.jsonl").read_text().splitlines()]
        self.memory_mib = memory.most

    def at(self, event, number=None):
        return [
            datetime.fromisoformat(found["time"]).timestamp() for found in self.events
            if found["event"] == event and (number is None or found.get("number") == number)
        ]

    def steps_ms(self, operation):
        """How long each step of an operation took, from its record to the record of its end."""
        numbers = [e["number"] for e in self.events if e["event"] == "step_started" and operation in e["step"]["operation"]]
        return [1e3 * (self.at("step_finished", n)[0] - self.at("step_started", n)[0]) for n in numbers]


def compiled(name, *options):
    """A program or a library in C."""
    program = FOLDER / name
    if not program.exists():
        source = pathlib.Path(__file__).parent / "floors" / f"{name}.c"
        subprocess.run(["cc", "-O2", "-o", program, source, *options], check=True)
    return program


def in_c(name, *arguments):
    """The figure that a floor in C prints."""
    words = [str(compiled(name)), *map(str, arguments)]
    with pinned(OWN):
        program = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    with program:
        figure = float(program.stdout.read())
    assert program.returncode == 0, words
    return figure


def timed(work, rounds):
    """The times of `rounds` rounds in ms, after one that does not count."""
    took = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        work()
        took.append(1e3 * (time.perf_counter() - began))
    return took[1:]
