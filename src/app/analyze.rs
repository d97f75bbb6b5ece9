//! `ctp10 analyze`: figures of merit of one trace in a file, or of the traces of a run.

pub(in crate::app) mod columns;
mod csv;
mod run;
mod screen;

use serde::Serialize;

use crate::analysis::channels::{GridError, WholeGrid, nearest_channel, port};
use crate::analysis::extrema::{Kind, Search};
use crate::analysis::figure::Figure;
use crate::analysis::floor::Floor;
use crate::analysis::loss::outside_band;
use crate::analysis::request::{Analysis, Request, Wanted, analyze as figures_of};
use crate::analysis::resonance::Topology;
use crate::analysis::several::moving_mean;
use crate::analysis::{AxisNm, Trace};
use crate::cli::{AnalyzeArgs, GridArg, LinesArg, TopologyArg};
use crate::config::Config;
use crate::error::{ExitCode, Failure};
use columns::Columns;
pub(super) use run::is_wanted;

/// The result for a file, as `--json` prints it.
#[derive(Serialize)]
struct Answer<'a> {
    file: String,
    column: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    smoothing: Option<String>,
    #[serde(flatten)]
    analysis: Analysis,
}

pub(super) fn analyze(args: &AnalyzeArgs, config: &Config) -> Result<(), Failure> {
    let request = request(args)?;
    let is_name = args.file.extension().is_none() && !args.file.exists();
    if is_name || args.file.is_dir() {
        return run::analyze(args, &request, &super::run_folders(args.out.clone(), config));
    }
    let columns = Columns::read(&args.file, args.column.as_deref())?;
    let shown = args.file.display().to_string();
    let wrong = |why: String| Failure::new(ExitCode::Usage, format!("`{shown}`: {why}"));
    let axis = AxisNm::Listed(columns.wavelengths_nm());
    let trace = Trace::new(axis, columns.levels()).map_err(|error| wrong(error.to_string()))?;
    let mut analysis = of_trace(args, &request, &trace.in_unit(columns.trace_unit())).map_err(wrong)?;
    columns.warn(&mut analysis);
    if args.json {
        let (file, column) = (shown, columns.column());
        return super::print_json(&Answer { file, column, smoothing: smoothing(args), analysis });
    }
    screen::print(&shown, columns.column(), smoothing(args), &analysis);
    Ok(())
}

/// The figures of one trace, whose levels are smoothed before if that is asked for.
fn of_trace(args: &AnalyzeArgs, request: &Request, raw: &Trace<'_>) -> Result<Analysis, String> {
    let floor = Floor::of(raw, request.floor_db);
    let smooth = args.smooth.map(|samples| moving_mean(raw, samples, floor)).transpose()?;
    let trace = match &smooth {
        Some(smooth) => raw.with_levels(smooth).map_err(|error| error.to_string())?,
        None => *raw,
    };
    let mut analysis = figures_of(&trace, request).map_err(|error| error.to_string())?;
    if let Some(grid) = args.channels {
        analysis.figures.extend(of_port(&trace, grid, request)?);
    }
    Ok(analysis)
}

/// The figures of the channel that a port belongs to, among all channels within the trace.
fn of_port(trace: &Trace<'_>, grid: GridArg, request: &Request) -> Result<Vec<Figure>, String> {
    let grid = match grid {
        GridArg::Dwdm { spacing_ghz, half_width_ghz } => WholeGrid::Dwdm { spacing_ghz, half_width_ghz },
        GridArg::Cwdm { half_width_nm } => WholeGrid::Cwdm { half_width_nm },
    };
    let (from_nm, to_nm) = request.band_nm.unwrap_or((trace.first_nm(), trace.last_nm()));
    let (from_nm, to_nm) = (from_nm.max(trace.first_nm()), to_nm.min(trace.last_nm()));
    let channels = grid.within(from_nm, to_nm).map_err(|error| match error {
        GridError::None => format!("no channel has its window within {from_nm} to {to_nm} nm"),
        other => other.to_string(),
    })?;
    let own = nearest_channel(trace, &channels).ok_or("no channel has finite values only")?;
    let level_db = |wanted: &Wanted| {
        if let Wanted::Bandwidth(level_db) = wanted { Some(*level_db) } else { None }
    };
    let mut levels_db: Vec<f64> = request.wanted.iter().filter_map(level_db).collect();
    if levels_db.is_empty() {
        levels_db.push(3.0);
    }
    Ok(port(trace, &channels, own, &levels_db, Floor::of(trace, request.floor_db)))
}

/// The kind of the resonances.
pub(super) fn kind(lines: LinesArg) -> Kind {
    match lines {
        LinesArg::Dips => Kind::Dip,
        LinesArg::Peaks => Kind::Peak,
    }
}

fn smoothing(args: &AnalyzeArgs) -> Option<String> {
    args.smooth.map(|samples| format!("moving mean over {samples} samples, in dB"))
}

fn request(args: &AnalyzeArgs) -> Result<Request, Failure> {
    let wanted: Result<Vec<Wanted>, _> = args.figures.iter().map(|figure| figure.trim().parse()).collect();
    let wanted = wanted.map_err(|error| Failure::new(ExitCode::Usage, error))?;
    let outside = wanted.iter().find_map(|wanted| match wanted {
        Wanted::LossAt(nm) => Some((wanted, outside_band(*nm, args.band?)?)),
        _ => None,
    });
    if let Some((wanted, why)) = outside {
        return Err(Failure::new(ExitCode::Usage, format!("`{wanted}`: {why}")));
    }
    Ok(Request {
        wanted,
        band_nm: args.band,
        search: Search { prominence_db: args.prominence, distance_nm: args.distance },
        lines: args.lines.map(kind),
        length_um: args.length_um,
        topology: args.topology.map(|topology| match topology {
            TopologyArg::AllPass => Topology::AllPass,
            TopologyArg::AddDrop => Topology::AddDrop,
        }),
        floor_db: args.floor,
        saturation_db: args.saturation,
    })
}
