//! The line of a trace: up and down between the lowest and the highest value of each piece.

use plotters::element::PathElement;
use plotters::prelude::DrawingBackend;
use plotters::style::RGBColor;

use super::{Area, Frame, failed, stroke};
use crate::picture::PictureError;
use crate::picture::look::{Look, Medium};
use crate::store::Envelope;

pub(super) fn draw<B: DrawingBackend>(
    area: &Area<B>,
    look: &Look,
    frame: &Frame,
    envelope: &Envelope,
    colour: RGBColor,
) -> Result<(), PictureError> {
    let style = stroke(colour, look.line(if look.is_thumbnail { 1.0 } else { 0.09 * look.font }));
    let path = |points: Vec<(i32, i32)>| area.draw(&PathElement::new(points, style)).map_err(failed);
    for points in lines(frame, envelope) {
        match look.medium {
            Medium::Svg => path(points)?,
            // The library fills a wide line as one area, which is wrong where the line crosses itself.
            Medium::Png => points.windows(2).try_for_each(|pair| path(pair.to_vec()))?,
        }
    }
    Ok(())
}

/// The corners of each stretch without a gap. One value alone becomes a short line.
fn lines(frame: &Frame, envelope: &Envelope) -> Vec<Vec<(i32, i32)>> {
    let mut lines = Vec::new();
    let mut points: Vec<(i32, i32)> = Vec::new();
    let pieces = envelope.wavelength_nm.iter().zip(envelope.min.iter().zip(&envelope.max));
    for (nm, (min, max)) in pieces {
        let Some((min, max)) = min.zip(*max) else {
            lines.push(std::mem::take(&mut points));
            continue;
        };
        let x = frame.x(*nm);
        let [low, high] = [min, max].map(|level| (x, frame.y(f64::from(level))));
        // First the end that is nearer to where the line comes from.
        let from_below = points.last().is_none_or(|last| (last.1 - low.1).abs() < (last.1 - high.1).abs());
        points.extend(if from_below { [low, high] } else { [high, low] });
        points.dedup();
    }
    lines.push(points);
    lines.retain(|points| !points.is_empty());
    for points in &mut lines {
        if let [(x, y)] = points[..] {
            points.push((x + 1, y));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::axis::Axis;

    #[test]
    fn values_that_are_not_finite_leave_a_gap_and_the_line_goes_to_the_nearer_end() {
        let envelope = Envelope {
            wavelength_nm: vec![1550.0, 1551.0, 1552.0, 1553.0, 1554.0],
            min: vec![Some(-10.0), Some(-10.0), None, Some(-5.0), None],
            max: vec![Some(-10.0), Some(0.0), None, Some(-5.0), None],
        };
        let (x, y) = (Axis::within((1550.0, 1554.0), 4), Axis::around((-10.0, 0.0), 2));
        let frame = Frame { left: 0, top: 0, right: 400, bottom: 100, x, y };
        let expected = vec![vec![(0, 100), (100, 100), (100, 0)], vec![(300, 50), (301, 50)]];
        assert_eq!(lines(&frame, &envelope), expected);
    }
}
