"""Traces of a run: choosing them, and reading them into the table of a library."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Callable, overload

from ._errors import Error
from ._libraries import is_installed, need, need_arrow
from ._picture import Picture
from ._select import NAMING, fits, nothing_fits
from ._table import concat, joined


class Trace:
    """One trace: wavelengths in nm, and levels in dB or dBm."""

    def __init__(
        self,
        record: Mapping[str, Any],
        columns: Mapping[str, Any],
        file: Path | Callable[[], bytes],
    ) -> None:
        self._record, self._file = record, file
        self._metadata: dict[str, Any] | None = None
        self._detector: str | None = None
        #: The number of the trace within the run, from 1.
        self.index: int = record["trace_index"]
        #: The number of its sweep, from 1.
        self.sweep: int = record["sweep_index"]
        #: The module and channel: `4/1`.
        self.position: str = record["detector"]
        #: The kind: `tf`, `raw`, `reference`, …
        self.kind: str = record["trace"]
        #: The name that the recipe gives to the trace.
        self.name: str = record["name"]
        #: `dB` or `dBm`.
        self.unit: str = record["unit"]
        #: The values of the loops, of the columns of their tables, and of the columns of a batch.
        self.columns: dict[str, Any] = dict(columns)

    @property
    def detector(self) -> str:
        """The name of the detector in the recipe; the position if it has none."""
        if self._detector is None:
            self._detector = self._record.get("detector_name") or self._name_in_file() or self.position
        return self._detector

    def _name_in_file(self) -> str | None:
        """Journals of earlier versions lack the name, but their files have it."""
        if not isinstance(self._file, Path) or not is_installed("pyarrow"):
            return None
        try:
            return self.metadata.get("detector")
        except OSError:
            return None

    @property
    def points(self) -> int:
        """The number of points."""
        return self._record["points"]

    @property
    def grid(self) -> tuple[float, float, int]:
        """The first wavelength in nm, the step in pm, and the number of points."""
        return self._record["start_nm"], self._record["step_pm"], self._record["points"]

    @property
    def min(self) -> dict[str, float] | None:
        """The lowest `value` and its wavelength `nm`."""
        return self._record["min"]

    @property
    def max(self) -> dict[str, float] | None:
        """The highest `value` and its wavelength `nm`."""
        return self._record["max"]

    @property
    def mean(self) -> float | None:
        """The mean of all values."""
        return self._record["mean"]

    @property
    def file(self) -> Path:
        """The Parquet file."""
        if not isinstance(self._file, Path):
            raise Error("this trace is on another computer: `to_arrow()` and the other methods fetch it")
        return self._file

    @property
    def metadata(self) -> dict[str, Any]:
        """Everything that the file says about the measurement: instrument, settings, recipe, parameters, reference."""
        if self._metadata is None:
            given = need_arrow("the metadata of a trace").parquet.read_schema(self._open()).metadata
            self._metadata = attributes(given)
        return self._metadata

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the sweep, as they were read back from the instrument."""
        return self.metadata["sweep_settings"]

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the recipe, as the run had them."""
        return self.metadata["parameters"]

    def _open(self) -> Any:
        return self._file if isinstance(self._file, Path) else io.BytesIO(self._file())

    def to_arrow(self) -> Any:
        """The trace as a `pyarrow.Table`; its schema has the units and the metadata."""
        return need_arrow("to_arrow()").parquet.read_table(self._open())

    def to_pandas(self) -> Any:
        """The trace as a `pandas.DataFrame`; `attrs` has the units and the metadata."""
        return Traces([self]).to_pandas()

    def to_polars(self) -> Any:
        """The trace as a `polars.DataFrame`. Needs no pyarrow."""
        return need("polars", "to_polars()").read_parquet(self._open())

    def to_numpy(self) -> tuple[Any, Any]:
        """The wavelengths and the values as two arrays; a value that was not finite is NaN."""
        need("numpy", "to_numpy()")
        arrow = need_arrow("to_numpy()")
        table = arrow.parquet.read_table(self._open(), columns=["wavelength_nm", "value"])
        return tuple(column.to_numpy() for column in table.columns)

    def to_xarray(self) -> Any:
        """The trace as an `xarray.DataArray` over its wavelengths."""
        from ._xarray import data_array

        return data_array(self)

    def plot(self, **options: Any) -> Picture:
        """The trace as a picture. See `Traces.plot` for the options."""
        return Traces([self]).plot(**options)

    def __repr__(self) -> str:
        words = [f"<Trace {self.index}", f"{self.detector} {self.kind}"]
        words += [self.name] if self.name else []
        words += [f"{name}={value}" for name, value in self.columns.items()]
        start, step, points = self.grid
        words.append(f"{start:g} to {start + step * (points - 1) / 1000:g} nm, {points} points, {self.unit}")
        return "  ".join(words) + ">"

    def key(self, name: str) -> Any:
        """What `sel(name=…)` compares; raises `KeyError` if the trace has no such name."""
        if name in self.columns:
            return self.columns[name]
        if name == "device":
            name = next((name for name in NAMING if name in self.columns), name)
            return self.columns[name]
        own: dict[str, Any] = {
            "detector": self.detector,
            "trace": self.kind,
            "kind": self.kind,
            "name": self.name,
            "unit": self.unit,
            "index": self.index,
            "sweep": self.sweep,
            "position": self.position,
        }
        return own[name]


class Traces(Sequence[Trace]):
    """Traces in their order."""

    def __init__(self, traces: Iterable[Trace]) -> None:
        self._all: list[Trace] = list(traces)

    @overload
    def __getitem__(self, index: int) -> Trace: ...

    @overload
    def __getitem__(self, index: slice) -> Traces: ...

    def __getitem__(self, index: int | slice) -> Trace | Traces:
        return Traces(self._all[index]) if isinstance(index, slice) else self._all[index]

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Trace]:
        return iter(self._all)

    def sel(self, **wanted: Any) -> Traces:
        """The traces that fit: `sel(detector="through", power_dbm=0)`.

        The names are `detector` (its name or its position), `trace` (`tf`, `raw`, …), `name`, `sweep`, `index`, `unit`,
        `device` (the device of a table), and the variables of loops with the columns of their tables. A value is one
        value, a list of values, a `slice` from and to (both included), or a function. If no trace fits,
        `SelectionError` lists the values that there are."""
        found = self._all
        for name, value in wanted.items():
            left = [trace for trace in found if fits(trace, name, value)]
            if not left:
                raise nothing_fits(found, name, value)
            found = left
        return Traces(found)

    def to_arrow(self) -> Any:
        """All traces as one `pyarrow.Table`, one after the other. The column `trace_index` tells them apart."""
        return joined([trace.to_arrow() for trace in self])

    def to_pandas(self) -> Any:
        """All traces as one `pandas.DataFrame`, one after the other. `attrs` has what all traces have in common."""
        need("pandas", "to_pandas()")
        table = self.to_arrow()
        frame = table.to_pandas()
        frame.attrs = attributes(table.schema.metadata)
        if self._all:
            units = {"value": self.unit} if self.unit else {}
            frame.attrs["units"] = {"wavelength_nm": "nm", **units}
        return frame

    def to_polars(self) -> Any:
        """All traces as one `polars.DataFrame`, one after the other. Needs no pyarrow."""
        return concat(need("polars", "to_polars()"), [trace.to_polars() for trace in self])

    def to_xarray(self) -> Any:
        """All traces as an `xarray.Dataset`: one variable for each kind of trace, over the loop variables, the
        detectors and the wavelengths."""
        from ._xarray import dataset

        return dataset(self._all)

    @property
    def unit(self) -> str | None:
        """The unit of all traces; None if they have several."""
        units = {trace.unit for trace in self}
        return units.pop() if len(units) == 1 else None

    def plot(self, **options: Any) -> Picture:
        """The traces as one picture. Options: `band=(from_nm, to_nm)`, `figures="q"` (or `dips`, `peaks`), `title`,
        `size=(width, height)`, `dark=True`."""
        if not self._all:
            raise Error("there is no trace to plot")
        return Picture([str(trace.file) for trace in self], **options)

    def __repr__(self) -> str:
        shown = [repr(trace) for trace in self._all[:20]]
        more = [f"… and {len(self) - 20} more"] if len(self) > 20 else []
        return "\n".join([f"{len(self)} trace{'' if len(self) == 1 else 's'}", *shown, *more])


def attributes(metadata: Mapping[bytes, bytes] | None) -> dict[str, Any]:
    """The metadata of a file by name, with its JSON parsed."""
    read: dict[str, Any] = {}
    for raw, value in (metadata or {}).items():
        name, text = raw.decode("utf-8", "replace"), value.decode("utf-8", "replace")
        if name in ("PANDAS_ATTRS", "ARROW:schema", "pandas"):
            continue
        try:
            read[name] = json.loads(text)
        except ValueError:
            read[name] = text
    return read


def traces_of(
    events: Iterable[Mapping[str, Any]],
    of_batch: Mapping[str, Any],
    trace: Callable[[dict[str, Any], dict[str, Any]], Trace],
) -> Traces:
    """The traces that hold after these events. A trace has the columns of the loops around its fetch."""
    held: dict[int, Trace] = {}
    columns: dict[str, Any] = {}
    for event in events:
        kind = event.get("event")
        if kind == "step_started":
            columns = {**of_batch, **_columns(event["step"])}
        elif kind == "trace_stored":
            held[event["trace"]["trace_index"]] = trace(event["trace"], columns)
        elif kind == "trace_withdrawn":
            held.pop(event["trace_index"], None)
    return Traces(held[index] for index in sorted(held))


def _columns(step: Mapping[str, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for turn in step["place"].get("loops", []):
        value = turn.get("value")
        if isinstance(value, dict):
            columns.update(value)
        elif turn.get("name"):
            columns[turn["name"]] = value
    for fields in step["operation"].values():
        own = fields.get("columns") if isinstance(fields, dict) else None
        columns.update(own if isinstance(own, dict) else {})
    return columns
