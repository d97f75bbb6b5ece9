//! What the unit of the levels means for the figures.

use super::support::Owned;
use crate::analysis::request::Request;
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
