//! The queries to the instrument, and how their replies are read.

use super::channel;
use crate::grammar::{Line, Malformed};
use crate::instrument::error::Error;
use crate::instrument::reply::{
    Condition, ErrorEntry, Identity, Reference, Stabilization, decibels, measured, measured_nm, measured_pm,
    nanometres, number, picometres, truth, value,
};
use crate::measurement::{Detector, PowerUnit, SpectralUnit, TraceKind};
use crate::shown;

/// Which trace a query is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceAddress {
    /// The detector.
    pub detector: Detector,
    /// Which trace of the detector.
    pub kind: TraceKind,
    /// The header has no `CHANnel`. Public documentation states that its number is not used for back-reflection traces.
    pub without_channel: bool,
}

impl From<(Detector, TraceKind)> for TraceAddress {
    fn from((detector, kind): (Detector, TraceKind)) -> Self {
        Self { detector, kind, without_channel: false }
    }
}

impl TraceAddress {
    fn data(self) -> String {
        let Detector { module, channel } = self.detector;
        let channel = if self.without_channel { String::new() } else { format!(":CHAN{channel}") };
        format!("TRAC:SENS{module}{channel}:TYPE{}:DATA", self.kind.code())
    }
}

/// A question and how its reply is read. Asking it again is harmless.
#[derive(Debug)]
pub struct Query<R> {
    /// The text to send.
    pub text: String,
    /// It is refused while a scan runs, and must not be asked then.
    pub while_idle: bool,
    /// Its text is not the driver's own.
    pub(in crate::instrument) is_raw: bool,
    read: fn(&str) -> Option<R>,
}

impl<R> Clone for Query<R> {
    fn clone(&self) -> Self {
        Self { text: self.text.clone(), ..*self }
    }
}

impl<R> Query<R> {
    pub(in crate::instrument) fn new(text: impl Into<String>, read: fn(&str) -> Option<R>) -> Self {
        Self { text: text.into(), while_idle: false, is_raw: false, read }
    }

    /// A question that is refused while a scan runs.
    fn while_idle(text: impl Into<String>, read: fn(&str) -> Option<R>) -> Self {
        Self { while_idle: true, ..Self::new(text, read) }
    }

    /// The reply's meaning; `None` when it has none.
    #[must_use]
    pub fn read(&self, reply: &str) -> Option<R> {
        (self.read)(reply.trim())
    }

    /// The meaning of the reply to [`Query::untyped`].
    pub(in crate::instrument) fn meaning(&self, reply: &str) -> Result<R, Error> {
        let lost = || Error::Lost { command: self.text.clone(), reason: nonsense(reply) };
        self.read(reply).ok_or_else(lost)
    }
}

/// Why a reply without a meaning is an error.
pub(in crate::instrument) fn nonsense(reply: &str) -> String {
    format!("the reply `{}` is not valid", shown::beginning(reply))
}

impl<R: 'static> Query<R> {
    /// The same query without the type of its result.
    pub(in crate::instrument) fn untyped(&self) -> UntypedQuery {
        let read = self.read;
        UntypedQuery {
            text: self.text.clone(),
            while_idle: self.while_idle,
            is_raw: self.is_raw,
            has_meaning: Box::new(move |reply| read(reply.trim()).is_some()),
        }
    }
}

/// A query without the type of its result. The exchange is therefore compiled once, and not for each type.
pub(in crate::instrument) struct UntypedQuery {
    pub(in crate::instrument) text: String,
    pub(in crate::instrument) while_idle: bool,
    pub(in crate::instrument) is_raw: bool,
    /// Whether the query can read this reply.
    pub(in crate::instrument) has_meaning: Box<dyn Fn(&str) -> bool + Send + Sync>,
}

/// The text of the query for a trace's values, a block of big-endian float32: dB for a ratio, dBm for a power.
#[must_use]
pub fn trace_values(trace: TraceAddress) -> String {
    format!("{}? BIN,DB", trace.data())
}

/// The text of the query for a trace's wavelengths in metres, a block of big-endian float64.
#[must_use]
pub fn trace_wavelengths(trace: TraceAddress) -> String {
    format!("{}:X? BIN,M", trace.data())
}

/// Raw text that is not a question.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAQuery {
    /// It is not SCPI at all.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A part of it asks nothing.
    #[error("`{0}` is a command, not a query")]
    Commands(String),
}

impl Query<String> {
    /// Any question, or several on one line; its reply as it stands.
    ///
    /// # Errors
    /// When a part of it is not a question.
    pub fn raw(text: &str) -> Result<Self, NotAQuery> {
        let line = Line::parse(text)?;
        match line.units.iter().find(|unit| !unit.is_query) {
            Some(unit) => Err(NotAQuery::Commands(unit.text.clone())),
            None => Ok(Self { is_raw: true, ..Self::new(text, |reply| Some(reply.to_owned())) }),
        }
    }
}

impl Query<Identity> {
    /// Who is there.
    #[must_use]
    pub fn identity() -> Self {
        Self::new("*IDN?", Identity::read)
    }

    /// Which laser that is.
    #[must_use]
    pub fn laser_identity(laser: u8) -> Self {
        Self::new(format!("CTP:RLAS{laser}:IDN?"), Identity::read)
    }
}

impl Query<Condition> {
    /// What the instrument is doing.
    #[must_use]
    pub fn condition() -> Self {
        Self::new("STAT:OPER:COND?", |reply| reply.parse().ok().map(Condition))
    }

    /// What the instrument has been doing since this was asked last.
    #[must_use]
    pub fn operation_events() -> Self {
        Self::new("STAT:OPER:EVEN?", |reply| reply.parse().ok().map(Condition))
    }
}

impl Query<()> {
    /// Answered when everything that was begun is complete.
    #[must_use]
    pub fn completion() -> Self {
        Self::new("*OPC?", |reply| (reply == "1").then_some(()))
    }
}

impl Query<ErrorEntry> {
    /// The oldest error in the queue, which leaves it.
    #[must_use]
    pub fn next_error() -> Self {
        Self::new("SYST:ERR?", ErrorEntry::read)
    }
}

/// Numbers, in the unit that the name says.
impl Query<f64> {
    /// First wavelength of the scan, nm.
    #[must_use]
    pub fn scan_start_nm() -> Self {
        Self::new("INIT:WAV:STAR?", nanometres)
    }
    /// Last wavelength of the scan, nm.
    #[must_use]
    pub fn scan_stop_nm() -> Self {
        Self::new("INIT:WAV:STOP?", nanometres)
    }
    /// Sampling step of the scan, pm.
    #[must_use]
    pub fn resolution_pm() -> Self {
        Self::new("INIT:WAV:SAMP?", picometres)
    }
    /// Where a TLS starts, nm.
    #[must_use]
    pub fn tls_start_nm(tls: u8) -> Self {
        Self::new(format!("INIT:TLS{tls}:WAV:STAR?"), nanometres)
    }
    /// Where a TLS stops, nm.
    #[must_use]
    pub fn tls_stop_nm(tls: u8) -> Self {
        Self::new(format!("INIT:TLS{tls}:WAV:STOP?"), nanometres)
    }
    /// Speed of a TLS, nm/s.
    #[must_use]
    pub fn tls_speed_nm_s(tls: u8) -> Self {
        Self::new(format!("INIT:TLS{tls}:SPE?"), number)
    }
    /// Power of a TLS in the sweep, dBm.
    #[must_use]
    pub fn tls_power_dbm(tls: u8) -> Self {
        Self::new(format!("INIT:TLS{tls}:POW?"), decibels)
    }
    /// Static power of a laser, dBm.
    #[must_use]
    pub fn laser_power_dbm(laser: u8) -> Self {
        Self::new(format!("CTP:RLAS{laser}:POW?"), decibels)
    }
    /// Static wavelength of a laser, nm.
    #[must_use]
    pub fn laser_wavelength_nm(laser: u8) -> Self {
        Self::new(format!("CTP:RLAS{laser}:WAV?"), nanometres)
    }
    /// Power at a detector, in the detector's unit; may be no finite number.
    #[must_use]
    pub fn power(detector: Detector) -> Self {
        Self::while_idle(format!("{}:POW?", channel(detector)), measured)
    }
    /// Wavelength that a detector's calibration is applied for, nm.
    #[must_use]
    pub fn detector_wavelength_nm(detector: Detector) -> Self {
        Self::new(format!("{}:WAV?", channel(detector)), nanometres)
    }
    /// Wavelength of a trace's first point, nm; may be no finite number.
    #[must_use]
    pub fn trace_start_nm(trace: TraceAddress) -> Self {
        Self::while_idle(format!("{}:STAR?", trace.data()), measured_nm)
    }
    /// Step of a trace, pm; may be no finite number.
    #[must_use]
    pub fn trace_step_pm(trace: TraceAddress) -> Self {
        Self::while_idle(format!("{}:SAMP?", trace.data()), measured_pm)
    }
}

impl Query<u64> {
    /// Number of points of a trace.
    #[must_use]
    pub fn trace_points(trace: TraceAddress) -> Self {
        Self::while_idle(format!("{}:LENG?", trace.data()), value)
    }
}

impl Query<u8> {
    /// Which laser serves as a TLS; 0 for none.
    #[must_use]
    pub fn tls_laser(tls: u8) -> Self {
        Self::new(format!("INIT:TLS{tls}:ID?"), value)
    }
    /// Trigger input of a TLS; 0 for software.
    #[must_use]
    pub fn tls_trigger(tls: u8) -> Self {
        Self::new(format!("INIT:TLS{tls}:TRIG?"), value)
    }
    /// Trigger input of a detector; 0 for software.
    #[must_use]
    pub fn detector_trigger(detector: Detector) -> Self {
        Self::new(format!("{}:FUNC:TRIG?", channel(detector)), value)
    }
}

impl Query<u8> {
    /// The laser of the static light (`FBC`); 0 for none.
    #[must_use]
    pub fn feedback_laser() -> Self {
        Self::new("CTP:SENS:FBC?", value)
    }
}

impl Query<Option<Detector>> {
    /// The detector that an analog output follows; `None` if it follows none.
    #[must_use]
    pub fn analog_output(output: u8) -> Self {
        Self::new(format!("SYST:ANLG:OUT{output}:SOUR?"), |reply| {
            let (module, channel) = reply.split_once(',')?;
            let place = format!("{}/{}", module.trim(), channel.trim());
            if place == "0/0" { Some(None) } else { place.parse().ok().map(Some) }
        })
    }
}

impl Query<bool> {
    /// Whether it scans for ever.
    #[must_use]
    pub fn scan_mode() -> Self {
        Self::new("INIT:SMOD?", |reply| match reply.to_ascii_uppercase().as_str() {
            "0" | "SING" | "SINGLE" => Some(false),
            "1" | "CONT" | "CONTINUOUS" => Some(true),
            _ => None,
        })
    }
    /// Whether a laser's output is on.
    #[must_use]
    pub fn laser_output(laser: u8) -> Self {
        Self::new(format!("CTP:RLAS{laser}:POW:STAT?"), truth)
    }
}

impl Query<Stabilization> {
    /// Stabilization time before a scan, and laser output after it.
    #[must_use]
    pub fn stabilization() -> Self {
        Self::new("INIT:STAB?", Stabilization::read)
    }
}

impl Query<PowerUnit> {
    /// Unit of a detector's power readings. A detector of photocurrent replies with the same numbers, so only the recipe
    /// knows which of both it is.
    #[must_use]
    pub fn power_unit(detector: Detector) -> Self {
        Self::new(format!("{}:UNIT:Y?", channel(detector)), |reply| match reply {
            "0" | "DBM" => Some(PowerUnit::Dbm),
            "1" | "MW" => Some(PowerUnit::Mw),
            "DBMA" => Some(PowerUnit::Dbma),
            "MA" => Some(PowerUnit::Ma),
            _ => None,
        })
    }
}

impl Query<SpectralUnit> {
    /// Unit of a detector's spectral axis.
    #[must_use]
    pub fn spectral_unit(detector: Detector) -> Self {
        Self::new(format!("{}:UNIT:X?", channel(detector)), |reply| match reply {
            "0" | "WAV" => Some(SpectralUnit::Nm),
            "1" | "FREQ" => Some(SpectralUnit::Thz),
            _ => None,
        })
    }
}

impl Query<Option<Reference>> {
    /// The reference of a detector; `None` when there is none.
    #[must_use]
    pub fn reference(Detector { module, channel }: Detector) -> Self {
        Self::new(format!("REF:SENS{module}:CHAN{channel}:RES?"), Reference::read)
    }
}
