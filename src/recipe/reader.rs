//! Converts the tree of a YAML recipe to a program, and reports all mistakes that can be found without running it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::code::mentions_steps;
use super::document::{Key, Kind, Node};
use super::limits::limits_in;
use super::load::Surroundings;
use super::program::{Action, Operate, Statement};
use super::scope::Scope;
use super::structure::Fields;
use super::template::{Template, with_bare_conditions};
use super::written::as_written;
use crate::decode::{self, ReadError};
use crate::measurement::Detector;
use crate::operation::{LimitSet, Operation, ResultKind};
use crate::script::{self, ResultFields};
use crate::source::{Diagnostic, Position, SourceFile};
use crate::step::{self, OnError, StepOptions};

mod parts;
mod repeat;

/// The step names that are not operations.
pub(super) const STRUCTURE: [&str; 5] = ["set", "repeat", "if", "script", "run_recipe"];

/// The state while a recipe is read from top to bottom.
pub(super) struct Reader<'a> {
    pub(super) source: &'a Arc<SourceFile>,
    pub(super) detectors: &'a BTreeMap<String, Detector>,
    /// The recipe's parameters: `set` cannot change them.
    pub(super) parameters: Vec<String>,
    pub(super) scope: Scope,
    /// The loops around the current step.
    pub(super) loops: usize,
    pub(super) around: &'a mut Surroundings,
    pub(super) found: Vec<Diagnostic>,
    /// The files that the steps include, in their order.
    pub(super) sources: Vec<Arc<SourceFile>>,
}

impl Reader<'_> {
    /// Reads the list of steps at `path`.
    pub(super) fn steps(&mut self, node: &Node, path: &str) -> Vec<Statement> {
        let Kind::List(items) = &node.kind else {
            let what = path.rsplit('.').next().unwrap_or(path);
            self.report(node.at, format!("`{what}` must be a list of steps, not {}", node.describe()));
            return Vec::new();
        };
        let numbered = items.iter().enumerate();
        numbered.filter_map(|(index, item)| self.step(item, format!("{path}[{index}]"))).collect()
    }

    fn step(&mut self, item: &Node, path: String) -> Option<Statement> {
        let (key, node) = self.only_key(item)?;
        let path_inside = format!("{path}.{}", key.name);
        let action = match key.name.as_str() {
            "set" => self.set(node).map(Action::Set),
            "repeat" => self.repeat(node, &path_inside),
            "if" => self.condition(node, &path_inside),
            "script" => self.script(node),
            "run_recipe" => self.run_recipe(node),
            "align" => self.align(key, node, &path_inside),
            _ => self.operation(key, node).map(|operate| Action::Operate(Box::new(operate))),
        };
        action.map(|action| Statement { path, at: key.at, action })
    }

    /// An alignment. Its steps are the turns of a loop of attempts.
    fn align(&mut self, key: &Key, node: &Node, path: &str) -> Option<Action> {
        let Kind::Map(entries) = &node.kind else {
            return self
                .operation(key, node)
                .map(|operate| Action::Align { operate: Box::new(operate), steps: None });
        };
        let (own, others): (Vec<_>, Vec<_>) =
            entries.iter().cloned().partition(|(field, _)| field.name == "steps");
        let fields = Node { kind: Kind::Map(others.into()), ..node.clone() };
        let steps = own.first().map(|(_, steps)| self.steps(steps, &format!("{path}.repeat.steps")));
        let operate = self.operation(key, &fields)?;
        Some(Action::Align { operate: Box::new(operate), steps })
    }

    fn only_key<'n>(&mut self, item: &'n Node) -> Option<(&'n Key, &'n Node)> {
        let rule = "a step must be a map with exactly one key";
        let (message, hint) = match &item.kind {
            Kind::Map(entries) => match &entries[..] {
                [(key, node)] => return Some((key, node)),
                entries => {
                    let names: Vec<String> =
                        entries.iter().map(|(key, _)| format!("`{}`", key.name)).collect();
                    let first = names.first().cloned().unwrap_or_default();
                    let hint = format!("indent the fields of {first} further, or begin a new step with `-`");
                    (format!("{rule}, but this one has {}: {}", names.len(), names.join(", ")), Some(hint))
                }
            },
            _ => {
                let hint = item.text().map(|word| format!("write `{word}: {{}}`"));
                (format!("{rule}, but this is {}", item.describe()), hint.filter(|hint| hint.len() < 40))
            }
        };
        self.found.push(Diagnostic { hint, ..Diagnostic::error(message).at(self.source, item.at) });
        None
    }

    fn operation(&mut self, key: &Key, node: &Node) -> Option<Operate> {
        if !Operation::NAMES.contains(&key.name.as_str()) {
            let known: Vec<&str> = Operation::NAMES.iter().copied().chain(STRUCTURE).collect();
            let hint = decode::suggestion(&key.name, known);
            let message = format!("unknown operation `{}`", key.name);
            self.found.push(Diagnostic::error(message).at(self.source, key.at).hint(hint));
            return None;
        }
        let before = self.found.len();
        let node = &with_bare_conditions(&key.name, node);
        let fields = self.template(node);
        self.columns(&fields);
        self.written_name(&key.name, &fields);
        self.conditions_of_poll(&key.name, &fields);
        let mut ready = None;
        if fields.is_plain() && self.found.len() == before {
            match step::read(&key.name, &as_written(&key.name, &node.value(), node), self.detectors) {
                Ok(read) => ready = Some(read),
                Err(error) => {
                    // A missing field is reported at the operation, not at its first field.
                    let at =
                        if error.path.is_empty() { key.at } else { node.locate(&error.path, error.at_key) };
                    self.report_read(at, error);
                }
            }
        } else {
            self.check_parts(&key.name, &fields);
        }
        self.needs_loop(&fields);
        self.traces_to_analyze(&key.name, &fields);
        let limits = self.limits_of(&key.name, &fields);
        if let (Some(limits), Some((Operation::Analyze(fields), _))) = (&limits, &mut ready) {
            fields.judged_by = Some((**limits).clone());
            if let Err(error) = fields.check() {
                self.report_read(key.at, error);
            }
        }
        let id = self.id(&fields, &result_fields(&key.name, ready.as_ref()));
        (self.found.len() == before).then(|| Operate { name: key.name.clone(), fields, id, ready, limits })
    }

    /// `next_turn` needs a loop around the step.
    fn needs_loop(&mut self, fields: &Template) {
        let entries = fields.entries().into_iter().flatten();
        let leaves = |(key, given): &&(Key, Template)| {
            ["on_error", "on_fail"].contains(&key.name.as_str()) && given.written.text() == Some("next_turn")
        };
        let places: Vec<(String, Position)> = entries
            .filter(leaves)
            .map(|(key, given)| (key.name.clone(), given.written.at))
            .filter(|_| self.loops == 0)
            .collect();
        for (name, at) in places {
            self.report(at, format!("`{name}: next_turn` needs a loop around the step"));
        }
    }

    /// The step's id, which later steps may use.
    fn id(&mut self, fields: &Template, result: &ResultFields) -> Option<String> {
        let (_, id) = fields.entries()?.iter().find(|(key, _)| key.name == "id")?;
        let at = id.written.at;
        match id.written.text() {
            Some(text) if id.is_plain() => match self.scope.define_step(text, result.clone()) {
                None => return Some(text.to_owned()),
                Some(message) => self.report(at, message),
            },
            Some(_) => self.report(at, "an id cannot be an expression"),
            None => self.report(at, format!("an id must be an identifier, not {}", id.written.describe())),
        }
        None
    }

    /// The `trace` of an analysis must be the id of an earlier fetch.
    fn traces_to_analyze(&mut self, name: &str, fields: &Template) {
        if Operation::result_kind(name) != Some(ResultKind::Analysis) {
            return;
        }
        for field in ["trace", "minus", "over"] {
            let Some(given) = fields.field_of(name, field) else { continue };
            let at = given.written.at;
            let Some(id) = given.written.text().filter(|_| given.is_plain()) else {
                self.report(at, format!("`{field}` must be the id of a step, without an expression"));
                continue;
            };
            let checked =
                if field == "over" { self.scope.check_analysis(id) } else { self.scope.check_fetch(id) };
            if let Err((message, hint)) = checked {
                let diagnostic = Diagnostic::error(message).at(self.source, at);
                self.found.push(Diagnostic { hint, ..diagnostic });
            }
        }
    }

    /// The limits in the file that an analysis names.
    fn limits_of(&mut self, name: &str, fields: &Template) -> Option<Arc<LimitSet>> {
        let is_analysis = Operation::result_kind(name) == Some(ResultKind::Analysis);
        let file = fields.field_of(name, "limits").filter(|_| is_analysis)?;
        let at = file.written.at;
        let Some(path) = file.written.text().filter(|_| file.is_plain()) else {
            self.report(at, "`limits` must be the path of a file, without expressions");
            return None;
        };
        let source = self.include(path, at)?;
        match limits_in(&source) {
            Ok(limits) => {
                self.sources.push(source);
                Some(Arc::new(limits))
            }
            Err(found) => {
                self.found.extend(found);
                None
            }
        }
    }

    /// A constant column must not have the name of a loop variable, which already has a column.
    fn columns(&mut self, fields: &Template) {
        let columns =
            fields.entries().and_then(|entries| entries.iter().find(|(key, _)| key.name == "columns"));
        for (key, _) in columns.and_then(|(_, columns)| columns.entries()).into_iter().flatten() {
            if self.scope.taken().any(|taken| *taken == key.name) {
                self.report(key.at, format!("a loop already defines the column `{}`", key.name));
            }
        }
    }

    pub(super) fn template(&mut self, node: &Node) -> Template {
        Template::compile(node, &self.scope, self.source, &mut self.found)
    }

    pub(super) fn report(&mut self, at: Position, message: impl Into<String>) {
        self.found.push(Diagnostic::error(message).at(self.source, at));
    }

    pub(super) fn report_read(&mut self, at: Position, error: ReadError) {
        let diagnostic = Diagnostic::error(error.message).at(self.source, at);
        self.found.push(Diagnostic { hint: error.hint, ..diagnostic });
    }

    fn set(&mut self, node: &Node) -> Option<Vec<(Key, Template)>> {
        let Kind::Map(entries) = &node.kind else {
            self.report(node.at, format!("`set` must be a map of names, not {}", node.describe()));
            return None;
        };
        let mut names = Vec::new();
        for (key, inner) in entries.iter() {
            let template = self.template(inner);
            let is_parameter = self.parameters.contains(&key.name);
            match self.scope.check_set(&key.name, is_parameter) {
                Ok(()) if inner.is_null() => self.report(key.at, format!("`{}` has no value", key.name)),
                Ok(()) => {
                    self.scope.define(&key.name);
                    names.push((key.clone(), template));
                }
                Err(message) => self.report(key.at, message),
            }
        }
        Some(names)
    }

    fn condition(&mut self, node: &Node, path: &str) -> Option<Action> {
        let fields = Fields::read(self, "if", node, &["condition", "then", "else"])?;
        let condition = fields.expression(self, "condition");
        if condition.is_none() {
            self.report(fields.at, "`if` has no `condition`");
        }
        self.flag("condition", condition.as_ref());
        if fields.get("then").is_none() {
            self.report(fields.at, "`if` has no `then`");
        }
        let then = fields.get("then").map(|then| self.steps(then, &format!("{path}.then")));
        let otherwise = fields.get("else").map(|other| self.steps(other, &format!("{path}.else")));
        Some(Action::If { condition: condition?, then: then?, otherwise: otherwise.unwrap_or_default() })
    }

    /// A condition must be true or false; the result of an expression is known only later.
    fn flag(&mut self, name: &str, given: Option<&Template>) {
        if let Some(plain) = given.filter(|given| given.is_plain())
            && !plain.written.value().is_boolean()
        {
            let message = format!("`{name}` must be true or false, not {}", plain.written.describe());
            self.report(plain.written.at, message);
        }
    }

    fn script(&mut self, node: &Node) -> Option<Action> {
        let Some(text) = node.text() else {
            self.report(node.at, format!("`script` must be a path or a text, not {}", node.describe()));
            return None;
        };
        let script = self.compile_script(node, text)?;
        let uses_steps = mentions_steps(&script.1);
        Some(Action::Script { script: script.0, uses_steps })
    }
}

/// The fields that the result of an operation can have.
fn result_fields(name: &str, ready: Option<&(Operation, StepOptions)>) -> ResultFields {
    let mut fields = script::fields(name, ready.map(|(operation, _)| operation));
    if ready.is_none_or(|(_, options)| options.on_error == OnError::Continue) {
        fields.names.extend(["kind", "message"].map(str::to_owned));
    }
    fields
}
