//! The names that an expression can use at a point of a recipe, as far as they are known without running it.

use std::collections::{BTreeMap, BTreeSet};

use crate::declarations::check_variable_name;
use crate::decode;
use crate::measurement::TRACE_COLUMNS;
use crate::script::{ResultFields, is_free_word};

/// The variable that contains the results of steps.
pub(super) const STEPS: &str = "steps";

/// Names in the order in which they are defined.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    /// Parameters and `set` names.
    names: BTreeSet<String>,
    /// Loop variables of this recipe and of the outer recipes.
    loops: Vec<String>,
    /// Columns that loops over tables add to trace files, of this recipe and of the outer recipes.
    columns: Vec<String>,
    /// The number of loop variables that belong to outer recipes. Expressions of this recipe cannot use them.
    outer: usize,
    /// The ids of steps, and the fields of their results.
    ids: BTreeMap<String, ResultFields>,
}

impl Scope {
    /// The scope of a recipe that runs inside the loops `outer`.
    pub(super) fn inside(outer: Vec<String>) -> Self {
        Self { outer: outer.len(), loops: outer, ..Self::default() }
    }

    /// The names that an expression can use.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let loops = self.loops.iter().skip(self.outer);
        loops.chain(&self.names).map(String::as_str).chain([STEPS])
    }

    pub(super) fn define(&mut self, name: &str) {
        self.names.insert(name.to_owned());
    }

    /// The names that surrounding loops use: as variables, and as columns of the trace files.
    pub(super) fn taken(&self) -> impl Iterator<Item = &String> {
        self.loops.iter().chain(&self.columns)
    }

    /// Enters a loop; a loop over a table has columns.
    pub(super) fn enter_loop(&mut self, variable: &str, columns: &[String]) {
        self.loops.push(variable.to_owned());
        self.columns.extend_from_slice(columns);
    }

    pub(super) fn leave_loop(&mut self, columns: &[String]) {
        self.loops.pop();
        self.columns.truncate(self.columns.len() - columns.len());
    }

    /// Checks that a step may have this id, and stores the id with the fields of its result.
    ///
    /// # Errors
    /// If it is not an identifier, or if another step has it.
    pub(super) fn define_step(&mut self, id: &str, fields: ResultFields) -> Option<String> {
        if let Err(error) = check_variable_name("step", id) {
            return Some(error.message.replace("step name", "id"));
        }
        let before = self.ids.insert(id.to_owned(), fields);
        before.map(|_| format!("another step has the id `{id}`"))
    }

    /// Checks that `steps.<id>` is an earlier step.
    ///
    /// # Errors
    /// If there is no such step, with the most similar id.
    pub(super) fn check_step(&self, id: &str) -> Result<(), (String, Option<String>)> {
        if self.ids.contains_key(id) {
            return Ok(());
        }
        let hint = decode::nearest(id, self.ids.keys().map(String::as_str));
        let hint = hint.map(|near| format!("did you mean `steps.{near}`?"));
        Err((format!("no step before this one has the id `{id}`"), hint))
    }

    /// Checks that `id` is an earlier fetch.
    ///
    /// # Errors
    /// If there is no such step, with the ids of fetches; or if the step stores no traces.
    pub(super) fn check_fetch(&self, id: &str) -> Result<(), (String, Option<String>)> {
        self.check_kind(id, "fetch_trace", "traces")
    }

    /// Checks that `id` is an earlier analysis.
    ///
    /// # Errors
    /// If there is no such step, with the ids of analyses; or if the step has no figures.
    pub(super) fn check_analysis(&self, id: &str) -> Result<(), (String, Option<String>)> {
        self.check_kind(id, "analyze", "figures")
    }

    /// Checks that `id` is an earlier step of this operation, whose result has this field.
    fn check_kind(&self, id: &str, operation: &str, field: &str) -> Result<(), (String, Option<String>)> {
        let fits = |fields: &ResultFields| fields.names.contains(field);
        if self.ids.get(id).is_some_and(fits) {
            return Ok(());
        }
        let known = self.ids.iter().filter(|(_, fields)| fits(fields)).map(|(id, _)| id.as_str());
        let hint = decode::suggestion(id, known.collect::<Vec<_>>());
        if self.ids.contains_key(id) {
            return Err((format!("step `{id}` is no {operation}"), Some(hint)));
        }
        let hint = match hint.as_str() {
            "there is none" => format!("give an `id` to the {operation} before this step"),
            _ => hint,
        };
        Err((format!("no {operation} before this step has the id `{id}`"), Some(hint)))
    }

    /// Checks that the result of a step can have a field.
    ///
    /// # Errors
    /// If it has no such field, with the fields that it has.
    pub(super) fn check_field(&self, id: &str, field: &str) -> Result<(), (String, Option<String>)> {
        let Some(fields) = self.ids.get(id).filter(|fields| !fields.contains(field)) else { return Ok(()) };
        let fields = &fields.names;
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

    /// Checks a name that a loop defines.
    ///
    /// # Errors
    /// If the name is already used, with its other use.
    pub(super) fn check_loop(&self, name: &str) -> Result<(), String> {
        check_new("loop variable", name)?;
        if TRACE_COLUMNS.contains(&name) {
            return Err(format!("loop variable `{name}` has the same name as a trace-file column"));
        }
        self.check_column(name)?;
        if self.names.contains(name) {
            return Err(format!("`{name}` is already a parameter or a `set` name"));
        }
        Ok(())
    }

    /// Checks a column name that a loop adds to the trace files.
    ///
    /// # Errors
    /// If a surrounding loop has that name.
    pub(super) fn check_column(&self, name: &str) -> Result<(), String> {
        if self.loops.iter().any(|outer| outer == name) {
            return Err(format!("a surrounding loop already has the variable `{name}`"));
        }
        if self.columns.iter().any(|outer| outer == name) {
            return Err(format!("a surrounding loop already has the column `{name}`"));
        }
        Ok(())
    }

    /// Checks a name that `set` defines. `set` must not change `parameters`.
    ///
    /// # Errors
    /// If the name is already used, with its other use.
    pub(super) fn check_set(&self, name: &str, is_parameter: bool) -> Result<(), String> {
        check_new("variable", name)?;
        if is_parameter {
            return Err(format!("`{name}` is a parameter: `set` cannot change it"));
        }
        if self.loops.iter().skip(self.outer).any(|around| around == name) {
            return Err(format!("`{name}` is the variable of a surrounding loop"));
        }
        Ok(())
    }
}

/// Checks that expressions can use a name.
///
/// # Errors
/// If it is not an identifier, or if the word is reserved.
pub(super) fn check_new(what: &str, name: &str) -> Result<(), String> {
    check_variable_name(what, name).map_err(|error| error.message)?;
    if name == STEPS || !is_free_word(name) {
        return Err(format!("{what} `{name}` is a word that expressions reserve"));
    }
    Ok(())
}
