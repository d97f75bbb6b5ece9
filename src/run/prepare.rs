//! Before a run: is the instrument free, is it what the recipe needs, and is it set to scan once for each start.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::budget::Budget;
use crate::forecast::facts::{self, Facts};
use crate::forecast::{self, Circumstances, PlannedStep, Walk};
use crate::header::Header;
use crate::instrument::scpi::{Action, ErrorEntry, Identity, Query};
use crate::instrument::{Ctp10, Error, TLS};
use crate::measurement::TraceKind;
use crate::recipe::Recipe;
use crate::source::{Diagnostic, SourceFile};
use crate::store::InstrumentRecord;

/// Walks a recipe beside the event loop: a script may compute for a while.
pub async fn walk(recipe: &Arc<Recipe>, circumstances: Circumstances, budget: &Budget) -> Walk {
    let recipe = Arc::clone(recipe);
    let walking = budget.run_on_thread(move || {
        let mut walked = forecast::walk(|host| recipe.perform(host), &recipe.texts(), circumstances);
        let taken = forecast::taken_detector_column(&recipe, &walked.steps);
        walked.findings.extend(taken);
        walked
    });
    walking.await.unwrap_or_else(|gone| Walk {
        steps: Vec::new(),
        probes: Vec::new(),
        findings: vec![Diagnostic::error(gone.to_string())],
        complete: true,
    })
}

/// Asks an instrument, by queries alone, for what the recipe needs, and says what it cannot do.
///
/// # Errors
/// When the link fails.
pub async fn compare(
    instrument: &Ctp10,
    header: &Header,
    steps: &[PlannedStep],
    sources: &[Arc<SourceFile>],
) -> Result<(Facts, Vec<Diagnostic>), Error> {
    let needs = facts::needs(header, steps);
    let mut known = Facts::default();
    for tls in TLS {
        known.tls.insert(tls, instrument.ask(&Query::tls_laser(tls)).await?);
    }
    let serving = known.tls.values().copied().filter(|laser| *laser > 0);
    let lasers: BTreeSet<u8> = needs.lasers.iter().copied().chain(serving).collect();
    for laser in lasers {
        known.lasers.insert(laser, instrument.probe(&Query::laser_identity(laser)).await?);
    }
    for detector in needs.detectors {
        // The unit can be asked while a scan runs, and of detectors that cannot be read.
        let there = instrument.probe(&Query::power_unit(detector)).await?.is_some();
        known.detectors.insert(detector, there);
    }
    for detector in needs.transmissions {
        if known.detectors.get(&detector) == Some(&true)
            && instrument.reference(detector).await?.is_some_and(|reference| reference.valid)
        {
            let scan = match instrument.trace_grid(detector, TraceKind::Reference).await {
                Ok(scan) => Some(scan),
                // Not every module may tell: then nothing is said of its range.
                Err(Error::Refused { .. } | Error::NoReply { .. } | Error::Implausible { .. }) => None,
                Err(error) => return Err(error),
            };
            known.references.insert(detector, scan);
        }
    }
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

/// Why an instrument cannot be used for a run right now.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// It is doing something else.
    #[error("the instrument is busy: {0}")]
    Busy(crate::instrument::scpi::Condition),
    /// It does not answer.
    #[error(transparent)]
    Link(#[from] Error),
}

/// Makes sure that the instrument is idle, sets it to scan once for each start, and empties the error queue; gives
/// the errors that others left there.
///
/// # Errors
/// When it is busy or does not answer.
pub async fn make_ready(instrument: &Ctp10) -> Result<Vec<ErrorEntry>, NotReady> {
    let condition = instrument.condition().await?;
    if !condition.is_idle() {
        return Err(NotReady::Busy(condition));
    }
    let left = instrument.drain_errors().await?;
    instrument.act(&Action::SetScanMode { continuous: false }).await?;
    Ok(left)
}

/// The instrument as the run's files name it.
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
