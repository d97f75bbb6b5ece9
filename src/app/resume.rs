//! `ctp10 resume`

use std::io::{BufRead, Write};

use super::choose::{self, Choice};
use super::run::{RunOptions, at_eof, is_at_terminal, is_attended, perform};
use crate::cli::{InstrumentArgs, OutputArgs, ResumeArgs, Unfinished};
use crate::config::Config;
use crate::error::{ExitCode, Failure, chain};
use crate::forecast::plan;
use crate::instrument::Target;
use crate::operation::{Operation, ResultKind, Surroundings};
use crate::run::events::RunEvent;
use crate::run::resume::transcript::Performed;
use crate::session::{Interrupted, NotResumed, Outlook};
use crate::shown;
use crate::step::Outcome;
use crate::store::{Fate, Manifest, StoreError};
use crate::terminal::output::{err, errln, out, outln};
use crate::terminal::{LogWriter, duration};

pub(super) async fn resume(
    args: ResumeArgs,
    config: &Config,
    output: &OutputArgs,
    log: &LogWriter,
) -> Result<(), Failure> {
    let out = super::run_folders(args.out.clone(), config);
    let run = super::runs::find(&out, &args.run)?;
    let attended = is_attended(args.presence);
    let interrupted = Interrupted::read(run, Some(attended)).map_err(refused)?;
    if args.plan {
        let around = Surroundings::new(interrupted.recipe().detectors());
        tell_plan(interrupted.manifest(), &interrupted.foresee().await.map_err(refused)?, &around);
        return Ok(());
    }
    let choice = instrument(&args.instrument, interrupted.manifest())?;
    let bench = super::allowed(config);
    let mut request = match interrupted.clone().resume(None, &bench).await {
        Err(NotResumed::Undecided(step)) => {
            let decided = decide(&step, args.unfinished, is_at_terminal() && attended)?;
            interrupted.resume(Some(decided), &bench).await
        }
        resumed => resumed,
    }
    .map_err(refused)?;
    request.unattended = args.presence.unattended;
    request.at_terminal = attended;
    let what = format!("resume {}", request.status.folder);
    let options = RunOptions {
        what,
        out: Some(out),
        sidecar: args.sidecar,
        real: args.real,
        at_eof: at_eof(args.presence),
    };
    perform(request, choice, options, (config, output, log)).await
}

fn refused(error: NotResumed) -> Failure {
    let failed = |code| Failure::new(code, chain(&error));
    match &error {
        NotResumed::Done(_) => failed(ExitCode::Usage).hint("`ctp10 run` measures again"),
        NotResumed::UnderWay(_) => failed(ExitCode::Usage).hint("stop that process first"),
        NotResumed::Store(error) if error.is_about_a_name() => failed(ExitCode::Usage),
        NotResumed::Recipe(findings) => Failure::recipe(findings.clone()),
        NotResumed::Transcript(fault) => match &fault.hint {
            Some(hint) => failed(ExitCode::Failed).hint(hint.clone()),
            None => failed(ExitCode::Failed),
        },
        NotResumed::Undecided(_) => failed(ExitCode::Failed)
            .hint("check the instrument, then pass `--unfinished done` or `--unfinished again`"),
        NotResumed::Unknown { .. } => {
            failed(ExitCode::Failed).hint("nothing was changed: move these files away, or start a new run")
        }
        NotResumed::Store(StoreError::Line { .. }) => {
            failed(ExitCode::Failed).hint("nothing was changed; `ctp10 runs verify` lists the damage")
        }
        NotResumed::Copy(_) | NotResumed::Store(_) | NotResumed::Broken(_) => failed(ExitCode::Failed),
    }
}

/// Asks for the result of a step that only the operator can know.
fn decide(step: &Performed, given: Option<Unfinished>, at_terminal: bool) -> Result<RunEvent, Failure> {
    let number = step.number;
    let event = |outcome| Ok(RunEvent::Decided { number, outcome });
    let prompts = step.step.operation.traits().is_prompt();
    let what = format!("`{}` ({})", step.step.operation, step.step.place);
    let unfinished = match given {
        Some(given) => given,
        // A prompt can be repeated only by asking the operator again.
        None if prompts && at_terminal => Unfinished::Again,
        None if at_terminal => ask(&what)?,
        None => return Err(refused(NotResumed::Undecided(Box::new(step.clone())))),
    };
    if unfinished == Unfinished::Again {
        return event(None);
    }
    match Operation::result_kind(step.step.operation.name()).unwrap_or(ResultKind::Nothing) {
        ResultKind::Reference => event(Some(Outcome::Reference { created: true })),
        ResultKind::Answer => {
            let message = format!("{what} has no recorded answer: the question must be asked again");
            Err(Failure::new(ExitCode::Usage, message).hint("pass `--unfinished again`"))
        }
        ResultKind::Nothing
        | ResultKind::Settings
        | ResultKind::Traces
        | ResultKind::Analysis
        | ResultKind::Power
        | ResultKind::Alignment
        | ResultKind::Reply
        | ResultKind::Http => event(Some(Outcome::Done)),
    }
}

fn ask(what: &str) -> Result<Unfinished, Failure> {
    errln!("{what} was interrupted, and ctp10 cannot know whether it finished.");
    loop {
        err!("? Did it finish? [done / again / give up] ");
        let _ = std::io::stderr().flush();
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        match line.trim() {
            "done" => return Ok(Unfinished::Done),
            "again" => return Ok(Unfinished::Again),
            answer if answer == "give up" || !matches!(read, Ok(1..)) => {
                return Err(Failure::new(ExitCode::Stopped, "given up: nothing was changed"));
            }
            _ => {}
        }
    }
}

/// The given instrument, or the one that the run started with.
fn instrument(args: &InstrumentArgs, manifest: &Manifest) -> Result<Choice, Failure> {
    let known = &manifest.instrument.address;
    let (name, origin) = match &args.instrument {
        Some(given) => (given, "`--instrument`"),
        None => (known, "the run's `run.json`"),
    };
    let target = name.parse();
    let target = target.map_err(|error| Failure::new(ExitCode::Usage, format!("{error}, from {origin}")))?;
    if let Target::Remote(address) = target {
        return Ok(Choice::Remote(address));
    }
    if !manifest.instrument.simulated {
        let message =
            format!("run {} was measured at {known}: it cannot be resumed on the simulator", manifest.run);
        return Err(Failure::new(ExitCode::Instrument, message));
    }
    choose::options(manifest.simulator.clone()).map(|options| Choice::Simulated(Box::new(options)))
}

/// The plan of a resume. `around` has the names of the detectors.
fn tell_plan(manifest: &Manifest, outlook: &Outlook, around: &Surroundings) {
    let foreseen = &outlook.foreseen;
    let (past, left) = (&foreseen.past, &foreseen.left);
    outln!("run {}  {}  {}", manifest.run, manifest.name, manifest.status);
    let mut counts: Vec<(&str, u64)> = Vec::new();
    for step in past.steps() {
        let name = step.step.operation.name();
        match counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
    }
    let counts: Vec<String> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
    outln!("kept: {} ({})", shown::counted(past.steps().count(), "step"), counts.join(", "));
    for (file, what) in &outlook.damage.traces {
        outln!("damaged: {file} {what}: its sweep will be repeated");
    }
    for (segment, what) in &outlook.damage.segments {
        outln!("damaged: {} {what}: its readings in the journal will be stored again", segment.file);
    }
    for left in &outlook.leftovers {
        match left.fate {
            Fate::Aside => outln!("to move to aside/: {} (not in the journal)", left.file),
            Fate::Unfinished => outln!("to delete: {} (never finished)", left.file),
            Fate::Withdrawn => outln!("to delete: {} (withdrawn, according to the journal)", left.file),
        }
    }
    for trace in past.left_over() {
        outln!("to withdraw and measure again: {}", trace.file);
    }
    let again = &foreseen.repairs;
    let numbers =
        again.list.iter().flat_map(|repair| repair.before.iter().chain(&repair.sweep).chain(&repair.fetches));
    for number in numbers.chain(&again.after) {
        if let Some(step) = past.steps().find(|step| step.number == *number) {
            outln!("to repeat first: {}{}", step.step.place.turns(), step.step.operation.named(around));
        }
    }
    if let Some(step) = &foreseen.undecided {
        outln!(
            "interrupted, and ctp10 cannot know whether it finished: `{}` ({})",
            step.step.operation.named(around),
            step.step.place
        );
    }
    outln!("remaining:");
    out!("{}", plan::text(&left.steps, around, false, crate::terminal::width()));
    let total = plan::total(&left.steps);
    let operations = shown::counted(left.steps.len(), "operation");
    outln!("{operations}, about {}", duration(total.seconds));
}
