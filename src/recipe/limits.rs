//! Files with limits, which analyses name.

use std::path::Path;
use std::sync::Arc;

use super::document;
use super::files;
use crate::files::hex_sha256;
use crate::operation::LimitSet;
use crate::source::{Diagnostic, SourceFile};

/// Reads a file with limits.
///
/// # Errors
/// All that is wrong with the file, with its position.
pub fn read_limits(path: &Path) -> Result<LimitSet, Vec<Diagnostic>> {
    let text = files::read(path).map_err(|message| vec![Diagnostic::error(message)])?;
    let source = SourceFile { name: path.display().to_string(), text };
    limits_in(&Arc::new(source))
}

/// The limits in a text.
pub(super) fn limits_in(source: &Arc<SourceFile>) -> Result<LimitSet, Vec<Diagnostic>> {
    let root = document::parse(source)?;
    let sha256 = hex_sha256(source.text.as_bytes());
    LimitSet::read(&root.value(), &source.name, sha256).map_err(|error| {
        let at = root.locate(&error.path, error.at_key);
        vec![Diagnostic { hint: error.hint, ..Diagnostic::error(error.message).at(source, at) }]
    })
}
