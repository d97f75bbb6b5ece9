//! `ctp10 rehearse`

mod outcome;
mod stage;
mod subject;

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::json;

use super::signals::stop_signal;
use super::simulate::faults;
use crate::cli::RehearseArgs;
use crate::config::Config;
use crate::error::{ExitCode, Failure};
use crate::rehearsal::{Scenario, chaos, given, standard};
use crate::terminal::duration;
use crate::terminal::output::outln;
use stage::{Rehearsal, Stage};
use subject::Subject;

/// Number of rehearsals at the same time. A rehearsal mostly waits for time-outs.
const SIDE_BY_SIDE: usize = 4;

pub(super) async fn rehearse(args: RehearseArgs, config: &Config) -> Result<(), Failure> {
    let faults = faults(&args.faults)?;
    let subject = Subject::load(&args, config).await?;
    let scratch = tempfile::Builder::new().prefix("ctp10-rehearsal-").tempdir();
    let scratch = scratch.map_err(|error| {
        Failure::new(ExitCode::Failed, format!("cannot create a folder for the runs: {error}"))
    })?;
    let stage = Stage {
        file: args.file.clone(),
        set: args.set.clone(),
        subject,
        scratch: scratch.path().to_owned(),
        limit: Duration::from_secs_f64(args.limit_s),
    };
    if !args.json {
        outln!("{} on simulated instruments that fail; no other instrument is used", args.file.display());
    }
    let rehearsals = tokio::select! {
        rehearsals = rehearse_all(&stage, &args, &faults) => rehearsals?,
        signal = stop_signal() => {
            return Err(Failure::new(ExitCode::Stopped, format!("stopped by {signal}: the rehearsals are not complete")));
        }
    };
    let wrong = rehearsals.iter().filter(|rehearsal| !rehearsal.violations.is_empty()).count();
    let missed = rehearsals.iter().filter(|rehearsal| rehearsal.missed).count();
    let is_safe = wrong + missed == 0;
    if args.json {
        super::print_json(&json!({ "file": args.file, "safe": is_safe, "rehearsals": rehearsals }))?;
    }
    if is_safe && !args.json {
        outln!("{} rehearsals, all of them ended safely", rehearsals.len());
    }
    if wrong > 0 || args.keep {
        let kept = scratch.keep();
        if !args.json {
            outln!("run folders are kept in {}", kept.display());
        }
    }
    let of_all = format!("of {} rehearsals", rehearsals.len());
    match (wrong, missed) {
        (0, 0) => Ok(()),
        (0, _) => {
            Err(Failure::new(ExitCode::Failed, format!("in {missed} {of_all} the fault did not occur")).hint(
                "the first line shows how many traces there are: choose an earlier place for the fault",
            ))
        }
        (_, _) => Err(Failure::new(ExitCode::Failed, format!("{wrong} {of_all} did not end safely"))),
    }
}

async fn rehearse_all(
    stage: &Stage,
    args: &RehearseArgs,
    faults: &[crate::simulator::FaultSpec],
) -> Result<Vec<Rehearsal>, Failure> {
    let (first, whole, size) = stage.rehearse(0, &Scenario::default(), None).await?;
    tell(args, &first);
    let is_done = whole.is_done && first.violations.is_empty();
    let mut rehearsals = vec![first];
    if !is_done {
        let message = format!("it does not succeed on the simulator even without a fault: {}", whole.told);
        return match rehearsals[0].violations.first() {
            Some(_) => Ok(rehearsals),
            None => {
                Err(Failure::new(ExitCode::Failed, message)
                    .hint("`ctp10 run FILE --instrument sim` shows why"))
            }
        };
    }
    let course = match args.chaos {
        Some(seed) => chaos(seed, args.times, size),
        None if faults.is_empty() && args.kills.is_empty() => standard(size),
        None => Vec::new(),
    };
    let course: Vec<Scenario> = given(faults, &args.kills).into_iter().chain(course).collect();
    let (whole, numbered) = (&whole, (1..).zip(&course));
    let rehearsing =
        numbered.map(|(number, scenario)| async move { stage.rehearse(number, scenario, Some(whole)).await });
    let mut ended = futures_util::stream::iter(rehearsing).buffer_unordered(SIDE_BY_SIDE);
    while let Some(rehearsal) = ended.next().await {
        let (rehearsal, ..) = rehearsal?;
        tell(args, &rehearsal);
        rehearsals.push(rehearsal);
    }
    rehearsals.sort_by_key(|rehearsal| rehearsal.number);
    Ok(rehearsals)
}

/// Prints the line of a rehearsal as soon as its result is known.
fn tell(args: &RehearseArgs, rehearsal: &Rehearsal) {
    if args.json {
        return;
    }
    let lasers = match &rehearsal.lasers_on[..] {
        [] => "lasers off".to_owned(),
        on => format!("lasers on: {on:?}"),
    };
    let resumed = rehearsal.resumed.as_ref().map(|resumed| format!("; resumed: {resumed}"));
    outln!(
        "{:3}  {:32} {} ({} traces, {lasers}, {}){}",
        rehearsal.number,
        rehearsal.scenario,
        rehearsal.ended,
        rehearsal.traces,
        duration(rehearsal.seconds),
        resumed.unwrap_or_default(),
    );
    if rehearsal.missed {
        outln!("     NOT TESTED: the fault did not occur");
    }
    for violation in &rehearsal.violations {
        outln!("     NOT SAFE: {violation}");
    }
}
