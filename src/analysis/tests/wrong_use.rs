//! Wrong use: each case is a clear error, or a figure that says why it was not measured.

use super::support::{Owned, named, reason, wanted};
use crate::analysis::request::{Request, Wanted, analyze};
use crate::analysis::{AxisNm, LevelsDb, Trace};

const ALL: &str =
    "loss,loss@1550,dips,peaks,bandwidth@3,notch@3,q,fsr,group_index,finesse,dispersion,quality";

fn constant(points: usize, level: f64) -> Owned {
    Owned { nm: (0..points).map(|point| 1550.0 + 1e-3 * point as f64).collect(), db: vec![level; points] }
}

#[test]
fn a_band_outside_the_trace_is_an_error_and_a_band_partly_outside_a_warning() {
    let trace = constant(100, -3.0);
    let ask = |from_nm: f64, to_nm: f64| {
        analyze(
            &trace.trace(),
            &Request { wanted: wanted("loss"), band_nm: Some((from_nm, to_nm)), ..Request::default() },
        )
    };
    let error = ask(1200.0, 1300.0).unwrap_err().to_string();
    assert_eq!(
        error,
        "the band 1200 to 1300 nm is outside the trace, which reaches from 1550 to 1550.099 nm"
    );
    for (from_nm, to_nm) in [(1551.0, 1550.0), (f64::NAN, 1550.0), (1550.0, 1550.0)] {
        assert!(ask(from_nm, to_nm).unwrap_err().to_string().contains("the lower one first"));
    }
    let part = ask(1500.0, 1550.05).unwrap();
    assert_eq!(
        part.warnings,
        ["the band 1500 to 1550.05 nm is partly outside the trace: 1550 to 1550.05 nm are used"]
    );
}

#[test]
fn a_flat_trace_has_a_loss_and_no_lines() {
    let found = constant(1000, -3.0).analyze(ALL, Request::default());
    assert_eq!(named(&found, "insertion_loss_max_db")[0].value, Some(3.0));
    for name in ["dip_nm", "peak_nm", "resonance_nm", "q_loaded", "notch_width_3db_nm"] {
        assert!(reason(&found, name).contains("its samples only rise, fall or are equal"), "{name}");
    }
    assert!(reason(&found, "bandwidth_3db_nm").contains("is not reached on both sides"));
    assert!(reason(&found, "fsr_nm").contains("needs two resonances, and the band has 0"));
    assert!(reason(&found, "group_index").contains("no length is given"));
}

#[test]
fn nothing_is_measured_where_nothing_is_usable() {
    for level in [f64::NAN, f64::NEG_INFINITY, f64::INFINITY] {
        let found = constant(1000, level).analyze(ALL, Request::default());
        for figure in found.figures.iter().filter(|figure| !figure.name.ends_with("_samples")) {
            assert!(figure.value.is_none() && figure.not_measured.is_some(), "{figure:?}");
        }
        assert_eq!(named(&found, "unusable_samples")[0].value, Some(1000.0));
        assert!(found.warnings[0].starts_with("unusable samples: 1000 "), "{:?}", found.warnings);
    }
    let mut gap = constant(1000, -3.0);
    gap.db[500] = f64::NAN;
    gap.db[7] = f64::NEG_INFINITY;
    gap.db[8] = 20.0;
    let found = gap.analyze("loss@1550.5,loss", Request { saturation_db: Some(19.0), ..Request::default() });
    assert!(reason(&found, "insertion_loss_db").contains("a sample beside 1550.5 nm has no finite value"));
    assert_eq!(named(&found, "insertion_loss_max_db")[0].value, Some(3.0));
    assert_eq!(
        found.warnings,
        ["unusable samples: 1 NaN, 1 −∞, 1 saturated; saturated samples are used, the others are not"]
    );
}

#[test]
fn two_points_and_one_are_too_few_for_lines() {
    for points in [1, 2] {
        let found = constant(points, -3.0).analyze(ALL, Request::default());
        assert!(reason(&found, "dip_nm").contains("at least 3 are needed"), "{points}");
        assert!(reason(&found, "bandwidth_3db_nm").contains("at least 3 are needed"));
        assert_eq!(named(&found, "insertion_loss_max_db")[0].value, Some(3.0));
    }
    assert_eq!(Trace::listed(&[], &[]).unwrap_err().to_string(), "the trace has no samples");
}

#[test]
fn columns_that_are_no_trace_are_refused_with_the_sample() {
    let error = |nm: &[f64], db: &[f64]| Trace::listed(nm, db).unwrap_err().to_string();
    let levels = [-3.0; 3];
    assert!(error(&[1550.0], &levels).contains("1 wavelengths and 3 transmissions"));
    for (nm, said) in [
        (
            [1550.0, 1551.0, 1550.5],
            "sample 3: the wavelength 1550.5 nm follows 1551 nm, but the wavelengths rise before",
        ),
        (
            [1551.0, 1550.0, 1550.5],
            "sample 3: the wavelength 1550.5 nm follows 1550 nm, but the wavelengths fall before",
        ),
        ([1550.0, 1550.0, 1551.0], "sample 2: the wavelength 1550 nm follows 1550 nm"),
        (
            [1.55, 1.56, 1.57],
            "sample 1: the wavelength 1.55 is not within 300 to 5000 nm; it looks like micrometres",
        ),
        ([193.4, 193.5, 193.6], "it looks like a frequency in THz"),
        ([1.55e-6, 1.56e-6, 1.57e-6], "it looks like metres"),
        // Mixed units.
        ([1550.0, 1551.0, 1.552], "sample 3: the wavelength 1.552 is not within"),
        ([1550.0, f64::NAN, 1551.0], "sample 2: the wavelength NaN is not within"),
    ] {
        let said_error = error(&nm, &levels);
        assert!(said_error.contains(said), "{said_error}");
    }
    let grid = AxisNm::Regular { start_nm: 1550.0, step_pm: 0.0, points: 3 };
    assert!(Trace::new(grid, LevelsDb::Double(&levels)).is_err());
}

#[test]
fn a_falling_regular_grid_is_the_same_trace() {
    let levels = [-1.0f32, -2.0, -3.0];
    let falling = AxisNm::Regular { start_nm: 1550.0, step_pm: -500.0, points: 3 };
    let trace = Trace::new(falling, LevelsDb::Single(&levels)).unwrap();
    assert_eq!((trace.first_nm(), trace.last_nm(), trace.db(0)), (1549.0, 1550.0, -3.0));
    assert_eq!(trace.at_nm(1549.25), Some(-2.5));
    assert_eq!((trace.at_nm(1548.9), trace.at_nm(1550.1), trace.at_nm(f64::NAN)), (None, None, None));
    assert!(trace.nm(3).is_nan() && trace.db(3).is_nan());
}

#[test]
fn a_group_of_figures_that_does_not_exist_is_named() {
    for (given, said) in [
        ("dip", ""),
        ("bandwith@3", "did you mean `bandwidth@3`?"),
        ("bandwidth", "needs a level in dB above 0, as in `bandwidth@3`"),
        ("bandwidth@-3", "needs a level in dB above 0"),
        ("loss@x", "needs a wavelength in nm"),
        ("fsr@3", "takes no number"),
        ("zzzz", "known are loss, loss@1550, dips"),
    ] {
        match given.parse::<Wanted>() {
            Ok(_) => assert!(said.is_empty(), "{given}"),
            Err(error) => assert!(error.to_string().contains(said), "{error}"),
        }
    }
    for word in ALL.split(',') {
        assert_eq!(word.parse::<Wanted>().unwrap().to_string(), word);
    }
}

#[test]
fn noise_alone_gives_answers_and_no_panic() {
    for points in [3, 4, 5, 10, 100, 3000] {
        let noise = constant(points, -60.0).noisy(5.0, 0.0);
        let found = noise.analyze(ALL, Request { length_um: Some(100.0), ..Request::default() });
        assert!(found.figures.iter().all(|figure| figure.value.is_some() != figure.not_measured.is_some()));
    }
}

#[test]
fn a_wavelength_outside_the_band_is_not_said_to_be_outside_the_trace() {
    let trace = Owned { nm: vec![1549.0, 1550.0, 1551.0, 1552.0], db: vec![-1.0, -2.0, -3.0, -4.0] };
    for (nm, expected) in [
        // The end of the band is between two samples: both are used.
        (1549.5, Ok(1.5)),
        (1551.5, Ok(3.5)),
        (1551.9, Err("1551.9 nm is outside the band, 1549.5 to 1551.5 nm")),
        (1.55, Err("1.55 nm is outside the band, 1549.5 to 1551.5 nm")),
    ] {
        let request = Request { band_nm: Some((1549.5, 1551.5)), ..Request::default() };
        let found = trace.analyze(&format!("loss@{nm}"), request);
        match expected {
            Ok(loss) => assert!((found.figures[0].value.unwrap() - loss).abs() < 1e-9, "{nm}"),
            Err(said) => assert_eq!(found.figures[0].not_measured.as_deref(), Some(said)),
        }
    }
    let found = trace.analyze("loss@1.55", Request::default());
    assert!(found.figures[0].not_measured.as_ref().unwrap().ends_with("it looks like micrometres"));
}
