"""Exceptions, and the findings that explain a wrong recipe."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, List

if TYPE_CHECKING:
    from ._run import Run


@dataclass(frozen=True)
class Finding:
    """One finding about a recipe. `text` shows the line of the recipe with a caret, as `ctp10 check` prints it."""

    severity: str
    message: str
    hint: str | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None
    text: str = ""

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Finding:
        known = {name: given.get(name) for name in ("file", "line", "column")}
        hint = given.get("hint")
        return cls(
            severity=str(given["severity"]),
            message=str(given["message"]),
            hint=_in_python(str(hint)) if hint else None,
            text=_in_python(str(given.get("text") or given["message"])),
            **known,
        )

    def __str__(self) -> str:
        return self.text or f"{self.severity}: {self.message}"


class Findings(List[Finding]):
    """The findings of a check, in the order of the recipe."""

    @property
    def errors(self) -> Findings:
        """Findings that prevent a run."""
        return Findings(finding for finding in self if finding.severity == "error")

    @property
    def warnings(self) -> Findings:
        """Findings that are allowed, but probably a mistake."""
        return Findings(finding for finding in self if finding.severity == "warning")

    def __str__(self) -> str:
        return "\n".join(map(str, self)) or "no findings"

    __repr__ = __str__


class Error(Exception):
    """The base of all exceptions of this package."""


class BinaryNotFound(Error):
    """The program `ctp10` was not found."""


class RecipeError(Error):
    """The recipe, its parameters or the options are wrong. Nothing was measured."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = Findings(findings)
        super().__init__(str(self.findings))


class InstrumentError(Error):
    """The instrument cannot be used: it does not reply, another program holds it, or it lacks something."""


class RunFailed(Error):
    """A run has begun and did not succeed. `run` has everything that it measured before."""

    def __init__(self, run: Run) -> None:
        self.run = run
        reason = f": {run.reason}" if run.reason else ""
        super().__init__(f"run {run.id} ({run.name}) {_ENDED.get(run.status, run.status)}{reason}")


class RunAborted(RunFailed):
    """A person or a program has stopped the run."""


class RequestError(Error):
    """A service has refused a request. `status` is the HTTP status, and `detail` the reason."""

    def __init__(self, status: int, detail: Any) -> None:
        self.status, self.detail = status, detail
        super().__init__(f"{_reason(detail)} (HTTP {status})")


class Unreachable(Error):
    """A service does not reply."""


class SelectionError(Error, LookupError):
    """No trace fits the selection."""


_ENDED = {"failed": "failed", "aborted": "was aborted", "interrupted": "was interrupted"}


def _in_python(text: str) -> str:
    """Options of the command line as arguments of a function."""
    return re.sub(r"`--instrument ([^`\s]+)`", r'`instrument="\1"`', text)


def _reason(detail: Any) -> str:
    if isinstance(detail, list):
        return "; ".join(_problem(problem) for problem in detail)
    return str(detail)


def _problem(problem: Any) -> str:
    if not isinstance(problem, dict) or "msg" not in problem:
        return str(problem)
    place = ".".join(str(part) for part in problem.get("loc", [])[1:])
    return f"{place}: {problem['msg']}" if place else str(problem["msg"])
