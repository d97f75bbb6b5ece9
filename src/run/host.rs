//! The recipe's side of the engine: blocking calls on the recipe's thread become requests to the engine.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};

use crate::measurement::TraceSummary;
use crate::run::control::StopReceiver;
use crate::step::{Fault, FaultKind, Forecast, Host, Now, Outcome, Step, Suspension, TraceReader};

/// A request of the recipe to the engine, with the channel for the reply.
pub(super) enum Request {
    Perform(Arc<Step>, oneshot::Sender<Result<Outcome, Fault>>),
    /// Performs steps until one fails.
    PerformAll(Vec<Arc<Step>>, oneshot::Sender<Result<(), Fault>>),
    Open(Box<TraceSummary>, oneshot::Sender<Result<Arc<dyn TraceReader>, Fault>>),
    Now(oneshot::Sender<Result<Now, Fault>>),
    Suspend(Option<String>, oneshot::Sender<Result<(), Fault>>),
    RepeatSweep(oneshot::Sender<Result<(), Fault>>),
    CouplingIsDoubtful(oneshot::Sender<Result<bool, Fault>>),
    Finally(oneshot::Sender<Result<(), Fault>>),
}

/// At most so many steps are collected. Each request changes from one thread to the other and back, which takes about a
/// tenth of the time of a reading.
const TOGETHER: usize = 64;

/// A [`Host`] that sends every call to the engine and blocks until the engine has replied.
pub(super) struct RemoteHost {
    requests: mpsc::Sender<Request>,
    stop: StopReceiver,
    in_finally: AtomicBool,
    collected: Mutex<Vec<Arc<Step>>>,
}

impl RemoteHost {
    pub(super) fn new(requests: mpsc::Sender<Request>, stop: StopReceiver) -> Self {
        Self { requests, stop, in_finally: AtomicBool::new(false), collected: Mutex::default() }
    }

    fn collected(&self) -> MutexGuard<'_, Vec<Arc<Step>>> {
        self.collected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the collected steps performed, and then sends this request.
    fn send<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, Fault>>) -> Request,
    ) -> Result<T, Fault> {
        self.settle()?;
        self.send_now(request)
    }

    /// Sends a request while steps may still be collected.
    fn send_now<T>(
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

    fn perform_later(&self, step: Step) -> Result<(), Fault> {
        // In `finally` each step is performed, whatever became of the others.
        if self.in_finally.load(Ordering::Relaxed) {
            return self.perform(step).map(drop);
        }
        let mut collected = self.collected();
        collected.push(Arc::new(step));
        let is_full = collected.len() == TOGETHER;
        drop(collected);
        if is_full { self.settle() } else { Ok(()) }
    }

    fn settle(&self) -> Result<(), Fault> {
        let steps = std::mem::take(&mut *self.collected());
        if steps.is_empty() {
            return Ok(());
        }
        self.send_now(|reply| Request::PerformAll(steps, reply))
    }

    fn open_trace(&self, trace: &TraceSummary) -> Result<Arc<dyn TraceReader>, Fault> {
        self.send(|reply| Request::Open(Box::new(trace.clone()), reply))
    }

    fn now(&self) -> Result<Now, Fault> {
        self.send(Request::Now)
    }

    fn stopping(&self) -> bool {
        self.stop.reason(self.in_finally.load(Ordering::Relaxed)).is_some()
    }

    fn begin_finally(&self) {
        self.in_finally.store(true, Ordering::Relaxed);
        // If the engine has ended, every later call fails with that error. So this one can be ignored. The recipe has
        // settled its steps.
        let _ = self.send_now(Request::Finally);
    }

    fn coupling_is_doubtful(&self) -> bool {
        // If the engine has ended, the next step fails with that error. Readings do not change the answer.
        self.send_now(Request::CouplingIsDoubtful).unwrap_or(false)
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

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::local_time::Moment;
    use crate::run::control::control;
    use crate::step::RunTime;

    /// An engine that notes the requests, and in which the reading with this number fails.
    fn engine(mut requests: mpsc::Receiver<Request>, failing: usize) -> thread::JoinHandle<Vec<String>> {
        thread::spawn(move || {
            let (mut told, mut readings) = (Vec::new(), 0);
            let mut perform = |step: &Step| {
                readings += 1;
                if readings == failing {
                    Err(Fault::new(FaultKind::Instrument, step.place.path.clone()))
                } else {
                    Ok(())
                }
            };
            while let Some(request) = requests.blocking_recv() {
                match request {
                    Request::PerformAll(steps, reply) => {
                        told.push(format!("{} steps", steps.len()));
                        drop(reply.send(steps.iter().try_for_each(|step| perform(step))));
                    }
                    Request::Perform(step, reply) => {
                        told.push("a step".to_owned());
                        drop(reply.send(perform(&step).map(|()| Outcome::Done)));
                    }
                    Request::Now(reply) => {
                        told.push("now".to_owned());
                        let (wall, run) = (Moment::here(0.0), RunTime::default());
                        drop(reply.send(Ok(Now { wall, run })));
                    }
                    Request::Finally(reply) => {
                        told.push("finally".to_owned());
                        drop(reply.send(Ok(())));
                    }
                    _ => panic!("not expected"),
                }
            }
            told
        })
    }

    fn reading(number: usize) -> Step {
        let fields = serde_json::json!({ "detector": "4/1" });
        let (operation, options) = crate::step::read("read_power", &fields, &Default::default()).unwrap();
        let place = crate::step::Place { path: number.to_string(), ..Default::default() };
        Step { operation, options, place }
    }

    fn host(failing: usize) -> (RemoteHost, thread::JoinHandle<Vec<String>>) {
        let (requests, received) = mpsc::channel(1);
        let host = RemoteHost::new(requests, control(false).1.stop_receiver());
        (host, engine(received, failing))
    }

    #[test]
    fn collected_steps_are_performed_in_order_before_anything_else() {
        let (host, engine) = host(0);
        for number in 0..TOGETHER + 2 {
            host.perform_later(reading(number)).unwrap();
        }
        host.now().unwrap();
        host.perform_later(reading(0)).unwrap();
        host.perform(reading(1)).unwrap();
        host.settle().unwrap();
        host.perform_later(reading(2)).unwrap();
        host.settle().unwrap();
        host.begin_finally();
        host.perform_later(reading(3)).unwrap();
        drop(host);
        let expected = ["64 steps", "2 steps", "now", "1 steps", "a step", "1 steps", "finally", "a step"];
        assert_eq!(engine.join().unwrap(), expected);
    }

    #[test]
    fn the_fault_of_a_collected_step_is_returned_by_the_next_call_and_only_there() {
        let (host, engine) = host(2);
        for number in 0..3 {
            host.perform_later(reading(number)).unwrap();
        }
        assert_eq!(host.now().unwrap_err().message, "1");
        host.now().unwrap();
        drop(host);
        assert_eq!(engine.join().unwrap(), ["3 steps", "now"]);
    }
}
