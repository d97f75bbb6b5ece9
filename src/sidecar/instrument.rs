//! The instrument half: what programs written against the Python service `exfo-ctp10-api` ask for, at the same paths
//! with the same fields. Reads interleave with a run; changes take the lease, and are refused while a run holds it.

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
    /// Why there is no instrument, where there is none.
    pub(super) fn absence(&self) -> Option<String> {
        match &*self.station.endpoint().instrument.presence().borrow() {
            Presence::Here(_) => None,
            Presence::Unknown => Some("it has not answered yet".to_owned()),
            Presence::Away { reason } => Some(reason.clone()),
            Presence::Closed => Some("the connection was closed on request".to_owned()),
        }
    }

    /// Makes changes, one after another, unless a run holds the instrument.
    async fn change(&self, actions: impl IntoIterator<Item = Action>) -> Result<(), Problem> {
        let _lease = self.station.lease().for_change().await?;
        let instrument = self.instrument();
        // Even where there is nothing to change: what is not there has not been configured.
        if let Some(reason) = self.absence() {
            return Err(Problem::not_connected(&reason));
        }
        let mut done = Ok(());
        for action in actions {
            done = instrument.act(&action).await;
            if done.is_err() {
                break;
            }
        }
        self.forget_answers().await;
        Ok(done?)
    }
}
