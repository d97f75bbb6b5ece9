//! The plan for resuming an interrupted run: which steps hold, and which are left. The recorded part is replayed to the
//! recipe, without an instrument.

use std::path::Path;
use std::sync::Arc;

use crate::forecast::{self, Circumstances, Walk};
use crate::recipe::Recipe;
use crate::run::resume::damage::Damage;
use crate::run::resume::repair::{self, Judged, Repairs};
use crate::run::resume::replay::ReplayHost;
use crate::run::resume::transcript::{Asked, Performed, Transcript, same};
use crate::run::state::rewind::{Cause, rewind};
use crate::step::{Fault, FaultKind, Step};
use crate::store::{RunState, StoreError, read_run_journal};

/// What is left of an interrupted run.
#[derive(Debug)]
pub struct Foreseen {
    /// The part of the transcript that holds.
    pub past: Transcript,
    /// The operations that are left, in order.
    pub left: Walk,
    /// An interrupted step that must not be repeated automatically.
    pub undecided: Option<Performed>,
    /// Earlier sweeps that are repeated, because their traces are missing or changed.
    pub repairs: Repairs,
}

/// Reads the transcript of the run in this folder.
///
/// # Errors
/// If the journal cannot be read, or one of its lines is damaged.
pub fn transcript(folder: &Path) -> Result<Transcript, StoreError> {
    let mut past = Transcript::default();
    match read_run_journal::<crate::run::events::Record>(folder) {
        Ok(records) => {
            for record in records {
                let record = record?;
                past.elapsed_s = record.elapsed_s.unwrap_or(past.elapsed_s);
                past.apply(&record.event);
            }
        }
        // The process ended before it had created a journal.
        Err(StoreError::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(past)
}

/// Finds out which steps hold by replaying them to the recipe, and which steps are left. Uses neither the instrument
/// nor changes the folder.
///
/// # Errors
/// If the recipe no longer matches its journal, if no step is left that could change the result, or if a damaged trace
/// cannot be measured again.
pub fn plan(
    recipe: &Recipe,
    past: &Transcript,
    damage: &Damage,
    folder: &Path,
    circumstances: Circumstances,
) -> Result<Foreseen, Fault> {
    let mut count = past.done();
    let first_open = past.asked.get(count).and_then(Asked::step);
    let no_ask = |step: &&Performed| {
        // With the simulator there is nothing to connect.
        !(circumstances.simulated && step.step.operation.traits().reference().is_some())
    };
    let undecided_of =
        |step: &Performed| Some(step).filter(|step| step.is_undecided()).filter(no_ask).cloned();
    let mut undecided = first_open.and_then(undecided_of);
    let mut failed: Option<Arc<Step>> = None;
    loop {
        let mut kept = past.clone();
        kept.keep(count);
        if let Some(step) = failed.as_deref() {
            kept.let_go(step);
        }
        let kept = Arc::new(kept);
        let (left, ended, certain) = replay(recipe, &kept, folder, circumstances)?;
        let ahead =
            left.steps.iter().filter(|planned| !planned.finally).map(|planned| &planned.step.operation);
        if certain && ahead.clone().next().is_none() {
            match ended {
                // The verdict ended the recipe, and ends it again.
                Err(fault) if fault.kind == FaultKind::Verdict => {}
                // The recipe would fail in the same way, so the failed step is the one to repeat.
                Err(fault) => match kept.asked.iter().rposition(|asked| failed_with(asked, &fault)) {
                    Some(at) => {
                        undecided = kept.asked[at].step().and_then(undecided_of);
                        failed = kept.asked[at].step().map(|step| step.step.clone());
                        count = at;
                        continue;
                    }
                    // The condition may be good by now.
                    None if was_suspended(&kept.asked) => {
                        count = before_suspension(&kept.asked);
                        continue;
                    }
                    None => return Err(fault.hint("the recipe itself failed and would fail again")),
                },
                // A failed step of `finally` is repeated where it is: at the end.
                Ok(()) if past.history.finally_failed => {}
                Ok(()) if past.history.ended == Some(RunState::Failed) => {
                    let message = "every step was done, or its failure was ignored: nothing is left to do";
                    return Err(Fault::new(FaultKind::Refused, message));
                }
                Ok(()) => {}
            }
        }
        // A sweep and its fetches are repeated together: the traces in memory now need not be those of that sweep.
        let wants_memory = ahead
            .take_while(|operation| !operation.traits().is_scan())
            .any(|operation| operation.traits().reads_live());
        let sweep = rewind(&kept.history, Cause::SweepLost).first().filter(|_| wants_memory);
        let is_sweep = |asked: &Asked| asked.step().is_some_and(|step| Some(step.number) == sweep);
        if let Some(at) = kept.asked.iter().rposition(is_sweep) {
            count = at;
            continue;
        }
        match repair::judge(&kept, &damage.traces, circumstances.simulated)? {
            Judged::Keep(holds) => count = holds,
            Judged::Repair(repairs) => {
                return Ok(Foreseen { past: Arc::unwrap_or_clone(kept), left, undecided, repairs });
            }
        }
    }
}

/// Replays the transcript to the recipe. Gives the operations after it, how the recipe ended, and whether it would end
/// in the same way again.
fn replay(
    recipe: &Recipe,
    past: &Arc<Transcript>,
    folder: &Path,
    circumstances: Circumstances,
) -> Result<(Walk, Result<(), Fault>, bool), Fault> {
    let (mut ended, mut diverged, mut certain) = (Ok(()), None, true);
    let left = forecast::walk(
        |live| {
            let host = ReplayHost::new(past.asked.clone(), folder.to_owned(), live);
            let host = Arc::new(host.with_held(Arc::clone(past)));
            ended = recipe.perform(host.clone());
            diverged = host.diverged();
            certain = !host.asked_for_time();
            ended.clone()
        },
        recipe.sources(),
        circumstances,
    );
    diverged.map_or(Ok((left, ended, certain)), Err)
}

fn failed_with(asked: &Asked, fault: &Fault) -> bool {
    let told = asked.step().and_then(|step| step.told.as_ref());
    matches!(told, Some(Err(known)) if known.kind == fault.kind && known.message == fault.message)
}

/// Whether the transcript ends within a suspension, or within a check of its condition.
fn was_suspended(asked: &[Asked]) -> bool {
    asked.iter().rev().find_map(Asked::step).is_some_and(|step| step.step.place.is_in_suspension())
}

/// How many entries hold of a transcript that ends within a suspension. If the last sweep was not found good, the
/// entries before that sweep hold; otherwise the entries before the step at which the recipe was suspended.
fn before_suspension(asked: &[Asked]) -> usize {
    let steps = || asked.iter().enumerate().filter_map(|(at, asked)| Some((at, &asked.step()?.step)));
    let held_at = steps().rfind(|(_, step)| !step.place.is_in_suspension()).map_or(0, |(at, _)| at + 1);
    // If the recipe continued after a check, the check has found the sweep good.
    let mut unjudged =
        steps().rev().filter(|(at, _)| *at < held_at).take_while(|(_, step)| !step.place.is_in_suspension());
    let spoilt = unjudged.find(|(_, step)| step.operation.traits().unsettles_sweep());
    let Some((at, sweep)) = spoilt.filter(|(_, step)| step.operation.traits().is_sweep()) else {
        return held_at;
    };
    // A sweep that is checked right away may have been repeated several times.
    let others = steps().rev().filter(|(earlier, step)| *earlier < at && !step.place.is_in_suspension());
    others.take_while(|(_, step)| same(step, sweep)).last().map_or(at, |(first, _)| first)
}
