"""Commands: how soon they begin, and how long they take."""

import socket
import subprocess
import time

from . import recipes
from .programs import BINARY, FOLDER, OTHERS, OWN, ROOT, Run, server, simulator, started, timed
from .relay import asked

ROUNDS = 15


def commands(table):
    recipe = ROOT / "recipes" / "power-series.yaml"
    program = lambda *arguments: subprocess.run([BINARY, *map(str, arguments)], check=True, capture_output=True, cwd=FOLDER)
    nothing = timed(lambda: program("--version"), ROUNDS)
    table.add("check of a recipe", timed(lambda: program("check", recipe), ROUNDS), nothing, target=10)
    table.add("run to its first SCPI command", [first_command() for _ in range(ROUNDS)], nothing, target=10)
    with simulator() as instrument:
        table.add("serve to healthy", [healthy(instrument) for _ in range(ROUNDS)], nothing, target=10)
    began = time.perf_counter()
    program("rehearse", recipe)
    table.add("rehearse", [time.perf_counter() - began], target=20, unit="s")


def first_command():
    (FOLDER / "first.yaml").write_text(recipes.readings(1))
    with socket.create_server(("127.0.0.1", 0)) as instrument:
        began = time.perf_counter()
        address = "127.0.0.1:%d" % instrument.getsockname()[1]
        with started(
            "run", "first.yaml", "--instrument", address, "--sidecar", "off",
            processors=OWN, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) as run:
            link = instrument.accept()[0]
            assert link.recv(1)
            took = time.perf_counter() - began
            # Nothing has begun, so nothing has to end well.
            run.kill()
            link.close()
            return 1e3 * took


def healthy(instrument):
    began = time.perf_counter()
    with server(instrument) as (_, client):
        assert client.json("/health")["status"] == "healthy"
        return 1e3 * (time.perf_counter() - began)


def instrument(table):
    """The simulator makes 940,001 points of the ring and sends them."""
    took = []
    with simulator() as address:
        Run(recipes.fetching(times=1), address)
        for kind in [1, 11, 12] * 3:
            began = time.perf_counter()
            block = asked(address, f"TRAC:SENS4:CHAN1:TYPE{kind}:DATA? BIN,DB\n".encode())
            took.append(1e3 * (time.perf_counter() - began))
            assert len(block) == 4 * 940_001
    table.add("the simulator makes and sends 940,001 points", took, target=100)
