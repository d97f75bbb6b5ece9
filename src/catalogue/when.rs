//! Moments as a person gives them: a date, a date with a time, or a time span back from now.

use chrono::{DateTime, Local, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

use crate::local_time;

/// The forms that are allowed, for messages.
const ALLOWED: &str = "allowed are `today`, `yesterday`, `2d`, `8h`, `30m`, `2026-11-28`, `28.11.2026`, each date also with a time (`2026-11-28 14:00`), and RFC 3339";

/// The moment that a text means: `2d`, `8h`, `30m` (before `now`), `today`, `yesterday`, `2026-11-28`, `28.11.2026`,
/// `2026-11-28 14:00`, or RFC 3339. Without an offset, a day and a time are local.
///
/// # Errors
/// If the text is none of these. A date with slashes is refused, because its order is not the same everywhere.
pub(super) fn moment(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
    let text = text.trim();
    let known = span(text)
        .and_then(|span| now.checked_sub_signed(span))
        .or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc()))
        .or_else(|| local(text, now));
    known.ok_or_else(|| wrong(text))
}

/// Like [`moment`], for the end of a range. A day without a time means the end of that day.
///
/// # Errors
/// See [`moment`].
pub(super) fn end_moment(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
    let next_day = day(text.trim(), now).and_then(|day| day.succ_opt());
    match next_day.and_then(|day| local_time::moments(&Local, day, NaiveTime::MIN).first().copied()) {
        Some(end) => Ok(end),
        None => moment(text, now),
    }
}

/// The message about a text that is no moment.
fn wrong(text: &str) -> String {
    let numbers: Vec<&str> = text.split('/').collect();
    let has_slashes = numbers.len() == 3 && numbers.iter().all(|part| part.parse::<u32>().is_ok());
    if !has_slashes {
        return format!("`{text}` is no time: {ALLOWED}");
    }
    // Both readings of the date, as far as they exist.
    let readings = ["%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y"]
        .iter()
        .filter_map(|form| NaiveDate::parse_from_str(text, form).ok());
    let mut readings: Vec<String> = readings.map(|day| format!("`{day}`")).collect();
    readings.dedup();
    let meant = if readings.is_empty() { "`2026-11-28`".to_owned() } else { readings.join(" or ") };
    format!(
        "`{text}`: a date with slashes is ambiguous, because day and month have no fixed order: write {meant}"
    )
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

/// A day on the calendar of this computer.
fn day(text: &str, now: DateTime<Utc>) -> Option<NaiveDate> {
    let today = now.with_timezone(&Local).date_naive();
    match text {
        "today" => Some(today),
        "yesterday" => today.pred_opt(),
        date => ["%Y-%m-%d", "%d.%m.%Y"].iter().find_map(|form| NaiveDate::parse_from_str(date, form).ok()),
    }
}

/// A day, with or without a time of day, on the clock of this computer.
fn local(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let at: NaiveDateTime = match day(text, now) {
        Some(day) => day.and_time(NaiveTime::MIN),
        None => {
            let (date, time) = text.split_once([' ', 'T'])?;
            let time = ["%H:%M:%S", "%H:%M"]
                .iter()
                .find_map(|form| NaiveTime::parse_from_str(time.trim(), form).ok());
            day(date, now)?.and_time(time?)
        }
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
        for wrong in
            ["", "d", "-2d", "2x", "tomorrow", "2026-13-01", "31.11.2026", "1e300d", "2é", "today 25:00"]
        {
            let told = at(wrong).unwrap_err();
            assert!(told.contains("is no time") && told.contains("`yesterday`"), "{wrong}: {told}");
        }
    }

    #[test]
    fn days_have_names_and_dates_of_two_forms_and_slashes_are_refused() {
        let now: DateTime<Utc> = "2026-11-29T12:00:00Z".parse().unwrap();
        let same = |text: &str, other: &str| assert_eq!(moment(text, now), moment(other, now), "{text}");
        same("28.11.2026", "2026-11-28");
        same("28.11.2026 14:00", "2026-11-28T14:00");
        let today = now.with_timezone(&Local).date_naive();
        same("today", &today.to_string());
        same("yesterday", &today.pred_opt().unwrap().to_string());
        same("yesterday 22:00", &format!("{} 22:00", today.pred_opt().unwrap()));
        assert_eq!(end_moment("yesterday", now), moment("today", now));
        assert_eq!(end_moment("28.11.2026", now), end_moment("2026-11-28", now));
        for (text, words) in [
            ("29/11/2026", "is ambiguous, because day and month have no fixed order: write `2026-11-29`"),
            ("03/04/2026", "write `2026-04-03` or `2026-03-04`"),
            ("2026/11/29", "write `2026-11-29`"),
            ("99/99/2026", "write `2026-11-28`"),
        ] {
            let told = moment(text, now).unwrap_err();
            assert!(told.contains(words), "{told}");
        }
    }
}
