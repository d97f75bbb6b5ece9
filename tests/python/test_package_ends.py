"""`import ctp10` at a terminal, and when its interpreter ends: nothing leaves a run or a laser behind."""

import os
import pty
import re
import signal
import subprocess
import sys
import textwrap
import threading

import pytest
from conftest import BINARY, LIMIT_S, ROOT, environment, until
from package import ASKS, LIT, SERIES, at_home  # noqa: F401

import ctp10  # isort: skip

SHINES = f"""
import ctp10, time
run = ctp10.start({LIT!r}, instrument=INSTRUMENT)
next(event for event in run.events() if event["event"] == "step_started" and "wait" in event["step"]["operation"])
print("lit", flush=True)
"""


class TestEnds:
    """Whatever ends the interpreter ends the run cleanly."""

    def lives(self, simulator, ending):
        text = SHINES.replace("INSTRUMENT", repr(simulator.address)) + ending
        process = subprocess.Popen(
            [sys.executable, "-c", text],
            env=environment(PYTHONPATH=str(ROOT / "python"), CTP10_BIN=BINARY),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout.readline() == "lit\n", process.stderr.read()
        assert simulator.talk().lasers_on() == [1]
        return process

    def aborted(self, simulator, why):
        run = ctp10.open("last")
        until("the run has ended", lambda: run.manifest["status"] != "running")
        assert (run.status, run.reason) == ("aborted", why)
        assert simulator.talk().lasers_on() == []
        return run

    @pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
    def test_a_kernel_that_is_killed_takes_its_run_with_it(self, start, end):
        simulator = start.simulator("--time-scale", "0.05")
        process = self.lives(simulator, "time.sleep(3600)")
        process.send_signal(end)
        process.wait(LIMIT_S)
        self.aborted(simulator, "the program that started the run has ended")

    def test_a_script_that_ends_without_waiting_takes_its_run_with_it(self, start):
        simulator = start.simulator("--time-scale", "0.05")
        assert self.lives(simulator, "").wait(LIMIT_S) == 0
        self.aborted(simulator, "the program that started the run has ended")

    def test_ctrl_c_aborts_and_waits_until_the_lasers_are_off(self, start):
        simulator = start.simulator("--time-scale", "0.05")
        ending = "try:\n    run.wait()\nexcept KeyboardInterrupt:\n    print(run.result().status, flush=True)\n"
        process = self.lives(simulator, ending)
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "aborted\n"
        assert process.wait(LIMIT_S) == 0
        self.aborted(simulator, "stopped by Ctrl-C")


class Terminal:
    """An interpreter at a terminal of its own."""

    def __init__(self, text):
        self.process, self.end = pty.fork()
        if self.process == 0:
            variables = environment(PYTHONPATH=str(ROOT / "python"), CTP10_BIN=BINARY, TERM="xterm", COLUMNS="100")
            os.execve(sys.executable, [sys.executable, "-c", textwrap.dedent(text)], variables)
        self.shown = ""

    def until(self, text):
        """Reads until a text appears, and gives everything that was shown."""
        stop = threading.Timer(LIMIT_S, os.kill, (self.process, signal.SIGKILL))
        stop.start()
        try:
            while text not in self.shown:
                self.shown += os.read(self.end, 4096).decode()
        except OSError:
            raise AssertionError(f"{text!r} never appeared: {self.shown}") from None
        finally:
            stop.cancel()
        return self.shown

    def type(self, text):
        os.write(self.end, text.encode())

    def close(self):
        """Waits for the end of the interpreter, and gives its exit code."""
        try:
            while data := os.read(self.end, 4096):
                self.shown += data.decode()
        except OSError:
            pass
        os.close(self.end)
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


class TestTerminal:
    def test_a_bar_shows_progress_and_the_simulator(self):
        terminal = Terminal(f"import ctp10; ctp10.run({str(SERIES)!r}, instrument='sim', attended=False)")
        terminal.until("done  8 traces  SIMULATED")
        assert re.search(r"power-series  \[#+\.+\]\s+\d+%  sweep \(power_dbm=0\)  about \d+ s left", terminal.shown)
        assert terminal.close() == 0

    def test_a_prompt_is_asked_and_answered(self):
        terminal = Terminal(f"import ctp10; ctp10.run({ASKS!r}, instrument='sim')")
        terminal.until("? Which fibre? [left / right]")
        terminal.until("answer: ")
        terminal.type("middle\n")
        terminal.until("`middle` is not one of the answers: left, right")
        terminal.type("right\n")
        terminal.until("the fibre is right")
        terminal.until("done")
        assert terminal.close() == 0

    def test_ctrl_c_at_the_terminal_reaches_the_run_once(self, start):
        simulator = start.simulator("--time-scale", "0.05")
        terminal = Terminal(f"import ctp10; ctp10.run({LIT!r}, instrument={simulator.address!r})")
        terminal.until("  wait  ")
        terminal.type("\x03")
        terminal.until("stopping the run")
        terminal.until("aborted")
        terminal.until("KeyboardInterrupt")
        assert terminal.close() != 0
        assert ctp10.open("last").reason == "stopped by Ctrl-C"
        assert simulator.talk().lasers_on() == []
