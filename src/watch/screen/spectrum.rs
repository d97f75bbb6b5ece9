//! The trace. Each column shows the lowest and the highest value of its wavelengths, so that no dip is lost.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::widgets::{Axis, Block, Chart, Dataset, GraphType, Paragraph};

use super::{FAINT, text};
use crate::watch::replies::{Trace, View};
use crate::watch::seen::Seen;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, seen: &Seen) {
    let Some((trace, view)) = &seen.trace else {
        let none = Paragraph::new("no trace yet").style(FAINT).block(Block::bordered().title(" trace "));
        return frame.render_widget(none, area);
    };
    let block = Block::bordered().title(title(trace, seen));
    let points = points(view);
    let Some((x, y)) = bounds(&points) else {
        let none = Paragraph::new("this trace has no value").style(FAINT).block(block);
        return frame.render_widget(none, area);
    };
    let curve = Dataset::default()
        .marker(Marker::Braille)
        .graph_type(GraphType::Line)
        .style(Style::new().fg(Color::Cyan))
        .data(&points);
    let chart = Chart::new(vec![curve])
        .block(block)
        .x_axis(Axis::default().title("nm").style(FAINT).bounds(x).labels(labels(x, 2)))
        .y_axis(Axis::default().title(text(&trace.unit)).style(FAINT).bounds(y).labels(labels(y, 1)));
    frame.render_widget(chart, area);
}

fn title(trace: &Trace, seen: &Seen) -> String {
    let newest = seen.run.as_ref().map_or(trace.trace_index, |run| run.traces.max(trace.trace_index));
    let follows = if seen.follows() { ", newest" } else { "" };
    format!(
        " {} {}, trace {} of {newest}{follows}, {} points ",
        text(trace.detector()),
        text(&trace.trace),
        trace.trace_index,
        trace.points
    )
}

/// The lowest and the highest value of each piece. Pieces without a value are left out.
fn points(view: &View) -> Vec<(f64, f64)> {
    let values = view.min.iter().zip(&view.max).zip(&view.wavelength_nm);
    values
        .filter_map(|((min, max), nm)| Some([(*nm, (*max)?), (*nm, (*min)?)]))
        .flatten()
        .filter(|(nm, value)| nm.is_finite() && value.is_finite())
        .collect()
}

/// The ranges of both axes; none without a point. A flat trace lies in the middle of its range.
fn bounds(points: &[(f64, f64)]) -> Option<([f64; 2], [f64; 2])> {
    let range = |values: &mut dyn Iterator<Item = f64>| {
        values.fold(None, |range: Option<[f64; 2]>, value| {
            let [low, high] = range.unwrap_or([value, value]);
            Some([low.min(value), high.max(value)])
        })
    };
    let x = range(&mut points.iter().map(|(nm, _)| *nm))?;
    let [low, high] = range(&mut points.iter().map(|(_, value)| *value))?;
    let margin = ((high - low) * 0.05).max(0.05);
    Some((x, [low - margin, high + margin]))
}

fn labels([low, high]: [f64; 2], digits: usize) -> Vec<String> {
    [low, f64::midpoint(low, high), high].map(|value| format!("{value:.digits$}")).to_vec()
}
