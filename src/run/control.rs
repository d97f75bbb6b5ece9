//! The strings that lead into a run from outside: a stop, a pause, an answer, whether anybody was there.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

/// How strongly a run is asked to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// By whom or what.
    pub reason: String,
    /// Without its `finally`.
    pub now: bool,
}

/// Handed to whoever may steer a run: the terminal, a signal handler, the sidecar.
#[derive(Debug, Clone)]
pub struct Control {
    stop: Arc<watch::Sender<Option<Stop>>>,
    pause: Arc<watch::Sender<bool>>,
    answers: mpsc::Sender<String>,
    attended: Arc<watch::Sender<bool>>,
}

/// The run's end of the strings.
#[derive(Debug)]
pub struct Reins {
    stop: watch::Receiver<Option<Stop>>,
    pause: watch::Receiver<bool>,
    answers: mpsc::Receiver<String>,
    attended: watch::Receiver<bool>,
}

/// Makes both ends. `at_terminal` says whether an operator is at the terminal to answer.
#[must_use]
pub fn control(at_terminal: bool) -> (Control, Reins) {
    let (stop, stopped) = watch::channel(None);
    let (pause, paused) = watch::channel(false);
    // One question is open at a time; a second answer to it is one too many and is thrown away.
    let (answers, answered) = mpsc::channel(1);
    let (presence, attended) = watch::channel(at_terminal);
    let reins = Reins { stop: stopped, pause: paused, answers: answered, attended };
    let control =
        Control { stop: Arc::new(stop), pause: Arc::new(pause), answers, attended: Arc::new(presence) };
    (control, reins)
}

impl Control {
    /// Asks the run to stop: the sweep is aborted, `finally` runs, lasers go off. The first reason counts.
    pub fn stop(&self, reason: impl Into<String>) {
        self.ask_stop(reason.into(), false);
    }

    /// Asks the run to stop without its `finally`; lasers go off all the same.
    pub fn stop_now(&self, reason: impl Into<String>) {
        self.ask_stop(reason.into(), true);
    }

    fn ask_stop(&self, reason: String, now: bool) {
        self.stop.send_if_modified(|stop| {
            let news = stop.as_ref().is_none_or(|known| now && !known.now);
            stop.get_or_insert(Stop { reason, now }).now |= now;
            news
        });
    }

    /// Asks the run to hold before its next operation, or to go on.
    pub fn pause(&self, paused: bool) {
        self.pause.send_if_modified(|known| std::mem::replace(known, paused) != paused);
    }

    /// Whether the run was asked to hold.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        *self.pause.borrow()
    }

    /// Answers the open question; false when none is open or it has its answer already.
    #[must_use]
    pub fn answer(&self, text: impl Into<String>) -> bool {
        self.answers.try_send(text.into()).is_ok()
    }

    /// Somebody is there. That holds for the whole run: a page that is closed and a phone that locks answer nothing.
    pub fn attend(&self) {
        self.attended.send_replace(true);
    }
}

impl Reins {
    /// A pair of eyes on the stop, for the recipe's thread and for tasks beside the run.
    #[must_use]
    pub fn stop_receiver(&self) -> StopReceiver {
        StopReceiver(self.stop.clone())
    }

    /// Whether the run was asked to hold.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        *self.pause.borrow()
    }

    /// Receives the end of a pause.
    #[must_use]
    pub fn pause_receiver(&self) -> PauseReceiver {
        PauseReceiver(self.pause.clone())
    }

    /// Whether an operator is there, or was: then questions wait for an answer.
    #[must_use]
    pub fn is_attended(&self) -> bool {
        *self.attended.borrow()
    }

    /// Waits for the operator's answer.
    pub async fn next_answer(&mut self) -> String {
        match self.answers.recv().await {
            Some(answer) => answer,
            // Whoever could answer has gone for good.
            None => std::future::pending().await,
        }
    }

    /// Throws away answers that nobody waited for.
    pub fn forget_answers(&mut self) {
        while self.answers.try_recv().is_ok() {}
    }
}

/// Sees whether a run is to stop.
#[derive(Debug, Clone)]
pub struct StopReceiver(watch::Receiver<Option<Stop>>);

impl StopReceiver {
    /// The reason for the stop, once one was asked for. `finally` heeds only one that leaves it out.
    #[must_use]
    pub fn reason(&self, in_finally: bool) -> Option<String> {
        self.0.borrow().as_ref().filter(|stop| stop.now || !in_finally).map(|stop| stop.reason.clone())
    }

    /// Resolves when a stop is asked for; never, when all handles are gone.
    pub async fn asked(&mut self, in_finally: bool) -> String {
        let asked = self.0.wait_for(|stop| stop.as_ref().is_some_and(|stop| stop.now || !in_finally)).await;
        let reason = asked.ok().and_then(|stop| stop.as_ref().map(|stop| stop.reason.clone()));
        match reason {
            Some(reason) => reason,
            None => std::future::pending().await,
        }
    }
}

/// Receives the end of a pause.
#[derive(Debug, Clone)]
pub struct PauseReceiver(watch::Receiver<bool>);

impl PauseReceiver {
    /// Resolves when the run may continue; never, when nobody is left who could say so.
    pub async fn ended(&mut self) {
        if self.0.wait_for(|paused| !paused).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_who_was_there_once_counts_for_the_whole_run() {
        let (control, reins) = control(false);
        assert!(!reins.is_attended());
        control.attend();
        drop(control);
        assert!(reins.is_attended());
    }

    #[test]
    fn the_first_reason_counts_and_finally_heeds_only_a_stop_that_leaves_it_out() {
        let (control, reins) = control(false);
        let watch = reins.stop_receiver();
        control.stop("enough");
        control.stop("again");
        assert_eq!(watch.reason(false).as_deref(), Some("enough"));
        assert_eq!(watch.reason(true), None);
        control.stop_now("now");
        assert_eq!(watch.reason(true).as_deref(), Some("enough"));
    }
}
