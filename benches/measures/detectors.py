"""Traces of many detectors after one sweep. With several traces, one is encoded while the next arrives."""

from . import recipes
from .fetching import encode_floor, trace_of
from .programs import PROCESSORS, Run, simulator, timed
from .relay import Relay, asked

# Module 4 is left out, because it is that of the other measurements.
SIXTEEN_MODULES = [number for number in range(1, 21) if number != 4][:16]


def of_modules(modules, channels, count):
    return [f"{module}/{channel}" for module in modules for channel in range(1, channels + 1)][:count]


def measured(detectors, modules, channels=4, rate=None, floor=None, rounds=3):
    """The times of a fetch of these detectors, the run, and the floor that `floor(relay)` measures."""
    options = ["--modules", ",".join(map(str, modules)), "--channels", channels]
    with simulator(*options) as instrument:
        relay = Relay(instrument, rate)
        run = Run(recipes.fetching(detectors, rounds + 1, traces="raw"), relay.address, processors=PROCESSORS)
        return run.steps_ms("fetch_trace")[1:], run, floor(relay) if floor else None


def encoding(count, processors):
    """The floor of so many traces, encoded on so many processors."""
    return lambda relay: [count * each / processors for each in encode_floor(next(iter(relay.blocks.values()))[9:], 5)]


def transfers(detectors):
    def all_of(relay):
        lines = list(relay.blocks)
        assert len(lines) == len(detectors)
        return timed(lambda: [asked(relay.address, line) for line in lines], 1)

    return all_of


def beside_each_other(table):
    two, run_of_two, floor = measured(["4/1", "4/2"], [4], rounds=8, floor=encoding(1, 1))
    table.add("fetch_trace of two detectors", two, floor, ratio=1.6)
    modules = [1, 2, 3, 5, 6, 7]
    many = of_modules(modules, 4, 24)
    cores = min(2, len(PROCESSORS))
    took, run, floor = measured(many, modules, floor=encoding(24, cores))
    table.add("24 detectors on loopback", took, floor, ratio=1.2)
    table.add("memory for 24 detectors, beyond that for two", [run.memory_mib - run_of_two.memory_mib], target=2, unit="MiB")
    took, _, floor = measured(many, modules, rate=10e6, floor=transfers(many), rounds=2)
    table.add("24 detectors at 10 MB/s", took, floor, ratio=1.05)
    ninety_six = of_modules(SIXTEEN_MODULES, 6, 96)
    took, run, floor = measured(ninety_six, SIXTEEN_MODULES, 6, floor=encoding(96, cores), rounds=2)
    table.add("96 detectors on loopback", took, floor, ratio=1.2)
    table.add("memory for 96 detectors, beyond that for two", [run.memory_mib - run_of_two.memory_mib], target=2, unit="MiB")
