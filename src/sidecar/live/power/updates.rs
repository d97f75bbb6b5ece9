//! The updates of one module at one interval, and their texts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use tokio::sync::watch;

use super::PowerStreamQuery;
use crate::power::{Cause, PowerFrame, PowerUpdate, PowerWatch, UpdateSchedule};
use crate::session::Endpoint;
use crate::sidecar::problem::not_connected;
use crate::sidecar::state::App;
use crate::sidecar::wire::power::{Frame, Power, timestamp};

/// The module and the interval of updates.
pub(super) type Key = (u8, Duration);

/// The updates of a module. They continue when the session connects to another instrument.
pub(super) struct Updates {
    pub(super) key: Key,
    pub(super) schedule: UpdateSchedule,
    watch: PowerWatch,
    endpoints: watch::Receiver<Arc<Endpoint>>,
}

impl Updates {
    pub(super) fn open(app: &App, wanted: &PowerStreamQuery) -> Self {
        let module = wanted.module.unwrap_or(app.options.defaults.module);
        Self::of(app, (module, Duration::from_secs_f64(wanted.interval)))
    }

    pub(super) fn of(app: &App, (module, interval): Key) -> Self {
        let mut endpoints = app.session.watch_endpoint();
        let watch = endpoints.borrow_and_update().monitor.watch(module, interval, &[]);
        Self { key: (module, interval), schedule: UpdateSchedule::new(interval), watch, endpoints }
    }

    /// The next update. No update is lost if the future is dropped.
    pub(super) async fn next(&mut self) -> PowerUpdate {
        loop {
            tokio::select! {
                update = self.watch.next(&mut self.schedule) => return update,
                _ = self.endpoints.changed() => {
                    let (module, interval) = self.key;
                    self.watch = self.endpoints.borrow_and_update().monitor.watch(module, interval, &[]);
                }
            }
        }
    }
}

/// The text of the last reading of each module. All clients of a module get the same reading, and it is encoded once.
#[derive(Debug, Default)]
pub(in crate::sidecar) struct ReadingTexts(Mutex<BTreeMap<u8, (Arc<PowerFrame>, Utf8Bytes)>>);

impl ReadingTexts {
    fn text(&self, reading: &Arc<PowerFrame>) -> Utf8Bytes {
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = texts.get(&reading.module).filter(|(known, _)| Arc::ptr_eq(known, reading));
        if let Some((_, text)) = known {
            return text.clone();
        }
        let text = Utf8Bytes::from(Frame::Data(Power::from(&**reading)).text());
        texts.insert(reading.module, (Arc::clone(reading), text.clone()));
        text
    }
}

/// The number of the last updates in a row without a reading, of one client.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Errors(u64);

impl Errors {
    /// Counts an update that the client gets.
    pub(super) fn count(&mut self, update: &PowerUpdate) {
        self.0 = match update {
            PowerUpdate::Reading(_) | PowerUpdate::Busy { .. } => 0,
            PowerUpdate::Unavailable { .. } => self.0 + 1,
        };
    }
}

/// The text of an update, for a client with this number of errors.
pub(super) fn text(update: &PowerUpdate, errors: Errors, readings: &ReadingTexts) -> Utf8Bytes {
    let frame = match update {
        PowerUpdate::Reading(reading) => return readings.text(reading),
        PowerUpdate::Busy { last, age_s, occupation } => Frame::Busy {
            last: Power::from(&**last),
            age_s: *age_s,
            operation: occupation.operation,
            progress: occupation.progress,
            eta_s: occupation.eta_s,
        },
        PowerUpdate::Unavailable { reason, cause } => Frame::Error {
            error: if *cause == Cause::Away { not_connected(reason) } else { reason.clone() },
            message: reason.clone(),
            timestamp: timestamp(),
            recoverable: true,
            error_count: errors.0,
        },
    };
    frame.text().into()
}
