//! The recipe's side of the engine: blocking calls on the recipe's thread become requests to the engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, oneshot};

use crate::local_time::Moment;
use crate::measurement::TraceSummary;
use crate::run::control::StopReceiver;
use crate::step::{Fault, FaultKind, Forecast, Host, Outcome, Step, Suspension, TraceReader};

/// A request of the recipe to the engine, with the channel for the reply.
pub(super) enum Request {
    Perform(Arc<Step>, oneshot::Sender<Result<Outcome, Fault>>),
    Open(Box<TraceSummary>, oneshot::Sender<Result<Arc<dyn TraceReader>, Fault>>),
    Now(oneshot::Sender<Result<Moment, Fault>>),
    Suspend(Option<String>, oneshot::Sender<Result<(), Fault>>),
    RepeatSweep(oneshot::Sender<Result<(), Fault>>),
    CouplingIsDoubtful(oneshot::Sender<Result<bool, Fault>>),
    Finally(oneshot::Sender<Result<(), Fault>>),
}

/// A [`Host`] that sends every call to the engine and blocks until the engine has replied.
pub(super) struct RemoteHost {
    requests: mpsc::Sender<Request>,
    stop: StopReceiver,
    in_finally: AtomicBool,
}

impl RemoteHost {
    pub(super) fn new(requests: mpsc::Sender<Request>, stop: StopReceiver) -> Self {
        Self { requests, stop, in_finally: AtomicBool::new(false) }
    }

    fn send<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, Fault>>) -> Request,
    ) -> Result<T, Fault> {
        let ended = || Fault::new(FaultKind::Stopped, "the run has ended");
        let (sender, reply) = oneshot::channel();
        self.requests.blocking_send(request(sender)).map_err(|_| ended())?;
        reply.blocking_recv().map_err(|_| ended())?
    }
}

impl Host for RemoteHost {
    fn perform(&self, step: Step) -> Result<Outcome, Fault> {
        self.send(|reply| Request::Perform(Arc::new(step), reply))
    }

    fn open_trace(&self, trace: &TraceSummary) -> Result<Arc<dyn TraceReader>, Fault> {
        self.send(|reply| Request::Open(Box::new(trace.clone()), reply))
    }

    fn now(&self) -> Result<Moment, Fault> {
        self.send(Request::Now)
    }

    fn stopping(&self) -> bool {
        self.stop.reason(self.in_finally.load(Ordering::Relaxed)).is_some()
    }

    fn begin_finally(&self) {
        self.in_finally.store(true, Ordering::Relaxed);
        // If the engine has ended, every later call fails with that error. So this one can be ignored.
        let _ = self.send(Request::Finally);
    }

    fn coupling_is_doubtful(&self) -> bool {
        // If the engine has ended, the next step fails with that error.
        self.send(Request::CouplingIsDoubtful).unwrap_or(false)
    }

    fn suspension(&self) -> Option<&dyn Suspension> {
        Some(self)
    }

    fn forecast(&self) -> Option<&dyn Forecast> {
        None
    }
}

impl Suspension for RemoteHost {
    fn suspend(&self, condition: Option<&str>) -> Result<(), Fault> {
        self.send(|reply| Request::Suspend(condition.map(str::to_owned), reply))
    }

    fn repeat_sweep(&self) -> Result<(), Fault> {
        self.send(Request::RepeatSweep)
    }
}
