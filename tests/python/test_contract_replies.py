"""What the OpenAPI document says about replies is true: each operation is called, and its reply is what the document says."""

import json
import re

import jsonschema
import pytest
from conftest import ok, until

MAP = """
name: map
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 5 }
  - configure_scan: { start_nm: 1545, stop_nm: 1555, resolution_pm: 10 }
  - create_reference: { detector: 4/1, connect: patch cord }
  - repeat:
      for: col
      in: [1, 30]
      steps:
        - sweep:
        - fetch_trace: { id: out, detector: 4/1, trace: tf, columns: { wafer: W, row: 2 } }
        - analyze: { trace: out, figures: [dips], at_nm: 1550, expect: { insertion_loss_db: { max: "${col}" } } }
"""
ASKS = 'name: asks\nsteps:\n  - prompt: { message: "Ready?" }\n  - prompt: { message: "Sure?" }\n'
ITEM = "name: item\nsteps:\n  - log: a short item\n"
# What the configuration of a server decides.
DEFAULTS = "module = 3\nchannel = 2\ntrace_type = 11\n"


@pytest.fixture(scope="module")
def server(started, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    (folder / "recipes").mkdir()
    (folder / "recipes" / "item.yaml").write_text(ITEM)
    (folder / "ctp10.toml").write_text("allow_scpi = true\n")
    return started.server(started.simulator("--time-scale", "0.02"), folder=folder)


class Caller:
    """Calls operations, and compares every reply with the document."""

    def __init__(self, server):
        self.server, self.document = server, ok(server.get("/openapi.json"))
        self.operations = {
            (method.upper(), path): operation
            for path, item in self.document["paths"].items()
            for method, operation in item.items()
        }
        self.succeeded = set()

    def __call__(self, method, path, query="", **options):
        """Sends a request that must succeed. `{name:value}` in the path is a parameter."""
        template = re.sub(r"\{(\w+):[^}]*\}", r"{\1}", path)
        target = re.sub(r"\{\w+:([^}]*)\}", r"\1", path) + query
        with self.server.http.stream(method, target, **options) as response:
            kind = response.headers.get("content-type", "").split(";")[0]
            if kind == "text/event-stream":
                assert next(response.iter_lines())
            else:
                response.read()
            status = response.status_code
            assert status < 400, (target, response.read())
            self.check(method, template, response, kind)
        self.succeeded.add((method, template))
        return response.json() if kind == "application/json" else response

    def check(self, method, template, response, kind):
        documented = self.operations[method, template]["responses"]
        status = str(response.status_code)
        assert status in documented or response.status_code >= 400, (method, template, status)
        content = documented.get(status, documented["default"]).get("content", {})
        if not content:
            assert response.content == b""
            return
        assert kind in content, (method, template, status, kind)
        if kind == "application/json":
            schema = {"allOf": [content[kind]["schema"]], "components": self.document["components"]}
            jsonschema.Draft7Validator(schema).validate(json.loads(response.text))

    def refused(self, method, path, **options):
        template = re.sub(r"\{(\w+):[^}]*\}", r"{\1}", path)
        target = re.sub(r"\{\w+:([^}]*)\}", r"\1", path)
        response = self.server.http.request(method, target, **options)
        assert response.status_code >= 400, (target, response.text)
        self.check(method, template, response, response.headers["content-type"])

    def ended(self, run):
        until("the run has ended", lambda: ok(self.server.get(f"/runs/{run}"))["state"] != "running")
        until("the next may begin", lambda: self.server.get("/runs/current").status_code == 404)


@pytest.fixture(scope="module")
def call(server):
    return Caller(server)


def service(call):
    for accept in ["application/json", "text/html"]:
        call("GET", "/", headers={"Accept": accept})
    for path in ["/session", "/health", "/metrics", "/instrument", "/power", "/login", "/recipes"]:
        call("GET", path)
    call("POST", "/login", data={"token": "any"})
    call("POST", "/logout")
    call("POST", "/scpi", json={"query": "*IDN?"})
    call("POST", "/scpi", json={"command": "*CLS"})
    call("GET", "/connection/status")
    call("GET", "/connection/condition")
    call("POST", "/connection/check_errors")
    call("POST", "/connection/connect")


def instrument(call):
    for path in ["/detector/stabilization", "/measurement/stabilization", "/measurement/config"]:
        call("GET", path)
    call("POST", "/detector/stabilization", json={"output": False, "duration_seconds": 0})
    call("POST", "/measurement/stabilization", "?output=false&duration_seconds=0")
    call("POST", "/measurement/config", json={"resolution_pm": 10})
    call("GET", "/measurement/resolution")
    call("POST", "/measurement/resolution", "?resolution_pm=10")
    call("GET", "/measurement/sweep/wavelengths")
    call("POST", "/measurement/sweep/wavelengths", json={"start_wavelength_nm": 1545, "stop_wavelength_nm": 1550})
    for name, query in [("wavelength", "?start_nm=1500&stop_nm=1600"), ("power", "?power_dbm=1"), ("speed", "?speed_nmps=50"), ("trigger", "?trigin=0")]:
        call("GET", f"/tls/{{channel:1}}/{name}")
        call("POST", f"/tls/{{channel:1}}/{name}", query)
    call("GET", "/tls/{channel:1}/config")
    call("POST", "/tls/{channel:1}/config", json={"laser_power_dbm": 1})
    call("GET", "/rlaser/{laser_number:1}/config")
    call("POST", "/rlaser/{laser_number:1}/config", json={"power_dbm": 1})
    call("POST", "/rlaser/{laser_number:1}/power", "?power_dbm=1")
    call("POST", "/rlaser/{laser_number:1}/wavelength", "?wavelength_nm=1550")
    for name in ["id", "power", "wavelength", "state"]:
        call("GET", f"/rlaser/{{laser_number:1}}/{name}")
    call("POST", "/rlaser/{laser_number:1}/on")
    call("POST", "/rlaser/{laser_number:1}/off")
    for name in ["snapshot", "wavelength", "config"]:
        call("GET", f"/detector/{name}")
    call("POST", "/detector/wavelength", "?wavelength_nm=1550")
    call("POST", "/detector/config", json={"power_unit": "dBm"})
    call("POST", "/detector/reference", "?wait=true")
    call("GET", "/detector/reference/result")
    call("POST", "/measurement/sweep/start", "?wait=true")
    call("GET", "/measurement/sweep/status")
    call("GET", "/measurement/status/referencing")
    for name in ["metadata", "data", "binary"]:
        call("GET", f"/detector/trace/{name}", "?trace_type=11")
    call("POST", "/measurement/sweep/start")
    call("POST", "/measurement/sweep/abort")


def runs(call):
    call("GET", "/recipes/text", "?path=recipes/item.yaml")
    for path in ["/check", "/plan"]:
        call("POST", path, json={"recipe": MAP})
    run = call("POST", "/runs", json={"recipe": MAP, "unattended": True})["run"]
    call.ended(run)
    at = f"/runs/{{id:{run}}}"
    for what in ["", "/events", "/archive", "/report", "/figures", "/wafer", "/traces", "/traces/{trace:1}/view"]:
        call("GET", f"{at}{what}")
    call("GET", f"{at}/figures", "?trace=1")
    for suffix in ["", ".parquet", ".arrow", ".csv", ".npy"]:
        call("GET", f"{at}/traces/{{trace:1{suffix}}}")
    whole = call("GET", f"{at}/traces/{{trace:1}}")
    call("GET", f"{at}/traces/{{trace:1}}", headers={"Range": "bytes=0-9"})
    call("GET", f"{at}/traces/{{trace:1}}", headers={"If-None-Match": whole.headers["etag"]})
    call("GET", "/runs")
    asking = call("POST", "/runs", json={"recipe": ASKS, "attend": True})["run"]
    at = f"/runs/{{id:{asking}}}"
    until("it asks", lambda: ok(call.server.get(f"/runs/{asking}"))["question"])
    call("GET", "/runs/current")
    call("GET", at)
    call("POST", f"{at}/answer", json={"answer": "yes"})
    for what in ["pause", "resume", "abort"]:
        call("POST", f"{at}/{what}")
    call.ended(asking)


def queue(call):
    call("POST", "/batch/pause")
    (first,) = call("POST", "/batch/items", json={"recipe": "recipes/item.yaml"})["numbers"]
    for what in ["hold", "release", "move", "remove"]:
        call("POST", f"/batch/items/{{number:{first}}}/{what}", "?to=1" if what == "move" else "")
    call("POST", "/batch/resume")
    call("GET", "/batch")
    call("GET", "/batch/report")


def test_each_operation_replies_as_the_document_says(call):
    for part in [service, instrument, runs, queue]:
        part(call)
    call("POST", "/off")
    call("POST", "/connection/disconnect")
    assert set(call.operations) - call.succeeded == set()


def test_each_operation_documents_its_success_and_its_refusal(call):
    for key, operation in call.operations.items():
        successes = [status for status in operation["responses"] if status[0] in "23"]
        assert successes and "default" in operation["responses"], key
    # What a success looks like is not what an error looks like.
    (error,) = {json.dumps(operation["responses"]["default"]) for operation in call.operations.values()}
    schema = json.loads(error)["content"]["application/json"]["schema"]
    assert jsonschema.Draft7Validator(schema).is_valid({"detail": "text"})
    assert not jsonschema.Draft7Validator(schema).is_valid({"detail": None})


def test_refusals_are_as_the_document_says(call):
    for method, template in call.operations:
        if template in ("/login", "/logout"):
            continue
        path = re.sub(r"\{(\w+)\}", r"{\1:nosuch}", template)
        call.refused(method, path, headers={"Origin": "http://evil.example"})
        if "{" in path:
            call.refused(method, path)


def test_the_defaults_of_query_parameters_are_in_the_document(started, tmp_path_factory):
    folder = tmp_path_factory.mktemp("defaults")
    (folder / "ctp10.toml").write_text(DEFAULTS)
    document = ok(started.server("127.0.0.1:1", connected=False, folder=folder).get("/openapi.json"))
    found = {
        (path, parameter["name"]): parameter["schema"].get("default")
        for path, item in document["paths"].items()
        for parameter in [entry for operation in item.values() for entry in operation.get("parameters", [])]
    }
    for key, default in {
        ("/detector/snapshot", "module"): 3,
        ("/power", "module"): 3,
        ("/power", "interval"): 0.1,
        ("/detector/trace/data", "channel"): 2,
        ("/detector/trace/data", "trace_type"): 11,
        ("/runs", "limit"): 50,
        ("/runs/{id}/traces", "limit"): 1000,
        ("/runs/{id}/figures", "limit"): 1000,
        ("/runs/{id}/traces/{trace}/view", "points"): 1000,
        ("/measurement/sweep/start", "wait"): False,
        ("/runs/{id}/abort", "now"): False,
    }.items():
        assert found[key] == default, key
