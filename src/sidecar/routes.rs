//! The routes of the API.

use std::sync::Arc;

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use aide::transform::TransformOperation;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware;
use axum::response::{IntoResponse, Redirect, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};

use super::instrument::{connection, detector, laser, measurement, scpi, tls, trace};
use super::live::{health, power};
use super::problem::Problem;
use super::runs::{self, begin, events, recipes, steer, traces};
use super::state::App;
use super::wire::power::timestamp;
use super::{access, batch, dashboard, docs, headers, intake, login, metrics, overview};

/// The router for all paths.
pub(super) fn router(app: App) -> Router {
    let mut document = docs::document();
    let api = ApiRouter::new()
        .merge(instrument())
        .merge(runs_half())
        .merge(batch::routes())
        .finish_api_with(&mut document, docs::finish);
    let document = Arc::new(document);
    let cors = cors(&app);
    api.route("/assets/{name}", axum::routing::get(dashboard::asset))
        .route("/login", axum::routing::get(login::page).post(login::log_in))
        .route("/openapi.json", axum::routing::get(move || docs::openapi(Arc::clone(&document))))
        .route("/docs", axum::routing::get(docs::swagger))
        .route("/redoc", axum::routing::get(docs::redoc))
        .route("/ws/power", axum::routing::get(power::stream))
        .route("/ws/v2/power", axum::routing::get(power::stream))
        .route("/ws/health", axum::routing::get(health::stream))
        .route("/ws/v2/health", axum::routing::get(health::stream))
        .fallback(elsewhere)
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this method is not supported here")
        })
        .layer(middleware::from_fn_with_state(Arc::clone(&app), intake::whole_body))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), access::check))
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
        .with_state(app)
}

fn instrument() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/",
            get_with(dashboard::root, says("Name and version of the service; for browsers, the dashboard")),
        )
        .api_route(
            "/health",
            get_with(health, says("Whether the service is alive. Sends nothing to the instrument")),
        )
        .api_route(
            "/connection/status",
            get_with(
                connection::status,
                says("Whether an instrument is connected. Sends nothing to the instrument"),
            ),
        )
        .api_route(
            "/connection/connect",
            post_with(connection::connect, says("Connects to the instrument if it is not connected")),
        )
        .api_route(
            "/connection/disconnect",
            post_with(connection::disconnect, says("Closes the connection until the next connect request")),
        )
        .api_route(
            "/connection/condition",
            get_with(connection::condition, says("The operation condition register")),
        )
        .api_route(
            "/connection/check_errors",
            post_with(connection::check_errors, says("The instrument's error queue")),
        )
        .api_route("/detector/snapshot", get_with(detector::snapshot, says("The power of all four channels")))
        .api_route(
            "/detector/wavelength",
            get_with(detector::wavelength, says("Wavelength that a detector's calibration is applied for"))
                .post_with(
                    detector::set_wavelength,
                    says("Sets the wavelength that a detector's calibration is applied for"),
                ),
        )
        .api_route(
            "/detector/config",
            get_with(detector::config, says("Units and resolution of a detector"))
                .post_with(detector::set_config, says("Sets the units and the resolution of a detector")),
        )
        .api_route(
            "/detector/stabilization",
            get_with(
                detector::stabilization,
                says("Stabilization time before a scan, and laser output after it"),
            )
            .post_with(
                detector::set_stabilization,
                says("Sets the stabilization time before a scan, and the laser output after it"),
            ),
        )
        .api_route(
            "/detector/reference",
            post_with(detector::reference, says("Records a reference; the patch cord must be connected")),
        )
        .api_route(
            "/detector/reference/result",
            get_with(detector::reference_result, says("The reference of a detector")),
        )
        .api_route("/detector/trace/metadata", get_with(trace::metadata, says("Information about a trace")))
        .api_route("/detector/trace/data", get_with(trace::data, says("A trace as JSON")))
        .api_route("/detector/trace/binary", get_with(trace::binary, says("A trace as an NPY file")))
        .api_route(
            "/measurement/sweep/start",
            post_with(
                measurement::start_sweep,
                says("Starts a sweep; with `wait` the reply is sent when it has ended"),
            ),
        )
        .api_route(
            "/measurement/sweep/abort",
            post_with(measurement::abort_sweep, says("Aborts the active scan")),
        )
        .api_route(
            "/measurement/sweep/status",
            get_with(measurement::sweep_status, says("Whether a sweep is active")),
        )
        .api_route(
            "/measurement/status/referencing",
            get_with(measurement::referencing, says("Whether a reference scan is active")),
        )
        .api_route(
            "/measurement/sweep/wavelengths",
            get_with(measurement::wavelengths, says("Range of the scan")).post_with(
                measurement::set_wavelengths,
                says("Sets the range of the scan; returns both limits as read back"),
            ),
        )
        .api_route(
            "/measurement/resolution",
            get_with(measurement::resolution, says("Sampling step of the scan"))
                .post_with(measurement::set_resolution, says("Sets the sampling step of the scan")),
        )
        .api_route(
            "/measurement/stabilization",
            get_with(
                measurement::stabilization,
                says("Stabilization time before a scan, and laser output after it"),
            )
            .post_with(
                measurement::set_stabilization,
                says("Sets the stabilization time before a scan, and the laser output after it"),
            ),
        )
        .api_route(
            "/measurement/config",
            get_with(measurement::config, says("The scan's settings"))
                .post_with(measurement::set_config, says("Sets settings of the scan")),
        )
        .api_route(
            "/tls/{channel}/config",
            get_with(tls::config, says("All settings of a source"))
                .post_with(tls::set_config, says("Sets settings of a source")),
        )
        .api_route(
            "/tls/{channel}/wavelength",
            get_with(tls::wavelength, says("Range of a source"))
                .post_with(tls::set_wavelength, says("Sets the range of a source")),
        )
        .api_route(
            "/tls/{channel}/power",
            get_with(tls::power, says("Power of a source"))
                .post_with(tls::set_power, says("Sets the power of a source")),
        )
        .api_route(
            "/tls/{channel}/speed",
            get_with(tls::speed, says("Speed of a source"))
                .post_with(tls::set_speed, says("Sets the speed of a source")),
        )
        .api_route(
            "/tls/{channel}/trigger",
            get_with(tls::trigger, says("Trigger of a source"))
                .post_with(tls::set_trigger, says("Sets the trigger of a source")),
        )
        .api_route(
            "/rlaser/{laser_number}/config",
            get_with(laser::config, says("All settings of a laser"))
                .post_with(laser::set_config, says("Sets power, wavelength and output of a laser")),
        )
        .api_route("/rlaser/{laser_number}/id", get_with(laser::identity, says("Identity of a laser")))
        .api_route(
            "/rlaser/{laser_number}/power",
            get_with(laser::power, says("Power of a laser"))
                .post_with(laser::set_power, says("Sets the power of a laser")),
        )
        .api_route(
            "/rlaser/{laser_number}/wavelength",
            get_with(laser::wavelength, says("Wavelength of a laser"))
                .post_with(laser::set_wavelength, says("Sets the wavelength of a laser")),
        )
        .api_route(
            "/rlaser/{laser_number}/state",
            get_with(laser::state, says("Whether the output of a laser is on")),
        )
        .api_route("/rlaser/{laser_number}/on", post_with(laser::on, says("Turns a laser on")))
        .api_route("/rlaser/{laser_number}/off", post_with(laser::off, says("Turns a laser off")))
        .api_route("/scpi", post_with(scpi::send, says("Sends one raw SCPI line, if `allow_scpi` is set")))
}

fn runs_half() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route("/instrument", get_with(overview::instrument, says("State of the instrument; sends nothing to it")))
        .api_route("/metrics", get_with(metrics::metrics, says("Metrics in Prometheus' text format")))
        .api_route("/off", post_with(steer::off, says("The emergency stop: all lasers off")))
        .api_route(
            "/recipes",
            get_with(recipes::list, says("The recipes in the folders that the configuration lists")),
        )
        .api_route("/recipes/text", get_with(recipes::text, says("The text of a recipe")))
        .api_route("/check", post_with(begin::check, says("Checks a recipe; returns errors and warnings")))
        .api_route(
            "/plan",
            post_with(begin::plan, says("All operations of a recipe, with times, points and bytes")),
        )
        .api_route(
            "/runs",
            get_with(runs::list, says("A page of runs, newest first"))
                .post_with(begin::begin, says("Starts a run")),
        )
        .api_route("/runs/current", get_with(runs::current, says("The active run")))
        .api_route("/runs/{id}", get_with(runs::show, says("The status of a run")))
        .api_route(
            "/runs/{id}/events",
            get_with(events::stream, says("The events of a run, as server-sent events")),
        )
        .api_route(
            "/runs/{id}/pause",
            post_with(steer::pause, says("Pauses the run before its next operation")),
        )
        .api_route("/runs/{id}/resume", post_with(steer::resume, says("Continues a paused run")))
        .api_route(
            "/runs/{id}/abort",
            post_with(
                steer::abort,
                says(
                    "Ends the run: the sweep is aborted, `finally` runs unless `now` is true, lasers turn off",
                ),
            ),
        )
        .api_route("/runs/{id}/answer", post_with(steer::answer, says("Answers the run's open question")))
        .api_route("/runs/{id}/report", get_with(traces::report, says("The report of a run, as a page")))
        .api_route("/runs/{id}/traces", get_with(traces::list, says("The traces of a run, in order")))
        .api_route(
            "/runs/{id}/traces/{trace}",
            get_with(traces::file, says("A trace, in the format that the suffix or `Accept` selects")),
        )
        .api_route(
            "/runs/{id}/traces/{trace}/view",
            get_with(traces::view, says("The lowest and highest values in pieces of a window")),
        )
}

/// Sets the summary of an operation in the OpenAPI document.
pub(super) fn says(summary: &'static str) -> impl FnOnce(TransformOperation<'_>) -> TransformOperation<'_> {
    move |operation| operation.summary(summary)
}

/// Returns that the service is running. Never sends a query to the instrument.
async fn health(
    axum::extract::State(app): axum::extract::State<App>,
) -> axum::Json<super::wire::instrument::Health> {
    let connected = app.session.identity().is_some();
    axum::Json(super::wire::instrument::Health { status: "healthy", connected, timestamp: timestamp() })
}

/// Redirects a path with an additional slash; any other path does not exist.
async fn elsewhere(request: Request) -> Response {
    let uri = request.uri();
    let path = uri.path();
    let plain = path.trim_end_matches('/');
    // Two slashes at the start, forward or backward, would mean another host.
    let other_host = plain.get(1..).is_some_and(|rest| rest.starts_with(['/', '\\']));
    if plain.len() < path.len() && !plain.is_empty() && !other_host {
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        return Redirect::temporary(&format!("{plain}{query}")).into_response();
    }
    Problem::not_found(&format!("`{path}`")).into_response()
}

/// Tells the browsers which origins may send requests. The access control itself checks each request.
fn cors(app: &App) -> CorsLayer {
    let access = app.access.clone();
    let allowed = move |origin: &HeaderValue, parts: &axum::http::request::Parts| {
        let host = parts.headers.get(axum::http::header::HOST).and_then(|value| value.to_str().ok());
        origin.to_str().is_ok_and(|origin| access.allows_origin(origin, host))
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
