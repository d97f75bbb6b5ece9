//! Positions in texts, and how a finding is shown: file, line, column, excerpt, hint. YAML and Rhai use the same
//! code, so that a mistake is shown in the same way in both.

use std::fmt;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::{Deserialize, Serialize};

mod encoding;
mod excerpt;
mod pasted;

pub use encoding::{decode, decode_data, without_mark};
pub use pasted::advice;

use excerpt::Excerpt;

/// A text that belongs to a recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// The path as given by the user. For an included file it is relative to the recipe's folder.
    pub name: String,
    /// The content, byte for byte.
    pub text: String,
}

impl SourceFile {
    /// The text without a byte order mark. Positions refer to this text.
    #[must_use]
    pub fn code(&self) -> &str {
        without_mark(&self.text)
    }

    /// The lines without line ends. Lines end with LF, CRLF or CR.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        lines(self.code())
    }

    /// Whether the name is that of a YAML file.
    fn is_yaml(&self) -> bool {
        let name = self.name.to_lowercase();
        name.ends_with(".yaml") || name.ends_with(".yml")
    }

    /// A line by its number, counted from 1; empty after the last line.
    #[must_use]
    pub fn line(&self, number: usize) -> &str {
        self.lines().nth(number.saturating_sub(1)).unwrap_or_default()
    }
}

/// The lines of a text without line ends. Lines end with LF, CRLF or CR.
pub fn lines(text: &str) -> impl Iterator<Item = &str> {
    let unix = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    unix.flat_map(|line| line.split('\r'))
}

/// The byte offset of the character at a column of a line; the end of the line for a later column.
#[must_use]
pub fn byte_at(line: &str, column: usize) -> usize {
    line.char_indices().nth(column.saturating_sub(1)).map_or(line.len(), |(at, _)| at)
}

/// A position in a source: line and column are counted from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
}

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Information: the recipe may be correct, and only the bench can show it.
    Note,
    /// Allowed, but probably a mistake.
    Warning,
    /// The recipe cannot run.
    Error,
}

/// One finding about a recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The message: what was given and what is allowed.
    pub message: String,
    /// The position, if there is one.
    pub place: Option<(Arc<SourceFile>, Position)>,
    /// How to correct it.
    pub hint: Option<String>,
}

/// Whether any finding is an error.
#[must_use]
pub fn has_errors(findings: &[Diagnostic]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Error)
}

impl Diagnostic {
    /// An error without a position.
    #[must_use]
    pub fn error(message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, message: message.into(), place: None, hint: None }
    }

    /// A warning without a position.
    #[must_use]
    pub fn warning(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(message) }
    }

    /// A note without a position.
    #[must_use]
    pub fn note(message: impl Into<String>) -> Self {
        Self { severity: Severity::Note, ..Self::error(message) }
    }

    /// The same finding with a position.
    #[must_use]
    pub fn at(mut self, source: &Arc<SourceFile>, position: Position) -> Self {
        // A value without a position, such as an empty list, gets the start of the text.
        let place = Position { line: position.line.max(1), column: position.column.max(1) };
        self.place = Some((Arc::clone(source), place));
        self
    }

    /// The same finding with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The hints: about a character that was pasted by mistake, and the finding's own hint.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        let place = self.place.as_ref();
        let pasted =
            place.and_then(|(source, at)| pasted::at(source.line(at.line), at.column, source.is_yaml()));
        // The part after such a line end is in the next line.
        let before =
            place.and_then(|(source, at)| pasted::line_end_in(source.line(at.line.checked_sub(1)?.max(1))));
        let pasted = pasted.or(before);
        let pasted = pasted.or_else(|| pasted::in_quotes(&self.message));
        let pasted = pasted.filter(|advice| !self.message.contains(advice.as_str()));
        let parts: Vec<String> = pasted.into_iter().chain(self.hint.clone()).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// The finding for programs: its parts, and `text` as [`render`](Self::render) gives it.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        let place = self.place.as_ref();
        serde_json::json!({
            "severity": self.severity,
            "message": self.message,
            "hint": self.advice(),
            "file": place.map(|(source, _)| &source.name),
            "line": place.map(|(_, position)| position.line),
            "column": place.map(|(_, position)| position.column),
            "text": self.render(false),
        })
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
        let (excerpt, advice);
        if let Some((source, position)) = &self.place {
            excerpt = Excerpt::new(source.line(position.line), position.column, source.is_yaml());
            report = report.element(
                Snippet::source(excerpt.text.as_str())
                    .path(source.name.as_str())
                    .line_start(position.line.max(1))
                    .annotation(AnnotationKind::Primary.span(excerpt.span.clone())),
            );
        }
        advice = self.advice();
        if let Some(advice) = &advice {
            report = report.element(Level::HELP.message(advice.as_str()));
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

    #[test]
    fn a_character_of_several_bytes_is_underlined_whole_and_named_where_it_was_pasted() {
        for (line, column, said) in [
            ("let x\u{a0}= 1;", 6, "U+00A0 no-break space"),
            ("- wait: { seconds:\u{a0}1 }", 11, "U+00A0 no-break space; write a plain space"),
            ("- swe\u{200b}ep:", 3, "U+200B zero width space; delete it"),
            ("power_dbm: \u{2212}5", 12, "U+2212 minus sign; write `-`"),
            ("power_dbm: \"\u{2212}5\"", 12, "U+2212"),
            ("a: b # c\u{2028}d: e", 10, "U+2028 line separator"),
            ("name: \u{201c}ring\u{201d}", 7, "U+201C typographic quotation mark; write `\"`"),
            ("\u{1f600}", 1, "odd"),
        ] {
            let source = Arc::new(SourceFile { name: "x.yaml".into(), text: format!("\u{feff}{line}\n") });
            let shown = Diagnostic::error("odd").at(&source, Position { line: 1, column }).render(false);
            assert!(shown.contains(said), "{shown}");
        }
        for line in ["a: b # 5\u{a0}dB", "wrong: \"5\u{a0}dB\"", "wrong(1); // 5\u{a0}dB"] {
            let source = Arc::new(SourceFile { name: "x".into(), text: line.into() });
            let finding = Diagnostic::error("odd").at(&source, Position { line: 1, column: 1 });
            assert_eq!(finding.advice(), None, "{line}");
        }
    }

    #[test]
    fn a_pasted_character_in_what_is_quoted_is_named_without_a_place() {
        let finding = Diagnostic::error("`a` is a number, not `\u{2212}5` (see `${…}`)");
        assert_eq!(finding.advice().as_deref(), Some("U+2212 minus sign; write `-`"));
        assert_eq!(Diagnostic::error("5\u{a0}dB is not `${…}`").advice(), None);
    }

    #[test]
    fn a_very_long_line_is_shown_around_its_place() {
        let text = format!("{}wrong{}", "\u{e9}".repeat(5_000), " x".repeat(5_000));
        let source = Arc::new(SourceFile { name: "x".into(), text });
        let shown = Diagnostic::error("odd").at(&source, Position { line: 1, column: 5_001 }).render(false);
        assert!(shown.contains("wrong") && shown.len() < 5_000, "{}", shown.len());
    }
}
