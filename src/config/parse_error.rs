//! Errors in a configuration file: in plain words, with the line of the file, and without secrets.

use crate::decode::{plain, suggestion};

/// What is wrong in the text of a configuration file, and where.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(String);

/// Words of keys whose values are not shown.
const SECRET_WORDS: [&str; 6] = ["token", "header", "key", "auth", "secret", "password"];

impl ParseError {
    /// The error shows the line of the file, but no value of a line that may contain a secret.
    pub(super) fn new(text: &str, mut error: toml::de::Error) -> Self {
        let masked: Vec<String> = text.split('\n').map(masked).collect();
        error.set_input(Some(&masked.join("\n")));
        let (shown, message) = (error.to_string(), error.message());
        // The message is the last part; before it is the line of the file, which may contain the same words.
        let line = shown.trim_end().strip_suffix(message).unwrap_or_default();
        Self(format!("{line}{}", in_words(message)))
    }
}

/// A misspelt key gets the nearest one. Otherwise the message would list them all.
fn in_words(message: &str) -> String {
    match message.split_once(", expected ") {
        Some((unknown, expected)) if unknown.starts_with("unknown field `") => {
            let key = unknown.split('`').nth(1).unwrap_or_default();
            format!("{unknown}: {}", suggestion(key, expected.split('`').skip(1).step_by(2)))
        }
        Some(_) | None => plain(message),
    }
}

/// The line with as many bytes, so that positions stay right.
fn masked(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    match line.find('=') {
        Some(at) if line.contains('@') || SECRET_WORDS.iter().any(|word| lower.contains(word)) => {
            let (name, value) = line.split_at(at + 1);
            format!("{name}{}", "*".repeat(value.len()))
        }
        Some(_) | None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{ParseError, in_words};

    #[test]
    fn a_misspelt_key_gets_the_nearest_one_and_types_have_plain_words() {
        for (message, words) in [
            (
                "unknown field `gaurd_after_s`, expected one of `out`, `guard_after_s`, `listen`",
                "unknown field `gaurd_after_s`: did you mean `guard_after_s`?",
            ),
            (
                "unknown field `limit_dbm`, expected `max_power_dbm` or `laser`",
                "unknown field `limit_dbm`: allowed: `max_power_dbm`, `laser`",
            ),
            ("invalid type: string \"x\", expected f64", "invalid type: text \"x\", expected a number"),
            ("duplicate key", "duplicate key"),
        ] {
            assert_eq!(in_words(message), words);
        }
    }

    #[test]
    fn a_line_of_the_file_stays_as_it_is_even_if_it_contains_the_message() {
        let text = "a = \"x\" # invalid type: string \"x\", expected f64";
        let error = toml::from_str::<BTreeMap<String, f64>>(text).unwrap_err();
        let shown = ParseError::new(text, error).to_string();
        assert!(
            shown.contains(text) && shown.ends_with("\ninvalid type: text \"x\", expected a number"),
            "{shown}"
        );
    }
}
