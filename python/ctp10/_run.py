"""A run: its traces, figures and power, and how it ended."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from ._binary import call
from ._errors import Error
from ._picture import Picture
from ._table import Power, Table
from ._traces import Trace, Traces, traces_of


class Run:
    """A run folder. What it contains is read when it is asked for, so a run in progress can be looked at, too."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).absolute()
        self._traces: Traces | None = None
        if not (self.folder / "run.json").is_file():
            raise Error(f"`{folder}` is no run folder: it has no run.json")

    @property
    def manifest(self) -> dict[str, Any]:
        """Everything in `run.json`."""
        return json.loads((self.folder / "run.json").read_text(encoding="utf-8"))

    @property
    def summary(self) -> dict[str, Any] | None:
        """Everything in `summary.json`: counts, faults, what is missing. None before the end of the run."""
        path = self.folder / "summary.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    @property
    def id(self) -> str:
        """The identifier of the run."""
        return self.manifest["run"]

    @property
    def name(self) -> str:
        """The name of the recipe."""
        return self.manifest["name"]

    @property
    def status(self) -> str:
        """`running`, `done`, `failed`, `aborted` or `interrupted`."""
        status = self.manifest["status"]
        if status == "running":
            # Only the program can tell whether the process of the run is alive.
            status = json.loads(call("runs", "show", str(self.folder), "--json"))["manifest"]["status"]
        return status

    @property
    def reason(self) -> str | None:
        """Why the run failed or was stopped."""
        return self.manifest.get("reason")

    @property
    def verdict(self) -> str | None:
        """The worst verdict on figures: `pass`, `marginal`, `not measured` or `fail`; None without limits."""
        return self.manifest.get("verdict")

    @property
    def simulated(self) -> bool:
        """Whether a simulator was measured."""
        return self.manifest["instrument"]["simulated"]

    @property
    def instrument(self) -> dict[str, Any]:
        """The instrument: its address, identity and lasers."""
        return self.manifest["instrument"]

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the recipe, as the run had them."""
        return self.manifest["parameters"]

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata of the recipe, with additions."""
        return self.manifest["metadata"]

    @property
    def started(self) -> datetime:
        """When the run began (UTC)."""
        return _moment(self.manifest["started"])

    @property
    def finished(self) -> datetime | None:
        """When the run ended (UTC); None while it is running."""
        given = self.manifest.get("finished")
        return _moment(given) if given else None

    def events(self) -> Iterator[dict[str, Any]]:
        """The events in the journal. Damaged lines are left out; `ctp10 runs verify` lists them."""
        with open(self.folder / "journal.jsonl", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    yield json.loads(line)
                except ValueError:
                    continue

    @property
    def traces(self) -> Traces:
        """The traces in order."""
        if self._traces is not None:
            return self._traces
        of_batch = self.manifest.get("columns", {})
        traces = traces_of(self.events(), of_batch, self._trace)
        if self.manifest["status"] != "running":
            self._traces = traces
        return traces

    def _trace(self, record: dict[str, Any], columns: dict[str, Any]) -> Trace:
        return Trace(record, columns, self.folder / record["file"])

    @property
    def results(self) -> Table:
        """The figures of merit with their limits and verdicts, one row each; empty if the recipe has no `analyze`."""
        return Table.of_files("results", self._files("results.parquet"))

    @property
    def power(self) -> Power:
        """The recorded power, one row a reading."""
        return Power.of_files("power", self._files("power/*.parquet"))

    def _files(self, pattern: str) -> list[Path]:
        return sorted(self.folder.glob(pattern))

    @property
    def report(self) -> Path | None:
        """The report for people; None before the end of the run."""
        path = self.folder / "report.html"
        return path if path.is_file() else None

    def plot(self, **options: Any) -> Picture:
        """All traces as one picture. See `Traces.plot` for the options."""
        return Picture([str(self.folder)], **options)

    def __repr__(self) -> str:
        manifest = self.manifest
        words = [f"<Run {manifest['run']} {manifest['name']}: {self.status}"]
        words += [f"verdict {manifest['verdict']}"] if manifest.get("verdict") else []
        words.append(f"{len(self.traces)} trace{'s' * (len(self.traces) != 1)}")
        words += ["SIMULATED"] if self.simulated else []
        return ", ".join(words) + ">"

    def _repr_html_(self) -> str:
        rows = {
            "run": f"{self.id} ({self.name})" + (" SIMULATED" if self.simulated else ""),
            "status": ": ".join(filter(None, [self.status, self.reason])),
            "verdict": self.verdict,
            "started": f"{self.started:%Y-%m-%d %H:%M:%S} UTC",
            "traces": len(self.traces),
            "parameters": ", ".join(f"{name} = {value}" for name, value in self.parameters.items()),
            "folder": self.folder,
        }
        left = "style='text-align:left'"
        cells = "".join(
            f"<tr><th {left}>{name}</th><td {left}>{html.escape(str(value))}</td></tr>"
            for name, value in rows.items()
            if value not in (None, "")
        )
        return f"<table>{cells}</table>"


def _moment(text: str) -> datetime:
    # Nanoseconds and `Z` are unknown to Python before 3.11.
    whole, _, fraction = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{(fraction or '0')[:6]:0<6}+00:00")
