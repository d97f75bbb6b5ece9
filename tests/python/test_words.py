"""Words that look like numbers, and names that look like paths: as they are written, in the files and over HTTP."""

import json
import sqlite3

import duckdb
import pytest

from conftest import ctp10

SWEEP = """
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 0 }
  - sweep: { start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }
"""


def run(folder, name, text, *arguments):
    (folder / name).write_text(text)
    done = ctp10("run", name, "--instrument", "sim", "--unattended", *arguments, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / done.stdout.splitlines()[-1]


def files(run_folder):
    return sorted(path.name for path in (run_folder / "traces").glob("*.parquet"))


def column(run_folder, name):
    rows = duckdb.sql(
        f"SELECT {name} FROM read_parquet('{run_folder}/traces/*.parquet') GROUP BY ALL ORDER BY min(trace_index)"
    )
    return [value for (value,) in rows.fetchall()]


def test_dies_of_a_table_keep_their_names(tmp_path):
    (tmp_path / "dies.csv").write_text("die,x_um,lot,,\n1E1,1.50,0012,,\n1E2,2,7,,\n2E1,-3,8,,\n,,,,\n")
    folder = run(
        tmp_path,
        "map.yaml",
        "name: map\nsteps:\n  - repeat:\n      for: die\n      in_csv: dies.csv\n      steps:"
        + SWEEP.replace("\n  ", "\n        ")
        + "        - fetch_trace: { detector: 4/1, trace: raw, name: 'die_${die.die}' }\n",
    )
    assert files(folder) == [f"000{n}_m4c1_raw_die_{die}.parquet" for n, die in [(1, "1E1"), (2, "1E2"), (3, "2E1")]]
    assert column(folder, "die") == ["1E1", "1E2", "2E1"]
    assert column(folder, "x_um") == [1.5, 2.0, -3.0]
    assert column(folder, "lot") == ["0012", "7", "8"]


@pytest.mark.parametrize("language", ["yaml", "rhai"])
def test_a_name_from_an_answer_is_made_fit_for_a_file_and_kept_in_the_column(tmp_path, language):
    name = "chip 3/4 (left)"
    if language == "yaml":
        steps = f"""name: named
steps:
  - prompt: {{ id: chip, message: 5, unattended: "{name}" }}
  - log: 1.50
  - log: "${{0.1 + 0.2}}"
{SWEEP}
  - fetch_trace: {{ detector: 4/1, trace: raw, name: "${{steps.chip.answer}}" }}
  - fetch_trace: {{ detector: 4/1, trace: raw, name: "chip_${{steps.chip.answer}}" }}
  - fetch_trace: {{ detector: 4/1, trace: raw, name: '${{"///"}}' }}
  - fetch_trace: {{ detector: 4/1, trace: raw, name: 1.10 }}
"""
    else:
        steps = f"""recipe(#{{ name: "named" }});
let chip = prompt(#{{ message: 5, choices: ["{name}"], unattended: "{name}" }});
log(1.5);
log(#{{ message: 0.1 + 0.2 }});
configure_tls(#{{ tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 0 }});
sweep(#{{ start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }});
fetch_trace(#{{ detector: "4/1", trace: "raw", name: chip }});
fetch_trace(#{{ detector: "4/1", trace: "raw", name: `chip_${{chip}}` }});
fetch_trace(#{{ detector: "4/1", trace: "raw", name: "///" }});
fetch_trace(#{{ detector: "4/1", trace: "raw", name: "1.10" }});
"""
    folder = run(tmp_path, f"named.{language}", steps)
    assert files(folder) == [
        "0001_m4c1_raw_chip_3_4_left.parquet",
        "0002_m4c1_raw_chip_chip_3_4_left.parquet",
        "0003_m4c1_raw.parquet",
        "0004_m4c1_raw_1.10.parquet",
    ]
    assert column(folder, "name") == [name, f"chip_{name}", "///", "1.10"]
    journal = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    told = json.dumps(journal)
    assert '"message": "0.3"' in told and ('"message": "1.50"' in told or language == "rhai")


def test_names_that_are_written_in_a_recipe_stay_checked(tmp_path):
    for name in ["a/b", "'../x_${1}'", "'chip ${1}'", "''", "." + "a"]:
        (tmp_path / "bad.yaml").write_text(
            f"name: bad\nsteps:{SWEEP}  - fetch_trace: {{ detector: 4/1, trace: raw, name: {name} }}\n"
        )
        done = ctp10("check", "bad.yaml", cwd=tmp_path)
        assert done.returncode == 2 and "not allowed" in done.stderr and "bad.yaml:5:" in done.stderr, (name, done)


def test_a_long_number_is_refused_before_light_in_every_place_and_language(tmp_path):
    long = "202411090210450001"
    recipes = {
        "list.yaml": f"name: a\nsteps: [{{ repeat: {{ for: d, in: [{long}], steps: [] }} }}]\n",
        "column.yaml": f"name: a\nsteps:{SWEEP}  - fetch_trace: {{ detector: 4/1, trace: raw, columns: {{ d: {long} }} }}\n",
        "parameter.yaml": f"name: a\nparameters: {{ d: {{ default: {long} }} }}\nsteps: []\n",
        "parameter.rhai": f'recipe(#{{ name: "a" }});\nparameter("d", {long});\n',
        "column.rhai": f'recipe(#{{ name: "a" }});\nfetch_trace(#{{ detector: "4/1", trace: "raw", columns: #{{ d: {long} }} }});\n',
    }
    for name, text in recipes.items():
        (tmp_path / name).write_text(text)
        done = ctp10("check", name, cwd=tmp_path)
        assert done.returncode == 2 and "into quotes" in done.stderr and long in done.stderr, (name, done)
    for name, text in [
        ("set.yaml", "name: a\nparameters: { d: { default: 1 } }\nsteps: []\n"),
        ("set.rhai", 'recipe(#{ name: "a" });\nparameter("d", 1);\n'),
    ]:
        (tmp_path / name).write_text(text)
        done = ctp10("check", name, "--set", f"d={long}", cwd=tmp_path)
        assert done.returncode == 2 and "would become" in done.stderr, done
    for name, text in [
        ("text.yaml", "name: a\nparameters: { d: { default: none } }\nsteps: [ { log: '${d}' } ]\n"),
        ("text.rhai", 'recipe(#{ name: "a" });\nlet d = parameter("d", "none");\nlog(d);\n'),
    ]:
        (tmp_path / name).write_text(text)
        done = ctp10("plan", name, "--set", f"d={long}", cwd=tmp_path)
        assert done.returncode == 0 and long in done.stdout, done


def test_a_computed_grid_has_its_end_in_the_files(tmp_path):
    folder = run(
        tmp_path,
        "grid.yaml",
        "name: grid\nparameters: { c: { default: 1550.1 }, span: { default: 0.6 }, points: { default: 7 } }\nsteps:\n"
        "  - repeat:\n      for: x\n      from: '${c - span/2}'\n      to: '${c + span/2}'\n      step: '${span / (points - 1)}'\n"
        "      steps:" + SWEEP.replace("\n  ", "\n        ") + "        - fetch_trace: { detector: 4/1, trace: raw, name: 'x_${x}' }\n",
    )
    points = ["1549.8", "1549.9", "1550", "1550.1", "1550.2", "1550.3", "1550.4"]
    assert files(folder) == [f"000{n}_m4c1_raw_x_{x}.parquet" for n, x in enumerate(points, 1)]
    assert column(folder, "x") == [float(x) for x in points]
    (tmp_path / "missed.yaml").write_text(
        "name: a\nsteps: [{ repeat: { for: x, from: -5, to: 5, step: 3, steps: [ { log: '${x}' } ] } }]\n"
    )
    done = ctp10("check", "--strict", "missed.yaml", cwd=tmp_path)
    assert done.returncode == 0 and "the loop does not reach `to` 5: the last value is 4" in done.stderr, done


def test_values_over_http_follow_the_same_rules(start):
    server = start.server(start.simulator("--time-scale", "0.02"))
    long = 202411090210450001
    recipe = "name: a\nparameters: { d: { default: none }, p: { default: 1 } }\nsteps: [ { log: '${d} ${p}' } ]\n"

    def check(parameters):
        body = json.dumps({"recipe": recipe, "parameters": parameters})
        return server.post("/check", content=body, headers={"Content-Type": "application/json"})

    refused = check({"d": long})
    assert refused.status_code == 422 and "into quotes" in refused.text, refused.text
    assert check({"d": str(long)}).json()["errors"] == 0
    assert check({"d": 5, "p": 2.5}).json()["errors"] == 0
    told = check({"p": str(long)}).json()
    assert told["errors"] == 1 and "would become" in json.dumps(told), told


DIE = f"name: die\nparameters: {{ power_dbm: {{ default: 0, min: -10, max: 10 }} }}\nsteps:{SWEEP}"


@pytest.mark.parametrize(
    ("table", "place", "words"),
    [
        ("device;power_dbm\nA;5\n", ":1:1", "columns are separated by commas"),
        ("device\tpower_dbm\nA\t5\n", ":1:1", "columns are separated by commas"),
        ("sep=;\ndevice;power_dbm\nA;5\n", ":1:1", "columns are separated by commas"),
        ('device,power_dbm\n"A,5\nB,6\nC,7\n', ":2:1", "this quote is not closed"),
        ('device,power_dbm\nA,5\n"B"x,6\n', ":3:4", "a comma or the end of the line must follow"),
        ("device,power_dbm\nA,5\nB\n", ":3:1", "this row has 1 cell, but the table has 2 columns"),
        ("device,power_dbm\nA,5\nB,6,7\n", ":3:5", "this row has 3 cells, but the table has 2 columns"),
        ("device,,power_dbm\nA,1,5\n", ":1:8", "column 2 has no name"),
        ("device,device\nA,5\n", ":1:8", "the table has two columns `device`"),
        ("device,power_dbm\n", ":1:1", "the table has no rows after the names of its columns"),
        ("device,power_dbm\nA1,5\nA\0,6\n", ":3:2", "NUL character"),
    ],
)
def test_loops_and_batches_find_the_same_mistakes_in_a_table(tmp_path, table, place, words):
    (tmp_path / "d.csv").write_text(table)
    (tmp_path / "die.yaml").write_text(DIE)
    (tmp_path / "loop.yaml").write_text(
        "name: loop\nsteps: [ { repeat: { for: row, in_csv: d.csv, steps: [ { log: '${row.device}' } ] } } ]\n"
    )
    (tmp_path / "night.yaml").write_text("name: night\nitems: [ { recipe: die.yaml, devices: d.csv } ]\n")
    for command in [("check", "loop.yaml"), ("batch", "check", "night.yaml")]:
        done = ctp10(*command, cwd=tmp_path)
        assert done.returncode == 2 and f"d.csv{place}" in done.stderr and words in done.stderr, done


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_tables_of_every_editor_are_read_alike(tmp_path, end):
    table = end.join(["\ufeffdevice,power_dbm,,", "# made by hand", "1.50,5,,", "", ",,,", '"3,4 ""x""",6,,', ""])
    (tmp_path / "d.csv").write_bytes(table.encode())
    (tmp_path / "die.yaml").write_text(DIE)
    (tmp_path / "night.yaml").write_text("name: night\nitems: [ { recipe: die.yaml, devices: d.csv } ]\n")
    done = ctp10("batch", "check", "night.yaml", cwd=tmp_path)
    assert done.returncode == 0, done
    told = done.stdout.splitlines()
    assert told[0].startswith("item 1 (die.yaml power_dbm=5 device=1.50): fine"), done
    assert told[1].startswith('item 2 (die.yaml power_dbm=6 device=3,4 "x"): fine'), done
    assert "parameters: `power_dbm`; metadata: `device`" in done.stderr, done
    assert "lines that begin with `#` are ignored: 2" in done.stderr, done


def test_a_name_that_is_nearly_a_parameter_is_a_warning(tmp_path):
    (tmp_path / "die.yaml").write_text(DIE)
    for entry in ["matrix: { power_dbn: [5] }", "devices: [ { Power_dBm: 5 } ]", "devices: d.csv"]:
        (tmp_path / "d.csv").write_text("power-dbm,die\n5,A\n")
        (tmp_path / "night.yaml").write_text(f"name: night\nitems: [ {{ recipe: die.yaml, {entry} }} ]\n")
        done = ctp10("batch", "check", "--strict", "night.yaml", cwd=tmp_path)
        assert done.returncode == 2 and "did you mean `power_dbm`?" in done.stderr, (entry, done)


def test_a_night_that_was_begun_with_other_types_goes_on(tmp_path):
    (tmp_path / "die.yaml").write_text(DIE)
    (tmp_path / "d.csv").write_text("die,power_dbm\n1E1,5\n1.50,6\n")
    (tmp_path / "night.yaml").write_text("name: night\nitems: [ { recipe: die.yaml, devices: d.csv } ]\n")
    assert ctp10("batch", "night.yaml", "--instrument", "sim", cwd=tmp_path).returncode == 0
    manifests = [json.loads(path.read_text()) for path in tmp_path.glob("runs/*/run.json")]
    measured = sorted((run["metadata"]["die"], run["parameters"]["power_dbm"]) for run in manifests)
    assert measured == [("1.50", 6), ("1E1", 5)]
    # As an earlier version kept them: cells as texts, and words that had become numbers.
    earlier = {1: ({"power_dbm": "5"}, {"die": 10.0}), 2: ({"power_dbm": "6"}, {"die": "1.50"})}
    with sqlite3.connect(tmp_path / "runs" / "catalogue.sqlite") as catalogue:
        for number, payload in catalogue.execute("SELECT number, payload FROM items").fetchall():
            task = json.loads(payload)
            task["set"], task["metadata"] = earlier[number]
            catalogue.execute("UPDATE items SET payload = ? WHERE number = ?", (json.dumps(task), number))
    again = ctp10("batch", "night.yaml", "--instrument", "sim", cwd=tmp_path)
    assert again.returncode == 0 and "2 done of 2 items" in again.stdout, again
    assert len(list(tmp_path.glob("runs/*/run.json"))) == 2
    (tmp_path / "d.csv").write_text("die,power_dbm\n1E1,5\n1.5,6\n")
    changed = ctp10("batch", "night.yaml", "--instrument", "sim", cwd=tmp_path)
    assert changed.returncode == 2 and "item 2" in changed.stderr, changed


def test_items_over_http_follow_the_same_rules(start, tmp_path):
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "die.yaml").write_text(DIE)
    server = start.server(start.simulator("--time-scale", "0.02"), folder=tmp_path)

    def add(body):
        headers = {"Content-Type": "application/json"}
        return server.post("/batch/items", content=json.dumps({"recipe": "recipes/die.yaml", **body}), headers=headers)

    server.post("/batch/pause")
    added = add({"matrix": {"power_dbn": [1, "ref"]}})
    assert added.status_code == 201 and "did you mean `power_dbm`?" in added.text, added.text
    items = server.get("/batch").json()["items"]
    assert [item["metadata"]["power_dbn"] for item in items] == ["1", "ref"]
    assert add({"devices": [{"power_dbm": "5"}]}).status_code == 201
    assert server.get("/batch").json()["items"][2]["set"] == {"power_dbm": 5}
    for body, words in [
        ({"matrix": {"power_dbm": [[5]]}}, "not a list"),
        ({"devices": [{"die": None}]}, "not nothing"),
        ({"devices": [{"power_dbm": 11}]}, "is not allowed (-10 to 10)"),
        ({"set": {"power_dbm": 202411090210450001}}, "into quotes"),
        ({"matrix": {"die": [202411090210450001]}}, "into quotes"),
    ]:
        refused = add(body)
        assert refused.status_code == 422 and words in refused.text, refused.text
