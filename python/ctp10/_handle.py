"""A run in progress: wait for it, answer it, abort it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import _progress
from ._errors import Error, Findings, RunAborted, RunFailed
from ._progress import Progress
from ._run import Run


class Handle:
    """A run in progress. `ctp10.start` and `Bench.submit` return it."""

    #: The identifier of the run.
    id: str
    #: The address of the dashboard; None if there is none.
    url: str | None
    #: The warnings about the recipe from before the run.
    findings: Findings = Findings()

    def events(self) -> Iterator[dict[str, Any]]:
        """The events of the run from its start, as in its journal, and its progress. Ends with the run."""
        raise NotImplementedError

    def abort(self) -> None:
        """Stops the run cleanly: the sweep is aborted, `finally` runs, and the lasers go off. Does not wait."""
        raise NotImplementedError

    def answer(self, answer: str) -> None:
        """Answers the open question."""
        raise NotImplementedError

    @property
    def question(self) -> dict[str, Any] | None:
        """The open question with its `message` and `choices`; None if there is none."""
        raise NotImplementedError

    def result(self) -> Run:
        """The run, with everything that it has measured until now."""
        raise NotImplementedError

    def _ended(self) -> None:
        """Called when the events have ended."""

    def _interrupted(self) -> None:
        """Ctrl-C while somebody waits. Called again for each further Ctrl-C."""
        self.abort()

    def wait(self, progress: bool = True) -> Run:
        """Waits for the end of the run, shows its progress, and asks its questions here if a person is present.

        Ctrl-C aborts the run; the wait continues until its lasers are off. A run that does not succeed raises
        `RunFailed`."""
        view = _progress.choose(progress)
        for finding in self.findings:
            view.say(str(finding))
        try:
            self._watch(view)
        except KeyboardInterrupt:
            self._stop_and_watch(view)
            raise
        finally:
            view.close()
        self._ended()
        run = self.result()
        if run.status == "aborted":
            raise RunAborted(run)
        if run.status != "done":
            raise RunFailed(run)
        return run

    def _watch(self, view: _progress.Silent, asks: bool = True) -> None:
        state = Progress()
        for event in self.events():
            state.apply(event)
            text = _progress.message(event)
            if text:
                view.say(text)
            view.show(state)
            if event.get("event") == "question" and asks:
                self._ask(view)

    def _stop_and_watch(self, view: _progress.Silent) -> None:
        while True:
            try:
                view.say("stopping the run: its lasers go off")
                self._interrupted()
                self._watch(view, asks=False)
                return self._ended()
            except KeyboardInterrupt:
                continue

    def _ask(self, view: _progress.Silent) -> None:
        """Asks the open question until it is answered. The dashboard may answer it, too."""
        while self._is_attended() and self.question is not None:
            question = self.question
            choices = question.get("choices") or []
            hint = f" [{' / '.join(choices)}]" if choices else ""
            view.say(f"? {question['message']}{hint}")
            try:
                answer = input("answer: ").strip()
            except EOFError:
                return
            try:
                return self.answer(answer)
            except (Error, ValueError) as error:
                view.say(str(error))

    def _is_attended(self) -> bool:
        return _progress.can_ask()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {getattr(self, 'id', '')} at {self.url}>"


def check_answer(question: dict[str, Any] | None, answer: str) -> str:
    """The answer in one line, if the open question allows it."""
    if question is None:
        raise Error("no question is open")
    choices = question.get("choices") or []
    if choices and answer not in choices:
        raise ValueError(f"`{answer}` is not one of the answers: {', '.join(choices)}")
    if "\n" in answer or "\r" in answer:
        raise ValueError("an answer has one line")
    return answer


def is_attended(wanted: bool | None) -> bool:
    """Whether a person answers the questions of a run that is started here."""
    return _progress.can_ask() if wanted is None else wanted
