//! Where a request goes.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

use crate::units::ApiPath;

/// Where a request goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Destination {
    /// To an address: http or https, with a host.
    Url(Url),
    /// To an instrument of the configuration.
    Named {
        /// The name of the instrument.
        to: String,
        /// The path below its URL.
        path: ApiPath,
    },
}

/// `url` as it is written.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum UrlGiven {
    Url(Url),
    Path(ApiPath),
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => url.fmt(f),
            Self::Named { to, path } => write!(f, "{path} of {to}"),
        }
    }
}

impl Destination {
    pub(super) fn new(to: Option<String>, url: UrlGiven) -> Result<Self, String> {
        match (to, url) {
            (None, UrlGiven::Url(url)) => Ok(Self::Url(url)),
            (Some(to), UrlGiven::Path(path)) => Ok(Self::Named { to, path }),
            (Some(to), UrlGiven::Url(url)) => Err(format!(
                "url `{url}` is a whole address: with `to: {to}`, write a path such as `/move`, which is joined to the `url` \
                 of the instrument"
            )),
            (None, UrlGiven::Path(path)) => Err(format!(
                "url `{path}` has no host: write `http://host:port/path`, or name the instrument with `to`"
            )),
        }
    }

    pub(super) fn written(self) -> (Option<String>, UrlGiven) {
        match self {
            Self::Url(url) => (None, UrlGiven::Url(url)),
            Self::Named { to, path } => (Some(to), UrlGiven::Path(path)),
        }
    }
}

pub(super) fn read_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UrlGiven, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.contains(['{', '}']) {
        return Err(D::Error::custom(format!(
            "url `{text}` has braces: write `${{…}}` for a value of the recipe (`{{…}}` is for `poll`, whose URL may \
             name fields of the reply)"
        )));
    }
    if text.starts_with('/') {
        return ApiPath::try_from(text).map(UrlGiven::Path).map_err(D::Error::custom);
    }
    let url = Url::parse(&text).map_err(|error| {
        D::Error::custom(format!(
            "url `{text}` is not valid: {error} (http://host:port/path; with `to`: /path)"
        ))
    })?;
    check_url(url).map(UrlGiven::Url).map_err(D::Error::custom)
}

/// Allows only URLs for requests, without parts that must not appear in the journal.
pub(super) fn check_url(url: Url) -> Result<Url, String> {
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(format!("url `{url}` is not allowed (http://host:port/path or https://…)"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("url contains a user or a password, and the journal would show it".to_owned());
    }
    Ok(url)
}
