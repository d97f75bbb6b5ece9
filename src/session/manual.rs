//! Manual changes outside a run: connecting, single commands, a sweep or a reference.

use std::sync::Arc;

use tokio::sync::{oneshot, watch};

use super::{Endpoint, Held, Holder, Session};
use crate::instrument::scpi::{Action, Identity};
use crate::instrument::setting::Setting;
use crate::instrument::{Address, Ctp10, Error, Target};

/// Why no connection was made.
#[derive(Debug, thiserror::Error)]
pub enum NotConnected {
    /// A run holds the instrument.
    #[error(transparent)]
    Held(#[from] Held),
    /// Another process holds the requested instrument.
    #[error("{address} is in use by {by}")]
    InUse {
        /// The instrument.
        address: Address,
        /// The program that holds it.
        by: Holder,
    },
    /// The instrument cannot be reached.
    #[error(transparent)]
    Instrument(#[from] Error),
}

/// Why a change was not made completely.
#[derive(Debug, thiserror::Error)]
pub enum NotChanged {
    /// A run holds the instrument.
    #[error(transparent)]
    Held(#[from] Held),
    /// An emergency stop came first.
    #[error("`{command}` was not sent: {}", Cut::REASON)]
    Cut {
        /// The first command that was not sent.
        command: String,
    },
    /// Two coupled settings cannot have the values that were sent.
    #[error("{setting} was set to {given}, but the instrument has changed it to {found}")]
    Moved {
        /// The setting.
        setting: Setting,
        /// The value that was sent.
        given: String,
        /// The present value.
        found: String,
    },
    /// A command has failed.
    #[error(transparent)]
    Instrument(#[from] Error),
}

/// A scan that was started manually.
#[derive(Debug)]
pub struct ScanTicket {
    finished: oneshot::Receiver<Result<(), Error>>,
}

impl ScanTicket {
    /// Waits for the end of the scan. If the call is cancelled, the scan continues.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn finished(self) -> Result<(), Error> {
        self.finished.await.unwrap_or_else(|_| {
            Err(Error::Lost { command: "INIT".to_owned(), reason: "the program is shutting down".to_owned() })
        })
    }
}

/// Reports that transfers and starts from before must end: all lasers were turned off, or the connection was closed.
#[derive(Debug)]
pub struct Cut(watch::Receiver<u64>);

impl Cut {
    /// Why they must end, as a text for people.
    pub const REASON: &str = "all lasers were turned off, or the connection was closed";

    /// Whether they must end.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.0.has_changed().unwrap_or(true)
    }

    /// Waits until they must end.
    pub async fn wanted(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Session {
    /// Sends commands one after another, and makes sure that two coupled settings among them have their values. After an
    /// emergency stop, no further command is sent, because it could make light again.
    ///
    /// # Errors
    /// See [`NotChanged`].
    pub async fn change(&self, actions: impl IntoIterator<Item = Action>) -> Result<(), NotChanged> {
        let cut = self.cut();
        let _change = self.lease.for_change().await?;
        let instrument = self.observer();
        let (actions, mut done): (Vec<Action>, Vec<Action>) = (actions.into_iter().collect(), Vec::new());
        if actions.len() > 1 {
            instrument.permit_all(&actions).await?;
        }
        for action in actions {
            if cut.is_wanted() {
                return Err(NotChanged::Cut { command: action.to_string() });
            }
            instrument.act(&action).await?;
            done.push(action);
        }
        for action in &done {
            let Some(setting) = action.setting() else { continue };
            if !done.iter().filter_map(Action::setting).any(|other| setting.is_coupled_to(other)) {
                continue;
            }
            let found = instrument.read_setting(setting).await?.filter(|found| !found.sets_the_same(action));
            if let Some(found) = found {
                let (given, found) = (action.shown_value(), found.shown_value());
                return Err(NotChanged::Moved { setting, given, found });
            }
        }
        Ok(())
    }

    /// Starts a scan and returns when the instrument reports it. An emergency stop before that ends the scan too.
    ///
    /// # Errors
    /// If the scan does not start.
    pub async fn start_scan(self: &Arc<Self>, action: Action) -> Result<Result<ScanTicket, Error>, Held> {
        let cut = self.cut();
        let change = self.lease.for_change().await?;
        let instrument = self.observer();
        let (started, running) = oneshot::channel();
        let (done, finished) = oneshot::channel();
        tokio::spawn(async move {
            let mut waiting = Some((started, change));
            let scan = async {
                // Meanwhile the instrument would ignore a start. If the analysis takes longer, it refuses the start.
                instrument.wait_for_analysis().await?;
                let expected = instrument.scan_settings().await?.expected();
                if cut.is_wanted() {
                    return Err(Error::Aborted { command: action.to_string() });
                }
                instrument
                    .scan(&action, expected, |_| {
                        let Some((started, _)) = waiting.take() else { return };
                        let _ = started.send(());
                        if cut.is_wanted() {
                            let instrument = instrument.clone();
                            tokio::spawn(async move { instrument.abort_scan().await });
                        }
                    })
                    .await
            };
            let ended = scan.await;
            if let Err(error) = &ended {
                tracing::warn!(%error, "a scan that was started manually has failed");
            }
            let _ = done.send(ended);
        });
        let ticket = ScanTicket { finished };
        match running.await {
            Ok(()) => Ok(Ok(ticket)),
            Err(_) => Ok(Err(match ticket.finished().await {
                Err(error) => error,
                Ok(()) => Error::DidNotStart { command: "INIT".to_owned() },
            })),
        }
    }

    /// Reports when transfers and starts from before this call must end.
    #[must_use]
    pub fn cut(&self) -> Cut {
        Cut(self.cuts.subscribe())
    }

    /// Connects if there is no connection, and to another address if one is given. The session moves to another address
    /// only when the instrument there has answered, so a wrong address changes nothing.
    ///
    /// # Errors
    /// See [`NotConnected`].
    pub async fn connect(&self, address: Option<Address>) -> Result<Identity, NotConnected> {
        if let Some(identity) = self.identity() {
            return Ok(identity);
        }
        let present = self.endpoint();
        let found = match address.filter(|address| address != present.instrument.address()) {
            Some(address) => self.connect_to(address, &present.instrument).await?,
            None => {
                // A person asked for the connection. Another instrument is accepted, unless a run uses the one before.
                let same = self.current_run().is_some();
                present.instrument.reconnect(same).await?
            }
        };
        if self.current_run().is_none() {
            self.seek_second().await;
        }
        Ok(found)
    }

    async fn connect_to(&self, address: Address, before: &Ctp10) -> Result<Identity, NotConnected> {
        let _moving = self.moving.lock().await;
        if let Some(identity) = self.identity() {
            return Ok(identity);
        }
        self.lease.free_of_runs()?;
        // Claimed before the connection is made, because that could disturb the program that holds the instrument.
        let claim =
            self.claim_also(&address).map_err(|by| NotConnected::InUse { address: address.clone(), by })?;
        let instrument = before.anew(address.clone());
        let found = instrument.reconnect(false).await?;
        // No run may begin on the instrument before while the session leaves it.
        let _change = self.lease.for_change().await?;
        tracing::info!(%address, "connected to another instrument, as requested");
        self.claim_instead(claim);
        self.endpoint.send_replace(Arc::new(Endpoint::new(instrument, Target::Remote(address))));
        Ok(found)
    }

    /// Closes the connections until [`connect`](Self::connect) is called.
    ///
    /// # Errors
    /// If a run holds the instrument.
    pub async fn disconnect(&self) -> Result<(), Held> {
        self.lease.free_of_runs()?;
        self.cuts.send_modify(|cuts| *cuts += 1);
        self.endpoint().instrument.disconnect().await;
        Ok(())
    }

    /// Aborts a scan that no run has started.
    ///
    /// # Errors
    /// If a run holds the instrument.
    pub async fn abort(&self) -> Result<Result<(), Error>, Held> {
        self.lease.free_of_runs()?;
        Ok(self.observer().abort().await)
    }
}
