"""The progress of a run: computed from its events, and shown as a bar in a terminal or in a notebook."""

from __future__ import annotations

import html
import shutil
import sys
import time
from collections.abc import Mapping
from typing import Any

Event = Mapping[str, Any]

# A bar is drawn again at most so often, because output costs the notebook more than the run.
_PAUSE_S = 0.1
_WIDTH = 24


class Progress:
    """What is known about a run after some of its events."""

    def __init__(self) -> None:
        self.name = ""
        self.simulated = False
        self.state = "running"
        self.reason: str | None = None
        self.traces = 0
        self.now = ""
        self.question: dict[str, Any] | None = None
        self._operations: int | None = None
        self._finished = 0
        self._estimated_s: float | None = None
        self._done_s = 0.0
        self._current_s = 0.0
        self._share = 0.0

    def apply(self, event: Event) -> None:
        kind = event.get("event")
        if kind == "started":
            self.name = event["name"]
            self.simulated = event["instrument"]["simulated"]
            self._operations, self._estimated_s = event.get("operations"), event.get("estimated_s")
        elif kind == "step_started":
            self.now, self._share = _words(event["step"]), 0.0
            self._current_s = event.get("estimated_s") or 0.0
        elif kind == "progress":
            self._share = event.get("done") or 0.0
        elif kind == "step_finished":
            self._finished += 1
            self._done_s, self._current_s, self._share = self._done_s + self._current_s, 0.0, 0.0
        elif kind == "trace_stored":
            self.traces += 1
        elif kind == "trace_withdrawn":
            self.traces -= 1
        elif kind == "question":
            self.question = dict(event)
        elif kind == "answered":
            self.question = None
        elif kind == "finished":
            self.state, self.reason, self.question = event["state"], event.get("reason"), None

    @property
    def share(self) -> float | None:
        """The share that is done, 0 to 1; None if the recipe could not be foreseen."""
        if self.state == "done":
            return 1.0
        if self._estimated_s:
            return min((self._done_s + self._share * self._current_s) / self._estimated_s, 1.0)
        if self._operations:
            return min((self._finished + self._share) / self._operations, 1.0)
        return None

    @property
    def left_s(self) -> float | None:
        """The expected time that is left, s."""
        if self._estimated_s is None or self.share is None:
            return None
        return self._estimated_s * (1 - self.share)

    def line(self) -> str:
        """One line about the run, without a bar."""
        if self.state != "running":
            words = [self.state, f"{self.traces} trace{'' if self.traces == 1 else 's'}"]
            words += [self.reason] if self.reason else []
        else:
            words = [self.now or "starting"]
            if self.left_s is not None:
                words.append(f"about {_duration(self.left_s)} left")
        if self.simulated:
            words.append("SIMULATED")
        return "  ".join(words)


def _words(step: Mapping[str, Any]) -> str:
    """A step as people call it: `sweep (power_dbm=0)`."""
    operation = next(iter(step["operation"]), "")
    turns = []
    for turn in step["place"].get("loops", []):
        value = turn.get("value")
        if isinstance(value, dict):
            value = value.get(turn["name"], next(iter(value.values()), ""))
        turns.append(f"{turn['name']}={value}" if turn.get("name") else f"turn {turn['index'] + 1}")
    return f"{operation} ({', '.join(turns)})" if turns else operation


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def message(event: Event) -> str | None:
    """What a person must read about an event, beside the bar."""
    kind = event.get("event")
    if kind == "warning":
        return f"warning: {event['message']}"
    if kind == "log":
        return str(event["message"])
    if kind == "step_failed" and event["fault"].get("kind") != "stopped":
        return f"failed: {event['fault'].get('message')}"
    if kind == "link_lost":
        return f"connection lost: {event['reason']}"
    if kind == "link_regained":
        return f"connected again after {_duration(event['after_s'])}"
    if kind == "disk_full":
        return "the disk is full: the run waits for space"
    if kind == "suspended":
        return f"suspended: {event['condition']}"
    if kind == "lasers_off" and event.get("unknown"):
        return f"lasers that could not be confirmed off: {', '.join(map(str, event['unknown']))}"
    if kind == "instruments_safe" and event.get("unknown"):
        return f"instruments that have not confirmed that they are safe: {', '.join(event['unknown'])}"
    return None


class Silent:
    """Shows nothing but the messages that a person must read."""

    def show(self, progress: Progress) -> None:
        pass

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        pass


class TerminalBar(Silent):
    """A line on stderr that is drawn again in its place."""

    def __init__(self) -> None:
        self._drawn_at = 0.0
        self._last: Progress | None = None

    def show(self, progress: Progress) -> None:
        self._last = progress
        if progress.state == "running" and time.monotonic() - self._drawn_at < _PAUSE_S:
            return
        self._drawn_at = time.monotonic()
        share = progress.share
        bar = ""
        if share is not None:
            full = round(share * _WIDTH)
            bar = f"[{'#' * full}{'.' * (_WIDTH - full)}] {share:4.0%}  "
        columns = shutil.get_terminal_size().columns
        self._write("\r\x1b[K" + f"{progress.name}  {bar}{_visible(progress.line())}"[: columns - 1])

    def say(self, text: str) -> None:
        self._write(f"\r\x1b[K{_visible(text)}\n")

    def close(self) -> None:
        if self._last is not None:
            self._write("\n")

    @staticmethod
    def _write(text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


class NotebookBar(Silent):
    """A bar in the output of the cell, changed in its place."""

    def __init__(self) -> None:
        from IPython.display import HTML, display

        self._page: Any = HTML
        self._display: Any = display
        self._shown: Any = None
        self._drawn_at = 0.0

    def show(self, progress: Progress) -> None:
        if progress.state == "running" and time.monotonic() - self._drawn_at < _PAUSE_S:
            return
        self._drawn_at = time.monotonic()
        share = progress.share
        bar = "<progress></progress>" if share is None else f"<progress max='1' value='{share:.3f}'></progress>"
        page = self._page(f"{html.escape(progress.name)} {bar} {html.escape(progress.line())}")
        if self._shown is None:
            self._shown = self._display(page, display_id=True)
        else:
            self._shown.update(page)


def _visible(text: str) -> str:
    """Text from a recipe or an instrument must not control the terminal."""
    return "".join(letter if letter.isprintable() or letter == "\n" else ascii(letter)[1:-1] for letter in text)


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook."""
    return hasattr(_shell(), "kernel")


def _shell() -> Any:
    """The shell of IPython; None in another interpreter."""
    ipython: Any = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def can_ask() -> bool:
    """Whether a person can be asked here: at a terminal, or in a notebook that takes input."""
    if in_notebook():
        kernel = _shell().kernel
        # Tools that execute a notebook without a person allow no input.
        return bool(getattr(kernel, "_allow_stdin", False))
    return bool(sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty())


def choose(wanted: bool) -> Silent:
    if wanted and in_notebook():
        return NotebookBar()
    if wanted and sys.stderr is not None and sys.stderr.isatty():
        return TerminalBar()
    return Silent()
