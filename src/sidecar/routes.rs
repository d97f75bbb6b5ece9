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
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "not with this method")
        })
        .layer(middleware::from_fn_with_state(Arc::clone(&app), intake::whole_body))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), access::check))
        .layer(cors)
        // A handler that panics is a bug. Its client gets an error, and all others are unaffected.
        .layer(CatchPanicLayer::custom(|_| {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "this request broke off; the log says why")
                .into_response()
        }))
        .layer(middleware::map_response(headers::complete))
        .with_state(app)
}

fn instrument() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route("/", get_with(dashboard::root, says("What this is; for browsers, the dashboard")))
        .api_route("/health", get_with(health, says("The service is alive. Never asks the instrument")))
        .api_route(
            "/connection/status",
            get_with(connection::status, says("Whether there is an instrument. Answered from what is known")),
        )
        .api_route(
            "/connection/connect",
            post_with(connection::connect, says("Connects, if there is no connection")),
        )
        .api_route(
            "/connection/disconnect",
            post_with(connection::disconnect, says("Closes the connection until connect is asked for")),
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
            get_with(detector::wavelength, says("Wavelength at which a detector's calibration is applied"))
                .post_with(
                    detector::set_wavelength,
                    says("Sets the wavelength at which a detector's calibration is applied"),
                ),
        )
        .api_route(
            "/detector/config",
            get_with(detector::config, says("How a detector measures"))
                .post_with(detector::set_config, says("Sets any of units and resolution")),
        )
        .api_route(
            "/detector/stabilization",
            get_with(detector::stabilization, says("What happens before and after a scan"))
                .post_with(detector::set_stabilization, says("Sets what happens before and after a scan")),
        )
        .api_route(
            "/detector/reference",
            post_with(detector::reference, says("Records a reference; the patch cord has to be connected")),
        )
        .api_route(
            "/detector/reference/result",
            get_with(detector::reference_result, says("The reference of a detector")),
        )
        .api_route("/detector/trace/metadata", get_with(trace::metadata, says("What a trace is")))
        .api_route("/detector/trace/data", get_with(trace::data, says("A trace as JSON")))
        .api_route("/detector/trace/binary", get_with(trace::binary, says("A trace as an NPY file")))
        .api_route(
            "/measurement/sweep/start",
            post_with(measurement::start_sweep, says("Starts a sweep; with `wait` answers when it is over")),
        )
        .api_route(
            "/measurement/sweep/abort",
            post_with(measurement::abort_sweep, says("Stops whatever scans")),
        )
        .api_route(
            "/measurement/sweep/status",
            get_with(measurement::sweep_status, says("Whether a sweep is under way")),
        )
        .api_route(
            "/measurement/status/referencing",
            get_with(measurement::referencing, says("Whether a reference is under way")),
        )
        .api_route(
            "/measurement/sweep/wavelengths",
            get_with(measurement::wavelengths, says("Range of the scan")).post_with(
                measurement::set_wavelengths,
                says("Sets the range of the scan, start before stop; both as re-read"),
            ),
        )
        .api_route(
            "/measurement/resolution",
            get_with(measurement::resolution, says("Sampling step of the scan"))
                .post_with(measurement::set_resolution, says("Sets the sampling step of the scan")),
        )
        .api_route(
            "/measurement/stabilization",
            get_with(measurement::stabilization, says("What happens before and after a scan"))
                .post_with(measurement::set_stabilization, says("Sets what happens before and after a scan")),
        )
        .api_route(
            "/measurement/config",
            get_with(measurement::config, says("The scan's settings"))
                .post_with(measurement::set_config, says("Sets any of the scan's settings")),
        )
        .api_route(
            "/tls/{channel}/config",
            get_with(tls::config, says("All settings of a source"))
                .post_with(tls::set_config, says("Sets any setting of a source")),
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
                .post_with(laser::set_config, says("Sets any of power, wavelength and output of a laser")),
        )
        .api_route("/rlaser/{laser_number}/id", get_with(laser::identity, says("Which laser it is")))
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
        .api_route("/scpi", post_with(scpi::send, says("Sends one raw line, where `allow_scpi` allows it")))
}

fn runs_half() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route("/instrument", get_with(overview::instrument, says("What is known of the instrument")))
        .api_route("/metrics", get_with(metrics::metrics, says("Figures in Prometheus' text format")))
        .api_route("/off", post_with(steer::off, says("The emergency stop: all lasers off")))
        .api_route(
            "/recipes",
            get_with(recipes::list, says("The recipes in the folders that this program was given")),
        )
        .api_route("/recipes/text", get_with(recipes::text, says("The text of a recipe")))
        .api_route("/check", post_with(begin::check, says("What is wrong, or probably wrong, with a recipe")))
        .api_route(
            "/plan",
            post_with(begin::plan, says("Every operation of a recipe, with time, points and bytes")),
        )
        .api_route(
            "/runs",
            get_with(runs::list, says("A page of runs, newest first"))
                .post_with(begin::begin, says("Begins a run")),
        )
        .api_route("/runs/current", get_with(runs::current, says("The run under way")))
        .api_route("/runs/{id}", get_with(runs::show, says("A run as far as it has come, or how it ended")))
        .api_route(
            "/runs/{id}/events",
            get_with(events::stream, says("The events of a run, as server-sent events")),
        )
        .api_route(
            "/runs/{id}/pause",
            post_with(steer::pause, says("Holds the run before its next operation")),
        )
        .api_route("/runs/{id}/resume", post_with(steer::resume, says("Lets a held run go on")))
        .api_route(
            "/runs/{id}/abort",
            post_with(
                steer::abort,
                says(
                    "Ends the run: the sweep is aborted, `finally` runs unless `now` is true, lasers go off",
                ),
            ),
        )
        .api_route("/runs/{id}/answer", post_with(steer::answer, says("Answers the run's open question")))
        .api_route("/runs/{id}/report", get_with(traces::report, says("What became of a run, on a page")))
        .api_route("/runs/{id}/traces", get_with(traces::list, says("The traces of a run, in order")))
        .api_route(
            "/runs/{id}/traces/{trace}",
            get_with(traces::file, says("A trace in the format that the suffix or `Accept` asks for")),
        )
        .api_route(
            "/runs/{id}/traces/{trace}/view",
            get_with(traces::view, says("The lowest and highest values of a window, piece by piece")),
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
    let connected = app.station.identity().is_some();
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
