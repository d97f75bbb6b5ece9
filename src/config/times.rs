//! Time settings of a bench, s.

use std::time::Duration;

/// A run that is paused for longer than this turns its lasers off.
pub(super) const DARK_AFTER: Duration = Duration::from_secs(600);

/// The longest time without a heartbeat that the watchdog allows: well above a single exchange with the instrument,
/// which takes up to 30 s.
pub(super) const GUARD_AFTER: Duration = Duration::from_secs(60);

/// Half an hour, because a person must notice it and free disk space.
pub(super) const DISK_FULL_WAIT: Duration = Duration::from_secs(1800);

/// The longest time of a setting, as in recipes: a year. Sums of longer times may exceed what a clock can show.
const LONGEST: Duration = Duration::from_secs(31_536_000);

/// Replaces a setting if a value was given and is allowed.
pub(super) fn set<T>(kept: &mut T, given: Option<Result<T, String>>) -> Result<(), String> {
    if let Some(given) = given {
        *kept = given?;
    }
    Ok(())
}

/// Checks the given time.
pub(super) fn dark_after(seconds: f64) -> Result<Duration, String> {
    time("dark_after_s", seconds, "0 to 31536000 seconds", |_| true)
}

/// Zero means no watchdog. Less than a second is refused because the engine itself sends heartbeats twice a second.
pub(super) fn guard_after(seconds: f64) -> Result<Option<Duration>, String> {
    let allowed = "0 (no watchdog), or 1 to 31536000 seconds";
    time("guard_after_s", seconds, allowed, |time| time.is_zero() || time.as_secs() > 0)
        .map(|silence| Some(silence).filter(|silence| !silence.is_zero()))
}

/// With zero, a step fails at once when the disk is full.
pub(super) fn disk_full_wait(seconds: f64) -> Result<Duration, String> {
    time("disk_full_wait_s", seconds, "0 to 31536000 seconds", |_| true)
}

/// With zero, a question waits without a limit.
pub(super) fn answer_wait(seconds: f64) -> Result<Option<Duration>, String> {
    let wait = time("answer_wait_s", seconds, "0 (until there is an answer) to 31536000 seconds", |_| true)?;
    Ok(Some(wait).filter(|wait| !wait.is_zero()))
}

/// Checks the given time against its limits. None may be longer than a year.
pub(super) fn time(
    name: &str,
    seconds: f64,
    allowed: &str,
    is_allowed: impl Fn(&Duration) -> bool,
) -> Result<Duration, String> {
    let time = Duration::try_from_secs_f64(seconds).ok();
    let time = time.filter(|time| *time <= LONGEST && is_allowed(time));
    time.ok_or_else(|| format!("{name} `{seconds}` is not allowed ({allowed})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_can_be_switched_off_and_never_has_less_than_a_second() {
        assert_eq!(guard_after(0.0), Ok(None));
        assert_eq!(guard_after(90.0), Ok(Some(Duration::from_secs(90))));
        for wrong in [0.5, -1.0, f64::NAN, f64::INFINITY, 1e18] {
            assert!(guard_after(wrong).unwrap_err().contains("or 1 to 31536000 seconds"));
        }
    }
}
