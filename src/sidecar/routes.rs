//! The routes of the API.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware;
use axum::response::{IntoResponse, Redirect, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};

use super::api::Routes;
use super::instrument::{connection, detector, laser, measurement, scpi, tls, trace};
use super::live::{health, power};
use super::problem::Problem;
use super::runs::{self, archive, begin, events, figures, recipes, steer, traces};
use super::state::App;
use super::wire::power::timestamp;
use super::{access, batch, dashboard, docs, headers, intake, login, metrics, overview};

/// The router for all paths.
pub(super) fn router(app: App) -> Router {
    let cors = cors(&app);
    api(Routes::served())
        .router()
        .route("/assets/{name}", axum::routing::get(dashboard::asset))
        .route("/login", axum::routing::get(login::page).post(login::log_in))
        .route("/openapi.json", axum::routing::get(docs::openapi))
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

/// Everything that the API describes.
pub(super) fn api(routes: Routes) -> Routes {
    batch::routes(runs_half(instrument(routes)))
}

fn instrument(routes: Routes) -> Routes {
    routes
        .get("/", dashboard::root, "Name and version of the service; for browsers, the dashboard")
        .get("/health", health, "Whether the service is alive. Sends nothing to the instrument")
        .get(
            "/connection/status",
            connection::status,
            "Whether an instrument is connected. Sends nothing to the instrument",
        )
        .post("/connection/connect", connection::connect, "Connects to the instrument if it is not connected")
        .post(
            "/connection/disconnect",
            connection::disconnect,
            "Closes the connection until the next connect request",
        )
        .get("/connection/condition", connection::condition, "The operation condition register")
        .post("/connection/check_errors", connection::check_errors, "The instrument's error queue")
        .get("/detector/snapshot", detector::snapshot, "The power of all four channels")
        .get(
            "/detector/wavelength",
            detector::wavelength,
            "Wavelength that a detector's calibration is applied for",
        )
        .post(
            "/detector/wavelength",
            detector::set_wavelength,
            "Sets the wavelength that a detector's calibration is applied for",
        )
        .get("/detector/config", detector::config, "Units and resolution of a detector")
        .post("/detector/config", detector::set_config, "Sets the units and the resolution of a detector")
        .get(
            "/detector/stabilization",
            detector::stabilization,
            "Stabilization time before a scan, and laser output after it",
        )
        .post(
            "/detector/stabilization",
            detector::set_stabilization,
            "Sets the stabilization time before a scan, and the laser output after it",
        )
        .post(
            "/detector/reference",
            detector::reference,
            "Records a reference; the patch cord must be connected",
        )
        .get("/detector/reference/result", detector::reference_result, "The reference of a detector")
        .get("/detector/trace/metadata", trace::metadata, "Information about a trace")
        .get("/detector/trace/data", trace::data, "A trace as JSON")
        .get("/detector/trace/binary", trace::binary, "A trace as an NPY file")
        .post(
            "/measurement/sweep/start",
            measurement::start_sweep,
            "Starts a sweep; with `wait` the reply is sent when it has ended",
        )
        .post("/measurement/sweep/abort", measurement::abort_sweep, "Aborts the active scan")
        .get("/measurement/sweep/status", measurement::sweep_status, "Whether a sweep is active")
        .get(
            "/measurement/status/referencing",
            measurement::referencing,
            "Whether a reference scan is active",
        )
        .get("/measurement/sweep/wavelengths", measurement::wavelengths, "Range of the scan")
        .post(
            "/measurement/sweep/wavelengths",
            measurement::set_wavelengths,
            "Sets the range of the scan; returns both limits as read back",
        )
        .get("/measurement/resolution", measurement::resolution, "Sampling step of the scan")
        .post("/measurement/resolution", measurement::set_resolution, "Sets the sampling step of the scan")
        .get(
            "/measurement/stabilization",
            measurement::stabilization,
            "Stabilization time before a scan, and laser output after it",
        )
        .post(
            "/measurement/stabilization",
            measurement::set_stabilization,
            "Sets the stabilization time before a scan, and the laser output after it",
        )
        .get("/measurement/config", measurement::config, "The scan's settings")
        .post("/measurement/config", measurement::set_config, "Sets settings of the scan")
        .get("/tls/{channel}/config", tls::config, "All settings of a source")
        .post("/tls/{channel}/config", tls::set_config, "Sets settings of a source")
        .get("/tls/{channel}/wavelength", tls::wavelength, "Range of a source")
        .post("/tls/{channel}/wavelength", tls::set_wavelength, "Sets the range of a source")
        .get("/tls/{channel}/power", tls::power, "Power of a source")
        .post("/tls/{channel}/power", tls::set_power, "Sets the power of a source")
        .get("/tls/{channel}/speed", tls::speed, "Speed of a source")
        .post("/tls/{channel}/speed", tls::set_speed, "Sets the speed of a source")
        .get("/tls/{channel}/trigger", tls::trigger, "Trigger of a source")
        .post("/tls/{channel}/trigger", tls::set_trigger, "Sets the trigger of a source")
        .get("/rlaser/{laser_number}/config", laser::config, "All settings of a laser")
        .post(
            "/rlaser/{laser_number}/config",
            laser::set_config,
            "Sets power, wavelength and output of a laser",
        )
        .get("/rlaser/{laser_number}/id", laser::identity, "Identity of a laser")
        .get("/rlaser/{laser_number}/power", laser::power, "Power of a laser")
        .post("/rlaser/{laser_number}/power", laser::set_power, "Sets the power of a laser")
        .get("/rlaser/{laser_number}/wavelength", laser::wavelength, "Wavelength of a laser")
        .post("/rlaser/{laser_number}/wavelength", laser::set_wavelength, "Sets the wavelength of a laser")
        .get("/rlaser/{laser_number}/state", laser::state, "Whether the output of a laser is on")
        .post("/rlaser/{laser_number}/on", laser::on, "Turns a laser on")
        .post("/rlaser/{laser_number}/off", laser::off, "Turns a laser off")
        .post("/scpi", scpi::send, "Sends one raw SCPI line, if `allow_scpi` is set")
}

fn runs_half(routes: Routes) -> Routes {
    routes
        .get("/instrument", overview::instrument, "State of the instrument; sends nothing to it")
        .get("/power", power::events, "Live power, as server-sent events: the frames of `/ws/power`")
        .get("/metrics", metrics::metrics, "Metrics in Prometheus' text format")
        .post("/off", steer::off, "The emergency stop: all lasers off")
        .get("/recipes", recipes::list, "The recipes in the folders that the configuration lists")
        .get("/recipes/text", recipes::text, "The text of a recipe")
        .post("/check", begin::check, "Checks a recipe; returns errors and warnings")
        .post("/plan", begin::plan, "All operations of a recipe, with times, points and bytes")
        .get("/runs", runs::list, "A page of runs, newest first")
        .post("/runs", begin::begin, "Starts a run")
        .get("/runs/current", runs::current, "The active run")
        .get("/runs/{id}", runs::show, "The status of a run")
        .get("/runs/{id}/events", events::stream, "The events of a run, as server-sent events")
        .post("/runs/{id}/pause", steer::pause, "Pauses the run before its next operation")
        .post("/runs/{id}/resume", steer::resume, "Continues a paused run")
        .post(
            "/runs/{id}/abort",
            steer::abort,
            "Ends the run: the sweep is aborted, `finally` runs unless `now` is true, lasers turn off",
        )
        .post("/runs/{id}/answer", steer::answer, "Answers the run's open question")
        .get("/runs/{id}/archive", archive::download, "All finished files of a run as a zip archive")
        .get("/runs/{id}/report", traces::report, "The report of a run, as a page")
        .get(
            "/runs/{id}/figures",
            figures::list,
            "The figures of a run with their limits and verdicts, and the yield of each figure",
        )
        .get(
            "/runs/{id}/wafer",
            figures::wafer,
            "The wafer maps of a run as SVG, by verdict or by the values of a figure",
        )
        .get("/runs/{id}/traces", traces::list, "The traces of a run, in order")
        .get(
            "/runs/{id}/traces/{trace}",
            traces::file,
            "A trace, in the format that the suffix or `Accept` selects",
        )
        .get(
            "/runs/{id}/traces/{trace}/view",
            traces::view,
            "The lowest and highest values in pieces of a window",
        )
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
