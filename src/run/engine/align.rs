//! Looks at the power of an aligned device.

use super::Engine;
use super::wait::level_dbm;
use crate::operation::{Align, AlignPart, Operation};
use crate::run::context::StepContext;
use crate::run::events::RunEvent;
use crate::run::resume::transcript::{Performed, Transcript};
use crate::step::align::Alignment;
use crate::step::{Fault, FaultKind, LoopPoint, Outcome};

/// An alignment of an earlier process of the run.
#[derive(Debug, Clone)]
pub(in crate::run) struct EarlierAlignment {
    align: Align,
    was_good: bool,
    /// The turns of the loops around it.
    turns: Vec<LoopPoint>,
}

impl EarlierAlignment {
    /// The alignments of a transcript, in order.
    pub(super) fn all(transcript: &Transcript) -> Vec<Self> {
        let of = |step: &Performed| {
            let align = step.step.operation.traits().alignment?.clone();
            let Some(Ok(Outcome::Alignment(found))) = &step.told else { return None };
            let turns = step.step.place.loops.split_last()?.1.to_vec();
            Some(Self { align, was_good: found.good, turns })
        };
        transcript.steps().filter_map(of).collect()
    }
}

impl Engine {
    /// One part of an alignment: a look at the power, or its end without success.
    pub(super) async fn align(&mut self, fields: &Align) -> Result<Outcome, Fault> {
        let part = fields.part.unwrap_or(AlignPart {
            attempt: 0,
            needed_dbm: fields.good.at_least_dbm,
            has_failed: false,
            last_dbm: None,
        });
        if part.has_failed {
            let found = Alignment::judge(part.last_dbm, part).told();
            let attempts = if part.attempt == 1 { "attempt" } else { "attempts" };
            let message =
                format!("{} is not aligned after {} {attempts}: {found}", fields.detector, part.attempt);
            return Err(Fault::new(FaultKind::Instrument, message));
        }
        let found = self.look(fields, part).await?;
        // What follows depends on this look.
        self.coupling_is_doubtful = false;
        let verdict = if found.good { "good" } else { "too low" };
        let message = format!("alignment of {}: {verdict}, {}", fields.detector, found.told());
        self.log.emit(RunEvent::Log { message })?;
        Ok(Outcome::Alignment(found))
    }

    async fn look(&mut self, fields: &Align, part: AlignPart) -> Result<Alignment, Fault> {
        let reading = self.bench.power(fields.detector, &self.expected).await?;
        Ok(Alignment::judge(level_dbm(&reading), part))
    }

    /// Before a sweep of a resumed run: the stage may have moved since the device was aligned. The recipe aligns the
    /// device again where it can. A sweep without that is refused if the power is too low.
    pub(super) async fn make_sure_of_coupling(&mut self, ctx: &StepContext) -> Result<(), Fault> {
        if !self.coupling_is_doubtful {
            return Ok(());
        }
        let is_of = |earlier: &&EarlierAlignment| ctx.step.place.loops.starts_with(&earlier.turns);
        let Some(EarlierAlignment { align, was_good, .. }) = self.alignments.iter().rfind(is_of).cloned()
        else {
            return Ok(());
        };
        let Some(part) = align.part.filter(|_| was_good) else { return Ok(()) };
        let light = align.light();
        self.bench.configure_laser(&Operation::ConfigureLaser(light.clone()), &light).await?;
        let found = self.look(&align, part).await?;
        if found.good {
            self.coupling_is_doubtful = false;
            // The recipe may have set other light since.
            self.bench.intend_earlier(None);
            return self.bench.restore_if_forgotten(ctx.number).await;
        }
        let message = format!(
            "{} is no longer aligned since the run was interrupted: {}",
            align.detector,
            found.told()
        );
        let hint = "align the device, then resume the run";
        Err(Fault::new(FaultKind::Instrument, message).hint(hint))
    }
}
