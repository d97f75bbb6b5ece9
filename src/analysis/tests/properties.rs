//! What must not change a figure: the order of the samples, an offset, a shift, finer samples.

use proptest::prelude::*;

use super::support::{Owned, values};
use crate::analysis::extrema::{Kind, Search, find};
use crate::analysis::request::{Analysis, Request};

/// Dips with these centres, widths and depths.
fn dips(lines: &[(f64, f64, f64)], step_pm: f64, shift_nm: f64, offset_db: f64) -> Owned {
    Owned::sampled(1542.0 + shift_nm, 1558.0 + shift_nm, step_pm, |nm| {
        let product: f64 = lines
            .iter()
            .map(|(center, width, depth)| {
                1.0 - depth / (1.0 + (2.0 * (nm - shift_nm - center) / width).powi(2))
            })
            .product();
        product * 10f64.powf(offset_db / 10.0)
    })
}

fn lines() -> impl Strategy<Value = Vec<(f64, f64, f64)>> {
    prop::collection::vec((-0.8..0.8f64, 0.05..0.2f64, 0.7..0.95f64), 3).prop_map(|lines| {
        lines
            .into_iter()
            .zip([1544.0, 1550.0, 1556.0])
            .map(|((jitter, width, depth), center)| (center + jitter, width, depth))
            .collect()
    })
}

fn analyzed(trace: &Owned) -> Analysis {
    trace.analyze("dips,q,loss,notch@2", Request { lines: Some(Kind::Dip), ..Request::default() })
}

fn near(a: &Analysis, b: &Analysis, name: &str, shift: f64, tolerance: f64) -> Result<(), TestCaseError> {
    let (a, b) = (values(a, name), values(b, name));
    prop_assert_eq!(a.len(), b.len(), "{}", name);
    for (a, b) in a.into_iter().zip(b) {
        prop_assert!((a + shift - b).abs() < tolerance, "{}: {} {}", name, a, b);
    }
    Ok(())
}

const INSIDE: [(&str, f64); 5] = [
    ("prominence_db", 1e-4),
    ("fwhm_nm", 1e-5),
    ("extinction_db", 1e-4),
    ("notch_width_2db_nm", 1e-5),
    ("ripple_db", 1e-6),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn reversed_samples_give_the_same_figures(lines in lines()) {
        let rising = dips(&lines, 4.0, 0.0, 0.0);
        let falling = Owned {
            nm: rising.nm.iter().rev().copied().collect(),
            db: rising.db.iter().rev().copied().collect(),
        };
        prop_assert_eq!(analyzed(&rising), analyzed(&falling));
    }

    #[test]
    fn an_offset_changes_levels_only(lines in lines(), offset_db in -40.0..10.0f64) {
        let (plain, offset) = (analyzed(&dips(&lines, 4.0, 0.0, 0.0)), analyzed(&dips(&lines, 4.0, 0.0, offset_db)));
        for (name, tolerance) in INSIDE {
            near(&plain, &offset, name, 0.0, tolerance)?;
        }
        near(&plain, &offset, "resonance_nm", 0.0, 1e-6)?;
        near(&plain, &offset, "insertion_loss_max_db", -offset_db, 1e-9)?;
        near(&plain, &offset, "insertion_loss_mean_db", -offset_db, 1e-9)?;
    }

    #[test]
    fn a_shift_of_the_wavelengths_shifts_places_only(lines in lines(), shift_nm in -200.0..200.0f64) {
        let (plain, shifted) = (analyzed(&dips(&lines, 4.0, 0.0, 0.0)), analyzed(&dips(&lines, 4.0, shift_nm, 0.0)));
        for (name, tolerance) in INSIDE {
            near(&plain, &shifted, name, 0.0, tolerance)?;
        }
        near(&plain, &shifted, "resonance_nm", shift_nm, 1e-5)?;
        near(&plain, &shifted, "dip_nm", shift_nm, 1e-6)?;
    }

    #[test]
    fn finer_samples_give_the_same_figures(lines in lines()) {
        let (coarse, fine) = (analyzed(&dips(&lines, 5.0, 0.0, 0.0)), analyzed(&dips(&lines, 1.0, 0.0, 0.0)));
        near(&coarse, &fine, "resonance_nm", 0.0, 2e-4)?;
        near(&coarse, &fine, "fwhm_nm", 0.0, 1e-3)?;
        near(&coarse, &fine, "notch_width_2db_nm", 0.0, 2e-3)?;
        // The lowest sample may lie half a step beside the dip: 0.75 dB for the narrowest and deepest of these.
        near(&coarse, &fine, "prominence_db", 0.0, 0.8)?;
        near(&coarse, &fine, "insertion_loss_mean_db", 0.0, 1e-2)?;
    }

    /// The definition of scipy, word by word: walk to a higher sample on either side.
    #[test]
    fn prominences_follow_their_definition(levels in prop::collection::vec(0..12i32, 1..60), least in 0.5..4.0f64) {
        let nm = (0..levels.len()).map(|point| 1500.0 + point as f64).collect();
        let owned = Owned { nm, db: levels.iter().map(|level| f64::from(*level)).collect() };
        let search = Search { prominence_db: Some(least), distance_nm: Some(0.0) };
        let found = find(&owned.trace(), Kind::Peak, &search).extrema;
        let mut expected = Vec::new();
        let mut point = 1;
        while point + 1 < levels.len() {
            let mut end = point;
            while end + 1 < levels.len() && levels[end + 1] == levels[point] {
                end += 1;
            }
            if levels[point - 1] < levels[point] && end + 1 < levels.len() && levels[end + 1] < levels[point] {
                let middle = usize::midpoint(point, end);
                let lowest = |way: &mut dyn Iterator<Item = usize>| {
                    way.take_while(|place| levels[*place] <= levels[point]).map(|place| levels[place]).min()
                };
                let left = lowest(&mut (0..=middle).rev()).unwrap();
                let right = lowest(&mut (middle..levels.len())).unwrap();
                let prominence = f64::from(levels[point] - left.max(right));
                if prominence >= least {
                    expected.push((middle, prominence));
                }
            }
            point = end + 1;
        }
        let found: Vec<(usize, f64)> = found.iter().map(|peak| (peak.index, peak.prominence_db)).collect();
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn the_lower_of_two_near_dips_stays() {
    let trace = dips(&[(1550.0, 0.1, 0.9), (1550.3, 0.1, 0.95), (1552.0, 0.1, 0.8)], 2.0, 0.0, 0.0);
    let places = |distance_nm: f64| {
        let search = Search { distance_nm: Some(distance_nm), ..Search::default() };
        find(&trace.trace(), Kind::Dip, &search).extrema.len()
    };
    assert_eq!([places(0.1), places(0.5), places(5.0)], [3, 2, 1]);
}
