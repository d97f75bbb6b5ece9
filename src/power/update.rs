//! What one watcher sees, at the watcher's own pace: readings, or why there are none.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{PowerFrame, PowerWatch, unix_time_s};
use crate::instrument::Presence;
use crate::instrument::activity::Occupation;

/// After a turn without a new reading, one is waited for this share of the interval before its absence is told:
/// pollers and watchers do not tick together.
const GRACE: f64 = 0.25;

/// A reading that is no older than this, or than the watcher's interval, is one of the present.
const FRESH: Duration = Duration::from_millis(200);

/// What is to be seen of a module's power at one turn.
#[derive(Debug, Clone, PartialEq)]
pub enum PowerUpdate {
    /// A reading that this watcher has not seen.
    Reading(Arc<PowerFrame>),
    /// The instrument is busy: the last reading, and what keeps it busy.
    Busy {
        /// The last reading.
        last: Arc<PowerFrame>,
        /// How old it is, s.
        age_s: f64,
        /// What keeps the instrument busy.
        occupation: Occupation,
    },
    /// There is nothing to see.
    Unavailable {
        /// Why.
        reason: String,
        /// The instrument is away.
        away: bool,
    },
}

/// A watcher's pace: turns never come closer together than its interval, and do not drift.
#[derive(Debug)]
pub struct UpdateSchedule {
    interval: Duration,
    due: Instant,
    seen_s: f64,
}

impl UpdateSchedule {
    /// The first turn is at once.
    #[must_use]
    pub fn new(interval: Duration) -> Self {
        Self { interval, due: Instant::now(), seen_s: f64::MIN }
    }
}

impl PowerWatch {
    /// The next turn: waits for a reading, and tells why when none comes in time.
    pub async fn next(&mut self, schedule: &mut UpdateSchedule) -> PowerUpdate {
        tokio::time::sleep_until(schedule.due).await;
        let grace = schedule.interval.mul_f64(GRACE).min(Duration::from_millis(500));
        let mut give_up = schedule.due + grace;
        loop {
            if let Some(update) = self.fresh_reading(schedule) {
                return update;
            }
            let changed = tokio::time::timeout_at(give_up, self.published.changed()).await;
            if changed.is_ok() {
                continue;
            }
            if let Some(update) = self.why_unavailable() {
                // The pace goes on from when the turn was due: `busy` keeps it as `data` does.
                schedule.due += schedule.interval;
                schedule.due = schedule.due.max(Instant::now());
                return update;
            }
            // Nothing is known to be wrong: a slow instrument.
            give_up = Instant::now() + grace.max(Duration::from_millis(20));
        }
    }

    fn fresh_reading(&mut self, schedule: &mut UpdateSchedule) -> Option<PowerUpdate> {
        let published = self.published.borrow_and_update();
        // Two readings of one interval are one too many: the next one comes soon.
        let soonest = schedule.seen_s + schedule.interval.as_secs_f64() / 2.0;
        let frame = published.frame.as_ref().filter(|frame| frame.time_s > soonest)?;
        // What was read before anybody of today watched is none of the present either.
        if published.at.is_none_or(|at| at.elapsed() > schedule.interval.max(FRESH)) {
            return None;
        }
        // Whoever has just changed something and looks now wants to see what became of it.
        let first = schedule.seen_s == f64::MIN;
        if first && published.changes != self.monitor.instrument.changes() {
            return None;
        }
        // The poller stops when the instrument goes away; an old reading is none of the present.
        if !matches!(*self.monitor.instrument.presence().borrow(), Presence::Here(_)) {
            return None;
        }
        schedule.seen_s = frame.time_s;
        // From when it was due or published, and not from now: waking up late must not add up.
        schedule.due = published.at.map_or(schedule.due, |at| at.max(schedule.due)) + schedule.interval;
        Some(PowerUpdate::Reading(Arc::clone(frame)))
    }

    fn why_unavailable(&self) -> Option<PowerUpdate> {
        let instrument = &self.monitor.instrument;
        let away = match &*instrument.presence().borrow() {
            Presence::Here(_) => None,
            Presence::Unknown => Some("it has not answered yet".to_owned()),
            Presence::Away { reason } => Some(reason.clone()),
            Presence::Closed => Some("the connection was closed on request".to_owned()),
        };
        if let Some(reason) = away {
            return Some(PowerUpdate::Unavailable { reason, away: true });
        }
        let published = self.published.borrow();
        let activity = *instrument.activity().borrow();
        // A transfer is in the way of those who have no connection of their own.
        let in_the_way = activity.scan.is_some() || !instrument.has_second();
        let occupation = activity.occupation().filter(|_| in_the_way);
        match (occupation, &published.frame, &published.refused) {
            (Some(occupation), Some(last), _) => {
                let age_s = (unix_time_s() - last.time_s).max(0.0);
                Some(PowerUpdate::Busy { last: Arc::clone(last), age_s, occupation })
            }
            (Some(occupation), None, _) => {
                let reason = format!("nothing is known yet: {} under way", occupation.operation);
                Some(PowerUpdate::Unavailable { reason, away: false })
            }
            (None, _, Some(refused)) => {
                Some(PowerUpdate::Unavailable { reason: refused.clone(), away: false })
            }
            (None, _, None) => None,
        }
    }
}
