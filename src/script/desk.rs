//! The way from a script to the host. Rhai wants functions that outlive everything, a host is only lent for one
//! performance: so the script runs on a thread of its own and hands each request to the thread that has the host.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};

use crate::measurement::TraceSummary;
use crate::step::{Fault, FaultKind, Host, Outcome, Step, TraceReader};

use super::bounds::STACK_BYTES;
use crate::budget;

/// What a script can ask for, each with the way back for its answer.
enum Request {
    Perform(Box<Step>, Sender<Result<Outcome, Fault>>),
    OpenTrace(Box<TraceSummary>, Sender<Result<Arc<dyn TraceReader>, Fault>>),
    Now(Sender<Result<f64, Fault>>),
    Stopping(Sender<bool>),
    UsesMeasurement,
}

/// Where the functions of a script leave their requests. Nobody sits there while no script is running.
#[derive(Default)]
pub(super) struct Desk {
    line: Mutex<Option<Line>>,
}

/// The way to the host.
#[derive(Clone)]
enum Line {
    /// The host is with another thread.
    Ask(Sender<Request>),
    /// It may be called from this one.
    Call(Arc<dyn Host>),
}

impl Desk {
    pub(super) fn perform(&self, step: Step) -> Result<Outcome, Fault> {
        match self.line() {
            Some(Line::Call(host)) => host.perform(step),
            line => ask(line, |reply| Request::Perform(Box::new(step), reply))?,
        }
    }

    pub(super) fn open_trace(&self, trace: &TraceSummary) -> Result<Arc<dyn TraceReader>, Fault> {
        match self.line() {
            Some(Line::Call(host)) => host.open_trace(trace),
            line => ask(line, |reply| Request::OpenTrace(Box::new(trace.clone()), reply))?,
        }
    }

    pub(super) fn now(&self) -> Result<f64, Fault> {
        match self.line() {
            Some(Line::Call(host)) => host.now(),
            line => ask(line, Request::Now)?,
        }
    }

    pub(super) fn stopping(&self) -> bool {
        match self.line() {
            Some(Line::Call(host)) => host.stopping(),
            line => ask(line, Request::Stopping).unwrap_or(false),
        }
    }

    pub(super) fn uses_measurement(&self) {
        match self.line() {
            Some(Line::Call(host)) => host.uses_measurement(),
            Some(Line::Ask(line)) => drop(line.send(Request::UsesMeasurement)),
            // Without a host there is nobody who would want to know.
            None => {}
        }
    }

    fn line(&self) -> Option<Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn connect(&self, line: Option<Line>) {
        *self.line.lock().unwrap_or_else(PoisonError::into_inner) = line;
    }

    /// Runs `script` on a thread of its own and performs on this one what it asks for.
    ///
    /// # Errors
    /// When the thread cannot be started, or the engine broke down.
    pub(super) fn attend<T: Send>(
        &self,
        host: &dyn Host,
        script: impl FnOnce() -> T + Send,
    ) -> Result<T, Fault> {
        let (line, requests) = mpsc::channel();
        self.connect(Some(host.shared().map_or(Line::Ask(line), Line::Call)));
        // Hangs up when the script ends, however it ends: only then do the requests end too.
        let until_done = HangUp(self);
        let script = move || {
            let _until_done = until_done;
            script()
        };
        on_deep_stack(script, || serve(host, &requests))
    }
}

fn ask<T>(line: Option<Line>, request: impl FnOnce(Sender<T>) -> Request) -> Result<T, Fault> {
    let gone = || Fault::new(FaultKind::Recipe, "nobody is there to perform it");
    let Some(Line::Ask(line)) = line else { return Err(gone()) };
    let (reply, answer) = mpsc::channel();
    line.send(request(reply)).map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())
}

struct HangUp<'a>(&'a Desk);

impl Drop for HangUp<'_> {
    fn drop(&mut self) {
        self.0.connect(None);
    }
}

fn serve(host: &dyn Host, requests: &Receiver<Request>) {
    // A reply that nobody waits for any more is nobody's loss.
    for request in requests {
        match request {
            Request::Perform(step, reply) => drop(reply.send(host.perform(*step))),
            Request::OpenTrace(trace, reply) => drop(reply.send(host.open_trace(&trace))),
            Request::Now(reply) => drop(reply.send(host.now())),
            Request::Stopping(reply) => drop(reply.send(host.stopping())),
            Request::UsesMeasurement => host.uses_measurement(),
        }
    }
}

/// Runs `script` on a thread with a stack deep enough for its limits, and `meanwhile` on this one.
pub(super) fn on_deep_stack<T: Send>(
    script: impl FnOnce() -> T + Send,
    meanwhile: impl FnOnce(),
) -> Result<T, Fault> {
    let budget = budget::current();
    let script = move || budget::within(budget, script);
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("recipe script".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, script)
            .map_err(|error| Fault::new(FaultKind::Recipe, format!("no thread for the script: {error}")))?;
        meanwhile();
        thread.join().map_err(|_| Fault::new(FaultKind::Recipe, "the script engine broke down"))
    })
}
