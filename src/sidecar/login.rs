//! The page that asks for the token and keeps it in a cookie.

use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::guard::COOKIE_NAME;
use super::state::App;

const PAGE: &str = include_str!("dashboard/login.html");

#[derive(Debug, Deserialize)]
pub(super) struct LoginForm {
    token: String,
}

pub(super) async fn page() -> Html<&'static str> {
    Html(PAGE)
}

/// Sets the cookie: for this host, out of reach of scripts, and not sent along by other pages.
pub(super) async fn log_in(State(app): State<App>, Form(form): Form<LoginForm>) -> Response {
    let token = form.token.trim();
    if !app.guard.knows(token) {
        tracing::warn!("a wrong token was given");
        let page = PAGE.replace("<!--told-->", "<p role=\"alert\">This is not the token.</p>");
        return (StatusCode::UNAUTHORIZED, Html(page)).into_response();
    }
    let cookie = format!("{COOKIE_NAME}={token}; Path=/; HttpOnly; SameSite=Strict");
    ([(SET_COOKIE, cookie)], Redirect::to("/")).into_response()
}
