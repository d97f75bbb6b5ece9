//! The binary: parses the command line, carries it out, says what went wrong.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use ctp10::{app, cli::Cli, handles};

/// What a shell says of a program whose reader went away.
const NOBODY_READS: i32 = 141;

/// A thread that still works for a client when the program ends is left this long.
const THREADS_LIMIT: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    end_with_the_reader();
    handles::raise_limit();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the program cannot start its threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(perform());
    runtime.shutdown_timeout(THREADS_LIMIT);
    code
}

async fn perform() -> ExitCode {
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
