"""Speed and memory against floors that are measured in the same run: one table, and the same as JSON.

    cargo build --release && tests/all    # once: the binary, and tests/.venv
    tests/.venv/bin/python benches/performance.py [--json FILE] [--stable X] [NAME…]

Starts the real binary and the real simulator, and floors in C, for which `cc` is needed. Traces come through a relay that
remembers the block of a trace, so that the time of a fetch is the time of ctp10 and not that of the simulator. With two
processors or more, ctp10 has one of them for itself, except where several detectors are fetched.
A ratio is the median of the rounds divided by the floor; its spread is that of the rounds.
`--stable 2` is for machines that do other work as well: ratios may be twice their target, and times without a floor have none.
The exit status is 1 if a target is missed.
"""

import argparse
import json
import pathlib
import sys

from measures import catalogue, clients, commands, detectors, downloads, fetching, power, slow
from measures.programs import SCRATCH
from measures.table import Table

EVERY = {
    "fetch": fetching.fetch,
    "slow-transfer": fetching.slow_transfer,
    "large": fetching.large,
    "detectors": detectors.beside_each_other,
    "downloads": downloads.downloads,
    "power": power.readings,
    "slow": slow.slow,
    "clients": clients.clients,
    "commands": commands.commands,
    "instrument": commands.instrument,
    "catalogue": catalogue.newest,
}


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--json", type=pathlib.Path)
    options.add_argument("--stable", type=float, metavar="X")
    options.add_argument("names", nargs="*", choices=[[], *EVERY], metavar="NAME", help=", ".join(EVERY))
    given = options.parse_args()
    table = Table(given.stable)
    with SCRATCH:
        for name in given.names or EVERY:
            EVERY[name](table)
    if given.json:
        given.json.write_text(json.dumps(table.rows, indent=1) + "\n")
    missed = table.missed()
    print(f"{len(missed)} targets are missed" if missed else "all targets are met")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
