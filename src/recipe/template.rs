//! A value of a recipe with its `${…}`. The expressions are compiled when the recipe is loaded, and evaluated when
//! their step starts.

mod compile;

use std::sync::Arc;

use serde_json::Value;

use super::document::{Key, Kind, Node};
use super::scope::Scope;
use crate::budget::{VALUE_BYTES, size};
use crate::operation::Operation;
use crate::script::{Expression, Mistake, bare, print};
use crate::source::{Diagnostic, Position, SourceFile};
use crate::step::Values;

pub(super) use compile::{check_condition, place_in_source, with_bare_conditions};
use compile::{compile_hole, compile_text};

/// Whether the operation has this field.
fn has_field(operation: &str, field: &str) -> bool {
    Operation::field_names(operation).iter().any(|known| known == field)
}

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
    /// An expression that could not be compiled; this has already been reported.
    Broken,
    /// Exactly one `${…}`: the value keeps its type.
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
    uses_clock: bool,
    /// Whether the expression chooses between values, which may have different types.
    chooses: bool,
}

/// A mistake in a value, with its position.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wrong {
    pub(super) at: Position,
    pub(super) message: String,
    pub(super) hint: Option<String>,
    /// Whether the type of the value is never allowed there.
    pub(super) wrong_type: bool,
}

impl Wrong {
    pub(super) fn new(at: Position, message: impl Into<String>) -> Self {
        Self { at, message: message.into(), hint: None, wrong_type: false }
    }

    pub(super) fn hint(self, hint: Option<String>) -> Self {
        Self { hint, ..self }
    }

    /// The same mistake, about the type of the value of `template`, if that type is certain.
    pub(super) fn of_type(self, template: Option<&Template>, value: &Value) -> Self {
        let is_certain = !value.is_null() && template.is_some_and(Template::has_certain_type);
        Self { wrong_type: is_certain, ..self }
    }
}

impl Template {
    /// Compiles the expressions in `node` and adds mistakes to `found`.
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

    /// Compiles a value that is always an expression, with or without `${` and `}` around it.
    pub(super) fn expression(
        node: &Node,
        scope: &Scope,
        source: &Arc<SourceFile>,
        found: &mut Vec<Diagnostic>,
    ) -> Self {
        let Some(text) = node.text() else { return Self::compile(node, scope, source, found) };
        let code = bare(text);
        let compiled = if code.contains("${") {
            let message = format!("`{text}` must be a single expression");
            let hint = "write the whole expression in one `${…}`, or without `${` and `}`";
            Err(Box::new(Diagnostic::error(message).at(source, node.at).hint(hint)))
        } else {
            compile_hole(code, node.at, scope, source)
        };
        let content = match compiled {
            Ok(hole) => Content::Whole(hole),
            Err(diagnostic) => {
                found.push(*diagnostic);
                Content::Broken
            }
        };
        let written = Node::new(node.at, Kind::Scalar(Value::String(format!("${{{code}}}"))));
        Self { written, content }
    }

    /// Whether the value contains no expression.
    pub(super) fn is_plain(&self) -> bool {
        match &self.content {
            Content::Plain(_) => true,
            Content::Broken | Content::Whole(_) | Content::Text(_) => false,
            Content::List(items) => items.iter().all(Self::is_plain),
            Content::Map(entries) => entries.iter().all(|(_, inner)| inner.is_plain()),
        }
    }

    /// Whether an expression in the value uses the result of a step.
    pub(super) fn uses_steps(&self) -> bool {
        self.has_hole(&|hole| hole.uses_steps)
    }

    /// Whether the type of the value is the same whatever is measured.
    fn has_certain_type(&self) -> bool {
        !self.has_hole(&|hole| hole.chooses)
    }

    /// The part at the end of a path of keys and indices, as far as the path leads.
    pub(super) fn part(&self, path: &[String]) -> &Self {
        let Some((first, rest)) = path.split_first() else { return self };
        let inner = match &self.content {
            Content::Map(entries) => {
                entries.iter().find(|(key, _)| key.name == *first).map(|(_, inner)| inner)
            }
            Content::List(items) => first.parse().ok().and_then(|index: usize| items.get(index)),
            Content::Plain(_) | Content::Broken | Content::Whole(_) | Content::Text(_) => None,
        };
        inner.map_or(self, |inner| inner.part(rest))
    }

    /// Whether an expression in the value asks for the time.
    pub(super) fn uses_clock(&self) -> bool {
        self.has_hole(&|hole| hole.uses_clock)
    }

    fn has_hole(&self, is_it: &dyn Fn(&Hole) -> bool) -> bool {
        match &self.content {
            Content::Plain(_) | Content::Broken => false,
            Content::Whole(hole) => is_it(hole),
            Content::Text(pieces) => {
                pieces.iter().any(|piece| matches!(piece, Piece::Hole(hole) if is_it(hole)))
            }
            Content::List(items) => items.iter().any(|item| item.has_hole(is_it)),
            Content::Map(entries) => entries.iter().any(|(_, inner)| inner.has_hole(is_it)),
        }
    }

    /// The written parts of a text: all of it, or the parts between its expressions.
    pub(super) fn written_parts(&self) -> Vec<&str> {
        match &self.content {
            Content::Plain(Value::String(text)) => vec![text],
            Content::Text(pieces) => {
                let texts = pieces.iter().filter_map(|piece| match piece {
                    Piece::Text(text) => Some(text.as_str()),
                    Piece::Hole(_) => None,
                });
                texts.collect()
            }
            Content::Plain(_) | Content::Broken | Content::Whole(_) | Content::List(_) | Content::Map(_) => {
                Vec::new()
            }
        }
    }

    /// The value with its expressions as plain texts.
    pub(super) fn plain_value(&self) -> Value {
        match &self.content {
            Content::Plain(value) => value.clone(),
            Content::Broken | Content::Whole(_) | Content::Text(_) | Content::List(_) | Content::Map(_) => {
                self.written.value()
            }
        }
    }

    /// The text of a written number.
    pub(super) fn into_text(self) -> Self {
        match self.written.number.as_deref() {
            Some(number) => Self { content: Content::Plain(number.into()), written: self.written },
            None => self,
        }
    }

    /// The entries, if it is a map.
    pub(super) fn entries(&self) -> Option<&[(Key, Self)]> {
        match &self.content {
            Content::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value of a field that the operation has.
    pub(super) fn field_of(&self, operation: &str, field: &str) -> Option<&Self> {
        let (_, value) = self.entries()?.iter().find(|(key, _)| key.name == field)?;
        has_field(operation, field).then_some(value)
    }

    /// The items, if it is a list.
    pub(super) fn items(&self) -> Option<&[Self]> {
        match &self.content {
            Content::List(items) => Some(items),
            _ => None,
        }
    }

    /// Evaluates the value with the given variables.
    ///
    /// # Errors
    /// If an expression fails, or if its result is not allowed there.
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
                                let wrong =
                                    hole.wrong(&format!("returns {what}, which cannot be part of a text"));
                                Wrong { wrong_type: !hole.chooses && !value.is_null(), ..wrong }
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

    /// Collects the parts of a list or a map, and stops if they become too large. Parts without expressions cannot be
    /// larger than the file.
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
        Err(Wrong::new(self.written.at, message))
    }
}

impl Hole {
    fn evaluate(&self, variables: &Values) -> Result<Value, Wrong> {
        let value = self.expression.evaluate(variables);
        value.map_err(|Mistake { message, hint, wrong_type, .. }| {
            let wrong_type = wrong_type && !self.chooses;
            Wrong { wrong_type, ..self.wrong(&message).hint(hint) }
        })
    }

    fn wrong(&self, message: &str) -> Wrong {
        Wrong::new(self.at, format!("`${{{}}}`: {message}", self.expression.text()))
    }
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
        let fields = ["failed", "min"].map(str::to_owned);
        scope.define_step("f", crate::script::ResultFields { names: fields.into(), any_figure: false });
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
            ("a${[1]}", "returns a list, which cannot be part of a text"),
            ("${steps.g.min}", "no step before this one has the id `g`"),
            ("${steps.f.max}", "the result of step `f` has no `max`: it has `failed`, `min`"),
            ("${steps.f.min.mn}", "it contains no `mn`"),
        ] {
            let message = evaluate(text).expect_err(text);
            assert!(message.contains(words), "{text}: {message}");
        }
    }
}
