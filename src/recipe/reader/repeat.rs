//! The loops of a recipe.

use super::Reader;
use crate::operation::time_of_day;
use crate::recipe::document::Node;
use crate::recipe::program::{Action, LoopSource, Until};
use crate::recipe::structure::Fields;

/// The rule for the loops without values.
const NO_VARIABLE: &str =
    "`times`, `while` and `until` have no variable: `for` is only allowed with `in`, `in_csv` or `from`";

impl Reader<'_> {
    pub(super) fn repeat(&mut self, node: &Node, path: &str) -> Option<Action> {
        const KINDS: [&str; 6] = ["in", "in_csv", "from", "times", "while", "until"];
        let all = ["for", "in", "in_csv", "golden", "from", "to", "step", "times", "while", "until", "steps"];
        let fields = Fields::read(self, "repeat", node, &all)?;
        let kinds: Vec<&str> = KINDS.into_iter().filter(|kind| fields.get(kind).is_some()).collect();
        let over = match kinds.as_slice() {
            ["in"] => fields.template(self, "in").map(LoopSource::In),
            ["in_csv"] => self.rows(&fields),
            ["times"] => fields.template(self, "times").map(LoopSource::Times),
            ["while"] => {
                let condition = fields.expression(self, "while");
                self.flag("while", condition.as_ref());
                condition.map(LoopSource::While)
            }
            // The condition may use the results of the steps inside, so it is read after them.
            ["until"] => self.time_of_until(&fields),
            ["from"] => {
                let [from, to] = ["from", "to"].map(|part| fields.require(self, part));
                let step = match fields.get("step") {
                    Some(_) => fields.template(self, "step").map(Some),
                    None => Some(None),
                };
                match (from, to, step) {
                    (Some(from), Some(to), Some(step)) => Some(LoopSource::Grid(Box::new((from, to, step)))),
                    _ => None,
                }
            }
            _ => {
                let given =
                    if kinds.is_empty() { "none".to_owned() } else { format!("`{}`", kinds.join("`, `")) };
                let message =
                    format!("`repeat` needs exactly one of `{}`, but has {given}", KINDS.join("`, `"));
                self.report(fields.at, message);
                None
            }
        };
        if let (Some(from), [kind]) = (fields.get("to").or(fields.get("step")), kinds.as_slice())
            && *kind != "from"
        {
            self.report(from.at, format!("`to` and `step` belong to `from`, not to `{kind}`"));
        }
        if let Some(golden) = fields.get("golden").filter(|_| kinds.as_slice() != ["in_csv"]) {
            self.report(golden.at, "`golden` belongs to `in_csv`: the table has the column `golden`");
        }
        if let (["until"], Some(name), None) = (kinds.as_slice(), fields.get("for"), &over) {
            self.report(name.at, NO_VARIABLE);
            return None;
        }
        let variable = self.loop_variable(&fields, over.as_ref())?;
        if let Some(over) = &over {
            self.count_turns(over);
        }
        let inner = fields.get("steps");
        if inner.is_none() {
            self.report(fields.at, "`repeat` has no `steps`");
        }
        let columns = match &over {
            Some(LoopSource::Rows(table)) => table.columns.as_slice(),
            _ => &[],
        };
        self.scope.enter_loop(&variable, columns);
        self.loops += 1;
        let steps = inner.map(|inner| self.steps(inner, &format!("{path}.steps")));
        let ending = match kinds.as_slice() {
            ["until"] if over.is_none() => self.condition_of_until(&fields),
            _ => None,
        };
        self.loops -= 1;
        self.scope.leave_loop(columns);
        Some(Action::Repeat { variable, over: over.or(ending)?, steps: steps? })
    }

    /// The time of day of `until: "06:00"`; nothing if it is a condition.
    fn time_of_until(&mut self, fields: &Fields) -> Option<LoopSource> {
        let node = fields.get("until")?;
        let text = node.text()?.trim();
        let is_time = text.contains(':') && text.chars().all(|c| c.is_ascii_digit() || c == ':');
        if is_time && time_of_day(text).is_none() {
            self.report(node.at, format!("`{text}` is not a time of day: write `\"22:00\"`"));
        }
        is_time.then(|| LoopSource::Until(Until::Time(text.to_owned())))
    }

    fn condition_of_until(&mut self, fields: &Fields) -> Option<LoopSource> {
        let condition = fields.expression(self, "until")?;
        self.flag("until", Some(&condition));
        Some(LoopSource::Until(Until::Condition(condition)))
    }

    fn loop_variable(&mut self, fields: &Fields, over: Option<&LoopSource>) -> Option<String> {
        let name = fields.get("for");
        match (name, over) {
            (Some(name), Some(LoopSource::Times(_) | LoopSource::While(_) | LoopSource::Until(_))) => {
                self.report(name.at, NO_VARIABLE);
                None
            }
            (Some(name), _) => match name.text().map(str::to_owned) {
                Some(text) => match self.scope.check_loop(&text) {
                    Ok(()) => Some(text),
                    Err(message) => {
                        self.report(name.at, message);
                        None
                    }
                },
                None => {
                    self.report(
                        name.at,
                        format!("`for` must be the name of a variable, not {}", name.describe()),
                    );
                    None
                }
            },
            (None, Some(LoopSource::In(_) | LoopSource::Rows(_) | LoopSource::Grid(_))) => {
                self.report(fields.at, "`repeat` has no `for`, the name of its variable");
                None
            }
            (None, _) => Some(String::new()),
        }
    }
}
