//! The recipe's end of the runner: blocking calls on the recipe's thread become messages to the engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, oneshot};

use crate::measurement::TraceSummary;
use crate::run::control::StopReceiver;
use crate::step::{Fault, FaultKind, Host, Outcome, Step, TraceReader};

/// What a recipe asks of the engine.
pub(super) enum Request {
    Perform(Box<Step>, oneshot::Sender<Result<Outcome, Fault>>),
    Open(Box<TraceSummary>, oneshot::Sender<Result<Arc<dyn TraceReader>, Fault>>),
    Now(oneshot::Sender<Result<f64, Fault>>),
    Suspend(Option<String>, oneshot::Sender<Result<(), Fault>>),
    RepeatSweep(oneshot::Sender<Result<(), Fault>>),
    Finally(oneshot::Sender<Result<(), Fault>>),
}

/// A [`Host`] that passes every call to the engine and blocks until it has answered.
pub(super) struct RemoteHost {
    requests: mpsc::Sender<Request>,
    stop: StopReceiver,
    in_finally: AtomicBool,
}

impl RemoteHost {
    pub(super) fn new(requests: mpsc::Sender<Request>, stop: StopReceiver) -> Self {
        Self { requests, stop, in_finally: AtomicBool::new(false) }
    }

    fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<Result<T, Fault>>) -> Request) -> Result<T, Fault> {
        let gone = || Fault::new(FaultKind::Stopped, "the run has ended");
        let (reply, answer) = oneshot::channel();
        self.requests.blocking_send(request(reply)).map_err(|_| gone())?;
        answer.blocking_recv().map_err(|_| gone())?
    }
}

impl Host for RemoteHost {
    fn perform(&self, step: Step) -> Result<Outcome, Fault> {
        self.ask(|reply| Request::Perform(Box::new(step), reply))
    }
    fn open_trace(&self, trace: &TraceSummary) -> Result<Arc<dyn TraceReader>, Fault> {
        self.ask(|reply| Request::Open(Box::new(trace.clone()), reply))
    }
    fn now(&self) -> Result<f64, Fault> {
        self.ask(Request::Now)
    }
    fn stopping(&self) -> bool {
        self.stop.reason(self.in_finally.load(Ordering::Relaxed)).is_some()
    }
    fn suspends(&self) -> bool {
        true
    }
    fn suspend(&self, condition: Option<&str>) -> Result<(), Fault> {
        self.ask(|reply| Request::Suspend(condition.map(str::to_owned), reply))
    }
    fn repeat_sweep(&self) -> Result<(), Fault> {
        self.ask(Request::RepeatSweep)
    }
    fn begin_finally(&self) {
        self.in_finally.store(true, Ordering::Relaxed);
        // An engine that has gone makes every later call fail; there is nothing more to say here.
        let _ = self.ask(Request::Finally);
    }
}
