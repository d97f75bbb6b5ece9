//! What is drawn over the picture of a trace: bands, widths, points, limits. Report and dashboard draw the same marks.

use schemars::JsonSchema;
use serde::Serialize;

use super::figure::Figure;
use super::shown::value;
use super::verdict::{Limit, Verdict};

/// Highest number of marks of a trace.
const MOST: usize = 200;

/// Something to draw over a trace.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Mark {
    /// The part of the trace that figures rest on.
    Band {
        /// Lower end, nm.
        from_nm: f64,
        /// Upper end, nm.
        to_nm: f64,
    },
    /// The width of a line: between two crossings, or of a fit.
    Width {
        /// Lower end, nm.
        from_nm: f64,
        /// Upper end, nm.
        to_nm: f64,
        /// The figure and its value.
        text: String,
    },
    /// A dip, a peak, a fitted centre, or the place of an insertion loss.
    Point {
        /// Its wavelength.
        nm: f64,
        /// Its level, dB; null where the figure states none.
        level_db: Option<f64>,
        /// Whether the point is on a peak. Without a level, it belongs to the highest sample there, and else to the lowest.
        is_peak: bool,
        /// The figure and its value.
        text: String,
        /// The verdict on it.
        verdict: Option<Verdict>,
    },
    /// A limit of the level of the trace.
    Limit {
        /// Lower end, nm.
        from_nm: f64,
        /// Upper end, nm.
        to_nm: f64,
        /// The level, dB.
        level_db: f64,
        /// The figure and its limit.
        text: String,
    },
}

/// A figure with its limit and the verdict on it.
pub type Judgement<'a> = (&'a Figure, Option<&'a Limit>, Option<Verdict>);

/// What a figure is for the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// A loss: the level with the opposite sign.
    Loss,
    /// A level of the trace.
    Level,
    /// A wavelength without a level.
    Place,
    /// A width between the ends of its window.
    Width,
    /// A full width about the wavelength of the figure.
    FullWidth,
    Other,
}

fn role(name: &str) -> Role {
    match name {
        "dip_db" | "peak_db" => Role::Level,
        "dip_nm" | "peak_nm" | "resonance_nm" => Role::Place,
        "fwhm_nm" => Role::FullWidth,
        _ if name.starts_with("insertion_loss") && name.ends_with("_db") => Role::Loss,
        _ if ["center_nm", "outer_nm"].iter().any(|end| name.ends_with(end)) => Role::Other,
        _ if name.starts_with("bandwidth_") || name.starts_with("notch_width_") => Role::Width,
        _ => Role::Other,
    }
}

/// The marks of the figures of one trace, bands first.
#[must_use]
pub fn marks<'a>(figures: impl IntoIterator<Item = Judgement<'a>>) -> Vec<Mark> {
    let figures: Vec<Judgement<'_>> = figures.into_iter().collect();
    let has_level = |of: &Figure| {
        figures.iter().any(|(other, _, _)| role(&other.name) == Role::Level && other.nm == of.nm)
    };
    let mut marks: Vec<Mark> = Vec::new();
    for (figure, limit, verdict) in &figures {
        let text = || format!("{} {}", figure.name, value(figure).unwrap_or_default());
        match role(&figure.name) {
            Role::Loss => {
                marks.extend(band(figure));
                marks.extend(limits(figure, *limit, |loss| -loss));
                marks.extend(point(figure, figure.value.map(|loss| -loss), *verdict));
            }
            Role::Level => {
                marks.extend(limits(figure, *limit, |level| level));
                marks.extend(point(figure, figure.value, *verdict));
            }
            Role::Place if has_level(figure) => {}
            Role::Place => marks.extend(point(figure, None, *verdict)),
            Role::Width if figure.value.is_some() => {
                let width = |window: super::WindowNm| (window.from_nm, window.to_nm);
                let width = figure.window.map(width);
                marks.extend(width.map(|(from_nm, to_nm)| Mark::Width { from_nm, to_nm, text: text() }));
            }
            Role::FullWidth => {
                let Some((nm, fwhm)) = figure.nm.zip(figure.value) else { continue };
                marks.extend(centers(nm, figure, &figures).into_iter().map(|nm| Mark::Width {
                    from_nm: nm - fwhm / 2.0,
                    to_nm: nm + fwhm / 2.0,
                    text: text(),
                }));
            }
            Role::Width | Role::Other => {}
        }
    }
    let mut distinct: Vec<Mark> = Vec::new();
    for mark in marks {
        if distinct.len() < MOST && !distinct.contains(&mark) {
            distinct.push(mark);
        }
    }
    distinct.sort_by_key(|mark| !matches!(mark, Mark::Band { .. }));
    distinct
}

/// The centres of the line of a figure: two if the line is a doublet.
fn centers(nm: f64, figure: &Figure, figures: &[Judgement<'_>]) -> Vec<f64> {
    let is_splitting = |other: &Figure| other.name == "doublet_splitting_nm" && other.of == figure.of;
    let splitting = figures.iter().find(|(other, _, _)| is_splitting(other) && other.nm == figure.nm);
    match splitting.and_then(|(splitting, _, _)| splitting.value) {
        Some(splitting) => vec![nm - splitting / 2.0, nm + splitting / 2.0],
        None => vec![nm],
    }
}

fn band(figure: &Figure) -> Option<Mark> {
    figure.window.map(|window| Mark::Band { from_nm: window.from_nm, to_nm: window.to_nm })
}

fn point(figure: &Figure, level_db: Option<f64>, verdict: Option<Verdict>) -> Option<Mark> {
    let text = format!("{} {}", figure.name, value(figure)?);
    let nm = figure.nm?;
    let is_peak =
        figure.name.starts_with("peak") || figure.of.as_ref().is_some_and(|of| of.starts_with("peak"));
    Some(Mark::Point { nm, level_db, is_peak, text, verdict })
}

/// The limits of a level over the window of the figure. `level` gives the level of a value.
fn limits(figure: &Figure, limit: Option<&Limit>, level: fn(f64) -> f64) -> Vec<Mark> {
    let Some((window, limit)) = figure.window.zip(limit) else { return Vec::new() };
    let ends =
        [("min", limit.min), ("max", limit.max)].into_iter().filter_map(|(name, end)| Some((name, end?)));
    let mark = |(name, end): (&str, f64)| Mark::Limit {
        from_nm: window.from_nm,
        to_nm: window.to_nm,
        level_db: level(end),
        text: format!("{} {name} {end}", figure.name),
    };
    ends.map(mark).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::registry;

    fn figure(name: &str, value: f64, nm: f64) -> Figure {
        let (definition, level_db) = registry::find(name).unwrap();
        Figure::measured_at(definition, level_db, value).at_nm(nm).within(1540.0, 1560.0)
    }

    #[test]
    fn a_loss_is_a_point_in_its_band_with_its_limit_as_a_line() {
        let loss = figure("insertion_loss_max_db", 2.0, 1545.0);
        let limit = Limit { max: Some(1.5), ..Limit::default() };
        let marks = marks([(&loss, Some(&limit), Some(Verdict::Fail))]);
        assert_eq!(marks[0], Mark::Band { from_nm: 1540.0, to_nm: 1560.0 });
        let text = "insertion_loss_max_db max 1.5".to_owned();
        assert_eq!(marks[1], Mark::Limit { from_nm: 1540.0, to_nm: 1560.0, level_db: -1.5, text });
        assert!(matches!(
            &marks[2],
            Mark::Point { nm: 1545.0, level_db: Some(-2.0), verdict: Some(Verdict::Fail), .. }
        ));
    }

    #[test]
    fn a_doublet_has_the_width_of_each_of_its_lines() {
        let (fwhm, splitting) = (figure("fwhm_nm", 0.1, 1550.0), figure("doublet_splitting_nm", 0.4, 1550.0));
        let marks = marks([&fwhm, &splitting].map(|figure| (figure, None, None)));
        let widths: Vec<String> = marks
            .iter()
            .filter_map(|mark| match mark {
                Mark::Width { from_nm, to_nm, .. } => Some(format!("{from_nm:.2} {to_nm:.2}")),
                Mark::Band { .. } | Mark::Point { .. } | Mark::Limit { .. } => None,
            })
            .collect();
        assert_eq!(widths, ["1549.75 1549.85", "1550.15 1550.25"]);
    }

    #[test]
    fn a_dip_is_one_point_and_a_fit_has_its_width() {
        let (place, level) = (figure("dip_nm", 1550.0, 1550.0), figure("dip_db", -20.0, 1550.0));
        let (centre, fwhm) = (figure("resonance_nm", 1550.01, 1550.01), figure("fwhm_nm", 0.2, 1550.01));
        let all = [&place, &level, &centre, &fwhm].map(|figure| (figure, None, None));
        let marks = marks(all);
        let points: Vec<_> = marks.iter().filter(|mark| matches!(mark, Mark::Point { .. })).collect();
        assert_eq!(points.len(), 2, "{marks:?}");
        assert!(
            marks
                .iter()
                .any(|mark| matches!(mark, Mark::Width { from_nm, .. } if (from_nm - 1549.91).abs() < 1e-9))
        );
    }

    #[test]
    fn the_point_of_a_fit_tells_whether_it_is_on_a_peak() {
        let fitted = |of: &str| Figure { of: Some(of.to_owned()), ..figure("resonance_nm", 1550.0, 1550.0) };
        for (of, expected) in [("dip 1", false), ("peak 2", true)] {
            let marks = marks([(&fitted(of), None, None)]);
            assert!(
                matches!(&marks[..], [Mark::Point { is_peak, level_db: None, .. }] if *is_peak == expected)
            );
        }
    }
}
