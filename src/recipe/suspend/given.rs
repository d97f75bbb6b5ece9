//! A `suspend_when` from outside a YAML recipe: from the declarations of a script, or from a batch.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use super::super::Recipe;
use super::super::document::{self, Key, Kind, Node};
use super::super::load::Surroundings;
use super::super::reader::Reader;
use super::super::scope::Scope;
use super::super::template::place_in_source;
use crate::source::{Diagnostic, Position, SourceFile, has_errors};

/// A `suspend_when` as it was written, with its position.
#[derive(Debug, Clone)]
pub struct SuspendWhen {
    source: Arc<SourceFile>,
    node: Node,
}

impl SuspendWhen {
    pub(in super::super) fn at(source: &Arc<SourceFile>, node: &Node) -> Self {
        Self { source: Arc::clone(source), node: node.clone() }
    }

    /// Takes a `suspend_when` that was stored as JSON. Errors in it show an excerpt of that JSON.
    ///
    /// # Errors
    /// When the value exceeds the limits of a recipe's text.
    pub fn from_value(value: &Value) -> Result<Self, Vec<Diagnostic>> {
        let text = format!("{value:#}\n");
        let source = Arc::new(SourceFile { name: "suspend_when".to_owned(), text });
        document::parse(&source).map(|node| Self { source, node })
    }

    /// Takes the `suspend_when` that a script declares in the call at `at`.
    pub(in super::super) fn in_script(value: &Value, source: &Arc<SourceFile>, at: Position) -> Self {
        let at = place_in_source(source, at, "suspend_when:");
        Self { node: placed(value, at, source), source: Arc::clone(source) }
    }

    /// The same as a JSON value.
    #[must_use]
    pub fn value(&self) -> Value {
        self.node.value()
    }
}

/// Two rules are equal if their contents are; their positions do not matter.
impl PartialEq for SuspendWhen {
    fn eq(&self, other: &Self) -> bool {
        self.value() == other.value()
    }
}

impl Serialize for SuspendWhen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SuspendWhen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = Self::from_value(&Value::deserialize(deserializer)?);
        given.map_err(|found| de::Error::custom(found.into_iter().map(|f| f.message).collect::<String>()))
    }
}

impl Recipe {
    /// The same recipe with this `suspend_when`. A recipe with its own `suspend_when` stays unchanged.
    ///
    /// # Errors
    /// Everything that is wrong with the rule for this recipe.
    pub fn suspended_by(self, given: &SuspendWhen) -> Result<Self, Vec<Diagnostic>> {
        if self.suspension.is_some() {
            return Ok(self);
        }
        // The rule has no folder of its own, so it cannot include files.
        let recipe = self.with_suspension(given, &mut Surroundings::new(None, None))?;
        Ok(Self { given_suspension: Some(given.value()), ..recipe })
    }

    pub(in super::super) fn with_suspension(
        mut self,
        given: &SuspendWhen,
        around: &mut Surroundings,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut scope = Scope::default();
        self.values.keys().for_each(|name| scope.define(name));
        let mut reader = Reader {
            source: &given.source,
            detectors: &self.header.detectors,
            parameters: self.values.keys().cloned().collect(),
            scope,
            loops: 0,
            around,
            found: Vec::new(),
            sources: Vec::new(),
        };
        let suspension = reader.suspend_rule(&given.node, &self.values);
        let Reader { found, sources, .. } = reader;
        if has_errors(&found) {
            return Err(found);
        }
        self.suspension = suspension;
        self.warnings.extend(found);
        self.sources.extend(sources);
        Ok(self)
    }
}

/// Converts a script's value into a tree. The position of each part is the first place after `at` that has its text.
fn placed(value: &Value, at: Position, source: &SourceFile) -> Node {
    match value {
        Value::Object(map) => {
            let entries = map.iter().map(|(name, inner)| {
                let at = place_in_source(source, at, &format!("{name}:"));
                (Key { name: name.clone(), at }, placed(inner, at, source))
            });
            Node::new(at, Kind::Map(entries.collect()))
        }
        Value::Array(items) => {
            let mut from = at;
            let items = items.iter().map(|item| {
                let node = placed(item, from, source);
                from = end(&node);
                node
            });
            Node::new(at, Kind::List(items.collect()))
        }
        Value::String(text) => Node::new(place_in_source(source, at, text), Kind::Scalar(value.clone())),
        _ => Node::new(at, Kind::Scalar(value.clone())),
    }
}

/// The last position in a tree.
fn end(node: &Node) -> Position {
    let inner = match &node.kind {
        Kind::Map(entries) => entries.iter().map(|(_, inner)| end(inner)).max(),
        Kind::List(items) => items.iter().map(end).max(),
        Kind::Scalar(_) => None,
    };
    inner.map_or(node.at, |inner| inner.max(node.at))
}
