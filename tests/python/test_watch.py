"""`ctp10 watch` in a terminal: pyte, an independent emulator, decides what a person sees."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios

import pyte
import pytest

from conftest import BINARY, LIMIT_S, Server, ctp10, environment, until

COLUMNS, ROWS = 100, 30
SERIES = """
name: two-powers
detectors: {through: 4/1, tap: 4/3}
steps:
  - configure_scan: {start_nm: 1540, stop_nm: 1560, resolution_pm: 10}
  - repeat:
      for: power_dbm
      in: [-3, 3]
      steps:
        - configure_tls: {tls: 1, power_dbm: "${power_dbm}"}
        - sweep: {}
        - fetch_trace: {detectors: [through], trace: raw}
"""
READ_ONLY = "read-only-token-of-the-lab"


class Terminal:
    """The program in a pseudo-terminal."""

    def __init__(self, *arguments):
        self.master, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.screen = pyte.Screen(COLUMNS, ROWS)
        self.stream = pyte.ByteStream(self.screen)
        self.before = termios.tcgetattr(end)
        self.process = subprocess.Popen(
            [BINARY, "watch", *map(str, arguments)],
            stdin=end,
            stdout=end,
            stderr=end,
            env=environment(TERM="xterm-256color"),
            start_new_session=True,
        )
        self.end = end

    def text(self):
        """What the screen shows now."""
        while select.select([self.master], [], [], 0.05)[0]:
            piece = os.read(self.master, 65536)
            self.stream.feed(piece)
            # A terminal tells where its cursor is when it is asked.
            if b"\x1b[6n" in piece:
                self.press("\x1b[1;1R")
        return "\n".join(self.screen.display)

    def shows(self, *words):
        return until(f"the screen shows {words}", lambda: all(word in self.text() for word in words))

    def press(self, keys):
        os.write(self.master, keys.encode())

    def ended(self):
        """The exit code, once the process has ended."""
        until("the process has ended", lambda: (self.text(), self.process.poll() is not None)[1])
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(LIMIT_S)
        os.close(self.master)
        os.close(self.end)


@pytest.fixture
def watch():
    opened = []

    def start(*arguments):
        opened.append(Terminal(*arguments))
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()


@pytest.fixture
def server(tmp_path):
    server = Server("sim", tmp_path)
    yield server
    server.stop()


def test_a_run_is_watched_from_before_its_start_to_its_end(server, watch):
    terminal = watch(server.url)
    terminal.shows("SIMULATED", "no run since the service started", "no trace yet")
    server.begin(SERIES)
    terminal.shows("two-powers  done", "7 of 7 operations", "through raw, trace 2 of 2, newest", "dBm")
    # Only the detectors that the recipe names.
    terminal.shows("through dark   tap dark")
    terminal.press("\x1b[D")
    terminal.shows("through raw, trace 1 of 2,")
    terminal.press("n")
    terminal.shows("trace 2 of 2, newest")
    terminal.press("q")
    assert terminal.ended() == 0
    # The terminal is as it was: it echoes, and has its lines back.
    assert termios.tcgetattr(terminal.end) == terminal.before


def test_the_service_may_end_and_come_back(server, watch):
    terminal = watch(server.url)
    terminal.shows("SIMULATED")
    server.stop()
    terminal.shows("no contact:")
    server.address = f"{server.host}:{server.port}"
    server.start()
    until("there is contact again", lambda: "no contact" not in terminal.text())
    terminal.press("\x03")
    assert terminal.ended() == 0


def test_the_read_only_token_is_enough(tmp_path, watch):
    full, read = tmp_path / "token", tmp_path / "read"
    full.write_text("full-token-of-this-bench")
    read.write_text(READ_ONLY)
    for file in (full, read):
        file.chmod(0o600)
    server = Server("sim", tmp_path, "--token-file", full, "--read-token-file", read, connected=False)
    try:
        refused = watch(server.url)
        assert refused.ended() == 2
        assert "the service wants a token: give it with `--token-file`" in " ".join(refused.text().split())
        watch(server.url, "--token-file", read).shows("SIMULATED", "live power, module 4")
    finally:
        server.stop()


def test_mistakes_are_told_before_the_screen_is_used(server, watch):
    assert "needs a terminal" in ctp10("watch", server.url).stderr
    for address, words in [("ftp://bench", "is not the address of a service"), ("127.0.0.1:1", "cannot be reached")]:
        terminal = watch(address)
        assert terminal.ended() == 2
        assert words in " ".join(terminal.text().split())


def test_a_signal_ends_the_view(server, watch):
    terminal = watch(server.url)
    terminal.shows("SIMULATED")
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.ended() == 0
    assert termios.tcgetattr(terminal.end) == terminal.before
