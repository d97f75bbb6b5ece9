//! Looks at the power of an aligned device.

use super::Engine;
use super::wait::level_dbm;
use crate::operation::{Align, AlignPart, Operation};
use crate::run::context::StepContext;
use crate::run::events::RunEvent;
use crate::step::align::Alignment;
use crate::step::{Fault, FaultKind, Outcome};

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
        let relied_on = self.earlier.steps().rev().find_map(|step| {
            let align = step.step.operation.traits().alignment?;
            let turns = step.step.place.loops.split_last()?.1;
            let looked = matches!(&step.told, Some(Ok(Outcome::Alignment(_))));
            (looked && ctx.step.place.loops.starts_with(turns)).then(|| (align.clone(), step.told.clone()))
        });
        let Some((align, Some(Ok(Outcome::Alignment(before))))) = relied_on else { return Ok(()) };
        let Some(part) = align.part.filter(|_| before.good) else { return Ok(()) };
        let light = align.light();
        self.bench.configure_laser(&Operation::ConfigureLaser(light.clone()), &light).await?;
        let found = self.look(&align, part).await?;
        if found.good {
            return Ok(());
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
