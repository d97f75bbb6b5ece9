"""Instrument access over HTTP while an instrument is connected: every path with its fields, types and values, and each
setting against what the instrument itself says."""

import concurrent.futures
import re
import select
import socket
import time
from datetime import datetime

import httpx
import pytest

from conftest import LIMIT_S, assert_problems, assert_refused, assert_shape, ok, until

UNIT = {"dBm", "mW"}
TLS = {
    "channel": int,
    "start_wavelength_nm": float,
    "stop_wavelength_nm": float,
    "sweep_speed_nmps": int,
    "laser_power_dbm": float,
    "trigin": int,
    "identifier": int,
}
LASER = {"laser_number": int, "id": str, "wavelength_nm": float, "power_dbm": float, "is_on": bool}
POWER = {f"ch{channel}_power": float for channel in (1, 2, 3, 4)}
SNAPSHOT = {"timestamp": float, "module": int, "wavelength_nm": float, "unit": UNIT, **POWER}
CONNECTION = {"connected": bool, "instrument_id": str, "address": str}
BITS = ["zeroing", "calibrating", "scanning", "analyzing", "aborting", "armed", "referencing", "quick_referencing"]
CONDITION = {"register_value": int, "is_idle": bool, "bits": dict.fromkeys(BITS, bool)}
STABILIZATION = {"output": bool, "duration_seconds": float}
RANGE = {"start_wavelength_nm": float, "stop_wavelength_nm": float}
SCAN = {"resolution_pm": float, "stabilization_output": bool, "stabilization_duration": float}
DONE = {"success": {True}, "message": str}
DETECTOR = {
    "module": int,
    "channel": int,
    "power_unit": UNIT,
    "spectral_unit": {"NM", "THz"},
    "resolution_pm": float,
    "wavelength_nm": float,
}

READINGS = {
    "/": {"service": {"EXFO CTP10 Vector Analyzer API"}, "version": {"1.0.0"}, "server": str, "status": {"running"}},
    "/health": {"status": {"healthy"}, "connected": {True}, "timestamp": str},
    "/connection/status": CONNECTION,
    "/connection/condition": CONDITION,
    "/detector/snapshot": SNAPSHOT,
    "/detector/wavelength": {"module": int, "channel": int, "wavelength_nm": float, "frequency_thz": float},
    "/detector/config": DETECTOR,
    "/detector/stabilization": STABILIZATION,
    "/detector/reference/result": {
        "module": int,
        "channel": int,
        "state": {0},
        "type": None,
        "date": None,
        "time": None,
    },
    "/measurement/sweep/status": {"is_sweeping": bool, "is_complete": bool, "condition_register": int},
    "/measurement/status/referencing": {"is_referencing": bool, "condition_register": int},
    "/measurement/sweep/wavelengths": RANGE,
    "/measurement/resolution": {"resolution_pm": float},
    "/measurement/stabilization": STABILIZATION,
    "/measurement/config": SCAN,
    **{f"/tls/{tls}/config": TLS for tls in (1, 2, 3, 4)},
    "/tls/1/wavelength": {"channel": int, **RANGE},
    "/tls/1/power": {"channel": int, "laser_power_dbm": float},
    "/tls/1/speed": {"channel": int, "sweep_speed_nmps": int},
    "/tls/1/trigger": {"channel": int, "trigin": int, "description": str},
    "/rlaser/1/config": LASER,
    "/rlaser/2/config": LASER,
    "/rlaser/1/id": {
        "laser_number": int,
        "id": str,
        "manufacturer": str,
        "model": str,
        "serial": str,
        "firmware": str,
    },
    "/rlaser/1/power": {"laser_number": int, "power_dbm": float},
    "/rlaser/1/wavelength": {"laser_number": int, "wavelength_nm": float},
    "/rlaser/1/state": {"laser_number": int, "is_on": bool, "state": bool},
}


@pytest.fixture(scope="module")
def simulator(started):
    return started.simulator("--time-scale", "0.02", "--noise", "by-settings")


@pytest.fixture(scope="module")
def module_server(started, simulator):
    return started.server(simulator)


@pytest.fixture
def raw(simulator):
    talk = simulator.talk()
    talk.tell("*RST", "*CLS")
    yield talk
    talk.close()


@pytest.fixture
def server(module_server, raw):
    """The server, at an instrument that is as at power-on and that it knows to be idle."""
    until("it is known to be idle", lambda: ok(module_server.get("/connection/condition"))["is_idle"])
    return module_server


@pytest.mark.parametrize("path", READINGS)
def test_a_reading_has_exactly_its_fields_with_their_types(server, path):
    response = server.get(path)
    assert response.headers["content-type"] == "application/json"
    assert_shape(ok(response), READINGS[path])


def test_readings_say_what_the_instrument_says(server, raw):
    raw.tell("CTP:SENS4:CHAN1:WAV 1312.5NM", "CTP:SENS4:CHAN2:UNIT:X FREQ", "CTP:SENS4:CHAN2:UNIT:Y MW")
    raw.tell("INIT:WAV:SAMP 0.05PM", "INIT:STAB 1,12.3", "INIT:WAV:STAR 1519.75NM", "INIT:WAV:STOP 1560.25NM")
    raw.tell(
        "INIT:TLS1:WAV:STAR 1510.001NM", "INIT:TLS1:WAV:STOP 1620.5NM", "INIT:TLS1:SPE 17", "INIT:TLS1:POW -2.5DBM"
    )
    raw.tell("INIT:TLS1:TRIG 3", "INIT:TLS3:ID 2", "CTP:RLAS2:WAV 1300.125NM", "CTP:RLAS2:POW 1.5DBM")
    raw.tell("CTP:RLAS2:POW:STAT ON")
    expected = {
        "/detector/wavelength": {
            "module": 4,
            "channel": 1,
            "wavelength_nm": 1312.5,
            "frequency_thz": pytest.approx(299_792.458 / 1312.5, rel=1e-12),
        },
        "/detector/config?channel=2": {
            "module": 4,
            "channel": 2,
            "power_unit": "mW",
            "spectral_unit": "THz",
            "resolution_pm": 0.05,
            "wavelength_nm": 1312.5,
        },
        "/detector/stabilization": {"output": True, "duration_seconds": 12.3},
        "/measurement/stabilization": {"output": True, "duration_seconds": 12.3},
        "/measurement/config": {
            "resolution_pm": 0.05,
            "stabilization_output": True,
            "stabilization_duration": 12.3,
        },
        "/measurement/resolution": {"resolution_pm": 0.05},
        "/measurement/sweep/wavelengths": {"start_wavelength_nm": 1519.75, "stop_wavelength_nm": 1560.25},
        "/tls/1/config": {
            "channel": 1,
            "start_wavelength_nm": 1510.001,
            "stop_wavelength_nm": 1620.5,
            "sweep_speed_nmps": 17,
            "laser_power_dbm": -2.5,
            "trigin": 3,
            "identifier": 1,
        },
        "/tls/1/wavelength": {"channel": 1, "start_wavelength_nm": 1510.001, "stop_wavelength_nm": 1620.5},
        "/tls/1/power": {"channel": 1, "laser_power_dbm": -2.5},
        "/tls/1/speed": {"channel": 1, "sweep_speed_nmps": 17},
        "/tls/1/trigger": {"channel": 1, "trigin": 3, "description": "TRIG IN port 3"},
        "/tls/2/trigger": {"channel": 2, "trigin": 0, "description": "Software trigger"},
        "/rlaser/2/config": {
            "laser_number": 2,
            "id": raw.ask("CTP:RLAS2:IDN?"),
            "wavelength_nm": 1300.125,
            "power_dbm": 1.5,
            "is_on": True,
        },
        "/rlaser/2/power": {"laser_number": 2, "power_dbm": 1.5},
        "/rlaser/2/wavelength": {"laser_number": 2, "wavelength_nm": 1300.125},
        "/rlaser/2/state": {"laser_number": 2, "is_on": True, "state": True},
        "/rlaser/1/state": {"laser_number": 1, "is_on": False, "state": False},
    }
    assert ok(server.get("/tls/3/config"))["identifier"] == 2
    for path, value in expected.items():
        assert ok(server.get(path)) == value, path


def test_the_root_names_the_program_and_its_version_and_shows_browsers_the_dashboard(server):
    assert re.fullmatch(r"ctp10 \d+\.\d+\.\d+.*", ok(server.get("/"))["server"])
    page = server.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert page.headers["content-type"].startswith("text/html") and "<html" in page.text
    for accept in ["application/json", "*/*"]:
        assert ok(server.get("/", headers={"Accept": accept}))["status"] == "running"


def test_health_has_a_date_that_can_be_read_and_never_asks_the_instrument(server, simulator):
    before = simulator.commands()
    for _ in range(20):
        datetime.fromisoformat(ok(server.get("/health"))["timestamp"])
    assert simulator.commands() == before


def test_the_connection_is_told_with_the_identity_and_a_visa_address(server, simulator, raw):
    expected = {
        "connected": True,
        "instrument_id": raw.ask("*IDN?"),
        "address": f"TCPIP::{simulator.host}::{simulator.port}::SOCKET",
    }
    assert ok(server.get("/connection/status")) == expected
    # Already connected: the same, and the link is kept, whatever address is asked for.
    for body in [None, {}, {"address": "TCPIP::127.0.0.1::1::SOCKET"}, {"timeout_ms": 1000}, {"timeout_ms": 300_000}]:
        assert ok(server.post("/connection/connect", json=body)) == expected
    for timeout in (999, 300_001):
        (problem,) = assert_problems(server.post("/connection/connect", json={"timeout_ms": timeout}))
        assert problem["loc"] == ["body", "timeout_ms"]


def test_an_address_that_is_none_is_refused_with_its_place(server):
    (problem,) = assert_problems(server.post("/connection/connect", json={"address": "not an address"}))
    assert problem["loc"] == ["body", "address"]
    assert problem["input"] == "not an address"


def test_a_snapshot_is_a_reading_of_now_however_long_nobody_has_asked(server, raw):
    ok(server.get("/detector/snapshot"))
    asked = time.time()
    until("some time has passed", lambda: time.time() > asked + 1.5)
    asked = time.time()
    snapshot = ok(server.get("/detector/snapshot"))
    # It may be shared with others who watch, and is no older than that.
    assert asked - 0.5 <= snapshot["timestamp"] <= time.time()


def test_the_snapshot_says_what_the_detectors_say_in_the_unit_that_they_are_set_to(server, raw):
    ok(server.post("/rlaser/1/config", json={"wavelength_nm": 1552, "power_dbm": 3, "power_state": True}))
    for unit, name in [("DBM", "dBm"), ("MW", "mW")]:
        for channel in (1, 2, 3, 4):
            ok(server.post(f"/detector/config?channel={channel}", json={"power_unit": unit}))
        # What has been set holds for what is read after it.
        snapshot = ok(server.get("/detector/snapshot?module=4"))
        assert_shape(snapshot, SNAPSHOT)
        assert (snapshot["module"], snapshot["unit"], snapshot["wavelength_nm"]) == (4, name, 1550)
        for channel in (1, 2, 3, 4):
            said = float(raw.ask(f"CTP:SENS4:CHAN{channel}:POW?"))
            assert snapshot[f"ch{channel}_power"] == pytest.approx(said, rel=1e-9), channel
    assert snapshot["ch3_power"] > 1
    assert ok(server.get("/detector/snapshot?module=5"))["module"] == 5


def test_queued_errors_are_told_all_at_once_and_then_there_are_none(server, raw):
    assert ok(server.post("/connection/check_errors")) == {"success": True, "message": "No errors found"}
    raw.tell("INIT:TLS1:SPE 999", "NO:SUCH:HEADER")
    assert_refused(
        server.post("/connection/check_errors"), 502, "-222", "Data out of range", "-113", "Undefined header"
    )
    assert ok(server.post("/connection/check_errors")) == {"success": True, "message": "No errors found"}


# Each setting: path, body, fields of the reply beside `success`, what it says, where it is read again, and what the
# instrument says. Bare names of the contract are query parameters.
SETTINGS = [
    (
        "/detector/wavelength?wavelength_nm=1550.123",
        None,
        {"module": 4, "channel": 1, "wavelength_nm": 1550.123},
        "/detector/wavelength",
        {"CTP:SENS4:CHAN1:WAV?": 1550.123e-9},
    ),
    (
        "/detector/wavelength?module=5&channel=2&wavelength_nm=1310.5",
        None,
        {"module": 5, "channel": 2, "wavelength_nm": 1310.5},
        "/detector/wavelength?module=5&channel=2",
        {"CTP:SENS5:CHAN2:WAV?": 1310.5e-9},
    ),
    (
        "/detector/stabilization",
        {"output": True, "duration_seconds": 12.3},
        {"output": True, "duration_seconds": 12.3},
        "/detector/stabilization",
        {"INIT:STAB?": "1,12.3"},
    ),
    (
        "/measurement/stabilization?output=true&duration_seconds=0.5",
        None,
        {"output": True, "duration_seconds": 0.5},
        "/measurement/stabilization",
        {"INIT:STAB?": "1,0.5"},
    ),
    (
        "/measurement/resolution?resolution_pm=0.02",
        None,
        {"resolution_pm": 0.02},
        "/measurement/resolution",
        {"INIT:WAV:SAMP?": 0.02e-12},
    ),
    (
        "/tls/1/wavelength?start_nm=1510.123&stop_nm=1590.456",
        None,
        {"channel": 1, "start_wavelength_nm": 1510.123, "stop_wavelength_nm": 1590.456, "message": str},
        "/tls/1/wavelength",
        {"INIT:TLS1:WAV:STAR?": 1510.123e-9, "INIT:TLS1:WAV:STOP?": 1590.456e-9},
    ),
    (
        "/tls/2/power?power_dbm=-3.25",
        None,
        {"channel": 2, "laser_power_dbm": -3.25, "message": str},
        "/tls/2/power",
        {"INIT:TLS2:POW?": -3.25},
    ),
    (
        "/tls/1/speed?speed_nmps=20",
        None,
        {"channel": 1, "sweep_speed_nmps": 20, "message": str},
        "/tls/1/speed",
        {"INIT:TLS1:SPE?": "20"},
    ),
    (
        "/tls/4/trigger?trigin=8",
        None,
        {"channel": 4, "trigin": 8, "description": "TRIG IN port 8", "message": str},
        "/tls/4/trigger",
        {"INIT:TLS4:TRIG?": "8"},
    ),
    (
        "/tls/1/trigger?trigin=0",
        None,
        {"channel": 1, "trigin": 0, "description": "Software trigger", "message": str},
        "/tls/1/trigger",
        {"INIT:TLS1:TRIG?": "0"},
    ),
    (
        "/rlaser/1/power?power_dbm=1.75",
        None,
        {"laser_number": 1, "power_dbm": 1.75, "message": str},
        "/rlaser/1/power",
        {"CTP:RLAS1:POW?": 1.75},
    ),
    (
        "/rlaser/2/wavelength?wavelength_nm=1300.123",
        None,
        {"laser_number": 2, "wavelength_nm": 1300.123, "message": str},
        "/rlaser/2/wavelength",
        {"CTP:RLAS2:WAV?": 1300.123e-9},
    ),
]


@pytest.mark.parametrize(("path", "body", "reply", "again", "commands"), SETTINGS, ids=[row[0] for row in SETTINGS])
def test_a_setting_is_made_read_back_as_given_and_known_to_the_instrument(
    server, raw, path, body, reply, again, commands
):
    said = ok(server.post(path, json=body))
    texts = {name: said.pop(name, None) for name, shape in reply.items() if shape is str}
    assert all(isinstance(text, str) and text for text in texts.values()), texts
    values = {name: value for name, value in reply.items() if shape_is_value(value)}
    assert said == {"success": True, **values}
    found = ok(server.get(again))
    assert {name: found[name] for name in values} == values
    assert_instrument(raw, commands)


def shape_is_value(shape):
    return shape is not str


def assert_instrument(raw, commands):
    for command, expected in commands.items():
        said = raw.ask(command)
        assert said == expected if isinstance(expected, str) else float(said) == pytest.approx(expected, rel=1e-12), (
            command
        )


def test_the_range_of_the_scan_is_told_as_re_read(server, raw):
    body = {"start_wavelength_nm": 1550.123, "stop_wavelength_nm": 1570.456}
    assert ok(server.post("/measurement/sweep/wavelengths", json=body)) == body
    assert ok(server.get("/measurement/sweep/wavelengths")) == body
    assert_instrument(raw, {"INIT:WAV:STAR?": 1550.123e-9, "INIT:WAV:STOP?": 1570.456e-9})
    # Start is applied before stop: a range that lies beyond the present one is taken as it is.
    beyond = {"stop_wavelength_nm": 1620, "start_wavelength_nm": 1600}
    assert ok(server.post("/measurement/sweep/wavelengths", json=beyond)) == beyond
    # One alone may move the other, which is told.
    said = ok(server.post("/measurement/sweep/wavelengths", json={"stop_wavelength_nm": 1560}))
    assert said["stop_wavelength_nm"] == 1560
    assert_instrument(raw, {"INIT:WAV:STAR?": said["start_wavelength_nm"] * 1e-9, "INIT:WAV:STOP?": 1560e-9})


@pytest.mark.parametrize(("start", "stop"), [(1580, 1520), (1550, 1550)], ids=["reversed", "empty"])
@pytest.mark.parametrize("path", ["/tls/1/config", "/tls/1/wavelength", "/measurement/sweep/wavelengths"])
def test_a_range_whose_start_is_not_below_its_stop_is_refused_and_changes_nothing(server, path, start, stop):
    ok(server.post("/tls/1/wavelength?start_nm=1510&stop_nm=1590"))
    before = ok(server.get(path))
    body = {"start_wavelength_nm": start, "stop_wavelength_nm": stop}
    asked = {"params": {"start_nm": start, "stop_nm": stop}} if path == "/tls/1/wavelength" else {"json": body}
    assert_refused(server.post(path, **asked), 400, str(start), str(stop), "must be lower")
    assert ok(server.get(path)) == before


def test_a_range_that_the_instrument_does_not_take_as_it_is_given_is_not_reported_as_set(server):
    # The stop is taken, and moves the start.
    body = {"start_wavelength_nm": 1549.75, "stop_wavelength_nm": 1550}
    response = server.post("/measurement/sweep/wavelengths", json=body)
    assert_refused(response, 502, "the start of the scan was set to 1549.75 nm", "has changed it to 1549 nm")


def test_the_settings_of_the_scan_are_set_each_for_itself(server, raw):
    raw.tell("INIT:STAB 1,7.5")
    said = ok(server.post("/measurement/config", json={"resolution_pm": 5}))
    assert said["success"] is True
    assert ok(server.get("/measurement/config")) == {
        "resolution_pm": 5,
        "stabilization_output": True,
        "stabilization_duration": 7.5,
    }
    ok(server.post("/measurement/config", json={"stabilization_output": False}))
    assert raw.ask("INIT:STAB?") == "0,7.5"
    ok(server.post("/measurement/config", json={"stabilization_duration": 60}))
    assert raw.ask("INIT:STAB?") == "0,60"
    assert ok(server.get("/measurement/config"))["resolution_pm"] == 5


@pytest.mark.parametrize(
    ("path", "body", "commands"),
    [
        (
            "/tls/1/config",
            {
                "start_wavelength_nm": 1520.5,
                "stop_wavelength_nm": 1570.125,
                "sweep_speed_nmps": 29,
                "laser_power_dbm": -1.5,
                "trigin": 4,
                "identifier": 1,
            },
            {
                "INIT:TLS1:WAV:STAR?": 1520.5e-9,
                "INIT:TLS1:WAV:STOP?": 1570.125e-9,
                "INIT:TLS1:SPE?": "29",
                "INIT:TLS1:POW?": -1.5,
                "INIT:TLS1:TRIG?": "4",
                "INIT:TLS1:ID?": "1",
            },
        ),
        # The laser comes first: what the others may be depends on it.
        (
            "/tls/3/config",
            {"sweep_speed_nmps": 200, "start_wavelength_nm": 1260, "stop_wavelength_nm": 1350, "identifier": 2},
            {"INIT:TLS3:SPE?": "200", "INIT:TLS3:WAV:STAR?": 1260e-9, "INIT:TLS3:ID?": "2"},
        ),
        ("/tls/4/config", {"identifier": 0}, {"INIT:TLS4:ID?": "0"}),
        ("/tls/2/config", {"trigin": 7}, {"INIT:TLS2:TRIG?": "7", "INIT:TLS2:ID?": "2", "INIT:TLS2:SPE?": "50"}),
        (
            "/rlaser/1/config",
            {"power_dbm": 2.5, "wavelength_nm": 1550.123, "power_state": True},
            {"CTP:RLAS1:POW?": 2.5, "CTP:RLAS1:WAV?": 1550.123e-9, "CTP:RLAS1:POW:STAT?": "1"},
        ),
        ("/rlaser/2/config", {"power_state": False}, {"CTP:RLAS2:POW:STAT?": "0", "CTP:RLAS2:WAV?": 1310e-9}),
    ],
    ids=["tls all", "tls laser first", "tls no laser", "tls one", "laser all", "laser one"],
)
def test_a_configuration_is_set_and_told_as_it_was_given(server, raw, path, body, commands):
    reply = ok(server.post(path, json=body))
    assert_shape({**reply, "config": None}, {"success": {True}, "message": str, "config": None})
    assert "configured successfully" in reply["message"]
    # What was given, and nothing of what was not.
    given = {name: value for name, value in reply["config"].items() if value is not None}
    assert given == body
    found = ok(server.get(path))
    assert {name: found[name] for name in body if name in found} == {n: v for n, v in body.items() if n in found}
    assert_instrument(raw, commands)


def test_a_configuration_is_told_with_the_fields_that_were_given_and_no_others(server):
    """A front end merges this into what it shows: a null would overwrite what was not touched."""
    assert ok(server.post("/tls/1/config", json={"trigin": "2", "channel": 1, "x": 5}))["config"] == {"trigin": 2}
    assert ok(server.post("/rlaser/1/config", json={"power_dbm": 1.0}))["config"] == {"power_dbm": 1}
    for path in ["/tls/1/config", "/rlaser/1/config"]:
        assert ok(server.post(path, json={"unknown": "x", "power_dbm_": 3}))["config"] == {}


@pytest.mark.parametrize("laser", [1, 2])
def test_a_laser_is_switched_on_and_off(server, raw, laser):
    for state, is_on in [("on", True), ("off", False)]:
        assert ok(server.post(f"/rlaser/{laser}/{state}")) == {
            "success": True,
            "message": f"Laser {laser} turned {state.upper()}",
            "laser_number": laser,
            "is_on": is_on,
        }
        assert raw.ask(f"CTP:RLAS{laser}:POW:STAT?") == str(int(is_on))
        assert ok(server.get(f"/rlaser/{laser}/state")) == {"laser_number": laser, "is_on": is_on, "state": is_on}


def test_the_identity_of_a_laser_is_told_in_its_parts(server, raw):
    identity = raw.ask("CTP:RLAS1:IDN?")
    names = ["manufacturer", "model", "serial", "firmware"]
    parts = dict(zip(names, identity.split(","), strict=True))
    assert ok(server.get("/rlaser/1/id")) == {"laser_number": 1, "id": identity, **parts}


@pytest.mark.parametrize(
    ("name", "word", "said", "command", "raw_said"),
    [
        *[("power_unit", word, "dBm", "UNIT:Y?", "0") for word in ["DBM", "dbm", "dBm", 0, "0"]],
        *[("power_unit", word, "mW", "UNIT:Y?", "1") for word in ["MW", "mw", "mW", 1, "1"]],
        *[("spectral_unit", word, "NM", "UNIT:X?", "0") for word in ["WAV", "wav", "NM", "nm", "WAVELENGTH", 0, "0"]],
        *[
            ("spectral_unit", word, "THz", "UNIT:X?", "1")
            for word in ["FREQ", "freq", "THZ", "THz", "Frequency", 1, "1"]
        ],
    ],
)
def test_units_are_taken_in_all_their_words(server, raw, name, word, said, command, raw_said):
    raw.tell(f"CTP:SENS4:CHAN2:{command[:-1]} {1 - int(raw_said)}")
    reply = ok(server.post("/detector/config?module=4&channel=2", json={name: word}))
    assert_shape(reply, DONE)
    assert raw.ask(f"CTP:SENS4:CHAN2:{command}") == raw_said
    assert ok(server.get("/detector/config?module=4&channel=2"))[name] == said
    # The others have stayed as they were.
    assert raw.ask("CTP:SENS4:CHAN1:UNIT:X?") == raw.ask("CTP:SENS4:CHAN1:UNIT:Y?") == "0"


@pytest.mark.parametrize("name", ["power_unit", "spectral_unit"])
@pytest.mark.parametrize("word", ["W", "", 2, 0.5, True, [], {}])
def test_a_unit_that_is_none_is_refused(server, name, word):
    (problem,) = assert_problems(server.post("/detector/config", json={name: word}))
    assert problem["loc"] == ["body", name] and problem["input"] == word


def test_the_step_can_be_set_with_the_detector(server, raw):
    ok(server.post("/detector/config", json={"resolution_pm": 2.0, "power_unit": None}))
    assert_instrument(raw, {"INIT:WAV:SAMP?": 2e-12})


def test_what_a_detector_refuses_to_say_is_null(start):
    simulator = start.simulator("--fault", "refuse@CTP:SENS4:CHAN1:UNIT:X?:every")
    server = start.server(simulator)
    assert ok(server.get("/detector/config")) == {
        "module": 4,
        "channel": 1,
        "power_unit": "dBm",
        "spectral_unit": None,
        "resolution_pm": 10,
        "wavelength_nm": 1550,
    }


CONFIGURATIONS = [
    "/detector/config?module=4&channel=2",
    "/detector/config?module=5&channel=1",
    "/detector/stabilization",
    "/measurement/sweep/wavelengths",
    "/measurement/config",
    *[f"/tls/{tls}/config" for tls in (1, 2, 3, 4)],
    "/rlaser/1/config",
    "/rlaser/2/config",
]


@pytest.mark.parametrize("path", CONFIGURATIONS)
def test_a_configuration_can_be_read_and_posted_back_unchanged(server, raw, path):
    raw.tell("CTP:SENS4:CHAN2:UNIT:X FREQ", "CTP:SENS4:CHAN2:UNIT:Y MW", "CTP:SENS4:CHAN2:WAV 1541.237NM")
    raw.tell("INIT:STAB 1,3.3", "INIT:WAV:STAR 1531.117NM", "INIT:WAV:STOP 1561.337NM", "INIT:WAV:SAMP 0.2PM")
    raw.tell("INIT:TLS1:WAV:STAR 1501.111NM", "INIT:TLS1:POW 1.23456DBM", "INIT:TLS2:TRIG 5", "CTP:RLAS1:POW:STAT ON")
    raw.tell("CTP:RLAS1:WAV 1555.557NM", "CTP:RLAS2:POW -3.7DBM")
    before = ok(server.get(path))
    reply = ok(server.post(path, json=before))
    assert reply.get("success", True) is True
    assert ok(server.get(path)) == before
    assert raw.ask("SYST:ERR?") == "0,No error"


@pytest.mark.parametrize(
    "path", [path for path in CONFIGURATIONS if path.startswith(("/detector/config", "/tls", "/rlaser"))]
)
@pytest.mark.parametrize("body", [{}, None, {"unknown": 1, "channel": 3}], ids=["empty", "none", "unknown"])
def test_a_body_that_names_nothing_changes_nothing(server, simulator, path, body):
    before = len(simulator.commands())
    assert ok(server.post(path, json=body))["success"] is True
    told = [command for command in simulator.commands()[before:] if "?" not in command]
    assert told == []


TRUE = ["true", "True", "TRUE", "1", "yes", "Yes", "on", "ON", True, 1]
FALSE = ["false", "False", "0", "no", "NO", "off", "Off", False, 0]
WORDS = [*[(word, "1") for word in TRUE], *[(word, "0") for word in FALSE]]


@pytest.mark.parametrize(("word", "state"), WORDS)
def test_true_and_false_are_taken_in_all_their_words_in_a_body(server, raw, word, state):
    raw.tell(f"CTP:RLAS1:POW:STAT {1 - int(state)}", f"INIT:STAB {1 - int(state)},2")
    ok(server.post("/rlaser/1/config", json={"power_state": word}))
    assert raw.ask("CTP:RLAS1:POW:STAT?") == state
    ok(server.post("/detector/stabilization", json={"output": word, "duration_seconds": 2}))
    assert raw.ask("INIT:STAB?") == f"{state},2"


@pytest.mark.parametrize(("word", "state"), WORDS)
def test_true_and_false_are_taken_in_all_their_words_in_a_query(server, raw, word, state):
    reply = ok(server.post("/measurement/sweep/start", params={"wait": word}))
    assert reply["is_complete"] is (state == "1")
    raw.wait_until_idle()


@pytest.mark.parametrize(("word", "state"), WORDS)
def test_a_needed_truth_is_taken_in_all_its_words_in_a_query(server, raw, word, state):
    ok(server.post("/measurement/stabilization", params={"output": word, "duration_seconds": 1}))
    assert raw.ask("INIT:STAB?") == f"{state},1"


@pytest.mark.parametrize("word", ["maybe", "2", "", 2, [], {}])
def test_what_is_neither_true_nor_false_is_refused(server, word):
    (problem,) = assert_problems(server.post("/rlaser/1/config", json={"power_state": word}))
    assert problem["loc"] == ["body", "power_state"] and problem["input"] == word


@pytest.mark.parametrize("number", ["20", 20.0, "20.0", 20, " 20 "])
def test_whole_numbers_are_taken_as_texts_and_with_a_point(server, raw, number):
    ok(server.post("/tls/1/config", json={"sweep_speed_nmps": number, "trigin": "3", "start_wavelength_nm": None}))
    assert (raw.ask("INIT:TLS1:SPE?"), raw.ask("INIT:TLS1:TRIG?")) == ("20", "3")


@pytest.mark.parametrize("number", ["20", "20.0", " 20 "])
def test_whole_numbers_are_taken_with_a_point_in_a_query(server, raw, number):
    ok(server.post("/tls/1/speed", params={"speed_nmps": number}))
    assert raw.ask("INIT:TLS1:SPE?") == "20"


def test_whole_numbers_with_a_point_name_a_detector_and_a_source(server):
    found = ok(server.get("/detector/wavelength", params={"module": "5.0", "channel": "2.0"}))
    assert (found["module"], found["channel"]) == (5, 2)
    assert ok(server.get("/tls/2.0/power"))["channel"] == 2


@pytest.mark.parametrize("number", ["1.5", 1.5, "1.5e0", " 1.5"])
def test_numbers_are_taken_as_texts(server, raw, number):
    ok(server.post("/rlaser/1/config", json={"power_dbm": number, "wavelength_nm": "1551.25"}))
    assert_instrument(raw, {"CTP:RLAS1:POW?": 1.5, "CTP:RLAS1:WAV?": 1551.25e-9})


# A value of each parameter, and how it is given: by a query, in the path, in the body.
def by_query(path, name, body=None, **others):
    return lambda value: {"url": path, "params": {**others, name: value}, "json": body}, ["query", name]


def by_body(path, name, **others):
    return lambda value: {"url": path, "json": {**others, name: value}}, ["body", name]


def by_path(path, body=None):
    return lambda value: {"url": path.format(value), "json": body}, ["path", "number"]


UNITS = {"power_unit": "DBM"}
RANGED = [
    ("GET", by_query("/detector/snapshot", "module"), 1, 20, 1),
    ("GET", by_query("/detector/wavelength", "module"), 1, 20, 1),
    ("GET", by_query("/detector/wavelength", "channel"), 1, 6, 1),
    ("POST", by_query("/detector/wavelength", "module", wavelength_nm=1550), 1, 20, 1),
    ("POST", by_query("/detector/wavelength", "channel", wavelength_nm=1550), 1, 6, 1),
    ("POST", by_query("/detector/wavelength", "wavelength_nm"), 1240, 1680, 0.001),
    ("GET", by_query("/detector/config", "module"), 1, 20, 1),
    ("GET", by_query("/detector/config", "channel"), 1, 6, 1),
    ("POST", by_query("/detector/config", "module", body=UNITS), 1, 20, 1),
    ("POST", by_query("/detector/config", "channel", body=UNITS), 1, 6, 1),
    ("POST", by_body("/detector/stabilization", "duration_seconds", output=True), 0, 60, 0.001),
    ("POST", by_query("/detector/reference", "module"), 1, 20, 1),
    ("POST", by_query("/detector/reference", "channel"), 1, 6, 1),
    ("GET", by_query("/detector/reference/result", "module"), 1, 20, 1),
    ("GET", by_query("/detector/reference/result", "channel"), 1, 6, 1),
    *[
        ("GET", by_query(f"/detector/trace/{form}", name), 1, most, 1)
        for form in ["metadata", "data", "binary"]
        for name, most in [("module", 20), ("channel", 6), ("trace_type", 23)]
    ],
    ("POST", by_body("/measurement/sweep/wavelengths", "start_wavelength_nm"), 1200, 1700, 0.001),
    ("POST", by_body("/measurement/sweep/wavelengths", "stop_wavelength_nm"), 1200, 1700, 0.001),
    ("POST", by_body("/measurement/config", "stabilization_duration"), 0, 60, 0.001),
    ("POST", by_body("/tls/1/config", "start_wavelength_nm"), 1260, 1640, 0.001),
    ("POST", by_body("/tls/1/config", "stop_wavelength_nm"), 1260, 1640, 0.001),
    ("POST", by_body("/tls/1/config", "sweep_speed_nmps"), 5, 200, 1),
    ("POST", by_body("/tls/1/config", "laser_power_dbm"), -10, 10, 0.001),
    ("POST", by_body("/tls/1/config", "trigin"), 0, 8, 1),
    ("POST", by_body("/tls/1/config", "identifier"), 0, 10, 1),
    ("POST", by_body("/connection/connect", "timeout_ms"), 1000, 300_000, 1),
    *[("GET", by_path("/tls/{}/" + what), 1, 4, 1) for what in ["config", "wavelength", "power", "speed", "trigger"]],
    ("POST", by_path("/tls/{}/config", {"trigin": 0}), 1, 4, 1),
    ("POST", by_path("/tls/{}/power?power_dbm=0"), 1, 4, 1),
    *[("GET", by_path("/rlaser/{}/" + what), 1, 10, 1) for what in ["config", "id", "power", "wavelength", "state"]],
    *[("POST", by_path("/rlaser/{}/" + what, {"power_dbm": 0}), 1, 10, 1) for what in ["config", "on", "off"]],
]


def ranged_id(row):
    method, (request, loc), low, high, _ = row
    return f"{method} {request(low)['url']} {loc[1]} {low} to {high}"


@pytest.fixture(scope="module")
def absent(started):
    """A server whose instrument was never there: what passes the checks is answered 503 at once."""
    return started.server("127.0.0.1:1", connected=False)


@pytest.mark.parametrize("row", RANGED, ids=ranged_id)
def test_a_range_holds_both_its_ends_and_nothing_beyond(server, absent, row):
    method, (request, loc), low, high, step = row
    for value in (low, high):
        response = absent.http.request(method, **request(value))
        assert response.status_code == 503, f"{value}: {response.text}"
    for value in (low - step, high + step, "x", "nan", "inf"):
        problems = assert_problems(server.http.request(method, **request(value)))
        assert [problem["loc"][0] for problem in problems] == [loc[0]]
        # A parameter of the path has no name in the contract.
        assert loc[0] == "path" or problems[0]["loc"] == loc
        assert str(problems[0]["input"]) == str(value)


@pytest.mark.parametrize("value", [4.5, "4.5", "four", "", "4,0"])
def test_a_whole_number_that_is_none_is_refused(server, value):
    (problem,) = assert_problems(server.get("/detector/wavelength", params={"module": value}))
    assert problem["loc"] == ["query", "module"]
    (problem,) = assert_problems(server.post("/tls/1/config", json={"trigin": value}))
    assert problem["loc"] == ["body", "trigin"]


@pytest.mark.parametrize("value", [[], {}, True, [4]])
def test_a_value_of_another_kind_is_refused(server, value):
    for name in ["trigin", "start_wavelength_nm"]:
        (problem,) = assert_problems(server.post("/tls/1/config", json={name: value}))
        assert problem["loc"] == ["body", name] and problem["input"] == value


def test_everything_that_is_wrong_is_told_at_once(server):
    body = {"start_wavelength_nm": 1, "sweep_speed_nmps": "fast", "trigin": 9, "identifier": 1}
    problems = assert_problems(server.post("/tls/1/config", json=body))
    assert {problem["loc"][1] for problem in problems} == {"start_wavelength_nm", "sweep_speed_nmps", "trigin"}


MISSING = [
    ("/detector/wavelength", {}, ["query", "wavelength_nm"]),
    ("/detector/stabilization", {"json": {"output": True}}, ["body", "duration_seconds"]),
    ("/detector/stabilization", {"json": {"duration_seconds": 1}}, ["body", "output"]),
    ("/detector/stabilization", {"json": {"output": None, "duration_seconds": 1}}, ["body", "output"]),
    ("/measurement/resolution", {}, ["query", "resolution_pm"]),
    ("/measurement/stabilization", {"params": {"output": True}}, ["query", "duration_seconds"]),
    ("/measurement/stabilization", {"params": {"duration_seconds": 1}}, ["query", "output"]),
    ("/tls/1/wavelength", {"params": {"start_nm": 1550}}, ["query", "stop_nm"]),
    ("/tls/1/wavelength", {"params": {"stop_nm": 1550}}, ["query", "start_nm"]),
    ("/tls/1/power", {}, ["query", "power_dbm"]),
    ("/tls/1/speed", {}, ["query", "speed_nmps"]),
    ("/tls/1/trigger", {}, ["query", "trigin"]),
    ("/rlaser/1/power", {}, ["query", "power_dbm"]),
    ("/rlaser/1/wavelength", {}, ["query", "wavelength_nm"]),
]


@pytest.mark.parametrize(("path", "given", "loc"), MISSING, ids=[f"{row[0]} {row[2][1]}" for row in MISSING])
def test_a_value_that_is_missing_is_named(server, path, given, loc):
    (problem,) = assert_problems(server.post(path, **given))
    assert problem["loc"] == loc and problem["type"] == "missing"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/measurement/stabilization?output=true&duration_seconds=60.1", "0-60 seconds"),
        ("/measurement/stabilization?output=true&duration_seconds=-0.1", "0-60 seconds"),
        ("/tls/1/trigger?trigin=9", "Trigger must be 0-8"),
        ("/tls/1/trigger?trigin=-1", "Trigger must be 0-8"),
    ],
)
def test_where_the_contract_says_so_a_value_out_of_range_is_a_bad_request(server, path, words):
    assert_refused(server.post(path), 400, words)


@pytest.mark.parametrize("body", [{}, {"start_wavelength_nm": None}, {"unknown": 1}, None])
def test_a_range_without_an_end_is_a_bad_request(server, body):
    assert_refused(server.post("/measurement/sweep/wavelengths", json=body), 400)


@pytest.mark.parametrize("content", [b"{", b'{"output": tru', b"\xff\xfe", b"[]", b"3", b'"text"'])
def test_a_body_that_is_no_object_is_refused(server, content):
    headers = {"Content-Type": "application/json"}
    (problem,) = assert_problems(server.post("/detector/config", content=content, headers=headers))
    assert problem["loc"][0] == "body"


def test_a_path_that_cannot_be_read_is_malformed(server):
    assert_problems(server.get("/tls/%FF/config"))
    assert_problems(server.get("/tls/one/config"))


REFUSED = [
    ("GET", "/detector/wavelength?module=7", None, "-241"),
    ("POST", "/detector/wavelength?module=7&wavelength_nm=1550", None, "-241"),
    ("POST", "/detector/config?module=7", {"power_unit": "MW"}, "-241"),
    ("POST", "/detector/config", {"resolution_pm": 0.3}, "-222"),
    ("POST", "/detector/reference?module=7", None, "-241"),
    ("GET", "/detector/reference/result?module=7", None, "-241"),
    ("GET", "/detector/trace/metadata?trace_type=14", None, "-230"),
    ("GET", "/detector/trace/data?trace_type=14", None, "-230"),
    ("GET", "/detector/trace/binary?trace_type=14", None, "-230"),
    ("POST", "/measurement/resolution?resolution_pm=251", None, "-222"),
    ("POST", "/measurement/config", {"resolution_pm": 0.3}, "-222"),
    ("POST", "/measurement/sweep/wavelengths", {"start_wavelength_nm": 1200}, "-222"),
    ("POST", "/tls/2/config", {"sweep_speed_nmps": 7}, "-222"),
    ("POST", "/tls/2/speed?speed_nmps=7", None, "-222"),
    ("POST", "/tls/1/config", {"identifier": 9}, "-241"),
    ("POST", "/tls/1/wavelength?start_nm=1300&stop_nm=1550", None, "-222"),
    ("GET", "/rlaser/3/id", None, "-241"),
    ("GET", "/rlaser/3/state", None, "-241"),
    ("POST", "/rlaser/3/on", None, "-241"),
    ("POST", "/rlaser/10/off", None, "-241"),
    ("POST", "/rlaser/1/power?power_dbm=30", None, "-222"),
    ("POST", "/rlaser/1/config", {"power_dbm": 30}, "-222"),
    ("POST", "/rlaser/1/wavelength?wavelength_nm=1700", None, "-222"),
]
ERRORS = {"-222": "Data out of range", "-241": "Hardware missing", "-230": "Data corrupt or stale"}


@pytest.mark.parametrize(("method", "path", "body", "code"), REFUSED, ids=[f"{row[0]} {row[1]}" for row in REFUSED])
def test_what_the_instrument_refuses_is_told_with_its_code_and_text(server, method, path, body, code):
    assert_refused(server.http.request(method, path, json=body), 502, code, ERRORS[code])
    # The error has been told: it is not left for the next one.
    assert ok(server.post("/connection/check_errors"))["message"] == "No errors found"


@pytest.mark.parametrize("path", ["/detector/reference?module=7", "/measurement/sweep/start"])
def test_a_scan_that_was_refused_is_not_taken_for_one_that_is_under_way(server, raw, path):
    raw.tell("INIT")
    raw.wait_until_idle()
    # Nothing covers the range: the instrument refuses the sweep.
    raw.tell("INIT:TLS1:ID 0", "INIT:TLS2:ID 0")
    assert_refused(server.post(path), 502, "-241" if "reference" in path else "-221")
    refused = time.time()
    assert ok(server.get("/detector/trace/metadata?trace_type=11"))["num_points"] == 6001
    # During a scan the snapshot would stay the one from before it.
    until("the snapshot is of now", lambda: ok(server.get("/detector/snapshot"))["timestamp"] > refused)


def test_a_speed_that_no_laser_has_is_never_answered_as_if_it_were_set(server, raw):
    (problem,) = assert_problems(server.post("/tls/1/config", json={"sweep_speed_nmps": 999}))
    assert problem["loc"] == ["body", "sweep_speed_nmps"]
    # Alone it has no range in the contract: whoever refuses it, it is refused.
    assert server.post("/tls/1/speed?speed_nmps=999").status_code in (422, 502)
    assert raw.ask("INIT:TLS1:SPE?") == "50"


def test_a_question_that_is_not_answered_in_time_is_told_as_such(start):
    simulator = start.simulator()
    between = start.between(simulator)
    server = start.server(between.address)
    between.swallowed = r"RLAS\w*1:POW\w*\?"
    assert_refused(server.get("/rlaser/1/power"), 504)
    between.swallowed = None
    assert ok(server.get("/rlaser/1/power")) == {"laser_number": 1, "power_dbm": 0}


def test_a_command_that_is_not_confirmed_is_never_answered_as_done(start):
    simulator = start.simulator("--fault", "drop@INIT:TLS1:SPE")
    server = start.server(simulator)
    response = server.post("/tls/1/config", json={"sweep_speed_nmps": 20})
    assert_refused(response, 503, "Not connected to CTP10.")


@pytest.mark.parametrize("path", READINGS.keys() - {"/"})
def test_a_slash_too_many_is_redirected(server, path):
    response = server.get(f"{path}/?module=5&x=a%20b")
    assert response.status_code == 307
    assert str(response.next_request.url) == f"{server.url}{path}?module=5&x=a%20b"


def test_a_redirected_post_keeps_its_body(server, raw):
    ok(server.post("/tls/1/config/", json={"trigin": 6}, follow_redirects=True))
    assert raw.ask("INIT:TLS1:TRIG?") == "6"


@pytest.mark.parametrize("path", ["/nothing", "/tls/1", "/tls/1/config/more", "/detector", "/rlaser/1/nothing"])
def test_what_is_not_there_says_so(server, path):
    assert_refused(server.get(path), 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/health"),
        ("DELETE", "/tls/1/config"),
        ("PUT", "/rlaser/1/config"),
        ("GET", "/rlaser/1/on"),
        ("GET", "/connection/connect"),
        ("GET", "/measurement/sweep/start"),
        ("POST", "/detector/snapshot"),
        ("PATCH", "/runs"),
    ],
)
def test_a_method_that_is_not_for_this_path_says_so(server, method, path):
    assert_refused(server.http.request(method, path), 405)


def test_connections_may_be_kept_alive(server):
    with server.client(limits=httpx.Limits(max_connections=1)) as client:
        for _ in range(5):
            response = client.get("/health")
            assert response.http_version == "HTTP/1.1" and response.headers.get("connection") != "close"
        (connection,) = client._transport._pool.connections
        assert "Request Count: 5" in repr(connection)


def test_a_connection_lives_on_after_a_refusal_that_came_before_the_body(server):
    """Clients send head and body one after the other. When the refusal does not say that the connection ends, the next
    request goes over the same one."""
    body = b'{"trigin": 3}'
    head = f"POST /tls/9/config HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((server.host, server.port), LIMIT_S) as plain:
        file = plain.makefile("rb")

        def reply():
            code = int(file.readline().split()[1])
            headers = dict(line.decode().lower().strip().split(": ", 1) for line in iter(file.readline, b"\r\n"))
            file.read(int(headers["content-length"]))
            return code, headers

        plain.sendall(head.encode())
        # One that waits for the body before it answers is right, too.
        if not select.select([plain], [], [], 1)[0]:
            plain.sendall(body)
            body = b""
        code, headers = reply()
        assert code == 422
        if headers.get("connection") != "close":
            plain.sendall(body)
            plain.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert reply()[0] == 200


def test_the_configured_defaults_are_meant_where_a_request_does_not_say(start, tmp_path):
    simulator = start.simulator("--time-scale", "0.02")
    (tmp_path / "ctp10.toml").write_text("module = 5\nchannel = 2\ntrace_type = 11\n")
    server = start.server(simulator, folder=tmp_path)
    assert ok(server.get("/detector/snapshot"))["module"] == 5
    found = ok(server.get("/detector/config"))
    assert (found["module"], found["channel"]) == (5, 2)
    ok(server.post("/measurement/sweep/start?wait=true"))
    found = ok(server.get("/detector/trace/metadata"))
    assert (found["module"], found["channel"], found["trace_type"]) == (5, 2, 11)


def test_with_many_clients_at_once_every_reply_belongs_to_its_question(server):
    paths = [
        "/tls/1/config",
        "/rlaser/1/id",
        "/rlaser/2/config",
        "/detector/wavelength?module=5",
        "/measurement/config",
    ]
    alone = {path: ok(server.get(path)) for path in paths}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        together = pool.map(lambda path: (path, ok(server.get(path))), paths * 10)
        assert all(reply == alone[path] for path, reply in together)
