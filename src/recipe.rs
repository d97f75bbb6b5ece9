//! Recipes: from a YAML file or a Rhai script to operations, performed against a host.
//!
//! Loading reports all mistakes that can be found without running a step: syntax, names, types, ranges, expressions.
//! Mistakes that depend on the state of the instrument or on measured values are found elsewhere.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::declarations::{Given, Header};
use crate::files::hex_sha256;
use crate::script::Script;
use crate::source::{Diagnostic, SourceFile};
use crate::step::{Fault, Host, Values};

mod code;
mod columns;
mod document;
mod files;
mod grid;
mod limits;
mod lines;
mod load;
mod plain;
mod program;
mod reader;
mod scope;
mod structure;
mod suspend;
mod table;
mod template;
mod walk;
mod written;

#[cfg(test)]
mod tests;

pub use limits::read_limits;
pub use plain::{Part, PlainFile};

pub use columns::WrittenColumns;
use files::Folder;
use load::Surroundings;
use program::Program;
use suspend::SuspendRule;
pub use suspend::SuspendWhen;
pub use table::read_table;

/// A recipe with the values of its parameters. It has no mistakes that can be found without running it.
#[derive(Debug, Clone)]
pub struct Recipe {
    header: Header,
    values: Values,
    sources: Vec<Arc<SourceFile>>,
    warnings: Vec<Diagnostic>,
    body: Body,
    suspension: Option<Arc<SuspendRule>>,
    /// The `suspend_when` of the batch, if the recipe has none of its own.
    given_suspension: Option<Value>,
}

#[derive(Debug, Clone)]
enum Body {
    Yaml(Program),
    Script(Script),
}

impl Recipe {
    /// Loads a recipe (`.yaml`, `.yml` or `.rhai`) and binds `set`, pairs of parameter and value, over its defaults.
    ///
    /// # Errors
    /// All mistakes in the recipe, in the order of the file.
    pub fn load(path: &Path, set: &[(String, Given)]) -> Result<Self, Vec<Diagnostic>> {
        let refuse = |message: String| vec![Diagnostic::error(message)];
        let known = ["yaml", "yml", "rhai"];
        if !path.extension().is_some_and(|extension| known.iter().any(|known| extension == *known)) {
            let hint = "the file name of a recipe ends in .yaml, .yml or .rhai";
            return Err(vec![Diagnostic::error(format!("`{}` is not a recipe", path.display())).hint(hint)]);
        }
        let text = files::read(path).map_err(refuse)?;
        let folder = Folder::new(path.parent().unwrap_or(Path::new("."))).map_err(refuse)?;
        let source = SourceFile { name: path.display().to_string(), text };
        let around = Surroundings::new(Some(folder), path.canonicalize().ok());
        Self::read(source, set, around)
    }

    /// Reads a recipe from a text, as if it were the file `name` in `folder`. Without a folder it cannot include files.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_text(
        name: &str,
        text: &str,
        folder: Option<&Path>,
        set: &[(String, Given)],
    ) -> Result<Self, Vec<Diagnostic>> {
        let refuse = |message: String| vec![Diagnostic::error(message)];
        if text.len() as u64 > files::LARGEST {
            return Err(refuse(format!(
                "`{name}` is larger than {} MiB, the largest allowed size of a recipe",
                files::LARGEST >> 20
            )));
        }
        let folder = folder.map(Folder::new).transpose().map_err(refuse)?;
        let source = SourceFile { name: name.to_owned(), text: text.to_owned() };
        Self::read(source, set, Surroundings::new(folder, None))
    }

    fn read(
        source: SourceFile,
        set: &[(String, Given)],
        mut around: Surroundings,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut given = BTreeMap::new();
        for (name, value) in set {
            if given.insert(name.clone(), value.clone()).is_some() {
                return Err(vec![Diagnostic::error(format!("parameter `{name}` is given twice"))]);
            }
        }
        load::read(Arc::new(source), &given, Vec::new(), &mut around)
    }

    /// The declarations of the recipe.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The values of the parameters: within the limits, and with the types of the defaults.
    #[must_use]
    pub fn parameters(&self) -> &Values {
        &self.values
    }

    /// The text of the recipe, followed by all texts that it includes.
    #[must_use]
    pub fn sources(&self) -> &[Arc<SourceFile>] {
        &self.sources
    }

    /// SHA-256 of the recipe's own text, hexadecimal, as `sha256sum` prints it for the file.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex_sha256(self.sources[0].text.as_bytes())
    }

    /// [The sources](Self::sources), and the text that contains the recipe's `suspend_when`.
    #[must_use]
    pub fn texts(&self) -> Vec<Arc<SourceFile>> {
        let given = self.suspension.as_ref().map(|suspension| suspension.source());
        let given = given.filter(|source| !self.sources.iter().any(|known| Arc::ptr_eq(known, source)));
        self.sources.iter().chain(given).cloned().collect()
    }

    /// The `suspend_when` of the batch, if the recipe has none of its own.
    #[must_use]
    pub fn given_suspension(&self) -> Option<&Value> {
        self.given_suspension.as_ref()
    }

    /// The warnings and notes of loading. They do not prevent a run.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// Runs the steps and then always the steps of `finally`, also after a fault or a stop. Blocks until both are done.
    ///
    /// Each step of `finally` is attempted, even if others fail. The `finally` of an inner recipe runs directly after
    /// its steps. If a stop prevents this, it runs at the beginning of the outer `finally`.
    ///
    /// # Errors
    /// The first fault.
    pub fn perform(&self, host: Arc<dyn Host>) -> Result<(), Fault> {
        walk::perform(self, host)
    }
}
