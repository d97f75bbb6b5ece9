//! Decodes plain values (the maps from YAML and Rhai) into typed ones. An error names the field, the given value and
//! what is allowed. For a misspelt name it suggests the nearest allowed one.

use std::any::TypeId;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use schemars::{JsonSchema, schema_for};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::decimal;

mod advice;
mod lengths;
mod wording;

pub use lengths::other_unit;

pub(crate) use advice::{number_and_unit, seconds};
pub(crate) use wording::plain;

/// Why a value cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ReadError {
    /// The path to the wrong value: field names and list indices.
    pub path: Vec<String>,
    /// True if the key is wrong, and not its value.
    pub at_key: bool,
    /// What is wrong.
    pub message: String,
    /// How to correct it.
    pub hint: Option<String>,
    /// Whether the type of the value is never allowed there.
    pub wrong_type: bool,
}

impl ReadError {
    /// An error about the whole value.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { path: Vec::new(), at_key: false, message: message.into(), hint: None, wrong_type: false }
    }

    /// The part of `value` that the error is about, as far as its path leads.
    #[must_use]
    pub fn part_of<'v>(&self, value: &'v Value) -> &'v Value {
        self.path.iter().fold(value, |value, name| child(value, name).unwrap_or(value))
    }

    /// The same error, with its path below `outer`.
    #[must_use]
    pub fn under(mut self, outer: &[String]) -> Self {
        self.path.splice(0..0, outer.iter().cloned());
        self
    }
}

/// Refuses a number that a double cannot represent exactly.
///
/// # Errors
/// The number that it would become.
pub fn check_exact(number: &serde_json::Number) -> Result<(), ReadError> {
    let Some(printed) = decimal::changed(number) else { return Ok(()) };
    let (message, hint) = decimal::changed_words(&number.to_string(), &printed);
    Err(ReadError { hint: Some(hint), ..ReadError::new(message) })
}

/// Decodes `value` as a `T`. Fields that `T` does not have are refused.
///
/// # Errors
/// The first field that is unknown, missing, of the wrong type or out of range.
pub fn from_value<T: DeserializeOwned + JsonSchema + 'static>(value: &Value) -> Result<T, ReadError> {
    unknown_fields(&schema::<T>(), value)?;
    let value = numbers_to_texts::<T>(value, &|_| None);
    typed::<T>(value.as_ref()).map_err(|(path, message)| {
        let given = path.iter().try_fold(value.as_ref(), |value, name| child(value, name));
        let field = path.last().map(String::as_str);
        let hint = given.and_then(|given| advice::for_value(field, given, &message)).or_else(|| {
            // Another unit is only suggested if its value would be accepted.
            let is_accepted = |changed: &Value| !typed::<T>(changed).is_err_and(|(other, _)| other == path);
            lengths::in_another_unit(value.as_ref(), &path, is_accepted)
        });
        let wrong_type = message.starts_with("invalid type: ");
        ReadError { path, at_key: false, message, hint, wrong_type }
    })
}

/// The value as a `T`; otherwise the path to the first wrong part and the message about it.
fn typed<T: DeserializeOwned>(value: &Value) -> Result<T, (Vec<String>, String)> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().iter().filter_map(segment).collect();
        (path, plain(&error.into_inner().to_string()))
    })
}

/// The part of a value with this name or index.
fn child<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    match value {
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        other => other.get(name),
    }
}

/// Converts numbers and booleans to texts where `T` has texts. `written` returns the original spelling of the number
/// at a path, if known.
#[must_use]
pub fn numbers_to_texts<'v, T: JsonSchema + 'static>(
    value: &'v Value,
    written: &dyn Fn(&[String]) -> Option<String>,
) -> Cow<'v, Value> {
    let root = schema::<T>();
    if lacks_texts(&root, &root, value) {
        Cow::Owned(texts(&root, &root, value, &mut Vec::new(), written))
    } else {
        Cow::Borrowed(value)
    }
}

/// Whether any part of a value must become a text.
fn lacks_texts(root: &Value, schema: &Value, value: &Value) -> bool {
    let schema = resolve(root, schema);
    match value {
        Value::Number(_) | Value::Bool(_) => takes_only_texts(schema),
        Value::Object(map) => map
            .iter()
            .any(|(name, inner)| field(schema, name).is_some_and(|field| lacks_texts(root, field, inner))),
        Value::Array(items) => {
            let item = schema.get("items");
            item.is_some_and(|item| items.iter().any(|inner| lacks_texts(root, item, inner)))
        }
        Value::Null | Value::String(_) => false,
    }
}

fn texts(
    root: &Value,
    schema: &Value,
    value: &Value,
    path: &mut Vec<String>,
    written: &dyn Fn(&[String]) -> Option<String>,
) -> Value {
    let schema = resolve(root, schema);
    let mut inner = |field: Option<&Value>, name: String, value: &Value| {
        let Some(field) = field else { return value.clone() };
        path.push(name);
        let made = texts(root, field, value, path, written);
        path.pop();
        made
    };
    match value {
        Value::Number(number) if takes_only_texts(schema) => {
            Value::String(written(path).unwrap_or_else(|| decimal::print(number)))
        }
        Value::Bool(flag) if takes_only_texts(schema) => Value::String(flag.to_string()),
        Value::Object(map) => {
            let fields = map
                .iter()
                .map(|(name, value)| (name.clone(), inner(field(schema, name), name.clone(), value)));
            Value::Object(fields.collect())
        }
        Value::Array(items) => {
            let item = schema.get("items");
            items.iter().enumerate().map(|(index, value)| inner(item, index.to_string(), value)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// The schema of a field.
fn field<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    properties(schema).and_then(|known| known.get(name)).or_else(|| schema.get("additionalProperties"))
}

fn takes_only_texts(schema: &Value) -> bool {
    let is = |kind: &Value, name: &str| kind.as_str() == Some(name);
    let only = match schema.get("type") {
        Some(Value::Array(kinds)) => {
            kinds.iter().any(|kind| is(kind, "string"))
                && kinds.iter().all(|kind| is(kind, "string") || is(kind, "null"))
        }
        Some(kind) => is(kind, "string"),
        None => false,
    };
    only && schema.get("enum").is_none()
}

/// The schema of a type. It is cached, because a loop decodes the same types many times.
fn schema<T: JsonSchema + 'static>() -> Arc<Value> {
    static SCHEMAS: Mutex<BTreeMap<TypeId, Arc<Value>>> = Mutex::new(BTreeMap::new());
    let mut schemas = SCHEMAS.lock().unwrap_or_else(PoisonError::into_inner);
    let made = schemas.entry(TypeId::of::<T>());
    Arc::clone(made.or_insert_with(|| Arc::new(schema_for!(T).as_value().clone())))
}

/// The fields that `T` has, sorted by name.
#[must_use]
pub fn fields<T: JsonSchema + 'static>() -> Vec<String> {
    properties(&schema::<T>()).map(|map| map.keys().cloned().collect()).unwrap_or_default()
}

/// How similar a misspelt name and an allowed one are, at most 1; `None` if they are not similar enough.
#[must_use]
pub fn likeness(word: &str, known: &str) -> Option<f64> {
    let word = word.to_lowercase();
    let likeness = strsim::normalized_damerau_levenshtein(&word, known);
    // Half of the letters are enough only if a single one is wrong: `mm` may mean `m`, but `save` does not mean `name`.
    let is_enough = likeness > 0.5 || likeness == 0.5 && strsim::damerau_levenshtein(&word, known) <= 1;
    is_enough.then_some(likeness)
}

/// The allowed name nearest to a misspelt one, if it is similar enough.
#[must_use]
pub fn nearest<'a>(word: &str, allowed: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let alike = allowed.into_iter().filter_map(|known| Some((likeness(word, known)?, known)));
    alike.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}

/// "did you mean …", or the list of allowed names if none is similar. If only the unit in the name differs, both units are
/// named, because the value must change too.
#[must_use]
pub fn suggestion<'a>(word: &str, allowed: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some((known, theirs, given)) = advice::in_another_unit(word, allowed.clone()) {
        return format!("did you mean `{known}`? Its unit is {theirs}, not {given}");
    }
    match nearest(word, allowed.clone()) {
        Some(known) => format!("did you mean `{known}`?"),
        None => {
            let list: Vec<String> = allowed.into_iter().map(|known| format!("`{known}`")).collect();
            if list.is_empty() { "there is none".to_owned() } else { format!("allowed: {}", list.join(", ")) }
        }
    }
}

fn segment(segment: &serde_path_to_error::Segment) -> Option<String> {
    match segment {
        serde_path_to_error::Segment::Seq { index } => Some(index.to_string()),
        serde_path_to_error::Segment::Map { key } => Some(key.clone()),
        serde_path_to_error::Segment::Enum { .. } | serde_path_to_error::Segment::Unknown => None,
    }
}

fn properties(schema: &Value) -> Option<&serde_json::Map<String, Value>> {
    schema.get("properties")?.as_object()
}

/// Finds unknown fields with the schema. serde would not name their place, and would list all other fields.
fn unknown_fields(root: &Value, value: &Value) -> Result<(), ReadError> {
    descend(root, root, value)
}

fn descend(root: &Value, schema: &Value, value: &Value) -> Result<(), ReadError> {
    let schema = resolve(root, schema);
    match value {
        Value::Object(map) => {
            let Some(known) = properties(schema) else { return Ok(()) };
            let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
            for (key, inner) in map {
                match known.get(key) {
                    Some(field) => {
                        descend(root, field, inner).map_err(|e| e.under(std::slice::from_ref(key)))?;
                    }
                    None if key == "<<" => {
                        return Err(ReadError {
                            path: vec![key.clone()],
                            at_key: true,
                            hint: Some(
                                "write the fields out, or put the steps into a recipe for `run_recipe`"
                                    .to_owned(),
                            ),
                            ..ReadError::new("a recipe has no merge keys (`<<`)")
                        });
                    }
                    None if closed => {
                        return Err(ReadError {
                            path: vec![key.clone()],
                            at_key: true,
                            hint: Some(suggestion(key, known.keys().map(String::as_str))),
                            ..ReadError::new(format!("unknown field `{key}`"))
                        });
                    }
                    None => {}
                }
            }
            Ok(())
        }
        Value::Array(items) => {
            let Some(item) = schema.get("items") else { return Ok(()) };
            for (index, inner) in items.iter().enumerate() {
                descend(root, item, inner).map_err(|e| e.under(&[index.to_string()]))?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Resolves `$ref`, and the `anyOf: [T, null]` of an optional field.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix("#/$defs/")) {
        return root
            .get("$defs")
            .and_then(|defs| defs.get(name))
            .map_or(schema, |found| resolve(root, found));
    }
    let alternatives = schema.get("anyOf").and_then(Value::as_array);
    match alternatives.map(Vec::as_slice) {
        Some([only, null]) if null.get("type").and_then(Value::as_str) == Some("null") => resolve(root, only),
        _ => schema,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code, reason = "only read")]
        power_dbm: Option<crate::units::LaserPower>,
        #[expect(dead_code, reason = "only read")]
        inner: Option<Inner>,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only read")]
        wait_s: f64,
    }

    #[test]
    fn a_misspelt_field_is_named_with_its_nearest() {
        let error = from_value::<Outer>(&json!({ "inner": { "waits": 1 } })).unwrap_err();
        assert_eq!(error.path, ["inner", "waits"]);
        assert!(error.at_key);
        assert_eq!(error.message, "unknown field `waits`");
        assert_eq!(error.hint.unwrap(), "did you mean `wait_s`?");
    }

    #[test]
    fn a_text_takes_numbers_as_they_are_written_or_printed() {
        #[derive(Deserialize, JsonSchema)]
        struct Texts {
            text: String,
            maybe: Option<String>,
            list: Vec<String>,
            map: std::collections::BTreeMap<String, String>,
            number: f64,
        }
        let given = json!({ "text": 1.5, "maybe": 7, "list": ["a", 0.1 + 0.2, true], "map": { "x": 1 }, "number": 2.5 });
        let read: Texts = from_value(&given).unwrap();
        assert_eq!((read.text.as_str(), read.maybe.as_deref()), ("1.5", Some("7")));
        assert_eq!(
            (read.list, read.map["x"].as_str(), read.number),
            (["a", "0.3", "true"].map(str::to_owned).to_vec(), "1", 2.5)
        );
        let written = |path: &[String]| (path == ["list", "1"]).then(|| "0.30".to_owned());
        assert_eq!(numbers_to_texts::<Texts>(&given, &written)["list"], json!(["a", "0.30", "true"]));
    }

    #[test]
    fn a_value_out_of_range_is_found_by_its_path() {
        let error = from_value::<Outer>(&json!({ "power_dbm": 40 })).unwrap_err();
        assert_eq!(error.path, ["power_dbm"]);
        assert_eq!(error.message, "laser power `40` dBm is not allowed (-30 to 15 dBm)");
    }
}
