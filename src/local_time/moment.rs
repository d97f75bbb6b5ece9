//! Recorded moments. Each keeps the local time at which it was recorded, so that a run that is resumed in another time
//! zone decides as before.

use chrono::{DateTime, FixedOffset, Local, NaiveTime, Offset, TimeZone, Utc};

use super::next;

/// A moment, and how far the local clock was ahead of UTC.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// Seconds since 1970-01-01 UTC.
    pub time_s: f64,
    /// Seconds that the local clock was ahead of UTC; `None` if a program recorded the moment without them.
    pub ahead_s: Option<i32>,
}

impl Moment {
    /// A moment, on the clock of this computer.
    #[must_use]
    pub fn here(time_s: f64) -> Self {
        let ahead = utc(time_s).map(|at| at.with_timezone(&Local).offset().fix().local_minus_utc());
        Self { time_s, ahead_s: ahead }
    }

    /// The local time: `22:05`. Such texts can be compared.
    #[must_use]
    pub fn shown(self) -> String {
        let Some(at) = utc(self.time_s) else { return String::new() };
        let shown = match self.other_zone() {
            Some(zone) => at.with_timezone(&zone).naive_local(),
            None => at.with_timezone(&Local).naive_local(),
        };
        shown.format("%H:%M").to_string()
    }

    /// The next moment at which the same clock shows `time`, in seconds since 1970-01-01 UTC.
    #[must_use]
    pub fn next(self, time: NaiveTime) -> Option<f64> {
        let at = utc(self.time_s)?;
        let found = match self.other_zone() {
            Some(zone) => next(&at.with_timezone(&zone), time),
            None => next(&at.with_timezone(&Local), time),
        };
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit")]
        found.map(|at| at.timestamp_millis() as f64 / 1e3)
    }

    /// The zone of the recorded moment, if this computer has another one now. Only the zone of the computer knows when
    /// its clocks are changed.
    fn other_zone(self) -> Option<FixedOffset> {
        let ahead = self.ahead_s.filter(|_| Self::here(self.time_s).ahead_s != self.ahead_s)?;
        FixedOffset::east_opt(ahead)
    }
}

fn utc(time_s: f64) -> Option<DateTime<Utc>> {
    #[expect(clippy::cast_possible_truncation, reason = "times within some thousand years fit")]
    let milliseconds = (time_s * 1e3) as i64;
    Utc.timestamp_millis_opt(milliseconds).single()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: f64 = 1.79e9;

    #[test]
    fn the_next_time_of_day_is_later_and_shows_itself() {
        let now = Moment::here(NOW_S);
        for text in ["00:00", "06:30", "22:00", "23:59"] {
            let next = now.next(NaiveTime::parse_from_str(text, "%H:%M").unwrap()).unwrap();
            assert!(next > NOW_S && next <= NOW_S + 86_400.0 + 3_600.0, "{text}: {next}");
            assert_eq!(Moment::here(next).shown(), text);
        }
    }

    #[test]
    fn a_recorded_moment_keeps_the_zone_in_which_it_was_recorded() {
        // 2026-09-21 14:13:20 UTC.
        for (hours, shown) in [(0, "14:13"), (9, "23:13"), (-7, "07:13")] {
            let recorded = Moment { time_s: NOW_S, ahead_s: Some(hours * 3_600) };
            assert_eq!(recorded.shown(), shown);
            let next = recorded.next(NaiveTime::from_hms_opt(14, 0, 0).unwrap()).unwrap();
            let again = Moment { time_s: next, ..recorded };
            assert_eq!(again.shown(), "14:00");
            assert!(next > NOW_S && next - NOW_S < 86_400.0);
        }
        let older = Moment { time_s: NOW_S, ahead_s: None };
        assert_eq!(older.shown(), Moment::here(NOW_S).shown());
    }
}
