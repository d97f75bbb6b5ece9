//! All ports of a multiplexer together: which channel has which port, and the spread of their losses.
//!
//! Each port is of the channel in which it transmits most. So two ports can be of one channel: a connector in the wrong
//! place, the same port measured twice, or a dark port. Then nobody can know which of them is the port of the channel.

use super::grid::Channel;
use super::port::of_channel;
use crate::analysis::figure::{Bound, Figure};
use crate::analysis::registry as define;
use crate::shown::counted;

/// A trace as a port of a multiplexer.
#[derive(Debug, Clone, PartialEq)]
pub struct Port {
    /// The place of its channel; `None` if the trace contains no window of a channel.
    pub channel: Option<usize>,
    /// The highest insertion loss in the window of the channel.
    pub loss: Figure,
}

/// The ports of all traces of an analysis.
#[derive(Debug, Clone, Copy)]
pub struct Ports<'a> {
    /// The channels.
    pub channels: &'a [Channel],
    /// A port for each trace.
    pub ports: &'a [Port],
}

impl Ports<'_> {
    /// Why it is unknown which channel a port has; `None` if it is known. In a single window all traces may be compared,
    /// such as the outputs of a splitter.
    #[must_use]
    pub fn doubt(&self, port: &Port) -> Option<String> {
        let own = port.channel.filter(|_| self.channels.len() > 1)?;
        let is_lit = |port: &Port| port.loss.exact().is_some();
        let rivals: Vec<&Port> = self.ports.iter().filter(|other| other.channel == Some(own)).collect();
        let lit = rivals.iter().filter(|rival| is_lit(rival)).count();
        let of = of_channel(self.channels.get(own)?);
        match (rivals.len(), lit, is_lit(port)) {
            (0 | 1, _, _) | (_, 1, true) => None,
            (_, 1, false) => {
                Some(format!("the trace is too dark in the window of {of}, which has another port"))
            }
            (count, _, _) => {
                let none = self.without_port().map(|none| format!(", and {none}")).unwrap_or_default();
                Some(format!("{of} has {}{none}: which trace is its port is unknown", counted(count, "port")))
            }
        }
    }

    /// The channels without a port, in words.
    fn without_port(&self) -> Option<String> {
        if self.ports.is_empty() {
            return None;
        }
        let has_port = |place: usize| self.ports.iter().any(|port| port.channel == Some(place));
        let without = self.channels.iter().enumerate().filter(|(place, _)| !has_port(*place));
        let names: Vec<&str> = without.map(|(_, channel)| channel.name.as_str()).collect();
        match names.as_slice() {
            [] => None,
            [one] => Some(format!("channel {one} has no port")),
            several => Some(format!("the channels {} have no port", several.join(", "))),
        }
    }

    /// What a reader of the figures needs to know: channels with several ports, or without one.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut doubts: Vec<String> = self.ports.iter().filter_map(|port| self.doubt(port)).collect();
        doubts.dedup();
        let none = self.without_port().filter(|none| !doubts.iter().any(|doubt| doubt.contains(none)));
        doubts.into_iter().chain(none).collect()
    }

    /// Takes the figures of the channel back if the channel of the port is unknown.
    pub fn take_back_doubtful(&self, port: &Port, figures: &mut [Figure]) {
        let Some(reason) = self.doubt(port) else { return };
        let Some(of) = port.channel.and_then(|own| self.channels.get(own)).map(of_channel) else { return };
        let is_of_channel = |figure: &&mut Figure| figure.of.as_ref() == Some(&of) && figure.is_measured();
        figures.iter_mut().filter(is_of_channel).for_each(|figure| figure.take_back(&reason));
    }

    /// The spread of the highest insertion losses of all ports. Some channels may be left out on purpose, which is noted.
    #[must_use]
    pub fn uniformity(&self) -> Figure {
        let spread = self.spread().unwrap_or_else(|reason| Figure::missing(&define::UNIFORMITY, reason));
        match self.without_port().filter(|_| spread.is_measured()) {
            Some(none) => spread.noted(none),
            None => spread,
        }
    }

    fn spread(&self) -> Result<Figure, String> {
        if self.ports.len() < 2 {
            return Err(format!("uniformity needs two ports, and there are {}", self.ports.len()));
        }
        if let Some(doubt) = self.ports.iter().find_map(|port| self.doubt(port)) {
            return Err(doubt);
        }
        let losses = self.ports.iter().filter_map(|port| Some((port.loss.value?, port.loss.bound)));
        let mut losses: Vec<(f64, Option<Bound>)> = losses.collect();
        if losses.len() < self.ports.len() {
            let missing = counted(self.ports.len() - losses.len(), "port");
            return Err(format!("the insertion loss of {missing} was not measured"));
        }
        losses.sort_by(|one, other| one.0.total_cmp(&other.0));
        let (Some(lowest), Some(highest)) = (losses.first(), losses.last()) else {
            return Err("no insertion loss was measured".to_owned());
        };
        if lowest.1.is_some() {
            return Err(
                "the lowest of the insertion losses is only known to be at least its value".to_owned()
            );
        }
        // A loss at the floor may be larger than its value, and larger than the highest one.
        let bound = losses.iter().find_map(|(_, bound)| *bound);
        Ok(Figure::measured(&define::UNIFORMITY, highest.0 - lowest.0).bounded(bound))
    }
}
