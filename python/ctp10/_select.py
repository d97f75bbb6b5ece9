"""Which traces fit a selection, and what to say if none does."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ._errors import SelectionError
from ._values import plain

if TYPE_CHECKING:
    from ._traces import Trace

#: The columns that name the device of a row, in this order.
NAMING = ("device", "die", "name", "id")
_SHOWN = 10


def fits(trace: Trace, name: str, wanted: Any) -> bool:
    """Whether a trace has a value that is wanted."""
    try:
        value = trace.key(name)
    except KeyError:
        return False
    if callable(wanted):
        return bool(wanted(value))
    if isinstance(wanted, slice):
        return _between(value, wanted)
    wanted = plain(wanted)
    candidates = wanted if isinstance(wanted, list) else [wanted]
    # A detector may also be called by its place.
    own = [value, trace.position] if name == "detector" else [value]
    return any(_same(one, candidate) for one in own for candidate in candidates)


def _between(value: Any, wanted: slice) -> bool:
    try:
        above = wanted.start is None or value >= wanted.start
        return bool(above and (wanted.stop is None or value <= wanted.stop))
    except TypeError:
        return False


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(value, (int, float)) and isinstance(wanted, (int, float)):
        return math.isclose(value, wanted, rel_tol=1e-9, abs_tol=1e-12)
    return bool(value == wanted)


def nothing_fits(traces: Sequence[Trace], name: str, wanted: Any) -> SelectionError:
    """The error for a selection that no trace fits: which names or values there are."""
    values = []
    for trace in traces:
        try:
            value = trace.key(name)
        except KeyError:
            continue
        if value not in values:
            values.append(value)
    if not traces:
        return SelectionError("there are no traces")
    if not values:
        known = ["detector", "trace", "name", "sweep", "index", "unit", "position"]
        known += [column for trace in traces for column in trace.columns if column not in known]
        known = list(dict.fromkeys(known))
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(known)}"
        return SelectionError(f"no trace has `{name}`; {hint}")
    listed = ", ".join(map(repr, values[:_SHOWN])) + (", …" if len(values) > _SHOWN else "")
    return SelectionError(f"no trace has {name}={wanted!r}; there are {listed}")
