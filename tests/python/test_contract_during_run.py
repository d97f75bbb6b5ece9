"""Instrument access over HTTP while a run holds the instrument: reads go in between, changes are refused with its name,
and of its traces those are served that it has stored."""

import io

import numpy
import pytest

from conftest import assert_refused, assert_shape, ok, until
from test_contract_instrument import READINGS

# Two traces of one sweep, one of which is stored; then it waits.
HOLDS = """
name: holds
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 3 }
  - configure_scan: { start_nm: 1540, stop_nm: 1560, resolution_pm: 10 }
  - create_reference: { detector: 4/1, connect: patch cord }
  - sweep:
  - fetch_trace: { detector: 4/1, trace: tf }
  - configure_laser: { laser: 1, wavelength_nm: 1550, power_dbm: 1, output: true }
  - log: now it waits
  - wait: 3600
"""
SWEEPS = """
name: sweeps
steps:
  - configure_scan: { start_nm: 1501, stop_nm: 1629 }
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 5, power_dbm: 3 }
  - sweep:
"""
CHANGES = [
    ("/connection/disconnect", None),
    ("/detector/wavelength?wavelength_nm=1550", None),
    ("/detector/config", {"power_unit": "DBM"}),
    ("/detector/stabilization", {"output": False, "duration_seconds": 0}),
    ("/detector/reference", None),
    ("/detector/reference?wait=true", None),
    ("/measurement/sweep/start", None),
    ("/measurement/sweep/start?wait=true", None),
    ("/measurement/sweep/abort", None),
    ("/measurement/sweep/wavelengths", {"start_wavelength_nm": 1520}),
    ("/measurement/resolution?resolution_pm=1", None),
    ("/measurement/stabilization?output=false&duration_seconds=0", None),
    ("/measurement/config", {"resolution_pm": 1}),
    ("/tls/1/config", {"trigin": 0}),
    ("/tls/1/wavelength?start_nm=1510&stop_nm=1610", None),
    ("/tls/1/power?power_dbm=0", None),
    ("/tls/1/speed?speed_nmps=50", None),
    ("/tls/1/trigger?trigin=0", None),
    ("/rlaser/1/config", {"power_dbm": 0}),
    ("/rlaser/1/power?power_dbm=0", None),
    ("/rlaser/1/wavelength?wavelength_nm=1550", None),
    ("/rlaser/1/on", None),
    ("/rlaser/1/off", None),
]


@pytest.fixture(scope="module")
def held(started):
    """A server with a run that has stored a trace and waits."""
    simulator = started.simulator("--time-scale", "0.02", "--noise", "by-settings")
    server = started.server(simulator)
    begun = server.post("/runs", json={"recipe": HOLDS, "format": "yaml"})
    assert begun.status_code == 201, begun.text
    server.run, server.raw = begun.json()["run"], simulator.talk()
    until("the run waits", lambda: (ok(server.get("/runs/current"))["current"] or {}).get("activity") == "wait")
    yield server
    server.raw.close()
    server.kill()


@pytest.mark.parametrize("path", READINGS.keys() - {"/detector/reference/result"})
def test_readings_go_in_between(held, path):
    assert_shape(ok(held.get(path)), READINGS[path])


def test_readings_say_what_the_run_has_set(held):
    assert ok(held.get("/tls/1/power"))["laser_power_dbm"] == 3
    assert ok(held.get("/rlaser/1/config"))["is_on"] is True
    assert ok(held.get("/measurement/sweep/wavelengths"))["start_wavelength_nm"] == 1540
    assert ok(held.get("/detector/reference/result"))["state"] == 1
    assert ok(held.get("/detector/snapshot"))["ch3_power"] == pytest.approx(float(held.raw.ask("CTP:SENS4:CHAN3:POW?")))


@pytest.mark.parametrize(("path", "body"), CHANGES, ids=[row[0] for row in CHANGES])
def test_a_change_is_refused_with_the_name_of_the_run(held, path, body):
    assert_refused(held.post(path, json=body), 409, held.run)
    assert ok(held.get("/runs/current"))["state"] == "running"


def test_connect_is_never_refused(held):
    before = ok(held.get("/connection/status"))
    for body in [None, {}, {"address": before["address"]}, {"address": "TCPIP::127.0.0.1::1::SOCKET"}]:
        assert ok(held.post("/connection/connect", json=body)) == before


def test_errors_can_be_asked_for_and_the_runs_own_reading_of_them_is_not_disturbed(held):
    assert ok(held.post("/connection/check_errors")) == {"success": True, "message": "No errors found"}


def test_the_trace_that_the_run_has_stored_is_served(held):
    x, y = held.raw.trace("4/1", 1)
    data = ok(held.get("/detector/trace/data"))
    assert data["metadata"] == ok(held.get("/detector/trace/metadata"))
    assert data["metadata"]["num_points"] == len(x) == 2001
    assert numpy.array_equal(numpy.array(data["values"], "f4"), y.astype("f4"))
    assert numpy.allclose(data["wavelengths"], x, rtol=0, atol=1e-7)
    response = held.get("/detector/trace/binary")
    assert len(response.content) == int(response.headers["content-length"])
    assert response.headers["content-disposition"].endswith("trace_m4_c1_t1.npy")
    array = numpy.load(io.BytesIO(response.content))
    assert array.dtype.names == ("wavelengths", "values")
    assert numpy.array_equal(array["values"], y.astype("f8"))


@pytest.mark.parametrize("form", ["data", "binary"])
@pytest.mark.parametrize(
    "wanted", ["trace_type=11", "trace_type=12", "channel=2&trace_type=11", "module=5&trace_type=11"]
)
def test_a_trace_that_the_run_has_not_stored_is_refused_with_the_name_of_the_run(held, form, wanted):
    assert_refused(held.get(f"/detector/trace/{form}?{wanted}"), 409, held.run)


def test_the_run_has_the_link_to_itself_for_what_it_has_not_stored(held):
    """What a trace is may be asked between; only its transfer would take the run's time."""
    assert ok(held.get("/detector/trace/metadata?trace_type=11"))["num_points"] == 2001


def test_while_the_run_sweeps_settings_and_state_can_be_read(start):
    simulator = start.simulator()
    server = start.server(simulator)
    begun = server.post("/runs", json={"recipe": SWEEPS, "format": "yaml"})
    run = begun.json()["run"]
    until("it sweeps", lambda: ok(server.get("/measurement/sweep/status"))["is_sweeping"])
    assert ok(server.get("/connection/condition"))["bits"]["scanning"] is True
    assert ok(server.get("/tls/1/config"))["sweep_speed_nmps"] == 5
    assert ok(server.get("/rlaser/1/state"))["is_on"] is True
    assert ok(server.get("/measurement/status/referencing"))["is_referencing"] is False
    for path in ["/measurement/sweep/abort", "/measurement/sweep/start", "/rlaser/1/off"]:
        assert_refused(server.post(path), 409, run)
    assert_refused(server.get("/detector/trace/binary?trace_type=11"), 409, run)
    assert ok(server.get("/measurement/sweep/status"))["is_sweeping"] is True
    server.post(f"/runs/{run}/abort?now=true")
    until("it has ended", lambda: ok(server.get(f"/runs/{run}"))["state"] == "aborted")


def test_after_the_run_changes_are_made_again(start):
    simulator = start.simulator("--time-scale", "0.02")
    server = start.server(simulator)
    recipe = HOLDS.replace("  - wait: 3600\n", "")
    run = server.post("/runs", json={"recipe": recipe, "format": "yaml"}).json()["run"]
    until("it has ended", lambda: server.get("/runs/current").status_code == 404)
    assert ok(server.get(f"/runs/{run}"))["state"] == "done"
    ok(server.post("/rlaser/1/on"))
    # Any trace may be fetched, too.
    assert server.get("/detector/trace/binary?trace_type=11").status_code == 200
