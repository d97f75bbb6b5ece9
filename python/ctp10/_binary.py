"""Finds the program `ctp10`, and runs its short commands."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ._errors import BinaryNotFound, Error, Finding, Findings, InstrumentError, RecipeError

_NAME = "ctp10.exe" if os.name == "nt" else "ctp10"
# The exit codes of the program.
_USAGE, _INSTRUMENT = 2, 3
# The levels of the log that a person must read.
_LEVELS = {"WARN": "warning", "ERROR": "error"}


def binary() -> str:
    """The path of the program: `CTP10_BIN`, beside this interpreter (also in a venv that is not activated), or on
    `PATH`."""
    given = os.environ.get("CTP10_BIN")
    if given:
        if not os.access(given, os.X_OK) or Path(given).is_dir():
            raise BinaryNotFound(f"CTP10_BIN is `{given}`, which is not a program")
        return str(Path(given).absolute())
    places = _beside_interpreter()
    for place in places:
        if os.access(place / _NAME, os.X_OK):
            return str(place / _NAME)
    found = shutil.which(_NAME)
    if found:
        return found
    looked = ", ".join(f"`{place}`" for place in places)
    raise BinaryNotFound(
        f"the program `{_NAME}` was not found in {looked} or on PATH; install it with `pip install ctp10`, "
        "or set CTP10_BIN to its path"
    )


def _beside_interpreter() -> list[Path]:
    # The interpreter of a venv is a link: its own folder counts, not that of its target.
    places = [Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))]
    user = f"{os.name}_user"
    if user in sysconfig.get_scheme_names():
        places.append(Path(sysconfig.get_path("scripts", user)))
    return list(dict.fromkeys(places))


def call(*arguments: str) -> str:
    """Runs a command to its end and gives its output. A failure is raised."""
    code, output, messages = attempt(*arguments)
    if code:
        raise failure(code, messages, of_recipe=arguments[0] == "plan")
    return output


def attempt(*arguments: str) -> tuple[int, str, list[str]]:
    """Runs a command to its end. Gives its exit code, its output, and the lines of its messages."""
    done = subprocess.run(
        [binary(), "--log-format", "json", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    return done.returncode, done.stdout, done.stderr.splitlines()


def find(lines: Iterable[str]) -> Findings:
    """The findings among the messages of the program, with the warnings of its log."""
    findings = Findings()
    for given in filter(None, map(entry, lines)):
        if "severity" in given and "message" in given:
            findings.append(Finding.read(given))
        elif given.get("level") in _LEVELS:
            findings.append(Finding(_LEVELS[given["level"]], str(given.get("fields", {}).get("message", ""))))
    return findings


def entry(line: str) -> Any | None:
    """The JSON object of a line; None for a line of plain text."""
    try:
        read = json.loads(line)
    except ValueError:
        return None
    return read if isinstance(read, dict) else None


def failure(code: int, messages: Iterable[str], of_recipe: bool = True) -> Error:
    """The exception for a command that has ended with this exit code before anything was measured. `of_recipe`: whether
    the command reads a recipe."""
    messages = list(messages)
    findings = find(messages)
    if code == _USAGE and findings and of_recipe:
        return RecipeError(findings)
    plain = [line for line in messages if line.strip() and entry(line) is None]
    text = str(findings.errors or findings) if findings else "\n".join(plain)
    text = text or f"ctp10 has ended with exit code {code} and no message"
    return InstrumentError(text) if code == _INSTRUMENT else Error(text)
