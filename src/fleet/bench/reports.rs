//! What a bench reports about its claims: the state of each item in its own queue, compared with the entry on the broker.

use chrono::Utc;

use crate::catalogue::{ItemRow, ItemState};
use crate::fleet::entry::{AcceptedRun, Entry, FleetState};
use crate::fleet::mirror::Known;
use crate::fleet::rules::{self, Claim, Refused, Report};
use crate::store::FleetRecord;

/// What a local item of the fleet needs.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Need {
    /// Nothing: the entry knows everything, or the item is being measured.
    Nothing,
    /// This report.
    Report(Report),
    /// The claim was lost, so the item leaves the local queue.
    Withdraw(String),
}

/// What a local item needs, for the present entry. `given_back` says that this bench has stopped the run, because it
/// could not renew the lease.
pub(super) fn need(item: &ItemRow, claim: &FleetRecord, known: &Known<Entry>, given_back: bool) -> Need {
    let who = Claim { bench: &claim.bench, epoch: claim.epoch };
    let entry = &known.value;
    let lost = match rules::owned(entry, known.revision, who) {
        Err(lost) => Some(lost),
        Ok(_) if entry.content != claim.content => {
            Some(Refused::Lost { epoch: claim.epoch, now: "the batch is another one".to_owned() })
        }
        Ok(_) => None,
    };
    match (lost, item.state) {
        (None, ItemState::Queued | ItemState::Running) if entry.state == FleetState::Held => {
            Need::Report(Report::Resumed)
        }
        (None, ItemState::Queued | ItemState::Running) => Need::Nothing,
        (None, ItemState::Done) => Need::Report(measured(item, claim)),
        (None, ItemState::Failed) => Need::Report(Report::Failed(reason(item))),
        (None, ItemState::Held) if entry.state == FleetState::Claimed => {
            Need::Report(Report::Held(reason(item)))
        }
        (None, ItemState::Held) => Need::Nothing,
        (None, ItemState::Removed) if given_back => Need::Report(Report::Returned),
        (None, ItemState::Removed) => {
            Need::Report(Report::Failed(format!("removed at the bench: {}", reason(item))))
        }
        (None, ItemState::Skipped) => Need::Report(Report::Late(reason(item))),
        // The report has arrived, or the item has left the queue already.
        (Some(_), ItemState::Failed | ItemState::Removed | ItemState::Skipped) => Need::Nothing,
        (Some(_), ItemState::Done) if counts(item, entry) => Need::Nothing,
        (Some(lost), ItemState::Done | ItemState::Queued | ItemState::Running | ItemState::Held) => {
            Need::Withdraw(format!("superseded: {lost}"))
        }
    }
}

/// Whether the accepted run is a run of this local item.
fn counts(item: &ItemRow, entry: &Entry) -> bool {
    entry.accepted.as_ref().is_some_and(|accepted| item.runs.iter().any(|(run, _)| *run == accepted.run))
}

fn reason(item: &ItemRow) -> String {
    item.reason.clone().unwrap_or_else(|| "no reason is known".to_owned())
}

fn measured(item: &ItemRow, claim: &FleetRecord) -> Report {
    let (run, folder) = item.runs.last().cloned().unwrap_or_default();
    Report::Measured(AcceptedRun {
        bench: claim.bench.clone(),
        run,
        folder,
        epoch: claim.epoch,
        ended: Utc::now(),
        verdict: None,
        store: None,
    })
}
