//! One lease for everything that changes the instrument: a whole run, or a single manual change.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

/// A run holds the instrument.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("run {run} holds the instrument")]
pub struct Held {
    /// The run.
    pub run: String,
}

/// Decides who may change the instrument.
#[derive(Debug, Default)]
pub struct Lease {
    changing: Arc<tokio::sync::Mutex<()>>,
    run: Arc<Mutex<Option<String>>>,
}

/// The lease of a run.
#[derive(Debug)]
pub struct RunLease {
    run: Arc<Mutex<Option<String>>>,
    _alone: OwnedMutexGuard<()>,
}

impl Drop for RunLease {
    fn drop(&mut self) {
        *self.run.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The lease for one change.
#[derive(Debug)]
pub struct ChangeLease {
    _alone: OwnedMutexGuard<()>,
}

impl Lease {
    /// Checks that no run holds the instrument.
    ///
    /// # Errors
    /// The run that holds it.
    pub fn free_of_runs(&self) -> Result<(), Held> {
        match &*self.run.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(run) => Err(Held { run: run.clone() }),
            None => Ok(()),
        }
    }

    /// Waits until no run holds the instrument.
    pub async fn run_released(&self) {
        while self.free_of_runs().is_err() {
            drop(self.changing.lock().await);
        }
    }

    /// Takes the lease for a run. The call waits for a manual change, which takes no longer than one exchange.
    ///
    /// # Errors
    /// If another run holds the instrument.
    pub async fn for_run(&self, run: &str) -> Result<RunLease, Held> {
        {
            let mut holder = self.run.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(run) = &*holder {
                return Err(Held { run: run.clone() });
            }
            *holder = Some(run.to_owned());
        }
        // From now on, no manual change begins. If this call is cancelled while it waits, the lease is released.
        let mut pending = PendingRun(Some(Arc::clone(&self.run)));
        let alone = Arc::clone(&self.changing).lock_owned().await;
        pending.0 = None;
        Ok(RunLease { run: Arc::clone(&self.run), _alone: alone })
    }

    /// Takes the lease for one manual change. Manual changes are made one after another.
    ///
    /// # Errors
    /// If a run holds the instrument.
    pub async fn for_change(&self) -> Result<ChangeLease, Held> {
        self.free_of_runs()?;
        let alone = Arc::clone(&self.changing).lock_owned().await;
        self.free_of_runs()?;
        Ok(ChangeLease { _alone: alone })
    }
}

struct PendingRun(Option<Arc<Mutex<Option<String>>>>);

impl Drop for PendingRun {
    fn drop(&mut self) {
        if let Some(run) = &self.0 {
            *run.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn while_a_run_holds_the_instrument_changes_are_refused_with_its_name() {
        let lease = Lease::default();
        let run = lease.for_run("abc").await.unwrap();
        assert_eq!(lease.for_change().await.unwrap_err().run, "abc");
        assert_eq!(lease.for_run("def").await.unwrap_err().run, "abc");
        drop(run);
        drop(lease.for_change().await.unwrap());
        assert!(lease.for_run("def").await.is_ok());
    }

    #[tokio::test]
    async fn a_run_waits_for_the_change_under_way_and_holds_off_the_next() {
        let lease = Lease::default();
        let change = lease.for_change().await.unwrap();
        let mut run = Box::pin(lease.for_run("abc"));
        let waits = tokio::select! {
            biased;
            _ = &mut run => false,
            () = std::future::ready(()) => true,
        };
        assert!(waits && lease.for_change().await.is_err());
        drop(run);
        drop(change);
        assert!(lease.for_change().await.is_ok(), "a run that gave up holds nothing");
    }
}
