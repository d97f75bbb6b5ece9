//! Figures that rest on the floor, on few samples or on the end of the trace are bounds, and are shown so.

use super::support::{Owned, named, reason, values, wanted};
use crate::analysis::floor::Floor;
use crate::analysis::request::{Analysis, Request, analyze};
use crate::analysis::resonance::Topology;
use crate::analysis::several::{Average, Derived, difference, moving_mean};
use crate::analysis::{AxisNm, Bound, Trace};

fn dip(depth: f64, fwhm_nm: f64) -> impl Fn(f64) -> f64 {
    move |nm| 1.0 - depth / (1.0 + (2.0 * (nm - 1550.0) / fwhm_nm).powi(2))
}

fn clipped(mut trace: Owned, floor_db: f64) -> Owned {
    trace.db.iter_mut().for_each(|level| *level = level.max(floor_db));
    trace
}

#[test]
fn a_dip_at_the_floor_is_a_bound() {
    let trace = clipped(Owned::sampled(1549.0, 1551.0, 1.0, dip(0.999_99, 0.1)), -30.0);
    let found = trace
        .analyze("dips,q,loss,quality", Request { topology: Some(Topology::AllPass), ..Request::default() });
    assert_eq!(found.settings.floor_db, Some(-30.0));
    for (name, bound) in [
        ("prominence_db", Bound::AtLeast),
        ("dip_db", Bound::AtMost),
        ("extinction_db", Bound::AtLeast),
        ("insertion_loss_max_db", Bound::AtLeast),
        ("insertion_loss_mean_db", Bound::AtLeast),
        ("mean_db", Bound::AtMost),
        ("ripple_db", Bound::AtLeast),
    ] {
        assert_eq!(named(&found, name)[0].bound, Some(bound), "{name}");
    }
    for name in ["insertion_loss_min_db", "q_loaded"] {
        assert_eq!(named(&found, name)[0].bound, None, "{name}");
    }
    assert!(reason(&found, "q_branch_low").contains("at the floor (-30.00 dB)"));
    // The same trace without a floor has none of these bounds.
    let free = Owned::sampled(1549.0, 1551.0, 1.0, dip(0.99, 0.1)).analyze("dips,q,loss", Request::default());
    assert!(free.figures.iter().all(|figure| figure.bound.is_none()), "{:#?}", free.figures);
}

#[test]
fn a_floor_is_stated_or_repeats_at_least_three_times() {
    let trace = |levels: &[f64]| Owned {
        nm: (0..levels.len()).map(|point| 1550.0 + point as f64).collect(),
        db: levels.to_vec(),
    };
    let level = |levels: &[f64]| Floor::of(&trace(levels).trace(), None).level_db;
    assert_eq!(level(&[-3.0, -50.0, -50.0, -4.0]), None);
    assert_eq!(level(&[-3.0, -50.0, -50.0, -50.0, f64::NAN]), Some(-50.0));
    assert_eq!(level(&[-50.0, -50.0, -50.0]), None, "nothing was above it");
    let stated = Floor::of(&trace(&[-3.0, -4.0]).trace(), Some(-40.0));
    assert!(stated.is_stated && stated.touches(-41.0) && !stated.touches(-39.0));
}

#[test]
fn a_line_with_fewer_than_five_samples_is_not_measured_and_has_its_bound() {
    for step_pm in [0.25, 0.5, 1.0, 2.0, 4.0, 8.0] {
        let trace = Owned::sampled(1549.0, 1551.0, step_pm, dip(0.9, 0.008));
        let found = trace.analyze("dips,q", Request::default());
        let q = named(&found, "q_loaded")[0];
        if step_pm <= 1.0 {
            assert!((q.value.unwrap() / (1550.0 / 0.008) - 1.0).abs() < 0.01, "{step_pm}: {q:?}");
            continue;
        }
        assert!(
            q.not_measured.as_ref().unwrap().contains("fewer than 5 samples within the FWHM"),
            "{step_pm}: {q:?}"
        );
        let most_nm = 5.0 * step_pm * 1e-3;
        assert_eq!((q.value, q.bound), (None, Some(Bound::AtLeast)));
        assert!((q.bound_value.unwrap() / (1550.0 / most_nm) - 1.0).abs() < 1e-3, "{q:?}");
        let fwhm = named(&found, "fwhm_nm")[0];
        assert!(fwhm.bound == Some(Bound::AtMost) && (fwhm.bound_value.unwrap() - most_nm).abs() < 1e-9);
        // The raw dip is there all the same, and its error is half a step.
        assert!((named(&found, "dip_nm")[0].error.unwrap() - 0.5 * step_pm * 1e-3).abs() < 1e-9);
    }
}

#[test]
fn a_width_that_the_trace_does_not_contain_is_not_measured_and_has_its_bound() {
    let level = |nm: f64| 10f64.powf(-0.3 * ((nm - 1550.0) / 5.0).powi(2));
    let found = Owned::sampled(1549.0, 1560.0, 10.0, level).analyze("bandwidth@3", Request::default());
    let width = named(&found, "bandwidth_3db_nm")[0];
    let said = width.not_measured.as_ref().unwrap();
    assert!(said.contains("is not reached towards shorter wavelengths"), "{said}");
    assert!(
        width.bound == Some(Bound::AtLeast) && (width.bound_value.unwrap() - 6.0).abs() < 0.02,
        "{width:?}"
    );
    let floor = Request { floor_db: Some(-2.0), ..Request::default() };
    let found = Owned::sampled(1540.0, 1560.0, 10.0, level).analyze("bandwidth@3", floor);
    assert!(reason(&found, "bandwidth_3db_nm").contains("is not above the floor, -2.00 dB"));
    // The device is above the floor up to 5·√(2/3) nm on either side.
    let width = named(&found, "bandwidth_3db_nm")[0];
    assert_eq!(width.bound, Some(Bound::AtLeast));
    assert!((width.bound_value.unwrap() - 10.0 * (2.0f64 / 3.0).sqrt()).abs() < 1e-3, "{width:?}");
}

#[test]
fn a_notch_that_reaches_the_floor_is_at_most_as_wide_as_its_bottom() {
    let trace = clipped(Owned::sampled(1549.0, 1551.0, 1.0, dip(0.999_99, 0.1)), -30.0);
    let found = trace.analyze("notch@20,notch@30,notch@40", Request::default());
    let [above, at, below] = ["notch_width_20db_nm", "notch_width_30db_nm", "notch_width_40db_nm"]
        .map(|name| named(&found, name)[0]);
    // Of the dip 1 − 1/(1 + v²), 20 dB are at v = √(0.01/0.99), and 30 dB at v = √(0.001/0.999).
    let expected = |power: f64| 0.1 * (power / (1.0 - power)).sqrt();
    assert!((above.value.unwrap() - expected(0.01)).abs() < 1e-3 && above.bound.is_none(), "{above:?}");
    for notch in [at, below] {
        assert!(notch.not_measured.as_ref().unwrap().contains("is not above the floor"), "{notch:?}");
        assert_eq!((notch.value, notch.bound), (None, Some(Bound::AtMost)));
        let most = notch.bound_value.unwrap();
        assert!(most >= expected(0.001) && most < expected(0.001) + 0.003, "{notch:?}");
    }
}

#[test]
fn a_rippled_top_reports_the_outermost_crossing_too() {
    // A dip of 4 dB near the edge of the passband.
    let level = |nm: f64| {
        let top = if (nm - 1550.0).abs() < 5.0 { 0.0 } else { -30.0 };
        10f64.powf(
            (top - 4.0 * (-((nm - 1554.0) / 0.1).powi(2)).exp() + 0.01 * (1550.0 - nm).abs().min(1.0)) / 10.0,
        )
    };
    let found = Owned::sampled(1540.0, 1560.0, 10.0, level).analyze("bandwidth@3", Request::default());
    let (first, outer) = (values(&found, "bandwidth_3db_nm")[0], values(&found, "bandwidth_3db_outer_nm")[0]);
    assert!((outer - 10.0).abs() < 0.05 && first < 9.0, "{first} {outer}");
}

/// The levels as a trace, with the marks of the samples at the floor.
fn derived(nm: &[f64], levels: &Derived, figures: &str, request: Request) -> Analysis {
    let trace = Trace::derived(AxisNm::Listed(nm), levels).unwrap();
    analyze(&trace, &Request { wanted: wanted(figures), ..request }).unwrap()
}

fn bounds(found: &Analysis, expected: &[(&str, Option<Bound>)]) {
    for (name, bound) in expected {
        let figure = named(found, name)[0];
        assert!(figure.value.is_some() && figure.bound == *bound, "{figure:?}");
    }
}

const BELOW: [(&str, Option<Bound>); 8] = [
    ("dip_db", Some(Bound::AtMost)),
    ("prominence_db", Some(Bound::AtLeast)),
    ("extinction_db", Some(Bound::AtLeast)),
    ("insertion_loss_max_db", Some(Bound::AtLeast)),
    ("insertion_loss_mean_db", Some(Bound::AtLeast)),
    ("mean_db", Some(Bound::AtMost)),
    ("ripple_db", Some(Bound::AtLeast)),
    ("insertion_loss_min_db", None),
];

#[test]
fn what_is_computed_from_a_sample_at_the_floor_is_a_bound() {
    let deep = || Owned::sampled(1549.0, 1551.0, 1.0, dip(0.999_99, 0.1));
    let (dark, free) = (clipped(deep(), -30.0), deep());
    let floor = Floor::of(&dark.trace(), None);
    // The noise of a sweep, and the slope of a reference: no three samples are equal any more.
    let mut average = Average::default();
    average.add(&dark.trace(), floor).unwrap();
    average.add(&free.trace(), Floor::default()).unwrap();
    let mean = average.finish();
    let sloped = Owned { db: free.nm.iter().map(|nm| 1549.0 - nm).collect(), nm: free.nm.clone() };
    let (apart, _) = difference((&dark.trace(), floor), (&sloped.trace(), Floor::default()));
    let smooth = moving_mean(&dark.trace(), 3, floor).unwrap();
    for levels in [&mean, &apart, &smooth] {
        let found = derived(&dark.nm, levels, "dips,q,loss,loss@1550", Request::default());
        bounds(&found, &BELOW);
        bounds(&found, &[("insertion_loss_db", Some(Bound::AtLeast)), ("q_loaded", None)]);
    }
    // Where no sample was at the floor, nothing is a bound.
    let mut average = Average::default();
    average.add(&free.trace(), Floor::default()).unwrap();
    let found = derived(&free.nm, &average.finish(), "dips,q,loss", Request::default());
    assert!(found.figures.iter().all(|figure| figure.bound.is_none()), "{:#?}", found.figures);
}

#[test]
fn a_width_whose_level_is_crossed_at_the_floor_of_a_trace_is_not_measured() {
    let filter = Owned::sampled(1540.0, 1560.0, 10.0, |nm| 10f64.powf(-((nm - 1550.0) / 5.0).powi(2)));
    let dark = clipped(filter, -20.0);
    let floor = Floor::of(&dark.trace(), None);
    // The reference makes the floor of the difference slope from −20 to −10 dB.
    let sloped = Owned { db: dark.nm.iter().map(|nm| -0.5 * (nm - 1540.0)).collect(), nm: dark.nm.clone() };
    let (apart, _) = difference((&dark.trace(), floor), (&sloped.trace(), Floor::default()));
    let found = derived(&dark.nm, &apart, "bandwidth@3,bandwidth@20", Request::default());
    assert_eq!(named(&found, "bandwidth_3db_nm")[0].bound, None);
    let wide = named(&found, "bandwidth_20db_nm")[0];
    assert!(wide.not_measured.as_ref().unwrap().contains("are at the floor or have no value"), "{wide:?}");
    // 20 dB below its top the filter is not above the floor on the right: its floor begins at 1557.07 nm.
    let least = wide.bound_value.unwrap();
    assert!(wide.bound == Some(Bound::AtLeast) && (12.0..15.0).contains(&least), "{wide:?}");
}

#[test]
fn a_reference_at_its_floor_gives_no_difference() {
    let flat = Owned::sampled(1549.0, 1551.0, 10.0, |_| 0.1);
    let mut reference = flat.clone();
    reference.db[50..60].fill(-60.0);
    let floor = Floor::of(&reference.trace(), None);
    let (apart, dark) = difference((&flat.trace(), Floor::default()), (&reference.trace(), floor));
    assert_eq!((dark, apart.at_floor.len()), (10, 0));
    let found = derived(&flat.nm, &apart, "loss", Request::default());
    bounds(
        &found,
        &[("insertion_loss_min_db", Some(Bound::AtMost)), ("insertion_loss_max_db", Some(Bound::AtLeast))],
    );
}
