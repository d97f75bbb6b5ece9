"""The libraries that this package uses if they are installed."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any

_HINTS = {"pyarrow": "pip install 'ctp10[data]'"}


def need(name: str, purpose: str) -> Any:
    """A library, imported when it is needed first. The error names the command that installs it."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = (error.name or name).partition(".")[0]
        hint = _HINTS.get(missing, f"pip install {missing}")
        raise ImportError(f"{purpose} needs {missing}: {hint}", name=missing) from None


def need_arrow(purpose: str) -> Any:
    """pyarrow, with its part for Parquet."""
    need("pyarrow.parquet", purpose)
    return need("pyarrow", purpose)


def is_installed(name: str) -> bool:
    """Whether a library can be imported."""
    if name in sys.modules:
        return sys.modules[name] is not None
    return importlib.util.find_spec(name) is not None
