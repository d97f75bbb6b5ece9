"""`import ctp10`: a service as a bench, `with ctp10.connect(url) as bench`."""

import itertools
import re

import pandas
import pytest
from conftest import ROOT, until
from package import ASKS, LIT, SWEEPS, at_home, first, until_lit  # noqa: F401

import ctp10  # isort: skip


@pytest.fixture
def simulator(start):
    return start.simulator("--time-scale", "0.02")


@pytest.fixture
def server(start, simulator, tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    (folder / "ctp10.toml").write_text(f"recipes = ['{ROOT / 'recipes'}']")
    return start.server(simulator, folder=folder)


def test_a_run_of_a_service_is_submitted_and_read(server):
    with ctp10.connect(server.url) as bench:
        assert bench.instrument["connected"] and bench.instrument["simulated"]
        run = bench.submit(SWEEPS, metadata={"wafer": "W12"}).wait()
        assert (run.status, run.name, run.simulated) == ("done", "sweeps", True)
        (one, *_) = traces = run.traces.sel(detector="out")
        assert len(traces) == 3 and len(traces.to_pandas()) == 3 * 501 and one.unit == "dBm"
        assert one.metadata["metadata"] == run.metadata == {"wafer": "W12"}
        assert traces.to_xarray()["raw"].sizes == {"trace_index": 3, "wavelength_nm": 501}
        assert [found.id for found in bench.runs(where="wafer = 'W12'")] == [run.id] == [bench.run(run.id).id]
        # The service has the same run as a folder.
        local = ctp10.open(run.id, out=server.folder / "runs")
        assert local.traces[0].to_pandas().equals(one.to_pandas())
        assert [event["n"] for event in run.events()] == [event["n"] for event in local.events()]
        with pytest.raises(ctp10.Error, match="computer of the service"):
            print(run.folder)


def test_a_run_of_a_service_is_copied_with_all_its_files(server, tmp_path):
    with ctp10.connect(server.url) as bench:
        remote = bench.submit(SWEEPS, metadata={"wafer": "W12"}).wait()
        run = remote.download(tmp_path / "here")
        assert (run.id, run.status, run.metadata) == (remote.id, "done", {"wafer": "W12"})
        assert run.traces.to_pandas().equals(ctp10.open(run.id, out=server.folder / "runs").traces.to_pandas())
        assert [found.id for found in ctp10.runs(text="w12", until="1h", out=tmp_path / "here")] == []
        assert [found.id for found in ctp10.runs(text="w12 sweeps", out=tmp_path / "here")] == [run.id]
        assert [path.name for path in (tmp_path / "here").iterdir() if path.name.startswith(".")] == []
        with pytest.raises(ctp10.Error, match="exists already"):
            remote.download(tmp_path / "here")


def test_figures_of_a_run_of_a_service_are_a_table(server):
    with ctp10.connect(server.url) as bench:
        run = bench.submit(ROOT / "recipes/quickstart.yaml").wait()
        assert [bench.run(name).id for name in ("last", run.id[:4], run.name)] == [run.id] * 3
        assert run.verdict == "pass" and set(run.results.to_pandas().verdict.dropna()) == {"pass"}
        assert [found.id for found in bench.runs(verdict=["pass", "not measured"], until="2099-01-01")] == [run.id]
        assert bench.runs(verdict="fail") == bench.runs(text="no-such-word") == []


def test_a_wrong_recipe_raises_its_findings(server):
    with ctp10.connect(server.url) as bench:
        text = "name: x\nsteps:\n  - swep:\n"
        with pytest.raises(ctp10.RecipeError) as error:
            bench.submit(text)
        for findings in (error.value.findings, bench.check(text)):
            assert [(found.line, found.message) for found in findings] == [(3, "unknown operation `swep`")]
        with pytest.raises(ctp10.RequestError, match="no-such.yaml"):
            bench.submit("no-such.yaml")


def test_a_second_run_is_refused_and_names_the_first(server):
    with ctp10.connect(server.url) as bench:
        run = bench.submit(LIT)
        with pytest.raises(ctp10.InstrumentError, match=run.id):
            bench.submit(LIT)
        assert bench.current.id == run.id
        run.abort()
        with pytest.raises(ctp10.RunAborted) as error:
            run.wait()
        assert error.value.run.id == run.id and bench.current is None


def test_off_turns_the_lasers_off_and_ends_the_run(server, simulator):
    with ctp10.connect(server.url) as bench:
        run = bench.submit(LIT)
        until_lit(run)
        assert simulator.talk().lasers_on() == [1]
        assert bench.off()["lasers_off"] == [1, 2]
        assert simulator.talk().lasers_on() == []
        with pytest.raises(ctp10.RunAborted):
            run.wait()


def test_a_question_is_answered_over_http(server):
    with ctp10.connect(server.url) as bench:
        run = bench.submit(ASKS, attended=True)
        until("a question is open", lambda: first(run, "question"))
        with pytest.raises(ValueError, match="left, right"):
            run.answer("middle")
        run.answer("right")
        assert "the fibre is right" in [event.get("message") for event in run.wait().events()]


def test_live_power_is_a_loop_over_frames(server):
    with ctp10.connect(server.url) as bench:
        frames = list(itertools.islice(bench.power(module=4, interval=0.05), 3))
        assert [frame["type"] for frame in frames] == ["data"] * 3
        assert [frame["timestamp"] for frame in frames] == sorted(frame["timestamp"] for frame in frames)
        assert all(frame["module"] == 4 and frame["unit"] == "dBm" and frame["ch1_power"] < 0 for frame in frames)
        until("the stream is closed", lambda: re.search('{kind="power"} 0\n', server.get("/metrics").text))
        with pytest.raises(ctp10.RequestError, match="interval"):
            next(bench.power(interval=99))
        with pytest.raises(ctp10.InstrumentError):
            next(bench.power(module=17))


def test_events_go_on_where_they_were_cut(server):
    run = ctp10.connect(server.url).submit(SWEEPS)
    whole = run._service.events
    cuts = []

    def cut(path, **query):
        """A network that ends each stream after three events."""
        cuts.append(query["after"])
        return itertools.islice(whole(path, **query), 3)

    run._service.events = cut
    seen = [event["n"] for event in run.events() if event["event"] != "progress"]
    run._service.events = whole
    assert seen == [event["n"] for event in run.result().events()] and len(cuts) > 3


def test_a_token_is_sent_and_a_wrong_one_refused(start, simulator, tmp_path):
    token = "a-token-of-more-than-16-characters"
    server = start.server(simulator, connected=False, CTP10_TOKEN=token)
    with pytest.raises(ctp10.RequestError) as error, ctp10.connect(server.url):
        pass
    assert error.value.status == 401
    with ctp10.connect(server.url, token=token) as bench:
        until("the instrument is connected", lambda: bench.instrument["connected"])
        assert bench.submit(SWEEPS).wait().status == "done"


def test_devices_and_a_matrix_go_into_the_queue(server):
    devices = pandas.DataFrame({"chip": ["c1", "c2"]})
    with ctp10.connect(server.url) as bench:
        path = next(recipe["path"] for recipe in bench.recipes if recipe["path"].endswith("power-series.yaml"))
        numbers = bench.queue(path, devices=devices, matrix={"top_dbm": [-5, 0]}, priority=5)
        assert numbers == [1, 2, 3, 4]
        done = until("all items are done", lambda: len(bench.runs(status="done")) == 4 and bench.runs(status="done"))
        assert {run.traces[0].to_pandas().chip[0] for run in done} == {"c1", "c2"}


def test_an_address_without_a_service_is_named():
    with pytest.raises(ctp10.Unreachable, match="no reply from http://127.0.0.1:1"), ctp10.connect("127.0.0.1:1"):
        pass
    with pytest.raises(ValueError, match="looks like http"):
        ctp10.connect("ftp://host")
