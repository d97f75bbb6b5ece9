//! What recipes may send to an instrument: the lines that are allowed, and the limits of the numbers in them.
//!
//! A line is judged as it is sent. Short and long headers are the same (`:SOUR:VOLT`, `:SOURCE:VOLTAGE`), and so are upper
//! and lower case. Where the meaning of a line is not certain, the line is refused: a wrong voltage may destroy a device.

mod header;

use std::collections::BTreeMap;

pub use header::header_of;
use header::{Header, normal};

/// What recipes may send to one instrument.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    allow: Vec<Pattern>,
    limits: Vec<Limit>,
}

#[derive(Debug, Clone)]
struct Pattern {
    written: String,
    /// The texts between the stars that stand for any text.
    pieces: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
struct Limit {
    written: String,
    header: Header,
    low: f64,
    high: f64,
}

impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        let patterns = |policy: &Self| policy.allow.iter().map(|p| p.written.clone()).collect::<Vec<_>>();
        patterns(self) == patterns(other) && self.limits == other.limits
    }
}

/// Why a line must not be sent.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The line could contain a second command.
    #[error("`{line}` contains {what}: a line contains exactly one command, so that it can be checked")]
    NotOneCommand {
        /// The line.
        line: String,
        /// What the line contains.
        what: String,
    },
    /// The configuration does not allow the line.
    #[error("`{line}` is not allowed (allowed: {allowed})")]
    NotAllowed {
        /// The line.
        line: String,
        /// The allowed lines.
        allowed: String,
    },
    /// A number is beyond its limit.
    #[error("{value} in `{line}` is not allowed: the limits of `{header}` are {low} to {high}")]
    BeyondLimit {
        /// The line.
        line: String,
        /// The number.
        value: f64,
        /// The header with the limit.
        header: String,
        /// The lowest allowed number.
        low: f64,
        /// The highest allowed number.
        high: f64,
    },
    /// A limit applies to something that is not a plain number.
    #[error("`{argument}` in `{line}` is not a plain number, and `{header}` has limits ({low} to {high})")]
    NotANumber {
        /// The line.
        line: String,
        /// The argument.
        argument: String,
        /// The header with the limit.
        header: String,
        /// The lowest allowed number.
        low: f64,
        /// The highest allowed number.
        high: f64,
    },
}

impl Policy {
    /// A policy with these patterns and limits.
    ///
    /// # Errors
    /// A pattern with brackets, or a limit without a range.
    pub fn new(allow: &[String], limits: BTreeMap<String, [f64; 2]>) -> Result<Self, String> {
        let limit = |(written, [low, high]): (String, [f64; 2])| {
            let header = Header::parse(written.trim());
            if header.is_empty() || written.trim().contains(|c: char| c.is_whitespace() || c == '*') {
                return Err(format!("limits: `{written}` is not a header (for example `:SOUR:VOLT`)"));
            }
            match low.is_finite() && high.is_finite() && low <= high {
                true => Ok(Limit { written, header, low, high }),
                false => {
                    Err(format!("limits: `{written}` = [{low}, {high}] is not a range from low to high"))
                }
            }
        };
        Ok(Self {
            allow: allow.iter().map(|written| Pattern::new(written)).collect::<Result<_, _>>()?,
            limits: limits.into_iter().map(limit).collect::<Result<_, _>>()?,
        })
    }

    /// Everything is allowed: for simulated instruments, which nothing can destroy.
    #[must_use]
    pub fn everything() -> Self {
        Self::new(&["*".to_owned()], BTreeMap::new()).unwrap_or_default()
    }

    /// The limits of another policy apply too.
    pub fn add_limits_of(&mut self, other: &Self) {
        for limit in &other.limits {
            match self.limits.iter_mut().find(|known| known.header == limit.header) {
                Some(known) => {
                    (known.low, known.high) = (known.low.max(limit.low), known.high.min(limit.high));
                }
                None => self.limits.push(limit.clone()),
            }
        }
    }

    /// Judges a line as it would be sent.
    ///
    /// # Errors
    /// Why it must not be sent.
    pub fn judge(&self, line: &str) -> Result<(), Refusal> {
        let not_one = |what: String| Err(Refusal::NotOneCommand { line: line.to_owned(), what });
        if line.contains(';') {
            return not_one("`;`".to_owned());
        }
        if let Some(strange) = line.chars().find(|c| !matches!(c, ' '..='~' | '\t')) {
            return not_one(format!("the character U+{:04X}", u32::from(strange)));
        }
        let normal = normal(line);
        if !self.allow.iter().any(|pattern| pattern.matches(&normal)) {
            let written: Vec<String> =
                self.allow.iter().map(|pattern| format!("`{}`", pattern.written)).collect();
            let allowed = if written.is_empty() { "nothing".to_owned() } else { written.join(", ") };
            return Err(Refusal::NotAllowed { line: line.to_owned(), allowed });
        }
        self.judge_numbers(line)
    }

    fn judge_numbers(&self, line: &str) -> Result<(), Refusal> {
        if header::is_query(line) {
            return Ok(());
        }
        header::readings(line)
            .try_for_each(|(written, arguments)| self.judge_reading(line, written, arguments))
    }

    fn judge_reading(&self, line: &str, written: &str, arguments: &str) -> Result<(), Refusal> {
        for limit in self.limits_of(&Header::parse(written)) {
            let mut numbers = values(arguments);
            if numbers.is_empty() {
                numbers.extend(limit.header.value_in(written));
            }
            let Limit { written: header, low, high, .. } = limit.clone();
            for argument in numbers {
                let line = line.to_owned();
                match plain_number(argument) {
                    Some(value) if (low..=high).contains(&value) => {}
                    Some(value) => return Err(Refusal::BeyondLimit { line, value, header, low, high }),
                    None => {
                        let argument = argument.to_owned();
                        return Err(Refusal::NotANumber { line, argument, header, low, high });
                    }
                }
            }
        }
        Ok(())
    }

    /// The limits that apply to a header: the most specific ones whose whole header is in it. If there are none, those whose
    /// optional beginning was left out.
    fn limits_of(&self, header: &Header) -> Vec<&Limit> {
        let whole = self.limits.iter().filter(|limit| limit.header.is_within(header));
        if let Some(longest) = whole.clone().map(|limit| limit.header.len()).max() {
            return whole.filter(|limit| limit.header.len() == longest).collect();
        }
        let mut shortened = header.beginnings().map(|length| {
            self.limits.iter().filter(|limit| header.shortens(&limit.header, length)).collect::<Vec<_>>()
        });
        shortened.find(|limits| !limits.is_empty()).unwrap_or_default()
    }
}

impl Pattern {
    fn new(written: &str) -> Result<Self, String> {
        let text = written.trim();
        // Other programs give brackets a meaning. A pattern that is misunderstood could allow too much.
        if text.contains(['[', ']', '{', '}']) {
            return Err(format!("allow: `{written}` is not a pattern: only `*` stands for any text"));
        }
        // `*RST` is a common command, and `?` ends a query. Only the other stars stand for any text.
        let is_common =
            text.strip_prefix('*').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()));
        let stars = if is_common { normal(&text[1..]) } else { normal(text) };
        let mut pieces: Vec<String> = stars.split('*').map(str::to_owned).collect();
        if is_common {
            pieces[0].insert(0, '*');
        }
        Ok(Self { written: written.to_owned(), pieces })
    }

    /// Whether the pattern matches the whole line.
    fn matches(&self, line: &str) -> bool {
        let Some((first, after_star)) = self.pieces.split_first() else { return false };
        let Some(mut rest) = line.strip_prefix(first.as_str()) else { return false };
        let Some((last, between)) = after_star.split_last() else { return rest.is_empty() };
        for piece in between {
            // The first place leaves the most text for the pieces that follow.
            let Some((_, after)) = rest.split_once(piece.as_str()) else { return false };
            rest = after;
        }
        rest.ends_with(last.as_str())
    }
}

/// The arguments that must be numbers: all but lists of channels, `(@1,2)`, wherever they stand.
fn values(arguments: &str) -> Vec<&str> {
    let mut open = 0_usize;
    let arguments = arguments.split(|letter| {
        match letter {
            '(' => open += 1,
            ')' => open = open.saturating_sub(1),
            _ => {}
        }
        letter == ',' && open == 0
    });
    arguments.map(str::trim).filter(|argument| !argument.is_empty() && !is_channel_list(argument)).collect()
}

fn is_channel_list(argument: &str) -> bool {
    let list = argument.strip_prefix("(@").and_then(|list| list.strip_suffix(')'));
    list.is_some_and(|list| list.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b',' | b':' | b'!' | b' ')))
}

/// A number without unit, in any decimal form: `3`, `+3.0`, `.3E1`.
fn plain_number(text: &str) -> Option<f64> {
    let is_decimal = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    text.parse().ok().filter(|value: &f64| is_decimal && value.is_finite())
}

#[cfg(test)]
mod tests;
