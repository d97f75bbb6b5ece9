//! When a batch may measure: times of day, and moments, as batch files write them.

use std::fmt;

use chrono::{DateTime, FixedOffset, NaiveTime, TimeDelta, TimeZone, Timelike, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::operation::time_of_day;

/// A time of day that has passed no longer ago than this has passed; one from longer ago is the next day's.
const RECENT: TimeDelta = TimeDelta::hours(12);

/// A time as a batch file writes it: `"19:00"` (local) or RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum Moment {
    /// Every day at this local time.
    Daily(NaiveTime),
    /// Once.
    Once(DateTime<FixedOffset>),
}

impl TryFrom<String> for Moment {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Some(time) = time_of_day(&text) {
            return Ok(Self::Daily(time));
        }
        DateTime::parse_from_rfc3339(&text).map(Self::Once).map_err(|_| {
            format!("`{text}` is not a time: write \"HH:MM\" (local time) or \"2026-03-02T19:00:00+01:00\", quoted")
        })
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.to_string()
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Daily(time) if time.second() == 0 => write!(f, "{}", time.format("%H:%M")),
            Self::Daily(time) => write!(f, "{}", time.format("%H:%M:%S")),
            Self::Once(time) => f.write_str(&time.to_rfc3339()),
        }
    }
}

/// From when to when.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// Nothing begins before this.
    pub not_before: Option<DateTime<Utc>>,
    /// Nothing begins after this, and what is under way is stopped.
    pub deadline: Option<DateTime<Utc>>,
}

/// What two times mean now. `origin` is when the batch around them begins, for the times of an item.
///
/// Two times of day are an interval: the one that is now, else the next. A beginning alone is the nearest one, so that
/// whoever is five minutes late does not wait for a day; an end alone is the next one.
#[must_use]
pub fn window<Tz: TimeZone>(
    now: &DateTime<Tz>,
    origin: Option<DateTime<Utc>>,
    not_before: Option<Moment>,
    deadline: Option<Moment>,
) -> Window {
    let begin = match (not_before, deadline) {
        (None, _) => None,
        (Some(Moment::Once(time)), _) => Some(time.to_utc()),
        (Some(Moment::Daily(time)), deadline) => match (origin, deadline) {
            (Some(origin), _) => occurrence(now, time, |at| at >= origin),
            (None, Some(Moment::Daily(end))) => {
                let last = last(now, time);
                let inside = last
                    .and_then(|last| occurrence(now, end, |at| at > last))
                    .is_some_and(|end| now.to_utc() < end);
                if inside { last } else { occurrence(now, time, |at| at > now.to_utc()) }
            }
            (None, _) => last(now, time)
                .filter(|last| now.to_utc() - *last < RECENT)
                .or_else(|| occurrence(now, time, |at| at > now.to_utc())),
        },
    };
    let end = match deadline {
        None => None,
        Some(Moment::Once(time)) => Some(time.to_utc()),
        Some(Moment::Daily(time)) => {
            let from = begin.or(origin).unwrap_or_else(|| now.to_utc());
            occurrence(now, time, |at| at > from)
        }
    };
    Window { not_before: begin, deadline: end }
}

/// The first moment from yesterday on at which the local clock shows `time` and that fits. One that a change of clocks
/// skips is passed over.
fn occurrence<Tz: TimeZone>(
    now: &DateTime<Tz>,
    time: NaiveTime,
    fits: impl Fn(DateTime<Utc>) -> bool,
) -> Option<DateTime<Utc>> {
    days(now, time, -2..=367).find(|at| fits(*at))
}

/// The last one that has passed.
fn last<Tz: TimeZone>(now: &DateTime<Tz>, time: NaiveTime) -> Option<DateTime<Utc>> {
    days(now, time, -2..=0).filter(|at| *at <= now.to_utc()).last()
}

fn days<Tz: TimeZone>(
    now: &DateTime<Tz>,
    time: NaiveTime,
    days: std::ops::RangeInclusive<i64>,
) -> impl Iterator<Item = DateTime<Utc>> {
    let (zone, today) = (now.timezone(), now.date_naive());
    days.filter_map(move |day| {
        let local = today.checked_add_signed(TimeDelta::days(day))?.and_time(time);
        zone.from_local_datetime(&local).earliest().map(|at| at.to_utc())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<FixedOffset> {
        DateTime::parse_from_rfc3339(&format!("{text}:00+01:00")).unwrap()
    }

    fn moment(text: &str) -> Option<Moment> {
        (!text.is_empty()).then(|| Moment::try_from(text.to_owned()).unwrap())
    }

    fn shown(now: &str, origin: &str, not_before: &str, deadline: &str) -> (String, String) {
        let origin = (!origin.is_empty()).then(|| at(origin).to_utc());
        let found = window(&at(now), origin, moment(not_before), moment(deadline));
        let show = |time: Option<DateTime<Utc>>| {
            time.map_or_else(String::new, |time| {
                time.with_timezone(at(now).offset()).format("%Y-%m-%dT%H:%M").to_string()
            })
        };
        (show(found.not_before), show(found.deadline))
    }

    fn is(found: (String, String), not_before: &str, deadline: &str) {
        assert_eq!(found, (not_before.to_owned(), deadline.to_owned()));
    }

    #[test]
    fn two_times_of_day_are_the_night_that_is_now_or_the_next_one() {
        let night = |now| shown(now, "", "19:00", "08:00");
        is(night("2026-03-02T18:00"), "2026-03-02T19:00", "2026-03-03T08:00");
        is(night("2026-03-02T23:00"), "2026-03-02T19:00", "2026-03-03T08:00");
        is(night("2026-03-03T03:00"), "2026-03-02T19:00", "2026-03-03T08:00");
        is(night("2026-03-03T09:00"), "2026-03-03T19:00", "2026-03-04T08:00");
    }

    #[test]
    fn whoever_is_late_does_not_wait_for_a_day() {
        is(shown("2026-03-02T19:05", "", "19:00", ""), "2026-03-02T19:00", "");
        is(shown("2026-03-02T08:00", "", "19:00", ""), "2026-03-02T19:00", "");
        is(shown("2026-03-02T07:00", "", "", "08:00"), "", "2026-03-02T08:00");
        is(shown("2026-03-02T09:00", "", "", "08:00"), "", "2026-03-03T08:00");
    }

    #[test]
    fn the_times_of_an_item_are_those_of_its_batchs_night() {
        let item = |now, begin, end| shown(now, "2026-03-02T19:00", begin, end);
        is(item("2026-03-02T18:00", "02:00", ""), "2026-03-03T02:00", "");
        is(item("2026-03-03T03:00", "02:00", ""), "2026-03-03T02:00", "");
        is(item("2026-03-03T00:30", "", "23:00"), "", "2026-03-02T23:00");
    }

    #[test]
    fn a_moment_is_itself_and_nonsense_is_refused() {
        let once = "2026-03-04T05:00:00+01:00";
        is(shown("2026-03-02T18:00", "", once, "08:00"), "2026-03-04T05:00", "2026-03-04T08:00");
        let error = Moment::try_from("25:00".to_owned()).unwrap_err();
        assert!(error.contains("`25:00`") && error.contains("HH:MM"), "{error}");
    }
}
