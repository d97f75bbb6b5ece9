//! What a runner says to its guard.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What a guard is there for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Charge {
    /// The process that it watches.
    pub runner: u32,
    /// The run's folder, absolute.
    pub folder: PathBuf,
    /// Where the instrument is reached.
    pub address: String,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_read_as_it_was_said() {
        for word in [Word::Beat { lasers: BTreeSet::from([1, 2]), next_s: 2.5 }, Word::Goodbye] {
            assert_eq!(serde_json::from_str::<Word>(&word.line()).unwrap(), word);
        }
    }
}
