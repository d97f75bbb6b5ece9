"""The columns of traces: one name has one type in a run and in a batch, whatever reads them."""

import json
import os
import signal
import subprocess

import duckdb
import pandas
import polars
import pyarrow.dataset
import pyarrow.parquet
import pytest
from conftest import BINARY, ctp10, environment

HEAD = """
name: columns
instrument: sim
simulator: { time_scale: 0.001 }
detectors: { through: 4/1 }
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1540, stop_nm: 1541, speed_nm_s: 50, power_dbm: 0 }
  - configure_scan: { start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }
"""
MIXED = (
    HEAD
    + """
  - repeat:
      for: device
      in: [1, ref, 3]
      steps:
        - sweep:
        - fetch_trace: { detectors: [through, 4/2], trace: raw, name: "d_${device}", columns: { height: 2 } }
"""
)

def run(tmp_path, text, *arguments, name="a.yaml"):
    (tmp_path / name).write_text(text)
    ran = ctp10("run", name, "--unattended", "--out", "runs", *arguments, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    return tmp_path / ran.stdout.splitlines()[-1], ran.stderr


def journal(folder, event):
    lines = (folder / "journal.jsonl").read_text().splitlines()
    return [record for record in map(json.loads, lines) if record["event"] == event]


def everyone(folder, pattern, column):
    """The values of a column over many files as each library gives them."""
    files = sorted(folder.glob(pattern))
    assert files
    in_order = [pyarrow.parquet.read_table(file)[column].to_pylist()[0] for file in files]
    by_pyarrow = pyarrow.dataset.dataset([str(file) for file in files]).to_table()[column].to_pylist()
    by_pandas = pandas.concat([pandas.read_parquet(file) for file in files])[column]
    by_polars = polars.scan_parquet([str(file) for file in files]).select(polars.col(column).unique()).collect()
    by_duckdb = duckdb.sql(f"SELECT DISTINCT {column} FROM read_parquet({list(map(str, files))})").fetchall()
    seen = set(in_order)
    assert set(by_pyarrow) == seen
    assert {None if pandas.isna(value) else value for value in by_pandas} == seen
    assert set(by_polars[column].to_list()) == seen
    assert {value for (value,) in by_duckdb} == seen
    return in_order


def test_a_list_of_numbers_and_words_is_a_column_of_texts(tmp_path):
    folder, _ = run(tmp_path, MIXED)
    assert everyone(folder, "traces/*.parquet", "device") == ["1", "1", "ref", "ref", "3", "3"]
    assert everyone(folder, "traces/*.parquet", "detector") == ["through", "4/2"] * 3
    assert everyone(folder, "traces/*.parquet", "name") == ["d_1", "d_1", "d_ref", "d_ref", "d_3", "d_3"]
    assert everyone(folder, "traces/*.parquet", "height") == [2.0] * 6


def test_the_decision_holds_in_a_run_that_is_killed_and_resumed(tmp_path):
    (tmp_path / "a.yaml").write_text(MIXED.replace("- sweep:", "- sweep:\n        - wait: 0.2"))
    command = [BINARY, "--log-format", "json", "run", "a.yaml", "--unattended", "--out", "runs"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        for line in process.stderr:
            if '"trace_stored"' in line and '"4/2"' in line:
                break
        os.kill(process.pid, signal.SIGKILL)
        process.stderr.read()
    (folder,) = [path for path in (tmp_path / "runs").iterdir() if path.is_dir()]
    resumed = ctp10("resume", folder.name, "--unattended", "--out", "runs", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert everyone(folder, "traces/*.parquet", "device") == ["1", "1", "ref", "ref", "3", "3"]


def test_the_first_file_decides_what_only_the_run_can_tell(tmp_path):
    script = """
recipe(#{ name: "answers", instrument: "sim", simulator: #{ time_scale: 0.001 } });
configure_tls(#{ tls: 1, laser: 1, start_nm: 1540, stop_nm: 1541, speed_nm_s: 50, power_dbm: 0 });
configure_scan(#{ start_nm: 1540, stop_nm: 1541, resolution_pm: 10 });
let power = read_power(#{ detector: "4/1" });
let labels = [5.5, "ref", 7];
for turn in 0..3 {
    sweep();
    // A forecast knows one label only: it is no measurement.
    let label = if power == -10.0 { 5.5 } else { labels[turn] };
    fetch_trace(#{ detector: "4/1", trace: "raw", columns: #{ label: label } });
}
"""
    folder, _ = run(tmp_path, script, name="a.rhai")
    assert everyone(folder, "traces/*.parquet", "label") == [5.5, None, 7.0]
    (warning,) = [record["message"] for record in journal(folder, "warning") if "label" in record["message"]]
    assert "`label` contains numbers" in warning and "`ref` is a text" in warning


BATCH = """
name: night
out: runs
items:
  - { recipe: a.yaml, devices: devices.csv, matrix: { height: [1, tall], power: [0, 3] } }
"""


def test_what_a_batch_varies_is_a_column_of_all_its_traces(tmp_path):
    recipe = HEAD.replace("name: columns", "name: columns\nparameters: { power: { default: 0 } }")
    (tmp_path / "a.yaml").write_text(recipe + "  - sweep:\n  - fetch_trace: { detector: through, trace: raw }\n")
    (tmp_path / "devices.csv").write_text("device\n1\nref\n")
    (tmp_path / "night.yaml").write_text(BATCH)
    ran = ctp10("batch", "night.yaml", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert sorted(set(everyone(tmp_path, "runs/*/traces/*.parquet", "device"))) == ["1", "ref"]
    assert sorted(set(everyone(tmp_path, "runs/*/traces/*.parquet", "height"))) == ["1", "tall"]
    assert sorted(set(everyone(tmp_path, "runs/*/traces/*.parquet", "power"))) == [0.0, 3.0]
    groups = duckdb.sql(
        f"""
        SELECT device, power, count(DISTINCT run_id), any_value(detector)
        FROM read_parquet('{tmp_path}/runs/*/traces/*.parquet') GROUP BY device, power ORDER BY device, power
        """
    ).fetchall()
    assert groups == [(device, power, 2, "through") for device in ("1", "ref") for power in (0, 3)]


def test_the_recipe_keeps_a_name_that_a_batch_gives_too(tmp_path):
    recipe = MIXED.replace("[1, ref, 3]", "[here]")
    (tmp_path / "a.yaml").write_text(recipe)
    batch = BATCH.replace("devices: devices.csv, matrix: { height: [1, tall], power: [0, 3] }",
                          "matrix: { device: [there], channel: [x], lot: [L7] }")
    (tmp_path / "night.yaml").write_text(batch)
    checked = ctp10("batch", "check", "night.yaml", cwd=tmp_path)
    for name in ("device", "channel"):
        assert f"`{name}` of the batch does not become a column of the trace files" in checked.stderr, checked.stderr
    ran = ctp10("batch", "night.yaml", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    (folder,) = [path.parent for path in (tmp_path / "runs").glob("*/run.json")]
    assert set(everyone(folder, "traces/*.parquet", "device")) == {"here"}
    assert set(everyone(folder, "traces/*.parquet", "lot")) == {"L7"}
    assert json.loads((folder / "run.json").read_text())["metadata"]["device"] == "there"


def test_a_variable_called_detector_takes_the_place_of_the_name(tmp_path):
    recipe = MIXED.replace("for: device", "for: detector").replace("${device}", "${detector}")
    (tmp_path / "a.yaml").write_text(recipe)
    checked = ctp10("check", "a.yaml", cwd=tmp_path)
    assert "replaces the column with the detector's name" in checked.stderr
    folder, _ = run(tmp_path, recipe)
    assert everyone(folder, "traces/*.parquet", "detector") == ["1", "1", "ref", "ref", "3", "3"]


def test_the_schema_and_pandas_attrs_tell_how_a_trace_was_made(tmp_path):
    recipe = MIXED.replace("name: columns", "name: columns\nparameters: { power: { default: 2.5 } }")
    folder, _ = run(tmp_path, recipe)
    file = sorted((folder / "traces").glob("*.parquet"))[0]
    metadata = pyarrow.parquet.read_schema(file).metadata
    assert json.loads(metadata[b"sweep_settings"])["resolution_pm"] == 10
    assert json.loads(metadata[b"units"]) == {"wavelength_nm": "nm", "value": "dBm"}
    assert b"SIMULATED" in metadata[b"instrument"]
    attrs = pandas.read_parquet(file).attrs
    assert attrs["sweep_settings"]["resolution_pm"] == 10 and attrs["parameters"] == {"power": 2.5}
    assert attrs["units"]["value"] == "dBm" and "SIMULATED" in attrs["instrument"]
    assert attrs["simulated"] is True and attrs["detector"] == "through"
    # Neither is lost when all files are read as one.
    assert pandas.read_parquet(folder / "traces").attrs["parameters"] == {"power": 2.5}
