//! Compiles the expressions of a value, and finds the positions of their errors.

use std::sync::Arc;

use crate::recipe::code::{mentions_steps, step_fields, words};
use crate::recipe::document::{Kind, Node};
use crate::recipe::scope::Scope;
use crate::script::{
    Condition, Expression, Mistake, POLL_CONDITIONS, bare, clock, closing_brace, condition_variables,
};
use crate::source::{Diagnostic, Position, SourceFile, byte_at};

use super::{Content, Hole, Piece, has_field};

pub(super) fn compile_text(
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
            return Err(Box::new(Diagnostic::error("`${` is not closed").at(source, at).hint(
                "a `}` inside a text of the expression does not close it; ` #` begins a YAML comment",
            )));
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

/// The hint for a `${reply…}`.
const REPLY: &str = "a condition of `poll` is one expression: write the whole expression in one `${…}`, or without `${` and `}`; the reply of a step is `steps.<id>.reply`";

pub(super) fn compile_hole(
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
        // The reply does not exist yet: `ready` uses it later, in a separate expression.
        let early = mistake.message == "unknown variable `reply`";
        let hint = if early { Some(REPLY.to_owned()) } else { mistake.hint };
        refuse(format!("`${{{text}}}`: {}", mistake.message), hint, exact)
    })?;
    let asks_first = words(text).any(|(word, _)| word == "in");
    for (id, field) in step_fields(text) {
        scope.check_step(id).map_err(|(message, hint)| refuse(message, hint, begin))?;
        // `"value" in steps.p && …` checks for the field itself.
        if let Some(field) = field.filter(|_| !asks_first) {
            scope.check_field(id, field).map_err(|(message, hint)| refuse(message, hint, begin))?;
        }
    }
    let uses_clock = words(text).any(|(word, _)| clock::FUNCTIONS.contains(&word));
    let chooses = text.contains("??") || words(text).any(|(word, _)| ["if", "switch"].contains(&word));
    Ok(Hole { uses_steps: mentions_steps(text), uses_clock, chooses, expression, at: begin })
}

/// The position of a mistake in the expression `text` of the value at `at`. If the file contains the one-line
/// expression unchanged, the position is exact.
pub(super) fn place_of(mistake: &Mistake, text: &str, at: Position, source: &SourceFile) -> Position {
    let begin = place_in_source(source, at, text);
    let inner = mistake.position.filter(|inner| inner.line == 1 && begin != at);
    inner.map_or(begin, |inner| Position { column: (begin.column + inner.column).saturating_sub(1), ..begin })
}

/// The mistakes in a condition over a reply (`poll.ready`), which is a separate expression.
pub(in crate::recipe) fn check_condition(
    operation: &str,
    text: &str,
    at: Position,
    source: &Arc<SourceFile>,
) -> Option<Diagnostic> {
    let mistake = Condition::compile(operation, text).err()?;
    let at = place_of(&mistake, text, at, source);
    Some(Diagnostic { hint: mistake.hint, ..Diagnostic::error(mistake.message).at(source, at) })
}

/// The position of `part` of a value that begins at `at`. It is `at` itself if YAML wrote the part differently (an
/// escape, a folded line).
pub(in crate::recipe) fn place_in_source(source: &SourceFile, at: Position, part: &str) -> Position {
    let mut lines = (at.line..).zip(source.lines().skip(at.line.saturating_sub(1))).take(200);
    let found = lines.find_map(|(line, content)| {
        let start = if line == at.line { byte_at(content, at.column) } else { 0 };
        let index = start + content[start..].find(part)?;
        Some(Position { line, column: content[..index].chars().count() + 1 })
    });
    found.filter(|_| !part.is_empty()).unwrap_or(at)
}

/// The fields of an operation with `poll.ready` and `poll.failed` without `${` and `}` around them. These expressions are
/// evaluated later, when there is a reply.
pub(in crate::recipe) fn with_bare_conditions(operation: &str, node: &Node) -> Node {
    if node.get(&["poll".to_owned()]).is_none() || !has_field(operation, "poll") {
        return node.clone();
    }
    let variables = condition_variables(operation);
    POLL_CONDITIONS.iter().fold(node.clone(), |node, name| {
        inside(&node, &["poll", name], &|condition| {
            let uses_reply = |code: &&str| words(code).any(|(word, _)| variables.contains(&word));
            match condition.text().map(bare).filter(uses_reply) {
                Some(code) => Node::new(condition.at, Kind::Scalar(code.into())),
                None => condition.clone(),
            }
        })
    })
}

/// A tree in which one value is replaced.
fn inside(node: &Node, path: &[&str], replace: &dyn Fn(&Node) -> Node) -> Node {
    let Some((first, rest)) = path.split_first() else { return replace(node) };
    let Kind::Map(entries) = &node.kind else { return node.clone() };
    let entries = entries.iter().map(|(key, inner)| {
        let inner = if key.name == *first { inside(inner, rest, replace) } else { inner.clone() };
        (key.clone(), inner)
    });
    Node::new(node.at, Kind::Map(entries.collect()))
}
