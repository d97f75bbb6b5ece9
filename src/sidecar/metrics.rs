//! `/metrics`: the metrics of the program in the text format of Prometheus.

use axum::http::header::CONTENT_TYPE;

use super::reply::{Metrics, Reply};

/// Returns the metrics in the text format of Prometheus.
pub(super) async fn metrics() -> Reply<Metrics> {
    Reply::new(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], crate::metrics::text()))
}
