"""What `ctp10 export` writes, read by the libraries that people read it with."""

import json
import os
import pathlib
import subprocess

import numpy
import pandas
import pyarrow.ipc
import pyarrow.parquet
import pytest
from conftest import BINARY, ctp10, environment
from scipy.io import loadmat

# A loop variable, a text that needs escapes, and a detector that measures no light at some wavelengths.
RECIPE = """
name: exported
instrument: sim
simulator: {{ time_scale: 0.001, dut: ring, seed: 5 }}
metadata: {{ remark: "two\\nlines, \\"quoted\\", µ", wafer: W12 }}
steps:
  - create_reference: {{ detector: 4/1 }}
  - repeat:
      for: device
      in: [{devices}]
      steps:
        - sweep: {{ start_nm: 1520, stop_nm: {stop}, resolution_pm: {step} }}
        - fetch_trace: {{ detector: 4/1, trace: tf, name: "ring_${{device}}" }}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    (folder / "recipe.yaml").write_text(RECIPE.format(devices="a1, b-2", stop=1530, step=10))
    made = ctp10("run", "recipe.yaml", cwd=folder)
    assert made.returncode == 0, made.stderr
    return folder / made.stdout.splitlines()[-1]


@pytest.fixture
def trace(run):
    path = sorted((run / "traces").glob("*.parquet"))[1]
    return path, pyarrow.parquet.read_table(path)


def export(*arguments, cwd=None):
    made = ctp10("export", *arguments, cwd=cwd)
    assert made.returncode == 0, made.stderr
    return [pathlib.Path(cwd or ".") / line for line in made.stdout.splitlines()]


def same(table, wavelengths, values):
    assert numpy.array_equal(wavelengths, table["wavelength_nm"].to_numpy())
    expected = table["value"].to_numpy(zero_copy_only=False)
    assert numpy.array_equal(numpy.asarray(values, "float32"), expected, equal_nan=True)


def told(metadata, run):
    """The provenance as JSON tells everything that the run knows."""
    manifest = json.loads((run / "run.json").read_text())
    assert metadata["units"] == {"wavelength_nm": "nm", "value": "dB"} and metadata["simulated"] is True
    columns = metadata["columns"]
    assert columns["run_id"] == manifest["run"] and columns["device"] == "b-2" and columns["detector"] == "4/1"
    assert (columns["module"], columns["channel"], columns["trace_index"]) == (4, 1, 2)
    assert metadata["metadata"]["metadata"]["remark"] == 'two\nlines, "quoted", µ'
    assert metadata["metadata"]["sweep_settings"]["resolution_pm"] == 10
    assert "SIMULATED" in metadata["metadata"]["instrument"]


def test_csv_has_its_provenance_in_comments_and_analyze_reads_it(run, trace, tmp_path):
    path, table = trace
    (written,) = export(path, "--to", "csv", cwd=tmp_path)
    assert written == tmp_path / f"{path.stem}.csv"
    frame = pandas.read_csv(written, comment="#")
    assert list(frame.columns) == ["wavelength_nm", "value"]
    same(table, frame.wavelength_nm, frame.value)
    comments = [line[2:] for line in written.read_text().splitlines() if line.startswith("#")]
    assert comments[0].startswith("SIMULATED")
    entries = dict(line.split(": ", 1) for line in comments)
    assert entries["unit of value"] == "dB" and entries["device"] == "b-2" and entries["module"] == "4"
    assert json.loads(entries["metadata"])["remark"] == 'two\nlines, "quoted", µ'
    answers = [ctp10("analyze", file, "--figures", "loss,dips", "--json").stdout for file in (path, written)]
    first, second = ([figure["value"] for figure in json.loads(answer)["figures"]] for answer in answers)
    assert first == pytest.approx(second, rel=1e-6) and len(first) > 3


def test_npy_has_its_provenance_beside_it(run, trace, tmp_path):
    path, table = trace
    array, beside = export(path, "--to", "npy", "-o", tmp_path / "a.npy")
    loaded = numpy.load(array)
    same(table, loaded["wavelength_nm"], loaded["value"])
    told(json.loads(beside.read_text()), run)


def test_npz_holds_a_trace_or_a_run(run, trace, tmp_path):
    path, table = trace
    (written,) = export(path, "--to", "npz", "-o", tmp_path / "a.npz")
    with numpy.load(written) as loaded:
        assert sorted(loaded) == ["metadata", "unit", "value", "wavelength_nm"]
        same(table, loaded["wavelength_nm"], loaded["value"])
        told(json.loads(str(loaded["metadata"])), run)
        assert str(loaded["unit"]) == "dB"
    (whole,) = export(run.name, "--to", "npz", "--out", run.parent, cwd=tmp_path)
    assert whole == tmp_path / f"{run.name}.npz"
    with numpy.load(whole) as loaded:
        assert len(loaded.files) == 8
        same(table, loaded[f"{path.stem}/wavelength_nm"], loaded[f"{path.stem}/value"])
        told(json.loads(str(loaded[f"{path.stem}/metadata"])), run)
    subprocess.run(["python3", "-m", "zipfile", "-t", whole], check=True, stdout=subprocess.DEVNULL)


def test_arrow_has_its_provenance_in_the_schema(run, trace, tmp_path):
    path, table = trace
    (written,) = export(path, "--to", "arrow", "-o", tmp_path)
    loaded = pyarrow.ipc.open_file(written).read_all()
    same(table, loaded["wavelength_nm"].to_numpy(), loaded["value"].to_numpy())
    assert loaded.schema.field("value").metadata == {b"unit": b"dB"}
    metadata = {key.decode(): value.decode() for key, value in loaded.schema.metadata.items()}
    assert metadata["device"] == "b-2" and metadata["simulated"] == "true"
    assert json.loads(metadata["sweep_settings"])["resolution_pm"] == 10
    frame = pandas.read_feather(written)
    same(table, frame.wavelength_nm, frame.value)


def test_mat_is_a_struct_for_a_trace_and_variables_for_a_run(run, trace, tmp_path):
    path, table = trace
    (written,) = export(path, "--to", "mat", "-o", tmp_path / "a.mat")
    loaded = loadmat(written, simplify_cells=True)["trace"]
    same(table, loaded["wavelength_nm"], loaded["value"])
    assert loaded["value_unit"] == "dB" and loaded["simulated"] == 1
    columns = loaded["columns"]
    assert (columns["device"], columns["module"], columns["name"]) == ("b-2", 4, "ring_b-2")
    told(json.loads(loaded["metadata"]), run)
    assert loadmat(written)["trace"]["value"][0, 0].shape == (1001, 1)
    (whole,) = export(run, "--to", "mat", "-o", tmp_path / "whole.mat")
    loaded = loadmat(whole, simplify_cells=True)
    names = [name for name in loaded if not name.startswith("__")]
    assert names == ["trace_0001_m4c1_tf_ring_a1", "trace_0002_m4c1_tf_ring_b_2"]
    same(table, loaded[names[1]]["wavelength_nm"], loaded[names[1]]["value"])


@pytest.mark.parametrize("format", ["csv", "npy", "arrow"])
def test_a_run_becomes_a_folder_with_the_names_of_its_traces(run, tmp_path, format):
    (folder,) = export(run, "--to", format, cwd=tmp_path)
    assert folder == tmp_path / f"{run.name}_{format}"
    stems = [path.stem for path in sorted((run / "traces").glob("*.parquet"))]
    suffixes = [format, "json"] if format == "npy" else [format]
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{s}.{f}" for s in stems for f in suffixes)


@pytest.mark.parametrize("format", ["csv", "npy", "npz", "arrow", "mat"])
def test_nothing_is_overwritten_without_force_and_no_half_file_remains(run, trace, tmp_path, format):
    path, _ = trace
    target = tmp_path / f"kept.{format}"
    target.write_text("mine")
    for what in (path, run) if format in ("npz", "mat") else (path,):
        refused = ctp10("export", what, "--to", format, "-o", target)
        assert refused.returncode == 2 and "exists" in refused.stderr and "--force" in refused.stderr
        assert target.read_text() == "mine"
    export(path, "--to", format, "-o", target, "--force")
    assert target.read_bytes() != b"mine"
    damaged = tmp_path / "damaged.parquet"
    whole = path.read_bytes()
    damaged.write_bytes(whole[:4] + bytes(2000) + whole[2004:])
    before = sorted(tmp_path.iterdir())
    failed = ctp10("export", damaged, "--to", format, "-o", tmp_path / f"never.{format}")
    assert failed.returncode == 1 and "damaged.parquet" in failed.stderr, failed.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_what_is_no_trace_and_no_run_is_named(run, tmp_path):
    pandas.DataFrame({"a": [1.0]}).to_parquet(tmp_path / "other.parquet")
    (tmp_path / "other.csv").write_text("wavelength_nm,transmission_db\n1550,-3\n")
    table = {"wavelength_nm": [1550.0, 1551.0, 1553.0], "value": pandas.array([-1, -2, -3], "float32")}
    pandas.DataFrame(table).to_parquet(tmp_path / "uneven.parquet")
    for what, said in [
        ("other.parquet", "no column `wavelength_nm`"),
        ("uneven.parquet", "no regular step: row 3 is 1553 nm"),
        ("other.csv", "`other.csv` is no Parquet file"),
        ("none.parquet", "there is no file `none.parquet`"),
        ("nothing", "no run `nothing`"),
    ]:
        failed = ctp10("export", what, "--to", "csv", cwd=tmp_path)
        assert failed.returncode in (1, 2) and said in failed.stderr, failed.stderr


def test_the_memory_does_not_grow_with_the_trace(tmp_path):
    used = {}
    for name, step in [("short", 10), ("long", 0.1)]:
        (tmp_path / f"{name}.yaml").write_text(RECIPE.format(devices="a", stop=1580, step=step))
        made = ctp10("run", f"{name}.yaml", cwd=tmp_path)
        assert made.returncode == 0, made.stderr
        for format in ["csv", "npy", "npz", "arrow", "mat"]:
            command = [BINARY, "export", made.stdout.split()[-1], "--to", format, "-o", tmp_path / f"{name}-{format}"]
            process = subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            assert status == 0
            used[name, format] = usage.ru_maxrss
    for format in ["csv", "npy", "npz", "arrow", "mat"]:
        # 600,001 points take 9.6 MB in memory. In kB:
        assert used["long", format] - used["short", format] < 5_000, used
