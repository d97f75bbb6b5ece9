//! Verdicts: figures against limits.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Bound;
use super::figure::Figure;
use super::registry;

/// The allowed values of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Lowest allowed value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Highest allowed value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// An allowed value within this distance of a limit is marginal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<f64>,
}

/// A verdict; a later one is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Verdict {
    /// Within the limits.
    #[serde(rename = "pass")]
    Pass,
    /// Within the limits, but within the guard of one.
    #[serde(rename = "marginal")]
    Marginal,
    /// There is no value, or only a bound that does not decide.
    #[serde(rename = "not measured")]
    NotMeasured,
    /// Outside the limits.
    #[serde(rename = "fail")]
    Fail,
}

impl Verdict {
    /// All verdicts, the best first.
    pub const ALL: [Self; 4] = [Self::Pass, Self::Marginal, Self::NotMeasured, Self::Fail];

    /// Whether the program ends with the exit code for it: `not measured` or `fail`.
    #[must_use]
    pub fn is_bad(self) -> bool {
        match self {
            Self::Pass | Self::Marginal => false,
            Self::NotMeasured | Self::Fail => true,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Marginal => "marginal",
            Self::NotMeasured => "not measured",
            Self::Fail => "fail",
        })
    }
}

/// The verdict on one figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The name of the figure.
    pub figure: String,
    /// The feature that the figure belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// The value.
    pub value: Option<f64>,
    /// The limit.
    pub limit: Limit,
    /// The verdict.
    pub verdict: Verdict,
    /// Why the figure did not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Judged {
    /// Whether the verdict is on this figure. The figures of one name have their verdicts in the same order.
    #[must_use]
    pub fn is_of(&self, figure: &Figure) -> bool {
        self.figure == figure.name && self.of == figure.of
    }

    /// A figure in the place of one that no analysis has, so that a limit without a figure is shown too.
    #[must_use]
    pub fn without_figure(&self) -> Figure {
        Figure::without_value(&self.figure, self.reason.clone().unwrap_or_default())
    }
}

/// Why limits cannot be applied.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LimitError {
    /// No such figure.
    #[error("there is no figure `{name}`{}", suggestion(nearest))]
    Unknown {
        /// The name that was given.
        name: String,
        /// Known names that are near.
        nearest: Vec<String>,
    },
    /// Neither `min` nor `max`.
    #[error("the limit of `{name}` has neither `min` nor `max`")]
    Empty {
        /// The name of the figure.
        name: String,
    },
    /// A number that is none, or limits that exclude each other.
    #[error("the limit of `{name}` is wrong: {reason}")]
    Wrong {
        /// The name of the figure.
        name: String,
        /// The reason.
        reason: String,
    },
}

fn suggestion(nearest: &[String]) -> String {
    match nearest {
        [] => "; docs/figures.md lists all figures".to_owned(),
        near => {
            let near: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
            format!("; did you mean {}?", near.join(" or "))
        }
    }
}

/// Checks the limits. Names that are computed, such as slopes, are known by the figures themselves.
///
/// # Errors
/// The first limit that is wrong.
pub fn check(limits: &BTreeMap<String, Limit>, figures: &[Figure]) -> Result<(), LimitError> {
    for (name, limit) in limits {
        let is_known = registry::find(name).is_some() || figures.iter().any(|figure| figure.name == *name);
        if !is_known {
            let mut nearest = registry::nearest(name);
            let computed = figures.iter().map(|figure| &figure.name);
            let likely = computed.filter(|known| strsim::normalized_damerau_levenshtein(name, known) >= 0.5);
            nearest.splice(0..0, likely.take(1).cloned());
            nearest.dedup();
            nearest.truncate(3);
            return Err(LimitError::Unknown { name: name.clone(), nearest });
        }
        limit.check(name)?;
    }
    Ok(())
}

impl Limit {
    /// Checks the limit of the figure `name`.
    ///
    /// # Errors
    /// A limit without a bound, or with bounds that exclude each other.
    pub fn check(&self, name: &str) -> Result<(), LimitError> {
        let wrong = |reason: String| Err(LimitError::Wrong { name: name.to_owned(), reason });
        if self.min.is_none() && self.max.is_none() {
            return Err(LimitError::Empty { name: name.to_owned() });
        }
        for (field, value) in [("min", self.min), ("max", self.max), ("guard", self.guard)] {
            if value.is_some_and(|value| !value.is_finite()) {
                return wrong(format!("`{field}` is not a finite number"));
            }
        }
        if self.guard.is_some_and(|guard| guard < 0.0) {
            return wrong("`guard` is negative".to_owned());
        }
        match (self.min, self.max) {
            (Some(min), Some(max)) if min > max => wrong(format!("`min` {min} is above `max` {max}")),
            _ => Ok(()),
        }
    }

    /// The verdict on a figure, and the reason if the figure does not pass.
    #[must_use]
    pub fn judge(&self, figure: &Figure) -> (Verdict, Option<String>) {
        let Some(value) = figure.value else {
            return (Verdict::NotMeasured, figure.not_measured.clone());
        };
        let unit = if figure.unit == "1" { String::new() } else { format!(" {}", figure.unit) };
        // A bound on the wrong side of a limit fails; on the right side it decides only for that side.
        if let Some(max) = self.max
            && value > max
            && figure.bound != Some(Bound::AtMost)
        {
            return (Verdict::Fail, Some(format!("{value}{unit} is above {max}{unit}")));
        }
        if let Some(min) = self.min
            && value < min
            && figure.bound != Some(Bound::AtLeast)
        {
            return (Verdict::Fail, Some(format!("{value}{unit} is below {min}{unit}")));
        }
        let undecided = match figure.bound {
            Some(Bound::AtLeast) => self.max.is_some() || self.min.is_some_and(|min| value < min),
            Some(Bound::AtMost) => self.min.is_some() || self.max.is_some_and(|max| value > max),
            None => false,
        };
        if undecided {
            let sign = figure.bound.map_or("", Bound::sign);
            return (
                Verdict::NotMeasured,
                Some(format!("only a bound is known, {sign} {value}{unit}, and it does not decide")),
            );
        }
        let guard = self.guard.unwrap_or(0.0);
        let is_near = |limit: f64| (value - limit).abs() < guard;
        let near = self.min.filter(|min| is_near(*min) && figure.bound != Some(Bound::AtLeast));
        match near.or_else(|| self.max.filter(|max| is_near(*max) && figure.bound != Some(Bound::AtMost))) {
            Some(limit) => (
                Verdict::Marginal,
                Some(format!("{value}{unit} is within {guard}{unit} of the limit {limit}{unit}")),
            ),
            None => (Verdict::Pass, None),
        }
    }
}

/// Judges every figure that has a limit. A limit without a figure is `not measured`.
///
/// # Errors
/// The first limit that is wrong.
pub fn judge(limits: &BTreeMap<String, Limit>, figures: &[Figure]) -> Result<Vec<Judged>, LimitError> {
    check(limits, figures)?;
    let mut judged = Vec::new();
    for (name, limit) in limits {
        let before = judged.len();
        for figure in figures.iter().filter(|figure| figure.name == *name) {
            let (verdict, reason) = limit.judge(figure);
            let (of, value) = (figure.of.clone(), figure.value);
            judged.push(Judged { figure: name.clone(), of, value, limit: *limit, verdict, reason });
        }
        if judged.len() == before {
            judged.push(Judged {
                figure: name.clone(),
                of: None,
                value: None,
                limit: *limit,
                verdict: Verdict::NotMeasured,
                reason: Some("the analysis has no such figure".to_owned()),
            });
        }
    }
    Ok(judged)
}

/// The worst of several verdicts; `None` without any.
#[must_use]
pub fn worst(verdicts: impl IntoIterator<Item = Verdict>) -> Option<Verdict> {
    verdicts.into_iter().max()
}

/// How many analyses or devices have each verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VerdictCounts {
    /// Within all limits.
    pub pass: u64,
    /// Within the guard of a limit.
    pub marginal: u64,
    /// Without a value.
    pub not_measured: u64,
    /// Outside a limit.
    pub fail: u64,
}

/// How many devices have each verdict on one figure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FigureYield {
    /// The name of the figure.
    pub figure: String,
    /// The number of devices with each verdict, the worst of each device. Without devices: of analyses.
    #[serde(flatten)]
    pub counts: VerdictCounts,
}

impl VerdictCounts {
    /// Counts verdicts.
    pub fn of(verdicts: impl IntoIterator<Item = Verdict>) -> Self {
        let mut counts = Self::default();
        for verdict in verdicts {
            *match verdict {
                Verdict::Pass => &mut counts.pass,
                Verdict::Marginal => &mut counts.marginal,
                Verdict::NotMeasured => &mut counts.not_measured,
                Verdict::Fail => &mut counts.fail,
            } += 1;
        }
        counts
    }

    /// The number of verdicts.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.pass + self.marginal + self.not_measured + self.fail
    }
}
