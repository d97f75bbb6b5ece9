"""Runs a recipe in a process of its own: `ctp10 run` on this computer."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ._binary import binary, entry, failure, find
from ._errors import Error
from ._handle import Handle, check_answer, is_attended
from ._progress import can_ask
from ._run import Run

# Messages of the program that are kept to explain why it did not start.
_MESSAGES = 200


class Process(Handle):
    """A run on this computer. The run is a process of its own; it stops cleanly when this interpreter ends, even if the
    interpreter is killed."""

    def __init__(self, arguments: list[str], attended: bool | None, folder: Path | None = None) -> None:
        """`attended`: whether a person is here; None: if one can be asked. `folder`: the run that is resumed."""
        presence = ["--unattended"] if attended is False else []
        attended = is_attended(attended)
        presence = ["--attended"] if attended else presence
        self._log = _EventLog()
        self._attended = attended
        self.url = None
        self._process = subprocess.Popen(
            [binary(), "--log-format", "json", *arguments, *presence, "--stop-at-eof"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            # Ctrl-C in the terminal or the notebook comes to this interpreter only, which passes it on once.
            start_new_session=True,
        )
        # The thread keeps this object, and so the run's standard input, until the run has ended.
        threading.Thread(target=self._read, name="ctp10", daemon=True).start()
        try:
            self._begun(folder)
        except BaseException:
            self._process.send_signal(signal.SIGINT)
            self._process.wait()
            raise

    def _read(self) -> None:
        assert self._process.stderr is not None
        self._log.read(self._process.stderr)

    def _begun(self, folder: Path | None) -> None:
        """Waits until the run has begun, and raises the reason if it has not."""
        begun = next((event for event in self._log.follow() if event["event"] in ("started", "taken_up")), None)
        if begun is None:
            raise failure(self._process.wait(), self._log.messages)
        self.url = self._log.url
        self.findings = find(self._log.messages)
        self.folder = folder or Path(begun["folder"]).absolute()
        self.id = self.folder.name.rpartition("_")[2]

    def events(self) -> Iterator[dict[str, Any]]:
        return self._log.follow()

    @property
    def question(self) -> dict[str, Any] | None:
        return self._log.question

    def answer(self, answer: str) -> None:
        answer = check_answer(self.question, answer)
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(answer + "\n")
            self._process.stdin.flush()
        except (OSError, ValueError):
            raise Error("the run has ended") from None
        self._log.answered()

    def abort(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def _interrupted(self) -> None:
        # A second signal ends the process at once; its watchdog then turns the lasers off.
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    def _ended(self) -> None:
        self._process.wait()

    def _is_attended(self) -> bool:
        return self._attended and can_ask()

    def result(self) -> Run:
        return Run(self.folder)


class _EventLog:
    """The events of a run, which one thread reads and others follow."""

    def __init__(self) -> None:
        self.url: str | None = None
        self.messages: list[str] = []
        self.question: dict[str, Any] | None = None
        # As texts, because a long run has many.
        self._kept: list[str] = []
        self._progress: str | None = None
        self._progresses = 0
        self._over = False
        self._news = threading.Condition()

    def read(self, stream: IO[str]) -> None:
        for line in stream:
            given = entry(line)
            with self._news:
                self._take(line, given)
                self._news.notify_all()
        with self._news:
            self._over = True
            self._news.notify_all()

    def _take(self, line: str, given: dict[str, Any] | None) -> None:
        kind = given.get("event") if given else None
        if given is None or kind is None:
            self.messages = [*self.messages[1 - _MESSAGES :], line.rstrip("\n")]
            return
        if kind == "dashboard":
            self.url = given["url"]
        elif kind == "progress":
            self._progress, self._progresses = line, self._progresses + 1
        else:
            self._kept.append(line)
            if kind == "question":
                self.question = given
            elif kind in ("answered", "finished"):
                self.question = None

    def answered(self) -> None:
        """An answer was sent, so the same question is not answered again."""
        with self._news:
            self.question = None

    def follow(self) -> Iterator[dict[str, Any]]:
        """All events in their order. Of the progress only the newest is given to a slow reader."""
        known = seen = 0
        while True:
            with self._news:
                while len(self._kept) == known and self._progresses == seen and not self._over:
                    self._news.wait()
                lines = self._kept[known:]
                known += len(lines)
                # The progress belongs to the newest step.
                if not lines and self._progress is not None and self._progresses > seen:
                    lines = [self._progress]
                elif not lines and self._over:
                    return
                seen = self._progresses
            for line in lines:
                yield json.loads(line)
