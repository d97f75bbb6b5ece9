//! The page that asks for the token and begins a session, and the end of a session.

use axum::extract::State;
use axum::http::header::{CONTENT_SECURITY_POLICY, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::{Extension, Form, Json};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::access::{self, Client, Granted, Right};
use super::listen::Peer;
use super::state::{App, AppState};

const PAGE: &str = include_str!("dashboard/login.html");

#[derive(Debug, Deserialize)]
pub(super) struct LoginForm {
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

pub(super) async fn page() -> impl IntoResponse {
    (POLICY, Html(PAGE))
}

/// Begins a session.
pub(super) async fn log_in(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    client: Option<Extension<Client>>,
    Form(form): Form<LoginForm>,
) -> Response {
    if !app.access.needs_token() {
        return Redirect::to("/").into_response();
    }
    let Some(identifier) = access::begin_session(&app, form.token.trim().to_owned()).await else {
        app.access.note(peer.map(|Extension(peer)| peer), "a wrong token was given at `/login`");
        let page = PAGE.replace("<!--told-->", "<p role=\"alert\">The token is wrong.</p>");
        return (StatusCode::UNAUTHORIZED, POLICY, Html(page)).into_response();
    };
    let cookie = app.cookie(&identifier, access::SESSION_SECONDS, client);
    ([(SET_COOKIE, cookie)], Redirect::to("/")).into_response()
}

/// Ends the session of the browser.
pub(super) async fn log_out(
    State(app): State<App>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
) -> Response {
    access::end_session(&app, &headers).await;
    ([(SET_COOKIE, app.cookie("", 0, client))], Redirect::to("/login")).into_response()
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
