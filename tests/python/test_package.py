"""`import ctp10`: as a user of a notebook or of a script works with it, against the real program and simulators."""

import os
import pathlib
import re
import signal
import subprocess

import numpy
import pandas
import polars
import pyarrow
import pytest
from conftest import BINARY, ROOT, until
from package import ASKS, LIT, SERIES, SWEEPS, at_home, first, until_lit  # noqa: F401

import ctp10  # isort: skip


class TestRuns:
    def test_three_lines_lead_from_nothing_to_a_frame(self, tmp_path):
        run = ctp10.run(SERIES, instrument="sim", set={"top_dbm": 0})
        frame = run.traces.sel(detector="through", power_dbm=0).to_pandas()
        assert run.status == "done" and run.simulated and run.folder.parent == tmp_path / "runs"
        assert list(frame.columns[:2]) == ["wavelength_nm", "value"] and len(frame) == 20001
        assert frame.attrs["units"] == {"wavelength_nm": "nm", "value": "dBm"}
        assert frame.attrs["parameters"] == {"top_dbm": 0, "step_db": 5} and frame.attrs["simulated"] is True

    @pytest.mark.parametrize("page", ["README.md", "docs/python.md", "python/README.md"])
    def test_the_first_example_of_each_page_works_with_the_recipe_of_init(self, page):
        said = subprocess.run([os.path.abspath(BINARY), "init", "ring.yaml"], capture_output=True, text=True, check=False)
        assert said.returncode == 0, said.stderr
        example = (ROOT / page).read_text().split("```python\n")[1].split("```")[0]
        names = {}
        exec(example, names)  # the example of the page
        assert len(names["df"]) == 20001 and names["run"].parameters == {"power_dbm": 3}
        assert "1 trace," in repr(names["run"])

    def test_parameters_are_values_of_python_and_of_numpy(self):
        for value in [2, 2.0, numpy.int32(2), numpy.float32(2), numpy.array(2)]:
            run = ctp10.start(SERIES, instrument="sim", set={"top_dbm": value})
            run.abort()
            assert run.result().parameters["top_dbm"] == 2
            with pytest.raises(ctp10.RunAborted):
                run.wait()

    def test_a_value_that_no_parameter_can_have_is_refused_with_its_name(self):
        for value in [[1, 2], numpy.array([1, 2]), None, pandas.DataFrame({"a": [1]})]:
            with pytest.raises(TypeError, match="`top_dbm` must be a number"):
                ctp10.run(SERIES, instrument="sim", set={"top_dbm": value})
        with pytest.raises(ValueError, match="nan"):
            ctp10.run(SERIES, instrument="sim", set={"top_dbm": float("nan")})
        with pytest.raises(TypeError, match="object"):
            ctp10.run(SERIES, instrument="sim", set={"top_dbm": object()})

    def test_a_recipe_may_be_a_text_or_a_map_with_arrays(self):
        sweep = [{"configure_tls": {"tls": 1, "power_dbm": "${power}"}}, {"sweep": {}}]
        fetch = {"fetch_trace": {"detector": "4/1", "trace": "raw"}}
        grid = {"start_nm": numpy.float32(1545), "stop_nm": 1546, "resolution_pm": 10}
        loop = {"for": "power", "in": numpy.linspace(-3, 3, 3), "steps": [*sweep, fetch]}
        run = ctp10.run({"name": "map", "steps": [{"configure_scan": grid}, {"repeat": loop}]}, instrument="sim")
        assert [trace.columns for trace in run.traces] == [{"power": -3}, {"power": 0}, {"power": 3}]

    @pytest.mark.parametrize("library", [pandas.DataFrame, polars.DataFrame, pyarrow.table, lambda rows: rows])
    def test_a_table_of_devices_comes_from_any_library(self, library):
        columns = {"die": ["Z1", "Z2"], "x_um": [0.5, 2.5], "y_um": [1, 1], "gap_nm": [150, 175]}
        rows = [dict(zip(columns, values)) for values in zip(*columns.values())]
        table = library(rows if library.__name__ == "<lambda>" else columns)
        run = ctp10.run(ROOT / "recipes/wafer-acceptance.yaml", tables={"dies.csv": table})
        assert [trace.columns for trace in run.traces] == rows
        assert run.traces.sel(device="Z2")[0].columns["x_um"] == 2.5

    def test_an_instrument_is_never_chosen_by_accident(self):
        with pytest.raises(ctp10.RecipeError, match="no instrument is given") as error:
            ctp10.run(ASKS)
        assert error.value.findings[0].hint == 'use `instrument="sim"` for the simulator, or `instrument="HOST:PORT"`'
        assert not pathlib.Path("runs").exists()

    def test_a_wrong_recipe_raises_its_findings(self):
        pathlib.Path("ring.yaml").write_text("name: ring\nsteps:\n  - swep:\n")
        with pytest.raises(ctp10.RecipeError) as error:
            ctp10.run("ring.yaml", instrument="sim")
        (finding,) = error.value.findings
        assert (finding.file, finding.line, finding.column) == ("ring.yaml", 3, 5)
        assert finding.message == "unknown operation `swep`" and finding.hint == "did you mean `sweep`?"
        assert "^^^^" in str(error.value)
        assert [found.message for found in ctp10.check("ring.yaml").errors] == [finding.message]
        with pytest.raises(ctp10.RecipeError, match="swep"):
            ctp10.plan("ring.yaml")
        with pytest.raises(ctp10.RecipeError, match="did you mean `top_dbm`"):
            ctp10.run(SERIES, instrument="sim", set={"top_dm": 1})
        with pytest.raises(ctp10.RecipeError, match="no-such-file.yaml"):
            ctp10.run("no-such-file.yaml", instrument="sim")

    def test_warnings_about_a_recipe_are_shown(self, capsys):
        recipe = SWEEPS.replace("times: 3", "for: length, in: [1.1, 1.10]")
        (warning,) = ctp10.check(recipe).warnings
        assert "1.10" in warning.message and warning.file == "recipe.yaml"
        run = ctp10.run(recipe, instrument="sim")
        assert run.status == "done" and str(warning) in capsys.readouterr().err

    def test_a_check_finds_nothing_wrong_in_a_good_recipe(self):
        assert ctp10.check(SERIES, ROOT / "recipes/quickstart.yaml", instrument="sim") == []
        plan = ctp10.plan(SERIES, set={"top_dbm": -5})
        assert plan.total["operations"] == len(plan) == len(plan.to_pandas()) and "sweep" in repr(plan)

    def test_an_instrument_that_is_busy_or_away_is_named(self, start):
        simulator = start.simulator("--time-scale", "0.05")
        run = ctp10.start(LIT, instrument=simulator.address)
        with pytest.raises(ctp10.InstrumentError, match="run"):
            ctp10.run(LIT, instrument=simulator.address)
        run.abort()
        with pytest.raises(ctp10.RunAborted):
            run.wait()
        simulator.stop()
        with pytest.raises(ctp10.InstrumentError, match=re.escape(simulator.address)):
            ctp10.run(LIT, instrument=simulator.address)

    def test_a_failed_run_is_in_its_exception_and_can_be_resumed(self, start):
        simulator = start.simulator("--time-scale", "0.02", "--fault", "refuse@sweep:2")
        with pytest.raises(ctp10.RunFailed, match="failed") as error:
            ctp10.run(SWEEPS, instrument=simulator.address)
        failed = error.value.run
        assert (failed.status, len(failed.traces)) == ("failed", 1) and failed.reason
        resumed = ctp10.resume(failed)
        assert (resumed.id, resumed.status, len(resumed.traces)) == (failed.id, "done", 3)
        with pytest.raises(ctp10.Error, match="done"):
            ctp10.resume(resumed)


class TestHandles:
    def test_an_abort_turns_the_lasers_off(self, start):
        simulator = start.simulator("--time-scale", "0.05")
        run = ctp10.start(LIT, instrument=simulator.address)
        until_lit(run)
        assert simulator.talk().lasers_on() == [1]
        run.abort()
        with pytest.raises(ctp10.RunAborted) as error:
            run.wait()
        assert error.value.run.status == "aborted" and len(error.value.run.traces) >= 1
        assert simulator.talk().lasers_on() == []

    def test_every_reader_gets_all_events(self):
        run = ctp10.start(SERIES, instrument="sim", set={"top_dbm": -5})
        counts = [sum(event["event"] != "progress" for event in run.events()) for _ in range(2)]
        journal = list(run.wait().events())
        assert counts == [len(journal)] * 2
        assert [event["n"] for event in journal] == list(range(1, len(journal) + 1))

    def test_a_question_waits_for_its_answer(self):
        run = ctp10.start(ASKS, instrument="sim", attended=True)
        assert first(run, "question")["message"] == "Which fibre?" == run.question["message"]
        with pytest.raises(ValueError, match="left, right"):
            run.answer("middle")
        run.answer("right")
        assert "the fibre is right" in [event.get("message") for event in run.wait().events()]
        with pytest.raises(ctp10.Error, match="no question"):
            run.answer("left")

    def test_nobody_is_asked_when_nobody_is_there(self):
        events = list(ctp10.run(ASKS, instrument="sim").events())
        assert [event["by_operator"] for event in events if event["event"] == "answered"] == [False]

    def test_the_dashboard_of_a_run_is_a_bench(self):
        run = ctp10.start(LIT, instrument="sim")
        with ctp10.connect(run.url) as bench:
            assert bench.current.id == run.id
            bench.current.abort()
        with pytest.raises(ctp10.RunAborted):
            run.wait()

    def test_a_run_that_is_killed_is_interrupted_and_its_lasers_go_off(self, start):
        simulator = start.simulator("--time-scale", "0.05")
        run = ctp10.start(LIT, instrument=simulator.address)
        until_lit(run)
        os.kill(run.result().manifest["host"]["pid"], signal.SIGKILL)
        with pytest.raises(ctp10.RunFailed, match="interrupted"):
            run.wait()
        until("the watchdog has turned the laser off", lambda: simulator.talk().lasers_on() == [])
