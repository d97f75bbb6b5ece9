//! The log of received commands.

use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::Utc;

/// One line per command: time, client, text. A fault has its own line after its command, with `! ` before its text. A
/// line of another instrument than the CTP10 has the name of the instrument after the client.
#[derive(Debug, Clone)]
pub(super) struct CommandLog {
    file: Arc<Mutex<File>>,
    instrument: Option<&'static str>,
}

impl CommandLog {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { file: Arc::new(Mutex::new(File::create(path)?)), instrument: None })
    }

    /// The same log for another instrument.
    pub(super) fn of(&self, instrument: &'static str) -> Self {
        Self { instrument: Some(instrument), ..self.clone() }
    }

    pub(super) fn write(&self, peer: SocketAddr, command: &str) {
        let time = Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        let instrument = self.instrument.map_or(String::new(), |name| format!("[{name}] "));
        let line = format!("{time} {peer} {instrument}{command}\n");
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // Written at once, so that a reader of the file sees whole lines. A write error does not change the replies.
        if let Err(error) = file.write_all(line.as_bytes()) {
            tracing::warn!(%error, "the command log cannot be written");
        }
    }
}
