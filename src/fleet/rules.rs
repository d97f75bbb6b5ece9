//! What may become of an item: pure functions from an entry to its next value. The caller writes the value only if the
//! revision of the entry is unchanged.

#[cfg(test)]
pub(super) mod tests;

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::entry::{AcceptedRun, Entry, FailedRun, FleetState, Owner};
use crate::batch::Placement;

/// An item that failed on this many benches waits for a person.
const MOST_BENCHES: usize = 2;
/// A bench stops its run after this part of the lease without a renewal, so that the lasers are off before another bench
/// begins.
const STOP_PART: f64 = 2.0 / 3.0;
/// A bench renews its lease after this part of it.
const RENEW_PART: f64 = 1.0 / 6.0;

/// Why a bench must not change an item.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// The state of the item does not allow the change.
    #[error("the item is {}", .0.as_str())]
    State(FleetState),
    /// The item belongs to other benches.
    #[error("the bench cannot do the item: {0}")]
    Unsuitable(String),
    /// Another claim has replaced the claim.
    #[error("the claim with epoch {epoch} was lost: {now}")]
    Lost {
        /// The epoch of the lost claim.
        epoch: u64,
        /// The present owner, or the state.
        now: String,
    },
}

/// A claim of a bench.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim<'a> {
    /// The bench.
    pub bench: &'a str,
    /// The revision at the claim.
    pub epoch: u64,
}

/// What a bench reports about a claim.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Report {
    /// The run succeeded.
    Measured(AcceptedRun),
    /// The run failed, and so did its repetitions.
    Failed(String),
    /// The item waits for a person at the bench.
    Held(String),
    /// A person at the bench has released the item, so the bench will measure it.
    Resumed,
    /// The bench gives the item back without a result.
    Returned,
    /// The deadline has passed before the run.
    Late(String),
}

/// Why a bench with this name and these labels cannot do an item; `None` if it can.
#[must_use]
pub(super) fn unsuitable(placement: &Placement, bench: &str, labels: &[String]) -> Option<String> {
    if let Some(only) = placement.bench.as_deref().filter(|only| *only != bench) {
        return Some(format!("only bench {only} may take it"));
    }
    let missing: Vec<&str> =
        placement.needs.iter().filter(|need| !labels.contains(need)).map(String::as_str).collect();
    (!missing.is_empty()).then(|| format!("the bench has no label {}", missing.join(", ")))
}

/// Whether a bench that has seen no newer revision for this long may take the item over.
#[must_use]
pub(super) fn is_expired(entry: &Entry, unchanged: Duration) -> bool {
    let lease = entry.owner.as_ref().and_then(|owner| owner.lease_s);
    entry.state == FleetState::Claimed && lease.is_some_and(|lease| unchanged.as_secs_f64() > lease)
}

/// When a bench renews a lease, and when it stops its run without a renewal.
#[must_use]
pub(super) fn lease_times(lease_s: f64) -> (Duration, Duration) {
    let part = |part: f64| Duration::try_from_secs_f64(lease_s * part).unwrap_or(Duration::MAX);
    (part(RENEW_PART), part(STOP_PART))
}

/// The item with a claim of this bench. `unchanged` is the time since the bench has first seen the present revision.
///
/// # Errors
/// If the item is not waiting, or the bench cannot do it.
pub(super) fn claim(
    entry: &Entry,
    (bench, labels): (&str, &[String]),
    lease: Duration,
    unchanged: Duration,
    now: DateTime<Utc>,
) -> Result<Entry, Refused> {
    if entry.state != FleetState::Queued && !is_expired(entry, unchanged) {
        return Err(Refused::State(entry.state));
    }
    if let Some(why) = unsuitable(&entry.task.placement, bench, labels) {
        return Err(Refused::Unsuitable(why));
    }
    if entry.failed.iter().any(|failed| failed.bench == bench) {
        return Err(Refused::Unsuitable("its run failed on this bench".to_owned()));
    }
    let lease_s = entry.task.placement.elsewhere.then_some(lease.as_secs_f64());
    let owner = Owner { bench: bench.to_owned(), epoch: None, since: now, lease_s, renewed: 0 };
    Ok(Entry { state: FleetState::Claimed, reason: None, owner: Some(owner), ..entry.clone() })
}

/// The item, if the claim still holds.
///
/// # Errors
/// If another claim has replaced it.
pub(super) fn owned(entry: &Entry, revision: u64, claim: Claim<'_>) -> Result<Entry, Refused> {
    let has_claim = matches!(entry.state, FleetState::Claimed | FleetState::Held);
    match &entry.owner {
        Some(owner)
            if has_claim && owner.bench == claim.bench && entry.epoch(revision) == Some(claim.epoch) =>
        {
            let owner = Owner { epoch: Some(claim.epoch), ..owner.clone() };
            Ok(Entry { owner: Some(owner), ..entry.clone() })
        }
        owner => Err(Refused::Lost { epoch: claim.epoch, now: present(entry, owner.as_ref(), revision) }),
    }
}

fn present(entry: &Entry, owner: Option<&Owner>, revision: u64) -> String {
    match owner {
        Some(owner) => {
            format!("bench {} has the item with epoch {}", owner.bench, owner.epoch.unwrap_or(revision))
        }
        None => format!("the item is {}", entry.state.as_str()),
    }
}

/// The item with a renewed lease.
///
/// # Errors
/// If the claim was lost.
pub(super) fn renew(entry: &Entry, revision: u64, claim: Claim<'_>) -> Result<Entry, Refused> {
    let mut next = owned(entry, revision, claim)?;
    if let Some(owner) = &mut next.owner {
        owner.renewed += 1;
    }
    Ok(next)
}

/// The item after a report of its owner.
///
/// # Errors
/// If the claim was lost. The report then changes nothing.
pub(super) fn report(
    entry: &Entry,
    revision: u64,
    claim: Claim<'_>,
    report: Report,
) -> Result<Entry, Refused> {
    let mut next = owned(entry, revision, claim)?;
    next.reason = None;
    match report {
        Report::Measured(run) => {
            next.state = FleetState::Measured;
            next.accepted = Some(run);
            next.owner = None;
        }
        Report::Failed(reason) => {
            let place = &next.task.placement;
            next.failed.push(FailedRun { bench: claim.bench.to_owned(), reason });
            next.owner = None;
            // No other bench may try an item that names its only bench.
            let held = next.failed.len() >= MOST_BENCHES || place.bench.is_some();
            next.state = if held { FleetState::Held } else { FleetState::Queued };
            next.reason = next
                .failed
                .last()
                .map(|failed| format!("failed on bench {}: {}", failed.bench, failed.reason));
        }
        Report::Held(reason) => {
            next.state = FleetState::Held;
            next.reason = Some(format!("held at bench {}: {reason}", claim.bench));
        }
        Report::Resumed => next.state = FleetState::Claimed,
        Report::Returned => {
            next.state = FleetState::Queued;
            next.owner = None;
        }
        Report::Late(reason) => {
            next.state = FleetState::Skipped;
            next.owner = None;
            next.reason = Some(reason);
        }
    }
    Ok(next)
}

/// The item after its result was recorded in the store. The run of the record counts, which may be another one than that of the
/// entry. A queued item has lost its result together with the disk of the broker.
///
/// # Errors
/// If a bench has the item, or it has left the queue without a result.
pub(super) fn stored(entry: &Entry, run: AcceptedRun) -> Result<Entry, Refused> {
    match entry.state {
        FleetState::Measured | FleetState::Queued => {
            Ok(Entry { state: FleetState::Stored, reason: None, accepted: Some(run), ..entry.clone() })
        }
        state @ (FleetState::Claimed | FleetState::Stored | FleetState::Held | FleetState::Skipped) => {
            Err(Refused::State(state))
        }
    }
}

/// The item after its deadline has passed.
///
/// # Errors
/// If the item is not waiting.
pub(super) fn skip(entry: &Entry, reason: String) -> Result<Entry, Refused> {
    match entry.state {
        FleetState::Queued => Ok(Entry { state: FleetState::Skipped, reason: Some(reason), ..entry.clone() }),
        state => Err(Refused::State(state)),
    }
}

/// The item after a person has queued it again. A claim on it is lost, and earlier failures are forgotten.
///
/// # Errors
/// If the item has a result, or waits already.
pub(super) fn release(entry: &Entry) -> Result<Entry, Refused> {
    match entry.state {
        FleetState::Claimed | FleetState::Held | FleetState::Skipped => Ok(Entry {
            state: FleetState::Queued,
            reason: None,
            owner: None,
            failed: Vec::new(),
            deadline: entry.deadline.filter(|_| entry.state != FleetState::Skipped),
            ..entry.clone()
        }),
        state @ (FleetState::Queued | FleetState::Measured | FleetState::Stored) => {
            Err(Refused::State(state))
        }
    }
}
