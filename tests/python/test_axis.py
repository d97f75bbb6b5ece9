"""The wavelengths of a trace, wherever they are read, are those that the instrument has."""

import io
import shutil

import numpy
import pandas
import pyarrow.ipc
import pyarrow.parquet
import pytest
import pyvisa
from conftest import ctp10, ok, until
from scipy.io import loadmat

RECIPE = """
name: axis
steps:
  - sweep: {{ start_nm: {start}, stop_nm: {stop}, resolution_pm: {step} }}
  - fetch_trace: {{ detector: 4/1, trace: raw, transfer_x: true }}
"""
# A wavelength in a reply has nine significant digits, and those of a file are rounded to a femtometre.
NEAR_NM = 1580 * 1e-9


def wavelengths_of_the_instrument(simulator):
    """The X block over PyVISA, nm."""
    resource = pyvisa.ResourceManager("@py").open_resource(f"TCPIP::{simulator.host}::{simulator.port}::SOCKET")
    resource.write_termination = resource.read_termination = "\r\n"
    resource.timeout = 60_000
    command = "TRAC:SENS4:CHAN1:TYPE11:DATA:X? BIN,M"
    metres = resource.query_binary_values(
        command, "d", is_big_endian=True, container=numpy.array, expect_termination=False
    )
    resource.close()
    return metres * 1e9


def exported(file, folder):
    """The wavelengths in each format, from the file alone."""
    alone = shutil.copy(file, folder / "alone.parquet")
    for format in ["csv", "npy", "npz", "arrow", "mat"]:
        made = ctp10("export", alone, "--to", format, "-o", folder / f"alone.{format}")
        assert made.returncode == 0, made.stderr
    yield pandas.read_csv(folder / "alone.csv", comment="#").wavelength_nm.to_numpy()
    yield numpy.load(folder / "alone.npy")["wavelength_nm"]
    yield numpy.load(folder / "alone.npz")["wavelength_nm"]
    yield pyarrow.ipc.open_file(folder / "alone.arrow").read_all()["wavelength_nm"].to_numpy()
    yield loadmat(folder / "alone.mat")["trace"]["wavelength_nm"][0, 0].ravel()


@pytest.mark.parametrize(
    ("points", "start_nm", "stop_nm", "step_pm"),
    [
        (None, 1520, 1580, 1),
        (None, 1549.5, 1550.5, 0.02),
        (940_001, 1520, 1580, 10),
        (94_001, 1520, 1580, 1),
        (8, 1520, 1521, 1),
        # The range is no whole number of steps.
        (3_334, 1520.0005, 1530.0042, 1),
    ],
)
def test_files_views_http_and_exports_have_the_wavelengths_of_the_instrument(
    start, tmp_path, points, start_nm, stop_nm, step_pm
):
    fixed = ["--points", points] if points else []
    simulator = start.simulator("--time-scale", "0.001", *fixed)
    server = start.server(simulator)
    run = server.begin(RECIPE.format(start=start_nm, stop=stop_nm, step=step_pm))
    until("the run is over", lambda: server.get("/runs/current").status_code == 404)
    assert ok(server.get(f"/runs/{run}"))["state"] == "done"
    expected = wavelengths_of_the_instrument(simulator)
    (file,) = server.folder.glob("runs/*/traces/*.parquet")

    stored = pyarrow.parquet.read_table(file)["wavelength_nm"].to_numpy()
    assert numpy.array_equal(stored, pandas.read_parquet(file).wavelength_nm)
    assert len(stored) == len(expected) and numpy.abs(stored - expected).max() < NEAR_NM
    assert abs(stored[0] - start_nm) < NEAR_NM and abs(stored[-1] - stop_nm) < NEAR_NM
    assert (numpy.diff(stored) > 0).all()
    # Each wavelength is a decimal number with six places.
    assert numpy.array_equal(stored, stored.round(6))

    (trace,) = ok(server.get(f"/runs/{run}/traces"))["traces"]
    assert (trace["start_nm"], trace["points"]) == (stored[0], len(stored))
    assert trace["step_pm"] == pytest.approx((stored[-1] - stored[0]) * 1e3 / (len(stored) - 1), rel=1e-6)
    assert trace["min"]["nm"] in stored and trace["max"]["nm"] in stored
    middle = stored[len(stored) // 2]
    for from_nm, to_nm in [(stored[0], stored[-1]), (middle, middle), (middle, stored[-1])]:
        window = stored[(stored >= from_nm) & (stored <= to_nm)]
        asked = {"from_nm": repr(float(from_nm)), "to_nm": repr(float(to_nm)), "points": 100}
        view = ok(server.get(f"/runs/{run}/traces/1/view", params=asked))
        assert (view["points"], view["wavelength_nm"][0]) == (len(window), window[0])
        assert set(view["wavelength_nm"]) <= set(window)

    csv = pandas.read_csv(io.StringIO(server.get(f"/runs/{run}/traces/1.csv").text))
    assert numpy.array_equal(csv.wavelength_nm, stored)
    asked = {"module": 4, "channel": 1, "trace_type": 11}
    data = ok(server.get("/detector/trace/data", params=asked))
    assert numpy.array_equal(data["wavelengths"], stored)
    assert data["metadata"]["sampling_pm"] == trace["step_pm"]
    for wavelengths in exported(file, tmp_path):
        assert numpy.array_equal(wavelengths, stored)
    verified = ctp10("runs", "verify", file.parent.parent)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_points_that_are_closer_than_a_femtometre_fail_the_run(start, tmp_path):
    simulator = start.simulator("--time-scale", "0.001", "--points", 100_000_000)
    (tmp_path / "fine.yaml").write_text(RECIPE.format(start=1520, stop=1580, step=1))
    failed = ctp10("run", "fine.yaml", "--instrument", simulator.address, cwd=tmp_path)
    assert failed.returncode == 1, failed.stderr
    assert "but at least 0.001 pm is expected" in failed.stderr, failed.stderr
    assert not list(tmp_path.glob("runs/*/traces/*"))
