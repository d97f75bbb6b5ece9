//! The reference of the recipe language, as Markdown.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{STRUCTURE, schema_of, suspension};
use crate::declarations::{Header, Parameter};
use crate::measurement::TRACE_COLUMNS;
use crate::operation::Operation;
use crate::simulator::SimulatorOptions;
use crate::step::StepOptions;

/// The reference of the recipe language, as Markdown.
#[must_use]
pub fn reference() -> String {
    let mut text = String::from(REFERENCE_HEAD);
    text.push_str("\n## Keys of a recipe\n\nYAML keys, or fields of `recipe(#{ … })` in a script.\n\n");
    table(&mut text, &schema_of::<Header>());
    text.push_str("| `steps` | list | yes | the steps, in order (YAML only) |\n");
    text.push_str("| `finally` | list | no | steps at the end of the run, also after a fault or a stop (in a script: `finally(\\|\\| …)`) |\n");
    suspension::reference(&mut text);
    text.push_str("\nA parameter (`parameters: { top_dbm: { default: 5, max: 10 } }`, or `parameter(\"top_dbm\", 5, #{ max: 10 })`) has:\n\n");
    table(&mut text, &schema_of::<Parameter>());
    text.push_str("\n`simulator` has (see `docs/instrument.md`):\n\n");
    table(&mut text, &schema_of::<SimulatorOptions>());
    text.push_str("\n## Operations\n\nIn YAML a step is a map with one key. In Rhai the same name is a function that takes a map.\n");
    for (name, schema) in Operation::schemas() {
        let schema = schema.to_value();
        let about = match name {
            "sweep" => {
                "Runs one scan and waits until the instrument is idle. The given fields are set directly before the scan."
            }
            _ => schema.get("description").and_then(Value::as_str).unwrap_or_default(),
        };
        let _ = write!(text, "\n### {name}\n\n{}\n\n", one_line(about));
        table(&mut text, &schema);
    }
    text.push_str("\n### Options of every operation\n\n");
    table(&mut text, &schema_of::<StepOptions>());
    text.push_str("\n## Structure (YAML)\n\n| step | what it does | example |\n|---|---|---|\n");
    for (name, about, example) in STRUCTURE {
        let _ = writeln!(text, "| `{name}` | {about} | `{}` |", example.replace('|', "\\|"));
    }
    text.push_str(REFERENCE_TABLES);
    text.push_str(REFERENCE_LINES);
    text.push_str(REFERENCE_HTTP);
    text.push_str(REFERENCE_ALIGN);
    text.push_str(REFERENCE_BOUNDS);
    text.push_str(REFERENCE_TAIL);
    let columns: Vec<String> = TRACE_COLUMNS.iter().map(|column| format!("`{column}`")).collect();
    let _ = writeln!(text, "{}.", columns.join(", "));
    text
}

const REFERENCE_HEAD: &str = "\
# Recipe reference

<!-- Generated from the source by `ctp10 schema --markdown`; a test keeps it current. -->

A recipe is a YAML file or a Rhai script. Both use the operations below, with the same names, fields, checks and error messages. Field
names contain the unit. `ctp10 schema` prints the language as a JSON Schema for editors.

A detector is written `module/channel` (`4/1`), or as a name that `detectors` defines.

`${…}` contains a Rhai expression. It can use parameters, loop variables, `set` names and the results of steps with an `id`
(`steps.<id>.…`). If the whole value is one `${…}`, the value keeps the type of the expression. Inside a longer text the value is printed.
In `{ flow, maps }` put it into quotes, because YAML requires this. Some fields are always an expression (`condition`, `while`,
`until`, `resume_when`, `ready`). There, `${` and `}` around the whole expression are optional.

Files are UTF-8, with or without a byte order mark.
";

/// The section about loops over tables.
const REFERENCE_TABLES: &str = include_str!("tables.md");

/// The section about requests to other instruments.
const REFERENCE_HTTP: &str = include_str!("http.md");

/// Lines of text for other instruments.
const REFERENCE_LINES: &str = include_str!("lines.md");
/// The section about alignments.
const REFERENCE_ALIGN: &str = include_str!("align.md");

/// The section about the size of values and the computing time of recipes.
const REFERENCE_BOUNDS: &str = include_str!("bounds.md");

const REFERENCE_TAIL: &str = "
## Results of steps

| operation | `steps.<id>.…` |
|---|---|
| `configure_…`, `sweep` | the settings as read back from the instrument, by field name |
| `create_reference` | `created`: whether a new reference was recorded |
| `fetch_trace` | `min.value`, `min.nm`, `max.value`, `max.nm`, `mean`, `points`, `file` of a single trace; `traces`: the list. `seam_step_db` of a single trace: the largest step in level where two lasers meet, or 0 |
| `analyze` | each figure by its name (`insertion_loss_max_db`); `verdict`; `all.<name>`: the figure as a list; `figures`: the list with units and places |
| `read_power` | `value` of a single reading; `readings`: the list |
| `align` | `power_dbm`, `needed_dbm`, `good`, `attempts` of the last look |
| `prompt` | `answer` |
| `http` | `reply`, `status` |
| `scpi` | of a query with `parse: text` `reply`, with `number` `value`, with `numbers` `values` |
| any | after a failure with `on_error: continue`: `failed` is true, and `message` is the error message |

A figure that several traces have is the one of the first trace. A figure that several dips or peaks have is the one of the line with the
highest prominence. `all.<name>` contains all of them, in the order of the traces and then of the wavelength. A figure that was not
measured has no value. `verdict` is `pass`, `marginal`, `not measured` or `fail`. `docs/figures.md` lists the names of all figures.

## The time

`now()`, `time_of_day()` and `next_time(…)` are functions of expressions and of scripts. The run records each time that it returns, so a
resumed run decides as before. A loop with `until: \"06:00\"` ends after the turn in which a clock shows this local time for the first time
since the loop began. `wait: { at: \"22:00\" }` waits for a time of day. Both accept the name of a variable that contains the time:
`until: \"${stop}\"`, `wait: { at: \"${start}\" }`. The moment is decided when the loop or the wait begins. A run that is resumed on a
computer in another time zone keeps that moment, and its recorded times keep the local time of the first process.

## Recorded power

`record_power: { detectors: [through, 4/3], interval_s: 0.5 }` records power from the begin of the run to its end. The readings of
`read_power` are stored in the same files, `power/NNNN.parquet` in the run folder. Each file has one row for each reading:

| column | content |
|---|---|
| `time` | time of the reading, UTC. The detectors of one reading have the same time |
| `detector` | name of the detector, or `module/channel` |
| `module`, `channel` | position of the detector |
| `value` | power in `unit`; empty if the detector had no finite value |
| `unit` | dBm or mW; dBmA or mA for photocurrent |
| `calibration_nm` | calibration wavelength of the detector, nm |
| `name` | `name` of the `read_power` step |
| `source` | `recorder` for `record_power`, `recipe` for `read_power` |
| `run_id`, `simulated` | as in the trace files |

The recording begins before the first step. So its first rows are dark if the recipe switches the laser on. There are no rows while a scan
runs, because the detectors cannot be read then.

## In scripts

| function | result |
|---|---|
| `fetch_trace` | a trace, or an array of traces |
| `analyze` | a map, as `steps.<id>` in YAML |
| `read_power` | a number if there is one reading |
| `align` | a map, as `steps.<id>` in YAML |
| `prompt` | the answer |
| `scpi` | the reply: a text, a number or an array of numbers, as `parse` says |
| `http` | a map of `reply` and `status` |
| `now()` | Unix time in seconds. The run records the time, so a resumed run decides as before |
| `time_of_day()` | Local time as a text: `22:05`. Texts can be compared within one day only: 00:10 is smaller than 22:00. To end or to wait at a time, use `until` or `wait: { at }` |
| `next_time(\"06:00\")` | Unix time in seconds of the next moment at which a clock shows this local time |

A trace has these functions:

| function | result |
|---|---|
| `min_db()`, `min_nm()`, `max_db()`, `max_nm()`, `mean_db()` | the levels, and the wavelengths where they are |
| `at(nm)` | the level at a wavelength, by linear interpolation |
| `slice(from_nm, to_nm)` | the part of the trace between two wavelengths |
| `bandwidth_nm(level_db)` | for `3` the width 3 dB above the minimum, for `-3` the width 3 dB below the maximum |
| `figure(name)`, `figure(name, #{ … })` | a figure of merit, for example `figure(\"q_loaded\")`; the map takes the settings of `analyze`; `()` if the figure is not measured |
| `figures(name)`, `figures(name, #{ … })` | the figures of all dips or peaks, in the order of the wavelength |
| `points()`, `start_nm()`, `stop_nm()`, `step_pm()` | the wavelength grid |
| `seam_step_db()` | the largest step in level where two lasers of the scan meet; 0 if there is none |
| `file()` | the file of the trace |

A script can catch a fault of the instrument (`try { … } catch (fault) { fault.kind … }`), but not a stop. Declarations (`recipe`,
`parameter`, `finally`) must come before the first operation. A script has no access to files, processes, `import` and `eval`, and to the
network only with `http`.

## Reserved names

Loop variables and parameters must not have the name of a trace-file column: ";

/// Rows of a table of fields.
fn table(text: &mut String, schema: &Value) {
    let properties = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    text.push_str("| field | takes | required | meaning |\n|---|---|---|---|\n");
    for (name, field) in &properties {
        let needed = if required.contains(&name.as_str()) { "yes" } else { "no" };
        let about = field.get("description").and_then(Value::as_str).unwrap_or_default();
        let _ = writeln!(
            text,
            "| `{name}` | {} | {needed} | {} |",
            takes(schema, field),
            one_line(about).replace('|', "\\|")
        );
    }
}

pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The type and range of a field, in a few words.
pub(super) fn takes(root: &Value, field: &Value) -> String {
    if let Some(name) =
        field.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix("#/$defs/"))
    {
        return root
            .get("$defs")
            .and_then(|defs| defs.get(name))
            .map_or_else(String::new, |inner| takes(root, inner));
    }
    if let Some(words) = field.get("enum").and_then(Value::as_array) {
        let words: Vec<String> =
            words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
        return words.join(", ");
    }
    if let Some(word) = field.get("const").and_then(Value::as_str) {
        return format!("`{word}`");
    }
    for several in ["anyOf", "oneOf"] {
        if let Some(choices) = field.get(several).and_then(Value::as_array) {
            let mut known: Vec<String> = choices.iter().map(|choice| takes(root, choice)).collect();
            known.retain(|choice| !choice.is_empty() && choice != "null");
            return known.join(" or ");
        }
    }
    if field.get("type") == Some(&json!("null")) {
        return "null".to_owned();
    }
    let kinds: Vec<&str> = match field.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect()
        }
        _ => vec![],
    };
    let kind = match kinds.first().copied() {
        Some("integer") => "whole number",
        Some("number") => "number",
        Some("string") => "text",
        Some("boolean") => "true or false",
        Some("array") => "list",
        Some("object") => "map",
        _ => return "any value".to_owned(),
    };
    match (field.get("minimum"), field.get("maximum")) {
        (Some(low), Some(high)) => format!("{kind}, {} to {}", plain(low), plain(high)),
        (None, Some(high)) => format!("{kind}, at most {}", plain(high)),
        _ => kind.to_owned(),
    }
}

fn plain(number: &Value) -> String {
    number.as_f64().map_or_else(|| number.to_string(), |number| number.to_string())
}
