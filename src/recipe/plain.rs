//! YAML files that are not recipes: plain values with their positions. Their mistakes are shown in the same way.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::document::{self, Kind, Most, Node};
use super::files;
use super::suspend::SuspendWhen;
use crate::decode::ReadError;
use crate::source::{Diagnostic, Position, SourceFile};

/// The largest file of data, such as a list of devices.
const DATA: Most = Most { what: "file", values: 1_000_000, text_bytes: 32 << 20 };

/// A YAML file that is not a recipe.
#[derive(Debug, Clone)]
pub struct PlainFile {
    source: Arc<SourceFile>,
    root: Node,
}

impl PlainFile {
    /// Reads a file.
    ///
    /// # Errors
    /// If the file cannot be read, is not YAML, or contains YAML that is not allowed, with the position.
    pub fn load(path: &Path) -> Result<Self, Vec<Diagnostic>> {
        let text = files::read(path).map_err(|message| vec![Diagnostic::error(message)])?;
        let source = Arc::new(SourceFile { name: path.display().to_string(), text });
        if source.code().trim().is_empty() {
            return Err(vec![Diagnostic::error(format!("`{}` is empty", source.name))]);
        }
        let root = document::parse(&source)?;
        Ok(Self { source, root })
    }

    /// Reads a text of data, YAML or JSON, which may be larger than a recipe.
    ///
    /// # Errors
    /// If the text is not YAML, or contains YAML that is not allowed, with the position.
    pub fn data(source: &Arc<SourceFile>) -> Result<Self, Vec<Diagnostic>> {
        let root = document::parse_at_most(source, DATA)?;
        Ok(Self { source: Arc::clone(source), root })
    }

    /// The whole content with its positions.
    #[must_use]
    pub fn root(&self) -> Part<'_> {
        Part(&self.root)
    }

    /// The whole content.
    #[must_use]
    pub fn value(&self) -> Value {
        self.root.value()
    }

    /// The names in the map at the end of a path, in the order of the file.
    #[must_use]
    pub fn names(&self, path: &[&str]) -> Vec<String> {
        let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
        match self.root.get(&path).map(|node| &node.kind) {
            Some(Kind::Map(entries)) => entries.iter().map(|(key, _)| key.name.clone()).collect(),
            Some(Kind::List(_) | Kind::Scalar(_)) | None => Vec::new(),
        }
    }

    /// The `suspend_when` at the top of the file.
    #[must_use]
    pub fn suspension(&self) -> Option<SuspendWhen> {
        let Kind::Map(entries) = &self.root.kind else { return None };
        let (_, node) = entries.iter().find(|(key, _)| key.name == "suspend_when")?;
        Some(SuspendWhen::at(&self.source, node))
    }

    /// The number at the end of a path, as written.
    #[must_use]
    pub fn number(&self, path: &[String]) -> Option<String> {
        self.root.get(path)?.number.as_deref().map(str::to_owned)
    }

    /// The position of the value at the end of a path, or of its key.
    #[must_use]
    pub fn place(&self, path: &[String], at_key: bool) -> (Arc<SourceFile>, Position) {
        let at = self.root.locate(path, at_key);
        // An empty list or map at the top has no position.
        let at = if at.line == 0 { Position { line: 1, column: 1 } } else { at };
        (Arc::clone(&self.source), at)
    }

    /// An error as a finding with its position.
    #[must_use]
    pub fn locate(&self, error: ReadError) -> Diagnostic {
        let place = Some(self.place(&error.path, error.at_key));
        Diagnostic { hint: error.hint, place, ..Diagnostic::error(error.message) }
    }
}

/// A part of a file with its position.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a>(&'a Node);

impl<'a> Part<'a> {
    /// The position; that of an empty list or map at the top is the begin of the file.
    #[must_use]
    pub fn at(self) -> Position {
        Position { line: self.0.at.line.max(1), column: self.0.at.column.max(1) }
    }

    /// The value without positions.
    #[must_use]
    pub fn value(self) -> Value {
        self.0.value()
    }

    /// The names and values of a map, in the order of the file.
    #[must_use]
    pub fn entries(self) -> Option<Vec<(&'a str, Position, Part<'a>)>> {
        match &self.0.kind {
            Kind::Map(entries) => {
                Some(entries.iter().map(|(key, node)| (key.name.as_str(), key.at, Part(node))).collect())
            }
            Kind::List(_) | Kind::Scalar(_) => None,
        }
    }

    /// The items of a list.
    #[must_use]
    pub fn items(self) -> Option<Vec<Part<'a>>> {
        match &self.0.kind {
            Kind::List(items) => Some(items.iter().map(Part).collect()),
            Kind::Map(_) | Kind::Scalar(_) => None,
        }
    }

    /// The kind of the value, for messages.
    #[must_use]
    pub fn describe(self) -> String {
        self.0.describe()
    }
}
