//! Requests and replies of the runs half.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::analysis::verdict::Verdict;
use crate::measurement::TraceSummary;
use crate::run::state::outline::key;
use crate::run::state::status::{Highlight, Question, RunStatus};
use crate::run::state::tree::TreeNode;
use crate::session::PauseState;
use crate::store::VerdictSummary;
use crate::store::runs::FoundRun;

/// What to run.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub(crate) struct RunBody {
    /// The path of one of the recipes that `/recipes` lists.
    pub(crate) path: Option<String>,
    /// Or the recipe's text.
    pub(crate) recipe: Option<String>,
    /// What the text is: `yaml` or `rhai`.
    pub(crate) format: Option<String>,
    /// Values for its parameters.
    pub(crate) parameters: Option<BTreeMap<String, Value>>,
    /// Added to its metadata.
    pub(crate) metadata: Option<BTreeMap<String, Value>>,
    /// No operator is asked: each prompt takes its `unattended` answer.
    pub(crate) unattended: Option<bool>,
    /// An operator is present, and the client will follow the run's events with `attend=true` immediately.
    pub(crate) attend: Option<bool>,
    /// The instrument that the client expects, as `/instrument` names it; another one is refused. The recipe's own
    /// `instrument` is then not compared.
    pub(crate) instrument: Option<String>,
}

/// Which page of a run's traces.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(crate) struct TracesQuery {
    /// Traces on the page.
    #[schemars(range(min = 1, max = 1000))]
    #[serde(default = "page")]
    pub(crate) limit: u16,
    /// Only those after this trace: the `next` of the page before.
    pub(crate) after: Option<u32>,
}

/// Which run.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(crate) struct RunPath {
    /// The run: its identifier, the first characters of it, the name of a recipe (its newest run), or `last`.
    pub(crate) id: String,
}

/// Which trace of which run.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(crate) struct TracePath {
    /// The run: its identifier, the first characters of it, the name of a recipe (its newest run), or `last`.
    pub(crate) id: String,
    /// The trace's number, and the format after a point where `Accept` does not say it: `3`, `3.csv`.
    pub(crate) trace: String,
}

/// How to stop.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
pub(crate) struct AbortQuery {
    /// Leave `finally` out.
    #[serde(default)]
    pub(crate) now: bool,
}

/// From where events are wanted.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
pub(crate) struct EventsQuery {
    /// The last event that is known already.
    pub(crate) after: Option<u32>,
    /// An operator is present to answer questions while the stream is open.
    #[serde(default)]
    pub(crate) attend: bool,
}

/// The answer to the open question.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(crate) struct AnswerBody {
    /// The answer.
    pub(crate) answer: String,
}

/// A window of a trace.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(crate) struct ViewQuery {
    /// From this wavelength, nm; the trace's first when left out.
    pub(crate) from_nm: Option<f64>,
    /// To this wavelength, nm; the trace's last when left out.
    pub(crate) to_nm: Option<f64>,
    /// Pieces at the most.
    #[schemars(range(min = 1, max = 20_000))]
    #[serde(default = "page")]
    pub(crate) points: u16,
}

/// Traces on a page, and pieces of a view.
fn page() -> u16 {
    1000
}

/// A run in the list.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct RunReply {
    run: String,
    name: String,
    folder: String,
    status: String,
    reason: Option<String>,
    started: DateTime<Utc>,
    finished: Option<DateTime<Utc>>,
    traces: Option<u64>,
    /// The worst verdict on figures; null without limits, and before the end of the run.
    verdict: Option<Verdict>,
    /// How many analyses and devices have each verdict.
    verdicts: Option<VerdictSummary>,
    simulated: bool,
    instrument: String,
    recipe: String,
}

impl From<&FoundRun> for RunReply {
    fn from(found: &FoundRun) -> Self {
        let manifest = &found.manifest;
        Self {
            run: manifest.run.clone(),
            name: manifest.name.clone(),
            folder: found.folder.display().to_string(),
            status: manifest.status.to_string(),
            reason: manifest.reason.clone(),
            started: manifest.started,
            finished: manifest.finished,
            traces: manifest.traces,
            verdict: manifest.verdict,
            verdicts: manifest.verdicts,
            simulated: manifest.instrument.simulated,
            instrument: manifest.instrument.address.clone(),
            recipe: manifest.recipe.path.clone(),
        }
    }
}

/// A page of runs.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct RunsReply {
    pub(crate) runs: Vec<RunReply>,
    /// The `before` of the next page; null on the last.
    pub(crate) next: Option<String>,
}

/// What a run is doing.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct CurrentReply {
    number: u64,
    attempt: u32,
    /// Where it stands in the tree.
    key: String,
    text: String,
    /// The step in words, for people.
    words: String,
    /// The turns of the loops around it, for people: `device=ring_3`.
    turns: Vec<String>,
    activity: Option<Value>,
    /// 0 to 1.
    done: Option<f64>,
    /// s.
    remaining_s: Option<f64>,
}

/// A run as far as it has come.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct StatusReply {
    run: String,
    name: String,
    folder: String,
    /// `running`, `done`, `failed`, `aborted` or `interrupted`.
    state: String,
    reason: Option<String>,
    /// The worst verdict on figures so far; null without limits.
    verdict: Option<Verdict>,
    /// How many analyses and devices have each verdict so far.
    verdicts: Option<VerdictSummary>,
    simulated: bool,
    instrument: Value,
    /// The names of the detectors in the recipe, by `module/channel`.
    detectors: BTreeMap<String, String>,
    /// Operations foreseen.
    operations: Option<u64>,
    finished_steps: u64,
    failed_steps: u64,
    retries: u64,
    /// How often the run was resumed after an interruption.
    taken_up: u64,
    traces: u64,
    /// The number of the last event.
    events: u64,
    /// Time foreseen, s.
    estimated_s: Option<f64>,
    /// Time left, s.
    remaining_s: Option<f64>,
    started: Option<DateTime<Utc>>,
    finished: Option<DateTime<Utc>>,
    /// How long the run has lasted, s. The time between a stop and its resume does not count.
    elapsed_s: Option<f64>,
    pause: Option<PauseState>,
    /// What it waits for, when it is not a person.
    waiting: Option<String>,
    question: Option<Question>,
    current: Option<CurrentReply>,
    tree: Vec<TreeNode>,
    warnings: Vec<String>,
    lasers_unknown: Vec<u8>,
    /// Named instruments that could not be confirmed safe at the end.
    instruments_unknown: Vec<String>,
    /// What the watchdog did after the process of the run was gone, one line for each action.
    pub(crate) guard: Vec<String>,
    /// Lines of the journal that cannot be understood: what they say is missing here.
    pub(crate) unreadable_lines: u64,
    highest_tf: Option<Highlight>,
    deepest_tf: Option<Highlight>,
    /// What stands out in its transmissions, for people.
    highlights: Vec<HighlightReply>,
}

/// A run that has begun.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct BegunReply {
    #[serde(flatten)]
    pub(crate) status: StatusReply,
    /// The warnings about its recipe.
    pub(crate) findings: Vec<Value>,
}

/// What stands out in the transmissions of a run, for people.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct HighlightReply {
    name: &'static str,
    text: String,
}

impl StatusReply {
    /// `state` is the state in the run folder, for a run whose events have no end.
    pub(crate) fn new(status: &RunStatus, state: String, pause: Option<PauseState>) -> Self {
        let lasts = status.finished.is_some() || state == "running";
        let elapsed = status.elapsed_s(Utc::now()).filter(|_| lasts);
        Self {
            run: status.run.clone(),
            name: status.name.clone(),
            folder: status.folder.clone(),
            reason: status.reason.clone(),
            verdict: status.verdicts.worst(),
            verdicts: status.verdicts.worst().map(|_| status.verdicts.summary()),
            simulated: status.instrument.as_ref().is_some_and(|instrument| instrument.simulated),
            instrument: serde_json::json!(status.instrument),
            detectors: status
                .around
                .detectors
                .iter()
                .map(|(at, name)| (at.to_string(), name.clone()))
                .collect(),
            operations: status.operations,
            finished_steps: status.finished_steps,
            failed_steps: status.failed_steps,
            retries: status.retries,
            taken_up: status.taken_up,
            traces: status.traces,
            events: status.events,
            estimated_s: status.estimated_s,
            remaining_s: status.remaining_s().filter(|_| state == "running"),
            started: status.started,
            finished: status.finished,
            elapsed_s: elapsed,
            pause,
            waiting: status.waiting.clone(),
            question: status.question.clone(),
            current: status.current.as_ref().map(|current| CurrentReply {
                number: current.number,
                attempt: current.attempt,
                key: key(&current.step).into_owned(),
                text: format!("{}{}", current.step.place.turns(), current.step.operation),
                words: current.step.operation.words(&status.around),
                turns: current.step.place.shown_turns(),
                activity: current.activity.map(|activity| serde_json::json!(activity)),
                done: current.done,
                remaining_s: current.remaining_s,
            }),
            tree: status.tree.nested(),
            warnings: status.warnings.iter().cloned().collect(),
            lasers_unknown: status.lasers_unknown.clone(),
            instruments_unknown: status.instruments_unknown.clone(),
            guard: Vec::new(),
            unreadable_lines: 0,
            highest_tf: status.highest_tf,
            deepest_tf: status.deepest_tf,
            highlights: status
                .highlights()
                .into_iter()
                .map(|(name, text)| HighlightReply { name, text })
                .collect(),
            state,
        }
    }
}

/// Traces of a run, in order.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct TracesReply {
    pub(crate) traces: Vec<TraceSummary>,
    /// The `after` of the next page; null on the last.
    pub(crate) next: Option<u64>,
}

/// A window of a trace.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ViewReply {
    pub(crate) trace_index: u64,
    /// `dB` or `dBm`.
    pub(crate) unit: String,
    /// Points within the window.
    pub(crate) points: u64,
    pub(crate) from_nm: f64,
    pub(crate) to_nm: f64,
    #[serde(flatten)]
    pub(crate) envelope: crate::store::Envelope,
}

/// What an emergency stop did.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct OffReply {
    /// Whether the instrument is idle.
    pub(crate) aborted: bool,
    pub(crate) lasers_off: Vec<u8>,
    /// Could not be confirmed off.
    pub(crate) lasers_unknown: Vec<u8>,
    /// Named instruments that are confirmed safe.
    #[serde(default)]
    pub(crate) instruments_safe: Vec<String>,
    /// Named instruments that could not be confirmed safe.
    #[serde(default)]
    pub(crate) instruments_unknown: Vec<String>,
    /// The run that was ended.
    pub(crate) run: Option<String>,
}

/// What was found in a recipe.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct CheckReply {
    pub(crate) errors: usize,
    pub(crate) warnings: usize,
    pub(crate) findings: Vec<Value>,
}

/// The recipes that may be run by their path.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct RecipesReply {
    pub(crate) recipes: Vec<RecipeReply>,
}

/// One of them.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct RecipeReply {
    pub(crate) path: String,
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    /// Each with `default`, `min`, `max`, `choices`, `unit`, `description`.
    pub(crate) parameters: Value,
    /// Why it cannot be run.
    pub(crate) error: Option<String>,
}

/// Which recipe.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(crate) struct RecipePathQuery {
    /// Its path, as `/recipes` lists it.
    pub(crate) path: String,
}

/// A recipe's text.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct RecipeTextReply {
    pub(crate) path: String,
    pub(crate) text: String,
}
