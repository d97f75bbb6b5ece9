//! Collects what is found about steps: each thing once for each place, however often a loop comes by.

use std::collections::HashSet;
use std::sync::Arc;

use crate::source::{Diagnostic, Position, Severity, SourceFile};
use crate::step::{Fault, Place};

/// What is said of a finding that a stand-in for a measured value may have brought about.
const MAY_DIFFER: &str = "a measured value decides what comes here; the forecast had to assume one";

/// What was found, in the order of the walk.
#[derive(Debug, Default)]
pub(super) struct Findings {
    found: Vec<(Option<(String, Position)>, Diagnostic)>,
    /// What has been said: the source, the place in it, and about what.
    said: HashSet<(String, String, String)>,
}

impl Findings {
    /// Adds a finding about `about` at a place, unless that was said before of the same place.
    pub(super) fn add(&mut self, place: &Place, about: impl Into<String>, diagnostic: Diagnostic) {
        let at = place.position.map_or_else(|| place.path.clone(), |at| format!("{}:{}", at.line, at.column));
        if self.said.insert((place.file.clone(), at, about.into())) {
            self.found.push((place.position.map(|at| (place.file.clone(), at)), diagnostic));
        }
    }

    /// Adds a finding that is about a place if there is one, and about the recipe otherwise.
    pub(super) fn add_at(&mut self, place: Option<&Place>, about: &str, diagnostic: Diagnostic) {
        match place {
            Some(place) => self.add(place, about, diagnostic),
            None => self.found.push((None, diagnostic)),
        }
    }

    /// Adds the fault that ended a walk. It says its own place when the recipe is to blame.
    pub(super) fn add_fault(&mut self, fault: Fault, last: Option<&Place>, may_differ: bool) {
        let at = fault.at.or_else(|| last.and_then(|place| Some((place.file.clone(), place.position?))));
        let diagnostic = Diagnostic { hint: fault.hint, ..Diagnostic::error(fault.message) };
        self.found.push((at, softened(diagnostic, may_differ)));
    }

    /// The findings with their excerpts, where their sources are among these.
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

/// Behind a measured value nothing is certain: an error there does not keep the recipe from running.
pub(super) fn softened(diagnostic: Diagnostic, may_differ: bool) -> Diagnostic {
    if !may_differ || diagnostic.severity != Severity::Error {
        return diagnostic;
    }
    let hint = diagnostic.hint.map_or_else(|| MAY_DIFFER.to_owned(), |hint| format!("{hint}; {MAY_DIFFER}"));
    Diagnostic { severity: Severity::Warning, hint: Some(hint), ..diagnostic }
}
