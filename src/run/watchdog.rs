//! The watchdog of a run: a process that outlives the run. If the run is killed or hangs, the watchdog turns the lasers off
//! and makes the named instruments safe. This is the run's side. It sends heartbeats through a pipe. Each heartbeat has
//! the lasers that the run has set so far, and the named instruments that it has used.
//!
//! The engine sends a heartbeat when it starts a step, makes progress or waits. No timer sends heartbeats, so that an
//! engine that hangs falls silent.

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
use crate::threads;

mod message;
mod process;

pub use message::{Config, Message};
pub(super) use process::{Guarded, Watchdog};

/// The watchdog acts this much later than agreed: it may itself have been suspended while heartbeats arrived.
pub const GRACE: Duration = Duration::from_secs(1);
/// Heartbeats are sent no more often than this.
const BEAT_INTERVAL: Duration = Duration::from_millis(200);
/// The interval between two looks for the fence.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// Time limit of a look for the fence before light.
const LOOK_LIMIT: Duration = Duration::from_secs(2);
/// The interval of heartbeats during a wait without progress.
const TURN: Duration = Duration::from_millis(500);

/// Sends the heartbeats of the engine. Without a watchdog, no heartbeat is sent and none is ever late.
#[derive(Debug, Clone, Default)]
pub(super) struct Heartbeat(Option<Arc<Channel>>);

#[derive(Debug)]
struct Channel {
    folder: PathBuf,
    silence: Duration,
    state: Mutex<State>,
    /// The fence was up at the last look.
    fenced: AtomicBool,
    /// A fence that could not be read has been logged.
    unreadable: AtomicBool,
}

#[derive(Debug)]
struct State {
    pipe: Option<ChildStdin>,
    lasers: BTreeSet<u8>,
    named: BTreeSet<String>,
    /// The watchdog does not know all of these lasers and instruments yet.
    has_news: bool,
    last_sent: Option<Instant>,
    /// When the watchdog expects the next heartbeat; `None` if there is no watchdog any more.
    due: Option<Instant>,
    late: bool,
}

impl Heartbeat {
    fn new(pipe: Option<ChildStdin>, folder: PathBuf, silence: Duration) -> Self {
        let state = State {
            pipe,
            lasers: BTreeSet::new(),
            named: BTreeSet::new(),
            has_news: false,
            last_sent: None,
            due: None,
            late: false,
        };
        let (fenced, unreadable) = (AtomicBool::new(false), AtomicBool::new(false));
        Self(Some(Arc::new(Channel { folder, silence, state: Mutex::new(state), fenced, unreadable })))
    }

    /// Sends the first message. From then on, a full pipe never makes the engine wait.
    fn begin(&self, config: Config) -> std::io::Result<()> {
        let Some(channel) = &self.0 else { return Ok(()) };
        let mut state = channel.state();
        state.send(&Message::Begin(config))?;
        #[cfg(unix)]
        if let Some(pipe) = &state.pipe {
            rustix::io::ioctl_fionbio(pipe, true)?;
        }
        Ok(())
    }

    /// Sends a heartbeat.
    pub(super) fn beat(&self) {
        if let Some(channel) = &self.0 {
            channel.beat(channel.silence);
        }
    }

    /// Sends a heartbeat that announces a longer silence, for work of this length.
    pub(super) fn beat_for(&self, time: Duration) {
        if let Some(channel) = &self.0 {
            channel.beat(time + channel.silence);
        }
    }

    /// Announces lasers that the run is about to set or to switch on. The watchdog must know them before they emit
    /// light.
    pub(super) fn claim(&self, lasers: impl IntoIterator<Item = u8>) {
        if let Some(channel) = &self.0 {
            {
                let mut state = channel.state();
                for laser in lasers {
                    state.has_news |= state.lasers.insert(laser);
                }
            }
            channel.beat(channel.silence);
        }
    }

    /// Announces named instruments that the run is about to use. The watchdog must know them first.
    pub(super) fn claim_named(&self, names: impl IntoIterator<Item = String>) {
        if let Some(channel) = &self.0 {
            {
                let mut state = channel.state();
                for name in names {
                    state.has_news |= state.named.insert(name);
                }
            }
            channel.beat(channel.silence);
        }
    }

    /// Looks for the fence every [`LOOK_INTERVAL`], on a thread of its own: a disk may hang. The thread ends with the run.
    fn watch_fence(&self) {
        let Some(channel) = self.0.as_ref().map(Arc::downgrade) else { return };
        let watch = move || {
            while let Some(channel) = channel.upgrade() {
                channel.look();
                drop(channel);
                std::thread::sleep(LOOK_INTERVAL);
            }
        };
        let started = std::thread::Builder::new().name("fence".to_owned()).spawn(watch);
        if let Err(error) = started {
            tracing::warn!(%error, "without a thread for it, the fence is looked at only before light");
        }
    }

    /// Looks for the fence now. If the disk does not answer in time, the last look counts.
    pub(super) async fn look(&self) {
        let Some(channel) = self.0.clone() else { return };
        let look = threads::begin("fence", move || channel.look());
        // The journal, on the same disk, reports a disk that hangs.
        let _ = tokio::time::timeout(LOOK_LIMIT, look).await;
    }

    /// Why the run must not continue: the watchdog has acted, or is about to act.
    pub(super) fn fence(&self) -> Option<String> {
        let channel = self.0.as_ref()?;
        if channel.fenced.load(Ordering::Acquire) {
            return Some(
                "the watchdog has acted: this process sent no heartbeat, so the watchdog turns the lasers off"
                    .to_owned(),
            );
        }
        let silence = channel.silence.as_secs_f64();
        channel.state().late.then(|| {
            format!("this process was silent for longer than {silence} s, and its watchdog may have turned the lasers off")
        })
    }

    /// Whether the watchdog acts: then only the watchdog may use the instrument.
    pub(super) fn is_fenced(&self) -> bool {
        self.0.as_ref().is_some_and(|channel| channel.fenced.load(Ordering::Acquire))
    }

    /// Sends heartbeats while the engine waits for something that reports no progress.
    pub(super) async fn during<T>(&self, wait: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            done = wait => done,
            never = self.beats_while(|| true) => match never {},
        }
    }

    /// Sends heartbeats for as long as a condition holds. The caller polls it together with the future that it waits
    /// for.
    pub(super) async fn beats_while(&self, cause: impl Fn() -> bool) -> Infallible {
        loop {
            if cause() {
                self.beat();
            }
            tokio::time::sleep(TURN).await;
        }
    }

    /// Says goodbye and closes the pipe.
    fn hang_up(&self) {
        if let Some(channel) = &self.0 {
            let mut state = channel.state();
            // If the message is lost, the pipe still ends. A watchdog that does not react is killed.
            let _ = state.send(&Message::Goodbye);
            state.pipe = None;
        }
    }
}

impl Channel {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks for the fence. If the fence cannot be read, there is none: the run continues and looks again.
    fn look(&self) {
        let fenced = is_fenced(&self.folder, std::process::id()).unwrap_or_else(|error| {
            if !self.unreadable.swap(true, Ordering::Relaxed) {
                tracing::warn!(%error, "cannot read whether the watchdog has acted; the run looks again");
            }
            false
        });
        self.fenced.store(fenced, Ordering::Release);
    }

    fn beat(&self, next: Duration) {
        let mut state = self.state();
        let now = Instant::now();
        // The watchdog may have acted before a late heartbeat. The heartbeat does not undo that.
        state.late |= state.due.is_some_and(|due| now > due);
        let due = now + next + GRACE;
        let often = BEAT_INTERVAL.min(self.silence / 4);
        let recent = state.last_sent.is_some_and(|sent| now - sent < often);
        let is_expected = state.due.is_some_and(|known| due <= known + often && known <= due + often);
        if recent && !state.has_news && is_expected {
            return;
        }
        let message = Message::Beat {
            lasers: state.lasers.clone(),
            named: state.named.clone(),
            next_s: next.as_secs_f64(),
        };
        match state.send(&message) {
            Ok(()) => {
                state.has_news = false;
                state.last_sent = Some(now);
                state.due = Some(due);
            }
            // The watchdog is suspended, and the pipe is full. The next heartbeat has the same content.
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => {
                if state.pipe.take().is_some() {
                    tracing::warn!(%error, "the watchdog of this run has ended: nothing turns the lasers off if this process is killed");
                }
                state.due = None;
            }
        }
    }
}

impl State {
    fn send(&mut self, message: &Message) -> std::io::Result<()> {
        match &mut self.pipe {
            // A pipe takes a short line completely or not at all.
            Some(pipe) => pipe.write_all(message.line().as_bytes()),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_heartbeat_is_a_fence_for_good_and_without_a_watchdog_nothing_is_late() {
        let folder = tempfile::tempdir().unwrap();
        let heartbeat = Heartbeat::new(None, folder.path().to_owned(), Duration::from_secs(60));
        heartbeat.beat();
        assert_eq!(heartbeat.fence(), None);
        let channel = heartbeat.0.as_ref().unwrap();
        channel.state().due = Some(Instant::now());
        heartbeat.beat();
        heartbeat.beat();
        assert!(heartbeat.fence().unwrap().contains("silent for longer than 60 s"));
        assert_eq!(Heartbeat::default().fence(), None);
    }

    #[test]
    fn a_fence_in_the_folder_holds_however_punctual_the_beats_are() {
        let folder = tempfile::tempdir().unwrap();
        let heartbeat = Heartbeat::new(None, folder.path().to_owned(), Duration::from_secs(60));
        let look = || heartbeat.0.as_ref().unwrap().look();
        crate::store::put_up_fence(folder.path(), std::process::id() + 1).unwrap();
        look();
        assert_eq!(heartbeat.fence(), None);
        crate::store::put_up_fence(folder.path(), std::process::id()).unwrap();
        heartbeat.beat();
        look();
        assert!(heartbeat.fence().unwrap().contains("the watchdog has acted"));
        crate::store::take_down_fence(folder.path()).unwrap();
        look();
        assert_eq!(heartbeat.fence(), None);
    }

    #[test]
    fn a_fence_that_cannot_be_read_does_not_end_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("run");
        std::fs::write(&file, "no folder").unwrap();
        let heartbeat = Heartbeat::new(None, file, Duration::from_secs(60));
        heartbeat.beat();
        heartbeat.0.as_ref().unwrap().look();
        assert_eq!(heartbeat.fence(), None);
        assert!(!heartbeat.is_fenced());
    }
}
