"""Instrument access over HTTP while there is no instrument: it was never there, it has gone, or it was let go."""

import socket
import time

import pytest

from conftest import assert_refused, assert_shape, ok, until

NEEDS_AN_INSTRUMENT = [
    ("GET", "/connection/condition", None),
    ("POST", "/connection/check_errors", None),
    ("GET", "/detector/snapshot", None),
    ("GET", "/detector/wavelength", None),
    ("POST", "/detector/wavelength?wavelength_nm=1550", None),
    ("GET", "/detector/config", None),
    ("POST", "/detector/config", {"power_unit": "DBM"}),
    ("GET", "/detector/stabilization", None),
    ("POST", "/detector/stabilization", {"output": False, "duration_seconds": 0}),
    ("POST", "/detector/reference", None),
    ("POST", "/detector/reference?wait=true", None),
    ("GET", "/detector/reference/result", None),
    ("GET", "/detector/trace/metadata", None),
    ("GET", "/detector/trace/data", None),
    ("GET", "/detector/trace/binary", None),
    ("POST", "/measurement/sweep/start", None),
    ("POST", "/measurement/sweep/start?wait=true", None),
    ("POST", "/measurement/sweep/abort", None),
    ("GET", "/measurement/sweep/status", None),
    ("GET", "/measurement/status/referencing", None),
    ("GET", "/measurement/sweep/wavelengths", None),
    ("POST", "/measurement/sweep/wavelengths", {"start_wavelength_nm": 1520}),
    ("GET", "/measurement/resolution", None),
    ("POST", "/measurement/resolution?resolution_pm=1", None),
    ("GET", "/measurement/stabilization", None),
    ("POST", "/measurement/stabilization?output=false&duration_seconds=0", None),
    ("GET", "/measurement/config", None),
    ("POST", "/measurement/config", {"resolution_pm": 1}),
    ("GET", "/tls/1/config", None),
    ("POST", "/tls/1/config", {"trigin": 0}),
    ("GET", "/tls/1/wavelength", None),
    ("POST", "/tls/1/wavelength?start_nm=1510&stop_nm=1610", None),
    ("GET", "/tls/1/power", None),
    ("POST", "/tls/1/power?power_dbm=0", None),
    ("GET", "/tls/1/speed", None),
    ("POST", "/tls/1/speed?speed_nmps=50", None),
    ("GET", "/tls/1/trigger", None),
    ("POST", "/tls/1/trigger?trigin=0", None),
    ("GET", "/rlaser/1/config", None),
    ("POST", "/rlaser/1/config", {"power_dbm": 0}),
    ("GET", "/rlaser/1/id", None),
    ("GET", "/rlaser/1/power", None),
    ("POST", "/rlaser/1/power?power_dbm=0", None),
    ("GET", "/rlaser/1/wavelength", None),
    ("POST", "/rlaser/1/wavelength?wavelength_nm=1550", None),
    ("GET", "/rlaser/1/state", None),
    ("POST", "/rlaser/1/on", None),
    ("POST", "/rlaser/1/off", None),
]
MAY_BE_EMPTY = ["/detector/config", "/measurement/config", "/tls/1/config", "/rlaser/1/config"]


@pytest.fixture(scope="module", params=["never there", "gone", "let go"])
def absent(request, started):
    simulator = started.simulator()
    if request.param == "never there":
        simulator.kill()
        return started.server(simulator.address, connected=False)
    server = started.server(simulator)
    if request.param == "gone":
        simulator.kill()
        assert_refused(server.get("/tls/1/config"), 503)
    else:
        ok(server.post("/connection/disconnect"))
    return server


@pytest.mark.parametrize(
    ("method", "path", "body"), NEEDS_AN_INSTRUMENT, ids=[" ".join(r[:2]) for r in NEEDS_AN_INSTRUMENT]
)
def test_what_needs_the_instrument_says_that_it_is_not_connected(absent, method, path, body):
    response = absent.http.request(method, path, json=body)
    assert_refused(response, 503)
    assert response.json()["detail"].startswith("Not connected to CTP10. ")


@pytest.mark.parametrize("path", MAY_BE_EMPTY)
def test_a_configuration_of_nothing_is_not_said_to_be_made(absent, path):
    assert_refused(absent.post(path, json={}), 503, "Not connected to CTP10.")


def test_health_and_connection_are_answered_all_the_same(absent):
    health = ok(absent.get("/health"))
    assert_shape(health, {"status": {"healthy"}, "connected": {False}, "timestamp": str})
    status = ok(absent.get("/connection/status"))
    assert_shape(status, {"connected": {False}, "instrument_id": None, "address": str})
    assert status["address"].startswith("TCPIP::127.0.0.1::")
    assert ok(absent.get("/"))["status"] == "running"


def test_it_can_be_disconnected_from_at_any_time(start):
    simulator = start.simulator()
    server = start.server(simulator)
    for _ in range(2):
        reply = {"success": True, "message": "Disconnected successfully"}
        assert ok(server.post("/connection/disconnect")) == reply
        assert ok(server.get("/connection/status"))["connected"] is False
    absent = start.server("127.0.0.1:1", connected=False)
    assert ok(absent.post("/connection/disconnect")) == reply


def test_once_disconnected_it_stays_so_until_connect_is_asked_for(start):
    simulator = start.simulator()
    server = start.server(simulator)
    ok(server.post("/connection/disconnect"))
    before = len(simulator.commands())
    with server.watch("/ws/power?interval=0.2") as power:
        # Longer than the longest pause between two attempts after a loss.
        for frame in power.frames(15, "error"):
            assert frame["error"].startswith("Not connected to CTP10")
    assert server.is_connected() is False
    assert_refused(server.get("/tls/1/config"), 503, "Not connected to CTP10.")
    assert len(simulator.commands()) == before
    reply = ok(server.post("/connection/connect"))
    assert reply["connected"] is True and "SIMULATED" in reply["instrument_id"]
    assert ok(server.get("/tls/1/config"))["identifier"] == 1


def test_it_connects_by_itself_when_the_instrument_comes_after_the_server(start):
    simulator = start.simulator()
    simulator.kill()
    server = start.server(simulator.address, connected=False)
    assert server.is_connected() is False
    simulator.start()
    server.wait_until_connected()
    assert ok(server.get("/tls/1/config"))["identifier"] == 1


def test_it_can_be_told_to_connect_to_another_address(start):
    first, second = start.simulator(), start.simulator("--seed", "77")
    server = start.server(first)
    ok(server.post("/connection/disconnect"))
    address = f"TCPIP::127.0.0.1::{second.port}::SOCKET"
    reply = ok(server.post("/connection/connect", json={"address": address, "timeout_ms": 5000}))
    assert reply == {"connected": True, "instrument_id": second.talk().ask("*IDN?"), "address": address}
    assert ok(server.get("/connection/status")) == reply


def test_where_nobody_listens_connect_says_so_within_ten_seconds(start):
    simulator = start.simulator()
    simulator.kill()
    server = start.server(simulator.address, connected=False)
    began = time.monotonic()
    assert_refused(server.post("/connection/connect"), 503, "Not connected to CTP10.")
    assert_refused(server.post("/connection/connect", json={"timeout_ms": 300_000}), 503, "Not connected to CTP10.")
    assert time.monotonic() - began < 10


def test_where_nobody_answers_connect_says_so_within_ten_seconds(start):
    # It takes the connection and never says a word.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = start.server(f"127.0.0.1:{silent.getsockname()[1]}", connected=False)
        began = time.monotonic()
        assert_refused(server.post("/connection/connect"), 503, "Not connected to CTP10.")
        assert time.monotonic() - began < 10
        reply = server.post("/connection/connect", json={"timeout_ms": 1500})
        assert_refused(reply, 503, "Not connected to CTP10.", "within 1.5 s")
        # Whoever asks something else meanwhile is not kept waiting for that.
        began = time.monotonic()
        assert server.is_connected() is False
        assert_refused(server.get("/tls/1/config"), 503, "Not connected to CTP10.")
        assert time.monotonic() - began < 5


def test_a_loss_is_noticed_while_nobody_asks(start):
    simulator = start.simulator()
    server = start.server(simulator)
    simulator.kill()
    until("the loss is known", lambda: not ok(server.get("/connection/status"))["connected"])
