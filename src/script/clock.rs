//! The time of a recipe. Expressions and scripts have the same functions, and each call gets a time that the run records,
//! so a resumed run decides as before.

use std::cell::Cell;

use chrono::{DateTime, Local, Utc};
use rhai::{Engine, EvalAltResult};

use crate::local_time;
use crate::operation::time_of_day;

/// The functions that ask for the time.
pub(crate) const FUNCTIONS: [&str; 3] = ["now", "time_of_day", "next_time"];

thread_local! {
    /// The time of the expression that this thread evaluates.
    static TIME_S: Cell<Option<f64>> = const { Cell::new(None) };
}

/// Evaluates expressions at this time, in seconds since 1970.
pub(crate) fn at<T>(time_s: f64, evaluate: impl FnOnce() -> T) -> T {
    let before = TIME_S.replace(Some(time_s));
    let value = evaluate();
    TIME_S.set(before);
    value
}

/// Gives the functions to the engine of expressions, whose time is known before an expression begins.
pub(super) fn register(engine: &mut Engine) {
    let now = || TIME_S.get().ok_or("the time is not known here: it is known in the steps of a recipe");
    engine
        .register_fn("now", move || -> Result<f64, Box<EvalAltResult>> { Ok(now()?) })
        .register_fn("time_of_day", move || -> Result<String, Box<EvalAltResult>> { Ok(shown(now()?)) })
        .register_fn("next_time", move |text: &str| -> Result<f64, Box<EvalAltResult>> {
            Ok(next(now()?, text)?)
        });
}

fn local(time_s: f64) -> Option<DateTime<Local>> {
    #[expect(clippy::cast_possible_truncation, reason = "times within some thousand years fit")]
    let milliseconds = (time_s * 1e3) as i64;
    DateTime::<Utc>::from_timestamp_millis(milliseconds).map(|time| time.with_timezone(&Local))
}

/// What a clock on the wall shows: `22:05`. Such texts can be compared.
pub(super) fn shown(time_s: f64) -> String {
    local(time_s).map(|time| time.format("%H:%M").to_string()).unwrap_or_default()
}

/// The next moment after a time at which a clock on the wall shows `text`, in seconds since 1970.
///
/// # Errors
/// If the text is no time of day.
pub(crate) fn next(time_s: f64, text: &str) -> Result<f64, String> {
    let wrong = || format!("`{text}` is not a time of day: write `\"22:00\"`");
    let time = time_of_day(text).ok_or_else(wrong)?;
    let now = local(time_s).ok_or_else(wrong)?;
    let next = local_time::next(&now, time)
        .ok_or_else(|| format!("`{text}` does not exist in the local time zone"))?;
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit")]
    Ok(next.timestamp_millis() as f64 / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_time_of_day_is_later_and_shows_itself() {
        let now = 1.79e9;
        for text in ["00:00", "06:30", "22:00", "23:59"] {
            let next = next(now, text).unwrap();
            assert!(next > now && next <= now + 86_400.0 + 3_600.0, "{text}: {next}");
            assert_eq!(shown(next), text);
        }
        assert_eq!(next(now, "25:00").unwrap_err(), "`25:00` is not a time of day: write `\"22:00\"`");
    }
}
