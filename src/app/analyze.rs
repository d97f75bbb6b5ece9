//! `ctp10 analyze`: figures of merit of one trace in a file.

pub(in crate::app) mod columns;
mod csv;
mod screen;

use serde::Serialize;

use crate::analysis::extrema::{Kind, Search};
use crate::analysis::request::{Analysis, Request, Wanted, analyze as figures_of};
use crate::analysis::resonance::Topology;
use crate::analysis::several::moving_mean;
use crate::analysis::{AxisNm, LevelsDb, Trace};
use crate::cli::{AnalyzeArgs, LinesArg, TopologyArg};
use crate::error::{ExitCode, Failure};
use columns::Columns;

/// The result, as `--json` prints it.
#[derive(Serialize)]
struct Answer<'a> {
    file: String,
    column: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    smoothing: Option<String>,
    #[serde(flatten)]
    analysis: Analysis,
}

pub(super) fn analyze(args: &AnalyzeArgs) -> Result<(), Failure> {
    let request = request(args)?;
    let columns = Columns::read(&args.file, args.column.as_deref())?;
    let shown = args.file.display().to_string();
    let wrong = |why: String| Failure::new(ExitCode::Usage, format!("`{shown}`: {why}"));
    let axis = AxisNm::Listed(columns.wavelengths_nm());
    let mut trace = Trace::new(axis, columns.levels()).map_err(|error| wrong(error.to_string()))?;
    let mut smooth = Vec::new();
    if let Some(samples) = args.smooth {
        smooth = moving_mean(&trace, samples).map_err(|why| Failure::new(ExitCode::Usage, why))?;
        // The mean is in the order of rising wavelength.
        if trace.is_reversed() {
            smooth.reverse();
        }
    }
    if !smooth.is_empty() {
        trace = Trace::new(axis, LevelsDb::Single(&smooth)).map_err(|error| wrong(error.to_string()))?;
    }
    let mut analysis = figures_of(&trace, &request).map_err(|error| wrong(error.to_string()))?;
    analysis.warnings.splice(0..0, columns.warnings());
    let smoothing = args.smooth.map(|samples| format!("moving mean over {samples} samples, in dB"));
    let answer = Answer { file: shown, column: columns.column(), smoothing, analysis };
    if args.json {
        return super::print_json(&answer);
    }
    screen::print(&answer);
    Ok(())
}

/// The kind of the resonances.
pub(super) fn kind(lines: LinesArg) -> Kind {
    match lines {
        LinesArg::Dips => Kind::Dip,
        LinesArg::Peaks => Kind::Peak,
    }
}

fn request(args: &AnalyzeArgs) -> Result<Request, Failure> {
    let wanted: Result<Vec<Wanted>, _> = args.figures.iter().map(|figure| figure.trim().parse()).collect();
    Ok(Request {
        wanted: wanted.map_err(|error| Failure::new(ExitCode::Usage, error))?,
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
