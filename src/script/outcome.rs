//! The result of an operation in recipes: `steps.<id>` in YAML, the return value of a function in a script.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rhai::Dynamic;
use serde_json::{Map, Value, json};

use super::bounded_figure::plain;
use super::host::HostSlot;
use super::trace::Trace;
use super::values::to_dynamic;
use crate::analysis::registry;
use crate::decode;
use crate::measurement::TraceSummary;
use crate::operation::{AnalyzeFields, Exchange, Operation, Parse, ResultKind};
use crate::step::{AnalysisOutcome, Outcome};

/// The result as a map. It always has `failed`; the other fields depend on the operation:
///
/// - settings: each under its field name, as read from the instrument;
/// - a reference: `created`;
/// - traces: `traces`, and for a single trace also its own fields (`min.nm`, `max.value`, `mean`, `file`, …);
/// - an analysis: each figure under its name, `verdict`, `all` (each figure as a list) and `figures` (with units and
///   places);
/// - power: `readings`, and for a single reading also its `value` and `unit`;
/// - an alignment: `power_dbm`, `needed_dbm`, `good` and `attempts`;
/// - an answer: `answer`; a reply: `reply`, `value` and `values` of the numbers in it, and `status` of an HTTP reply;
/// - a failure after which the recipe continues: `kind` and `message`.
#[must_use]
pub fn view(outcome: &Outcome) -> Value {
    let mut view = Map::new();
    match outcome {
        Outcome::Done => {}
        Outcome::Failed(fault) => {
            view.insert("kind".into(), json!(fault.kind));
            view.insert("message".into(), json!(fault.message));
        }
        Outcome::Settings(settings) => view.extend(settings.clone()),
        Outcome::Reference { created } => drop(view.insert("created".into(), json!(created))),
        Outcome::Traces(traces) => {
            if let [only] = traces.as_slice()
                && let Value::Object(fields) = trace(only)
            {
                view.extend(fields);
            }
            view.insert("traces".into(), traces.iter().map(trace).collect());
        }
        Outcome::Analysis(analysis) => view.extend(figures(analysis)),
        Outcome::Power(readings) => {
            if let [only] = readings.as_slice() {
                view.insert("value".into(), json!(only.value));
                view.insert("unit".into(), json!(only.unit));
            }
            view.insert("readings".into(), json!(readings));
        }
        Outcome::Alignment(found) => {
            view.insert("power_dbm".into(), json!(found.power_dbm));
            view.insert("needed_dbm".into(), json!(found.needed_dbm));
            view.insert("good".into(), json!(found.good));
            view.insert("attempts".into(), json!(found.attempts));
        }
        Outcome::Answer(answer) => drop(view.insert("answer".into(), json!(answer))),
        Outcome::Reply(reply) => {
            view.insert("reply".into(), json!(reply));
            view.insert("value".into(), json!(reply));
        }
        Outcome::Number(value) => {
            view.insert("value".into(), json!(value));
            view.insert("values".into(), json!([value]));
        }
        Outcome::Numbers(values) => drop(view.insert("values".into(), json!(values))),
        Outcome::Http { status, reply } => {
            view.insert("status".into(), json!(status));
            view.insert("reply".into(), reply.clone());
        }
    }
    view.insert("failed".into(), json!(matches!(outcome, Outcome::Failed(_))));
    Value::Object(view)
}

/// The fields of the result of a step.
#[derive(Debug, Clone, Default)]
pub struct ResultFields {
    /// Their names.
    pub names: BTreeSet<String>,
    /// Whether the result may also have any figure of merit, because the names of its figures are not known yet.
    pub any_figure: bool,
}

impl ResultFields {
    /// Whether the result can have this field.
    #[must_use]
    pub fn contains(&self, field: &str) -> bool {
        self.names.contains(field) || self.any_figure && registry::find(field).is_some()
    }
}

/// The fields that [`view`] can return for the operation `name`. `operation`: its fields, if all are known.
#[must_use]
pub fn fields(name: &str, operation: Option<&Operation>) -> ResultFields {
    let any_figure = operation.is_none() && Operation::result_kind(name) == Some(ResultKind::Analysis);
    let mut fields: Vec<String> = vec!["failed".to_owned()];
    let mut add = |names: &[&str]| fields.extend(names.iter().map(|name| (*name).to_owned()));
    let traits = operation.map(Operation::traits);
    match Operation::result_kind(name).unwrap_or(ResultKind::Nothing) {
        ResultKind::Nothing => {}
        ResultKind::Settings => fields.extend(Operation::field_names(name)),
        ResultKind::Reference => add(&["created"]),
        ResultKind::Answer => add(&["answer"]),
        ResultKind::Alignment => add(&["power_dbm", "needed_dbm", "good", "attempts"]),
        ResultKind::Analysis => {
            let analysis = traits.and_then(|traits| traits.analysis);
            add(&["figures", "all"]);
            add(if analysis.is_none_or(AnalyzeFields::has_limits) { &["verdict"] } else { &[] });
            fields.extend(analysis.map(AnalyzeFields::names).unwrap_or_default());
        }
        ResultKind::Http => add(&["status", "reply"]),
        ResultKind::Reply => {
            let line = traits.and_then(|traits| traits.line);
            add(match line.map(|scpi| (scpi.is_query, scpi.parse)) {
                Some((false, _)) => &[],
                Some((true, Parse::Text)) => &["reply", "value"],
                Some((true, Parse::Number)) => &["value", "values"],
                Some((true, Parse::Numbers)) => &["values"],
                None => &["reply", "value", "values"],
            });
        }
        ResultKind::Power => {
            let several = traits.is_some_and(|traits| match traits.exchange {
                Exchange::Readings(samples) => traits.detectors.len() * samples as usize != 1,
                Exchange::Nothing
                | Exchange::Commands
                | Exchange::Values
                | Exchange::WatchesPower
                | Exchange::JudgesPower
                | Exchange::Traces => false,
            });
            add(if several { &["readings"] } else { &["readings", "value", "unit"] });
        }
        ResultKind::Traces => {
            let fetch = traits.and_then(|traits| traits.fetch());
            add(&["traces"]);
            if fetch.is_none_or(|fetch| fetch.detectors.len() * fetch.traces.len() == 1) {
                add(&["stop_nm", "seam_step_db"]);
                fields.extend(decode::fields::<TraceSummary>());
            }
        }
    }
    ResultFields { names: fields.into_iter().collect(), any_figure }
}

/// The figures by name. A name that several traces have stands for the first trace, and a name that several lines have
/// for the strongest line.
fn figures(analysis: &AnalysisOutcome) -> Map<String, Value> {
    let mut all: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for (_, figure) in analysis.all_figures() {
        all.entry(&figure.name).or_default().push(plain(figure));
    }
    let value = |name: &str| {
        let of_trace = analysis.traces.iter().find_map(|trace| trace.representative(name));
        let figure = of_trace.or_else(|| analysis.figures.iter().find(|figure| figure.name == name));
        figure.map_or(Value::Null, plain)
    };
    let mut view: Map<String, Value> = all.keys().map(|name| ((*name).to_owned(), value(name))).collect();
    let listed = analysis.all_figures().map(|(trace, figure)| {
        let mut listed = json!(figure);
        if let Some(trace) = trace {
            listed["trace_index"] = json!(trace.trace_index);
            listed["detector"] = json!(trace.detector);
        }
        listed
    });
    view.insert("figures".into(), listed.collect());
    view.insert("all".into(), json!(all));
    view.insert("verdict".into(), json!(analysis.verdict));
    view
}

fn trace(summary: &TraceSummary) -> Value {
    let mut fields = json!(summary);
    fields["stop_nm"] = json!(summary.grid.stop_nm());
    fields["seam_step_db"] = json!(summary.seam_step_db());
    fields
}

/// The result as the return value of a function. `decides`: whether the value may influence the script.
pub(super) fn returned(outcome: Outcome, decides: bool, host: &Arc<HostSlot>) -> Result<Dynamic, String> {
    // The host cannot see how numbers and texts are used later, so it is informed now.
    let leaves = matches!(
        outcome,
        Outcome::Power(_)
            | Outcome::Alignment(_)
            | Outcome::Reply(_)
            | Outcome::Number(_)
            | Outcome::Numbers(_)
            | Outcome::Answer(_)
            | Outcome::Analysis(_)
            | Outcome::Http { .. }
    );
    if decides && leaves {
        host.uses_measurement();
    }
    Ok(match outcome {
        Outcome::Done => Dynamic::UNIT,
        Outcome::Traces(traces) => {
            one_or_array(traces.into_iter().map(|trace| Dynamic::from(Trace::whole(trace, host))))
        }
        Outcome::Power(readings) => {
            one_or_array(readings.into_iter().map(|r| r.value.map_or(Dynamic::UNIT, Dynamic::from)))
        }
        Outcome::Answer(text) | Outcome::Reply(text) => text.into(),
        Outcome::Number(value) => value.into(),
        Outcome::Numbers(values) => Dynamic::from_array(values.into_iter().map(Dynamic::from).collect()),
        told @ (Outcome::Failed(_)
        | Outcome::Settings(_)
        | Outcome::Reference { .. }
        | Outcome::Analysis(_)
        | Outcome::Alignment(_)
        | Outcome::Http { .. }) => to_dynamic(&view(&told)),
    })
}

fn one_or_array(values: impl ExactSizeIterator<Item = Dynamic>) -> Dynamic {
    let several = values.len() != 1;
    let mut values: Vec<Dynamic> = values.collect();
    match values.pop() {
        Some(only) if !several => only,
        last => {
            values.extend(last);
            Dynamic::from_array(values)
        }
    }
}
