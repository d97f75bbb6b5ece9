//! Which runs are listed, as a person gives it: the options of `ctp10 runs` and the query of `GET /runs`.

use chrono::{DateTime, Utc};

use super::condition::Condition;
use super::when::{end_moment, moment};
use crate::analysis::verdict::Verdict;
use crate::source::Diagnostic;
use crate::store::RunState;

/// Longest text that is searched, characters. The text may come from another computer.
const LONGEST_TEXT: usize = 200;
/// Most words in it.
const MOST_WORDS: usize = 10;

/// Which runs are listed. An empty filter lists all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// A condition on columns and parameters.
    pub condition: Option<Condition>,
    /// Name of the recipe; `*` stands for any text.
    pub name: Option<String>,
    /// Name of the batch.
    pub batch: Option<String>,
    /// Allowed states; any if empty.
    pub status: Vec<RunState>,
    /// Allowed verdicts; any if empty.
    pub verdict: Vec<Verdict>,
    /// Runs that began at this moment or later.
    pub since: Option<DateTime<Utc>>,
    /// Runs that began before this moment.
    pub until: Option<DateTime<Utc>>,
    /// Words that all occur in the names, the reason, the parameters or the metadata of the run.
    pub words: Vec<String>,
}

/// A filter as texts. Lists are separated by commas.
#[derive(Debug, Clone, Default)]
pub struct GivenFilter {
    /// A condition.
    pub condition: Option<String>,
    /// Name of the recipe.
    pub name: Option<String>,
    /// Name of the batch.
    pub batch: Option<String>,
    /// States.
    pub status: Option<String>,
    /// Verdicts.
    pub verdict: Option<String>,
    /// A moment.
    pub since: Option<String>,
    /// A moment.
    pub until: Option<String>,
    /// Words.
    pub text: Option<String>,
}

/// A field of a filter is wrong.
#[derive(Debug)]
pub struct WrongFilter {
    /// The name of the field, without dashes.
    pub field: &'static str,
    /// What is wrong.
    pub why: WrongField,
}

/// What is wrong with a field of a filter.
#[derive(Debug)]
pub enum WrongField {
    /// The condition, with the position.
    Condition(Box<Diagnostic>),
    /// Any other field: what was given, and what is allowed.
    Value(String),
}

impl GivenFilter {
    /// The filter that the texts mean. `place` says in messages where the condition was given; `now` is the time from which
    /// spans such as `2d` count back.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn read(self, place: &str, now: DateTime<Utc>) -> Result<Filter, WrongFilter> {
        let condition = self.condition.map(|text| Condition::parse(place, &text)).transpose();
        let condition =
            condition.map_err(|wrong| WrongFilter { field: "where", why: WrongField::Condition(wrong) })?;
        let since = self.since.map(|text| moment(&text, now)).transpose();
        let since = since.map_err(|why| wrong("since", why))?;
        let until = self.until.map(|text| end_moment(&text, now)).transpose();
        let until = until.map_err(|why| wrong("until", why))?;
        if since.zip(until).is_some_and(|(since, until)| until < since) {
            return Err(wrong("until", "it is before `since`, so no run can be found".to_owned()));
        }
        Ok(Filter {
            condition,
            name: self.name,
            batch: self.batch,
            status: listed(self.status.as_deref(), &RunState::ALL).map_err(|why| wrong("status", why))?,
            verdict: listed(self.verdict.as_deref(), &Verdict::ALL).map_err(|why| wrong("verdict", why))?,
            since,
            until,
            words: words(&self.text.unwrap_or_default()).map_err(|why| wrong("text", why))?,
        })
    }
}

fn wrong(field: &'static str, why: String) -> WrongFilter {
    WrongFilter { field, why: WrongField::Value(why) }
}

/// The values of a list. `not-measured` and `not_measured` mean `not measured`.
fn listed<T: Copy + ToString>(list: Option<&str>, allowed: &[T]) -> Result<Vec<T>, String> {
    let given = list.iter().flat_map(|list| list.split(','));
    let known = given.map(|word| {
        let plain = word.trim().replace(['-', '_'], " ");
        allowed.iter().copied().find(|value| value.to_string() == plain).ok_or_else(|| {
            let allowed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
            format!("`{}` is not allowed: {}", word.trim(), allowed.join(", "))
        })
    });
    known.collect()
}

fn words(text: &str) -> Result<Vec<String>, String> {
    if text.chars().count() > LONGEST_TEXT {
        return Err(format!("the text is too long: at most {LONGEST_TEXT} characters are allowed"));
    }
    let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    if words.len() > MOST_WORDS {
        return Err(format!("the text has {} words: at most {MOST_WORDS} are allowed", words.len()));
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_field_is_named_with_what_is_allowed() {
        let why = |given: GivenFilter| match given.read("where", Utc::now()).unwrap_err() {
            WrongFilter { field, why: WrongField::Value(why) } => (field, why),
            WrongFilter { why: WrongField::Condition(wrong), .. } => ("where", wrong.message),
        };
        let text = |text: &str| Some(text.to_owned());
        let (field, told) = why(GivenFilter { verdict: text("fail,bad"), ..GivenFilter::default() });
        assert_eq!(
            (field, told.as_str()),
            ("verdict", "`bad` is not allowed: pass, marginal, not measured, fail")
        );
        let (field, told) = why(GivenFilter { status: text("over"), ..GivenFilter::default() });
        assert!(field == "status" && told.contains("running, done"), "{told}");
        let (field, told) = why(GivenFilter { until: text("later"), ..GivenFilter::default() });
        assert!(field == "until" && told.contains("is no time"), "{told}");
        let reversed =
            GivenFilter { since: text("2026-11-28"), until: text("2026-11-20"), ..GivenFilter::default() };
        let (field, told) = why(reversed);
        assert!(field == "until" && told.contains("before `since`"), "{told}");
        let (field, told) = why(GivenFilter { text: Some("a ".repeat(11)), ..GivenFilter::default() });
        assert!(field == "text" && told.contains("at most 10"), "{told}");
    }

    #[test]
    fn both_spellings_of_a_verdict_of_two_words_are_read() {
        let given =
            GivenFilter { verdict: Some("not-measured, not measured".to_owned()), ..GivenFilter::default() };
        assert_eq!(given.read("where", Utc::now()).unwrap().verdict, [Verdict::NotMeasured; 2]);
    }
}
