"""The OpenAPI document, and the pages that show it."""

import re
from html.parser import HTMLParser

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from conftest import ok

# Every path and method of the contract.
CONTRACT = """
GET /
GET /health
POST /connection/connect
POST /connection/disconnect
GET /connection/status
GET /connection/condition
POST /connection/check_errors
GET /detector/snapshot
GET POST /detector/wavelength
GET POST /detector/config
GET POST /detector/stabilization
POST /detector/reference
GET /detector/reference/result
GET /detector/trace/metadata
GET /detector/trace/data
GET /detector/trace/binary
POST /measurement/sweep/start
POST /measurement/sweep/abort
GET /measurement/sweep/status
GET /measurement/status/referencing
GET POST /measurement/sweep/wavelengths
GET POST /measurement/resolution
GET POST /measurement/stabilization
GET POST /measurement/config
GET POST /tls/{}/config
GET POST /tls/{}/wavelength
GET POST /tls/{}/power
GET POST /tls/{}/speed
GET POST /tls/{}/trigger
GET POST /rlaser/{}/config
GET /rlaser/{}/id
GET POST /rlaser/{}/power
GET POST /rlaser/{}/wavelength
GET /rlaser/{}/state
POST /rlaser/{}/on
POST /rlaser/{}/off
GET /instrument
GET /recipes
GET /recipes/text
POST /check
POST /plan
GET POST /runs
GET /runs/current
GET /runs/{}
GET /runs/{}/events
GET /runs/{}/archive
GET /session
GET POST /login
POST /logout
POST /runs/{}/pause
POST /runs/{}/resume
POST /runs/{}/abort
POST /runs/{}/answer
GET /runs/{}/traces
GET /runs/{}/traces/{}
GET /runs/{}/traces/{}/view
POST /off
POST /scpi
GET /metrics
"""
ROWS = [(method, words[-1]) for words in map(str.split, CONTRACT.split("\n")) for method in words[:-1]]
DETECTOR = {"module": (1, 20), "channel": (1, 6)}
TRACE = {**DETECTOR, "trace_type": (1, 23)}
# Query parameters with their ranges, where they have one.
PARAMETERS = {
    ("GET", "/detector/snapshot"): {"module": (1, 20)},
    ("GET", "/detector/wavelength"): DETECTOR,
    ("POST", "/detector/wavelength"): {**DETECTOR, "wavelength_nm": (1240, 1680)},
    ("GET", "/detector/config"): DETECTOR,
    ("POST", "/detector/config"): DETECTOR,
    ("POST", "/detector/reference"): {**DETECTOR, "wait": None},
    ("GET", "/detector/reference/result"): DETECTOR,
    ("GET", "/detector/trace/metadata"): TRACE,
    ("GET", "/detector/trace/data"): TRACE,
    ("GET", "/detector/trace/binary"): TRACE,
    ("POST", "/measurement/sweep/start"): {"wait": None},
    ("POST", "/measurement/resolution"): {"resolution_pm": None},
    ("POST", "/measurement/stabilization"): {"output": None, "duration_seconds": None},
    ("POST", "/tls/{}/wavelength"): {"start_nm": None, "stop_nm": None},
    ("POST", "/tls/{}/power"): {"power_dbm": None},
    ("POST", "/tls/{}/speed"): {"speed_nmps": None},
    ("POST", "/tls/{}/trigger"): {"trigin": None},
    ("POST", "/rlaser/{}/power"): {"power_dbm": None},
    ("POST", "/rlaser/{}/wavelength"): {"wavelength_nm": None},
    ("GET", "/runs"): dict.fromkeys(["limit", "before", "where", "name", "batch", "status", "verdict", "since", "until", "text"]),
    ("GET", "/runs/{}/traces/{}/view"): {"from_nm": None, "to_nm": None, "points": None},
}


@pytest.fixture(scope="module")
def server(started):
    return started.server("127.0.0.1:1", connected=False)


@pytest.fixture(scope="module")
def document(server):
    return ok(server.get("/openapi.json"))


@pytest.fixture(scope="module")
def operations(document):
    def plain(path):
        return re.sub(r"\{[^}]*\}", "{}", path)

    return {
        (method.upper(), plain(path)): {
            **operation,
            "parameters": [*operation.get("parameters", []), *item.get("parameters", [])],
        }
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in ("get", "post", "put", "delete", "patch")
    }


def test_the_document_is_valid_openapi_3_1(document):
    assert document["openapi"].startswith("3.1.")
    problems = [f"{list(error.path)}: {error.message}" for error in OpenAPIV31SpecValidator(document).iter_errors()]
    assert problems == []


@pytest.mark.parametrize(("method", "path"), ROWS)
def test_every_path_and_method_of_the_contract_is_in_the_document(operations, method, path):
    assert (method, path) in operations


def test_every_operation_says_in_words_what_it_does(operations):
    assert [
        key for key, operation in operations.items() if not (operation.get("summary") or operation.get("description"))
    ] == []


@pytest.mark.parametrize(("row", "parameters"), PARAMETERS.items(), ids=[" ".join(row) for row in PARAMETERS])
def test_query_parameters_are_in_the_document_with_their_ranges(operations, row, parameters):
    found = {parameter["name"]: parameter for parameter in operations[row]["parameters"] if parameter["in"] == "query"}
    assert set(found) == set(parameters)
    for name, limits in parameters.items():
        schema = found[name]["schema"]
        assert limits is None or (schema["minimum"], schema["maximum"]) == limits


def ok_text(reply):
    assert reply.status_code == 200
    return reply.text


class References(HTMLParser):
    """The files that a page loads, and the scripts in the page itself."""

    def __init__(self):
        super().__init__()
        self.found, self.scripts = [], []

    def handle_starttag(self, tag, attributes):
        self.found += [
            value for name, value in attributes if name in ("src", "href", "srcset", "data", "action") and value
        ]
        if tag == "script" and "src" not in dict(attributes):
            self.scripts.append(dict(attributes))


def test_the_page_consists_of_files_of_this_server(server):
    page = server.get("/docs")
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    references = References()
    references.feed(page.text)
    assert references.found and references.scripts == []
    texts = [ok_text(server.get(f"/{reference}")) for reference in references.found]
    assert any("'openapi.json'" in text for text in texts)
    assert all(re.findall(r"url\(['\"]?(?:https?:)?//[^)]*\)", text) == [] for text in texts)
    # The library fetches a badge from another host, unless it is told not to.
    assert any(re.search(r"validatorUrl:\s*null", text) for text in texts)


def test_the_page_may_run_only_the_scripts_of_this_server(server):
    policy = dict(part.split(maxsplit=1) for part in server.get("/docs").headers["content-security-policy"].split(";"))
    assert policy["script-src"] == policy["connect-src"] == "'self'" and "http" not in str(policy)


def test_a_file_of_the_page_is_the_same_with_and_without_compression(server):
    for path in ["/docs", "/assets/docs.js", "/assets/swagger-ui.css"]:
        packed = server.get(path, headers={"Accept-Encoding": "gzip"})
        plain = server.get(path, headers={"Accept-Encoding": "gzip;q=0, *;q=0.1"})
        assert packed.headers["content-encoding"] == "gzip" and "content-encoding" not in plain.headers
        assert packed.text == plain.text != ""
        # A cache may not take the bytes of one encoding for those of the other.
        tags = {"gzip": packed.headers["etag"], "identity": plain.headers["etag"]}
        assert tags["gzip"] != tags["identity"]
        for encoding, tag in tags.items():
            for known, status in [(tag, 304), (f'W/{tag}, "other"', 304), ("*", 304), (f"{tag[:-2]}\"", 200)]:
                again = server.get(path, headers={"If-None-Match": known, "Accept-Encoding": encoding})
                assert again.status_code == status, (known, encoding)
                assert (again.content == b"") == (status == 304)


def test_the_other_address_of_the_page_leads_to_it(server):
    other = server.get("/redoc")
    assert other.status_code in (301, 308) and other.headers["location"] == "/docs"
