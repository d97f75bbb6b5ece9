"""The newest 50 runs out of many. Only the manifests are there: a list reads nothing else."""

import json
import shutil
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

from . import recipes
from .programs import FOLDER, Run, service, simulator, timed

ROUNDS = 5


class Catalogue:
    """Copies of one run, each a second later than the one before."""

    def __init__(self, instrument):
        self.model = json.loads((Run(recipes.readings(1), instrument, "one.yaml").folder / "run.json").read_text())
        self.out, self.count = Path(tempfile.mkdtemp(dir=FOLDER)), 0

    def grow(self, count):
        first = datetime(2025, 1, 1, tzinfo=timezone.utc)
        for number in range(self.count, count):
            started = first + timedelta(seconds=number)
            run = f"{number:06x}"
            folder = self.out / f"{started:%Y%m%dT%H%M%SZ}_readings_{run}"
            folder.mkdir()
            manifest = self.model | {"run": run, "started": started.isoformat().replace("+00:00", "Z")}
            (folder / "run.json").write_text(json.dumps(manifest))
        self.count = count

    def newest(self, instrument, text=""):
        """The newest 50; with a text, only those in which it occurs. The first list of this kind fills the catalogue."""
        path = "/runs?limit=50" + (f"&text={text}" if text else "")
        with service(instrument, "--out", self.out) as (_, client):
            assert len(client.json(path)["runs"]) == min(50, self.count)
            return timed(lambda: client.get(path), ROUNDS)

    def remove(self):
        shutil.rmtree(self.out)


def newest(table):
    with simulator() as instrument:
        catalogue = Catalogue(instrument)
        catalogue.grow(100_000)
        table.add("the newest 50 of 100,000 runs", catalogue.newest(instrument), target=100)
        found = catalogue.newest(instrument, "readings")
        table.add("the newest 50 of 100,000 runs with a text", found, target=500)
        catalogue.remove()
