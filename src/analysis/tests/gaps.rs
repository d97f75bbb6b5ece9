//! Samples without a value: what may continue among them is a bound, or is not measured.

use super::support::{Owned, named, reason};
use crate::analysis::Bound;
use crate::analysis::figure::Figure;
use crate::analysis::request::{Analysis, Request};
use crate::analysis::verdict::{Limit, Verdict, judge};

/// A dip of 10 dB and 0.1 nm at 1550 nm, on samples of 1 pm. The samples of this range have no value.
fn dip(gap: std::ops::Range<usize>, without: f64) -> Owned {
    let mut trace =
        Owned::sampled(1549.0, 1551.0, 1.0, |nm| 1.0 - 0.9 / (1.0 + (2.0 * (nm - 1550.0) / 0.1).powi(2)));
    trace.db[gap].fill(without);
    trace
}

fn analyzed(trace: &Owned) -> Analysis {
    trace.analyze("loss,dips,q,notch@3", Request::default())
}

fn first<'a>(analysis: &'a Analysis, name: &str) -> &'a Figure {
    named(analysis, name)[0]
}

#[test]
fn a_dip_whose_bottom_has_no_value_is_a_bound_and_passes_no_limit_by_it() {
    // 9.91e37 is the word of SCPI for "not a number".
    for without in [f64::NAN, f64::NEG_INFINITY, 9.91e37, -9.9e37, 1e308] {
        let found = analyzed(&dip(991..1010, without));
        for (name, bound) in [
            ("insertion_loss_min_db", Bound::AtMost),
            ("insertion_loss_max_db", Bound::AtLeast),
            ("ripple_db", Bound::AtLeast),
            ("dip_db", Bound::AtMost),
            ("prominence_db", Bound::AtLeast),
            ("extinction_db", Bound::AtLeast),
        ] {
            let figure = first(&found, name);
            assert!(figure.value.is_some() && figure.bound == Some(bound), "{without}: {figure:?}");
        }
        // The dip is at a sample with a value, and may be anywhere in the gap.
        let place = first(&found, "dip_nm");
        assert!((place.value.unwrap() - 1549.99).abs() < 1e-6 && place.error.unwrap() > 0.009, "{place:?}");
        assert_eq!(place.notes, ["a sample beside it has no value"]);
        // A quarter of the samples of the line is missing: its width follows from the others.
        let width = first(&found, "fwhm_nm");
        assert!((width.value.unwrap() - 0.1).abs() < 1e-3, "{width:?}");
        let limits = [("insertion_loss_max_db".to_owned(), Limit { max: Some(12.0), ..Limit::default() })];
        assert_eq!(judge(&limits.into(), &found.figures).unwrap()[0].verdict, Verdict::NotMeasured);
    }
}

#[test]
fn a_level_that_is_crossed_where_samples_have_no_value_gives_no_width() {
    let found = analyzed(&dip(900..985, f64::NAN));
    let said = reason(&found, "notch_width_3db_nm");
    assert!(said.contains("is crossed beside") && said.contains("samples have no value"), "{said}");
    let notch = first(&found, "notch_width_3db_nm");
    assert_eq!(notch.bound, Some(Bound::AtLeast));
    let passband = |gap: std::ops::Range<usize>| {
        let mut trace =
            Owned::sampled(1540.0, 1560.0, 10.0, |nm| 10f64.powf(-0.3 * ((nm - 1550.0) / 5.0).powi(2)));
        trace.db[gap].fill(f64::NAN);
        trace.analyze("bandwidth@3", Request::default())
    };
    // The 3 dB width is 10 nm: from sample 500 to sample 1500.
    let crossed = passband(400..600);
    assert!(reason(&crossed, "bandwidth_3db_nm").contains("is crossed beside 1546 nm"), "{crossed:?}");
    let width = first(&crossed, "bandwidth_3db_nm");
    assert!(width.bound == Some(Bound::AtLeast) && (width.bound_value.unwrap() - 9.0).abs() < 0.01);
    let inside = passband(800..900);
    let width = first(&inside, "bandwidth_3db_nm");
    assert!((width.value.unwrap() - 10.0).abs() < 1e-3, "{width:?}");
    assert_eq!(width.notes, ["samples without a value within the bandwidth: 100"]);
    assert!(first(&passband(0..0), "bandwidth_3db_nm").notes.is_empty());
}

#[test]
fn a_line_of_which_too_little_is_left_is_not_measured() {
    // 60 pm of a line of 100 pm are missing: the samples beside the gap are too far apart.
    let found = analyzed(&dip(970..1031, f64::NAN));
    assert!(reason(&found, "q_loaded").contains("fewer than 5 samples within the FWHM"), "{found:?}");
    let gone = analyzed(&dip(940..1061, f64::NAN));
    assert!(named(&gone, "q_loaded").iter().all(|figure| figure.value.is_none()), "{gone:?}");
}

#[test]
fn a_trace_at_the_floor_with_gaps_has_no_lowest_loss() {
    let mut trace = dip(0..0, 0.0);
    trace.db.fill(-60.0);
    trace.db[7] = f64::NAN;
    let found = trace.analyze("loss", Request { floor_db: Some(-60.0), ..Request::default() });
    assert!(reason(&found, "insertion_loss_min_db").contains("at the floor or have no value"));
    assert_eq!(first(&found, "insertion_loss_max_db").bound, Some(Bound::AtLeast));
}

#[test]
fn levels_that_no_instrument_measures_are_counted_as_such() {
    let found = analyzed(&dip(3..5, 9.91e37));
    assert_eq!(found.warnings, ["unusable samples: 2 beyond ±1000 dB; they are not used"]);
}
