"""The service as systemd has it: what the unit file allows it, and how it ends."""

import contextlib
import re
import shutil
import socket
import subprocess

import pytest

from conftest import ROOT, ok

UNIT = ROOT / "packaging" / "ctp10.service"
MOST_EXPOSURE = 2.5


def test_the_unit_allows_little():
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze on this system")
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", UNIT], capture_output=True, text=True, check=False
    )
    exposure = re.search(r"Overall exposure level for ctp10.service: ([0-9.]+)", judged.stdout)
    if exposure is None:
        pytest.skip(f"this systemd-analyze judges no files: {judged.stderr}")
    assert float(exposure[1]) <= MOST_EXPOSURE, judged.stdout


def test_the_unit_gives_handles_and_time():
    said = dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if re.match("[A-Za-z]+=", line))
    assert int(said["LimitNOFILE"]) >= 65536
    # A run under way is waited for; the watchdog of a run that was killed is not ended before its work is done.
    assert (said["TimeoutStopSec"], said.get("KillMode", "control-group")) == ("infinity", "control-group")


def test_a_stop_ends_when_nothing_is_measured(start):
    """Whatever clients are there, and with a queue that is paused."""
    server = start.server(start.simulator("--time-scale", "0.02"))
    ok(server.post("/batch/pause"))
    recipe = "name: nothing\nsteps: [{ log: done }]\n"
    run = server.post("/runs", json={"recipe": recipe}).json()["run"]
    server.get(f"/runs/{run}/events")
    with contextlib.ExitStack() as clients:
        for request in ["", "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", "POST /check HTTP/1.1\r\nHost: localhost\r\n"]:
            client = clients.enter_context(socket.create_connection((server.host, server.port), 60))
            client.sendall(request.encode())
        clients.enter_context(server.watch("/ws/power"))
        server.process.terminate()
        assert server.process.wait(60) == 0
