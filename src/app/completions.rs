//! Shell completion and manual pages. The shell asks the program for each completion, because only the program knows the
//! names of the runs.

use std::path::Path;

use clap::{Arg, Command};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::Shells;
use clap_complete::{CompleteEnv, Shell};

use super::run_folders;
use crate::cli;
use crate::config::Config;
use crate::error::{ExitCode, Failure};
use crate::store::runs;
use crate::terminal::output::out;

/// The variable with which a shell asks for completions.
const VARIABLE: &str = "COMPLETE";
/// Most runs that are offered, newest first.
const RUNS: usize = 50;

/// Answers the shell and ends the program, if it was started for a completion.
pub(super) fn answer() {
    CompleteEnv::with_factory(command).var(VARIABLE).complete();
}

/// Prints the script that makes a shell ask.
pub(super) fn print_script(shell: Shell) -> Result<(), Failure> {
    let failed = |reason: &str| Failure::new(ExitCode::Failed, reason);
    let shells = Shells::builtins();
    let completer = shells.completer(&shell.to_string()).ok_or_else(|| failed("the shell is not known"))?;
    let mut script = Vec::new();
    completer
        .write_registration(VARIABLE, "ctp10", "ctp10", "ctp10", &mut script)
        .map_err(|error| failed(&error.to_string()))?;
    out!("{}", String::from_utf8_lossy(&script));
    Ok(())
}

/// Writes one manual page for each command into a folder.
pub(super) fn write_manual(folder: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::new(ExitCode::Failed, format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(cli::command(), folder).map_err(failed)
}

/// The command line, in which each argument that names a run offers the newest runs.
fn command() -> Command {
    with_runs(cli::command())
}

fn with_runs(command: Command) -> Command {
    let offers_runs =
        |arg: &Arg| arg.get_value_names().is_some_and(|names| names.iter().any(|name| name == "RUN"));
    command
        .mut_args(|arg| if offers_runs(&arg) { arg.add(ArgValueCandidates::new(newest_runs)) } else { arg })
        .mut_subcommands(with_runs)
}

/// The identifiers of the newest runs, each with its name, time and status.
fn newest_runs() -> Vec<CompletionCandidate> {
    let out = run_folders(None, &Config::load().unwrap_or_default());
    let page = runs::page(&out, None, RUNS).map(|page| page.runs).unwrap_or_default();
    let last = page.first().map(|_| CompletionCandidate::new("last").help(Some("the newest run".into())));
    let named = page.iter().map(|run| {
        let manifest = &run.manifest;
        let help =
            format!("{}, {}, {}", manifest.name, manifest.started.format("%Y-%m-%d %H:%MZ"), manifest.status);
        CompletionCandidate::new(&manifest.run).help(Some(help.into()))
    });
    last.into_iter().chain(named).collect()
}
