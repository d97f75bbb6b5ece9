//! The page that asks for the token and stores it in a cookie.

use axum::extract::State;
use axum::http::header::{CONTENT_SECURITY_POLICY, SET_COOKIE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use serde::Deserialize;

use super::access::COOKIE_NAME;
use super::listen::Peer;
use super::state::App;

const PAGE: &str = include_str!("dashboard/login.html");

#[derive(Debug, Deserialize)]
pub(super) struct LoginForm {
    token: String,
}

/// The page contains only a style and a form.
const POLICY: [(HeaderName, &str); 1] = [(
    CONTENT_SECURITY_POLICY,
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
)];

pub(super) async fn page() -> impl IntoResponse {
    (POLICY, Html(PAGE))
}

/// Sets the cookie for this host. Scripts cannot read it, and requests from other pages do not send it.
pub(super) async fn log_in(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    Form(form): Form<LoginForm>,
) -> Response {
    let token = form.token.trim();
    if !app.access.knows(token) {
        app.access.note(peer.map(|Extension(peer)| peer), "a wrong token was given at `/login`");
        let page = PAGE.replace("<!--told-->", "<p role=\"alert\">The token is wrong.</p>");
        return (StatusCode::UNAUTHORIZED, POLICY, Html(page)).into_response();
    }
    let cookie = format!("{COOKIE_NAME}={token}; Path=/; HttpOnly; SameSite=Strict");
    ([(SET_COOKIE, cookie)], Redirect::to("/")).into_response()
}
