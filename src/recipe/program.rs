//! The steps of a YAML recipe as a tree of statements. `reader` creates the tree, and `walk` runs it.

use std::sync::Arc;

use crate::decimal;
use crate::declarations::Header;
use crate::operation::{LimitSet, Operation};
use crate::script::Script;
use crate::source::Position;
use crate::step::{StepOptions, Values};

use super::Recipe;
use super::document::Key;
use super::grid::{LoopGrid, NoGrid, TURNS};
use super::table::Table;
use super::template::{Template, Wrong};

/// The steps of a recipe, and the steps of `finally`.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub(super) steps: Vec<Statement>,
    pub(super) finally: Vec<Statement>,
}

/// One step with its position.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    /// The path of the step in its own recipe: `steps[6].repeat.steps[1]`.
    pub(super) path: String,
    pub(super) at: Position,
    pub(super) action: Action,
}

#[derive(Debug, Clone)]
pub(super) enum Action {
    Operate(Box<Operate>),
    /// An alignment with the steps that it performs, if it has any.
    Align {
        operate: Box<Operate>,
        steps: Option<Vec<Statement>>,
    },
    Set(Vec<(Key, Template)>),
    Repeat {
        variable: String,
        over: LoopSource,
        steps: Vec<Statement>,
    },
    If {
        condition: Template,
        then: Vec<Statement>,
        otherwise: Vec<Statement>,
    },
    Script {
        script: Script,
        uses_steps: bool,
    },
    RunRecipe {
        recipe: Box<Recipe>,
        set: Vec<(Key, Template)>,
    },
}

/// An operation and its fields.
#[derive(Debug, Clone)]
pub(super) struct Operate {
    pub(super) name: String,
    pub(super) fields: Template,
    pub(super) id: Option<String>,
    /// The decoded operation, if its fields contain no expressions.
    pub(super) ready: Option<(Operation, StepOptions)>,
    /// The limits in the file that the operation names.
    pub(super) limits: Option<Arc<LimitSet>>,
}

/// The values of a loop, as written.
#[derive(Debug, Clone)]
pub(super) enum LoopSource {
    In(Template),
    /// The rows of a file.
    Rows(Arc<Table>),
    /// `from`, `to` and `step`. Without `step`, whole numbers are counted by 1.
    Grid(Box<(Template, Template, Option<Template>)>),
    Times(Template),
    While(Template),
    Until(Until),
}

/// What ends a loop; it is checked after each turn.
#[derive(Debug, Clone)]
pub(super) enum Until {
    Condition(Template),
    /// The first moment after the start of the loop at which a clock shows this time of day.
    Time(String),
}

/// The values of a loop, after its expressions are evaluated.
pub(super) enum Turns {
    Values(Vec<serde_json::Value>),
    Grid(LoopGrid),
    Times(u64),
    /// As long as a condition says so.
    Open,
}

impl LoopSource {
    pub(super) fn templates(&self) -> Vec<&Template> {
        match self {
            Self::In(one) | Self::Times(one) | Self::While(one) => vec![one],
            // The condition of `until` is evaluated after the first turn.
            Self::Rows(_) | Self::Until(_) => Vec::new(),
            Self::Grid(parts) => {
                [Some(&parts.0), Some(&parts.1), parts.2.as_ref()].into_iter().flatten().collect()
            }
        }
    }

    /// The turns, given the values of the variables.
    ///
    /// # Errors
    /// If a loop cannot use the values.
    pub(super) fn turns(&self, variables: &Values) -> Result<Turns, Wrong> {
        let wrong = |template: &Template, message: String| Wrong::new(template.written.at, message);
        match self {
            Self::In(list) => {
                let mut values = match list.evaluate(variables)? {
                    serde_json::Value::Array(values) => values,
                    other => {
                        let message = "`in` takes a list of values".to_owned();
                        return Err(wrong(list, message).of_type(Some(list), &other));
                    }
                };
                if values.is_empty() {
                    return Err(wrong(list, "`in` is empty".to_owned()));
                }
                match values.iter().find(|value| value.is_null() || value.is_array() || value.is_object()) {
                    Some(value) => {
                        let message =
                            format!("`{value}` cannot be a loop value (a number, a text, true or false)");
                        Err(wrong(list, message).of_type(Some(list), value))
                    }
                    None => {
                        values.iter_mut().for_each(keep_long_number);
                        Ok(Turns::Values(values))
                    }
                }
            }
            Self::Rows(table) => Ok(Turns::Values(table.rows.clone())),
            Self::Grid(parts) => {
                let (from, to, step) = parts.as_ref();
                let number = |name: &str, template: &Template| {
                    let value = template.evaluate(variables)?;
                    value.as_f64().ok_or_else(|| {
                        let message = format!("`{name}` must be a number, not `{value}`");
                        wrong(template, message).of_type(Some(template), &value)
                    })
                };
                let (first, last) = (number("from", from)?, number("to", to)?);
                let stride = match step {
                    Some(step) => number("step", step)?,
                    None if first.fract() == 0.0 && last.fract() == 0.0 => 1.0,
                    None => {
                        let message = format!("`repeat` from `{first}` to `{last}` needs a `step`");
                        return Err(wrong(from, message));
                    }
                };
                LoopGrid::new(first, last, stride).map(Turns::Grid).map_err(|error| {
                    let blamed = match &error {
                        NoGrid::NotCountable(given) if *given == first => from,
                        NoGrid::NotCountable(given) if *given == last => to,
                        _ => step.as_ref().unwrap_or(to),
                    };
                    wrong(blamed, error.to_string())
                })
            }
            Self::Times(template) => {
                let value = template.evaluate(variables)?;
                // A computed quotient may miss the whole number by a rounding error.
                let whole = |count: &f64| (count - count.round()).abs() <= count.abs() * 1e-12;
                let count = value.as_f64().filter(whole).map(f64::round);
                let count = count.filter(|count| (0.0..=TURNS as f64).contains(count));
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
                let count = count.map(|count| count as u64);
                count.map(Turns::Times).ok_or_else(|| {
                    let message =
                        format!("times `{value}` is not allowed (a whole number from 0 to {TURNS})");
                    let of_number = Some(template).filter(|_| !value.is_number());
                    wrong(template, message).of_type(of_number, &value)
                })
            }
            Self::While(_) | Self::Until(_) => Ok(Turns::Open),
        }
    }
}

/// A number that a double cannot store exactly becomes a text.
pub(super) fn keep_long_number(value: &mut serde_json::Value) {
    if let serde_json::Value::Number(number) = value
        && decimal::changed(number).is_some()
    {
        *value = number.to_string().into();
    }
}

/// The top-level keys of a YAML recipe that are not declarations.
pub(super) const PARTS: [&str; 3] = ["steps", "finally", "suspend_when"];

/// The declarations that are ignored in an inner recipe.
pub(super) fn ignored_inside(header: &Header) -> Vec<&'static str> {
    let given = [
        ("instrument", header.instrument.is_some()),
        ("simulator", header.simulator.is_some()),
        ("metadata", !header.metadata.is_empty()),
        ("record_power", header.record_power.is_some()),
        ("leave_lasers_on", header.leave_lasers_on),
        ("notify", header.notify.is_some()),
    ];
    given.into_iter().filter(|(_, given)| *given).map(|(key, _)| key).collect()
}
