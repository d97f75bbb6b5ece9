//! `ctp10 run`

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};

use chrono::Utc;
use serde_json::{Value, json};

use super::choose::{Choice, choose};
use crate::cli::{LogFormat, OutputArgs, RunArgs};
use crate::config::Config;
use crate::error::{ExitCode, Failure, chain};
use crate::forecast::{self, Circumstances, plan};
use crate::recipe::Recipe;
use crate::run::control::{Control, control};
use crate::run::{RunRequest, prepare};
use crate::source::{Diagnostic, Severity};
use crate::store::{RunFolder, RunState};
use crate::terminal::{self, LogWriter, Style};

pub(super) async fn run(
    args: RunArgs,
    config: &Config,
    output: &OutputArgs,
    log: &LogWriter,
) -> Result<(), Failure> {
    let recipe = Arc::new(Recipe::load(&args.recipe.recipe, &args.recipe.set).map_err(Failure::recipe)?);
    let choice = choose(&args.instrument, Some(recipe.header()), config)?;
    let attended = !args.unattended && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let simulated = matches!(choice, Choice::Simulated(_));
    let walked = walk(&recipe, Circumstances { simulated, attended: Some(attended) }).await;
    let mut findings = recipe.diagnostics().to_vec();
    findings.extend(walked.findings);
    stop_on_errors(&findings)?;

    let reached = choice.reach(config).await?;
    let unusable = |error: &dyn std::error::Error| Failure::new(ExitCode::Instrument, chain(error));
    let left = prepare::make_ready(&reached.instrument).await.map_err(|error| unusable(&error))?;
    let compared =
        prepare::compare(&reached.instrument, recipe.header(), &walked.steps, recipe.sources()).await;
    let (facts, against) = compared.map_err(|error| unusable(&error))?;
    findings.extend(against);
    stop_on_errors(&findings)?;
    let spoken = if output.quiet { Severity::Error } else { Severity::Warning };
    for finding in findings.iter().filter(|finding| finding.severity >= spoken) {
        eprintln!("{}", finding.render(std::io::stderr().is_terminal()));
    }
    for entry in left {
        tracing::warn!("somebody left an error in the instrument's queue: {entry}");
    }

    let out = args.out.or_else(|| config.out.clone()).unwrap_or_else(|| PathBuf::from("runs"));
    let folder = RunFolder::create(&out, &recipe.header().name, Utc::now())
        .map_err(|error| Failure::new(ExitCode::Failed, chain(&error)))?;
    let totals = plan::total(&walked.steps);
    let foreseen = walked.complete && !totals.may_differ;
    let request = RunRequest {
        path: args.recipe.recipe.display().to_string(),
        metadata: args.metadata.into_iter().map(|(name, value)| (name, Value::String(value))).collect(),
        instrument: prepare::record(&reached.instrument, &reached.name, &facts),
        simulator: reached.options.as_ref().map(|options| json!(options)),
        operations: foreseen.then_some(walked.steps.len() as u64),
        estimated_s: foreseen.then_some(totals.seconds),
    };
    let (control, reins) = control(attended);
    let (records, shown) = mpsc::channel();
    let screen = std::thread::spawn({
        let style = Style::choose(output.log_format == LogFormat::Json, output.quiet);
        let (log, control) = (log.clone(), control.clone());
        move || terminal::show(style, &log, &shown, &control)
    });
    let signals = tokio::spawn(heed_signals(control));
    let ended = crate::run::run(recipe, reached.instrument, folder, request, reins, vec![records]).await;
    signals.abort();
    let status = screen.join().unwrap_or_default();
    let state = ended.map_err(|fault| Failure::new(ExitCode::Failed, fault))?;
    println!("{}", terminal::summary(&status));
    match state {
        RunState::Done => Ok(()),
        RunState::Aborted => Err(Failure::told(ExitCode::Stopped)),
        RunState::Failed | RunState::Running | RunState::Interrupted => Err(Failure::told(ExitCode::Failed)),
    }
}

/// Walks the recipe beside the event loop: a script may compute for a while.
pub(super) async fn walk(recipe: &Arc<Recipe>, circumstances: Circumstances) -> forecast::Walk {
    let recipe = Arc::clone(recipe);
    let walking = tokio::task::spawn_blocking(move || {
        forecast::walk(|host| recipe.perform(host), recipe.sources(), circumstances)
    });
    walking.await.unwrap_or_else(|panic| forecast::Walk {
        steps: Vec::new(),
        findings: vec![Diagnostic::error(format!("the recipe cannot be walked: {panic}"))],
        complete: true,
    })
}

/// Errors end the program, with the warnings in front of them.
fn stop_on_errors(findings: &[Diagnostic]) -> Result<(), Failure> {
    let wrong = findings.iter().any(|finding| finding.severity == Severity::Error);
    if wrong { Err(Failure::recipe(findings.to_vec())) } else { Ok(()) }
}

/// The first signal stops the run in good order; the second leaves at once.
async fn heed_signals(control: Control) {
    let name = super::simulate::stop_signal().await;
    control.stop(format!("stopped by {name}"));
    super::simulate::stop_signal().await;
    eprintln!(
        "left at once: the lasers may be on and the run folder has no end; `ctp10 off` turns the lasers off"
    );
    std::process::exit(ExitCode::Stopped as i32);
}
