//! The operation that takes references: whether an existing one can be used, and what must be connected for a new one.

use chrono::Utc;

use super::Engine;
use crate::measurement::{CheckLevel, Detector, ReferenceRecord, ScanRange, Stale, TraceKind};
use crate::operation::{CreateReference, DriftCheck, IfStale, UnattendedReference};
use crate::run::bench::{NewReference, SettingsOf, age_s, moment_of};
use crate::run::context::StepContext;
use crate::run::events::RunEvent;
use crate::step::{Fault, FaultKind, Outcome};

/// The answers to the question about a stale reference.
const NEW: &str = "new";
const KEEP: &str = "keep";
const STOP: &str = "stop";

/// An existing reference that a step uses.
struct Usable {
    reference: ReferenceRecord,
    age_s: f64,
    drift_db: Option<f64>,
}

/// The result of the examination of an existing reference: it is usable, or stale.
enum Examined {
    Usable(Usable),
    /// With the reference, if there is one.
    Stale(Stale, Option<ReferenceRecord>),
}

impl Engine {
    pub(super) async fn create_reference(
        &mut self,
        ctx: &StepContext,
        fields: &CreateReference,
    ) -> Result<Outcome, Fault> {
        let level = match fields.check {
            Some(check) => Some(self.check_level(ctx.number, check).await?),
            None => None,
        };
        let mut created = false;
        for detector in &fields.detectors {
            created |= self.create_reference_of(ctx, fields, *detector, level).await?;
        }
        Ok(Outcome::Reference { created })
    }

    /// Measures the level of the check detector, once for all references of the step.
    async fn check_level(&mut self, number: u64, check: DriftCheck) -> Result<CheckLevel, Fault> {
        loop {
            if let Some(dbm) = self.bench.mean_dbm(number, check.detector).await? {
                return Ok(CheckLevel { detector: check.detector, dbm });
            }
            self.bench.restore_if_forgotten(number).await?;
        }
    }

    /// Makes sure that one detector has its reference; gives whether the reference is a new one.
    async fn create_reference_of(
        &mut self,
        ctx: &StepContext,
        fields: &CreateReference,
        detector: Detector,
        level: Option<CheckLevel>,
    ) -> Result<bool, Fault> {
        let mut reason = None;
        if let Some(max_age) = fields.max_age_min {
            let limit_db = fields.check.map(|check| check.max_drift_db.get());
            let mut proof = self.bench.ctp10().begin_proof().await?;
            let examined = loop {
                let examined = self.examine(detector, fields, max_age.get(), level.zip(limit_db)).await?;
                if self.bench.ctp10().holds(&mut proof).await? {
                    break examined;
                }
            };
            match examined {
                Examined::Usable(usable) => return self.use_reference(ctx.number, usable).map(|()| false),
                Examined::Stale(stale, reference) => {
                    if self.keeps_stale(ctx, fields, detector, &stale).await? {
                        return self.use_stale(ctx.number, reference).map(|()| false);
                    }
                    reason = Some(stale);
                }
            }
        }
        self.confirm_reference_path(ctx, fields, detector, reason.as_ref()).await?;
        let why = reason.filter(|stale| *stale != Stale::Absent).map(|stale| stale.to_string());
        let new = NewReference { check: level, sweeps: fields.sweeps, why };
        while !self.bench.record_reference(ctx.number, detector, SettingsOf::Run, new.clone()).await? {
            self.bench.restore_if_forgotten(ctx.number).await?;
        }
        Ok(true)
    }

    fn use_reference(&self, number: u64, usable: Usable) -> Result<(), Fault> {
        let Usable { reference, age_s, drift_db } = usable;
        self.log.emit(RunEvent::ReferenceUsed { number, reference, age_s: Some(age_s), drift_db })
    }

    /// The operator has decided to keep a stale reference.
    fn use_stale(&self, number: u64, reference: Option<ReferenceRecord>) -> Result<(), Fault> {
        let Some(reference) = reference else { return Ok(()) };
        let age_s = age_s(reference.taken);
        self.log.emit(RunEvent::ReferenceUsed { number, reference, age_s, drift_db: None })
    }

    /// Whether the operator keeps a stale reference. Otherwise a new one is taken.
    async fn keeps_stale(
        &mut self,
        ctx: &StepContext,
        fields: &CreateReference,
        detector: Detector,
        stale: &Stale,
    ) -> Result<bool, Fault> {
        let shown = self.name_and_place(ctx, detector);
        let refuse = |why: &str| {
            let message = format!("the reference of {shown} cannot be used: {stale}");
            Err(Fault::new(FaultKind::Refused, message).hint(why))
        };
        match fields.if_stale.unwrap_or_default() {
            IfStale::Refuse => refuse(
                "take it with a recipe of its own, or allow a new one here with `if_stale: measure` or `ask`",
            ),
            IfStale::Ask if *stale != Stale::Absent && self.control.is_attended() => {
                let message =
                    format!("The reference of {shown} cannot be used as it is: {stale}. Continue how?");
                let mut choices = vec![NEW.to_owned(), STOP.to_owned()];
                if stale.may_be_kept() {
                    choices.insert(1, KEEP.to_owned());
                }
                match self.ask_operator(ctx, &message, &choices, None).await?.as_str() {
                    KEEP => Ok(true),
                    STOP => refuse("the operator has stopped the step"),
                    _ => Ok(false),
                }
            }
            // An age needs no warning: the event of the new reference states it.
            IfStale::Ask | IfStale::Measure if stale.is_expected() => Ok(false),
            IfStale::Ask | IfStale::Measure => {
                let message = format!("the reference of {shown} is not kept: {stale}");
                self.log.emit(RunEvent::Warning { message })?;
                Ok(false)
            }
        }
    }

    /// A detector for people: `drop (4/2)`, or `4/2` without a name.
    fn name_and_place(&self, ctx: &StepContext, detector: Detector) -> String {
        let (name, place) = (self.detector_name(ctx, detector), detector.to_string());
        if name == place { name } else { format!("{name} ({place})") }
    }

    /// Makes sure that the right path is connected: asks the operator, or follows `unattended`. With the simulator
    /// there is nothing to connect.
    async fn confirm_reference_path(
        &mut self,
        ctx: &StepContext,
        fields: &CreateReference,
        detector: Detector,
        reason: Option<&Stale>,
    ) -> Result<(), Fault> {
        if self.control.is_attended() && !self.bench.simulated {
            let Some(connection) = fields.connection(&self.name_and_place(ctx, detector)) else {
                return Ok(());
            };
            return self.ask_operator(ctx, &connection, &[], None).await.map(drop);
        }
        let otherwise =
            if self.bench.simulated { UnattendedReference::Recreate } else { UnattendedReference::Fail };
        match fields.unattended.unwrap_or(otherwise) {
            UnattendedReference::Recreate => Ok(()),
            UnattendedReference::Fail => {
                let because = reason.map(|stale| format!(" ({stale})")).unwrap_or_default();
                let message = format!(
                    "{detector} needs a new reference{because}, but no person is present to connect it"
                );
                Err(Fault::new(FaultKind::Refused, message).hint(
                    "take it while a person is present, accept an older one with `max_age_min`, or use `unattended: recreate`",
                ))
            }
        }
    }

    /// Examines the reference that the instrument has: its age, its points, its conditions, and the drift since then.
    async fn examine(
        &self,
        detector: Detector,
        fields: &CreateReference,
        max_age_min: f64,
        drift: Option<(CheckLevel, f64)>,
    ) -> Result<Examined, Fault> {
        let held = self.bench.ctp10().reference(detector).await?.filter(|reference| reference.valid);
        let Some(held) = held else { return Ok(Examined::Stale(Stale::Absent, None)) };
        let Some(taken) = held.taken else { return Ok(Examined::Stale(Stale::Undated, None)) };
        let Some(at) = moment_of(taken) else { return Ok(Examined::Stale(Stale::Undated, None)) };
        let reference = self.bench.known_reference(&self.output.folder, detector, taken).await?;
        let recorded = self.bench.ctp10().trace_grid((detector, TraceKind::Reference)).await?;
        let scan = self.bench.scan_settings().await?;
        let conditions = self.bench.conditions(&scan);
        // What nobody may overrule comes first.
        let examined = Stale::by_range(ScanRange::from(recorded), ScanRange::from(&scan))
            .and_then(|()| Stale::by_sweeps(fields.sweeps, held.kind))
            .and_then(|()| Stale::by_conditions(&reference, &conditions))
            .and_then(|()| Stale::by_age(at, Utc::now(), max_age_min))
            .and_then(|age| {
                let drift = drift.map(|(level, limit_db)| Stale::by_drift(&reference, level, limit_db));
                Ok((age, drift.transpose()?))
            });
        Ok(match examined {
            Ok((age, drift_db)) => Examined::Usable(Usable { reference, age_s: age.seconds, drift_db }),
            Err(stale) => Examined::Stale(stale, Some(reference)),
        })
    }
}
