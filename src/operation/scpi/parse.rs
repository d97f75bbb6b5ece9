//! How the reply to a query is read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How the reply to a query is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Parse {
    /// As it stands.
    #[default]
    Text,
    /// One number.
    Number,
    /// Numbers with commas between them.
    Numbers,
}

/// A reply that was read.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// The reply as it stands.
    Text(String),
    /// One number.
    Number(f64),
    /// Several numbers.
    Numbers(Vec<f64>),
}

impl Reading {
    /// The reading as a plain value.
    #[must_use]
    pub fn value(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Number(number) => json!(number),
            Self::Numbers(numbers) => json!(numbers),
        }
    }
}

impl Parse {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// What the reply must be, for messages.
    #[must_use]
    pub fn expected(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Numbers => "a list of numbers",
        }
    }

    /// The reader of a reply. It returns `None` for a reply of another form.
    #[must_use]
    pub fn reader(self) -> fn(&str) -> Option<Reading> {
        match self {
            Self::Text => |reply| Some(Reading::Text(reply.to_owned())),
            Self::Number => |reply| number(reply).map(Reading::Number),
            Self::Numbers => {
                |reply| reply.split(',').map(number).collect::<Option<_>>().map(Reading::Numbers)
            }
        }
    }

    /// The reading that the forecast assumes when the recipe states none.
    #[must_use]
    pub fn stand_in(self) -> Reading {
        match self {
            Self::Text => Reading::Text("0".to_owned()),
            Self::Number => Reading::Number(0.0),
            Self::Numbers => Reading::Numbers(vec![0.0]),
        }
    }

    /// The reading that a recipe tells the forecast to assume.
    pub(super) fn assumed(self, value: &Value) -> Result<Reading, String> {
        let found = match self {
            Self::Text => value.as_str().map(|text| Reading::Text(text.to_owned())),
            Self::Number => value.as_f64().map(Reading::Number),
            Self::Numbers => value
                .as_array()
                .and_then(|items| items.iter().map(Value::as_f64).collect::<Option<_>>())
                .map(Reading::Numbers),
        };
        found.ok_or_else(|| format!("assume `{value}` must be {}, as `parse` says", self.expected()))
    }
}

/// A number as instruments write it. A number that cannot be (`NAN`, `INF`, SCPI's 9.9E37 for both) is none.
fn number(text: &str) -> Option<f64> {
    const NONE: f64 = 9.9e37;
    text.trim().parse().ok().filter(|value: &f64| value.abs() < NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_a_number_or_it_is_refused() {
        let read = |parse: Parse, reply: &str| parse.reader()(reply);
        assert_eq!(read(Parse::Number, "+1.5E-03"), Some(Reading::Number(1.5e-3)));
        assert_eq!(read(Parse::Numbers, "1, 2,3e0"), Some(Reading::Numbers(vec![1.0, 2.0, 3.0])));
        assert_eq!(read(Parse::Text, "ON"), Some(Reading::Text("ON".to_owned())));
        for reply in ["", "1,2", "ON", "NAN", "+9.91E37", "INF", "1 V"] {
            assert_eq!(read(Parse::Number, reply), None, "{reply}");
        }
        assert_eq!(read(Parse::Numbers, "1,,2"), None);
    }
}
