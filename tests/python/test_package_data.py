"""`import ctp10`: the data of a run in pandas, polars, pyarrow and xarray."""

import os
import re
import subprocess
import venv

import numpy
import pandas
import pytest
import xarray
from conftest import BINARY, ROOT
from package import SERIES, SWEEPS, at_home, script  # noqa: F401

import ctp10  # isort: skip


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """A run of the power series."""
    os.environ["CTP10_BIN"] = BINARY
    folder = tmp_path_factory.mktemp("series")
    return ctp10.run(SERIES, instrument="sim", set={"top_dbm": numpy.float64(0)}, out=folder)


class TestData:
    def test_traces_are_selected_by_what_they_are(self, series):
        traces = series.traces
        assert [trace.index for trace in traces] == [1, 2, 3, 4, 5, 6]
        assert [trace.index for trace in traces.sel(detector="through")] == [1, 3, 5]
        assert [trace.index for trace in traces.sel(detector="4/3", power_dbm=[-5, 0])] == [2, 4]
        assert [trace.index for trace in traces.sel(power_dbm=slice(-1, None))] == [3, 4]
        assert [trace.index for trace in traces.sel(name=lambda name: name.startswith("back"))] == [5, 6]
        assert [trace.index for trace in traces[1:].sel(detector="through")] == [3, 5]

    def test_a_selection_that_finds_nothing_says_what_there_is(self, series):
        with pytest.raises(ctp10.SelectionError, match="there are 'through', 'laser_tap'"):
            series.traces.sel(detector="thruogh")
        with pytest.raises(ctp10.SelectionError, match="did you mean `power_dbm`"):
            series.traces.sel(power_db=0)
        with pytest.raises(LookupError, match="there are -5, 0"):
            series.traces.sel(power_dbm=1)

    def test_a_trace_knows_its_unit_settings_and_parameters(self, series):
        trace = series.traces[2]
        assert (trace.unit, trace.detector, trace.position, trace.kind) == ("dBm", "through", "4/1", "raw")
        assert trace.settings["resolution_pm"] == 1 and trace.settings["tls"][0]["power_dbm"] == 0
        assert trace.parameters == series.parameters == {"top_dbm": 0, "step_db": 5}
        assert trace.columns == {"power_dbm": 0} and trace.grid == (1540, 1, 20001)

    def test_every_library_reads_the_same_values(self, series):
        traces = series.traces.sel(detector="through")
        wanted = numpy.concatenate([trace.to_numpy()[1] for trace in traces])
        assert len(wanted) == 3 * 20001 and wanted.min() < -20
        for values in [
            traces.to_pandas()["value"].to_numpy(),
            traces.to_polars()["value"].to_numpy(),
            traces.to_arrow()["value"].to_numpy(),
            numpy.concatenate([trace.to_xarray().to_numpy() for trace in traces]),
        ]:
            assert numpy.array_equal(values, wanted)

    def test_traces_become_one_array_over_the_loops_and_detectors(self, series):
        found = series.traces[:4].to_xarray()
        assert isinstance(found, xarray.Dataset) and dict(found.sizes) == {
            "power_dbm": 2,
            "detector": 2,
            "wavelength_nm": 20001,
        }
        one = found["raw"].sel(power_dbm=0, detector="through")
        assert numpy.array_equal(one, series.traces[2].to_numpy()[1]) and one.units == "dBm"
        assert found.wavelength_nm[0] == 1540 and found.wavelength_nm.units == "nm"
        # The last sweep is outside of the loop, so it has no power of its own there.
        whole = series.traces.to_xarray()["raw"]
        assert whole.sizes["power_dbm"] == 3 and not whole.isnull().any()

    def test_traces_that_nothing_tells_apart_are_counted(self):
        found = ctp10.run(SWEEPS, instrument="sim").traces.to_xarray()["raw"]
        assert found.dims == ("trace_index", "wavelength_nm") and list(found.trace_index) == [1, 2, 3]
        assert list(found.detector.values) == ["out"] * 3

    def test_the_columns_of_a_device_lie_along_it(self):
        run = ctp10.run(ROOT / "recipes/wafer-acceptance.yaml")
        found = run.traces.to_xarray()["tf"]
        assert found.dims == ("die", "detector", "wavelength_nm")
        assert found.x_um.dims == ("die",) and list(found.x_um.values) == [0, 5000, 10000, 0, 5000]
        results = run.results.to_pandas()
        assert run.verdict == "pass" and set(results.verdict.dropna()) == {"pass"}
        assert len(run.results) == len(results) == len(run.results.to_polars()) == len(list(run.results)) == 15

    def test_grids_that_differ_share_an_axis(self):
        steps = "[ configure_scan: { start_nm: 1545, stop_nm: 1546, resolution_pm: '${step}' }, sweep: , FETCH ]"
        steps = steps.replace("FETCH", "fetch_trace: { detector: 4/1, trace: raw }").replace("'", '"')
        recipe = f"name: grids\nsteps:\n  - repeat: {{ for: step, in: [10, 20], steps: {steps} }}\n"
        found = ctp10.run(recipe, instrument="sim").traces.to_xarray()["raw"].isel(detector=0)
        assert found.sizes["wavelength_nm"] == 101
        assert [int(found.sel(step=step).notnull().sum()) for step in (10, 20)] == [101, 51]

    def test_recorded_power_is_a_table(self):
        recipe = "name: power\nsteps:\n  - read_power: { detector: 4/1, samples: 3, name: p }\n"
        run = ctp10.run(recipe, instrument="sim")
        assert len(run.power) == 3 and set(run.power.to_pandas().unit) == {"dBm"}
        assert not run.results and len(run.results.to_pandas()) == 0 and not run.traces

    def test_pictures_are_drawn_and_saved(self, series, tmp_path):
        picture = series.plot(title="Ring", band=(1545, 1550))
        assert "<svg" in picture._repr_svg_() and "SIMULATED" in picture._repr_svg_()
        assert picture.save(tmp_path / "ring.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in series.traces.sel(detector="through").plot(figures="dips", dark=True)._repr_svg_()
        with pytest.raises(ctp10.Error, match="band"):
            series.plot(band=(1550, 1545))

    def test_runs_are_found_again(self, series):
        out = series.folder.parent
        assert ctp10.open("last", out=out).id == ctp10.open(series.id, out=out).id == series.id
        assert [run.id for run in ctp10.runs(where="top_dbm = 0 and status = 'done'", out=out)] == [series.id]
        assert ctp10.runs(name="ring*", out=out) == []
        with pytest.raises(ctp10.Error, match="did you mean `top_dbm`"):
            ctp10.runs(where="top_dm = 0", out=out)
        with pytest.raises(ctp10.Error, match="no-such-run"):
            ctp10.open("no-such-run", out=out)
        assert series.started < series.finished and series.started.tzinfo is not None
        assert series.report.name == "report.html" and series.summary["state"] == "done"
        assert "SIMULATED" in repr(series) and "SIMULATED" in series._repr_html_()

    def test_runs_of_an_earlier_version_have_the_names_of_detectors(self):
        run = ctp10.open("finished", out=ROOT / "tests/fixtures/older-program/runs")
        assert all("detector_name" not in event.get("trace", {}) for event in run.events())
        assert len(run.traces.sel(detector="through")) == len(run.traces.sel(detector="4/1")) > 0


class TestWithoutLibraries:
    """The base package needs nothing but Python. `-S` leaves out everything that is installed."""

    def test_a_run_needs_no_library(self):
        done = script(
            f"""
            import ctp10
            run = ctp10.run({str(SERIES)!r}, instrument="sim", set={{"top_dbm": -5}})
            (trace,) = run.traces.sel(detector="through", power_dbm=-5)
            print(run.status, trace.unit, trace.points, trace.min["nm"], ctp10.open("last").id == run.id)
            run.plot().save("ring.svg")
            for read in (trace.to_pandas, trace.to_arrow, trace.to_xarray, trace.to_polars, lambda: trace.settings):
                try:
                    read()
                except ImportError as error:
                    print(error)
            """,
            "-S",
        )
        assert done.returncode == 0, done.stderr
        first, *missing = done.stdout.splitlines()
        assert first == "done dBm 20001 1540.088 True"
        assert missing == [
            "to_pandas() needs pandas: pip install pandas",
            "to_arrow() needs pyarrow: pip install 'ctp10[data]'",
            "to_xarray() needs xarray: pip install xarray",
            "to_polars() needs polars: pip install polars",
            "the metadata of a trace needs pyarrow: pip install 'ctp10[data]'",
        ]

    def test_polars_reads_traces_without_pyarrow(self):
        done = script(
            f"""
            import sys
            sys.modules["pyarrow"] = None
            import ctp10
            run = ctp10.run({str(SERIES)!r}, instrument="sim", set={{"top_dbm": -5}})
            print(run.traces.to_polars().shape, run.traces[0].to_polars().shape)
            """
        )
        assert done.stdout == "(80004, 13) (20001, 13)\n", done.stderr

    def test_the_program_is_found_beside_an_interpreter_whose_venv_is_not_activated(self, tmp_path):
        venv.create(tmp_path / "venv", symlinks=True, with_pip=False)
        os.symlink(BINARY, tmp_path / "venv/bin/ctp10")
        text = "from ctp10._binary import binary; print(binary())"
        python = tmp_path / "venv/bin/python"
        found = script(text, python=python, CTP10_BIN="", PATH="/nowhere")
        assert found.stdout.strip() == str(tmp_path / "venv/bin/ctp10"), found.stderr
        os.remove(tmp_path / "venv/bin/ctp10")
        missing = script(text, python=python, CTP10_BIN="", PATH="/nowhere")
        assert f"was not found in `{tmp_path}/venv/bin`" in missing.stderr and "CTP10_BIN" in missing.stderr
        wrong = script(text, python=python, CTP10_BIN="/no/such/program")
        assert "CTP10_BIN is `/no/such/program`, which is not a program" in wrong.stderr
        on_path = script(text, python=python, CTP10_BIN="", PATH=os.path.dirname(os.path.abspath(BINARY)))
        assert on_path.stdout.strip() == os.path.abspath(BINARY)


class TestPower:
    """A run of power alone."""

    RECIPE = """name: dark
instrument: sim
detectors: { through: 4/1, tap: 4/3 }
record_power: { detectors: [through], interval_s: 0.05 }
steps:
  - configure_laser: { laser: 1, wavelength_nm: 1550, power_dbm: 0, output: true }
  - wait: 1
  - read_power: { detectors: [through, tap, 4/2], samples: 3, interval_s: 0.01, name: end }
"""

    @pytest.fixture(scope="class")
    def run(self, tmp_path_factory):
        os.environ["CTP10_BIN"] = BINARY
        folder = tmp_path_factory.mktemp("power")
        (folder / "dark.yaml").write_text(self.RECIPE)
        return ctp10.run(folder / "dark.yaml", out=folder / "runs")

    def test_each_reading_names_its_detector_and_the_detectors_of_one_reading_have_one_time(self, run):
        frame = run.power.to_pandas()
        assert set(frame["detector"]) == {"through", "tap", "4/2"}
        end = frame[frame["name"] == "end"]
        assert len(end) == 9 and end["time"].nunique() == 3
        assert (end.groupby("time")["detector"].nunique() == 3).all()
        wide = run.power.pivot()
        assert set(wide.columns) == {"through", "tap", "4/2"}
        assert wide["through"].notna().sum() > 3 and wide["tap"].notna().sum() == 3

    def test_the_program_shows_the_power_where_there_is_no_trace(self, run, tmp_path):
        def told(*arguments):
            ended = subprocess.run([BINARY, *arguments], capture_output=True, text=True, cwd=tmp_path, check=False)
            assert ended.returncode == 0, ended.stderr
            return ended.stdout

        folder = str(run.folder)
        shown = told("runs", "show", folder)
        assert re.search(r"power +through +last -?\d+\.\d\d dBm .* readings", shown), shown
        run.plot().save(tmp_path / "power.png")
        assert (tmp_path / "power.png").stat().st_size > 5_000
        told("export", folder, "--to", "csv", "-o", "power.csv")
        table = pandas.read_csv(tmp_path / "power.csv", comment="#", parse_dates=["time"])
        assert len(table) == len(run.power) and set(table["detector"]) == {"through", "tap", "4/2"}
        assert "Recorded power" in run.report.read_text()
        levels = {of["detector_name"]: of for of in run.summary["power"]["levels"] if "detector_name" in of}
        assert levels["tap"]["readings"] == 3 and levels["tap"]["min"] <= levels["tap"]["last"] <= levels["tap"]["max"]
