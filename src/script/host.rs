//! The connection from the functions of a script to the host.

use std::sync::{Arc, Mutex, PoisonError};

use super::bounds::STACK_BYTES;
use crate::budget;
use crate::step::{Fault, FaultKind, Host};

/// Holds the host of a script while one of its parts runs.
///
/// Values of a script can keep this slot alive for ever, for example a closure that captures itself. So the slot is
/// emptied when the part ends: otherwise the engine of the run would never learn that its recipe has ended.
#[derive(Default)]
pub(super) struct HostSlot(Mutex<Option<Arc<dyn Host>>>);

impl HostSlot {
    /// The host.
    ///
    /// # Errors
    /// When no part of the script is running, for example while its declarations are collected.
    pub(super) fn get(&self) -> Result<Arc<dyn Host>, Fault> {
        self.current().ok_or_else(|| Fault::new(FaultKind::Recipe, "the script has no host to perform it"))
    }

    /// Whether the script has to end.
    pub(super) fn stopping(&self) -> bool {
        self.current().is_some_and(|host| host.stopping())
    }

    /// Reports to a forecast that a measured value decides how the script continues.
    pub(super) fn uses_measurement(&self) {
        if let Some(host) = self.current()
            && let Some(forecast) = host.forecast()
        {
            forecast.uses_measurement();
        }
    }

    /// Runs a part of a script, which can use `host` meanwhile.
    ///
    /// # Errors
    /// As [`on_deep_stack`].
    pub(super) fn run<T: Send>(
        &self,
        host: &Arc<dyn Host>,
        part: impl FnOnce() -> T + Send,
    ) -> Result<T, Fault> {
        struct Empty<'a>(&'a HostSlot);
        impl Drop for Empty<'_> {
            fn drop(&mut self) {
                self.0.set(None);
            }
        }
        self.set(Some(Arc::clone(host)));
        let _empty_at_end = Empty(self);
        on_deep_stack(part)
    }

    fn current(&self) -> Option<Arc<dyn Host>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, host: Option<Arc<dyn Host>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = host;
    }
}

/// Runs a part of a script on a thread whose stack is deep enough for its limits, and waits for its end. The part keeps the
/// budget and the log context of the current thread.
///
/// # Errors
/// When the thread cannot be started, or when the part panics.
pub(super) fn on_deep_stack<T: Send>(part: impl FnOnce() -> T + Send) -> Result<T, Fault> {
    let (budget, span) = (budget::current(), tracing::Span::current());
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("recipe script".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || span.in_scope(|| budget::within(budget, part)))
            .map_err(|error| {
                Fault::new(FaultKind::Recipe, format!("cannot start a thread for the script: {error}"))
            })?;
        thread.join().map_err(|_| Fault::new(FaultKind::Recipe, "the script engine failed (internal error)"))
    })
}
