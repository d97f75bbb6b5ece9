"""Pictures of traces, drawn by `ctp10 plot`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from ._binary import call


class Picture:
    """A picture of traces. A notebook shows it; `save` writes it as SVG or PNG."""

    def __init__(
        self,
        what: Sequence[str],
        *,
        band: tuple[float, float] | None = None,
        figures: str | Sequence[str] | None = None,
        title: str | None = None,
        size: tuple[int, int] | None = None,
        dark: bool = False,
    ) -> None:
        arguments = ["plot", *what]
        arguments += ["--band", f"{band[0]}:{band[1]}"] if band else []
        if figures:
            arguments += ["--figures", figures if isinstance(figures, str) else ",".join(figures)]
        arguments += ["--title", title] if title is not None else []
        arguments += ["--size", f"{size[0]}x{size[1]}"] if size else []
        arguments += ["--dark"] if dark else []
        self._arguments: list[str] = arguments
        self._svg: str | None = None
        # Wrong options are raised here, and not where the picture is shown.
        self._repr_svg_()

    def save(self, path: str | Path) -> Path:
        """Writes the picture; the name ends with `.svg` or `.png`. A file with this name is replaced."""
        path = Path(path).absolute()
        call(*self._arguments, "--force", "--output", str(path))
        return path

    def _repr_svg_(self) -> str:
        if self._svg is None:
            with tempfile.TemporaryDirectory(prefix="ctp10-") as folder:
                svg = self.save(Path(folder) / "picture.svg").read_text(encoding="utf-8")
            # A wide picture shrinks to the width of its cell.
            self._svg = svg.replace("<svg ", '<svg style="max-width:100%;height:auto" ', 1)
        return self._svg

    def __repr__(self) -> str:
        return "<Picture: a notebook shows it, and .save('picture.png') writes it>"
