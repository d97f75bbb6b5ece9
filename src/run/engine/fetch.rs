//! Transfers traces from the instrument, and writes them while they arrive. The end of a trace is encoded and synced during
//! the transfer of the next one.

mod arrived;
mod write;
mod writers;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::Engine;
use crate::instrument::ScanSettings;
use crate::instrument::scpi::TraceAddress;
use crate::measurement::{
    Detector, Grid, Joint, ReferenceRecord, TraceKind, TraceSummary, is_implausible_level,
};
use crate::operation::FetchTrace;
use crate::run::bench::describe;
use crate::run::context::StepContext;
use crate::run::engine::columns::FetchColumns;
use crate::run::events::RunEvent;
use crate::run::state::history::{History, Slot};
use crate::shown::quantity;
use crate::step::{Column, Fault, FaultKind, Outcome};
use crate::store::{StoreError, TraceHeader, space_for_trace};
use crate::threads;
use arrived::{Arrived, NotStored};
pub(in crate::run) use write::withdraw;
use write::write;
pub(in crate::run) use writers::Writers;

/// Pieces of a trace that may wait for the disk. More would only use memory.
const PIECES_WAITING: usize = 16;
/// The last digit of a wavelength in a reply, pm.
const LAST_DIGIT_PM: f64 = 0.01;

impl Engine {
    pub(super) async fn fetch_traces(
        &mut self,
        ctx: &StepContext,
        fields: &FetchTrace,
    ) -> Result<Outcome, Fault> {
        let is_old = self.log.history(History::has_old_traces_in_memory);
        if is_old && ctx.repair.is_none() && ctx.step.operation.traits().reads_live() {
            let message = "the memory does not contain the traces of the last sweep: the sweep failed, or a check of `create_reference` has replaced them";
            let hint = "give the sweep a `retry`, and fetch its traces before the next `create_reference`";
            return Err(Fault::new(FaultKind::Refused, message).hint(hint));
        }
        // After a wait for disk space, the traces that are already stored are not fetched again.
        let stored = self.shortage.fetched.len();
        let pairs =
            |detector: &Detector| fields.traces.iter().map(|kind| (*detector, *kind)).collect::<Vec<_>>();
        let wanted: Vec<(Detector, TraceKind)> = fields.detectors.iter().flat_map(pairs).collect();
        let columns = self.fetch_columns(ctx, fields)?;
        let mut undecided = columns.new.clone();
        // A trace of an earlier attempt stays until its replacement has arrived.
        let slots = self.slots(ctx);
        let mut traces = self.log.history(|history| history.traces);
        let mut before = None;
        for (index, (detector, kind)) in wanted.into_iter().enumerate().skip(stored) {
            let old = slots.get(index).cloned();
            let trace_index = old.as_ref().map_or_else(
                || {
                    traces += 1;
                    traces
                },
                |old| old.trace_index,
            );
            let old = old.and_then(|old| old.stored);
            // The trace before this one is encoded and synced during the transfer. Traces are published in their order.
            let transfer = self.transfer(ctx, detector, kind, (fields, &columns), (trace_index, old));
            let (arrived, stored) = tokio::join!(transfer, self.store(before.take(), &mut undecided));
            if let Err(fault) = self.keep(stored) {
                if let Ok(arrived) = arrived {
                    arrived.discard().await;
                }
                return Err(fault);
            }
            before = Some(arrived.map_err(|not_stored| self.note_shortage(not_stored))?);
        }
        let stored = self.store(before, &mut undecided).await;
        self.keep(stored)?;
        Ok(Outcome::Traces(std::mem::take(&mut self.shortage.fetched)))
    }

    /// The traces of earlier attempts at this fetch. The new traces replace them.
    fn slots(&self, ctx: &StepContext) -> Vec<Slot> {
        if ctx.keeps_traces {
            return Vec::new();
        }
        let known = self.log.history(|history| history.slots(ctx.number).to_vec());
        let Some(repair) = &ctx.repair else { return known };
        let newest = |slot: &Slot| known.iter().find(|known| known.trace_index == slot.trace_index);
        repair.slots.iter().map(|slot| newest(slot).unwrap_or(slot).clone()).collect()
    }

    /// Transfers a trace and proves it, while a thread encodes it.
    async fn transfer(
        &self,
        ctx: &StepContext,
        detector: Detector,
        kind: TraceKind,
        (fields, columns): (&FetchTrace, &FetchColumns),
        (trace_index, old): (u64, Option<TraceSummary>),
    ) -> Result<Arrived, NotStored> {
        let mark = self.bench.ctp10().mark().await?;
        let address = TraceAddress { detector, kind, without_channel: fields.without_channel };
        let grid = self.bench.ctp10().trace_grid(address).await?;
        self.check_axis(detector, kind, grid)?;
        let room = space_for_trace(grid.points);
        if !self.output.disk.has(room, true).await {
            let fault = StoreError::Full { path: self.output.folder.path().to_owned() }.into();
            return Err(NotStored { fault, missing: Some(room) });
        }
        if fields.transfer_x {
            self.confirm_grid(address, grid).await?;
        }
        let (sweep_index, attempt) = self.sweep_of(ctx);
        let reference = match kind {
            TraceKind::Tf | TraceKind::Reference => {
                self.bench.reference_of_transmission(ctx.number, &self.output.folder, detector).await?
            }
            TraceKind::Raw | TraceKind::QuickReference | TraceKind::Other(_) => None,
        };
        let header = TraceHeader {
            trace_index,
            sweep_index,
            attempt: attempt.max(1),
            detector,
            detector_name: self.recipe.detector_name(&ctx.step.place.path, detector).map(str::to_owned),
            trace: kind,
            unit: fields.unit_of(kind, self.bench.measures_photocurrent(detector)),
            joints: self.joints(kind),
            name: fields.name.clone().unwrap_or_default(),
            grid,
            simulated: self.bench.simulated,
            constants: self.constants(ctx, columns, detector),
            metadata: self.trace_metadata(ctx, detector, reference.as_ref()).await?,
            reference: reference.as_ref().map(ReferenceRecord::name),
            turns: ctx.step.place.shown_turns(),
        };
        let (values, arriving) = mpsc::channel(PIECES_WAITING);
        let (folder, log, number) = (Arc::clone(&self.output.folder), self.log.clone(), ctx.number);
        let heartbeat = self.bench.heartbeat.clone();
        // The instrument may need time to prepare the block.
        heartbeat.beat_for(self.bench.ctp10().deadlines().block_start);
        // The encoder works during the transfer, so that the link is busy only as long as the wire needs.
        let (publish, may_publish) = oneshot::channel();
        let guard = self.writers.begin().await;
        let writing = threads::begin("trace", move || {
            let written = write(&folder, header, arriving, may_publish, &log, &heartbeat, number, old);
            drop(guard);
            written
        });
        let arrived = Arrived { publish, writing: Box::pin(writing), room };
        let transferred = async {
            self.bench.ctp10().trace_values(address, grid.points, &values).await?;
            drop(values);
            self.bench.ctp10().make_sure_of_traces().await?;
            self.bench.ctp10().prove(mark).await
        };
        match transferred.await {
            Ok(()) => Ok(arrived),
            Err(error) => Err(arrived.fail(error).await),
        }
    }

    /// Publishes a trace that has arrived. Its thread emits that it is stored, because a stop or the time limit may end this.
    async fn store(
        &self,
        arrived: Option<Arrived>,
        undecided: &mut BTreeMap<String, Column>,
    ) -> Result<Option<TraceSummary>, NotStored> {
        let Some(arrived) = arrived else { return Ok(None) };
        self.decide_columns(undecided)?;
        let trace = arrived.publish().await?;
        self.warn_of_values(&trace)?;
        Ok(Some(trace))
    }

    fn keep(&mut self, stored: Result<Option<TraceSummary>, NotStored>) -> Result<(), Fault> {
        let trace = stored.map_err(|not_stored| self.note_shortage(not_stored))?;
        self.shortage.fetched.extend(trace);
        Ok(())
    }

    fn note_shortage(&mut self, NotStored { fault, missing }: NotStored) -> Fault {
        self.shortage.wanted = missing.or(self.shortage.wanted);
        fault
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
        reference: Option<&ReferenceRecord>,
    ) -> Result<BTreeMap<String, Value>, Fault> {
        let mut metadata = self.output.metadata.clone();
        let settings = match &self.bench.swept {
            Some(settings) => describe(settings),
            None => describe(&self.bench.scan_settings().await?),
        };
        metadata.insert("sweep_settings".to_owned(), Value::Object(settings));
        metadata.insert("detector".to_owned(), Value::String(self.detector_name(ctx, detector)));
        if let Some(reference) = reference {
            metadata.insert("reference_taken".to_owned(), Value::String(reference.taken.to_string()));
            metadata.insert("reference".to_owned(), serde_json::to_value(reference).unwrap_or_default());
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

    /// The wavelengths where one laser of the last sweep may take over from another. A transmission has no step there,
    /// because each laser has its own part of the reference.
    fn joints(&self, kind: TraceKind) -> Vec<Joint> {
        let joints = self.bench.swept.as_ref().map(ScanSettings::joints).unwrap_or_default();
        match kind {
            TraceKind::Raw => joints,
            TraceKind::Tf => joints.into_iter().map(|joint| Joint { set_db: 0.0, ..joint }).collect(),
            TraceKind::Reference | TraceKind::QuickReference | TraceKind::Other(_) => Vec::new(),
        }
    }

    /// Warns about implausible values of a stored trace, and about steps at its seams.
    fn warn_of_values(&self, trace: &TraceSummary) -> Result<(), Fault> {
        let TraceSummary { file, grid, nulls, min, max, unit, above_reference_db, seams, .. } = trace;
        for seam in seams.iter().filter(|seam| seam.is_step()) {
            let advice = match trace.trace {
                TraceKind::Tf => "take a new reference",
                TraceKind::Raw | TraceKind::Reference | TraceKind::QuickReference | TraceKind::Other(_) => {
                    "compare the powers of the lasers, and whether they saturate the detector"
                }
            };
            let message = format!("{file}: {seam}; {advice}");
            self.log.emit(RunEvent::Warning { message })?;
        }
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
                "{file}: a transmission of +{} is impossible for a passive device; check whether the reference had another power, range or laser",
                quantity(*level, None, "dB")
            )
        } else {
            return Ok(());
        };
        self.log.emit(RunEvent::Warning { message })
    }

    /// Transfers the wavelength axis and confirms that it is the even grid that the file states.
    async fn confirm_grid(&self, trace: TraceAddress, grid: Grid) -> Result<(), Fault> {
        self.bench.heartbeat.beat_for(self.bench.ctp10().deadlines().block_start);
        let (metres, mut arriving) = mpsc::channel::<Vec<f64>>(PIECES_WAITING);
        let compare = async {
            let axis = grid.axis();
            let (mut index, mut worst) = (0, (0.0, 0));
            while let Some(piece) = arriving.recv().await {
                self.bench.heartbeat.beat();
                for metres in piece {
                    let off_pm = (metres * 1e9 - axis.nm(index)).abs() * 1e3;
                    if off_pm.is_nan() || off_pm > worst.0 {
                        worst = (off_pm, index);
                    }
                    index += 1;
                }
            }
            worst
        };
        let transfer = async {
            let transferred = self.bench.ctp10().trace_wavelengths(trace, grid.points, &metres).await;
            drop(metres);
            transferred
        };
        let (transferred, (off_pm, index)) = tokio::join!(transfer, compare);
        transferred?;
        if off_pm <= grid.step_pm * 0.01 + LAST_DIGIT_PM {
            return Ok(());
        }
        let message = format!(
            "the wavelength axis of {} is not even: point {index} is {off_pm} pm off its grid",
            trace.detector
        );
        Err(Fault::new(FaultKind::Instrument, message))
    }
}
