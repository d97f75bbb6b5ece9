//! Says what serde says in the words of this program. Users know neither the types of Rust nor those of serde.

/// The message with the types as people name them: a number, a list, a map.
pub(crate) fn plain(message: &str) -> String {
    let Some((given, expected)) = message.rsplit_once(", expected ") else { return message.to_owned() };
    format!("{}, expected {}", of_given(given), of_expected(expected))
}

fn of_given(given: &str) -> String {
    let Some((wrong, what)) = given.split_once(": ") else { return given.to_owned() };
    let what = match what {
        "null" | "unit value" => "no value".to_owned(),
        "sequence" => "a list".to_owned(),
        "map" => "a map".to_owned(),
        other => [("string", "text"), ("integer", "number"), ("floating point", "number"), ("boolean", "")]
            .into_iter()
            .find_map(|(of_serde, word)| {
                let value = other.strip_prefix(of_serde)?.strip_prefix(' ')?;
                Some(format!("{word} {value}").trim_start().to_owned())
            })
            .unwrap_or_else(|| other.to_owned()),
    };
    format!("{wrong}: {what}")
}

fn of_expected(expected: &str) -> String {
    let whole = |most: u64| format!("a whole number from 0 to {most}");
    match expected {
        "f64" | "f32" => "a number".to_owned(),
        "u8" => whole(u8::MAX.into()),
        "u16" => whole(u16::MAX.into()),
        "u32" => whole(u32::MAX.into()),
        "u64" | "usize" => "a whole number from 0".to_owned(),
        "i8" | "i16" | "i32" | "i64" => "a whole number".to_owned(),
        "a string" => "a text".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        other if other.starts_with("struct ") => "a map".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;

    fn said<T: DeserializeOwned>(value: Value) -> String {
        plain(&serde_json::from_value::<T>(value).err().unwrap().to_string())
    }

    #[test]
    fn wrong_types_are_named_without_the_words_of_rust() {
        for (message, expected) in [
            (said::<f64>(json!("1,5")), r#"invalid type: text "1,5", expected a number"#),
            (said::<f64>(json!([1])), "invalid type: a list, expected a number"),
            (said::<f64>(json!(true)), "invalid type: `true`, expected a number"),
            (
                said::<u32>(json!(-1)),
                "invalid value: number `-1`, expected a whole number from 0 to 4294967295",
            ),
            (said::<usize>(json!(1.5)), "invalid type: number `1.5`, expected a whole number from 0"),
            (said::<bool>(json!("on")), r#"invalid type: text "on", expected `true` or `false`"#),
            (said::<String>(json!({})), "invalid type: a map, expected a text"),
            (said::<Vec<u8>>(json!(null)), "invalid type: no value, expected a list"),
            (said::<BTreeMap<String, u8>>(json!(3)), "invalid type: number `3`, expected a map"),
            (plain("missing field `name`"), "missing field `name`"),
            (plain("laser power `40` dBm is not allowed"), "laser power `40` dBm is not allowed"),
        ] {
            assert_eq!(message, expected);
        }
    }
}
