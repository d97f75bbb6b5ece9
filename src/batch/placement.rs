//! The benches that may take an item, if many benches share the queue.

use serde::{Deserialize, Serialize};

use crate::decode::ReadError;

/// The benches that may take an item, if many benches share the queue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Placement {
    /// The only bench that may take the item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bench: Option<String>,
    /// The labels that the bench must have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// Whether another bench takes the item if its bench does not report for longer than the lease.
    pub elsewhere: bool,
}

impl Placement {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

pub(super) fn check_placement(bench: Option<&str>, needs: Option<&[String]>) -> Result<(), ReadError> {
    if let Some(name) = bench {
        check_word(name)
            .map_err(|why| ReadError::new(format!("bench {why}")).under(&["bench".to_owned()]))?;
    }
    for (index, label) in needs.into_iter().flatten().enumerate() {
        let way = ["needs".to_owned(), index.to_string()];
        check_word(label).map_err(|why| ReadError::new(format!("label {why}")).under(&way))?;
    }
    Ok(())
}

/// The names of benches and their labels are parts of keys and addresses.
///
/// # Errors
/// What is allowed, if the word is not.
pub fn check_word(word: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !word.is_empty() && word.len() <= 40 && word.chars().all(plain) && !word.starts_with('-') {
        return Ok(());
    }
    Err(format!("`{word}` is not allowed (lower-case letters, digits and `-`, at most 40 characters)"))
}
