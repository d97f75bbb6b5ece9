//! The routes: what is where.

use std::sync::Arc;

use aide::axum::ApiRouter;
use aide::axum::routing::{get, post};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware;
use axum::response::{IntoResponse, Redirect, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};

use super::figures::Figures;
use super::instrument::{connection, detector, laser, measurement, scpi, tls, trace};
use super::live::{health, power};
use super::problem::Problem;
use super::runs::{self, begin, events, recipes, steer, traces};
use super::state::App;
use super::wire::power::timestamp;
use super::{dashboard, docs, guard, login, overview};

/// A recipe is not larger than this.
const MOST_BODY_BYTES: usize = 2 << 20;

/// Everything that the sidecar answers.
pub(super) fn router(app: App, figures: Figures) -> Router {
    let mut document = docs::document();
    let api =
        ApiRouter::new().merge(instrument()).merge(runs_half()).finish_api_with(&mut document, docs::finish);
    let document = Arc::new(document);
    let cors = cors(&app);
    api.route("/", axum::routing::get(dashboard::root))
        .route("/assets/{name}", axum::routing::get(dashboard::asset))
        .route("/login", axum::routing::get(login::page).post(login::log_in))
        .route("/openapi.json", axum::routing::get(move || docs::openapi(Arc::clone(&document))))
        .route("/docs", axum::routing::get(docs::swagger))
        .route("/redoc", axum::routing::get(docs::redoc))
        .route("/metrics", axum::routing::get(async move || figures.show()))
        .route("/ws/power", axum::routing::get(power::stream))
        .route("/ws/v2/power", axum::routing::get(power::stream))
        .route("/ws/health", axum::routing::get(health::stream))
        .route("/ws/v2/health", axum::routing::get(health::stream))
        .fallback(elsewhere)
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "not with this method")
        })
        .layer(DefaultBodyLimit::max(MOST_BODY_BYTES))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), guard::check))
        .layer(cors)
        // A handler that panics is a mistake of ours; its client is told, and nobody else notices.
        .layer(CatchPanicLayer::custom(|_| {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "this request broke off; the log says why")
                .into_response()
        }))
        .with_state(app)
}

fn instrument() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route("/health", get(health))
        .api_route("/connection/status", get(connection::status))
        .api_route("/connection/connect", post(connection::connect))
        .api_route("/connection/disconnect", post(connection::disconnect))
        .api_route("/connection/condition", get(connection::condition))
        .api_route("/connection/check_errors", post(connection::check_errors))
        .api_route("/detector/snapshot", get(detector::snapshot))
        .api_route("/detector/wavelength", get(detector::wavelength).post(detector::set_wavelength))
        .api_route("/detector/config", get(detector::config).post(detector::set_config))
        .api_route("/detector/stabilization", get(detector::stabilization).post(detector::set_stabilization))
        .api_route("/detector/reference", post(detector::reference))
        .api_route("/detector/reference/result", get(detector::reference_result))
        .api_route("/detector/trace/metadata", get(trace::metadata))
        .route("/detector/trace/data", axum::routing::get(trace::data))
        .route("/detector/trace/binary", axum::routing::get(trace::binary))
        .api_route("/measurement/sweep/start", post(measurement::start_sweep))
        .api_route("/measurement/sweep/abort", post(measurement::abort_sweep))
        .api_route("/measurement/sweep/status", get(measurement::sweep_status))
        .api_route("/measurement/status/referencing", get(measurement::referencing))
        .api_route(
            "/measurement/sweep/wavelengths",
            get(measurement::wavelengths).post(measurement::set_wavelengths),
        )
        .api_route("/measurement/resolution", get(measurement::resolution).post(measurement::set_resolution))
        .api_route(
            "/measurement/stabilization",
            get(measurement::stabilization).post(measurement::set_stabilization),
        )
        .api_route("/measurement/config", get(measurement::config).post(measurement::set_config))
        .api_route("/tls/{tls}/config", get(tls::config).post(tls::set_config))
        .api_route("/tls/{tls}/wavelength", get(tls::wavelength).post(tls::set_wavelength))
        .api_route("/tls/{tls}/power", get(tls::power).post(tls::set_power))
        .api_route("/tls/{tls}/speed", get(tls::speed).post(tls::set_speed))
        .api_route("/tls/{tls}/trigger", get(tls::trigger).post(tls::set_trigger))
        .api_route("/rlaser/{laser}/config", get(laser::config).post(laser::set_config))
        .api_route("/rlaser/{laser}/id", get(laser::identity))
        .api_route("/rlaser/{laser}/power", get(laser::power).post(laser::set_power))
        .api_route("/rlaser/{laser}/wavelength", get(laser::wavelength).post(laser::set_wavelength))
        .api_route("/rlaser/{laser}/state", get(laser::state))
        .api_route("/rlaser/{laser}/on", post(laser::on))
        .api_route("/rlaser/{laser}/off", post(laser::off))
        .api_route("/scpi", post(scpi::send))
}

fn runs_half() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route("/instrument", get(overview::instrument))
        .api_route("/off", post(steer::off))
        .api_route("/recipes", get(recipes::list))
        .api_route("/recipes/text", get(recipes::text))
        .api_route("/check", post(begin::check))
        .api_route("/plan", post(begin::plan))
        .api_route("/runs", get(runs::list))
        .route("/runs", axum::routing::post(begin::begin))
        .api_route("/runs/current", get(runs::current))
        .api_route("/runs/{id}", get(runs::show))
        .route("/runs/{id}/events", axum::routing::get(events::stream))
        .api_route("/runs/{id}/pause", post(steer::pause))
        .api_route("/runs/{id}/resume", post(steer::resume))
        .api_route("/runs/{id}/abort", post(steer::abort))
        .api_route("/runs/{id}/answer", post(steer::answer))
        .api_route("/runs/{id}/traces", get(traces::list))
        .route("/runs/{id}/traces/{trace}", axum::routing::get(traces::file))
        .api_route("/runs/{id}/traces/{trace}/view", get(traces::view))
}

/// The service is alive. Never asks the instrument.
async fn health(
    axum::extract::State(app): axum::extract::State<App>,
) -> axum::Json<super::wire::instrument::Health> {
    let connected = app.station.identity().is_some();
    axum::Json(super::wire::instrument::Health { status: "healthy", connected, timestamp: timestamp() })
}

/// A path with a slash too many is shown its place; anything else is not here.
async fn elsewhere(request: Request) -> Response {
    let uri = request.uri();
    let path = uri.path();
    let plain = path.trim_end_matches('/');
    // Two slashes in front would name another host.
    if plain.len() < path.len() && !plain.is_empty() && !plain.starts_with("//") {
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        return Redirect::temporary(&format!("{plain}{query}")).into_response();
    }
    Problem::not_found(&format!("`{path}`")).into_response()
}

/// What pages from elsewhere may do is decided by the guard; this only tells their browsers.
fn cors(app: &App) -> CorsLayer {
    let guard = app.guard.clone();
    let allowed = move |origin: &HeaderValue, parts: &axum::http::request::Parts| {
        let host = parts.headers.get(axum::http::header::HOST).and_then(|value| value.to_str().ok());
        origin.to_str().is_ok_and(|origin| guard.allows_origin(origin, host))
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
