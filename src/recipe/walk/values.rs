//! The variables of a recipe and the values of its expressions.

use serde_json::Value;

use super::Walk;
use crate::budget::{ALL_VALUES_BYTES, size};
use crate::recipe::template::{Template, Wrong};
use crate::script::clock;
use crate::source::Position;
use crate::step::Fault;

/// Largest number of characters of a wrong value in a message.
const SHOWN: usize = 200;

impl Walk<'_> {
    /// Sets a variable, if the memory limit allows it.
    pub(super) fn hold(&mut self, name: &str, value: Value, at: Position) -> Result<(), Fault> {
        self.let_go(name);
        let bytes = size(&value);
        let all = self.tally.bytes.get() + bytes;
        if all > ALL_VALUES_BYTES {
            let message = format!("the variables need more than {} MiB", ALL_VALUES_BYTES >> 20);
            return Err(self.fault(Wrong::new(at, message)));
        }
        self.tally.bytes.set(all);
        self.held += bytes;
        self.variables.insert(name.to_owned(), value);
        Ok(())
    }

    pub(super) fn let_go(&mut self, name: &str) {
        if let Some(value) = self.variables.remove(name) {
            // A parameter with the name of the loop variable was never counted.
            let bytes = size(&value).min(self.held);
            self.held -= bytes;
            self.tally.bytes.set(self.tally.bytes.get() - bytes);
        }
    }

    /// Evaluates a written value.
    pub(super) fn value(&self, template: &Template) -> Result<Value, Fault> {
        self.heed(&[template]);
        self.at_time(&[template], || template.evaluate(&self.variables))
    }

    /// Evaluates expressions. If one of them asks for the time, the run records it, once for all of them.
    pub(super) fn at_time<T>(
        &self,
        templates: &[&Template],
        evaluate: impl FnOnce() -> Result<T, Wrong>,
    ) -> Result<T, Fault> {
        // An expression may take a while, and the steps before it do not wait for it.
        self.host.settle()?;
        let value = match templates.iter().any(|template| template.uses_clock()) {
            true => clock::at(self.host.now()?.wall, evaluate),
            false => evaluate(),
        };
        value.map_err(|wrong| self.fault(wrong))
    }

    /// The value of a condition.
    pub(in crate::recipe) fn flag(&self, name: &str, template: &Template) -> Result<bool, Fault> {
        match self.value(template)? {
            Value::Bool(flag) => Ok(flag),
            other => Err(self.wrong_type(template, &format!("`{name}` must be true or false"), &other)),
        }
    }

    /// The fault for a value whose type its place does not allow.
    pub(super) fn wrong_type(&self, template: &Template, rule: &str, given: &Value) -> Fault {
        let mut shown = given.to_string();
        if shown.chars().count() > SHOWN {
            shown = shown.chars().take(SHOWN).chain(['…']).collect();
        }
        let wrong = Wrong::new(template.written.at, format!("{rule}, not `{shown}`"));
        self.fault(wrong.of_type(Some(template), given))
    }

    /// Reports to a forecast if one of these expressions uses a measured value.
    pub(super) fn heed(&self, templates: &[&Template]) {
        if templates.iter().any(|template| template.uses_steps()) {
            self.report_use_of_measurement();
        }
    }

    pub(super) fn report_use_of_measurement(&self) {
        if let Some(forecast) = self.host.forecast() {
            forecast.uses_measurement();
        }
    }
}
