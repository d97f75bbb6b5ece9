//! Decides who may send requests. On loopback these are programs on this computer, and pages that it serves. The host
//! name of the request must be a loopback name. Otherwise a page from elsewhere could reach the instrument through the
//! browser with its own host name (DNS rebinding). Beyond loopback, and behind a proxy, a token is also required.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, AUTHORIZATION, AsHeaderName, COOKIE, HOST, ORIGIN, WWW_AUTHENTICATE};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use subtle::ConstantTimeEq;

use super::listen::Peer;
use super::problem::Problem;
use super::refusals::Refusals;
use super::state::App;

/// The cookie that carries the token.
pub(super) const COOKIE_NAME: &str = "ctp10_token";

/// The rules.
#[derive(Debug, Clone)]
pub(super) struct Access {
    token: Option<String>,
    allow_origin: Vec<String>,
    refusals: Refusals,
}

/// Headers that a proxy adds to requests of other clients. All headers that begin with `X-Forwarded` count too.
const FORWARDED: [&str; 9] = [
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-forwarded-for",
    "x-envoy-external-address",
    "true-client-ip",
    "cf-connecting-ip",
];

impl Access {
    pub(super) fn new(token: Option<String>, allow_origin: &[String]) -> Self {
        let plain = |origin: &String| origin.trim_end_matches('/').to_ascii_lowercase();
        let allow_origin = allow_origin.iter().map(plain).collect();
        Self { token, allow_origin, refusals: Refusals::default() }
    }

    /// Whether a page from this origin may ask. A page of this server's own may, where a token protects it.
    pub(super) fn allows_origin(&self, origin: &str, host: Option<&str>) -> bool {
        let origin = origin.to_ascii_lowercase();
        if self.allow_origin.contains(&origin) {
            return true;
        }
        let Ok(uri) = origin.parse::<Uri>() else { return false };
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return false;
        }
        let is_host = |a: &Authority| host.is_some_and(|host| a.as_str().eq_ignore_ascii_case(host));
        let own = self.token.is_some() && uri.authority().is_some_and(is_host);
        own || uri.host().is_some_and(is_loopback)
    }

    /// Whether the server may be called by this name.
    fn allows_host(&self, host: Option<&str>) -> bool {
        let Some(host) = host.map(str::to_ascii_lowercase) else { return false };
        let name = host.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
        let listed = || self.allow_origin.iter().any(|origin| origin.ends_with(&format!("://{host}")));
        // A page under a foreign host name does not have the token.
        self.token.is_some() || name.as_deref().is_some_and(is_loopback) || listed()
    }

    pub(super) fn knows(&self, shown: &str) -> bool {
        match &self.token {
            Some(token) => token.as_bytes().ct_eq(shown.as_bytes()).into(),
            None => true,
        }
    }

    fn is_shown_token(&self, headers: &HeaderMap) -> bool {
        let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let cookie = cookies
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .find(|(name, _)| *name == COOKIE_NAME);
        self.token.is_none()
            || bearer.is_some_and(|shown| self.knows(shown.trim()))
            || cookie.is_some_and(|(_, shown)| self.knows(shown))
    }
}

/// Whether a host name or number means this machine alone.
fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether a browser says that a page from elsewhere caused this request, without naming the page: an image, a script, a
/// frame. A link that a person follows is none of these.
fn is_embedded_elsewhere(headers: &HeaderMap) -> bool {
    let is_elsewhere = matches!(text(headers, "sec-fetch-site"), Some("cross-site" | "same-site"));
    is_elsewhere && text(headers, "sec-fetch-dest") != Some("document")
}

fn is_forwarded(headers: &HeaderMap) -> bool {
    headers
        .keys()
        .map(HeaderName::as_str)
        .any(|name| name.starts_with("x-forwarded") || FORWARDED.contains(&name))
}

/// Lets a request pass, or returns the reason for a refusal.
pub(super) async fn check(State(app): State<App>, request: Request, next: Next) -> Response {
    match app.access.refusal(&request) {
        None => next.run(request).await,
        Some(refused) => refused,
    }
}

impl Access {
    fn refusal(&self, request: &Request) -> Option<Response> {
        let headers = request.headers();
        // HTTP/1.1 has the name in `Host`; a request in absolute form has it in its address.
        let host = request.uri().authority().map(|a| a.as_str()).or_else(|| text(headers, HOST));
        let refuse = |status: StatusCode, message: String| {
            let peer = request.extensions().get::<Peer>().copied();
            self.note(peer, &format!("`{}`: {message}", request.uri().path()));
            Some(Problem::new(status, message).into_response())
        };
        if headers.get_all(HOST).iter().count() > 1 {
            return refuse(StatusCode::BAD_REQUEST, "the request has two `Host` headers".to_owned());
        }
        if !self.allows_host(host) {
            let host = host.unwrap_or_default();
            let message =
                format!("host `{host}` is not allowed (loopback names, and those of `--allow-origin`)");
            return refuse(StatusCode::FORBIDDEN, message);
        }
        if headers.contains_key(ORIGIN) {
            let origin = text(headers, ORIGIN).unwrap_or("null");
            if !self.allows_origin(origin, host) {
                let message =
                    format!("origin `{origin}` is not allowed (`--allow-origin {origin}` lists it)");
                return refuse(StatusCode::FORBIDDEN, message);
            }
        } else if is_embedded_elsewhere(headers) {
            let message = "pages from other sites cannot use this server (`Sec-Fetch-Site`)";
            return refuse(StatusCode::FORBIDDEN, message.to_owned());
        }
        let open = matches!(request.uri().path(), "/login" | "/assets/style.css");
        if open || request.method() == Method::OPTIONS {
            return None;
        }
        if self.token.is_none() {
            let message =
                "the request came through a proxy: a token is required (`token_file` in ctp10.toml)";
            return if is_forwarded(headers) {
                refuse(StatusCode::FORBIDDEN, message.to_owned())
            } else {
                None
            };
        }
        if self.is_shown_token(headers) {
            return None;
        }
        let is_page = request.method() == Method::GET
            && text(headers, ACCEPT).is_some_and(|accept| accept.contains("text/html"));
        if is_page {
            return Some(Redirect::to("/login").into_response());
        }
        let message = "the token is missing or wrong (`Authorization: Bearer …`)".to_owned();
        refuse(StatusCode::UNAUTHORIZED, message)
            .map(|refused| ([(WWW_AUTHENTICATE, "Bearer")], refused).into_response())
    }

    /// Logs that a request was refused.
    pub(super) fn note(&self, peer: Option<Peer>, reason: &str) {
        self.refusals.note(peer, reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_from_this_machine_may_ask_and_others_only_when_listed() {
        let access = Access::new(None, &["https://lab.example/".to_owned()]);
        for origin in
            ["http://localhost:3000", "http://127.0.0.1:8002", "https://[::1]:5173", "https://lab.example"]
        {
            assert!(access.allows_origin(origin, Some("127.0.0.1:8002")), "{origin}");
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
            assert!(!access.allows_origin(origin, Some("127.0.0.1:8002")), "{origin}");
        }
        // Its own page, where a token protects it.
        let access = Access::new(Some("0123456789abcdef".to_owned()), &[]);
        assert!(access.allows_origin("http://192.168.1.5:8002", Some("192.168.1.5:8002")));
        assert!(!access.allows_origin("http://192.168.1.6:8002", Some("192.168.1.5:8002")));
    }

    #[test]
    fn a_name_that_is_not_this_machines_is_refused_on_loopback() {
        let access = Access::new(None, &[]);
        for host in ["127.0.0.1:8002", "localhost", "LocalHost:8002", "[::1]:8002", "127.1.2.3:80"] {
            assert!(access.allows_host(Some(host)), "{host}");
        }
        for host in ["evil.example", "evil.example:8002", "localhost.evil.example", "192.168.1.5:8002", ""] {
            assert!(!access.allows_host(Some(host)), "{host}");
        }
        assert!(!access.allows_host(None));
    }

    #[test]
    fn the_token_is_taken_from_the_header_or_the_cookie() {
        let access = Access::new(Some("0123456789abcdef".to_owned()), &[]);
        let headers = |name: axum::http::HeaderName, value: &str| {
            HeaderMap::from_iter([(name, value.parse().unwrap())])
        };
        assert!(access.is_shown_token(&headers(AUTHORIZATION, "Bearer 0123456789abcdef")));
        assert!(access.is_shown_token(&headers(COOKIE, "a=b; ctp10_token=0123456789abcdef")));
        assert!(!access.is_shown_token(&headers(AUTHORIZATION, "Bearer 0123456789abcdee")));
        assert!(!access.is_shown_token(&headers(COOKIE, "ctp10_token=")));
        assert!(!access.is_shown_token(&HeaderMap::new()));
    }
}
