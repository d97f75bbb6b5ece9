//! Updates for one watcher, at its own interval: readings, or the reason why there are none.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{PowerFrame, PowerWatch};
use crate::instrument::Presence;
use crate::instrument::activity::Occupation;

/// If a turn brings no new reading, the watcher waits for this share of its interval before it reports that there is
/// none. The clocks of poller and watchers are not synchronized.
const GRACE: f64 = 0.25;

/// A turn begins this long after its reading is due, or a share of the interval if that is shorter. The poller needs the time
/// of an exchange. A watcher that looks earlier is woken twice for each reading.
const LEAD: Duration = Duration::from_millis(2);
const LEAD_SHARE: f64 = 0.02;

/// A reading counts as current up to this age, or up to the interval of the watcher.
const FRESH: Duration = Duration::from_millis(200);

/// An update of a module's power.
#[derive(Debug, Clone, PartialEq)]
pub enum PowerUpdate {
    /// A new reading.
    Reading(Arc<PowerFrame>),
    /// The instrument is busy.
    Busy {
        /// The last reading.
        last: Arc<PowerFrame>,
        /// Age of the last reading, s.
        age_s: f64,
        /// The activity of the instrument.
        occupation: Occupation,
    },
    /// There is no reading.
    Unavailable {
        /// The reason.
        reason: String,
        /// What prevents a reading.
        cause: Cause,
    },
}

/// What prevents a reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cause {
    /// The instrument is unreachable.
    Away,
    /// The instrument is busy, and there is no earlier reading.
    Busy(Occupation),
    /// The instrument refuses, or its replies cannot be used.
    Refused,
}

/// The schedule of one watcher. Turns never come closer together than its interval, and do not drift.
#[derive(Debug, Clone)]
pub struct UpdateSchedule {
    interval: Duration,
    due: Instant,
    /// When the last reading of this schedule was read.
    seen: Option<Instant>,
}

impl UpdateSchedule {
    /// The first turn is due at once.
    #[must_use]
    pub fn new(interval: Duration) -> Self {
        Self { interval, due: Instant::now(), seen: None }
    }

    /// Whether an update of another schedule with the same interval is not too early for this one.
    #[must_use]
    pub fn admits(&self, update: &PowerUpdate) -> bool {
        match update {
            PowerUpdate::Reading(frame) => self.is_new(frame),
            PowerUpdate::Busy { .. } | PowerUpdate::Unavailable { .. } => {
                Instant::now() + self.interval / 2 >= self.due
            }
        }
    }

    /// A second reading within half an interval is skipped, because the next one follows soon.
    fn is_new(&self, frame: &PowerFrame) -> bool {
        self.seen.is_none_or(|seen| frame.at > seen + self.interval / 2)
    }
}

impl PowerWatch {
    /// The next turn. Waits for a reading, and returns the reason if none comes in time.
    pub async fn next(&mut self, schedule: &mut UpdateSchedule) -> PowerUpdate {
        tokio::time::sleep_until(schedule.due + schedule.interval.mul_f64(LEAD_SHARE).min(LEAD)).await;
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
                // The next turn is scheduled from the due time of this one, so that `busy` comes as regularly as
                // `data`.
                schedule.due += schedule.interval;
                schedule.due = schedule.due.max(Instant::now());
                return update;
            }
            // No problem is known: the instrument is slow.
            give_up = Instant::now() + grace.max(Duration::from_millis(20));
        }
    }

    fn fresh_reading(&mut self, schedule: &mut UpdateSchedule) -> Option<PowerUpdate> {
        let published = self.published.borrow_and_update();
        let frame = published.frame.as_ref().filter(|frame| schedule.is_new(frame))?;
        // A reading from before the present watchers is out of date.
        if frame.age() > schedule.interval.max(FRESH) {
            return None;
        }
        // A client that has just changed a setting must not get a reading from before the change.
        if schedule.seen.is_none() && published.changes != self.monitor.instrument.changes() {
            return None;
        }
        // The poller stops when the instrument is unreachable; its last reading is then out of date.
        if !matches!(*self.monitor.instrument.presence().borrow(), Presence::Here(_)) {
            return None;
        }
        schedule.seen = Some(frame.at);
        // Scheduled from the due or reading time instead of from now, so that delays do not add up.
        schedule.due = schedule.due.max(frame.at) + schedule.interval;
        Some(PowerUpdate::Reading(Arc::clone(frame)))
    }

    fn why_unavailable(&self) -> Option<PowerUpdate> {
        let instrument = &self.monitor.instrument;
        let away = match &*instrument.presence().borrow() {
            Presence::Here(_) => None,
            Presence::Unknown => Some("it has not replied yet".to_owned()),
            Presence::Away { reason } => Some(reason.clone()),
            Presence::Closed => Some("the connection was closed on request".to_owned()),
        };
        if let Some(reason) = away {
            return Some(PowerUpdate::Unavailable { reason, cause: Cause::Away });
        }
        let published = self.published.borrow();
        let activity = *instrument.activity().borrow();
        // A transfer blocks power queries only if there is no second connection.
        let in_the_way = activity.scan.is_some() || !instrument.has_second();
        let occupation = activity.occupation().filter(|_| in_the_way);
        match (occupation, &published.frame, &published.refused) {
            (Some(occupation), Some(last), _) => {
                let age_s = last.age().as_secs_f64();
                Some(PowerUpdate::Busy { last: Arc::clone(last), age_s, occupation })
            }
            (Some(occupation), None, _) => {
                let reason = format!("no reading yet: {} is in progress", occupation.operation);
                Some(PowerUpdate::Unavailable { reason, cause: Cause::Busy(occupation) })
            }
            (None, _, Some(refused)) => {
                Some(PowerUpdate::Unavailable { reason: refused.clone(), cause: Cause::Refused })
            }
            (None, _, None) => None,
        }
    }
}
