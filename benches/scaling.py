"""How time and memory grow: writes the tables of docs/performance.md.

    cargo build --release && tests/all    # once: the binary, and tests/.venv
    tests/.venv/bin/python benches/scaling.py [NAME…]

Without names, all tables are measured, which takes about 15 minutes. A table stands between two comments of the document.
"""

import argparse
import platform
import re
import statistics
from datetime import date

from measures import catalogue, clients, detectors, recipes
from measures.fetching import trace_of
from measures.programs import PROCESSORS, ROOT, SCRATCH, Run, simulator, timed
from measures.relay import Relay

PAGE = ROOT / "docs" / "performance.md"


def points():
    """| points | fetch_trace, ms | receiving the bytes alone, ms | file, MB | most memory of the run, MiB |"""
    for count in [1_000, 10_000, 100_000, 940_001, 22_000_001]:
        with simulator("--points", count) as instrument:
            relay = Relay(instrument)
            run = Run(recipes.fetching(times=6 if count < 1e7 else 3), relay.address)
            bare = timed(lambda: trace_of(relay), 3)
        file = next((run.folder / "traces").glob("0002*"))
        took = statistics.median(run.steps_ms("fetch_trace")[1:])
        yield f"{count:,}", ms(took), ms(statistics.median(bare)), f"{file.stat().st_size / 1e6:.2f}", mib(run.memory_mib)


def traces():
    """| traces of the run | a sweep with its fetch of 101 points, ms | the last tenth, ms | journal, MB | most memory of the run, MiB |"""
    for count in [1, 10, 100, 1_000, 10_000]:
        with simulator(time_scale=0.0005) as instrument:
            run = Run(recipes.many_traces(count), instrument)
        stored, began = run.at("trace_stored"), run.at("step_started")[1]
        tenth = max(count // 10, 1)
        last = 1e3 * (stored[-1] - ([began] + stored)[-1 - tenth]) / tenth
        journal = (run.folder / "journal.jsonl").stat().st_size / 1e6
        yield f"{count:,}", ms(1e3 * (stored[-1] - began) / count), ms(last), f"{journal:.2f}", mib(run.memory_mib)


def several():
    """| detectors | fetch_trace, ms | a trace, ms | most memory of the run, MiB |"""
    for count in [1, 2, 4, 24, 96]:
        modules = detectors.SIXTEEN_MODULES
        took, run, _ = detectors.measured(detectors.of_modules(modules, 6, count), modules, 6, rounds=3)
        took = statistics.median(took)
        yield f"{count}", ms(took), ms(took / count), mib(run.memory_mib)


def receivers():
    """| clients at 10 Hz | processor time of the server, ms of a second | messages of a client per second | memory of the server, MiB |"""
    for count in [1, 10, 100, 1_000, 2_000]:
        cost, rate, _, memory = clients.streamed(count)
        yield f"{count:,}", ms(cost), f"{rate:.1f}", mib(memory)


def runs():
    """| runs in the folder | the newest 50 over HTTP, ms |"""
    with simulator() as instrument:
        many = catalogue.Catalogue(instrument)
        for count in [10, 100, 1_000, 10_000, 100_000]:
            many.grow(count)
            yield f"{count:,}", ms(statistics.median(many.newest(instrument)))
        many.remove()


def ms(value):
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def mib(value):
    return f"{value:.1f}"


def processor():
    with open("/proc/cpuinfo") as facts:
        model = next(line.split(":")[1].strip() for line in facts if line.startswith("model name"))
    return f"{len(PROCESSORS)} processors ({model}), {platform.system()} {platform.release()}"


def put(name, rows):
    """Replaces the table of this name in the document."""
    text = PAGE.read_text()
    mark = re.compile(rf"(<!-- table {name} -->\n).*?(<!-- end -->)", re.S)
    assert mark.search(text), f"{PAGE} has no place for the table {name}"
    PAGE.write_text(mark.sub(lambda found: found[1] + "\n".join(rows) + "\n" + found[2], text))


def main():
    every = {"points": points, "traces": traces, "detectors": several, "clients": receivers, "runs": runs}
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("names", nargs="*", choices=[[], *every], metavar="NAME", help=", ".join(every))
    given = options.parse_args()
    with SCRATCH:
        for name in given.names or every:
            head = every[name].__doc__
            rows = [head, re.sub(r"[^|]+", "---:", head)]
            for row in every[name]():
                rows.append("| " + " | ".join(row) + " |")
                print(rows[-1], flush=True)
            put(name, [*rows, "", f"Measured on {date.today():%Y-%m-%d}: {processor()}."])


if __name__ == "__main__":
    main()
