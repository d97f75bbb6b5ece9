//! Decides who may send requests. On loopback these are programs on this computer, and pages that it serves. Beyond loopback,
//! and behind a proxy, a token is also required. A read-only token allows the routes that say so.

mod origin;
mod proxies;
mod refusals;
mod sessions;
mod tokens;

use std::net::SocketAddr;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, AsHeaderName, COOKIE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::accept;
use super::api::Gate;
use super::listen::Peer;
use super::login;
use super::problem::Problem;
use super::state::App;
use origin::Origins;
pub(super) use proxies::Client;
pub use proxies::TrustedProxy;
use refusals::Refusals;
pub(super) use sessions::Found;
pub(super) use sessions::SECONDS as SESSION_SECONDS;
use sessions::Sessions;
pub(super) use tokens::Right;
pub use tokens::{Tokens, WrongToken};

/// The rules.
#[derive(Debug)]
pub(super) struct Access {
    tokens: Tokens,
    origins: Origins,
    proxies: Vec<TrustedProxy>,
    sessions: Sessions,
    cookie: String,
    refusals: Refusals,
}

/// What a request may do, and the session that allows it.
#[derive(Debug, Clone)]
pub(super) struct Granted {
    pub(super) right: Right,
    /// `None` if the request sent the token itself, or needs none.
    pub(super) session: Option<Found>,
}

/// Why a request is refused.
struct Refused {
    status: StatusCode,
    message: String,
}

impl Access {
    /// The rules of a server that listens at an address.
    pub(super) fn new(
        tokens: Tokens,
        allow_origin: &[String],
        proxies: Vec<TrustedProxy>,
        address: SocketAddr,
    ) -> Self {
        let origins = Origins::new(allow_origin, tokens.are_required());
        // A browser sends the cookies of one port to all ports of a host, so the name has the port.
        let cookie = format!("ctp10_session_{}", address.port());
        let sessions = if tokens.are_required() { Sessions::of(address) } else { Sessions::none() };
        Self { tokens, origins, proxies, sessions, cookie, refusals: Refusals::default() }
    }

    /// Whether a page from this origin may ask.
    pub(super) fn allows_origin(&self, origin: &str, host: Option<&str>) -> bool {
        self.origins.allows(origin, host)
    }

    /// The name of the cookie that has the session.
    pub(super) fn cookie_name(&self) -> &str {
        &self.cookie
    }

    /// Changes when a session ends.
    pub(super) fn logouts(&self) -> watch::Receiver<()> {
        self.sessions.ended()
    }

    /// Whether a session that was found has not ended since.
    pub(super) fn is_open(&self, session: &Found) -> bool {
        self.sessions.is_open(session, &self.tokens)
    }

    /// Whether requests need a token.
    pub(super) fn needs_token(&self) -> bool {
        self.tokens.are_required()
    }

    fn granted(&self, headers: &HeaderMap) -> Option<Granted> {
        if !self.tokens.are_required() {
            return Some(Granted { right: Right::Full, session: None });
        }
        if let Some(right) = bearer(headers).and_then(|token| self.tokens.right_of(token)) {
            return Some(Granted { right, session: None });
        }
        let session = self.sessions.find(self.identifier(headers)?, &self.tokens)?;
        Some(Granted { right: session.right, session: Some(session) })
    }

    /// The identifier of a session that a browser has sent.
    fn identifier<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs =
            cookies.flat_map(|cookies| cookies.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
        pairs.find(|(name, _)| *name == self.cookie).map(|(_, value)| value)
    }

    /// What a request may do; `None` for the few paths that everybody may use.
    fn decide(&self, request: &Request, gate: &Gate) -> Result<Option<Granted>, Refused> {
        let headers = request.headers();
        if let Some((status, message)) = self.origins.refusal(request.uri(), headers) {
            return Err(Refused { status, message });
        }
        let open = matches!(request.uri().path(), "/login" | "/logout" | "/assets/style.css");
        if open || request.method() == Method::OPTIONS {
            return Ok(None);
        }
        if !self.tokens.are_required() && proxies::is_forwarded(headers) {
            let message =
                "the request came through a proxy: a token is required (`token_file` in ctp10.toml)"
                    .to_owned();
            return Err(Refused { status: StatusCode::FORBIDDEN, message });
        }
        let Some(granted) = self.granted(headers) else {
            let message = "the token is missing or wrong (`Authorization: Bearer …`)".to_owned();
            return Err(Refused { status: StatusCode::UNAUTHORIZED, message });
        };
        let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        if granted.right == Right::ReadOnly
            && route.is_some_and(|route| !gate.is_readable(request.method(), route))
        {
            return Err(Refused::read_only(request.method(), request.uri().path()));
        }
        Ok(Some(granted))
    }

    /// Begins a session for a token, and returns its right and the identifier; `None` if the token is wrong.
    fn begin_session(&self, token: &str) -> Option<String> {
        let right = self.tokens.right_of(token)?;
        Some(self.sessions.begin(token, right))
    }

    /// Logs that a request was refused.
    pub(super) fn note(&self, peer: Option<Peer>, reason: &str) {
        self.refusals.note(peer, reason);
    }
}

impl Refused {
    fn read_only(method: &Method, path: &str) -> Self {
        let message = format!(
            "the read-only token does not allow `{method} {path}`: it allows to look at runs, reports, the queue and live power"
        );
        Self { status: StatusCode::FORBIDDEN, message }
    }
}

/// Begins a session for a token, and returns its identifier; `None` if the token is wrong.
pub(super) async fn begin_session(app: &App, token: String) -> Option<String> {
    let app = App::clone(app);
    // The file of the sessions is written.
    spawn_blocking(move || app.access.begin_session(&token)).await.ok().flatten()
}

/// Ends the session of a request.
pub(super) async fn end_session(app: &App, headers: &HeaderMap) {
    let Some(identifier) = app.access.identifier(headers).map(str::to_owned) else { return };
    let app = App::clone(app);
    // A panic in it was already reported.
    let _ = spawn_blocking(move || app.access.sessions.end(&identifier, &app.access.tokens)).await;
}

/// The problem of a part of a route that a read-only token does not allow.
pub(super) fn not_for_readers(what: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, format!("the read-only token does not allow {what}"))
}

/// The token that a program sends. Upper and lower case of the scheme are the same (RFC 9110, section 11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = text(headers, AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Lets a request pass, or returns the reason for a refusal.
pub(super) async fn check(
    State((app, gate)): State<(App, Gate)>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(&Peer(peer)) = request.extensions().get::<Peer>() {
        let client = Client::of(peer, request.headers(), &app.access.proxies);
        request.extensions_mut().insert(Peer(client.address));
        request.extensions_mut().insert(client);
    }
    match app.access.decide(&request, &gate) {
        Ok(granted) => {
            if let Some(granted) = granted {
                request.extensions_mut().insert(granted);
            }
            next.run(request).await
        }
        Err(refused) => refused.reply(&app.access, &request),
    }
}

impl Refused {
    fn reply(self, access: &Access, request: &Request) -> Response {
        let Self { status, message } = self;
        let is_stranger = status == StatusCode::UNAUTHORIZED;
        let is_page = request.method() == Method::GET && accept::names_page(request.headers());
        if is_stranger && is_page {
            return login::redirect(request.uri()).into_response();
        }
        let peer = request.extensions().get::<Peer>().copied();
        access.note(peer, &format!("`{}`: {message}", request.uri().path()));
        let problem = Problem::new(status, message).into_response();
        if is_stranger { ([(WWW_AUTHENTICATE, "Bearer")], problem).into_response() } else { problem }
    }
}
