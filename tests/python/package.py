"""What the tests of `import ctp10` share: recipes, an environment, and interpreters of their own."""

import os
import pathlib
import subprocess
import sys
import textwrap

import pytest
from conftest import BINARY, HOME, LIMIT_S, ROOT, environment

sys.path.insert(0, str(ROOT / "python"))

SERIES = ROOT / "recipes/power-series.yaml"
# One trace, and then light for as long as nobody stops the run.
LIT = """
name: lit
detectors: { out: 4/1 }
steps:
  - configure_scan: { start_nm: 1545, stop_nm: 1550, resolution_pm: 10 }
  - sweep:
  - fetch_trace: { detector: out, trace: raw }
  - configure_laser: { laser: 1, power_dbm: 0, output: true }
  - wait: { seconds: 36000 }
"""
SWEEPS = """
name: sweeps
detectors: { out: 4/1 }
steps:
  - configure_scan: { start_nm: 1545, stop_nm: 1550, resolution_pm: 10 }
  - repeat: { times: 3, steps: [ sweep: , fetch_trace: { detector: out, trace: raw } ] }
"""
ASKS = """
name: asks
detectors: { out: 4/1 }
steps:
  - prompt: { id: fibre, message: "Which fibre?", choices: [left, right], unattended: left }
  - log: "the fibre is ${steps.fibre.answer}"
  - configure_scan: { start_nm: 1545, stop_nm: 1550, resolution_pm: 10 }
  - sweep:
  - fetch_trace: { detector: out, trace: raw }
"""


@pytest.fixture(autouse=True)
def at_home(monkeypatch, tmp_path):
    """Each test has a folder of its own, and nothing of the user's configuration."""
    for name in os.environ:
        if name.startswith(("CTP10_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", HOME.name)
    monkeypatch.setenv("CTP10_BIN", str(pathlib.Path(BINARY).absolute()))
    monkeypatch.chdir(tmp_path)


def script(text, *options, python=sys.executable, **variables):
    """A script in an interpreter of its own."""
    return subprocess.run(
        [python, *options, "-c", textwrap.dedent(text)],
        env=environment(**{"PYTHONPATH": str(ROOT / "python"), "CTP10_BIN": os.path.abspath(BINARY), **variables}),
        capture_output=True,
        text=True,
        timeout=2 * LIMIT_S,
        check=False,
    )


def first(handle, kind):
    return next(event for event in handle.events() if event["event"] == kind)


def until_lit(handle):
    """Waits until the recipe `LIT` has turned its laser on."""
    next(
        event for event in handle.events() if event["event"] == "step_started" and "wait" in event["step"]["operation"]
    )
