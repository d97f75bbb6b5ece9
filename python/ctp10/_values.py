"""Values of Python as values of JSON and of the command line: numbers of numpy, lists, paths, tables of devices."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any


def plain(value: Any, empty: bool = False) -> Any:
    """The value as JSON has it. Knows tables and arrays by their methods, so that no library is needed. With `empty`, a
    NaN is an empty cell."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        if empty and math.isnan(value):
            return None
        if not math.isfinite(value):
            raise ValueError(f"{value} is not a number that a recipe can have")
        # numpy.float64 is a float, too.
        return float(value)
    if isinstance(value, Decimal):
        return plain(float(value))
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): plain(inner, empty) for name, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset, range)):
        return [plain(inner, empty) for inner in value]
    for method, arguments in (("to_dicts", ()), ("to_pylist", ()), ("to_dict", ("records",)), ("tolist", ())):
        convert = getattr(value, method, None)
        if convert is None:
            continue
        try:
            return plain(convert(*arguments), empty)
        except TypeError:
            # `to_dict` of a column takes no such argument; its `tolist` follows.
            continue
    raise TypeError(f"{value!r} ({type(value).__name__}) cannot be a value of a recipe")


def listed(words: str | Sequence[str] | None) -> str | None:
    """Several words as the program takes them: separated by commas."""
    return words if isinstance(words, str) or words is None else ",".join(words)


def parameters(given: Mapping[str, Any] | None, what: str = "parameter") -> dict[str, Any]:
    """The values of parameters or of metadata by name: numbers, texts, true or false."""
    values = {}
    for name, value in (given or {}).items():
        value = plain(value)
        if value is None or isinstance(value, (list, dict)):
            raise TypeError(
                f"{what} `{name}` must be a number, a text, True or False, not {_kind(value)}; a list of values "
                "belongs into a loop of the recipe, and a table of devices into `tables`"
            )
        values[str(name)] = value
    return values


def texts(given: Mapping[str, Any]) -> list[str]:
    """The values as `NAME=VALUE` of the command line."""
    return [f"{name}={_text(value)}" for name, value in given.items()]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _kind(value: Any) -> str:
    return "None" if value is None else "a list" if isinstance(value, list) else "a table"


def rows(table: Any) -> list[dict[str, Any]]:
    """The rows of a table: a list of maps, or a table of pandas, polars or pyarrow."""
    read = plain(table, empty=True)
    if not isinstance(read, list) or not read or not all(isinstance(row, dict) for row in read):
        raise TypeError(f"a table must have rows with named columns, not {table!r}")
    return read


def as_csv(table: Any) -> str:
    """The table as CSV, with the names of its columns in the first row."""
    read = rows(table)
    columns = list(dict.fromkeys(name for row in read for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for row in read:
        writer.writerow({name: "" if value is None else _text(value) for name, value in row.items()})
    return text.getvalue()
