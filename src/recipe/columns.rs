//! The columns that a recipe adds to its trace files, as far as they are written in the recipe, and the names of its
//! detectors.

use std::collections::BTreeMap;

use serde_json::Value;

use super::program::{Action, LoopSource, Operate, Statement};
use super::template::Template;
use super::{Body, Recipe};
use crate::measurement::Detector;
use crate::step::{ColumnType, Values, constant};

/// Columns by name; `None` if no value is known before the recipe runs.
pub type WrittenColumns = BTreeMap<String, Option<ColumnType>>;

impl Recipe {
    /// The columns that the steps add to trace files. Each has the type that fits all its written values: in lists,
    /// in tables, as bounds of a loop, under `columns`. The columns of scripts are not included.
    #[must_use]
    pub fn written_columns(&self) -> WrittenColumns {
        let mut found = WrittenColumns::new();
        collect(self, self.parameters(), &mut found);
        found
    }

    /// The detectors of this recipe by their names.
    #[must_use]
    pub fn detectors(&self) -> &BTreeMap<String, Detector> {
        &self.header.detectors
    }

    /// The name of a detector in the recipe that contains the step at `path`: this recipe or an inner one.
    #[must_use]
    pub fn detector_name(&self, path: &str, detector: Detector) -> Option<&str> {
        if let Some((inner, rest)) = self.recipe_at(path) {
            return inner.detector_name(rest, detector);
        }
        let mut names = self.header.detectors.iter();
        names.find(|(_, named)| **named == detector).map(|(name, _)| name.as_str())
    }

    /// The recipe that the first `run_recipe` of a path runs, and the rest of the path within it.
    fn recipe_at<'a>(&self, path: &'a str) -> Option<(&Self, &'a str)> {
        let Body::Yaml(program) = &self.body else { return None };
        let (way, rest) = path.split_once(".run_recipe.")?;
        let mut statements: Vec<&Statement> = program.steps.iter().chain(&program.finally).collect();
        while let Some(statement) = statements.pop() {
            match &statement.action {
                Action::RunRecipe { recipe, .. } if statement.path == way => return Some((&**recipe, rest)),
                action => statements.extend(inside(action)),
            }
        }
        None
    }
}

/// The statements within a statement of the same recipe.
fn inside(action: &Action) -> Vec<&Statement> {
    match action {
        Action::Repeat { steps, .. } => steps.iter().collect(),
        Action::Align { steps, .. } => steps.iter().flatten().collect(),
        Action::If { then, otherwise, .. } => then.iter().chain(otherwise).collect(),
        Action::Operate(_) | Action::Set(_) | Action::Script { .. } | Action::RunRecipe { .. } => Vec::new(),
    }
}

fn collect(recipe: &Recipe, parameters: &Values, found: &mut WrittenColumns) {
    let Body::Yaml(program) = &recipe.body else { return };
    let mut statements: Vec<&Statement> = program.steps.iter().chain(&program.finally).collect();
    while let Some(statement) = statements.pop() {
        match &statement.action {
            Action::Repeat { variable, over, .. } => turns(variable, over, parameters, found),
            Action::Operate(operate) => own_columns(operate, parameters, found),
            Action::RunRecipe { recipe, set } => {
                let mut inner = recipe.parameters().clone();
                for (key, template) in set {
                    match template.evaluate(parameters) {
                        Ok(value) => drop(inner.insert(key.name.clone(), value)),
                        // The values are known only during the run.
                        Err(_) => drop(inner.remove(&key.name)),
                    }
                }
                collect(recipe, &inner, found);
            }
            Action::Align { .. } | Action::Set(_) | Action::If { .. } | Action::Script { .. } => {}
        }
        statements.extend(inside(&statement.action));
    }
}

/// The written values of a loop.
fn turns(variable: &str, over: &LoopSource, parameters: &Values, found: &mut WrittenColumns) {
    match over {
        LoopSource::In(list) => match list.items() {
            Some(items) => {
                items.iter().for_each(|item| note(variable, known(item, parameters).as_ref(), found));
            }
            None => match known(list, parameters) {
                Some(Value::Array(values)) => {
                    values.iter().for_each(|value| note(variable, Some(value), found));
                }
                _ => note(variable, None, found),
            },
        },
        LoopSource::Rows(table) => {
            let cells = table.rows.iter().filter_map(Value::as_object).flatten();
            cells.for_each(|(name, value)| note(name, Some(value), found));
        }
        LoopSource::Grid(_) => note(variable, Some(&Value::from(0.0)), found),
        LoopSource::Times(_) | LoopSource::While(_) | LoopSource::Until(_) => {}
    }
}

/// The columns of the fetch itself.
fn own_columns(operate: &Operate, parameters: &Values, found: &mut WrittenColumns) {
    let columns = operate.fields.field_of(&operate.name, "columns");
    for (key, template) in columns.and_then(|columns| columns.entries()).into_iter().flatten() {
        note(&key.name, known(template, parameters).as_ref(), found);
    }
}

/// A value that is known before the recipe runs: a plain value, or an expression that uses only parameters.
fn known(template: &Template, parameters: &Values) -> Option<Value> {
    template.evaluate(parameters).ok()
}

fn note(name: &str, value: Option<&Value>, found: &mut WrittenColumns) {
    let column = found.entry(name.to_owned()).or_default();
    if let Some(value) = value {
        let kind = ColumnType::of(&constant(value));
        *column = Some(column.map_or(kind, |before| before.and(kind)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declarations::Given;

    fn recipe(text: &str, set: &[(String, Given)]) -> Recipe {
        Recipe::from_text("a.yaml", text, None, set).unwrap_or_else(|found| panic!("{}", found[0]))
    }

    #[test]
    fn the_written_values_decide_the_type_of_a_column() {
        let text = "
name: a
parameters: { label: { default: x }, power: { default: 1 } }
steps:
  - log: { message: hello, id: said }
  - repeat:
      for: mixed
      in: [1, ref, 3]
      steps:
        - repeat: { for: numbers, in: [1, 2.5], steps: [] }
        - repeat: { for: grid, from: 0, to: 1, step: 0.5, steps: [] }
        - repeat: { for: by_parameter, in: ['${power}', '${label}'], steps: [] }
        - fetch_trace:
            detector: 4/1
            trace: tf
            columns: { chip: A7, height: '${power * 2}', later: '${steps.said.failed}', from_loop: '${mixed}' }
  - repeat: { for: numbers, in: [text], steps: [] }
";
        let columns = recipe(text, &[]).written_columns();
        let (number, text) = (Some(ColumnType::Number), Some(ColumnType::Text));
        let expected = [
            ("by_parameter", text),
            ("chip", text),
            ("from_loop", None),
            ("grid", number),
            ("height", number),
            ("later", None),
            ("mixed", text),
            ("numbers", text),
        ];
        assert_eq!(columns, expected.map(|(name, kind)| (name.to_owned(), kind)).into());
    }

    #[test]
    fn a_detector_has_the_name_that_its_own_recipe_gives_it() {
        let folder = tempfile::tempdir().unwrap();
        let inner = "name: b\ndetectors: { port: 4/1 }\nsteps: [ { log: hello } ]\n";
        let outer = "name: a\ndetectors: { through: 4/1 }\nsteps:\n  - repeat: { times: 2, steps: [ { run_recipe: { path: b.yaml } } ] }\n";
        std::fs::write(folder.path().join("b.yaml"), inner).unwrap();
        let recipe = Recipe::from_text("a.yaml", outer, Some(folder.path()), &[]).unwrap();
        let detector = Detector { module: 4, channel: 1 };
        assert_eq!(recipe.detector_name("steps[0]", detector), Some("through"));
        let inside = "steps[0].repeat.steps[0].run_recipe.steps[0]";
        assert_eq!(recipe.detector_name(inside, detector), Some("port"));
        assert_eq!(recipe.detector_name("steps[0]", Detector { module: 4, channel: 2 }), None);
    }
}
