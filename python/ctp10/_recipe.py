"""Recipes as users have them: the path of a file, a YAML text, or a map."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Union

from ._errors import Findings, RecipeError
from ._values import as_csv, plain

Recipe = Union[str, "os.PathLike[str]", Mapping[str, Any]]
Tables = Mapping[str, Any]


class RecipeFile:
    """A recipe as a file, as long as it is entered. A text or a map becomes a file in a temporary folder, and so does a
    recipe that gets tables of devices."""

    def __init__(self, recipe: Recipe, tables: Tables | None = None) -> None:
        self._folder: str | None = None
        text = given_text(recipe)
        if text is None and not tables:
            self.path = os.fspath(recipe)  # type: ignore[arg-type]
            return
        self._folder = tempfile.mkdtemp(prefix="ctp10-")
        try:
            self.path = self._write(recipe, text)
            for name, table in (tables or {}).items():
                _beside(self.path, name).write_text(as_csv(table), encoding="utf-8")
        except BaseException:
            self.close()
            raise

    def _write(self, recipe: Recipe, text: str | None) -> str:
        assert self._folder is not None
        if text is None:
            return shutil.copy(os.fspath(recipe), self._folder)  # type: ignore[arg-type]
        path = Path(self._folder) / "recipe.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    def named(self, findings: Findings) -> Findings:
        """Findings with the name of the file as the user knows it: without the temporary folder."""
        if not self._folder:
            return findings
        folder = self._folder + os.sep
        own = (
            replace(one, file=one.file and one.file.replace(folder, ""), text=one.text.replace(folder, ""))
            for one in findings
        )
        return Findings(own)

    def close(self) -> None:
        """Removes the temporary folder. A run has copies of all files of its recipe."""
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> RecipeFile:
        return self

    def __exit__(self, _: object, error: object, *__: object) -> None:
        self.close()
        if isinstance(error, RecipeError):
            raise RecipeError(self.named(error.findings)) from None


def given_text(recipe: Recipe) -> str | None:
    """The text of a recipe that is no file: a map, or a text of several lines. A map as JSON is YAML, too."""
    if isinstance(recipe, Mapping):
        return json.dumps(plain(recipe), indent=1, ensure_ascii=False)
    if isinstance(recipe, str) and "\n" in recipe.strip():
        return recipe
    return None


def request_body(recipe: Recipe) -> dict[str, Any]:
    """The recipe as a service takes it: its text, or the path of one of the service's own recipes if there is no such
    file here."""
    text = given_text(recipe)
    if text is not None:
        return {"recipe": text, "format": "yaml"}
    path = Path(os.fspath(recipe))  # type: ignore[arg-type]
    if not path.exists():
        return {"path": path.as_posix()}
    return {"recipe": path.read_text(encoding="utf-8"), "format": "rhai" if path.suffix == ".rhai" else "yaml"}


def _beside(recipe: str, name: str) -> Path:
    path = Path(recipe).parent / name
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(f"the table `{name}` must be a file name beside the recipe, such as `dies.csv`")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
