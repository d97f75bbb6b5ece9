//! Files become curves with marks, one after the other: only envelopes stay in memory.

use super::{Source, usage};
use crate::analysis::extrema::Kind;
use crate::analysis::figure::Figure;
use crate::analysis::request::{Request, analyze};
use crate::analysis::{AxisNm, Trace};
use crate::app::analyze::columns::Columns;
use crate::error::Failure;
use crate::picture::{Curve, Mark, Plot};
use crate::shown::number;

/// Pieces of an envelope: more than the pixels of most pictures.
const PIECES: usize = 2000;

/// A picture of these traces, and how many are left out: those in another unit, and those outside the band. dB comes first.
///
/// The band and the marked figures are those of the request.
pub(super) fn overlay(
    sources: &[Source],
    column: Option<&str>,
    request: &Request,
) -> Result<(Plot, usize), Failure> {
    let mut plots: Vec<(Plot, usize)> = Vec::new();
    let mut first_outside = None;
    for source in sources {
        let (curve, unit, simulated, marks) = match read(source, column, request)? {
            Ok(read) => read,
            Err(outside) => {
                first_outside.get_or_insert(outside);
                continue;
            }
        };
        let place = plots.iter().position(|(plot, _)| plot.unit == unit);
        let place = place.unwrap_or_else(|| {
            plots.push((Plot { unit, ..Plot::default() }, 0));
            plots.len() - 1
        });
        let (plot, traces) = &mut plots[place];
        plot.curves.push(curve);
        plot.marks.extend(marks);
        plot.simulated |= simulated;
        *traces += 1;
    }
    if let (true, Some(outside)) = (plots.is_empty(), first_outside) {
        return Err(usage(outside));
    }
    let chosen = plots.iter().position(|(plot, _)| plot.unit == "dB").unwrap_or(0);
    let left_out = sources.len() - plots.get(chosen).map_or(0, |(_, traces)| *traces);
    let plot = plots.into_iter().nth(chosen).map(|(plot, _)| plot).unwrap_or_default();
    Ok((plot, left_out))
}

/// A trace as a curve, its unit, whether it is simulated, and its marks.
type Read = (Curve, String, bool, Vec<Mark>);

/// Reads a trace. A trace that is outside the band is no failure: others may be inside.
fn read(source: &Source, column: Option<&str>, request: &Request) -> Result<Result<Read, String>, Failure> {
    let wrong = |why: String| usage(format!("`{}`: {why}", source.path.display()));
    let columns = Columns::read(&source.path, column)?;
    let trace = Trace::new(AxisNm::Listed(columns.wavelengths_nm()), columns.levels());
    let trace = trace.map_err(|error| wrong(error.to_string()))?.in_unit(columns.trace_unit());
    let part = match request.band_nm {
        Some((from_nm, to_nm)) => match trace.band(from_nm, to_nm) {
            Ok(part) => part,
            Err(error) => {
                return Ok(Err(format!("`{}`: {error}", source.path.display())));
            }
        },
        None => trace,
    };
    let marks = match request.wanted.as_slice() {
        [] => Vec::new(),
        _ => {
            let found = analyze(&trace, request).map_err(|error| wrong(error.to_string()))?;
            marks(&part, &found.figures)
        }
    };
    let samples = (0..part.len()).map(|index| (part.nm(index), part.raw_db(index) as f32));
    let envelope = crate::store::Envelope::of_samples(samples, part.len().div_ceil(PIECES));
    let curve = Curve { label: source.label.clone(), envelope };
    Ok(Ok((curve, columns.unit().to_owned(), columns.is_simulated(), marks)))
}

/// The places of dips, peaks and resonances. A fitted centre is preferred to the raw sample of the same line.
fn marks(part: &Trace<'_>, figures: &[Figure]) -> Vec<Mark> {
    let is_fitted = |figure: &Figure| figure.name == "resonance_nm" && figure.is_measured();
    let places = figures.iter().filter(|figure| match figure.name.as_str() {
        "resonance_nm" => true,
        "dip_nm" | "peak_nm" => !figures.iter().any(|other| is_fitted(other) && other.of == figure.of),
        _ => false,
    });
    let mark = |figure: &Figure| {
        let nm = figure.value?;
        let is_below = figure.of.as_ref().is_some_and(|of| of.starts_with(Kind::Dip.word()));
        Some(Mark { nm, level: part.at_nm(nm)?, is_below, text: number(nm, None, "nm") })
    };
    places.filter_map(mark).collect()
}
