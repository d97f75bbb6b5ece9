//! What a runner says to its guard.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::instrument::Address;

/// What a guard is there for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Charge {
    /// The process that it watches.
    pub runner: u32,
    /// The run's folder, absolute.
    #[serde(with = "any_path")]
    pub folder: PathBuf,
    /// Where the instrument is reached.
    pub address: Address,
    /// Who has to answer there.
    pub identity: String,
    /// The longest silence allowed, s.
    pub silence_s: f64,
}

/// What the runner says to its guard, a JSON object a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub enum Word {
    /// The first word.
    Begin(Charge),
    /// The engine is alive.
    Beat {
        /// The lasers that the run has set or switched on so far.
        lasers: BTreeSet<u8>,
        /// How long it may be until the next beat, s.
        next_s: f64,
    },
    /// The run has ended in good order.
    Goodbye,
}

impl Word {
    /// The line for the pipe.
    #[must_use]
    pub fn line(&self) -> String {
        serde_json::json!(self).to_string() + "\n"
    }
}

/// A path as its bytes: on Unix a name need not be UTF-8.
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
        let charge = Charge {
            runner: 1,
            folder: folder.into(),
            address: "10.0.0.1:5025".parse().unwrap(),
            identity: "EXFO,CTP10,1,2".to_owned(),
            silence_s: 60.0,
        };
        let word = Word::Begin(charge);
        assert_eq!(serde_json::from_str::<Word>(&word.line()).unwrap(), word);
    }

    #[test]
    fn a_word_is_read_as_it_was_said() {
        for word in [Word::Beat { lasers: BTreeSet::from([1, 2]), next_s: 2.5 }, Word::Goodbye] {
            assert_eq!(serde_json::from_str::<Word>(&word.line()).unwrap(), word);
        }
    }
}
