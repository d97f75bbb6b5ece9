//! What a recipe asks for by name.

use super::support::Owned;
use crate::analysis::registry as define;
use crate::analysis::request::Request;
use crate::analysis::task::{AskError, Task, asked};
use crate::analysis::{AxisNm, LevelsDb, Trace};

fn task(names: &[&str]) -> Task {
    let asked = names.iter().map(|name| asked(name).unwrap()).collect();
    let request = Request { length_um: Some(62.8), ..Request::default() };
    Task { request, asked, ..Task::default() }
}

fn trace(start_nm: f64, step_pm: f64, levels: &[f32]) -> Trace<'_> {
    let axis = AxisNm::Regular { start_nm, step_pm, points: levels.len() };
    Trace::new(axis, LevelsDb::Single(levels)).unwrap()
}

/// A comb of Lorentzian dips, as single precision levels with start and step.
fn comb() -> (f64, f64, Vec<f32>) {
    let dip = |nm: f64, center: f64| 0.95 / (1.0 + ((nm - center) / 0.05).powi(2));
    let owned = Owned::sampled(1540.0, 1560.0, 2.0, |nm| {
        1.0 - [1542.0, 1546.0, 1550.01, 1554.03, 1558.06].iter().map(|center| dip(nm, *center)).sum::<f64>()
    });
    (1540.0, 2.0, owned.db.iter().map(|level| *level as f32).collect())
}

#[test]
fn every_figure_of_one_trace_is_answered_under_its_own_name_alone() {
    let (start_nm, step_pm, levels) = comb();
    let alone = |definition: &&define::Definition| {
        let name = definition.name_at(Some(3.0));
        asked(&name).is_ok_and(|asked| !asked.needs_channels() && !asked.needs_wavelength())
    };
    // These appear only where the trace has them.
    let rare = [
        "bandwidth_3db_outer_nm",
        "doublet_splitting_nm",
        "q_intrinsic",
        "q_coupling",
        "q_branch_high",
        "q_branch_low",
        "saturated_samples",
    ];
    for definition in define::all().filter(alone) {
        let name = definition.name_at(Some(3.0));
        let analysis = task(&[&name]).figures_of(&trace(start_nm, step_pm, &levels)).unwrap();
        let found = analysis.figures.iter().map(|figure| figure.name.as_str());
        let is_rare = rare.contains(&name.as_str());
        assert!(found.clone().all(|found| found == name), "{name}: {:?}", found.collect::<Vec<_>>());
        assert!(is_rare || !analysis.figures.is_empty(), "`{name}` has no answer");
    }
}

#[test]
fn a_group_has_its_figures_and_smoothing_is_applied_before() {
    let (start_nm, step_pm, levels) = comb();
    let analysis = task(&["dips"]).figures_of(&trace(start_nm, step_pm, &levels)).unwrap();
    for name in ["dip_nm", "dip_db", "prominence_db"] {
        assert_eq!(analysis.figures.iter().filter(|figure| figure.name == name).count(), 5, "{name}");
    }
    assert_eq!(task(&["dips"]).names(), ["dip_db", "dip_nm", "prominence_db"]);
    let depth = |task: &Task| {
        let analysis = task.figures_of(&trace(start_nm, step_pm, &levels)).unwrap();
        analysis.figures.iter().find(|figure| figure.name == "prominence_db").and_then(|figure| figure.value)
    };
    let smooth = Task { smooth_samples: Some(21), ..task(&["dips"]) };
    assert!(depth(&smooth) < depth(&task(&["dips"])), "a mean makes a dip shallower");
}

#[test]
fn a_name_that_is_none_is_told_with_the_nearest_ones() {
    let hint = |name: &str| match asked(name) {
        Err(AskError::Unknown { hint, .. }) => hint,
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(hint("bandwidth@3"), "write `bandwidth_3db_nm`");
    assert_eq!(hint("notch@0.5"), "write `notch_width_0_5db_nm`");
    assert_eq!(hint("loss@1550"), "write `at_nm: 1550`");
    assert!(hint("q_loadd").contains("`q_loaded`"));
    assert!(hint("dipps").contains("`dips`"));
    assert!(hint("zzzzzzzzz").contains("docs/figures.md"));
    assert!(matches!(asked("coupling_loss_db"), Err(AskError::Several { .. })));
}
