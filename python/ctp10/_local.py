"""What this computer measures and has measured: runs, checks, plans."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Union

from ._binary import attempt, call, failure, find
from ._errors import Findings
from ._libraries import need
from ._process import Process
from ._recipe import Recipe, RecipeFile, Tables
from ._run import Run
from ._values import listed, parameters, texts

Folder = Union[str, "os.PathLike[str]"]


def run(
    recipe: Recipe,
    *,
    instrument: str | None = None,
    set: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    tables: Tables | None = None,
    out: Folder | None = None,
    with_real: Sequence[str] = (),
    attended: bool | None = None,
    progress: bool = True,
) -> Run:
    """Runs a recipe and waits for its end. Ctrl-C aborts the run; its lasers go off.

    `recipe`: a file, a YAML text, or a map. `instrument`: `"sim"` or `"host:port"`; as on the command line it must be
    given here, in the recipe, in `CTP10_INSTRUMENT` or in `ctp10.toml`. `set`: values for the parameters of the recipe.
    `metadata`: additions to its metadata. `tables`: tables of devices by the name of the CSV file that the recipe
    reads, `{"dies.csv": frame}`. `out`: the folder for run folders; default: `runs`.
    `with_real`: named instruments of the bench that are used although the CTP10 is simulated. `attended`: whether a
    person here answers the prompts of the recipe; default: only at a terminal or in a notebook. `progress`: whether
    to show a bar.

    Raises `RecipeError` (with `findings`), `InstrumentError`, or `RunFailed` (with `run`)."""
    handle = start(
        recipe,
        instrument=instrument,
        set=set,
        metadata=metadata,
        tables=tables,
        out=out,
        with_real=with_real,
        attended=attended,
    )
    return handle.wait(progress=progress)


def start(
    recipe: Recipe,
    *,
    instrument: str | None = None,
    set: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    tables: Tables | None = None,
    out: Folder | None = None,
    with_real: Sequence[str] = (),
    attended: bool | None = None,
) -> Process:
    """Starts a recipe and returns when its run has begun. The arguments are those of `run`.

    The run stops cleanly when this interpreter ends. Use a service (`connect`) for a run that must go on."""
    with RecipeFile(recipe, tables) as file:
        arguments = ["run", file.path, *_options(instrument, set)]
        for name in with_real:
            arguments += ["--with-real", name]
        for entry in texts(parameters(metadata, "metadata")):
            arguments += ["--metadata", entry]
        process = Process([*arguments, *_place(out), *_SIDECAR], attended)
        process.findings = file.named(process.findings)
        return process


def resume(
    run: str | Run = "last",
    *,
    instrument: str | None = None,
    out: Folder | None = None,
    attended: bool | None = None,
    progress: bool = True,
) -> Run:
    """Continues a run that was interrupted, stopped or failed, in its folder, and waits for its end."""
    found = run if isinstance(run, Run) else open(run, out=out)
    arguments = ["resume", str(found.folder), *_options(instrument, None), *_SIDECAR]
    return Process(arguments, attended, found.folder).wait(progress=progress)


def check(
    *recipes: Recipe,
    instrument: str | None = None,
    set: Mapping[str, Any] | None = None,
    tables: Tables | None = None,
) -> Findings:
    """Checks recipes before any light is emitted. Returns the findings; with errors the recipe would not run.

    With `instrument`, also checks whether this instrument can do it; sends queries only."""
    found = Findings()
    for recipe in recipes:
        with RecipeFile(recipe, tables) as file:
            code, _, messages = attempt("check", file.path, *_options(instrument, set))
        findings = find(messages)
        if code not in (0, 2) or (code and not findings.errors):
            raise failure(code, messages)
        found.extend(file.named(findings))
    return found


class Plan:
    """All operations of a recipe in order, with times, points and bytes."""

    def __init__(self, given: dict[str, Any], text: str) -> None:
        #: The operations, as `ctp10 plan --json` prints them.
        self.steps: list[dict[str, Any]] = given["steps"]
        #: The sums of all operations.
        self.total: dict[str, Any] = given["total"]
        self._text = text

    def to_pandas(self) -> Any:
        """The operations as a `pandas.DataFrame`."""
        return need("pandas", "to_pandas()").json_normalize(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        return self._text


def plan(recipe: Recipe, *, set: Mapping[str, Any] | None = None, tables: Tables | None = None) -> Plan:
    """The plan of a recipe. Needs no instrument. Raises `RecipeError` if the recipe is wrong."""
    with RecipeFile(recipe, tables) as file:
        arguments = ["plan", file.path, *_options(None, set)]
        given = call(*arguments, "--json")
        text = call(*arguments)
    return Plan(json.loads(given), text.rstrip())


def open(run: str | os.PathLike[str] = "last", *, out: Folder | None = None) -> Run:
    """A run by its name: `last`, an identifier, a folder, or the name of a recipe (its newest run)."""
    shown = call("runs", "show", os.fspath(run), *_place(out), "--json")
    return Run(json.loads(shown)["folder"])


def runs(
    where: str | None = None,
    *,
    name: str | None = None,
    status: str | Sequence[str] | None = None,
    verdict: str | Sequence[str] | None = None,
    batch: str | None = None,
    since: str | None = None,
    until: str | None = None,
    text: str | None = None,
    limit: int | None = None,
    out: Folder | None = None,
) -> list[Run]:
    """The runs that fulfil all conditions, the newest first: `runs(where="wafer = 'W12' and verdict = 'fail'")`.

    `text`: words that all occur in the names, the reason, the parameters or the metadata of the run. `limit`: only so
    many; default: all."""
    arguments = ["runs", "--json", "--limit", str(limit or 0), *_place(out)]
    given = {"where": where, "name": name, "batch": batch, "since": since, "until": until, "text": text}
    given.update({"status": listed(status), "verdict": (listed(verdict) or "").replace(" ", "-") or None})
    for option, value in given.items():
        arguments += [f"--{option}={value}"] if value is not None else []
    return [Run(entry["folder"]) for entry in json.loads(call(*arguments))["runs"]]


# The system chooses a port, so that several runs have a dashboard each.
_SIDECAR = ["--sidecar", "127.0.0.1:0"]


def _options(instrument: str | None, set: Mapping[str, Any] | None) -> list[str]:
    arguments = ["--instrument", instrument] if instrument is not None else []
    for entry in texts(parameters(set)):
        arguments += ["--set", entry]
    return arguments


def _place(out: Folder | None) -> list[str]:
    return ["--out", str(Path(out))] if out is not None else []
