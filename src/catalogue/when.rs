//! Moments as a person gives them: a date, a date with a time, or a time span back from now.

use chrono::{DateTime, Local, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

use crate::local_time;

/// The moment that a text means: `2d`, `8h`, `30m` (before `now`), `2026-11-28`, `2026-11-28 14:00`, or RFC 3339.
/// Without an offset, a date and a time are local.
///
/// # Errors
/// If the text is none of these.
pub(super) fn moment(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
    let text = text.trim();
    let known = span(text)
        .and_then(|span| now.checked_sub_signed(span))
        .or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc()))
        .or_else(|| local(text));
    known.ok_or_else(|| {
        format!("`{text}` is no time: allowed are 2d, 8h, 30m, 2026-11-28, '2026-11-28 14:00' and RFC 3339")
    })
}

/// Like [`moment`], for the end of a range. A date without a time means the end of that day.
///
/// # Errors
/// See [`moment`].
pub(super) fn end_moment(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
    let next_day = NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").ok().and_then(|day| day.succ_opt());
    match next_day.and_then(|day| local_time::moments(&Local, day, NaiveTime::MIN).first().copied()) {
        Some(end) => Ok(end),
        None => moment(text, now),
    }
}

/// Weeks, days, hours or minutes.
fn span(text: &str) -> Option<TimeDelta> {
    let unit = text.chars().last()?;
    let minutes = match unit {
        'm' => 1.0,
        'h' => 60.0,
        'd' => 24.0 * 60.0,
        'w' => 7.0 * 24.0 * 60.0,
        _ => return None,
    };
    let count: f64 = text[..text.len() - 1].trim().parse().ok()?;
    if !(0.0..=1e6).contains(&count) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "at most some 10^13 ms")]
    Some(TimeDelta::milliseconds((count * minutes * 60_000.0) as i64))
}

/// A date, with or without a time of day, on the clock of this computer.
fn local(text: &str) -> Option<DateTime<Utc>> {
    let at: NaiveDateTime = match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(day) => day.and_time(NaiveTime::MIN),
        Err(_) => ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"]
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())?,
    };
    local_time::moments(&Local, at.date(), at.time()).first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_dates_and_full_times_are_moments() {
        let now: DateTime<Utc> = "2026-11-29T12:00:00Z".parse().unwrap();
        let at = |text: &str| moment(text, now).map(|time| time.to_rfc3339());
        assert_eq!(at("2d").unwrap(), "2026-11-27T12:00:00+00:00");
        assert_eq!(at("1.5h").unwrap(), "2026-11-29T10:30:00+00:00");
        assert_eq!(at("2026-11-28T14:00:00+02:00").unwrap(), "2026-11-28T12:00:00+00:00");
        let midnight = moment("2026-11-28", now).unwrap().with_timezone(&Local);
        assert_eq!(midnight.format("%Y-%m-%d %H:%M").to_string(), "2026-11-28 00:00");
        assert_eq!(moment("2026-11-28 00:00", now).unwrap(), midnight.to_utc());
        let end = end_moment("2026-11-28", now).unwrap().with_timezone(&Local);
        assert_eq!(end.format("%Y-%m-%d %H:%M").to_string(), "2026-11-29 00:00");
        assert_eq!(end_moment("2d", now), moment("2d", now));
        for wrong in ["", "d", "-2d", "2x", "yesterday", "2026-13-01", "1e300d", "2é"] {
            assert!(at(wrong).unwrap_err().contains("is no time"), "{wrong}");
        }
    }
}
