//! Finds the step results that the code of an expression or a script uses.

use std::collections::BTreeSet;

use super::scope::STEPS;
use crate::script::skip;

/// Whether the code uses the results of steps.
pub(super) fn mentions_steps(code: &str) -> bool {
    words(code).any(|(word, _)| word == STEPS)
}

/// The ids in `steps.<id>`.
pub(super) fn step_ids(expression: &str) -> BTreeSet<String> {
    step_fields(expression).map(|(id, _)| id.to_owned()).collect()
}

/// The ids in `steps.<id>`, each with the field in `steps.<id>.<field>`.
pub(super) fn step_fields(expression: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let steps = words(expression).filter(|(word, _)| *word == STEPS);
    steps.filter_map(|(_, after)| {
        let (id, after) = property(after)?;
        // A name before a parenthesis is a function.
        let field = property(after).filter(|(_, after)| !after.trim_start().starts_with('('));
        Some((id, field.map(|(field, _)| field)))
    })
}

/// The property `.name` at the beginning of a text, and the text after it.
fn property(text: &str) -> Option<(&str, &str)> {
    let name = text.trim_start().strip_prefix('.')?.trim_start();
    let end = name.find(|c: char| !is_word(c)).unwrap_or(name.len());
    (end > 0).then(|| name.split_at(end))
}

/// The identifiers of an expression, except properties and parts of texts, each with the text after it.
pub(super) fn words(expression: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        while let Some(letter) = expression[from..].chars().next() {
            let begin = from;
            if is_word(letter) {
                let rest = &expression[begin..];
                from += rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
                if !expression[..begin].trim_end().ends_with('.') {
                    return Some((&expression[begin..from], &expression[from..]));
                }
            } else {
                from += skip(&expression[begin..]);
            }
        }
        None
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_of_steps_are_told_from_texts_and_properties() {
        assert_eq!(
            step_ids("steps.a.x + steps . b + \"steps.c\" + x.steps.d"),
            ["a", "b"].map(str::to_owned).into()
        );
        assert_eq!(step_ids("mysteps.a + steps_.b").len(), 0);
    }

    #[test]
    fn a_field_is_what_is_asked_of_a_result_and_no_function() {
        let fields: Vec<_> =
            step_fields("steps.a.min.nm + steps . b . value + steps.c + steps.d.keys().len()").collect();
        assert_eq!(fields, [("a", Some("min")), ("b", Some("value")), ("c", None), ("d", None)]);
    }
}
