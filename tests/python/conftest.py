"""The binary under test, an embedded instrument of its own, and runs made with it."""

import json
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("CTP10_BIN", str(ROOT / "target" / "debug" / "ctp10"))


def environment():
    return {name: value for name, value in os.environ.items() if not name.startswith("CTP10_")}


def ctp10(*arguments, cwd=None):
    return subprocess.run([BINARY, *map(str, arguments)], cwd=cwd, env=environment(), capture_output=True, text=True)


class Simulator:
    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [BINARY, "simulate", "--listen", "127.0.0.1:0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
            text=True,
        )
        self.address = self.process.stdout.readline().removeprefix("listening on ").strip()
        self.host, port = self.address.rsplit(":", 1)
        self.port = int(port)

    def stop(self):
        self.process.terminate()
        self.process.wait()


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """A folder with runs of two different recipes."""
    folder = tmp_path_factory.mktemp("bench")
    simulator = Simulator("--time-scale", "0.02", "--seed", "3")
    for recipe in ["recipes/power-series.yaml", "scripts/find_resonance.rhai", "recipes/drift-monitor.yaml"]:
        shorter = ["--set", "turns=2", "--set", "pause_s=0.3"] if "drift" in recipe else []
        made = ctp10("run", ROOT / recipe, "--instrument", simulator.address, *shorter, cwd=folder)
        assert made.returncode == 0, made.stderr
    simulator.stop()
    return folder / "runs"


@pytest.fixture(scope="session")
def run_of(runs):
    def find(name):
        (folder,) = [path for path in runs.iterdir() if json.loads((path / "run.json").read_text())["name"] == name]
        return folder

    return find
