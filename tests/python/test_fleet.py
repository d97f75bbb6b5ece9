"""The queue of many benches: benches are processes on simulators, and the broker is a NATS server."""

import json
import os
import re
import signal
import socket
import time

import pytest
from conftest import ctp10, until
from fleet import FAILING, RECIPE, SERVERS, Broker, Fleet, has_fleet

pytestmark = [
    pytest.mark.skipif(not SERVERS, reason="no nats-server is on PATH or in tests/.venv"),
    pytest.mark.skipif(not has_fleet(), reason="the program was built without the feature `fleet`"),
]


@pytest.fixture(params=SERVERS, ids=[f"server{number}" for number in range(len(SERVERS))])
def broker(request, tmp_path):
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = Broker(request.param, folder)
    yield broker
    if broker.process.poll() is None:
        broker.stop()


@pytest.fixture
def fleet(broker, start, tmp_path):
    return Fleet(broker, start, tmp_path)


def chips(count, **more):
    return [{"recipe": "sweep.yaml", "matrix": {"chip": list(range(1, count + 1))}, **more}]


def all_in(fleet, batch, *states):
    return lambda: all(state in states for state in fleet.states(batch))


def accepted_runs_are_whole(fleet, batch, count):
    """Each item has one accepted run, and its bench has that run, which names the item and the epoch of the claim."""
    items = fleet.items(batch)
    assert sorted(items) == list(range(1, count + 1))
    for number, item in items.items():
        accepted = item["accepted"]
        run = next(run for run in fleet.runs(accepted["bench"]) if run["run"] == accepted["run"])
        assert run["status"] == "done"
        assert (run["fleet"]["batch"], run["fleet"]["item"]) == (batch, number)
        assert run["fleet"]["epoch"] == accepted["epoch"]
        assert (run["metadata"]["fleet_batch"], run["metadata"]["fleet_item"]) == (batch, number)


def test_a_batch_is_submitted_once_and_another_content_is_refused(fleet):
    assert "3 items queued" in fleet.batch("night", chips(3))
    again = fleet.submit(fleet.folder / "night.yaml")
    assert "is in the queue already, with 3 items" in again
    (fleet.folder / "sweep.yaml").write_text(RECIPE + "  - log: done\n")
    refused = fleet.ctp10("submit", fleet.folder / "night.yaml")
    assert refused.returncode == 2
    assert "has a batch `night` with other content" in refused.stderr
    assert fleet.states("night") == ["queued"] * 3
    assert all(item["impossible"] for item in fleet.items("night").values())


def test_a_batch_with_an_error_reaches_no_broker(fleet):
    (fleet.folder / "sweep.yaml").write_text("name: sweep\nsteps:\n  - sweeep:\n")
    file = fleet.folder / "night.yaml"
    file.write_text("name: night\nitems:\n  - recipe: sweep.yaml\n    bench: A B\n")
    refused = fleet.ctp10("submit", file)
    assert refused.returncode == 2 and "bench `A B` is not allowed" in refused.stderr
    file.write_text("name: night\nitems:\n  - recipe: sweep.yaml\n")
    refused = fleet.ctp10("submit", file)
    assert refused.returncode == 2 and "sweeep" in refused.stderr
    empty = fleet.ctp10("status")
    assert empty.returncode == 1
    assert "has no queue yet" in empty.stderr and "ctp10 fleet submit" in empty.stderr


def test_three_benches_share_a_night_with_kills_and_a_broker_that_stops(fleet):
    """30 items. One bench is killed in mid-sweep and started again; the broker is stopped and started twice."""
    fleet.batch("night", chips(30, auto_resume=True))
    for name in "abc":
        fleet.bench(name)
    until("a bench measures", lambda: "claimed" in fleet.states("night"))
    fleet.broker.stop()
    # Without the broker, the present items are finished.
    until("the runs have ended", lambda: all(run["status"] == "done" for name in "abc" for run in fleet.runs(name)))
    fleet.broker.start()
    until("some items are measured", lambda: fleet.states("night").count("measured") >= 8)
    until("bench b measures", lambda: fleet.bench_status("b").get("run"))
    fleet.benches["b"].kill()
    until("others continue", lambda: fleet.states("night").count("measured") >= 14)
    assert fleet.states("night").count("claimed") >= 1
    fleet.bench("b")
    fleet.broker.stop()
    fleet.broker.start()
    until("all items are measured", all_in(fleet, "night", "measured"))
    accepted_runs_are_whole(fleet, "night", 30)
    used = {item["accepted"]["bench"] for item in fleet.items("night").values()}
    assert used == {"a", "b", "c"}
    told = fleet.ctp10("status")
    assert re.search(r"night +30 +0 +0 +30 +0 +0 +0", told.stdout), told.stdout


def test_items_go_to_the_benches_that_can_do_them(fleet):
    items = [
        {"recipe": "sweep.yaml", "bench": "a"},
        {"recipe": "sweep.yaml", "needs": ["o-band", "smu"]},
        {"recipe": "sweep.yaml", "needs": ["x-ray"]},
    ]
    fleet.batch("night", items)
    fleet.bench("a")
    fleet.bench("b", "--labels", "smu,o-band")
    until("two are measured", lambda: fleet.states("night").count("measured") == 2)
    found = fleet.items("night")
    assert [found[number]["accepted"]["bench"] for number in (1, 2)] == ["a", "b"]
    assert found[3]["impossible"] and found[3]["state"] == "queued"
    assert "no bench can do it: night/3" in fleet.ctp10("status").stdout
    assert "no item waits for this bench" in fleet.bench_status("a")["waits"]


def test_a_name_and_an_instrument_belong_to_one_process(fleet):
    fleet.batch("night", chips(1))
    bench = fleet.bench("a")
    until("the bench replies", lambda: fleet.bench_status("a"))
    second = ctp10("serve", "--instrument", "sim", "--listen", "127.0.0.1:0", "--fleet", fleet.broker.url,
                   "--bench", "a", cwd=fleet.folder)
    assert second.returncode == 2
    assert "another process uses the name of bench `a`" in second.stderr
    # The same name is free as soon as the process has ended.
    bench.kill()
    began = time.monotonic()
    fleet.bench("a")
    until("the bench replies", lambda: fleet.bench_status("a"))
    assert time.monotonic() - began < 30


def test_an_instrument_belongs_to_one_bench(fleet, tmp_path):
    fleet.batch("night", chips(2))
    first = fleet.bench("a")
    until("a has measured", all_in(fleet, "night", "measured"))
    # Another computer would not know that this instrument is in use.
    fleet.bench("b", simulator=first.simulator, HOME=str(tmp_path / "home-of-b"))
    waits = lambda: fleet.bench_status("b").get("waits") or ""
    until("b says whose instrument it has", lambda: re.search("the instrument with serial number .* belongs to bench a", waits()))
    fleet.batch("more", chips(2))
    until("all is measured", all_in(fleet, "more", "measured"))
    assert {item["accepted"]["bench"] for item in fleet.items("more").values()} == {"a"}
    # The goodbye of the first bench frees the instrument.
    first.stop()
    fleet.batch("late", chips(1))
    until("b has measured", all_in(fleet, "late", "measured"))
    assert fleet.items("late")[1]["accepted"]["bench"] == "b"


def test_an_item_that_fails_on_two_benches_is_held_and_released_by_a_person(fleet):
    (fleet.folder / "failing.yaml").write_text(FAILING)
    fleet.batch("night", [{"recipe": "failing.yaml"}])
    fleet.bench("a")
    until("it has failed on a", lambda: fleet.items("night")[1]["failed"])
    assert fleet.states("night") == ["queued"]
    fleet.bench("b")
    until("it is held", lambda: fleet.states("night") == ["held"])
    assert {failed["bench"] for failed in fleet.items("night")[1]["failed"]} == {"a", "b"}
    told = fleet.ctp10("status").stdout
    assert "held: night/1 (failing.yaml): failed on bench" in told, told
    released = fleet.ctp10("release", "night")
    assert "item 1 is queued again" in released.stdout
    until("it is held again", lambda: fleet.states("night") == ["held"])


def test_fleet_off_darkens_every_bench_and_stops_the_queue_until_a_person_clears_it(fleet):
    fleet.batch("night", [{"recipe": "sweep.yaml", "set": {"speed": 5}, "matrix": {"chip": [1, 2, 3, 4]}}])
    for name in "ab":
        fleet.bench(name, time_scale="1")
    until("both measure", lambda: all(fleet.bench_status(name).get("lasers_on") for name in "ab"))
    done = fleet.ctp10("off")
    assert done.returncode == 0, done.stderr
    for name in "ab":
        assert f"bench {name}: all lasers are off; run " in done.stdout
        raw = fleet.benches[name].simulator.talk()
        assert raw.lasers_on() == []
        raw.close()
    assert fleet.status()["stop"]["set"]
    until("the items are held", lambda: fleet.states("night").count("held") == 2)
    # A bench that is started now takes nothing either.
    fleet.bench("c")
    until("c sees the stop", lambda: "fleet clear" in (fleet.bench_status("c").get("waits") or ""))
    assert fleet.states("night").count("queued") == 2
    fleet.benches["c"].stop()
    # A bench that does not reply is named.
    os.kill(fleet.benches["b"].process.pid, signal.SIGKILL)
    assert fleet.ctp10("clear").returncode == 0
    until("a measures again", lambda: fleet.bench_status("a").get("run"))


def test_fleet_off_reaches_the_benches_before_it_writes_to_the_broker(fleet):
    """Writing may take long, for example if some servers of the broker have failed."""
    with socket.create_connection(("127.0.0.1", fleet.broker.port)) as listener, listener.makefile("rb") as lines:
        listener.sendall(b"CONNECT {}\r\nSUB ctp10.fleet.ask.off 1\r\nSUB $KV.> 2\r\nSUB $JS.API.> 3\r\nPING\r\n")
        assert any(line == b"PONG\r\n" for line in lines)
        assert fleet.ctp10("off").returncode == 0
        listener.sendall(b"PING\r\n")
        told = list(iter(lines.readline, b"PONG\r\n"))
    subjects = [line.split()[1].decode() for line in told if line.startswith(b"MSG ")]
    assert subjects[0] == "ctp10.fleet.ask.off" and len(subjects) > 1, subjects


def test_a_bench_that_does_not_reply_to_off_is_named(fleet):
    fleet.batch("night", chips(1))
    bench = fleet.bench("a")
    until("it is measured", all_in(fleet, "night", "measured"))
    bench.kill()
    done = fleet.ctp10("off")
    assert done.returncode == 3
    assert "bench a on " in done.stderr and "DID NOT REPLY: its lasers may be on" in done.stderr


def test_an_item_that_may_be_measured_elsewhere_leaves_a_suspended_bench(fleet):
    """The late bench changes nothing that counts. Its run stays on its disk, and says who has the item."""
    slow = [{"recipe": "sweep.yaml", "set": {"speed": 5}, "elsewhere": True}]
    fleet.batch("night", slow)
    settings = "guard_after_s = 0\n[fleet]\nlease_s = 4\n"
    folder = fleet.folder / "a"
    folder.mkdir()
    (folder / "ctp10.toml").write_text(settings)
    # The sweep would take minutes, so it is still in progress when the bench wakes.
    late = fleet.bench("a", time_scale="20", folder=folder)
    until("a measures", lambda: fleet.bench_status("a").get("run"))
    epoch = fleet.items("night")[1]["epoch"]
    os.kill(late.process.pid, signal.SIGSTOP)
    fleet.bench("b", time_scale="0.02")
    until("b has measured it", all_in(fleet, "night", "measured"))
    accepted = fleet.items("night")[1]["accepted"]
    assert accepted["bench"] == "b" and accepted["epoch"] > epoch
    os.kill(late.process.pid, signal.SIGCONT)
    until("the late run has ended", lambda: fleet.runs("a")[0]["status"] in ("aborted", "failed"))
    run = fleet.runs("a")[0]
    assert run["fleet"]["epoch"] == epoch
    assert fleet.items("night")[1]["accepted"] == accepted
    # A query that was waiting for its reply during the suspension has timed out, and the run may fail because of it.
    if run["status"] == "aborted":
        assert "superseded" in run["reason"]
    own = lambda: late.get("/batch").json()["items"][0]
    until("the item is over at the bench", lambda: own()["state"] in ("removed", "failed"))


def test_without_a_broker_a_lease_ends_in_good_order_and_the_item_returns(fleet):
    fleet.batch("night", [{"recipe": "sweep.yaml", "set": {"speed": 5}, "elsewhere": True}])
    folder = fleet.folder / "a"
    folder.mkdir()
    (folder / "ctp10.toml").write_text("guard_after_s = 0\n[fleet]\nlease_s = 4\n")
    bench = fleet.bench("a", time_scale="20", folder=folder)
    until("a measures", lambda: fleet.bench_status("a").get("run"))
    fleet.broker.stop()
    until("the run has ended", lambda: fleet.runs("a")[0]["status"] == "aborted")
    run = fleet.runs("a")[0]
    assert "two thirds of 4 s" in run["reason"], run["reason"]
    assert run["lasers_unknown"] == []
    raw = bench.simulator.talk()
    assert raw.lasers_on() == []
    raw.close()
    fleet.broker.start()
    until("the item is claimed again", lambda: (fleet.bench_status("a").get("item") or {}).get("epoch", 0) > run["fleet"]["epoch"])


def test_a_broker_that_lost_its_disk_is_filled_by_submitting_again(fleet):
    fleet.batch("night", chips(2))
    fleet.bench("a")
    until("all is measured", all_in(fleet, "night", "measured"))
    fleet.broker.lose_disk()
    assert "2 items queued" in fleet.submit(fleet.folder / "night.yaml")
    until("all is measured again", all_in(fleet, "night", "measured"))
    accepted_runs_are_whole(fleet, "night", 2)


def test_a_bench_waits_for_a_broker_and_for_its_queue(fleet):
    fleet.broker.stop()
    bench = fleet.bench("a")
    until("the bench says so", lambda: "cannot be reached" in bench.said())
    fleet.broker.start()
    until("the bench says so", lambda: "`ctp10 fleet submit` creates it" in bench.said())
    fleet.batch("night", chips(1))
    until("it is measured", all_in(fleet, "night", "measured"))


def test_wrong_credentials_end_the_start_and_are_never_shown(tmp_path):
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = Broker(SERVERS[0], folder, "--user", "lab", "--pass", "right")
    try:
        for command in (["fleet", "status"], ["serve", "--instrument", "sim", "--bench", "a", "--listen", "127.0.0.1:0"]):
            refused = ctp10(*command, "--fleet", broker.url, cwd=tmp_path)
            assert refused.returncode == 2
            assert "refused the credentials" in refused.stderr and "CTP10_FLEET_USER" in refused.stderr
        inside = ctp10("fleet", "status", "--fleet", f"nats://lab:right@127.0.0.1:{broker.port}", cwd=tmp_path)
        assert inside.returncode == 2
        assert "CTP10_FLEET_PASSWORD" in inside.stderr and "right" not in inside.stderr
    finally:
        broker.stop()


def test_a_bundle_is_unpacked_with_its_included_files(fleet):
    parts = fleet.folder / "parts"
    parts.mkdir()
    (parts / "end.yaml").write_text("name: end\nsteps:\n  - log: included\n")
    fleet.batch("night", [{"recipe": "sweep.yaml"}], recipe=RECIPE + "  - run_recipe: { path: parts/end.yaml }\n")
    fleet.bench("a")
    until("it is measured", all_in(fleet, "night", "measured"))
    run = fleet.runs("a")[0]
    assert sorted(run["recipe"]["files"]) == ["recipe/parts/end.yaml", "recipe/sweep.yaml"]
    assert json.loads(fleet.ctp10("status", "--json").stdout)["batches"][0]["counts"]["measured"] == 1
