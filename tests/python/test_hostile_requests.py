"""Requests that nobody should send: the run under way and the emergency stop do not suffer from them."""

import contextlib
import json
import resource
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import ok, until

LONG = """
name: long
steps:
  - configure_laser: { laser: 1, power_dbm: 1, output: true }
  - wait: { seconds: 3600 }
"""
SWEEP = """
name: sweep
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1600, speed_nm_s: 100, power_dbm: 1 }
  - configure_scan: { start_nm: 1520, stop_nm: 1580, resolution_pm: 20 }
  - sweep: {}
  - fetch_trace: { detectors: [4/1], traces: [raw] }
"""


@contextlib.contextmanager
def connections(server, count):
    """This many connections; the limit of this process is raised for them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 512
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"{wanted} file handles are needed, and this system gives {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    opened = []
    try:
        for _ in range(count):
            opened.append(socket.create_connection((server.host, server.port), 60))
        yield opened
    finally:
        for one in opened:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def ended(server, run):
    def probe():
        status = ok(server.get(f"/runs/{run}"))
        return status if status["state"] != "running" else None

    return until(f"run {run} has ended", probe)


def test_silent_connections_do_not_end_the_run_and_the_emergency_stop_gets_through(server):
    run = server.begin(LONG, unattended=True)
    # More than there are places: those that say nothing go first.
    with connections(server, 2600):
        assert ok(server.get("/health"))["status"] == "healthy"
        assert ok(server.get(f"/runs/{run}"))["state"] == "running"
        off = ok(server.post("/off"))
        assert off["run"] == run and off["lasers_unknown"] == []
        assert ended(server, run)["state"] == "aborted"


def test_a_service_with_few_file_handles_keeps_some_for_its_run(start):
    simulator = start.simulator("--time-scale", "0.02")
    server = start.server(simulator, handles=1024)
    run = server.begin(LONG, unattended=True)
    with connections(server, 1100):
        assert ok(server.get("/health"))["status"] == "healthy"
        assert ok(server.post("/off"))["run"] == run
        assert ended(server, run)["state"] == "aborted"
    assert ended(server, server.begin(SWEEP, unattended=True))["state"] == "done"


def test_downloads_that_nobody_reads_do_not_stop_the_run(server):
    first = server.begin(SWEEP.replace("resolution_pm: 20", "resolution_pm: 0.1"), unattended=True)
    assert ended(server, first)["state"] == "done"
    with connections(server, 560) as readers:
        for reader in readers:
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.sendall(f"GET /runs/{first}/traces/1.csv HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert ended(server, server.begin(SWEEP, unattended=True))["state"] == "done"
        assert ok(server.get("/health"))["status"] == "healthy"
        assert ok(server.post("/off"))["lasers_unknown"] == []


def test_streams_of_events_that_nobody_reads_do_not_stop_the_run(server):
    first = server.begin(SWEEP, unattended=True)
    assert ended(server, first)["state"] == "done"
    with connections(server, 600) as readers:
        for reader in readers:
            reader.sendall(f"GET /runs/{first}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert ended(server, server.begin(SWEEP, unattended=True))["state"] == "done"


def test_a_body_that_does_not_arrive_is_given_up(server):
    begun = time.monotonic()
    head = "POST /check HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    with socket.create_connection((server.host, server.port), 60) as slow:
        slow.sendall(head.encode())
        status = slow.makefile("rb").readline()
    assert b" 408 " in status
    assert time.monotonic() - begun > 5, "a slow client is given a moment"


def test_unfinished_logins_take_little_memory(server):
    """400 of them with as much as they may send: the token is not known yet, and anybody may do this."""
    head = f"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: {2 << 20}\r\n\r\n".encode()
    before = resident_mib(server)
    with connections(server, 400) as clients:
        for client in clients:
            client.settimeout(5)
            with contextlib.suppress(OSError):
                client.sendall(head + b"token=" + b"x" * 200_000)
        assert ok(server.get("/health"))["status"] == "healthy"
        assert resident_mib(server) < before + 100
    assert server.send("POST /login HTTP/1.1", "Host: localhost", "Content-Length: 5000", body=b"x" * 5000)[0] == 413


def test_unfinished_recipes_take_little_memory(server):
    head = f"POST /check HTTP/1.1\r\nHost: localhost\r\nContent-Length: {2 << 20}\r\n\r\n".encode()
    before = resident_mib(server)
    with connections(server, 100) as clients:
        for client in clients:
            client.setblocking(False)
        unsent = {client: head + b"x" * ((2 << 20) - 1) for client in clients}
        end = time.monotonic() + 5
        while unsent and time.monotonic() < end:
            for client in list(unsent):
                try:
                    unsent[client] = unsent[client][client.send(unsent[client]):]
                except BlockingIOError:
                    continue
                except OSError:
                    unsent.pop(client)
                    continue
                if not unsent[client]:
                    unsent.pop(client)
        assert resident_mib(server) < before + 100
        assert ok(server.get("/health"))["status"] == "healthy"
        assert ok(server.post("/off"))["lasers_unknown"] == []


def test_large_bodies_that_arrive_together_are_all_answered(server):
    """More than fit into the memory for bodies. None of them is refused because the others wait for it."""
    body = json.dumps({"answer": "x" * 1_900_000})

    def answer(_):
        while (response := server.post("/runs/none/answer", content=body)).status_code == 503:
            time.sleep(int(response.headers["retry-after"]))
        return response.status_code

    with ThreadPoolExecutor(24) as clients:
        assert set(clients.map(answer, range(24))) == {404}


def resident_mib(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        line = next(line for line in status if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def test_a_question_of_a_client_that_is_refused_leaves_nothing_for_the_run(start):
    simulator = start.simulator("--time-scale", "0.02")
    server = start.server(simulator)
    recipe = """
name: steps
steps:
  - repeat:
      for: turn
      from: 1
      to: 8
      step: 1
      steps:
        - configure_laser: { laser: 1, power_dbm: "${turn / 10}" }
"""
    run = server.begin(recipe, unattended=True)
    status = {"state": "running"}
    while status["state"] == "running":
        # Some are answered, and some are given up before that.
        with contextlib.suppress(OSError), socket.create_connection((server.host, server.port), 60) as client:
            client.sendall(b"GET /detector/trace/metadata HTTP/1.1\r\nHost: localhost\r\n\r\n")
        server.get("/detector/trace/metadata?trace_type=11")
        status = ok(server.get(f"/runs/{run}"))
    assert status["state"] == "done", status


# Who may ask


EMBEDDED = [
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image", "Sec-Fetch-Mode": "no-cors"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "image"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "script"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "empty"},
    {"Sec-Fetch-Site": "cross-site"},
]
WELCOME = [
    {},
    {"Sec-Fetch-Site": "none", "Sec-Fetch-Dest": "document"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"},
    {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "empty"},
    {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "image"},
]


@pytest.mark.parametrize("headers", EMBEDDED)
def test_what_a_page_from_elsewhere_embeds_is_refused(server, headers):
    for path in ["/detector/trace/metadata", "/connection/status", "/health", "/"]:
        assert server.get(path, headers=headers).status_code == 403


@pytest.mark.parametrize("headers", WELCOME)
def test_programs_links_and_the_own_page_are_welcome(server, headers):
    ok(server.get("/connection/status", headers=headers))


def test_a_host_is_compared_without_case_and_named_once(server):
    assert server.send("GET /health HTTP/1.1", f"Host: LOCALHOST:{server.port}")[0] == 200
    for second in ["localhost", "evil.example"]:
        twice = server.send("GET /health HTTP/1.1", "Host: localhost", f"Host: {second}")
        assert twice[0] == 400


FORWARDED = [
    {"X-Forwarded-For": "10.0.0.5"},
    {"X-Forwarded-Host": "lab.example"},
    {"X-Forwarded-Proto": "https"},
    {"Forwarded": "for=10.0.0.5"},
    {"Via": "1.1 proxy"},
    {"X-Real-IP": "10.0.0.5"},
    {"CF-Connecting-IP": "10.0.0.5"},
]


@pytest.mark.parametrize("headers", FORWARDED)
def test_a_request_that_was_forwarded_needs_a_token(server, headers):
    for response in [server.post("/off", headers=headers), server.get("/connection/status", headers=headers)]:
        assert response.status_code == 403
        assert "token" in response.json()["detail"]


TOKEN = "5f0c-A-token-of-some-length"


@pytest.fixture
def guarded(start, tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o644)
    return start.server(start.simulator(), "--token-file", file, connected=False)


def test_with_a_token_requests_may_be_forwarded(guarded):
    bearer = {"Authorization": f"Bearer {TOKEN}", "X-Forwarded-For": "10.0.0.5"}
    ok(guarded.get("/connection/status", headers=bearer))
    assert guarded.get("/connection/status", headers={"X-Forwarded-For": "10.0.0.5"}).status_code == 401


def test_wrong_tokens_are_counted_and_do_not_fill_the_log(guarded):
    for number in range(200):
        wrong = guarded.get("/connection/status", headers={"Authorization": f"Bearer wrong-{number}"})
        assert wrong.status_code == 401
    for _ in range(50):
        assert guarded.post("/login", data={"token": "a guess"}).status_code == 401
    refused = [line for line in guarded.said().splitlines() if "refused" in line]
    assert 1 <= len(refused) <= 2, guarded.said()
    assert "127.0.0.1" in refused[0]


def test_a_token_that_others_can_read_is_a_warning(guarded):
    assert "0600" in guarded.said() and "token" in guarded.said()


@pytest.mark.parametrize(
    "path", ["/", "/login", "/health", "/docs", "/openapi.json", "/metrics", "/nothing", "/runs", "/assets/app.js"]
)
def test_every_answer_says_what_browsers_may_do_with_it(server, path):
    for headers in [{}, {"Accept": "text/html"}]:
        answer = server.get(path, headers=headers).headers
        assert answer["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer["content-security-policy"]
        assert answer["referrer-policy"] == "same-origin"
        assert "no-" in answer["cache-control"]


def test_reports_and_files_say_so_too(server):
    run = server.begin(SWEEP, unattended=True)
    assert ended(server, run)["state"] == "done"
    for path in ["report", "traces/1.parquet", "traces/1.csv", "traces/1/view", "events"]:
        answer = server.get(f"/runs/{run}/{path}")
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "cache-control" in answer.headers


def test_the_end_of_a_run_is_told_when_its_report_can_be_read(server):
    for _ in range(10):
        run = server.begin("name: short\nsteps: [{ log: 'nothing' }]\n", unattended=True)
        told = server.get(f"/runs/{run}/events").text
        assert "event: finished" in told
        assert server.get(f"/runs/{run}/report").status_code == 200
        # And so for those who only look.
        assert ok(server.get(f"/runs/{run}"))["state"] == "done"


# Connecting elsewhere


def test_what_is_no_instrument_is_not_shown(server):
    with socket.create_server(("127.0.0.1", 0)) as shell:
        shell.settimeout(60)
        ok(server.post("/connection/disconnect"))
        def greet():
            with contextlib.suppress(OSError):
                while True:
                    client, _ = shell.accept()
                    client.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")

        threading.Thread(target=greet, daemon=True).start()
        address = f"TCPIP::127.0.0.1::{shell.getsockname()[1]}::SOCKET"
        answer = server.post("/connection/connect", json={"address": address})
        assert answer.status_code == 503
        assert "SSH" not in answer.text


def test_an_instrument_that_another_process_holds_is_not_taken(start, server):
    other = start.simulator()
    start.server(other)
    ok(server.post("/connection/disconnect"))
    host, port = other.address.rsplit(":", 1)
    answer = server.post("/connection/connect", json={"address": f"TCPIP::{host}::{port}::SOCKET"})
    assert answer.status_code == 503
    assert "process" in answer.json()["detail"]
    assert ok(server.post("/connection/connect"))["connected"]
