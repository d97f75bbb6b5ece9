//! The binary: parses the command line, and does what it says.

use std::process::ExitCode;

use clap::Parser;

use ctp10::{app, cli::Cli};

fn main() -> ExitCode {
    app::main(Cli::parse())
}
