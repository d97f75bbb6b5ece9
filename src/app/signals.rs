//! Signals that end the program, handled in one way for `run`, `resume`, `batch` and `serve`.
//!
//! 1. SIGTERM or SIGHUP in `batch` and `serve`: no new run starts, and the active run continues to its end. A service
//!    that is restarted must not interrupt a sweep.
//! 2. Ctrl-C, every signal in `run` and `resume`, and a second signal: the active run stops cleanly.
//! 3. One more signal: the program exits at once.
//!
//! Signals that arrive together count as one, because some programs send two for one request. `timeout` signals the program
//! and then its process group. The end of a login session sends SIGTERM and SIGHUP.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::batch::WorkerCommand;
use crate::error::ExitCode;
use crate::session::Session;
use crate::terminal::output::errln;

/// A signal that asks the program to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopSignal {
    /// From a person at the terminal.
    Interrupt,
    /// From the program that manages this process.
    Terminate,
    /// The terminal was closed, or the connection to it was lost.
    HangUp,
}

impl std::fmt::Display for StopSignal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "Ctrl-C",
            Self::Terminate => "SIGTERM",
            Self::HangUp => "SIGHUP (the terminal was closed)",
        })
    }
}

/// The effect of SIGTERM and SIGHUP on the active run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnTerminate {
    /// The run stops cleanly.
    Stop,
    /// The run continues to its end.
    Finish,
}

/// Handles signals until it is dropped.
#[derive(Debug)]
pub(super) struct Signals {
    first: watch::Receiver<bool>,
    handler: JoinHandle<()>,
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.handler.abort();
    }
}

impl Signals {
    /// Begins to handle signals. A worker on the session gets `commands`.
    pub(super) fn handle(
        session: &Arc<Session>,
        on_terminate: OnTerminate,
        commands: watch::Sender<WorkerCommand>,
    ) -> Self {
        let (arrived, first) = watch::channel(false);
        let session = Arc::clone(session);
        let mut signals = StopSignals::listen();
        let handler = tokio::spawn(async move {
            let mut signal = signals.next().await;
            session.drain();
            arrived.send_replace(true);
            if signal != StopSignal::Interrupt && on_terminate == OnTerminate::Finish {
                commands.send_replace(WorkerCommand::FinishRun);
                if let Some(run) = session.current_run() {
                    errln!("waiting for the end of run {}; a second signal stops it cleanly", run.id());
                }
                signal = signals.next().await;
            }
            let reason = format!("stopped by {signal}");
            commands.send_replace(WorkerCommand::Stop(reason.clone()));
            if let Some(run) = session.current_run() {
                run.control().stop(reason);
            }
            signals.next().await;
            errln!("{}", farewell(&session));
            std::process::exit(ExitCode::Stopped as i32);
        });
        Self { first, handler }
    }

    /// Whether a signal has arrived.
    pub(super) fn have_arrived(&self) -> bool {
        *self.first.borrow()
    }

    /// Waits for the first signal.
    pub(super) async fn first(&mut self) {
        if self.first.wait_for(|arrived| *arrived).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// The last message of a program that exits immediately: the state of the lasers.
fn farewell(session: &Session) -> &'static str {
    let is_watched = session.setup().times.guard_after.is_some();
    match (session.current_run(), session.is_embedded(), is_watched) {
        (None, ..) => "exiting immediately",
        (Some(_), true, _) => {
            "exiting immediately: the run is interrupted, and the simulator ends with the program"
        }
        (Some(_), false, true) => {
            "exiting immediately: the run is interrupted; its watchdog turns the lasers off (or use `ctp10 off`)"
        }
        (Some(_), false, false) => {
            "exiting immediately: the run is interrupted; the lasers may be on: use `ctp10 off`"
        }
    }
}

/// Waits for Ctrl-C, SIGTERM or SIGHUP, and returns the one that arrived.
pub(super) async fn stop_signal() -> StopSignal {
    StopSignals::listen().next().await
}

/// Signals within this time count as one. A person who wants to end the program presses Ctrl-C again after it.
const TOGETHER: Duration = Duration::from_secs(1);

/// The last signal that the program has obeyed. There is one for the whole program, because one part of the program may
/// obey the first of two signals, and another part would get the second.
static OBEYED: Obeyed = Obeyed(Mutex::new(None));

struct Obeyed(Mutex<Option<Instant>>);

impl Obeyed {
    /// Whether a signal is a new request. A repetition does not extend the time in which repetitions are ignored.
    fn is_new(&self, at: Instant) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = last.is_none_or(|last| at.saturating_duration_since(last) >= TOGETHER);
        if is_new {
            *last = Some(at);
        }
        is_new
    }
}

/// The signals since [`listen`](Self::listen) was called. None is lost between two calls of [`next`](Self::next).
#[cfg(unix)]
struct StopSignals {
    interrupt: Option<tokio::signal::unix::Signal>,
    terminate: Option<tokio::signal::unix::Signal>,
    hang_up: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl StopSignals {
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        // Without a handler, the default action of a signal ends the process.
        Self {
            interrupt: signal(SignalKind::interrupt()).ok(),
            terminate: signal(SignalKind::terminate()).ok(),
            hang_up: if ignores_hang_up() { None } else { signal(SignalKind::hangup()).ok() },
        }
    }

    async fn next(&mut self) -> StopSignal {
        async fn arrival(signal: &mut Option<tokio::signal::unix::Signal>) {
            let arrived = match signal {
                Some(signal) => signal.recv().await,
                None => None,
            };
            if arrived.is_none() {
                std::future::pending::<()>().await;
            }
        }
        loop {
            // Of signals that arrive together, the one that stops a run comes first.
            let signal = tokio::select! {
                biased;
                () = arrival(&mut self.interrupt) => StopSignal::Interrupt,
                () = arrival(&mut self.terminate) => StopSignal::Terminate,
                () = arrival(&mut self.hang_up) => StopSignal::HangUp,
            };
            if OBEYED.is_new(Instant::now()) {
                return signal;
            }
        }
    }
}

/// Whether the program was started with `nohup`: then a closed terminal does not concern it.
#[cfg(unix)]
fn ignores_hang_up() -> bool {
    // On systems without this file, a closed terminal always stops the program, because that is safe.
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_first_signal(&status))
}

/// Reads the mask of ignored signals. SIGHUP is the first signal.
#[cfg(unix)]
fn ignores_first_signal(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 != 0)
}

#[cfg(not(unix))]
struct StopSignals;

#[cfg(not(unix))]
impl StopSignals {
    fn listen() -> Self {
        Self
    }

    async fn next(&mut self) -> StopSignal {
        loop {
            let _ = tokio::signal::ctrl_c().await;
            if OBEYED.is_new(Instant::now()) {
                return StopSignal::Interrupt;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_that_arrive_together_are_one_request_and_a_later_one_is_another() {
        let (obeyed, first) = (Obeyed(Mutex::new(None)), Instant::now());
        let after = |milliseconds| obeyed.is_new(first + Duration::from_millis(milliseconds));
        assert!(after(0));
        assert!(!after(0) && !after(300) && !after(999));
        assert!(after(1000), "the ignored ones do not count");
        assert!(!after(1500));
        assert!(after(60_000));
    }

    #[cfg(unix)]
    #[test]
    fn nohup_is_recognised() {
        assert!(ignores_first_signal("Name:\tctp10\nSigIgn:\t0000000000001001\nSigCgt:\t0\n"));
        assert!(!ignores_first_signal("SigBlk:\t0000000000000001\nSigIgn:\t0000000000001000\n"));
        assert!(!ignores_first_signal(""));
    }
}
