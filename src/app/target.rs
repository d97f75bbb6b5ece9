//! The names of files that commands write.

use std::path::Path;

use crate::error::{ExitCode, Failure};
use crate::files;

/// Checks the name of a file before the work for it begins. Only a file is replaced, and only with `--force`.
pub(super) fn check(path: &Path, force: bool) -> Result<(), Failure> {
    let usage = |message: String| Failure::new(ExitCode::Usage, message);
    if path == Path::new("-") {
        let message = "`-` is not allowed as the name of the output: it is not written to standard output";
        return Err(usage(message.to_owned()).hint("write the name of a file"));
    }
    files::check_target(path)
        .map_err(|error| usage(format!("`{}` cannot be replaced: {error}", path.display())))?;
    if files::is_taken(path) && !force {
        return Err(usage(format!("`{}` exists", path.display())).hint("`--force` replaces it"));
    }
    Ok(())
}
