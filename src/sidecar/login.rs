//! The page that asks for the token and begins a session, and the end of a session.

use axum::extract::State;
use axum::http::header::{CONTENT_SECURITY_POLICY, SET_COOKIE};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri};
use axum::response::{Html, Redirect};
use axum::{Extension, Json};
use chrono::{DateTime, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::accept;
use super::access::{self, Client, Granted, Right};
use super::listen::Peer;
use super::problem::Problem;
use super::read::{Form, Query};
use super::reply::{Page, Reply, Session};
use super::state::{App, AppState};

const PAGE: &str = include_str!("login.html");

/// What the login page sends.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct LoginForm {
    /// One of the two tokens.
    token: String,
}

/// What this client may do.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SessionReply {
    /// `full`, or `read_only`.
    access: &'static str,
    /// Whether the client has a session that `POST /logout` ends.
    logged_in: bool,
    /// When the session ends by itself.
    expires: Option<DateTime<Utc>>,
}

/// The page contains only a style and a form.
const POLICY: [(HeaderName, &str); 1] = [(
    CONTENT_SECURITY_POLICY,
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
)];

/// Characters that stand for themselves in the query of `/login`.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Where the browser goes after the login.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct LoginQuery {
    /// A path of this server; the dashboard if it is left out.
    to: Option<String>,
}

impl LoginQuery {
    /// A page of this server: a path, and never another host. Two slashes at its start would mean a host.
    fn page(&self) -> Option<&str> {
        let path = self.to.as_deref()?;
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '\\' | '"' | '<' | '>');
        (path.starts_with('/') && !path.starts_with("//") && path.chars().all(plain)).then_some(path)
    }

    /// The login page, whose form keeps the query.
    fn form(&self) -> String {
        match self.page() {
            Some(path) => PAGE.replace("action=\"login\"", &format!("action=\"{}\"", address(path))),
            None => PAGE.to_owned(),
        }
    }
}

/// The address of the login page from which the browser goes on to a path, relative to the server.
fn address(path: &str) -> String {
    format!("login?to={}", utf8_percent_encode(path, PLAIN))
}

/// Sends a browser to the login page, and after the login back to the page that it asked for.
pub(super) fn redirect(asked: &Uri) -> Redirect {
    match asked.path_and_query().map(PathAndQuery::as_str).filter(|path| *path != "/") {
        Some(path) => Redirect::to(&format!("/{}", address(path))),
        None => Redirect::to("/login"),
    }
}

/// Returns the login page.
pub(super) async fn page(Query(query): Query<LoginQuery>) -> Reply<Page> {
    Reply::new((POLICY, Html(query.form())))
}

/// Begins a session.
pub(super) async fn log_in(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    client: Option<Extension<Client>>,
    Query(query): Query<LoginQuery>,
    headers: HeaderMap,
    Form(form): Form<LoginForm>,
) -> Reply<Session> {
    let next = Redirect::to(query.page().unwrap_or("/"));
    if !app.access.needs_token() {
        return Reply::new(next);
    }
    let Some(identifier) = access::begin_session(&app, form.token.trim().to_owned()).await else {
        app.access.note(peer.map(|Extension(peer)| peer), "a wrong token was given at `/login`");
        if !accept::names_page(&headers) {
            return Reply::new(Problem::new(StatusCode::UNAUTHORIZED, "the token is wrong"));
        }
        let page = query.form().replace("<!--told-->", "<p role=\"alert\">The token is wrong.</p>");
        return Reply::new((StatusCode::UNAUTHORIZED, POLICY, Html(page)));
    };
    let cookie = app.cookie(&identifier, access::SESSION_SECONDS, client);
    Reply::new(([(SET_COOKIE, cookie)], next))
}

/// Ends the session of the browser.
pub(super) async fn log_out(
    State(app): State<App>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
) -> Reply<Session> {
    access::end_session(&app, &headers).await;
    Reply::new(([(SET_COOKIE, app.cookie("", 0, client))], Redirect::to("/login")))
}

impl AppState {
    /// The cookie for a session. Scripts cannot read it, and requests from other pages do not send it.
    fn cookie(&self, identifier: &str, seconds: i64, client: Option<Extension<Client>>) -> String {
        let (name, path) = (self.access.cookie_name(), self.options.base.of_cookies());
        let secure = if client.is_some_and(|Extension(client)| client.is_https) { "; Secure" } else { "" };
        format!("{name}={identifier}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
    }
}

/// Returns what this client may do.
pub(super) async fn session(Extension(granted): Extension<Granted>) -> Json<SessionReply> {
    let access = match granted.right {
        Right::Full => "full",
        Right::ReadOnly => "read_only",
    };
    let expires = granted.session.map(|session| session.expires);
    Json(SessionReply { access, logged_in: expires.is_some(), expires })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_to_a_page_of_this_server_only() {
        let page = |to: &str| LoginQuery { to: Some(to.to_owned()) }.page().map(str::to_owned);
        assert_eq!(page("/runs/abc/report?x=1&y=2").unwrap(), "/runs/abc/report?x=1&y=2");
        for other in
            ["", "wall", "//evil.example", "/\\evil.example", "http://evil.example", "/a b", "/\r\nx", "/ä"]
        {
            assert_eq!(page(other), None, "{other:?}");
        }
    }
}
