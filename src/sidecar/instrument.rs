//! The routes for the instrument. Paths and fields are those of the Python service `exfo-ctp10-api`, so that its
//! clients work here too. Queries are possible during a run. Changes need the lease, and are refused during a run.

pub(super) mod connection;
pub(super) mod detector;
pub(super) mod laser;
pub(super) mod measurement;
pub(super) mod scpi;
pub(super) mod tls;
pub(super) mod trace;

use super::problem::Problem;
use super::state::AppState;
use crate::instrument::Presence;
use crate::instrument::scpi::Action;

impl AppState {
    /// Why no instrument is connected; `None` if one is.
    pub(super) fn absence(&self) -> Option<String> {
        match &*self.session.endpoint().instrument.presence().borrow() {
            Presence::Here(_) => None,
            Presence::Unknown => Some("it has not replied yet".to_owned()),
            Presence::Away { reason } => Some(reason.clone()),
            Presence::Closed => Some("the connection was closed on request".to_owned()),
        }
    }

    /// Sends commands one after another, unless a run holds the instrument.
    async fn change(&self, actions: impl IntoIterator<Item = Action>) -> Result<(), Problem> {
        self.session.lease().free_of_runs()?;
        // Checked even without commands: an absent instrument must not be reported as configured.
        if let Some(reason) = self.absence() {
            return Err(Problem::not_connected(&reason));
        }
        let done = self.session.change(actions).await;
        self.forget_answers().await;
        Ok(done?)
    }
}
