"""A slow link (50 ms for each exchange) and a slow disk (100 ms for each sync). The times are stated; the number of exchanges
does not depend on the machine, and has a limit."""

from . import recipes
from .power import LANGUAGES, exchanges
from .programs import Run, compiled, simulator
from .relay import Relay

LATENCY_MS, SYNC_MS = 50, 100
# Each trace is synced, then its folder, then the record of the trace in the journal.
SYNCS_OF_A_TRACE = 3


def of_a_further_step(figure, few, many):
    """What each step adds to a run: the first steps also read settings, for example."""
    return (figure(many) - figure(few)) / (many - few)


def lasted_ms(run):
    ends = run.at("step_finished")
    return 1e3 * (ends[-1] - ends[0])


def lines(instrument, recipe, file="measured.yaml"):
    relay = Relay(instrument)
    Run(recipe, relay.address, file)
    return len(relay.asked)


def slow(table):
    fetches = lambda times: recipes.fetching(times=times)
    with simulator() as instrument:
        for language, recipe, file, queries in LANGUAGES:
            found = of_a_further_step(lambda times: lines(instrument, recipe(times), file), 20, 40)
            # In YAML, the readings of a second share their proof, so the run may have one exchange more.
            table.add(f"exchanges of a read_power in {language}", [found], target=len(queries) + 0.1, unit="")
        # Length, start and step of the trace, its block, twice whether a scan is under way, and the proof.
        of_a_fetch = of_a_further_step(lambda times: lines(instrument, fetches(times)), 3, 6)
        table.add("exchanges of a fetch_trace", [of_a_fetch], target=7, unit="")
    with simulator("--latency-ms", LATENCY_MS, time_scale=1) as instrument:
        for language, recipe, file, queries in LANGUAGES:
            took = of_a_further_step(lambda times: lasted_ms(Run(recipe(times), instrument, file)), 40, 140)
            table.add(f"read_power in {language}, {LATENCY_MS} ms latency", [took], [exchanges(instrument, 40, queries)])
        # With few points, the time to make and to send them does not count.
        run = Run(recipes.fetching(times=5, points=10_001), instrument)
        table.add(f"fetch_trace, {LATENCY_MS} ms latency", run.steps_ms("fetch_trace")[1:], [of_a_fetch * LATENCY_MS])
    slow_disk = {"LD_PRELOAD": str(compiled("slow_disk", "-shared", "-fPIC", "-ldl"))}
    with simulator() as instrument:
        for detectors in [["4/1"], ["4/1", "4/2", "4/3", "4/4"]]:
            run = Run(recipes.fetching(detectors, 4), Relay(instrument).address, environment=slow_disk)
            floor = len(detectors) * SYNCS_OF_A_TRACE * SYNC_MS
            table.add(f"fetch_trace of {len(detectors)}, slow disk", run.steps_ms("fetch_trace")[1:], [floor])
        run = Run(recipes.readings(3_000), instrument, "readings.yaml", environment=slow_disk)
        table.add("read_power in YAML, slow disk", [lasted_ms(run) / 3_000], [exchanges(instrument, 1_000, LANGUAGES[0][3])])
