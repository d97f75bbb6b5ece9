"""Accepted results in the store: benches upload their runs, and the store has a record of each accepted result."""

import hashlib
import json

import pytest
from conftest import ctp10, until
from fleet import RECIPE, SERVERS, Broker, Fleet, has_fleet
from objects import ADDRESS, SECRET, S3
from test_store import is_built

pytestmark = [
    pytest.mark.skipif(not SERVERS, reason="no nats-server is on PATH or in tests/.venv"),
    pytest.mark.skipif(not has_fleet(), reason="the program was built without the feature `fleet`"),
    pytest.mark.skipif(not is_built(), reason="the program was built without the feature `store`"),
]


@pytest.fixture
def s3():
    store = S3()
    yield store
    store.clear()
    store.close()


@pytest.fixture
def fleet(s3, start, tmp_path):
    """Benches and commands without a store, unless a test gives one."""
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = Broker(SERVERS[-1], folder)
    fleet = Fleet(broker, start, tmp_path)
    yield fleet
    # A bench says goodbye to its broker.
    for bench in fleet.benches.values():
        bench.stop()
    if broker.process.poll() is None:
        broker.stop()


def chips(count, **more):
    return [{"recipe": "sweep.yaml", "matrix": {"chip": list(range(1, count + 1))}, **more}]


def are(fleet, batch, state):
    return lambda: all(found == state for found in fleet.states(batch))


def records(s3, batch):
    return {name: json.loads(s3.read(name)) for name in s3.keys(f"fleet/{batch}/")}


def records_are_whole(fleet, s3, batch, count):
    """Each item has one record, which names the accepted run, and the run is in the store as the record says."""
    found, items = records(s3, batch), fleet.items(batch)
    assert sorted(found) == sorted(f"fleet/{batch}/{number}.json" for number in range(1, count + 1))
    for number, item in items.items():
        record, accepted = found[f"fleet/{batch}/{number}.json"], item["accepted"]
        assert (record["batch"], record["item"]) == (batch, number)
        for name in ("run", "bench", "epoch", "folder"):
            assert record[name] == accepted[name], name
        assert accepted["store"] == f"{ADDRESS}/{record['place']}"
        manifest = s3.read(f"{record['place']}/run.json")
        assert hashlib.sha256(manifest).hexdigest() == record["run_json_sha256"]
        run = json.loads(manifest)
        assert run["run"] == record["run"] and run["status"] == "done"
        assert (run["fleet"]["item"], run["fleet"]["epoch"]) == (number, record["epoch"])
        assert SECRET not in json.dumps(record)


def test_an_accepted_result_is_stored_and_recorded(fleet, s3):
    fleet.batch("night", chips(4))
    fleet.bench("a", **s3.variables())
    # The command line comes before the environment.
    fleet.bench("b", "--store", ADDRESS, **{**s3.variables(), "CTP10_STORE": "s3://no-such-bucket"})
    until("all is stored", are(fleet, "night", "stored"))
    records_are_whole(fleet, s3, "night", 4)
    assert fleet.ctp10("status").stdout.count("to upload to") == 0


def test_a_store_that_is_away_delays_only_the_record(fleet, s3):
    """The store refuses everything. The night is measured, the overview says why nothing is stored, and nothing is lost."""
    s3.before = lambda method, path: 503
    fleet.batch("night", chips(3))
    bench = fleet.bench("a", **s3.variables())
    until("it says so at its start", lambda: f"the store {ADDRESS} cannot be used now" in bench.said())
    until("all is measured", are(fleet, "night", "measured"))
    until("the overview says so", lambda: "3 runs to upload to " in fleet.ctp10("status").stdout)
    waits = fleet.bench_status("a")["store"]
    assert waits["store"] == ADDRESS and waits["waiting"] == 3 and "SlowDown" in waits["trouble"], waits
    s3.before = lambda method, path: None
    # A bench that was killed meanwhile goes on where it was.
    bench.kill()
    fleet.bench("a")
    until("all is stored", are(fleet, "night", "stored"))
    records_are_whole(fleet, s3, "night", 3)


def test_a_record_that_is_refused_is_written_later(fleet, s3):
    """The runs go up, and only the records are refused for a while."""
    s3.before = lambda method, path: 503 if method == "PUT" and "/fleet/" in path else None
    fleet.batch("night", chips(2))
    fleet.bench("a", **s3.variables())
    told = lambda: (fleet.bench_status("a").get("store") or {}).get("trouble") or ""
    until("the overview says so", lambda: "results are not recorded" in told())
    until("all is measured", are(fleet, "night", "measured"))
    assert records(s3, "night") == {}
    s3.before = lambda method, path: None
    until("all is stored", are(fleet, "night", "stored"))
    records_are_whole(fleet, s3, "night", 2)
    until("the trouble is over", lambda: told() == "")


def submit(fleet, s3, name="night"):
    file = fleet.folder / f"{name}.yaml"
    variables = s3.variables()
    store = ["--store", variables.pop("CTP10_STORE")]
    return ctp10("fleet", "submit", file, "--fleet", fleet.broker.url, *store, cwd=fleet.folder, **variables)


def test_a_broker_that_lost_its_disk_is_refilled_from_the_store(fleet, s3):
    fleet.batch("night", chips(3))
    bench = fleet.bench("a", **s3.variables())
    until("all is stored", are(fleet, "night", "stored"))
    before = records(s3, "night")
    # One result was never recorded.
    s3.client.delete_object(Bucket="lab-traces", Key="ring-project/fleet/night/2.json")
    bench.stop()
    fleet.broker.lose_disk()
    s3.before = lambda method, path: 403
    refused = submit(fleet, s3)
    assert refused.returncode == 1
    assert "refuses access" in refused.stderr and "would be measured again" in refused.stderr
    s3.before = lambda method, path: None
    done = submit(fleet, s3)
    assert "batch night: 1 item queued, 2 done, because the store has their results" in done.stdout, done
    assert fleet.states("night") == ["stored", "queued", "stored"]
    assert fleet.items("night")[1]["accepted"]["run"] == before["fleet/night/1.json"]["run"]
    fleet.bench("a")
    until("all is stored", are(fleet, "night", "stored"))
    records_are_whole(fleet, s3, "night", 3)
    assert len(fleet.runs("a")) == 4
    assert "is in the queue already, with 3 items" in submit(fleet, s3).stdout


def test_items_that_were_queued_without_the_store_are_done_as_soon_as_it_is_given(fleet, s3):
    fleet.batch("night", chips(2))
    bench = fleet.bench("a", **s3.variables())
    until("all is stored", are(fleet, "night", "stored"))
    bench.stop()
    fleet.broker.lose_disk()
    assert "2 items queued" in fleet.submit(fleet.folder / "night.yaml")
    assert "0 items queued, 2 done" in submit(fleet, s3).stdout
    assert fleet.states("night") == ["stored", "stored"]


def test_the_first_record_decides_between_two_runs_of_an_item(fleet, s3):
    """The broker lost its disk, and the item was measured again: the run that the store has as the result counts."""
    fleet.batch("night", chips(1))
    first = fleet.bench("a", **s3.variables())
    until("it is stored", are(fleet, "night", "stored"))
    accepted = fleet.items("night")[1]["accepted"]
    first.stop()
    fleet.broker.lose_disk()
    fleet.submit(fleet.folder / "night.yaml")
    second = fleet.bench("b", **s3.variables())
    until("it is stored", are(fleet, "night", "stored"))
    now = fleet.items("night")[1]["accepted"]
    assert (now["run"], now["bench"]) == (accepted["run"], "a")
    run = fleet.runs("b")[0]
    assert run["status"] == "done" and run["run"] != accepted["run"]
    own = lambda: second.get("/batch").json()["items"][0]
    until("its item is over", lambda: own()["state"] == "removed")
    assert "superseded: the store has run" in own()["reason"]


def test_another_batch_of_the_same_name_is_refused_by_its_results(fleet, s3):
    fleet.batch("night", chips(1))
    bench = fleet.bench("a", **s3.variables())
    until("it is stored", are(fleet, "night", "stored"))
    fleet.broker.lose_disk()
    (fleet.folder / "sweep.yaml").write_text(RECIPE + "  - log: done\n")
    refused = submit(fleet, s3)
    assert refused.returncode == 2
    assert "has a result of a batch `night` with other content" in refused.stderr
    # A bench that measures such a batch, submitted without the store, never replaces the earlier result.
    fleet.submit(fleet.folder / "night.yaml")
    until("the bench says so", lambda: "the result of item 1 of batch night is not recorded" in bench.said())
    assert fleet.states("night") == ["measured"]


def test_a_run_whose_local_copy_is_deleted_at_once_is_recorded(fleet, s3):
    folder = fleet.folder / "a"
    folder.mkdir()
    (folder / "ctp10.toml").write_text("keep_local = 0\n")
    s3.before = lambda method, path: 503 if "/fleet/" in path else None
    fleet.batch("night", chips(2))
    fleet.bench("a", folder=folder, **s3.variables())
    until("all is measured", are(fleet, "night", "measured"))
    until("the local copies are gone", lambda: not list((folder / "runs").glob("*/run.json")))
    s3.before = lambda method, path: None
    until("all is stored", are(fleet, "night", "stored"))
    records_are_whole(fleet, s3, "night", 2)


def test_a_run_that_is_not_accepted_is_in_the_store_without_a_record(fleet, s3):
    fleet.batch("night", [{"recipe": "sweep.yaml", "set": {"speed": 5}}])
    fleet.bench("a", time_scale="20", **s3.variables())
    until("it is measured", lambda: fleet.bench_status("a").get("run"))
    assert fleet.ctp10("off").returncode == 0
    until("it is held", are(fleet, "night", "held"))
    until("its run is in the store", lambda: s3.keys("index/"))
    assert records(s3, "night") == {}
