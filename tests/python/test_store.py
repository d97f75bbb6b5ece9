"""Runs in an S3 store, as DuckDB, pyarrow and polars read them, and as the commands of the program read them.

The server is moto, which runs in this process. The statements are those of docs/store.md."""

import json
import os
import pathlib
import re
import signal
import subprocess
import threading

import duckdb
import duckdb_extension_httpfs
import polars
import pyarrow.fs
import pyarrow.parquet
import pytest
from conftest import BINARY, LIMIT_S, ROOT, environment, until
from objects import ADDRESS, SECRET, S3

RECIPE = """
name: wafer
instrument: sim
simulator: { dut: ring, time_scale: 0.01 }
metadata: { wafer: W12 }
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 100, power_dbm: 5 }
  - configure_scan: { start_nm: 1545, stop_nm: 1555, resolution_pm: 5 }
  - create_reference: { detector: 4/1 }
  - repeat:
      for: die
      in: [A1, A2]
      steps:
        - sweep:
        - fetch_trace: { id: out, detectors: [4/1], trace: tf }
        - analyze: { trace: out, lines: dips, figures: [dips], expect: { dip_db: { max: -1 } } }
        - fetch_trace: { detectors: [4/2], trace: raw }
"""
STATEMENTS = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "store.md").read_text(), re.S)


def is_built():
    tried = subprocess.run(
        [BINARY, "store", "sync"], env=environment(CTP10_STORE="s3://none"), cwd="/tmp", capture_output=True, text=True
    )
    return "without object stores" not in tried.stderr


pytestmark = pytest.mark.skipif(not is_built(), reason="the program was built without the feature `store`")


@pytest.fixture(scope="module")
def s3():
    store = S3()
    yield store
    store.clear()
    store.close()


@pytest.fixture(autouse=True)
def works(s3):
    """Each test begins and ends with a server that refuses nothing."""
    yield
    s3.before = lambda method, path: None


def call(s3, *arguments, cwd, check=True):
    variables = environment(CTP10_LISTEN="off", **s3.variables())
    done = subprocess.run(
        [BINARY, *map(str, arguments)],
        cwd=cwd,
        env=variables,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert not check or done.returncode == 0, done.stderr
    assert SECRET not in done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def benches(s3, tmp_path_factory):
    """Two benches with one store; each has measured once."""
    folders = []
    for _ in range(2):
        folder = tmp_path_factory.mktemp("bench")
        (folder / "wafer.yaml").write_text(RECIPE)
        ran = call(s3, "run", "wafer.yaml", cwd=folder)
        assert f"uploaded to {ADDRESS}/runs/" in ran.stderr
        folders.append(folder / ran.stdout.splitlines()[-1])
    return folders


def query(s3, statement):
    duck = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    # `INSTALL` of the documentation would download the extension.
    folder = pathlib.Path(duckdb_extension_httpfs.__file__).parent / "extensions" / f"v{duckdb.__version__}"
    duck.execute(f"LOAD '{folder / 'httpfs.duckdb_extension'}'")
    duck.execute(
        f"CREATE SECRET (TYPE s3, KEY_ID 'key', SECRET '{SECRET}', ENDPOINT '{s3.endpoint.removeprefix('http://')}', "
        "URL_STYLE 'path', USE_SSL false)"
    )
    return duck.sql(statement).to_arrow_table().to_pandas()


def test_every_file_is_in_the_store_and_the_secret_is_in_none(s3, benches):
    stored = s3.keys()
    for folder in benches:
        files = [path for path in folder.rglob("*") if path.is_file() and path.name not in ("lock", "stored.json")]
        for path in files:
            name = f"runs/{folder.name}/{path.relative_to(folder)}"
            body = s3.read(name)
            assert body == path.read_bytes(), name
            assert SECRET.encode() not in body
        receipt = json.loads((folder / "stored.json").read_text())
        assert receipt["files"] == len(files) and receipt["store"] == ADDRESS
        assert receipt["index"] in stored


def test_duckdb_finds_the_deepest_dip_of_each_device_of_all_benches(s3, benches):
    table = query(s3, STATEMENTS[0])
    assert list(table["die"]) and set(table["die"]) == {"A1", "A2"}
    assert (table["dip_db"] < -10).all() and table["dip_nm"].between(1545, 1555).all()
    assert set(table["file"]) <= set(s3.keys())


def test_the_index_has_a_row_for_each_figure_and_each_trace_without_figures(s3, benches):
    rows = query(s3, f"FROM read_parquet('{ADDRESS}/index/*/*.parquet', union_by_name = true)")
    assert set(rows["run_id"]) == {folder.name.rsplit("_", 1)[1] for folder in benches}
    traces = rows.drop_duplicates(["run_id", "trace_index"])
    assert len(traces) == 8
    assert set(rows[rows["trace"] == "raw"]["figure"].isna()) == {True}
    assert set(rows[rows["figure"] == "dip_db"]["verdict"]) == {"pass"}
    # The figures are those of results.parquet.
    results = pyarrow.parquet.read_table(benches[0] / "results.parquet").to_pandas()
    results = results[results["counts"]]
    mine = rows[(rows["run_id"] == results["run_id"].iloc[0]) & rows["figure"].notna()]
    assert sorted(mine["value"].dropna()) == sorted(results["value"].dropna())
    settings = json.loads(rows["settings"].iloc[0])
    assert settings, "the settings of the sweep"
    assert json.loads(rows["metadata"].iloc[0])["wafer"] == "W12"
    assert set(rows["simulated"]) == {True}


def test_pyarrow_and_polars_read_traces_from_the_store(s3, benches):
    address = f"lab-traces/ring-project/runs/{benches[0].name}/traces"
    files = pyarrow.fs.S3FileSystem(
        access_key="key", secret_key=SECRET, endpoint_override=s3.endpoint, region="us-east-1"
    )
    table = pyarrow.parquet.read_table(address, filesystem=files)
    frame = polars.read_parquet(
        f"s3://{address}/*.parquet",
        storage_options={
            "aws_access_key_id": "key",
            "aws_secret_access_key": SECRET,
            "aws_region": "us-east-1",
            "aws_endpoint_url": s3.endpoint,
            "aws_allow_http": "true",
        },
    )
    assert table.num_rows == len(frame) > 0


def test_the_commands_read_runs_from_the_store(s3, benches, tmp_path):
    folder = benches[1]
    listed = json.loads(call(s3, "runs", "--out", ADDRESS, "--where", "die = 'A1'", "--json", cwd=tmp_path).stdout)
    assert len(listed["runs"]) == 2
    last = f"{ADDRESS}/{folder.name.rsplit('_', 1)[1]}"
    assert "0 findings" in call(s3, "runs", "verify", last, cwd=tmp_path).stdout
    (tmp_path / "limits.yaml").write_text("name: strict\nversion: 1\nfigures:\n  dip_db: { max: -100 }\n")
    judged = call(s3, "judge", "--out", ADDRESS, "--name", "wafer", "--limits", "limits.yaml", cwd=tmp_path, check=False)
    assert judged.returncode == 4, judged.stderr
    trace = sorted(path.name for path in (folder / "traces").iterdir())[0]
    address = f"{ADDRESS}/runs/{folder.name}/traces/{trace}"
    call(s3, "analyze", address, "--figures", "dips", cwd=tmp_path)
    call(s3, "plot", address, last, "-o", "both.svg", cwd=tmp_path)
    call(s3, "export", last, "--to", "npz", cwd=tmp_path)
    report = call(s3, "runs", "report", last, cwd=tmp_path).stdout.strip()
    assert (tmp_path / report).exists()
    unknown = call(s3, "runs", "show", f"{ADDRESS}/zzz", cwd=tmp_path, check=False)
    assert unknown.returncode == 2 and "no run `zzz`" in unknown.stderr


def test_a_missing_bucket_is_told(s3, benches, tmp_path):
    missing = call(s3, "runs", "--out", "s3://no-such-bucket/x", cwd=tmp_path, check=False)
    assert missing.returncode == 1 and "does not exist" in missing.stderr + missing.stdout, missing


def test_an_upload_that_is_killed_many_times_ends_complete(s3, tmp_path):
    (tmp_path / "wafer.yaml").write_text(RECIPE.replace("name: wafer", "name: killed"))
    plain = environment(CTP10_LISTEN="off")
    ran = subprocess.run([BINARY, "run", "wafer.yaml"], cwd=tmp_path, env=plain, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    variables = environment(**s3.variables())
    known = len(s3.keys())
    for more in range(1, 5):
        process = subprocess.Popen([BINARY, "store", "sync"], cwd=tmp_path, env=variables, stdout=subprocess.DEVNULL)
        while len(s3.keys()) < known + more and process.poll() is None:
            pass
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
    call(s3, "store", "sync", cwd=tmp_path)
    folder = tmp_path / ran.stdout.splitlines()[-1]
    for path in folder.rglob("*.parquet"):
        assert s3.read(f"runs/{folder.name}/{path.relative_to(folder)}") == path.read_bytes()
    assert (folder / "stored.json").exists()


# Larger files are sent in parts.
BIG = 33 << 20


@pytest.fixture
def big(tmp_path):
    """A bench with a run that was made without a store, and a large file in its folder."""
    (tmp_path / "wafer.yaml").write_text(RECIPE)
    plain = environment(CTP10_LISTEN="off")
    ran = subprocess.run([BINARY, "run", "wafer.yaml"], cwd=tmp_path, env=plain, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    file = tmp_path / ran.stdout.splitlines()[-1] / "notes.bin"
    file.write_bytes(os.urandom(BIG))
    return file


def ends_parts(method, path):
    return method == "POST" and "uploadId=" in path


def test_a_large_file_is_sent_in_parts_once(s3, big):
    s3.asked.clear()
    call(s3, "store", "sync", cwd=big.parents[2])
    name = f"runs/{big.parent.name}/notes.bin"
    assert s3.read(name) == big.read_bytes()
    assert sum(ends_parts(*request.split(" ", 1)) for request in s3.asked) == 1
    # The next upload compares the object, and sends nothing.
    (big.parent / "stored.json").unlink()
    s3.asked.clear()
    call(s3, "store", "sync", cwd=big.parents[2])
    assert not any(request.startswith("POST") or "partNumber" in request for request in s3.asked)


def test_an_object_that_appears_while_the_parts_are_sent_is_never_replaced(s3, big):
    name = f"runs/{big.parent.name}/notes.bin"
    s3.before = lambda method, path: s3.put(name, b"of another program") if ends_parts(method, path) else None
    refused = call(s3, "store", "sync", cwd=big.parents[2], check=False)
    assert refused.returncode == 1
    assert "notes.bin` exists in the store with other content: nothing was replaced" in refused.stderr
    assert s3.read(name) == b"of another program"
    assert not (big.parent / "stored.json").exists()


def test_a_lost_confirmation_of_the_parts_changes_nothing(s3, big):
    """The object is complete, but the program gets an error. The repeated request finds the object."""
    name, lost = f"runs/{big.parent.name}/notes.bin", []

    def before(method, path):
        if ends_parts(method, path) and not lost:
            lost.append(path)
            s3.put(name, big.read_bytes())
            return 500
        return None

    s3.before = before
    call(s3, "store", "sync", cwd=big.parents[2])
    assert lost and (big.parent / "stored.json").exists()


def test_a_large_file_goes_into_a_folder_store(big, tmp_path):
    nas = tmp_path / "nas"
    nas.mkdir()
    variables = environment(CTP10_STORE=f"file://{nas}")
    sync = lambda: subprocess.run([BINARY, "store", "sync"], cwd=tmp_path, env=variables, capture_output=True, text=True)
    done = sync()
    assert done.returncode == 0, done.stderr
    stored = nas / "runs" / big.parent.name / "notes.bin"
    assert stored.read_bytes() == big.read_bytes()
    assert not list((nas / "unfinished").iterdir())
    # Another content under this name is never replaced.
    (big.parent / "stored.json").unlink()
    stored.write_bytes(b"of another program")
    refused = sync()
    assert refused.returncode == 1 and "exists in the store with other content" in refused.stderr
    assert stored.read_bytes() == b"of another program"


@pytest.mark.parametrize(
    ("status", "address", "told"),
    [(403, ADDRESS, "refuses access"), (503, ADDRESS, "SlowDown"), (None, "s3://no-such-bucket/x", "does not exist")],
)
def test_a_store_that_cannot_be_used_is_a_warning_at_the_start(s3, start, status, address, told):
    s3.before = lambda method, path: status
    server = start.server(start.simulator("--time-scale", "0.02"), **{**s3.variables(), "CTP10_STORE": address})
    until("the log says so", lambda: f"the store {address} cannot be used now" in server.said())
    s3.before = lambda method, path: None
    assert told in server.said(), server.said()
    assert SECRET not in server.said()
    # The page says so as well, although no run waits. A store that is usable again ends the message.
    trouble = lambda: server.get("/instrument").json()["store"]["trouble"]
    if address == ADDRESS:
        until("the trouble is over", lambda: trouble() is None)
    else:
        assert told in trouble()


def test_a_store_that_does_not_reply_delays_no_run(s3, start):
    replies = threading.Event()
    s3.before = lambda method, path: replies.wait(LIMIT_S) and None
    server = start.server(start.simulator("--time-scale", "0.02"), **s3.variables())
    run = server.begin("name: short\nsteps:\n  - log: done\n")
    until("the run has ended", lambda: server.get(f"/runs/{run}").json()["state"] == "done")
    until("the log says so", lambda: "no reply within 5 s" in server.said())
    replies.set()
    until("the run is in the store", lambda: any(run in name for name in s3.keys("index/")))


def test_only_what_a_command_reads_is_downloaded(s3, tmp_path):
    folder = measured_with_power(s3, tmp_path)
    last = f"{ADDRESS}/{folder.name.rsplit('_', 1)[1]}"

    def read(*arguments):
        s3.asked.clear()
        call(s3, *arguments, cwd=tmp_path)
        objects = [request.split("/ring-project/")[1] for request in s3.asked if "/ring-project/" in request and request.startswith("GET")]
        return {name.removeprefix(f"runs/{folder.name}/").split("?")[0] for name in objects}

    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    traces = {name for name in files if name.startswith("traces/")}
    power = {name for name in files if name.startswith("power/")}
    assert len(traces) == 4 and power
    assert read("runs", "show", last) & (traces | power) == set()
    analyzed = read("analyze", last, "--figures", "dips", "--detector", "4/1")
    assert analyzed == {"run.json", "journal.jsonl"} | {name for name in traces if "m4c1" in name}
    for command in (["export", last, "--to", "npz"], ["plot", last, "-o", "all.svg"]):
        found = read(*command)
        assert found & traces == traces and not found & power, command


def measured_with_power(s3, folder):
    recipe = RECIPE.replace("name: wafer", "name: power\nrecord_power: { detectors: [4/1], interval_s: 0.05 }")
    (folder / "power.yaml").write_text(recipe + "  - wait: 0.5\n")
    ran = call(s3, "run", "power.yaml", cwd=folder)
    return folder / ran.stdout.splitlines()[-1]
