//! The routes of the API.

mod instrument;
mod runs;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware;
use axum::response::{IntoResponse, Redirect, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};

use super::access::{self, Right};
use super::api::{Gate, Routes};
use super::live::{health, power};
use super::problem::Problem;
use super::state::App;
use super::wire::power::timestamp;
use super::{assets, batch, docs, headers, intake};

/// The router for all paths.
pub(super) fn router(app: App) -> Router {
    let cors = cors(&app);
    let (routes, gate) = served();
    let base = app.options.base.clone();
    let known = gate.clone();
    let routes = routes
        .fallback(async move |State(app): State<App>, request: Request| elsewhere(&app, &known, &request))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this method is not supported here")
        })
        .layer(middleware::from_fn_with_state(Arc::clone(&app), intake::whole_body))
        .layer(middleware::from_fn_with_state((Arc::clone(&app), gate), access::check))
        .with_state(app);
    // `layer` of a router wraps each route. These layers need not know the route, so one wrapper around all routes is
    // enough, and the server starts sooner.
    Router::new()
        .fallback_service(routes)
        .layer(cors)
        // A handler that panics is a bug. Its client gets an error, and all others are unaffected.
        .layer(CatchPanicLayer::custom(|_| {
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal error in this request; the log gives the reason",
            )
            .into_response()
        }))
        .layer(middleware::map_response(headers::complete))
        .layer(middleware::map_response(move |response: Response| {
            std::future::ready(base.complete(response))
        }))
}

/// Whether the path of a route begins with this name.
pub(super) fn has_first_name(name: &str) -> bool {
    served().1.has_first_name(name)
}

/// All routes with a right: the API, its pages and its WebSockets.
fn served() -> (Router<App>, Gate) {
    api(Routes::served())
        .page("/assets/{name}", assets::asset, Right::ReadOnly)
        .page("/wall", assets::wall, Right::ReadOnly)
        .page("/openapi.json", docs::openapi, Right::ReadOnly)
        .page("/docs", assets::docs, Right::ReadOnly)
        .page("/redoc", async || Redirect::permanent("/docs"), Right::ReadOnly)
        .page("/ws/power", power::stream, Right::ReadOnly)
        .page("/ws/v2/power", power::stream, Right::ReadOnly)
        .page("/ws/health", health::stream, Right::ReadOnly)
        .page("/ws/v2/health", health::stream, Right::ReadOnly)
        .router()
}

/// Everything that the API describes.
pub(super) fn api(routes: Routes) -> Routes {
    batch::routes(runs::runs(instrument::instrument(routes)))
}

/// Returns that the service is running. Never sends a query to the instrument.
async fn health(State(app): State<App>) -> axum::Json<super::wire::instrument::Health> {
    let connected = app.session.identity().is_some();
    axum::Json(super::wire::instrument::Health { status: "healthy", connected, timestamp: timestamp() })
}

/// Redirects a path with an additional slash; any other path does not exist.
fn elsewhere(app: &App, known: &Gate, request: &Request) -> Response {
    let uri = request.uri();
    let path = uri.path();
    if !path.is_empty() && path == app.options.base.as_str() {
        // The links of the page are relative to a path with a slash at its end. The prefix is added later.
        return Redirect::temporary("/").into_response();
    }
    let plain = path.trim_end_matches('/');
    // Two slashes at the start, forward or backward, would mean another host.
    let other_host = plain.get(1..).is_some_and(|rest| rest.starts_with(['/', '\\']));
    if plain.len() < path.len() && !plain.is_empty() && !other_host {
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        return Redirect::temporary(&format!("{plain}{query}")).into_response();
    }
    let nearest = known.nearest(path).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Problem::new(StatusCode::NOT_FOUND, format!("`{path}` does not exist{nearest}")).into_response()
}

/// Tells the browsers which origins may send requests. The access control itself checks each request.
fn cors(app: &App) -> CorsLayer {
    let app = Arc::clone(app);
    let allowed = move |origin: &HeaderValue, parts: &axum::http::request::Parts| {
        let host = parts.headers.get(axum::http::header::HOST).and_then(|value| value.to_str().ok());
        origin.to_str().is_ok_and(|origin| app.access.allows_origin(origin, host))
    };
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(allowed))
        .allow_credentials(true)
        .allow_methods(AllowMethods::list([Method::GET, Method::POST, Method::OPTIONS]))
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([
            axum::http::header::CONTENT_DISPOSITION,
            axum::http::header::LOCATION,
            HeaderName::from_static("content-range"),
        ])
}
