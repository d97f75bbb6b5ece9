//! One `[instruments.NAME]` as it is written.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use url::Url;

use super::policy::Policy;
use super::{Described, DeviceSettings};
use crate::http::{ApiSettings, Confirmation, HeaderSource, SafeRequest};
use crate::instrument::Transport;
use crate::instrument::text::TextSettings;
use crate::units::ApiPath;

/// The query for the identity of an instrument that has one.
const IDENTIFY: &str = "*IDN?";

/// The fields of an instrument.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Given {
    address: Option<Transport>,
    url: Option<String>,
    identity: Option<String>,
    identify: Option<String>,
    setup: Option<Vec<String>>,
    safe: Option<Vec<SafeGiven>>,
    confirm: Option<Confirmation>,
    errors: Option<String>,
    allow: Option<Vec<String>>,
    limits: Option<BTreeMap<String, [f64; 2]>>,
    token: Option<HeaderSource>,
    headers: Option<BTreeMap<String, HeaderSource>>,
    #[serde(default)]
    keep_between_items: bool,
}

/// A part of the safe end: a line of text, or a request.
#[derive(Debug)]
enum SafeGiven {
    Line(String),
    Request(SafeRequest),
}

/// Unlike an untagged enum, this names what is wrong with a request.
impl<'de> Deserialize<'de> for SafeGiven {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(line) => Ok(Self::Line(line)),
            request => serde_json::from_value(request).map(Self::Request).map_err(|error| {
                D::Error::custom(format!(
                    "`safe`: {error} (for example `{{ method = \"POST\", path = \"/stop\" }}`)"
                ))
            }),
        }
    }
}

impl TryFrom<Given> for Described {
    type Error = String;

    fn try_from(mut given: Given) -> Result<Self, String> {
        match (given.address.take(), given.url.take()) {
            (Some(address), None) => text(given, address),
            (None, Some(url)) => api(given, &url),
            (Some(_), Some(_)) => Err("an instrument has an `address` or a `url`, not both".to_owned()),
            (None, None) => Err("an instrument needs an `address`, or a `url` for a REST API".to_owned()),
        }
    }
}

/// Refuses the first field that is given and does not belong to this kind of instrument.
fn without(fields: &[(&str, bool)], kind: &str) -> Result<(), String> {
    match fields.iter().find(|(_, is_given)| *is_given) {
        Some((name, _)) => Err(format!("`{name}` is not for an instrument with {kind}")),
        None => Ok(()),
    }
}

fn text(given: Given, address: Transport) -> Result<Described, String> {
    let foreign = [
        ("token", given.token.is_some()),
        ("headers", given.headers.is_some()),
        ("confirm", given.confirm.is_some()),
    ];
    without(&foreign, "an `address`")?;
    let identify = given.identify.or_else(|| given.identity.as_ref().map(|_| IDENTIFY.to_owned()));
    let safe = given.safe.unwrap_or_default().into_iter().map(|safe| match safe {
        SafeGiven::Line(line) => Ok(line),
        SafeGiven::Request(request) => Err(format!(
            "the request `{} {}` in `safe` is for an instrument with a `url`",
            request.method.as_str(),
            request.path
        )),
    });
    let settings = TextSettings {
        address,
        identify,
        identity: given.identity.unwrap_or_default(),
        setup: given.setup.unwrap_or_default(),
        safe: safe.collect::<Result<_, _>>()?,
        errors: given.errors,
    };
    let lines = settings.setup.iter().chain(&settings.safe).chain(&settings.identify).chain(&settings.errors);
    if let Some(line) =
        lines.into_iter().find(|line| line.trim().is_empty() || line.contains(char::is_control))
    {
        return Err(format!("`{}` is not one line of text", line.escape_debug()));
    }
    Ok(Described {
        device: DeviceSettings::Text(settings),
        policy: Policy::new(&given.allow.unwrap_or_default(), given.limits.unwrap_or_default())?,
        keep_between_items: given.keep_between_items,
    })
}

fn api(given: Given, url: &str) -> Result<Described, String> {
    let foreign = [
        ("setup", given.setup.is_some()),
        ("errors", given.errors.is_some()),
        ("allow", given.allow.is_some()),
        ("limits", given.limits.is_some()),
    ];
    without(&foreign, "a `url`")?;
    let identify = given.identify.map(ApiPath::try_from).transpose()?;
    if given.identity.is_some() && identify.is_none() {
        return Err("`identity` needs `identify`, the path that tells what the instrument is".to_owned());
    }
    let safe = given.safe.unwrap_or_default().into_iter().map(|safe| match safe {
        SafeGiven::Request(request) => Ok(request),
        SafeGiven::Line(line) => Err(format!(
            "`{}` in `safe` is a line of text; an instrument with a `url` needs requests, for example `{{ path = \"/stop\" }}`",
            line.escape_debug()
        )),
    });
    let token = given.token.map(|token| match token {
        HeaderSource::Secret(source) => Ok(source),
        // The text is not repeated: it may be a secret.
        HeaderSource::Text(_) => {
            Err("`token` is not a text: write `{ env = \"NAME\" }` or `{ file = \"PATH\" }`".to_owned())
        }
    });
    let settings = ApiSettings {
        url: base(url)?,
        identify,
        identity: given.identity.unwrap_or_default(),
        safe: safe.collect::<Result<_, _>>()?,
        confirm: given.confirm,
        token: token.transpose()?,
        headers: given.headers.unwrap_or_default(),
    };
    Ok(Described {
        device: DeviceSettings::Api(settings),
        policy: Policy::default(),
        keep_between_items: given.keep_between_items,
    })
}

/// The URL that the paths of recipes are joined to.
fn base(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("url `{text}` is not valid: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("url contains a user or a password: use `token` or `headers`".to_owned());
    }
    let is_plain =
        matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none();
    if !is_plain || url.host().is_none() {
        return Err(format!("url `{text}` is not allowed (`http://host:port` or `https://host/path`)"));
    }
    Ok(url)
}
