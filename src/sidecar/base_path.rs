//! A path prefix, so that several servers can be behind one proxy: `/bench-a`. A proxy may keep the prefix or remove it, and
//! programs on this computer may leave it out.

use std::str::FromStr;

use axum::http::header::LOCATION;
use axum::http::uri::{PathAndQuery, Uri};
use axum::response::Response;

/// Longest prefix, characters.
const LONGEST: usize = 200;

/// A path prefix without a slash at its end; empty for none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BasePath(String);

impl FromStr for BasePath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = text.strip_suffix('/').unwrap_or(text);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~');
        let is_name =
            |part: &str| !part.is_empty() && part.chars().all(plain) && !part.trim_matches('.').is_empty();
        let is_path = path.strip_prefix('/').is_some_and(|path| path.split('/').all(is_name));
        if text != "/" && (!is_path || path.len() > LONGEST) {
            return Err(format!(
                "`{text}` is not a path prefix: allowed are names of letters, digits, `-`, `_`, `.` and `~`, each after a slash (`/bench-a`)"
            ));
        }
        Ok(Self(path.to_owned()))
    }
}

impl BasePath {
    /// The prefix; empty for none.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first name in it.
    pub(super) fn first_name(&self) -> Option<&str> {
        self.0.split('/').nth(1)
    }

    /// The path for the cookies of this server.
    pub(super) fn of_cookies(&self) -> &str {
        if self.0.is_empty() { "/" } else { &self.0 }
    }

    /// The address of a request without the prefix, if it has the prefix.
    pub(super) fn stripped(&self, uri: &Uri) -> Option<Uri> {
        let rest =
            uri.path().strip_prefix(&self.0).filter(|rest| !self.0.is_empty() && rest.starts_with('/'))?;
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = PathAndQuery::try_from(format!("{rest}{query}")).ok();
        Uri::from_parts(parts).ok()
    }

    /// Adds the prefix to the `Location` of a response.
    pub(super) fn complete(&self, mut response: Response) -> Response {
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let location = location.filter(|path| path.starts_with('/')).map(|path| format!("{}{path}", self.0));
        if let Some(location) = location.and_then(|path| path.parse().ok()) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> BasePath {
        text.parse().unwrap()
    }

    #[test]
    fn a_prefix_is_removed_where_it_is_and_only_as_a_whole() {
        let stripped =
            |uri: &str| base("/lab/bench-a/").stripped(&uri.parse().unwrap()).map(|uri| uri.to_string());
        assert_eq!(stripped("/lab/bench-a/runs?limit=2").unwrap(), "/runs?limit=2");
        assert_eq!(stripped("/lab/bench-a/").unwrap(), "/");
        assert_eq!(stripped("http://h/lab/bench-a/off").unwrap(), "http://h/off");
        for other in ["/lab/bench-a", "/lab/bench-abc/runs", "/runs", "/"] {
            assert_eq!(stripped(other), None, "{other}");
        }
        assert_eq!(base("/").stripped(&"/runs".parse().unwrap()), None);
    }

    #[test]
    fn what_is_no_prefix_is_refused() {
        for wrong in
            ["", "bench", "//bench", "/a//b", "/../x", "/./x", "/a b", "/a;b", "/ä", "/a?b", "/a%20b"]
        {
            assert!(wrong.parse::<BasePath>().unwrap_err().contains("/bench-a"), "{wrong}");
        }
        assert!(format!("/{}", "x".repeat(LONGEST)).parse::<BasePath>().is_err());
        assert_eq!(base("/").as_str(), "");
        assert_eq!(base("/bench-a/").as_str(), "/bench-a");
    }
}
