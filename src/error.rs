//! The failures that end the program: messages for a person, and an exit code for scripts.

use std::fmt;

use crate::source::{Diagnostic, Severity};

/// Exit codes that scripts and schedulers rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// The run failed or finished with failed steps; `verify` found something.
    Failed = 1,
    /// Usage or recipe wrong.
    Usage = 2,
    /// Instrument unreachable, or not usable at the start.
    Instrument = 3,
    /// The run or batch has ended well, and its worst verdict is `not measured` or `fail`.
    NotPassed = 4,
    /// Standard output could not be written.
    NotPrinted = 5,
    /// Stopped by the user.
    Stopped = 130,
    /// The reader of standard output has closed it.
    NobodyReads = 141,
}

/// A failure that ends the program.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: ExitCode,
    /// The messages to print; empty if they have already been printed.
    pub findings: Vec<Diagnostic>,
}

impl Failure {
    /// A failure with one message.
    #[must_use]
    pub fn new(code: ExitCode, message: impl fmt::Display) -> Self {
        Self { code, findings: vec![Diagnostic::error(message.to_string())] }
    }

    /// A failure whose messages have already been printed.
    #[must_use]
    pub fn told(code: ExitCode) -> Self {
        Self { code, findings: Vec::new() }
    }

    /// A wrong recipe.
    #[must_use]
    pub fn recipe(findings: Vec<Diagnostic>) -> Self {
        Self { code: ExitCode::Usage, findings }
    }

    /// The same failure with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Some(last) = self.findings.last_mut() {
            last.hint = Some(hint.into());
        }
        self
    }

    /// The messages. Errors come last, so that they are visible at the end of the output.
    #[must_use]
    pub fn in_order(&self) -> Vec<&Diagnostic> {
        let mut findings: Vec<&Diagnostic> = self.findings.iter().collect();
        findings.sort_by_key(|finding| finding.severity == Severity::Error);
        findings
    }
}

/// An error and its causes in one line, the outermost first.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // A cause is left out if the error already quotes it.
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
