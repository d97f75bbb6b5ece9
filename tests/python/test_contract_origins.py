"""Who may ask: programs and pages on this machine, pages that are listed, and beyond loopback whoever has the token."""

import pytest
from websockets.exceptions import InvalidStatus

from conftest import assert_problems, assert_refused, ctp10, ok

TOKEN = "5f0c-A-token-of-some-length"
LOOPBACK = [
    "http://localhost:3000",
    "http://127.0.0.1:5173",
    "https://localhost",
    "http://[::1]:8080",
    "http://127.0.0.1",
]
ELSEWHERE = [
    "null",
    "http://evil.example",
    "https://lab.example",
    "http://localhost.evil.example",
    "http://127.0.0.1.evil.example:8002",
    "http://192.168.1.5:8002",
    "file://",
    "localhost:3000",
    "",
]


@pytest.fixture(scope="module")
def simulator(started):
    return started.simulator("--time-scale", "0.02")


@pytest.fixture(scope="module")
def server(started, simulator):
    return started.server(simulator)


@pytest.fixture(scope="module")
def listing(started):
    """A server that lets pages from elsewhere ask."""
    allowed = ["--allow-origin", "https://lab.example", "--allow-origin", "null"]
    return started.server(started.simulator(), *allowed)


@pytest.fixture(scope="module")
def guarded(started, tmp_path_factory):
    """A server that everybody on the network reaches, and that wants a token."""
    file = tmp_path_factory.mktemp("secret") / "token"
    file.write_text(TOKEN + "\n")
    return started.server(started.simulator(), "--token-file", file, listen="0.0.0.0:0", connected=False)


# Origins


@pytest.mark.parametrize("origin", LOOPBACK)
def test_a_page_from_loopback_may_ask_and_read_the_reply(server, origin):
    response = server.get("/tls/1/config", headers={"Origin": origin})
    ok(response)
    assert response.headers["access-control-allow-origin"] == origin
    assert response.headers["access-control-allow-credentials"] == "true"
    assert "origin" in response.headers["vary"].lower()
    ok(server.post("/tls/1/config", json={"trigin": 1}, headers={"Origin": origin}))
    # What went wrong can be read by the page, too.
    for refused in [
        server.get("/nothing", headers={"Origin": origin}),
        server.get("/tls/9/config", headers={"Origin": origin}),
    ]:
        assert refused.status_code in (404, 422)
        assert refused.headers["access-control-allow-origin"] == origin
    assert server.upgrade("/ws/power", Origin=origin) == 101


@pytest.mark.parametrize("origin", LOOPBACK)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_page_from_loopback_is_told_so_before_it_asks(server, origin, method):
    wanted = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization,content-type"}
    response = server.http.options("/tls/1/config", headers={"Origin": origin, **wanted})
    assert response.status_code in (200, 204)
    assert response.headers["access-control-allow-origin"] == origin
    assert response.headers["access-control-allow-credentials"] == "true"
    assert method in response.headers["access-control-allow-methods"]
    allowed = response.headers["access-control-allow-headers"].lower()
    assert "content-type" in allowed and "authorization" in allowed


@pytest.mark.parametrize("origin", ELSEWHERE)
def test_a_page_from_elsewhere_is_refused(server, origin):
    before = ok(server.get("/tls/1/config"))
    for response in [
        server.get("/tls/1/config", headers={"Origin": origin}),
        server.get("/", headers={"Origin": origin}),
        server.get("/metrics", headers={"Origin": origin}),
        server.post("/off", headers={"Origin": origin}),
        server.post("/tls/1/config", content='{"trigin": 8}', headers={"Origin": origin, "Content-Type": "text/plain"}),
    ]:
        assert_refused(response, 403)
        assert "access-control-allow-origin" not in response.headers
    assert ok(server.get("/tls/1/config")) == before
    wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    assert (
        "access-control-allow-origin" not in server.http.options("/off", headers={"Origin": origin, **wanted}).headers
    )
    for path in ["/ws/power", "/ws/v2/power", "/ws/health"]:
        assert server.upgrade(path, Origin=origin) == 403


def test_a_page_that_is_listed_may_ask(listing):
    for origin in ["https://lab.example", "null", *LOOPBACK]:
        response = listing.get("/health", headers={"Origin": origin})
        ok(response)
        assert response.headers["access-control-allow-origin"] == origin
        assert listing.upgrade("/ws/health", Origin=origin) == 101
    for origin in [
        "http://lab.example",
        "https://lab.example:444",
        "https://lab.example.evil",
        "https://sub.lab.example",
    ]:
        assert_refused(listing.get("/health", headers={"Origin": origin}), 403)
        assert listing.upgrade("/ws/health", Origin=origin) == 403


def test_a_refused_websocket_says_403_to_its_client(server):
    with pytest.raises(InvalidStatus) as refused, server.watch("/ws/power", origin="http://evil.example"):
        pass
    assert refused.value.response.status_code == 403


# Hosts


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "localhost:1234", "[::1]:8002", "127.1.2.3:80"])
def test_it_may_be_called_by_the_names_of_loopback(server, host):
    ok(server.get("/health", headers={"Host": host}))
    assert server.upgrade("/ws/health", Host=host) == 101


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8002", "localhost.evil.example", "192.168.1.5", "0.0.0.0", "x y"]
)
def test_a_name_of_somebody_elses_is_refused(server, host):
    for path in ["/health", "/", "/runs", "/openapi.json"]:
        assert server.send(f"GET {path} HTTP/1.1", f"Host: {host}")[0] in (403, 400 if " " in host else 403)
    assert server.upgrade("/ws/health", Host=host) in (403, 400 if " " in host else 403)


def test_a_request_without_a_name_or_with_one_in_its_address_is_refused(server):
    assert server.send("GET /health HTTP/1.1")[0] in (400, 403)
    assert server.send("GET http://evil.example/health HTTP/1.1", "Host: 127.0.0.1")[0] == 403


def test_a_slash_too_many_leads_to_no_other_host(server):
    for path in ["//evil.example/", "//evil.example/health/", "/\\evil.example/", "//127.0.0.1/health/"]:
        status, headers, _ = server.send(f"GET {path} HTTP/1.1", "Host: localhost")
        location = headers.get("location", "/")
        assert status in (307, 400, 404) and not location.startswith(("//", "/\\", "http"))


# Beyond loopback


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0"])
def test_beyond_loopback_it_does_not_start_without_a_token_and_says_how(tmp_path, listen):
    ended = ctp10("serve", "--instrument", "127.0.0.1:1", "--listen", listen, cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "token" in ended.stderr and "--token-file" in ended.stderr


@pytest.mark.parametrize("token", ["", "short", "with a space in its middle", "a;b;c;d;e;f;g;h;i"])
def test_a_token_that_is_too_weak_is_refused_at_the_start(tmp_path, token):
    (tmp_path / "token").write_text(token)
    arguments = ["--listen", "0.0.0.0:0", "--token-file", tmp_path / "token"]
    ended = ctp10("serve", "--instrument", "127.0.0.1:1", *arguments, cwd=tmp_path)
    assert ended.returncode == 2 and "token" in ended.stderr


WITHOUT = [
    "/health",
    "/connection/status",
    "/tls/1/config",
    "/instrument",
    "/runs",
    "/recipes",
    "/metrics",
    "/openapi.json",
]


@pytest.mark.parametrize("path", [*WITHOUT, "/docs", "/redoc", "/session", "/nothing"])
def test_without_the_token_nothing_is_told(guarded, path):
    response = guarded.get(path, headers={"Accept": "application/json"})
    assert_refused(response, 401)
    assert "bearer" in response.headers["www-authenticate"].lower()
    assert_refused(guarded.post("/off"), 401)


@pytest.mark.parametrize("path", WITHOUT)
def test_with_the_token_everything_is_told(guarded, path):
    guarded_path = "/connection/status" if path == "/tls/1/config" else path
    assert guarded.get(guarded_path, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


WRONG = [TOKEN[:-1], TOKEN + "x", TOKEN[:1], "", " ", TOKEN.upper(), TOKEN[::-1], f'"{TOKEN}"']


@pytest.mark.parametrize("token", WRONG)
def test_the_token_is_compared_whole(guarded, token):
    for shown in [f"Authorization: Bearer {token}", f"Cookie: ctp10_session_{guarded.port}={token}"]:
        status, _, body = guarded.send("GET /health HTTP/1.1", "Host: localhost", shown)
        assert status == 401 and b"detail" in body
    assert guarded.upgrade("/ws/health", Authorization=f"Bearer {token}") == 401


def test_the_token_is_taken_as_a_bearer_only(guarded):
    for header in [{"Authorization": TOKEN}, {"Authorization": f"Basic {TOKEN}"}, {"X-Token": TOKEN}]:
        assert_refused(guarded.get("/health", headers=header), 401)
    assert_refused(guarded.get(f"/health?token={TOKEN}"), 401)


def test_websockets_want_the_token_too(guarded):
    for path in ["/ws/power", "/ws/v2/power", "/ws/health"]:
        assert guarded.upgrade(path) == 401
        assert guarded.upgrade(path, Authorization=f"Bearer {TOKEN}") == 101
    with guarded.watch("/ws/health", additional_headers={"Authorization": f"Bearer {TOKEN}"}) as health:
        assert health.frame()["type"] == "heartbeat"


def test_a_browser_logs_in_and_keeps_a_cookie_that_works(guarded):
    with guarded.client(headers={"Accept": "text/html,*/*"}) as browser:
        page = browser.get("/")
        assert page.status_code in (302, 303, 307) and page.headers["location"] == "/login"
        page = browser.get("/login")
        assert page.status_code == 200 and "<form" in page.text and 'name="token"' in page.text
        wrong = browser.post("/login", data={"token": TOKEN[:-1]})
        assert wrong.status_code == 401 and "set-cookie" not in wrong.headers
        right = browser.post("/login", data={"token": TOKEN})
        assert right.status_code in (302, 303) and right.headers["location"] == "/"
        cookie = right.headers["set-cookie"].lower()
        assert "httponly" in cookie and "samesite=strict" in cookie
        assert "<html" in browser.get("/").text
        assert browser.get("/connection/status").status_code == 200
        (name, value) = next(iter(browser.cookies.items()))
    assert guarded.upgrade("/ws/health", Cookie=f"other=1; {name}={value}") == 101


def test_the_token_does_not_let_pages_from_elsewhere_ask(guarded):
    shown = {"Authorization": f"Bearer {TOKEN}"}
    for origin in ["http://evil.example", "null"]:
        assert_refused(guarded.get("/health", headers={"Origin": origin, **shown}), 403)
        assert guarded.upgrade("/ws/health", Origin=origin, **shown) == 403
    # Its own page may, by whatever name it is reached.
    own = {"Host": "bench.lab.example:8002", "Origin": "http://bench.lab.example:8002"}
    ok(guarded.get("/health", headers={**own, **shown}))
    assert_refused(guarded.get("/health", headers={**own, "Origin": "http://bench.lab.example:8003", **shown}), 403)


def test_a_page_from_loopback_is_told_what_it_may_before_it_has_shown_the_token(guarded):
    wanted = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    response = guarded.http.options("/health", headers={"Origin": "http://localhost:3000", **wanted})
    assert response.status_code in (200, 204)
    assert response.headers["access-control-allow-origin"] == "http://localhost:3000"
    assert "authorization" in response.headers["access-control-allow-headers"].lower()


def test_a_token_from_the_environment_holds_on_loopback_too(start):
    server = start.server(start.simulator(), connected=False, CTP10_TOKEN=TOKEN)
    assert_refused(server.get("/health"), 401)
    ok(server.get("/health", headers={"Authorization": f"Bearer {TOKEN}"}))


# Sizes


def test_a_body_larger_than_two_mebibytes_is_refused(server):
    most = 2 << 20
    wrapped = '{{"recipe": "#{}"}}'.format
    fits = wrapped("x" * (most - len(wrapped(""))))
    assert len(fits) == most
    headers = {"Content-Type": "application/json"}
    assert ok(server.post("/check", content=fits, headers=headers))["errors"] > 0
    assert_refused(server.post("/check", content=fits + " ", headers=headers), 413)
    assert_refused(server.post("/tls/1/config", content=fits + " ", headers=headers), 413)

    def pieces():
        for _ in range(3):
            yield b" " * (1 << 20)

    assert_refused(server.post("/check", content=pieces(), headers=headers), 413)
    # The server is there as before.
    ok(server.get("/health"))


def test_a_body_that_is_not_announced_as_json_is_not_taken_for_an_empty_one(server):
    """Forms and texts are what pages may send without asking first."""
    before = ok(server.get("/tls/1/config"))
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]:
        response = server.post("/tls/1/config", content=b"trigin=3", headers={"Content-Type": kind})
        assert response.status_code in (415, 422), response.text
        assert_refused(response, 415) if response.status_code == 415 else assert_problems(response)
    assert ok(server.get("/tls/1/config")) == before


def test_headers_beyond_measure_are_refused_and_harm_nobody(server):
    status, _, _ = server.send("GET /health HTTP/1.1", "Host: localhost", "X-Long: " + "x" * 100_000)
    assert status in (400, 413, 431)
    ok(server.get("/health"))
