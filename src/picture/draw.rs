//! Draws a plot on a canvas: title, legend, axes, curves and marks.

mod curve;
mod words;

use plotters::coord::Shift;
use plotters::element::{PathElement, Polygon, Rectangle};
use plotters::prelude::{DrawingArea, DrawingBackend};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color as _, RGBColor, ShapeStyle};

use super::axis::Axis;
use super::font;
use super::look::Look;
use super::{Across, LimitLine, Mark, PictureError, Plot};
use words::Words;

type Area<B> = DrawingArea<B, Shift>;

/// Room for the numbers of the axes and for their names, in sizes of the font.
const LEFT: f64 = 5.2;
const BOTTOM: f64 = 3.6;
/// Most marks that have a text.
const TEXTS: usize = 40;

/// The rectangle of the curves on the canvas, and the axes that it shows.
pub(super) struct Frame {
    left: i32,
    top: i32,
    right: i32,
    bottom: i32,
    x: Axis,
    y: Axis,
}

impl Frame {
    fn x(&self, nm: f64) -> i32 {
        between(self.left, self.right, (nm - self.x.low) / (self.x.high - self.x.low))
    }

    fn y(&self, level: f64) -> i32 {
        between(self.bottom, self.top, (level - self.y.low) / (self.y.high - self.y.low))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "within the canvas")]
fn between(from: i32, to: i32, share: f64) -> i32 {
    (f64::from(from) + f64::from(to - from) * share.clamp(0.0, 1.0)).round() as i32
}

fn failed<E: std::fmt::Display>(error: E) -> PictureError {
    PictureError::Drawing(error.to_string())
}

/// Draws everything.
pub(super) fn draw<B: DrawingBackend>(area: &Area<B>, plot: &Plot, look: &Look) -> Result<(), PictureError> {
    let ranges = plot.ranges().ok_or(PictureError::Nothing)?;
    if !font::register() {
        return Err(PictureError::Drawing("the embedded font is damaged".to_owned()));
    }
    if let Some(paper) = look.colours.paper {
        area.fill(&paper).map_err(failed)?;
    }
    let words = Words { area, look };
    let top = if look.is_thumbnail { look.length(4.0) } else { words.head(plot)? };
    let frame = frame(plot, look, top, ranges);
    bands(area, look, &frame, &plot.bands)?;
    axes(&words, &frame, plot)?;
    for (place, curve) in plot.curves.iter().enumerate() {
        curve::draw(area, look, &frame, &curve.envelope, look.colour(place))?;
    }
    limits(area, look, &frame, &plot.limits)?;
    marks(&words, &frame, &plot.marks)
}

fn frame(plot: &Plot, look: &Look, top: i32, [wavelengths, mut levels]: [(f64, f64); 2]) -> Frame {
    let (across, down) = look.canvas();
    let (across, down) = (across.cast_signed(), down.cast_signed());
    if look.is_thumbnail {
        return Frame {
            left: look.length(34.0),
            top,
            right: across - look.length(6.0),
            bottom: down - look.length(14.0),
            x: Axis::within(wavelengths, 4).ends_only(),
            y: Axis::around(levels, 4),
        };
    }
    // Room for the marks and their texts.
    let room = 0.12 * (levels.1 - levels.0);
    levels.0 -= if plot.marks.iter().any(|mark| mark.is_below) { room } else { 0.0 };
    levels.1 += if plot.marks.iter().any(|mark| !mark.is_below) { room } else { 0.0 };
    let frame = Frame {
        left: look.length(LEFT * look.font),
        top,
        right: across - look.length(1.8 * look.font),
        bottom: down - look.length(BOTTOM * look.font),
        x: Axis::within(wavelengths, 1),
        y: Axis::around(levels, 1),
    };
    // A label for every six sizes of the font, and a line for every three.
    let fits = |length: i32, sizes: f64| -> u32 {
        u32::try_from(length / look.length(sizes * look.font).max(1)).unwrap_or(1).clamp(2, 12)
    };
    Frame {
        x: Axis::within(wavelengths, fits(frame.right - frame.left, 6.0)),
        y: Axis::around(levels, fits(frame.bottom - frame.top, 2.6)),
        ..frame
    }
}

fn stroke(colour: RGBColor, width: u32) -> ShapeStyle {
    colour.stroke_width(width)
}

/// The parts of the wavelengths that figures rest on, behind everything.
fn bands<B: DrawingBackend>(
    area: &Area<B>,
    look: &Look,
    frame: &Frame,
    bands: &[(f64, f64)],
) -> Result<(), PictureError> {
    for (from_nm, to_nm) in bands {
        let corners = [(frame.x(*from_nm), frame.top), (frame.x(*to_nm), frame.bottom)];
        area.draw(&Rectangle::new(corners, look.colours.band.filled())).map_err(failed)?;
    }
    Ok(())
}

/// Dashed lines at the limits that are within the frame.
fn limits<B: DrawingBackend>(
    area: &Area<B>,
    look: &Look,
    frame: &Frame,
    limits: &[LimitLine],
) -> Result<(), PictureError> {
    let (dash, gap) = (look.length(4.0).max(1), look.length(3.0).max(1));
    let style = stroke(look.colours.warning, look.line(1.0));
    for limit in limits.iter().filter(|limit| limit.level >= frame.y.low && limit.level <= frame.y.high) {
        let (y, end) = (frame.y(limit.level), frame.x(limit.to_nm));
        let mut x = frame.x(limit.from_nm);
        while x < end {
            let points = vec![(x, y), ((x + dash).min(end), y)];
            area.draw(&PathElement::new(points, style)).map_err(failed)?;
            x += dash + gap;
        }
    }
    Ok(())
}

/// The grid, the frame, the numbers and the names of the axes.
fn axes<B: DrawingBackend>(words: &Words<'_, B>, frame: &Frame, plot: &Plot) -> Result<(), PictureError> {
    let (area, look) = (words.area, words.look);
    let colours = look.colours;
    let line = |points: [(i32, i32); 2]| {
        area.draw(&PathElement::new(points.to_vec(), stroke(colours.grid, look.line(1.0)))).map_err(failed)
    };
    let gap = look.length(0.45 * look.font);
    for nm in &frame.x.ticks {
        let x = frame.x(*nm);
        if x > frame.left && x < frame.right {
            line([(x, frame.top), (x, frame.bottom)])?;
        }
        let side = match look.is_thumbnail {
            true if x == frame.left => HPos::Left,
            true => HPos::Right,
            false => HPos::Center,
        };
        let text = frame.x.label(*nm) + if look.is_thumbnail && side_is_end(&side) { " nm" } else { "" };
        words.put(&text, (x, frame.bottom + gap), (side, VPos::Top), colours.text)?;
    }
    for level in &frame.y.ticks {
        let y = frame.y(*level);
        if y > frame.top && y < frame.bottom {
            line([(frame.left, y), (frame.right, y)])?;
        }
        let is_end = y == frame.top || y == frame.bottom;
        if !look.is_thumbnail || is_end {
            let row = match (look.is_thumbnail, y == frame.top) {
                (true, true) => VPos::Top,
                (true, false) => VPos::Bottom,
                (false, _) => VPos::Center,
            };
            words.put(&frame.y.label(*level), (frame.left - gap, y), (HPos::Right, row), colours.text)?;
        }
    }
    let Frame { left, top, right, bottom, .. } = *frame;
    let edges = vec![(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
    area.draw(&PathElement::new(edges, stroke(colours.frame, look.line(1.0)))).map_err(failed)?;
    let middle = (frame.top + frame.bottom) / 2;
    if look.is_thumbnail {
        let place = (frame.left - gap, middle);
        return words.put(&plot.unit, place, (HPos::Right, VPos::Center), colours.text);
    }
    let name = match plot.unit.as_str() {
        "dB" => "Transmission (dB)".to_owned(),
        "dBm" => "Power (dBm)".to_owned(),
        other => format!("Level ({other})"),
    };
    words.put_upwards(&name, (look.length(0.5 * look.font), middle))?;
    let below = (i32::midpoint(frame.left, frame.right), frame.bottom + look.length(1.9 * look.font));
    let across = match &plot.across {
        Across::Wavelength => "Wavelength (nm)",
        Across::Time(name) => name,
    };
    words.put(across, below, (HPos::Center, VPos::Top), colours.text)
}

fn side_is_end(side: &HPos) -> bool {
    matches!(side, HPos::Right)
}

/// Triangles at the marks, and texts as long as there is room for them.
fn marks<B: DrawingBackend>(words: &Words<'_, B>, frame: &Frame, marks: &[Mark]) -> Result<(), PictureError> {
    let (area, look) = (words.area, words.look);
    let colour = look.colours.text;
    let mut marks: Vec<&Mark> =
        marks.iter().filter(|mark| mark.nm.is_finite() && mark.level.is_finite()).collect();
    marks.sort_by(|a, b| a.nm.total_cmp(&b.nm));
    // The right ends of the texts below and above.
    let mut ends = [i32::MIN; 2];
    for mark in &marks {
        let (x, y) = (frame.x(mark.nm), frame.y(mark.level));
        let down = if mark.is_below { 1 } else { -1 };
        let [near, far, half] = [0.25, 0.8, 0.32].map(|sizes| look.length(sizes * look.font));
        let corners = vec![(x, y + down * near), (x - half, y + down * far), (x + half, y + down * far)];
        area.draw(&Polygon::new(corners, colour.filled())).map_err(failed)?;
        if marks.len() > TEXTS || mark.text.is_empty() {
            continue;
        }
        let half = words.width(&mark.text)? / 2;
        let end = &mut ends[usize::from(mark.is_below)];
        let at = x.clamp(frame.left + half, (frame.right - half).max(frame.left + half));
        if at - half <= *end {
            continue;
        }
        *end = at + half + look.length(0.4 * look.font);
        let row = if mark.is_below { VPos::Top } else { VPos::Bottom };
        let place = (at, y + down * look.length(1.0 * look.font));
        // The text stays readable on top of a curve.
        if let Some(paper) = look.colours.paper {
            let (edge, height) = (look.length(0.15 * look.font), look.length(1.15 * look.font));
            let corners = [(at - half - edge, place.1), (at + half + edge, place.1 + down * height)];
            area.draw(&Rectangle::new(corners, paper.mix(0.8).filled())).map_err(failed)?;
        }
        words.put(&mark.text, place, (HPos::Center, row), colour)?;
    }
    Ok(())
}
