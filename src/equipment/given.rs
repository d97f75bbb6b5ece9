//! One `[instruments.NAME]` as it is written.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::TextEquipment;
use super::policy::Policy;
use crate::instrument::Transport;
use crate::instrument::text::TextSettings;

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
    safe: Option<Vec<String>>,
    errors: Option<String>,
    allow: Option<Vec<String>>,
    limits: Option<BTreeMap<String, [f64; 2]>>,
    #[serde(default)]
    keep_between_items: bool,
}

impl TryFrom<Given> for TextEquipment {
    type Error = String;

    fn try_from(mut given: Given) -> Result<Self, String> {
        match (given.address.take(), given.url.take()) {
            (Some(address), None) => text(given, address),
            (_, Some(url)) => Err(format!(
                "an instrument has no `url` (`{url}`): recipes send requests with `http`, and `allow_http` allows the host"
            )),
            (None, None) => Err("an instrument needs an `address`".to_owned()),
        }
    }
}

fn text(given: Given, address: Transport) -> Result<TextEquipment, String> {
    let identify = given.identify.or_else(|| given.identity.as_ref().map(|_| IDENTIFY.to_owned()));
    let settings = TextSettings {
        address,
        identify,
        identity: given.identity.unwrap_or_default(),
        setup: given.setup.unwrap_or_default(),
        safe: given.safe.unwrap_or_default(),
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
