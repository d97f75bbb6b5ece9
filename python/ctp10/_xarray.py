"""Traces as arrays of xarray: wavelength × detector × loop variables."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

from ._errors import Error
from ._libraries import need
from ._select import NAMING

if TYPE_CHECKING:
    from ._traces import Trace

_WAVELENGTH = "wavelength_nm"
# The value of a column that a trace does not have.
_MISSING = object()


def data_array(trace: Trace) -> Any:
    """One trace over its wavelengths. Everything that is known about it is in `attrs`."""
    xarray = need("xarray", "to_xarray()")
    wavelengths, values = trace.to_numpy()
    coordinates: dict[Hashable, Any] = {_WAVELENGTH: (_WAVELENGTH, wavelengths, {"units": "nm"})}
    coordinates["detector"] = trace.detector
    coordinates.update({name: _cell(value) for name, value in trace.columns.items() if name not in coordinates})
    attributes = {"units": trace.unit, **{name: value for name, value in trace.metadata.items() if name != "units"}}
    return xarray.DataArray(values, coordinates, (_WAVELENGTH,), name=trace.kind, attrs=attributes)


def dataset(traces: Sequence[Trace]) -> Any:
    """All traces: one variable for each kind, and for each unit of a kind. A place without a trace is NaN."""
    xarray = need("xarray", "to_xarray()")
    if not traces:
        raise Error("there is no trace")
    axes = _Axes(traces)
    variables = {name: axes.array(xarray, members) for name, members in _by_variable(traces).items()}
    common = _common([trace.metadata for trace in traces])
    return xarray.Dataset(variables, attrs=common)


def _by_variable(traces: Sequence[Trace]) -> dict[str, list[Trace]]:
    """The traces of each kind. Levels in different units, such as power and photocurrent, cannot be in one array."""
    units: dict[str, set[str]] = {}
    for trace in traces:
        units.setdefault(trace.kind, set()).add(trace.unit)
    found: dict[str, list[Trace]] = {}
    for trace in traces:
        name = trace.kind if len(units[trace.kind]) == 1 else f"{trace.kind}_{trace.unit}"
        found.setdefault(name, []).append(trace)
    return found


class _Axes:
    """The dimensions of an array of traces: the columns that differ and the detector, or the number of the trace if
    these do not tell the traces apart."""

    def __init__(self, traces: Sequence[Trace]) -> None:
        self.names: tuple[str, ...] = ()
        self.along: dict[str, tuple[str, dict[Any, Any]]] = {}
        self._number(traces)
        names = [name for name in _column_names(traces) if len(_values(traces, name)) > 1]
        self._loops(traces, names)
        keys = [(self._place(trace), trace.kind) for trace in traces]
        if len(set(keys)) < len(keys):
            self._number(traces)
            self.along = {name: ("trace_index", _by_index(traces, name)) for name in (*names, "detector")}

    def _number(self, traces: Sequence[Trace]) -> None:
        self.names = ("trace_index",)
        self.labels: dict[str, list[Any]] = {"trace_index": [trace.index for trace in traces]}
        self._key: Callable[[Trace, str], Any] = lambda trace, _: trace.index

    def _loops(self, traces: Sequence[Trace], names: list[str]) -> None:
        """A column that another one decides, such as the place of a device, is no dimension but lies along it."""
        leaders: list[str] = []
        of = {name: len(_values(traces, name)) for name in names}
        for name in sorted(names, key=lambda name: (-of[name], name not in NAMING)):
            leader = next((leader for leader in leaders if _decides(traces, leader, name)), None)
            if leader is None:
                leaders.append(name)
            else:
                pairs = {_column(trace, leader): _column(trace, name) for trace in traces}
                self.along[name] = (leader, pairs)
        self.names = (*sorted(leaders, key=names.index), "detector")
        self._key = lambda trace, name: trace.detector if name == "detector" else _column(trace, name)
        self.labels = {name: list(dict.fromkeys(self._key(trace, name) for trace in traces)) for name in self.names}

    def _place(self, trace: Trace) -> tuple[int, ...]:
        return tuple(self.labels[name].index(self._key(trace, name)) for name in self.names)

    def array(self, xarray: Any, traces: Sequence[Trace]) -> Any:
        numpy = need("numpy", "to_xarray()")
        read = [trace.to_numpy() for trace in traces]
        grids = [wavelengths for wavelengths, _ in read]
        same = all(len(grid) == len(grids[0]) and (grid == grids[0]).all() for grid in grids[1:])
        grid = grids[0] if same else numpy.unique(numpy.concatenate(grids))
        shape = [len(self.labels[name]) for name in self.names]
        values = numpy.full((*shape, len(grid)), numpy.nan, dtype=read[0][1].dtype)
        for trace, (wavelengths, levels) in zip(traces, read):
            columns = slice(None) if same else numpy.searchsorted(grid, wavelengths)
            place = (*self._place(trace), columns)
            values[place] = levels
        coordinates: dict[Hashable, Any] = {name: (name, _labels(labels)) for name, labels in self.labels.items()}
        coordinates[_WAVELENGTH] = (_WAVELENGTH, grid, {"units": "nm"})
        for name, (leader, pairs) in self.along.items():
            coordinates[name] = (leader, _labels([pairs[label] for label in self.labels[leader]]))
        attributes = {"units": traces[0].unit}
        return xarray.DataArray(values, coordinates, (*self.names, _WAVELENGTH), attrs=attributes)


def _column_names(traces: Sequence[Trace]) -> list[str]:
    # The column of a recipe with the name `detector` replaces the name of the detector.
    return list(dict.fromkeys(name for trace in traces for name in trace.columns if name != "detector"))


def _column(trace: Trace, name: str) -> Any:
    return trace.columns.get(name, _MISSING)


def _values(traces: Sequence[Trace], name: str) -> dict[Any, None]:
    return dict.fromkeys(_column(trace, name) for trace in traces)


def _decides(traces: Sequence[Trace], leader: str, name: str) -> bool:
    pairs = {(_column(trace, leader), _column(trace, name)) for trace in traces}
    return len(pairs) == len({first for first, _ in pairs})


def _by_index(traces: Sequence[Trace], name: str) -> dict[Any, Any]:
    return {trace.index: trace.detector if name == "detector" else _column(trace, name) for trace in traces}


def _cell(value: Any) -> Any:
    return value if isinstance(value, (int, float, str, bool)) else str(value)


def _labels(values: list[Any]) -> list[Any]:
    """The labels of a dimension. Where a trace lacks the column, a number is NaN and a text is empty."""
    present = [value for value in values if value is not _MISSING]
    numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in present)
    return [_cell((math.nan if numbers else "") if value is _MISSING else value) for value in values]


def _common(all_metadata: list[dict[str, Any]]) -> dict[str, Any]:
    first, *others = all_metadata
    same = {name: value for name, value in first.items() if all(other.get(name) == value for other in others)}
    same.pop("units", None)
    return same
