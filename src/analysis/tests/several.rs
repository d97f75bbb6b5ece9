//! Fits over values, and arithmetic of traces.

use super::support::Owned;
use crate::analysis::floor::Floor;
use crate::analysis::several::{Average, cut_back, difference, moving_mean, polynomial, resample, slope};

#[test]
fn a_polynomial_has_the_coefficients_and_errors_of_the_text_book() {
    let x: Vec<f64> = (0..20).map(|point| 1500.0 + f64::from(point)).collect();
    let y: Vec<f64> = x.iter().map(|x| 2.0 - 0.5 * x + 0.01 * x * x).collect();
    let [constant, linear, square] = polynomial::<3>(&x, &y).unwrap();
    assert!(
        (square.value - 0.01).abs() < 1e-9
            && (linear.value + 0.5).abs() < 1e-5
            && (constant.value - 2.0).abs() < 1e-2
    );
    // Slope error = s / √Σ(x − mean)², with s² = Σr²/(n − 2).
    let [_, slope] = polynomial::<2>(&[0.0, 1.0, 2.0, 3.0], &[0.0, 1.0, 2.0, 3.4]).unwrap();
    let residuals: [f64; 4] = [0.08, -0.04, -0.16, 0.12];
    let expected = (residuals.iter().map(|r| r * r).sum::<f64>() / 2.0 / 5.0).sqrt();
    assert!(
        (slope.value - 1.12).abs() < 1e-9 && (slope.error - expected).abs() < 1e-9,
        "{slope:?} {expected}"
    );
    assert!(
        polynomial::<2>(&[1.0, 1.0], &[1.0, 2.0])
            .unwrap_err()
            .contains("2 different places, and there are 1")
    );
    assert!(polynomial::<2>(&[1.0], &[]).is_err() && polynomial::<2>(&[1.0, f64::NAN], &[0.0, 0.0]).is_err());
}

#[test]
fn cut_back_gives_loss_per_length_and_coupling_loss() {
    let lengths = [0.5, 1.0, 2.0, 4.0];
    let figures = cut_back(&lengths, &lengths.map(|length| 3.0 + 2.4 * length));
    assert_eq!(
        (figures[0].name.as_str(), figures[1].name.as_str()),
        ("propagation_loss_db_per_cm", "coupling_loss_db")
    );
    assert!((figures[0].value.unwrap() - 2.4).abs() < 1e-9 && (figures[1].value.unwrap() - 3.0).abs() < 1e-9);
    assert!(figures.iter().all(|figure| figure.error.unwrap() < 1e-9));
    let two = cut_back(&[1.0, 2.0, 2.0], &[1.0, 2.0, 2.1]);
    assert_eq!(
        two[0].not_measured.as_deref(),
        Some("cut-back needs at least three lengths, and there are 2")
    );
}

#[test]
fn a_slope_has_the_units_of_its_figures() {
    let figure = slope(("resonance_nm", &[1550.0, 1550.1, 1550.2]), ("heater_mw", &[0.0, 1.0, 2.0]));
    assert_eq!((figure.name.as_str(), figure.unit.as_str()), ("slope_nm_per_mw", "nm/mW"));
    assert!((figure.value.unwrap() - 0.1).abs() < 1e-9);
    let figure = slope(("propagation_loss_db_per_cm", &[1.0, 2.0]), ("speed_nm_s", &[50.0, 100.0]));
    let expected = ("slope_db_per_cm_per_nm_s", "(dB/cm)/(nm/s)");
    assert_eq!((figure.name.as_str(), figure.unit.as_str()), expected);
}

#[test]
fn an_average_needs_the_same_wavelengths_and_not_only_as_many() {
    let flat = |from_nm: f64, to_nm: f64, step_pm: f64| Owned::sampled(from_nm, to_nm, step_pm, |_| 1.0);
    for (from_nm, to_nm, step_pm, is_same) in [
        (1540.0, 1550.0, 10.0, true),
        // Rounding errors of an axis.
        (1540.0 + 1e-7, 1550.0 + 1e-7, 10.0, true),
        (1550.0, 1560.0, 10.0, false),
        (1540.005, 1550.005, 10.0, false),
        // As many samples, between other ends.
        (1540.0, 1560.0, 20.0, false),
        (1535.0, 1545.0, 10.0, false),
        (1540.0, 1549.0, 10.0, false),
    ] {
        let mut average = Average::default();
        average.add(&flat(1540.0, 1550.0, 10.0).trace(), Floor::default()).unwrap();
        let added = average.add(&flat(from_nm, to_nm, step_pm).trace(), Floor::default());
        assert_eq!(added.is_ok(), is_same, "{from_nm} to {to_nm} nm by {step_pm} pm: {added:?}");
        assert_eq!(average.sweeps(), if is_same { 2 } else { 1 });
    }
    let mut average = Average::default();
    average.add(&flat(1540.0, 1550.0, 10.0).trace(), Floor::default()).unwrap();
    assert_eq!(
        average.add(&flat(1550.0, 1560.0, 10.0).trace(), Floor::default()).unwrap_err(),
        "the sweep (1550.0000 to 1560.0000 nm, 1001 samples) has other wavelengths than the sweep before \
         (1540.0000 to 1550.0000 nm, 1001 samples): an average needs the same ones"
    );
}

#[test]
fn traces_are_subtracted_averaged_resampled_and_smoothed() {
    let level = |nm: f64| 10f64.powf((-3.0 - 0.1 * (nm - 1550.0)) / 10.0);
    let device = Owned::sampled(1550.0, 1551.0, 10.0, level);
    let reference = Owned::sampled(1550.2, 1551.5, 7.0, |nm| level(nm) * 10.0);
    let no_floor = Floor::default();
    let (subtracted, dark) = difference((&device.trace(), no_floor), (&reference.trace(), no_floor));
    assert!(dark == 0 && subtracted.at_floor.is_empty());
    let subtracted = subtracted.levels_db;
    assert!(subtracted[0].is_nan() && subtracted[25..].iter().all(|level| (level + 10.0).abs() < 1e-5));
    let grid = resample(&device.trace(), 1549.99, 5.0, 5);
    assert!(grid[..2].iter().all(|level| level.is_nan()) && (grid[3] + 3.0005).abs() < 1e-4, "{grid:?}");

    // The mean of 1 and 3 in linear power is 2.
    let sweep = |power: f64| Owned::sampled(1550.0, 1550.1, 10.0, move |_| power);
    let mut average = Average::default();
    average.add(&sweep(1.0).trace(), Floor::default()).unwrap();
    average.add(&sweep(3.0).trace(), Floor::default()).unwrap();
    assert!(average.add(&device.trace(), Floor::default()).unwrap_err().contains("other wavelengths"));
    assert_eq!(average.sweeps(), 2);
    assert!(average.finish().levels_db.iter().all(|level| (level - 3.0103).abs() < 1e-4));

    let mut peaked = sweep(1.0);
    peaked.db[5] = 3.0;
    peaked.db[0] = f64::NAN;
    let smooth = moving_mean(&peaked.trace(), 3, no_floor).unwrap().levels_db;
    let expected = [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0];
    assert!(smooth[0].is_nan());
    assert!(
        smooth[1..].iter().zip(expected).all(|(level, expected)| (level - expected).abs() < 1e-6),
        "{smooth:?}"
    );
    assert!([0, 4].iter().all(|samples| moving_mean(&peaked.trace(), *samples, no_floor).is_err()));
}
