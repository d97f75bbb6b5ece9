//! Errors and warnings about steps. An error is a contradiction that no instrument can accept. A warning is a
//! probable mistake that may cost a night. Settings that the recipe leaves unchanged are not checked.

pub(super) mod analysis;
pub(crate) mod light;
pub(crate) mod reference;
pub(crate) mod scan;
mod time;

use super::Circumstances;
use super::bench::BenchState;
use super::findings::{Findings, softened};
use crate::operation::{Effect, Operation, Question};
use crate::source::Diagnostic;
use crate::step::Step;

/// The findings of the rules about one step: subject (reported once per place) and message.
type Said = Vec<(String, Diagnostic)>;

/// A step with the settings that the rules need.
struct RuleContext<'a> {
    step: &'a Step,
    /// The settings before it.
    before: &'a BenchState,
    /// The settings after it.
    after: &'a BenchState,
    circumstances: Circumstances,
    finally: bool,
}

/// Checks a step, with the settings before and after it.
pub(super) fn look(
    step: &Step,
    (before, after): (&BenchState, &BenchState),
    circumstances: Circumstances,
    (finally, may_differ): (bool, bool),
    findings: &mut Findings,
) {
    let context = RuleContext { step, before, after, circumstances, finally };
    let rules = [
        reference::created,
        reference::fetched,
        scan::range,
        scan::sources,
        light::dark,
        light::calibrated,
        light::photocurrent,
        time::limits,
    ];
    let found = rules.iter().flat_map(|rule| rule(&context)).chain(retried(step)).chain(asked(&context));
    for (about, diagnostic) in found {
        findings.add(&step.place, about, softened(diagnostic, may_differ));
    }
}

fn retried(step: &Step) -> Said {
    let retries = step.options.retry.is_some_and(|retry| retry.times > 0);
    if !retries || step.operation.traits().effect != Effect::Ask {
        return Said::new();
    }
    let message = format!("`{}` is never repeated automatically", step.operation.name());
    let states_effect = Operation::field_names(step.operation.name()).iter().any(|field| field == "effect");
    let hint = if states_effect {
        "add `effect: configure` or `effect: measure` if a repetition is harmless"
    } else {
        "a step that asks a person is not repeated"
    };
    vec![("retry".into(), Diagnostic::warning(message).hint(hint))]
}

/// A run from a terminal has a person present. For a check of the recipe, the note is useful.
fn asked(context: &RuleContext) -> Said {
    let has_no_answer = match context.step.operation.traits().question {
        Question::Prompt(prompt) => prompt.unattended.is_none(),
        // `reference::created` looks at the requests to connect something.
        Question::None | Question::Connect(_) => false,
    };
    if !has_no_answer || context.circumstances.attended == Some(true) {
        return Said::new();
    }
    let warning = Diagnostic::warning("if no person is present, this question fails immediately")
        .hint("add `unattended`: the answer for this case");
    vec![("unattended".into(), warning)]
}
