"""Tables of a run: figures of merit and recorded power."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ._libraries import need, need_arrow

_Kind = TypeVar("_Kind", bound="Table")


class Table:
    """A table that is read when it is asked for."""

    def __init__(self, name: str, files: Sequence[Path] = (), rows: list[dict[str, Any]] | None = None) -> None:
        self._name, self._files, self._rows = name, list(files), rows

    @classmethod
    def of_files(cls: type[_Kind], name: str, files: Sequence[Path]) -> _Kind:
        """The rows of Parquet files, one file after the other."""
        return cls(name, files=files)

    @classmethod
    def of_rows(cls, name: str, rows: list[dict[str, Any]]) -> Table:
        return cls(name, rows=rows)

    def to_arrow(self) -> Any:
        """The table as a `pyarrow.Table`."""
        arrow = need_arrow("to_arrow()")
        if self._rows is not None:
            return arrow.Table.from_pylist(self._rows)
        return joined([arrow.parquet.read_table(file) for file in self._files])

    def to_pandas(self) -> Any:
        """The table as a `pandas.DataFrame`."""
        pandas = need("pandas", "to_pandas()")
        if self._rows is not None:
            return pandas.DataFrame(self._rows)
        return self.to_arrow().to_pandas()

    def to_polars(self) -> Any:
        """The table as a `polars.DataFrame`. Needs no pyarrow."""
        polars = need("polars", "to_polars()")
        if self._rows is not None:
            return polars.DataFrame(self._rows, infer_schema_length=None)
        return concat(polars, [polars.read_parquet(file) for file in self._files])

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The rows as maps."""
        return iter(self._rows if self._rows is not None else self.to_arrow().to_pylist())

    def __len__(self) -> int:
        if self._rows is not None:
            return len(self._rows)
        if not self._files:
            return 0
        arrow = need_arrow("the number of rows")
        return sum(arrow.parquet.read_metadata(file).num_rows for file in self._files)

    def __bool__(self) -> bool:
        return bool(self._rows or self._files)

    def __repr__(self) -> str:
        what = "" if self else ", empty"
        return f"<Table of {self._name}{what}: .to_pandas(), .to_polars(), .to_arrow(), or a loop over its rows>"

    def _repr_html_(self) -> str | None:
        try:
            return self.to_pandas()._repr_html_()
        except ImportError:
            return None


class Power(Table):
    """Recorded power."""

    def pivot(self) -> Any:
        """A `pandas.DataFrame` with the time as its index and a column for each detector; for each detector and unit if
        the unit was changed during the run."""
        frame = self.to_pandas()
        if frame.empty:
            return frame
        # Programs before 0.2 stored no names of detectors.
        position = frame["module"].astype(str) + "/" + frame["channel"].astype(str)
        frame["detector"] = frame["detector"].fillna(position) if "detector" in frame else position
        columns = "detector" if frame["unit"].nunique() == 1 else ["detector", "unit"]
        return frame.pivot_table(index="time", columns=columns, values="value")


def joined(tables: list[Any]) -> Any:
    """Tables of pyarrow, one after the other. A column that a table does not have is empty there."""
    arrow = need_arrow("to_arrow()")
    if not tables:
        return arrow.table({})
    if len(tables) == 1:
        return tables[0]
    # Metadata that differs between the files would name only one of them.
    metadata = dict(tables[0].schema.metadata or {})
    for table in tables[1:]:
        own = table.schema.metadata or {}
        metadata = {name: value for name, value in metadata.items() if own.get(name) == value}
    plain = [table.replace_schema_metadata(None) for table in tables]
    together = arrow.concat_tables(plain, promote_options="permissive").unify_dictionaries()
    return together.replace_schema_metadata(metadata)


def concat(polars: Any, frames: list[Any]) -> Any:
    """Frames of polars, one after the other. A column that a frame does not have is empty there."""
    return polars.concat(frames, how="diagonal_relaxed") if frames else polars.DataFrame()
