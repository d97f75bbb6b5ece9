//! The single match from an operation to its performance.

use super::Engine;
use crate::instrument::Error;
use crate::operation::Operation;
use crate::run::context::StepContext;
use crate::run::events::{Activity, RunEvent};
use crate::step::{Fault, FaultKind, Outcome};
use crate::threads::Unfinished;

/// The instrument has no query for what it and its lasers allow, so that only the command shows it.
const REFUSED_VALUE: &str = "the instrument, or the laser behind it, does not have this value";

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Unreachable { .. }
            | Error::Lost { .. }
            | Error::OutOfStep { .. }
            | Error::FateUnknown { .. } => FaultKind::Link,
            Error::OtherInstrument { .. }
            | Error::WrongIdentity { .. }
            | Error::Refused { .. }
            | Error::Scanning { .. }
            | Error::ScanUnderWay { .. }
            | Error::Implausible { .. }
            | Error::Aborted { .. } => FaultKind::Instrument,
            Error::NoReply { .. } => FaultKind::Timeout,
            Error::DidNotStart { .. } => FaultKind::DidNotStart,
            Error::Forbidden(_) => FaultKind::Refused,
        };
        let fault = Self::new(kind, crate::error::chain(&error));
        if error.is_about_value() { fault.hint(REFUSED_VALUE) } else { fault }
    }
}

impl From<Unfinished> for Fault {
    fn from(error: Unfinished) -> Self {
        Self::new(FaultKind::Store, error.to_string())
    }
}

impl Engine {
    pub(super) async fn perform(&mut self, ctx: &StepContext) -> Result<Outcome, Fault> {
        let operation = &ctx.step.operation;
        // Lasers go off at the end of the run, and detectors are asked again, whatever becomes of the operation.
        let traits = operation.traits();
        self.bench.claim(&traits.lasers).await?;
        self.bench.forget_detectors_of(&traits);
        // A future is copied with each function that awaits it. Only a quick operation is not boxed: the others are larger.
        match operation {
            Operation::ConfigureLaser(fields) => {
                Box::pin(self.bench.configure_laser(operation, fields)).await
            }
            Operation::ConfigureTls(fields) => Box::pin(self.bench.configure_tls(operation, fields)).await,
            Operation::ConfigureScan(fields) => Box::pin(self.bench.configure_scan(fields)).await,
            Operation::ConfigureDetector(fields) => {
                Box::pin(self.bench.configure_detector(operation, fields)).await
            }
            Operation::CreateReference(fields) => Box::pin(self.create_reference(ctx, fields)).await,
            Operation::Sweep(fields) => {
                Box::pin(self.make_sure_of_coupling(ctx)).await?;
                Box::pin(self.bench.sweep(ctx.number, fields)).await
            }
            Operation::FetchTrace(fields) => match Box::pin(self.fetch_traces(ctx, fields)).await {
                Err(fault) => Err(Box::pin(self.bench.explain_refused_fetch(fields, fault)).await),
                fetched => fetched,
            },
            Operation::Analyze(fields) => Box::pin(self.analyze(ctx, fields)).await,
            Operation::ReadPower(fields) => self.read_power(ctx, fields).await,
            Operation::Align(fields) => Box::pin(self.align(fields)).await,
            Operation::Wait(wait) => Box::pin(self.wait(ctx, wait)).await,
            Operation::Log(log) => {
                self.log.emit(RunEvent::Log { message: log.message.clone() })?;
                Ok(Outcome::Done)
            }
            Operation::Prompt(prompt) => Box::pin(self.prompt(ctx, prompt)).await,
            Operation::Http(http) => Box::pin(self.http(ctx, http)).await,
            Operation::Scpi(scpi) => Box::pin(self.scpi(ctx, operation, scpi)).await,
        }
    }

    /// Tells watchers how far the step is.
    pub(super) fn progress(
        &self,
        ctx: &StepContext,
        activity: Activity,
        done: Option<f64>,
        remaining_s: Option<f64>,
    ) -> Result<(), Fault> {
        self.bench.beat()?;
        self.log.emit(RunEvent::Progress { number: ctx.number, activity, done, remaining_s })
    }
}
