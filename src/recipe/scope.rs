//! The names that an expression can use at a point of a recipe, as far as that is known without running it.

use std::collections::{BTreeMap, BTreeSet};

use crate::decode;
use crate::header::check_variable_name;
use crate::measurement::TRACE_COLUMNS;
use crate::script::is_free_word;

/// The name under which the results of steps are found.
pub(super) const STEPS: &str = "steps";

/// Names in the order in which they are defined.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    /// Parameters and `set` names.
    names: BTreeSet<String>,
    /// Loop variables, of this recipe and of those around it.
    loops: Vec<String>,
    /// Columns that loops over the rows of a file add to trace files, of this recipe and of those around it.
    columns: Vec<String>,
    /// How many of the loop variables belong to the recipes around it: no expression here sees those.
    outer: usize,
    /// The ids of steps, and what their results can have.
    ids: BTreeMap<String, BTreeSet<String>>,
}

impl Scope {
    /// The scope of a recipe that runs inside the loops `outer`.
    pub(super) fn inside(outer: Vec<String>) -> Self {
        Self { outer: outer.len(), loops: outer, ..Self::default() }
    }

    /// What an expression can use.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let loops = self.loops.iter().skip(self.outer);
        loops.chain(&self.names).map(String::as_str).chain([STEPS])
    }

    pub(super) fn define(&mut self, name: &str) {
        self.names.insert(name.to_owned());
    }

    /// The names that the loops around have taken: as variables, and as columns of the trace files.
    pub(super) fn taken(&self) -> impl Iterator<Item = &String> {
        self.loops.iter().chain(&self.columns)
    }

    /// Enters a loop; one over the rows of a file has columns.
    pub(super) fn enter_loop(&mut self, variable: &str, columns: &[String]) {
        self.loops.push(variable.to_owned());
        self.columns.extend_from_slice(columns);
    }

    pub(super) fn leave_loop(&mut self, columns: &[String]) {
        self.loops.pop();
        self.columns.truncate(self.columns.len() - columns.len());
    }

    /// Checks that a step may have this id, and keeps it, with what its result can have.
    ///
    /// # Errors
    /// When it is no identifier, or another step has it.
    pub(super) fn define_step(&mut self, id: &str, fields: BTreeSet<String>) -> Option<String> {
        if let Err(error) = check_variable_name("step", id) {
            return Some(error.message.replace("step name", "id"));
        }
        let before = self.ids.insert(id.to_owned(), fields);
        before.map(|_| format!("another step has the id `{id}`"))
    }

    /// Checks that `steps.<id>` is a step that comes before.
    ///
    /// # Errors
    /// When there is none, with what could have been meant.
    pub(super) fn check_step(&self, id: &str) -> Result<(), (String, Option<String>)> {
        if self.ids.contains_key(id) {
            return Ok(());
        }
        let hint = decode::nearest(id, self.ids.keys().map(String::as_str));
        let hint = hint.map(|near| format!("did you mean `steps.{near}`?"));
        Err((format!("no step before this one has the id `{id}`"), hint))
    }

    /// Checks that the result of a step can have a field.
    ///
    /// # Errors
    /// What it has instead.
    pub(super) fn check_field(&self, id: &str, field: &str) -> Result<(), (String, Option<String>)> {
        let Some(fields) = self.ids.get(id).filter(|fields| !fields.contains(field)) else { return Ok(()) };
        let listed: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
        let message = format!("the result of step `{id}` has no `{field}`: it has {}", listed.join(", "));
        let first = |list: &str, what: &str| format!("`steps.{id}.{list}[0]` is its first {what}");
        let hint = match decode::nearest(field, fields.iter().map(String::as_str)) {
            _ if field == "value" && fields.contains("readings") => Some(first("readings", "reading")),
            Some(near) => Some(format!("did you mean `{near}`?")),
            None if fields.contains("readings") => Some(first("readings", "reading")),
            None if fields.contains("traces") => Some(first("traces", "trace")),
            None => None,
        };
        Err((message, hint))
    }

    /// Checks a name that a loop is about to define.
    ///
    /// # Errors
    /// What it collides with.
    pub(super) fn check_loop(&self, name: &str) -> Result<(), String> {
        check_new("loop variable", name)?;
        if TRACE_COLUMNS.contains(&name) {
            return Err(format!("loop variable `{name}` is called like a column of the trace file"));
        }
        self.check_column(name)?;
        if self.names.contains(name) {
            return Err(format!("`{name}` is a parameter or a `set` name already"));
        }
        Ok(())
    }

    /// Checks a name that a loop is about to give to a column of the trace files.
    ///
    /// # Errors
    /// When a loop around it has that name.
    pub(super) fn check_column(&self, name: &str) -> Result<(), String> {
        if self.loops.iter().any(|outer| outer == name) {
            return Err(format!("a loop around this one has the variable `{name}` already"));
        }
        if self.columns.iter().any(|outer| outer == name) {
            return Err(format!("a loop around this one has the column `{name}` already"));
        }
        Ok(())
    }

    /// Checks a name that `set` is about to define; `parameters` are not its to change.
    ///
    /// # Errors
    /// What it collides with.
    pub(super) fn check_set(&self, name: &str, is_parameter: bool) -> Result<(), String> {
        check_new("variable", name)?;
        if is_parameter {
            return Err(format!("`{name}` is a parameter: `set` cannot change it"));
        }
        if self.loops.iter().skip(self.outer).any(|around| around == name) {
            return Err(format!("`{name}` is the variable of a loop around it"));
        }
        Ok(())
    }
}

/// Checks that expressions can use a name.
///
/// # Errors
/// When it is no identifier, or a word with another meaning there.
pub(super) fn check_new(what: &str, name: &str) -> Result<(), String> {
    check_variable_name(what, name).map_err(|error| error.message)?;
    if name == STEPS || !is_free_word(name) {
        return Err(format!("{what} `{name}` is a word that expressions reserve"));
    }
    Ok(())
}
