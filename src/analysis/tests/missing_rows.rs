//! Rows that are missing in a file: the same figures as with these rows without a value.

use proptest::prelude::*;

use super::support::{Owned, Random, named, wanted};
use crate::analysis::gaps::{filled, gaps};
use crate::analysis::request::{Analysis, Request, analyze};

/// A trace without these rows, with its gaps found again.
fn dropped(trace: &Owned, holes: &[(usize, usize)]) -> Owned {
    let is_kept = |place: &usize| !holes.iter().any(|(first, count)| (*first..first + count).contains(place));
    let kept: Vec<usize> = (0..trace.nm.len()).filter(is_kept).collect();
    let [nm, db] = [&trace.nm, &trace.db].map(|values| kept.iter().map(|place| values[*place]).collect());
    again(&Owned { nm, db })
}

fn again(trace: &Owned) -> Owned {
    let gaps = gaps(&trace.nm);
    Owned {
        nm: filled(&trace.nm, &gaps, |before, after, share| before + (after - before) * share),
        db: filled(&trace.db, &gaps, |_, _, _| f64::NAN),
    }
}

fn without_values(mut trace: Owned, holes: &[(usize, usize)]) -> Owned {
    for (first, count) in holes {
        trace.db[*first..first + count].fill(f64::NAN);
    }
    trace
}

const POINTS: usize = 1201;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Axis {
    Wavelength,
    Frequency,
    /// In parts of a step.
    Jittered(f64),
    /// Steps of 25 pm, rounded to 20 pm.
    Rounded,
}

fn axis(kind: Axis, seed: u64) -> Vec<f64> {
    let mut random = Random(seed);
    let sample = |point: usize| match kind {
        Axis::Wavelength => 1540.0 + 0.02 * point as f64,
        // Steps of 2.5 GHz from 194.6 THz.
        Axis::Frequency => 299_792.458 / (194.6 - 0.0025 * point as f64),
        Axis::Jittered(part) => 1540.0 + 0.02 * (point as f64 + part * (2.0 * random.uniform() - 1.0)),
        Axis::Rounded => (50.0 * (1540.0 + 0.025 * point as f64)).round() / 50.0,
    };
    (0..POINTS).map(sample).collect()
}

/// A ring, a filter, or a slope, over these wavelengths.
fn device(number: usize, nm: Vec<f64>) -> Owned {
    let power = |nm: f64| match number {
        0 => [1543.0, 1549.0, 1555.0, 1561.0]
            .iter()
            .map(|center| 1.0 - 0.95 / (1.0 + (2.0 * (nm - center) / 0.3).powi(2)))
            .product(),
        1 => 10f64.powf(-0.3 * ((nm - 1552.0) / 4.0).powi(4)).max(1e-6),
        _ => 10f64.powf(-0.1 * (nm - 1540.0)),
    };
    let db = nm.iter().map(|nm| 10.0 * power(*nm).log10()).collect();
    Owned { nm, db }
}

fn analyzed(trace: &Owned) -> Analysis {
    let wanted = wanted("loss,loss@1549.2,dips,peaks,q,fsr,finesse,bandwidth@3,notch@3,quality");
    analyze(&trace.trace(), &Request { wanted, ..Request::default() }).unwrap()
}

/// The same figures, bounds, reasons and notes. On a jittered axis the number of missing rows is known to one in ten.
fn same(one: &Analysis, other: &Analysis, is_even: bool) -> Result<(), TestCaseError> {
    let notes = |notes: &[String]| -> Vec<String> {
        let note =
            |note: &String| note.chars().filter(|letter| is_even || !letter.is_ascii_digit()).collect();
        notes.iter().map(note).collect()
    };
    prop_assert_eq!(one.figures.len(), other.figures.len());
    for (a, b) in one.figures.iter().zip(&other.figures) {
        prop_assert_eq!((&a.name, &a.of, a.bound), (&b.name, &b.of, b.bound));
        prop_assert_eq!((notes(&a.notes), &a.not_measured), (notes(&b.notes), &b.not_measured));
        if !is_even && a.name == "unusable_samples" {
            continue;
        }
        for (a, b) in [(a.value, b.value), (a.error, b.error), (a.bound_value, b.bound_value)] {
            let (a, b) = (a.unwrap_or(-1.0), b.unwrap_or(-1.0));
            prop_assert!((a - b).abs() <= 1e-9 * (1.0 + a.abs()), "{} {}", a, b);
        }
    }
    prop_assert_eq!(notes(&one.warnings), notes(&other.warnings));
    Ok(())
}

/// Up to three ranges of samples, apart from each other and from the ends.
fn holes() -> impl Strategy<Value = Vec<(usize, usize)>> {
    let hole = (0usize..350, 1..30usize);
    prop::collection::vec(hole, 1..4).prop_map(|holes| {
        let apart = holes.into_iter().zip([20, 410, 800]);
        apart.map(|((first, count), offset)| (first + offset, count)).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn missing_rows_give_the_figures_of_rows_without_a_value(
        holes in holes(),
        number in 0..3usize,
        kind in prop::sample::select(vec![Axis::Wavelength, Axis::Frequency, Axis::Jittered(0.1)]),
        is_falling in any::<bool>(),
    ) {
        let trace = device(number, axis(kind, 7));
        let mut missing = dropped(&trace, &holes);
        if is_falling {
            missing.nm.reverse();
            missing.db.reverse();
        }
        let is_even = !matches!(kind, Axis::Jittered(_));
        same(&analyzed(&without_values(trace, &holes)), &analyzed(&missing), is_even)?;
    }

    #[test]
    fn an_axis_without_missing_rows_has_no_gaps(seed in any::<u64>(), part in 0.0..0.49f64) {
        for kind in [Axis::Wavelength, Axis::Frequency, Axis::Jittered(part), Axis::Rounded] {
            let found = gaps(&axis(kind, seed));
            prop_assert!(found.is_empty(), "{:?}: {:?}", kind, found);
        }
    }

    #[test]
    fn scattered_missing_rows_are_found(seed in any::<u64>()) {
        let mut random = Random(seed);
        let kept: Vec<f64> =
            axis(Axis::Wavelength, 7).into_iter().filter(|_| random.uniform() > 0.2).collect();
        let missing: usize = gaps(&kept).iter().map(|gap| gap.missing).sum();
        let range = ((kept[kept.len() - 1] - kept[0]) / 0.02).round() as usize + 1;
        let found = kept.len() + missing;
        prop_assert!(found <= range && 100 * (range - found) < range, "{} of {}", found, range);
    }
}

#[test]
fn a_change_of_the_step_is_no_gap_and_a_splice_is_one() {
    let range = |from: f64, step: f64, count: usize| (0..count).map(move |place| from + step * place as f64);
    let refined: Vec<f64> =
        range(1540.0, 0.1, 50).chain(range(1545.0, 0.001, 100)).chain(range(1545.1, 0.1, 50)).collect();
    assert_eq!(gaps(&refined), []);
    let bands: Vec<f64> = range(1260.0, 0.01, 500).chain(range(1500.0, 0.02, 500)).collect();
    let found = gaps(&bands);
    assert_eq!((found.len(), found[0].after), (1, 499));
    // So many samples as the step tells would need much memory, and would tell nothing more.
    assert!((1..=4 * bands.len()).contains(&found[0].missing), "{found:?}");
    let spliced = range(1540.0, 0.01, 500).chain(range(1560.0, 0.02, 500)).collect();
    let found = analyzed(&again(&device(2, spliced)));
    assert!(named(&found, "insertion_loss_db")[0].not_measured.is_some());
}

#[test]
fn few_rows_and_unsorted_rows_have_no_gaps() {
    assert_eq!(gaps(&[1550.0]), []);
    assert_eq!(gaps(&[1550.0, 1551.0, 1560.0]), []);
    assert_eq!(gaps(&[1550.0, 1551.0, 1551.0, 1552.0, 1553.0, 1554.0, 1555.0, 1580.0]), []);
    assert_eq!(gaps(&[1550.0, f64::NAN, 1551.0, 1552.0, 1553.0, 1554.0, 1555.0, 1580.0]), []);
}
