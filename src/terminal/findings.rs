//! Prints findings on stderr: with an excerpt and a caret for people, as one JSON object per line for programs.

use std::io::IsTerminal;

use super::output::{coloured, errln};
use crate::shown;
use crate::source::Diagnostic;

/// Prints findings. `gap` is printed after each text.
pub fn tell_findings<'a>(findings: impl IntoIterator<Item = &'a Diagnostic>, json: bool, gap: &str) {
    let colour = std::io::stderr().is_terminal();
    for finding in findings {
        match json {
            true => errln!("{}", shown::json(&finding.json().to_string())),
            false => coloured!("{}{gap}", finding.render(colour)),
        }
    }
}
