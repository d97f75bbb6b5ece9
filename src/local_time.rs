//! Converts times of day to moments. When clocks are set forward, some times of day are skipped. When they are set
//! back, some occur twice.

use chrono::{DateTime, NaiveDate, NaiveTime, Offset, TimeDelta, TimeZone, Utc};

mod moment;

pub use moment::Moment;

/// The largest offset of any time zone from UTC.
const FURTHEST: TimeDelta = TimeDelta::hours(18);
/// The largest distance between two moments with the same local time on the same day.
const TWIN: TimeDelta = TimeDelta::hours(4);

/// The moments at which a local clock shows `time` on a day: one, or two when the clock is set back. For a skipped
/// time, this is the first moment after it.
#[must_use]
pub fn moments<Tz: TimeZone>(zone: &Tz, day: NaiveDate, time: NaiveTime) -> Vec<DateTime<Utc>> {
    let local = day.and_time(time);
    let shown = |at: DateTime<Utc>| at.with_timezone(zone).naive_local();
    let offset = |at: DateTime<Utc>| {
        TimeDelta::seconds(zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc().into())
    };
    // The offsets before and after a possible change of clocks.
    let (before, after) = (local.and_utc() - FURTHEST, local.and_utc() + FURTHEST);
    let mut found: Vec<DateTime<Utc>> = [before, after]
        .into_iter()
        .map(|at| local.and_utc() - offset(at))
        .filter(|at| shown(*at) == local)
        .collect();
    found.sort_unstable();
    found.dedup();
    if found.is_empty() {
        found.push(first_at_or_after(before, after, |at| shown(at) >= local));
    }
    found
}

/// The first moment after `from` at which the local clock of `now` shows `time`. If the time occurs twice and only
/// the first moment has passed, this is the second one.
#[must_use]
pub fn first_after<Tz: TimeZone>(
    now: &DateTime<Tz>,
    time: NaiveTime,
    from: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let near = |at: &DateTime<Utc>| *at > from;
    let mut all = (-2..=3).flat_map(|day| of_day(now, from, time, day)).filter(near);
    let first = all.next()?;
    let twin =
        all.next().filter(|twin| first <= now.to_utc() && *twin > now.to_utc() && *twin - first < TWIN);
    Some(twin.unwrap_or(first))
}

/// The next moment at which the clock shows `time`.
#[must_use]
pub fn next<Tz: TimeZone>(now: &DateTime<Tz>, time: NaiveTime) -> Option<DateTime<Utc>> {
    first_after(now, time, now.to_utc())
}

/// The last moment up to now at which the clock showed `time`.
#[must_use]
pub fn last<Tz: TimeZone>(now: &DateTime<Tz>, time: NaiveTime) -> Option<DateTime<Utc>> {
    (-2..=1).flat_map(|day| of_day(now, now.to_utc(), time, day)).filter(|at| *at <= now.to_utc()).last()
}

fn of_day<Tz: TimeZone>(
    now: &DateTime<Tz>,
    around: DateTime<Utc>,
    time: NaiveTime,
    day: i64,
) -> Vec<DateTime<Utc>> {
    let zone = now.timezone();
    let date = around.with_timezone(&zone).date_naive().checked_add_signed(TimeDelta::days(day));
    date.map(|date| moments(&zone, date, time)).unwrap_or_default()
}

/// The second in which a condition becomes true that is false at `before` and true at `after`.
fn first_at_or_after(
    before: DateTime<Utc>,
    after: DateTime<Utc>,
    holds: impl Fn(DateTime<Utc>) -> bool,
) -> DateTime<Utc> {
    let (mut not_yet, mut holding) = (before, after);
    while holding - not_yet > TimeDelta::seconds(1) {
        let middle = not_yet + TimeDelta::seconds((holding - not_yet).num_seconds() / 2);
        if holds(middle) {
            holding = middle;
        } else {
            not_yet = middle;
        }
    }
    holding
}

#[cfg(test)]
pub(crate) mod zone;

#[cfg(test)]
mod tests {
    use chrono::NaiveDateTime;

    use super::zone::Zone;
    use super::*;

    fn berlin_spring() -> Zone {
        Zone::new("2026-03-29T01:00", 60, 120)
    }
    fn berlin_autumn() -> Zone {
        Zone::new("2026-10-25T01:00", 120, 60)
    }

    fn time(text: &str) -> NaiveTime {
        NaiveTime::parse_from_str(text, "%H:%M").unwrap()
    }

    fn utc(text: &str) -> DateTime<Utc> {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").unwrap().and_utc()
    }

    #[test]
    fn a_time_that_is_skipped_is_the_first_moment_after_and_one_that_comes_twice_has_two() {
        let lord_howe = Zone::new("2026-10-03T15:30", 630, 660);
        let lord_howe_back = Zone::new("2026-04-04T15:00", 660, 630);
        // The clock changes at midnight, so the day begins at 01:00.
        let santiago = Zone::new("2026-09-06T04:00", -240, -180);
        let samoa_leaves_out_a_day = Zone::new("2011-12-30T10:00", -600, 840);
        let kolkata = Zone::new("1970-01-01T00:00", 330, 330);
        for (zone, day, at, found) in [
            (berlin_spring(), "2026-03-29", "02:30", vec!["2026-03-29T01:00"]),
            (berlin_spring(), "2026-03-29", "02:00", vec!["2026-03-29T01:00"]),
            (berlin_spring(), "2026-03-29", "01:59", vec!["2026-03-29T00:59"]),
            (berlin_spring(), "2026-03-29", "03:00", vec!["2026-03-29T01:00"]),
            (berlin_spring(), "2026-03-30", "02:30", vec!["2026-03-30T00:30"]),
            (berlin_autumn(), "2026-10-25", "02:30", vec!["2026-10-25T00:30", "2026-10-25T01:30"]),
            (berlin_autumn(), "2026-10-25", "02:00", vec!["2026-10-25T00:00", "2026-10-25T01:00"]),
            (berlin_autumn(), "2026-10-25", "03:00", vec!["2026-10-25T02:00"]),
            (lord_howe.clone(), "2026-10-04", "02:15", vec!["2026-10-03T15:30"]),
            (lord_howe, "2026-10-04", "02:30", vec!["2026-10-03T15:30"]),
            (lord_howe_back, "2026-04-05", "01:45", vec!["2026-04-04T14:45", "2026-04-04T15:15"]),
            (santiago.clone(), "2026-09-06", "00:00", vec!["2026-09-06T04:00"]),
            (santiago, "2026-09-06", "00:30", vec!["2026-09-06T04:00"]),
            (samoa_leaves_out_a_day, "2011-12-30", "12:00", vec!["2011-12-30T10:00"]),
            (kolkata, "2026-03-29", "02:30", vec!["2026-03-28T21:00"]),
        ] {
            let day = NaiveDate::parse_from_str(day, "%Y-%m-%d").unwrap();
            let expected: Vec<_> = found.iter().map(|text| utc(text)).collect();
            assert_eq!(moments(&zone, day, time(at)), expected, "{day} {at} {zone:?}");
        }
    }

    #[test]
    fn the_next_time_is_the_first_that_is_still_to_come() {
        let next_of =
            |zone: &Zone, now: &str, at: &str| next(&utc(now).with_timezone(zone), time(at)).unwrap();
        let (spring, autumn) = (berlin_spring(), berlin_autumn());
        assert_eq!(next_of(&spring, "2026-03-28T20:00", "02:30"), utc("2026-03-29T01:00"));
        assert_eq!(next_of(&spring, "2026-03-29T01:00", "02:30"), utc("2026-03-30T00:30"));
        assert_eq!(next_of(&autumn, "2026-10-24T20:00", "02:30"), utc("2026-10-25T00:30"));
        assert_eq!(next_of(&autumn, "2026-10-25T00:30", "02:30"), utc("2026-10-25T01:30"));
        assert_eq!(next_of(&autumn, "2026-10-25T01:30", "02:30"), utc("2026-10-26T01:30"));
    }

    #[test]
    fn whatever_the_zone_the_next_time_is_later_within_two_days_and_shows_itself_where_it_exists() {
        let zones = [
            (60, 120),
            (120, 60),
            (630, 660),
            (660, 630),
            (-240, -180),
            (-180, -240),
            (330, 330),
            (0, 0),
            (0, 60),
        ];
        for (before, after) in zones {
            let zone = Zone::new("2026-05-05T03:30", before, after);
            for minute in (0..3 * 24 * 60).step_by(37) {
                let now = (utc("2026-05-04T00:00") + TimeDelta::minutes(minute)).with_timezone(&zone);
                for at in (0..24 * 60).step_by(23) {
                    let wanted = NaiveTime::MIN + TimeDelta::minutes(at);
                    let found = next(&now, wanted).unwrap();
                    let shown = found.with_timezone(&zone).naive_local();
                    let ahead = found - now.to_utc();
                    assert!(
                        ahead > TimeDelta::zero() && ahead <= TimeDelta::hours(26),
                        "{zone:?} {now:?} {wanted}"
                    );
                    let skipped = || {
                        let day = shown.date() - TimeDelta::days(i64::from(shown.time() < wanted));
                        moments(&zone, day, wanted) == [found]
                    };
                    assert!(shown.time() == wanted || skipped(), "{zone:?} {now:?} {wanted}: {shown}");
                    assert!(last(&now, wanted).unwrap() <= now.to_utc());
                }
            }
        }
    }
}
