//! Preparations of a run: the instrument must be free, it must have what the recipe needs, and it must scan once for
//! each start.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::Utc;

use super::bench::moment_of;
use crate::budget::Budget;
use crate::declarations::Header;
use crate::forecast::facts::{self, Facts, HeldReference, Needs};
use crate::forecast::{self, Circumstances, PlannedStep, Walk};
use crate::instrument::scpi::{Action, ErrorEntry, Identity, Query};
use crate::instrument::{Ctp10, Error, TLS};
use crate::measurement::TraceKind;
use crate::recipe::Recipe;
use crate::source::{Diagnostic, SourceFile};
use crate::store::InstrumentRecord;

/// Walks a recipe on a thread of its own, because a script may compute for a while.
pub async fn walk(recipe: &Arc<Recipe>, circumstances: Circumstances, budget: &Budget) -> Walk {
    let recipe = Arc::clone(recipe);
    let walking = budget.run_on_thread(move || {
        let mut walked = forecast::walk(|host| recipe.perform(host), &recipe.texts(), circumstances);
        let taken = forecast::taken_detector_column(&recipe, &walked.steps);
        walked.findings.extend(taken);
        walked.findings.extend(forecast::recorded_photocurrents(&recipe, &walked.steps));
        walked
    });
    walking.await.unwrap_or_else(|gone| Walk {
        steps: Vec::new(),
        probes: Vec::new(),
        findings: vec![Diagnostic::error(gone.to_string())],
        complete: true,
    })
}

/// Compares the instrument with the needs of the recipe, using only queries. Gives the facts and the problems.
///
/// # Errors
/// If the link fails.
pub async fn compare(
    instrument: &Ctp10,
    header: &Header,
    steps: &[PlannedStep],
    sources: &[Arc<SourceFile>],
) -> Result<(Facts, Vec<Diagnostic>), Error> {
    let needs = facts::needs(header, steps);
    let mut proof = instrument.begin_proof().await?;
    let known = loop {
        let known = ask(instrument, &needs).await?;
        if instrument.holds(&mut proof).await? {
            break known;
        }
    };
    let other = instrument.last_identity().filter(|identity| !identity.is_ctp10());
    let mut findings: Vec<Diagnostic> = other
        .map(|identity| {
            Diagnostic::warning(format!("`{identity}` is not a CTP10"))
                .hint("all commands and replies are meant for a CTP10")
        })
        .into_iter()
        .collect();
    findings.extend(facts::check(header, steps, &known, sources));
    Ok((known, findings))
}

/// Queries what the recipe needs.
async fn ask(instrument: &Ctp10, needs: &Needs) -> Result<Facts, Error> {
    let mut known = Facts::default();
    for tls in TLS {
        known.tls.insert(tls, instrument.ask(&Query::tls_laser(tls)).await?);
    }
    let serving = known.tls.values().copied().filter(|laser| *laser > 0);
    let lasers: BTreeSet<u8> = needs.lasers.iter().copied().chain(serving).collect();
    for laser in lasers {
        known.lasers.insert(laser, instrument.probe(&Query::laser_identity(laser)).await?);
    }
    for &detector in &needs.detectors {
        // The unit can be queried during a scan, and for detectors that give no reading.
        let there = instrument.probe(&Query::power_unit(detector)).await?.is_some();
        known.detectors.insert(detector, there);
    }
    known.at = Utc::now();
    for &detector in &needs.references {
        if known.detectors.get(&detector) == Some(&true)
            && let Some(held) = instrument.reference(detector).await?.filter(|reference| reference.valid)
        {
            let scan = match instrument.trace_grid((detector, TraceKind::Reference)).await {
                Ok(scan) => Some(scan),
                // Some modules do not answer. In that case nothing is known of the range.
                Err(Error::Refused { .. } | Error::NoReply { .. } | Error::Implausible { .. }) => None,
                Err(error) => return Err(error),
            };
            let taken = held.taken.and_then(moment_of);
            known.references.insert(detector, HeldReference { scan, taken });
        }
    }
    Ok(known)
}

/// Why the instrument cannot be used now.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// The instrument is busy.
    #[error("the instrument is busy: {0}")]
    Busy(crate::instrument::scpi::Condition),
    /// The instrument does not answer.
    #[error(transparent)]
    Link(#[from] Error),
}

/// How often a scan is ended. The command of a killed process may reach the instrument after the condition was read.
const ENDED_SCANS: u32 = 5;

/// Makes sure that the instrument is idle, sets it to scan once for each start, and empties its error queue. Gives the
/// errors that were in the queue. With `ends_scans`, a scan that is in progress is ended.
///
/// # Errors
/// If the instrument is busy or does not answer.
pub async fn make_ready(instrument: &Ctp10, ends_scans: bool) -> Result<Vec<ErrorEntry>, NotReady> {
    // The analysis after a scan ends by itself, and an abort has no effect on it.
    let mut condition = instrument.wait_for_analysis().await?;
    for _ in 0..ENDED_SCANS {
        if !(condition.is_scan() && ends_scans) {
            break;
        }
        instrument.end_scan().await?;
        condition = instrument.wait_for_analysis().await?;
    }
    if !condition.is_idle() {
        return Err(NotReady::Busy(condition));
    }
    let left = instrument.drain_errors().await?;
    instrument.act(&Action::SetScanMode { continuous: false }).await?;
    Ok(left)
}

/// The instrument as the files of the run name it.
#[must_use]
pub fn record(identity: &Identity, address: &str, facts: &Facts) -> InstrumentRecord {
    let lasers =
        facts.lasers.iter().filter_map(|(number, identity)| Some((*number, identity.as_ref()?.to_string())));
    InstrumentRecord {
        address: address.to_owned(),
        simulated: identity.simulated(),
        identity: identity.to_string(),
        lasers: lasers.collect(),
    }
}
