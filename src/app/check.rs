//! `ctp10 check` and `ctp10 plan`

use std::io::IsTerminal;
use std::sync::Arc;

use indicatif::HumanBytes;

use super::choose::{choose, options};
use crate::cli::{CheckArgs, InstrumentArgs, PlanArgs};
use crate::config::Config;
use crate::error::{ExitCode, Failure, chain};
use crate::forecast::{Circumstances, Walk, plan};
use crate::recipe::Recipe;
use crate::run::prepare::{self, walk};
use crate::source::{Diagnostic, Severity};
use crate::terminal::duration;

pub(super) async fn check(args: &CheckArgs, config: &Config) -> Result<(), Failure> {
    let (mut errors, mut warnings) = (0, 0);
    for path in &args.recipes {
        let findings = match Recipe::load(path, &args.set) {
            Err(findings) => findings,
            Ok(recipe) => {
                let recipe = Arc::new(recipe);
                let walked = walk(&recipe, unknown(&recipe)).await;
                let mut findings = recipe.diagnostics().to_vec();
                findings.extend(walked.findings.iter().cloned());
                if let Err(wrong) = options(recipe.header().simulator.clone()) {
                    findings.extend(wrong.findings);
                }
                if args.instrument.instrument.is_some() {
                    findings.extend(ask_instrument(&args.instrument, &recipe, &walked, config).await?);
                }
                findings
            }
        };
        for finding in &findings {
            eprintln!("{}\n", finding.render(std::io::stderr().is_terminal()));
        }
        let wrong = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
        let doubtful = findings.len() - wrong;
        println!("{}: {}", path.display(), verdict(wrong, doubtful));
        errors += wrong;
        warnings += doubtful;
    }
    if errors > 0 || (args.strict && warnings > 0) { Err(Failure::told(ExitCode::Usage)) } else { Ok(()) }
}

/// Whoever checks a recipe does not say who will be there when it runs.
fn unknown(recipe: &Recipe) -> Circumstances {
    Circumstances { simulated: recipe.header().instrument.as_deref() == Some("sim"), attended: None }
}

pub(super) fn verdict(errors: usize, warnings: usize) -> String {
    let count = |number: usize, word: &str| match number {
        1 => format!("1 {word}"),
        _ => format!("{number} {word}s"),
    };
    match (errors, warnings) {
        (0, 0) => "fine".to_owned(),
        (0, _) => format!("fine, {}", count(warnings, "warning")),
        (_, 0) => count(errors, "error"),
        _ => format!("{}, {}", count(errors, "error"), count(warnings, "warning")),
    }
}

async fn ask_instrument(
    args: &InstrumentArgs,
    recipe: &Recipe,
    walked: &Walk,
    config: &Config,
) -> Result<Vec<Diagnostic>, Failure> {
    let (reached, identity) = choose(args, Some(recipe.header()), config)?.reach(config).await?;
    let compared =
        prepare::compare(&reached.instrument, recipe.header(), &walked.steps, recipe.sources()).await;
    let (_, mut findings) = compared.map_err(|error| Failure::new(ExitCode::Instrument, chain(&error)))?;
    if !identity.simulated() && recipe.header().instrument.as_deref() == Some("sim") {
        findings.push(Diagnostic::warning(format!(
            "the recipe says `instrument: sim` and {} is none",
            reached.name
        )));
    }
    Ok(findings)
}

pub(super) async fn plan(args: &PlanArgs) -> Result<(), Failure> {
    let recipe = Arc::new(Recipe::load(&args.recipe.recipe, &args.recipe.set).map_err(Failure::recipe)?);
    let walked = walk(&recipe, unknown(&recipe)).await;
    if walked.findings.iter().any(|finding| finding.severity == Severity::Error) {
        return Err(Failure::recipe(walked.findings));
    }
    if args.json {
        return super::print_json(&plan::json(&walked.steps));
    }
    print!("{}", plan::text(&walked.steps, args.scpi));
    let total = plan::total(&walked.steps);
    println!(
        "{} operations, about {}, {} points, about {}",
        walked.steps.len(),
        duration(total.seconds),
        total.points,
        HumanBytes(total.bytes),
    );
    if !walked.complete {
        println!("the recipe goes on: this is its beginning");
    }
    if total.waits {
        println!("how long somebody or a time of day is waited for is not counted");
    }
    if total.may_differ {
        println!("~ comes after a measured value has been used, and may come out differently");
    }
    Ok(())
}
