//! The reason why a step failed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::source::Position;

/// The kind of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The request is wrong or not allowed: a limit of the bench, a wrong value, no person to answer.
    Refused,
    /// The instrument answered with an error.
    Instrument,
    /// The instrument cannot be reached, or its connection was lost.
    Link,
    /// Something took longer than it may.
    Timeout,
    /// A scan never started.
    DidNotStart,
    /// The run folder cannot be written or read.
    Store,
    /// The recipe itself failed: an expression, a script error.
    Recipe,
    /// The verdict of an analysis with `on_fail: stop` ends the recipe. Cannot be caught.
    Verdict,
    /// A step with `on_error: next_turn` has failed: the recipe leaves the turn of its loop. Cannot be caught.
    NextTurn,
    /// The operator stopped the run. Cannot be caught.
    Stopped,
}

/// The reason why an operation failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The kind of a fault.
    pub kind: FaultKind,
    /// Source and position, if the recipe itself caused the fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<(String, Position)>,
    /// The message, with the causes.
    pub message: String,
    /// How to correct it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Whether a value has a type that is never allowed there. No measured value would change that, so a forecast is
    /// sure of such a fault.
    #[serde(skip)]
    pub wrong_type: bool,
}

impl Fault {
    /// A fault without a hint.
    #[must_use]
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, at: None, message: message.into(), hint: None, wrong_type: false }
    }

    /// The same fault, after which the recipe leaves the turn of its loop.
    #[must_use]
    pub fn next_turn(self) -> Self {
        Self { kind: FaultKind::NextTurn, ..self }
    }

    /// The same fault at a place of the recipe.
    #[must_use]
    pub fn at(mut self, file: &str, position: Position) -> Self {
        self.at = Some((file.to_owned(), position));
        self
    }

    /// The same fault with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((file, Position { line, column })) = &self.at {
            write!(f, "{file}:{line}:{column}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}
