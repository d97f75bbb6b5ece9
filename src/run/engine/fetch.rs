//! Transfers traces from the instrument, and writes them while they arrive.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::Engine;
use crate::measurement::{Detector, Grid, TraceKind, TraceSummary, is_implausible_level};
use crate::operation::FetchTrace;
use crate::run::bench::describe;
use crate::run::context::StepContext;
use crate::run::engine::columns::FetchColumns;
use crate::run::events::log::RunLog;
use crate::run::events::{Activity, RunEvent};
use crate::run::state::history::History;
use crate::run::state::history::Slot;
use crate::run::watchdog::Heartbeat;
use crate::step::{Fault, FaultKind, Outcome};
use crate::store::{RunFolder, StoreError, TraceHeader, space_for_trace};
use crate::threads;

/// Pieces of a trace that may wait for the disk. More would only use memory.
const PIECES_WAITING: usize = 16;
/// The interval between two progress events.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

impl Engine {
    pub(super) async fn fetch_traces(
        &mut self,
        ctx: &StepContext,
        fields: &FetchTrace,
    ) -> Result<Outcome, Fault> {
        let is_old = self.log.history(History::has_old_traces_in_memory);
        if is_old && ctx.repair.is_none() && ctx.step.operation.traits().reads_live() {
            let message = "the last sweep failed: the memory contains an older trace";
            return Err(Fault::new(FaultKind::Refused, message).hint("give the sweep a `retry`"));
        }
        // After a wait for disk space, the traces that are already stored are not fetched again.
        let stored = self.shortage.fetched.len();
        let pairs =
            |detector: &Detector| fields.traces.iter().map(|kind| (*detector, *kind)).collect::<Vec<_>>();
        let wanted: Vec<(Detector, TraceKind)> = fields.detectors.iter().flat_map(pairs).collect();
        let mut columns = self.fetch_columns(ctx, fields)?;
        for (index, (detector, kind)) in wanted.into_iter().enumerate().skip(stored) {
            // A trace of an earlier attempt stays until its replacement has arrived.
            let old = self.slots(ctx).get(index).cloned();
            let trace = self.fetch_trace(ctx, detector, kind, (fields, &mut columns), old).await?;
            self.shortage.fetched.push(trace);
        }
        Ok(Outcome::Traces(std::mem::take(&mut self.shortage.fetched)))
    }

    /// The traces of earlier attempts at this fetch. The new traces replace them.
    fn slots(&self, ctx: &StepContext) -> Vec<Slot> {
        let known = self.log.history(|history| history.slots(ctx.number).to_vec());
        let Some(repair) = &ctx.repair else { return known };
        let newest = |slot: &Slot| known.iter().find(|known| known.trace_index == slot.trace_index);
        repair.slots.iter().map(|slot| newest(slot).unwrap_or(slot).clone()).collect()
    }

    async fn fetch_trace(
        &mut self,
        ctx: &StepContext,
        detector: Detector,
        kind: TraceKind,
        (fields, columns): (&FetchTrace, &mut FetchColumns),
        old: Option<Slot>,
    ) -> Result<TraceSummary, Fault> {
        let mark = self.bench.ctp10().mark().await?;
        let grid = self.bench.ctp10().trace_grid(detector, kind).await?;
        self.check_axis(detector, kind, grid)?;
        let room = space_for_trace(grid.points);
        let no_room = StoreError::Full { path: self.output.folder.path().to_owned() };
        if !self.output.disk.has(room, true).await {
            self.shortage.wanted = Some(room);
            return Err(no_room.into());
        }
        if fields.transfer_x {
            self.confirm_grid(detector, kind, grid).await?;
        }
        let traces = self.log.history(|history| history.traces);
        let (sweep_index, attempt) = self.sweep_of(ctx);
        let header = TraceHeader {
            trace_index: old.as_ref().map_or(traces + 1, |old| old.trace_index),
            sweep_index,
            attempt: attempt.max(1),
            detector,
            trace: kind,
            name: fields.name.clone().unwrap_or_default(),
            grid,
            simulated: self.bench.simulated,
            constants: self.constants(ctx, columns, detector),
            metadata: self.trace_metadata(ctx, detector).await?,
        };
        let (values, arriving) = mpsc::channel(PIECES_WAITING);
        let (folder, log, number) = (Arc::clone(&self.output.folder), self.log.clone(), ctx.number);
        let heartbeat = self.bench.heartbeat.clone();
        // The instrument may need time to prepare the block.
        heartbeat.beat_for(self.bench.ctp10().deadlines().block_start);
        // The encoder works during the transfer, so that the link is busy only as long as the wire needs.
        let old = old.and_then(|old| old.stored);
        let (proof, proved) = oneshot::channel();
        let writing = threads::begin("trace", move || {
            write(&folder, header, arriving, proved, &log, &heartbeat, number, old)
        });
        let transferred = async {
            self.bench.ctp10().trace_values(detector, kind, grid.points, &values).await?;
            drop(values);
            self.bench.ctp10().make_sure_of_traces().await?;
            self.bench.ctp10().prove(mark).await
        };
        let transferred = transferred.await;
        if transferred.is_ok() {
            // A writer that has failed does not receive this.
            let _ = proof.send(());
        } else {
            drop(proof);
        }
        let written = writing.await?;
        let trace = match (transferred, written) {
            // Another program has filled the disk.
            (_, Err(disk @ Unwritten::Store(StoreError::Full { .. }))) => {
                self.shortage.wanted = Some(room);
                return Err(disk.into());
            }
            (Ok(()), written) => written?,
            (
                Err(error),
                Ok(_) | Err(Unwritten::Unproved | Unwritten::Store(StoreError::Incomplete { .. })),
            ) => {
                return Err(error.into());
            }
            // If the disk fails, the transfer fails too. The error of the disk is more useful.
            (_, Err(disk)) => return Err(disk.into()),
        };
        self.decide_columns(columns)?;
        self.log.emit_durable(RunEvent::TraceStored { trace: trace.clone() }).await?;
        self.warn_of_values(&trace)?;
        Ok(trace)
    }

    /// The sweep that a fetched trace belongs to, counted from 1, and the attempt at it.
    fn sweep_of(&self, ctx: &StepContext) -> (u64, u32) {
        if let Some(repair) = &ctx.repair {
            return (repair.sweep_index, repair.attempt);
        }
        let of_sweep =
            |history: &History| Some((history.sweep.as_ref()?.index, history.sweep.as_ref()?.attempt));
        self.log.history(of_sweep).unwrap_or_default()
    }

    /// The metadata for the file: how its trace was measured.
    async fn trace_metadata(
        &self,
        ctx: &StepContext,
        detector: Detector,
    ) -> Result<BTreeMap<String, Value>, Fault> {
        let mut metadata = self.output.metadata.clone();
        let settings = match &self.bench.swept {
            Some(settings) => describe(settings),
            None => describe(&self.bench.scan_settings().await?),
        };
        metadata.insert("sweep_settings".to_owned(), Value::Object(settings));
        metadata.insert("detector".to_owned(), Value::String(self.detector_name(ctx, detector)));
        if let Some(taken) =
            self.bench.ctp10().reference(detector).await?.and_then(|reference| reference.taken)
        {
            metadata.insert("reference_taken".to_owned(), Value::String(taken.to_string()));
        }
        Ok(metadata)
    }

    /// A live trace must cover the range of the last sweep. Another axis belongs to another scan, or the reply was
    /// damaged.
    fn check_axis(&self, detector: Detector, kind: TraceKind, grid: Grid) -> Result<(), Fault> {
        let is_live = matches!(kind, TraceKind::Tf | TraceKind::Raw);
        let scan = self.bench.swept.as_ref().filter(|_| is_live);
        let Some(reason) = scan.and_then(|scan| scan.contradicts(grid)) else { return Ok(()) };
        let message = format!("the {kind} trace of {detector} does not belong to the last sweep: {reason}");
        Err(Fault::new(FaultKind::Instrument, message))
    }

    /// Warns about implausible values of a stored trace.
    fn warn_of_values(&self, trace: &TraceSummary) -> Result<(), Fault> {
        let TraceSummary { file, grid, nulls, min, max, unit, above_reference_db, .. } = trace;
        let strange = [min, max].into_iter().flatten().find(|level| is_implausible_level(level.value));
        let message = if *nulls == grid.points {
            format!(
                "{file} contains no value: the instrument has sent no number for any of its {nulls} points"
            )
        } else if let Some(level) = strange {
            format!(
                "{file} contains {:e} {unit} at {} nm, which cannot be a measured value",
                level.value, level.nm
            )
        } else if let Some(level) = above_reference_db {
            format!(
                "{file}: a transmission of +{level:.2} dB is impossible for a passive device; check whether the reference had another power, range or laser"
            )
        } else {
            return Ok(());
        };
        self.log.emit(RunEvent::Warning { message })
    }

    /// Transfers the wavelength axis and confirms that it is the even grid that the file states.
    async fn confirm_grid(&self, detector: Detector, kind: TraceKind, grid: Grid) -> Result<(), Fault> {
        self.bench.heartbeat.beat_for(self.bench.ctp10().deadlines().block_start);
        let (metres, mut arriving) = mpsc::channel::<Vec<f64>>(PIECES_WAITING);
        let compare = async {
            let (mut index, mut worst) = (0, (0.0, 0));
            while let Some(piece) = arriving.recv().await {
                self.bench.heartbeat.beat();
                for metres in piece {
                    let off_pm = (metres * 1e9 - grid.wavelength_nm(index)).abs() * 1e3;
                    if off_pm.is_nan() || off_pm > worst.0 {
                        worst = (off_pm, index);
                    }
                    index += 1;
                }
            }
            worst
        };
        let transfer = async {
            let transferred =
                self.bench.ctp10().trace_wavelengths(detector, kind, grid.points, &metres).await;
            drop(metres);
            transferred
        };
        let (transferred, (off_pm, index)) = tokio::join!(transfer, compare);
        transferred?;
        if off_pm <= grid.step_pm * 0.01 {
            return Ok(());
        }
        let message = format!(
            "the wavelength axis of {detector} is not even: point {index} is {off_pm} pm off its grid"
        );
        Err(Fault::new(FaultKind::Instrument, message))
    }
}

/// Why a trace was not stored.
enum Unwritten {
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
fn write(
    folder: &RunFolder,
    header: TraceHeader,
    mut arriving: mpsc::Receiver<Vec<f32>>,
    proved: oneshot::Receiver<()>,
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
    if count == points && proved.blocking_recv().is_err() {
        return Err(Unwritten::Unproved);
    }
    if let Some(old) = old.filter(|_| count == points) {
        let reason = "its sweep was repeated".to_owned();
        withdraw(folder, log, &old, reason).map_err(Unwritten::Told)?;
    }
    Ok(writer.finish()?)
}
