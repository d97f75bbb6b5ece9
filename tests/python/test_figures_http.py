"""Figures, verdicts and wafer maps over HTTP."""

import xml.etree.ElementTree

import pytest

from conftest import ok, until

SVG = "{http://www.w3.org/2000/svg}"
COUNTS = ["pass", "marginal", "not_measured", "fail"]
# The loss of the ring at 1550 nm is between 2 and 10 dB.
JUDGED = """
name: judged
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 5 }
  - configure_scan: { start_nm: 1545, stop_nm: 1555, resolution_pm: 2 }
  - create_reference: { detector: 4/1, connect: patch cord }
  - repeat:
      for: col
      in: [1, 30]
      steps:
        - sweep:
        - fetch_trace: { id: out, detector: 4/1, trace: tf, columns: { ROW } }
        - analyze: { trace: out, figures: [dips], at_nm: 1550, expect: { insertion_loss_db: { max: "${col}" } } }
finally:
  - configure_laser: { laser: 1, output: false }
"""


@pytest.fixture(scope="module")
def server(started, tmp_path_factory):
    simulator = started.simulator("--noise", "by-settings", "--time-scale", "0.02")
    return started.server(simulator, folder=tmp_path_factory.mktemp("figures"))


def done(server, columns):
    run = server.begin(JUDGED.replace("{ ROW }", columns), unattended=True)
    until("the run has ended", lambda: ok(server.get(f"/runs/{run}"))["state"] != "running")
    until("the next may begin", lambda: server.get("/runs/current").status_code == 404)
    return run


@pytest.fixture(scope="module")
def judged(server):
    return done(server, '{ wafer: "<W>", row: 2 }')


def test_a_run_has_its_verdict_in_its_status_and_in_the_list(server, judged):
    status = ok(server.get(f"/runs/{judged}"))
    assert (status["state"], status["verdict"]) == ("done", "fail")
    assert [status["verdicts"]["analyses"][word] for word in COUNTS] == [1, 0, 0, 1]
    listed = next(run for run in ok(server.get("/runs"))["runs"] if run["run"] == judged)
    assert (listed["verdict"], listed["verdicts"]) == ("fail", status["verdicts"])


def test_the_figures_of_a_run_come_in_pages_and_by_trace(server, judged):
    whole = ok(server.get(f"/runs/{judged}/figures"))
    assert (whole["next"], whole["verdict"], whole["marks"]) == (None, "fail", [])
    assert whole["yields"] == [{"figure": "insertion_loss_db", "pass": 1, "marginal": 0, "not_measured": 0, "fail": 1}]
    first = ok(server.get(f"/runs/{judged}/figures?limit=3"))
    rest = ok(server.get(f"/runs/{judged}/figures?after={first['next']}"))
    assert first["figures"] + rest["figures"] == whole["figures"]
    assert server.get(f"/runs/{judged}/figures?limit=0").status_code == 422


def test_the_figures_of_a_trace_have_limits_and_marks_over_its_picture(server, judged):
    of_trace = ok(server.get(f"/runs/{judged}/figures?trace=1"))
    assert {line["trace_index"] for line in of_trace["figures"]} == {1}
    loss = next(line for line in of_trace["figures"] if line["figure"] == "insertion_loss_db")
    assert (loss["verdict"], loss["limits"]) == ("fail", "max 1") and loss["text"].endswith(" dB")
    point = next(mark for mark in of_trace["marks"] if mark["kind"] == "point" and mark["nm"] == 1550)
    assert point["level_db"] == pytest.approx(-loss["value"])
    assert [mark["level_db"] for mark in of_trace["marks"] if mark["kind"] == "limit"] == [-1]


def test_dies_have_a_map_by_verdict_and_by_figure(server, judged):
    wafer = ok(server.get(f"/runs/{judged}/wafer?figure=insertion_loss_db"))
    assert [(one["wafer"], one["axes"], one["dies"]) for one in wafer["maps"]] == [("<W>", "rows_and_columns", 2)]
    assert wafer["figures"][0] == "insertion_loss_db"
    picture = xml.etree.ElementTree.fromstring(wafer["maps"][0]["svg"])
    assert picture.tag == f"{SVG}svg"
    titles = [title.text for title in picture.iter(f"{SVG}title")]
    assert len(titles) == 2 and all("insertion_loss_db: " in title for title in titles)
    by_verdict = ok(server.get(f"/runs/{judged}/wafer"))["maps"][0]["svg"]
    assert "fail: 1" in by_verdict and "pass: 1" in by_verdict
    assert server.get(f"/runs/{judged}/wafer?figure=nonsense").status_code == 404


def test_a_recipe_without_positions_has_no_map(server):
    assert ok(server.get(f"/runs/{done(server, '{ lot: 7 }')}/wafer"))["maps"] == []
