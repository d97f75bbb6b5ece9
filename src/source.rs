//! Where something is written, and how a finding about it is shown: file, line, column, excerpt, hint.
//! YAML and Rhai share it, so that a mistake reads the same in both.

use std::fmt;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::{Deserialize, Serialize};

/// A text that a recipe consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// The path as the user gave it, or relative to the recipe's folder for what it includes.
    pub name: String,
    /// What is in it.
    pub text: String,
}

impl SourceFile {
    /// A line, from 1, without its end and without a byte-order mark; empty behind the last one. Lines end with LF, CRLF
    /// or CR.
    #[must_use]
    pub fn line(&self, number: usize) -> &str {
        let text = self.text.strip_prefix('\u{feff}').unwrap_or(&self.text);
        let unix = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        unix.flat_map(|line| line.split('\r')).nth(number.saturating_sub(1)).unwrap_or_default()
    }
}

/// A place in a source: line and column count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing: it may well be right, and only the bench can tell.
    Note,
    /// Allowed, and probably not what was meant.
    Warning,
    /// The recipe cannot run.
    Error,
}

/// One finding about a recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: names what was given and what is allowed.
    pub message: String,
    /// Where, if it is somewhere.
    pub place: Option<(Arc<SourceFile>, Position)>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// An error without a place.
    #[must_use]
    pub fn error(message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, message: message.into(), place: None, hint: None }
    }

    /// A warning without a place.
    #[must_use]
    pub fn warning(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(message) }
    }

    /// A note without a place.
    #[must_use]
    pub fn note(message: impl Into<String>) -> Self {
        Self { severity: Severity::Note, ..Self::error(message) }
    }

    /// The same finding at a place.
    #[must_use]
    pub fn at(mut self, source: &Arc<SourceFile>, position: Position) -> Self {
        self.place = Some((Arc::clone(source), position));
        self
    }

    /// The same finding with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The finding as text for a person: message, `file:line:column`, the line with a caret, the hint.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let mut report =
            level.primary_title(self.message.as_str()).elements(Vec::<annotate_snippets::Message>::new());
        let line;
        if let Some((source, position)) = &self.place {
            line = source.line(position.line);
            let span = word_at(line, position.column);
            report = report.element(
                Snippet::source(line)
                    .path(source.name.as_str())
                    .line_start(position.line)
                    .annotation(AnnotationKind::Primary.span(span)),
            );
        }
        if let Some(hint) = &self.hint {
            report = report.element(Level::HELP.message(hint.as_str()));
        }
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[report])
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// The bytes of the word that starts at a column: what the caret underlines.
fn word_at(line: &str, column: usize) -> std::ops::Range<usize> {
    let start = line.char_indices().nth(column.saturating_sub(1)).map_or(line.len(), |(at, _)| at);
    let rest = &line[start..];
    let length =
        rest.find(|c: char| c.is_whitespace() || matches!(c, ':' | ',' | '}' | ']' | '(' | ')' | ';'));
    let end = start + length.unwrap_or(rest.len());
    start..end.max((start + 1).min(line.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_shows_its_line_with_a_caret_and_a_hint() {
        let source = Arc::new(SourceFile {
            name: "ring.yaml".into(),
            text: "name: ring\nsteps:\n  - swep: {}\n".into(),
        });
        let shown = Diagnostic::error("unknown operation `swep`")
            .at(&source, Position { line: 3, column: 5 })
            .hint("did you mean `sweep`?")
            .render(false);
        assert!(shown.contains("ring.yaml:3:5"), "{shown}");
        assert!(shown.contains("- swep: {}"), "{shown}");
        assert!(shown.contains("^^^^"), "{shown}");
        assert!(shown.contains("did you mean `sweep`?"), "{shown}");
    }

    #[test]
    fn a_place_past_the_end_of_the_text_is_shown_and_does_not_panic() {
        let source = Arc::new(SourceFile { name: "x.yaml".into(), text: "name: é".into() });
        for column in [6, 7, 8, 90] {
            for line in [1, 2, 9] {
                let shown = Diagnostic::warning("odd").at(&source, Position { line, column }).render(false);
                assert!(shown.contains("odd"), "{shown}");
            }
        }
    }
}
