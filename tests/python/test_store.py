"""Runs in an S3 store, as DuckDB, pyarrow and polars read them, and as the commands of the program read them.

The server is moto, which runs in this process. The statements are those of docs/store.md."""

import json
import os
import pathlib
import re
import signal
import subprocess

import boto3
import duckdb
import duckdb_extension_httpfs
import polars
import pyarrow.fs
import pyarrow.parquet
import pytest
from conftest import BINARY, LIMIT_S, ROOT, environment
from moto.server import ThreadedMotoServer

ADDRESS = "s3://lab-traces/ring-project"
SECRET = "hush-hush-hush"
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1"}
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
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id="key",
        aws_secret_access_key=SECRET,
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="lab-traces")
    client.endpoint = endpoint
    yield client
    server.stop()


def call(s3, *arguments, cwd, check=True):
    variables = environment(CTP10_STORE=ADDRESS, CTP10_STORE_ENDPOINT=s3.endpoint, CTP10_LISTEN="off", **KEYS)
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


def keys(s3):
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="lab-traces")
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


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
    stored = keys(s3)
    for folder in benches:
        files = [path for path in folder.rglob("*") if path.is_file() and path.name not in ("lock", "stored.json")]
        for path in files:
            key = f"ring-project/runs/{folder.name}/{path.relative_to(folder)}"
            body = s3.get_object(Bucket="lab-traces", Key=key)["Body"].read()
            assert body == path.read_bytes(), key
            assert SECRET.encode() not in body
        receipt = json.loads((folder / "stored.json").read_text())
        assert receipt["files"] == len(files) and receipt["store"] == ADDRESS
        assert f"ring-project/{receipt['index']}" in stored


def test_duckdb_finds_the_deepest_dip_of_each_device_of_all_benches(s3, benches):
    table = query(s3, STATEMENTS[0])
    assert list(table["die"]) and set(table["die"]) == {"A1", "A2"}
    assert (table["dip_db"] < -10).all() and table["dip_nm"].between(1545, 1555).all()
    stored = set(keys(s3))
    assert all(f"ring-project/{file}" in stored for file in table["file"])


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
    variables = environment(CTP10_STORE=ADDRESS, CTP10_STORE_ENDPOINT=s3.endpoint, **KEYS)
    known = len(keys(s3))
    for more in range(1, 5):
        process = subprocess.Popen([BINARY, "store", "sync"], cwd=tmp_path, env=variables, stdout=subprocess.DEVNULL)
        while len(keys(s3)) < known + more and process.poll() is None:
            pass
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
    call(s3, "store", "sync", cwd=tmp_path)
    folder = tmp_path / ran.stdout.splitlines()[-1]
    for path in folder.rglob("*.parquet"):
        key = f"ring-project/runs/{folder.name}/{path.relative_to(folder)}"
        assert s3.get_object(Bucket="lab-traces", Key=key)["Body"].read() == path.read_bytes()
    assert (folder / "stored.json").exists()
