//! Limits against figures.

use std::collections::BTreeMap;

use crate::analysis::Bound;
use crate::analysis::figure::Figure;
use crate::analysis::registry as define;
use crate::analysis::verdict::{Limit, Verdict, judge, worst};

fn limits(text: &str) -> BTreeMap<String, Limit> {
    serde_json::from_str(text).unwrap()
}

fn loss(value: f64) -> Figure {
    Figure::measured(&define::INSERTION_LOSS_MAX, value)
}

#[test]
fn a_figure_passes_is_marginal_fails_or_is_not_measured() {
    let both = limits(r#"{"insertion_loss_max_db": {"min": 0.5, "max": 1.5, "guard": 0.1}}"#);
    for (figure, expected) in [
        (loss(1.0), Verdict::Pass),
        (loss(1.39), Verdict::Pass),
        (loss(1.45), Verdict::Marginal),
        (loss(1.5), Verdict::Marginal),
        (loss(0.55), Verdict::Marginal),
        (loss(1.51), Verdict::Fail),
        (loss(0.4), Verdict::Fail),
        // At least 1 dB may be above 1.5 dB; at least 2 dB is; at most 0.4 dB is below 0.5 dB.
        (loss(1.0).bounded(Some(Bound::AtLeast)), Verdict::NotMeasured),
        (loss(2.0).bounded(Some(Bound::AtLeast)), Verdict::Fail),
        (loss(0.4).bounded(Some(Bound::AtMost)), Verdict::Fail),
        (loss(1.0).bounded(Some(Bound::AtMost)), Verdict::NotMeasured),
        (Figure::missing(&define::INSERTION_LOSS_MAX, "dark"), Verdict::NotMeasured),
    ] {
        let judged = judge(&both, std::slice::from_ref(&figure)).unwrap();
        assert_eq!(judged[0].verdict, expected, "{figure:?} {judged:?}");
        assert_eq!(judged[0].reason.is_none(), expected == Verdict::Pass);
    }
    let least = limits(r#"{"insertion_loss_max_db": {"min": 30.0, "guard": 5}}"#);
    let one = |figure: Figure| judge(&least, &[figure]).unwrap()[0].verdict;
    assert_eq!(one(loss(31.0).bounded(Some(Bound::AtLeast))), Verdict::Pass);
    assert_eq!(one(loss(29.0).bounded(Some(Bound::AtLeast))), Verdict::NotMeasured);
    assert_eq!(one(loss(31.0)), Verdict::Marginal);
}

#[test]
fn the_worst_verdict_wins_and_each_feature_is_judged() {
    let at_most = limits(r#"{"insertion_loss_max_db": {"max": 1.5}, "fsr_nm": {"min": 9}}"#);
    let figures = [loss(1.0).of("channel 1"), loss(2.0).of("channel 2")];
    let judged = judge(&at_most, &figures).unwrap();
    let all: Vec<Verdict> = judged.iter().map(|judged| judged.verdict).collect();
    assert_eq!(all, [Verdict::NotMeasured, Verdict::Pass, Verdict::Fail]);
    assert_eq!(judged[0].reason.as_deref(), Some("the analysis has no such figure"));
    assert_eq!(worst(all), Some(Verdict::Fail));
    assert_eq!(worst([Verdict::Marginal, Verdict::NotMeasured, Verdict::Pass]), Some(Verdict::NotMeasured));
    assert_eq!(worst([]), None);
    assert_eq!(serde_json::to_string(&Verdict::NotMeasured).unwrap(), "\"not measured\"");
}

#[test]
fn wrong_limits_are_named_and_near_names_are_suggested() {
    let error = |text: &str| judge(&limits(text), &[loss(1.0)]).unwrap_err().to_string();
    assert_eq!(
        error(r#"{"insertion_los_max_db": {"max": 1}}"#),
        "there is no figure `insertion_los_max_db`; did you mean `insertion_loss_max_db` or `insertion_loss_mean_db` or `insertion_loss_min_db`?"
    );
    assert!(error(r#"{"xyz": {"max": 1}}"#).contains("docs/figures.md lists all"));
    assert!(error(r#"{"fsr_nm": {}}"#).contains("neither `min` nor `max`"));
    assert!(error(r#"{"fsr_nm": {"min": 2, "max": 1}}"#).contains("`min` 2 is above `max` 1"));
    assert!(error(r#"{"fsr_nm": {"min": 2, "guard": -1}}"#).contains("`guard` is negative"));
    assert!(serde_json::from_str::<Limit>(r#"{"minimum": 1}"#).is_err());
    // Levels in names are known at any level.
    assert!(judge(&limits(r#"{"bandwidth_0_5db_nm": {"min": 1}}"#), &[]).is_ok());
}
