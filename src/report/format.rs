//! Formats times, sizes, states and commands for reports.

use std::borrow::Cow;

use chrono::{DateTime, Local, Offset, Utc};
use indicatif::HumanBytes;

use super::value::{Consequence, FaultLine, LasersEnd, Report, Why};
use crate::run::NOT_CONFIRMED_SAFE;
use crate::store::RunState;
use crate::units::duration;

/// Longest text from a recipe or an instrument, characters.
const LONGEST: usize = 1_000;

/// Shortens a text for the report.
pub(super) fn clip(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} … (cut)", &text[..end]),
        None => text.to_owned(),
    }
}

/// A time: `2026-11-24 14:44:50 UTC`.
pub(super) fn moment(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A time in the time zone of this computer; `None` if that is UTC.
pub(super) fn local(time: DateTime<Utc>) -> Option<String> {
    let local = time.with_timezone(&Local);
    (local.offset().fix().local_minus_utc() != 0).then(|| local.format("%H:%M:%S %:z").to_string())
}

/// A place of the recipe, relative to the folder of the recipe.
pub(super) fn place<'a>(report: &Report, place: &'a str) -> &'a str {
    let folder = report.about.recipe.path.rfind(['/', '\\']).map(|end| &report.about.recipe.path[..=end]);
    folder.and_then(|folder| place.strip_prefix(folder)).unwrap_or(place)
}

/// The time of day, UTC.
pub(super) fn clock(time: DateTime<Utc>) -> String {
    time.format("%H:%M:%S").to_string()
}

/// The time since the start of the run. Old journals only have the time of day.
pub(super) fn after(report: &Report, time: DateTime<Utc>, elapsed_s: Option<f64>) -> String {
    format!("+{}", duration(elapsed_s.unwrap_or_else(|| (time - report.started).as_seconds_f64())))
}

pub(super) fn bytes(bytes: u64) -> String {
    HumanBytes(bytes).to_string()
}

/// A number with its noun: `1 trace`, `3 traces`.
pub(super) fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

pub(super) fn lasers(numbers: &[u8]) -> String {
    let list: Vec<String> = numbers.iter().map(u8::to_string).collect();
    format!("laser{} {}", if list.len() == 1 { "" } else { "s" }, list.join(", "))
}

/// How the run ended, in one or two sentences.
pub(super) fn verdict(report: &Report) -> String {
    let took = duration(report.seconds);
    match report.state {
        RunState::Done => format!("Every step succeeded. The run took {took}."),
        RunState::Failed if only_the_end_failed(report) => {
            format!(
                "Every step succeeded within {took}, but not all instruments confirmed that they are safe."
            )
        }
        RunState::Failed if report.faults.iter().any(|fault| fault.consequence == Consequence::EndedRun) => {
            format!("A step failed and ended the run after {took}.")
        }
        RunState::Failed if report.counts.failed > 0 => {
            format!("The run finished after {took}, with failed steps that the recipe ignored.")
        }
        RunState::Failed => format!("The recipe itself failed after {took}."),
        RunState::Aborted => format!("The run was stopped after {took}."),
        RunState::Interrupted => format!(
            "The run was interrupted: its process ended without finishing it (killed, or the computer lost power). Its last event was {took} after the start."
        ),
        RunState::Running => format!("The run was still active when this report was written, after {took}."),
    }
}

/// Whether the run lacks nothing but the confirmation that its instruments are safe.
pub(super) fn only_the_end_failed(report: &Report) -> bool {
    report.state == RunState::Failed
        && report.reason.as_ref().is_some_and(|reason| reason.contains(NOT_CONFIRMED_SAFE))
}

pub(super) fn consequence(fault: &FaultLine) -> String {
    match fault.consequence {
        Consequence::Retried => {
            let pause = fault.after_s.filter(|pause| *pause > 0.0).map(duration);
            let pause = pause.map(|pause| format!(" after {pause}")).unwrap_or_default();
            let then = if fault.recovered { "and succeeded" } else { "without success" };
            format!("repeated{pause}, {then}")
        }
        Consequence::PassedOver => "ignored; the run continued".to_owned(),
        Consequence::Caught => "caught by the script; the run continued".to_owned(),
        Consequence::EndedFinally => "ended `finally`".to_owned(),
        Consequence::EndedRun => "ended the run".to_owned(),
    }
}

pub(super) fn why(why: Why, state: RunState) -> &'static str {
    match (why, state) {
        (Why::Failed, _) => "failed",
        (Why::CutShort, RunState::Running) => "active",
        (Why::CutShort, _) => "interrupted",
        (Why::NotReached, RunState::Running) => "not started yet",
        (Why::NotReached, _) => "not reached",
    }
}

/// The state of the lasers at the end, as text.
pub(super) fn lasers_end(report: &Report) -> String {
    match report.lasers {
        LasersEnd::Off if report.lasers_off.is_empty() => "The run turned no laser on.".to_owned(),
        LasersEnd::Off => {
            format!("The instrument confirmed that these are off: {}.", lasers(&report.lasers_off))
        }
        LasersEnd::Unknown => format!(
            "The instrument did not confirm that these are off: {}. Check the instrument, or use ctp10 off.",
            lasers(&report.lasers_unknown)
        ),
        LasersEnd::LeftOn => "Left on after success, as the recipe requires (leave_lasers_on).".to_owned(),
        LasersEnd::NoEnd if report.state == RunState::Running => "In use by the run.".to_owned(),
        LasersEnd::NoEnd if report.about.simulator.is_some() => {
            "Nothing turned them off; the simulator ended with the run.".to_owned()
        }
        LasersEnd::NoEnd => "Nothing turned them off: any laser may be on. Use ctp10 off.".to_owned(),
    }
}

/// The command that finishes a run, ready to paste into a shell.
pub(super) fn finish_command(folder: &str) -> String {
    format!("ctp10 resume {}", shell_word(folder))
}

/// Quotes an argument for a shell.
#[must_use]
pub fn shell_word(word: &str) -> String {
    if cfg!(windows) {
        return format!("\"{word}\"");
    }
    // Only a text with a NUL byte cannot be quoted, and no file or address has one.
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), Cow::into_owned)
}
