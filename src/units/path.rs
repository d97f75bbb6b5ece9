//! A path of a REST API, below the URL that the configuration gives for an instrument.

use std::fmt;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use url::Url;

/// A path such as `/move`, with or without a query. It never leads out of the URL that it is joined to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApiPath(String);

impl TryFrom<String> for ApiPath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let refuse = |why: &str| Err(format!("path `{}` {why}", text.escape_debug()));
        if !text.starts_with('/') || text.starts_with("//") {
            return refuse("is not allowed (a path begins with one `/`, for example `/move`)");
        }
        if text.contains(|c: char| c.is_control() || c.is_whitespace() || c == '#') {
            return refuse("has a blank, a control character or `#`");
        }
        let path = text.split('?').next().unwrap_or_default();
        // A server may decode the path before it looks for `..`.
        let decoded = percent_decode_str(path).decode_utf8_lossy();
        if decoded.contains('\\') || decoded.split('/').any(|part| matches!(part, "." | "..")) {
            return refuse("has a part `.` or `..` or a `\\`, which could lead out of the configured `url`");
        }
        Ok(Self(text))
    }
}

impl From<ApiPath> for String {
    fn from(path: ApiPath) -> Self {
        path.0
    }
}

impl fmt::Display for ApiPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ApiPath {
    /// The path without its query.
    #[must_use]
    pub fn without_query(&self) -> &str {
        self.0.split('?').next().unwrap_or_default()
    }

    /// The URL of this path below `base`.
    ///
    /// # Errors
    /// If the path cannot be part of a URL.
    pub fn below(&self, base: &Url) -> Result<Url, String> {
        let text = format!("{}{}", base.as_str().trim_end_matches('/'), self.0);
        let url = Url::parse(&text).map_err(|error| format!("path `{self}` is not valid: {error}"))?;
        match is_below(&url, base) {
            true => Ok(url),
            false => Err(format!("path `{self}` leads out of `{base}`")),
        }
    }
}

/// Whether a URL has the scheme, host, port and path of `base`.
#[must_use]
pub fn is_below(url: &Url, base: &Url) -> bool {
    let path = base.path().trim_end_matches('/');
    let rest = url.path().strip_prefix(path);
    url.origin() == base.origin()
        && url.username().is_empty()
        && url.password().is_none()
        && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(base: &str, path: &str) -> Result<String, String> {
        ApiPath::try_from(path.to_owned())?.below(&base.parse().unwrap()).map(String::from)
    }

    #[test]
    fn a_path_is_joined_to_the_whole_configured_url() {
        for (base, path, expected) in [
            ("http://stage:8000", "/move", "http://stage:8000/move"),
            ("http://stage:8000/", "/move?axis=x&to=../..", "http://stage:8000/move?axis=x&to=../.."),
            ("http://stage/api/v1", "/move", "http://stage/api/v1/move"),
            ("http://stage/api/v1/", "/", "http://stage/api/v1/"),
            ("http://stage", "/a..b/@host:80/µm", "http://stage/a..b/@host:80/%C2%B5m"),
        ] {
            assert_eq!(joined(base, path).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn a_path_that_leads_elsewhere_is_refused() {
        for path in [
            "",
            "move",
            "//elsewhere/move",
            "///elsewhere",
            "http://elsewhere/",
            "/..",
            "/../admin",
            "/a/../../admin",
            "/%2e%2e/admin",
            "/a/.%2E/b",
            "/a%2f..%2fadmin",
            "/..\\admin",
            "/\\elsewhere/",
            "/a/./b",
            "/move#there",
            "/move me",
            "/move\r\nX: 1",
            "@elsewhere/",
            ":80/",
        ] {
            assert!(joined("http://stage:8000/api", path).is_err(), "{path}");
        }
    }

    #[test]
    fn a_url_is_below_another_only_with_the_same_host_and_a_whole_part_of_the_path() {
        let base: Url = "http://stage:8000/api".parse().unwrap();
        let below = |url: &str| is_below(&url.parse().unwrap(), &base);
        assert!(below("http://stage:8000/api/tasks/1") && below("http://STAGE:8000/api"));
        for url in [
            "http://stage:8000/apix/tasks",
            "http://stage:8001/api/tasks",
            "https://stage:8000/api/tasks",
            "http://stage.example:8000/api",
            "http://me@stage:8000/api",
            "http://stage:8000/api/../tasks",
        ] {
            assert!(!below(url), "{url}");
        }
    }
}
