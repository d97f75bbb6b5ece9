//! What the journal of a run says is in its folder.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::{PowerSegment, StoreError, read_run_journal};
use crate::measurement::TraceSummary;

/// What a record says of a file.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum FileEvent {
    TraceStored {
        trace: TraceSummary,
    },
    TraceWithdrawn {
        file: String,
    },
    PowerStored(PowerSegment),
    PowerWithdrawn {
        file: String,
    },
    #[serde(other)]
    Other,
}

/// A file that a run has stored.
#[derive(Debug)]
pub(super) enum Stored {
    Trace(TraceSummary),
    Power(PowerSegment),
}

/// For each name that was withdrawn, the record that said so last. What was stored under it before is gone.
fn withdrawals(folder: &Path) -> Result<BTreeMap<String, usize>, StoreError> {
    let mut withdrawn = BTreeMap::new();
    for (position, event) in read_run_journal::<FileEvent>(folder)?.enumerate() {
        match event {
            Ok(FileEvent::TraceWithdrawn { file } | FileEvent::PowerWithdrawn { file }) => {
                withdrawn.insert(file, position);
            }
            Ok(FileEvent::TraceStored { .. } | FileEvent::PowerStored(_) | FileEvent::Other) | Err(_) => {}
        }
    }
    Ok(withdrawn)
}

/// The files of a run, in order, read one by one; those that were withdrawn are left out.
pub(super) fn stored(
    folder: &Path,
) -> Result<impl Iterator<Item = Result<Stored, StoreError>> + use<>, StoreError> {
    let withdrawn = withdrawals(folder)?;
    let is_there = move |file: &str, position| withdrawn.get(file).is_none_or(|last| *last < position);
    Ok(read_run_journal::<FileEvent>(folder)?.enumerate().filter_map(move |(position, event)| match event {
        Ok(FileEvent::TraceStored { trace }) if is_there(&trace.file, position) => {
            Some(Ok(Stored::Trace(trace)))
        }
        Ok(FileEvent::PowerStored(segment)) if is_there(&segment.file, position) => {
            Some(Ok(Stored::Power(segment)))
        }
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    }))
}

/// The traces of a run, in order, read one by one; those that were withdrawn are left out. A line of the journal that
/// cannot be understood is an error among them, and does not end them.
///
/// # Errors
/// When the journal cannot be opened.
pub fn traces(
    folder: &Path,
) -> Result<impl Iterator<Item = Result<TraceSummary, StoreError>> + use<>, StoreError> {
    Ok(stored(folder)?.filter_map(|event| match event {
        Ok(Stored::Trace(trace)) => Some(Ok(trace)),
        Ok(Stored::Power(_)) => None,
        Err(error) => Some(Err(error)),
    }))
}
