//! Compares the lines and requests for named instruments with what the configuration allows.

use super::findings::{Findings, softened};
use super::walk::PlannedStep;
use crate::equipment::Equipment;
use crate::equipment::policy::Refusal;
use crate::operation::{Named, Sends};
use crate::recipe::Recipe;
use crate::source::Diagnostic;

/// The lines that a run at this bench would refuse. If the configuration is unknown, this is only a note, because the recipe
/// may run on another computer.
#[must_use]
pub(super) fn check(recipe: &Recipe, steps: &[PlannedStep], known: Option<&Equipment>) -> Vec<Diagnostic> {
    let mut findings = Findings::default();
    for planned in steps {
        let Some(named) = planned.step.operation.traits().named else { continue };
        if let Some(finding) = judge(recipe, named, known) {
            let about = finding.message.clone();
            findings.add(&planned.step.place, about, softened(finding, planned.may_differ));
        }
    }
    findings.located(&recipe.texts())
}

fn judge(recipe: &Recipe, named: Named<'_>, known: Option<&Equipment>) -> Option<Diagnostic> {
    let Named { name, sends, role: _ } = named;
    let is_simulated = recipe.header().simulates(name);
    let Some(described) = known.and_then(|known| known.get(name)) else {
        return match sends {
            // The simulated instruments speak lines of text.
            Sends::Line(_) if is_simulated => None,
            Sends::Line(_) => Some(unknown(name, "address", known)),
            Sends::Request(..) => Some(unknown(name, "url", known)),
        };
    };
    let is_request = matches!(sends, Sends::Request(..));
    if let Some(why) = described.device.refuses(is_request).filter(|_| is_request || !is_simulated) {
        return Some(Diagnostic::error(format!("{name}: {why}")));
    }
    let Sends::Line(line) = sends else { return None };
    if described.device.refuses(false).is_some() {
        return None;
    }
    let refusal = described.policy.judge(line).err()?;
    Some(Diagnostic::error(format!("{name}: {refusal}")).hint(advice(name, &refusal)))
}

fn unknown(name: &str, way: &str, known: Option<&Equipment>) -> Diagnostic {
    let hint = format!("describe the instrument in ctp10.toml: `[instruments.{name}]` with `{way}`");
    let Some(known) = known else {
        let message = format!("a run needs a configuration of the instrument `{name}`");
        return Diagnostic::note(message).hint(hint);
    };
    let names: Vec<String> = known.names().map(|known| format!("`{known}`")).collect();
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    Diagnostic::error(format!("no instrument is named `{name}` (known: {names})")).hint(hint)
}

/// How a line could become allowed.
fn advice(name: &str, refusal: &Refusal) -> String {
    let place = format!("`[instruments.{name}]` in ctp10.toml");
    match refusal {
        Refusal::NotAllowed { .. } => format!("to allow the line, extend `allow` of {place}"),
        Refusal::NotOneCommand { .. } => "write each command as a step of its own".to_owned(),
        Refusal::BeyondLimit { .. } => format!("the limit is defined in `limits` of {place}"),
        Refusal::NotANumber { .. } => {
            format!("write a number without a unit; `limits` of {place} apply to it")
        }
    }
}
