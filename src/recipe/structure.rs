//! The maps of the structural steps, the files that they include, and the maps inside an operation.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Recipe;
use super::code::step_ids;
use super::document::{Key, Kind, Node};
use super::files;
use super::grid::TURNS;
use super::load;
use super::program::{Action, LoopSource, ignored_inside};
use super::reader::Reader;
use super::table::{self, with_golden};
use super::template::{Template, check_condition};
use crate::declarations::bind;
use crate::decode;
use crate::script::POLL_CONDITIONS;
use crate::script::{Origin, Script};
use crate::source::{Diagnostic, Position, SourceFile, byte_at};
use serde_json::Value;

/// The map of a structure step with known keys.
pub(super) struct Fields<'n> {
    what: &'static str,
    pub(super) at: Position,
    entries: &'n [(Key, Node)],
}

impl<'n> Fields<'n> {
    /// Reads the map `node`; reports other values and unknown keys.
    pub(super) fn read(
        reader: &mut Reader,
        what: &'static str,
        node: &'n Node,
        known: &[&str],
    ) -> Option<Self> {
        let Kind::Map(entries) = &node.kind else {
            reader.report(node.at, format!("`{what}` must be a map, not {}", node.describe()));
            return None;
        };
        for (key, _) in entries.iter().filter(|(key, _)| !known.contains(&key.name.as_str())) {
            let hint = decode::suggestion(&key.name, known.iter().copied());
            let message = format!("unknown field `{}`", key.name);
            reader.found.push(Diagnostic::error(message).at(reader.source, key.at).hint(hint));
        }
        Some(Self { what, at: node.at, entries })
    }

    pub(super) fn get(&self, name: &str) -> Option<&'n Node> {
        self.entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
    }

    pub(super) fn template(&self, reader: &mut Reader, name: &str) -> Option<Template> {
        self.get(name).map(|node| reader.template(node))
    }

    /// A field that contains an expression, with or without `${` and `}` around it.
    pub(super) fn expression(&self, reader: &mut Reader, name: &str) -> Option<Template> {
        let node = self.get(name)?;
        Some(Template::expression(node, &reader.scope, reader.source, &mut reader.found))
    }

    /// A required field.
    pub(super) fn require(&self, reader: &mut Reader, name: &str) -> Option<Template> {
        let given = self.template(reader, name);
        if given.is_none() {
            reader.report(self.at, format!("`{}` has no `{name}`", self.what));
        }
        given
    }
}

impl Reader<'_> {
    /// Compiles the script of a `script` step. The value is a path if it is one line that ends in `.rhai`, otherwise
    /// the code itself. Returns the code too.
    pub(super) fn compile_script(&mut self, node: &Node, text: &str) -> Option<(Script, String)> {
        let is_path = !text.contains('\n') && text.ends_with(".rhai");
        let (origin, code) = if is_path {
            let source = self.include(text, node.at)?;
            self.sources.push(Arc::clone(&source));
            (Origin::file(&source), source.code().to_owned())
        } else {
            (Origin::within(self.source, start_of_text(self.source, node.at)), text.to_owned())
        };
        for id in step_ids(&code) {
            if let Err((message, hint)) = self.scope.check_step(&id) {
                let diagnostic = Diagnostic::error(message).at(self.source, node.at);
                self.found.push(Diagnostic { hint, ..diagnostic });
            }
        }
        let names: Vec<&str> = self.scope.names().collect();
        match Script::compile(&code, origin, &names) {
            Ok(script) => Some((script, code)),
            Err(diagnostic) => {
                self.found.push(diagnostic);
                None
            }
        }
    }

    /// Reads a file in the recipe's folder tree.
    pub(super) fn include(&mut self, path: &str, at: Position) -> Option<Arc<SourceFile>> {
        let read = self.around.find(path).and_then(|(file, name)| {
            let text = files::read(&file)?;
            Ok(Arc::new(SourceFile { name, text }))
        });
        match read {
            Ok(source) => Some(source),
            Err(message) => {
                self.report(at, message);
                None
            }
        }
    }

    /// The rows of the table of a loop.
    pub(super) fn rows(&mut self, fields: &Fields) -> Option<LoopSource> {
        let node = fields.get("in_csv")?;
        let Some(path) = node.text().filter(|path| !path.contains("${")) else {
            self.report(node.at, "`in_csv` must be the path of a file, without expressions");
            return None;
        };
        let source = self.include(path, node.at)?;
        self.sources.push(Arc::clone(&source));
        match table::read(&source) {
            Ok((mut table, findings)) => {
                self.found.extend(findings);
                if let Some(golden) = fields.get("golden") {
                    table.rows = self.golden_again(golden, table.rows, path)?;
                }
                for message in table.columns.iter().filter_map(|name| self.scope.check_column(name).err()) {
                    self.found.push(Diagnostic::error(message).at(self.source, node.at));
                }
                Some(LoopSource::Rows(Arc::new(table)))
            }
            Err(found) => {
                self.found.extend(found);
                None
            }
        }
    }

    /// The rows with the golden devices measured again: `golden: { every: 10 }`.
    fn golden_again(&mut self, node: &Node, rows: Vec<Value>, path: &str) -> Option<Vec<Value>> {
        let fields = Fields::read(self, "golden", node, &["every"])?;
        let every = fields.get("every");
        let Some(number) = every.and_then(|every| every.value().as_u64()).filter(|number| *number > 0) else {
            let at = every.map_or(fields.at, |every| every.at);
            self.report(at, "`golden` needs `every`: after how many other devices a golden one is measured again, a whole number from 1");
            return None;
        };
        let turns = with_golden(rows, number);
        if turns.is_none() {
            let rule = format!(
                "no row of `{path}` is golden (`golden` is `true` in its column), or the loop has more than {TURNS} turns"
            );
            self.report(node.at, rule);
        }
        turns
    }

    pub(super) fn run_recipe(&mut self, node: &Node) -> Option<Action> {
        let fields = Fields::read(self, "run_recipe", node, &["path", "set"])?;
        let Some(path) = fields.get("path") else {
            self.report(fields.at, "`run_recipe` has no `path`");
            return None;
        };
        let Some(text) = path.text().filter(|text| !text.contains("${")) else {
            self.report(path.at, "`path` must be the path of a recipe, without expressions");
            return None;
        };
        let set = self.set_values(fields.get("set"));
        let (file, name) = match self.around.find(text) {
            Ok(found) => found,
            Err(message) => {
                self.report(path.at, message);
                return None;
            }
        };
        let loops = self.scope.taken().cloned().collect();
        let loaded = match self.around.enter(&file) {
            Ok(mut inner) => {
                let loaded =
                    files::read(&file).map_err(|message| vec![Diagnostic::error(message)]).and_then(|text| {
                        load::read(Arc::new(SourceFile { name, text }), &BTreeMap::new(), loops, &mut inner)
                    });
                self.around.leave(&inner);
                loaded
            }
            Err(message) => Err(vec![Diagnostic::error(message)]),
        };
        match loaded {
            Ok(recipe) => {
                let set = texts_as_written(&recipe, set);
                self.check_set_values(&recipe, &set);
                let mut ignored = ignored_inside(recipe.header());
                if recipe.suspension.is_some() {
                    ignored.push("suspend_when");
                }
                if !ignored.is_empty() {
                    let message = format!("`{}` of `{text}` is ignored here", ignored.join("`, `"));
                    let hint = "the outer recipe decides; a recipe in `run_recipe` only adds its steps";
                    self.found.push(Diagnostic::warning(message).at(self.source, path.at).hint(hint));
                }
                self.found.extend(recipe.diagnostics().iter().cloned());
                self.sources.extend(recipe.sources().iter().cloned());
                Some(Action::RunRecipe { recipe: Box::new(recipe), set })
            }
            Err(found) => {
                // A finding without a position in the included recipe is reported at this step.
                self.found.extend(found.into_iter().map(|diagnostic| match diagnostic.place {
                    Some(_) => diagnostic,
                    None => diagnostic.at(self.source, path.at),
                }));
                None
            }
        }
    }

    /// The conditions of a poll are separate expressions.
    pub(super) fn conditions_of_poll(&mut self, name: &str, fields: &Template) {
        let inside = |fields: &Template, name: &str| {
            let (_, inner) = fields.entries()?.iter().find(|(key, _)| key.name == name)?;
            Some(inner.clone())
        };
        for condition in POLL_CONDITIONS {
            let given = fields.field_of(name, "poll").and_then(|poll| inside(poll, condition));
            if let Some(given) = given.filter(Template::is_plain)
                && let Some(text) = given.written.text()
            {
                self.found.extend(check_condition(name, text, given.written.at, self.source));
            }
        }
    }

    /// Checks the values that are known, and the names of all.
    fn check_set_values(&mut self, recipe: &Recipe, set: &[(Key, Template)]) {
        for (key, template) in set {
            let parameters = &recipe.header().parameters;
            let known = template.is_plain() || !parameters.contains_key(&key.name);
            let one = [(key.name.clone(), template.plain_value())].into();
            if let (true, Err(wrong)) = (known, bind(parameters, &one)) {
                for error in wrong {
                    let at = if error.at_key { key.at } else { template.written.at };
                    self.report_read(at, error);
                }
            }
        }
    }

    fn set_values(&mut self, node: Option<&Node>) -> Vec<(Key, Template)> {
        let Some(node) = node else { return Vec::new() };
        let Kind::Map(entries) = &node.kind else {
            self.report(node.at, format!("`set` must be a map of parameters, not {}", node.describe()));
            return Vec::new();
        };
        entries.iter().map(|(key, inner)| (key.clone(), self.template(inner))).collect()
    }
}

/// The values for a recipe. A text parameter gets a number as it was written.
fn texts_as_written(recipe: &Recipe, set: Vec<(Key, Template)>) -> Vec<(Key, Template)> {
    let is_text = |key: &Key| {
        recipe.header().parameters.get(&key.name).is_some_and(|parameter| parameter.default.is_string())
    };
    let written = |(key, template): (Key, Template)| match is_text(&key) {
        true => (key, template.into_text()),
        false => (key, template),
    };
    set.into_iter().map(written).collect()
}

/// The start of the text of a value at `at`: after the quote, or in the line after `|`.
fn start_of_text(source: &SourceFile, at: Position) -> Position {
    let mut lines = source.lines().skip(at.line.saturating_sub(1));
    match lines.next().and_then(|line| line[byte_at(line, at.column)..].chars().next()) {
        Some('|' | '>') => {
            let first = lines.find(|line| !line.trim().is_empty()).unwrap_or_default();
            let indent = first.chars().take_while(|c| *c == ' ').count();
            Position { line: at.line + 1, column: indent + 1 }
        }
        Some('"' | '\'') => Position { column: at.column + 1, ..at },
        _ => at,
    }
}
