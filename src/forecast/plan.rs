//! The plan as text for a person or as JSON for a program.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::walk::PlannedStep;
use crate::operation::{Lasts, Surroundings};
use crate::shown;

/// The second line of an operation is indented so much further.
const MORE: usize = 2;

/// Totals over a plan.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Total {
    /// Time, s.
    pub seconds: f64,
    /// Points stored.
    pub points: u64,
    /// Bytes stored.
    pub bytes: u64,
    /// Whether a measured value decides something: later steps may differ.
    pub may_differ: bool,
    /// Whether the recipe waits for a person or a time of day. This time is not included.
    pub waits: bool,
}

/// The totals of a plan.
#[must_use]
pub fn total(steps: &[PlannedStep]) -> Total {
    steps.iter().fold(Total::default(), |total, planned| Total {
        seconds: total.seconds + planned.estimate.seconds,
        points: total.points + planned.estimate.points,
        bytes: total.bytes + planned.estimate.bytes,
        may_differ: total.may_differ | planned.may_differ,
        waits: total.waits | planned.step.operation.traits().waits_for_person_or_clock(),
    })
}

/// All operations in order, with start, duration and points. Lines have at most `columns` characters if words permit. Detectors have
/// the names in `around`.
#[must_use]
pub fn text(steps: &[PlannedStep], around: &Surroundings, scpi: bool, columns: usize) -> String {
    let width = steps.len().to_string().len().max(2);
    let mut text = format!(" {:>width$}  {:>8}  {:>7}  operation\n", "#", "at", "takes");
    let mut elapsed = 0.0;
    let mut finally = false;
    for (index, planned) in steps.iter().enumerate() {
        if planned.finally && !finally {
            finally = true;
            text.push_str("finally\n");
        }
        let mark = if planned.may_differ { '~' } else { ' ' };
        let times = format!(
            "{mark}{number:>width$}  {at:>8}  {takes:>7}  ",
            number = index + 1,
            at = clock(elapsed),
            takes = takes(planned),
        );
        let points = match planned.estimate.points {
            0 => String::new(),
            points => format!(": {}", shown::counted(points, "point")),
        };
        let operation =
            format!("{}{}{points}", planned.step.place.turns(), planned.step.operation.named(around));
        let indent = times.chars().count();
        // Texts of a recipe must not add lines to the plan.
        let lines = shown::wrapped(&shown::one_line(&operation), columns.saturating_sub(indent + MORE));
        let between = format!("\n{:indent$}", "", indent = indent + MORE);
        let _ = writeln!(text, "{times}{}", lines.join(&between));
        if scpi {
            for command in planned.commands() {
                let _ = writeln!(text, " {:width$}  {:8}  {:7}    > {command}", "", "", "");
            }
        }
        elapsed += planned.estimate.seconds;
    }
    text
}

/// The duration of an operation; empty if it is unknown.
fn takes(planned: &PlannedStep) -> String {
    let seconds = planned.estimate.seconds;
    match planned.step.operation.traits().lasts {
        Lasts::Answer => "?".to_owned(),
        Lasts::Until(time) => format!("→{time}"),
        Lasts::Pause(_)
        | Lasts::AtLeast(_)
        | Lasts::Readings { .. }
        | Lasts::Exchanges(_)
        | Lasts::LaserOn
        | Lasts::Transfer(_)
        | Lasts::Reply
        | Lasts::Scans(_) => {
            if seconds < 1000.0 {
                format!("{seconds:.1} s")
            } else {
                clock(seconds)
            }
        }
    }
}

/// Seconds as `m:ss.s` for the first ten minutes, then as `h:mm:ss`.
fn clock(seconds: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a plan of a thousand years is clipped"
    )]
    let whole = seconds.clamp(0.0, 3.15e10) as u64;
    match whole {
        0..600 => format!("{}:{:04.1}", whole / 60, seconds % 60.0),
        _ => format!("{}:{:02}:{:02}", whole / 3600, whole % 3600 / 60, whole % 60),
    }
}

/// The plan for programs: `steps` and `total`, fields with their units.
#[must_use]
pub fn json(steps: &[PlannedStep], mut around: Surroundings) -> Value {
    let total = total(steps);
    let steps: Vec<Value> = steps
        .iter()
        .enumerate()
        .map(|(index, planned)| {
            around.take(&planned.step.operation);
            json!({
                "number": index + 1,
                "operation": planned.step.operation,
                "words": planned.step.operation.words(&around),
                "turns": planned.step.place.shown_turns(),
                "place": planned.step.place,
                "estimated_s": planned.estimate.seconds,
                "points": planned.estimate.points,
                "bytes": planned.estimate.bytes,
                "commands": planned.commands(),
                "may_differ": planned.may_differ,
                "finally": planned.finally,
            })
        })
        .collect();
    json!({
        "steps": steps,
        "total": {
            "operations": steps.len(),
            "estimated_s": total.seconds,
            "points": total.points,
            "bytes": total.bytes,
            "may_differ": total.may_differ,
            "waits": total.waits,
        },
    })
}
