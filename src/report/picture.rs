//! The picture of a trace in the page, or why there is none.

use maud::{Markup, PreEscaped, html};

use crate::analysis::marks as analysis;
use crate::measurement::Grid;
use crate::picture::{Curve, LimitLine, Mark, PictureError, Plot};
use crate::shown::{number, quantity};
use crate::store::Envelope;

/// A band of at least this share of the trace marks nothing.
const WHOLE: f64 = 0.995;

/// The content of a picture.
#[derive(Debug, Clone, PartialEq)]
pub enum Picture {
    /// The envelope of the trace.
    Drawn(Envelope),
    /// The file cannot be read.
    Unreadable(String),
}

/// The lowest level of an envelope beside a wavelength, or the highest on a peak.
fn level_at(envelope: &Envelope, nm: f64, is_peak: bool) -> Option<f64> {
    let after = envelope.wavelength_nm.partition_point(|other| *other < nm);
    let near = [after.checked_sub(1), Some(after)].into_iter().flatten();
    let (levels, furthest): (_, fn(f64, f64) -> f64) =
        if is_peak { (&envelope.max, f64::max) } else { (&envelope.min, f64::min) };
    near.filter_map(|at| levels.get(at).copied().flatten()).map(f64::from).reduce(furthest)
}

/// Adds the marks of figures. A band as wide as the trace marks nothing.
fn mark(plot: &mut Plot, grid: Grid, envelope: &Envelope, marks: &[analysis::Mark]) {
    let is_whole = |from: f64, to: f64| to - from >= WHOLE * (grid.stop_nm() - grid.start_nm);
    for mark in marks {
        match mark {
            analysis::Mark::Band { from_nm, to_nm } if is_whole(*from_nm, *to_nm) => {}
            analysis::Mark::Band { from_nm, to_nm } | analysis::Mark::Width { from_nm, to_nm, .. } => {
                plot.bands.push((*from_nm, *to_nm));
            }
            analysis::Mark::Limit { from_nm, to_nm, level_db, .. } => {
                plot.limits.push(LimitLine { from_nm: *from_nm, to_nm: *to_nm, level: *level_db });
            }
            analysis::Mark::Point { nm, level_db, is_peak, .. } => {
                let Some(level) = level_db.or_else(|| level_at(envelope, *nm, *is_peak)) else { continue };
                plot.marks.push(Mark { nm: *nm, level, is_below: !is_peak, text: String::new() });
            }
        }
    }
}

/// The picture of a trace with the marks of its figures.
pub(super) fn svg(picture: &Picture, grid: Grid, unit: &str, marks: &[analysis::Mark]) -> Markup {
    let envelope = match picture {
        Picture::Drawn(envelope) => envelope,
        Picture::Unreadable(reason) => {
            return html! { p.bad { "cannot be read: " (super::format::clip(reason)) } };
        }
    };
    let mut plot = Plot {
        title: format!("{} to {}", number(grid.start_nm, None, "nm"), quantity(grid.stop_nm(), None, "nm")),
        unit: unit.to_owned(),
        curves: vec![Curve { label: String::new(), envelope: envelope.clone() }],
        range_nm: Some((grid.start_nm, grid.stop_nm())),
        ..Plot::default()
    };
    if unit == "dB" {
        mark(&mut plot, grid, envelope, marks);
    }
    match plot.thumbnail() {
        // The picture escapes its texts.
        Ok(svg) => PreEscaped(svg),
        Err(PictureError::Nothing) => html! { p.quiet { "no finite value" } },
        Err(error @ PictureError::Drawing(_)) => html! { p.bad { (error) } },
    }
}
