//! From the command line to the exit code.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::FromArgMatches as _;

use crate::cli::{self, Cli, LogFormat};
use crate::{handles, terminal};

/// Longest waiting time for a thread that still works for a client when the program ends.
const THREADS_LIMIT: Duration = Duration::from_secs(2);

/// Parses the command line, performs the command on a runtime of its own, prints its failure, and returns the exit code.
///
/// The library polls the future, because the compiler generates the code of a future in the crate that polls it. In the
/// binary, that work would wait until the library is compiled.
#[must_use]
pub fn main() -> ExitCode {
    super::completions::answer();
    let words = cli::command().get_matches();
    let cli = Cli::from_arg_matches(&words).unwrap_or_else(|error| error.exit());
    handles::raise_limit();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("error: the program cannot start its threads: {error}\n"));
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(to_its_end(cli));
    runtime.shutdown_timeout(THREADS_LIMIT);
    code
}

async fn to_its_end(cli: Cli) -> ExitCode {
    let json = cli.output.log_format == LogFormat::Json;
    let ended = super::perform(cli).await;
    if let Err(failure) = &ended {
        terminal::tell_findings(failure.in_order(), json, "");
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
