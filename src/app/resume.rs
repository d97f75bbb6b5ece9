//! `ctp10 resume`

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::choose::{self, Choice};
use super::run::{Manner, perform};
use crate::cli::{InstrumentArgs, OutputArgs, ResumeArgs, Unfinished};
use crate::config::Config;
use crate::error::{ExitCode, Failure, chain};
use crate::forecast::{Circumstances, plan};
use crate::operation::Operation;
use crate::recipe::Recipe;
use crate::run::event::{Record, RunEvent};
use crate::run::foresee::{self, Foreseen};
use crate::run::past::{Past, Performed};
use crate::run::status::RunStatus;
use crate::run::takeup::{self, Resumption};
use crate::station::{Order, Resumed};
use crate::step::{Fault, Outcome};
use crate::store::runs::{self, FoundRun};
use crate::store::{Manifest, RunFolder, RunState, StoreError, read_run_journal};
use crate::terminal::{LogWriter, duration};

pub(super) async fn resume(
    args: ResumeArgs,
    config: &Config,
    output: &OutputArgs,
    log: &LogWriter,
) -> Result<(), Failure> {
    let out = args.out.clone().or_else(|| config.out.clone()).unwrap_or_else(|| PathBuf::from("runs"));
    let run = runs::find(&out, &args.run).map_err(stored)?;
    may_go_on(&run)?;
    let recipe = recipe(&run)?;
    let at_terminal = !args.unattended && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let circumstances =
        Circumstances { simulated: run.manifest.instrument.simulated, attended: Some(at_terminal) };
    if args.plan {
        let past = foresee::past(&run.folder).map_err(stored)?;
        let foreseen = foresee(&recipe, past, &run.folder, circumstances).await?;
        tell_plan(&run.manifest, &foreseen);
        return Ok(());
    }

    let (folder, mended) = RunFolder::reopen(&run).map_err(stored)?;
    if mended.torn_bytes > 0 {
        tracing::warn!("the journal's last line was torn: {} bytes are gone", mended.torn_bytes);
    }
    let mut past = foresee::past(&run.folder).map_err(stored)?;
    let known = takeup::known_files(&past);
    let mut foreseen = foresee(&recipe, past.clone(), &run.folder, circumstances).await?;
    let mut decided = None;
    if let Some(step) = &foreseen.undecided {
        let event = decide(step, args.unfinished, at_terminal)?;
        past.apply(&event);
        decided = Some(event);
        foreseen = foresee(&recipe, past, &run.folder, circumstances).await?;
    }
    let removed = folder.remove_unknown(&known).map_err(stored)?;
    let choice = instrument(&args.instrument, &run.manifest)?;
    let allow_http = config.allow_http.clone().unwrap_or_default();
    let path = run.manifest.recipe.path.clone();
    let mut order = Order::new(recipe, path, circumstances, &allow_http).await;
    // What the recipe as a whole would need was looked at when it began: much of it is done.
    order.walked.findings.clear();
    order.instrument_named = true;
    order.unattended = args.unattended;
    order.at_terminal = at_terminal;
    let status = status(&run.folder).map_err(stored)?;
    let resumption = Resumption { manifest: run.manifest, past: foreseen.past, decided, removed };
    order.resumed = Some(Resumed { folder, resumption, status: status.clone() });
    let what = format!("resume {}", run.folder.display());
    let manner = Manner { what, out: Some(out), sidecar: args.sidecar, begun: status };
    perform(order, choice, manner, (config, output, log)).await
}

fn stored(error: StoreError) -> Failure {
    let code = if matches!(error, StoreError::WhichRun(_)) { ExitCode::Usage } else { ExitCode::Failed };
    Failure::new(code, chain(&error))
}

/// A run that is under way has its process, and one that is done has nothing left.
fn may_go_on(run: &FoundRun) -> Result<(), Failure> {
    let id = &run.manifest.run;
    match run.manifest.status {
        RunState::Interrupted | RunState::Failed | RunState::Aborted => Ok(()),
        RunState::Done => {
            Err(Failure::new(ExitCode::Usage, format!("run {id} is done: nothing is left to do"))
                .hint("`ctp10 run` measures anew"))
        }
        RunState::Running => {
            Err(Failure::new(ExitCode::Usage, format!("run {id} is under way: its process is alive"))
                .hint("stop that one first"))
        }
    }
}

/// The recipe as it was, from the run's own copy, with the parameters of the run.
fn recipe(run: &FoundRun) -> Result<Recipe, Failure> {
    let manifest = &run.manifest;
    let refuse = |message: String| Failure::new(ExitCode::Failed, message);
    let copy = takeup::recipe_copy(&run.folder, manifest)
        .ok_or_else(|| refuse(format!("run {} has no copy of its recipe", manifest.run)))?;
    let text = std::fs::read_to_string(&copy)
        .map_err(|error| refuse(format!("cannot read `{}`: {error}", copy.display())))?;
    let set: Vec<(String, String)> = manifest
        .parameters
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect();
    let recipe =
        Recipe::from_text(&manifest.recipe.path, &text, copy.parent(), &set).map_err(Failure::recipe)?;
    if recipe.sha256() != manifest.recipe.sha256 {
        let message = format!(
            "`{}` is not the recipe that run {} began with: its SHA-256 is {} and was {}",
            copy.display(),
            manifest.run,
            recipe.sha256(),
            manifest.recipe.sha256
        );
        return Err(refuse(message));
    }
    if recipe.parameters() != &manifest.parameters {
        let message = format!(
            "the parameters of run {} do not read back as they were: {} and {}",
            manifest.run,
            json!(manifest.parameters),
            json!(recipe.parameters())
        );
        return Err(refuse(message));
    }
    Ok(recipe)
}

/// Finds out beside the event loop what holds: a script may compute for a while.
async fn foresee(
    recipe: &Recipe,
    past: Past,
    folder: &Path,
    circumstances: Circumstances,
) -> Result<Foreseen, Failure> {
    let (recipe, folder) = (recipe.clone(), folder.to_owned());
    let replaying =
        tokio::task::spawn_blocking(move || foresee::foresee(&recipe, &past, &folder, circumstances));
    match replaying.await {
        Ok(foreseen) => foreseen.map_err(refused),
        Err(panic) => Err(Failure::new(ExitCode::Failed, format!("the past cannot be replayed: {panic}"))),
    }
}

fn refused(fault: Fault) -> Failure {
    let failure = Failure::new(ExitCode::Failed, format!("the run cannot be taken up: {fault}"));
    match fault.hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Asks what became of a step that nobody but the operator can know about.
fn decide(step: &Performed, given: Option<Unfinished>, at_terminal: bool) -> Result<RunEvent, Failure> {
    let number = step.number;
    let event = |outcome| Ok(RunEvent::Decided { number, outcome });
    let prompts = matches!(step.step.operation, Operation::Prompt(_));
    let what = format!("`{}` ({})", step.step.operation, step.step.place);
    let unfinished = match given {
        Some(given) => given,
        // Asking the operator again is what it is for.
        None if prompts && at_terminal => Unfinished::Again,
        None if at_terminal => ask(&what)?,
        None => {
            let message = format!(
                "{what} was begun and nothing says whether it was done: it is not repeated without being told to"
            );
            return Err(Failure::new(ExitCode::Failed, message)
                .hint("see for yourself, and say `--unfinished done` or `--unfinished again`"));
        }
    };
    match (unfinished, &step.step.operation) {
        (Unfinished::Again, _) => event(None),
        (Unfinished::Done, Operation::CreateReference(_)) => {
            event(Some(Outcome::Reference { created: true }))
        }
        (Unfinished::Done, Operation::Prompt(_)) => {
            let message = format!("{what} has no recorded answer: a question can only be asked again");
            Err(Failure::new(ExitCode::Usage, message).hint("say `--unfinished again`"))
        }
        (Unfinished::Done, _) => event(Some(Outcome::Done)),
    }
}

fn ask(what: &str) -> Result<Unfinished, Failure> {
    eprintln!("{what} was begun and nothing says whether it was done.");
    loop {
        eprint!("? Was it done? [done / again / give up] ");
        let _ = std::io::stderr().flush();
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        match line.trim() {
            "done" => return Ok(Unfinished::Done),
            "again" => return Ok(Unfinished::Again),
            answer if answer == "give up" || !matches!(read, Ok(1..)) => {
                return Err(Failure::new(ExitCode::Stopped, "given up: nothing has been changed"));
            }
            _ => {}
        }
    }
}

/// The instrument that is named, or the one that the run began with.
fn instrument(args: &InstrumentArgs, manifest: &Manifest) -> Result<Choice, Failure> {
    let known = &manifest.instrument.address;
    let name = args.instrument.as_ref().unwrap_or(known);
    if name != "sim" {
        return name
            .parse()
            .map(Choice::Remote)
            .map_err(|error| Failure::new(ExitCode::Usage, format!("{error}, from `--instrument`")));
    }
    if !manifest.instrument.simulated {
        let message = format!("run {} was measured at {known}: it cannot go on simulated", manifest.run);
        return Err(Failure::new(ExitCode::Instrument, message));
    }
    choose::options(manifest.simulator.clone()).map(|options| Choice::Simulated(Box::new(options)))
}

/// The state of a run as its journal has it.
fn status(folder: &Path) -> Result<RunStatus, StoreError> {
    let mut status = RunStatus::default();
    if foresee::past(folder)?.started {
        for record in read_run_journal::<Record>(folder)? {
            status.apply(&record?);
        }
    }
    status.folder = folder.display().to_string();
    Ok(status)
}

fn tell_plan(manifest: &Manifest, foreseen: &Foreseen) {
    let (past, left) = (&foreseen.past, &foreseen.left);
    println!("run {}  {}  {}", manifest.run, manifest.name, manifest.status);
    let mut counts: Vec<(&str, u64)> = Vec::new();
    for step in past.steps() {
        let name = step.step.operation.name();
        match counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
    }
    let counts: Vec<String> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
    println!("holds: {} steps ({})", past.steps().count(), counts.join(", "));
    for trace in past.left_over() {
        println!("withdrawn and measured again: {}", trace.file);
    }
    if let Some(step) = &foreseen.undecided {
        println!(
            "begun, and nothing says whether it was done: `{}` ({})",
            step.step.operation, step.step.place
        );
    }
    println!("left to do:");
    print!("{}", plan::text(&left.steps, false));
    let total = plan::total(&left.steps);
    println!("{} operations, about {}", left.steps.len(), duration(total.seconds));
}
