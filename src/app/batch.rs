//! `ctp10 batch`

mod enqueue;
pub(super) mod load;
mod plan;
pub(super) mod report;
mod screen;
pub(super) mod service;

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

use chrono::Utc;
use indicatif::HumanBytes;
use tokio::sync::watch;

use super::choose::{Choice, choose};
use super::open::{Connect, OpenSession};
use super::setup;
use super::signals::{OnTerminate, Signals};
use crate::batch::{
    BatchObserver, Queue, QueueError, Summary, Worker, WorkerCommand, WorkerEnd, end, expect, notice,
    reserve, write,
};
use crate::catalogue::ItemRow;
use crate::cli::{BatchArgs, BatchCommand, BatchRunArgs, LogFormat, OutputArgs};
use crate::config::Config;
use crate::error::{ExitCode, Failure, chain};
use crate::notify::Outbox;
use crate::report::shell_word;
use crate::session::Setup;
use crate::sidecar::BatchQueue;
use crate::source::{Diagnostic, Severity};
use crate::store::free_bytes;
use crate::terminal::LogWriter;
use crate::terminal::output::{coloured, errln, out, outln};
use load::Batch;
use screen::Screen;

pub(super) async fn batch(
    args: BatchArgs,
    config: &Config,
    output: &OutputArgs,
    log: &LogWriter,
) -> Result<(), Failure> {
    match args.what {
        None => run(args.run, config, output, log).await,
        Some(BatchCommand::Run(args)) => run(*args, config, output, log).await,
        Some(BatchCommand::Check { file, instrument, strict }) => {
            let batch = Batch::load(&file, &instrument, config).await?;
            let (errors, warnings) =
                batch.tell(Severity::Warning, true, output.log_format == LogFormat::Json);
            if errors > 0 || (strict && warnings > 0) { Err(Failure::told(ExitCode::Usage)) } else { Ok(()) }
        }
        Some(BatchCommand::Plan { file, instrument, out, json }) => {
            plan::plan(&file, &instrument, out, json, config).await
        }
    }
}

async fn run(
    args: BatchRunArgs,
    config: &Config,
    output: &OutputArgs,
    log: &LogWriter,
) -> Result<(), Failure> {
    let mut batch = match (&args.file, &args.go_on) {
        (Some(file), _) => Batch::load(file, &args.instrument, config).await?,
        (None, Some(name)) => {
            let out = super::run_folders(args.out.clone(), config);
            Batch::known(name, &out, &args.instrument, config).await?
        }
        (None, None) => return Err(Failure::new(ExitCode::Usage, "no batch file is given")),
    };
    if args.now {
        batch.forget_times();
    }
    let spoken = if output.quiet { Severity::Error } else { Severity::Warning };
    let (errors, _) = batch.tell(spoken, false, output.log_format == LogFormat::Json);
    if errors > 0 {
        return Err(Failure::told(ExitCode::Usage));
    }
    let choice = batch.header().map(|header| choose(&args.instrument, Some(header), config)).transpose()?;
    let out = batch.out(args.out.clone(), config);
    let command = command(&args, &batch);
    let queue = Arc::new(enqueue::enqueue(&batch, &out, &args, &command).await?);
    let items = ready(&batch, &queue, &out, output.quiet).await?;
    let nothing_left = crate::batch::in_order(&items).is_empty();
    let mut setup = setup(Some(out.clone()), &args.real, config)?;
    setup.uploads = super::uploads::start(&setup.out, config)?;
    let (outbox, uploads) = (setup.outbox.clone(), setup.uploads.clone());
    let worked = match choice.filter(|_| !nothing_left) {
        Some(choice) => {
            Some(work((&args, &batch, &items), &queue, choice, setup, (config, output, log)).await)
        }
        None => None,
    };
    // If no item is left, only the state of the batch is shown; except for a restart after a kill.
    let told = worked.is_some() || queue.recovered() > 0;
    let ending = BatchEnding { out: &out, command: &command, outbox: told.then_some(&outbox) };
    let concluded = conclude(&batch, &queue, worked.unwrap_or(Ok(WorkerEnd::Finished)), ending).await;
    let quiet = output.quiet || output.log_format == LogFormat::Json;
    super::notifications::wait(&outbox, quiet).await;
    super::uploads::wait(&uploads, None, quiet).await;
    concluded
}

/// Runs the queue until its end, and then releases the instrument.
async fn work(
    (args, batch, items): (&BatchRunArgs, &Batch, &[ItemRow]),
    queue: &Arc<Queue>,
    choice: Choice,
    setup: Setup,
    (config, output, log): (&Config, &OutputArgs, &LogWriter),
) -> Result<WorkerEnd, Failure> {
    let what = format!("batch {}", batch.name);
    let open = OpenSession::open(choice, what, Connect::Now, setup, config).await?;
    let session = &open.session;
    let desk = BatchQueue { queue: Arc::clone(queue), open: false };
    let sidecar =
        super::serve::beside_run(session, args.sidecar.as_deref(), config, output, Some(desk)).await?;
    let (commands, command) = watch::channel(WorkerCommand::Continue);
    let signals = Signals::handle(session, OnTerminate::Finish, commands);
    let screen = Arc::new(Screen::new(output, log, items, queue.window(), sidecar.is_some()));
    let worker = Worker {
        session: Arc::clone(session),
        queue: Arc::clone(queue),
        observer: Arc::clone(&screen) as Arc<dyn BatchObserver>,
        most_failures: batch.most_failures,
        simulator: open.simulator(),
        instrument_named: args.instrument.instrument.is_some(),
        at_terminal: super::run::is_at_terminal(),
        stays: false,
        command,
    };
    let over = worker.work().await.map_err(|error| failed(&error));
    screen.close();
    session.drain();
    if let Some(run) = session.current_run() {
        errln!("waiting for the end of run {}, which was started over HTTP", run.id());
    }
    session.run_ended().await;
    if let Some(sidecar) = sidecar {
        sidecar.stop().await;
    }
    drop(signals);
    over
}

/// Refuses a batch that does not fit on the disk, and warns about items for which the deadline leaves no time;
/// returns the items.
async fn ready(batch: &Batch, queue: &Queue, out: &Path, quiet: bool) -> Result<Vec<ItemRow>, Failure> {
    let (items, _) = queue.items().await.map_err(|error| failed(&error))?;
    let forecast = expect(&items, queue.window(), Utc::now());
    let needed = reserve(forecast.bytes);
    if let Some(room) = free_bytes(out).filter(|room| *room < needed) {
        let message = format!(
            "batch `{}` needs about {} of disk space in `{}`, but {} are free",
            batch.name,
            HumanBytes(needed),
            out.display(),
            HumanBytes(room),
        );
        return Err(Failure::new(ExitCode::Usage, message)
            .hint("free some disk space, or choose another folder: `--out DIR`"));
    }
    let late = forecast.not_reached();
    if !late.is_empty() && !quiet {
        let finding = Diagnostic::warning(plan::not_reached(&late, queue.window().deadline));
        coloured!("{}\n", finding.render(std::io::stderr().is_terminal()));
    }
    Ok(items)
}

/// The data for the end of a batch.
struct BatchEnding<'a> {
    out: &'a Path,
    /// The command that continues the batch.
    command: &'a str,
    /// The sender of notifications; none if they have already been sent.
    outbox: Option<&'a Outbox>,
}

/// Prints and stores the state of the batch, and sends notifications.
async fn conclude(
    batch: &Batch,
    queue: &Arc<Queue>,
    worked: Result<WorkerEnd, Failure>,
    ending: BatchEnding<'_>,
) -> Result<(), Failure> {
    let (items, _) = queue.items().await.map_err(|error| failed(&error))?;
    let last = Arc::clone(queue);
    let finished = tokio::task::spawn_blocking(move || last.finish()).await;
    finished.map_err(|panic| Failure::new(ExitCode::Failed, panic))?;
    let reason = match &worked {
        Ok(WorkerEnd::Finished) => None,
        Ok(WorkerEnd::Stopped(reason)) => Some(reason.clone()),
        Ok(WorkerEnd::Requested) => Some("stopped by a signal".to_owned()),
        Err(failure) => failure.findings.last().map(|finding| finding.message.clone()),
    };
    let summary = Summary::new(&batch.name, batch.file.as_deref(), reason, &items, Some(ending.command));
    let out = ending.out.to_owned();
    let written = tokio::task::spawn_blocking(move || {
        let summary = summary.with_verdicts(&out);
        let (report, written) = write(&summary, &out);
        (summary, report, written)
    });
    let (summary, report, written) = written.await.map_err(|panic| Failure::new(ExitCode::Failed, panic))?;
    if let (Some(outbox), Some(notify)) = (ending.outbox, &batch.notify)
        && notify.wants(end(&summary))
    {
        let page = written.as_ref().ok().map(|(_, page)| page.as_path());
        outbox.send(notify, notice(&summary, &report, page));
    }
    let over = worked?;
    out!("{}", screen::table(&summary));
    let (_, page) = written.map_err(|error| Failure::new(ExitCode::Failed, chain(&error)))?;
    outln!("{}", page.display());
    match (summary.is_done(), over) {
        (true, _) => super::run::not_passed(summary.verdict),
        (false, WorkerEnd::Requested) => Err(Failure::told(ExitCode::Stopped)),
        (false, _) => Err(Failure::told(ExitCode::Failed)),
    }
}

/// The command that continues the batch.
fn command(args: &BatchRunArgs, batch: &Batch) -> String {
    let mut words = vec!["ctp10".to_owned(), "batch".to_owned()];
    match &args.file {
        Some(file) => words.push(shell_word(&file.display().to_string())),
        None => words.extend(["--continue".to_owned(), batch.name.clone()]),
    }
    if let Some(instrument) = &args.instrument.instrument {
        words.extend(["--instrument".to_owned(), shell_word(instrument)]);
    }
    if let Some(out) = &args.out {
        words.extend(["--out".to_owned(), shell_word(&out.display().to_string())]);
    }
    words.join(" ")
}

fn failed(error: &QueueError) -> Failure {
    Failure::new(ExitCode::Failed, chain(error))
}
