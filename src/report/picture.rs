//! A trace as a small inline SVG picture. The area between the lowest and the highest value of each pixel is filled.
//! The ranges are written at the edges.

use maud::{Markup, html};

use crate::measurement::Grid;
use crate::store::Envelope;

/// Position and size of the plot, pixels.
const LEFT: f64 = 34.0;
const TOP: f64 = 4.0;
const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 60.0;

/// The content of a picture.
#[derive(Debug, Clone, PartialEq)]
pub enum Picture {
    /// The envelope of the trace.
    Drawn(Envelope),
    /// The file cannot be read.
    Unreadable(String),
}

/// The vertical axis: lowest and highest shown value, and the distance of the grid lines.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Axis {
    low: f64,
    high: f64,
    step: f64,
}

impl Axis {
    /// The axis with round limits around all values; `None` without values.
    fn around(envelope: &Envelope) -> Option<Self> {
        let all = || envelope.min.iter().chain(&envelope.max).flatten().copied().map(f64::from);
        let (low, high) = (all().reduce(f64::min)?, all().reduce(f64::max)?);
        let span = (high - low).max(0.01);
        // At most six steps. Ranges reach from a thousandth of a dB to a few hundred dB.
        let steps = (-3..=3).flat_map(|ten| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(ten)));
        let step = steps.into_iter().find(|step| span / step <= 4.0).unwrap_or(span);
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        Some(Self { low, high: if high > low { high } else { low + step }, step })
    }

    fn y(self, value: f32) -> f64 {
        TOP + HEIGHT * (self.high - f64::from(value)) / (self.high - self.low)
    }

    /// The grid lines between the edges.
    fn inner(self) -> Vec<f64> {
        let mut lines = Vec::new();
        let mut value = self.low + self.step;
        while value < self.high - self.step / 2.0 && lines.len() < 8 {
            lines.push(value);
            value += self.step;
        }
        lines
    }

    fn label(self, value: f64) -> String {
        let digits = if self.step < 0.1 { 2 } else { usize::from(self.step < 1.0) };
        let text = format!("{value:.digits$}");
        // Rounding may leave a negative zero.
        if text.trim_start_matches(['-', '0', '.']).is_empty() {
            text.trim_start_matches('-').to_owned()
        } else {
            text
        }
    }
}

/// The filled outlines: one for each series of pixels without a gap.
#[expect(clippy::cast_precision_loss, reason = "240 pixels")]
fn outlines(envelope: &Envelope, axis: Axis) -> Vec<String> {
    use std::fmt::Write as _;
    let pixels: Vec<Option<(f32, f32)>> =
        envelope.min.iter().zip(&envelope.max).map(|(min, max)| min.zip(*max)).collect();
    let x = |index: usize| LEFT + WIDTH * index as f64 / (pixels.len().max(2) - 1) as f64;
    let mut outlines = Vec::new();
    let mut index = 0;
    for stretch in pixels.split(Option::is_none) {
        let first = index;
        index += stretch.len() + 1;
        let values: Vec<(usize, (f32, f32))> = (first..).zip(stretch.iter().copied().flatten()).collect();
        let mut path = String::new();
        for (at, (_, max)) in &values {
            let _ = write!(path, "{:.0},{:.1} ", x(*at), axis.y(*max));
        }
        // A trace without spread is drawn as a single line.
        if values.iter().any(|(_, (min, max))| axis.y(*min) - axis.y(*max) >= 0.05) {
            for (at, (min, _)) in values.iter().rev() {
                let _ = write!(path, "{:.0},{:.1} ", x(*at), axis.y(*min));
            }
        }
        if !path.is_empty() {
            outlines.push(path.trim_end().to_owned());
        }
    }
    outlines
}

/// The picture of a trace.
pub(super) fn svg(picture: &Picture, grid: Grid, unit: &str) -> Markup {
    let envelope = match picture {
        Picture::Drawn(envelope) => envelope,
        Picture::Unreadable(reason) => {
            return html! { p.bad { "cannot be read: " (super::format::clip(reason)) } };
        }
    };
    let Some(axis) = Axis::around(envelope) else {
        return html! { p.quiet { "no finite value" } };
    };
    let (low, high) = (axis.label(axis.low), axis.label(axis.high));
    let (right, bottom) = (LEFT + WIDTH, TOP + HEIGHT);
    let range = format!(
        "{low} to {high} {unit}, {:.3} to {:.3} nm, one line per {} {unit}",
        grid.start_nm,
        grid.stop_nm(),
        axis.label(axis.step)
    );
    html! {
        svg viewBox="0 0 280 78" width="280" height="78" role="img" aria-label=(range) {
            title { (range) }
            rect.frame x=(LEFT) y=(TOP) width=(WIDTH) height=(HEIGHT) {}
            @for value in axis.inner() {
                @let y = format!("{:.1}", TOP + HEIGHT * (axis.high - value) / (axis.high - axis.low));
                line.grid x1=(LEFT) x2=(right) y1=(y) y2=(y) {}
            }
            @for outline in outlines(envelope, axis) {
                polygon.level points=(outline) {}
            }
            text x=(LEFT - 4.0) y=(TOP + 7.0) text-anchor="end" { (high) }
            text x=(LEFT - 4.0) y=(TOP + HEIGHT / 2.0 + 3.0) text-anchor="end" { (unit) }
            text x=(LEFT - 4.0) y=(bottom) text-anchor="end" { (low) }
            text x=(LEFT) y=(bottom + 11.0) { (format!("{:.2}", grid.start_nm)) }
            text x=(right) y=(bottom + 11.0) text-anchor="end" { (format!("{:.2} nm", grid.stop_nm())) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(levels: &[Option<f32>]) -> Envelope {
        Envelope { wavelength_nm: vec![1550.0; levels.len()], min: levels.to_vec(), max: levels.to_vec() }
    }

    #[test]
    fn the_axis_ends_at_round_numbers_around_all_values() {
        let axis = |low, high| Axis::around(&envelope(&[Some(low), Some(high)])).unwrap();
        assert_eq!(axis(-27.9, -3.4), Axis { low: -30.0, high: 0.0, step: 10.0 });
        assert_eq!(axis(-3.4, -1.1), Axis { low: -4.0, high: -1.0, step: 1.0 });
        assert!(axis(-3.0, -3.0).high > -3.1, "a flat trace has an axis, too");
        assert!(Axis::around(&envelope(&[None])).is_none());
    }

    #[test]
    fn values_that_are_not_finite_leave_a_gap() {
        let gapped = envelope(&[Some(-1.0), Some(-2.0), None, Some(-1.5), None]);
        let axis = Axis::around(&gapped).unwrap();
        assert_eq!(outlines(&gapped, axis).len(), 2);
    }
}
