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

    /// Claims another instrument as well; `None` if it is the same one under another name.
    ///
    /// # Errors
    /// The program that holds it.
    pub(super) fn claim_also(&self, address: &Address) -> Result<Option<Claim>, Holder> {
        let occupancy = self.occupancy();
        match Claim::take(address, &occupancy.holder) {
            Ok(claim) => Ok(Some(claim)),
            Err(by) if by.pid == std::process::id() => Ok(None),
            Err(by) => Err(by),
        }
    }

    /// Releases the instrument before, and holds the one that was claimed last.
    pub(super) fn claim_instead(&self, claim: Option<Claim>) {
        if claim.is_some() {
            self.occupancy().claim = claim;
        }
    }

    fn occupancy(&self) -> MutexGuard<'_, Occupancy> {
        self.occupied.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
