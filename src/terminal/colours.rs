//! The colours of verdicts at the terminal.

use std::io::IsTerminal;

use crate::analysis::verdict::Verdict;

/// Whether text for stderr gets colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Colours {
    used: bool,
}

impl Colours {
    /// No colours.
    #[cfg(test)]
    pub(super) const NONE: Self = Self { used: false };

    /// Colours if stderr is a terminal and the user has not set `NO_COLOR`.
    pub(super) fn of_stderr() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { used: std::io::stderr().is_terminal() && !refused }
    }

    /// A text that must be noticed: a warning or a fault.
    pub(super) fn warning(self, text: &str) -> String {
        self.code("33", text)
    }

    /// A text in the colour of how an item of a batch has ended.
    pub(super) fn ending(self, is_good: bool, text: &str) -> String {
        self.code(if is_good { "32" } else { "1;31" }, text)
    }

    fn code(self, code: &str, text: &str) -> String {
        if self.used { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// A text in the colour of a verdict.
    pub(super) fn verdict(self, verdict: Option<Verdict>, text: &str) -> String {
        let code = match verdict {
            Some(Verdict::Pass) => "32",
            Some(Verdict::Marginal) => "33",
            Some(Verdict::NotMeasured) => "35",
            Some(Verdict::Fail) => "1;31",
            None => return text.to_owned(),
        };
        self.code(code, text)
    }
}
