//! One way to open an instrument for a command that may run recipes: `run`, `resume`, `batch` and `serve`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::choose::{Choice, Chosen};
use crate::config::Config;
use crate::error::Failure;
use crate::instrument::Target;
use crate::session::{Occupied, Reconnector, Session, Setup};

/// An instrument that this process has claimed. Dropped, it is released for other processes.
pub(super) struct OpenSession {
    // Dropped in this order: the simulator ends last.
    _reconnector: Reconnector,
    _occupied: Occupied,
    pub(super) session: Arc<Session>,
    chosen: Chosen,
}

/// Whether a session needs the instrument at its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connect {
    /// An instrument that does not reply is an error.
    Now,
    /// The program tries to reach an instrument that does not reply.
    Later,
}

impl OpenSession {
    /// Claims an instrument under the name of `what` this process does, and keeps the connection to it.
    pub(super) async fn open(
        choice: Choice,
        what: String,
        connect: Connect,
        mut setup: Setup,
        config: &Config,
    ) -> Result<Self, Failure> {
        let chosen = choice.open(config).await?;
        let (claim, holder) = chosen.claim(what).await?;
        if connect == Connect::Now {
            chosen.greet().await?;
        }
        chosen.simulate(&mut setup.live, config);
        let session = Session::new(chosen.instrument.clone(), chosen.target.clone(), setup);
        let occupied = session.occupy(claim, holder);
        if connect == Connect::Now {
            session.seek_second().await;
        }
        Ok(Self { _reconnector: session.keep_connected(), _occupied: occupied, session, chosen })
    }

    /// The options of the simulator; `None` for a real instrument.
    pub(super) fn simulator(&self) -> Option<Value> {
        self.chosen.options.as_ref().map(|options| json!(options))
    }

    /// The instrument.
    pub(super) fn target(&self) -> &Target {
        &self.chosen.target
    }
}
