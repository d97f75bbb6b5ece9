"""A slow link (50 ms for each exchange) and a slow disk (100 ms for each sync). The figures are stated."""

from . import recipes
from .power import LANGUAGES, exchanges, per_step
from .programs import Run, compiled, simulator


def slow(table):
    with simulator("--latency-ms", 50, time_scale=1) as instrument:
        for language, recipe, file, queries in LANGUAGES:
            took = [per_step(Run(recipe(100), instrument, file))]
            table.add(f"read_power in {language}, 50 ms latency", took, [exchanges(instrument, 40, queries)])
        run = Run(recipes.fetching(times=5), instrument)
        table.add("fetch_trace, 50 ms latency (a query is the floor)", run.steps_ms("fetch_trace")[1:], [50])
    slow_disk = {"LD_PRELOAD": str(compiled("slow_disk", "-shared", "-fPIC", "-ldl"))}
    with simulator() as instrument:
        run = Run(recipes.fetching(times=5), instrument, environment=slow_disk)
        table.add("fetch_trace, slow disk (a sync is the floor)", run.steps_ms("fetch_trace")[1:], [100])
        run = Run(recipes.fetching(["4/1", "4/2", "4/3", "4/4"], 3), instrument, environment=slow_disk)
        table.add("four detectors, slow disk (a sync is the floor)", run.steps_ms("fetch_trace")[1:], [100])
        run = Run(recipes.readings(3_000), instrument, "readings.yaml", environment=slow_disk)
        table.add("read_power in YAML, slow disk", [per_step(run)])
