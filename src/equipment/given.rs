//! One `[instruments.NAME]` as it is written.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::policy::Policy;
use super::{Device, TextEquipment};
use crate::instrument::Transport;
use crate::instrument::text::TextSettings;

/// The query for the identity of an instrument that has one.
const IDENTIFY: &str = "*IDN?";

/// The fields of both kinds of instruments.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Given {
    address: Option<Transport>,
    url: Option<Url>,
    identity: Option<String>,
    identify: Option<String>,
    setup: Option<Vec<String>>,
    safe: Option<Vec<Safe>>,
    errors: Option<String>,
    allow: Option<Vec<String>>,
    limits: Option<BTreeMap<String, [f64; 2]>>,
    #[serde(default)]
    keep_between_items: bool,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a line of text, or a request `{ method = \"POST\", path = \"/stop\" }`")]
enum Safe {
    Line(String),
    Request(SafeRequest),
}

/// An instrument with a REST API.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpEquipment {
    /// The beginning of the address of each request.
    pub url: Url,
    /// The requests that make the instrument safe.
    pub safe: Vec<SafeRequest>,
    /// The instrument is left as it is between the items of a batch.
    pub keep_between_items: bool,
}

/// A request that makes an instrument safe.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SafeRequest {
    /// The method of the request.
    #[serde(default = "post")]
    pub method: String,
    /// The path behind the `url` of the instrument.
    pub path: String,
    /// The body of the request.
    pub json: Option<Value>,
}

fn post() -> String {
    "POST".to_owned()
}

impl TryFrom<Given> for Device {
    type Error = String;

    fn try_from(mut given: Given) -> Result<Self, String> {
        match (given.address.take(), given.url.take()) {
            (Some(address), None) => text(given, address).map(Self::Text),
            (None, Some(url)) => http(given, url).map(Self::Http),
            (Some(_), Some(_)) => Err("an instrument has an `address` or a `url`, not both".to_owned()),
            (None, None) => {
                Err("an instrument needs an `address` (lines of text) or a `url` (HTTP)".to_owned())
            }
        }
    }
}

fn text(given: Given, address: Transport) -> Result<TextEquipment, String> {
    let identify = given.identify.or_else(|| given.identity.as_ref().map(|_| IDENTIFY.to_owned()));
    let safe = given.safe.unwrap_or_default().into_iter().map(|safe| match safe {
        Safe::Line(line) => Ok(line),
        Safe::Request(_) => Err("`safe` of an instrument with an `address` takes lines of text".to_owned()),
    });
    let settings = TextSettings {
        address,
        identify,
        identity: given.identity.unwrap_or_default(),
        setup: given.setup.unwrap_or_default(),
        safe: safe.collect::<Result<_, String>>()?,
        errors: given.errors,
    };
    let lines = settings.setup.iter().chain(&settings.safe).chain(&settings.identify).chain(&settings.errors);
    if let Some(line) =
        lines.into_iter().find(|line| line.trim().is_empty() || line.contains(char::is_control))
    {
        return Err(format!("`{}` is not one line of text", line.escape_debug()));
    }
    Ok(TextEquipment {
        settings,
        policy: Policy::new(&given.allow.unwrap_or_default(), given.limits.unwrap_or_default())?,
        keep_between_items: given.keep_between_items,
    })
}

fn http(given: Given, url: Url) -> Result<HttpEquipment, String> {
    let only_text = [
        ("identity", given.identity.is_some()),
        ("identify", given.identify.is_some()),
        ("setup", given.setup.is_some()),
        ("errors", given.errors.is_some()),
        ("allow", given.allow.is_some()),
        ("limits", given.limits.is_some()),
    ];
    if let Some((name, _)) = only_text.iter().find(|(_, is_given)| *is_given) {
        return Err(format!("`{name}` is for instruments with an `address`, and this one has a `url`"));
    }
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(format!("url `{url}` is not allowed (http://host:port or https://…)"));
    }
    let safe = given.safe.unwrap_or_default().into_iter().map(|safe| match safe {
        Safe::Request(request) => Ok(request),
        Safe::Line(_) => Err(
            "`safe` of an instrument with a `url` takes requests: `{ method = \"POST\", path = \"/stop\" }`"
                .to_owned(),
        ),
    });
    Ok(HttpEquipment {
        url,
        safe: safe.collect::<Result<_, String>>()?,
        keep_between_items: given.keep_between_items,
    })
}
