"""The pictures of `ctp10 plot`, as other programs read them."""

import struct
import xml.etree.ElementTree as xml
import zlib

import numpy
import pytest
from conftest import ctp10

SVG = "{http://www.w3.org/2000/svg}"


def lorentzian(nm, center):
    return 1 / (1 + (2 * (nm - center) / 0.2) ** 2)


@pytest.fixture
def ring(tmp_path):
    """A million points, with dips that only the envelope keeps."""
    nm = numpy.arange(1500, 1600, 0.0001).round(4)
    db = 10 * numpy.log10(numpy.prod([1 - 0.99 * lorentzian(nm, center) for center in (1520.5, 1550.5, 1580.5)], axis=0))
    path = tmp_path / "ring.csv"
    numpy.savetxt(path, numpy.column_stack([nm, db]), "%.4f", ",", header="wavelength_nm,transmission_db", comments="")
    return path


def plot(*arguments):
    made = ctp10("plot", *arguments)
    assert made.returncode == 0, made.stderr
    return made


def texts(path):
    return ["".join(element.itertext()).strip() for element in xml.parse(path).iter(f"{SVG}text")]


def pixels(path):
    """The pixels of a PNG file of 8 bits, unfiltered, without any library."""
    data, at, packed = path.read_bytes(), 8, b""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        content = data[at + 8 : at + 8 + length]
        assert zlib.crc32(kind + content) == struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0]
        if kind == b"IHDR":
            width, height = struct.unpack(">II", content[:8])
        packed += content if kind == b"IDAT" else b""
        at += 12 + length
    rows = numpy.frombuffer(zlib.decompress(packed), "uint8").reshape(height, 1 + 3 * width)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, 3).astype(int)


def test_a_million_points_make_a_small_svg_with_axes_and_marks(ring, tmp_path):
    path = tmp_path / "ring.svg"
    plot(ring, "-o", path, "--figures", "q", "--title", "a < b & c")
    assert path.stat().st_size < 100_000
    found = texts(path)
    assert "a < b & c" in found and "Wavelength (nm)" in found and "Transmission (dB)" in found
    assert {"1520", "1540", "1560", "1580"} <= set(found) and {"0", "\N{MINUS SIGN}10"} <= set(found)
    assert [text for text in found if text.endswith(".5000")] == ["1520.5000", "1550.5000", "1580.5000"]
    lines = [element.get("points").split() for element in xml.parse(path).iter(f"{SVG}polyline")]
    longest = max(lines, key=len)
    x, y = numpy.array([point.split(",") for point in longest], float).T
    # Three dips down to -20 dB, although a pixel has 800 points.
    assert (y > y.min() + 0.9 * (y.max() - y.min())).sum() >= 3 and 1000 < len(x) < 5000


def test_the_same_picture_as_png_light_and_dark(ring, tmp_path):
    for name, options, paper in [("light", [], (255, 255, 255)), ("dark", ["--dark"], (20, 22, 26))]:
        path = tmp_path / f"{name}.png"
        plot(ring, "-o", path, "--size", "640x400", *options)
        image = pixels(path)
        assert image.shape == (400, 640, 3) and tuple(image[0, 0]) == paper
        blue = image[:, :, 2] - image[:, :, 0] > 100
        assert 500 < blue.sum() < 20_000


def test_a_run_is_drawn_with_all_its_traces_and_says_that_it_is_simulated(run_of, tmp_path):
    path, run = tmp_path / "run.svg", run_of("find-resonance")
    plot(run, "-o", path)
    found = texts(path)
    assert "SIMULATED" in found and any(text.startswith("find-resonance, run ") for text in found)
    traces = sorted((run / "traces").glob("*.parquet"))
    plot(*traces[:2], "-o", path, "--force")
    assert traces[0].stem in texts(path) and traces[1].stem in texts(path)
    # The second trace is a narrow one about the resonance.
    made = plot(*traces[:2], "-o", path, "--force", "--band", "1530:1550")
    assert "outside the band or not in dB: 1" in made.stderr
    assert traces[0].stem in texts(path) and traces[1].stem not in texts(path)
    exported = tmp_path / "exported.csv"
    assert ctp10("export", traces[0], "--to", "csv", "-o", exported).returncode == 0
    plot(exported, "-o", tmp_path / "exported.svg")
    assert "SIMULATED" in texts(tmp_path / "exported.svg")


def test_wrong_use_names_the_mistake(ring, tmp_path):
    (tmp_path / "nan.csv").write_text("1550,nan\n1551,nan\n")
    (tmp_path / "taken.svg").write_text("mine")
    for arguments, said in [
        ([ring, "-o", tmp_path / "a.jpg"], "does not end with `.svg` or `.png`"),
        ([ring, "-o", tmp_path / "a.svg", "--figures", "loss"], "`loss` has no place on a trace"),
        ([ring, "-o", tmp_path / "a.svg", "--size", "10x10"], "from 200 to 4096"),
        ([ring, "-o", tmp_path / "a.svg", "--band", "1700:1800"], "outside the trace"),
        ([tmp_path / "nan.csv", "-o", tmp_path / "a.svg"], "no trace has a finite value"),
        ([tmp_path / "none.csv", "-o", tmp_path / "a.svg"], "there is no file"),
        ([ring, "-o", tmp_path / "taken.svg"], "exists"),
        ([ring, "-o", tmp_path / "no" / "folder.svg"], "folder.svg"),
    ]:
        failed = ctp10("plot", *arguments)
        assert failed.returncode in (1, 2) and said in failed.stderr, failed.stderr
    assert (tmp_path / "taken.svg").read_text() == "mine" and not (tmp_path / "a.svg").exists()
