//! YAML files that are no recipes, and whose mistakes are shown the same way: plain values that know where they stand.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::document::{self, Kind, Node};
use super::files;
use super::suspend::SuspendWhen;
use crate::reading::ReadError;
use crate::source::{Diagnostic, Position, SourceFile};

/// A YAML file beside the recipes.
#[derive(Debug, Clone)]
pub struct PlainFile {
    source: Arc<SourceFile>,
    root: Node,
}

impl PlainFile {
    /// Reads a file.
    ///
    /// # Errors
    /// What cannot be read, is no YAML, or is YAML that nothing here has a use for; each with its place.
    pub fn load(path: &Path) -> Result<Self, Vec<Diagnostic>> {
        let text = files::read(path).map_err(|message| vec![Diagnostic::error(message)])?;
        let source = Arc::new(SourceFile { name: path.display().to_string(), text });
        if source.text.trim().is_empty() {
            return Err(vec![Diagnostic::error(format!("`{}` is empty", source.name))]);
        }
        let root = document::parse(&source)?;
        Ok(Self { source, root })
    }

    /// Everything in it.
    #[must_use]
    pub fn value(&self) -> Value {
        self.root.value()
    }

    /// The names in the map at the end of a path, in the order of the file.
    #[must_use]
    pub fn names(&self, path: &[&str]) -> Vec<String> {
        let mut node = &self.root;
        for part in path {
            let inner = match &node.kind {
                Kind::Map(entries) => entries.iter().find(|(key, _)| key.name == *part).map(|(_, node)| node),
                Kind::List(items) => part.parse().ok().and_then(|index: usize| items.get(index)),
                Kind::Scalar(_) => None,
            };
            let Some(inner) = inner else { return Vec::new() };
            node = inner;
        }
        match &node.kind {
            Kind::Map(entries) => entries.iter().map(|(key, _)| key.name.clone()).collect(),
            _ => Vec::new(),
        }
    }

    /// The `suspend_when` at its top.
    #[must_use]
    pub fn suspension(&self) -> Option<SuspendWhen> {
        let Kind::Map(entries) = &self.root.kind else { return None };
        let (_, node) = entries.iter().find(|(key, _)| key.name == "suspend_when")?;
        Some(SuspendWhen::at(&self.source, node))
    }

    /// An error as a finding with its place.
    #[must_use]
    pub fn locate(&self, error: ReadError) -> Diagnostic {
        let at = self.root.locate(&error.path, error.at_key);
        // An empty list or map at the top stands nowhere.
        let at = if at.line == 0 { Position { line: 1, column: 1 } } else { at };
        Diagnostic { hint: error.hint, ..Diagnostic::error(error.message).at(&self.source, at) }
    }
}
