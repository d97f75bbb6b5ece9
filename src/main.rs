//! The binary: parses the command line, runs it, and prints the failures.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use ctp10::{app, cli::Cli, handles, memory, terminal};

/// Longest waiting time for a thread that still works for a client when the program ends.
const THREADS_LIMIT: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.command.may_work_for_weeks() {
        memory::limit_heaps();
    }
    handles::raise_limit();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("error: the program cannot start its threads: {error}\n"));
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(perform(cli));
    runtime.shutdown_timeout(THREADS_LIMIT);
    code
}

async fn perform(cli: Cli) -> ExitCode {
    let ended = app::perform(cli).await;
    if let Err(failure) = &ended {
        complain(&failure.render(std::io::stderr().is_terminal()));
    }
    let not_printed = terminal::end_of_output();
    match (ended, not_printed) {
        (Err(failure), _) => ExitCode::from(failure.code as u8),
        (Ok(()), Some(code)) => ExitCode::from(code as u8),
        (Ok(()), None) => ExitCode::SUCCESS,
    }
}

/// If stderr does not work, the message cannot be shown anywhere.
fn complain(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
