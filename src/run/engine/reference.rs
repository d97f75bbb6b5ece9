//! The operation that takes a reference: whether an existing reference can be reused, and what must be connected.

use chrono::{Local, Utc};

use super::Engine;
use crate::local_time;
use crate::measurement::{Detector, TraceKind};
use crate::operation::{CreateReference, UnattendedReference};
use crate::run::bench::SettingsOf;
use crate::run::context::StepContext;
use crate::step::{Fault, FaultKind, Outcome};

impl Engine {
    pub(super) async fn create_reference(
        &mut self,
        ctx: &StepContext,
        fields: &CreateReference,
    ) -> Result<Outcome, Fault> {
        if let Some(max_age) = fields.max_age_min
            && self.has_young_reference(fields.detector, max_age.get()).await?
        {
            return Ok(Outcome::Reference { created: false });
        }
        self.confirm_reference_path(ctx, fields).await?;
        while !self.bench.record_reference(ctx.number, fields.detector, SettingsOf::Run).await? {
            self.bench.restore_if_forgotten(ctx.number).await?;
        }
        Ok(Outcome::Reference { created: true })
    }

    /// Makes sure that the right path is connected: asks the operator, or follows `unattended`. With the simulator
    /// there is nothing to connect.
    async fn confirm_reference_path(
        &mut self,
        ctx: &StepContext,
        fields: &CreateReference,
    ) -> Result<(), Fault> {
        if self.control.is_attended() && !self.bench.simulated {
            let Some(connect) = &fields.connect else { return Ok(()) };
            return self.ask_operator(ctx, &format!("Connect: {connect}"), &[], None).await.map(drop);
        }
        let otherwise =
            if self.bench.simulated { UnattendedReference::Recreate } else { UnattendedReference::Fail };
        match fields.unattended.unwrap_or(otherwise) {
            UnattendedReference::Recreate => Ok(()),
            UnattendedReference::Fail => {
                let message = format!(
                    "{} needs a new reference, but no person is present to connect it",
                    fields.detector
                );
                Err(Fault::new(FaultKind::Refused, message).hint(
                    "take it while a person is present, accept an older one with `max_age_min`, or use `unattended: recreate`",
                ))
            }
        }
    }

    /// Whether the instrument has a valid reference for the same points, taken with the same light, and younger than
    /// `max_age_min`.
    async fn has_young_reference(&self, detector: Detector, max_age_min: f64) -> Result<bool, Fault> {
        let reference = self.bench.ctp10().reference(detector).await?.filter(|reference| reference.valid);
        let Some(taken) = reference.and_then(|reference| reference.taken) else { return Ok(false) };
        // The instrument's clock is assumed to show local time. If a local time occurs twice, the earlier one counts.
        let Some(at) = local_time::moments(&Local, taken.date(), taken.time()).into_iter().next() else {
            return Ok(false);
        };
        let age_s = (Utc::now() - at).as_seconds_f64();
        // A reference from the future proves nothing: the clocks differ by more than their resolution.
        if !(-60.0..=max_age_min * 60.0).contains(&age_s) {
            return Ok(false);
        }
        let recorded = self.bench.ctp10().trace_grid(detector, TraceKind::Reference).await?;
        let scan = self.bench.scan_settings().await?;
        let near = |a: f64, b: f64| (a - b).abs() < recorded.step_pm * 0.5e-3;
        let same_points = near(recorded.start_nm, scan.start_nm)
            && near(recorded.stop_nm(), scan.stop_nm)
            && (recorded.step_pm - scan.resolution_pm).abs() < 1e-6;
        Ok(same_points
            && self.bench.is_of_this_light(self.output.folder.path(), detector, taken, at, &scan).await?)
    }
}
