//! The sampling step of a scan.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error};
use serde::{Serialize, Serializer};

use super::{NumberVisitor, OutOfRange};

/// The sampling step of a scan: 1 to 250 pm in whole pm, or 0.5, 0.2, 0.1, 0.05 or 0.02 pm.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Resolution(f64);

impl Resolution {
    /// The steps finer than 1 pm.
    pub const FINE_PM: [f64; 5] = [0.5, 0.2, 0.1, 0.05, 0.02];

    /// Checks that the instrument has this step.
    ///
    /// # Errors
    /// If the instrument does not have this step.
    pub fn new(value: f64) -> Result<Self, OutOfRange> {
        let whole = value.fract() == 0.0 && (1.0..=250.0).contains(&value);
        if whole || Self::FINE_PM.contains(&value) {
            return Ok(Self(value));
        }
        let allowed = "1 to 250 pm in whole pm, or 0.5, 0.2, 0.1, 0.05, 0.02 pm".to_owned();
        Err(OutOfRange { quantity: "resolution", given: value.to_string(), unit: "pm", allowed })
    }

    /// The step in pm.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl Serialize for Resolution {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0)
    }
}

impl<'de> Deserialize<'de> for Resolution {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = deserializer.deserialize_any(NumberVisitor { quantity: "resolution" })?;
        Self::new(value).map_err(D::Error::custom)
    }
}

impl JsonSchema for Resolution {
    fn schema_name() -> Cow<'static, str> {
        "Resolution".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "number", "minimum": 0.02, "maximum": 250,
            "description": "sampling step in pm: 1 to 250 in whole pm, or 0.5, 0.2, 0.1, 0.05, 0.02",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolution_is_one_the_instrument_has() {
        assert!(Resolution::new(0.05).is_ok());
        assert!(Resolution::new(250.0).is_ok());
        let error = Resolution::new(1.5).unwrap_err();
        assert_eq!(
            error.to_string(),
            "resolution `1.5` pm is not allowed (1 to 250 pm in whole pm, or 0.5, 0.2, 0.1, 0.05, 0.02 pm)"
        );
    }
}
