//! The binary: parses the command line, carries it out, says what went wrong.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;

use ctp10::{app, cli::Cli};

#[tokio::main]
async fn main() -> ExitCode {
    match app::perform(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprint!("{}", failure.render(std::io::stderr().is_terminal()));
            ExitCode::from(failure.code as u8)
        }
    }
}
