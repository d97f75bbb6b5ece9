//! `notify`: the address for notifications about the end of a run or a batch, and the results to report.

use std::fmt;

use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

/// The result after which a notification is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NotifyOn {
    /// The run or batch failed or was stopped.
    Failure,
    /// The run or batch succeeded.
    Done,
}

/// Sends a notification at the end: one JSON POST. If the server does not reply, it is repeated for at most one minute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// Address: `https://host/path`. The configuration must allow the host (`allow_http`).
    pub url: HookUrl,
    /// Results after which a notification is sent: `failure` (failed or stopped), `done`, or both. Default: both.
    #[serde(default = "both", deserialize_with = "some")]
    pub on: Vec<NotifyOn>,
}

impl Notify {
    /// Whether a notification is sent after this result.
    #[must_use]
    pub fn wants(&self, end: NotifyOn) -> bool {
        self.on.contains(&end)
    }
}

fn both() -> Vec<NotifyOn> {
    vec![NotifyOn::Failure, NotifyOn::Done]
}

fn some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<NotifyOn>, D::Error> {
    let on = Vec::deserialize(deserializer)?;
    if on.is_empty() {
        return Err(D::Error::custom("`on` is empty: remove `notify`, or write `failure`, `done` or both"));
    }
    Ok(on)
}

/// A URL. Messages contain only its scheme, host and port, because any other part may be a secret.
#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(with = "String")]
pub struct HookUrl(Url);

impl HookUrl {
    /// The complete URL, only for the request itself.
    #[must_use]
    pub fn whole(&self) -> &Url {
        &self.0
    }
}

/// Scheme, host and port.
impl fmt::Display for HookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.origin().ascii_serialization())
    }
}

impl fmt::Debug for HookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}/…")
    }
}

impl<'de> Deserialize<'de> for HookUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let refuse = |why: &str| {
            // The given URL is not repeated, because it may contain a secret.
            D::Error::custom(format!("the URL is not allowed (http://host/path or https://…): {why}"))
        };
        let url =
            Url::parse(&String::deserialize(deserializer)?).map_err(|error| refuse(&error.to_string()))?;
        match (url.scheme(), url.host()) {
            ("http" | "https", Some(_)) => Ok(Self(url)),
            (other, _) => Err(refuse(&format!("its scheme is `{other}`"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::decode;

    #[test]
    fn both_ends_are_told_of_where_nothing_is_said() {
        let notify: Notify = decode::from_value(&json!({ "url": "http://hook:8/a" })).unwrap();
        assert!(notify.wants(NotifyOn::Failure) && notify.wants(NotifyOn::Done));
        let notify: Notify =
            decode::from_value(&json!({ "url": "http://hook/", "on": ["failure"] })).unwrap();
        assert!(notify.wants(NotifyOn::Failure) && !notify.wants(NotifyOn::Done));
    }

    #[test]
    fn what_cannot_be_told_is_refused_without_repeating_a_secret() {
        for (given, words) in [
            (json!({ "url": "hooks/SECRET" }), "http://host/path"),
            (json!({ "url": "ftp://hooks/SECRET" }), "its scheme is `ftp`"),
            (json!({ "url": "http://hooks/SECRET", "on": [] }), "`on` is empty"),
            (json!({ "url": "http://hooks/SECRET", "on": ["fail"] }), "`failure`"),
            (json!({ "url": "http://hooks/SECRET", "when": [] }), "`when`"),
            (json!({ "on": ["done"] }), "`url`"),
        ] {
            let error = decode::from_value::<Notify>(&given).unwrap_err();
            assert!(error.message.contains(words), "{given}: {}", error.message);
            assert!(!error.message.contains("SECRET"), "{}", error.message);
        }
    }

    #[test]
    fn a_url_is_told_as_far_as_its_host() {
        let url: HookUrl =
            serde_json::from_value(json!("https://me:pass@hooks.example:8443/T0/S?k=v")).unwrap();
        assert_eq!(url.to_string(), "https://hooks.example:8443");
        assert_eq!(format!("{url:?}"), "https://hooks.example:8443/…");
    }
}
