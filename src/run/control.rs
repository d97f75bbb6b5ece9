//! The strings that lead into a run from outside: a stop, an answer, whether anybody is there.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

/// Handed to whoever may steer a run: the terminal, a signal handler, the sidecar.
#[derive(Debug, Clone)]
pub struct Control {
    stop: Arc<watch::Sender<Option<String>>>,
    answers: mpsc::Sender<String>,
    attended: Arc<watch::Sender<bool>>,
}

/// The run's end of the strings.
#[derive(Debug)]
pub struct Reins {
    stop: watch::Receiver<Option<String>>,
    answers: mpsc::Receiver<String>,
    attended: watch::Receiver<bool>,
}

/// Makes both ends. `attended` says whether an operator is there to answer.
#[must_use]
pub fn control(attended: bool) -> (Control, Reins) {
    let (stop, stopped) = watch::channel(None);
    // One question is open at a time; a second answer to it is one too many and is thrown away.
    let (answers, answered) = mpsc::channel(1);
    let (presence, attended) = watch::channel(attended);
    let reins = Reins { stop: stopped, answers: answered, attended };
    (Control { stop: Arc::new(stop), answers, attended: Arc::new(presence) }, reins)
}

impl Control {
    /// Asks the run to stop: the sweep is aborted, `finally` runs, lasers go off. The first reason counts.
    pub fn stop(&self, reason: impl Into<String>) {
        self.stop.send_if_modified(|stop| {
            let first = stop.is_none();
            stop.get_or_insert_with(|| reason.into());
            first
        });
    }

    /// Answers the open question; false when none is open or it has its answer already.
    #[must_use]
    pub fn answer(&self, text: impl Into<String>) -> bool {
        self.answers.try_send(text.into()).is_ok()
    }

    /// Says whether an operator is there from now on.
    pub fn set_attended(&self, attended: bool) {
        self.attended.send_replace(attended);
    }
}

impl Reins {
    /// The reason for the stop, once one was asked for.
    #[must_use]
    pub fn stop_reason(&self) -> Option<String> {
        self.stop.borrow().clone()
    }

    /// A second pair of eyes on the stop, for the recipe's thread and for tasks beside the run.
    #[must_use]
    pub fn stop_watch(&self) -> watch::Receiver<Option<String>> {
        self.stop.clone()
    }

    /// Whether an operator is there to answer.
    #[must_use]
    pub fn is_attended(&self) -> bool {
        *self.attended.borrow()
    }

    /// Waits for the operator's answer; `None` when the operator leaves first.
    pub async fn next_answer(&mut self) -> Option<String> {
        tokio::select! {
            answer = self.answers.recv() => answer,
            _ = self.attended.wait_for(|attended| !attended) => None,
        }
    }

    /// Throws away answers that nobody waited for.
    pub fn forget_answers(&mut self) {
        while self.answers.try_recv().is_ok() {}
    }
}

/// Resolves when a stop is asked for; never, when all handles are gone.
pub async fn stopped(watch: &mut watch::Receiver<Option<String>>) -> String {
    loop {
        if let Some(reason) = watch.borrow_and_update().clone() {
            return reason;
        }
        if watch.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
