//! Limits in a file with a version, so that several recipes judge by the same limits.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::check::check_limit_of_any;
use crate::analysis::verdict::Limit;
use crate::decode::{self, ReadError};

/// A file with limits: `version: 3`, `name: demux`, and `figures`, the limits by figure.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LimitsFile {
    /// The version of the limits, a whole number.
    version: u32,
    /// The name of the limits.
    name: String,
    /// The limits by figure.
    figures: BTreeMap<String, Limit>,
}

/// Limits that were read from a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LimitSet {
    /// Where they come from.
    #[serde(flatten)]
    pub source: LimitsSource,
    /// The limits by figure.
    pub figures: BTreeMap<String, Limit>,
}

/// The identity of limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitsSource {
    /// The file, as the recipe names it.
    pub file: String,
    /// The name in the file.
    pub name: String,
    /// The version in the file.
    pub version: u32,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
}

impl LimitSet {
    /// Reads the content of a file.
    ///
    /// # Errors
    /// The first field that is unknown, missing or wrong; the first figure that does not exist.
    pub fn read(content: &Value, file: &str, sha256: String) -> Result<Self, ReadError> {
        let LimitsFile { version, name, figures } = decode::from_value(content)?;
        for (figure, limit) in &figures {
            check_limit_of_any("figures", figure, *limit)?;
        }
        if figures.is_empty() {
            return Err(ReadError::new("`figures` has no limit").under(&["figures".to_owned()]));
        }
        Ok(Self { source: LimitsSource { file: file.to_owned(), name, version, sha256 }, figures })
    }
}
