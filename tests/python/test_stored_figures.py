"""The table of figures, read as docs/runs.md says."""

import csv
import io
import json
import os
import re
import subprocess
import sys

import duckdb
import numpy
import pytest

from conftest import ROOT, ctp10

RECIPE = """
name: rings
instrument: sim
simulator: { dut: ring, noise: by-settings, time_scale: 0.01 }
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 5 }
  - configure_scan: { start_nm: 1545, stop_nm: 1555, resolution_pm: 1 }
  - create_reference: { detector: 4/1 }
  - repeat:
      for: chip
      in_csv: chips.csv
      steps:
        - sweep:
        - fetch_trace: { id: out, detector: 4/1, trace: tf }
        - analyze: { id: ring, trace: out, expect: { q_loaded: { min: "${chip.least_q}" }, dip_nm: { min: 1540 } } }
"""


def snippet(language):
    """The only example in this language."""
    (text,) = re.findall(f"```{language}\n(.*?)```", (ROOT / "docs/runs.md").read_text(), re.DOTALL)
    return text


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    folder = tmp_path_factory.mktemp("night")
    (folder / "rings.yaml").write_text(RECIPE)
    (folder / "chips.csv").write_text("chip,least_q\nA,1000\nB,1000000\n")
    for _ in range(2):
        done = ctp10("run", "rings.yaml", "--unattended", cwd=folder)
        assert done.returncode == 4, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def figures(night):
    """What `ctp10 figures` says: (run, chip) with Q and verdict."""
    done = ctp10("figures", "--name", "rings", "--csv", cwd=night)
    assert done.returncode == 0, done.stderr
    rows = csv.DictReader(io.StringIO(done.stdout))
    told = {(row["run"], row["chip"]): (float(row["q_loaded"]), row["verdict"]) for row in rows}
    assert len(told) == 4
    return told


def test_duckdb_makes_one_row_per_device(night, figures):
    query = snippet("sql").replace("runs/*", f"{night}/runs/*").strip().rstrip(";")
    table = duckdb.sql(query).df()
    assert {(row.run_id, row.chip): row.q_loaded for row in table.itertuples()} == pytest.approx(
        {device: q for device, (q, _) in figures.items()}
    )


def test_pandas_makes_one_row_per_device_with_its_verdict(night, figures):
    code = snippet("python") + "\ntable.to_csv('table.csv')\n"
    done = subprocess.run([sys.executable, "-c", code], cwd=night, env=os.environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    with open(night / "table.csv", newline="") as table:
        rows = list(csv.DictReader(table))
    assert {(row["run_id"], row["chip"]): row["verdict"] for row in rows} == {d: verdict for d, (_, verdict) in figures.items()}


def test_the_control_chart_of_a_golden_device_over_several_runs_is_that_of_numpy(tmp_path):
    text = RECIPE.replace("in_csv: chips.csv", "in_csv: chips.csv\n      golden: { every: 2 }").replace(" noise: by-settings,", "")
    (tmp_path / "rings.yaml").write_text(text)
    (tmp_path / "chips.csv").write_text("chip,least_q,golden\nG,1000,true\nA,1000,false\nB,1000,false\nC,1000,false\nD,1000,false\n")
    for _ in range(2):
        done = ctp10("run", "rings.yaml", "--unattended", cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    query = "select value from '{}/runs/*/results.parquet' where chip = 'G' and figure = 'q_loaded' and of = 'dip 1' order by run_id, trace_index"
    loaded = duckdb.sql(query.format(tmp_path)).df()["value"].to_numpy()
    # First, after every two others, in two runs.
    assert len(loaded) == 6 and numpy.ptp(loaded) > 0
    done = ctp10("figures", "--name", "rings", "--control-chart", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (series,) = [series for series in json.loads(done.stdout)["charts"] if series["figure"] == "q_loaded"]
    assert series["columns"]["chip"] == "G" and sorted(series["values"]) == pytest.approx(sorted(loaded))
    ranges = abs(numpy.diff(series["values"]))
    deviation = ranges.mean() / 1.128
    chart = series["chart"]
    assert chart["mean"] == pytest.approx(loaded.mean())
    assert chart["guard"] == pytest.approx(3 * deviation)
    assert [chart["lower"], chart["upper"]] == pytest.approx([loaded.mean() - 2.66 * ranges.mean(), loaded.mean() + 2.66 * ranges.mean()])
    assert series["started"] == sorted(series["started"]) and len(set(series["started"])) == 2
    told = ctp10("figures", "--name", "rings", "--control-chart", cwd=tmp_path)
    assert told.returncode == 0 and "golden devices: 6 measurements" in told.stdout, told.stdout + told.stderr
    report = sorted((tmp_path / "runs").glob("*/report.html"))[-1].read_text()
    assert "control chart" in report.lower()
