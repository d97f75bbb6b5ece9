"""Runs over HTTP: recipes checked, planned, begun, steered and followed, and what they leave behind in every format."""

import contextlib
import hashlib
import io
import json
import pathlib
import re
import shutil
import zipfile
from urllib.parse import quote

import httpx
import numpy
import pandas
import pyarrow.ipc
import pyarrow.parquet
import pytest

from conftest import ROOT, assert_problems, assert_refused, assert_shape, ctp10, ok, until

TINY = """
name: tiny
parameters:
  text: { default: hello }
metadata: { device: none }
steps:
  - log: "${text}"
"""
RINGS = """
name: rings
description: Both ports of a ring.
parameters:
  turns: { default: 2, min: 1, max: 5, description: number of sweeps }
  stop_nm: { default: 1556, min: 1550, max: 1600, unit: nm }
metadata: { device: ring-r10 }
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 5 }
  - configure_scan: { start_nm: 1544, stop_nm: "${stop_nm}", resolution_pm: 1 }
  - create_reference: { detector: 4/1, connect: patch cord }
  - repeat:
      times: "${turns}"
      steps:
        - sweep:
        - fetch_trace: { detector: 4/1, trace: tf, name: through }
  - fetch_trace: { detector: 4/2, trace: raw }
finally:
  - configure_laser: { laser: 1, output: false }
"""
BROKEN = """name: broken
detectors: { through: 4/1 }
steps:
  - configure_tls: { tls: 1, power_dBm: 3 }
  - sweeep:
  - fetch_trace: { detector: throuhg, trace: tf }
  - configure_scan: { resolution_pm: 300 }
"""
LONG = """
name: long
steps:
  - configure_scan: { start_nm: 1501, stop_nm: 1629, resolution_pm: 10 }
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 5, power_dbm: 3 }
  - sweep:
finally:
  - log: cleaning up
"""
ASKS = """
name: asks
steps:
  - wait: 1
  - prompt: { id: where, message: "Where does it go?", choices: [left, right] }
  - log: "it goes ${steps.where.answer}"
  - prompt: { message: "And what is it?", unattended: nothing }
"""
STATUS = {
    "run": str,
    "name": str,
    "folder": str,
    "state": {"running", "done", "failed", "aborted", "interrupted"},
    "reason": (str, None),
    "simulated": bool,
    "instrument": object,
    "operations": (int, None),
    "finished_steps": int,
    "failed_steps": int,
    "retries": int,
    "traces": int,
    "estimated_s": (float, None),
    "remaining_s": (float, None),
    "started": (str, None),
    "finished": (str, None),
    "elapsed_s": (float, None),
    "pause": {None, "asked", "held"},
    "question": (None, {"number": int, "message": str, "choices": [str]}),
    "current": object,
    "tree": [object],
    "warnings": [str],
    "lasers_unknown": [int],
    "instruments_unknown": [str],
    "highest_tf": object,
    "deepest_tf": object,
    "verdict": {None},
    "verdicts": (None,),
}
CURRENT = ["number", "attempt", "key", "text", "activity", "done", "remaining_s"]
NODE = {
    "key": str,
    "text": str,
    "words": str,
    "kind": {"step", "group"},
    "state": {"pending", "running", "done", "failed", "skipped"},
    "times": int,
    "of": (int, None),
    "children": object,
}
RUN = {
    "run": str,
    "name": str,
    "folder": str,
    "status": {"running", "done", "failed", "aborted", "interrupted"},
    "reason": (str, None),
    "started": str,
    "finished": (str, None),
    "traces": (int, None),
    "verdict": {None},
    "verdicts": (None,),
    "simulated": {True},
    "instrument": str,
    "recipe": str,
}
EXTREME = ({"value": float, "nm": float}, None)
TRACE = {
    "trace_index": int,
    "sweep_index": int,
    "attempt": int,
    "detector": str,
    "trace": str,
    "unit": {"dB", "dBm"},
    "name": str,
    "file": str,
    "bytes": int,
    "sha256": str,
    "start_nm": float,
    "step_pm": float,
    "points": int,
    "nulls": int,
    "min": EXTREME,
    "max": EXTREME,
    "mean": (float, None),
}
FINDING = {
    "severity": {"error", "warning"},
    "message": str,
    "hint": (str, None),
    "file": (str, None),
    "line": (int, None),
    "column": (int, None),
    "text": str,
}
ENDED = ("done", "failed", "aborted", "interrupted")


def known(value, shape):
    """What is documented; more may be added."""
    assert set(shape) <= set(value), set(shape) - set(value)
    return {name: value[name] for name in shape}


def bench(started, tmp_path_factory, *options):
    """A server with recipes in its folder."""
    folder = tmp_path_factory.mktemp("bench")
    (folder / "recipes").mkdir()
    for name, text in {"tiny": TINY, "rings": RINGS, "broken": BROKEN, "long": LONG}.items():
        (folder / "recipes" / f"{name}.yaml").write_text(text)
    shutil.copy(ROOT / "scripts" / "find_resonance.rhai", folder / "recipes")
    (folder / "secret.yaml").write_text("name: secret\nsteps:\n  - log: nobody reads this\n")
    simulator = started.simulator("--noise", "by-settings", *options)
    server = started.server(simulator, folder=folder)
    server.simulator = simulator
    return server


@pytest.fixture(scope="module")
def server(started, tmp_path_factory):
    """At an instrument that is fast."""
    return bench(started, tmp_path_factory, "--time-scale", "0.02")


@pytest.fixture(scope="module")
def slow(started, tmp_path_factory):
    """At an instrument whose scans last long enough to be met under way."""
    return bench(started, tmp_path_factory, "--time-scale", "2")


@pytest.fixture(autouse=True)
def nothing_is_left_running(request):
    yield
    for name in {"server", "slow"} & set(request.fixturenames):
        left = request.getfixturevalue(name)
        current = left.get("/runs/current")
        if current.status_code == 200:
            left.post(f"/runs/{current.json()['run']}/abort?now=true")
            until("the run has ended", lambda left=left: left.get("/runs/current").status_code == 404)


def status(server, run):
    return ok(server.get(f"/runs/{run}"))


def ended(server, run, *states):
    until("the run has ended", lambda: status(server, run)["state"] in ENDED)
    until("the next may begin", lambda: server.get("/runs/current").status_code == 404)
    found = status(server, run)
    assert found["state"] in (states or ("done",)), found["reason"]
    return found


def journal(server, run):
    lines = (server.folder / status(server, run)["folder"] / "journal.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def measured(server):
    """A run that is done, with three traces."""
    run = server.begin(path="recipes/rings.yaml")
    assert ended(server, run)["traces"] == 3
    return run


# Recipes


def test_the_recipes_of_the_folder_are_listed_with_their_parameters(server):
    recipes = {recipe["path"]: recipe for recipe in ok(server.get("/recipes"))["recipes"]}
    shape = {"path": str, "name": (str, None), "description": (str, None), "parameters": object, "error": (str, None)}
    for recipe in recipes.values():
        assert_shape(recipe, shape)
    assert set(recipes) == {
        f"recipes/{name}" for name in ["broken.yaml", "find_resonance.rhai", "long.yaml", "rings.yaml", "tiny.yaml"]
    }
    rings = recipes["recipes/rings.yaml"]
    assert (rings["name"], rings["description"], rings["error"]) == ("rings", "Both ports of a ring.", None)
    turns = known(rings["parameters"]["turns"], dict.fromkeys(["default", "min", "max", "description"], object))
    assert turns == {"default": 2, "min": 1, "max": 5, "description": "number of sweeps"}
    assert rings["parameters"]["stop_nm"]["unit"] == "nm"
    broken = recipes["recipes/broken.yaml"]
    assert broken["name"] is None and broken["error"]


def test_the_text_of_a_recipe_is_given(server):
    for path, text in [("recipes/rings.yaml", RINGS), ("recipes/broken.yaml", BROKEN)]:
        assert ok(server.get("/recipes/text", params={"path": path})) == {"path": path, "text": text}
    assert_problems(server.get("/recipes/text"))


# Checks and plans


def check_on_the_command_line(server, path):
    """The findings that `ctp10 check` prints, each with its excerpt."""
    checked = ctp10("check", path, cwd=server.folder)
    return checked.returncode, [text for text in checked.stderr.split("\n\n") if text.strip()]


def test_a_check_finds_what_the_command_line_finds(server):
    code, texts = check_on_the_command_line(server, "recipes/broken.yaml")
    assert code == 2 and len(texts) >= 3
    found = ok(server.post("/check", json={"path": "recipes/broken.yaml"}))
    assert_shape(found, {"errors": int, "warnings": int, "findings": [FINDING]})
    assert [finding["text"].rstrip() for finding in found["findings"]] == [text.rstrip() for text in texts]
    assert found["errors"] == sum(finding["severity"] == "error" for finding in found["findings"]) >= 3
    assert found["errors"] + found["warnings"] == len(found["findings"])
    # Each has its place: the line that its excerpt shows.
    lines = {4: "power_dBm", 5: "sweeep", 6: "throuhg", 7: "300"}
    for finding in found["findings"]:
        assert finding["file"] == "recipes/broken.yaml"
        assert f"recipes/broken.yaml:{finding['line']}:{finding['column']}" in finding["text"]
        assert lines[finding["line"]] in BROKEN.splitlines()[finding["line"] - 1][finding["column"] - 1 :]


def test_a_run_of_a_broken_recipe_is_refused_with_the_same_findings(server):
    found = ok(server.post("/check", json={"path": "recipes/broken.yaml"}))["findings"]
    for path in ["/runs", "/plan"]:
        response = server.post(path, json={"path": "recipes/broken.yaml"})
        assert response.status_code == 422
        assert response.json() == {"detail": found}
    # A text has them at the same places, under another name.
    texted = ok(server.post("/check", json={"recipe": BROKEN, "format": "yaml"}))["findings"]
    places = ["severity", "message", "hint", "line", "column"]
    assert [[one[name] for name in places] for one in texted] == [[one[name] for name in places] for one in found]
    assert server.get("/runs/current").status_code == 404


def test_a_recipe_without_faults_is_checked_as_fine(server):
    fine = {"errors": 0, "warnings": 0, "findings": []}
    assert ok(server.post("/check", json={"path": "recipes/rings.yaml"})) == fine
    assert ok(server.post("/check", json={"recipe": RINGS, "format": "yaml"})) == fine
    assert ok(server.post("/check", json={"recipe": RINGS})) == fine
    script = (ROOT / "scripts" / "find_resonance.rhai").read_text()
    assert ok(server.post("/check", json={"recipe": script, "format": "rhai"}))["errors"] == 0


def test_a_plan_is_the_one_that_the_command_line_prints(server):
    for path in ["recipes/rings.yaml", "recipes/find_resonance.rhai"]:
        printed = json.loads(ctp10("plan", path, "--json", cwd=server.folder).stdout)
        assert ok(server.post("/plan", json={"path": path})) == printed
    longer = ok(server.post("/plan", json={"path": "recipes/rings.yaml", "parameters": {"turns": 5}}))
    printed = ctp10("plan", "recipes/rings.yaml", "--json", "--set", "turns=5", cwd=server.folder).stdout
    assert longer == json.loads(printed)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 400),
        ({"path": "recipes/tiny.yaml", "recipe": TINY}, 400),
        ({"recipe": TINY, "format": "toml"}, 400),
        ({"path": 3}, 422),
        ({"recipe": TINY, "parameters": []}, 422),
        ({"recipe": TINY, "unattended": "maybe"}, 422),
        ({"recipe": TINY, "paramters": {"top_dbm": 3}}, 422),
    ],
)
def test_an_order_that_contradicts_itself_or_is_malformed_is_refused(server, body, code):
    for path in ["/check", "/plan", "/runs"]:
        response = server.post(path, json=body)
        assert_refused(response, 400) if code == 400 else assert_problems(response)


def test_a_misspelt_field_of_an_order_is_named_with_the_nearest_one(server):
    before = len(ok(server.get("/runs"))["runs"])
    (problem,) = server.post("/runs", json={"recipe": TINY, "paramters": {"top_dbm": 3}}).json()["detail"]
    assert problem["loc"] == ["body", "paramters"]
    assert problem["msg"] == "unknown field `paramters`: did you mean `parameters`?"
    assert len(ok(server.get("/runs"))["runs"]) == before


# Beginning a run


@pytest.mark.parametrize("by", ["path", "text"])
def test_a_run_is_begun_by_a_path_or_by_a_text_and_shows_its_status(server, by):
    order = {"path": "recipes/rings.yaml"} if by == "path" else {"recipe": RINGS, "format": "yaml"}
    response = server.post("/runs", json=order)
    assert response.status_code == 201
    begun = response.json()
    assert_shape(known(begun, STATUS), STATUS)
    assert response.headers["location"] == f"/runs/{begun['run']}"
    assert begun["name"] == "rings" and begun["state"] == "running" and begun["simulated"] is True
    found = ended(server, begun["run"])
    assert_shape(known(found, STATUS), STATUS)
    assert found["finished_steps"] == found["operations"] and found["failed_steps"] == 0
    assert found["traces"] == 3 and found["current"] is None and found["pause"] is None
    assert found["instrument"]["address"] == server.simulator.address
    assert set(found["deepest_tf"]) >= {"value", "nm", "detector", "trace_index"}
    assert found["finished"] > found["started"] and found["elapsed_s"] > 0
    assert (server.folder / found["folder"] / "run.json").exists()


def nodes(tree):
    for node in tree:
        yield node
        yield from nodes(node["children"])


def test_the_tree_of_a_run_has_each_place_once_with_what_became_of_it(server, measured):
    found = list(nodes(status(server, measured)["tree"]))
    for node in found:
        assert_shape(node, NODE)
    assert all(node["state"] == "done" for node in found)
    steps = [node for node in found if node["kind"] == "step"]
    assert len({node["key"] for node in found}) == len(found)
    sweeps = [node for node in steps if node["text"].startswith("sweep")]
    assert [node["times"] for node in sweeps] == [2]
    (group,) = [node for node in found if node["kind"] == "group" and node["of"] == 2]
    assert group["times"] == 2 and sweeps[0] in group["children"]


def test_the_tree_says_where_a_run_is(slow):
    run = slow.begin(LONG)
    until("it sweeps", lambda: (status(slow, run)["current"] or {}).get("activity") == "sweep")
    found = status(slow, run)
    assert set(CURRENT) <= set(found["current"])
    (running,) = [node for node in nodes(found["tree"]) if node["state"] == "running" and node["kind"] == "step"]
    assert running["key"] == found["current"]["key"] and running["text"].startswith("sweep")
    assert found["state"] == "running" and found["remaining_s"] > 10
    assert ok(slow.get("/runs/current"))["run"] == run
    until("it is told how far", lambda: (status(slow, run)["current"] or {}).get("done"))


def test_parameters_and_metadata_are_taken_and_kept(server):
    order = {"parameters": {"text": "good morning"}, "metadata": {"operator": "Ada", "chip": 7}}
    run = server.begin(path="recipes/tiny.yaml", **order)
    ended(server, run)
    assert [record["message"] for record in journal(server, run) if record["event"] == "log"] == ["good morning"]
    manifest = json.loads((server.folder / status(server, run)["folder"] / "run.json").read_text())
    assert known(manifest["metadata"], {"device": 0, "operator": 0, "chip": 0}) == {
        "device": "none",
        "operator": "Ada",
        "chip": 7,
    }
    assert "good morning" in json.dumps(manifest)


@pytest.mark.parametrize("parameters", [{"turns": 0}, {"turns": 6}, {"turns": "many"}, {"turn": 2}])
def test_a_parameter_that_is_wrong_keeps_the_run_from_beginning(server, parameters):
    response = server.post("/runs", json={"path": "recipes/rings.yaml", "parameters": parameters})
    assert response.status_code == 422, response.text
    assert_shape(response.json(), {"detail": [FINDING]})
    assert server.get("/runs/current").status_code == 404


def test_a_recipe_for_another_instrument_is_run_here_only_by_name(server):
    recipe = TINY.replace("parameters:", "instrument: 192.0.2.1:5025\nparameters:")
    response = server.post("/runs", json={"recipe": recipe})
    assert response.status_code == 422
    assert_shape(response.json(), {"detail": [FINDING]})
    assert "192.0.2.1:5025" in response.json()["detail"][0]["message"]
    checked = ok(server.post("/check", json={"recipe": recipe}))
    assert (checked["errors"], checked["findings"]) == (1, response.json()["detail"])
    here = ok(server.get("/instrument"))["address"]
    assert ok(server.post("/check", json={"recipe": recipe, "instrument": here}))["errors"] == 0
    ended(server, server.begin(recipe, instrument=ok(server.get("/instrument"))["address"]))


def test_a_second_run_is_refused_with_the_name_of_the_first(slow):
    run = slow.begin(LONG)
    before = len(ok(slow.get("/runs"))["runs"])
    assert_refused(slow.post("/runs", json={"recipe": TINY}), 409, run)
    assert ok(slow.get("/runs/current"))["run"] == run
    assert len(ok(slow.get("/runs"))["runs"]) == before


def test_when_a_run_is_told_as_over_the_next_one_may_begin(server):
    for _ in range(20):
        *_, last = events(server, server.begin(TINY))
        assert last["event"] == "finished"
    ended(server, server.begin(TINY))


def test_without_an_instrument_no_run_begins(start):
    server = start.server("127.0.0.1:1", connected=False)
    assert_refused(server.post("/runs", json={"recipe": TINY}), 503, "Not connected to CTP10.")
    assert ok(server.get("/runs")) == {"runs": [], "next": None}


# Events


def events(server, run, headers=None, **params):
    """Server-sent events as a browser reads them."""
    with server.http.stream("GET", f"/runs/{run}/events", headers=headers, params=params) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        event = {}
        for line in response.iter_lines():
            if line == "" and event:
                yield {**event, "id": int(event["id"]) if "id" in event else None, "data": json.loads(event["data"])}
                event = {}
            elif line and not line.startswith(":"):
                name, value = line.split(":", 1)
                event[name] = value.removeprefix(" ")


def test_the_events_of_a_run_are_its_journal_and_end_with_finished(server, measured):
    told = list(events(server, measured))
    assert [event["data"] for event in told] == journal(server, measured)
    assert [event["id"] for event in told] == list(range(1, len(told) + 1))
    assert all(event["event"] == event["data"]["event"] for event in told)
    assert (told[0]["event"], told[-1]["event"]) == ("started", "finished")


@pytest.mark.parametrize("way", ["header", "query"])
def test_events_are_resumed_after_the_last_one_that_is_known(server, measured, way):
    whole = list(events(server, measured))
    for last in (0, 1, 7, len(whole) - 1):
        rest = (
            events(server, measured, headers={"Last-Event-ID": str(last)})
            if way == "header"
            else events(server, measured, after=last)
        )
        assert list(rest) == whole[last:]
    # Nothing is left: the stream ends.
    assert list(events(server, measured, after=len(whole))) == []


def test_whoever_follows_a_run_and_is_cut_off_again_and_again_misses_nothing_and_sees_nothing_twice(slow):
    run = slow.begin(RINGS)
    told, last, ended_with = [], 0, None
    while ended_with != "finished":
        with contextlib.closing(events(slow, run, headers={"Last-Event-ID": str(last)} if last else None)) as stream:
            for number, event in enumerate(stream):
                if event["id"] is None:
                    assert event["event"] == "progress"
                    continue
                told.append(event)
                last, ended_with = event["id"], event["event"]
                # Cut off, and here again.
                if number % 5 == 4:
                    break
    assert [event["id"] for event in told] == list(range(1, len(told) + 1))
    assert [event["data"] for event in told] == journal(slow, run)
    assert status(slow, run)["state"] == "done"


def test_whoever_follows_a_run_from_its_beginning_is_told_how_far_it_is(slow):
    run = slow.begin(RINGS, parameters={"turns": 1})
    told = list(events(slow, run))
    kept = [event for event in told if event["id"] is not None]
    assert [event["id"] for event in kept] == list(range(1, len(kept) + 1))
    progress = [event for event in told if event["event"] == "progress"]
    assert progress and all(event["id"] is None for event in progress)
    assert any(event["data"]["activity"] == "sweep" and event["data"]["done"] is not None for event in progress)
    assert told[-1]["event"] == "finished" and told[-1]["data"]["state"] == "done"


# Steering


def test_a_run_holds_before_its_next_operation_and_goes_on(server):
    recipe = "name: holds\nsteps:\n  - wait: 0.5\n  - log: after it\n  - wait: 0.1\n"
    run = server.begin(recipe)
    assert ok(server.post(f"/runs/{run}/pause"))["pause"] in ("asked", "held")
    until("it holds", lambda: status(server, run)["pause"] == "held")
    held = status(server, run)
    assert held["state"] == "running" and held["finished_steps"] <= 1
    # Asked twice it holds as before.
    assert ok(server.post(f"/runs/{run}/pause"))["pause"] == "held"
    assert ok(server.post(f"/runs/{run}/resume"))["run"] == run
    ended(server, run)
    kinds = [record["event"] for record in journal(server, run)]
    assert kinds.index("paused") < kinds.index("resumed") < kinds.index("log")


def test_an_open_question_is_shown_and_answered_with_one_of_its_choices(server):
    run = server.begin(ASKS)
    assert_refused(server.post(f"/runs/{run}/answer", json={"answer": "left"}), 409)
    # Held, until somebody is there to answer.
    ok(server.post(f"/runs/{run}/pause"))
    with server.http.stream("GET", f"/runs/{run}/events?attend=true") as attending:
        assert attending.status_code == 200
        ok(server.post(f"/runs/{run}/resume"))
        question = until("it asks", lambda: status(server, run)["question"])
        assert question["message"] == "Where does it go?" and question["choices"] == ["left", "right"]
        (problem,) = assert_problems(server.post(f"/runs/{run}/answer", json={"answer": "up"}))
        assert problem["loc"] == ["body", "answer"] and problem["input"] == "up"
        (problem,) = assert_problems(server.post(f"/runs/{run}/answer", json={}))
        assert problem["type"] == "missing"
        assert status(server, run)["question"] == question
        ok(server.post(f"/runs/{run}/answer", json={"answer": "right"}))
        until("it asks again", lambda: (status(server, run)["question"] or {}).get("message") == "And what is it?")
        ok(server.post(f"/runs/{run}/answer", json={"answer": "a ring, whatever else"}))
        ended(server, run)
    records = journal(server, run)
    assert [record["message"] for record in records if record["event"] == "log"] == ["it goes right"]
    answers = [(record["answer"], record["by_operator"]) for record in records if record["event"] == "answered"]
    assert answers == [("right", True), ("a ring, whatever else", True)]
    assert_refused(server.post(f"/runs/{run}/answer", json={"answer": "left"}), 409)


def test_unattended_a_question_takes_its_own_answer(server):
    recipe = 'name: asks\nsteps:\n  - prompt: { message: "Ready?", choices: [yes, no], unattended: "no" }\n'
    run = server.begin(recipe.replace("[yes, no]", '["yes", "no"]'), unattended=True)
    ended(server, run)
    answers = [record for record in journal(server, run) if record["event"] == "answered"]
    assert [(answer["answer"], answer["by_operator"]) for answer in answers] == [("no", False)]


ASKS_ONCE = 'name: asks\nsteps:\n  - wait: 0.3\n  - prompt: { message: "Ready?", unattended: go }\n'


def answers_of(server, run):
    return [(record["answer"], record["by_operator"]) for record in journal(server, run) if record["event"] == "answered"]


def test_a_page_that_closes_answers_nothing(server):
    run = server.begin(ASKS_ONCE, attend=True)
    with server.http.stream("GET", f"/runs/{run}/events?attend=true") as attending:
        assert attending.status_code == 200
    # Nobody is there any more, and the question waits all the same.
    assert until("it asks", lambda: status(server, run)["question"])["until"] is None
    assert answers_of(server, run) == []
    ok(server.post(f"/runs/{run}/answer", json={"answer": "yes"}))
    ended(server, run)
    assert answers_of(server, run) == [("yes", True)]


def test_a_run_that_nobody_attends_at_its_start_takes_its_own_answers(server):
    run = server.begin(ASKS_ONCE)
    ended(server, run)
    assert answers_of(server, run) == [("go", False)]


def test_a_run_that_somebody_looks_in_on_waits_for_an_answer(server):
    run = server.begin("name: asks\nsteps:\n  - wait: 0.3\n" + ASKS_ONCE.split("steps:\n")[1])
    ok(server.post(f"/runs/{run}/pause"))
    with server.http.stream("GET", f"/runs/{run}/events?attend=true") as attending:
        assert attending.status_code == 200
    ok(server.post(f"/runs/{run}/resume"))
    until("it asks", lambda: status(server, run)["question"])
    ok(server.post(f"/runs/{run}/answer", json={"answer": "yes"}))
    ended(server, run)
    assert answers_of(server, run) == [("yes", True)]


def test_a_bench_may_limit_how_long_a_question_waits(start, tmp_path):
    (tmp_path / "ctp10.toml").write_text("answer_wait_s = 1.5\n")
    server = start.server(start.simulator(), folder=tmp_path)
    run = server.begin(ASKS_ONCE, attend=True)
    question = until("it asks", lambda: status(server, run)["question"])
    assert question["until"] is not None
    ended(server, run)
    assert answers_of(server, run) == [("go", False)]


@pytest.mark.parametrize("now", [False, True])
def test_an_aborted_run_ends_as_such_with_the_lasers_off(slow, now):
    raw = slow.simulator.talk()
    run = slow.begin(LONG)
    until("it sweeps", lambda: (status(slow, run)["current"] or {}).get("activity") == "sweep")
    assert raw.lasers_on() == [1]
    assert ok(slow.post(f"/runs/{run}/abort", params={"now": now} if now else {}))["run"] == run
    found = ended(slow, run, "aborted")
    assert found["lasers_unknown"] == [] and found["reason"]
    assert raw.ask("STAT:OPER:COND?") == "0"
    assert raw.lasers_on() == []
    cleaned = any(record["event"] == "log" and record["message"] == "cleaning up" for record in journal(slow, run))
    assert cleaned is not now
    assert slow.get("/runs/current").status_code == 404
    for what in ["pause", "resume", "abort"]:
        assert_refused(slow.post(f"/runs/{run}/{what}"), 409)


def test_off_ends_the_run_and_turns_every_laser_off(slow):
    raw = slow.simulator.talk()
    run = slow.begin(LONG)
    until("it sweeps", lambda: (status(slow, run)["current"] or {}).get("activity") == "sweep")
    reply = ok(slow.post("/off"))
    shape = {"aborted": {True}, "lasers_off": [int], "lasers_unknown": [int], "run": {run}}
    assert_shape(reply, shape | {"instruments_safe": [str], "instruments_unknown": [str]})
    assert {1, 2} <= set(reply["lasers_off"]) and reply["lasers_unknown"] == []
    assert raw.lasers_on() == [] and raw.ask("STAT:OPER:COND?") == "0"
    assert ended(slow, run, "aborted")
    assert not any(record["event"] == "log" for record in journal(slow, run))


def test_off_works_without_a_run_and_says_what_it_cannot_know(slow, start):
    raw = slow.simulator.talk()
    raw.tell("CTP:RLAS1:POW:STAT ON", "CTP:RLAS2:POW:STAT ON")
    reply = ok(slow.post("/off"))
    assert (reply["aborted"], reply["run"], reply["lasers_unknown"]) == (True, None, [])
    assert raw.lasers_on() == []
    # A sweep by hand is stopped like any other.
    ok(slow.post("/measurement/sweep/start"))
    assert ok(slow.post("/off"))["aborted"] is True
    assert ok(slow.get("/measurement/sweep/status"))["is_complete"] is True
    absent = start.server("127.0.0.1:1", connected=False)
    reply = ok(absent.post("/off"))
    assert reply["aborted"] is False and reply["lasers_off"] == [] and 1 in reply["lasers_unknown"]


def test_the_instrument_is_told_at_a_glance(slow):
    shape = {
        "address": str,
        "connected": {True},
        "simulated": {True},
        "identity": str,
        "condition": (str, None),
        "condition_register": (int, None),
        "connections": {1, 2},
        "activity": (None, {"operation": str, "progress": (float, None), "eta_s": (float, None)}),
        "lasers": [{"laser": int, "identity": str, "on": bool, "power_dbm": float, "wavelength_nm": float}],
        "age_s": (float, None),
        "run": (str, None),
        "last_run": (str, None),
        "queue": (int, None),
        "store": None,
        "reason": (str, None),
    }
    until("the lasers are known", lambda: len(ok(slow.get("/instrument"))["lasers"]) == 2)
    found = ok(slow.get("/instrument"))
    assert_shape(known(found, shape), shape)
    assert found["address"] == slow.simulator.address and found["run"] is None
    run = slow.begin(LONG)
    until("it is seen to sweep", lambda: ok(slow.get("/instrument"))["activity"])
    sweeping = ok(slow.get("/instrument"))
    assert_shape(known(sweeping, shape), shape)
    assert sweeping["run"] == run and sweeping["activity"]["operation"] == "sweep"


# Traces


def test_the_traces_of_a_run_are_listed(server, measured):
    traces = ok(server.get(f"/runs/{measured}/traces"))["traces"]
    for trace in traces:
        assert_shape(known(trace, TRACE), TRACE)
    assert [(trace["trace_index"], trace["detector"], trace["trace"]) for trace in traces] == [
        (1, "4/1", "tf"),
        (2, "4/1", "tf"),
        (3, "4/2", "raw"),
    ]
    assert [trace["unit"] for trace in traces] == ["dB", "dB", "dBm"]
    assert traces[0]["points"] == 12_001 and traces[0]["name"] == "through"


def test_the_traces_of_a_run_come_in_pages(server, measured):
    first = ok(server.get(f"/runs/{measured}/traces?limit=2"))
    assert [trace["trace_index"] for trace in first["traces"]] == [1, 2] and first["next"] == 2
    last = ok(server.get(f"/runs/{measured}/traces?limit=2&after=2"))
    assert [trace["trace_index"] for trace in last["traces"]] == [3] and last["next"] is None
    assert server.get(f"/runs/{measured}/traces?limit=0").status_code == 422


@pytest.fixture(scope="module")
def stored(server, measured):
    """The first trace: what is told of it, its file, and its columns."""
    trace = ok(server.get(f"/runs/{measured}/traces"))["traces"][0]
    file = server.folder / status(server, measured)["folder"] / trace["file"]
    table = pyarrow.parquet.read_table(file)
    return (
        trace,
        file.read_bytes(),
        table["wavelength_nm"].to_numpy(),
        table["value"].to_numpy(),
        f"/runs/{measured}/traces/1",
    )


def test_parquet_is_the_stored_file(server, stored):
    trace, content, _, _, path = stored
    for response in [server.get(path), server.get(f"{path}.parquet"), server.get(path, headers={"Accept": "*/*"})]:
        assert response.status_code == 200 and response.content == content
        assert hashlib.sha256(response.content).hexdigest() == trace["sha256"]
        assert len(content) == int(response.headers["content-length"]) == trace["bytes"]
        assert response.headers["accept-ranges"] == "bytes"
        assert "attachment" in response.headers["content-disposition"]
    assert pyarrow.parquet.read_table(io.BytesIO(content)).num_rows == trace["points"]


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        ("bytes=0-3", slice(0, 4)),
        ("bytes=-8", slice(-8, None)),
        ("bytes=100-", slice(100, None)),
        ("bytes=100-199", slice(100, 200)),
        ("bytes=0-", slice(0, None)),
    ],
)
def test_parts_of_the_parquet_file_can_be_read(server, stored, wanted, part):
    _, content, _, _, path = stored
    response = server.get(f"{path}.parquet", headers={"Range": wanted})
    assert response.status_code == 206
    assert response.content == content[part]
    first = part.indices(len(content))[0]
    assert response.headers["content-range"] == f"bytes {first}-{first + len(response.content) - 1}/{len(content)}"


def test_a_part_that_is_not_there_is_refused(server, stored):
    _, content, _, _, path = stored
    for wanted in [f"bytes={len(content)}-", "bytes=-0"]:
        refused = server.get(f"{path}.parquet", headers={"Range": wanted})
        assert_refused(refused, 416, "shorter")
        assert refused.headers["content-range"] == f"bytes */{len(content)}"


@pytest.mark.parametrize(
    "wanted", ["items=0-1", "lines=1-2", "bytes=0-9,20-29", "bytes=abc", "bytes=9-5", "bytes=1-2x", "bytes", "0-9"]
)
def test_what_is_not_one_range_of_bytes_is_ignored(server, stored, wanted):
    _, content, _, _, path = stored
    response = server.get(f"{path}.parquet", headers={"Range": wanted})
    assert response.status_code == 200 and response.content == content


def test_a_range_may_be_longer_than_the_file_and_its_unit_is_compared_without_case(server, stored):
    _, content, _, _, path = stored
    for wanted in ["bytes=-9999999999", "BYTES=0-99999999999999999999999", "Bytes=00-"]:
        response = server.get(f"{path}.parquet", headers={"Range": wanted})
        assert response.status_code == 206 and response.content == content, wanted
    head = server.http.head(f"{path}.parquet", headers={"Range": "bytes=0-9"})
    assert head.status_code == 200 and int(head.headers["content-length"]) == len(content)


def test_a_download_is_resumed_only_if_the_file_is_still_the_same(server, stored):
    _, content, _, _, path = stored
    file = f"{path}.parquet"
    whole = server.get(file)
    tag, date = whole.headers["etag"], whole.headers["last-modified"]
    resumed = server.get(file, headers={"Range": "bytes=10-", "If-Range": tag})
    assert resumed.status_code == 206 and resumed.content == content[10:]
    # A date counts seconds, so two files may have the same one.
    for known in ['"old"', f"W/{tag}", tag.strip('"'), date, "*"]:
        for wanted in ["bytes=10-", f"bytes={len(content)}-"]:
            again = server.get(file, headers={"Range": wanted, "If-Range": known})
            assert again.status_code == 200 and again.content == content, (known, wanted)


def test_a_file_that_is_not_the_expected_one_is_refused_as_json(server, stored):
    refused = server.get(f"{stored[4]}.parquet", headers={"If-Match": '"old"'})
    assert_refused(refused, 412, "not the one")
    assert refused.headers["content-type"] == "application/json" and "content-disposition" not in refused.headers


def test_the_trace_is_given_as_arrow_csv_and_npy_with_the_same_values(server, stored):
    trace, _, nm, values, path = stored
    arrow = server.get(f"{path}.arrow")
    assert arrow.headers["content-type"].startswith("application/vnd.apache.arrow.stream")
    table = pyarrow.ipc.open_stream(arrow.content).read_all()
    assert numpy.array_equal(table["wavelength_nm"], nm) and numpy.array_equal(table["value"], values)
    assert table.schema.field("value").metadata[b"unit"].decode() == trace["unit"]

    csv = server.get(f"{path}.csv")
    assert csv.headers["content-type"].startswith("text/csv")
    frame = pandas.read_csv(io.StringIO(csv.text))
    assert list(frame.columns) == ["wavelength_nm", "value"]
    assert numpy.array_equal(frame.wavelength_nm, nm)
    assert numpy.array_equal(frame.value.to_numpy("f4"), values)

    npy = server.get(f"{path}.npy")
    assert len(npy.content) == int(npy.headers["content-length"])
    array = numpy.load(io.BytesIO(npy.content), allow_pickle=False)
    first, second = array.dtype.names
    assert array.dtype[first] == array.dtype[second] == numpy.dtype("<f8")
    assert numpy.array_equal(array[first], nm) and numpy.array_equal(array[second], values.astype("f8"))


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/csv", "text/csv"),
        ("application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.stream"),
        ("application/vnd.apache.parquet", "application/vnd.apache.parquet"),
        ("text/html, text/csv;q=0.9, */*;q=0.1", "text/csv"),
        ("*/*", "application/vnd.apache.parquet"),
    ],
)
def test_the_format_is_chosen_by_what_is_accepted(server, stored, accept, kind):
    *_, path = stored
    response = server.get(path, headers={"Accept": accept})
    assert response.status_code == 200 and response.headers["content-type"].startswith(kind)
    # A suffix says it more plainly.
    assert server.get(f"{path}.csv", headers={"Accept": accept}).headers["content-type"].startswith("text/csv")


VIEW = {
    "trace_index": int,
    "unit": {"dB"},
    "points": int,
    "from_nm": float,
    "to_nm": float,
    "wavelength_nm": [float],
    "min": [(float, None)],
    "max": [(float, None)],
}


@pytest.mark.parametrize("points", [1, 7, 100, 1000, 5000])
def test_a_view_keeps_the_deepest_dip_and_the_highest_value_in_however_few_pieces(server, stored, points):
    trace, _, nm, values, path = stored
    view = ok(server.get(f"{path}/view", params={"points": points}))
    assert_shape(known(view, VIEW), VIEW)
    assert (view["trace_index"], view["points"]) == (1, trace["points"])
    assert len(view["wavelength_nm"]) == len(view["min"]) == len(view["max"]) <= points
    assert numpy.float32(min(view["min"])) == values.min() and numpy.float32(max(view["max"])) == values.max()
    # The dip is where it is: in the piece of its wavelength.
    dip = numpy.searchsorted(view["wavelength_nm"], nm[values.argmin()], side="right") - 1
    assert numpy.float32(view["min"][dip]) == values.min()
    assert view["wavelength_nm"][0] == nm[0]
    assert view["min"][0] <= values[0] <= view["max"][0]


def test_a_small_window_shows_the_values_themselves(server, stored):
    _, _, nm, values, path = stored
    dip = int(values.argmin())
    window = slice(max(dip - 50, 0), dip + 51)
    view = ok(server.get(f"{path}/view", params={"from_nm": nm[window][0], "to_nm": nm[window][-1], "points": 1000}))
    assert view["wavelength_nm"] == list(nm[window])
    assert view["min"] == view["max"]
    assert numpy.array_equal(numpy.array(view["min"], "f4"), values[window])
    assert view["points"] == len(nm[window])


def test_a_view_of_nothing_is_empty_and_one_that_makes_no_sense_is_refused(server, stored):
    *_, path = stored
    empty = ok(server.get(f"{path}/view", params={"from_nm": 1600, "to_nm": 1610}))
    assert (empty["points"], empty["wavelength_nm"], empty["min"], empty["max"]) == (0, [], [], [])
    for wrong in [{"points": 0}, {"points": "many"}, {"from_nm": "x"}, {"to_nm": "nan"}]:
        (problem,) = assert_problems(server.get(f"{path}/view", params=wrong))
        assert problem["loc"] == ["query", *wrong]
    reversed_window = {"from_nm": 1610, "to_nm": 1600}
    assert_refused(server.get(f"{path}/view", params=reversed_window), 400, "from_nm 1610 is higher than to_nm 1600")


# What is not there, and what nobody may read


def test_what_is_not_there_says_so(server, measured):
    for path in [
        "/runs/nosuch",
        "/runs/nosuch/events",
        "/runs/nosuch/traces",
        "/runs/nosuch/traces/1",
        "/runs/current",
    ]:
        assert_refused(server.get(path), 404)
    for what in ["99", "0", "x", "1.xlsx", "1.parquet.csv", "-1", "1.", "99/view"]:
        assert_refused(server.get(f"/runs/{measured}/traces/{what}"), 404)
    for what in ["pause", "resume", "abort", "answer"]:
        assert_refused(server.post(f"/runs/nosuch/{what}", json={"answer": "x"}), 404)
    for path in ["recipes/nosuch.yaml", ""]:
        assert_refused(server.get("/recipes/text", params={"path": path}), 404)
        assert_refused(server.post("/runs", json={"path": path}), 404)


def test_a_run_is_named_as_on_the_command_line_but_not_by_a_path(server, measured):
    folder = ok(server.get("/runs", params={"limit": 1, "name": "rings"}))["runs"][0]["folder"]
    for name in [measured, measured[:5], "rings", pathlib.PurePath(folder).name]:
        for what in ["", "/traces", "/figures", "/traces/1/view"]:
            ok(server.get(f"/runs/{name}{what}"))
    # The newest run may be one without traces, of another test.
    newest = ok(server.get("/runs", params={"limit": 1}))["runs"][0]["run"]
    assert ok(server.get("/runs/last"))["run"] == newest
    assert ok(server.get("/runs/rings"))["name"] == "rings"
    assert ok(server.get("/runs/rings/figures"))["run"] in folder
    detail = assert_refused(server.get("/runs/ringz"), 404)
    assert "did you mean `rings`?" in detail and "`last`" in detail
    assert_refused(server.get(f"/runs/{quote(folder, safe='')}"), 404)


def test_without_an_active_run_current_says_so_everywhere(server, measured):
    until("no run is active", lambda: server.get("/runs/current").status_code == 404)
    for what in ["", "/report", "/traces", "/figures", "/events", "/archive"]:
        assert_refused(server.get(f"/runs/current{what}"), 404, "an active run does not exist")
    assert "`current`" in assert_refused(server.get("/runs/nosuch"), 404)


def test_a_recipe_that_is_not_there_names_the_folders_and_their_key(server):
    detail = assert_refused(server.post("/runs", json={"path": "recipes/ring.yaml"}), 404)
    assert "(`recipes`, `scripts`)" in detail and "`recipes` in ctp10.toml" in detail
    assert "did you mean `recipes/rings.yaml`?" in detail


def outside(server):
    (server.folder / "recipes" / "link.yaml").unlink(missing_ok=True)
    (server.folder / "recipes" / "link.yaml").symlink_to(server.folder / "secret.yaml")
    return [
        "secret.yaml",
        "./secret.yaml",
        "recipes/../secret.yaml",
        "recipes/./../secret.yaml",
        str(server.folder / "secret.yaml"),
        str(server.folder / "recipes" / ".." / "secret.yaml"),
        "recipes/link.yaml",
        "../../etc/passwd",
        "/etc/passwd",
        "recipes/../../../../../../etc/passwd",
        "recipes",
        "recipes/",
        "runs",
        "ctp10.toml",
        "recipes/tiny.yaml\0.txt",
        "file:///etc/passwd",
    ]


def test_no_file_beside_the_recipes_is_ever_read(server):
    for path in outside(server):
        assert_refused(server.get("/recipes/text", params={"path": path}), 404)
        for where in ["/check", "/plan", "/runs"]:
            assert_refused(server.post(where, json={"path": path}), 404)
    listed = [recipe["path"] for recipe in ok(server.get("/recipes"))["recipes"]]
    (server.folder / "recipes" / "link.yaml").unlink()
    # What cannot be run is not offered either.
    assert "recipes/link.yaml" not in listed


def test_a_recipe_text_includes_nothing_from_this_machine(server):
    for step in [
        "run_recipe: { path: secret.yaml }",
        "run_recipe: { path: recipes/tiny.yaml }",
        f"run_recipe: {{ path: {server.folder}/secret.yaml }}",
        "script: recipes/find_resonance.rhai",
        "script: /etc/passwd.rhai",
    ]:
        response = server.post("/check", json={"recipe": f"name: includes\nsteps:\n  - {step}\n"})
        assert ok(response)["errors"] > 0
        assert "nobody reads this" not in response.text


@pytest.mark.parametrize(
    "path",
    [
        "/runs/../../etc/passwd",
        "/runs/..%2f..%2fetc%2fpasswd",
        "/runs/%2e%2e/%2e%2e/etc/passwd",
        "/runs/%2fetc%2fpasswd",
        "/runs/..",
        "/runs/.",
        "/runs/{run}/traces/..%2frun.json",
        "/runs/{run}/traces/../run.json",
        "/runs/{run}/traces/..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/runs/{run}/traces/1.parquet%2f..%2f..%2frun.json",
        "/runs/{run}/../../secret.yaml",
        "/runs/{folder}%2frun.json",
        "/runs/%2e%2e%2f{run}/traces",
        "/assets/../secret.yaml",
        "/assets/..%2f..%2fsecret.yaml",
        "/assets/%2fetc%2fpasswd",
        "/secret.yaml",
        "/recipes/../secret.yaml",
        "/recipes/tiny.yaml",
        "/..%5c..%5csecret.yaml",
    ],
)
def test_no_path_leads_out_of_the_runs(server, measured, path):
    folder = status(server, measured)["folder"].rsplit("/", 1)[-1]
    wanted = path.format(run=measured, folder=folder)
    code, _, body = server.send(f"GET {wanted} HTTP/1.1", "Host: localhost")
    assert code in (400, 404, 422), (code, body[:200])
    assert b"detail" in body and b"root:" not in body and b"nobody reads this" not in body


def test_a_page_of_runs_looks_at_nothing_but_runs(server, measured):
    for before in ["../../etc", "/etc/passwd", "..", "\0"]:
        page = ok(server.get("/runs", params={"before": before}))
        assert all(run["folder"].startswith("runs/") or str(server.folder) in run["folder"] for run in page["runs"])


# The list of runs


def test_runs_are_listed_newest_first_page_by_page(start, tmp_path):
    simulator = start.simulator("--time-scale", "0.02")
    server = start.server(simulator, folder=tmp_path)
    assert ok(server.get("/runs")) == {"runs": [], "next": None}
    made = []
    for _ in range(5):
        made.insert(0, server.begin(TINY))
        ended(server, made[0])
    whole = ok(server.get("/runs"))
    assert whole["next"] is None
    for run in whole["runs"]:
        assert_shape(known(run, RUN), RUN)
    assert [run["started"] for run in whole["runs"]] == sorted([run["started"] for run in whole["runs"]], reverse=True)
    assert {run["run"] for run in whole["runs"]} == set(made)
    for limit in (1, 2, 5):
        paged, before = [], {}
        while before is not None:
            page = ok(server.get("/runs", params={"limit": limit, **before}))
            assert len(page["runs"]) <= limit
            paged += page["runs"]
            before = {"before": page["next"]} if page["next"] else None
        assert paged == whole["runs"]
    # A folder that is no run, or a damaged one, disturbs nobody.
    (tmp_path / "runs" / "zzz").mkdir()
    (tmp_path / "runs" / "zzzz").mkdir()
    (tmp_path / "runs" / "zzzz" / "run.json").write_text("{")
    assert ok(server.get("/runs"))["runs"] == whole["runs"]
    for wrong in [{"limit": 0}, {"limit": -1}, {"limit": "all"}]:
        assert_problems(server.get("/runs", params=wrong))


def test_runs_are_filtered_by_verdict_time_and_text(server, measured):
    run = measured

    def found(**query):
        return [listed["run"] for listed in ok(server.get("/runs", params={"limit": 500, **query}))["runs"]]

    assert run in found(text="ring-r10") and run in found(text="RINGS r10", until="2099-12-31")
    assert found(text="ring-r10 no-such-word") == found(until="2020-01-01") == found(verdict="fail,not measured") == []
    assert found(text="%") == found(text="_x_x_") == []
    for query, told in [({"verdict": "bad"}, "pass, marginal, not measured, fail"), ({"until": "later"}, "is no time")]:
        (problem,) = assert_problems(server.get("/runs", params=query))
        assert problem["loc"] == ["query", *query] and told in problem["msg"]
    assert_problems(server.get("/runs", params={"text": "x" * 201}))


def test_an_archive_has_all_files_of_a_run(server, measured):
    run = measured
    response = server.get(f"/runs/{run}/archive")
    assert response.status_code == 200 and response.headers["content-type"] == "application/zip"
    assert response.headers["content-disposition"] == f"attachment; filename={run}.zip"
    archive = zipfile.ZipFile(io.BytesIO(response.content))
    assert archive.testzip() is None
    (folder,) = (server.folder / "runs").glob(f"*_{run}")
    files = {str(path.relative_to(folder.parent)) for path in folder.rglob("*") if path.is_file()}
    assert set(archive.namelist()) == {file for file in files if not file.endswith(("/lock", "/.reserve"))}
    for name in archive.namelist():
        assert archive.read(name) == (folder.parent / name).read_bytes(), name
    assert_refused(server.get("/runs/nothing/archive"), 404)


def test_an_archive_of_a_run_in_progress_has_the_traces_of_its_journal(slow):
    run = slow.begin(RINGS.replace("default: 2", "default: 5"))
    until("a trace is stored", lambda: status(slow, run)["traces"])
    archive = zipfile.ZipFile(io.BytesIO(slow.get(f"/runs/{run}/archive").content))
    slow.post(f"/runs/{run}/abort")
    ended(slow, run, "aborted", "done")
    assert archive.testzip() is None and not any(".part" in name for name in archive.namelist())
    (name,) = (name for name in archive.namelist() if name.endswith("journal.jsonl"))
    lines = archive.read(name).decode().splitlines()
    events = [json.loads(line) for line in lines]
    stored = [event["trace"]["file"] for event in events if event["event"] == "trace_stored"]
    assert stored and {f"{name.split('/')[0]}/{file}" for file in stored} <= set(archive.namelist())


def test_past_runs_are_there_after_a_restart(start, tmp_path):
    simulator = start.simulator("--time-scale", "0.02")
    server = start.server(simulator, folder=tmp_path)
    run = server.begin(RINGS)
    ended(server, run)
    paths = [f"/runs/{run}", f"/runs/{run}/traces", f"/runs/{run}/traces/1/view", f"/runs/{run}/traces/1.csv", "/runs"]
    before = {path: server.get(path) for path in paths}
    told = list(events(server, run))
    assert server.process.poll() is None
    server.stop()
    assert server.process.returncode == 0
    server.start()
    for path, response in before.items():
        again = server.get(path)
        assert again.status_code == 200
        assert again.content == response.content, path
    assert list(events(server, run)) == told
    assert server.get("/runs/current").status_code == 404
    assert server.post(f"/runs/{run}/abort").status_code in (404, 409)


def test_a_run_whose_server_was_killed_is_told_as_interrupted(start, tmp_path):
    simulator = start.simulator()
    server = start.server(simulator, folder=tmp_path)
    run = server.begin(LONG)
    until("it sweeps", lambda: (status(server, run)["current"] or {}).get("activity") == "sweep")
    server.kill()
    server.start()
    found = status(server, run)
    assert found["state"] == "interrupted" and found["current"] is None
    assert [listed["status"] for listed in ok(server.get("/runs"))["runs"]] == ["interrupted"]
    assert not any(node["state"] == "running" for node in nodes(found["tree"]))
    # Its events end, though it never finished.
    assert [event["id"] for event in events(server, run)] == [record["n"] for record in journal(server, run)]


# Beside the runs


FIGURES = {
    "ctp10_exchanges_total": "counter",
    "ctp10_exchange_wait_seconds": "histogram",
    "ctp10_exchange_wire_seconds": "histogram",
    "ctp10_http_refused_total": "counter",
    "ctp10_runs_total": "counter",
    "ctp10_streams": "gauge",
    "ctp10_instrument_errors_total": "counter",
}


def test_metrics_are_figures_that_prometheus_reads(server, measured):
    server.get("/nothing")
    server.post("/tls/1/config", json={"identifier": 9})
    with server.watch("/ws/power") as power:
        power.first("data")
        response = server.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", response.text, re.MULTILINE))
    assert FIGURES.items() <= kinds.items()
    sample = re.compile(r'^[a-z_][a-z0-9_]*(\{([a-z_]+="[^"]*",?)*\})? -?[0-9.e+-]+(inf|nan)?$', re.IGNORECASE)
    lines = [line for line in response.text.splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if not sample.match(line)] == []
    values = dict(line.rsplit(" ", 1) for line in lines)
    assert values['ctp10_streams{kind="power"}'] == "1"
    assert float(values['ctp10_http_refused_total{status="404"}']) >= 1
    assert float(values['ctp10_runs_total{status="done"}']) >= 1


def test_every_documented_figure_is_there_before_anything_was_counted(start):
    """An alert on a counter that appears with its first event misses that event."""
    documented = set(re.findall(r"`(ctp10_[a-z_]+)`", (ROOT / "docs" / "operation.md").read_text()))
    assert documented >= FIGURES.keys()
    server = start.server(start.simulator())
    shown = set(re.findall(r"^# TYPE (\S+)", server.get("/metrics").text, re.MULTILINE))
    assert documented - shown == set()


def test_raw_commands_are_there_only_where_the_configuration_says_so(server, start, tmp_path):
    assert_refused(server.post("/scpi", json={"query": "*IDN?"}), 404)
    (tmp_path / "ctp10.toml").write_text("allow_scpi = true\n")
    simulator = start.simulator()
    allowing = start.server(simulator, folder=tmp_path)
    assert ok(allowing.post("/scpi", json={"query": "*IDN?"}))["reply"] == simulator.talk().ask("*IDN?")
    assert ok(allowing.post("/scpi", json={"command": "INIT:TLS1:SPE 20"}))["success"] is True
    assert simulator.talk().ask("INIT:TLS1:SPE?") == "20"
    assert_refused(allowing.post("/scpi", json={"command": "INIT:TLS1:SPE 21"}), 502, "-222")
    for body in [{}, {"query": "*IDN?", "command": "*CLS"}, {"query": "*CLS"}, {"command": "*CLS\nABOR"}]:
        assert_refused(allowing.post("/scpi", json=body), 400)


def test_a_run_goes_on_whatever_its_clients_ask_and_however_they_leave(slow):
    run = slow.begin(RINGS)
    for _ in range(10):
        with contextlib.suppress(httpx.HTTPError), slow.client(timeout=0.001) as hasty:
            hasty.get("/tls/1/config")
        slow.get("/nothing")
        slow.post("/runs", content=b"\xff\xfe{")
        slow.get(f"/runs/{run}/traces/1.csv")
    ended(slow, run)
