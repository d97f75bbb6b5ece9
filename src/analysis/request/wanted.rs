//! The groups of figures as they are written on the command line: `dips`, `bandwidth@3`.

use std::fmt;
use std::str::FromStr;

/// A group of figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wanted {
    /// Insertion loss: lowest, highest and mean; ripple.
    Loss,
    /// Insertion loss at a wavelength, nm.
    LossAt(f64),
    /// Dips with their prominence.
    Dips,
    /// Peaks with their prominence.
    Peaks,
    /// Bandwidth at this level below a peak, dB.
    Bandwidth(f64),
    /// Width of dips at this level below the base, dB.
    Notch(f64),
    /// Fitted resonances: centre, FWHM, loaded Q, extinction.
    Resonances,
    /// Free spectral range.
    Fsr,
    /// Group index.
    GroupIndex,
    /// Finesse.
    Finesse,
    /// D1 and D2 of a comb.
    Dispersion,
    /// Floor, and samples that are unusable.
    Quality,
}

/// Why a group is none.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WantedError {
    /// No such group.
    #[error("there are no figures `{given}`{hint}")]
    Unknown {
        /// What was given.
        given: String,
        /// What is near, or all groups.
        hint: String,
    },
    /// The number after `@` is missing or wrong.
    #[error("`{given}`: {reason}")]
    Number {
        /// What was given.
        given: String,
        /// What is needed.
        reason: &'static str,
    },
}

/// The groups as they are written.
const WORDS: [&str; 12] = [
    "loss",
    "loss@1550",
    "dips",
    "peaks",
    "bandwidth@3",
    "notch@3",
    "q",
    "fsr",
    "group_index",
    "finesse",
    "dispersion",
    "quality",
];

impl FromStr for Wanted {
    type Err = WantedError;

    fn from_str(given: &str) -> Result<Self, WantedError> {
        let (word, number) = match given.split_once('@') {
            Some((word, number)) => (word, Some(number)),
            None => (given, None),
        };
        let positive = |reason: &'static str| -> Result<f64, WantedError> {
            let parsed = number.and_then(|number| number.parse::<f64>().ok());
            parsed
                .filter(|number| number.is_finite() && *number > 0.0)
                .ok_or(WantedError::Number { given: given.to_owned(), reason })
        };
        let plain = match word.replace('-', "_").as_str() {
            "loss" | "insertion_loss" if number.is_some() => {
                return Ok(Self::LossAt(positive("`loss@` needs a wavelength in nm, as in `loss@1550`")?));
            }
            "bandwidth" => {
                return Ok(Self::Bandwidth(positive(
                    "`bandwidth@` needs a level in dB above 0, as in `bandwidth@3`",
                )?));
            }
            "notch" | "notch_width" => {
                return Ok(Self::Notch(positive("`notch@` needs a level in dB above 0, as in `notch@3`")?));
            }
            "loss" | "insertion_loss" => Self::Loss,
            "dips" | "dip" => Self::Dips,
            "peaks" | "peak" => Self::Peaks,
            "q" | "resonances" | "resonance" | "fwhm" | "extinction" => Self::Resonances,
            "fsr" => Self::Fsr,
            "group_index" | "ng" => Self::GroupIndex,
            "finesse" => Self::Finesse,
            "dispersion" => Self::Dispersion,
            "quality" | "floor" => Self::Quality,
            _ => return Err(WantedError::Unknown { given: given.to_owned(), hint: hint(word) }),
        };
        if number.is_some() {
            return Err(WantedError::Number {
                given: given.to_owned(),
                reason: "this group takes no number",
            });
        }
        Ok(plain)
    }
}

fn hint(word: &str) -> String {
    let likeness = |known: &str| {
        let (known, _) = known.split_once('@').unwrap_or((known, ""));
        strsim::normalized_damerau_levenshtein(&word.to_lowercase(), known)
    };
    let best = WORDS.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match best.filter(|best| likeness(best) >= 0.5) {
        Some(best) => format!("; did you mean `{best}`?"),
        None => format!("; known are {}", WORDS.join(", ")),
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loss => f.write_str("loss"),
            Self::LossAt(nm) => write!(f, "loss@{nm}"),
            Self::Dips => f.write_str("dips"),
            Self::Peaks => f.write_str("peaks"),
            Self::Bandwidth(level_db) => write!(f, "bandwidth@{level_db}"),
            Self::Notch(level_db) => write!(f, "notch@{level_db}"),
            Self::Resonances => f.write_str("q"),
            Self::Fsr => f.write_str("fsr"),
            Self::GroupIndex => f.write_str("group_index"),
            Self::Finesse => f.write_str("finesse"),
            Self::Dispersion => f.write_str("dispersion"),
            Self::Quality => f.write_str("quality"),
        }
    }
}
