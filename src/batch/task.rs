//! One item of a batch: what is measured, and how.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::file::OnFailure;
use super::placement::Placement;
use super::times::Moment;
use crate::operation::Constant;
use crate::recipe::{Recipe, SuspendWhen};
use crate::source::Diagnostic;
use crate::step::{ColumnType, Retry, constant};
use crate::store::FleetRecord;
use crate::units::Seconds;
use crate::{decimal, declarations};

/// One item: the recipe, its values and its options. The catalogue stores this.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Task {
    /// The recipe, relative to the batch's folder.
    pub recipe: String,
    /// Values for its parameters.
    pub set: BTreeMap<String, Value>,
    /// Added to its metadata.
    pub metadata: BTreeMap<String, Value>,
    /// The values that are columns of its traces, with their types: those that the batch varies.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, ColumnType>,
    /// Items with a higher priority run first.
    pub priority: i32,
    /// The item does not start before this time.
    pub not_before: Option<Moment>,
    /// The item does not start after this time, and an active run is stopped then.
    pub deadline: Option<Moment>,
    /// Whether a failure ends the batch.
    pub on_failure: OnFailure,
    /// The number of repetitions after a failure, and the pause before each of them.
    pub retry: Option<Retry>,
    /// The run is stopped cleanly after this time.
    pub timeout_s: Option<Seconds>,
    /// No person is present: each prompt takes its `unattended` answer.
    pub unattended: bool,
    /// If the run is interrupted, it resumes automatically.
    pub auto_resume: bool,
    /// The `suspend_when` of the batch, for a recipe that has none of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspend_when: Option<SuspendWhen>,
    /// The benches that may take the item, if many benches share the queue.
    #[serde(skip_serializing_if = "Placement::is_default")]
    pub placement: Placement,
    /// The item in the queue of many benches that this item measures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fleet: Option<FleetRecord>,
}

impl Task {
    /// The values for its parameters.
    #[must_use]
    pub fn settings(&self) -> Vec<(String, declarations::Given)> {
        self.set.iter().map(|(name, value)| (name.clone(), declarations::Given::from_json(value))).collect()
    }

    /// The recipe with its values; the path is relative to `base`.
    ///
    /// # Errors
    /// The errors of the recipe, or of the batch's `suspend_when` with it.
    pub fn load(&self, base: &Path) -> Result<Recipe, Vec<Diagnostic>> {
        let recipe = Recipe::load(&base.join(&self.recipe), &self.settings())?;
        match &self.suspend_when {
            Some(given) => recipe.suspended_by(given),
            None => Ok(recipe),
        }
    }

    /// Whether another item measures the same. Values are compared as texts, because a new table may have numbers
    /// where an earlier one had texts.
    #[must_use]
    pub fn measures_as(&self, other: &Self) -> bool {
        let same = |own: &BTreeMap<String, Value>, others: &BTreeMap<String, Value>| {
            own.len() == others.len()
                && own
                    .iter()
                    .all(|(name, value)| others.get(name).is_some_and(|other| says_same(value, other)))
        };
        self.recipe == other.recipe && same(&self.set, &other.set) && same(&self.metadata, &other.metadata)
    }

    /// The columns of the item's traces: the values of its parameters, or its metadata.
    #[must_use]
    pub fn column_values(&self, recipe: &Recipe) -> BTreeMap<String, Constant> {
        let value = |name: &String| recipe.parameters().get(name).or_else(|| self.metadata.get(name));
        let columns = self.columns.iter();
        columns.filter_map(|(name, kind)| Some((name.clone(), kind.hold(constant(value(name)?))?))).collect()
    }

    /// A short description: the recipe and its values.
    #[must_use]
    pub fn describe(&self) -> String {
        let values =
            self.set.iter().chain(&self.metadata).map(|(name, value)| format!(" {name}={}", plain(value)));
        std::iter::once(self.recipe.clone()).chain(values).collect()
    }
}

/// A value as a text, without quotes.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether two values have the same text, or are the same number.
fn says_same(one: &Value, other: &Value) -> bool {
    let number = one.is_number() || other.is_number();
    let (one, other) = (plain(one), plain(other));
    one == other || (number && decimal::same(&one, &other))
}
