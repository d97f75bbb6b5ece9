"""A whole lab on one computer: many benches, many items, and everything that goes wrong in a bad night. Prints the figures of
docs/fleet.md: `CTP10_TEST_THOROUGH=1 pytest -s tests/python/test_fleet_thorough.py`. `CTP10_FLEET_BENCHES` and
`CTP10_FLEET_ITEMS` set another size."""

import json
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import time
from datetime import datetime

import httpx
import pytest
from conftest import BINARY, environment
from fleet import SERVERS, Broker, Fleet, has_fleet
from objects import S3
from test_store import is_built

BENCHES = int(os.environ.get("CTP10_FLEET_BENCHES", "100"))
ITEMS = int(os.environ.get("CTP10_FLEET_ITEMS", "1000"))
LIMIT_S = 3600

pytestmark = [
    pytest.mark.skipif(os.environ.get("CTP10_TEST_THOROUGH") != "1", reason="only with CTP10_TEST_THOROUGH=1"),
    pytest.mark.skipif(not SERVERS, reason="no nats-server is on PATH or in tests/.venv"),
    pytest.mark.skipif(not has_fleet(), reason="the program was built without the feature `fleet`"),
    pytest.mark.skipif(not is_built(), reason="the program was built without the feature `store`"),
]


class Bench:
    """A bench with an embedded simulator, as one process."""

    def __init__(self, name, url, folder, variables, settings=""):
        self.name, self.url, self.folder, self.variables = name, url, folder, variables
        folder.mkdir()
        (folder / "ctp10.toml").write_text(settings)
        self.start()

    def start(self):
        command = [BINARY, "serve", "--instrument", "sim", "--listen", "127.0.0.1:0", "--fleet", self.url, "--bench", self.name]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, env=environment(**self.variables))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def memory_mb(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024

    def runs(self):
        found = {}
        for path in (self.folder / "runs").glob("*/run.json"):
            run = json.loads(path.read_text())
            found[run["run"]] = run
        return found

    def seconds_to_store(self):
        """From the end of each run to its verified upload."""
        for path in (self.folder / "runs").glob("*/stored.json"):
            run = json.loads((path.parent / "run.json").read_text())
            yield (moment(json.loads(path.read_text())["stored"]) - moment(run["finished"])).total_seconds()


def until(what, probe, every=1.0):
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        if found := probe():
            return found
        time.sleep(every)
    raise AssertionError(f"waited in vain until {what}")


def moment(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_a_whole_lab_has_one_accepted_result_for_each_item(tmp_path):
    folder = tmp_path / "broker"
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        monitor = free.getsockname()[1]
    broker = Broker(SERVERS[-1], folder, "-m", str(monitor))
    load = lambda: httpx.get(f"http://127.0.0.1:{monitor}/varz", trust_env=False).json()
    fleet = Fleet(broker, None, tmp_path)
    s3 = S3()
    short_lease = "guard_after_s = 0\n[fleet]\nlease_s = 20\n"
    fleet.batch("warm-up", [{"recipe": "sweep.yaml", "bench": "nobody"}])
    benches = [
        Bench(f"bench-{number}", broker.url, tmp_path / f"bench-{number}", s3.variables(), short_lease if number == 0 else "")
        for number in range(BENCHES)
    ]
    try:
        measure(fleet, broker, s3, benches, load)
    finally:
        for bench in benches:
            # A suspended process ends only when it is woken.
            bench.process.send_signal(signal.SIGCONT)
            bench.kill()
        broker.stop()
        s3.close()


def test_a_suspended_bench_as_shipped_is_dark_before_another_one_begins(start, tmp_path):
    """With the usual lease and watchdog. The watchdog ends the suspended process and turns its lasers off. When the bench is
    back, its interrupted run does not count, because its item was measured elsewhere."""
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = Broker(SERVERS[-1], folder)
    fleet = Fleet(broker, start, tmp_path)
    try:
        fleet.batch("night", [{"recipe": "sweep.yaml", "set": {"speed": 5}, "elsewhere": True}])
        late = fleet.bench("a", time_scale="50")
        raw = late.simulator.talk()
        until("a measures with light", lambda: fleet.bench_status("a").get("run") and raw.lasers_on())
        epoch = fleet.items("night")[1]["epoch"]
        fleet.bench("b")
        late.process.send_signal(signal.SIGSTOP)
        until("the watchdog of a has turned the lasers off", lambda: raw.lasers_on() == [])
        assert fleet.items("night")[1]["epoch"] == epoch, "b must not begin before a is dark"
        until("b has measured the item", lambda: fleet.states("night") == ["measured"])
        accepted = fleet.items("night")[1]["accepted"]
        assert accepted["bench"] == "b" and accepted["epoch"] > epoch
        until("the watchdog has ended the process", lambda: late.process.poll() is not None)
        late.start()
        own = lambda: late.get("/batch").json()["items"][0]
        until("its item is over", lambda: own()["state"] == "removed")
        assert "superseded" in own()["reason"] and "epoch" in own()["reason"], own()["reason"]
        (run,) = fleet.runs("a")
        assert run["status"] != "done" and run["fleet"]["epoch"] == epoch
        assert fleet.items("night")[1]["accepted"] == accepted
        assert raw.lasers_on() == []
    finally:
        for bench in fleet.benches.values():
            bench.stop()
        broker.stop()


def measure(fleet, broker, s3, benches, load):
    def replies():
        return sum(bench["replies"] for bench in fleet.status()["benches"])

    until("all benches reply", lambda: replies() == BENCHES)
    counts = lambda: {batch["batch"]: batch["counts"] for batch in fleet.status()["batches"]}["night"]
    elsewhere = ITEMS // 10
    before, began, submitted = load(), time.monotonic(), time.time()
    fleet.batch("night", [
        {"recipe": "sweep.yaml", "matrix": {"chip": list(range(elsewhere))}, "elsewhere": True, "auto_resume": True, "set": {"speed": 50}},
        {"recipe": "sweep.yaml", "matrix": {"chip": list(range(ITEMS - elsewhere))}, "auto_resume": True, "set": {"speed": 50}},
    ])
    submit_s = time.monotonic() - began
    measured = lambda: counts()["measured"] + counts()["stored"]
    until("a tenth is measured", lambda: measured() >= ITEMS // 10)
    # One bench with a short lease and no watchdog is suspended, and one as shipped.
    for bench in benches[:2]:
        bench.process.send_signal(signal.SIGSTOP)
    for bench in benches[2 : 2 + max(1, BENCHES // 10)]:
        bench.kill()
        bench.start()
    until("a third is measured", lambda: measured() >= ITEMS // 3)
    broker.stop()
    time.sleep(5)
    broker.start()
    # The store refuses everything for a minute.
    s3.before = lambda method, path: 503
    time.sleep(60)
    s3.before = lambda method, path: None
    until("two thirds are measured", lambda: measured() >= 2 * ITEMS // 3)
    memory = statistics.median(bench.memory_mb() for bench in benches[2:])
    broker.stop()
    broker.start()
    for bench in benches[:2]:
        bench.process.send_signal(signal.SIGCONT)

    def is_over():
        now = counts()
        # A run that the watchdog has ended is held for a person.
        if now["held"]:
            fleet.ctp10("release", "night")
        return now["measured"] + now["stored"] == ITEMS

    until("everything is measured", is_over)
    took_s = time.monotonic() - began
    until("everything is stored", lambda: counts()["stored"] == ITEMS)
    stored_s = time.monotonic() - began
    after = load()
    items = [item for item in fleet.status()["items"] if item["batch"] == "night"]
    runs = {bench.name: bench.runs() for bench in benches}
    starts, accepted = [], set()
    for item in items:
        found = item["accepted"]
        run = runs[found["bench"]][found["run"]]
        assert run["status"] == "done" and run["fleet"]["item"] == item["item"]
        assert run["fleet"]["epoch"] == found["epoch"]
        record = json.loads(s3.read(f"fleet/night/{item['item']}.json"))
        assert (record["run"], record["epoch"]) == (found["run"], found["epoch"])
        accepted.add(found["run"])
        starts.append(moment(run["started"]).timestamp() - submitted)
    assert len(items) == len(accepted) == ITEMS
    all_runs = sum(len(found) for found in runs.values())
    to_store = sorted(second for bench in benches for second in bench.seconds_to_store())
    size = sum(path.stat().st_size for path in broker.folder.rglob("*") if path.is_file())
    print(json.dumps({
        "benches": BENCHES, "items": ITEMS, "seconds": round(took_s), "items_per_minute": round(60 * ITEMS / took_s),
        "submit_s": round(submit_s, 2), "first_start_s": round(min(starts), 2),
        "runs": all_runs, "runs_that_do_not_count": all_runs - ITEMS,
        "memory_of_a_bench_mb": round(memory, 1),
        "store": {"seconds": round(stored_s), "requests": len(s3.asked), "objects": len(s3.keys()),
                  "end_of_run_to_store_s": {"median": round(statistics.median(to_store), 2), "longest": round(to_store[-1], 1)}},
        # The counters of the server begin again with its last start.
        "broker": {"version": after["version"], "memory_mb": round(after["mem"] / 2**20, 1), "disk_mb": round(size / 2**20, 2),
                   "messages_in": after["in_msgs"], "messages_out": after["out_msgs"], "seconds": after["uptime"]},
    }, indent=1))
