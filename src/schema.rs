//! The recipe language as a JSON Schema for editors, and as a reference for people. Both are generated from the types
//! that recipes are decoded into, so that they cannot contradict the program.

mod readable;
mod reference;
mod suspension;

use schemars::{JsonSchema, schema_for};
use serde_json::{Map, Value, json};

use crate::declarations::Header;
use crate::operation::{Operation, ShortForm};
use crate::simulator::SimulatorOptions;
use crate::step::StepOptions;

pub(crate) use readable::readable;
pub use reference::reference;

/// Definitions that several places of the schema use.
type Definitions = Map<String, Value>;

/// JSON Schema (draft 2020-12) of a YAML recipe.
#[must_use]
pub fn recipe() -> Value {
    readable(from_types())
}

/// The schema as the types give it.
fn from_types() -> Value {
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
        let mut schema = operation(name, schema.as_value(), &options, &mut definitions);
        if name == "align" {
            let about = schema["properties"]["steps"]["description"].clone();
            schema["properties"]["steps"] = described(&steps, about.as_str().unwrap_or_default());
        }
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
    match Operation::short_form(name) {
        ShortForm::None => map,
        ShortForm::Empty => json!({ "anyOf": [map, { "type": "null" }] }),
        ShortForm::Text(_) => json!({ "anyOf": [map, { "type": "string" }] }),
        // An expression that gives the number is a text.
        ShortForm::Number(_) => json!({ "anyOf": [map, { "type": ["number", "string"] }] }),
    }
}

/// A map with exactly one key: an operation or a structure.
fn step() -> Value {
    let names = Operation::NAMES.iter().copied().chain(STRUCTURE.iter().map(|(name, ..)| *name));
    let one: Map<String, Value> =
        names.map(|name| (name.into(), json!({ "$ref": format!("#/$defs/{name}") }))).collect();
    let map = json!({ "type": "object", "properties": one, "minProperties": 1, "maxProperties": 1, "additionalProperties": false });
    let alone = Operation::NAMES.iter().filter(|name| Operation::short_form(name) == ShortForm::Empty);
    let forms: Vec<Value> = std::iter::once(map).chain(alone.map(|name| json!({ "const": name }))).collect();
    json!({ "anyOf": forms })
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
         a grid (`from`, `to` inclusive, `step`). Other loops run a number of `times`, or `while` an expression is true. Loops with `until` \
         end after the turn in which an expression is true or a time of day is reached. The \
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
                    "for": { "type": "string" }, "in": { "type": ["array", "string"] }, "in_csv": { "type": "string" },
                    "golden": map(json!({ "every": { "type": "integer", "minimum": 1 } }), &["every"]), "from": value, "to": value,
                    "step": value, "times": { "type": ["integer", "string"] }, "while": { "type": ["string", "boolean"] }, "until": { "type": ["string", "boolean"] },
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
    fn no_choice_is_left_to_guessing() {
        let text = recipe().to_string();
        assert!(
            !text.contains("\"oneOf\"") && !text.contains("\"anyOf\""),
            "an editor could not say what is wrong"
        );
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
