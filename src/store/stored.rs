//! The files of a run according to its journal.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::{PowerSegment, StoreError, read_run_journal};
use crate::measurement::TraceSummary;

/// A record about a file.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum FileEvent {
    TraceStored {
        trace: Box<TraceSummary>,
    },
    TraceWithdrawn {
        trace_index: u64,
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
    Trace(Box<TraceSummary>),
    Power(PowerSegment),
}

/// The position of the last withdrawal of each file. An earlier file of the same name no longer exists.
fn withdrawals(folder: &Path) -> Result<BTreeMap<String, usize>, StoreError> {
    let mut withdrawn = BTreeMap::new();
    for (position, event) in read_run_journal::<FileEvent>(folder)?.enumerate() {
        match event {
            Ok(FileEvent::TraceWithdrawn { file, .. } | FileEvent::PowerWithdrawn { file }) => {
                withdrawn.insert(file, position);
            }
            Ok(FileEvent::TraceStored { .. } | FileEvent::PowerStored(_) | FileEvent::Other) | Err(_) => {}
        }
    }
    Ok(withdrawn)
}

/// The files of a run in order, without withdrawn files. They are read one by one.
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

/// The segments of recorded power of a run in order, without withdrawn ones. An invalid line of the journal is an error
/// among them.
///
/// # Errors
/// If the journal cannot be opened.
pub fn power(
    folder: &Path,
) -> Result<impl Iterator<Item = Result<PowerSegment, StoreError>> + use<>, StoreError> {
    Ok(stored(folder)?.filter_map(|event| match event {
        Ok(Stored::Power(segment)) => Some(Ok(segment)),
        Ok(Stored::Trace(_)) => None,
        Err(error) => Some(Err(error)),
    }))
}

/// The traces of a run in order, without withdrawn traces. They are read one by one. An invalid line of the journal
/// is an error among them, and reading continues.
///
/// # Errors
/// If the journal cannot be opened.
pub fn traces(
    folder: &Path,
) -> Result<impl Iterator<Item = Result<TraceSummary, StoreError>> + use<>, StoreError> {
    Ok(stored(folder)?.filter_map(|event| match event {
        Ok(Stored::Trace(trace)) => Some(Ok(*trace)),
        Ok(Stored::Power(_)) => None,
        Err(error) => Some(Err(error)),
    }))
}
