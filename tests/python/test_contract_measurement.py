"""References, sweeps and traces over HTTP, against what the instrument itself sends."""

import concurrent.futures
import io
import math
import re
import socket
import time

import httpx
import numpy
import pytest

from conftest import LIMIT_S, assert_refused, assert_shape, ok, until

METADATA = {
    "module": int,
    "channel": int,
    "trace_type": int,
    "num_points": int,
    "sampling_pm": float,
    "start_wavelength_nm": float,
    "unit": {"dBm", "mW"},
}
NPY = numpy.dtype([("wavelengths", "<f8"), ("values", "<f8")])


@pytest.fixture(scope="module")
def measured(started):
    """A server at an instrument that has a reference of 4/1 and a sweep in memory."""
    simulator = started.simulator("--time-scale", "0.02", "--seed", "5")
    server = started.server(simulator)
    ok(
        server.post(
            "/measurement/sweep/wavelengths", json={"start_wavelength_nm": 1540.5, "stop_wavelength_nm": 1560.5}
        )
    )
    ok(server.post("/detector/config", json={"resolution_pm": 2}))
    ok(server.post("/detector/reference?wait=true"))
    ok(server.post("/measurement/sweep/start?wait=true"))
    server.raw = simulator.talk()
    yield server
    server.raw.close()


@pytest.fixture
def slow(start):
    """A server at an instrument whose scans last long enough to be met under way."""
    simulator = start.simulator("--time-scale", "3")
    server = start.server(simulator)
    server.raw = simulator.talk()
    yield server
    server.raw.close()


def npy(response):
    assert response.status_code == 200, response.text[:500]
    assert len(response.content) == int(response.headers["content-length"])
    return numpy.load(io.BytesIO(response.content), allow_pickle=False)


# References


def test_a_reference_that_is_waited_for_is_told_with_its_result(start):
    simulator = start.simulator("--time-scale", "0.02")
    server = start.server(simulator)
    raw = simulator.talk()
    reply = ok(server.post("/detector/reference?module=4&channel=2&wait=True"))
    valid, kind, date, at = raw.ask("REF:SENS4:CHAN2:RES?").split(",")
    assert (valid, kind) == ("1", "0")
    result = {"state": 1, "type": 0, "type_description": "TF (1 sweep)", "date": date, "time": at}
    assert_shape({**reply, "result": None}, {"success": {True}, "message": str, "is_complete": {True}, "result": None})
    assert "Reference created successfully" in reply["message"]
    assert reply["result"] == result
    assert ok(server.get("/detector/reference/result?module=4&channel=2")) == {
        "module": 4,
        "channel": 2,
        "state": 1,
        "type": 0,
        "date": date,
        "time": at,
    }
    assert ok(server.get("/detector/reference/result"))["state"] == 0


def test_a_reference_that_is_not_waited_for_is_told_as_begun_and_followed_by_its_status(slow):
    reply = ok(slow.post("/detector/reference"))
    assert reply.pop("result", None) is None
    assert_shape(reply, {"success": {True}, "message": str, "is_complete": {False}})
    for words in ["Reference creation initiated", "Reference created", "4/1", "/measurement/status/referencing"]:
        assert words in reply["message"], words
    status = ok(slow.get("/measurement/status/referencing"))
    assert status["is_referencing"] is True and status["condition_register"] & 64
    condition = ok(slow.get("/connection/condition"))
    assert condition["bits"]["referencing"] is True and condition["is_idle"] is False
    assert condition["register_value"] & 64
    until("the reference is over", lambda: not ok(slow.get("/measurement/status/referencing"))["is_referencing"])
    assert ok(slow.get("/detector/reference/result"))["state"] == 1


def test_a_reference_that_is_cut_short_is_no_success(slow):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(slow.post, "/detector/reference?wait=true")
        until("it is under way", lambda: ok(slow.get("/measurement/status/referencing"))["is_referencing"])
        assert ok(slow.post("/measurement/sweep/abort")) == {"success": True, "message": "Sweep aborted"}
        assert_refused(waiting.result(), 409, "aborted")
    assert ok(slow.get("/detector/reference/result"))["state"] == 0


# Sweeps


def test_a_sweep_that_is_waited_for_is_complete(slow):
    assert ok(slow.post("/measurement/sweep/start?wait=true")) == {
        "success": True,
        "message": "Sweep completed",
        "is_complete": True,
    }
    assert slow.raw.ask("STAT:OPER:COND?") == "0"
    assert ok(slow.get("/detector/trace/metadata?trace_type=11"))["num_points"] == 6001


def test_a_sweep_that_is_not_waited_for_is_followed_by_its_status(slow):
    assert ok(slow.post("/measurement/sweep/start")) == {
        "success": True,
        "message": "Sweep initiated",
        "is_complete": False,
    }
    status = ok(slow.get("/measurement/sweep/status"))
    assert_shape(status, {"is_sweeping": {True}, "is_complete": {False}, "condition_register": {4}})
    condition = ok(slow.get("/connection/condition"))
    assert (condition["register_value"], condition["is_idle"], condition["bits"]["scanning"]) == (4, False, True)
    seen = set()

    def is_complete():
        status = ok(slow.get("/measurement/sweep/status"))
        register = status["condition_register"]
        seen.add(register)
        # Analyzing follows scanning: the sweep is complete when the whole register is 0, and under way until then.
        assert status["is_sweeping"] == (register != 0) and status["is_complete"] == (register == 0)
        return status["is_complete"]

    until("it is complete", is_complete)
    assert {4, 8, 0} <= seen
    assert slow.raw.ask("STAT:OPER:COND?") == "0"


def test_no_answer_after_a_start_comes_from_before_it(start):
    # The sweeps are aborted. They are so long that none ends by itself on a busy machine.
    slow = start.server(start.simulator("--time-scale", "10"))
    for _ in range(20):
        # The register was read a moment ago, and found idle.
        assert ok(slow.get("/measurement/sweep/status"))["is_complete"] is True
        ok(slow.post("/measurement/sweep/start"))
        assert ok(slow.get("/measurement/sweep/status"))["is_sweeping"] is True
        assert ok(slow.get("/connection/condition"))["is_idle"] is False
        ok(slow.post("/measurement/sweep/abort"))
        assert ok(slow.get("/measurement/sweep/status"))["is_complete"] is True


def test_one_sweep_follows_another(slow):
    for _ in range(3):
        ok(slow.post("/measurement/sweep/start"))
        # A client that watches the one bit of the register begins the next while the last is still analyzed.
        until("it scans no more", lambda: not ok(slow.get("/connection/condition"))["bits"]["scanning"])
        assert ok(slow.post("/measurement/sweep/start?wait=true"))["is_complete"] is True


def test_a_sweep_is_aborted_at_once_whoever_waits_for_it(slow):
    ok(slow.post("/measurement/sweep/wavelengths", json={"start_wavelength_nm": 1501, "stop_wavelength_nm": 1629}))
    ok(slow.post("/tls/1/config", json={"sweep_speed_nmps": 5}))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        # This would take 77 s.
        waiting = pool.submit(slow.post, "/measurement/sweep/start?wait=true")
        until("it is under way", lambda: ok(slow.get("/measurement/sweep/status"))["is_sweeping"])
        assert slow.raw.lasers_on() == [1]
        began = time.monotonic()
        assert ok(slow.post("/measurement/sweep/abort")) == {"success": True, "message": "Sweep aborted"}
        ended = waiting.result()
        assert time.monotonic() - began < 30
    # It did not complete, and is not said to have.
    assert_refused(ended, 409, "aborted")
    assert ok(slow.get("/measurement/sweep/status"))["condition_register"] == 0
    assert slow.raw.lasers_on() == []
    # Nothing to stop is no error.
    assert ok(slow.post("/measurement/sweep/abort")) == {"success": True, "message": "Sweep aborted"}


def test_a_client_that_no_longer_waits_does_not_stop_its_sweep(slow):
    ended = socket.create_connection((slow.host, slow.port))
    ended.sendall(b"POST /measurement/sweep/start?wait=true HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
    until("it is under way", lambda: ok(slow.get("/measurement/sweep/status"))["is_sweeping"])
    ended.close()
    until("it is complete", lambda: ok(slow.get("/measurement/sweep/status"))["is_complete"])
    assert ok(slow.get("/detector/trace/metadata?trace_type=11"))["num_points"] == 6001


def test_while_a_sweep_of_its_own_is_under_way_it_is_the_instrument_that_refuses(slow):
    """A sweep that was started through this API is not a run: nothing of it is answered 409."""
    ok(slow.post("/measurement/sweep/start"))
    assert_refused(slow.post("/tls/1/config", json={"trigin": 3}), 502, "-221", "Settings conflict")
    assert_refused(slow.post("/measurement/sweep/start"), 502, "-213")
    # Settings can be read all the time.
    assert ok(slow.get("/tls/1/config"))["trigin"] == 0
    assert ok(slow.get("/detector/config"))["power_unit"] == "dBm"
    # What the state of the instrument forbids is not sent to it.
    assert_refused(slow.get("/detector/trace/metadata?trace_type=11"), 409, "not allowed during a scan")
    assert ok(slow.get("/measurement/sweep/status"))["is_sweeping"] is True


def test_during_a_scan_a_snapshot_is_refused_instead_of_a_reading_from_before(slow):
    before = ok(slow.get("/detector/snapshot"))
    ok(slow.post("/measurement/sweep/start"))
    # Also of a module that nobody has asked for before.
    for module in (4, 5):
        assert_refused(slow.get(f"/detector/snapshot?module={module}"), 409, "while a sweep is in progress")
    assert ok(slow.get("/measurement/sweep/status"))["is_sweeping"] is True
    ok(slow.post("/measurement/sweep/abort"))
    assert ok(slow.get("/detector/snapshot"))["timestamp"] > before["timestamp"]


# Traces


def test_what_a_trace_is_comes_from_the_instrument(measured):
    assert_shape(ok(measured.get("/detector/trace/metadata")), METADATA)
    for kind in (1, 11, 12):
        name = f"TRAC:SENS4:CHAN1:TYPE{kind}:DATA"
        assert ok(measured.get(f"/detector/trace/metadata?module=4&channel=1&trace_type={kind}")) == {
            "module": 4,
            "channel": 1,
            "trace_type": kind,
            "num_points": int(measured.raw.ask(f"{name}:LENG?")),
            "sampling_pm": pytest.approx(float(measured.raw.ask(f"{name}:SAMP?")) * 1e12, rel=1e-12),
            "start_wavelength_nm": pytest.approx(float(measured.raw.ask(f"{name}:STAR?")) * 1e9, rel=1e-12),
            "unit": "dBm",
        }
    found = ok(measured.get("/detector/trace/metadata"))
    assert (found["num_points"], found["sampling_pm"], found["start_wavelength_nm"]) == (10_001, 2, 1540.5)


def test_the_unit_of_a_trace_is_the_detectors_and_its_values_stay_decibels(measured):
    before = ok(measured.get("/detector/trace/data?channel=2&trace_type=11"))
    ok(measured.post("/detector/config?channel=2", json={"power_unit": "MW"}))
    after = ok(measured.get("/detector/trace/data?channel=2&trace_type=11"))
    ok(measured.post("/detector/config?channel=2", json={"power_unit": "DBM"}))
    assert (before["metadata"]["unit"], after["metadata"]["unit"]) == ("dBm", "mW")
    assert before["values"] == after["values"]


@pytest.mark.parametrize(("detector", "kind"), [("4/1", 1), ("4/1", 11), ("4/1", 12), ("4/2", 11), ("5/3", 11)])
def test_data_and_binary_are_what_the_instrument_sends(measured, detector, kind):
    module, channel = map(int, detector.split("/"))
    wanted = {"module": module, "channel": channel, "trace_type": kind}
    x, y = measured.raw.trace(detector, kind)
    data = ok(measured.get("/detector/trace/data", params=wanted))
    assert_shape({**data, "wavelengths": [], "values": []}, {"metadata": METADATA, "wavelengths": [], "values": []})
    assert data["metadata"] == ok(measured.get("/detector/trace/metadata", params=wanted))
    assert len(data["wavelengths"]) == len(data["values"]) == len(x) == data["metadata"]["num_points"]
    assert all(type(value) is float for value in data["values"][:100])
    # Not a digit is lost: each value is the float32 that was sent.
    assert numpy.array_equal(numpy.array(data["values"], "f4"), y.astype("f4"))
    assert numpy.allclose(data["wavelengths"], x, rtol=0, atol=1e-7)
    # A wavelength is the double next to its decimal number.
    assert data["wavelengths"][123] == 1540.746

    response = measured.get("/detector/trace/binary", params=wanted)
    array = npy(response)
    assert array.dtype == NPY and array.shape == x.shape
    assert numpy.array_equal(array["values"], y.astype("f8"))
    assert numpy.array_equal(array["wavelengths"], numpy.array(data["wavelengths"]))
    assert response.headers["content-type"] == "application/octet-stream"
    name = f"trace_m{module}_c{channel}_t{kind}.npy"
    assert re.fullmatch(f'attachment; filename="?{re.escape(name)}"?', response.headers["content-disposition"])


def test_two_downloads_at_once_are_both_right_and_equal(start):
    simulator = start.simulator("--time-scale", "0.02", "--points", "200000")
    server = start.server(simulator)
    ok(server.post("/measurement/sweep/start?wait=true"))
    raw = simulator.talk()
    expected = {channel: raw.trace(f"4/{channel}", 11)[1] for channel in (1, 2)}
    wanted = [1, 2, 1, 2]
    with concurrent.futures.ThreadPoolExecutor(len(wanted)) as pool:
        fetch = "/detector/trace/binary?trace_type=11&channel={}".format
        found = list(pool.map(lambda channel: npy(server.get(fetch(channel))), wanted))
    for channel, array in zip(wanted, found, strict=True):
        assert numpy.array_equal(array["values"], expected[channel].astype("f8"))
        assert numpy.array_equal(array, found[channel - 1])


def test_what_is_no_number_is_null_and_nan(start):
    simulator = start.simulator("--time-scale", "0.02")
    server = start.server(simulator)
    raw = simulator.talk()
    # A step of the reference that the sweep's does not meet leaves points without a ratio, or none does.
    raw.tell("INIT:WAV:SAMP 10PM", "REF:SENS4:CHAN1:INIT")
    raw.wait_until_idle()
    raw.tell("INIT:WAV:SAMP 3PM", "INIT")
    raw.wait_until_idle()
    data = ok(server.get("/detector/trace/data"))
    _, y = raw.trace()
    array = npy(server.get("/detector/trace/binary"))
    for value, read, sent in zip(data["values"], array["values"], y, strict=True):
        assert (value is None and math.isnan(read)) if math.isnan(sent) else numpy.float32(value) == read == sent


def test_a_transfer_that_fails_never_ends_short(start):
    for fault in ["drop@trace:every", "truncate@trace:every", "garble@trace:every=-400", "garble@trace:every=400"]:
        simulator = start.simulator("--time-scale", "0.02", "--points", "50000", "--fault", fault)
        server = start.server(simulator)
        ok(server.post("/measurement/sweep/start?wait=true"))
        for form in ["binary", "data"]:
            try:
                response = server.get(f"/detector/trace/{form}?trace_type=11")
            except httpx.TransportError:
                continue
            assert_refused(response, response.status_code)
            assert response.status_code in (502, 503, 504), fault


def test_a_transfer_that_is_cut_once_is_whole_or_refused(start):
    simulator = start.simulator("--time-scale", "0.02", "--points", "50000", "--fault", "drop@trace")
    server = start.server(simulator)
    ok(server.post("/measurement/sweep/start?wait=true"))
    response = server.get("/detector/trace/binary?trace_type=11")
    if response.status_code == 200:
        assert len(npy(response)) == 50_000
    else:
        assert_refused(response, response.status_code)
    server.wait_until_connected()
    _, y = simulator.talk().trace("4/1", 11)
    assert numpy.array_equal(npy(server.get("/detector/trace/binary?trace_type=11"))["values"], y.astype("f8"))


def test_a_transfer_that_nobody_wants_any_more_frees_the_link_at_once(start):
    # This one would take 40 s.
    simulator = start.simulator(
        "--time-scale", "0.02", "--points", "100000", "--bandwidth", "10000", "--max-connections", "1"
    )
    server = start.server(simulator)
    ok(server.post("/measurement/sweep/start?wait=true"))
    for _ in range(2):
        client = socket.create_connection((server.host, server.port))
        client.sendall(b"GET /detector/trace/binary?trace_type=11 HTTP/1.1\r\nHost: localhost\r\n\r\n")

        def is_under_way():
            activity = ok(server.get("/instrument"))["activity"]
            return activity and activity["operation"] == "transfer" and (activity["progress"] or 0) > 0

        until("the transfer is under way", is_under_way)
        client.close()
        began = time.monotonic()
        # No query ever reads another's reply.
        assert ok(server.get("/tls/2/config"))["identifier"] == 2
        assert ok(server.get("/rlaser/1/wavelength")) == {"laser_number": 1, "wavelength_nm": 1550}
        assert time.monotonic() - began < 20


@pytest.fixture
def transferring(start):
    """A server whose instrument is sending a trace for a while."""
    simulator = start.simulator("--time-scale", "0.02", "--points", "100000", "--bandwidth", "60000")
    server = start.server(simulator)
    ok(server.post("/measurement/sweep/start?wait=true"))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        server.download = pool.submit(server.get, "/detector/trace/binary?trace_type=11")
        until("it is under way", lambda: (ok(server.get("/instrument"))["activity"] or {}).get("progress"))
        yield server


def test_during_a_transfer_settings_can_be_read_and_made(transferring):
    for path in ["/tls/1/config", "/detector/wavelength", "/connection/condition"]:
        ok(transferring.get(path))
    ok(transferring.post("/tls/1/config", json={"trigin": 3}))
    assert ok(transferring.get("/tls/1/config"))["trigin"] == 3
    assert not transferring.download.done()
    assert len(npy(transferring.download.result(LIMIT_S))) == 100_000


def test_during_a_transfer_power_is_read_over_the_second_connection(transferring):
    asked = time.time()
    assert ok(transferring.get("/detector/snapshot"))["timestamp"] > asked - 0.5
    assert not transferring.download.done()


# At the end, because it takes its time: begun when the module begins, it is over by now.


@pytest.fixture(scope="module", autouse=True)
def endless_reference(started):
    """A reference that never ends, begun beside the other tests."""
    simulator = started.simulator("--time-scale", "0.02", "--fault", "hang@reference")
    server = started.server(simulator)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        began = time.monotonic()
        waiting = pool.submit(lambda: (server.post("/detector/reference?wait=true"), time.monotonic() - began))
        yield waiting
        server.kill()


def test_a_reference_that_is_not_over_after_a_minute_is_given_up(endless_reference):
    response, seconds = endless_reference.result()
    assert_refused(response, 504)
    assert seconds >= 60


# What clients of the Python service look for


def test_a_wrong_value_is_named_as_the_service_names_it(slow):
    for path, name in [("/tls/9/config", "channel"), ("/rlaser/11/config", "laser_number")]:
        (problem,) = slow.get(path).json()["detail"]
        assert problem["loc"] == ["path", name] and problem["type"] == "less_than_equal"
    # Limits are written as the values are: whole, or with a point.
    (whole,) = slow.get("/detector/snapshot?module=21").json()["detail"]
    assert whole["ctx"] == {"le": 20} and isinstance(whole["ctx"]["le"], int)
    (broken,) = slow.post("/tls/1/config", json={"laser_power_dbm": 11}).json()["detail"]
    assert broken["ctx"] == {"le": 10.0} and isinstance(broken["ctx"]["le"], float)


def test_settings_of_the_measurement_are_confirmed_in_words(slow):
    answer = ok(slow.post("/measurement/config", json={}))
    assert answer["success"] is True and isinstance(answer["message"], str)
    assert "message" not in ok(slow.get("/measurement/config"))
