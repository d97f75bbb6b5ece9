//! The messages that a run sends to its watchdog.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::equipment::DeviceSettings;
use crate::instrument::Address;

/// What the watchdog of a run must know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// The process of the run.
    pub runner: u32,
    /// The run folder, absolute.
    #[serde(with = "any_path")]
    pub folder: PathBuf,
    /// The address of the instrument.
    pub address: Address,
    /// The identity that the instrument must have.
    pub identity: String,
    /// The lasers are simulated by the process of the run and end with it.
    #[serde(default)]
    pub lasers_end_with_run: bool,
    /// The other instruments that the run may use, by name.
    #[serde(default)]
    pub named: BTreeMap<String, DeviceSettings>,
    /// The longest time without a heartbeat, s.
    pub silence_s: f64,
}

/// A message, sent as one line of JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub enum Message {
    /// The first message.
    Begin(Config),
    /// The engine is working.
    Beat {
        /// The lasers that the run has set or switched on so far.
        lasers: BTreeSet<u8>,
        /// The named instruments that the run has used so far.
        #[serde(default)]
        named: BTreeSet<String>,
        /// The longest time until the next heartbeat, s.
        next_s: f64,
    },
    /// The run has ended normally, with its lasers in the state that it wanted.
    Goodbye,
}

impl Message {
    /// The line for the pipe.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{}\n", serde_json::json!(self))
    }
}

/// A path as its bytes: on Unix, a path may not be UTF-8.
mod any_path {
    use std::ffi::OsString;
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[cfg(unix)]
    pub(super) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()).serialize(serializer)
    }

    #[cfg(unix)]
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
        let bytes = Vec::<u8>::deserialize(deserializer)?;
        Ok(<OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes).into())
    }

    #[cfg(not(unix))]
    pub(super) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        path.serialize(serializer)
    }

    #[cfg(not(unix))]
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
        Ok(OsString::deserialize(deserializer)?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_folder_need_not_be_utf_8() {
        let folder: std::ffi::OsString =
            std::os::unix::ffi::OsStringExt::from_vec(b"/data/b\xe4nk/run".to_vec());
        let config = Config {
            runner: 1,
            folder: folder.into(),
            address: "10.0.0.1:5025".parse().unwrap(),
            identity: "EXFO,CTP10,1,2".to_owned(),
            lasers_end_with_run: false,
            named: BTreeMap::new(),
            silence_s: 60.0,
        };
        let message = Message::Begin(config);
        assert_eq!(serde_json::from_str::<Message>(&message.line()).unwrap(), message);
    }

    #[test]
    fn a_message_is_read_as_it_was_sent() {
        for message in [
            Message::Beat {
                lasers: BTreeSet::from([1, 2]),
                named: BTreeSet::from(["smu".to_owned()]),
                next_s: 2.5,
            },
            Message::Goodbye,
        ] {
            assert_eq!(serde_json::from_str::<Message>(&message.line()).unwrap(), message);
        }
    }
}
