"""The JSON Schema that editors get, judged by a validator that is not ours."""

import json

import jsonschema
import pytest
import yaml

from conftest import ROOT, ctp10


@pytest.fixture(scope="module")
def validator():
    schema = json.loads(ctp10("schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("recipe", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda path: path.name)
def test_every_shipped_recipe_is_valid(validator, recipe):
    assert [error.message for error in validator.iter_errors(yaml.safe_load(recipe.read_text()))] == []


@pytest.mark.parametrize(
    "step",
    [
        {"swep": None},
        {"configure_tls": {"tls": 5}},
        {"configure_scan": {"start": 1520}},
        {"sweep": {}, "log": "two at once"},
        {"fetch_trace": {"detector": "4/1", "traces": "all"}},
    ],
    ids=str,
)
def test_a_wrong_step_is_not(validator, step):
    assert not validator.is_valid({"name": "wrong", "steps": [step]})


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({"configure_tls": {"tls": 5}}, "5 is greater than the maximum of 4"),
        ({"fetch_trace": {"detector": "4/1", "trace": "tff"}}, "'tff' is not one of"),
        ({"sweep": {"start": 1520}}, "'start' was unexpected"),
        ("swep", "'sweep' was expected"),
        ({"wait": ["10"]}, "is not of type"),
    ],
    ids=str,
)
def test_an_editor_says_what_is_wrong_with_a_step(validator, step, said):
    messages = [error.message for error in validator.iter_errors({"name": "wrong", "steps": [step]})]
    assert any(said in message for message in messages), messages
    assert not any("under any of the given schemas" in message for message in messages), messages


@pytest.fixture(scope="module")
def of_batches():
    schema = json.loads((ROOT / "docs" / "batch.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"defaults": {"on_failure": "halt"}}, "'halt' is not one of ['continue', 'stop'"),
        ({"items": [{"recipe": "r.yaml", "on_failure": "halt"}]}, "'halt' is not one of"),
        ({"items": [{"recipe": "r.yaml", "devices": 5}]}, "5 is not of type 'string', 'array'"),
        ({"items": [{"recipe": "r.yaml", "retry": {"time": 2}}]}, "'time' was unexpected"),
        ({"notify": {"url": "https://h/", "on": ["always"]}}, "'always' is not one of ['failure', 'done']"),
        ({"items": []}, "[] should be non-empty"),
    ],
    ids=str,
)
def test_an_editor_says_what_is_wrong_with_a_batch(of_batches, change, said):
    good = {"name": "night", "items": [{"recipe": "r.yaml"}]}
    assert [error.message for error in of_batches.iter_errors(good)] == []
    messages = [error.message for error in of_batches.iter_errors({**good, **change})]
    assert any(said in message for message in messages), messages
    assert not any("any of the given schemas" in message for message in messages), messages
