//! One optical input of the instrument.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One optical input: a module of the mainframe and a channel on it, written `4/1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Detector {
    /// The module's slot, 1 to 20.
    pub module: u8,
    /// The channel on the module, 1 to 6.
    pub channel: u8,
}

/// A text that does not name a detector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a detector: write module/channel, for example `4/1` (module 1 to 20, channel 1 to 6)")]
pub struct NotADetector(String);

impl Detector {
    /// The name in a file name: `m4c1`.
    #[must_use]
    pub fn file_name(self) -> String {
        format!("m{}c{}", self.module, self.channel)
    }
}

impl fmt::Display for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.module, self.channel)
    }
}

impl FromStr for Detector {
    type Err = NotADetector;

    fn from_str(text: &str) -> Result<Self, NotADetector> {
        let number = |text: &str, max: u8| {
            let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|number| plain && (1..=max).contains(number))
        };
        text.split_once('/')
            .and_then(|(module, channel)| {
                Some(Self { module: number(module, 20)?, channel: number(channel, 6)? })
            })
            .ok_or_else(|| NotADetector(text.to_owned()))
    }
}

impl Serialize for Detector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Detector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Detector {
    fn schema_name() -> Cow<'static, str> {
        "Detector".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "a detector as module/channel, for example 4/1, or a name given under `detectors`",
        })
    }
}
