//! Draws what is known. Everything that comes from the service is escaped, because a terminal obeys control characters.

mod spectrum;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Gauge, Paragraph};

use super::replies::{Instrument, Laser, Run};
use super::seen::Seen;
use crate::shown::one_line;
use crate::units::duration;

/// Below this power a detector sees nothing, dBm.
const DARK_DBM: f64 = -70.0;

const ALARM: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
const ATTENTION: Style = Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD);
const FAINT: Style = Style::new().add_modifier(Modifier::DIM);

pub(super) fn draw(frame: &mut Frame<'_>, seen: &Seen) {
    let run = seen.run.as_ref().map(|run| facts(run, is_active(seen, run))).unwrap_or_default();
    let rows = u16::try_from(run.len()).unwrap_or(u16::MAX).min(6);
    let [title, gauge, facts, chart, power, foot] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(1),
        Constraint::Length(rows),
        Constraint::Min(6),
        Constraint::Length(3),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(heading(seen)), title);
    match &seen.run {
        Some(run) => progress(frame, gauge, run, is_active(seen, run)),
        None => frame.render_widget(Line::from("no run since the service started").style(FAINT), gauge),
    }
    frame.render_widget(Paragraph::new(run), facts);
    spectrum::draw(frame, chart, seen);
    frame.render_widget(
        Paragraph::new(readings(seen)).block(Block::bordered().title(power_title(seen))),
        power,
    );
    frame.render_widget(
        Line::from("← → older, newer trace · n newest · q ends this view, not the run").style(FAINT),
        foot,
    );
}

fn text(text: &str) -> String {
    one_line(text).into_owned()
}

fn is_active(seen: &Seen, run: &Run) -> bool {
    seen.instrument.as_ref().is_some_and(|instrument| instrument.run.as_ref() == Some(&run.run))
}

/// Where and what the instrument is, its state and its lasers.
fn heading(seen: &Seen) -> Vec<Line<'static>> {
    let mut first = vec![Span::from(format!("{}  ", text(&seen.url))).bold()];
    if let Some(instrument) = &seen.instrument {
        let simulated =
            instrument.simulated == Some(true) || seen.run.as_ref().is_some_and(|run| run.simulated);
        if simulated {
            first.push(Span::styled("SIMULATED", ATTENTION));
            first.push(Span::from("  "));
        }
        let identity = instrument.identity.as_deref().unwrap_or("an instrument that has not replied yet");
        first.push(Span::from(format!("{} at {}", text(identity), text(&instrument.address))));
    }
    vec![Line::from(first), state(seen)]
}

fn state(seen: &Seen) -> Line<'static> {
    if let Some(trouble) = &seen.trouble {
        return Line::styled(format!("no contact: {}", text(trouble)), ALARM);
    }
    let Some(instrument) = &seen.instrument else { return Line::styled("connecting …", FAINT) };
    if !instrument.connected {
        let reason = instrument.reason.as_deref().unwrap_or("no reason is known");
        return Line::styled(format!("the instrument cannot be reached: {}", text(reason)), ALARM);
    }
    let mut spans = vec![Span::from(text(instrument.condition.as_deref().unwrap_or("state unknown")))];
    spans.extend(lasers(instrument));
    Line::from(spans)
}

fn lasers(instrument: &Instrument) -> Vec<Span<'static>> {
    let name = |laser: &Laser| match laser.power_dbm {
        Some(power) => format!("laser {} on, {power:.2} dBm", laser.laser),
        None => format!("laser {} on", laser.laser),
    };
    let on: Vec<String> = instrument.lasers.iter().filter(|laser| laser.on).map(name).collect();
    match on.is_empty() {
        true if instrument.lasers.is_empty() => Vec::new(),
        true => vec![Span::styled(" · lasers off", FAINT)],
        false => vec![Span::from(" · "), Span::styled(on.join(", "), ATTENTION)],
    }
}

/// One bar with one number: the operations done of those that are expected.
fn progress(frame: &mut Frame<'_>, area: Rect, run: &Run, active: bool) {
    let done = run.finished_steps;
    let of = run.operations.filter(|of| *of > 0);
    #[expect(clippy::cast_precision_loss, reason = "a share of a bar")]
    let share = match of {
        _ if run.state == "done" => 1.0,
        Some(of) => (done as f64 / of as f64).clamp(0.0, 1.0),
        None => 0.0,
    };
    let mut label = match of {
        Some(of) => format!("{done} of {of} operations"),
        None => format!("{done} operations"),
    };
    if let Some(left) = run.remaining_s.filter(|_| active) {
        label.push_str(&format!(", {} left", duration(left)));
    } else if let Some(elapsed) = run.elapsed_s {
        label.push_str(&format!(" in {}", duration(elapsed)));
    }
    let colour = match run.state.as_str() {
        "failed" | "aborted" | "interrupted" => Color::Red,
        "done" => Color::Green,
        _ => Color::Blue,
    };
    frame.render_widget(Gauge::default().ratio(share).label(label).gauge_style(colour), area);
}

fn facts(run: &Run, active: bool) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let mut first = vec![Span::from(text(&run.name)).bold(), Span::from(format!("  {}", text(&run.state)))];
    if let Some(verdict) = &run.verdict {
        let style = if verdict == "pass" { Style::new().fg(Color::Green) } else { ATTENTION };
        first.push(Span::styled(format!("  {}", text(verdict)), style));
    }
    first.push(Span::styled(format!("  {}", text(&run.run)), FAINT));
    lines.push(Line::from(first));
    if let Some(question) = &run.question {
        lines.push(Line::styled(format!("waits for a person: {}", text(&question.message)), ATTENTION));
    } else if let Some(waiting) = &run.waiting {
        lines.push(Line::styled(format!("waits: {}", text(waiting)), ATTENTION));
    } else if let Some(pause) = run.pause.as_deref().filter(|_| active) {
        let words = if pause == "held" { "paused" } else { "pauses before the next operation" };
        lines.push(Line::styled(words, ATTENTION));
    }
    if let Some(current) = run.current.as_ref().filter(|_| active) {
        let mut words = current.turns.join(", ");
        if !words.is_empty() {
            words.push_str(": ");
        }
        words.push_str(&current.words);
        if let Some(done) = current.done {
            words.push_str(&format!(", {:.0} %", done * 100.0));
        }
        if current.attempt > 1 {
            words.push_str(&format!(" (attempt {})", current.attempt));
        }
        lines.push(Line::from(text(&words)));
    }
    let highlights: Vec<String> =
        run.highlights.iter().map(|highlight| format!("{}: {}", highlight.name, highlight.text)).collect();
    if !highlights.is_empty() {
        lines.push(Line::from(text(&highlights.join(" · "))));
    }
    if let Some(reason) = &run.reason {
        lines.push(Line::styled(text(reason), ALARM));
    }
    if !run.lasers_unknown.is_empty() {
        let lasers: Vec<String> = run.lasers_unknown.iter().map(u8::to_string).collect();
        lines.push(Line::styled(format!("lasers that may be on: {}", lasers.join(", ")), ALARM));
    }
    if let Some(warning) = run.warnings.last() {
        lines.push(Line::styled(format!("warning: {}", text(warning)), ATTENTION));
    }
    lines
}

fn power_title(seen: &Seen) -> String {
    let mut title = " live power".to_owned();
    if let Some(power) = &seen.readings.power {
        title.push_str(&format!(", module {}", power.module));
    }
    if let Some(note) = &seen.readings.note {
        title.push_str(&format!(" ({})", text(note)));
    }
    title.push(' ');
    title
}

fn readings(seen: &Seen) -> Line<'static> {
    let Some(power) = &seen.readings.power else { return Line::styled("no reading yet", FAINT) };
    let mut spans = Vec::new();
    for (channel, value) in power.channels() {
        if !seen.is_shown(power.module, channel) {
            continue;
        }
        let name = seen.detector(power.module, channel).map_or_else(|| channel.to_string(), text);
        let value = match value {
            Some(value) if power.unit == "dBm" && value < DARK_DBM => "dark".to_owned(),
            Some(value) => format!("{value:.2} {}", text(&power.unit)),
            None => "no value".to_owned(),
        };
        spans.extend([Span::styled(format!("{name} "), FAINT), Span::from(value).bold(), Span::from("   ")]);
    }
    Line::from(spans)
}

#[cfg(test)]
mod tests;
