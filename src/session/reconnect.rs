//! Reconnects to an instrument that was away, and maintains the second connection if the instrument accepts one.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::{Connections, Session};
use crate::instrument::Presence;

/// The pause between two attempts: the first and the longest. Both are short because clients wait for the data.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
/// A connection that was lost while it was idle is noticed within this time.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Maintains the connections until it is dropped.
#[derive(Debug)]
pub struct Reconnector(JoinHandle<()>);

impl Drop for Reconnector {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Session {
    /// Begins to maintain the connections.
    #[must_use]
    pub fn keep_connected(self: &Arc<Self>) -> Reconnector {
        Reconnector(tokio::spawn(keep_connected(Arc::clone(self))))
    }

    /// Tries to open a second connection. It must not be tried for the first time during a run, because some units drop
    /// the first connection for a second.
    pub async fn seek_second(&self) {
        if self.setup.connections == Connections::One {
            return;
        }
        let instrument = self.endpoint().instrument.clone();
        let found = instrument.open_second().await;
        if found {
            tracing::debug!("the instrument accepts a second connection");
        } else if self.setup.connections == Connections::Two {
            tracing::warn!("the instrument accepts no second connection: live power pauses during transfers");
        }
    }
}

async fn keep_connected(session: Arc<Session>) {
    let mut endpoints = session.endpoint.subscribe();
    loop {
        let endpoint = Arc::clone(&endpoints.borrow_and_update());
        tokio::select! {
            // The session has moved to another address.
            moved = endpoints.changed() => if moved.is_err() { return },
            () = keep_endpoint_connected(&session, &endpoint.instrument) => return,
        }
    }
}

async fn keep_endpoint_connected(session: &Session, instrument: &crate::instrument::Ctp10) {
    let mut presence = instrument.presence();
    let mut pause = PAUSE.0;
    loop {
        let now = presence.borrow_and_update().clone();
        match now {
            Presence::Unknown | Presence::Away { .. } => match instrument.reconnect(true).await {
                Ok(identity) => {
                    pause = PAUSE.0;
                    tracing::info!(%identity, address = %instrument.address(), "connected");
                    if session.current_run().is_none() {
                        session.seek_second().await;
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "the instrument is unreachable");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE.1);
                }
            },
            Presence::Here(_) => {
                instrument.renew_second().await;
                let _ = tokio::time::timeout(LOOK_INTERVAL, presence.changed()).await;
                instrument.notice_loss();
            }
            Presence::Closed => {
                if presence.changed().await.is_err() {
                    return;
                }
            }
        }
    }
}
