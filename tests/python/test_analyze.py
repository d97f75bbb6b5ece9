"""The figures of `ctp10 analyze` beside those of scipy."""

import json

import numpy
import pandas
import pytest
from scipy.io import savemat
from scipy.optimize import curve_fit
from scipy.signal import find_peaks

from conftest import ROOT, ctp10

SPECTRA = ROOT.parent / "shared" / "spectra"
# Analytic devices, and measured ones where they are there.
DEVICES = ["ring", "noisy ring", "ring_r10g100_through.csv", "ring_r10g100_drop.csv"]
# nm, and samples of 4 pm.
DISTANCE_NM, DISTANCE_SAMPLES = 0.5, 125


def lorentzian(nm, center, fwhm):
    return 1 / (1 + (2 * (nm - center) / fwhm) ** 2)


def analytic(noise):
    nm = numpy.arange(1500.004, 1580.0, 0.004).round(3)
    power = 0.02 * (1 - ((nm - 1550) / 80) ** 2)
    for number in range(-4, 4):
        power = power * (1 - 0.98 * lorentzian(nm, 1545 + 9.1 * number, 0.12 + 0.01 * number))
    db = 10 * numpy.log10(power)
    return nm, db + noise * numpy.random.default_rng(7).normal(size=len(nm))


@pytest.fixture(params=DEVICES)
def device(request, tmp_path):
    path = SPECTRA / request.param
    if not request.param.endswith(".csv"):
        nm, db = analytic(0.1 if "noisy" in request.param else 0)
        path = tmp_path / "device.csv"
        numpy.savetxt(path, numpy.column_stack([nm, db]), "%.6f", ",", header="wavelength_nm,transmission_db", comments="")
    elif not path.exists():
        pytest.skip(f"{path} does not exist")
    nm, db = numpy.loadtxt(path, delimiter=",", skiprows=1).T
    return path, nm, db, -1 if "drop" not in path.name else 1


def analyze(path, figures, *options):
    output = ctp10("analyze", path, "--figures", figures, "--band", "1525:1580", "--json", *options)
    assert output.returncode == 0, output.stderr
    return json.loads(output.stdout)["figures"]


def values(figures, name):
    return numpy.array([figure["value"] for figure in figures if figure["figure"] == name])


def test_dips_peaks_and_prominences_are_those_of_scipy(device):
    path, nm, db, sign = device
    band = (nm >= 1525) & (nm <= 1580)
    places, found = find_peaks(sign * db[band], prominence=15, distance=DISTANCE_SAMPLES)
    kind = "dip" if sign < 0 else "peak"
    figures = analyze(path, kind + "s", "--prominence", 15, "--distance", DISTANCE_NM)
    assert values(figures, f"{kind}_nm") == pytest.approx(nm[band][places], abs=1e-9)
    assert values(figures, f"{kind}_db") == pytest.approx(db[band][places], abs=1e-6)
    assert values(figures, "prominence_db") == pytest.approx(found["prominences"], abs=1e-4)


def test_resonances_agree_with_a_fit_of_scipy(device):
    path, nm, db, sign = device
    figures = analyze(path, "q,fsr", "--prominence", 15, "--lines", "dips" if sign < 0 else "peaks")
    centers, widths = values(figures, "resonance_nm"), values(figures, "fwhm_nm")
    assert len(centers) >= 6

    def model(x, center, fwhm, base, slope, strength):
        return base + slope * x + sign * strength * lorentzian(x, center, fwhm)

    fitted = []
    for center in centers:
        window = abs(nm - center) <= 0.6
        power = 10 ** (db[window] / 10)
        start = [0, 0.15, 1 if sign < 0 else 0, 0, 0.9]
        fit, _ = curve_fit(model, nm[window] - center, power / power.max(), start)
        fitted.append((center + fit[0], abs(fit[1])))
    places, fwhm = numpy.array(fitted).T
    assert centers == pytest.approx(places, abs=0.005)
    assert widths == pytest.approx(fwhm, rel=0.08)
    assert values(figures, "q_loaded") == pytest.approx(centers / widths, rel=1e-9)
    assert values(figures, "fsr_nm") == pytest.approx(numpy.diff(places), abs=0.010)
    assert values(figures, "fsr_mean_nm") == pytest.approx(numpy.diff(places).mean(), abs=0.002)


def test_insertion_losses_are_those_of_numpy(device):
    path, nm, db, _ = device
    band = db[(nm >= 1525) & (nm <= 1580)]
    figures = analyze(path, "loss,loss@1550.001")
    assert values(figures, "insertion_loss_min_db") == pytest.approx(-band.max())
    assert values(figures, "insertion_loss_max_db") == pytest.approx(-band.min())
    assert values(figures, "insertion_loss_mean_db") == pytest.approx(-10 * numpy.log10((10 ** (band / 10)).mean()))
    assert values(figures, "mean_db") == pytest.approx(band.mean())
    assert values(figures, "insertion_loss_db") == pytest.approx(-numpy.interp(1550.001, nm, db))


def test_a_trace_of_a_run_and_of_pandas_give_the_same_figures(run_of, tmp_path):
    trace = sorted((run_of("find-resonance") / "traces").glob("*.parquet"))[0]
    table = pandas.read_parquet(trace)[["wavelength_nm", "value"]].rename(columns={"value": "transmission_db"})
    written, falling = tmp_path / "pandas.parquet", tmp_path / "falling.csv"
    table.astype("float64").to_parquet(written, compression="zstd")
    table.astype("float64")[::-1].to_csv(falling, index=False)
    answers = []
    for path in (trace, written, falling):
        output = ctp10("analyze", path, "--figures", "dips,q,loss", "--json")
        assert output.returncode == 0, output.stderr
        answers.append([(figure["figure"], figure["value"]) for figure in json.loads(output.stdout)["figures"]])
    assert [name for name, _ in answers[0]] == [name for name, _ in answers[1]] == [name for name, _ in answers[2]]
    loaded = [value for name, value in answers[0] if name == "q_loaded"]
    assert loaded and all(isinstance(value, float) for value in loaded)
    for (_, first), (_, second), (_, third) in zip(*answers):
        assert first == pytest.approx(second, rel=1e-9) and first == pytest.approx(third, rel=1e-6)


def test_a_column_of_a_parquet_file_is_not_guessed(tmp_path):
    path = tmp_path / "several.parquet"
    table = {"wavelength_nm": [1550.0, 1551.0], "time": [0.0, 1.0], "power": [-3.0, -4.0], "die": ["a", "b"]}
    pandas.DataFrame(table).to_parquet(path, compression="zstd")
    for options, said in [
        ([], "it has several columns of levels: `time`, `power`; name one of them"),
        (["--column", "x"], "there is no column `x`; there are `time`, `power`"),
        (["--column", "die"], "the column `die` is not one of floats"),
    ]:
        output = ctp10("analyze", path, "--figures", "loss", *options)
        assert output.returncode == 2 and said in output.stderr, output.stderr
    output = ctp10("analyze", path, "--figures", "loss", "--column", "power", "--json")
    assert output.returncode == 0 and json.loads(output.stdout)["column"] == "power"


@pytest.mark.parametrize("compression", ["snappy", "gzip", "lz4", "zstd", None])
def test_a_parquet_file_of_pandas_is_read_with_its_compression_and_its_index(compression, tmp_path):
    path = tmp_path / "pandas.parquet"
    table = pandas.DataFrame({"Wavelength (nm)": [1551, 1550], "T (dB)": [-3.0, None], "die": ["a", "b"]}, index=[7, 3])
    table.to_parquet(path, compression=compression)
    output = ctp10("analyze", path, "--figures", "loss,quality", "--json")
    assert output.returncode == 0, output.stderr
    figures = json.loads(output.stdout)["figures"]
    assert values(figures, "insertion_loss_min_db") == [3] and values(figures, "unusable_samples") == [1]


def test_a_compression_that_is_not_read_is_named_with_what_to_do(tmp_path):
    path = tmp_path / "brotli.parquet"
    pandas.DataFrame({"wavelength_nm": [1550.0, 1551.0], "value": [-3.0, -4.0]}).to_parquet(path, compression="brotli")
    output = ctp10("analyze", path, "--figures", "loss")
    assert output.returncode == 2
    assert "compressed with brotli" in output.stderr and 'compression="zstd"' in output.stderr


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"])
def test_a_text_of_another_program_is_read_in_its_encoding(encoding, tmp_path):
    path = tmp_path / "other.csv"
    text = "Gerät;±0,5 µW\r\nWavelength (nm);T (dB)\r\n1551,0;-4,5\r\n1550,0;-3,5\r\n"
    path.write_bytes(text.encode(encoding))
    output = ctp10("analyze", path, "--figures", "loss", "--json")
    assert output.returncode == 0, output.stderr
    assert values(json.loads(output.stdout)["figures"], "insertion_loss_max_db") == [4.5]


def test_a_file_that_is_no_table_is_named_as_what_it_is(tmp_path):
    numpy.save(tmp_path / "a.npy", [1550.0])
    numpy.savez(tmp_path / "a.npz", [1550.0])
    savemat(tmp_path / "a.mat", {"a": [1550.0]})
    (tmp_path / "a.bin").write_bytes(b"1550,-3\n\x00\x00\x00\xff")
    for name, said in [("npy", "numpy"), ("npz", "ZIP archive"), ("mat", "MAT file"), ("bin", "is no text")]:
        output = ctp10("analyze", tmp_path / f"a.{name}", "--figures", "loss")
        assert output.returncode == 2 and said in output.stderr, output.stderr
