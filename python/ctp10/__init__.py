"""Measures with a CTP10: `ctp10` in Python.

import ctp10
run = ctp10.run("ring.yaml", instrument="sim", set={"power_dbm": 3})
df = run.traces.sel(detector="through").to_pandas()
"""

from ._bench import Bench, connect
from ._errors import (
    BinaryNotFound,
    Error,
    Finding,
    Findings,
    InstrumentError,
    RecipeError,
    RequestError,
    RunAborted,
    RunFailed,
    SelectionError,
    Unreachable,
)
from ._handle import Handle
from ._local import Plan, check, open, plan, resume, run, runs, start
from ._picture import Picture
from ._run import Run
from ._table import Table
from ._traces import Trace, Traces

__all__ = [
    "Bench",
    "BinaryNotFound",
    "Error",
    "Finding",
    "Findings",
    "Handle",
    "InstrumentError",
    "Picture",
    "Plan",
    "RecipeError",
    "RequestError",
    "Run",
    "RunAborted",
    "RunFailed",
    "SelectionError",
    "Table",
    "Trace",
    "Traces",
    "Unreachable",
    "check",
    "connect",
    "open",
    "plan",
    "resume",
    "run",
    "runs",
    "start",
]

# Tracebacks and `help` show the public names.
for _name in __all__:
    globals()[_name].__module__ = __name__
del _name
