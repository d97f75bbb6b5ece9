"""read_power in a loop, with the journal. The floor is the same exchanges in C: in YAML the readings of a second share a
proof, in Rhai each reading has its own (`*IDN?`)."""

from . import recipes
from .programs import Run, in_c, simulator

QUERY = "CTP:SENS4:CHAN1:POW?"
TIMES, ROUNDS = 5_000, 5
# The language, the recipe of so many readings, its file, and the exchanges of a reading.
LANGUAGES = [
    ("YAML", recipes.readings, "readings.yaml", [QUERY]),
    ("Rhai", recipes.readings_in_rhai, "readings.rhai", [QUERY, "*IDN?"]),
]


def per_step(run):
    """From the end of the first step, which is no reading, to the end of the last one."""
    ends = run.at("step_finished")
    return 1e3 * (ends[-1] - ends[0]) / (len(ends) - 1)


def exchanges(instrument, times, queries):
    """The time of these exchanges in C, ms."""
    return in_c("exchange", *instrument.rsplit(":", 1), times, *queries)


def readings(table):
    with simulator(time_scale=1) as instrument:
        for (language, recipe, file, queries), ratio in zip(LANGUAGES, [1.4, 1.6]):
            # The floor alternates with the figure, so that both see the same state of the machine.
            pairs = [
                (exchanges(instrument, TIMES, queries), per_step(Run(recipe(TIMES), instrument, file)))
                for _ in range(ROUNDS)
            ]
            floor, took = zip(*pairs)
            table.add(f"read_power, a step in {language}", took, floor, ratio=ratio)
