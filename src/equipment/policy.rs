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
        let (written, arguments) = header::split(line);
        if written.ends_with('?') {
            return Ok(());
        }
        for limit in self.limits_of(&Header::parse(written)) {
            let Limit { written: header, low, high, .. } = limit.clone();
            for argument in values(arguments) {
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
        let longest = whole.clone().map(|limit| limit.header.len()).max();
        match longest {
            Some(longest) => whole.filter(|limit| limit.header.len() == longest).collect(),
            None => self.limits.iter().filter(|limit| header.shortens(&limit.header)).collect(),
        }
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
mod tests {
    use super::*;

    fn policy(allow: &[&str], limits: &[(&str, [f64; 2])]) -> Policy {
        let allow: Vec<String> = allow.iter().map(ToString::to_string).collect();
        Policy::new(&allow, limits.iter().map(|(header, range)| ((*header).to_owned(), *range)).collect())
            .unwrap()
    }

    #[test]
    fn a_voltage_beyond_the_limits_is_refused_however_it_is_written() {
        let smu = policy(&["*"], &[(":SOUR:VOLT", [0.0, 5.0])]);
        for line in [
            ":SOUR:VOLT 5",
            "sour:volt +0.5e1",
            ":SOURce:VOLTage:LEVel 5",
            ":SOUR:VOLT?",
            ":SOUR:CURR 30",
            ":OUTP ON",
            ":SOUR:VOLT 3,(@1,2)",
            ":SOUR:VOLT (@1:3, 2!5),3",
            "*RST",
        ] {
            assert_eq!(smu.judge(line), Ok(()), "{line}");
        }
        for line in [
            ":SOUR:VOLT 5.01",
            ":SOUR:VOLT -1",
            ":SOUR:VOLT 3e1",
            ":SOUR:VOLT 0.3E+2",
            ":SOUR:VOLT\t30",
            "SOUR:VOLT 30",
            ":source:voltage 30",
            ":SOURCE1:VOLTAGE:LEVEL:IMMEDIATE:AMPLITUDE 30",
            ":SOUR2:VOLT 30",
            ":VOLT 30",
            ":VOLT:LEV 30",
            ":SOUR:VOLT:RANG 30",
            ":SOUR:VOLT 3,30",
            ":SOUR:VOLT=30",
            ":SOUR:VOLT (@1),30",
            ":SOUR:VOLT 3,(@1),30",
        ] {
            assert!(matches!(smu.judge(line), Err(Refusal::BeyondLimit { .. })), "{line}");
        }
        for line in [
            ":SOUR:VOLT MAX",
            ":SOUR:VOLT 30V",
            ":SOUR:VOLT 3000 MV",
            ":SOUR:VOLT #H1E",
            ":SOUR:VOLT INF",
            ":SOUR:VOLT 1e999",
            ":SOUR:VOLT 3:SOUR:VOLT 30",
            ":SOUR:VOLT 30?",
            ":SOUR:VOLT (@1,30",
            ":SOUR:VOLT (@1)30",
            ":SOUR:VOLT (@1 30)),30",
            ":SOUR:VOLT (30)",
        ] {
            assert!(matches!(smu.judge(line), Err(Refusal::NotANumber { .. })), "{line}");
        }
        for line in
            [":SOUR:VOLT 1;:SOUR:VOLT 30", ":OUTP ON;", ":SOUR:VOLT\u{a0}30", ":OUTP ON\r:SOUR:VOLT 30"]
        {
            assert!(matches!(smu.judge(line), Err(Refusal::NotOneCommand { .. })), "{line}");
        }
    }

    #[test]
    fn the_more_specific_limit_counts_and_a_channel_has_its_own() {
        let smu = policy(
            &["*"],
            &[(":SOUR:VOLT", [0.0, 5.0]), (":SOUR:VOLT:PROT", [0.0, 20.0]), (":SOUR2:CURR", [0.0, 0.1])],
        );
        assert_eq!(smu.judge(":SOUR:VOLT:PROT 20"), Ok(()));
        assert!(smu.judge(":SOUR:VOLT:PROT 21").is_err());
        assert!(smu.judge(":SOUR:VOLT 6").is_err());
        assert_eq!(smu.judge(":SOUR1:CURR 3"), Ok(()));
        assert!(smu.judge(":SOUR2:CURR 3").is_err());
    }

    #[test]
    fn only_allowed_lines_are_sent_and_nothing_when_nothing_is_said() {
        let smu = policy(&[":SOURCE:VOLT*", ":OUTP O*", "*RST", ":MEAS:CURR?"], &[]);
        for line in
            [":SOUR:VOLT 3", "sour:voltage:prot 3", ":output on", ":OUTP  OFF", "*rst", ":MEASURE:CURRENT?"]
        {
            assert_eq!(smu.judge(line), Ok(()), "{line}");
        }
        for line in [":OUTP 1", ":SYST:PRES", ":MEAS:CURRX", "*RST1", ":SYST:RST", ":MEAS:VOLT?"] {
            let refused = smu.judge(line).expect_err(line).to_string();
            assert!(refused.contains("allowed: `:SOURCE:VOLT*`, `:OUTP O*`"), "{refused}");
        }
        let stars = policy(&[":A*:B*C", ":D**"], &[]);
        for line in [":A:BC", ":A1:B:B 2C", ":D", ":D 1"] {
            assert_eq!(stars.judge(line), Ok(()), "{line}");
        }
        for line in [":A:B", ":A:BCD", ":AC", ":C:A:BC", ":E"] {
            assert!(stars.judge(line).is_err(), "{line}");
        }
        let nothing = policy(&[], &[]).judge("*IDN?").unwrap_err().to_string();
        assert_eq!(nothing, "`*IDN?` is not allowed (allowed: nothing)");
    }

    #[test]
    fn a_limit_without_a_range_and_a_pattern_that_is_none_are_refused() {
        let new = |allow: &str, header: &str, range| {
            Policy::new(&[allow.to_owned()], [(header.to_owned(), range)].into()).unwrap_err()
        };
        assert!(new("*", ":SOUR:VOLT", [5.0, 0.0]).contains("is not a range"));
        assert!(new("*", ":SOUR:VOLT", [0.0, f64::INFINITY]).contains("is not a range"));
        assert!(new("*", "SOUR:VOLT 3", [0.0, 5.0]).contains("is not a header"));
        for pattern in ["[", ":SOUR[12]:*", ":OUTP {ON,OFF}"] {
            let told = new(pattern, ":SOUR:VOLT", [0.0, 5.0]);
            assert!(told.contains(&format!("`{pattern}` is not a pattern")), "{told}");
        }
    }

    #[test]
    fn of_two_files_both_limits_apply() {
        let mut near = policy(&["*"], &[(":SOUR:VOLT", [1.0, 9.0])]);
        near.add_limits_of(&policy(&[], &[(":SOURCE:VOLTAGE", [0.0, 5.0]), (":SOUR:CURR", [0.0, 1.0])]));
        for (line, is_allowed) in [(":SOUR:VOLT 5", true), (":SOUR:VOLT 6", false), (":SOUR:VOLT 0", false)] {
            assert_eq!(near.judge(line).is_ok(), is_allowed, "{line}");
        }
        assert!(near.judge(":SOUR:CURR 2").is_err());
    }
}
