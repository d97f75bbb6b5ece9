//! The query of the list of runs.

use chrono::Utc;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::catalogue::{Filter, GivenFilter, WrongField, WrongFilter};

/// Which page of the runs.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PageQuery {
    /// Runs on the page.
    #[schemars(range(min = 1, max = 500))]
    #[serde(default = "page")]
    pub(crate) limit: u16,
    /// Only those before this folder: the `next` of the page before.
    pub(crate) before: Option<String>,
    /// Only runs that fulfil this condition, as in `ctp10 runs --where`: `wafer = 'W12' and verdict = 'fail'`.
    #[serde(rename = "where")]
    pub(crate) condition: Option<String>,
    /// Only runs of the recipe with this name; `*` stands for any text.
    pub(crate) name: Option<String>,
    /// Only runs of this batch.
    pub(crate) batch: Option<String>,
    /// Only runs with one of these states, separated by commas.
    pub(crate) status: Option<String>,
    /// Only runs that began since then: `2d`, `8h`, `2026-11-28` (the server's local time), or RFC 3339.
    pub(crate) since: Option<String>,
    /// Only runs that began before then. A date includes that day.
    pub(crate) until: Option<String>,
    /// Only runs with one of these verdicts, separated by commas: `pass`, `marginal`, `not measured`, `fail`.
    pub(crate) verdict: Option<String>,
    /// Only runs in which all these words occur: in the names of recipe, folder and batch, in the reason, in a parameter
    /// or in the metadata.
    pub(crate) text: Option<String>,
}

fn page() -> u16 {
    50
}

impl PageQuery {
    /// Which runs are wanted, or the parameter that is wrong and the reason.
    pub(crate) fn filter(&self) -> Result<Filter, (&'static str, String)> {
        let given = GivenFilter {
            condition: self.condition.clone(),
            name: self.name.clone(),
            batch: self.batch.clone(),
            status: self.status.clone(),
            verdict: self.verdict.clone(),
            since: self.since.clone(),
            until: self.until.clone(),
            text: self.text.clone(),
        };
        given.read("where", Utc::now()).map_err(|WrongFilter { field, why }| match why {
            WrongField::Condition(wrong) => (field, wrong.render(false)),
            WrongField::Value(why) => (field, why),
        })
    }
}
