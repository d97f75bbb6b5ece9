//! The traces of a run: a list, the data in several formats, and envelopes for plots.

use std::io::ErrorKind;
use std::path::Path as FilePath;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse};
use tokio::task::spawn_blocking;

use super::views::ViewKey;
use super::{RunOfRequest, read_on_thread};
use crate::files;
use crate::measurement::TraceSummary;
use crate::sidecar::accept;
use crate::sidecar::headers::REPORT_POLICY;
use crate::sidecar::problem::Problem;
use crate::sidecar::range;
use crate::sidecar::read::{Path, Query};
use crate::sidecar::reply::{self, Page, Reply};
use crate::sidecar::state::{App, AppState};
use crate::sidecar::wire::runs::{RunPath, TracePath, TracesQuery, TracesReply, ViewQuery, ViewReply};
use crate::step::TraceReader as _;
use crate::store::{REPORT_FILE, StoreError, TraceFile, envelope, formats, locate_trace, open_trace};

/// The largest report that is served, bytes. The reports of long runs have a few megabytes.
const LARGEST_REPORT: u64 = 64 << 20;

/// A data format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Parquet,
    Arrow,
    Csv,
    Npy,
}

impl Format {
    const ALL: [Self; 4] = [Self::Parquet, Self::Arrow, Self::Csv, Self::Npy];

    fn suffix(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
            Self::Csv => "csv",
            Self::Npy => "npy",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Arrow => "application/vnd.apache.arrow.stream",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Npy => "application/octet-stream",
        }
    }

    /// The preferred format of the `Accept` header; Parquet if it names none.
    fn accepted(headers: &HeaderMap) -> Self {
        let known = |(wanted, weight): (String, f32)| match wanted.as_str() {
            _ if weight <= 0.0 => None,
            "text/csv" => Some(Self::Csv),
            "application/vnd.apache.arrow.stream" => Some(Self::Arrow),
            "application/x-npy" | "application/x-numpy" => Some(Self::Npy),
            "application/vnd.apache.parquet" => Some(Self::Parquet),
            _ => None,
        };
        accept::listed(headers, &ACCEPT).into_iter().find_map(known).unwrap_or(Self::Parquet)
    }
}

impl AppState {
    /// A trace of the run that a request names, and the identifier of the run. `find` checks its file, or only finds it.
    async fn stored(
        &self,
        given: &str,
        number: &str,
        find: fn(&FilePath, &TraceSummary) -> Result<TraceFile, StoreError>,
    ) -> Result<(String, TraceSummary, TraceFile), Problem> {
        let RunOfRequest { id, folder, .. } = self.named(given).await?;
        let refuse = || Problem::not_found(&format!("trace `{number}` of run {id}"));
        // The links of the report use the file name, which begins with the number.
        let digits = number.split('_').next().unwrap_or_default();
        let index: u64 = digits.parse().map_err(|_| refuse())?;
        let traces = Arc::clone(&self.traces);
        let found = read_on_thread(move || {
            let Some(trace) = traces.trace(&folder, index)? else { return Ok(None) };
            let file = find(&folder, &trace)?;
            Ok(Some((trace, file)))
        });
        let (trace, file) = found.await?.ok_or_else(refuse)?;
        Ok((id, trace, file))
    }
}

/// Returns a page of the traces of a run, in order.
pub(in crate::sidecar) async fn list(
    State(app): State<App>,
    Path(RunPath { id }): Path<RunPath>,
    Query(TracesQuery { limit, after }): Query<TracesQuery>,
) -> Result<Json<TracesReply>, Problem> {
    let RunOfRequest { folder, live, .. } = app.named(&id).await?;
    if live.is_some_and(|run| run.status().traces == 0) {
        return Ok(Json(TracesReply { traces: Vec::new(), next: None }));
    }
    let (limit, after) = (usize::from(limit), after.map_or(0, u64::from));
    let traces = Arc::clone(&app.traces);
    // One additional trace shows whether there is another page.
    let found = read_on_thread(move || traces.page(&folder, after, limit + 1));
    let mut traces = found.await?;
    let more = traces.len() > limit;
    traces.truncate(limit);
    let next = traces.last().filter(|_| more).map(|trace| trace.trace_index);
    Ok(Json(TracesReply { traces, next }))
}

/// Returns the report of a run from its folder.
pub(in crate::sidecar) async fn report(
    State(app): State<App>,
    Path(RunPath { id }): Path<RunPath>,
) -> Result<Reply<Page>, Problem> {
    let RunOfRequest { id, folder, .. } = app.named(&id).await?;
    let page = spawn_blocking(move || files::read_within(&folder, REPORT_FILE, LARGEST_REPORT)).await;
    let page = page.map_err(|panic| Problem::bad_gateway(panic.to_string()))?;
    page.map(|page| Reply::new((REPORT_POLICY, Html(page)))).map_err(|error| {
        let told = match error.kind() {
            ErrorKind::NotFound => {
                format!("run {id} has no report yet (`ctp10 runs report {id}` writes one)")
            }
            _ => format!(
                "the report of run {id} cannot be read ({error}): `ctp10 runs report {id}` writes it again"
            ),
        };
        Problem::new(StatusCode::NOT_FOUND, told)
    })
}

/// Returns a trace in the format of the suffix or of the `Accept` header.
pub(in crate::sidecar) async fn file(
    State(app): State<App>,
    Path(TracePath { id, trace }): Path<TracePath>,
    request: Request,
) -> Result<Reply<reply::TraceFile>, Problem> {
    let (number, format) = match trace.split_once('.') {
        None => (trace.as_str(), Format::accepted(request.headers())),
        Some((number, suffix)) => {
            let format = Format::ALL.into_iter().find(|format| format.suffix() == suffix);
            (number, format.ok_or_else(|| Problem::not_found(&format!("format `{suffix}`")))?)
        }
    };
    let (id, summary, file) = app.stored(&id, number, open_trace).await?;
    let stem = summary.file.rsplit('/').next().unwrap_or_default().trim_end_matches(".parquet");
    let name = format!("attachment; filename={id}_{stem}.{}", format.suffix());
    let mut response = match format {
        Format::Parquet => {
            let served = range::serve(file.path(), summary.bytes, request).await?;
            if served.status().is_client_error() {
                return Ok(Reply::new(served));
            }
            served
        }
        Format::Arrow => {
            let turn = app.downloads.turn().await?;
            turn.body(move |out| formats::ipc_stream(&file, &summary.unit, out)).into_response()
        }
        Format::Csv => {
            app.downloads.turn().await?.body(move |out| formats::csv(&file, &[], out)).into_response()
        }
        Format::Npy => {
            let names = ["wavelength_nm", "value"];
            let length = formats::npy_bytes(names, summary.grid.points);
            let body = app.downloads.turn().await?.body(move |out| formats::npy(&file, names, out));
            ([(CONTENT_LENGTH, length.to_string())], body).into_response()
        }
    };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    if let Ok(name) = name.parse() {
        response.headers_mut().insert(CONTENT_DISPOSITION, name);
    }
    Ok(Reply::new(response))
}

/// Returns the lowest and highest values of a window, piece by piece.
pub(in crate::sidecar) async fn view(
    State(app): State<App>,
    Path(TracePath { id, trace }): Path<TracePath>,
    Query(query): Query<ViewQuery>,
) -> Result<Json<ViewReply>, Problem> {
    if let Some((from, to)) = query.from_nm.zip(query.to_nm).filter(|(from, to)| from > to) {
        return Err(Problem::bad_request(&format!("from_nm {from} is higher than to_nm {to}")));
    }
    let (_, summary, file) = app.stored(&id, &trace, locate_trace).await?;
    let grid = file.grid();
    let (from_nm, to_nm) = (query.from_nm.unwrap_or(grid.start_nm), query.to_nm.unwrap_or(grid.stop_nm()));
    let pieces = u64::from(query.points);
    let key = ViewKey::new(&summary, from_nm, to_nm, pieces);
    if let Some(known) = app.views.find(&key) {
        return Ok(Json(known));
    }
    let viewed = spawn_blocking(move || envelope(&file, from_nm, to_nm, pieces)).await;
    let viewed = viewed.map_err(|panic| Problem::bad_gateway(panic.to_string()))?;
    let (envelope, points) = viewed.map_err(|fault| Problem::new(StatusCode::GONE, fault.message))?;
    let (trace_index, unit) = (summary.trace_index, summary.unit);
    let reply = ViewReply { trace_index, unit, points, from_nm, to_nm, envelope };
    app.views.keep(key, reply.clone());
    Ok(Json(reply))
}
