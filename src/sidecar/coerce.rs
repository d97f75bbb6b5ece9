//! Converts the values of a request to the types of a JSON Schema. Like the Python service it accepts numbers as text,
//! several spellings of booleans, and whole numbers with a decimal point. An error names the value, its place and
//! the allowed values. The schema of the wire type is the single source of names, types and ranges, so requests are
//! checked exactly as documented.

use serde_json::{Map, Value, json};

/// The error for one value.
fn problem(kind: &str, loc: [&str; 2], message: String, input: &Value, ctx: Option<Value>) -> Value {
    let mut problem = json!({ "type": kind, "loc": loc, "msg": message, "input": input });
    if let (Some(ctx), Some(map)) = (ctx, problem.as_object_mut()) {
        map.insert("ctx".to_owned(), ctx);
    }
    problem
}

/// Converts the given values to the types of the schema. Unknown values are left out, and null counts as absent.
///
/// # Errors
/// All errors. `place` is `query`, `path` or `body`.
pub(super) fn coerce(schema: &Value, given: &Map<String, Value>, place: &str) -> Result<Value, Vec<Value>> {
    let (mut values, mut problems) = (Map::new(), Vec::new());
    let required = |name: &str| {
        schema.get("required").and_then(Value::as_array).is_some_and(|list| list.iter().any(|n| n == name))
    };
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        match given.get(name).filter(|value| !value.is_null()) {
            None if required(name) => {
                let message = format!("`{name}` is required");
                problems.push(problem("missing", [place, name], message, &json!(given), None));
            }
            None => {}
            Some(value) => match one(schema, property, value) {
                Ok(value) => drop(values.insert(name.clone(), value)),
                Err((kind, message, ctx)) => problems.push(problem(kind, [place, name], message, value, ctx)),
            },
        }
    }
    if problems.is_empty() { Ok(Value::Object(values)) } else { Err(problems) }
}

type Wrong = (&'static str, String, Option<Value>);

fn one(root: &Value, property: &Value, given: &Value) -> Result<Value, Wrong> {
    let property = resolve(root, property);
    if let Some(words) = property.get("enum").and_then(Value::as_array) {
        return enum_value(words, given);
    }
    match kind(property) {
        Some("integer") => {
            integer(given).and_then(|number| within(property, f64::from(number), json!(number)))
        }
        Some("number") => float(given).and_then(|number| within(property, number, json!(number))),
        Some("boolean") => boolean(given),
        Some("string") => match given {
            Value::String(_) => Ok(given.clone()),
            _ => Err(("string_type", "a text is required".to_owned(), None)),
        },
        Some("object") if !given.is_object() => Err(("dict_type", "an object is required".to_owned(), None)),
        Some("array") if !given.is_array() => Err(("list_type", "a list is required".to_owned(), None)),
        _ => Ok(given.clone()),
    }
}

/// The type of a property; an optional property may also be null.
fn kind(property: &Value) -> Option<&str> {
    match property.get("type")? {
        Value::String(name) => Some(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        _ => None,
    }
}

/// Resolves `$ref`, and the `anyOf: [T, null]` of an optional property.
fn resolve<'a>(root: &'a Value, property: &'a Value) -> &'a Value {
    if let Some(name) = property.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix("#/$defs/"))
    {
        return root.get("$defs").and_then(|defs| defs.get(name)).unwrap_or(property);
    }
    match property.get("anyOf").and_then(Value::as_array).map(Vec::as_slice) {
        Some([first, _]) => resolve(root, first),
        _ => property,
    }
}

fn float(given: &Value) -> Result<f64, Wrong> {
    let number = match given {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => return Err(("float_type", "a number is required".to_owned(), None)),
    };
    match number {
        Some(number) if number.is_finite() => Ok(number),
        Some(_) => Err(("finite_number", "a finite number is required".to_owned(), None)),
        None => Err(("float_parsing", "this is not a number".to_owned(), None)),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "without a fraction and within the limits of i32")]
fn integer(given: &Value) -> Result<i32, Wrong> {
    let number = float(given).map_err(|(kind, message, ctx)| match kind {
        "float_type" => ("int_type", "a whole number is required".to_owned(), ctx),
        "float_parsing" => ("int_parsing", "this is not a whole number".to_owned(), ctx),
        kind => (kind, message, ctx),
    })?;
    if number.fract() != 0.0 || number.abs() > f64::from(i32::MAX) {
        return Err(("int_from_float", "a whole number is required".to_owned(), None));
    }
    Ok(number as i32)
}

fn boolean(given: &Value) -> Result<Value, Wrong> {
    let refuse =
        || ("bool_parsing", "true or false is required (also 1, 0, yes, no, on, off)".to_owned(), None);
    let text = match given {
        Value::Bool(_) => return Ok(given.clone()),
        Value::String(text) => text.trim().to_lowercase(),
        Value::Number(number) => number.as_f64().map(|number| number.to_string()).unwrap_or_default(),
        _ => return Err(refuse()),
    };
    match text.as_str() {
        "true" | "1" | "yes" | "on" | "t" | "y" => Ok(json!(true)),
        "false" | "0" | "no" | "off" | "f" | "n" => Ok(json!(false)),
        _ => Err(refuse()),
    }
}

fn enum_value(words: &[Value], given: &Value) -> Result<Value, Wrong> {
    let text = given.as_str().map(str::trim);
    let found = words.iter().find(|word| {
        *word == given || word.as_str().zip(text).is_some_and(|(word, text)| word.eq_ignore_ascii_case(text))
    });
    found.cloned().ok_or_else(|| {
        let allowed: Vec<String> = words.iter().map(ToString::to_string).collect();
        let allowed = allowed.join(", ");
        ("literal_error", format!("allowed: {allowed}"), Some(json!({ "expected": allowed })))
    })
}

#[expect(clippy::cast_possible_truncation, reason = "the limits of whole numbers are small")]
fn within(property: &Value, number: f64, value: Value) -> Result<Value, Wrong> {
    let limit = |name: &str| property.get(name).and_then(Value::as_f64);
    // A limit is written like the values: whole, or with a decimal point.
    let shown = |limit: f64| if value.is_i64() { json!(limit as i64) } else { json!(limit) };
    if let Some(least) = limit("minimum").filter(|least| number < *least) {
        let ctx = Some(json!({ "ge": shown(least) }));
        return Err(("greater_than_equal", format!("at least {least} is required"), ctx));
    }
    if let Some(most) = limit("maximum").filter(|most| number > *most) {
        let ctx = Some(json!({ "le": shown(most) }));
        return Err(("less_than_equal", format!("at most {most} is allowed"), ctx));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use schemars::{JsonSchema, schema_for};
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    struct Sample {
        #[schemars(range(min = 1, max = 20))]
        module: u8,
        #[schemars(range(min = -10.0, max = 10.0))]
        power_dbm: Option<f64>,
        #[serde(default)]
        wait: bool,
    }

    fn read(given: Value) -> Result<Sample, Vec<Value>> {
        let given = given.as_object().unwrap().clone();
        let schema = schema_for!(Sample);
        coerce(schema.as_value(), &given, "query").map(|value| serde_json::from_value(value).unwrap())
    }

    #[test]
    fn values_are_taken_as_clients_write_them() {
        let sample = Sample { module: 4, power_dbm: Some(-2.5), wait: true };
        for wait in [json!("True"), json!("yes"), json!("ON"), json!(1), json!("1"), json!(true)] {
            let given = json!({ "module": "4.0", "power_dbm": "-2.5", "wait": wait, "unknown": 1 });
            assert_eq!(read(given).unwrap(), sample);
        }
        let absent = json!({ "module": 20.0, "power_dbm": null });
        assert_eq!(read(absent).unwrap(), Sample { module: 20, power_dbm: None, wait: false });
    }

    #[test]
    fn what_is_wrong_is_told_with_its_kind_and_place() {
        let kinds = |given| {
            let problems = read(given).unwrap_err();
            problems.iter().map(|p| format!("{} {}", p["loc"][1], p["type"])).collect::<Vec<_>>()
        };
        assert_eq!(kinds(json!({})), ["\"module\" \"missing\""]);
        assert_eq!(kinds(json!({ "module": 21 })), ["\"module\" \"less_than_equal\""]);
        assert_eq!(kinds(json!({ "module": "four" })), ["\"module\" \"int_parsing\""]);
        assert_eq!(kinds(json!({ "module": 4.5 })), ["\"module\" \"int_from_float\""]);
        let two = kinds(json!({ "module": 0, "power_dbm": "nan", "wait": "maybe" }));
        assert_eq!(
            two,
            [
                "\"module\" \"greater_than_equal\"",
                "\"power_dbm\" \"finite_number\"",
                "\"wait\" \"bool_parsing\""
            ]
        );
    }

    proptest! {
        #[test]
        fn whatever_is_given_is_read_or_refused(text in ".*", number in any::<f64>()) {
            let _ = read(json!({ "module": text, "wait": text, "power_dbm": number }));
            let _ = read(json!({ "module": number, "wait": number, "power_dbm": [text] }));
        }
    }
}
