"""A slow link (50 ms for each exchange) and a slow disk (100 ms for each sync). The figures are stated."""

import subprocess

from . import recipes
from .power import QUERY, per_step
from .programs import FOLDER, Run, in_c, simulator


def slow(table):
    with simulator("--latency-ms", 50, time_scale=1) as instrument:
        host, port = instrument.rsplit(":", 1)
        for name, recipe, file, queries in [
            ("read_power in YAML, 50 ms latency", recipes.readings(100), "readings.yaml", [QUERY]),
            ("read_power in Rhai, 50 ms latency", recipes.readings_in_rhai(100), "readings.rhai", [QUERY, "*IDN?"]),
        ]:
            took = [per_step(Run(recipe, instrument, file))]
            table.add(name, took, [in_c("exchange", host, port, 40, *queries)])
        run = Run(recipes.fetching(times=5), instrument)
        table.add("fetch_trace, 50 ms latency (a query is the floor)", run.steps_ms("fetch_trace")[1:], [50])
    library = FOLDER / "slow_disk.so"
    source = __file__.replace("slow.py", "floors/slow_disk.c")
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    slow_disk = {"LD_PRELOAD": str(library)}
    with simulator() as instrument:
        run = Run(recipes.fetching(times=5), instrument, environment=slow_disk)
        table.add("fetch_trace, slow disk (a sync is the floor)", run.steps_ms("fetch_trace")[1:], [100])
        run = Run(recipes.fetching(["4/1", "4/2", "4/3", "4/4"], 3), instrument, environment=slow_disk)
        table.add("four detectors, slow disk (a sync is the floor)", run.steps_ms("fetch_trace")[1:], [100])
        run = Run(recipes.readings(3_000), instrument, "readings.yaml", environment=slow_disk)
        table.add("read_power in YAML, slow disk", [per_step(run)])
