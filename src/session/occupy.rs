//! The claim of a session on its instrument. The claim changes when the session moves to another address.

use std::sync::{Arc, MutexGuard, PoisonError};

use super::{Claim, Holder, Session};
use crate::instrument::Address;

/// The claim, and the entry that other programs read.
#[derive(Debug, Default)]
pub(super) struct Occupancy {
    claim: Option<Claim>,
    holder: Holder,
}

/// Holds the instrument for this process until it is dropped.
#[derive(Debug)]
pub struct Occupied(Arc<Session>);

impl Drop for Occupied {
    fn drop(&mut self) {
        self.0.occupancy().claim = None;
    }
}

impl Session {
    /// Holds the instrument. The embedded instrument needs no claim.
    #[must_use]
    pub fn occupy(self: &Arc<Self>, claim: Option<Claim>, holder: Holder) -> Occupied {
        *self.occupancy() = Occupancy { claim, holder };
        Occupied(Arc::clone(self))
    }

    /// Publishes how other programs reach this process.
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
    /// The program that holds it.
    pub(super) fn claim_instead(&self, address: &Address) -> Result<(), Holder> {
        let mut occupancy = self.occupancy();
        match Claim::take(address, &occupancy.holder) {
            Ok(claim) => occupancy.claim = Some(claim),
            // It is the same instrument under another name.
            Err(by) if by.pid == std::process::id() => {}
            Err(by) => return Err(by),
        }
        Ok(())
    }

    fn occupancy(&self) -> MutexGuard<'_, Occupancy> {
        self.occupied.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
