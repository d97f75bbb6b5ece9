//! Mode numbers, missing resonances, dispersion, finesse.

use super::support::{Owned, named, reason, values};
use crate::analysis::comb::number;
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
