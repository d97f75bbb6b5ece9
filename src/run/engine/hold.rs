//! Holds the run: before a step while the run is paused, and while there is too little disk space. After some time the
//! lasers go off; they are turned on again before the run continues.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Engine;
use crate::instrument::LasersOff;
use crate::instrument::scpi::{Action, Query};
use crate::measurement::TraceSummary;
use crate::run::events::RunEvent;
use crate::step::{Fault, FaultKind};
use crate::store::space_for_step;

/// The interval between two looks at the disk.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// The state of a wait for disk space.
#[derive(Debug, Default)]
pub(in crate::run) struct Shortage {
    /// When the disk space became too little.
    pub(super) since: Option<Instant>,
    /// The disk space that the current attempt needs, bytes.
    pub(super) wanted: Option<u64>,
    /// Traces that the current attempt has stored.
    pub(super) fetched: Vec<TraceSummary>,
}

impl Engine {
    /// Holds the run before an attempt, as long as it must not continue. `fresh`: the disk is looked at now.
    pub(super) async fn hold_before_attempt(&mut self, fresh: bool) -> Result<(), Fault> {
        loop {
            self.hold_while_paused().await?;
            let needed = space_for_step();
            if self.finally_until.is_some() || self.output.disk.has(needed, fresh).await {
                break;
            }
            self.wait_for_disk_space(needed).await?;
        }
        self.fail_if_stopped()?;
        self.bench.beat()
    }

    /// Holds the run while it is paused. The lease is kept, and no time limit runs.
    pub(super) async fn hold_while_paused(&mut self) -> Result<(), Fault> {
        if !self.control.is_paused() || self.finally_until.is_some() {
            return Ok(());
        }
        let began = Instant::now();
        self.log.emit_durable(RunEvent::Paused).await?;
        let mut pause = self.control.pause_receiver();
        let resumed = async move {
            pause.ended().await;
            Ok(())
        };
        let relit = Box::pin(self.hold_until(resumed)).await?;
        self.log.emit(RunEvent::PauseEnded { after_s: began.elapsed().as_secs_f64(), relit })
    }

    /// Holds the run until the disk has this much space. `finally` does not wait, because it has to end.
    ///
    /// # Errors
    /// If the run is stopped, or there is no space in time.
    pub(super) async fn wait_for_disk_space(&mut self, bytes: u64) -> Result<(), Fault> {
        // A disk may report free space and still accept nothing. All such waits share one limit.
        let since = *self.shortage.since.get_or_insert_with(Instant::now);
        let limit = self.times.disk_full_wait;
        let (folder, disk) = (Arc::clone(&self.output.folder), self.output.disk.clone());
        if self.finally_until.is_some() || since.elapsed() >= limit {
            return Err(no_disk_space(folder.path(), since));
        }
        let event = RunEvent::DiskFull {
            free_bytes: disk.free_bytes().await,
            needed_bytes: bytes,
            wait_s: limit.saturating_sub(since.elapsed()).as_secs_f64(),
        };
        self.log.emit_durable(event).await?;
        let began = Instant::now();
        let space = async {
            loop {
                tokio::time::sleep(LOOK_INTERVAL).await;
                if disk.has(bytes, true).await {
                    return Ok(());
                }
                if since.elapsed() >= limit {
                    return Err(no_disk_space(folder.path(), since));
                }
            }
        };
        let relit = Box::pin(self.hold_until(space)).await?;
        self.output.disk.set_reserve().await;
        self.log.emit(RunEvent::DiskSpaceAgain { after_s: began.elapsed().as_secs_f64(), relit })
    }

    /// Holds the run until `released` ends. After `dark_after` the lasers go off. They are turned on again at the end;
    /// gives these lasers.
    ///
    /// # Errors
    /// If the run is stopped, or `released` gives an error.
    async fn hold_until(
        &mut self,
        released: impl Future<Output = Result<(), Fault>>,
    ) -> Result<Vec<u8>, Fault> {
        let mut stop = self.control.stop_receiver();
        let heartbeat = self.bench.heartbeat.clone();
        let mut released = std::pin::pin!(released);
        let mut off = None;
        loop {
            let until_dark = Some(self.times.dark_after).filter(|_| off.is_none());
            tokio::select! {
                biased;
                reason = stop.asked(false) => return Err(Fault::new(FaultKind::Stopped, reason)),
                released = &mut released => break released?,
                () = super::attempt::sleep_if(until_dark) => off = Some(Box::pin(self.darken()).await?),
                never = heartbeat.beats_while(|| true) => match never {},
            }
        }
        self.bench.beat()?;
        let relit = off.unwrap_or_default();
        for laser in relit.clone() {
            self.bench.act(&Action::SetLaserOutput { laser, on: true }).await?;
        }
        Ok(relit)
    }

    /// Turns off the lasers that the run has set and that are on. Gives these lasers.
    async fn darken(&mut self) -> Result<Vec<u8>, Fault> {
        let mut lit = Vec::new();
        for laser in self.bench.lasers_of_run() {
            if self.bench.ctp10().probe(&Query::laser_output(laser)).await? == Some(true) {
                lit.push(laser);
            }
        }
        let LasersOff { off, unknown, .. } = self.bench.turn_off(lit).await;
        self.log.emit(RunEvent::LasersPaused { off: off.clone(), unknown })?;
        Ok(off)
    }
}

fn no_disk_space(folder: &Path, since: Instant) -> Fault {
    let (folder, seconds) = (folder.display(), since.elapsed().as_secs());
    let message = format!("not enough disk space in `{folder}` for {seconds} s");
    Fault::new(FaultKind::Store, message).hint("free some disk space, or choose another disk with `--out`")
}
