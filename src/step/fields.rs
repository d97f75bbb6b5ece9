//! Reads the map of one step as a recipe writes it: the operation's fields and the step's options in one, with
//! detectors by name. YAML and Rhai both end here, so that a mistake reads the same in both.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::StepOptions;
use crate::decode::{self, ReadError};
use crate::measurement::{Detector, TRACE_COLUMNS};
use crate::operation::{AnalyzeFields, Lasers, Operation, Question};

/// Reads the fields and options of the operation called `name`; `detectors` are those of the recipe's header.
///
/// # Errors
/// The first field that is unknown, missing, empty, of the wrong type or out of range; fields that contradict
/// each other.
pub fn read(
    name: &str,
    fields: &Value,
    detectors: &BTreeMap<String, Detector>,
) -> Result<(Operation, StepOptions), ReadError> {
    let mut fields = fields.clone();
    let mut options = Map::new();
    let short = Operation::short_form(name).takes(&fields);
    if !short && !fields.is_object() && Operation::NAMES.contains(&name) {
        let given = if fields.is_null() { "nothing".to_owned() } else { format!("`{fields}`") };
        let error = ReadError::new(format!("`{name}` needs a map of its fields, not {given}"));
        return Err(ReadError { hint: as_map(name, &fields), wrong_type: true, ..error });
    }
    if let Value::Object(map) = &mut fields {
        no_empty_field(map)?;
        for option in StepOptions::NAMES {
            options.extend(map.remove_entry(option));
        }
        resolve_detectors(&mut fields, detectors)?;
    }
    let operation =
        Operation::read(name, &fields).map_err(|error| blame_field(mention_options(error), &fields))?;
    contradiction(&operation)?;
    Ok((operation, decode::from_value(&Value::Object(options))?))
}

/// The map that was probably meant by a single value.
fn as_map(name: &str, value: &Value) -> Option<String> {
    match name {
        "wait" => {
            let text = value.as_str()?;
            let duration =
                decode::number_and_unit(text).and_then(|(number, unit)| decode::seconds(number, unit));
            let time = || text.contains(':').then(|| format!("write `wait: {{ at: {value} }}`"));
            duration.map(|seconds| format!("write `wait: {{ seconds: {seconds} }}`")).or_else(time)
        }
        "prompt" => value.is_string().then(|| format!("write `prompt: {{ message: {value} }}`")),
        _ => None,
    }
}

/// Puts `module/channel` in place of each detector name: in `detector`, in `detectors`, and within `stable` and `check`.
///
/// # Errors
/// A text that is neither a detector nor a name given under `detectors`.
pub fn resolve_detectors(fields: &mut Value, names: &BTreeMap<String, Detector>) -> Result<(), ReadError> {
    let Value::Object(map) = fields else { return Ok(()) };
    for (key, value) in map.iter_mut() {
        let resolved = match (key.as_str(), &mut *value) {
            ("detector", one) => resolve(one, names),
            ("detectors", Value::Array(many)) => many
                .iter_mut()
                .enumerate()
                .try_for_each(|(index, one)| resolve(one, names).map_err(|e| e.under(&[index.to_string()]))),
            ("stable" | "check", inner) => resolve_detectors(inner, names),
            _ => Ok(()),
        };
        resolved.map_err(|error| error.under(std::slice::from_ref(key)))?;
    }
    Ok(())
}

fn resolve(value: &mut Value, names: &BTreeMap<String, Detector>) -> Result<(), ReadError> {
    // Other values, and texts like module/channel, are left to the reader of the type, which has its own messages.
    let Value::String(text) = value else { return Ok(()) };
    if let Some(detector) = names.get(text) {
        *value = Value::String(detector.to_string());
    } else if !text.contains('/') {
        let hint = match decode::nearest(text, names.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write module/channel, for example 4/1, or give the name under `detectors`".to_owned(),
        };
        let error = ReadError::new(format!("detector `{text}` is not defined"));
        return Err(ReadError { hint: Some(hint), ..error });
    }
    Ok(())
}

/// Refuses a field without a value. It is a mistake (an expression without a result, an unfinished line) and never
/// means "unchanged".
fn no_empty_field(map: &Map<String, Value>) -> Result<(), ReadError> {
    match map.iter().find(|(_, value)| value.is_null()) {
        Some((key, _)) => Err(ReadError {
            hint: Some("give it a value, or remove the field".to_owned()),
            ..ReadError::new(format!("`{key}` has no value"))
        }
        .under(std::slice::from_ref(key))),
        None => Ok(()),
    }
}

/// An unknown field may be a misspelt option.
fn mention_options(error: ReadError) -> ReadError {
    let field = error.path.last().filter(|_| error.at_key && error.path.len() == 1);
    match field.and_then(|field| decode::nearest(field, StepOptions::NAMES)) {
        Some(option) if error.hint.as_ref().is_none_or(|hint| hint.starts_with("allowed")) => {
            ReadError { hint: Some(format!("did you mean `{option}`?")), ..error }
        }
        _ => error,
    }
}

/// Adds the path to an error about the whole map. Its message begins with the field or with its value.
fn blame_field(error: ReadError, fields: &Value) -> ReadError {
    let (true, Value::Object(map)) = (error.path.is_empty(), fields) else { return error };
    let begins = |word: &str| error.message.split(' ').next() == Some(word);
    let quoted =
        |value: &Value| value.as_str().is_some_and(|text| error.message.starts_with(&format!("`{text}` ")));
    let field = map.iter().find(|(key, value)| begins(key) || quoted(value)).map(|(key, _)| key.clone());
    field.map_or(error.clone(), |field| error.under(&[field]))
}

/// Two fields of one map that cannot both hold.
fn contradiction(operation: &Operation) -> Result<(), ReadError> {
    let at = |field: &str, message: String| Err(ReadError::new(message).under(&[field.to_owned()]));
    let traits = operation.traits();
    let range = match (traits.scan, traits.lasers) {
        (Some(scan), _) => (scan.start_nm.map(|nm| nm.get()), scan.stop_nm.map(|nm| nm.get())),
        (None, Lasers::Source { demand, .. }) => (demand.start_nm, demand.stop_nm),
        (None, Lasers::None | Lasers::Static { .. } | Lasers::OfScan | Lasers::Any) => (None, None),
    };
    if let (Some(start), Some(stop)) = range
        && start >= stop
    {
        return at("stop_nm", format!("stop_nm `{stop}` must be above start_nm `{start}`"));
    }
    if let Question::Prompt(prompt) = traits.question
        && let Some(answer) = &prompt.unattended
        && !prompt.choices.is_empty()
        && !prompt.choices.contains(answer)
    {
        let choices = prompt.choices.join(", ");
        return at("unattended", format!("`{answer}` is not one of the choices ({choices})"));
    }
    traits.analysis.map_or(Ok(()), AnalyzeFields::check)?;
    let mut columns = traits.fetch().into_iter().flat_map(|fetch| fetch.columns.keys());
    match columns.find(|name| TRACE_COLUMNS.contains(&name.as_str())) {
        Some(name) => Err(ReadError::new(format!("every trace file already has a column `{name}`"))
            .under(&["columns".to_owned(), name.clone()])),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn names() -> BTreeMap<String, Detector> {
        [("through".to_owned(), "4/1".parse().unwrap())].into()
    }

    #[test]
    fn options_and_fields_share_a_map_and_detectors_have_names() {
        let fields = json!({ "detectors": ["through", "4/2"], "trace": "tf", "id": "f", "timeout_s": 5 });
        let (operation, options) = read("fetch_trace", &fields, &names()).unwrap();
        assert_eq!(options.id.as_deref(), Some("f"));
        let Operation::FetchTrace(fetch) = operation else { panic!("{operation:?}") };
        assert_eq!(fetch.detectors.iter().map(ToString::to_string).collect::<Vec<_>>(), ["4/1", "4/2"]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_path() {
        for (name, fields, path, message) in [
            (
                "sweep",
                json!({ "start_nm": 1560, "stop_nm": 1550 }),
                "stop_nm",
                "must be above start_nm `1560`",
            ),
            ("configure_laser", json!({ "laser": 1, "power_dbm": null }), "power_dbm", "has no value"),
            (
                "read_power",
                json!({ "detectors": ["4/1", "trough"] }),
                "detectors.1",
                "`trough` is not defined",
            ),
            (
                "wait",
                json!({ "stable": { "detector": "through", "within_db": 1, "for_s": 9, "timeout_s": 5 } }),
                "stable",
                "is longer than",
            ),
            (
                "prompt",
                json!({ "message": "?", "choices": ["a"], "unattended": "b" }),
                "unattended",
                "not one of the choices (a)",
            ),
            (
                "fetch_trace",
                json!({ "detector": "4/1", "trace": "tf", "columns": { "module": 1 } }),
                "columns.module",
                "every trace file already has",
            ),
            ("sweep", json!({ "retry": { "times": 1, "pause_s": 1 } }), "retry.pause_s", "unknown field"),
            ("wait", json!({ "at": "25:00" }), "at", "is not a time of day"),
            ("scpi", json!({ "command": "*IDN?" }), "command", "has a reply"),
            (
                "fetch_trace",
                json!({ "detector": "4/1", "trace": "tf", "columns": { "ok": true } }),
                "columns.ok",
                "a column must be a number or a text, not `true`",
            ),
            (
                "fetch_trace",
                json!({ "detector": "4/1", "trace": "tf", "columns": { "die": 202_411_090_210_450_001_i64 } }),
                "columns.die",
                "it would become `202411090210450020`",
            ),
            ("sweep", json!({ "retyr": { "times": 1 } }), "retyr", "unknown field"),
        ] {
            let error = read(name, &fields, &names()).unwrap_err();
            assert_eq!(error.path.join("."), path);
            assert!(error.message.contains(message), "{error:?}");
        }
        let error = read("sweep", &json!({ "retyr": {} }), &names()).unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("did you mean `retry`?"));
    }
}
