//! `ctp10 check` and `ctp10 plan`

use std::collections::BTreeSet;
use std::sync::Arc;

use indicatif::HumanBytes;

use super::choose::{choose, options};
use crate::budget::Budget;
use crate::cli::{CheckArgs, InstrumentArgs, PlanArgs};
use crate::config::Config;
use crate::declarations::Given;
use crate::equipment::Device;
use crate::error::{ExitCode, Failure, chain};
use crate::forecast::allowed;
use crate::forecast::{Circumstances, Walk, plan};
use crate::operation::Surroundings;
use crate::recipe::Recipe;
use crate::run::prepare::{self, walk};
use crate::shown;
use crate::source::{Diagnostic, Severity, has_errors};
use crate::terminal::output::{out, outln};
use crate::terminal::{self, duration, tell_findings};

pub(super) async fn check(args: &CheckArgs, config: &Config, json: bool) -> Result<(), Failure> {
    let with_real = super::with_real(&args.real, config)?;
    let mut told = Count::default();
    for path in &args.recipes {
        let findings = match Recipe::load(path, &Given::texts(&args.set)) {
            Err(findings) => findings,
            Ok(recipe) => {
                let recipe = Arc::new(recipe);
                let walked = walk(&recipe, unknown(&recipe), &Budget::default()).await;
                let mut findings = recipe.diagnostics().to_vec();
                findings.extend(walked.findings.iter().cloned());
                findings.extend(allowed::check(&recipe, &walked.all(), &config.allowed()));
                if let Err(wrong) = options(recipe.header().simulator.clone()) {
                    findings.extend(wrong.findings);
                }
                if is_to_be_asked(&args.instrument, &recipe) && Count::of(&findings).errors == 0 {
                    findings.extend(ask_instrument(&args.instrument, &recipe, &walked, config).await?);
                    findings.extend(ask_named(args, &with_real, &recipe, &walked, config).await);
                }
                findings
            }
        };
        tell_findings(&findings, json, "\n");
        outln!("{}: {}", path.display(), Count::of(&findings).verdict());
        told.extend(&findings);
    }
    let refused = told.errors > 0 || (args.strict && told.warnings > 0);
    if refused { Err(Failure::told(ExitCode::Usage)) } else { Ok(()) }
}

/// During a check it is unknown whether a person will be present at the run.
fn unknown(recipe: &Recipe) -> Circumstances {
    Circumstances { simulated: is_simulated(recipe), attended: None }
}

/// Whether the recipe runs on a simulator that is started for it.
fn is_simulated(recipe: &Recipe) -> bool {
    recipe.header().is_simulated()
}

/// Whether an instrument is queried: the given one, or the simulator that the recipe names.
fn is_to_be_asked(args: &InstrumentArgs, recipe: &Recipe) -> bool {
    args.instrument.is_some() || is_simulated(recipe)
}

/// The number of findings of each kind.
#[derive(Default)]
pub(super) struct Count {
    errors: usize,
    warnings: usize,
    notes: usize,
}

impl Count {
    pub(super) fn of(findings: &[Diagnostic]) -> Self {
        let mut count = Self::default();
        count.extend(findings);
        count
    }

    fn extend(&mut self, findings: &[Diagnostic]) {
        for finding in findings {
            match finding.severity {
                Severity::Error => self.errors += 1,
                Severity::Warning => self.warnings += 1,
                Severity::Note => self.notes += 1,
            }
        }
    }

    pub(super) fn verdict(&self) -> String {
        let kinds = [(self.errors, "error"), (self.warnings, "warning"), (self.notes, "note")];
        let counted = kinds.iter().filter(|(number, _)| *number > 0);
        let told =
            counted.map(|(number, kind)| format!("{number} {kind}{}", if *number == 1 { "" } else { "s" }));
        let fine = (self.errors == 0).then(|| "fine".to_owned());
        fine.into_iter().chain(told).collect::<Vec<_>>().join(", ")
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
        prepare::compare(&reached.instrument, recipe.header(), &walked.all(), &recipe.texts()).await;
    let (_, mut findings) = compared.map_err(|error| Failure::new(ExitCode::Instrument, chain(&error)))?;
    if !identity.simulated() && recipe.header().is_simulated() {
        findings.push(Diagnostic::warning(format!(
            "the recipe requires the simulator, but {} is a real instrument",
            reached.target
        )));
    }
    Ok(findings)
}

/// Identifies the named instruments that the recipe uses, with queries only. Beside a simulated CTP10, only those that the
/// command line names.
async fn ask_named(
    args: &CheckArgs,
    with_real: &BTreeSet<String>,
    recipe: &Recipe,
    walked: &Walk,
    config: &Config,
) -> Vec<Diagnostic> {
    let with_ctp10 = !is_simulated(recipe) && args.instrument.instrument.as_deref() != Some("sim");
    let all = walked.all();
    let used: BTreeSet<&str> =
        all.iter().filter_map(|planned| Some(planned.step.operation.traits().named?.name)).collect();
    let mut found = Vec::new();
    for (name, described) in config.instruments.iter().filter(|(name, _)| used.contains(name)) {
        let is_asked = with_ctp10 || with_real.contains(name);
        if !is_asked {
            continue;
        }
        let settings = described.device.without_setup();
        let address = settings.to_string();
        let device = Device::at(settings, config.deadlines);
        match (device.identify().await, &device) {
            (Ok(Some(identity)), _) => outln!("{name}: {identity} at {address}"),
            (Ok(None), Device::Text(_)) => outln!("{name}: no identity, connected at {address}"),
            (Ok(None), Device::Api(_)) => {
                outln!("{name}: not asked, because `[instruments.{name}]` has no `identify` ({address})");
            }
            (Err(error), _) => found.push(Diagnostic::error(format!("{name}: {}", chain(&error)))),
        }
    }
    found
}

pub(super) async fn plan(args: &PlanArgs, config: &Config, json: bool) -> Result<(), Failure> {
    let recipe = Arc::new(
        Recipe::load(&args.recipe.recipe, &Given::texts(&args.recipe.set)).map_err(Failure::recipe)?,
    );
    let walked = walk(&recipe, unknown(&recipe), &Budget::default()).await;
    let mut told = allowed::check(&recipe, &walked.all(), &config.allowed());
    if is_simulated(&recipe) {
        let none = InstrumentArgs { instrument: None };
        told.extend(ask_instrument(&none, &recipe, &walked, config).await?);
    }
    let findings: Vec<_> = walked.findings.iter().chain(&told).cloned().collect();
    if has_errors(&findings) {
        return Err(Failure::recipe(findings));
    }
    tell_findings(&told, json, "\n");
    if args.json {
        return super::print_json(&plan::json(&walked.steps, Surroundings::new(recipe.detectors())));
    }
    out!(
        "{}",
        plan::text(&walked.steps, &Surroundings::new(recipe.detectors()), args.scpi, terminal::width())
    );
    let total = plan::total(&walked.steps);
    outln!(
        "{}, about {}, {}, about {}",
        shown::counted(walked.steps.len(), "operation"),
        duration(total.seconds),
        shown::counted(total.points, "point"),
        HumanBytes(total.bytes),
    );
    if !walked.complete {
        outln!("this is only the first part of the recipe");
    }
    if total.waits {
        outln!("times of waiting for a person or for a time of day are not included");
    }
    if total.may_differ {
        outln!("~ depends on a measured value and may differ in the run");
    }
    Ok(())
}
