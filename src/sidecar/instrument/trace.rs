//! `/detector/trace`: traces in the memory of the instrument. A trace is transferred at full speed to a temporary
//! file and served from there, so that a slow client never holds the link.

use axum::Json;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::instrument::Error;
use crate::instrument::scpi::Query as Ask;
use crate::measurement::{Detector, Grid, TraceKind};
use crate::session::Cut;
use crate::sidecar::problem::Problem;
use crate::sidecar::read::Query;
use crate::sidecar::reply::{Npy, Reply, TraceData};
use crate::sidecar::state::{App, AppState};
use crate::sidecar::stream::Turn;
use crate::sidecar::wire::instrument::TraceMetadata;
use crate::sidecar::wire::setup::TraceQuery;
use crate::step::TraceReader;
use crate::store::{Spool, formats};

/// Pieces of a trace that may wait for the disk.
const PIECES_WAITING: usize = 16;

/// The requested trace.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    detector: Detector,
    kind: TraceKind,
}

impl AppState {
    fn wanted(&self, query: TraceQuery) -> Wanted {
        Wanted {
            detector: self.detector(query.module, query.channel),
            kind: self.trace_kind(query.trace_type),
        }
    }

    /// The metadata of the trace, read from the instrument, or from the run that has stored it.
    async fn trace_metadata(&self, wanted: Wanted) -> Result<TraceMetadata, Problem> {
        let Wanted { detector, kind } = wanted;
        let run = self.session.current_run();
        let instrument = self.instrument();
        let grid = match run.as_ref().and_then(|run| run.stored(detector, kind)) {
            Some(trace) => trace.grid,
            None => instrument.trace_grid((detector, kind)).await.map_err(|error| match (error, run) {
                (error @ Error::Scanning { .. }, Some(run)) => {
                    Problem::conflict(format!("run {} holds the instrument: {error}", run.id()))
                }
                (error, _) => error.into(),
            })?,
        };
        let power_unit = instrument.ask(&Ask::power_unit(detector)).await?;
        Ok(TraceMetadata {
            module: detector.module,
            channel: detector.channel,
            trace_type: kind.code(),
            num_points: grid.points,
            sampling_pm: grid.step_pm,
            start_wavelength_nm: grid.start_nm,
            unit: power_unit.symbol(),
        })
    }

    /// A place among the downloads, and the trace with its metadata.
    async fn download(
        &self,
        query: TraceQuery,
    ) -> Result<(Turn, TraceMetadata, Box<dyn TraceReader>), Problem> {
        let wanted = self.wanted(query);
        let turn = self.downloads.turn().await?;
        let metadata = self.trace_metadata(wanted).await?;
        let trace = self.trace(wanted, metadata.grid()).await?;
        Ok((turn, metadata, trace))
    }

    /// The data of the trace. During a run, only a stored trace of this run is available, if the instrument still has
    /// it in memory. The transfers of the run come first.
    async fn trace(&self, wanted: Wanted, grid: Grid) -> Result<Box<dyn TraceReader>, Problem> {
        let Wanted { detector, kind } = wanted;
        if let Some(run) = self.session.current_run() {
            let Some(stored) = run.stored(detector, kind) else {
                let id = run.id();
                let what = format!(
                    "run {id} holds the instrument and has not stored the {kind} trace of {detector}"
                );
                return Err(Problem::conflict(what));
            };
            return Ok(Box::new(crate::store::open_trace(run.folder(), &stored)?));
        }
        let (values, mut arriving) = mpsc::channel::<Vec<f32>>(PIECES_WAITING);
        let spooling = spawn_blocking(move || {
            let mut spool = Spool::new(grid)?;
            while let Some(piece) = arriving.blocking_recv() {
                spool.push(&piece)?;
            }
            Ok::<_, std::io::Error>(spool)
        });
        let instrument = self.instrument();
        let mut cut = self.session.cut();
        let transferred = tokio::select! {
            biased;
            () = cut.wanted() => return Err(Problem::conflict(format!("the transfer was interrupted: {}", Cut::REASON))),
            transferred = instrument.trace_values((detector, kind), grid.points, &values) => transferred,
        };
        drop(values);
        let spooled = spooling.await.map_err(|panic| Problem::bad_gateway(panic.to_string()))?;
        match (transferred, spooled) {
            (Ok(()), Ok(spool)) => Ok(Box::new(spool)),
            (Err(Error::Lost { .. }) | Ok(()), Err(disk)) => {
                let path = std::env::temp_dir().display().to_string();
                Err(Problem::new(
                    axum::http::StatusCode::INSUFFICIENT_STORAGE,
                    format!("cannot write below {path}: {disk}"),
                ))
            }
            (Err(error), _) => Err(error.into()),
        }
    }
}

impl TraceMetadata {
    fn grid(&self) -> Grid {
        Grid { start_nm: self.start_wavelength_nm, step_pm: self.sampling_pm, points: self.num_points }
    }
}

/// Returns the metadata of a trace.
pub(in crate::sidecar) async fn metadata(
    State(app): State<App>,
    Query(query): Query<TraceQuery>,
) -> Result<Json<TraceMetadata>, Problem> {
    app.trace_metadata(app.wanted(query)).await.map(Json)
}

/// Returns a trace as JSON: `{metadata, wavelengths: [nm], values: [dB or dBm]}`.
pub(in crate::sidecar) async fn data(
    State(app): State<App>,
    Query(query): Query<TraceQuery>,
) -> Result<Reply<TraceData>, Problem> {
    let (turn, metadata, trace) = app.download(query).await?;
    let body = turn.body(move |out| formats::json(&*trace, &json!(metadata), out));
    Ok(Reply::new(([(CONTENT_TYPE, "application/json")], body)))
}

/// Returns a trace as a `.npy` file with the float64 fields `wavelengths` (nm) and `values` (dB or dBm).
pub(in crate::sidecar) async fn binary(
    State(app): State<App>,
    Query(query): Query<TraceQuery>,
) -> Result<Reply<Npy>, Problem> {
    let (turn, metadata, trace) = app.download(query).await?;
    let TraceMetadata { module, channel, trace_type, num_points, .. } = metadata;
    let name = format!("attachment; filename=trace_m{module}_c{channel}_t{trace_type}.npy");
    let headers = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_DISPOSITION, name),
        (CONTENT_LENGTH, formats::npy_bytes(["wavelengths", "values"], num_points).to_string()),
    ];
    let body = turn.body(move |out| formats::npy(&*trace, ["wavelengths", "values"], out));
    Ok(Reply::new((headers, body)))
}
