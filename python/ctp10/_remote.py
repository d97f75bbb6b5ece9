"""Runs of a service: in progress, and ended."""

from __future__ import annotations

import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ._errors import Error, RequestError, Unreachable
from ._handle import Handle, check_answer
from ._http import Service
from ._picture import Picture
from ._progress import can_ask
from ._run import Run
from ._table import Table
from ._traces import Trace, traces_of

# A service that is away for longer is given up.
_AWAY_S = 60.0
_PAUSE_S = 1.0


class Submitted(Handle):
    """A run of a service in progress. The run belongs to the service and goes on when this interpreter ends."""

    def __init__(self, service: Service, run: str, attended: bool) -> None:
        self._service, self.id, self._attended = service, run, attended
        self.url = service.url

    def events(self) -> Iterator[dict[str, Any]]:
        after: str | None = None
        seen = time.monotonic()
        while True:
            news = False
            try:
                query = {"after": after, "attend": self._attended or None}
                for number, event in self._service.events(f"/runs/{self.id}/events", **query):
                    after, seen, news = number or after, time.monotonic(), True
                    yield event
                    if event["event"] == "finished":
                        return
                # The events of a run that has lost its process end without `finished`.
                if not news and self._status()["state"] != "running":
                    return
            except Unreachable:
                if time.monotonic() - seen > _AWAY_S:
                    raise
            if not news:
                time.sleep(_PAUSE_S)

    def _status(self) -> dict[str, Any]:
        return self._service.get(f"/runs/{self.id}")

    @property
    def question(self) -> dict[str, Any] | None:
        return self._status()["question"]

    def answer(self, answer: str) -> None:
        self._service.post(f"/runs/{self.id}/answer", {"answer": check_answer(self.question, answer)})

    def abort(self, now: bool = False) -> None:
        """Stops the run cleanly; with `now` without its `finally`. The lasers go off. Does not wait."""
        try:
            self._service.post(f"/runs/{self.id}/abort", now=now)
        except RequestError as error:
            # A run that has just ended needs no abort.
            if error.status not in (404, 409):
                raise

    def pause(self) -> None:
        """Pauses the run before its next operation."""
        self._service.post(f"/runs/{self.id}/pause")

    def resume(self) -> None:
        """Continues a paused run."""
        self._service.post(f"/runs/{self.id}/resume")

    def _is_attended(self) -> bool:
        return self._attended and can_ask()

    def result(self) -> Run:
        return BenchRun(self._service, self.id)


class BenchRun(Run):
    """A run of a service. Its traces are fetched when they are read."""

    def __init__(self, service: Service, run: str) -> None:
        self._service, self._run = service, run
        self._traces = None

    @property
    def folder(self) -> Path:  # type: ignore[override]
        raise Error("the folder of this run is on the computer of the service: `download()` copies it")

    def download(self, out: str | Path = "runs") -> Run:
        """Copies the run with all its files into a folder for runs on this computer, and opens it there. A run in
        progress is copied as it is now."""
        out = Path(out)
        out.mkdir(parents=True, exist_ok=True)
        # The run gets its name when it is whole.
        with tempfile.TemporaryDirectory(prefix=".download-", dir=out) as place:
            with tempfile.TemporaryFile(dir=place) as file:
                self._service.save(f"/runs/{self._run}/archive", file)
                try:
                    zipfile.ZipFile(file).extractall(place)
                except zipfile.BadZipFile as error:
                    raise Error(f"the archive of run {self._run} has not arrived completely: {error}") from error
            (folder,) = Path(place).iterdir()
            target = out / folder.name
            if target.exists():
                raise Error(f"`{target}` exists already")
            folder.rename(target)
        return Run(target)

    @property
    def manifest(self) -> dict[str, Any]:
        """The status of the run, with the names of the manifest."""
        status = self._service.get(f"/runs/{self._run}")
        metadata = self._of_traces("metadata") if status["traces"] else {}
        return {**status, "status": status["state"], "metadata": metadata}

    @property
    def status(self) -> str:
        return self._service.get(f"/runs/{self._run}")["state"]

    @property
    def summary(self) -> dict[str, Any] | None:
        """Not served; use the report."""
        return None

    @property
    def id(self) -> str:
        return self._run

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the recipe, as the trace files have them; empty if there is no trace."""
        return self._of_traces("parameters")

    def _of_traces(self, name: str) -> dict[str, Any]:
        return self.traces[0].metadata.get(name, {}) if self.traces else {}

    def events(self) -> Iterator[dict[str, Any]]:
        """The events of the run until now."""
        status = self._service.get(f"/runs/{self._run}")
        if not status["events"]:
            return
        for number, event in self._service.events(f"/runs/{self._run}/events"):
            yield event
            if event["event"] == "finished" or int(number or 0) >= status["events"]:
                return

    @property
    def traces(self) -> Any:
        if self._traces is None:
            traces = traces_of(self.events(), {}, self._trace)
            if self.status == "running":
                return traces
            self._traces = traces
        return self._traces

    def _trace(self, record: dict[str, Any], columns: dict[str, Any]) -> Trace:
        path = f"/runs/{self._run}/traces/{record['trace_index']}.parquet"
        return Trace(record, columns, lambda: self._service.bytes(path))

    @property
    def results(self) -> Table:
        """The figures of merit with their limits and verdicts, one row each."""
        rows: list[dict[str, Any]] = []
        after: Any = None
        while True:
            page = self._service.get(f"/runs/{self._run}/figures", after=after)
            rows += page["figures"]
            after = page["next"]
            if after is None:
                return Table.of_rows("results", rows)

    @property
    def power(self) -> Table:
        raise Error("the service does not serve recorded power: open the run folder on its computer")

    @property
    def report(self) -> Any:
        """The address of the report for people."""
        return f"{self._service.url}/runs/{self._run}/report"

    def plot(self, **options: Any) -> Picture:
        raise Error("the service draws no pictures: plot `to_pandas()`, or see the dashboard")

    def _repr_html_(self) -> str:
        return f"<p>{repr(self)[1:-1]} at {self._service.url}</p>"
