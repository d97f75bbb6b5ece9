//! The status codes that a recipe expects.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Status codes: one, or a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Statuses(pub(super) Vec<u16>);

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let status = |given: &Value| match given.as_u64().and_then(|code| u16::try_from(code).ok()) {
            Some(code) if (100..600).contains(&code) => Ok(code),
            _ => Err(D::Error::custom(format!("status `{given}` is not allowed (100 to 599)"))),
        };
        let codes = match Value::deserialize(deserializer)? {
            Value::Array(items) => items.iter().map(status).collect::<Result<Vec<_>, _>>()?,
            one => vec![status(&one)?],
        };
        if codes.is_empty() {
            Err(D::Error::custom("the list of status codes is empty"))
        } else {
            Ok(Self(codes))
        }
    }
}

impl JsonSchema for Statuses {
    fn schema_name() -> Cow<'static, str> {
        "Statuses".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let code = json_schema!({ "type": "integer", "minimum": 100, "maximum": 599 });
        json_schema!({ "anyOf": [code, { "type": "array", "items": code }] })
    }
}
