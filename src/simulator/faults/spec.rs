//! Parses faults: `KIND@WHERE=VALUE`.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::part::Part;
use super::kind::{KINDS, Kind};
use super::pattern::{Pattern, WORDS};
use super::suggestion::suggestion;

/// A fault of the simulator, for example `drop@57`, `late@power:every=6`, `random@7`, or `smu:drop@3` for the
/// source-meter.
///
/// The syntax is described in `docs/instrument.md`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct FaultSpec {
    pub(super) part: Part,
    pub(super) spec: Spec,
}

/// Why a text is not a valid fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("fault `{given}`: {problem}")]
pub struct BadFault {
    given: String,
    problem: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Spec {
    At { kind: Kind, pattern: Option<Pattern>, which: Which },
    Random { seed: u64, rate: f64 },
}

/// Which of the matching commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// The nth, from 1.
    Nth(u64),
    Every,
}

const RANDOM: &str = "random";
/// The default: one command in a hundred.
const RATE: f64 = 0.01;
/// The allowed forms of a place, for messages.
const PLACES: &str = "a number, or a command such as `trace`, `trace:2` or `trace:every`";

impl FaultSpec {
    /// All names of kinds.
    pub fn kinds() -> impl Iterator<Item = &'static str> + Clone {
        KINDS.iter().map(|kind| kind.name()).chain([RANDOM])
    }

    /// Whether chance decides when the fault occurs.
    #[must_use]
    pub fn is_random(&self) -> bool {
        matches!(self.spec, Spec::Random { .. })
    }

    /// The option that the instrument of the fault needs, if it is not the CTP10.
    pub(in crate::simulator) fn part(&self) -> Part {
        self.part
    }

    /// All keywords for commands.
    pub fn commands() -> impl Iterator<Item = &'static str> + Clone {
        WORDS.iter().map(|(word, ..)| *word)
    }
}

impl FromStr for FaultSpec {
    type Err = BadFault;

    fn from_str(given: &str) -> Result<Self, BadFault> {
        let (part, text) = Part::before(given);
        let spec = read(text, part);
        spec.map(|spec| Self { part, spec }).map_err(|problem| BadFault { given: given.to_owned(), problem })
    }
}

fn read(text: &str, part: Part) -> Result<Spec, String> {
    let (head, value) = match text.split_once('=') {
        Some((head, value)) => (head, Some(value.trim())),
        None => (text, None),
    };
    let (word, place) = match head.split_once('@') {
        Some((word, place)) => (word.trim(), Some(place.trim()).filter(|place| !place.is_empty())),
        None => (head.trim(), None),
    };
    if word.is_empty() && place.is_some() {
        return Err("a file of faults is only allowed on the command line".to_owned());
    }
    if word == RANDOM {
        return random(place, value);
    }
    let kind = KINDS.into_iter().find(|kind| kind.name() == word);
    let kind =
        kind.ok_or_else(|| format!("unknown kind `{word}`; {}", suggestion(word, FaultSpec::kinds())))?;
    let kind = value.map_or(Ok(kind), |value| kind.with_value(value))?;
    let place = place.ok_or_else(|| format!("the place is missing: write `{word}@` and {PLACES}"))?;
    let (pattern, which) = read_place(place, part)?;
    pattern.as_ref().map_or(Ok(()), |pattern| kind.fits(pattern))?;
    Ok(Spec::At { kind, pattern, which })
}

/// Reads `N`, `every`, `PATTERN`, `PATTERN:N` or `PATTERN:every`. A header contains colons itself.
fn read_place(text: &str, part: Part) -> Result<(Option<Pattern>, Which), String> {
    if let Some(which) = read_which(text)? {
        return Ok((None, which));
    }
    if let Some((pattern, last)) = text.rsplit_once(':')
        && let Some(which) = read_which(last)?
    {
        return Ok((Some(Pattern::read(pattern.trim(), part)?), which));
    }
    Ok((Some(Pattern::read(text, part)?), Which::Nth(1)))
}

fn read_which(text: &str) -> Result<Option<Which>, String> {
    match text.trim() {
        "every" => Ok(Some(Which::Every)),
        digits if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            let number = digits.parse().ok().filter(|number| *number > 0);
            let number = number
                .ok_or_else(|| format!("there is no command `{digits}`: commands are counted from 1"))?;
            Ok(Some(Which::Nth(number)))
        }
        _ => Ok(None),
    }
}

fn random(seed: Option<&str>, rate: Option<&str>) -> Result<Spec, String> {
    let seed = seed.ok_or("the seed is missing: `random@SEED`, a whole number")?;
    let seed = seed.parse().map_err(|_| format!("seed `{seed}` is not allowed (a whole number)"))?;
    let rate = rate.map_or(Ok(RATE), |text| {
        let rate = text.parse().ok().filter(|rate| *rate > 0.0 && *rate <= 1.0);
        rate.ok_or_else(|| format!("rate `{text}` is not allowed (more than 0, at most 1: every command)"))
    })?;
    Ok(Spec::Random { seed, rate })
}

/// Formatted so that it can be parsed again.
impl fmt::Display for FaultSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.part.prefix())?;
        let (kind, pattern, which) = match &self.spec {
            Spec::Random { seed, rate } => return write!(f, "random@{seed}={rate}"),
            Spec::At { kind, pattern, which } => (kind, pattern, which),
        };
        write!(f, "{}@", kind.name())?;
        if let Some(pattern) = pattern {
            write!(f, "{pattern}:")?;
        }
        match which {
            Which::Nth(number) => write!(f, "{number}")?,
            Which::Every => f.write_str("every")?,
        }
        kind.value().map_or(Ok(()), |value| write!(f, "={value}"))
    }
}

impl TryFrom<String> for FaultSpec {
    type Error = BadFault;

    fn try_from(text: String) -> Result<Self, BadFault> {
        text.parse()
    }
}

impl From<FaultSpec> for String {
    fn from(fault: FaultSpec) -> Self {
        fault.to_string()
    }
}
