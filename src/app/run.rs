//! `ctp10 run`

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};

use serde_json::Value;
use tokio::sync::watch;

use super::choose::{Choice, choose};
use super::open::{Connect, OpenSession};
use super::setup;
use super::signals::{OnTerminate, Signals};
use crate::analysis::verdict::Verdict;
use crate::batch::WorkerCommand;
use crate::budget::Budget;
use crate::cli::{LogFormat, OutputArgs, PresenceArgs, RunArgs, WithRealArgs};
use crate::config::Config;
use crate::declarations::Given;
use crate::error::{ExitCode, Failure};
use crate::forecast::Circumstances;
use crate::recipe::Recipe;
use crate::run::events::Emitted;
use crate::run::{RunRequest, Watcher};
use crate::session::{NotStarted, Setup};
use crate::source::{Diagnostic, Severity, has_errors};
use crate::store::RunState;
use crate::terminal::output::outln;
use crate::terminal::{self, AtEof, LogWriter, Style};

pub(super) async fn run(
    args: RunArgs,
    config: &Config,
    output: &OutputArgs,
    log: &LogWriter,
) -> Result<(), Failure> {
    let recipe =
        Recipe::load(&args.recipe.recipe, &Given::texts(&args.recipe.set)).map_err(Failure::recipe)?;
    let choice = choose(&args.instrument, Some(recipe.header()), config)?;
    let attended = is_attended(args.presence);
    let simulated = matches!(choice, Choice::Simulated(_));
    let path = args.recipe.recipe.display().to_string();
    let circumstances = Circumstances { simulated, attended: Some(attended) };
    let mut request =
        RunRequest::new(recipe, path.clone(), circumstances, &super::allowed(config), &Budget::default())
            .await;
    stop_on_errors(&request.findings())?;
    let metadata = args.metadata.into_iter().map(|(name, value)| (name, Value::String(value)));
    request.metadata = metadata.collect();
    request.instrument_named = args.instrument.instrument.is_some();
    request.unattended = args.presence.unattended;
    request.at_terminal = attended;

    let what = format!("run {path}");
    let options = RunOptions {
        what,
        out: args.out,
        sidecar: args.sidecar,
        real: args.real,
        at_eof: at_eof(args.presence),
    };
    perform(request, choice, options, (config, output, log)).await
}

/// The options for performing a request.
pub(super) struct RunOptions {
    /// The activity of this process, which other programs can see.
    pub(super) what: String,
    /// The folder for run folders.
    pub(super) out: Option<PathBuf>,
    /// The address of the HTTP server.
    pub(super) sidecar: Option<String>,
    /// Real instruments beside a simulated CTP10.
    pub(super) real: WithRealArgs,
    /// What the end of standard input means.
    pub(super) at_eof: AtEof,
}

/// Whether a person answers the questions of a run on standard input.
pub(super) fn is_attended(presence: PresenceArgs) -> bool {
    presence.attended || (!presence.unattended && is_at_terminal())
}

/// Whether a person sees the messages on a terminal and can type there.
pub(super) fn is_at_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

pub(super) fn at_eof(presence: PresenceArgs) -> AtEof {
    if presence.stop_at_eof { AtEof::Stop } else { AtEof::Continue }
}

/// Performs a request and shows its progress at the terminal.
pub(super) async fn perform(
    request: RunRequest,
    choice: Choice,
    options: RunOptions,
    (config, output, log): (&Config, &OutputArgs, &LogWriter),
) -> Result<(), Failure> {
    let mut setup = setup(options.out.clone(), &options.real, config)?;
    setup.uploads = super::uploads::start(&setup.out, config)?;
    let (outbox, uploads) = (setup.outbox.clone(), setup.uploads.clone());
    let measured = measure(request, choice, options, setup, (config, output, log)).await;
    // By now, the instrument is released for other programs.
    let quiet = output.quiet || output.log_format == LogFormat::Json;
    super::notifications::wait(&outbox, quiet).await;
    let (folder, ended) = match measured {
        Ok((folder, ended)) => (Some(folder), ended),
        Err(failure) => (None, Err(failure)),
    };
    if let Some(folder) = folder {
        super::uploads::wait(&uploads, Some(folder), quiet).await;
    }
    ended
}

/// Returns the folder of the run, and how it ended.
async fn measure(
    mut request: RunRequest,
    choice: Choice,
    options: RunOptions,
    setup: Setup,
    (config, output, log): (&Config, &OutputArgs, &LogWriter),
) -> Result<(PathBuf, Result<(), Failure>), Failure> {
    let open = OpenSession::open(choice, options.what, Connect::Now, setup, config).await?;
    let session = &open.session;
    request.simulator = open.simulator();
    let begun = request.status.clone();
    let json = output.log_format == LogFormat::Json;
    let sidecar = super::serve::beside_run(session, options.sidecar.as_deref(), config, output, None).await?;

    let (records, shown) = mpsc::channel::<Arc<Emitted>>();
    let show: Watcher = Box::new(move |record| drop(records.send(Arc::clone(record))));
    // Before the run begins: from its first step on, a signal must stop it cleanly.
    let signals = Signals::handle(session, OnTerminate::Stop, watch::Sender::new(WorkerCommand::Continue));
    let begun_run = session.begin(request, vec![show], &session.cut()).await;
    let entry = begun_run.map_err(|error| match signals.have_arrived() {
        true => Failure::new(ExitCode::Stopped, "stopped by a signal before the run began"),
        false => not_started(error),
    })?;
    let spoken = if output.quiet { Severity::Error } else { Severity::Warning };
    terminal::tell_findings(entry.findings.iter().filter(|finding| finding.severity >= spoken), json, "");
    if !entry.left.is_empty() {
        let left = crate::shown::listed(&entry.left, "; ");
        tracing::warn!("the instrument's error queue had old entries: {left}");
    }
    let screen = std::thread::spawn({
        let style = Style::choose(json, output.quiet, output.verbose > 0);
        let (log, control) = (log.clone(), entry.run.control().clone());
        let at_eof = options.at_eof.with_page(sidecar.is_some());
        move || terminal::show((style, at_eof), &log, &shown, &control, begun)
    });
    let folder = entry.run.folder().to_owned();
    let ended = entry.ended().await;
    let status = screen.join().unwrap_or_default();
    let state = ended.map_err(|fault| Failure::new(ExitCode::Failed, fault))?;
    outln!("{}", terminal::summary(&status));
    if let Some(sidecar) = sidecar {
        sidecar.stop().await;
    }
    drop(signals);
    let ended = match state {
        RunState::Done => not_passed(status.verdicts.worst()),
        RunState::Aborted => Err(Failure::told(ExitCode::Stopped)),
        RunState::Failed | RunState::Running | RunState::Interrupted => Err(Failure::told(ExitCode::Failed)),
    };
    Ok((folder, ended))
}

/// The failure of what has ended well, but whose worst verdict is `not measured` or `fail`.
pub(super) fn not_passed(verdict: Option<Verdict>) -> Result<(), Failure> {
    match verdict.filter(|verdict| verdict.is_bad()) {
        Some(_) => Err(Failure::told(ExitCode::NotPassed)),
        None => Ok(()),
    }
}

fn not_started(error: NotStarted) -> Failure {
    match error {
        NotStarted::Recipe(findings) => Failure::recipe(findings),
        NotStarted::Store(_) => Failure::new(ExitCode::Failed, error.message()),
        NotStarted::Held(_)
        | NotStarted::Busy(_)
        | NotStarted::Instrument(_)
        | NotStarted::Named { .. }
        | NotStarted::Limits(_)
        | NotStarted::OtherInstrument(_) => Failure::new(ExitCode::Instrument, error.message()),
    }
}

/// Errors end the program; the warnings are printed before them.
fn stop_on_errors(findings: &[Diagnostic]) -> Result<(), Failure> {
    if has_errors(findings) { Err(Failure::recipe(findings.to_vec())) } else { Ok(()) }
}
