//! What is known and shown. A pure fold over what the feed tells and the keys that are pressed.

use super::replies::{Frame, Instrument, Power, Run, Trace, View};

/// Columns of the border and the axis, which show no points.
const WITHOUT_POINTS: u16 = 12;
/// Points beside each other in one column of characters.
const POINTS_A_COLUMN: u64 = 2;

/// What the feed tells.
#[derive(Debug)]
pub(super) enum Told {
    Instrument(Instrument),
    Run(Box<Run>),
    Trace(Trace, View),
    Power(Frame),
    /// Why there is no live power.
    NoPower(String),
    /// Why the service gives no answer.
    Trouble(String),
}

/// What the view needs from the feed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The trace; the newest if none is given.
    pub(super) trace: Option<u64>,
    /// How many points can be drawn.
    pub(super) points: u64,
}

/// The readings of a module, and why they are not current.
#[derive(Debug)]
pub(super) struct Readings {
    pub(super) power: Option<Power>,
    pub(super) note: Option<String>,
}

/// Everything that the screen shows.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) url: String,
    pub(super) instrument: Option<Instrument>,
    pub(super) run: Option<Run>,
    pub(super) trace: Option<(Trace, View)>,
    pub(super) readings: Readings,
    /// Why what is shown may be out of date.
    pub(super) trouble: Option<String>,
    /// The trace that a person has chosen.
    chosen: Option<u64>,
    /// The module whose power a person has asked for.
    module: Option<u8>,
}

impl Seen {
    pub(super) fn new(url: String, module: Option<u8>) -> Self {
        let readings = Readings { power: None, note: None };
        Self { url, instrument: None, run: None, trace: None, readings, trouble: None, chosen: None, module }
    }

    pub(super) fn note(&mut self, told: Told) {
        match told {
            Told::Instrument(instrument) => {
                self.instrument = Some(instrument);
                self.trouble = None;
            }
            Told::Run(run) => {
                if self.run.as_ref().is_some_and(|before| before.run != run.run) {
                    self.trace = None;
                    self.chosen = None;
                }
                self.run = Some(*run);
            }
            Told::Trace(trace, view) => self.trace = Some((trace, view)),
            Told::Power(frame) => self.read(frame),
            Told::NoPower(reason) => self.readings.note = Some(reason),
            Told::Trouble(reason) => self.trouble = Some(reason),
        }
    }

    fn read(&mut self, frame: Frame) {
        let readings = match frame {
            Frame::Data(power) => Readings { power: Some(power), note: None },
            Frame::Busy { last, age_s, operation } => Readings {
                power: Some(last),
                note: Some(format!("{age_s:.0} s old, because the instrument is busy: {operation}")),
            },
            Frame::Error { message } => Readings { power: None, note: Some(message) },
            Frame::Other => return,
        };
        self.readings = readings;
    }

    pub(super) fn wanted(&self, columns: u16) -> Wanted {
        let points = u64::from(columns.saturating_sub(WITHOUT_POINTS)) * POINTS_A_COLUMN;
        Wanted { trace: self.chosen, points }
    }

    /// Chooses an older or a newer trace. The newest one is followed.
    pub(super) fn step(&mut self, by: i64) {
        let (Some(run), Some((shown, _))) = (&self.run, &self.trace) else { return };
        let from = self.chosen.unwrap_or(shown.trace_index);
        let to = from.saturating_add_signed(by).max(1);
        self.chosen = (to < run.traces).then_some(to);
    }

    /// Follows the newest trace again.
    pub(super) fn follow(&mut self) {
        self.chosen = None;
    }

    /// Whether the newest trace is followed.
    pub(super) fn follows(&self) -> bool {
        self.chosen.is_none()
    }

    /// The name of a detector of the module whose power is shown.
    pub(super) fn detector(&self, module: u8, channel: u8) -> Option<&str> {
        self.run.as_ref()?.detectors.get(&format!("{module}/{channel}")).map(String::as_str)
    }

    /// Whether a channel is shown: all channels of a module that a person has chosen, otherwise those that the run has named, if
    /// it has named any.
    pub(super) fn is_shown(&self, module: u8, channel: u8) -> bool {
        let named = |channel| self.detector(module, channel).is_some();
        self.module.is_some() || named(channel) || !(1..=4).any(named)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(id: &str, traces: u64) -> Told {
        let run = json!({"run": id, "name": "ring", "state": "running", "simulated": true, "finished_steps": 1, "traces": traces});
        Told::Run(Box::new(serde_json::from_value(run).unwrap()))
    }

    fn trace(number: u64) -> Told {
        let trace =
            json!({"trace_index": number, "detector": "4/1", "trace": "tf", "unit": "dB", "points": 3});
        let view = json!({"wavelength_nm": [1550.0], "min": [-1.0], "max": [-1.0]});
        Told::Trace(serde_json::from_value(trace).unwrap(), serde_json::from_value(view).unwrap())
    }

    #[test]
    fn the_newest_trace_is_followed_until_an_older_one_is_chosen() {
        let mut seen = Seen::new("http://bench:8002".to_owned(), None);
        seen.step(-1);
        assert_eq!(seen.wanted(100).trace, None);
        seen.note(run("a", 3));
        seen.note(trace(3));
        seen.step(-1);
        seen.step(-1);
        seen.step(-1);
        assert_eq!(seen.wanted(100).trace, Some(1));
        seen.step(1);
        assert_eq!(seen.wanted(100).trace, Some(2));
        seen.step(1);
        assert!(seen.follows());
        seen.step(-1);
        // Another run has other traces.
        seen.note(run("b", 1));
        assert!(seen.follows() && seen.trace.is_none());
    }

    #[test]
    fn a_service_that_replies_again_is_no_trouble() {
        let mut seen = Seen::new("http://bench:8002".to_owned(), None);
        seen.note(Told::Trouble("`bench:8002` cannot be reached".to_owned()));
        assert!(seen.trouble.is_some());
        let instrument = json!({"address": "sim", "connected": true, "simulated": true, "identity": null, "run": null, "last_run": null});
        seen.note(Told::Instrument(serde_json::from_value(instrument).unwrap()));
        assert!(seen.trouble.is_none());
    }
}
