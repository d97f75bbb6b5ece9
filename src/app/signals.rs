//! Signals that end the program, handled in one way for `run`, `resume`, `batch` and `serve`.
//!
//! 1. SIGTERM in `batch` and `serve`: no new run starts, and the active run continues to its end. A service that is
//!    restarted must not interrupt a sweep.
//! 2. Ctrl-C, every signal in `run` and `resume`, and a second signal: the active run stops cleanly.
//! 3. One more signal: the program exits at once.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

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
}

impl std::fmt::Display for StopSignal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "Ctrl-C",
            Self::Terminate => "SIGTERM",
        })
    }
}

/// The effect of SIGTERM on the active run.
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
            if signal == StopSignal::Terminate && on_terminate == OnTerminate::Finish {
                commands.send_replace(WorkerCommand::FinishRun);
                arrived.send_replace(true);
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
            arrived.send_replace(true);
            signals.next().await;
            errln!("{}", farewell(&session));
            std::process::exit(ExitCode::Stopped as i32);
        });
        Self { first, handler }
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

/// Waits for Ctrl-C or SIGTERM, and returns the one that arrived.
pub(super) async fn stop_signal() -> StopSignal {
    StopSignals::listen().next().await
}

/// The signals since [`listen`](Self::listen) was called. None is lost between two calls of [`next`](Self::next).
#[cfg(unix)]
struct StopSignals {
    interrupt: Option<tokio::signal::unix::Signal>,
    terminate: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl StopSignals {
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        // Without a handler, the default action of a signal ends the process.
        Self {
            interrupt: signal(SignalKind::interrupt()).ok(),
            terminate: signal(SignalKind::terminate()).ok(),
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
        tokio::select! {
            () = arrival(&mut self.terminate) => StopSignal::Terminate,
            () = arrival(&mut self.interrupt) => StopSignal::Interrupt,
        }
    }
}

#[cfg(not(unix))]
struct StopSignals;

#[cfg(not(unix))]
impl StopSignals {
    fn listen() -> Self {
        Self
    }

    async fn next(&mut self) -> StopSignal {
        let _ = tokio::signal::ctrl_c().await;
        StopSignal::Interrupt
    }
}
