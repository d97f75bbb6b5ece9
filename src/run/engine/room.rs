//! A disk without room holds the run before anything is torn, and lets it go on when there is room again.

use std::time::{Duration, Instant};

use crate::instrument::scpi::Action;
use crate::measurement::TraceSummary;
use crate::run::engine::Engine;
use crate::run::events::RunEvent;
use crate::step::{Fault, FaultKind};
use crate::store::Durability;

/// How often the disk is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// What a disk without room has held up.
#[derive(Debug)]
pub(in crate::run) struct Shortage {
    /// How long room is waited for.
    wait: Duration,
    /// Since when there has been too little.
    pub(in crate::run) since: Option<Instant>,
    /// The room that the attempt under way found missing, bytes.
    pub(in crate::run) wanted: Option<u64>,
    /// Traces that the attempt under way has stored so far.
    pub(in crate::run) fetched: Vec<TraceSummary>,
}

impl Shortage {
    pub(in crate::run) fn new(wait: Duration) -> Self {
        Self { wait, since: None, wanted: None, fetched: Vec::new() }
    }
}

impl Engine {
    /// Whether the disk has this much room; where that cannot be told, it has until a write says otherwise.
    pub(in crate::run) fn has_room(&self, bytes: u64) -> bool {
        self.folder.free_bytes().is_none_or(|free| free >= bytes)
    }

    /// Holds until the disk has room. Lasers go off when that takes long, and come back before the run goes on.
    /// Nothing is waited for in `finally`, which has to come to its end.
    ///
    /// # Errors
    /// When the run is stopped, or nobody has made room in time.
    pub(in crate::run) async fn wait_for_room(&mut self, bytes: u64) -> Result<(), Fault> {
        // A disk that takes nothing although it says that it has room is waited for under one limit.
        let since = *self.shortage.since.get_or_insert_with(Instant::now);
        let limit = self.shortage.wait;
        if self.finally_until.is_some() || since.elapsed() >= limit {
            return Err(self.no_room(since));
        }
        let event = RunEvent::DiskFull {
            free_bytes: self.folder.free_bytes(),
            needed_bytes: bytes,
            wait_s: limit.saturating_sub(since.elapsed()).as_secs_f64(),
        };
        self.events.tell(event, Durability::Now)?;
        let mut stop = self.reins.stop_receiver();
        let began = Instant::now();
        let mut dark = None;
        loop {
            tokio::select! {
                biased;
                reason = stop.asked(false) => return Err(Fault::new(FaultKind::Stopped, reason)),
                () = self.pulse.during(tokio::time::sleep(LOOK_INTERVAL)) => {}
            }
            self.beat()?;
            if self.has_room(bytes) {
                break;
            }
            if since.elapsed() >= limit {
                return Err(self.no_room(since));
            }
            if dark.is_none() && began.elapsed() >= self.dark_after {
                dark = Some(self.darken().await?);
            }
        }
        // Whoever else writes to this disk may have been quicker: then the next look says so.
        if let Err(error) = self.folder.set_reserve() {
            tracing::warn!(
                error = crate::error::chain(&error),
                "nothing can be set aside for the end of the run"
            );
        }
        let relit = dark.unwrap_or_default();
        for laser in relit.clone() {
            self.instrument.act(&Action::SetLaserOutput { laser, on: true }).await?;
        }
        self.events.say(RunEvent::RoomAgain { after_s: began.elapsed().as_secs_f64(), relit })
    }

    fn no_room(&self, since: Instant) -> Fault {
        let (folder, seconds) = (self.folder.path().display(), since.elapsed().as_secs());
        let message = format!("no room on the disk of `{folder}` for {seconds} s");
        Fault::new(FaultKind::Store, message).hint("make room, or choose another disk with `--out`")
    }
}
