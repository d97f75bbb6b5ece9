"""A service of ctp10, here or on another computer: `ctp10 serve`, or the dashboard of a run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ._errors import Error, Finding, Findings, InstrumentError, RecipeError, RequestError
from ._handle import is_attended
from ._http import Service
from ._recipe import Recipe, request_body
from ._remote import BenchRun, Submitted
from ._values import listed, parameters, plain, rows

# What a service says when the instrument is the reason.
_INSTRUMENT = (409, 502, 503, 504)


def connect(url: str = "http://127.0.0.1:8002", *, token: str | None = None) -> Bench:
    """A service of ctp10. The token is needed if the service has one; default: the variable `CTP10_TOKEN`."""
    return Bench(url, token)


class Bench:
    """A service with its instrument. With `with`, the service must reply at the beginning."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self._service = Service(url, token or os.environ.get("CTP10_TOKEN"))

    def __enter__(self) -> Bench:
        _ = self.instrument
        return self

    def __exit__(self, *_: object) -> None:
        """Runs go on: they belong to the service."""

    @property
    def url(self) -> str:
        return self._service.url

    @property
    def instrument(self) -> dict[str, Any]:
        """The state of the instrument: `connected`, `identity`, `simulated`, `lasers`, the active `run`."""
        return self._service.get("/instrument")

    @property
    def recipes(self) -> list[dict[str, Any]]:
        """The recipes of the service, with their parameters."""
        return self._service.get("/recipes")["recipes"]

    def check(self, recipe: Recipe, *, set: Mapping[str, Any] | None = None) -> Findings:
        """Checks a recipe with the limits of this bench."""
        reply = self._service.post("/check", {**request_body(recipe), "parameters": parameters(set)})
        return Findings(Finding.read(finding) for finding in reply["findings"])

    def submit(
        self,
        recipe: Recipe,
        *,
        set: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        attended: bool | None = None,
    ) -> Submitted:
        """Starts a run now. The recipe is a file here, a YAML text, a map, or the path of a recipe of the service.

        `attended`: whether a person here answers the questions of the run; default: only at a terminal or in a
        notebook."""
        attends = is_attended(attended)
        body = {**request_body(recipe), "parameters": parameters(set), "metadata": parameters(metadata, "metadata")}
        body.update({"attend": True} if attends else {"unattended": attended is False})
        try:
            run = self._service.post("/runs", body)["run"]
        except RequestError as error:
            raise _why(error) from error
        return Submitted(self._service, run, attends)

    def queue(
        self,
        recipe: str,
        *,
        devices: Any = None,
        matrix: Mapping[str, Any] | None = None,
        set: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> list[int]:
        """Adds items to the queue of the service, one for each device and each combination of the matrix. Returns their
        numbers. `devices` is a table: a list of maps, or a frame of pandas or polars. `recipe` is the path of a recipe
        of the service. Further options are the fields of an item of a batch file, such as `priority=5`."""
        item: dict[str, Any] = {"recipe": os.fspath(recipe), **plain(options)}
        item.update({"devices": rows(devices)} if devices is not None else {})
        item.update({"matrix": plain(matrix)} if matrix else {})
        item.update({"set": parameters(set)} if set else {})
        item.update({"metadata": parameters(metadata, "metadata")} if metadata else {})
        try:
            return self._service.post("/batch/items", item)["numbers"]
        except RequestError as error:
            raise _why(error) from error

    def power(self, module: int = 4, *, interval: float = 0.1) -> Iterator[dict[str, Any]]:
        """Live power: a frame with `ch1_power` … `ch4_power` in its `unit` at each interval in s. During a scan the
        detectors cannot be read; then the `type` is `busy` and the readings are the last known ones.

        Ends with the service. A module that cannot be read raises `InstrumentError`."""
        for _, frame in self._service.events("/power", module=module, interval=interval):
            if frame["type"] == "error":
                raise InstrumentError(frame["message"])
            if frame["type"] in ("data", "busy"):
                yield frame

    def off(self) -> dict[str, Any]:
        """The emergency stop: aborts any scan, ends the run, and turns all lasers off. Raises `InstrumentError` if a
        laser could not be confirmed off."""
        try:
            reply = self._service.post("/off")
        except RequestError as error:
            raise _why(error) from error
        if reply["lasers_unknown"] or not reply["aborted"]:
            raise InstrumentError(f"the instrument has not confirmed that its lasers are off: {reply}")
        return reply

    def runs(
        self,
        where: str | None = None,
        *,
        name: str | None = None,
        status: str | Sequence[str] | None = None,
        verdict: str | Sequence[str] | None = None,
        batch: str | None = None,
        since: str | None = None,
        until: str | None = None,
        text: str | None = None,
        limit: int = 50,
    ) -> list[BenchRun]:
        """The runs of the service that fulfil all conditions, the newest first, as in `ctp10.runs`."""
        found: list[BenchRun] = []
        before = None
        while len(found) < limit:
            page = self._service.get(
                "/runs",
                limit=min(limit - len(found), 500),
                before=before,
                where=where,
                name=name,
                status=listed(status),
                verdict=listed(verdict),
                batch=batch,
                since=since,
                until=until,
                text=text,
            )
            found += [BenchRun(self._service, run["run"]) for run in page["runs"]]
            before = page["next"]
            if before is None:
                break
        return found

    def run(self, run: str) -> BenchRun:
        """A run of the service: its identifier, the first characters of it, the name of a recipe (its newest run), or
        `last`."""
        found = self._service.get(f"/runs/{quote(run, safe='')}")
        return BenchRun(self._service, found["run"])

    @property
    def current(self) -> Submitted | None:
        """The active run, whoever started it; None if there is none."""
        run = self.instrument["run"]
        return Submitted(self._service, run, attended=False) if run else None

    def __repr__(self) -> str:
        return f"<Bench {self.url}>"


def _why(error: RequestError) -> Error:
    """The exception for a request that was refused."""
    detail = error.detail
    if isinstance(detail, list) and all(isinstance(part, dict) and "severity" in part for part in detail):
        return RecipeError(Finding.read(part) for part in detail)
    return InstrumentError(str(error)) if error.status in _INSTRUMENT else error
