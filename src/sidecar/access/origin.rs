//! Which names the server has, and which pages may send requests. On loopback the host name of a request must be a loopback
//! name. Otherwise a page from elsewhere could reach the instrument through the browser with its own host name (DNS
//! rebinding).

use std::net::IpAddr;

use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Uri};

use super::text;

/// Pages that may send requests.
#[derive(Debug, Clone)]
pub(super) struct Origins {
    /// In addition to loopback.
    listed: Vec<String>,
    /// A page under a foreign host name does not have the token.
    has_token: bool,
}

impl Origins {
    pub(super) fn new(listed: &[String], has_token: bool) -> Self {
        let plain = |origin: &String| origin.trim_end_matches('/').to_ascii_lowercase();
        Self { listed: listed.iter().map(plain).collect(), has_token }
    }

    /// Whether a page from this origin may ask. A page of this server's own may, where a token protects it.
    pub(super) fn allows(&self, origin: &str, host: Option<&str>) -> bool {
        let origin = origin.to_ascii_lowercase();
        if self.listed.contains(&origin) {
            return true;
        }
        let Ok(uri) = origin.parse::<Uri>() else { return false };
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return false;
        }
        let is_host = |a: &Authority| host.is_some_and(|host| a.as_str().eq_ignore_ascii_case(host));
        let own = self.has_token && uri.authority().is_some_and(is_host);
        own || uri.host().is_some_and(is_loopback)
    }

    /// Whether the server may be called by this name.
    fn allows_host(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let name = host.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
        let listed = || self.listed.iter().any(|origin| origin.ends_with(&format!("://{host}")));
        self.has_token || name.as_deref().is_some_and(is_loopback) || listed()
    }

    /// Why a request is refused for its host name or its origin; `None` if it is not.
    pub(super) fn refusal(&self, uri: &Uri, headers: &HeaderMap) -> Option<(StatusCode, String)> {
        // HTTP/1.1 has the name in `Host`; a request in absolute form has it in its address.
        let host = uri.authority().map(Authority::as_str).or_else(|| text(headers, HOST));
        if headers.get_all(HOST).iter().count() > 1 {
            return Some((StatusCode::BAD_REQUEST, "the request has two `Host` headers".to_owned()));
        }
        // Without a name, the request is no valid HTTP/1.1 (RFC 9112, section 3.2).
        let Some(host) = host else {
            return Some((StatusCode::BAD_REQUEST, "the request has no `Host` header".to_owned()));
        };
        if !self.allows_host(host) {
            let message =
                format!("host `{host}` is not allowed (loopback names, and those of `--allow-origin`)");
            return Some((StatusCode::FORBIDDEN, message));
        }
        if headers.contains_key(ORIGIN) {
            let origin = text(headers, ORIGIN).unwrap_or("null");
            let message = format!("origin `{origin}` is not allowed (`--allow-origin {origin}` lists it)");
            return (!self.allows(origin, Some(host))).then_some((StatusCode::FORBIDDEN, message));
        }
        let message = "pages from other sites cannot use this server (`Sec-Fetch-Site`)";
        is_embedded_elsewhere(headers).then(|| (StatusCode::FORBIDDEN, message.to_owned()))
    }
}

/// Whether a host name or number means this machine alone.
fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether a browser says that a page from elsewhere caused this request, without naming the page: an image, a script, a
/// frame. A link that a person follows is none of these.
fn is_embedded_elsewhere(headers: &HeaderMap) -> bool {
    let is_elsewhere = matches!(text(headers, "sec-fetch-site"), Some("cross-site" | "same-site"));
    is_elsewhere && text(headers, "sec-fetch-dest") != Some("document")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_from_this_machine_may_ask_and_others_only_when_listed() {
        let origins = Origins::new(&["https://lab.example/".to_owned()], false);
        for origin in
            ["http://localhost:3000", "http://127.0.0.1:8002", "https://[::1]:5173", "https://lab.example"]
        {
            assert!(origins.allows(origin, Some("127.0.0.1:8002")), "{origin}");
        }
        for origin in [
            "null",
            "http://evil.example",
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example",
            "file://",
            "http://192.168.1.5:8002",
            "https://lab.example.evil",
        ] {
            assert!(!origins.allows(origin, Some("127.0.0.1:8002")), "{origin}");
        }
        // Its own page, where a token protects it.
        let origins = Origins::new(&[], true);
        assert!(origins.allows("http://192.168.1.5:8002", Some("192.168.1.5:8002")));
        assert!(!origins.allows("http://192.168.1.6:8002", Some("192.168.1.5:8002")));
    }

    #[test]
    fn a_name_that_is_not_this_machines_is_refused_on_loopback() {
        let origins = Origins::new(&[], false);
        for host in ["127.0.0.1:8002", "localhost", "LocalHost:8002", "[::1]:8002", "127.1.2.3:80"] {
            assert!(origins.allows_host(host), "{host}");
        }
        for host in ["evil.example", "evil.example:8002", "localhost.evil.example", "192.168.1.5", ""] {
            assert!(!origins.allows_host(host), "{host}");
        }
    }
}
