//! What the unit of the levels means for the figures.

use super::support::{Owned, named, wanted};
use crate::analysis::request::{Request, analyze};
use crate::measurement::TraceUnit;

#[test]
fn a_photocurrent_has_no_insertion_loss_and_a_power_only_one_relative_to_0_dbm() {
    let trace = Owned::sampled(1549.0, 1551.0, 1.0, |nm| 0.5 - 0.4 / (1.0 + (20.0 * (nm - 1550.0)).powi(2)));
    for (unit, figures, is_measured, warning) in [
        (TraceUnit::Db, "loss,loss@1550,dips", true, None),
        (TraceUnit::Dbm, "loss,loss@1550,dips", true, Some("powers in dBm")),
        (TraceUnit::Dbma, "loss,loss@1550,dips", false, Some("photocurrents in dBmA")),
        (TraceUnit::Dbm, "dips,q", true, None),
        (TraceUnit::Dbma, "dips,q", true, None),
    ] {
        let mut found = trace.analyze(figures, Request::default());
        let before = found.figures.clone();
        found.judge_unit(unit);
        for (figure, before) in found.figures.iter().zip(&before) {
            let is_loss = figure.name.starts_with("insertion_loss");
            assert_eq!(figure.value, before.value.filter(|_| is_measured || !is_loss), "{unit} {figure:?}");
            let is_told = figure.not_measured.as_ref().is_some_and(|why| why.contains("dBmA"));
            assert_eq!(is_told, is_loss && !is_measured, "{unit} {figure:?}");
        }
        let told = found.warnings.first();
        assert!(warning.is_none_or(|warning| told.is_some_and(|told| told.contains(warning))), "{told:?}");
        assert_eq!(warning.is_none(), told.is_none());
    }
}

#[test]
fn levels_of_powers_are_in_dbm_and_their_differences_in_db() {
    let trace = Owned::sampled(1549.0, 1551.0, 1.0, |nm| 0.5 - 0.4 / (1.0 + (20.0 * (nm - 1550.0)).powi(2)));
    let request = Request {
        wanted: wanted("loss,dips,peaks,quality,q,bandwidth@30"),
        floor_db: Some(-50.0),
        ..Request::default()
    };
    for (unit, symbol) in [(TraceUnit::Db, "dB"), (TraceUnit::Dbm, "dBm"), (TraceUnit::Dbma, "dBmA")] {
        let found = analyze(&trace.trace().in_unit(unit), &request).unwrap();
        for name in ["mean_db", "dip_db", "floor_db"] {
            assert_eq!(named(&found, name)[0].unit, symbol, "{name}");
        }
        for name in ["ripple_db", "prominence_db", "extinction_db"] {
            assert_eq!(named(&found, name)[0].unit, "dB", "{name}");
        }
        let why = named(&found, "bandwidth_30db_nm")[0].not_measured.clone().unwrap();
        assert!(why.contains(&format!("-33.02 {symbol} is not reached")), "{why}");
    }
}
