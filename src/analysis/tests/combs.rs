//! Mode numbers, missing resonances, dispersion, finesse.

use super::support::{Owned, Random, named, reason, values};
use crate::analysis::comb::number;
use crate::analysis::extrema::Search;
use crate::analysis::request::Request;
use crate::analysis::units::nm_from_ghz;

/// Dips of 10 pm at these frequencies, GHz.
fn comb(frequencies_ghz: &[f64]) -> Owned {
    let centers: Vec<f64> = frequencies_ghz.iter().map(|ghz| nm_from_ghz(*ghz)).collect();
    Owned::sampled(1530.0, 1570.0, 1.0, move |nm| {
        centers.iter().map(|center| 1.0 - 0.9 / (1.0 + (2.0 * (nm - center) / 0.01).powi(2))).product()
    })
}

fn mode(number: i32) -> f64 {
    193_400.0 + 200.0 * f64::from(number)
}

#[test]
fn a_missing_resonance_never_doubles_the_free_spectral_range() {
    let modes: Vec<f64> = (-8..=8).filter(|mode| ![-3, 4, 5].contains(mode)).map(mode).collect();
    let found = comb(&modes).analyze("fsr", Request::default());
    for figure in named(&found, "fsr_ghz") {
        assert!((figure.value.unwrap() - 200.0).abs() < 0.1, "{figure:?}");
    }
    let gaps: Vec<&str> =
        named(&found, "fsr_nm").into_iter().flat_map(|figure| &figure.notes).map(String::as_str).collect();
    assert_eq!(gaps, ["missing resonances in between: 2", "missing resonances in between: 1"]);
    assert!((values(&found, "fsr_mean_ghz")[0] - 200.0).abs() < 0.01);
}

#[test]
fn spacings_that_no_comb_has_are_refused() {
    let found = comb(&[mode(0), mode(1), mode(2) + 70.0, mode(3)]).analyze("fsr", Request::default());
    let said = reason(&found, "fsr_mean_nm");
    assert!(said.contains("not a regular comb") && said.contains("GHz"), "{said}");
    assert!(
        reason(&comb(&[mode(0)]).analyze("fsr", Request::default()), "fsr_nm")
            .contains("needs two resonances, and the band has 1")
    );
    assert!(number(&[1550.0, 1550.0]).is_err() && number(&[]).is_err());
    // Two lines may be neighbours, or not.
    let found = comb(&[mode(0), mode(1)]).analyze("fsr", Request::default());
    assert!(named(&found, "fsr_mean_nm")[0].notes[0].contains("cannot be excluded"));
}

#[test]
fn dispersion_and_finesse_are_those_of_the_comb() {
    let dispersed = |mode: i32| 193_400.0 + 200.0 * f64::from(mode) + 0.5 * 0.05 * f64::from(mode * mode);
    let modes: Vec<f64> = (-10..=10).filter(|mode| *mode != 3).map(dispersed).collect();
    let found = comb(&modes).analyze("dispersion,finesse", Request::default());
    assert!((values(&found, "comb_d1_ghz")[0] - 200.0).abs() < 0.01);
    let d2 = named(&found, "comb_d2_mhz")[0];
    assert!((d2.value.unwrap() - 50.0).abs() < 3.0 * d2.error.unwrap().max(0.5), "{d2:?}");
    assert!(values(&found, "finesse").iter().all(|finesse| (150.0..170.0).contains(finesse)));
    let few = comb(&[mode(0), mode(1), mode(2)]).analyze("dispersion", Request::default());
    assert!(reason(&few, "comb_d2_mhz").contains("needs four"));
}

/// A comb of dips or peaks from 191.5 to 193 THz on a base that falls by 1 dB per nm.
fn tilted(spacing_ghz: f64, are_peaks: bool) -> (Vec<f64>, Owned) {
    let orders = (191_500.0 / spacing_ghz).ceil() as u32..=(193_000.0 / spacing_ghz).floor() as u32;
    let centers: Vec<f64> = orders.rev().map(|order| nm_from_ghz(f64::from(order) * spacing_ghz)).collect();
    let (first, last) = (centers[0] - 0.1, centers[centers.len() - 1] + 0.1);
    let own = centers.clone();
    let trace = Owned::sampled(first, last, 2.0, move |nm| {
        let line = |center: &f64| 1.0 / (1.0 + (2.0 * (nm - center) / 0.03).powi(2));
        let lines = if are_peaks {
            1e-4 + own.iter().map(line).sum::<f64>()
        } else {
            own.iter().map(|center| 1.0 - 0.9 * line(center)).product()
        };
        lines * 10f64.powf(-0.1 * (nm - first))
    });
    (centers, trace)
}

#[test]
fn a_comb_that_is_denser_than_the_default_distance_has_all_its_lines() {
    for (spacing_ghz, are_peaks) in [
        (25.0, false),
        (33.0, false),
        (50.0, false),
        (60.0, false),
        (100.0, false),
        (33.0, true),
        (50.0, true),
    ] {
        let (centers, trace) = tilted(spacing_ghz, are_peaks);
        let found = trace.analyze("fsr", Request::default());
        assert_eq!(values(&found, "fsr_ghz").len(), centers.len() - 1, "{spacing_ghz}");
        assert!((values(&found, "fsr_mean_ghz")[0] - spacing_ghz).abs() < 0.01, "{spacing_ghz}");
        assert!(found.warnings.is_empty(), "{spacing_ghz}: {:?}", found.warnings);
        // The distance that was chosen gives the same when it is given.
        let search = Search { distance_nm: Some(found.settings.distance_nm), ..Search::default() };
        let again = trace.analyze("fsr", Request { search, ..Request::default() });
        assert_eq!(again.figures, found.figures);
    }
}

#[test]
fn a_given_distance_excludes_lines_with_a_warning() {
    let (_, trace) = tilted(50.0, false);
    let search = Search { distance_nm: Some(0.5), ..Search::default() };
    let found = trace.analyze("fsr", Request { search, ..Request::default() });
    assert!((values(&found, "fsr_mean_ghz")[0] - 100.0).abs() < 0.01);
    assert!(
        found.warnings[0].starts_with("the least distance of 0.5 nm leaves out 15 dips"),
        "{:?}",
        found.warnings
    );
}

#[test]
fn lines_that_the_default_distance_excludes_are_no_silent_part_of_a_comb() {
    // Every second spacing is 30 GHz, the others 50 GHz: no even comb, and the distance keeps every second line.
    let uneven: Vec<f64> = (0..12)
        .flat_map(|pair| [0.0, 30.0].map(|offset| mode(0) + 80.0 * f64::from(pair) + offset))
        .collect();
    let found = comb(&uneven).analyze("fsr,finesse,dispersion", Request::default());
    for name in ["fsr_mean_ghz", "finesse", "comb_d1_ghz"] {
        let said = reason(&found, name);
        assert!(said.contains("may be denser: the least distance of 0.5 nm leaves out"), "{said}");
    }
    // Split resonances, and one wrong line, are excluded, and a warning names them.
    let split: Vec<f64> = (-5..=5).flat_map(|order| [0.0, 8.0].map(|offset| mode(order) + offset)).collect();
    let whole: Vec<f64> = (-5..=5).map(mode).collect();
    let with_wrong = [whole.as_slice(), &[mode(0) + 60.0]].concat();
    for (lines, left_out) in [(&split, "11 dips"), (&with_wrong, "1 dip ")] {
        let found = comb(lines).analyze("fsr", Request::default());
        assert!((values(&found, "fsr_mean_ghz")[0] - 200.0).abs() < 1.0, "{left_out}");
        assert!(found.warnings[0].contains(left_out), "{left_out}: {:?}", found.warnings);
    }
}

/// The wavelengths of resonances in this order of modes, with the spacing of 100 GHz.
fn wavelengths(modes: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut all: Vec<f64> = modes.into_iter().map(|mode| nm_from_ghz(193_400.0 + 100.0 * mode)).collect();
    all.sort_by(f64::total_cmp);
    all
}

#[test]
fn one_wrong_line_never_divides_the_free_spectral_range() {
    for lines in [3u32, 4, 5, 8, 25] {
        for place in 0..lines - 1 {
            for part in [0.1, 0.2, 0.25, 1.0 / 3.0, 0.4, 0.5, 0.6, 2.0 / 3.0, 0.75, 0.9] {
                let whole = (0..lines).map(f64::from);
                let found = number(&wavelengths(whole.chain([f64::from(place) + part])));
                assert!(found.is_err(), "{lines} lines and one at {place} + {part}: {found:?}");
            }
        }
    }
}

#[test]
fn a_comb_that_lacks_half_of_its_lines_has_its_spacing_or_none() {
    let mut random = Random(3);
    let mut measured = 0;
    for _ in 0..200 {
        let present: Vec<u32> = (0..50).filter(|_| random.normal() > 0.0).collect();
        let places = wavelengths(present.iter().rev().map(|mode| f64::from(*mode)));
        if let Ok(spacings) = number(&places) {
            let modes: Vec<u32> =
                present.iter().rev().map(|mode| present[present.len() - 1] - mode).collect();
            assert_eq!(spacings.modes, modes);
            measured += 1;
        }
    }
    assert!(measured > 160, "{measured} of 200");
}

#[test]
fn few_spacings_do_not_tell_a_missing_resonance_from_a_wrong_line() {
    for (modes, is_measured) in [
        (vec![0.0, 1.0, 3.0], false),
        (vec![0.0, 1.0, 2.0, 4.0], false),
        (vec![0.0, 1.0, 2.0, 4.0, 5.0], true),
        (vec![0.0, 2.0, 4.0, 6.0, 7.0, 8.0, 9.0], true),
        (vec![0.0, 1.0, 2.0], true),
    ] {
        let found = number(&wavelengths(modes.iter().copied()));
        assert_eq!(found.is_ok(), is_measured, "{modes:?}: {found:?}");
    }
    let said = number(&wavelengths([0.0, 1.0, 3.0])).unwrap_err();
    assert!(
        said.starts_with("1 of the 2 spacings are about 100.0 GHz, and the others are multiples"),
        "{said}"
    );
}
