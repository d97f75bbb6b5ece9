//! `/metrics`: the metrics of the program in the text format of Prometheus.

use std::time::Duration;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};

use super::state::App;

/// Interval for aggregating samples into buckets, so that memory is bounded even without requests.
const UPKEEP: Duration = Duration::from_secs(5);
/// Upper limits of the buckets for durations, s: from a query on loopback to the transfer of a trace.
const BUCKETS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 15.0, 60.0];

/// The metrics of this process.
#[derive(Debug, Clone)]
pub struct Metrics(Option<PrometheusHandle>);

impl Metrics {
    /// Starts to collect metrics. A process has one recorder; a second one stays empty.
    ///
    /// # Errors
    /// If the buckets are not valid, which never happens.
    pub fn collect() -> Result<Self, BuildError> {
        let recorder = PrometheusBuilder::new().set_buckets(&BUCKETS)?.build_recorder();
        let handle = recorder.handle();
        if ::metrics::set_global_recorder(recorder).is_err() {
            return Ok(Self(None));
        }
        begin_at_zero();
        tokio::spawn({
            let handle = handle.clone();
            async move {
                loop {
                    tokio::time::sleep(UPKEEP).await;
                    handle.run_upkeep();
                }
            }
        });
        Ok(Self(Some(handle)))
    }
}

/// Creates all metrics with the value 0. A metric that appears with its first event would hide this event from rates.
fn begin_at_zero() {
    use ::metrics::{counter, gauge, histogram};
    for kind in ["question", "command", "block"] {
        counter!("ctp10_exchanges_total", "kind" => kind).increment(0);
        counter!("ctp10_exchanges_failed_total", "kind" => kind).increment(0);
        let _ = histogram!("ctp10_exchange_wait_seconds", "kind" => kind);
        let _ = histogram!("ctp10_exchange_wire_seconds", "kind" => kind);
    }
    for kind in ["power", "health", "events"] {
        gauge!("ctp10_streams", "kind" => kind).set(0.0);
    }
    for status in ["done", "failed", "aborted"] {
        counter!("ctp10_runs_total", "status" => status).increment(0);
    }
    for status in ["401", "403", "409", "422", "502", "503", "504"] {
        counter!("ctp10_http_refused_total", "status" => status).increment(0);
    }
    for name in
        ["ctp10_instrument_errors_total", "ctp10_connections_lost_total", "ctp10_power_frames_dropped_total"]
    {
        counter!(name).increment(0);
    }
}

/// Returns the metrics in the text format of Prometheus.
pub(super) async fn metrics(State(app): State<App>) -> Response {
    let text = app.metrics.0.as_ref().map(PrometheusHandle::render).unwrap_or_default();
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
