//! What is said of wrong fields.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Point;
use crate::analysis::{Bound, Figure};
use crate::operation::Operation;

fn read(fields: &Value) -> Result<Operation, String> {
    match crate::step::read("analyze", fields, &BTreeMap::new()) {
        Ok((operation, _)) => Ok(operation),
        Err(error) => {
            Err(format!("{}: {error} {}", error.path.join("."), error.hint.clone().unwrap_or_default()))
        }
    }
}

#[test]
fn an_analysis_is_the_same_after_the_journal() {
    for fields in [
        json!({ "trace": "out", "figures": ["dips"] }),
        json!({ "trace": "out", "detector": "4/1", "expect": { "q_loaded": { "min": 1000, "guard": 10 } } }),
        json!({ "traces": [3, 4], "at_nm": [1550, 1551.5], "figures": ["insertion_loss_db"], "smooth_samples": 5 }),
        json!({ "trace": "out", "channels": { "grid": "dwdm", "spacing_ghz": 100, "first_thz": 193.1, "half_width_ghz": 20 } }),
        json!({ "trace": "out", "channels": { "grid": "listed", "centers_nm": [1540, 1550.5], "half_width_nm": 1 } }),
    ] {
        let operation = read(&fields).unwrap();
        let journal = serde_json::to_string(&operation).unwrap();
        assert_eq!(serde_json::from_str::<Operation>(&journal).unwrap(), operation, "{journal}");
    }
}

#[test]
fn wrong_fields_are_told_with_their_place() {
    for (fields, said) in [
        (json!({ "figures": ["dips"] }), ": missing field `trace`"),
        (json!({ "traces": [], "figures": ["dips"] }), ": missing field `trace`"),
        (json!({ "over": "dip" }), ": `over` needs `fit` or `cut_back`"),
        (json!({ "over": "dip", "trace": "out" }), ": only one of `trace` and `over`"),
        (json!({ "over": "dip", "fit": { "y": "reso", "x": "a" } }), "fit.y: there is no figure `reso`"),
        (
            json!({ "over": "dip", "fit": { "y": "dip_nm", "x": "p_mw" }, "expect": { "slope_nm_per_w": { "min": 1 } } }),
            "expect.slope_nm_per_w: the fit has no figure `slope_nm_per_w` did you mean `slope_nm_per_mw`?",
        ),
        (
            json!({ "over": "dip", "fit": { "y": "dip_db", "x": "p_mw", "unit": "pm" } }),
            "fit.unit: unit `pm` is for a figure in nm, and `dip_db` is none",
        ),
        (
            json!({ "over": "wg", "cut_back": { "y": "dip_nm", "x": "a_mm", "unit": "pm" } }),
            "cut_back.unit: `unit` is for a `fit`",
        ),
        (
            json!({ "over": "wg", "cut_back": { "y": "insertion_loss_min_db", "x": "length" } }),
            "cut_back.x: the length `length` must have its unit",
        ),
        (json!({ "trace": "out" }), ": `figures` or `expect` must name"),
        (
            json!({ "trace": "out", "figures": ["dips", "q_loadd"] }),
            "figures.1: there is no figure `q_loadd` did you",
        ),
        (
            json!({ "trace": "out", "expect": { "q_loaded": {} } }),
            "expect.q_loaded: the limit of `q_loaded` has neither",
        ),
        (json!({ "trace": "out", "expect": { "dips": { "min": 1 } } }), "expect.dips: `dips` is a group"),
        (
            json!({ "trace": "out", "expect": { "q_loaded": { "min": 2, "max": 1 } } }),
            "expect.q_loaded: the limit of `q_loaded` is wrong: `min` 2 is above `max` 1",
        ),
        (
            json!({ "trace": "out", "expect": { "q_loaded": { "minimum": 2 } } }),
            "expect.q_loaded.minimum: unknown field",
        ),
        (
            json!({ "trace": "out", "expect": { "shape_factor": { "max": 2 } } }),
            ": `shape_factor` needs `channels`",
        ),
        (json!({ "trace": "out", "figures": ["insertion_loss_db"] }), ": `insertion_loss_db` needs `at_nm`"),
        (
            json!({ "trace": "out", "figures": ["dips"], "band_nm": [1560, 1550] }),
            "band_nm: band_nm `[1560, 1550]`",
        ),
        (
            json!({ "trace": "out", "at_nm": 1550, "band_nm": [1540, 1545] }),
            "at_nm: 1550 nm is outside the band, 1540 to 1545 nm",
        ),
        (
            json!({ "trace": "out", "at_nm": [1542, 1550], "band_nm": [1540, 1545] }),
            "at_nm.1: 1550 nm is outside the band, 1540 to 1545 nm",
        ),
        (
            json!({ "trace": "out", "at_nm": 1.55 }),
            "at_nm: at_nm `1.55` nm is not allowed (300 to 5000 nm) if you mean 1.55 µm, write 1550",
        ),
        (
            json!({ "trace": "out", "at_nm": [1550, 193.4] }),
            "at_nm.1: at_nm `193.4` nm is not allowed (300 to 5000 nm) if you mean 193.4 THz, write 1550.116",
        ),
        (
            json!({ "trace": "out", "figures": ["dips"], "band_nm": [1.53, 1.57] }),
            "band_nm.0: band_nm `1.53` nm is not allowed (300 to 5000 nm) if you mean 1.53 µm, write 1530",
        ),
        (
            json!({ "trace": "out", "figures": ["dips"], "band_nm": [1530, 1_570_000] }),
            "band_nm.1: band_nm `1570000` nm is not allowed (300 to 5000 nm) if you mean 1570000 pm, write 1570",
        ),
        (
            json!({ "trace": "out", "channels": { "grid": "listed", "centers_nm": [1550, 1.56], "half_width_nm": 1 } }),
            "channels.centers_nm.1: centers_nm `1.56` nm is not allowed (300 to 5000 nm) if you mean 1.56 µm, write 1560",
        ),
        (
            json!({ "trace": "out", "figures": ["dips"], "smooth_samples": 4 }),
            "smooth_samples: smooth_samples `4`",
        ),
        (
            json!({ "trace": "out", "figures": ["dips"], "length_um": 0 }),
            "length_um: length_um `0` must be above 0",
        ),
        (
            json!({ "trace": "out", "channels": { "grid": "cwdm", "first_nm": 1530, "half_width_nm": 5 } }),
            "channels: 1530 nm is not a CWDM channel",
        ),
        (
            json!({ "trace": "out", "channels": { "grid": "cwdm", "first_nm": 1531, "half_width_nm": 5, "spacing_ghz": 50 } }),
            "channels: `spacing_ghz` does not belong to the grid `cwdm`",
        ),
        (
            json!({ "trace": "out", "channels": { "grid": "dwdm" } }),
            "channels: the grid `dwdm` needs `spacing_ghz`",
        ),
    ] {
        let error = read(&fields).unwrap_err();
        assert!(error.starts_with(said), "{fields}: {error}");
    }
}

fn point(x: Option<f64>, y: f64, bound: Option<Bound>) -> Point {
    let y = Figure { value: Some(y), bound, not_measured: None, ..Figure::without_value("dip_nm", "") };
    Point { x, y: Some(y) }
}

#[test]
fn a_bound_is_no_point_of_a_line_and_is_counted() {
    let (exact, at_least, at_most) = (None, Some(Bound::AtLeast), Some(Bound::AtMost));
    // The losses of 3 dB/cm, of which the higher ones are at the floor.
    for (bounds, value, notes) in [
        ([exact, exact, exact, exact], Some(3.0), vec!["4 points"]),
        (
            [exact, exact, exact, at_least],
            Some(3.0),
            vec!["3 points", "1 point left out, because the value is only a bound"],
        ),
        (
            [exact, at_most, exact, at_least],
            None,
            vec!["2 points", "2 points left out, because the value is only a bound"],
        ),
    ] {
        let line = json!({ "y": "insertion_loss_max_db", "x": "length_cm" });
        let Operation::Analyze(fields) = read(&json!({ "over": "il", "cut_back": line })).unwrap() else {
            unreachable!()
        };
        let lengths = [1.0, 2.0, 3.0, 4.0];
        let points: Vec<Point> = lengths
            .into_iter()
            .zip(bounds)
            .map(|(length, bound)| {
                // A bound beside the line must not draw the line to itself.
                let loss = 1.0 + 3.0 * length - if bound.is_some() { 2.0 } else { 0.0 };
                point(Some(length), loss, bound)
            })
            .collect();
        for figure in fields.figures_of_points(&points) {
            assert_eq!((figure.is_measured(), figure.bound), (value.is_some(), None), "{figure:?}");
            assert_eq!(figure.notes, notes);
        }
        let slope = fields.figures_of_points(&points)[0].value;
        assert_eq!(slope.map(|slope| (slope * 1e6).round() / 1e6), value);
    }
}

#[test]
fn a_slope_has_the_unit_that_is_asked_for() {
    let fields = |unit: Value| {
        let fit = json!({ "y": "resonance_nm", "x": "heater_mw", "unit": unit });
        let Operation::Analyze(fields) = read(&json!({ "over": "dip", "fit": fit })).unwrap() else {
            unreachable!()
        };
        fields
    };
    let points = [
        point(Some(0.0), 1550.0, None),
        point(Some(10.0), 1551.0, None),
        point(None, 1.0, None),
        point(Some(20.0), 1552.0, None),
    ];
    for (unit, name, unit_of, value) in
        [(Value::Null, "slope_nm_per_mw", "nm/mW", 0.1), (json!("pm"), "slope_pm_per_mw", "pm/mW", 100.0)]
    {
        let fields = fields(unit);
        assert_eq!(fields.names(), [name]);
        let figure = &fields.figures_of_points(&points)[0];
        assert_eq!((figure.name.as_str(), figure.unit.as_str()), (name, unit_of));
        assert!((figure.value.unwrap() - value).abs() < 1e-9);
    }
}
