//! The times during which a batch may measure: times of day and moments, as in batch files.

use std::fmt;

use chrono::{DateTime, FixedOffset, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Timelike, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::local_time::{first_after, last, next};
use crate::operation::time_of_day;

/// A time of day counts as passed for this long. After that, the time of the next day is meant.
const RECENT: TimeDelta = TimeDelta::hours(12);

/// A time of a batch file: `"19:00"` (local time) or RFC 3339.
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
        // A leap second has more than a second of nanoseconds. No clock of a computer shows it.
        let once = DateTime::parse_from_rfc3339(&text).ok().filter(|at| at.nanosecond() < 1_000_000_000);
        once.map(Self::Once).ok_or_else(|| {
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

/// A period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// No item starts before this time.
    pub not_before: Option<DateTime<Utc>>,
    /// No item starts after this time, and an active run is stopped.
    pub deadline: Option<DateTime<Utc>>,
}

/// The period of two times. `origin` is the start of the batch, for the times of an item.
///
/// Two times of day are a period: the current one, otherwise the next. A start alone means the nearest such time, so
/// that a batch that is started five minutes late does not wait for a day. An end alone means the next such time.
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
            (Some(origin), _) => first_after(now, time, just_before(origin)),
            (None, Some(Moment::Daily(end))) => {
                let is_inside = |begin: &DateTime<Utc>| {
                    first_after(now, end, end_after(*begin, time, end)).is_some_and(|end| now.to_utc() < end)
                };
                last(now, time).filter(is_inside).or_else(|| next(now, time))
            }
            (None, _) => {
                last(now, time).filter(|last| now.to_utc() - *last < RECENT).or_else(|| next(now, time))
            }
        },
    };
    let end = match deadline {
        None => None,
        Some(Moment::Once(time)) => Some(time.to_utc()),
        Some(Moment::Daily(time)) => {
            let from = match (begin, not_before) {
                (Some(begin), Some(Moment::Daily(daily))) => end_after(begin, daily, time),
                _ => begin.or(origin).unwrap_or_else(|| now.to_utc()),
            };
            first_after(now, time, from)
        }
    };
    Window { not_before: begin, deadline: end }
}

/// The moment that the end of a period must follow. If the clocks skip both times, both are the same moment. Then the
/// period is empty and does not last until the next day.
fn end_after(begin: DateTime<Utc>, begins: NaiveTime, ends: NaiveTime) -> DateTime<Utc> {
    if begins == ends { begin } else { just_before(begin) }
}

fn just_before(at: DateTime<Utc>) -> DateTime<Utc> {
    at - TimeDelta::milliseconds(1)
}

/// The error about two moments if the deadline has passed at the first one. A time of day always has a next one.
#[must_use]
pub fn contradiction(not_before: Option<Moment>, deadline: Option<Moment>) -> Option<String> {
    match (not_before?, deadline?) {
        (begin @ Moment::Once(first), end @ Moment::Once(last)) if last <= first => {
            Some(format!("nothing would be measured: `deadline` {end} is not after `not_before` {begin}"))
        }
        _ => None,
    }
}

/// The warning about two times if the clocks skip one of them in the intended night.
#[must_use]
pub fn skipped<Tz: TimeZone>(
    now: &DateTime<Tz>,
    origin: Option<DateTime<Utc>>,
    not_before: Option<Moment>,
    deadline: Option<Moment>,
) -> Vec<String> {
    let found = window(now, origin, not_before, deadline);
    let zone = now.timezone();
    let skipped = |moment: Option<Moment>, at: Option<DateTime<Utc>>| {
        let (Moment::Daily(time), at) = (moment?, at?.with_timezone(&zone).naive_local()) else {
            return None;
        };
        (at.time() != time).then_some((Moment::Daily(time), at))
    };
    let (begin, end) = (skipped(not_before, found.not_before), skipped(deadline, found.deadline));
    if let (Some((begin, at)), Some((end, _))) = (begin, end)
        && found.not_before == found.deadline
    {
        return vec![format!(
            "nothing would be measured: on {} the clocks are set forward and skip all times from {begin} to {end}",
            at.date()
        )];
    }
    let told = |name: &str, (moment, at): (Moment, NaiveDateTime)| {
        let means = Moment::Daily(at.time());
        format!(
            "`{name}` {moment} does not exist on {}, because the clocks are set forward: {means} is used",
            at.date()
        )
    };
    let begin = begin.map(|begin| told("not_before", begin));
    begin.into_iter().chain(end.map(|end| told("deadline", end))).collect()
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
        assert!(Moment::try_from("2026-03-04T23:59:60Z".to_owned()).is_err());
    }

    #[test]
    fn a_deadline_before_the_begin_is_an_error_and_a_time_of_day_is_never_before() {
        let found = |begin, end| contradiction(moment(begin), moment(end));
        let (ten, eleven) = ("2026-03-02T22:00:00+01:00", "2026-03-02T22:00:00+00:00");
        assert_eq!(
            found(eleven, ten).unwrap(),
            format!("nothing would be measured: `deadline` {ten} is not after `not_before` {eleven}")
        );
        assert!(found(ten, ten).is_some());
        for (begin, end) in [(ten, eleven), ("22:30", ten), ("19:00", "08:00"), (eleven, "22:00"), ("", ten)]
        {
            assert_eq!(found(begin, end), None, "{begin} {end}");
        }
    }

    /// Central Europe in 2026.
    fn in_berlin(now: &str) -> DateTime<crate::local_time::zone::Zone> {
        let now = DateTime::parse_from_rfc3339(&format!("{now}:00Z")).unwrap();
        now.with_timezone(&crate::local_time::zone::Zone::central_europe(now.to_utc()))
    }

    fn of_night(now: &str, not_before: &str, deadline: &str) -> (String, String, Vec<String>) {
        let (now, begin, end) = (in_berlin(now), moment(not_before), moment(deadline));
        let found = window(&now, None, begin, end);
        let show = |time: Option<DateTime<Utc>>| {
            time.map_or_else(String::new, |time| time.format("%Y-%m-%dT%H:%MZ").to_string())
        };
        (show(found.not_before), show(found.deadline), skipped(&now, None, begin, end))
    }

    #[test]
    fn a_time_that_the_clocks_skip_is_the_first_moment_after_and_check_says_so() {
        let (begin, _, told) = of_night("2026-03-28T20:00", "02:30", "");
        assert_eq!(begin, "2026-03-29T01:00Z", "not a day later");
        assert_eq!(
            told,
            [
                "`not_before` 02:30 does not exist on 2026-03-29, because the clocks are set forward: 03:00 is used"
            ]
        );
        let (begin, end, told) = of_night("2026-03-28T20:00", "19:00", "02:30");
        assert_eq!(
            (begin.as_str(), end.as_str()),
            ("2026-03-28T18:00Z", "2026-03-29T01:00Z"),
            "not a day longer"
        );
        assert_eq!(told.len(), 1);
        let (begin, end, told) = of_night("2026-03-28T20:00", "02:15", "02:45");
        assert_eq!((begin.as_str(), end.as_str()), ("2026-03-29T01:00Z", "2026-03-29T01:00Z"));
        assert_eq!(
            told,
            [
                "nothing would be measured: on 2026-03-29 the clocks are set forward and skip all times from 02:15 to 02:45"
            ]
        );
        assert_eq!(
            of_night("2026-03-29T20:00", "19:00", "02:30").2,
            [""; 0],
            "the next night has all its hours"
        );
    }

    #[test]
    fn a_time_that_comes_twice_is_the_first_that_is_still_to_come() {
        let end = |now: &str, begin: &str| of_night(now, begin, "02:30").1;
        for begin in ["", "19:00"] {
            assert_eq!(end("2026-10-24T20:00", begin), "2026-10-25T00:30Z");
            assert_eq!(end("2026-10-25T00:45", begin), "2026-10-25T01:30Z");
        }
        assert_eq!(end("2026-10-25T01:45", ""), "2026-10-26T01:30Z");
    }
}
