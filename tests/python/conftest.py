"""The binary under test, an embedded instrument of its own, runs made with it, and its HTTP sidecar."""

import json
import math
import os
import pathlib
import re
import resource
import socket
import subprocess
import tempfile
import threading
import time
from datetime import datetime

import httpx
import numpy
import pytest
from websockets.sync import client as websocket

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("CTP10_BIN", str(ROOT / "target" / "debug" / "ctp10"))
# Nothing here depends on the machine's speed: this only ends what would never end.
LIMIT_S = 60
# The user's own configuration, and claims on instruments, are none of the tests' business.
HOME = tempfile.TemporaryDirectory(prefix="ctp10-home-")


def environment(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CTP10_", "XDG_"))}
    return {**kept, "HOME": HOME.name, **more}


def ctp10(*arguments, cwd=None, **variables):
    return subprocess.run(
        [BINARY, *map(str, arguments)],
        cwd=cwd,
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )


def until(what, probe):
    """Waits until `probe` gives something true, and gives that."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        if found := probe():
            return found
        time.sleep(0.01)
    raise AssertionError(f"waited in vain until {what}")


class Listener:
    """A process of the program that says where it listens. It can be killed and started again at the same place."""

    def __init__(self, *command, cwd=None, told=None, variables=None, handles=None):
        # The most file handles that the process may have.
        self.handles = handles
        self.command, self.cwd, self.told, self.variables = command, cwd, told, variables or {}
        self.process, self.address = None, "127.0.0.1:0"

    def start(self):
        with open(self.told or os.devnull, "ab") as told:
            self.process = subprocess.Popen(
                [BINARY, *map(str, self.command), "--listen", self.address],
                cwd=self.cwd,
                stdout=subprocess.PIPE,
                stderr=told,
                env=environment(**self.variables),
                preexec_fn=self.handles and self.limit_handles,
                text=True,
            )
        line = self.process.stdout.readline().strip()
        assert line.startswith("listening on "), f"{self.command} did not start: {line!r} {self.said()}"
        # The address without a path prefix.
        self.address = re.sub("^listening on (http://)?", "", line).split("/")[0]
        self.host, port = self.address.rsplit(":", 1)
        self.port = int(port)
        return self

    def limit_handles(self):
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.handles, self.handles))

    def said(self):
        return pathlib.Path(self.told).read_text() if self.told else ""

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self):
        self.process.kill()
        self.process.wait()


class Simulator(Listener):
    def __init__(self, *arguments, log=None):
        super().__init__("simulate", *arguments, *(["--log", log] if log else []))
        self.log = log
        self.start()
        # The other instruments of the bench follow, a line each.
        others = [argument for argument in arguments if argument in ("--smu", "--switch", "--thermostat")]
        lines = [self.process.stdout.readline().strip().split(" is listening on ") for _ in others]
        self.instruments = dict(lines)

    def talk(self):
        return Talk(self.host, self.port)

    def commands(self, begin=0, end=math.inf):
        """Every command received so far, or between two times, without the faults."""
        lines = [line.split(" ", 2) for line in pathlib.Path(self.log).read_text().splitlines() if " ! " not in line]
        return [command for time, _, command in lines if begin <= datetime.fromisoformat(time).timestamp() <= end]


class Talk:
    """Raw SCPI over a plain socket: what the program says is compared with what the instrument says."""

    def __init__(self, host, port):
        self.socket = socket.create_connection((host, port), LIMIT_S)
        self.file = self.socket.makefile("rwb")

    def ask(self, text):
        self.file.write(text.encode() + b"\r\n")
        self.file.flush()
        return self.file.readline().decode().strip()

    def tell(self, *commands):
        for command in commands:
            self.file.write(command.encode() + b"\r\n")
        # Whatever was told has been carried out when this is answered. `*OPC?` would wait for a scan.
        assert self.ask("*IDN?").startswith("EXFO,CTP10,SIMULATED")

    def block(self, text, kind):
        self.file.write(text.encode() + b"\r\n")
        self.file.flush()
        assert self.file.read(1) == b"#"
        length = int(self.file.read(int(self.file.read(1))))
        return numpy.frombuffer(self.file.read(length), kind)

    def trace(self, detector="4/1", kind=1):
        module, channel = detector.split("/")
        name = f"TRAC:SENS{module}:CHAN{channel}:TYPE{kind}:DATA"
        return self.block(f"{name}:X? BIN,M", ">f8") * 1e9, self.block(f"{name}? BIN,DB", ">f4")

    def wait_until_idle(self):
        until("the instrument is idle", lambda: self.ask("STAT:OPER:COND?") == "0")

    def lasers_on(self):
        return [number for number in (1, 2) if self.ask(f"CTP:RLAS{number}:POW:STAT?") == "1"]

    def close(self):
        # The file holds the connection open, too.
        self.file.close()
        self.socket.close()


class Server(Listener):
    """`ctp10 serve` in a folder of its own."""

    def __init__(self, instrument, folder, *arguments, connected=True, listen="127.0.0.1:0", handles=None, **variables):
        folder.mkdir(parents=True, exist_ok=True)
        address = instrument if isinstance(instrument, str) else instrument.address
        command = ["serve", "--instrument", address, *arguments]
        super().__init__(*command, cwd=folder, told=folder / "serve.log", variables=variables, handles=handles)
        self.folder, self.address, self.http = folder, listen, None
        self.start()
        if connected:
            self.wait_until_connected()

    def start(self):
        super().start()
        self.host = "127.0.0.1" if self.host == "0.0.0.0" else self.host
        self.http = self.client()
        return self

    @property
    def url(self):
        return f"http://{self.host}:{self.port}"

    def client(self, **options):
        """A client with a connection of its own for each request, unless it is told otherwise."""
        alone = httpx.Limits(max_keepalive_connections=0)
        usual = {"base_url": self.url, "trust_env": False, "timeout": 2 * LIMIT_S, "limits": alone}
        return httpx.Client(**{**usual, **options})

    def get(self, path, **options):
        return self.http.get(path, **options)

    def post(self, path, **options):
        return self.http.post(path, **options)

    def begin(self, recipe=None, **body):
        """Begins a run of a recipe's text, or of what the body names. Gives its identifier."""
        given = {"recipe": recipe, "format": "yaml"} if recipe else {}
        response = self.post("/runs", json={**given, **body})
        assert response.status_code == 201, response.text
        run = response.json()["run"]
        assert response.headers["location"] == f"/runs/{run}"
        return run

    def is_connected(self):
        return self.get("/health").json()["connected"]

    def wait_until_connected(self):
        until("the instrument is connected", self.is_connected)

    def watch(self, path, **options):
        return Watch(f"ws://{self.host}:{self.port}{path}", **options)

    def send(self, *lines, body=b""):
        """Sends a request as it stands, and gives the status, the headers and what has come of the body by then."""
        with socket.create_connection((self.host, self.port), LIMIT_S) as plain:
            plain.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode() + body)
            file = plain.makefile("rb")
            status = int(file.readline().split()[1])
            headers = {}
            while line := file.readline().decode().strip():
                name, value = line.split(":", 1)
                headers[name.lower()] = value.strip()
            return status, headers, file.read(int(headers.get("content-length", 0)))

    def upgrade(self, path, **headers):
        """The status that the upgrade to a WebSocket is answered with: 101 when it is granted."""
        wanted = {"Host": f"{self.host}:{self.port}", "Upgrade": "websocket", "Connection": "Upgrade", **headers}
        key = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13"}
        lines = [f"{name}: {value}" for name, value in {**wanted, **key}.items()]
        return self.send(f"GET {path} HTTP/1.1", *lines)[0]

    def stop(self):
        self.http.close()
        super().stop()


class Watch:
    """A WebSocket and the frames that come over it, while it is entered."""

    def __init__(self, url, **options):
        # Frames are taken as they come, and pings are sent by the tests themselves.
        settled = {"compression": None, "proxy": None, "ping_interval": None, "max_queue": None}
        self.connection = websocket.connect(url, open_timeout=LIMIT_S, **settled, **options)
        self.socket = None

    def __enter__(self):
        self.socket = self.connection.__enter__()
        return self

    def __exit__(self, *error):
        self.connection.__exit__(*error)

    def frame(self):
        return json.loads(self.socket.recv(LIMIT_S))

    def frames(self, count, kind):
        """The next frames of a kind; whatever else comes in between is passed over."""
        found = []
        while len(found) < count:
            if (frame := self.frame())["type"] == kind:
                found.append(frame)
        return found

    def first(self, kind):
        return self.frames(1, kind)[0]


class Between:
    """Stands between a client and a server. It passes everything on, and swallows the lines of the client that it is told
    to: a question that is never answered."""

    def __init__(self, server):
        self.server, self.swallowed = server, None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection((self.server.host, self.server.port), LIMIT_S)
            far.settimeout(None)
            threading.Thread(target=self.requests, args=(near.makefile("rb"), far), daemon=True).start()
            threading.Thread(target=self.pass_on, args=(far.recv, near), daemon=True).start()

    def requests(self, near, far):
        for line in near:
            if self.swallowed is None or not re.search(self.swallowed, line.decode()):
                far.sendall(line)
        far.close()

    def pass_on(self, read, target):
        try:
            while data := read(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except (OSError, ValueError):
            pass

    def close(self):
        self.listener.close()


def assert_shape(value, shape, where="reply"):
    """A value has exactly the fields of `shape`, with their JSON types. `int` is an integer in JSON, `float` any
    number, a set the values allowed, a tuple alternatives, and `object` anything."""
    match shape:
        case dict():
            assert isinstance(value, dict), f"{where}: {value!r} is no object"
            assert set(value) == set(shape), f"{where}: fields {sorted(value)} instead of {sorted(shape)}"
            for name, inner in shape.items():
                assert_shape(value[name], inner, f"{where}.{name}")
        case list():
            assert isinstance(value, list), f"{where}: {value!r} is no list"
            for index, item in enumerate(value):
                assert_shape(item, shape[0], f"{where}[{index}]")
        case tuple():
            assert any(fits(value, one) for one in shape), f"{where}: {value!r} is none of {shape}"
        case set():
            known = any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in shape)
            assert known, f"{where}: {value!r} is none of {shape}"
        case None:
            assert value is None, f"{where}: {value!r} is not null"
        case _ if shape is not object:
            number = (int, float) if shape is float else shape
            is_bool = isinstance(value, bool)
            assert isinstance(value, number) and is_bool == (shape is bool), f"{where}: {value!r} is no {shape}"


def fits(value, shape):
    try:
        assert_shape(value, shape)
    except AssertionError:
        return False
    return True


def assert_problems(response, status=422):
    """The body that tells what is wrong with values: `{detail: [{type, loc, msg, input, ctx?}]}`."""
    assert response.status_code == status, f"{response.status_code}: {response.text[:500]}"
    assert list(response.json()) == ["detail"]
    problems = response.json()["detail"]
    assert isinstance(problems, list) and problems, response.text
    for problem in problems:
        shape = {"type": str, "loc": [(str, int)], "msg": str, "input": object}
        assert_shape(problem, {**shape, **({"ctx": object} if "ctx" in problem else {})}, "problem")
    return problems


def assert_refused(response, status, *words):
    """The body that tells why a request was not carried out: `{detail: text}`."""
    assert response.status_code == status, f"{response.status_code}: {response.text[:500]}"
    assert_shape(response.json(), {"detail": str})
    for word in words:
        assert word in response.json()["detail"], response.text
    return response.json()["detail"]


def ok(response):
    assert response.status_code == 200, f"{response.request.method} {response.url}: {response.text[:500]}"
    return response.json()


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """A folder with runs of two different recipes."""
    folder = tmp_path_factory.mktemp("bench")
    simulator = Simulator("--time-scale", "0.02", "--seed", "3")
    for recipe in ["recipes/power-series.yaml", "scripts/find_resonance.rhai", "recipes/drift-monitor.yaml"]:
        shorter = ["--set", "turns=2", "--set", "pause_s=0.3"] if "drift" in recipe else []
        made = ctp10("run", ROOT / recipe, "--instrument", simulator.address, *shorter, cwd=folder)
        assert made.returncode == 0, made.stderr
    simulator.stop()
    return folder / "runs"


@pytest.fixture(scope="session")
def run_of(runs):
    def find(name):
        (folder,) = [path.parent for path in runs.glob("*/run.json") if json.loads(path.read_text())["name"] == name]
        return folder

    return find


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """Starts simulators and servers that end with the module."""
    yield from starter(tmp_path_factory)


@pytest.fixture
def start(tmp_path_factory):
    """Starts simulators and servers that end with the test."""
    yield from starter(tmp_path_factory)


@pytest.fixture
def server(start):
    """A server with a fast instrument of its own."""
    return start.server(start.simulator("--time-scale", "0.02"))


def starter(tmp_path_factory):
    begun = []

    class Start:
        def simulator(self, *arguments):
            log = tmp_path_factory.mktemp("instrument") / "commands.log"
            begun.append(Simulator(*map(str, arguments), log=log))
            if "--points" in arguments:
                # Many points lie within what an instrument can scan only when they are close together.
                raw = begun[-1].talk()
                raw.tell("INIT:WAV:SAMP 0.5PM")
                raw.close()
            return begun[-1]

        def server(self, instrument, *arguments, **options):
            folder = options.pop("folder", None) or tmp_path_factory.mktemp("server")
            begun.append(Server(instrument, folder, *arguments, **options))
            return begun[-1]

        def between(self, simulator):
            begun.append(Between(simulator))
            begun[-1].stop = begun[-1].close
            return begun[-1]

    yield Start()
    for process in reversed(begun):
        process.stop()
