"""Who may do what: the read-only token, sessions of browsers, and the server behind a proxy with a path prefix."""

import contextlib
import itertools
import json
import pathlib
import re

import httpx
import pytest
from conftest import HOME, assert_refused, assert_shape, ctp10, ok, until
from package import at_home  # noqa: F401
from proxied import Nginx, PrefixProxy, nginx_program

TOKEN = "the-token-of-this-bench"
READ = "a-token-for-the-wall"
FULL = {"Authorization": f"Bearer {TOKEN}"}
LOOK = {"Authorization": f"Bearer {READ}"}
SWEEP = """
name: sweep
steps:
  - configure_scan: { start_nm: 1545, stop_nm: 1550, resolution_pm: 10 }
  - sweep:
  - fetch_trace: { detector: 4/1, trace: raw }
"""
# Every operation that the read-only token allows. All others are refused: whoever adds one decides here.
READABLE = """
GET /
GET /session
GET /health
GET /connection/status
GET /instrument
GET /power
GET /runs
GET /runs/current
GET /runs/{id}
GET /runs/{id}/archive
GET /runs/{id}/events
GET /runs/{id}/report
GET /runs/{id}/figures
GET /runs/{id}/wafer
GET /runs/{id}/traces
GET /runs/{id}/traces/{trace}
GET /runs/{id}/traces/{trace}/view
GET /batch
GET /batch/report
"""
READABLE = {tuple(line.split()) for line in READABLE.strip().splitlines()}


PORTS = itertools.count(1)


def no_instrument():
    """An address where nobody listens, another one for each server: only one program may use an address."""
    return f"127.0.0.1:{next(PORTS)}"


def with_tokens(start, instrument, *arguments, **options):
    return start.server(instrument, *arguments, connected=False, CTP10_TOKEN=TOKEN, CTP10_READ_TOKEN=READ, **options)


@pytest.fixture(scope="module")
def server(started):
    server = with_tokens(started, started.simulator("--time-scale", "0.02"))
    until("the instrument is connected", lambda: ok(server.get("/health", headers=FULL))["connected"])
    return server


@pytest.fixture(scope="module")
def run(server):
    """A run that is done."""
    started = server.post("/runs", json={"recipe": SWEEP}, headers=FULL).json()["run"]
    until("the run has ended", lambda: ok(server.get(f"/runs/{started}", headers=LOOK))["state"] == "done")
    return started


@pytest.fixture(scope="module")
def document(server):
    return ok(server.get("/openapi.json", headers=FULL))


def operations(document):
    return {(method.upper(), path): entry for path, item in document["paths"].items() for method, entry in item.items()}


# The read-only token


def test_only_the_login_and_its_end_need_no_token(document):
    open_to_all = {key for key, entry in operations(document).items() if {} in entry["security"]}
    assert open_to_all == {("GET", "/login"), ("POST", "/login"), ("POST", "/logout")}


def test_every_operation_says_whether_the_read_only_token_allows_it(document):
    allowed = {key for key, entry in operations(document).items() if {"readOnlyToken": []} in entry["security"]}
    assert allowed == READABLE


def test_every_operation_is_allowed_or_refused_as_its_description_says(server, document, run):
    for (method, path), entry in operations(document).items():
        if entry["security"] == [{}]:
            continue
        given = {"id": run, "trace": "1", "channel": "1", "laser_number": "1", "number": "1"}
        target = re.sub(r"\{(\w+)\}", lambda name: given[name[1]], path)
        with server.http.stream(method, target, headers=LOOK) as response:
            if (method, path) in READABLE:
                assert response.status_code in (200, 404), (method, target, response.status_code)
            else:
                response.read()
                assert_refused(response, 403, "read-only token", f"`{method} {target}`")
        # HEAD is GET without a body, and no other method is a way around.
        assert server.http.head(target, headers=LOOK).status_code in (200, 403, 404, 405)
        assert server.http.put(target, headers=LOOK).status_code == 403
    assert ok(server.get("/session", headers=LOOK)) == {"access": "read_only", "logged_in": False, "expires": None}
    assert ok(server.get("/session", headers=FULL))["access"] == "full"


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer ", "bEaReR"])
def test_the_scheme_of_the_token_is_compared_without_case(server, scheme):
    ok(server.get("/session", headers={"Authorization": f"{scheme} {TOKEN}"}))
    assert_refused(server.get("/session", headers={"Authorization": f"{scheme} wrong"}), 401)


@pytest.mark.parametrize("value", [TOKEN, f"Basic {TOKEN}", f"Bearer{TOKEN}", "Bearer", f"Token Bearer {TOKEN}"])
def test_only_a_bearer_token_is_accepted(server, value):
    assert_refused(server.get("/session", headers={"Authorization": value}), 401, "Authorization: Bearer")


def test_pages_and_websockets_are_open_to_the_read_only_token(server):
    for path in ["/", "/wall", "/assets/app.js", "/docs", "/openapi.json"]:
        assert server.get(path, headers={"Accept": "text/html", **LOOK}).status_code == 200, path
    for path in ["/ws/power", "/ws/v2/power", "/ws/health", "/ws/v2/health"]:
        assert server.upgrade(path, **LOOK) == 101
    assert server.get("/nothing", headers=LOOK).status_code == 404


def test_with_the_read_only_token_nobody_answers_questions(server, run):
    with server.http.stream("GET", f"/runs/{run}/events", headers=LOOK) as response:
        assert response.status_code == 200
    for attend in ["true", "1", "yes"]:
        assert_refused(server.get(f"/runs/{run}/events?attend={attend}", headers=LOOK), 403, "attend")
    assert_refused(server.post(f"/runs/{run}/answer", json={"answer": "x"}, headers=LOOK), 403, "read-only token")


def test_the_read_only_token_sends_no_query_of_its_own(start, tmp_path):
    simulator = start.simulator()
    server = with_tokens(start, simulator, folder=tmp_path / "server")
    until("the instrument is connected", lambda: ok(server.get("/health", headers=LOOK))["connected"])
    before = len(simulator.commands())
    for _ in range(5):
        known = ok(server.get("/instrument", headers=LOOK))
        for path in ["/connection/status", "/runs", "/batch", "/detector/snapshot", "/tls/1/config"]:
            server.get(path, headers=LOOK)
    assert len(simulator.commands()) == before and known["connected"] and known["age_s"] is None
    # What somebody else has asked is shown.
    until("the lasers are known", lambda: ok(server.get("/instrument", headers=FULL))["lasers"])
    assert len(ok(server.get("/instrument", headers=LOOK))["lasers"]) == 2


def test_a_read_only_token_needs_a_token_beside_it_and_another_one(tmp_path):
    for name, text in [("token", TOKEN), ("read", READ), ("weak", "short")]:
        (tmp_path / name).write_text(text)
    for files, told in [
        (["--read-token-file", "read"], "there is a read-only token, but no token"),
        (["--token-file", "token", "--read-token-file", "token"], "is the same as the token"),
        (["--token-file", "token", "--read-token-file", "weak"], "read-only token must have at least 16"),
        (["--token-file", "token", "--read-token-file", "missing"], "cannot read the token file `missing`"),
    ]:
        ended = ctp10("serve", "--instrument", "127.0.0.1:1", "--listen", "127.0.0.1:0", *files, cwd=tmp_path)
        assert ended.returncode == 2 and told in ended.stderr, ended.stderr


def test_python_reads_runs_with_the_read_only_token(server, run, tmp_path):
    import ctp10 as package

    with package.connect(server.url, token=READ) as bench:
        (found,) = bench.runs(name="sweep")
        assert found.id == run and len(found.traces[0].to_pandas()) == 501
        assert found.download(tmp_path).status == "done"
        assert next(bench.power())["type"] == "data"
        for refused in [lambda: bench.submit(SWEEP), bench.off, lambda: bench.check(SWEEP)]:
            with pytest.raises(package.RequestError, match="read-only token"):
                refused()


# Sessions


def log_in(server, token=TOKEN, url="", **options):
    browser = server.client(headers={"Accept": "text/html,*/*"}, **options)
    reply = browser.post(f"{url}/login", data={"token": token})
    assert reply.status_code == 303, reply.text
    return browser, reply


def cookie_of(reply):
    """Name, value and attributes."""
    first, *attributes = reply.headers["set-cookie"].split("; ")
    return (*first.split("=", 1), attributes)


def test_a_browser_gets_a_session_that_survives_a_restart_and_ends_with_a_logout(start, tmp_path):
    server = with_tokens(start, no_instrument(), folder=tmp_path)
    browser, reply = log_in(server)
    name, value, attributes = cookie_of(reply)
    assert name == f"ctp10_session_{server.port}" and len(value) == 64
    assert attributes == ["Path=/", "Max-Age=2592000", "HttpOnly", "SameSite=Strict"]
    shape = {"access": {"full"}, "logged_in": {True}, "expires": str}
    assert_shape(ok(browser.get("/session")), shape)
    assert TOKEN not in reply.text + str(reply.headers)
    (file,) = pathlib.Path(HOME.name).rglob(f"sessions-127.0.0.1_{server.port}.json")
    assert file.stat().st_mode & 0o777 == 0o600
    assert value not in file.read_text() and TOKEN not in file.read_text()
    server.stop()
    server.start()
    shown = {"Cookie": f"{name}={value}"}
    ok(server.get("/session", headers=shown))
    assert server.upgrade("/ws/health", Cookie=f"other=1; {name}={value}") == 101
    out = server.post("/logout", headers=shown)
    assert out.status_code == 303 and out.headers["location"] == "/login"
    assert "Max-Age=0" in out.headers["set-cookie"]
    assert_refused(server.get("/session", headers=shown), 401)
    # Whoever has no session loses nothing.
    assert server.post("/logout").status_code == 303


def test_a_logout_ends_the_open_streams_of_the_session_and_no_others(server):
    sessions = []
    for _ in range(2):
        with server.client() as browser:
            sessions.append(dict(zip(["name", "value"], cookie_of(browser.post("/login", data={"token": READ})))))
    one, other = ({"Cookie": "{name}={value}".format(**session)} for session in sessions)
    paths = ["/ws/power", "/ws/health"]
    streams = [server.watch(path, additional_headers=shown) for shown in (one, other, FULL) for path in paths]
    with contextlib.ExitStack() as stack:
        watched = [stack.enter_context(stream) for stream in streams]
        for stream in watched:
            stream.frame()
        reply = stack.enter_context(server.http.stream("GET", "/power", headers=one))
        lines = reply.iter_lines()
        next(lines)
        assert server.post("/logout", headers=one).status_code == 303
        for stream in watched[:2]:
            assert stream.first("reconnect")["reason"] == "the session has ended"
        assert sum(1 for _ in lines) >= 0, "the events end"
        watched[2].frames(3, "data")
        watched[4].frames(3, "data")
        watched[3].socket.send("ping")
        assert watched[3].first("pong")


def test_after_the_login_the_browser_is_where_it_wanted_to_be(server):
    with server.client(headers={"Accept": "text/html"}) as browser:
        asked = browser.get("/batch/report?x=%20%22")
        assert asked.headers["location"] == "/login?to=/batch/report%3Fx%3D%2520%2522"
        page = browser.get(asked.headers["location"])
        (action,) = re.findall('action="([^"]*)"', page.text)
        assert f"/{action}" == asked.headers["location"]
        wrong = browser.post(f"/{action}", data={"token": "wrong"})
        assert wrong.status_code == 401 and f'action="{action}"' in wrong.text
        reply = browser.post(f"/{action}", data={"token": READ})
        assert reply.headers["location"] == "/batch/report?x=%20%22"
        for other in ["//evil.example", "/\\evil.example", "https://evil.example", '"><script>']:
            assert 'action="login"' in browser.get("/login", params={"to": other}).text
            reply = browser.post("/login", params={"to": other}, data={"token": READ})
            assert reply.headers["location"] == "/"


def test_another_token_ends_the_sessions_of_the_old_one(start, tmp_path):
    server = with_tokens(start, no_instrument(), folder=tmp_path)
    _, reply = log_in(server)
    _, read = log_in(server, READ)
    server.stop()
    server.variables["CTP10_TOKEN"] = "another-token-of-this-bench"
    server.start()
    for reply, status in [(reply, 401), (read, 200)]:
        name, value, _ = cookie_of(reply)
        assert server.get("/session", headers={"Cookie": f"{name}={value}"}).status_code == status


def test_a_session_has_the_right_of_its_token(server):
    browser, _ = log_in(server, READ)
    assert ok(browser.get("/session"))["access"] == "read_only"
    assert_refused(browser.post("/off"), 403, "read-only token")


@pytest.mark.parametrize("name", ["ctp10_token", "ctp10_session", "ctp10_session_1"])
def test_a_token_in_a_cookie_is_not_accepted(server, name):
    for value in [TOKEN, READ, ""]:
        for cookie in [f"{name}={value}", f"ctp10_session_{server.port}={value}"]:
            assert_refused(server.get("/session", headers={"Cookie": cookie}), 401)


def test_two_services_on_one_host_keep_their_sessions_apart(start, tmp_path):
    servers = [with_tokens(start, no_instrument(), folder=tmp_path / name) for name in "ab"]
    with httpx.Client(trust_env=False) as browser:
        for server in servers:
            assert browser.post(f"{server.url}/login", data={"token": TOKEN}).status_code == 303
        for server in servers:
            assert browser.get(f"{server.url}/session").json()["logged_in"] is True


# Behind a proxy


@pytest.fixture(scope="module")
def based(started):
    simulator = started.simulator("--time-scale", "0.02")
    server = with_tokens(started, simulator, "--base-path", "/bench-a/", "--trusted-proxy", "127.0.0.1")
    until("the instrument is connected", lambda: ok(server.get("/health", headers=FULL))["connected"])
    return server


def behind(server, url, tmp_path):
    """All that a lab does with a bench whose address has a prefix."""
    import ctp10 as package

    with package.connect(url, token=TOKEN) as bench:
        done = bench.submit(SWEEP).wait()
        assert done.status == "done" and len(done.traces[0].to_pandas()) == 501
        assert next(bench.power())["type"] == "data"
        assert done.download(tmp_path / "copy").id == done.id
    root, prefix = re.fullmatch(r"(http://[^/]+)(/.*)", url).groups()
    with httpx.Client(trust_env=False, base_url=root, headers={"Accept": "text/html"}) as browser:
        assert browser.get(f"{prefix}/").headers["location"] == f"{prefix}/login"
        reply = browser.post(f"{prefix}/login", data={"token": TOKEN})
        name, value, attributes = cookie_of(reply)
        assert reply.headers["location"] == f"{prefix}/" and f"Path={prefix}" in attributes
        for path in ["/", "/docs"]:
            page = browser.get(f"{prefix}{path}")
            assert page.status_code == 200 and "<html" in page.text
            for asset in re.findall(r'(?:src|href)="(assets/[^"]+)"', page.text):
                assert browser.get(f"{prefix}/{asset}").status_code == 200
        assert browser.get(f"{prefix}/redoc").headers["location"] == f"{prefix}/docs"
        assert browser.get(f"{prefix}/runs/").headers["location"] == f"{prefix}/runs"
        assert browser.get(f"{prefix}/openapi.json").json()["servers"] == [{"url": prefix}]
        begun = browser.post(f"{prefix}/runs", json={"recipe": SWEEP})
        assert begun.headers["location"] == f"{prefix}/runs/{begun.json()['run']}"
        assert browser.get(begun.headers["location"]).status_code == 200
        events = browser.get(f"{begun.headers['location']}/events").text
        assert "event: finished" in events
        until("the next may begin", lambda: browser.get(f"{prefix}/runs/current").status_code == 404)
    with server.__class__.watch(Address(root), f"{prefix}/ws/power", additional_headers=FULL) as power:
        assert power.first("data")["module"] == 4


class Address:
    """Where a proxy is, as `Server.watch` asks for it."""

    def __init__(self, root):
        self.host, port = root.removeprefix("http://").split(":")
        self.port = int(port)


@pytest.mark.parametrize("strips", [False, True])
def test_a_bench_below_a_path_works_like_one_without(based, strips, tmp_path):
    proxy = PrefixProxy(based, "/bench-a", strips, ["X-Forwarded-For: 192.0.2.7"])
    try:
        behind(based, proxy.url, tmp_path)
    finally:
        proxy.close()


def test_nginx_serves_two_benches_below_two_paths(start, based, tmp_path):
    if nginx_program() is None:
        pytest.skip("nginx is not installed")
    other = with_tokens(start, no_instrument(), "--base-path", "/bench-b", folder=tmp_path / "b")
    nginx = Nginx(tmp_path, {"/bench-a": based, "/bench-b": other})
    try:
        behind(based, f"{nginx.root}/bench-a", tmp_path)
        with httpx.Client(trust_env=False, base_url=nginx.root) as browser:
            for prefix in ["/bench-a", "/bench-b"]:
                assert browser.post(f"{prefix}/login", data={"token": TOKEN}).status_code == 303
            names = {browser.get(f"{prefix}/session").json()["logged_in"] for prefix in ["/bench-a", "/bench-b"]}
            assert names == {True} and len(browser.cookies) == 2
            assert_refused(httpx.get(f"{nginx.root}/bench-a/session", trust_env=False), 401)
    finally:
        nginx.close()


def test_the_prefix_may_be_left_out_on_this_computer_and_is_not_taken_twice(based):
    for path in ["/session", "/bench-a/session"]:
        ok(based.get(path, headers=FULL))
    for path in ["/bench-a/bench-a/session", "/bench-abc/session", "/bench-a//session"]:
        assert based.get(path, headers=FULL).status_code == 404
    bare = based.get("/bench-a", headers=FULL)
    assert bare.status_code == 307 and bare.headers["location"] == "/bench-a/"
    for path in ["/bench-a//evil.example/", "/bench-a/\\evil.example/"]:
        _, headers, _ = based.send(f"GET {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {TOKEN}")
        assert headers.get("location", "/bench-a/").startswith("/bench-a/")


def test_the_cookie_is_secure_only_if_a_listed_proxy_says_https(based, server):
    for headers, is_secure in [
        ({"X-Forwarded-Proto": "https"}, True),
        ({"X-Forwarded-Proto": "https, http"}, False),
        ({"X-Forwarded-Proto": "http"}, False),
        ({"Forwarded": "for=192.0.2.1;proto=https"}, True),
        ({}, False),
    ]:
        reply = based.post("/login", data={"token": TOKEN}, headers=headers)
        assert ("Secure" in cookie_of(reply)[2]) == is_secure, headers
    reply = server.post("/login", data={"token": TOKEN}, headers={"X-Forwarded-Proto": "https"})
    assert "Secure" not in cookie_of(reply)[2], "this proxy is not listed"


def test_refusals_are_logged_with_the_address_that_a_listed_proxy_names(based, server):
    wrong = {"Authorization": "Bearer wrong", "X-Forwarded-For": "198.51.100.1, 192.0.2.99"}
    for one in (based, server):
        with one.client() as stranger:
            assert_refused(stranger.get("/session", headers=wrong), 401)
    assert "from 192.0.2.99 refused" in based.said() and "198.51.100.1" not in based.said()
    assert "192.0.2.99" not in server.said()


def test_a_forwarded_request_needs_a_token_also_from_a_listed_proxy(start, tmp_path):
    server = start.server(no_instrument(), "--trusted-proxy", "127.0.0.1", folder=tmp_path, connected=False)
    ok(server.get("/session"))
    assert_refused(server.get("/session", headers={"X-Forwarded-For": "127.0.0.1"}), 403, "token is required")


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--base-path=bench", "`/bench-a`"),
        ("--base-path=/../x", "`/bench-a`"),
        ("--base-path=/runs/a", "begins with `/runs`, which is a path of the API"),
        ("--base-path=/login", "begins with `/login`"),
        ("--trusted-proxy=proxy.lab", "`10.1.0.0/16`"),
    ],
)
def test_a_wrong_option_is_refused_with_what_is_allowed(tmp_path, option, told):
    ended = ctp10("serve", "--instrument", "127.0.0.1:1", "--listen", "127.0.0.1:0", option, cwd=tmp_path)
    assert ended.returncode == 2 and told in ended.stderr, ended.stderr


@pytest.mark.parametrize(
    ("line", "told"), [('base_path = "bench"', "base_path"), ('trusted_proxies = ["x"]', "trusted_proxies")]
)
def test_a_wrong_setting_is_refused_with_its_file(tmp_path, line, told):
    (tmp_path / "ctp10.toml").write_text(line)
    ended = ctp10("runs", cwd=tmp_path)
    assert ended.returncode == 2 and told in ended.stderr and "ctp10.toml" in ended.stderr, ended.stderr


def test_the_settings_are_read_from_the_configuration(start, tmp_path):
    for name, text in [("token", TOKEN), ("read", READ)]:
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    lines = ["token_file = 'token'", "read_token_file = 'read'", "base_path = '/bench-c'"]
    (tmp_path / "ctp10.toml").write_text("\n".join([*lines, "trusted_proxies = ['127.0.0.0/8']"]))
    server = start.server(no_instrument(), folder=tmp_path, connected=False)
    assert ok(server.get("/bench-c/session", headers=LOOK))["access"] == "read_only"
    reply = server.post("/login", data={"token": READ}, headers={"X-Forwarded-Proto": "https"})
    assert {"Secure", "Path=/bench-c"} <= set(cookie_of(reply)[2])


# The document


def test_the_document_names_each_operation_once_and_the_ways_to_be_known(document, server):
    ids = [entry["operationId"] for entry in operations(document).values()]
    assert len(ids) == len(set(ids)) and all(re.fullmatch("[a-z]+(_[a-z]+)*", name) for name in ids)
    schemes = document["components"]["securitySchemes"]
    assert schemes["session"]["name"] == f"ctp10_session_{server.port}"
    for key, entry in operations(document).items():
        if entry["security"] == [{}]:
            continue
        assert {"token": []} in entry["security"] and {"session": []} in entry["security"], key
        assert {} not in entry["security"] and {name for way in entry["security"] for name in way} <= set(schemes)
    sections = [tag["name"] for tag in document["tags"]]
    used = [section for entry in operations(document).values() for section in entry["tags"]]
    assert set(used) == set(sections) and len(used) == len(ids)
    assert json.dumps(document).count(TOKEN) == 0


def test_a_server_without_a_token_says_so_in_its_document(start):
    document = ok(start.server(no_instrument(), connected=False).get("/openapi.json"))
    assert all(entry["security"][0] == {} for entry in operations(document).values())
    assert "servers" not in document


def test_where_no_token_is_needed_nobody_needs_to_log_in(start):
    server = start.server(no_instrument(), connected=False)
    reply = server.post("/login", data={"token": "anything"})
    assert reply.status_code == 303 and reply.headers["location"] == "/" and "set-cookie" not in reply.headers
    assert ok(server.get("/session")) == {"access": "full", "logged_in": False, "expires": None}
    assert list(pathlib.Path(HOME.name).rglob(f"sessions-*_{server.port}.json")) == []
