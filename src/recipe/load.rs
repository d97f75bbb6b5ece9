//! Loads a recipe from a file or a text.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Map;

use super::document::{self, Kind, Node};
use super::files::Folder;
use super::program::{PARTS, Program};
use super::reader::Reader;
use super::scope::{Scope, check_new};
use super::suspend::SuspendWhen;
use super::{Body, Recipe};
use crate::declarations::{Given, Header, Parameter, bind, check_parameter};
use crate::decode::{self, ReadError};
use crate::script::{Declarations, Origin, Script};
use crate::source::{Diagnostic, Position, SourceFile, has_errors};
use crate::step::Values;

/// Largest number of recipes that one recipe may include, directly and indirectly.
const RECIPES: usize = 100;
/// Largest depth of recipes that run each other.
const DEPTH: usize = 16;
/// Largest number of findings that are reported together.
const FINDINGS: usize = 50;

/// The surroundings of a recipe: its folder, and the recipes that run it.
#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    folder: Option<Folder>,
    running: Vec<PathBuf>,
    included: usize,
}

impl Surroundings {
    pub(super) fn new(folder: Option<Folder>, file: Option<PathBuf>) -> Self {
        Self { folder, running: file.into_iter().collect(), included: 0 }
    }

    /// The file at `path`, and its name for messages.
    ///
    /// # Errors
    /// If the recipe's folder tree has no such file.
    pub(super) fn find(&self, path: &str) -> Result<(PathBuf, String), String> {
        let Some(folder) = &self.folder else {
            return Err(format!("`{path}` cannot be used: this recipe has no folder"));
        };
        let file = folder.find(path)?;
        let name = folder.name(&file);
        Ok((file, name))
    }

    /// The surroundings of an inner recipe.
    ///
    /// # Errors
    /// If the recipe would run itself, or if there are too many recipes.
    pub(super) fn enter(&self, file: &Path) -> Result<Self, String> {
        if self.running.iter().any(|running| running == file) {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            return Err(format!("`{name}` must not run itself"));
        }
        if self.running.len() >= DEPTH {
            return Err(format!("recipes are nested more than {DEPTH} deep"));
        }
        if self.included >= RECIPES {
            return Err(format!("the recipe runs more than {RECIPES} others"));
        }
        let mut inner = self.clone();
        inner.folder = inner.folder.map(|folder| folder.of(file));
        inner.running.push(file.to_path_buf());
        inner.included += 1;
        Ok(inner)
    }

    /// Leaves an inner recipe.
    pub(super) fn leave(&mut self, inner: &Self) {
        self.included = inner.included;
    }
}

/// Reads a recipe; `loops` are the variables of the loops around it.
pub(super) fn read(
    source: Arc<SourceFile>,
    given: &BTreeMap<String, Given>,
    loops: Vec<String>,
    around: &mut Surroundings,
) -> Result<Recipe, Vec<Diagnostic>> {
    if source.name.ends_with(".rhai") {
        let script =
            Script::compile(source.code(), Origin::file(&source), &[]).map_err(|found| vec![found])?;
        let Declarations { header, values, suspend_when } = script.declarations(given)?;
        let (body, sources) = (Body::Script(script), vec![Arc::clone(&source)]);
        let recipe = Recipe {
            header,
            values,
            sources,
            warnings: Vec::new(),
            body,
            suspension: None,
            given_suspension: None,
        };
        return match suspend_when {
            None => Ok(recipe),
            Some((value, at)) => recipe.with_suspension(&SuspendWhen::in_script(&value, &source, at), around),
        };
    }
    let root = document::parse(&source)?;
    let Kind::Map(entries) = &root.kind else {
        let message = format!("a recipe must be a map with `name` and `steps`, not {}", root.describe());
        return Err(vec![Diagnostic::error(message).at(&source, Position { line: 1, column: 1 })]);
    };
    let mut found = Vec::new();
    let mut declared = Map::new();
    let mut known = decode::fields::<Header>();
    known.extend(PARTS.map(str::to_owned));
    for (key, node) in entries.iter() {
        if !known.contains(&key.name) {
            let hint = decode::suggestion(&key.name, known.iter().map(String::as_str));
            let message = format!("a recipe has no key `{}`", key.name);
            found.push(Diagnostic::error(message).at(&source, key.at).hint(hint));
        } else if !PARTS.contains(&key.name.as_str()) {
            declared.insert(key.name.clone(), node.value());
        }
    }
    let (mut header, wrong) = Header::read(&declared);
    found.extend(wrong.into_iter().map(|error| locate(error, &root, &source)));
    let part = |name: &str| entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node);
    let values = match part("parameters") {
        Some(node) => parameters(node, &mut header, given, &source, &mut found),
        None => bound(&header, given, None, &source, &mut found),
    };
    let mut scope = Scope::inside(loops);
    header.parameters.keys().for_each(|name| scope.define(name));
    let mut reader = Reader {
        source: &source,
        detectors: &header.detectors,
        parameters: header.parameters.keys().cloned().collect(),
        scope,
        loops: 0,
        around,
        found,
        sources: Vec::new(),
    };
    let suspension = part("suspend_when").and_then(|node| reader.suspend_rule(node, &values));
    let mut steps_of = |name: &str| part(name).map(|node| reader.steps(node, name));
    let steps = steps_of("steps");
    let finally = steps_of("finally").unwrap_or_default();
    let Reader { mut found, sources, .. } = reader;
    if steps.is_none() {
        found.push(Diagnostic::error("the recipe has no `steps`").at(&source, root.at));
    }
    if has_errors(&found) {
        return Err(in_order(found, &source));
    }
    let body = Body::Yaml(Program { steps: steps.unwrap_or_default(), finally });
    let sources = std::iter::once(source).chain(sources).collect();
    Ok(Recipe { header, values, sources, warnings: found, body, suspension, given_suspension: None })
}

/// The findings in the order of the file, with a largest number.
fn in_order(mut found: Vec<Diagnostic>, source: &Arc<SourceFile>) -> Vec<Diagnostic> {
    found.sort_by_key(|finding| {
        let own = finding.place.as_ref().filter(|(file, _)| Arc::ptr_eq(file, source));
        own.map(|(_, position)| *position)
    });
    if found.len() > FINDINGS {
        let more = found.len() - FINDINGS;
        found.truncate(FINDINGS);
        found.push(Diagnostic::error(format!("and {more} more")));
    }
    found
}

fn locate(error: ReadError, root: &Node, source: &Arc<SourceFile>) -> Diagnostic {
    let at = root.locate(&error.path, error.at_key);
    Diagnostic { hint: error.hint, ..Diagnostic::error(error.message).at(source, at) }
}

/// Reads the declarations of the parameters and binds their values.
fn parameters(
    node: &Node,
    header: &mut Header,
    given: &BTreeMap<String, Given>,
    source: &Arc<SourceFile>,
    found: &mut Vec<Diagnostic>,
) -> Values {
    let Kind::Map(entries) = &node.kind else {
        let message = format!("`parameters` must be a map of names, not {}", node.describe());
        found.push(Diagnostic::error(message).at(source, node.at));
        return Values::new();
    };
    let before = found.len();
    for (key, inner) in entries.iter() {
        let declared = match &inner.kind {
            Kind::Map(_) => decode::from_value::<Parameter>(&inner.value()),
            _ => Err(ReadError {
                hint: Some(format!("`{}: {{ default: … }}`", key.name)),
                ..ReadError::new(format!(
                    "parameter `{}` must be a map with a `default`, not {}",
                    key.name,
                    inner.describe()
                ))
            }),
        };
        let checked = declared.and_then(|parameter| {
            check_parameter(&key.name, &parameter)?;
            check_new("parameter", &key.name)
                .map_err(|message| ReadError { at_key: true, ..ReadError::new(message) })?;
            Ok(parameter)
        });
        match checked {
            Ok(parameter) => drop(header.parameters.insert(key.name.clone(), parameter)),
            Err(error) => {
                let at = if error.path.is_empty() && error.at_key {
                    key.at
                } else {
                    inner.locate(&error.path, error.at_key)
                };
                found
                    .push(Diagnostic { hint: error.hint, ..Diagnostic::error(error.message).at(source, at) });
                // The uses of this parameter are not reported again.
                header.parameters.insert(key.name.clone(), Parameter::default());
            }
        }
    }
    if found.len() > before { Values::new() } else { bound(header, given, Some(node), source, found) }
}

/// The values of the parameters. A value that is not allowed is reported at the declaration of its parameter.
fn bound(
    header: &Header,
    given: &BTreeMap<String, Given>,
    declarations: Option<&Node>,
    source: &Arc<SourceFile>,
    found: &mut Vec<Diagnostic>,
) -> Values {
    let mut wrong = Vec::new();
    let mut values = BTreeMap::new();
    for (name, given) in given {
        let value = match header.parameters.get(name) {
            Some(parameter) => given.value_for(name, parameter),
            None => Ok(given.untyped()),
        };
        match value {
            Ok(value) => drop(values.insert(name.clone(), value)),
            Err(error) => wrong.push(error.under(std::slice::from_ref(name))),
        }
    }
    let bound = bind(&header.parameters, &values).unwrap_or_else(|errors| {
        wrong.extend(errors);
        Values::new()
    });
    for error in wrong {
        let declared = error.path.first().filter(|name| header.parameters.contains_key(*name));
        let diagnostic = Diagnostic { hint: error.hint, ..Diagnostic::error(error.message) };
        found.push(match declared.zip(declarations) {
            Some((name, node)) => diagnostic.at(source, node.locate(std::slice::from_ref(name), true)),
            None => diagnostic,
        });
    }
    bound
}
