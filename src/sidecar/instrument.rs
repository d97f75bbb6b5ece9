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
use super::state::Shared;
use crate::instrument::scpi::Action;

impl Shared {
    /// Makes changes, one after another, unless a run holds the instrument.
    async fn change(&self, actions: impl IntoIterator<Item = Action>) -> Result<(), Problem> {
        let _lease = self.station.lease().for_change().await?;
        let instrument = self.instrument();
        for action in actions {
            instrument.act(&action).await?;
        }
        Ok(())
    }
}
