//! The claim on the instrument that this station is at: it moves along when the station moves to another address.

use std::sync::{Arc, MutexGuard, PoisonError};

use super::{Claim, Holder, Station};
use crate::instrument::Address;

/// What this process says to others of the instrument that it holds.
#[derive(Debug, Default)]
pub(super) struct Occupancy {
    claim: Option<Claim>,
    holder: Holder,
}

/// The instrument is held by this process until this is dropped.
#[derive(Debug)]
pub struct Occupied(Arc<Station>);

impl Drop for Occupied {
    fn drop(&mut self) {
        self.0.occupancy().claim = None;
    }
}

impl Station {
    /// Holds the instrument; the embedded one needs no claim.
    #[must_use]
    pub fn occupy(self: &Arc<Self>, claim: Option<Claim>, holder: Holder) -> Occupied {
        *self.occupancy() = Occupancy { claim, holder };
        Occupied(Arc::clone(self))
    }

    /// Says to others how this process is reached.
    pub fn sign(&self, sidecar: String, token: Option<String>) {
        let mut occupancy = self.occupancy();
        let Occupancy { claim, holder } = &mut *occupancy;
        (holder.sidecar, holder.token) = (Some(sidecar), token);
        if let Some(claim) = claim {
            claim.say(holder);
        }
    }

    /// Claims another instrument instead.
    ///
    /// # Errors
    /// Who holds it, when another process does.
    pub(super) fn claim_instead(&self, address: &Address) -> Result<(), Holder> {
        let mut occupancy = self.occupancy();
        match Claim::take(address, &occupancy.holder) {
            Ok(claim) => occupancy.claim = Some(claim),
            // The same instrument under another name.
            Err(by) if by.pid == std::process::id() => {}
            Err(by) => return Err(by),
        }
        Ok(())
    }

    fn occupancy(&self) -> MutexGuard<'_, Occupancy> {
        self.occupied.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
