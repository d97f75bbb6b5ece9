//! A value of a recipe with its `${…}`: compiled when the recipe is loaded, evaluated when its step comes up.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::document::{Key, Kind, Node};
use super::scope::{STEPS, Scope};
use crate::budget::{VALUE_BYTES, size};
use crate::script::{Condition, Expression, Mistake, print};
use crate::source::{Diagnostic, Position, SourceFile};
use crate::step::Values;

/// A value, parts of which may be expressions.
#[derive(Debug, Clone)]
pub(super) struct Template {
    /// The value as it was written.
    pub(super) written: Node,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    Plain(Value),
    /// An expression that could not be compiled; that is a finding already.
    Broken,
    /// Exactly one `${…}`: keeps the type of its value.
    Whole(Hole),
    /// A text with `${…}` in it.
    Text(Vec<Piece>),
    List(Vec<Template>),
    Map(Vec<(Key, Template)>),
}

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    Hole(Hole),
}

#[derive(Debug, Clone)]
struct Hole {
    expression: Expression,
    at: Position,
    uses_steps: bool,
}

/// What went wrong with a value, and where.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wrong {
    pub(super) at: Position,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Template {
    /// Compiles the expressions in `node`; what is wrong with one goes into `found`.
    pub(super) fn compile(
        node: &Node,
        scope: &Scope,
        source: &Arc<SourceFile>,
        found: &mut Vec<Diagnostic>,
    ) -> Self {
        let content = match &node.kind {
            Kind::Scalar(Value::String(text)) if text.contains("${") => {
                match compile_text(text, node.at, scope, source) {
                    Ok(content) => content,
                    Err(diagnostic) => {
                        found.push(*diagnostic);
                        Content::Broken
                    }
                }
            }
            Kind::Scalar(value) => Content::Plain(value.clone()),
            Kind::List(items) => {
                Content::List(items.iter().map(|item| Self::compile(item, scope, source, found)).collect())
            }
            Kind::Map(entries) => Content::Map(
                entries
                    .iter()
                    .map(|(key, inner)| (key.clone(), Self::compile(inner, scope, source, found)))
                    .collect(),
            ),
        };
        Self { written: node.clone(), content }
    }

    /// True when there is no expression in it.
    pub(super) fn is_plain(&self) -> bool {
        match &self.content {
            Content::Plain(_) => true,
            Content::Broken | Content::Whole(_) | Content::Text(_) => false,
            Content::List(items) => items.iter().all(Self::is_plain),
            Content::Map(entries) => entries.iter().all(|(_, inner)| inner.is_plain()),
        }
    }

    /// True when an expression in it uses the result of a step.
    pub(super) fn uses_steps(&self) -> bool {
        match &self.content {
            Content::Plain(_) | Content::Broken => false,
            Content::Whole(hole) => hole.uses_steps,
            Content::Text(pieces) => {
                pieces.iter().any(|piece| matches!(piece, Piece::Hole(hole) if hole.uses_steps))
            }
            Content::List(items) => items.iter().any(Self::uses_steps),
            Content::Map(entries) => entries.iter().any(|(_, inner)| inner.uses_steps()),
        }
    }

    /// The entries, where it is a map.
    pub(super) fn entries(&self) -> Option<&[(Key, Self)]> {
        match &self.content {
            Content::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items, where it is a list.
    pub(super) fn items(&self) -> Option<&[Self]> {
        match &self.content {
            Content::List(items) => Some(items),
            _ => None,
        }
    }

    /// The value, given those of the variables.
    ///
    /// # Errors
    /// An expression that fails, or whose value does not belong where it stands.
    pub(super) fn evaluate(&self, variables: &Values) -> Result<Value, Wrong> {
        match &self.content {
            Content::Plain(value) => Ok(value.clone()),
            Content::Broken => Ok(Value::Null),
            Content::Whole(hole) => hole.evaluate(variables),
            Content::Text(pieces) => {
                let mut text = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Text(plain) => text.push_str(plain),
                        Piece::Hole(hole) => {
                            let value = hole.evaluate(variables)?;
                            text += &print(&value).map_err(|what| {
                                hole.wrong(&format!("gives {what}, which a text cannot hold"), None)
                            })?;
                        }
                    }
                    self.bound(text.len())?;
                }
                Ok(Value::String(text))
            }
            Content::List(items) => {
                self.within_bounds(items.iter().map(|item| item.evaluate(variables)), |value| value)
            }
            Content::Map(entries) => {
                let evaluate =
                    |(key, inner): &(Key, Self)| Ok((key.name.clone(), inner.evaluate(variables)?));
                self.within_bounds(entries.iter().map(evaluate), |(_, value)| value)
            }
        }
    }

    /// Collects the parts of a list or a map, and stops where all of it is too large. What was written out in the
    /// recipe is as large as its file.
    fn within_bounds<P>(
        &self,
        parts: impl Iterator<Item = Result<P, Wrong>>,
        value: impl Fn(&P) -> &Value,
    ) -> Result<Value, Wrong>
    where
        Value: FromIterator<P>,
    {
        let is_plain = self.is_plain();
        let mut bytes = 0;
        let bounded = |part: Result<P, Wrong>| {
            let part = part?;
            if !is_plain {
                bytes += size(value(&part));
                self.bound(bytes)?;
            }
            Ok(part)
        };
        parts.map(bounded).collect()
    }

    fn bound(&self, bytes: usize) -> Result<(), Wrong> {
        if bytes <= VALUE_BYTES {
            return Ok(());
        }
        let message = format!("the value is larger than {} MiB", VALUE_BYTES >> 20);
        Err(Wrong { at: self.written.at, message, hint: None })
    }
}

impl Hole {
    fn evaluate(&self, variables: &Values) -> Result<Value, Wrong> {
        let value = self.expression.evaluate(variables);
        value.map_err(|Mistake { message, hint, .. }| self.wrong(&message, hint))
    }

    fn wrong(&self, message: &str, hint: Option<String>) -> Wrong {
        Wrong { at: self.at, message: format!("`${{{}}}`: {message}", self.expression.text()), hint }
    }
}

fn compile_text(
    text: &str,
    at: Position,
    scope: &Scope,
    source: &Arc<SourceFile>,
) -> Result<Content, Box<Diagnostic>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find("${") {
        if open > 0 {
            pieces.push(Piece::Text(rest[..open].to_owned()));
        }
        let inside = &rest[open + 2..];
        let Some(close) = closing_brace(inside) else {
            let at = place_in_source(source, at, &rest[open..]);
            return Err(Box::new(
                Diagnostic::error("`${` is not closed")
                    .at(source, at)
                    .hint("a `}` within a text of the expression does not count; ` #` begins a YAML comment"),
            ));
        };
        pieces.push(Piece::Hole(compile_hole(inside[..close].trim(), at, scope, source)?));
        rest = &inside[close + 1..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Ok(match pieces.as_slice() {
        [Piece::Hole(only)] => Content::Whole(only.clone()),
        _ => Content::Text(pieces),
    })
}

/// What to do about a `${reply…}`.
const REPLY: &str =
    "`ready` is an expression by itself: leave `${` and `}` out; the reply of a step is `steps.<id>.reply`";

fn compile_hole(
    text: &str,
    at: Position,
    scope: &Scope,
    source: &Arc<SourceFile>,
) -> Result<Hole, Box<Diagnostic>> {
    let refuse = |message: String, hint: Option<String>, at: Position| {
        Box::new(Diagnostic { hint, ..Diagnostic::error(message).at(source, at) })
    };
    let begin = place_in_source(source, at, text);
    let expression = Expression::compile(text, scope.names()).map_err(|mistake| {
        let exact = place_of(&mistake, text, at, source);
        // It is not there yet: `ready` asks for it later, in an expression of its own.
        let early = mistake.message == "unknown variable `reply`";
        let hint = if early { Some(REPLY.to_owned()) } else { mistake.hint };
        refuse(format!("`${{{text}}}`: {}", mistake.message), hint, exact)
    })?;
    for id in step_ids(text) {
        scope.check_step(&id).map_err(|(message, hint)| refuse(message, hint, begin))?;
    }
    Ok(Hole { uses_steps: mentions_steps(text), expression, at: begin })
}

/// Where a mistake in the expression `text` stands, which is in the value at `at`. A position in a one-line expression
/// that was found as it stands is one in the file.
fn place_of(mistake: &Mistake, text: &str, at: Position, source: &SourceFile) -> Position {
    let begin = place_in_source(source, at, text);
    let inner = mistake.position.filter(|inner| inner.line == 1 && begin != at);
    inner.map_or(begin, |inner| Position { column: begin.column + inner.column - 1, ..begin })
}

/// What is wrong with a condition over a reply: `poll.ready` of `http`, an expression that stands by itself.
pub(super) fn check_condition(text: &str, at: Position, source: &Arc<SourceFile>) -> Option<Diagnostic> {
    let mistake = Condition::compile(text).err()?;
    let at = place_of(&mistake, text, at, source);
    Some(Diagnostic { hint: mistake.hint, ..Diagnostic::error(mistake.message).at(source, at) })
}

/// Where `part` of a value that begins at `at` stands; `at` itself when YAML wrote it differently (an escape, a
/// folded line).
pub(super) fn place_in_source(source: &SourceFile, at: Position, part: &str) -> Position {
    let mut lines = (at.line..).zip(source.text.lines().skip(at.line.saturating_sub(1))).take(200);
    let found = lines.find_map(|(line, content)| {
        let skip = if line == at.line { at.column - 1 } else { 0 };
        let start = content.char_indices().nth(skip).map_or(content.len(), |(index, _)| index);
        let index = start + content[start..].find(part)?;
        Some(Position { line, column: content[..index].chars().count() + 1 })
    });
    found.filter(|_| !part.is_empty()).unwrap_or(at)
}

/// Whether the code uses the results of steps.
pub(super) fn mentions_steps(code: &str) -> bool {
    words(code).any(|(word, _)| word == STEPS)
}

/// The ids in `steps.<id>`.
pub(super) fn step_ids(expression: &str) -> BTreeSet<String> {
    let ids = words(expression).filter(|(word, _)| *word == STEPS).filter_map(|(_, after)| {
        let id = after.trim_start().strip_prefix('.')?.trim_start();
        let end = id.find(|c: char| !is_word(c)).unwrap_or(id.len());
        Some(id[..end].to_owned())
    });
    ids.filter(|id| !id.is_empty()).collect()
}

/// The words of an expression that are no properties and not within texts, each with what stands after it.
fn words(expression: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        while let Some(letter) = expression[from..].chars().next() {
            let begin = from;
            if is_word(letter) {
                let rest = &expression[begin..];
                from += rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
                if !expression[..begin].trim_end().ends_with('.') {
                    return Some((&expression[begin..from], &expression[from..]));
                }
            } else {
                from += skip(&expression[begin..]);
            }
        }
        None
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where the brace that was opened before `text` is closed.
fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    let mut at = 0;
    while let Some(letter) = text[at..].chars().next() {
        match letter {
            '{' => open += 1,
            '}' if open == 0 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
        at += skip(&text[at..]);
    }
    None
}

/// How many bytes the text, or else the letter, takes that `rest` begins with.
fn skip(rest: &str) -> usize {
    let mut letters = rest.char_indices();
    let Some((_, quote)) = letters.next() else { return 0 };
    if matches!(quote, '"' | '\'' | '`') {
        let mut escaped = false;
        for (at, letter) in letters {
            match letter {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                _ if letter == quote => return at + letter.len_utf8(),
                _ => {}
            }
        }
    }
    quote.len_utf8()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn evaluate(text: &str) -> Result<Value, String> {
        let source = Arc::new(SourceFile { name: "r.yaml".into(), text: text.into() });
        let node = super::super::document::parse(&source).unwrap();
        let mut scope = Scope::default();
        scope.define("power");
        scope.define_step("f");
        let mut found = Vec::new();
        let template = Template::compile(&node, &scope, &source, &mut found);
        if let Some(first) = found.first() {
            return Err(first.message.clone());
        }
        let steps = json!({ "f": { "min": { "nm": 1550.5 } } });
        let variables = [("power".to_owned(), json!(0.1 + 0.2)), ("steps".to_owned(), steps)].into();
        template.evaluate(&variables).map_err(|wrong| wrong.message)
    }

    #[test]
    fn one_expression_keeps_its_type_and_a_text_prints_it() {
        assert_eq!(evaluate("\"${power > 0}\""), Ok(json!(true)));
        assert_eq!(evaluate("ring_${power}dBm"), Ok(json!("ring_0.3dBm")));
        assert_eq!(evaluate("${power}${1}"), Ok(json!("0.31")));
        assert_eq!(evaluate("a: [\"${1 + 1}\", x]"), Ok(json!({ "a": [2, "x"] })));
        assert_eq!(evaluate("'${ #{ a: 5 }.a }'"), Ok(json!(5)));
        assert_eq!(evaluate(r##"'${ "}" } and ${ "\"}" }'"##), Ok(json!("} and \"}")));
        assert_eq!(evaluate("${steps.f.min.nm}"), Ok(json!(1550.5)));
    }

    #[test]
    fn what_cannot_be_meant_is_said() {
        for (text, words) in [
            ("${powr}", "unknown variable `powr`"),
            ("${power", "is not closed"),
            ("${}", "`${}`"),
            ("a${[1]}", "gives a list, which a text cannot hold"),
            ("${steps.g.min}", "no step before this one has the id `g`"),
            ("${steps.f.max}", "there is no `max` in it"),
        ] {
            let message = evaluate(text).expect_err(text);
            assert!(message.contains(words), "{text}: {message}");
        }
    }

    #[test]
    fn uses_of_steps_are_told_from_texts_and_properties() {
        assert_eq!(
            step_ids("steps.a.x + steps . b + \"steps.c\" + x.steps.d"),
            ["a", "b"].map(str::to_owned).into()
        );
        assert_eq!(step_ids("mysteps.a + steps_.b").len(), 0);
    }
}
