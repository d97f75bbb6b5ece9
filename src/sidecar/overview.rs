//! `/instrument`: a summary of the instrument without waiting for it. Condition and lasers are read only when a
//! client requests the summary, once for all clients.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Serialize;

use super::access::{Granted, Right};
use super::state::{App, AppState};
use crate::instrument::{InstrumentStatus, LaserStatus};
use crate::remote::UploadStatus;

/// Older values are read again.
const AGE: Duration = Duration::from_secs(2);
/// Time to wait for new values; after it, the last ones are returned.
const WAIT: Duration = Duration::from_millis(150);

/// The instrument at a glance.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct InstrumentReply {
    /// Where it is.
    address: String,
    connected: bool,
    /// True for the embedded instrument, wherever it runs; null before it has answered.
    simulated: Option<bool>,
    /// Its reply to `*IDN?`, the last one while it is away.
    identity: Option<String>,
    /// The condition register in words.
    condition: Option<String>,
    condition_register: Option<u16>,
    /// Connections to it: 1 or 2.
    connections: u8,
    /// What keeps it busy.
    activity: Option<ActivityReply>,
    /// The lasers that serve as a source of the scan.
    lasers: Vec<LaserReply>,
    /// Age of condition and lasers, s.
    age_s: Option<f64>,
    /// The run that holds it.
    run: Option<String>,
    /// The run that began last since the server started, also after its end.
    last_run: Option<String>,
    /// Another number whenever the queue has changed; null where there is none.
    queue: Option<u64>,
    /// The uploads to the object store; null where there is none.
    store: Option<UploadStatus>,
    /// Why it is not connected.
    reason: Option<String>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct ActivityReply {
    operation: &'static str,
    /// 0 to 1.
    progress: Option<f64>,
    /// Time left, s.
    eta_s: Option<f64>,
}

/// A laser.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct LaserReply {
    laser: u8,
    identity: String,
    on: bool,
    power_dbm: f64,
    wavelength_nm: f64,
}

impl From<&LaserStatus> for LaserReply {
    fn from(laser: &LaserStatus) -> Self {
        Self {
            laser: laser.laser,
            identity: laser.identity.to_string(),
            on: laser.on,
            power_dbm: laser.power_dbm,
            wavelength_nm: laser.wavelength_nm,
        }
    }
}

/// The last values.
#[derive(Debug, Default)]
pub(super) struct Overview {
    known: Mutex<Option<Arc<Known>>>,
    /// Counts the changes. Values from before a change are out of date.
    changes: AtomicU64,
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Known {
    at: Instant,
    changes: u64,
    status: InstrumentStatus,
}

impl Overview {
    /// Marks the values as out of date, so that the next request reads them again.
    pub(super) fn forget(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    fn known(&self) -> Option<Arc<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Returns the summary of the instrument. A client with the read-only token gets the last values, and none are read for it.
pub(super) async fn instrument(
    State(app): State<App>,
    Extension(granted): Extension<Granted>,
) -> Json<InstrumentReply> {
    let changes = app.overview.changes.load(Ordering::Acquire);
    let fresh =
        app.overview.known().is_some_and(|known| known.at.elapsed() < AGE && known.changes == changes);
    let connected = app.session.identity().is_some();
    if !fresh && connected && granted.right == Right::Full {
        // The read continues after the wait; the next request finds its result.
        let asking = tokio::spawn({
            let app = Arc::clone(&app);
            async move { app.refresh_overview().await }
        });
        let _ = tokio::time::timeout(WAIT, asking).await;
    }
    Json(app.overview_reply())
}

impl AppState {
    async fn refresh_overview(&self) {
        // Another request is already reading.
        let Ok(_asking) = self.overview.asking.try_lock() else { return };
        let changes = self.overview.changes.load(Ordering::Acquire);
        match self.instrument().status().await {
            Ok(status) => {
                let known = Known { at: Instant::now(), changes, status };
                *self.overview.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(known));
            }
            Err(error) => tracing::debug!(%error, "no overview"),
        }
    }

    fn overview_reply(&self) -> InstrumentReply {
        let endpoint = self.session.endpoint();
        let reason = self.absence();
        let connected = reason.is_none();
        let identity = endpoint.instrument.last_identity();
        let known = self.overview.known().filter(|_| connected);
        let occupation = endpoint.instrument.activity().borrow().occupation();
        InstrumentReply {
            address: endpoint.target.to_string(),
            connected,
            simulated: identity.as_ref().map(|identity| identity.simulated()),
            identity: identity.map(|identity| identity.to_string()),
            condition: known.as_ref().map(|known| known.status.condition.to_string()),
            condition_register: known.as_ref().map(|known| known.status.condition.0),
            connections: 1 + u8::from(endpoint.instrument.has_second()),
            activity: occupation.map(|occupation| ActivityReply {
                operation: occupation.operation,
                progress: occupation.progress,
                eta_s: occupation.eta_s,
            }),
            lasers: known.iter().flat_map(|known| known.status.lasers.iter().map(LaserReply::from)).collect(),
            age_s: known.as_ref().map(|known| known.at.elapsed().as_secs_f64()),
            run: self.session.current_run().map(|run| run.id().to_owned()),
            last_run: self.session.last_run().map(|run| run.id().to_owned()),
            queue: self.options.batch.as_ref().map(|desk| *desk.queue.changes().borrow()),
            store: self.session.setup().uploads.status().map(|status| status.borrow().clone()),
            reason,
        }
    }
}
