//! Choices in a schema, written so that an editor can say what is wrong. A validator answers a failed `oneOf` or `anyOf`
//! only with "matches no schema". Here the type of a value decides which part applies, and the validator names that part.

use serde_json::{Map, Value, json};

/// The schema without `oneOf` and `anyOf`, as far as the value itself tells which choice is meant.
pub(crate) fn readable(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(fields) => {
            for inner in fields.values_mut() {
                *inner = readable(std::mem::take(inner));
            }
            let Some(choices) = ["oneOf", "anyOf"].iter().find_map(|key| fields.remove(*key)) else {
                return schema;
            };
            for (key, value) in decided(choices.as_array().map_or(&[], Vec::as_slice)) {
                // The description of a field says more than the one of its type.
                fields.entry(key).or_insert(value);
            }
        }
        Value::Array(items) => {
            for inner in items {
                *inner = readable(std::mem::take(inner));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    schema
}

/// The same choice, decided by the value.
fn decided(choices: &[Value]) -> Map<String, Value> {
    let object = |value: Value| value.as_object().cloned().unwrap_or_default();
    if let Some(words) = all(choices, |choice| choice.get("const").cloned()) {
        let about = choices.iter().map(|choice| choice["description"].as_str().unwrap_or_default());
        // Editors show these texts beside the words.
        let kind = if words.iter().all(Value::is_string) { json!("string") } else { Value::Null };
        let words =
            object(json!({ "type": kind, "enum": words, "enumDescriptions": about.collect::<Vec<_>>() }));
        return words.into_iter().filter(|(_, value)| !value.is_null()).collect();
    }
    if let [choice, other] = choices {
        if is_null(other) {
            return object(json!({ "if": { "type": "null" }, "else": choice }));
        }
        // An expression may stand for any value.
        if other.get("pattern").is_some() {
            return object(json!({ "if": other, "else": choice }));
        }
    }
    match all(choices, types) {
        Some(each) => {
            let types: Vec<&String> = each.iter().flatten().collect();
            let parts: Vec<Value> = choices
                .iter()
                .zip(&each)
                .map(|(choice, types)| json!({ "if": { "type": types }, "then": choice }))
                .collect();
            object(json!({ "type": types, "allOf": parts }))
        }
        None => object(json!({ "anyOf": choices })),
    }
}

fn all<T>(choices: &[Value], of: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    choices.iter().map(of).collect()
}

fn is_null(schema: &Value) -> bool {
    *schema == json!({ "type": "null" })
}

/// The types of a schema, if it states them.
fn types(schema: &Value) -> Option<Vec<String>> {
    let text = || Some(vec!["string".to_owned()]);
    if schema.get("const").is_some_and(Value::is_string) {
        return text();
    }
    if let Some(Value::Array(words)) = schema.get("enum") {
        return words.iter().all(Value::is_string).then(text)?;
    }
    match schema.get("type")? {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(several) => {
            Some(several.iter().filter_map(|one| Some(one.as_str()?.to_owned())).collect())
        }
        _ => None,
    }
}
