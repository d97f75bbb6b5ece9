"""Stage coordinates of `ctp10 devices transform` beside a least squares fit of numpy, with the options in the order of the README."""

import csv

import numpy
import pytest

from conftest import ctp10


def fitted(chip, stage):
    """The rigid transformation with the smallest sum of squares (Kabsch), with or without a mirrored y axis."""
    best = None
    for mirrored in (1, -1):
        points = chip * [1, mirrored]
        middle, target = points.mean(0), stage.mean(0)
        left, _, right = numpy.linalg.svd((points - middle).T @ (stage - target))
        turn = right.T @ numpy.diag([1, numpy.linalg.det(right.T @ left.T)]) @ left.T
        residuals = (points - middle) @ turn.T + target - stage
        if best is None or (residuals**2).sum() < best[0]:
            best = (residuals**2).sum(), mirrored, turn, middle, target
    _, mirrored, turn, middle, target = best
    return lambda points: (points * [1, mirrored] - middle) @ turn.T + target


@pytest.mark.parametrize("mirrored, degrees", [(1, 1.2), (-1, 1.2), (1, 178.0), (-1, -90.3)])
def test_stage_coordinates_are_those_of_a_rigid_fit(mirrored, degrees, tmp_path):
    random = numpy.random.default_rng(5)
    chip = random.uniform(-4000, 9000, (30, 2)).round(3)
    chip[3] = [-3999.5, 8000]
    angle = numpy.radians(degrees)
    turn = numpy.array([[numpy.cos(angle), -numpy.sin(angle)], [numpy.sin(angle), numpy.cos(angle)]])
    stage = chip * [1, mirrored] @ turn.T + [-12_000, 31_000]
    known = [3, 7, 11, 20]
    measured = (stage[known] + random.normal(0, 2, (4, 2))).round(3)
    rows = "".join(f"d{number},{x},{y}\n" for number, (x, y) in enumerate(chip))
    (tmp_path / "devices.csv").write_text("id,x_um,y_um\n" + rows)
    # The first point is a mark with a negative coordinate, the others are devices.
    marks = [f"d{number}={x},{y}" for number, (x, y) in zip(known[1:], measured[1:])]
    x, y = measured[0]
    mark = f"--points={chip[3][0]},{chip[3][1]}={x},{y}"
    done = ctp10("devices", "transform", "devices.csv", mark, "--points", *marks, "--order", "file", "-o", "stage.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with open(tmp_path / "stage.csv", newline="") as file:
        found = {row["id"]: (float(row["stage_x_um"]), float(row["stage_y_um"])) for row in csv.DictReader(file)}
    expected = fitted(chip[known], measured)(chip)
    assert numpy.array([found[f"d{number}"] for number in range(30)]) == pytest.approx(expected, abs=0.01)


def test_the_command_of_the_readme_takes_its_options_behind_the_points(tmp_path):
    (tmp_path / "devices.csv").write_text("id,x_um,y_um\nA,0,0\nB,8000,0\nC,8000,3500\nD,100,0\n")
    points = ["A=10234,5521", "B=18233,5604", "C=18197,9104"]
    for options in [["--order", "nearest", "-o", "stage.csv"], ["-o", "other.csv", "--max-residual", "30"], ["--force", "-o", "stage.csv"]]:
        done = ctp10("devices", "transform", "devices.csv", "--points", *points, *options, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "stage.csv").exists() and (tmp_path / "other.csv").exists()
