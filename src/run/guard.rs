//! The runner's end of its guard: a process of its own that outlives the runner and turns the lasers off when the
//! runner is gone or hangs. It is told beats down a pipe, and each beat says which lasers the run has set so far.
//!
//! Beats come from the engine, where it starts a step, makes progress or takes a turn of a wait, and from no timer
//! beside it: an engine that hangs falls silent.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::Future;
use std::io::Write;
use std::path::PathBuf;
use std::process::ChildStdin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::store::is_fenced;

mod process;
mod word;

pub(super) use process::Guard;
pub use word::{Charge, Word};

/// The guard acts this much later than it was told: it may itself have been asleep while beats came in.
pub const GRACE: Duration = Duration::from_secs(1);
/// Beats are written no more often than this.
const BEAT_INTERVAL: Duration = Duration::from_millis(200);
/// A wait without any progress beats this often.
const TURN: Duration = Duration::from_millis(500);

/// Takes the engine's signs of life. Without a guard nobody hears them, and nothing is ever late.
#[derive(Debug, Clone, Default)]
pub(super) struct Pulse(Option<Arc<Line>>);

#[derive(Debug)]
struct Line {
    folder: PathBuf,
    silence: Duration,
    state: Mutex<State>,
    /// The fence could not be read once, and that has been logged.
    unreadable: AtomicBool,
}

#[derive(Debug)]
struct State {
    pipe: Option<ChildStdin>,
    lasers: BTreeSet<u8>,
    /// The guard has not heard of all of them yet.
    news: bool,
    spoke: Option<Instant>,
    /// The guard expects the next beat by then; `None` when there is none any more.
    due: Option<Instant>,
    late: bool,
}

impl Pulse {
    fn new(pipe: Option<ChildStdin>, folder: PathBuf, silence: Duration) -> Self {
        let state = State { pipe, lasers: BTreeSet::new(), news: false, spoke: None, due: None, late: false };
        let unreadable = AtomicBool::new(false);
        Self(Some(Arc::new(Line { folder, silence, state: Mutex::new(state), unreadable })))
    }

    /// Says the first word, which waits for nothing; from then on the pipe never makes the engine wait.
    fn begin(&self, charge: Charge) -> std::io::Result<()> {
        let Some(line) = &self.0 else { return Ok(()) };
        let mut state = line.state();
        state.say(&Word::Begin(charge))?;
        #[cfg(unix)]
        if let Some(pipe) = &state.pipe {
            rustix::io::ioctl_fionbio(pipe, true)?;
        }
        Ok(())
    }

    /// The engine is alive.
    pub(super) fn beat(&self) {
        if let Some(line) = &self.0 {
            line.beat(line.silence);
        }
    }

    /// The engine is alive, and may be silent for this long because of what it does now.
    pub(super) fn beat_for(&self, time: Duration) {
        if let Some(line) = &self.0 {
            line.beat(time + line.silence);
        }
    }

    /// The run is about to set or to switch on these lasers: the guard knows before they may emit light.
    pub(super) fn claim(&self, lasers: impl IntoIterator<Item = u8>) {
        if let Some(line) = &self.0 {
            {
                let mut state = line.state();
                for laser in lasers {
                    state.news |= state.lasers.insert(laser);
                }
            }
            line.beat(line.silence);
        }
    }

    /// Why the run must not go on: the guard has acted, or is about to.
    pub(super) fn fence(&self) -> Option<String> {
        let line = self.0.as_ref()?;
        if line.is_fenced() {
            return Some(
                "the guard has acted: it took this process for dead, and turns the lasers off".to_owned(),
            );
        }
        let silence = line.silence.as_secs_f64();
        line.state().late.then(|| {
            format!("this process was silent for longer than {silence} s, and its guard may have turned the lasers off")
        })
    }

    /// Whether the guard acts: then the instrument is its own.
    pub(super) fn is_fenced(&self) -> bool {
        self.0.as_ref().is_some_and(|line| line.is_fenced())
    }

    /// Beats at each turn while the engine waits for something that has nothing to tell on the way.
    pub(super) async fn during<T>(&self, wait: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            done = wait => done,
            never = self.beats_while(|| true) => match never {},
        }
    }

    /// Beats for as long as something is the case; to be polled beside whatever the engine waits for.
    pub(super) async fn beats_while(&self, cause: impl Fn() -> bool) -> Infallible {
        loop {
            if cause() {
                self.beat();
            }
            tokio::time::sleep(TURN).await;
        }
    }

    /// Says goodbye and hangs up.
    fn hang_up(&self) {
        if let Some(line) = &self.0 {
            let mut state = line.state();
            // Whether it hears that or not, the end of the pipe follows; a guard that does not listen is ended.
            let _ = state.say(&Word::Goodbye);
            state.pipe = None;
        }
    }
}

impl Line {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A fence that cannot be read is none: the run goes on, and looks again at its next sign of life.
    fn is_fenced(&self) -> bool {
        is_fenced(&self.folder, std::process::id()).unwrap_or_else(|error| {
            if !self.unreadable.swap(true, Ordering::Relaxed) {
                tracing::warn!(%error, "cannot see whether the watchdog has acted; the run looks again");
            }
            false
        })
    }

    fn beat(&self, next: Duration) {
        let mut state = self.state();
        let now = Instant::now();
        // A beat that comes after its time does not undo what the guard may have done in between.
        state.late |= state.due.is_some_and(|due| now > due);
        let due = now + next + GRACE;
        let often = BEAT_INTERVAL.min(self.silence / 4);
        let recent = state.spoke.is_some_and(|spoke| now - spoke < often);
        let is_expected = state.due.is_some_and(|known| due <= known + often && known <= due + often);
        if recent && !state.news && is_expected {
            return;
        }
        let word = Word::Beat { lasers: state.lasers.clone(), next_s: next.as_secs_f64() };
        match state.say(&word) {
            Ok(()) => {
                state.news = false;
                state.spoke = Some(now);
                state.due = Some(due);
            }
            // The guard is busy with nothing, or asleep: the next beat says the same.
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => {
                if state.pipe.take().is_some() {
                    tracing::warn!(%error, "the guard of this run has gone: nothing turns the lasers off if this process is killed");
                }
                state.due = None;
            }
        }
    }
}

impl State {
    fn say(&mut self, word: &Word) -> std::io::Result<()> {
        match &mut self.pipe {
            // A line is far shorter than what a pipe takes whole or not at all.
            Some(pipe) => pipe.write_all(word.line().as_bytes()),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beat_that_was_late_is_a_fence_for_good_and_without_a_guard_nothing_is_late() {
        let folder = tempfile::tempdir().unwrap();
        let pulse = Pulse::new(None, folder.path().to_owned(), Duration::from_secs(60));
        pulse.beat();
        assert_eq!(pulse.fence(), None);
        let line = pulse.0.as_ref().unwrap();
        line.state().due = Some(Instant::now());
        pulse.beat();
        pulse.beat();
        assert!(pulse.fence().unwrap().contains("silent for longer than 60 s"));
        assert_eq!(Pulse::default().fence(), None);
    }

    #[test]
    fn a_fence_in_the_folder_holds_however_punctual_the_beats_are() {
        let folder = tempfile::tempdir().unwrap();
        let pulse = Pulse::new(None, folder.path().to_owned(), Duration::from_secs(60));
        crate::store::put_up_fence(folder.path(), std::process::id() + 1).unwrap();
        assert_eq!(pulse.fence(), None);
        crate::store::put_up_fence(folder.path(), std::process::id()).unwrap();
        pulse.beat();
        assert!(pulse.fence().unwrap().contains("the guard has acted"));
        crate::store::take_down_fence(folder.path()).unwrap();
        assert_eq!(pulse.fence(), None);
    }

    #[test]
    fn a_fence_that_cannot_be_read_does_not_end_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("run");
        std::fs::write(&file, "no folder").unwrap();
        let pulse = Pulse::new(None, file, Duration::from_secs(60));
        pulse.beat();
        assert_eq!(pulse.fence(), None);
        assert!(!pulse.is_fenced());
    }
}
