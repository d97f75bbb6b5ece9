//! Tasks that accompany a run: recording power, reporting losses of the link and steps of the clock, and keeping the
//! computer awake.

use std::collections::BTreeSet;

use tokio::task::JoinSet;

use super::awake;
use super::engine::power::{self, SharedPowerLog};
use super::events::log::{RunLog, emit_link_events};
use crate::instrument::Ctp10;
use crate::power::{PAUSE_AFTER_PANIC, PowerMonitor, again_after_panic};
use crate::recipe::Recipe;

/// The tasks. Dropping them ends them.
pub(super) struct Companions {
    recorders: JoinSet<()>,
    others: JoinSet<()>,
}

impl Companions {
    /// Starts the tasks of a run.
    pub(super) fn start(
        recipe: &Recipe,
        instrument: &Ctp10,
        monitor: &PowerMonitor,
        power: &SharedPowerLog,
        log: &RunLog,
        simulated: bool,
    ) -> Self {
        let mut recorders = JoinSet::new();
        if let Some(what) = &recipe.header().record_power {
            for module in what.detectors.iter().map(|detector| detector.module).collect::<BTreeSet<_>>() {
                let (monitor, what, power) = (monitor.clone(), what.clone(), power.clone());
                recorders.spawn(again_after_panic("the recorder of power", PAUSE_AFTER_PANIC, move || {
                    power::record(monitor.clone(), module, what.clone(), power.clone())
                }));
            }
        }
        let mut others = JoinSet::new();
        others.spawn(emit_link_events(instrument.clone(), log.clone()));
        others.spawn(awake::stay_awake(simulated));
        others.spawn(awake::report_clocks(log.clone()));
        Self { recorders, others }
    }

    /// Ends the recording of power.
    pub(super) async fn stop_recording(&mut self) {
        self.recorders.shutdown().await;
    }

    /// Ends all tasks.
    pub(super) async fn stop(mut self) {
        self.others.shutdown().await;
    }
}
