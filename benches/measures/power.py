"""read_power in a loop, with the journal. The floor is the same exchanges in C: in YAML the readings of a second share a
proof, in Rhai each reading has its own (`*IDN?`)."""

from . import recipes
from .programs import Run, in_c, simulator

QUERY = "CTP:SENS4:CHAN1:POW?"
TIMES, ROUNDS = 5_000, 5


def per_step(run):
    """From the end of the first step, which is no reading, to the end of the last one."""
    ends = run.at("step_finished")
    return 1e3 * (ends[-1] - ends[0]) / (len(ends) - 1)


def readings(table, times=TIMES, rounds=ROUNDS):
    with simulator(time_scale=1) as instrument:
        host, port = instrument.rsplit(":", 1)
        for name, recipe, file, queries, ratio in [
            ("read_power, a step in YAML", recipes.readings(times), "readings.yaml", [QUERY], 1.4),
            ("read_power, a step in Rhai", recipes.readings_in_rhai(times), "readings.rhai", [QUERY, "*IDN?"], 1.6),
        ]:
            # The floor alternates with the figure, so that both see the same state of the machine.
            pairs = [
                (in_c("exchange", host, port, times, *queries), per_step(Run(recipe, instrument, file)))
                for _ in range(rounds)
            ]
            floor, took = zip(*pairs)
            table.add(name, took, floor, ratio=ratio)
