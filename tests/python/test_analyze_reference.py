"""Widths, combs and channels of `ctp10 analyze` beside the same figures from numpy and scipy, each written down from its definition."""

import json

import numpy
import pytest
from scipy.optimize import curve_fit
from scipy.signal import find_peaks

from conftest import ROOT, ctp10

SPECTRA = ROOT.parent / "shared" / "spectra"
# nm·GHz
LIGHT = 299_792_458.0


def written(path, nm, db, order=1):
    table = numpy.column_stack([nm, db])[::order]
    numpy.savetxt(path, table, "%.9f", ",", header="wavelength_nm,transmission_db", comments="")
    return path


def analyze(path, *options):
    output = ctp10("analyze", path, "--json", *options)
    assert output.returncode == 0, output.stderr
    return json.loads(output.stdout)["figures"]


def values(figures, name):
    return numpy.array([figure["value"] for figure in figures if figure["figure"] == name])


def value(figures, name):
    (found,) = values(figures, name)
    return found


def crossing(nm, db, level):
    """Where a trace falls below a level for the first time, from its first sample on."""
    first = numpy.argmax(db < level)
    assert db[first] < level, "the level is never crossed"
    return numpy.interp(level, [db[first], db[first - 1]], [nm[first], nm[first - 1]])


def width(nm, db, place, level):
    lower = crossing(nm[: place + 1][::-1], db[: place + 1][::-1], level)
    upper = crossing(nm[place:], db[place:], level)
    return lower, upper


# Channels

SPACING_GHZ = 100
CENTERS_GHZ = 193_100 + SPACING_GHZ * numpy.arange(-10, 11)


def port(own, ripple):
    """A port of a demultiplexer: a flat-top passband 3 GHz beside the grid, on a pedestal that falls with the distance."""
    nm = numpy.arange(1547.5, 1557.5, 0.002)
    off_ghz = LIGHT / nm - (CENTERS_GHZ[own] + 3)
    passband = -2.1 - 3 * (numpy.abs(off_ghz) / 38) ** 6 - ripple * numpy.cos(off_ghz / 4)
    pedestal = -31 - 5 * numpy.abs(off_ghz) / 100 + 2 * numpy.cos(off_ghz / 9)
    return nm, 10 * numpy.log10(10 ** (passband / 10) + 10 ** (pedestal / 10))


@pytest.mark.parametrize("own, ripple, order", [(10, 0.0, 1), (9, 0.3, 1), (11, 0.3, -1)])
def test_the_figures_of_a_channel_are_those_of_numpy(own, ripple, order, tmp_path):
    nm, db = port(own, ripple)
    path = written(tmp_path / "port.csv", nm, db, order)
    half_ghz = 12.5
    figures = analyze(path, "--channels", f"dwdm:{SPACING_GHZ}:{half_ghz}", "--figures", "bandwidth@3,bandwidth@1")
    figures = [figure for figure in figures if figure.get("of") == f"channel {CENTERS_GHZ[own] / 1000:g} THz"]

    def window(center_ghz):
        low, high = LIGHT / (center_ghz + half_ghz), LIGHT / (center_ghz - half_ghz)
        inside = (nm > low) & (nm < high)
        places = numpy.concatenate([[low], nm[inside], [high]])
        return places, numpy.interp(places, nm, db)

    is_within = (LIGHT / (CENTERS_GHZ + half_ghz) > nm[0]) & (LIGHT / (CENTERS_GHZ - half_ghz) < nm[-1])
    centers = list(CENTERS_GHZ[is_within])
    windows = [window(center) for center in centers]
    place = centers.index(CENTERS_GHZ[own])
    own_nm, own_db = windows[place]
    center_nm = LIGHT / CENTERS_GHZ[own]
    assert value(figures, "insertion_loss_center_db") == pytest.approx(-numpy.interp(center_nm, nm, db), abs=1e-6)
    assert value(figures, "insertion_loss_min_db") == pytest.approx(-own_db.max(), abs=1e-6)
    assert value(figures, "insertion_loss_max_db") == pytest.approx(-own_db.min(), abs=1e-6)
    assert value(figures, "ripple_db") == pytest.approx(own_db.max() - own_db.min(), abs=1e-6)

    isolations = numpy.array([own_db.min() - db.max() for _, db in windows])
    others = numpy.array([other for other in range(len(windows)) if other != place])
    adjacent = others[abs(others - place) == 1]
    far = others[abs(others - place) > 1]
    assert value(figures, "isolation_adjacent_db") == pytest.approx(isolations[adjacent].min(), abs=1e-6)
    assert value(figures, "isolation_non_adjacent_db") == pytest.approx(isolations[far].min(), abs=1e-6)
    cumulative = -10 * numpy.log10((10 ** (-isolations[others] / 10)).sum())
    assert value(figures, "crosstalk_cumulative_db") == pytest.approx(cumulative, abs=1e-6)

    raw = numpy.flatnonzero((nm >= own_nm[0]) & (nm <= own_nm[-1]))
    highest = raw[numpy.argmax(db[raw])]
    for level in (1, 3):
        lower, upper = width(nm, db, highest, db[highest] - level)
        assert value(figures, f"bandwidth_{level}db_nm") == pytest.approx(upper - lower, abs=1e-6)
        # Defined: from the centre of the channel, below the highest transmission of the window.
        start = numpy.searchsorted(nm, center_nm)
        lower, upper = width(nm, db, start, own_db.max() - level)
        assert value(figures, f"bandwidth_defined_{level}db_nm") == pytest.approx(upper - lower, abs=1e-6)
    lower, upper = width(nm, db, highest, db[highest] - 3)
    assert value(figures, "center_offset_nm") == pytest.approx((lower + upper) / 2 - center_nm, abs=1e-6)
    offset_ghz = LIGHT / ((lower + upper) / 2) - CENTERS_GHZ[own]
    assert value(figures, "center_offset_ghz") == pytest.approx(offset_ghz, abs=1e-3)
    narrow, broad = (numpy.diff(width(nm, db, highest, db[highest] - level))[0] for level in (1, 10))
    assert value(figures, "shape_factor") == pytest.approx(narrow / broad, abs=1e-6)


# Widths of measured devices

def measured_or_skipped(name):
    path = SPECTRA / name
    if not path.exists():
        pytest.skip(f"{path} does not exist")
    nm, db = numpy.loadtxt(path, delimiter=",", skiprows=1).T
    return path, nm, db


@pytest.mark.parametrize("level", [0.5, 1, 3, 10])
def test_bandwidths_of_measured_peaks_are_those_of_numpy(level):
    path, nm, db = measured_or_skipped("ring_r10g100_drop.csv")
    figures = analyze(path, "--figures", f"peaks,bandwidth@{level}", "--band", "1525:1580", "--prominence", 15)
    name = f"bandwidth_{level}db".replace(".", "_")
    places = [numpy.argmin(abs(nm - peak)) for peak in values(figures, "peak_nm")]
    assert len(places) == 6
    for place, found, center in zip(places, values(figures, f"{name}_nm"), values(figures, f"{name}_center_nm")):
        lower, upper = width(nm, db, place, db[place] - level)
        assert (found, center) == pytest.approx((upper - lower, (lower + upper) / 2), abs=1e-6)


@pytest.mark.parametrize("level", [3, 10, 15])
def test_widths_of_measured_notches_are_those_of_numpy(level):
    path, nm, db = measured_or_skipped("ring_r10g100_through.csv")
    figures = analyze(path, "--figures", f"dips,notch@{level}", "--band", "1525:1580", "--prominence", 15)
    band = (nm >= 1525) & (nm <= 1580)
    places, found = find_peaks(-db[band], prominence=15, distance=125)
    expected = []
    for place, prominence in zip(places, found["prominences"]):
        lower, upper = width(nm[band], -db[band], place, -(db[band][place] + prominence - level))
        expected.append(upper - lower)
    assert values(figures, f"notch_width_{level}db_nm") == pytest.approx(numpy.array(expected), abs=1e-6)


# Combs

def test_a_comb_with_a_missing_line_has_the_figures_of_a_polynomial_of_numpy(tmp_path):
    mode = numpy.array([m for m in range(-9, 10) if m not in (-4, 3)])
    ghz = 193_400 + 250 * mode + 0.5 * 0.08 * mode**2
    nm = numpy.arange(1530, 1571, 0.001)
    power = numpy.prod([1 - 0.9 / (1 + (2 * (nm - LIGHT / line) / 0.02) ** 2) for line in ghz], axis=0)
    path = written(tmp_path / "comb.csv", nm, 10 * numpy.log10(power))
    length_um = 290.0
    figures = analyze(path, "--figures", "q,fsr,group_index,finesse,dispersion", "--lines", "dips", "--length-um", length_um)
    places = LIGHT / ghz[::-1]
    assert values(figures, "resonance_nm") == pytest.approx(places, abs=1e-5)
    steps = numpy.diff(mode[::-1]) * -1
    assert values(figures, "fsr_nm") == pytest.approx(numpy.diff(places) / steps, abs=1e-5)
    assert values(figures, "fsr_ghz") == pytest.approx(-numpy.diff(ghz[::-1]) / steps, abs=1e-3)
    assert value(figures, "fsr_mean_ghz") == pytest.approx((ghz[-1] - ghz[0]) / 18, abs=1e-3)
    index = steps * places[:-1] * places[1:] / (length_um * 1e3 * numpy.diff(places))
    assert values(figures, "group_index") == pytest.approx(index, rel=1e-6)
    # About the resonance nearest to the middle.
    middle = numpy.argmin(abs(ghz - (ghz[0] + ghz[-1]) / 2))
    second, first, _ = numpy.polyfit(mode - mode[middle], ghz, 2)
    assert value(figures, "comb_d1_ghz") == pytest.approx(first, abs=2e-3)
    assert value(figures, "comb_d2_mhz") == pytest.approx(2e3 * second, abs=1)
    assert values(figures, "finesse").mean() == pytest.approx(numpy.diff(places).min() / 0.02, rel=0.05)


# Resonances

@pytest.mark.parametrize("step_nm, noise", [(0.001, 0.0), (0.002, 0.003), (0.005, 0.001)])
def test_an_asymmetric_line_has_the_parameters_of_fits_of_scipy(step_nm, noise, tmp_path):
    nm = numpy.arange(1549, 1551, step_nm)

    def skewed(x, center, fwhm, even, odd, base, slope):
        v = 2 * (x - center) / fwhm
        return (base + slope * (x - 1550)) * (1 - (even + odd * v) / (1 + v**2))

    def symmetric(x, center, fwhm, even, base, slope):
        return skewed(x, center, fwhm, even, 0, base, slope)

    power = skewed(nm, 1550.013, 0.08, 0.8, 0.1, 0.1, 0.01)
    power = power + noise * 0.1 * numpy.random.default_rng(3).normal(size=len(nm))
    path = written(tmp_path / "fano.csv", nm, 10 * numpy.log10(power))
    figures = analyze(path, "--figures", "q", "--lines", "dips")
    # The window follows from the width: 4 FWHM on either side, weights that fall to 0.
    fit = (1550.013, 0.08, 0.8, 0.1, 0)
    for _ in range(5):
        off = (nm - fit[0]) / (4 * fit[1])
        window = abs(off) < 1
        sigma = 1 / (1 - off[window] ** 2)
        fit, _ = curve_fit(symmetric, nm[window], power[window], fit, sigma)
    assert value(figures, "resonance_nm") == pytest.approx(fit[0], abs=0.0001)
    assert value(figures, "fwhm_nm") == pytest.approx(fit[1], rel=0.005)
    assert value(figures, "q_loaded") == pytest.approx(fit[0] / fit[1], rel=0.005)
    fit, _ = curve_fit(skewed, nm[window], power[window], (fit[0], fit[1], fit[2], 0, fit[3], fit[4]), sigma)
    assert value(figures, "fano_asymmetry") == pytest.approx(fit[3] / fit[2], abs=0.01)


def test_samples_without_a_value_are_no_part_of_any_figure(tmp_path):
    nm = numpy.arange(1549, 1551, 0.001)
    db = 10 * numpy.log10(1 - 0.9 / (1 + (2 * (nm - 1550) / 0.1) ** 2))
    gaps = numpy.zeros(len(nm), bool)
    gaps[[5, 400, 401, 402, 1100, 1900]] = True
    path = written(tmp_path / "gaps.csv", nm, numpy.where(gaps, 9.91e37, db))
    figures = analyze(path, "--figures", "q,loss,quality")
    assert value(figures, "unusable_samples") == gaps.sum()
    assert value(figures, "insertion_loss_mean_db") == pytest.approx(-10 * numpy.log10((10 ** (db[~gaps] / 10)).mean()))
    assert value(figures, "fwhm_nm") == pytest.approx(0.1, rel=1e-3)
    bounds = {figure["figure"]: figure.get("bound") for figure in figures}
    assert bounds["insertion_loss_max_db"] == "≥" and bounds["insertion_loss_min_db"] == "≤"
    assert bounds["insertion_loss_mean_db"] is None
