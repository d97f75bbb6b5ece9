//! The binary: parses the command line, carries it out, says what went wrong.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;

use ctp10::{app, cli::Cli, handles};

/// What a shell says of a program whose reader went away.
const NOBODY_READS: i32 = 141;

#[tokio::main]
async fn main() -> ExitCode {
    end_with_the_reader();
    handles::raise_limit();
    match app::perform(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprint!("{}", failure.render(std::io::stderr().is_terminal()));
            ExitCode::from(failure.code as u8)
        }
    }
}

/// `ctp10 runs list | head` ends without a word. The signal that ends other programs stays ignored: a run goes on when
/// whoever watched it is gone.
fn end_with_the_reader() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload().downcast_ref::<String>();
        if said.is_some_and(|said| said.starts_with("failed printing to stdout: Broken pipe")) {
            std::process::exit(NOBODY_READS);
        }
        usual(panic);
    }));
}
