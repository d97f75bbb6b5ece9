//! The properties of an operation: what it does to the instrument, the bench and the run. Everything that treats
//! operations differently asks for these properties. `table.rs` states them for each operation.

mod lasers;
mod table;

use super::{
    Align, AnalyzeFields, ConfigureDetector, ConfigureScan, CreateReference, Effect, FetchTrace, Http,
    Method, Prompt, Scpi,
};
use crate::measurement::Detector;
use crate::units::ApiPath;
pub use lasers::{LaserDemand, Lasers};

/// The properties of one operation.
#[derive(Debug, Clone, PartialEq)]
pub struct OperationTraits<'a> {
    /// What repeating the operation would do. The effect decides what a retry and a resumed run may repeat.
    pub effect: Effect,
    /// What the operation exchanges with the instrument.
    pub exchange: Exchange,
    /// Whether the operation may rely on light that the run has switched on.
    pub needs_light: bool,
    /// Whether light may leave the instrument because of the operation.
    pub emits_light: bool,
    /// The lasers that the operation sets or uses.
    pub lasers: Lasers,
    /// What the operation does to the traces in the instrument's memory.
    pub memory: Memory<'a>,
    /// The settings of the instrument that the operation changes.
    pub settings: Settings<'a>,
    /// The settings of the scan, if the operation sets them.
    pub scan: Option<&'a ConfigureScan>,
    /// What the operation does to the bench beyond settings of the instrument.
    pub bench: BenchEffect<'a>,
    /// The detectors that the operation uses.
    pub detectors: &'a [Detector],
    /// The settings of a detector, if the operation sets them.
    pub detector_settings: Option<&'a ConfigureDetector>,
    /// How long the operation lasts.
    pub lasts: Lasts<'a>,
    /// The question to the operator.
    pub question: Question<'a>,
    /// The request to another instrument.
    pub request: Option<&'a Http>,
    /// The part of an alignment.
    pub alignment: Option<&'a Align>,
    /// The analysis of stored traces.
    pub analysis: Option<&'a AnalyzeFields>,
    /// The SCPI text from the recipe for the CTP10.
    pub raw: Option<&'a Scpi>,
    /// The line of text from the recipe for the CTP10 or another instrument.
    pub line: Option<&'a Scpi>,
    /// The named instrument that the operation uses.
    pub named: Option<Named<'a>>,
    /// The name that the recipe gives to the values.
    pub name: Option<&'a str>,
}

/// What an operation sends to a named instrument on the bench.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Named<'a> {
    /// The name of the instrument.
    pub name: &'a str,
    /// The line of text, or the request.
    pub sends: Sends<'a>,
    /// What the operation means for the settings of the instrument.
    pub role: NamedRole,
}

/// What an operation means for the settings of a named instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedRole {
    /// The operation sets an absolute value. It is performed again after a restart of the instrument.
    Sets,
    /// The operation waits for something that the settings before it bring about. It is performed again together with them.
    Waits,
    /// The operation only reads.
    Reads,
    /// The operation changes something and must not be performed again.
    Changes,
}

/// What is sent to a named instrument.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sends<'a> {
    /// A line of text.
    Line(&'a str),
    /// A request, with the path below the URL of the instrument.
    Request(&'a Http, &'a ApiPath),
}

/// What an operation exchanges with the instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exchange {
    /// Nothing: the operation works without the instrument.
    Nothing,
    /// Commands. The result holds no value from the instrument.
    Commands,
    /// Commands and queries. The result holds values from the instrument, which are proved at the end of the step.
    Values,
    /// Queries for power: so many readings of each detector. The readings are right only with the settings of the run.
    Readings(u32),
    /// Queries for power, until the power is stable. The result holds no reading.
    WatchesPower,
    /// A query for power. The result holds a judgement of the power.
    JudgesPower,
    /// Transfers of traces. Each transfer has its own proof.
    Traces,
}

/// What an operation does to the traces in the instrument's memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Memory<'a> {
    /// Nothing.
    Keeps,
    /// Transfers traces from the memory.
    Reads(&'a FetchTrace),
    /// A sweep: replaces all live traces, and leaves the references.
    ReplacesLive,
    /// A reference scan: replaces the reference and the live traces.
    ReplacesReference(&'a CreateReference),
    /// The operation may replace any trace.
    Unknown,
}

/// The settings of the instrument that an operation changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Settings<'a> {
    /// None.
    Unchanged,
    /// The settings that the operation's commands set. They are read back, and set again after a reboot.
    Typed,
    /// The settings that SCPI text from the recipe may change.
    Raw(&'a Scpi),
}

/// What an operation does to the bench beyond settings of the instrument.
#[derive(Debug, Clone, PartialEq)]
pub enum BenchEffect<'a> {
    /// Nothing.
    None,
    /// Asks another instrument, and changes nothing.
    Asks(BenchTarget<'a>),
    /// May change connections, positions or light. `None`: no other operation can undo the change.
    Changes(Option<BenchTarget<'a>>),
}

/// What a change of the bench concerns. A later operation with the same target replaces the change.
#[derive(Debug, Clone, PartialEq)]
pub enum BenchTarget<'a> {
    /// A resource of another instrument.
    Resource(Method, &'a url::Url),
    /// The header of the only unit of SCPI text, in capitals.
    Header(String),
    /// A setting of a named instrument: its name, and the header in capitals, or the method and the path.
    Setting(&'a str, String),
    /// The references of detectors.
    References(&'a [Detector]),
}

/// How long an operation lasts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Lasts<'a> {
    /// As long as so many exchanges with the instrument.
    Exchanges(u32),
    /// As long as a laser needs to switch on.
    LaserOn,
    /// As long as the transfer of traces.
    Transfer(&'a FetchTrace),
    /// As long as another instrument needs for its reply.
    Reply,
    /// So many readings, which take at least so many seconds.
    Readings {
        /// The number of readings of all detectors.
        count: f64,
        /// The pauses between the readings.
        seconds: f64,
    },
    /// Only a pause of so many seconds, which may be divided.
    Pause(f64),
    /// At least so many seconds.
    AtLeast(f64),
    /// As long as so many scans.
    Scans(u32),
    /// Until a local time of day.
    Until(&'a str),
    /// Until the operator answers.
    Answer,
}

/// What an operation asks the operator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Question<'a> {
    /// Nothing.
    None,
    /// A question with an answer.
    Prompt(&'a Prompt),
    /// To connect something before the operation begins.
    Connect(&'a str),
}

impl<'a> OperationTraits<'a> {
    /// Whether the operation uses the instrument.
    #[must_use]
    pub fn uses_instrument(&self) -> bool {
        self.exchange != Exchange::Nothing
    }

    /// Whether the operation starts a scan.
    #[must_use]
    pub fn is_scan(&self) -> bool {
        match self.memory {
            Memory::ReplacesLive | Memory::ReplacesReference(_) => true,
            Memory::Keeps | Memory::Reads(_) | Memory::Unknown => false,
        }
    }

    /// Whether the operation is a sweep, whose live traces are fetched afterwards.
    #[must_use]
    pub fn is_sweep(&self) -> bool {
        self.memory == Memory::ReplacesLive
    }

    /// The reference scan that the operation makes.
    #[must_use]
    pub fn reference(&self) -> Option<&'a CreateReference> {
        match self.memory {
            Memory::ReplacesReference(fields) => Some(fields),
            Memory::Keeps | Memory::Reads(_) | Memory::ReplacesLive | Memory::Unknown => None,
        }
    }

    /// The detectors that the operation uses, with the one that only shows the drift of a reference.
    pub fn all_detectors(&self) -> impl Iterator<Item = Detector> {
        let check = self.reference().and_then(|reference| reference.check).map(|check| check.detector);
        self.detectors.iter().copied().chain(check)
    }

    /// The traces that the operation transfers.
    #[must_use]
    pub fn fetch(&self) -> Option<&'a FetchTrace> {
        match self.memory {
            Memory::Reads(fields) => Some(fields),
            Memory::Keeps | Memory::ReplacesLive | Memory::ReplacesReference(_) | Memory::Unknown => None,
        }
    }

    /// Whether the operation transfers traces that the last sweep has left in memory.
    #[must_use]
    pub fn reads_live(&self) -> bool {
        self.fetch().is_some_and(|fetch| fetch.traces.iter().any(|kind| !kind.is_reference()))
    }

    /// Whether the result is right only with the settings of the run, so that a reboot within the step spoils it.
    #[must_use]
    pub fn relies_on_settings(&self) -> bool {
        match self.exchange {
            Exchange::Readings(_) | Exchange::WatchesPower | Exchange::JudgesPower => true,
            Exchange::Nothing | Exchange::Commands | Exchange::Values | Exchange::Traces => false,
        }
    }

    /// Whether the end of the step proves that each query got its own reply.
    #[must_use]
    pub fn is_proved_at_end(&self) -> bool {
        match self.exchange {
            Exchange::Values | Exchange::Readings(_) | Exchange::WatchesPower | Exchange::JudgesPower => true,
            Exchange::Nothing | Exchange::Commands | Exchange::Traces => false,
        }
    }

    /// Whether the operation does nothing but set values that the program reads back.
    #[must_use]
    pub fn only_configures(&self) -> bool {
        self.settings == Settings::Typed && !self.is_scan()
    }

    /// Whether the operation only waits, for a time that a repetition needs too.
    #[must_use]
    pub fn only_waits(&self) -> bool {
        self.exchange == Exchange::WatchesPower || self.pause_s().is_some()
    }

    /// The duration of a mere pause, s.
    #[must_use]
    pub fn pause_s(&self) -> Option<f64> {
        match self.lasts {
            Lasts::Pause(seconds) => Some(seconds),
            Lasts::AtLeast(_)
            | Lasts::Readings { .. }
            | Lasts::Exchanges(_)
            | Lasts::LaserOn
            | Lasts::Transfer(_)
            | Lasts::Reply
            | Lasts::Scans(_)
            | Lasts::Until(_)
            | Lasts::Answer => None,
        }
    }

    /// The shortest duration that the fields alone determine, s.
    #[must_use]
    pub fn least_s(&self) -> Option<f64> {
        match self.lasts {
            Lasts::Pause(seconds) | Lasts::AtLeast(seconds) | Lasts::Readings { seconds, .. } => {
                Some(seconds)
            }
            Lasts::Exchanges(_)
            | Lasts::LaserOn
            | Lasts::Transfer(_)
            | Lasts::Reply
            | Lasts::Scans(_)
            | Lasts::Until(_)
            | Lasts::Answer => None,
        }
    }

    /// Whether the operation waits for a person or a time of day, so that its duration cannot be estimated.
    #[must_use]
    pub fn waits_for_person_or_clock(&self) -> bool {
        match self.lasts {
            Lasts::Until(_) | Lasts::Answer => true,
            Lasts::Pause(_)
            | Lasts::AtLeast(_)
            | Lasts::Readings { .. }
            | Lasts::Exchanges(_)
            | Lasts::LaserOn
            | Lasts::Transfer(_)
            | Lasts::Reply
            | Lasts::Scans(_) => false,
        }
    }

    /// Whether the result holds power readings.
    #[must_use]
    pub fn gives_readings(&self) -> bool {
        match self.exchange {
            Exchange::Readings(_) => true,
            Exchange::Nothing
            | Exchange::Commands
            | Exchange::Values
            | Exchange::WatchesPower
            | Exchange::JudgesPower
            | Exchange::Traces => false,
        }
    }

    /// Whether somebody has time to change a connection while the operation lasts.
    #[must_use]
    pub fn gives_time(&self) -> bool {
        self.only_waits() || self.waits_for_person_or_clock()
    }

    /// Whether the operation may change something on the bench that no setting of the run describes.
    #[must_use]
    pub fn changes_bench(&self) -> bool {
        match self.bench {
            BenchEffect::Changes(_) => true,
            BenchEffect::None | BenchEffect::Asks(_) => false,
        }
    }

    /// What the operation asks or changes on the bench.
    #[must_use]
    pub fn target(&self) -> Option<&BenchTarget<'a>> {
        match &self.bench {
            BenchEffect::Asks(target) => Some(target),
            BenchEffect::Changes(target) => target.as_ref(),
            BenchEffect::None => None,
        }
    }

    /// Whether the record of the operation must be on the disk before the operation begins. Light, movements and questions
    /// must not be forgotten; everything else may follow within a second.
    #[must_use]
    pub fn is_recorded_first(&self) -> bool {
        self.emits_light || self.effect == Effect::Ask
    }

    /// Whether the sweep before this operation cannot be repeated after it under the same conditions: settings or
    /// connections may have changed, or the memory holds another scan.
    #[must_use]
    pub fn unsettles_sweep(&self) -> bool {
        self.effect != Effect::Measure || self.is_scan()
    }

    /// Whether the operator answers a question. A request to connect something has no answer.
    #[must_use]
    pub fn is_prompt(&self) -> bool {
        match self.question {
            Question::Prompt(_) => true,
            Question::None | Question::Connect(_) => false,
        }
    }
}
