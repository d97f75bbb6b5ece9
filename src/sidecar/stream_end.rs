//! The end of a stream that no client ends: the server stops, or the session that allows the stream ends.

use std::time::Duration;

use chrono::Utc;
use tokio::sync::watch;
use tokio::time::sleep;

use super::access::{Found, Granted};
use super::state::App;

/// Waits for the end of a stream.
pub(super) struct StreamEnd {
    app: App,
    closing: watch::Receiver<bool>,
    session: Option<Found>,
    /// Changes when a session ends.
    logouts: watch::Receiver<()>,
}

impl StreamEnd {
    pub(super) fn of(app: &App, granted: Granted) -> Self {
        let (closing, logouts) = (app.closing.clone(), app.access.logouts());
        Self { app: App::clone(app), closing, session: granted.session, logouts }
    }

    /// Resolves with the reason when the stream must end.
    pub(super) async fn reached(&mut self) -> &'static str {
        loop {
            if self.session.as_ref().is_some_and(|session| !self.app.access.is_open(session)) {
                return "the session has ended";
            }
            let left = self.session.as_ref().map(|session| session.expires - Utc::now());
            let closing = &mut self.closing;
            let is_stopping = async { closing.wait_for(|closing| *closing).await.is_ok() };
            tokio::select! {
                // Otherwise the sidecar is gone, and its streams with it.
                true = is_stopping => return "the server is shutting down",
                Ok(()) = self.logouts.changed() => {}
                () = sleep(left.unwrap_or_default().to_std().unwrap_or(Duration::ZERO)), if left.is_some() => {}
            }
        }
    }
}
