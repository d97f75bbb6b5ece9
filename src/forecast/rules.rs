//! What is wrong, or probably wrong, with a step where it stands. An error is what cannot hold whatever instrument is
//! there; a warning is a slip that costs a night. What the recipe leaves to the instrument is not judged.

pub(crate) mod light;
pub(crate) mod reference;
pub(crate) mod scan;
mod time;

use super::Circumstances;
use super::bench::BenchState;
use super::findings::{Findings, softened};
use crate::operation::{Effect, Operation, Prompt};
use crate::source::Diagnostic;
use crate::step::Step;

/// What rules have to say of one step: about what (once for each place), and what.
type Said = Vec<(String, Diagnostic)>;

/// A step as the rules see it.
struct RuleContext<'a> {
    step: &'a Step,
    /// The settings before it.
    before: &'a BenchState,
    /// The settings that it leaves.
    after: &'a BenchState,
    circumstances: Circumstances,
    finally: bool,
}

/// Looks at a step, with the settings before and after it.
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
    let message = format!("`{}` is never repeated by itself", step.operation.name());
    let hint = match step.operation {
        Operation::Scpi(_) | Operation::Http(_) => {
            "say `effect: configure` or `effect: measure` if repeating it is harmless"
        }
        _ => "what asks somebody is not retried",
    };
    vec![("retry".into(), Diagnostic::warning(message).hint(hint))]
}

/// Somebody who starts a run at a terminal is there; whoever only checks a recipe may want to know.
fn asked(context: &RuleContext) -> Said {
    let Operation::Prompt(Prompt { unattended: None, .. }) = &context.step.operation else {
        return Said::new();
    };
    if context.circumstances.attended == Some(true) {
        return Said::new();
    }
    let warning = Diagnostic::warning("with nobody there this question fails at once")
        .hint("`unattended` is the answer to take then");
    vec![("unattended".into(), warning)]
}
