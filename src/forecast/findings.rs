//! Collects findings about steps. Each finding is reported once per place, also inside loops.

use std::collections::HashSet;
use std::sync::Arc;

use crate::source::{Diagnostic, Position, Severity, SourceFile};
use crate::step::{Fault, Place};

/// The hint of a finding that may be caused by an assumed value.
const MAY_DIFFER: &str = "this depends on a measured value; the forecast had to assume a value";

/// The findings, in the order of the steps.
#[derive(Debug, Default)]
pub(super) struct Findings {
    found: Vec<(Option<(String, Position)>, Diagnostic)>,
    /// The findings so far: source, position and subject.
    said: HashSet<(String, String, String)>,
}

impl Findings {
    /// Adds a finding about `about` at a place, unless it was already reported for this place.
    pub(super) fn add(&mut self, place: &Place, about: impl Into<String>, diagnostic: Diagnostic) {
        let at = place.position.map_or_else(|| place.path.clone(), |at| format!("{}:{}", at.line, at.column));
        if self.said.insert((place.file.clone(), at, about.into())) {
            self.found.push((place.position.map(|at| (place.file.clone(), at)), diagnostic));
        }
    }

    /// Adds a finding about a place, or about the whole recipe if there is no place.
    pub(super) fn add_at(&mut self, place: Option<&Place>, about: &str, diagnostic: Diagnostic) {
        match place {
            Some(place) => self.add(place, about, diagnostic),
            None => self.found.push((None, diagnostic)),
        }
    }

    /// Adds the fault that ended the forecast. If the recipe caused it, the fault has a position.
    pub(super) fn add_fault(&mut self, fault: Fault, last: Option<&Place>, may_differ: bool) {
        let at = fault.at.or_else(|| last.and_then(|place| Some((place.file.clone(), place.position?))));
        let diagnostic = Diagnostic { hint: fault.hint, ..Diagnostic::error(fault.message) };
        let found = (at, softened(diagnostic, may_differ));
        // A loop goes through the branches of its steps in each turn.
        if !self.found.contains(&found) {
            self.found.push(found);
        }
    }

    /// The findings, with excerpts from the given sources.
    pub(super) fn located(self, sources: &[Arc<SourceFile>]) -> Vec<Diagnostic> {
        let locate = |(at, diagnostic): (Option<(String, Position)>, Diagnostic)| {
            let Some((file, position)) = at else { return diagnostic };
            match sources.iter().find(|source| source.name == file) {
                Some(source) => diagnostic.at(source, position),
                None => diagnostic,
            }
        };
        self.found.into_iter().map(locate).collect()
    }
}

/// After a measured value nothing is certain, so an error becomes a warning there.
pub(super) fn softened(diagnostic: Diagnostic, may_differ: bool) -> Diagnostic {
    if !may_differ || diagnostic.severity != Severity::Error {
        return diagnostic;
    }
    let hint = diagnostic.hint.map_or_else(|| MAY_DIFFER.to_owned(), |hint| format!("{hint}; {MAY_DIFFER}"));
    Diagnostic { severity: Severity::Warning, hint: Some(hint), ..diagnostic }
}
