//! What a recipe asks of traces: figures by their names, channels, smoothing. The answer of each trace is independent, so
//! that one trace at a time is in memory.

mod names;

use super::channels::{Channel, Port, Ports, nearest_channel, port};
use super::figure::Figure;
use super::floor::Floor;
use super::registry as define;
use super::request::{Analysis, Request, Wanted, analyze};
use super::several::moving_mean;
use super::trace::Trace;
pub use names::{AskError, Asked, asked, is_of_points};

/// The level of bandwidths of channels, if no name states another one, dB.
const CHANNEL_LEVEL_DB: f64 = 3.0;

/// What is asked of each trace.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Task {
    /// The settings of the analysis. Its groups of figures are derived from `asked`.
    pub request: Request,
    /// The figures and groups that are asked for.
    pub asked: Vec<Asked>,
    /// Wavelengths at which the insertion loss is asked for, nm.
    pub at_nm: Vec<f64>,
    /// The channels of a multiplexer. Each trace is one of its ports.
    pub channels: Vec<Channel>,
    /// Replaces each level by the mean of this odd number of levels.
    pub smooth_samples: Option<usize>,
}

impl Task {
    /// The names of the figures that the answers can contain, without duplicates.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.asked.iter().flat_map(|asked| asked.names(!self.channels.is_empty())).collect();
        if !self.at_nm.is_empty() {
            names.push(define::INSERTION_LOSS.name.to_owned());
        }
        names.sort();
        names.dedup();
        names
    }

    /// The figures of one trace.
    ///
    /// # Errors
    /// When the band is outside the trace, or the smoothing is impossible.
    pub fn figures_of(&self, raw: &Trace<'_>) -> Result<Analysis, String> {
        let floor = Floor::of(raw, self.request.floor_db);
        let smooth = self.smooth_samples.map(|samples| moving_mean(raw, samples, floor)).transpose()?;
        let trace = match &smooth {
            Some(smooth) => raw.with_levels(smooth).map_err(|error| error.to_string())?,
            None => *raw,
        };
        let request = Request { wanted: self.wanted(), ..self.request.clone() };
        let mut analysis = analyze(&trace, &request).map_err(|error| error.to_string())?;
        if !self.channels.is_empty() {
            self.add_port(&trace, &mut analysis);
        }
        analysis.figures.retain(|figure| self.asks_for(figure));
        analysis.judge_unit(raw.unit());
        Ok(analysis)
    }

    /// The figures of all traces together: the uniformity of channels.
    #[must_use]
    pub fn figures_of_all(&self, ports: &Ports<'_>) -> Vec<Figure> {
        let uniformity = (!self.channels.is_empty()).then(|| ports.uniformity());
        uniformity.into_iter().filter(|figure| self.asks_for(figure)).collect()
    }

    fn add_port(&self, trace: &Trace<'_>, analysis: &mut Analysis) {
        let channel = nearest_channel(trace, &self.channels);
        if channel.is_none() {
            analysis.warnings.push("no channel has its window within the trace".to_owned());
        }
        let mut levels_db: Vec<f64> = self.asked.iter().filter_map(Asked::level_db).collect();
        if levels_db.is_empty() {
            levels_db.push(CHANNEL_LEVEL_DB);
        }
        let floor = Floor::of(trace, self.request.floor_db);
        let figures = port(trace, &self.channels, channel.unwrap_or_default(), &levels_db, floor);
        let loss = figures.iter().find(|figure| figure.name == define::INSERTION_LOSS_MAX.name);
        analysis.port = loss.map(|loss| Port { channel, loss: loss.clone() });
        analysis.figures.extend(figures);
    }

    /// The groups of figures of lines and of the whole band.
    fn wanted(&self) -> Vec<Wanted> {
        let of_lines = self.asked.iter().filter_map(|asked| asked.wanted(!self.channels.is_empty()));
        let mut wanted: Vec<Wanted> = Vec::new();
        for group in of_lines.chain(self.at_nm.iter().map(|nm| Wanted::LossAt(*nm))) {
            if !wanted.contains(&group) {
                wanted.push(group);
            }
        }
        wanted
    }

    fn asks_for(&self, figure: &Figure) -> bool {
        let at_nm = !self.at_nm.is_empty() && figure.name == define::INSERTION_LOSS.name;
        at_nm || self.asked.iter().any(|asked| asked.includes(&figure.name, !self.channels.is_empty()))
    }
}
