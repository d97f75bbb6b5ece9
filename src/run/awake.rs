//! Keeps the computer awake while a run measures, if the system has a program for that. A sleep that still happens is
//! reported, because measurements of that time are doubtful. A clock that is set is reported too, because the times of
//! readings and events before and after it cannot be compared.

use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use tokio::process::{Child, Command};

use crate::run::events::RunEvent;
use crate::run::events::log::RunLog;
use crate::units::duration;

/// The interval between two comparisons of the clocks.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A shorter sleep is noticed by the instrument's own time limits, if it matters.
const SHORTEST_SLEEP: Duration = Duration::from_secs(10);
/// A smaller step of the clock is reported by nobody: two clocks are not read at exactly the same time.
const SMALLEST_STEP: Duration = Duration::from_secs(2);
/// Some systems have no clock that counts sleep. There a sleep looks like a clock that was set, so only long jumps are
/// reported.
const SHORTEST_JUMP: Duration = Duration::from_secs(60);

/// What a person can do where no program keeps the computer awake.
const HINT: &str = "this computer may fall asleep during the run (`systemd-inhibit` and `caffeinate` are missing): switch off its automatic sleep";

/// Keeps the computer awake until it is dropped. The helper program reads from a pipe of this process, so it ends with
/// this process in any case.
pub(super) async fn stay_awake(is_simulated: bool) {
    let inhibit = ["--what=sleep:idle", "--who=ctp10", "--why=measuring", "--mode=block", "cat"];
    let pid = std::process::id().to_string();
    let held = start("systemd-inhibit", &inhibit).or_else(|| start("caffeinate", &["-i", "-w", &pid]));
    if let Some(mut held) = held {
        // `wait` would close the input.
        let _input = held.stdin.take();
        // The helper program ends by itself only if it does not work.
        let ended = held.wait().await;
        tracing::debug!(?ended, "the program that keeps the computer awake has ended");
    }
    if !is_simulated {
        tracing::warn!("{HINT}");
    }
}

fn start(program: &str, arguments: &[&str]) -> Option<Child> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.kill_on_drop(true).spawn().ok()
}

/// The time of three clocks.
#[derive(Debug, Clone, Copy)]
struct Clocks {
    /// Stops while the computer sleeps.
    running: Instant,
    /// Counts sleep too, if the system has such a clock: the time since it was switched on.
    since_boot: Option<Duration>,
    /// The wall clock, which can be set.
    wall: SystemTime,
}

impl Clocks {
    fn now() -> Self {
        Self { running: Instant::now(), since_boot: since_boot(), wall: SystemTime::now() }
    }

    /// How long the computer slept between two looks; `None` if it did not.
    fn slept_since(&self, before: &Self) -> Option<Duration> {
        let ran = self.running.saturating_duration_since(before.running);
        let (passed, least) = match self.since_boot_since(before) {
            Some(passed) => (passed, SHORTEST_SLEEP),
            None => (self.wall.duration_since(before.wall).unwrap_or_default(), SHORTEST_JUMP),
        };
        Some(passed.saturating_sub(ran)).filter(|slept| *slept >= least)
    }

    /// How far the wall clock was set between two looks; `None` if it was not. Without a clock that counts sleep, only
    /// a step back is known not to be a sleep.
    fn set_since(&self, before: &Self) -> Option<Step> {
        let ran = self.running.saturating_duration_since(before.running);
        let passed = self.since_boot_since(before);
        let expected = before.wall + passed.unwrap_or(ran);
        let step = match self.wall.duration_since(expected) {
            Ok(forward) => passed.map(|_| Step::Forward(forward)),
            Err(back) => Some(Step::Back(back.duration())),
        };
        step.filter(|step| step.size() >= SMALLEST_STEP)
    }

    fn since_boot_since(&self, before: &Self) -> Option<Duration> {
        Some(self.since_boot?.saturating_sub(before.since_boot?))
    }
}

/// A step of the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Forward(Duration),
    Back(Duration),
}

impl Step {
    fn size(self) -> Duration {
        match self {
            Self::Forward(size) | Self::Back(size) => size,
        }
    }

    fn told(self) -> String {
        let way = match self {
            Self::Forward(_) => "forward",
            Self::Back(_) => "back",
        };
        let size = duration(self.size().as_secs_f64());
        format!(
            "the clock of this computer was set {way} by {size}: compare events before and after this by `elapsed_s`, not by `time`"
        )
    }
}

/// On Linux, the uptime includes sleep.
fn since_boot() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// Emits a warning for each sleep of the computer and each step of its clock, until it is dropped.
pub(super) async fn report_clocks(log: RunLog) {
    let mut before = Clocks::now();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = Clocks::now();
        let asleep = now.slept_since(&before).map(|slept| {
            format!(
                "the computer was asleep for {}: the state of the instrument during this time is unknown",
                duration(slept.as_secs_f64())
            )
        });
        for message in asleep.into_iter().chain(now.set_since(&before).map(Step::told)) {
            if log.emit(RunEvent::Warning { message }).is_err() {
                return;
            }
        }
        before = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_and_a_step_are_what_one_clock_has_counted_and_another_not() {
        let before = Clocks::now();
        let after = |ran_s: u64, since_boot_s: Option<u64>, wall_s: i64| {
            let wall = match u64::try_from(wall_s) {
                Ok(on) => before.wall + Duration::from_secs(on),
                Err(_) => before.wall - Duration::from_secs(wall_s.unsigned_abs()),
            };
            let since_boot =
                since_boot_s.map(|s| before.since_boot.unwrap_or_default() + Duration::from_secs(s));
            let before =
                Clocks { since_boot: before.since_boot.or(since_boot.map(|_| Duration::ZERO)), ..before };
            let now = Clocks { running: before.running + Duration::from_secs(ran_s), since_boot, wall };
            (now.slept_since(&before).map(|slept| slept.as_secs()), now.set_since(&before))
        };
        let set = |seconds: i64| {
            let size = Duration::from_secs(seconds.unsigned_abs());
            Some(if seconds > 0 { Step::Forward(size) } else { Step::Back(size) })
        };
        assert_eq!(after(5, Some(5), 5), (None, None));
        assert_eq!(after(5, Some(5), 6), (None, None));
        assert_eq!(after(5, Some(3605), 3605), (Some(3600), None));
        assert_eq!(after(5, Some(5), 3605), (None, set(3600)));
        assert_eq!(after(5, Some(5), -3595), (None, set(-3600)));
        assert_eq!(after(5, Some(3605), 5), (Some(3600), set(-3600)));
        assert_eq!(after(5, None, 3605), (Some(3600), None));
        assert_eq!(after(5, None, 35), (None, None));
        assert_eq!(after(5, None, -3595), (None, set(-3600)));
    }
}
