//! The recipe language as a JSON Schema for editors, and as a reference for people. Both are generated from the types
//! that recipes are decoded into, so that they cannot contradict the program.

mod suspension;

use std::fmt::Write as _;

use schemars::{JsonSchema, schema_for};
use serde_json::{Map, Value, json};

use crate::header::{Header, Parameter};
use crate::measurement::TRACE_COLUMNS;
use crate::operation::Operation;
use crate::simulator::SimulatorOptions;
use crate::step::StepOptions;

/// Definitions that several places of the schema use.
type Definitions = Map<String, Value>;

/// JSON Schema (draft 2020-12) of a YAML recipe.
#[must_use]
pub fn recipe() -> Value {
    let mut definitions = Definitions::new();
    let mut properties = fields(&schema_of::<Header>(), &mut definitions, false);
    let steps = json!({ "type": "array", "items": { "$ref": "#/$defs/step" } });
    properties.insert("steps".into(), described(&steps, "The steps, in order."));
    properties.insert(
        "finally".into(),
        described(&steps, "Steps at the end of the run, also after a fault or a stop."),
    );
    properties.insert("suspend_when".into(), suspension::schema(&steps));
    let simulator = simulator(&properties["simulator"], &mut definitions);
    properties.insert("simulator".into(), simulator);
    definitions.insert("step".into(), step());
    let options = fields(&schema_of::<StepOptions>(), &mut definitions, true);
    for (name, schema) in Operation::schemas() {
        let schema = operation(name, schema.as_value(), &options, &mut definitions);
        definitions.insert(name.into(), schema);
    }
    definitions.extend(structure());
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ctp10 recipe",
        "type": "object",
        "properties": properties,
        "required": ["name", "steps"],
        "additionalProperties": false,
        "$defs": definitions,
    })
}

/// The options of the simulator, with the description of the key.
fn simulator(about: &Value, definitions: &mut Definitions) -> Value {
    let mut schema = about.clone();
    schema["type"] = "object".into();
    schema["properties"] = fields(&schema_of::<SimulatorOptions>(), definitions, false).into();
    schema["additionalProperties"] = false.into();
    schema
}

fn schema_of<T: JsonSchema>() -> Value {
    schema_for!(T).to_value()
}

fn described(schema: &Value, text: &str) -> Value {
    let mut schema = schema.clone();
    schema["description"] = text.into();
    schema
}

/// The properties of a definition; `templates` allows a `${…}` in place of each value.
fn fields(schema: &Value, definitions: &mut Definitions, templates: bool) -> Map<String, Value> {
    if let Some(Value::Object(inner)) = schema.get("$defs") {
        for (name, inner) in inner {
            let inner = if templates { allow_templates(inner) } else { inner.clone() };
            definitions.insert(name.clone(), inner);
        }
    }
    let properties = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let allow = |schema| if templates { or_template(&allow_templates(&schema)) } else { schema };
    properties.into_iter().map(|(name, schema)| (name, allow(schema))).collect()
}

/// A value, or an expression that returns it.
fn or_template(schema: &Value) -> Value {
    let mut wrapped = json!({ "anyOf": [schema, { "type": "string", "pattern": r"\$\{.*\}" }] });
    if let Some(description) = schema.get("description") {
        wrapped["description"] = description.clone();
    }
    wrapped
}

/// Expressions inside a value: in its fields and in its elements.
fn allow_templates(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for field in properties.values_mut() {
            *field = or_template(&allow_templates(field));
        }
    }
    if let Some(items) = schema.get_mut("items") {
        *items = or_template(&allow_templates(items));
    }
    schema
}

fn operation(
    name: &str,
    schema: &Value,
    options: &Map<String, Value>,
    definitions: &mut Definitions,
) -> Value {
    let mut properties = fields(schema, definitions, true);
    properties.extend(options.clone());
    let map = json!({
        "type": "object",
        "properties": properties,
        "required": schema.get("required").cloned().unwrap_or_else(|| json!([])),
        "additionalProperties": false,
    });
    match name {
        "sweep" => json!({ "anyOf": [map, { "type": "null" }] }),
        "log" => json!({ "anyOf": [map, { "type": "string" }] }),
        "wait" => json!({ "anyOf": [map, { "type": ["number", "string"] }] }),
        _ => map,
    }
}

/// A map with exactly one key: an operation or a structure.
fn step() -> Value {
    let names = Operation::NAMES.iter().copied().chain(STRUCTURE.iter().map(|(name, ..)| *name));
    let one: Map<String, Value> =
        names.map(|name| (name.into(), json!({ "$ref": format!("#/$defs/{name}") }))).collect();
    json!({
        "anyOf": [
            { "type": "object", "properties": one, "minProperties": 1, "maxProperties": 1, "additionalProperties": false },
            { "const": "sweep" },
        ],
    })
}

/// Structure steps: YAML needs them; Rhai has its own statements.
const STRUCTURE: [(&str, &str, &str); 5] = [
    (
        "set",
        "Defines variables for the expressions that follow.",
        "set: { centre_nm: \"${steps.coarse.min.nm}\" }",
    ),
    (
        "repeat",
        "Repeats `steps`. With `for`, a variable takes the values of a list (`in`), the rows of a table (`in_csv`) or the values of \
         a grid (`from`, `to` inclusive, `step`). Other loops run a number of `times`, or `while` an expression is true. The \
         variable becomes a column of the trace files.",
        "repeat: { for: power_dbm, from: -5, to: 5, step: 2.5, steps: [ … ] }",
    ),
    (
        "if",
        "Runs the steps of `then` if `condition` is true, otherwise those of `else`.",
        "if: { condition: \"${steps.p.value < -30}\", then: [ … ] }",
    ),
    (
        "script",
        "Runs a Rhai script: a path in the recipe's folder tree that ends in `.rhai`, or the text of the script.",
        "script: align.rhai",
    ),
    (
        "run_recipe",
        "Runs another recipe. `path` is a file in the recipe's folder tree, `set` gives values for its parameters.",
        "run_recipe: { path: zoom.yaml, set: { centre_nm: 1550 } }",
    ),
];

fn structure() -> Definitions {
    let steps = json!({ "type": "array", "items": { "$ref": "#/$defs/step" } });
    let map = |properties: Value, required: &[&str]| json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
    let value = json!({ "type": ["number", "string"] });
    let schemas = [
        ("set", json!({ "type": "object", "minProperties": 1 })),
        (
            "repeat",
            map(
                json!({
                    "for": { "type": "string" }, "in": { "type": ["array", "string"] }, "in_csv": { "type": "string" }, "from": value, "to": value,
                    "step": value, "times": { "type": ["integer", "string"] }, "while": { "type": ["string", "boolean"] },
                    "steps": steps,
                }),
                &["steps"],
            ),
        ),
        (
            "if",
            map(
                json!({ "condition": { "type": ["string", "boolean"] }, "then": steps, "else": steps }),
                &["condition"],
            ),
        ),
        ("script", json!({ "type": ["string", "object"] })),
        ("run_recipe", map(json!({ "path": { "type": "string" }, "set": { "type": "object" } }), &["path"])),
    ];
    let describe = |name: &str, schema: &Value| match STRUCTURE.iter().find(|(known, ..)| *known == name) {
        Some((_, text, _)) => described(schema, text),
        None => schema.clone(),
    };
    schemas.iter().map(|(name, schema)| ((*name).to_owned(), describe(name, schema))).collect()
}

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
    text.push_str(REFERENCE_HTTP);
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
`resume_when`, `ready`). There, `${` and `}` around the whole expression are optional.

Files are UTF-8, with or without a byte order mark.
";

/// The section about loops over tables.
const REFERENCE_TABLES: &str = include_str!("schema/tables.md");

/// The section about requests to other instruments.
const REFERENCE_HTTP: &str = include_str!("schema/http.md");

/// The section about the size of values and the computing time of recipes.
const REFERENCE_BOUNDS: &str = include_str!("schema/bounds.md");

const REFERENCE_TAIL: &str = "
## Results of steps

| operation | `steps.<id>.…` |
|---|---|
| `configure_…`, `sweep` | the settings as read back from the instrument, by field name |
| `create_reference` | `created`: whether a new reference was recorded |
| `fetch_trace` | `min.value`, `min.nm`, `max.value`, `max.nm`, `mean`, `points`, `file` of a single trace; `traces`: the list |
| `read_power` | `value` of a single reading; `readings`: the list |
| `prompt` | `answer` |
| `http` | `reply`, `status` |
| `scpi` | `reply` of a query |
| any | after a failure with `on_error: continue`: `failed` is true, and `message` is the error message |

## In scripts

| function | result |
|---|---|
| `fetch_trace` | a trace, or an array of traces |
| `read_power` | a number if there is one reading |
| `prompt` | the answer |
| `scpi` | the reply |
| `http` | a map of `reply` and `status` |
| `now()` | Unix time in seconds |

A trace has these functions:

| function | result |
|---|---|
| `min_db()`, `min_nm()`, `max_db()`, `max_nm()`, `mean_db()` | the levels, and the wavelengths where they are |
| `at(nm)` | the level at a wavelength, by linear interpolation |
| `slice(from_nm, to_nm)` | the part of the trace between two wavelengths |
| `bandwidth_nm(level_db)` | for `3` the width 3 dB above the minimum, for `-3` the width 3 dB below the maximum |
| `points()`, `start_nm()`, `stop_nm()`, `step_pm()` | the wavelength grid |
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

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The type and range of a field, in a few words.
fn takes(root: &Value, field: &Value) -> String {
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_committed_reference_and_schema_are_current() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let schema = serde_json::to_string_pretty(&recipe()).unwrap() + "\n";
        for (file, text) in [("docs/recipe-reference.md", reference()), ("docs/recipe.schema.json", schema)] {
            let path = root.join(file);
            if std::env::var_os("UPDATE_DOCS").is_some() {
                std::fs::write(&path, &text).unwrap();
            }
            let committed = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                committed == text,
                "`{file}` is not current: UPDATE_DOCS=1 cargo test the_committed_reference"
            );
        }
    }

    #[test]
    fn every_operation_is_in_the_reference_and_in_the_schema() {
        let (schema, reference) = (recipe(), reference());
        for name in Operation::NAMES {
            assert!(schema["$defs"][name].is_object(), "{name}");
            assert!(reference.contains(&format!("### {name}\n")), "{name}");
        }
    }
}
