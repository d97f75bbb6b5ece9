"""The files of a run, read by the libraries that people read them with."""

import json
import pathlib

import duckdb
import pandas
import polars
import pyarrow.parquet
import pytest
from conftest import ctp10


def traces(folder):
    return sorted((folder / "traces").glob("*.parquet"))


def test_pyarrow_finds_units_and_the_story_of_the_trace_in_the_file(run_of):
    folder = run_of("find-resonance")
    manifest = json.loads((folder / "run.json").read_text())
    file = pyarrow.parquet.ParquetFile(traces(folder)[1])
    schema = file.schema_arrow
    assert schema.field("wavelength_nm").metadata[b"unit"] == b"nm"
    assert schema.field("value").metadata[b"unit"] == b"dB"
    metadata = {key.decode(): value.decode() for key, value in file.metadata.metadata.items()}
    settings = json.loads(metadata["sweep_settings"])
    assert settings["resolution_pm"] == 0.1
    assert settings["tls"][0]["speed_nm_s"] == 50
    assert metadata["recipe_sha256"] == manifest["recipe"]["sha256"]
    assert "SIMULATED" in metadata["instrument"] and metadata["simulated"] == "true"


def test_pandas_gets_plain_columns_and_exact_wavelengths(run_of):
    folder = run_of("find-resonance")
    coarse = pandas.read_parquet(traces(folder)[0])
    assert list(coarse.columns[:2]) == ["wavelength_nm", "value"]
    assert len(coarse) == 6001
    assert coarse.wavelength_nm.iloc[0] == 1520 and coarse.wavelength_nm.iloc[-1] == 1580
    assert coarse.wavelength_nm.iloc[123] == 1521.23
    assert coarse.value.min() < -15
    assert set(coarse.simulated) == {True} and set(coarse.trace) == {"tf"} and set(coarse.name) == {"coarse"}
    assert set(coarse.module) == {4} and set(coarse.channel) == {1}
    assert set(coarse.trace_index) == {1} and set(coarse.sweep_index) == {1}


def test_one_query_over_the_traces_of_all_recipes_finds_the_deepest_dip_per_power(runs):
    rows = duckdb.sql(
        f"""
        SELECT power_dbm, min(value) AS deepest, arg_min(wavelength_nm, value) AS nm, any_value(run_id) AS run
        FROM read_parquet('{runs}/*/traces/*.parquet', union_by_name=true)
        WHERE channel = 1 AND power_dbm IS NOT NULL
        GROUP BY power_dbm ORDER BY power_dbm
        """
    ).fetchall()
    assert [row[0] for row in rows] == [-5, 0, 5]
    deepest = [row[1] for row in rows]
    # Each step of 5 dB lifts the dip by 5 dB: the device is linear.
    assert deepest[1] - deepest[0] == pytest.approx(5, abs=0.5)
    assert deepest[2] - deepest[1] == pytest.approx(5, abs=0.5)
    ((recipes,),) = duckdb.sql(
        f"SELECT count(DISTINCT run_id) FROM read_parquet('{runs}/*/traces/*.parquet', union_by_name=true)"
    ).fetchall()
    assert recipes == 3


def test_recorded_power_has_times_and_sources(run_of):
    power = pandas.read_parquet(run_of("drift-monitor") / "power")
    assert str(power.time.dt.tz) == "UTC"
    assert set(power.source) == {"recorder", "recipe"}
    assert set(power.unit) == {"dBm"}
    flank = power[(power.name == "flank") & (power.channel == 1)]
    assert len(flank) == 10 and flank.value.min() > -40


OLDER_RUN = next((pathlib.Path(__file__).parents[1] / "fixtures/older-program/runs").glob("*_finished_*"))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Traces of an older program, each with the same trace of this program: the recipe has noise by settings."""
    folder = tmp_path_factory.mktemp("again")
    recipe = OLDER_RUN / "recipe" / "finished.yaml"
    ctp10("run", recipe, "--unattended", "--sidecar", "off", "--out", folder / "runs", cwd=folder)
    (run,) = (folder / "runs").glob("*_finished_*")
    older, newer = traces(OLDER_RUN), traces(run)
    assert [file.name for file in newer] == [file.name for file in older] and len(older) == 3
    return list(zip(older, newer))


# The only column that differs between two runs of a recipe.
OWN = "run_id"


def test_all_libraries_read_the_same_table_as_from_a_file_of_an_older_program(pairs):
    for older, newer in pairs:
        schemas = [pyarrow.parquet.read_schema(file) for file in (older, newer)]
        assert schemas[0].equals(schemas[1]) and schemas[0].field("value").equals(schemas[1].field("value"), check_metadata=True)
        # The older program did not write which reference a transmission rests on.
        assert set(schemas[1].metadata) - {b"reference"} == set(schemas[0].metadata)
        by_pyarrow = [pyarrow.parquet.read_table(file).drop_columns([OWN]) for file in (older, newer)]
        assert by_pyarrow[0].equals(by_pyarrow[1])
        by_polars = [polars.read_parquet(file).drop(OWN) for file in (older, newer)]
        assert by_polars[0].equals(by_polars[1])
        by_duckdb = [duckdb.sql(f"SELECT * EXCLUDE {OWN} FROM read_parquet('{file}')").fetchall() for file in (older, newer)]
        assert by_duckdb[0] == by_duckdb[1]
        one = duckdb.sql(f"SELECT DISTINCT {OWN} FROM read_parquet('{newer}')").fetchall()
        assert len(one) == 1 and one[0][0] in str(newer)


def test_statistics_and_page_indexes_are_those_of_an_older_program(pairs):
    for older, newer in pairs:
        before, now = (pyarrow.parquet.ParquetFile(file).metadata for file in (older, newer))
        assert now.num_row_groups == before.num_row_groups == 1
        for position in range(before.num_columns):
            expected, found = before.row_group(0).column(position), now.row_group(0).column(position)
            assert found.path_in_schema == expected.path_in_schema
            for fact in ["physical_type", "compression", "num_values", "has_offset_index", "has_column_index", "has_dictionary_page"]:
                assert getattr(found, fact) == getattr(expected, fact), (found.path_in_schema, fact)
            assert set(found.encodings) == set(expected.encodings), found.path_in_schema
            if found.path_in_schema != OWN:
                assert found.statistics == expected.statistics, found.path_in_schema
        columns = [[table.row_group(0).column(position) for position in range(table.num_columns)] for table in (before, now)]
        sizes = [sum(column.total_compressed_size for column in table) for table in columns]
        assert sizes[1] <= sizes[0]
