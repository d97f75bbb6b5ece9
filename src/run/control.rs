//! Controls a run from outside: stop, pause, answers, and whether an operator is present.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

/// A request to stop a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// Who or what asked for the stop.
    pub reason: String,
    /// Whether the run skips its `finally`.
    pub now: bool,
}

/// Controls a run: for the terminal, signals and the sidecar.
#[derive(Debug, Clone)]
pub struct Control {
    stop: Arc<watch::Sender<Option<Stop>>>,
    pause: Arc<watch::Sender<bool>>,
    answers: mpsc::Sender<String>,
    attended: Arc<watch::Sender<bool>>,
}

/// Receives the requests of [`Control`] within the run.
#[derive(Debug)]
pub struct ControlReceiver {
    stop: watch::Receiver<Option<Stop>>,
    pause: watch::Receiver<bool>,
    answers: mpsc::Receiver<String>,
    attended: watch::Receiver<bool>,
}

/// Makes both ends. `at_terminal`: an operator is at the terminal.
#[must_use]
pub fn control(at_terminal: bool) -> (Control, ControlReceiver) {
    let (stop, stopped) = watch::channel(None);
    let (pause, paused) = watch::channel(false);
    // Only one question is open at a time. A second answer to it is discarded.
    let (answers, answered) = mpsc::channel(1);
    let (presence, attended) = watch::channel(at_terminal);
    let receiver = ControlReceiver { stop: stopped, pause: paused, answers: answered, attended };
    let control =
        Control { stop: Arc::new(stop), pause: Arc::new(pause), answers, attended: Arc::new(presence) };
    (control, receiver)
}

impl Control {
    /// Stops the run: the sweep is aborted, `finally` runs, and the lasers go off. The first reason is reported.
    pub fn stop(&self, reason: impl Into<String>) {
        self.ask_stop(reason.into(), false);
    }

    /// Stops the run without its `finally`. The lasers still go off.
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

    /// Pauses the run before its next operation, or lets it continue.
    pub fn pause(&self, paused: bool) {
        self.pause.send_if_modified(|known| std::mem::replace(known, paused) != paused);
    }

    /// Whether a pause was requested.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        *self.pause.borrow()
    }

    /// Answers the open question; false if no question is open or it has an answer already.
    #[must_use]
    pub fn answer(&self, text: impl Into<String>) -> bool {
        self.answers.try_send(text.into()).is_ok()
    }

    /// Notes that an operator is present. This holds for the whole run, because a closed page or a locked phone does not
    /// mean that the operator has left.
    pub fn attend(&self) {
        self.attended.send_replace(true);
    }

    /// Notes that no operator can answer any more: standard input has ended, and there is no page.
    pub fn leave(&self) {
        self.attended.send_replace(false);
    }
}

impl ControlReceiver {
    /// Receives stops, for the thread of the recipe and for other tasks of the run.
    #[must_use]
    pub fn stop_receiver(&self) -> StopReceiver {
        StopReceiver(self.stop.clone())
    }

    /// Whether a pause was requested.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        *self.pause.borrow()
    }

    /// Receives the end of a pause.
    #[must_use]
    pub fn pause_receiver(&self) -> PauseReceiver {
        PauseReceiver(self.pause.clone())
    }

    /// Whether an operator is or was present: then questions wait for an answer.
    #[must_use]
    pub fn is_attended(&self) -> bool {
        *self.attended.borrow()
    }

    /// Waits for the answer of the operator. `None` if no operator can answer any more.
    pub async fn next_answer(&mut self) -> Option<String> {
        let Self { answers, attended, .. } = self;
        tokio::select! {
            // The last line of standard input counts, also if its end has been seen already.
            biased;
            answer = answers.recv() => match answer {
                Some(answer) => Some(answer),
                // Every sender is gone, so no answer can arrive.
                None => std::future::pending().await,
            },
            () = absence(attended) => None,
        }
    }

    /// Discards answers that arrived before the question.
    pub fn forget_answers(&mut self) {
        while self.answers.try_recv().is_ok() {}
    }
}

/// Waits until no operator can answer. If all senders are gone, this waits without end.
async fn absence(attended: &mut watch::Receiver<bool>) {
    if attended.wait_for(|attended| !attended).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Receives the stop of a run.
#[derive(Debug, Clone)]
pub struct StopReceiver(watch::Receiver<Option<Stop>>);

impl StopReceiver {
    /// The reason of the stop, if one was requested. Within `finally`, only a stop that skips `finally` counts.
    #[must_use]
    pub fn reason(&self, in_finally: bool) -> Option<String> {
        self.0.borrow().as_ref().filter(|stop| stop.now || !in_finally).map(|stop| stop.reason.clone())
    }

    /// Waits for a stop. If all senders are gone, this waits without end.
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
    /// Waits until the run may continue. If all senders are gone, this waits without end.
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
    fn an_operator_who_was_present_once_counts_for_the_whole_run() {
        let (control, receiver) = control(false);
        assert!(!receiver.is_attended());
        control.attend();
        drop(control);
        assert!(receiver.is_attended());
    }

    #[tokio::test]
    async fn a_question_ends_when_nobody_can_answer_any_more_but_the_last_answer_counts() {
        let (control, mut receiver) = control(true);
        assert!(control.answer("yes"));
        control.leave();
        assert_eq!(receiver.next_answer().await.as_deref(), Some("yes"));
        assert_eq!(receiver.next_answer().await, None);
        assert!(!receiver.is_attended());
    }

    #[test]
    fn the_first_reason_counts_and_finally_heeds_only_a_stop_that_leaves_it_out() {
        let (control, receiver) = control(false);
        let watch = receiver.stop_receiver();
        control.stop("enough");
        control.stop("again");
        assert_eq!(watch.reason(false).as_deref(), Some("enough"));
        assert_eq!(watch.reason(true), None);
        control.stop_now("now");
        assert_eq!(watch.reason(true).as_deref(), Some("enough"));
    }
}
