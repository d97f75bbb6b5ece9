//! Writes a trace on its own thread while the trace arrives, and records in the journal that the trace is stored.

use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::measurement::TraceSummary;
use crate::run::events::log::RunLog;
use crate::run::events::{Activity, RunEvent};
use crate::run::watchdog::Heartbeat;
use crate::step::{Fault, FaultKind};
use crate::store::{RunFolder, StoreError, TraceHeader};

/// The interval between two progress events.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// Why a trace was not stored.
pub(super) enum Unwritten {
    Store(StoreError),
    Told(Fault),
    /// The trace arrived, but it was not proved that it answers the query.
    Unproved,
}

impl From<StoreError> for Unwritten {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Unwritten> for Fault {
    fn from(unwritten: Unwritten) -> Self {
        match unwritten {
            Unwritten::Store(error) => error.into(),
            Unwritten::Told(fault) => fault,
            Unwritten::Unproved => Self::new(FaultKind::Link, "the trace could not be confirmed"),
        }
    }
}

/// Withdraws a trace. The journal records this first, so that it never lists a file that is missing.
pub(in crate::run) fn withdraw(
    folder: &RunFolder,
    log: &RunLog,
    trace: &TraceSummary,
    reason: String,
) -> Result<(), Fault> {
    let TraceSummary { trace_index, file, .. } = trace.clone();
    log.emit_durable_blocking(RunEvent::TraceWithdrawn { trace_index, file, reason })?;
    Ok(folder.remove(&trace.file)?)
}

#[expect(clippy::too_many_arguments, reason = "what a thread of its own takes along")]
pub(super) fn write(
    folder: &RunFolder,
    header: TraceHeader,
    mut arriving: mpsc::Receiver<Vec<f32>>,
    publish: oneshot::Receiver<()>,
    log: &RunLog,
    heartbeat: &Heartbeat,
    number: u64,
    old: Option<TraceSummary>,
) -> Result<TraceSummary, Unwritten> {
    let points = header.grid.points;
    let mut writer = folder.trace(header)?;
    let (began, mut told, mut count) = (Instant::now(), Instant::now(), 0_u64);
    while let Some(piece) = arriving.blocking_recv() {
        writer.push(&piece)?;
        heartbeat.beat();
        count += piece.len() as u64;
        if told.elapsed() >= PROGRESS_INTERVAL {
            told = Instant::now();
            #[expect(clippy::cast_precision_loss, reason = "a share for people to look at")]
            let done = count as f64 / points.max(1) as f64;
            let remaining_s = began.elapsed().as_secs_f64() * (1.0 - done) / done.max(1e-9);
            let activity = Activity::Transfer;
            let progress =
                RunEvent::Progress { number, activity, done: Some(done), remaining_s: Some(remaining_s) };
            // Progress is not kept in the journal, so this cannot fail.
            let _ = log.emit(progress);
        }
    }
    if count == points && publish.blocking_recv().is_err() {
        return Err(Unwritten::Unproved);
    }
    if let Some(old) = old.filter(|_| count == points) {
        let reason = "its sweep was repeated".to_owned();
        withdraw(folder, log, &old, reason).map_err(Unwritten::Told)?;
    }
    let trace = writer.finish()?;
    // The file has its name, so the journal must list it, whatever has become of the step.
    log.emit_durable_blocking(RunEvent::TraceStored { trace: trace.clone() }).map_err(Unwritten::Told)?;
    Ok(trace)
}
