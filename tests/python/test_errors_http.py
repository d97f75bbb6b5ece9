"""Every refusal is JSON with `detail`, whatever is wrong with a request, and wherever it is refused."""

import itertools
import re

import pytest
from conftest import assert_problems, assert_refused, ok

TOKEN = "the-token-of-this-bench"
READ = "a-token-for-the-wall"
FULL = {"Authorization": f"Bearer {TOKEN}"}
# Not in the document: the pages, their files, and the WebSockets.
PAGES = ["/assets/{name}", "/wall", "/docs", "/openapi.json", "/redoc"]
WEBSOCKETS = ["/ws/power", "/ws/v2/power", "/ws/health", "/ws/v2/health"]


@pytest.fixture(scope="module")
def server(started):
    return started.server("127.0.0.1:1", connected=False, CTP10_TOKEN=TOKEN, CTP10_READ_TOKEN=READ)


@pytest.fixture(scope="module")
def operations(server):
    paths = ok(server.get("/openapi.json", headers=FULL))["paths"]
    described = [(method.upper(), path) for path, item in paths.items() for method in item]
    return [*described, *(("GET", path) for path in [*PAGES, *WEBSOCKETS])]


JSON, FORM = "application/json", "application/x-www-form-urlencoded"
QUERIES = ["", "?module=x&channel=99&trace_type=-1&limit=all&interval=0&after=&to=%ff&points=0", "?to=/a&to=/b&wait=maybe&x=%zz"]
BODIES = [
    (b"", None),
    (b"[]", JSON),
    (b'"x"', JSON),
    (b"{", JSON),
    (b"\xff\xfe", JSON),
    (b'{"token": 1}', JSON),
    (b"tokem=x", FORM),
    (b"%ff=%zz", FORM),
    (b"text", "text/plain"),
]
PARTS = ["nosuch", "0", "%ff", "a%00b"]


def assert_told(response, request):
    """A reply below 400 is not the matter of this test, and a stream would not end."""
    if response.status_code < 400:
        return
    response.read()
    assert response.headers["content-type"] == "application/json", (request, response.text)
    (detail,) = response.json().values()
    assert list(response.json()) == ["detail"] and isinstance(detail, (str, list)) and detail, (request, response.text)


def test_every_route_refuses_bad_queries_paths_and_bodies_as_json(server, operations):
    for method, path in operations:
        parts = PARTS if "{" in path else [""]
        bodies = BODIES if method == "POST" else BODIES[:1]
        for part, query, (body, kind) in itertools.product(parts, QUERIES, bodies):
            target = re.sub(r"\{\w+\}", part, path) + query
            headers = {**FULL, **({"Content-Type": kind} if kind else {})}
            with server.http.stream(method, target, headers=headers, content=body) as response:
                assert_told(response, (method, target, body[:20], kind))


def test_every_route_refuses_strangers_and_other_methods_as_json(server, operations):
    for method, path in operations:
        target = re.sub(r"\{\w+\}", "1", path)
        for headers in [{}, {"Authorization": "Bearer wrong"}, {**FULL, "Origin": "http://evil.example"}]:
            with server.http.stream(method, target, headers=headers) as response:
                assert response.status_code >= 400 or target in ("/login", "/logout"), (method, target)
                assert_told(response, (method, target, headers))
        for other in ["PUT", "DELETE", "PATCH"]:
            refused = server.http.request(other, target, headers=FULL)
            assert_refused(refused, 405, "method")
            assert method in refused.headers["allow"], target


def test_a_login_that_is_no_form_is_refused_as_json(server):
    assert_refused(server.post("/login", json={"token": TOKEN}), 415, "application/x-www-form-urlencoded")
    (problem,) = assert_problems(server.post("/login", data={"tokem": "x"}))
    assert (problem["type"], problem["loc"]) == ("missing", ["body", "token"])
    assert_refused(server.post("/login", data={"token": "wrong"}), 401, "token")
    # A person gets the page again.
    page = server.post("/login", data={"token": "wrong"}, headers={"Accept": "text/html"})
    assert page.status_code == 401 and 'role="alert"' in page.text


@pytest.mark.parametrize("path", WEBSOCKETS)
def test_a_websocket_without_an_upgrade_is_refused_as_json(server, path):
    assert_refused(server.get(path, headers=FULL), 400, "Connection")


@pytest.mark.parametrize("given", [[], [1, 2], "x", 4, True])
def test_the_problem_of_a_body_that_is_no_object_has_the_body(server, given):
    for path in ["/tls/1/config", "/check"]:
        (problem,) = assert_problems(server.post(path, json=given, headers=FULL))
        assert (problem["loc"], problem["input"]) == (["body"], given)


def test_a_problem_has_the_value_that_is_wrong(server):
    for name, value in [("verdict", "bad"), ("until", "later"), ("where", "no condition =")]:
        (problem,) = assert_problems(server.get("/runs", params={name: value}, headers=FULL))
        assert (problem["loc"], problem["input"]) == (["query", name], value)
    exact = assert_problems(server.post("/check", content=b'{"parameters": {"id": 202411090210450001}}', headers=FULL))
    assert exact[0]["input"] == "202411090210450001"


def test_a_request_without_a_host_is_a_bad_request(server, started):
    """Also where no token is needed, and where a proxy would choose the host."""
    for one in [server, started.server("127.0.0.1:2", connected=False)]:
        status, headers, body = one.send("GET /health HTTP/1.1", f"Authorization: Bearer {TOKEN}")
        assert status == 400 and headers["content-type"] == "application/json" and b"`Host`" in body
    assert one.send("GET /health HTTP/1.1", "Host: elsewhere.example")[0] == 403
